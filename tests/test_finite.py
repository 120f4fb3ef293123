"""What is fitted predicts finite numbers for finite rows, or the fit says why not."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.losses import REGRESSOR_LOSSES, LogLoss, SquaredError
from skdnn.nn.optimizers import OPTIMIZERS
from skdnn.nn.prediction import HEADROOM
from skdnn.nn.schedules import Schedule
from tests.plain import plain_classifier, plain_regressor
from tests.tables import (
    QUICK,
    RECIPES,
    TASKS,
    binary,
    classifier,
    multiclass,
    numbers,
    regression,
    regressor,
)

#: Rows further out than any that training has seen.
FAR = np.array(
    [
        [1e300, 0, 0, 0],
        [-1e300, -1e300, -1e300, -1e300],
        [1e38, 1e38, 1e38, 1e38],
        [3e38, -3e38, 3e38, -3e38],
        [1e30, -1e30, 1, 1],
    ]
)


def predictions(est, X):
    """Return what each of the methods predicts."""
    methods = "predict", "predict_proba", "predict_log_proba", "decision_function"
    return {name: getattr(est, name)(X) for name in methods if hasattr(est, name)}


def assert_finite(est, X):
    for name, predicted in predictions(est, X).items():
        assert np.isfinite(predicted).all(), name


# Prediction


@pytest.mark.sampled
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("scaling", ["robust", "standard", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_rows(task, scaling, dtype):
    """Rows far out have finite predictions, and probabilities that sum to one."""
    make, data = TASKS[task]
    est = make((8, 8), numeric_scaling=scaling, dtype=dtype).fit(*data())
    far = FAR if scaling == "robust" or dtype == "float64" else FAR[2:]
    assert_finite(est, far)
    if task in ("binary", "multiclass"):
        np.testing.assert_allclose(est.predict_proba(far).sum(axis=1), 1)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_far_rows_through_every_activation(activation):
    """None turns what overflows into NaN."""
    reg = regressor(
        (8, 8), activation=activation, numeric_scaling=None, n_members=1
    ).fit(*regression())
    assert_finite(reg, FAR[2:])


def test_what_overflows_is_computed_in_float64():
    """A row that overflows float32 on its way has the prediction of a float64 twin."""
    X, y = regression()
    params = {"numeric_scaling": None, "numeric_embedding": None}
    network = regressor((8, 8), activation="relu", **params).fit(X, y).network_
    near, far = X[:5].astype(np.float32), FAR[2:].astype(np.float32)
    network.params *= 10
    with np.errstate(all="ignore"):
        raw = network.forward(np.vstack([near, far]))
        predicted = network.predict(np.vstack([near, far]))
    assert not np.isfinite(raw).all()
    exact = network.forward(far.astype(np.float64))
    limit = np.finfo(np.float32).max / HEADROOM
    np.testing.assert_allclose(
        predicted[:, 5:], np.clip(exact, -limit, limit), rtol=1e-6
    )
    np.testing.assert_allclose(predicted[:, :5], raw[:, :5], rtol=1e-5)


def test_differences_of_what_overflows():
    """Infinity less infinity is no number; from smaller numbers, it is one."""
    params = {"activation": "relu", "numeric_scaling": None, "dtype": "float64"}
    network = plain_regressor((2,), **params).fit(*regression()).network_
    network.params[:] = 0
    network.weights[0][...] = 10
    network.weights[1][...] = [[1], [-1]]
    x = np.array([[1e308, 0, 0, 0], [1, 2, 3, 4]])
    with np.errstate(all="ignore"):
        assert np.isnan(network.forward(x)[0])
        np.testing.assert_array_equal(network.predict(x), [[0], [0]])
    assert network.predict(x[:0]).shape == (0, 1)


@pytest.mark.sampled
@pytest.mark.parametrize("loss", sorted(REGRESSOR_LOSSES))
@pytest.mark.parametrize("unit", [1.0, 2.0**900, 2.0**-900])
def test_predictions_of_every_loss(loss, unit):
    """However large or small the targets, and however far the row."""
    X, y = regression()
    y = unit * np.exp(y / 4)
    params = {"numeric_scaling": None}
    reg = regressor(loss=loss, **params).fit(X, y)
    assert_finite(reg, FAR[2:])
    if loss in ("poisson", "gamma"):
        assert (reg.predict(FAR[2:]) > 0).all()


@pytest.mark.parametrize("loss", [LogLoss(link="sigmoid"), SquaredError("sigmoid")])
def test_sigmoids_that_all_underflow(loss):
    """Sigmoids over their sum are probabilities where all of them round to zero."""
    clf = classifier((), loss=loss).fit(*multiclass())
    X = numbers()
    raw = clf.decision_function(X)
    np.testing.assert_allclose(
        clf.predict_proba(X),
        expit(raw) / expit(raw).sum(axis=1, keepdims=True),
        rtol=1e-5,
    )
    clf.network_.shifts[-1][...] = [[[-2000.0, -1000.0, -1500.0]]]
    np.testing.assert_array_equal(clf.predict_proba(X)[:, 1], 1)
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[1])
    assert_finite(clf, X)


def test_log_probabilities_of_impossible_classes():
    """They are as small as the raw predictions say, instead of minus infinity."""
    clf = plain_classifier(()).fit(*binary())
    network = clf.network_
    network.weights[-1][...] = 0
    network.shifts[-1][...] = 3000.0
    np.testing.assert_array_equal(clf.predict_log_proba(numbers(1)), [[-3000, 0]])


# Divergence

#: One step a fit, of a network whose size squares what the step does.
ONE_STEP = {
    "solver": "bgd",
    "optimizer": "sgd",
    "activation": "relu",
    "max_iter": 1,
    "n_members": 1,
    "early_stopping": False,
}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"batch_norm": True},
        {"n_members": 2},
        {"numeric_embedding": "periodic"},
    ],
    ids=str,
)
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_divergence_in_the_last_step(task, params):
    """Weights that are finite and predict nothing finite are seen when they arise."""
    make, data = TASKS[task]
    est = make((8, 8, 8), **ONE_STEP | {"learning_rate": 1e15} | params)
    with pytest.raises(ValueError, match="diverged: in epoch 1"):
        est.fit(*data())


class Late(Schedule):
    """A schedule whose second epoch is far too fast."""

    def factor(self, epoch, n_epochs):
        return 1e-3 if epoch < 1 else 1e15


def test_divergence_in_the_last_step_keeps_the_weights_from_before():
    """With epochs before that, these are kept, with a warning."""
    X, y = regression()
    params = {**ONE_STEP, "learning_rate": 1.0, "schedule": Late()}
    reg = regressor((8, 8, 8), **params)
    before = clone(reg).fit(X, y)
    reg.set_params(max_iter=2)
    with pytest.warns(ConvergenceWarning, match="diverged: in epoch 2"):
        reg.fit(X, y)
    assert reg.n_iter_ == len(reg.loss_curve_) == 1
    np.testing.assert_array_equal(reg.predict(X), before.predict(X))


@pytest.mark.parametrize("size", [1e20, 1e25, 1e35])
@pytest.mark.parametrize("solver", ["bgd", "minibatch"])
def test_statistics_of_batch_norm_that_overflow(size, solver):
    """A variance that overflows would make all rows equal: the fit says so."""
    X, y = multiclass()
    clf = classifier(
        batch_norm=True, numeric_scaling=None, solver=solver, early_stopping=False
    )
    with pytest.raises(ValueError, match=r"numeric_scaling='robust'"):
        clf.fit(size * X, y)
    clf.set_params(numeric_scaling="robust")
    assert_finite(clf.fit(size * X, y), size * X)


# Validation


@pytest.mark.parametrize("scoring", ["loss", "r2"])
def test_a_validation_loss_that_is_never_finite(scoring):
    """It is an error that says what to look at, and not the first epoch's network."""
    X, y = regression()
    reg = regressor(scoring=scoring)
    with pytest.raises(ValueError, match=r"validation loss was not finite .*y_val"):
        reg.fit(X, y, X_val=X, y_val=1e30 * y)
    assert not hasattr(reg, "network_")


def test_a_validation_loss_that_is_not_finite_is_no_progress():
    """Training stops after `n_iter_no_change` epochs of it, as of any other."""
    X, y = regression()
    reg = regressor(tol=1e-4, n_iter_no_change=2, max_iter=50)
    with pytest.raises(ValueError, match="in any of 3 epochs"):
        reg.fit(X, y, X_val=X, y_val=1e30 * y)


# NumPy's own ways to tell


@pytest.fixture
def raising():
    """Floating point errors are exceptions."""
    with np.errstate(all="raise"):
        yield


def use(est, X, y):
    """Fit, predict and train on, on rows near and far."""
    est.fit(X, y)
    predictions(est, X)
    est.score(X, y)
    if hasattr(est, "partial_fit"):
        classes = {"classes": est.classes_} if isinstance(est, DNNClassifier) else {}
        est.set_params(early_stopping="auto").partial_fit(X, y, **classes)
    predictions(est, 1e6 * X)


@pytest.mark.sampled
@pytest.mark.parametrize("task", ["multiclass", "regression"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_floating_point_errors_are_not_for_the_user(raising, recipe, task):
    """Whatever `np.seterr` says: what underflows is zero, what overflows is seen."""
    make, data = TASKS[task]
    X, y = data()
    X[:, 1] *= 1e-3
    X[:, 3] = np.arange(len(X)) % 11
    use(make(**RECIPES[recipe] | {"refit": True}), X, y)


@pytest.mark.parametrize(
    "params",
    [
        *({"activation": name, "hidden_layer_dims": (8,) * 6} for name in ACTIVATIONS),
        *({"optimizer": name, "solver": "bgd"} for name in OPTIMIZERS),
        {"numeric_scaling": "standard"},
        {"numeric_scaling": "quantile"},
        {"numeric_scaling": None},
        {"learning_rate": 3.0},
        {"dropout": 0.9},
        {"loss": "squared_error"},
        {"loss": LogLoss(0.1, link="sigmoid")},
        {"scoring": "neg_log_loss"},
        {"dtype": "float64"},
    ],
    ids=str,
)
def test_floating_point_errors_of_every_mode(raising, params):
    """The same, with one thing changed."""
    dims = params.get("hidden_layer_dims", (8,))
    params = {k: v for k, v in params.items() if k != "hidden_layer_dims"}
    use(classifier(dims, **params), *multiclass())


@pytest.mark.parametrize("loss", sorted(REGRESSOR_LOSSES))
def test_floating_point_errors_of_losses(raising, loss):
    """The same, for each loss of numbers."""
    X, y = regression()
    use(regressor(loss=loss), X, np.exp(y))


def test_floating_point_errors_of_sparse_tables(raising):
    """The same, for a table that is sparse."""
    X, y = binary()
    use(classifier(), csr_array(X), y)


def test_floating_point_errors_of_the_defaults(raising):
    """The same, with nothing changed."""
    X, y = multiclass(n=60)
    use(DNNClassifier(random_state=0), X, y)
    use(DNNRegressor(random_state=0), X, X[:, 0])


def test_the_settings_of_the_user_stay(raising):
    """Neither a fit nor a prediction leaves NumPy's settings changed."""
    before = np.geterr()
    use(classifier(**QUICK), *binary())
    with pytest.raises(ValueError):
        classifier().fit(numbers(3), [0, 1])
    assert np.geterr() == before


# Large numbers


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("loss", [LogLoss, SquaredError])
def test_fault_33_large_numbers(loss, dtype):
    """Weights that overflow are reported, large raw outputs give finite losses.

    A peer returned a network of NaN without a word.
    """
    reg = plain_regressor((), solver="bgd", optimizer="sgd", target_scaling=False)
    X, y = regression()
    assert np.isfinite(clone(reg).set_params(max_iter=1).fit(X, 1e3 * y).loss_)
    with pytest.raises(ValueError, match=r"the loss or the weights were no longer"):
        reg.set_params(max_iter=1, learning_rate=1e38).fit(X, 1e3 * y)

    raw = np.array([[-1e4], [-701], [0], [701], [1e4]], dtype)
    outputs = {
        "sigmoid": (raw, [np.zeros_like(raw), np.ones_like(raw)]),
        "softmax": (np.hstack([raw, -raw]), [np.full(5, 0), np.full(5, 1)]),
    }
    for link, (z, targets) in outputs.items():
        for y in targets:
            value, grad = loss(link=link).loss_gradient(y, z)
            assert np.isfinite(value)
            assert np.isfinite(grad).all()
        p = loss(link=link).inverse_link(z)
        assert ((p >= 0) & (p <= 1)).all()
