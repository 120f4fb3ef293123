"""Parameters of what is minimized: the loss, the penalty, weights of classes."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import GammaRegressor, PoissonRegressor
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.utils.class_weight import compute_sample_weight

from skdnn.nn.losses import REGRESSOR_LOSSES, Huber, LogLoss, Quantile
from tests.plain import plain_classifier, plain_regressor
from tests.tables import (
    UNSCALED,
    binary,
    multiclass,
    multilabel,
    numbers,
    parameters,
    regression,
    regressor,
)

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])


# The loss


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        ("log_loss", log_loss),
        ("squared_error", lambda y, p: brier_score_loss(y, p[:, 1]) / 2),
    ],
)
def test_loss_of_a_classifier_is_in_the_objective(loss, metric):
    """The objective is the loss that was chosen."""
    X, y = binary()
    params = {"loss": loss, "alpha": 0, "solver": "bgd", "dtype": "float64"}
    clf = plain_classifier(max_iter=4, **params).fit(X, y)
    before = plain_classifier(max_iter=3, **params).fit(X, y)
    expected = metric(y, before.predict_proba(X))
    np.testing.assert_allclose(clf.loss_, expected, rtol=1e-10)


@pytest.mark.parametrize("name", sorted(REGRESSOR_LOSSES))
def test_loss_of_a_regressor_is_in_the_objective(name):
    """The objective is the loss that was chosen, in units of the target's scale."""
    X, y = regression()
    y = np.abs(y) + 0.1
    params = {"loss": name, "alpha": 0, "solver": "bgd", "dtype": "float64"}
    reg = plain_regressor(max_iter=4, target_scaling=False, **params).fit(X, y)
    before = plain_regressor(max_iter=3, target_scaling=False, **params).fit(X, y)
    a = before.predict(X)
    e = np.abs(a - y)
    expected = {
        "squared_error": lambda: e**2 / 2,
        "absolute_error": lambda: e,
        "huber": lambda: np.where(e <= 1, e**2 / 2, e - 0.5),
        "quantile": lambda: e / 2,
        "poisson": lambda: a - y * np.log(a) + y * np.log(y) - y,
        "gamma": lambda: np.log(a) + y / a - np.log(y) - 1,
    }[name]
    np.testing.assert_allclose(reg.loss_, expected().mean(), rtol=1e-10)


def test_loss_may_be_an_instance():
    """A loss with its default parameters is the same as its name."""
    X, y = multiclass()
    one = plain_classifier(loss=LogLoss()).fit(X, y)
    two = plain_classifier(loss="log_loss").fit(X, y)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_loss_has_parameters_of_its_own():
    """Label smoothing keeps the probabilities from 0 and 1."""
    X, y = binary()
    params = {"max_iter": 300, "learning_rate": 0.05, "alpha": 0}
    sure = plain_classifier(**params).fit(X, y).predict_proba(X)
    smooth = plain_classifier(loss=LogLoss(label_smoothing=0.2), **params).fit(X, y)
    assert sure.max() > 0.99
    assert smooth.predict_proba(X).max() < 0.97


def test_loss_is_not_changed():
    """An instance that was passed is as it was after `fit`."""
    loss = LogLoss()
    plain_classifier(loss=loss).fit(*binary())
    assert loss.link == "auto"


# What each loss learns


def test_poisson_learns_a_rate():
    """Poisson loss finds the linear model that scikit-learn finds."""
    rng = np.random.default_rng(0)
    X = numbers(300)
    y = rng.poisson(np.exp(1 + X[:, 0] - 0.5 * X[:, 1]))
    params = {"optimizer": "lbfgs", "solver": "bgd", "max_iter": 200, "alpha": 0}
    reg = regressor((), loss="poisson", numeric_scaling=None, dtype="float64", **params)
    expected = PoissonRegressor(alpha=0, tol=1e-8).fit(X, y).predict(X)
    np.testing.assert_allclose(reg.fit(X, y).predict(X), expected, rtol=1e-2)


def test_gamma_learns_an_amount():
    """Gamma loss finds the linear model that scikit-learn finds."""
    rng = np.random.default_rng(0)
    X = numbers(300)
    y = rng.gamma(2.0, np.exp(3 + X[:, 0] - 0.5 * X[:, 1]))
    params = {"optimizer": "lbfgs", "solver": "bgd", "max_iter": 200, "alpha": 0}
    reg = regressor((), loss="gamma", numeric_scaling=None, dtype="float64", **params)
    expected = GammaRegressor(alpha=0, tol=1e-8).fit(X, y).predict(X)
    np.testing.assert_allclose(reg.fit(X, y).predict(X), expected, rtol=1e-2)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_is_exceeded_as_often_as_it_should(quantile):
    """With a single weight, the bias, the prediction is the quantile of the target."""
    y = np.random.default_rng(0).permutation(np.arange(101.0))
    params = {"solver": "bgd", "max_iter": 1500, "schedule": "cosine", "alpha": 0}
    reg = regressor((), loss=Quantile(quantile), learning_rate=0.02, **params)
    predicted = reg.fit(np.zeros((101, 1)), y).predict([[0.0]])
    np.testing.assert_allclose(predicted, 100 * quantile, atol=1.5)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_absolute_error_predicts_the_median():
    """With a single weight, the bias, the prediction is the median of the target."""
    y = np.r_[np.arange(51.0), np.full(50, 1000.0)]
    params = {"solver": "bgd", "max_iter": 1500, "schedule": "cosine", "alpha": 0}
    reg = regressor((), loss="absolute_error", learning_rate=0.02, **params)
    predicted = reg.fit(np.zeros((101, 1)), y).predict([[0.0]])
    np.testing.assert_allclose(predicted, 50, atol=12)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_huber_is_robust():
    """Under Huber loss, outliers move the prediction less than under squared error."""
    y = np.r_[np.zeros(95), np.full(5, 100.0)]
    X = np.zeros((100, 1))
    params = {"solver": "bgd", "max_iter": 800, "learning_rate": 0.02, "alpha": 0}
    params["schedule"] = "cosine"
    mean = regressor((), **params).fit(X, y).predict(X[:1])
    huber = regressor((), loss=Huber(delta=0.1), **params).fit(X, y).predict(X[:1])
    np.testing.assert_allclose(mean, 5, atol=0.1)
    # Where 95 errors of e, in deviations, are as much as 5 clipped at delta.  Four
    # fifths of those that deviate do so by at most 1.28 standard deviations.
    deviation = 100 / norm.ppf(0.9)
    np.testing.assert_allclose(huber, 5 / 95 * 0.1 * deviation, atol=0.1)


# The penalty


@pytest.mark.filterwarnings("ignore:Training learned nothing")
@both
def test_alpha_shrinks_the_weights(make):
    """The more penalty, the smaller the weights, until none is left."""
    X, y = binary()
    sizes = [
        sum(
            np.abs(w).sum()
            for w in make(alpha=alpha, max_iter=300, learning_rate=0.03)
            .fit(X, y)
            .coefs_
        )
        for alpha in (0, 1, 10, 1e4)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.1 * sizes[0]


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_alpha_leaves_biases_free():
    """Under any penalty, a linear model still predicts the mean."""
    X, y = regression()
    reg = plain_regressor((), alpha=1e9, solver="bgd", optimizer="lbfgs", max_iter=100)
    reg.set_params(target_scaling=False, dtype="float64").fit(X, y)
    np.testing.assert_allclose(reg.predict(X), y.mean(), rtol=1e-4)


@pytest.mark.parametrize(
    "params",
    [{"batch_size": 5}, {"batch_size": 20}, {"solver": "bgd"}],
    ids=["5 rows", "20 rows", "all rows"],
)
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_fault_31_the_penalty_does_not_depend_on_the_batch_size(params, weight):
    """A linear model ends where ridge regression does, for every batch size.

    A peer divided the penalty by the rows of a batch, so that small batches had a
    strong one.
    """
    X, y = regression()
    alpha = 40.0
    reg = plain_regressor((), alpha=alpha, numeric_scaling=None, target_scaling=False)
    reg.set_params(**params, optimizer="sgd", learning_rate=0.2, schedule="cosine")
    reg.set_params(max_iter=400).fit(X, y, np.full(60, weight))
    centered = X - X.mean(axis=0)
    hessian = weight * centered.T @ centered + alpha * np.eye(4)
    ridge = np.linalg.solve(hessian, weight * centered.T @ (y - y.mean()))
    np.testing.assert_allclose(reg.coefs_[0][:, 0], ridge, atol=0.01)


# Weights of classes


def assert_same_training(one, two):
    """Assert that two estimators have the same parameters, but for rounding."""
    np.testing.assert_allclose(parameters(one), parameters(two), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_class_weight_is_a_sample_weight(batch_norm):
    """A weight a class is a weight of its rows."""
    X, y = multiclass()
    weight = np.array([1.0, 2.0, 0.5])[y]
    params = {**UNSCALED, "batch_norm": batch_norm, "batch_size": 20}
    one = plain_classifier(class_weight={0: 1.0, 1: 2.0, 2: 0.5}, **params).fit(X, y)
    two = plain_classifier(**params).fit(X, y, weight)
    assert_same_training(one, two)


def test_class_weight_multiplies_the_sample_weight():
    """Both kinds of weight multiply."""
    X, y = binary()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    one = plain_classifier(class_weight={0: 1.0, 1: 4.0}, **UNSCALED).fit(X, y, weight)
    two = plain_classifier(**UNSCALED).fit(X, y, weight * np.where(y == 1, 4.0, 1.0))
    assert_same_training(one, two)


def test_class_weight_balanced_gives_classes_the_same_total():
    """`"balanced"` is scikit-learn's weight of balanced classes."""
    X, y = multiclass()
    keep = np.r_[:40, np.flatnonzero(y[40:] == 1) + 40]
    X, y = X[keep], y[keep]
    one = plain_classifier(class_weight="balanced", **UNSCALED).fit(X, y)
    two = plain_classifier(**UNSCALED).fit(X, y, compute_sample_weight("balanced", y))
    assert_same_training(one, two)


def test_class_weight_balanced_counts_the_sample_weight():
    """`"balanced"` balances weights, so that a row of weight 2 is as two rows."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3
    one = plain_classifier(class_weight="balanced", batch_size=10).fit(X, y, weight)
    two = plain_classifier(class_weight="balanced", batch_size=10)
    two.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_class_weight_balanced_gives_weights_the_same_total():
    """`"balanced"` divides the total weight evenly between the classes."""
    X, y = binary()
    weight = np.where(y == 1, 5.0, 1.0) * (1 + np.arange(60) % 3)
    totals = np.bincount(y, weight)
    shares = dict(enumerate(weight.sum() / 2 / totals))
    one = plain_classifier(class_weight="balanced", **UNSCALED).fit(X, y, weight)
    two = plain_classifier(class_weight=shares, **UNSCALED).fit(X, y, weight)
    assert_same_training(one, two)


def test_class_weight_of_each_label():
    """For several labels a row, the weights of its labels multiply."""
    X, y = multilabel()
    weights = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 3.0}, {0: 0.5, 1: 1.0}]
    one = plain_classifier(class_weight=weights, **UNSCALED).fit(X, y)
    factors = [
        [weight[label] for label in column]
        for weight, column in zip(weights, y.T, strict=True)
    ]
    two = plain_classifier(**UNSCALED).fit(X, y, np.prod(factors, axis=0))
    assert_same_training(one, two)


def test_class_weight_is_in_the_validation_loss():
    """The validation loss weighs the classes too."""
    X, y = binary()
    val = {"X_val": X[:20], "y_val": y[:20]}
    params = {"dtype": "float64", "max_iter": 2, "early_stopping": True}
    clf = plain_classifier(class_weight={0: 1.0, 1: 5.0}, **params)
    clf.fit(X, y, **val)
    weight = np.where(y[:20] == 1, 5.0, 1.0)
    expected = log_loss(y[:20], clf.predict_proba(X[:20]), sample_weight=weight)
    best = min(clf.validation_loss_curve_)
    np.testing.assert_allclose(best, expected, rtol=1e-9)


def test_class_weight_by_label():
    """The keys of the weights are the labels as they were passed."""
    X, y = binary()
    one = plain_classifier(class_weight={"no": 1.0, "yes": 3.0})
    one.fit(X, np.array(["no", "yes"])[y])
    two = plain_classifier(class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))
