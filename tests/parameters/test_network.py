"""Parameters of the network: its layers, and the weights that it starts from."""

import numpy as np
import pytest

from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.layers import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Fork,
    Join,
    ParametricActivate,
)
from skdnn.nn.workspace import Workspace
from tests import tables
from tests.plain import plain_classifier, plain_regressor
from tests.tables import STILL, UNSCALED, binary, layers, raw_predictions

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])


def relu(z):
    return np.maximum(z, 0)


# Layers


@both
@pytest.mark.parametrize("dims", [(), [5], (4, 3), np.array([2, 3, 4])])
def test_hidden_layer_dims_are_the_widths(make, dims):
    """`hidden_layer_dims` is the number of units of each hidden layer."""
    est = make(dims).fit(*binary(d=4))
    assert [w.shape[1] for w in est.coefs_] == [*dims, 1]
    assert est.n_layers_ == len(dims) + 2


@pytest.mark.sampled
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
        est.decision_function(X)
        if make is plain_classifier
        else raw_predictions(est, X)[:, 0]
    )
    np.testing.assert_allclose(actual, raw, rtol=1e-10, atol=1e-12)


def test_activation_of_each_layer():
    """A list gives each hidden layer an activation of its own."""
    clf = plain_classifier((4, 4, 4), activation=["relu", "tanh", "gelu"]).fit(
        *binary()
    )
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
    np.testing.assert_allclose(raw_predictions(est, X), raw, rtol=1e-10, atol=1e-12)


@both
def test_activation_parametric_starts_as_the_activation(make):
    """Where training starts, the network is the same with it and without."""
    X, y = binary()
    one = make((6, 5), **STILL).fit(X, y)
    two = make((6, 5), activation=Parametric("relu"), **STILL).fit(X, y)
    assert not layers(one, ParametricActivate)
    assert len(layers(two, ParametricActivate)) == 2
    np.testing.assert_allclose(
        raw_predictions(one, X), raw_predictions(two, X), rtol=1e-5, atol=1e-6
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
    clf = plain_classifier((4, 4), activation=["relu", Parametric("tanh")]).fit(
        *binary()
    )
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
    np.testing.assert_allclose(raw_predictions(est, X), raw, rtol=1e-10, atol=1e-12)
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
    clf = plain_classifier((6, 5), batch_norm=True).fit(*binary())
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
    clf = plain_classifier((200,), dropout=0.25, activation="identity").fit(X, y)
    caches = Workspace(clf.network_).caches(60)
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
    clf = plain_classifier(dropout=0.5).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(X))


# Weights


@both
def test_parametrization_starts_as_the_same_network(make):
    """With larger weights, divided by ``sqrt(n_in)``, the network is the same."""
    X, y = binary()
    one = make((6, 5), **STILL, dtype="float64").fit(X, y)
    two = make((6, 5), parametrization="ntk", **STILL, dtype="float64").fit(X, y)
    for w, v in zip(one.coefs_, two.coefs_, strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-12)
    np.testing.assert_allclose(
        raw_predictions(one, X), raw_predictions(two, X), rtol=1e-10
    )
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


@pytest.mark.sampled
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
    clf = plain_classifier((300, 200), **params).fit(X, y)
    glorot, he = 2 / (100 + 300), 2 / 300
    assert abs(clf.coefs_[0].var() / glorot - 1) < 0.04
    assert abs(clf.coefs_[1].var() / he - 1) < 0.04


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
