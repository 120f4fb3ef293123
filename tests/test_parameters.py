"""Each constructor parameter does what its documentation says."""

import inspect
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import brier_score_loss, get_scorer, log_loss
from sklearn.utils.class_weight import compute_sample_weight

from skdnn import DNNClassifier, DNNRegressor, _base, _training
from skdnn._calibration import PRIOR
from skdnn._recipe import MAX_EMBEDDED, PLAIN, TUNED, is_tuned, resolve
from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.embeddings import (
    NUMERIC_EMBEDDINGS,
    CategoricalEmbedding,
    NumericEmbedding,
    Periodic,
    PiecewiseLinear,
)
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.layers import (
    KINDS,
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Fork,
    Join,
    ParametricActivate,
    Scale,
    SharedDense,
)
from skdnn.nn.losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES, LogLoss
from skdnn.nn.network import Workspace
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, AdamW, Momentum
from skdnn.nn.schedules import SCHEDULES, Constant, Cosine, Step
from skdnn.nn.step import Step as TrainingStep
from tests import plain, tables
from tests.plain import classifier, regressor
from tests.tables import (
    binary,
    multiclass,
    multilabel,
    multioutput,
    numbers,
    parameters,
    regression,
)

ESTIMATORS = [DNNClassifier, DNNRegressor]
both = pytest.mark.parametrize("make", [classifier, regressor])
each_task = pytest.mark.parametrize("task", tables.TASKS)


#: Trains nothing, so that what a network starts with is there to see.
STILL = {"max_iter": 1, "optimizer": "sgd", "solver": "bgd", "learning_rate": 1e-300}

#: Leaves columns as they are, and rounds little.
UNSCALED = {"numeric_scaling": None, "dtype": "float64"}


def layers(estimator, kind):
    """Return the layers of one kind."""
    return [ly for ly in estimator.network_.layers if isinstance(ly, kind)]


def relu(z):
    return np.maximum(z, 0)


def by_kind(estimator):
    """Return all parameters of each kind, as a vector."""
    kinds = {kind: [] for kind in KINDS}
    for layer in estimator.network_.layers:
        for name, parameter in layer.parameters.items():
            kinds[parameter.kind].append(getattr(layer, name).ravel())
    return {kind: np.concatenate(v) for kind, v in kinds.items() if v}


def words(n=60):
    """Return a column of numbers and one of five words, and classes."""
    X, y = binary(n)
    word = np.array(list("abcde"))[np.arange(n) % 5]
    return pd.DataFrame({"x": X[:, 0], "word": word}), y


@pytest.fixture
def steps(monkeypatch):
    """Rows of y and learning rate of each step."""
    record = {"rows": [], "rates": []}
    take = TrainingStep.__call__

    def spy(self, batch):
        record["rows"].append(batch.y.ravel().copy())
        record["rates"].append(self.learning_rate)
        return take(self, batch)

    monkeypatch.setattr(TrainingStep, "__call__", spy)
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
def test_activation_parametric_is_as_strong_as_each_unit_learns(make):
    """A unit is ``z + strength (f(z) - z)``, with a strength of its own."""
    X, y = binary()
    params = {"learning_rate": 0.05, **UNSCALED}
    est = make((6, 5), activation=Parametric("tanh"), **params).fit(X, y)
    hidden = X
    for k, activate in enumerate(layers(est, ParametricActivate)):
        z = hidden @ est.coefs_[k] + est.intercepts_[k]
        hidden = z + activate.strength * (np.tanh(z) - z)
        assert activate.strength.shape == (z.shape[1],)
        assert (activate.strength != 1).all()
    raw = hidden @ est.coefs_[2] + est.intercepts_[2]
    np.testing.assert_allclose(est._predict_raw(X), raw, rtol=1e-10, atol=1e-12)


@both
def test_activation_parametric_starts_as_the_activation(make):
    """Where training starts, the network is the same with it and without."""
    X, y = binary()
    one = make((6, 5), **STILL).fit(X, y)
    two = make((6, 5), activation=Parametric("relu"), **STILL).fit(X, y)
    assert not layers(one, ParametricActivate)
    assert len(layers(two, ParametricActivate)) == 2
    np.testing.assert_allclose(
        one._predict_raw(X), two._predict_raw(X), rtol=1e-5, atol=1e-6
    )


def test_activation_by_name_is_plain():
    """A name is the function alone, also in the tuned recipe."""
    default = tables.classifier((6, 5)).fit(*binary())
    assert len(layers(default, ParametricActivate)) == 2
    clf = tables.classifier((6, 5), activation="silu").fit(*binary())
    assert len(layers(clf, Activate)) == 2
    assert not layers(clf, ParametricActivate)


def test_activation_parametric_of_each_layer():
    """Names and instances can stand beside each other."""
    clf = classifier((4, 4), activation=["relu", Parametric("tanh")]).fit(*binary())
    kinds = [type(ly) for ly in layers(clf, Activate)]
    assert kinds == [Activate, ParametricActivate]


@both
def test_activation_parametric_of_no_such_name(make):
    """It is an error that shows what came."""
    with pytest.raises(ValueError, match=r"activation has an entry.*'nonsense'"):
        make(activation=Parametric("nonsense")).fit(*binary())


@both
@pytest.mark.parametrize("dims", [(6, 6, 6), (6, 4, 7), (5,), (6, 3)])
def test_residual_adds_the_input_of_a_layer_to_its_output(make, dims):
    """All layers but the first get a connection around them, cut or filled up."""
    X, y = binary(d=6)
    est = make(dims, residual=True, batch_size=20, **UNSCALED).fit(X, y)
    h = X
    for k, width in enumerate(dims):
        z = relu(h @ est.coefs_[k] + est.intercepts_[k])
        if k > 0:
            # The table itself is no hidden layer.
            z /= len(dims) - 1
            shared = min(width, dims[k - 1])
            z[:, :shared] += h[:, :shared]
        h = z
    raw = h @ est.coefs_[-1] + est.intercepts_[-1]
    np.testing.assert_allclose(est._predict_raw(X), raw, rtol=1e-10, atol=1e-12)
    kinds = [type(ly) for ly in est.network_.layers]
    branch = [Fork, Dense, Activate, Join]
    assert kinds == [Dense, Activate, *branch * (len(dims) - 1), Dense]


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


@pytest.mark.filterwarnings("ignore:Training learned nothing")
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


#: A network with parameters of all kinds.
ALL_KINDS = {
    "batch_norm": True,
    "activation": Parametric("relu"),
    "input_scaling": True,
    "numeric_embedding": "periodic",
}


@both
@pytest.mark.parametrize("kind", KINDS)
def test_learning_rate_multipliers_of_zero_freeze_a_kind(make, kind):
    """Parameters of a kind whose multiplier is 0 stay where they start."""
    X, y = binary()
    start = by_kind(make(**ALL_KINDS, **STILL).fit(X, y))
    est = make(learning_rate_multipliers={kind: 0}, **ALL_KINDS).fit(X, y)
    assert set(start) == set(KINDS)
    for other, vector in by_kind(est).items():
        assert (vector == start[other]).all() == (other == kind)


@both
@pytest.mark.parametrize("kind", KINDS)
def test_learning_rate_multipliers_multiply_the_steps_of_a_kind(make, kind):
    """A step of gradient descent is as much longer, and only that of the kind."""
    X, y = binary()
    params = {**ALL_KINDS, **STILL, "dtype": "float64", "alpha": 0}
    start = by_kind(make(**params).fit(X, y))
    params["learning_rate"] = 0.01
    one = by_kind(make(**params).fit(X, y))
    two = by_kind(make(learning_rate_multipliers={kind: 2.5}, **params).fit(X, y))
    for other in KINDS:
        factor = 2.5 if other == kind else 1
        np.testing.assert_allclose(
            two[other] - start[other],
            factor * (one[other] - start[other]),
            rtol=1e-9,
            atol=1e-14,
        )


@both
@pytest.mark.parametrize("multipliers", [{}, {"weight": 1, "bias": 1.0}])
def test_learning_rate_multipliers_of_one_change_nothing(make, multipliers):
    """None is a multiplier of 1 for all kinds."""
    X, y = binary()
    one = make(learning_rate_multipliers=multipliers).fit(X, y)
    two = make(learning_rate_multipliers=None).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))


@pytest.mark.parametrize(
    ("multipliers", "message"),
    [
        ({"weights": 1.0}, "'weights'; the kinds of parameters are .*'weight'"),
        ({"bias": -0.1}, r"\['bias'\] must be a finite number >= 0, got -0.1"),
        ({"bias": np.inf}, r"\['bias'\] must be a finite number >= 0, got inf"),
        ({"bias": "0.1"}, r"\['bias'\] must be a finite number >= 0, got '0.1'"),
    ],
)
@both
def test_learning_rate_multipliers_that_make_no_sense(make, multipliers, message):
    """Kinds that there are not, and rates below zero, are errors that name them."""
    with pytest.raises(ValueError, match=message):
        make(learning_rate_multipliers=multipliers).fit(*binary())


@both
def test_parametrization_starts_as_the_same_network(make):
    """With larger weights, divided by ``sqrt(n_in)``, the network is the same."""
    X, y = binary()
    one = make((6, 5), **STILL, dtype="float64").fit(X, y)
    two = make((6, 5), parametrization="ntk", **STILL, dtype="float64").fit(X, y)
    for w, v in zip(one.coefs_, two.coefs_, strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-12)
    np.testing.assert_allclose(one._predict_raw(X), two._predict_raw(X), rtol=1e-10)
    for dense, w in zip(layers(two, Dense), two.coefs_, strict=True):
        np.testing.assert_allclose(dense.weight / np.sqrt(len(w)), w, rtol=1e-12)


@both
def test_parametrization_divides_the_steps_of_the_weights(make):
    """A step of gradient descent is ``1 / n_in`` of what it was, but for biases."""
    X, y = binary()
    params = {**STILL, "dtype": "float64", "alpha": 0}
    start = make((6, 5), **params).fit(X, y)
    params["learning_rate"] = 0.1
    one = make((6, 5), **params).fit(X, y)
    two = make((6, 5), parametrization="ntk", **params).fit(X, y)
    for k, (w, v, u) in enumerate(
        zip(start.coefs_, one.coefs_, two.coefs_, strict=True)
    ):
        np.testing.assert_allclose(u - w, (v - w) / len(w), rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(two.intercepts_[k], one.intercepts_[k], rtol=1e-9)


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


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, but for who adds to its only entry."""
    now = [0.0]
    for module in _base, _training:
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def slow_scorer(clock, scores):
    """Return a scorer that takes a second, and keeps the parameters that it sees."""
    scores, seen = iter(scores), []

    def score(estimator, X, y):
        clock[0] += 1
        seen.append(parameters(estimator))
        return next(scores)

    return score, seen


@both
def test_max_time_ends_training_with_the_best_weights(make, clock, steps):
    """No epoch begins that would end too late, and the schedule ends in time."""
    score, seen = slow_scorer(clock, [1, 5, 3, 4, 2])
    params = {"schedule": "cosine", "learning_rate": 0.1, "solver": "bgd"}
    est = make(max_time=4.5, max_iter=100, early_stopping=True, scoring=score)
    est.set_params(**params).fit(*binary())
    assert est.n_iter_ == 4
    assert est.best_iter_ == 2
    np.testing.assert_array_equal(parameters(est), seen[1])
    # There is time for four and a half: for four whole ones.
    expected = 0.05 * (1 + np.cos(np.pi * np.arange(1, 4) / 4))
    np.testing.assert_allclose(steps["rates"], [0.1, *expected], rtol=1e-12)


@both
def test_max_time_is_enough_for_one_epoch(make):
    """However little time there is, one epoch is run."""
    assert make(max_time=1e-9, max_iter=100).fit(*binary()).n_iter_ == 1


@both
def test_max_time_to_spare_changes_nothing(make):
    """With more time than all epochs take, there is the same network."""
    X, y = binary()
    params = {"schedule": "cosine", "dropout": 0.2}
    one, two = (make(max_time=t, **params).fit(X, y) for t in (None, 3600))
    np.testing.assert_array_equal(parameters(one), parameters(two))


@both
def test_max_time_is_halved_for_a_refit(make, clock):
    """A network that is trained a second time has the other half of the time."""
    score, _ = slow_scorer(clock, [1, 5, 3, 4, 2])
    params = {"early_stopping": True, "scoring": score, "max_iter": 100}
    est = make(max_time=9, refit=True, **params).fit(*binary())
    assert est.n_iter_ == 4
    assert est.best_iter_ == 2


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
    """`"auto"` of a plain network holds rows out of more than 10,000."""
    X, y = binary(n, 3)
    params = {"optimizer": "sgd", "max_iter": 2, "early_stopping": "auto"}
    clf = classifier((2,), **params).fit(X, y)
    assert (clf.validation_scores_ is not None) == validated


def test_early_stopping_auto_uses_validation_data():
    """`"auto"` is True for small data if `fit` gets validation data."""
    X, y = binary()
    clf = classifier(early_stopping="auto", optimizer="sgd")
    clf.fit(X[:40], y[:40], X_val=X, y_val=y)
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


@both
@pytest.mark.parametrize("weighted", [False, True])
def test_refit_trains_on_all_rows_for_the_best_number_of_epochs(make, weighted):
    """The network is that of a `fit` to all rows with so many epochs."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3 if weighted else None
    params = {"dropout": 0.2, "batch_norm": True, "batch_size": 16}
    first = {"early_stopping": True, "max_iter": 9, "learning_rate": 0.1}
    est = make(refit=True, **params | first).fit(X, y, weight)
    again = {"max_iter": est.best_iter_, "learning_rate": 0.1}
    expected = make(**params | again).fit(X, y, weight)
    np.testing.assert_array_equal(parameters(est), parameters(expected))


@both
def test_refit_is_not_stopped_early(make):
    """The second training goes on while its loss stands still, and warns of nothing."""
    X, y = binary()
    scores = iter([1, 2, 3, 4, 0])
    params = {"tol": 1.0, "n_iter_no_change": 1, "learning_rate": 1e-4}
    est = make(refit=True, early_stopping=True, scoring=lambda *_: next(scores))
    est.set_params(**params).fit(X, y)
    assert est.best_iter_ == 4
    expected = make(max_iter=4, learning_rate=1e-4).fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(expected))


@each_task
def test_refit_keeps_what_validation_said(task):
    """Scores and temperature are those of the first training."""
    make, data = tables.TASKS[task]
    X, y = data()
    one, two = (
        make(refit=refit, early_stopping=True).fit(X, y) for refit in (False, True)
    )
    for name in _training.WATCHED:
        assert getattr(one, name) == getattr(two, name)
    assert one.validation_scores_ is not None
    assert one.best_loss_ is two.best_loss_ is None


@both
def test_refit_is_for_rows_that_were_held_out(make):
    """Without such rows, or with validation data, there is no second training."""
    X, y = binary()
    for params, val in (
        ({"solver": "bgd", "early_stopping": "auto"}, {}),
        ({"early_stopping": True}, {"X_val": X[:20], "y_val": y[:20]}),
    ):
        one, two = make(**params), make(refit=True, **params)
        one.fit(X, y, **val)
        with pytest.warns(UserWarning, match="refit=True has no effect"):
            two.fit(X, y, **val)
        np.testing.assert_array_equal(parameters(one), parameters(two))
        assert two.n_iter_ == 5


def test_refit_and_warm_start_contradict_each_other():
    """A network that is trained anew can't be the one that goes on."""
    with pytest.raises(ValueError, match=r"refit=True .*warm_start=True"):
        classifier(refit=True, warm_start=True).fit(*binary())


# Columns and targets


@both
def test_numeric_embedding_none_is_the_columns_themselves(make):
    """Without an embedding, columns enter the first layer as they are."""
    est = make(numeric_embedding=None).fit(*binary())
    assert not layers(est, NumericEmbedding)
    assert est.coefs_[0].shape == (4, 8)


@both
@pytest.mark.parametrize("name", sorted(NUMERIC_EMBEDDINGS))
def test_numeric_embedding_name_is_its_defaults(make, name):
    """A name is an instance of its class, whose layer is the first."""
    X, y = binary()
    embedding = NUMERIC_EMBEDDINGS[name]()
    one, two = (make(numeric_embedding=e).fit(X, y) for e in (name, embedding))
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert isinstance(one.network_.layers[0], NumericEmbedding)
    assert one.coefs_[0].shape == (4 * (1 + embedding.width), 8)


@both
def test_numeric_embedding_periodic_by_hand(make):
    """A number becomes itself and a linear map of waves that are learned."""
    X, y = binary()
    params = {"learning_rate": 0.05, **UNSCALED}
    est = make((), numeric_embedding=Periodic(5, 2, 0.3), **params).fit(X, y)
    layer = est.network_.layers[0]
    waves = np.cos(2 * np.pi * layer.frequency * X.T[..., None] + layer.phase)
    vectors = np.concatenate(list(waves @ layer.weight + layer.bias), axis=1)
    expected = np.hstack([X, vectors]) @ est.coefs_[0] + est.intercepts_[0]
    assert layer.frequency.shape == (4, 1, 5)
    assert vectors.shape == (60, 4 * 2)
    np.testing.assert_allclose(est._predict_raw(X), expected, rtol=1e-10, atol=1e-12)


@both
def test_numeric_embedding_piecewise_linear_by_hand(make):
    """A number becomes itself and a map of how far it reaches into bins of rows."""
    X, y = binary()
    params = {"shuffle": False, "learning_rate": 0.05, **UNSCALED}
    est = make((), numeric_embedding=PiecewiseLinear(4, 3), **params).fit(X, y)
    layer = est.network_.layers[0]
    edges = np.sort(X, axis=0)[[0, 14, 29, 44, 59]]
    low, high = edges[:-1], edges[1:]
    reach = np.clip((X[:, None] - low) / (high - low), 0, 1)
    vectors = np.einsum("ntj,jtw->njw", reach, layer.weight) + layer.bias[:, 0]
    inputs = np.hstack([X, vectors.reshape(60, 4 * 3)])
    expected = inputs @ est.coefs_[0] + est.intercepts_[0]
    np.testing.assert_allclose(est._predict_raw(X), expected, rtol=1e-10, atol=1e-12)


@both
def test_numeric_embedding_has_parameters_of_its_own(make):
    """Those of an instance can be set from outside."""
    X, y = binary()
    est = make(numeric_embedding=Periodic())
    est.set_params(numeric_embedding__width=3, numeric_embedding__n_frequencies=7)
    assert est.fit(X, y).coefs_[0].shape == (4 * (1 + 3), 8)
    other = make(numeric_embedding=Periodic(n_frequencies=7, width=3)).fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(other))
    est.set_params(numeric_embedding=PiecewiseLinear(), numeric_embedding__n_bins=0)
    with pytest.raises(ValueError, match="'n_bins' parameter of PiecewiseLinear"):
        est.fit(X, y)


@both
def test_numeric_embedding_is_for_numbers(make):
    """Columns that say what is missing, and those of categories, are left alone."""
    table, y = words()
    table["hole"] = np.where(np.arange(60) % 4, np.arange(60.0), np.nan)
    est = make(numeric_embedding=Periodic(width=3)).fit(table, y)
    assert est.coefs_[0].shape == (2 * (1 + 3) + 1 + 5, 8)


@both
@pytest.mark.parametrize("n_more", [0, 1])
def test_numeric_embedding_auto_is_for_few_columns(make, n_more):
    """`"auto"` embeds no table of very many columns."""
    X, y = binary(40, MAX_EMBEDDED + n_more)
    est = make(numeric_embedding="auto").fit(X, y)
    assert len(layers(est, NumericEmbedding)) == (n_more == 0)


@both
@pytest.mark.parametrize("embedding", [None, "periodic"])
def test_input_scaling_multiplies_each_input(make, embedding):
    """Each input of the first layer has a factor that is learned, and starts at 1."""
    X, y = binary()
    params = {"numeric_embedding": embedding, "learning_rate": 0.05, **UNSCALED}
    est = make((), input_scaling=True, **params).fit(X, y)
    (scale,) = layers(est, Scale)
    inputs = X if embedding is None else est.network_.layers[0].forward(X)
    assert scale.gain.shape == (inputs.shape[1],)
    assert (scale.gain != 1).all()
    expected = inputs * scale.gain @ est.coefs_[0] + est.intercepts_[0]
    np.testing.assert_allclose(est._predict_raw(X), expected, rtol=1e-10, atol=1e-12)
    start = make((), input_scaling=True, **{**params, **STILL}).fit(X, y)
    assert (layers(start, Scale)[0].gain == 1).all()
    assert not layers(make((), input_scaling=False, **params).fit(X, y), Scale)


@both
@pytest.mark.parametrize(
    ("max_one_hot", "cardinalities"), [(None, []), (5, []), (4, [6]), (0, [6])]
)
def test_max_one_hot_is_what_more_categories_are_embedded_than(
    make, max_one_hot, cardinalities
):
    """More categories than that become a vector each, and one for all others."""
    est = make(max_one_hot=max_one_hot, category_width=3).fit(*words())
    assert est.encoder_.cardinalities_ == cardinalities
    shapes = [ly.vectors.shape for ly in layers(est, CategoricalEmbedding)]
    assert shapes == [(n, 3) for n in cardinalities]
    assert est.coefs_[0].shape == (1 + (3 if cardinalities else 5), 8)


@both
@pytest.mark.parametrize(("min_frequency", "n_vectors"), [(1, 6), (2, 5), (3, 3)])
def test_min_frequency_is_what_a_category_needs_for_a_vector(
    make, min_frequency, n_vectors
):
    """A category in fewer rows shares the first vector with what is unknown."""
    words = np.repeat(list("abcde"), [9, 5, 2, 2, 1])
    table = pd.DataFrame({"word": words, "n": np.arange(19)})
    est = make(max_one_hot=4, min_frequency=min_frequency)
    est.fit(table, np.arange(19) % 2)
    (embedding,) = layers(est, CategoricalEmbedding)
    assert embedding.vectors.shape[-2:] == (n_vectors, est.category_width)
    rare = table.iloc[[-1]]
    alike = np.array_equal(est.predict(rare), est.predict(rare.assign(word="new")))
    codes = est.encoder_.transform(pd.concat([rare, rare.assign(word="new")]))[:, -1]
    assert (codes[0] == codes[1] == 0) == (min_frequency > 1) <= alike
    with pytest.raises(ValueError, match="min_frequency was"):
        est.set_params(min_frequency=7).partial_fit(table, np.arange(19) % 2)


@both
@pytest.mark.parametrize("width", [1, 2, 7])
def test_category_width_is_the_length_of_the_vectors(make, width):
    """A category enters the first layer as so many numbers, which are learned."""
    table, y = words()
    params = {"max_one_hot": 0, "learning_rate": 0.05, "dtype": "float64"}
    est = make((), category_width=width, **params).fit(table, y)
    (embedding,) = layers(est, CategoricalEmbedding)
    assert embedding.vectors.shape == (6, width)
    encoded = est.encoder_.transform(table)
    vectors = embedding.vectors[encoded[:, 1].astype(int)]
    inputs = np.hstack([encoded[:, :1], vectors])
    expected = inputs @ est.coefs_[0] + est.intercepts_[0]
    raw = est._predict_raw(table)
    np.testing.assert_allclose(raw, expected, rtol=1e-10, atol=1e-12)


# Ensembles


@each_task
@pytest.mark.parametrize("weights", ["own", "shared"])
def test_n_ensemble_predicts_the_mean_of_the_members(task, weights):
    """The prediction is the mean of the members' probabilities, or of their numbers."""
    make, data = plain.TASKS[task]
    X, y = data()
    params = {"learning_rate": 0.05, "dtype": "float64", "ensemble_weights": weights}
    est = make(n_ensemble=3, **params).fit(X, y)
    raw = est.network_.forward(est.encoder_.transform(X))
    assert raw.shape == (3, len(X), est.n_outputs_)
    if make is regressor:
        # Which are in units of the scale of the target.
        mean = raw.mean(axis=0) * y.std(axis=0) + y.mean(axis=0)
        actual = est.predict(X).reshape(mean.shape)
    else:
        link = softmax if task == "multiclass" else lambda z, axis: expit(z)
        mean, actual = link(raw, axis=-1).mean(axis=0), est.predict_proba(X)
        actual = actual[:, 1:] if task == "binary" else actual
    np.testing.assert_allclose(actual, mean, rtol=1e-10, atol=1e-12)
    for i in range(3):
        assert not np.isclose(raw[i], raw[i - 1]).all()


@each_task
@pytest.mark.parametrize("weights", ["own", "shared"])
def test_n_ensemble_is_one_pickle(task, weights):
    """An ensemble is pickled, and goes on, as a single network does."""
    make, data = tables.TASKS[task]
    X, y = data()
    params = {"warm_start": True, "ensemble_weights": weights, "early_stopping": True}
    est = make(n_ensemble=3, **params).fit(X, y)
    copy = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(est.predict(X), copy.predict(X))
    np.testing.assert_array_equal(parameters(est.fit(X, y)), parameters(copy.fit(X, y)))


@both
def test_n_ensemble_of_one_is_a_single_network(make):
    """A single network has no axis of members, whatever they would share."""
    X, y = binary()
    one, two = (make(ensemble_weights=w).fit(X, y) for w in ("own", "shared"))
    assert one.network_.n_members is None
    assert [w.shape for w in one.coefs_] == [(4, 8), (8, 1)]
    own = make(n_ensemble=1).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(own))
    assert two.network_.n_members is None


@both
def test_n_ensemble_trains_each_member_as_if_alone(make):
    """The objective is the mean of those of the members, each with its penalty."""
    X, y = binary()
    params = {"n_ensemble": 3, "alpha": 2.0, "solver": "bgd", "dtype": "float64"}
    start = make(**{**params, **STILL}).fit(X, y)
    est = make(**{**params, "optimizer": "sgd", "max_iter": 4}).fit(X, y)
    objectives = []
    for i in range(3):
        alone = make(**{**params, **STILL, "n_ensemble": 1, "warm_start": True})
        alone.fit(X, y)
        for mine, theirs in zip(
            alone.network_.layers, start.network_.layers, strict=True
        ):
            for name, parameter in mine.parameters.items():
                member = getattr(theirs, name)[i].reshape(parameter.shape)
                getattr(mine, name)[...] = member
        alone.set_params(learning_rate="auto", max_iter=4).fit(X, y)
        objectives.append(alone.loss_curve_)
        for k in range(2):
            np.testing.assert_allclose(est.coefs_[k][i], alone.coefs_[k], rtol=1e-10)
    np.testing.assert_allclose(est.loss_curve_, np.mean(objectives, axis=0), rtol=1e-10)


@both
def test_ensemble_weights_own_or_shared(make):
    """Members have matrices of their own, or those of hidden layers in common."""
    X, y = binary()
    params = {"n_ensemble": 3, "numeric_embedding": Periodic(5, 2)}
    own = make((8, 6), ensemble_weights="own", **params).fit(X, y)
    assert [w.shape for w in own.coefs_] == [(3, 12, 8), (3, 8, 6), (3, 6, 1)]
    assert own.network_.layers[0].weight.shape == (3, 4, 5, 2)
    shared = make((8, 6), ensemble_weights="shared", **params).fit(X, y)
    assert [w.shape for w in shared.coefs_] == [(12, 8), (8, 6), (3, 6, 1)]
    assert shared.network_.layers[0].weight.shape == (4, 5, 2)
    hidden = layers(shared, SharedDense)
    assert [ly.gain_in.shape for ly in hidden] == [(3, 1, 12), (3, 1, 8)]
    assert [ly.gain_out.shape for ly in hidden] == [(3, 1, 8), (3, 1, 6)]


def test_ensemble_weights_shared_start_from_signs():
    """What tells members apart that share weights are random signs of the inputs."""
    params = {"n_ensemble": 3, "ensemble_weights": "shared"}
    clf = classifier((8, 6), **params, **STILL).fit(*binary(d=30))
    first, second = layers(clf, SharedDense)
    assert set(first.gain_in.ravel()) == {-1, 1}
    assert len(np.unique(first.gain_in, axis=0)) == 3
    assert (second.gain_in == 1).all()


# Probabilities


SHARP = {"temperature_scaling": True, "early_stopping": True, "learning_rate": 0.05}


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_temperature_scaling_divides_the_raw_predictions(data):
    """Probabilities are sigmoid or softmax of the scores, divided by temperature."""
    X, y = data(90)
    clf = classifier(dtype="float64", max_iter=40, **SHARP).fit(X, y)
    raw = clf.network_.forward(clf.encoder_.transform(X)) / clf.temperature_
    scores = clf.decision_function(X).reshape(raw.shape)
    assert clf.temperature_ != 1
    np.testing.assert_allclose(scores, raw, rtol=1e-10, atol=1e-12)
    proba = clf.predict_proba(X)
    expected = softmax(raw, axis=1) if data is multiclass else expit(raw)
    actual = proba[:, 1:] if data is binary else proba
    np.testing.assert_allclose(actual, expected, rtol=1e-10)


@pytest.mark.parametrize("data", [binary, multiclass])
def test_temperature_scaling_minimizes_the_validation_loss(data):
    """No other temperature gives the validation rows less loss, but for its priors."""
    X, y = data(60)
    X_val, y_val = data(500, seed=1)
    # Labels at random make a network too sure that has learned its rows by heart.
    y_val[::5] = y_val[::-1][::5]
    clf = classifier((64,), max_iter=60, dtype="float64", **SHARP)
    clf.fit(X, y, X_val=X_val, y_val=y_val)
    raw = clf.decision_function(X_val) * clf.temperature_

    def probabilities(temperature):
        z = raw / temperature
        if data is binary:
            return np.column_stack([expit(-z), expit(z)])
        return softmax(z, axis=1)

    def loss(temperature):
        return log_loss(y_val, probabilities(temperature))

    def objective(temperature):
        # One of 501 rows is of all classes alike.
        of_any_class = -np.log(probabilities(temperature)).mean()
        prior = np.log(temperature) ** 2 / (2 * PRIOR**2 * 500)
        return (500 * loss(temperature) + of_any_class) / 501 + prior

    grid = np.exp(np.linspace(-2, 2, 401))
    best = objective(clf.temperature_)
    assert abs(np.log(clf.temperature_)) > 0.02
    assert best < objective(1.0)
    assert best < min(map(objective, grid)) + 1e-5
    assert abs(np.log(clf.temperature_ / min(grid, key=objective))) < 0.03
    expected = loss(clf.temperature_)
    np.testing.assert_allclose(min(clf.validation_loss_curve_), expected, rtol=1e-9)
    assert clf.best_validation_score_ == -min(clf.validation_loss_curve_)


def test_temperature_scaling_is_seen_by_scorers():
    """A scorer of probabilities gets those that the epoch's temperature gives."""
    X, y = binary()
    seen = []

    def score(estimator, X, y):
        seen.append((estimator.temperature_, -log_loss(y, estimator.predict_proba(X))))
        return seen[-1][1]

    clf = classifier(scoring=score, dtype="float64", max_iter=20, **SHARP)
    clf.fit(X, y, X_val=X, y_val=y)
    assert clf.temperature_ == seen[clf.best_iter_ - 1][0]
    assert clf.validation_scores_ == [score for _, score in seen]
    np.testing.assert_allclose(
        clf.validation_loss_curve_, [-score for _, score in seen], rtol=1e-9
    )


def test_temperature_scaling_false_is_a_temperature_of_one():
    """Without it, raw predictions are the scores."""
    X, y = binary()
    params = {**SHARP, "temperature_scaling": False, "dtype": "float64"}
    clf = classifier(**params).fit(X, y)
    assert clf.temperature_ == 1
    raw = clf.network_.forward(clf.encoder_.transform(X))[:, 0]
    np.testing.assert_allclose(clf.decision_function(X), raw, rtol=1e-10, atol=1e-12)


def test_temperature_scaling_needs_rows_that_are_held_out():
    """Without early stopping, there is nothing to measure it on."""
    with pytest.raises(ValueError, match=r"temperature_scaling=True .*early_stopping"):
        classifier(temperature_scaling=True, early_stopping=False).fit(*binary())


@pytest.mark.parametrize("data", [regression, multioutput])
def test_clip_predictions_keeps_them_in_the_range_of_the_targets(data):
    """Predictions beyond the training targets are the nearest of these."""
    X, y = data()
    free, clipped = (
        regressor(clip_predictions=clip, learning_rate=0.05, max_iter=30).fit(X, y)
        for clip in (False, True)
    )
    far = 10 * numbers(100, seed=1)
    expected = np.clip(free.predict(far), y.min(axis=0), y.max(axis=0))
    np.testing.assert_array_equal(clipped.predict(far), expected)
    assert (expected != free.predict(far)).any(axis=0).all()


def test_clip_predictions_counts_the_rows_that_train():
    """Rows that are held out or weigh nothing do not stretch the range."""
    X, y = regression()
    weight = np.ones(60)
    y[:3], weight[:3] = 1000, 0
    reg = regressor((), clip_predictions=True, numeric_scaling=None)
    reg.set_params(early_stopping=True).fit(X, y, weight, X_val=X, y_val=y - 1000)
    # Far columns, for a linear model to reach both ends.
    predicted = reg.predict(1e6 * np.vstack([X, -X]))
    assert (predicted.min(), predicted.max()) == (y[3:].min(), y[3:].max())


def test_clip_predictions_after_partial_fit():
    """The range is that of all parts so far, until predictions are to be free."""
    X, y = regression()
    order = np.argsort(y)
    X, y = X[order], y[order]
    params = {"learning_rate": 0.5, "numeric_scaling": None}
    reg = regressor((), clip_predictions=True, **params)
    free = regressor((), clip_predictions=False, **params)
    far = 100 * X
    for part in np.array_split(np.arange(60), 3)[::-1]:
        free.partial_fit(X[part], y[part])
        reg.partial_fit(X[part], y[part])
        expected = np.clip(free.predict(far), y[part[0]], y[-1])
        np.testing.assert_array_equal(reg.predict(far), expected)
    assert {y[0], y[-1]} <= set(reg.predict(far))
    reg.set_params(clip_predictions=False).partial_fit(X, y)
    free.partial_fit(X, y)
    np.testing.assert_array_equal(reg.predict(far), free.predict(far))


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
    params = {"dtype": "float64", "max_iter": 2, "early_stopping": True}
    clf = classifier(class_weight={0: 1.0, 1: 5.0}, **params)
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


# What "auto" is

#: Parameters that may be "auto", for which it stands for one of two things.
AUTOS = [*TUNED, *PLAIN, "early_stopping", "batch_size", "max_iter", "n_iter_no_change"]

#: Optimizers and solvers for which it is the textbook's.
NOT_TUNED = [
    *({"optimizer": o} for o in ("sgd", "momentum", "nesterov", "rmsprop", "adagrad")),
    *({"optimizer": o, "solver": "bgd"} for o in ("lbfgs", LBFGS())),
    {"optimizer": SGD()},
    *({"solver": solver} for solver in ("bgd", "sgd")),
    {"optimizer": AdamW(), "solver": "bgd"},
]


def everything(**params):
    """Return the parameters of both classes, all on "auto" that may be."""
    together = DNNRegressor().get_params(False) | DNNClassifier().get_params(False)
    autos = dict.fromkeys(set(AUTOS) & set(together), "auto")
    return together | autos | params


@pytest.mark.parametrize(
    "params",
    [{"optimizer": o} for o in ("auto", "adam", "adamw", Adam(0.5), AdamW())],
    ids=str,
)
def test_auto_is_tuned_where_adam_takes_mini_batches(params):
    """With Adam and mini-batches, `"auto"` is the tuned recipe."""
    assert is_tuned(everything(**params))
    settings = resolve(everything(**params), 5, 1000)
    for name in set(TUNED) - {"optimizer"}:
        assert getattr(settings, name) == TUNED[name]
    # But not what was chosen.
    if params["optimizer"] in ("adam", "adamw"):
        assert type(settings.optimizer) is OPTIMIZERS[params["optimizer"]]
    elif params["optimizer"] != "auto":
        assert settings.optimizer is params["optimizer"]


@pytest.mark.parametrize("params", NOT_TUNED, ids=str)
def test_auto_is_the_textbook_elsewhere(params):
    """With another optimizer or solver, `"auto"` is a plain network."""
    assert not is_tuned(everything(**params))
    settings = resolve(everything(**params), 5, 1000)
    for name in set(PLAIN) - {"optimizer"}:
        assert getattr(settings, name) == PLAIN[name]
    assert not settings.early_stopping
    assert (settings.batch_size, settings.max_iter) == (200, 200)
    assert settings.n_iter_no_change == 10
    assert settings.learning_rate == settings.optimizer.default_learning_rate


@both
@pytest.mark.parametrize("params", NOT_TUNED, ids=str)
def test_auto_elsewhere_is_a_plain_network(make, params):
    """An estimator with its defaults is then the network of the textbook."""
    X, y = binary()
    default = {classifier: tables.classifier, regressor: tables.regressor}[make]
    one = default(n_ensemble="auto", **params).fit(X, y)
    two = make(**params).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.validation_scores_ is None


@pytest.mark.parametrize("optimizer", ["auto", "sgd"])
@pytest.mark.parametrize("n_rows", [None, 1, 100, 100_000])
@pytest.mark.parametrize("is_classifier", [False, True])
def test_auto_leaves_nothing_open(optimizer, n_rows, is_classifier):
    """Nothing but what the activation or the weights of rows say is left open."""
    params = everything(optimizer=optimizer)
    before = dict(params)
    settings = vars(resolve(params, 5, n_rows, is_classifier))
    left = {k for k, v in settings.items() if isinstance(v, str) and v == "auto"}
    assert left == {"alpha", "weight_init"}
    assert settings.keys() == params.keys()
    assert params == before


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_auto_keeps_what_was_chosen(optimizer):
    """What is not on `"auto"` stays as it is."""
    chosen = {
        **{"activation": "tanh", "dropout": 0.3, "schedule": "step"},
        **{"numeric_embedding": Periodic()},
        **{"input_scaling": False, "parametrization": "standard"},
        **{"learning_rate_multipliers": None},
        **{"temperature_scaling": False, "clip_predictions": False},
        **{"early_stopping": True, "learning_rate": 0.7, "n_ensemble": 4},
        **{"batch_size": 3, "max_iter": 5, "n_iter_no_change": 7},
    }
    assert set(AUTOS) - {"optimizer"} <= set(chosen)
    for n_rows in (None, 100, 100_000):
        settings = vars(resolve(everything(optimizer=optimizer) | chosen, 5, n_rows))
        assert {name: settings[name] for name in chosen} == chosen


def test_auto_of_a_part_of_the_data():
    """`partial_fit` has no end to plan for, and no rows to hold out."""
    settings = resolve(everything(), 5, None)
    assert settings.schedule == "constant"
    assert settings.early_stopping is False
    assert settings.activation == TUNED["activation"]


@pytest.mark.parametrize("name", ["temperature_scaling", "clip_predictions"])
def test_auto_of_the_other_class(name):
    """What only one of the classes has is off in the other."""
    params = everything()
    del params[name]
    assert getattr(resolve(params, 5, 1000), name) is False


def test_early_stopping_auto_is_for_the_tuned_recipe():
    """By default, rows are held out."""
    X, y = binary(100)
    for make in tables.classifier, tables.regressor:
        assert len(make().fit(X, y).validation_scores_) == 5
        assert make().partial_fit(X, y, **classes(make)).validation_scores_ is None


def classes(make):
    return {"classes": [0, 1]} if make is tables.classifier else {}


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
    assert set(one) - shared == {"class_weight", "temperature_scaling"}
    assert set(two) - shared == {"target_scaling", "clip_predictions"}
    # The classes' losses differ, and only classes can be held out in proportion.
    for name in shared - {"loss", "validation_fraction"}:
        assert one[name] == two[name]


def test_documentation_of_shared_attributes_is_alike():
    """Both classes document the attributes that they share in the same words."""
    one, two = (documented(Estimator, "Attributes") for Estimator in ESTIMATORS)
    assert set(one) - set(two) == {"classes_"}
    # A regressor has nothing to calibrate.
    for name in set(two) - {"out_activation_", "temperature_"}:
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
        ("numeric_embedding", [NUMERIC_EMBEDDINGS, NUMERIC_EMBEDDINGS]),
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


DOCUMENTED = set(TUNED) - {
    *("input_scaling", "temperature_scaling", "clip_predictions"),
}


@pytest.mark.parametrize("parameter", sorted(DOCUMENTED))
def test_documentation_has_the_tuned_recipe(parameter):
    """What `"auto"` is said to be in the tuned recipe is what it is."""
    for Estimator in ESTIMATORS:
        _, text = documented(Estimator, "Parameters")[parameter]
        stated = re.search(r'`"auto"` is (`*)(.*?)\1 in the tuned recipe', text)[2]
        names = {"AdamW": AdamW, "Parametric": Parametric}
        value = eval(stated, {"__builtins__": {}, **names})
        if parameter in ("optimizer", "activation"):
            assert type(value) is type(TUNED[parameter])
            value, expected = value.get_params(), TUNED[parameter].get_params()
        else:
            expected = TUNED[parameter]
        assert value == expected
