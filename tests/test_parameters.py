"""Each constructor parameter does what its documentation says."""

import inspect
import re

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import brier_score_loss, get_scorer, log_loss
from sklearn.utils.class_weight import compute_sample_weight

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.layers import Activate, BatchNorm, Dense, Dropout
from skdnn.nn.losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES, LogLoss
from skdnn.nn.network import Workspace
from skdnn.nn.optimizers import OPTIMIZERS, Adam, AdamW, Momentum
from skdnn.nn.schedules import SCHEDULES, Constant, Cosine, Step
from skdnn.nn.trainer import Trainer
from tests.tables import (
    binary,
    classifier,
    multiclass,
    multilabel,
    multioutput,
    parameters,
    regression,
    regressor,
)

ESTIMATORS = [DNNClassifier, DNNRegressor]
both = pytest.mark.parametrize("make", [classifier, regressor])


def layers(estimator, kind):
    """Return the layers of one kind."""
    return [ly for ly in estimator.network_.layers if isinstance(ly, kind)]


@pytest.fixture
def steps(monkeypatch):
    """The rows of y of each step, and the learning rate of each, as they come."""
    record = {"rows": [], "rates": []}
    loss_gradient, stepper = Trainer.loss_gradient, Adam.stepper

    def spy_gradient(self, batch):
        record["rows"].append(batch.y.ravel().copy())
        return loss_gradient(self, batch)

    def spy_stepper(self, *args):
        step = stepper(self, *args)
        return lambda rate: record["rates"].append(rate) or step(rate)

    monkeypatch.setattr(Trainer, "loss_gradient", spy_gradient)
    monkeypatch.setattr(Adam, "stepper", spy_stepper)
    return record


# Completeness


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_parameter_has_a_test(Estimator):
    """No parameter is without a test of its effect in this module."""
    untested = [
        name
        for name in Estimator().get_params()
        if not any(test.startswith(f"test_{name}_") for test in globals())
    ]
    assert not untested


# The network


@both
@pytest.mark.parametrize("dims", [(), [5], (4, 3), np.array([2, 3, 4])])
def test_hidden_layer_dims_are_the_widths(make, dims):
    """`hidden_layer_dims` is the number of units of each hidden layer."""
    est = make(dims).fit(*binary(d=4))
    assert [w.shape[1] for w in est.coefs_] == [*dims, 1]
    assert est.n_layers_ == len(dims) + 2


def test_hidden_layer_dims_may_be_positional():
    """`hidden_layer_dims` comes first, and all other parameters are keyword-only."""
    for Estimator in ESTIMATORS:
        assert Estimator((3,)).hidden_layer_dims == (3,)
        with pytest.raises(TypeError):
            Estimator((3,), "tanh")


@both
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activation_is_between_the_layers(make, name):
    """The activation is the function between the two layers."""
    X, y = binary()
    est = make(activation=name, numeric_scaling=None, dtype="float64").fit(X, y)
    z = X @ est.coefs_[0] + est.intercepts_[0]
    hidden = ACTIVATIONS[name].forward(z, (np.empty_like(z), np.empty_like(z)))
    raw = (hidden @ est.coefs_[1] + est.intercepts_[1])[:, 0]
    actual = (
        est.decision_function(X) if make is classifier else est._predict_raw(X)[:, 0]
    )
    np.testing.assert_allclose(actual, raw, rtol=1e-10, atol=1e-12)


def test_activation_of_each_layer():
    """A list gives each hidden layer an activation of its own."""
    clf = classifier((4, 4, 4), activation=["relu", "tanh", "gelu"]).fit(*binary())
    assert [ly.activation for ly in layers(clf, Activate)] == ["relu", "tanh", "gelu"]


@both
def test_batch_norm_adds_gain_and_shift_to_each_hidden_layer(make):
    """Batch norm adds a gain and a shift a hidden unit, before its activation."""
    est = make((6, 5), batch_norm=True).fit(*binary())
    kinds = [type(ly) for ly in est.network_.layers]
    assert kinds == [Dense, BatchNorm, Activate] * 2 + [Dense]
    assert [ly.gamma.shape for ly in layers(est, BatchNorm)] == [(6,), (5,)]
    assert [ly.beta.shape for ly in layers(est, BatchNorm)] == [(6,), (5,)]
    assert not layers(make((6, 5)).fit(*binary()), BatchNorm)


def test_batch_norm_shifts_are_the_intercepts():
    """The intercepts of a layer with batch norm are its shifts."""
    clf = classifier((6, 5), batch_norm=True).fit(*binary())
    for norm, intercept in zip(layers(clf, BatchNorm), clf.intercepts_, strict=False):
        np.testing.assert_array_equal(norm.beta, intercept)


@both
def test_dropout_drops_hidden_units(make):
    """Dropout follows each hidden layer, with its rate, and only where it is not 0."""
    est = make((6, 5), dropout=0.25).fit(*binary())
    assert [(ly.n_inputs, ly.rate) for ly in layers(est, Dropout)] == [
        (6, 0.25),
        (5, 0.25),
    ]
    est = make((6, 5, 4), dropout=[0.5, 0.0, 0.1]).fit(*binary())
    assert [(ly.n_inputs, ly.rate) for ly in layers(est, Dropout)] == [
        (6, 0.5),
        (4, 0.1),
    ]
    assert not layers(make((6, 5), dropout=0.0).fit(*binary()), Dropout)


def test_dropout_keeps_the_expectation():
    """What dropout leaves in is scaled up by what it leaves out."""
    X, y = binary()
    clf = classifier((200,), dropout=0.25, activation="identity").fit(X, y)
    caches = Workspace(clf.network_, np.random.default_rng(0)).caches(60)
    dense, dropout, _ = clf.network_.layers
    encoded = clf.encoder_.transform(X)
    hidden = dense.forward(encoded, caches[0]).copy()
    dropped = dropout.forward(hidden, caches[1])
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], hidden[kept] / 0.75, rtol=1e-6)
    # Four deviations of a binomial share.
    assert abs(kept.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / kept.size)


def test_dropout_is_for_training_only():
    """A prediction leaves no unit out."""
    X, y = binary()
    clf = classifier(dropout=0.5).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(X))


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


def test_alpha_leaves_biases_free():
    """Under any penalty, a linear model still predicts the mean."""
    X, y = regression()
    reg = regressor((), alpha=1e9, solver="bgd", optimizer="lbfgs", max_iter=100)
    reg.set_params(target_scaling=False, dtype="float64").fit(X, y)
    np.testing.assert_allclose(reg.predict(X), y.mean(), rtol=1e-4)


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
    clf = classifier(max_iter=4, **params).fit(X, y)
    before = classifier(max_iter=3, **params).fit(X, y)
    expected = metric(y, before.predict_proba(X))
    np.testing.assert_allclose(clf.loss_, expected, rtol=1e-10)


@pytest.mark.parametrize("name", sorted(REGRESSOR_LOSSES))
def test_loss_of_a_regressor_is_in_the_objective(name):
    """The objective is the loss that was chosen, in units of the target's scale."""
    X, y = regression()
    y = np.abs(y) + 0.1
    params = {"loss": name, "alpha": 0, "solver": "bgd", "dtype": "float64"}
    reg = regressor(max_iter=4, target_scaling=False, **params).fit(X, y)
    before = regressor(max_iter=3, target_scaling=False, **params).fit(X, y)
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
    one = classifier(loss=LogLoss()).fit(X, y)
    two = classifier(loss="log_loss").fit(X, y)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_loss_has_parameters_of_its_own():
    """Label smoothing keeps the probabilities from 0 and 1."""
    X, y = binary()
    params = {"max_iter": 300, "learning_rate": 0.05, "alpha": 0}
    sure = classifier(**params).fit(X, y).predict_proba(X)
    smooth = classifier(loss=LogLoss(label_smoothing=0.2), **params).fit(X, y)
    assert sure.max() > 0.99
    assert smooth.predict_proba(X).max() < 0.97


def test_loss_is_not_changed():
    """An instance that was passed is as it was after `fit`."""
    loss = LogLoss()
    classifier(loss=loss).fit(*binary())
    assert loss.link == "auto"


# Steps


@both
@pytest.mark.parametrize(
    ("solver", "n_steps"), [("bgd", 1), ("sgd", 50), ("minibatch", 3)]
)
def test_solver_sets_the_number_of_steps(make, solver, n_steps, steps):
    """The solver says whether a step looks at all rows, at one, or at a batch."""
    make(solver=solver, batch_size=20, max_iter=2).fit(*binary(50))
    assert len(steps["rates"]) == 2 * n_steps


@both
def test_batch_size_is_the_rows_of_a_step(make, steps):
    """A step looks at `batch_size` rows, the last of an epoch at what is left."""
    make(batch_size=32, max_iter=1).fit(*binary(70))
    assert [len(rows) for rows in steps["rows"]] == [32, 32, 6]


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"lbfgs"}))
def test_optimizer_takes_its_own_first_step(name):
    """The first step of each optimizer is that of its formula."""
    X, y = binary()
    params = {"solver": "bgd", "dtype": "float64", "max_iter": 1, "alpha": 0}
    start = classifier(**params, optimizer="sgd", learning_rate=1e-300).fit(X, y)
    w = start.network_.params
    slope = classifier(**params, optimizer="sgd", learning_rate=1.0).fit(X, y)
    g = w - slope.network_.params
    clf = classifier(**params, optimizer=name, learning_rate=0.01).fit(X, y)
    n_decayed = clf.network_.n_decayed
    decay = np.r_[np.full(n_decayed, 1e-4), np.zeros(len(w) - n_decayed)]
    expected = {
        "sgd": 0.01 * g,
        "momentum": 0.01 * g,
        "nesterov": 1.9 * 0.01 * g,
        "rmsprop": 0.01 * g / (0.1 * np.abs(g) + 1e-8),
        "adagrad": 0.01 * g / (np.abs(g) + 1e-10),
        "adam": 0.01 * g / (np.abs(g) + 1e-8 / np.sqrt(1e-3)),
        "adamw": 0.01 * g / (np.abs(g) + 1e-8 / np.sqrt(1e-3)) + decay * w,
    }[name]
    moved = w - clf.network_.params
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-9)


@both
def test_optimizer_lbfgs_finds_the_optimum(make):
    """L-BFGS reaches the optimum of a linear model to its tolerance."""
    X, y = binary()
    params = {"solver": "bgd", "dtype": "float64", "alpha": 1.0}
    est = make((), optimizer="lbfgs", max_iter=200, tol=1e-8, **params).fit(X, y)
    optimum = est.network_.params.copy()
    est.set_params(warm_start=True, optimizer="sgd", learning_rate=1.0, tol=None)
    est.set_params(max_iter=1)
    gradient = optimum - est.fit(X, y).network_.params
    assert np.abs(gradient).max() < 1e-4


def test_optimizer_may_be_an_instance():
    """An instance with default parameters is the same as its name."""
    X, y = binary()
    for name, cls in OPTIMIZERS.items():
        one = classifier(optimizer=name, solver="bgd").fit(X, y)
        two = classifier(optimizer=cls(), solver="bgd").fit(X, y)
        np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_optimizer_has_parameters_of_its_own():
    """Momentum of zero is plain gradient descent."""
    X, y = binary()
    params = {"learning_rate": 0.1, "dtype": "float64"}
    one = classifier(optimizer=Momentum(momentum=0.0), **params).fit(X, y)
    two = classifier(optimizer="sgd", **params).fit(X, y)
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-12)


def test_optimizer_decays_weights_alone():
    """AdamW's decay acts on the weights, not on biases, gains and shifts."""
    X, y = binary()
    params = {"max_iter": 1, "solver": "bgd", "batch_norm": True, "dtype": "float64"}
    one = classifier(optimizer=AdamW(weight_decay=0.0), **params).fit(X, y).network_
    two = classifier(optimizer=AdamW(weight_decay=0.5), **params).fit(X, y).network_
    n = one.n_decayed
    assert (one.params[:n] != two.params[:n]).all()
    np.testing.assert_array_equal(one.params[n:], two.params[n:])


@both
def test_learning_rate_is_that_of_the_steps(make, steps):
    """Each step is of the size that was asked for."""
    make(learning_rate=0.037, max_iter=2).fit(*binary())
    assert steps["rates"] == [0.037, 0.037]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("sgd", 0.1),
        ("momentum", 0.01),
        ("nesterov", 0.01),
        ("adagrad", 0.01),
        ("rmsprop", 0.001),
        ("adam", 0.001),
        ("adamw", 0.001),
    ],
)
def test_learning_rate_auto_depends_on_the_optimizer(optimizer, expected):
    """The automatic learning rate is the documented one of the optimizer."""
    X, y = binary()
    one = classifier(optimizer=optimizer, learning_rate="auto").fit(X, y)
    two = classifier(optimizer=optimizer, learning_rate=expected).fit(X, y)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


@both
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("inverse_scaling", [1, 2**-0.5, 3**-0.5, 0.5]),
        ("step", [1, 1, 1, 1]),
        (Step(every=2), [1, 1, 0.1, 0.1]),
        ("exponential", [1, 0.95, 0.95**2, 0.95**3]),
        ("cosine", [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        (Constant(warm_up=2), [0.01, 0.505, 1, 1]),
        (Cosine(warm_up=1), [0.01, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        ("coslog", [0, None, None, None]),
        ("one_cycle", [0.04, None, None, None]),
    ],
    ids=str,
)
def test_schedule_sets_the_size_of_the_steps(make, schedule, expected, steps):
    """The learning rate of each epoch is multiplied by the schedule."""
    make(schedule=schedule, learning_rate=0.5, solver="bgd", max_iter=4).fit(*binary())
    for rate, factor in zip(steps["rates"], expected, strict=True):
        if factor is not None:
            np.testing.assert_allclose(rate, 0.5 * factor, atol=1e-15)


def test_schedule_changes_within_an_epoch(steps):
    """The schedule is read at each step, at the share of the epoch that is over."""
    classifier(
        schedule="exponential", learning_rate=1.0, batch_size=15, max_iter=2
    ).fit(*binary(60))
    expected = 0.95 ** (np.arange(8) / 4)
    np.testing.assert_allclose(steps["rates"], expected, rtol=1e-12)


def test_schedule_adaptive_lowers_the_rate_when_training_stalls(steps):
    """`"adaptive"` divides the rate by 5 after each stall, until it is tiny."""
    clf = classifier(
        schedule="adaptive",
        learning_rate=1e-4,
        solver="bgd",
        tol=1.0,
        n_iter_no_change=2,
        max_iter=100,
    ).fit(*binary())
    rates = np.array(steps["rates"])
    values, counts = np.unique(rates, return_counts=True)
    np.testing.assert_allclose(values[::-1], 1e-4 / 5.0 ** np.arange(4), rtol=1e-12)
    # The first epoch always counts as progress, in the first round.
    assert counts[::-1].tolist() == [4, 3, 3, 3]
    assert clf.n_iter_ == 13


@both
@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_weight_init_is_the_distribution_of_the_weights(make, name):
    """Initial weights have the variance and the shape of the chosen distribution."""
    X, y = binary(50, 100)
    est = make((300,), weight_init=name, max_iter=1, learning_rate=1e-30).fit(X, y)
    weights = est.coefs_[0]
    variance = {"lecun": 1 / 100, "he": 2 / 100, "glorot": 2 / 400}
    deviation = np.sqrt(variance[name.split("_")[0]])
    assert abs(weights.std() / deviation - 1) < 0.02
    bounded = np.abs(weights).max() <= np.sqrt(3) * deviation * (1 + 1e-6)
    assert bounded == name.endswith("uniform")


def test_weight_init_auto_suits_the_activation():
    """Each layer starts as suits the activation above it."""
    X, y = binary(50, 100)
    params = {"max_iter": 1, "learning_rate": 1e-30, "activation": ["tanh", "relu"]}
    clf = classifier((300, 200), **params).fit(X, y)
    glorot, he = 2 / (100 + 300), 2 / 300
    assert abs(clf.coefs_[0].var() / glorot - 1) < 0.04
    assert abs(clf.coefs_[1].var() / he - 1) < 0.04


# How long


@both
@pytest.mark.parametrize("max_iter", [1, 2, 7])
def test_max_iter_is_the_number_of_epochs(make, max_iter):
    """Training lasts `max_iter` epochs unless it stops before."""
    est = make(max_iter=max_iter).fit(*binary())
    assert est.n_iter_ == len(est.loss_curve_) == max_iter


@both
def test_max_iter_that_is_too_small_is_a_warning(make):
    """A run to the last epoch that still makes progress is a warning."""
    with pytest.warns(ConvergenceWarning, match="max_iter=3 .*Increase max_iter"):
        make(max_iter=3, tol=1e-4, n_iter_no_change=2).fit(*binary())


def test_max_iter_with_early_stopping_is_no_warning():
    """With early stopping, a run to the last epoch is none: the best weights stay."""
    params = {"tol": 1e-4, "n_iter_no_change": 2, "early_stopping": True}
    clf = classifier(max_iter=3, **params).fit(*binary())  # warnings are errors
    assert clf.n_iter_ == 3


@both
def test_tol_none_runs_all_epochs(make):
    """Without `tol`, even training that stands still goes on."""
    est = make(tol=None, learning_rate=1e-30, max_iter=30).fit(*binary())
    assert est.n_iter_ == 30


@both
def test_tol_is_what_counts_as_progress(make):
    """Training stops once the loss no longer falls by `tol`."""
    params = {"learning_rate": 1e-4, "solver": "bgd", "max_iter": 50}
    est = make(tol=1.0, n_iter_no_change=5, **params).fit(*binary())
    # One epoch of progress, five without, and the one that is too much.
    assert est.n_iter_ == 7


@both
@pytest.mark.parametrize("patience", [1, 4])
def test_n_iter_no_change_is_the_patience(make, patience):
    """Training stops after more than so many epochs without progress."""
    params = {"learning_rate": 1e-4, "solver": "bgd", "max_iter": 50}
    est = make(tol=1.0, n_iter_no_change=patience, **params).fit(*binary())
    assert est.n_iter_ == patience + 2


# Rows


def test_shuffle_false_takes_the_rows_as_they_come(steps):
    """Without `shuffle`, each epoch visits the rows in their own order."""
    X, _ = binary(30)
    y = np.arange(30.0)
    regressor(shuffle=False, target_scaling=False, batch_size=7, max_iter=2).fit(X, y)
    np.testing.assert_array_equal(np.concatenate(steps["rows"]), np.r_[y, y])


def test_shuffle_visits_each_row_once_an_epoch_in_a_new_order(steps):
    """With `shuffle`, an epoch visits each row once, in another order each time."""
    X, _ = binary(30)
    y = np.arange(30.0)
    regressor(target_scaling=False, batch_size=7, max_iter=2).fit(X, y)
    one, two = np.concatenate(steps["rows"]).reshape(2, 30)
    np.testing.assert_array_equal(np.sort(one), y)
    np.testing.assert_array_equal(np.sort(two), y)
    assert (one != two).any()
    assert (one != y).any()


@both
def test_early_stopping_holds_rows_out(make, steps):
    """Early stopping trains on some rows and measures on the others."""
    X, y = binary(50)
    est = make(early_stopping=True, solver="bgd", max_iter=3).fit(X, y)
    assert [len(rows) for rows in steps["rows"]] == [45, 45, 45]
    assert len(est.validation_scores_) == len(est.validation_loss_curve_) == 3


@both
def test_early_stopping_false_uses_all_rows(make, steps):
    """Without early stopping, all rows train."""
    est = make(early_stopping=False, solver="bgd", max_iter=1).fit(*binary(50))
    assert [len(rows) for rows in steps["rows"]] == [50]
    assert est.validation_scores_ is None


@pytest.mark.parametrize(("n", "validated"), [(10_000, False), (10_001, True)])
def test_early_stopping_auto_is_for_more_than_10000_rows(n, validated):
    """`"auto"` holds rows out of more than 10,000, as in HistGradientBoosting."""
    X, y = binary(n, 3)
    clf = classifier((2,), max_iter=2, early_stopping="auto").fit(X, y)
    assert (clf.validation_scores_ is not None) == validated


def test_early_stopping_auto_uses_validation_data():
    """`"auto"` is True for small data if `fit` gets validation data."""
    X, y = binary()
    clf = classifier(early_stopping="auto").fit(X[:40], y[:40], X_val=X, y_val=y)
    assert len(clf.validation_scores_) == 5


@both
@pytest.mark.parametrize(
    ("fraction", "n_validation"), [(0.1, 5), (0.25, 13), (0.001, 1), (7, 7), (1, 1)]
)
def test_validation_fraction_is_a_share_or_a_number(
    make, fraction, n_validation, steps
):
    """A float is the share, rounded up, an int the number of the rows held out."""
    params = {"early_stopping": True, "solver": "bgd", "max_iter": 2}
    make(validation_fraction=fraction, **params).fit(*binary(50))
    assert len(steps["rows"][0]) == 50 - n_validation


def test_scoring_callable_sets_the_best_epoch():
    """The epoch with the best score of the callable is the best."""
    scores = iter([1.0, 5.0, 3.0, 4.0, 2.0])
    clf = classifier(early_stopping=True, scoring=lambda est, X, y: next(scores))
    clf.fit(*binary())
    assert clf.validation_scores_ == [1.0, 5.0, 3.0, 4.0, 2.0]
    assert clf.best_iter_ == 2
    assert clf.best_validation_score_ == 5.0


def test_scoring_loss_is_the_validation_loss():
    """`"loss"` watches the loss on the validation rows, without the penalty."""
    X, y = binary()
    clf = classifier(early_stopping=True, scoring="loss", alpha=5.0, dtype="float64")
    clf.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert clf.validation_scores_ == [-loss for loss in clf.validation_loss_curve_]
    # The best weights are in place.
    expected = log_loss(y[:20], clf.predict_proba(X[:20]))
    np.testing.assert_allclose(min(clf.validation_loss_curve_), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "scoring"),
    [
        (classifier, "accuracy"),
        (classifier, "roc_auc"),
        (classifier, "neg_log_loss"),
        (regressor, "r2"),
        (regressor, "neg_mean_absolute_error"),
    ],
)
def test_scoring_name_is_scikit_learns(make, scoring):
    """The best score is what scikit-learn's scorer says of the fitted estimator."""
    X, y = binary()
    est = make(early_stopping=True, scoring=scoring)
    est.fit(X, y, X_val=X[:20], y_val=y[:20])
    expected = get_scorer(scoring)(est, X[:20], y[:20])
    np.testing.assert_allclose(est.best_validation_score_, expected, rtol=1e-12)


# Columns and targets


@both
@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", None])
def test_numeric_scaling_is_the_encoders(make, scaling):
    """The network sees the columns as the encoder of that scaling gives them."""
    X, y = binary()
    X = 10 * X + 5
    est = make(numeric_scaling=scaling, dtype="float64").fit(X, y)
    encoded = est.encoder_.transform(X)
    assert est.encoder_.numeric_scaling == scaling
    assert np.array_equal(encoded, X) == (scaling is None)
    np.testing.assert_allclose(
        est._predict_raw(X), est.network_.forward(encoded), rtol=1e-12, atol=1e-12
    )


#: Class weights count in the loss, and leave the scaling of the columns alone.
@both
def test_categorical_features_become_columns(make):
    """The columns that it names are one-hot encoded, and are no numbers then."""
    X, y = binary()
    X[:, 1] = np.arange(60) % 3
    assert make().fit(X, y).encoder_.n_features_out_ == 4
    est = make(categorical_features=[1]).fit(X, y)
    assert est.encoder_.n_features_out_ == 3 + 3
    assert est.coefs_[0].shape == (6, 8)


UNSCALED = {"numeric_scaling": None, "dtype": "float64"}


def assert_same_training(one, two):
    """Assert that two estimators have the same parameters, but for rounding."""
    np.testing.assert_allclose(parameters(one), parameters(two), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_class_weight_is_a_sample_weight(batch_norm):
    """A weight a class is a weight of its rows."""
    X, y = multiclass()
    weight = np.array([1.0, 2.0, 0.5])[y]
    params = {**UNSCALED, "batch_norm": batch_norm, "batch_size": 20}
    one = classifier(class_weight={0: 1.0, 1: 2.0, 2: 0.5}, **params).fit(X, y)
    two = classifier(**params).fit(X, y, weight)
    assert_same_training(one, two)


def test_class_weight_multiplies_the_sample_weight():
    """Both kinds of weight multiply."""
    X, y = binary()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X))
    one = classifier(class_weight={0: 1.0, 1: 4.0}, **UNSCALED).fit(X, y, weight)
    two = classifier(**UNSCALED).fit(X, y, weight * np.where(y == 1, 4.0, 1.0))
    assert_same_training(one, two)


def test_class_weight_balanced_gives_classes_the_same_total():
    """`"balanced"` is scikit-learn's weight of balanced classes."""
    X, y = multiclass()
    keep = np.r_[:40, np.flatnonzero(y[40:] == 1) + 40]
    X, y = X[keep], y[keep]
    one = classifier(class_weight="balanced", **UNSCALED).fit(X, y)
    two = classifier(**UNSCALED).fit(X, y, compute_sample_weight("balanced", y))
    assert_same_training(one, two)


def test_class_weight_balanced_counts_the_sample_weight():
    """`"balanced"` balances weights, so that a row of weight 2 is as two rows."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3
    one = classifier(class_weight="balanced", batch_size=10).fit(X, y, weight)
    two = classifier(class_weight="balanced", batch_size=10)
    two.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_class_weight_balanced_gives_weights_the_same_total():
    """`"balanced"` divides the total weight evenly between the classes."""
    X, y = binary()
    weight = np.where(y == 1, 5.0, 1.0) * (1 + np.arange(60) % 3)
    totals = np.bincount(y, weight)
    shares = dict(enumerate(weight.sum() / 2 / totals))
    one = classifier(class_weight="balanced", **UNSCALED).fit(X, y, weight)
    two = classifier(class_weight=shares, **UNSCALED).fit(X, y, weight)
    assert_same_training(one, two)


def test_class_weight_of_each_label():
    """For several labels a row, the weights of its labels multiply."""
    X, y = multilabel()
    weights = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 3.0}, {0: 0.5, 1: 1.0}]
    one = classifier(class_weight=weights, **UNSCALED).fit(X, y)
    factors = [
        [weight[label] for label in column]
        for weight, column in zip(weights, y.T, strict=True)
    ]
    two = classifier(**UNSCALED).fit(X, y, np.prod(factors, axis=0))
    assert_same_training(one, two)


def test_class_weight_is_in_the_validation_loss():
    """The validation loss weighs the classes too."""
    X, y = binary()
    val = {"X_val": X[:20], "y_val": y[:20]}
    clf = classifier(class_weight={0: 1.0, 1: 5.0}, dtype="float64", max_iter=2)
    clf.fit(X, y, **val)
    weight = np.where(y[:20] == 1, 5.0, 1.0)
    expected = log_loss(y[:20], clf.predict_proba(X[:20]), sample_weight=weight)
    best = min(clf.validation_loss_curve_)
    np.testing.assert_allclose(best, expected, rtol=1e-9)


def test_class_weight_by_label():
    """The keys of the weights are the labels as they were passed."""
    X, y = binary()
    one = classifier(class_weight={"no": 1.0, "yes": 3.0})
    one.fit(X, np.array(["no", "yes"])[y])
    two = classifier(class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))


@pytest.mark.parametrize("data", [regression, multioutput])
def test_target_scaling_makes_units_irrelevant(data):
    """With `target_scaling`, the units of the target make no difference."""
    X, y = data()
    reg = regressor(dtype="float64").fit(X, y)
    other = regressor(dtype="float64").fit(X, 1000 * y - 70)
    np.testing.assert_allclose(
        other.predict(X), 1000 * reg.predict(X) - 70, rtol=1e-9, atol=1e-6
    )


def test_target_scaling_standardizes():
    """Scaling trains on the standardized target."""
    X, y = regression()
    z = (y - y.mean()) / y.std()
    one = regressor(target_scaling=True, dtype="float64").fit(X, y)
    two = regressor(target_scaling=False, dtype="float64").fit(X, z)
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-9)
    expected = two.predict(X) * y.std() + y.mean()
    np.testing.assert_allclose(one.predict(X), expected, rtol=1e-9)


def test_target_scaling_counts_the_weights():
    """Mean and deviation of the target are weighted."""
    X, y = regression()
    weight = np.random.default_rng(0).uniform(0.1, 5, 60)
    mean = np.average(y, weights=weight)
    z = (y - mean) / np.sqrt(np.average((y - mean) ** 2, weights=weight))
    one = regressor(target_scaling=True, dtype="float64").fit(X, y, weight)
    two = regressor(target_scaling=False, dtype="float64").fit(X, z, weight)
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-9)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_target_scaling_of_an_exponential_divides_by_the_mean(loss):
    """Under an exponential link, the target is divided by its mean alone."""
    X, y = regression()
    y = np.exp(y / 3)
    params = {"loss": loss, "dtype": "float64"}
    one = regressor(target_scaling=True, **params).fit(X, y)
    two = regressor(target_scaling=False, **params).fit(X, y / y.mean())
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-9)
    np.testing.assert_allclose(one.predict(X), two.predict(X) * y.mean(), rtol=1e-9)


def test_target_scaling_of_a_constant_target():
    """A target without any variance is predicted."""
    X, _ = regression()
    for value in (0.0, 7.5):
        reg = regressor((), max_iter=2000, learning_rate=0.01, solver="bgd", alpha=0)
        reg.fit(X, np.full(60, value))
        np.testing.assert_allclose(reg.predict(X), value, atol=1e-3)


# The rest


@both
@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
@pytest.mark.parametrize("solver", ["bgd", "minibatch"])
def test_warm_start_continues(make, optimizer, solver):
    """Two warm starts are one long run, to the bit: with dropout, schedule and all."""
    X, y = binary()
    params = {"optimizer": optimizer, "solver": solver, "batch_size": 16}
    params |= {"dropout": 0.3, "batch_norm": True, "schedule": "inverse_scaling"}
    two = make(warm_start=True, max_iter=4, **params).fit(X, y).fit(X, y)
    one = make(max_iter=8, **params).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert two.loss_curve_ == one.loss_curve_[4:]


@both
def test_warm_start_counts_the_epochs_of_the_last_fit(make):
    """`n_iter_` and `loss_curve_` are of the last `fit`, however short it was."""
    X, y = binary()
    for max_iter in (1, 3):
        est = make(warm_start=True, max_iter=max_iter).fit(X, y).fit(X, y)
        assert est.n_iter_ == len(est.loss_curve_) == max_iter


@both
def test_warm_start_false_begins_anew(make):
    """Without warm start, a second `fit` is as the first, to the bit."""
    X, y = binary()
    est = make(batch_norm=True, dropout=0.2).fit(X, y)
    first = parameters(est)
    np.testing.assert_array_equal(first, parameters(est.fit(X, y)))


@both
def test_warm_start_keeps_the_scaling(make):
    """A warm start on other data keeps the scaling of the first."""
    X, y = binary()
    est = make(warm_start=True).fit(X, y)
    median = est.encoder_.median_.copy()
    est.fit(100 * X + 1, y)
    np.testing.assert_array_equal(est.encoder_.median_, median)


@both
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_prints_a_line_an_epoch(make, early_stopping, capsys):
    """`verbose` prints a line an epoch, with its number and its loss."""
    est = make(verbose=True, max_iter=3, early_stopping=early_stopping).fit(*binary())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["epoch", str(i)] for i in (1, 2, 3)
    ]
    for line, loss in zip(lines, est.loss_curve_, strict=True):
        assert f"loss {loss:.6f}" in line
        assert ("score" in line) == early_stopping


@both
@pytest.mark.parametrize("verbose", [False, 0])
def test_verbose_false_prints_nothing(make, verbose, capsys):
    """Without `verbose`, nothing is printed."""
    make(verbose=verbose, early_stopping=True).fit(*binary())
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@both
def test_random_state_sets_the_weights(make):
    """The same `random_state` gives the same weights, another one others."""
    X, y = binary()
    one, two, other = (make(random_state=seed).fit(X, y).coefs_ for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.isclose(one[0], other[0]).any()


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_that_of_the_computation(make, dtype):
    """All weights and all steps are of `dtype`, whatever that of `X`."""
    X, y = binary()
    for given in ("float32", "float64"):
        est = make(dtype=dtype, batch_norm=True).fit(X.astype(given), y)
        assert {w.dtype for w in est.coefs_ + est.intercepts_} == {np.dtype(dtype)}
        assert est.network_.statistics.dtype == dtype
        assert est.encoder_.transform(X).dtype == dtype


# Documentation


def documented(Estimator, section):
    """Return name -> (type line, text) of a section of a numpydoc docstring."""
    doc = inspect.getdoc(Estimator)
    body = re.search(rf"\n{section}\n-+\n(.*?)\n\n\S[^\n]*\n---", doc, re.S).group(1)
    items = re.split(r"^(\w+) : ", body, flags=re.M)[1:]
    entries = {}
    for name, text in zip(items[::2], items[1::2], strict=True):
        head, _, rest = text.partition("\n")
        entries[name] = (" ".join(head.split()), " ".join(rest.split()))
    return entries


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_documentation_has_the_parameters_in_order(Estimator):
    """All parameters are documented, in the order of the signature."""
    names = list(inspect.signature(Estimator).parameters)
    assert list(documented(Estimator, "Parameters")) == names


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_documentation_has_the_defaults(Estimator):
    """The defaults that are documented are those of the signature."""
    for name, (head, _) in documented(Estimator, "Parameters").items():
        default = inspect.signature(Estimator).parameters[name].default
        stated = head.split("default=")[1]
        assert eval(stated, {"__builtins__": {}}) == default


def test_documentation_of_shared_parameters_is_alike():
    """Both classes document what they share in the same words."""
    one, two = (documented(Estimator, "Parameters") for Estimator in ESTIMATORS)
    shared = set(one) & set(two)
    # The classes' losses differ, and only classes can be held out in proportion.
    assert len(shared) == 25
    for name in shared - {"loss", "validation_fraction"}:
        assert one[name] == two[name]


def test_documentation_of_shared_attributes_is_alike():
    """Both classes document the attributes that they share in the same words."""
    one, two = (documented(Estimator, "Attributes") for Estimator in ESTIMATORS)
    assert set(one) - set(two) == {"classes_"}
    for name in set(two) - {"out_activation_"}:
        assert one[name] == two[name]


@pytest.mark.parametrize("make", [classifier, regressor])
def test_documentation_has_the_attributes(make):
    """All public attributes are documented, and all that are documented exist."""
    est = make().fit(*binary())
    learned = {name for name in dir(est) if re.fullmatch(r"[a-z]\w*[a-z]_", name)}
    stated = set(documented(type(est), "Attributes"))
    assert stated - learned == {"feature_names_in_"}
    assert learned - stated == set()


@pytest.mark.parametrize(
    ("parameter", "tables"),
    [
        ("activation", [ACTIVATIONS, ACTIVATIONS]),
        ("optimizer", [OPTIMIZERS, OPTIMIZERS]),
        ("schedule", [SCHEDULES, SCHEDULES]),
        ("weight_init", [INITIALIZERS, INITIALIZERS]),
        ("loss", [CLASSIFIER_LOSSES, REGRESSOR_LOSSES]),
    ],
)
def test_documentation_has_all_names(parameter, tables):
    """Each name in a table is in the documentation of its parameter."""
    for Estimator, table in zip(ESTIMATORS, tables, strict=True):
        head, _ = documented(Estimator, "Parameters")[parameter]
        stated = set(re.findall(r'"(\w+)"', head.split("default=")[0])) - {"auto"}
        assert stated == set(table)
