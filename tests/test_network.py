"""Networks: backpropagation, the flat vector, what a pass changes and what not."""

import pickle

import numpy as np
import pytest

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.layers import Activate, BatchNorm, Dense, Dropout, Parameter
from skdnn.nn.losses import (
    AbsoluteError,
    Gamma,
    Huber,
    LogLoss,
    Poisson,
    Quantile,
    SquaredError,
)
from skdnn.nn.mlp import build_mlp
from skdnn.nn.network import Network
from skdnn.nn.workspace import Workspace
from tests.gradcheck import assert_gradient
from tests.networks import N_INPUTS, mlp, small_network


def check_gradient(network, loss, x, y, weight, rng):
    workspace = Workspace(network)
    caches = workspace.caches(len(x))

    def value(params):
        network.params[...] = params
        raw = network.forward(x, caches, weight)
        return loss.loss_gradient(y, raw, weight)[0]

    params = network.params.copy()
    raw = network.forward(x, caches, weight)
    network.backward(loss.loss_gradient(y, raw, weight)[1], caches)
    assert_gradient(value, workspace.grads.copy(), params, rng)


LOSSES = {
    "squared": SquaredError(link="identity"),
    "sigmoid squared": SquaredError(link="sigmoid"),
    "softmax squared": SquaredError(link="softmax"),
    "sigmoid log": LogLoss(0.1, link="sigmoid"),
    "softmax log": LogLoss(0.1, link="softmax"),
    "absolute": AbsoluteError(),
    "huber": Huber(0.5),
    "quantile": Quantile(0.8),
    "poisson": Poisson(),
    "gamma": Gamma(),
}


@pytest.mark.sampled
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient(activation, loss, batch_norm, weighted, rng):
    """Backpropagation computes the gradient of the loss in all parameters."""
    network, n = small_network(rng, activation, batch_norm), 9
    x = rng.standard_normal((n, N_INPUTS))
    y = rng.integers(3, size=n) if "softmax" in loss else rng.uniform(size=(n, 3))
    weight = rng.uniform(0.2, 2, (n, 1)) if weighted else None
    check_gradient(network, LOSSES[loss], x, y, weight, rng)


def test_forward_is_the_formula(rng):
    """Each layer is an affine map and its activation: A = g(A W + b)."""
    network = small_network(rng, "relu")
    x = a = rng.standard_normal((7, N_INPUTS))
    for weight, bias in zip(network.weights[:-1], network.shifts[:-1], strict=True):
        a = np.maximum(a @ weight + bias, 0)
    expected = a @ network.weights[-1] + network.shifts[-1]
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-12)
    caches = Workspace(network).caches(7)
    np.testing.assert_allclose(network.forward(x, caches), expected, rtol=1e-12)


def test_backward_stops_at_the_input(rng):
    """Nobody reads the gradient of the input, so it is not computed."""
    network = small_network(rng)
    caches = Workspace(network).caches(7)
    network.forward(rng.standard_normal((7, N_INPUTS)), caches)
    assert network.layers[0].backward(np.ones((7, 6)), caches[0]) is None


def test_float32_stays_float32(rng):
    """Parameters, statistics, outputs and gradients have the dtype of the network."""
    network = mlp((4, 3, 2), ["gelu"], ["he_normal"] * 2, True, [0.5], np.float32)
    network.initialize(rng)
    workspace = Workspace(network)
    caches = workspace.caches(6)
    raw = network.forward(rng.standard_normal((6, 4), dtype=np.float32), caches)
    network.backward(raw.copy(), caches)
    arrays = network.params, network.statistics, raw, workspace.grads
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_same_seed_in_both_dtypes():
    """The same seed starts the same network in float32 and in float64."""
    single, double = (
        mlp((4, 3, 2), ["tanh"], ["he_uniform"] * 2, False, [0.0], dtype)
        for dtype in (np.float32, np.float64)
    )
    single.initialize(np.random.default_rng(1))
    double.initialize(np.random.default_rng(1))
    np.testing.assert_array_equal(single.params, double.params.astype(np.float32))


def test_first_parameters(rng):
    """Weights are drawn layer by layer, all else starts at its neutral value."""
    network = mlp(
        (4, 3, 2), ["tanh"], ["he_normal", "lecun_uniform"], True, [0.0], np.float64
    )
    network.initialize(np.random.default_rng(1))
    stream = np.random.default_rng(1)
    first, last = network.weights
    np.testing.assert_array_equal(first, INITIALIZERS["he_normal"](stream, 4, 3))
    np.testing.assert_array_equal(last, INITIALIZERS["lecun_uniform"](stream, 3, 2))
    norm = network.layers[1]
    np.testing.assert_array_equal([norm.gamma, norm.var], 1)
    np.testing.assert_array_equal([norm.beta, norm.mean], 0)
    np.testing.assert_array_equal(network.layers[-1].bias, 0)


@pytest.mark.parametrize("residual", [False, True])
def test_blocks(residual):
    """A layer each up to the first dense one, then a block for each of these."""
    network = build_mlp(
        3,
        (5, 4),
        2,
        activations=["relu", "identity"],
        initializers=["he_normal"] * 3,
        dropout=[0.1, 0.0],
        n_numbers=3,
        numeric_embedding=("periodic", {}),
        input_scaling=True,
        residual=residual,
    )
    second = ["Fork", "Dense", "Join"] if residual else ["Dense"]
    assert [[type(ly).__name__ for ly in block] for block in network.blocks] == [
        ["PeriodicLayer"],
        ["Scale"],
        ["Dense", "Activate", "Dropout"],
        second,
        ["Dense"],
    ]
    assert network.n_hidden == 2


@pytest.mark.parametrize("batch_norm", [False, True])
def test_couples_rows(batch_norm, rng):
    """Batch norm alone makes a row's output depend on its batch."""
    network = small_network(rng, batch_norm=batch_norm, dropout=0.5)
    assert network.couples_rows is batch_norm


def test_linear_model(rng):
    """Without hidden layers the network is an affine map."""
    network = mlp((4, 2), [], ["he_normal"], False, [], np.float64)
    network.initialize(rng)
    network.layers[0].bias[...] = [1, 2]
    x = rng.standard_normal((5, 4))
    expected = x @ network.weights[0] + [1, 2]
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-14)


@pytest.mark.parametrize("shape", [(7, 3), (7, 5), (4,)])
def test_input_of_the_wrong_shape(shape, rng):
    """An input that does not fit is an error that names both shapes."""
    message = rf"\(n, 4\), got \({shape[0]},"
    with pytest.raises(ValueError, match=message):
        small_network(rng).forward(np.zeros(shape))


def test_layers_that_do_not_fit():
    """Layers that do not fit are an error that names both shapes."""
    layers = [Dense(3, 4, "he_normal"), Dense(5, 1, "he_normal")]
    with pytest.raises(ValueError, match=r"\(n, 4\).*Dense.*\(n, 5\)"):
        Network(layers)


def test_shapes_are_known_in_advance(rng):
    """Weights are (n_in, n_out) and shifts (n_out,), of each layer."""
    network = small_network(rng)
    assert [w.shape for w in network.weights] == [(4, 6), (6, 5), (5, 3)]
    assert [b.shape for b in network.shifts] == [(6,), (5,), (3,)]


def test_shifts_of_batch_norm(rng):
    """Where there is batch norm, its beta is the layer's shift."""
    network = small_network(rng, batch_norm=True)
    norms = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
    expected = [norms[0].beta, norms[1].beta, network.layers[-1].bias]
    assert all(a is b for a, b in zip(network.shifts, expected, strict=True))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_flat_vector(batch_norm, rng):
    """The layers' parameters are views of one vector, weights first."""
    network = small_network(rng, batch_norm=batch_norm)
    views = [
        getattr(layer, name) for layer in network.layers for name in layer.parameters
    ]
    assert all(np.shares_memory(view, network.params) for view in views)
    assert sum(view.size for view in views) == network.params.size
    assert network.n_decayed == sum(w.size for w in network.weights)
    network.params[: network.n_decayed] = 0
    assert not any(w.any() for w in network.weights)


def test_groups_follow_the_declarations():
    """Each learning rate and kind of decay has its run of the vector."""
    layers = [Dense(2, 3, "he_normal"), BatchNorm(3), Dense(3, 1, "he_normal")]
    groups = Network(layers, learning_rates={"bias": 0.1, "weight": 2.0}).groups
    assert [(g.span.start, g.span.stop, *g[1:]) for g in groups] == [
        (0, 9, True, 2.0),
        (9, 13, False, 0.1),
        (13, 19, False, 1.0),
    ]
    assert layers[0].parameters["bias"] == Parameter((3,), "bias")


def test_pickle_keeps_the_views(rng):
    """The layers of an unpickled network hold views of its parameters again."""
    network = small_network(rng, batch_norm=True, dropout=0.2)
    copy = pickle.loads(pickle.dumps(network))
    x = rng.standard_normal((3, N_INPUTS))
    np.testing.assert_array_equal(copy.forward(x), network.forward(x))
    copy.params[...] = 1
    copy.statistics[...] = 2
    for layer in copy.layers:
        assert all((getattr(layer, name) == 1).all() for name in layer.parameters)
        assert all((getattr(layer, name) == 2).all() for name in layer.statistics)


def test_pickle_holds_parameters_once(rng):
    """A pickle is little more than the parameters."""
    network = small_network(rng, batch_norm=True)
    Workspace(network).caches(1000)
    n_bytes = network.params.nbytes + network.statistics.nbytes
    assert len(pickle.dumps(network)) < n_bytes + 3000


def test_snapshot(rng):
    """A restored snapshot brings parameters and statistics back, in place."""
    network = small_network(rng, batch_norm=True)
    params, statistics = network.params.copy(), network.statistics.copy()
    snapshot = network.snapshot()
    network.params += 1
    network.statistics += 1
    network.restore(snapshot)
    np.testing.assert_array_equal(network.params, params)
    np.testing.assert_array_equal(network.statistics, statistics)
    np.testing.assert_array_equal(network.weights[0].ravel(), params[:24])


def test_snapshot_reuses_its_memory(rng):
    """A snapshot is made in the arrays of an older one, if given."""
    network = small_network(rng, batch_norm=True)
    old = network.snapshot()
    network.params += 1
    network.statistics += 1
    new = network.snapshot(out=old)
    assert new[0] is old[0]
    assert new[1] is old[1]
    np.testing.assert_array_equal(new[0], network.params)
    np.testing.assert_array_equal(new[1], network.statistics)


def test_inference_changes_nothing(rng):
    """A pass without caches leaves parameters, statistics and input as they are."""
    network = small_network(rng, batch_norm=True, dropout=0.5)
    x = rng.standard_normal((5, N_INPUTS))
    before, state = x.copy(), network.snapshot()
    first, second = network.forward(x), network.forward(x)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(network.params, state[0])
    np.testing.assert_array_equal(network.statistics, state[1])


def test_inference_repeats_the_training_pass(rng):
    """With the batch's own statistics, batch norm predicts what it trained on."""
    network, n = small_network(rng, batch_norm=True), 7
    for layer in network.layers:
        layer.momentum = 0.0
    x = rng.standard_normal((n, N_INPUTS))
    trained = network.forward(x, Workspace(network).caches(n)).copy()
    np.testing.assert_allclose(network.forward(x), trained, rtol=1e-12)


def test_activation_after_dropout_is_saved(rng):
    """The gradient goes through the activation's own output, not the one dropped."""
    layers = [Dense(4, 8, "he_normal"), Activate(8, "tanh"), Dropout(8, 0.5)]
    network = Network([*layers, Dense(8, 1, "he_normal")])
    network.initialize(rng)
    workspace = Workspace(network)
    caches = workspace.caches(6)
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((6, 1))
    loss = SquaredError(link="identity")

    def value(params):
        network.params[...] = params
        raw = network.forward(x, caches)
        return loss.loss_gradient(y, raw)[0]

    params = network.params.copy()
    value(params)
    network.backward(loss.loss_gradient(y, caches[3].z)[1], caches)
    assert_gradient(value, workspace.grads.copy(), params, rng)
