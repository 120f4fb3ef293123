"""Networks: backpropagation, the flat vector, what a pass changes and what not."""

import pickle

import numpy as np
import pytest

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.layers import Activate, BatchNorm, Dense, Dropout, Parameter
from skdnn.nn.losses import LogLoss, SquaredError
from skdnn.nn.network import Network, Workspace, build_mlp
from tests.gradcheck import assert_gradient

N_INPUTS = 4


def make_network(rng, activation="tanh", batch_norm=False, dropout=0.0, n_outputs=3):
    network = build_mlp(
        (N_INPUTS, 6, 5, n_outputs),
        [activation] * 2,
        ["glorot_normal"] * 3,
        batch_norm,
        [dropout] * 2,
        np.float64,
    )
    network.initialize(rng)
    # Biases, gains and shifts off zero and one, so that their terms can be seen.
    network.params += 0.1 * rng.standard_normal(len(network.params))
    return network


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("link", ["identity", "sigmoid", "softmax", "log softmax"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient(activation, link, batch_norm, weighted, rng):
    """Backpropagation computes the gradient of the loss in all parameters."""
    loss = LogLoss(link="softmax") if "log" in link else SquaredError(link=link)
    network, n = make_network(rng, activation, batch_norm), 9
    x = rng.standard_normal((n, N_INPUTS))
    y = rng.integers(3, size=n) if "softmax" in link else rng.uniform(size=(n, 3))
    weight = rng.uniform(0.2, 2, (n, 1)) if weighted else None
    check_gradient(network, loss, x, y, weight, rng)


def test_linear_model(rng):
    """Without hidden layers the network is an affine map."""
    network = build_mlp((4, 2), [], ["he_normal"], False, [], np.float64)
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
        make_network(rng).forward(np.zeros(shape))


def test_layers_that_do_not_fit():
    """Layers that do not fit are an error that names both shapes."""
    layers = [Dense(3, 4, "he_normal"), Dense(5, 1, "he_normal")]
    with pytest.raises(ValueError, match=r"\(n, 4\).*Dense.*\(n, 5\)"):
        Network(layers)


def test_shapes_are_known_in_advance(rng):
    """Weights are (n_in, n_out) and shifts (n_out,), of each layer."""
    network = make_network(rng)
    assert [w.shape for w in network.weights] == [(4, 6), (6, 5), (5, 3)]
    assert [b.shape for b in network.shifts] == [(6,), (5,), (3,)]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_flat_vector(batch_norm, rng):
    """The layers' parameters are views of one vector, weights first."""
    network = make_network(rng, batch_norm=batch_norm)
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
    layers = [
        Dense(2, 3, "he_normal", bias_learning_rate=0.1),
        BatchNorm(3),
        Dense(3, 1, "he_normal", weight_learning_rate=2.0),
    ]
    groups = Network(layers).groups
    assert [(g.span.start, g.span.stop, *g[1:]) for g in groups] == [
        (0, 6, True, 1.0),
        (6, 9, True, 2.0),
        (9, 12, False, 0.1),
        (12, 19, False, 1.0),
    ]
    assert layers[0].parameters["bias"] == Parameter((3,), False, 0.1)


def test_pickle_keeps_the_views(rng):
    """The layers of an unpickled network hold views of its parameters again."""
    network = make_network(rng, batch_norm=True, dropout=0.2)
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
    network = make_network(rng, batch_norm=True)
    Workspace(network).caches(1000)
    n_bytes = network.params.nbytes + network.statistics.nbytes
    assert len(pickle.dumps(network)) < n_bytes + 3000


def test_snapshot(rng):
    """A restored snapshot brings parameters and statistics back, in place."""
    network = make_network(rng, batch_norm=True)
    params, statistics = network.params.copy(), network.statistics.copy()
    snapshot = network.snapshot()
    network.params += 1
    network.statistics += 1
    network.restore(snapshot)
    np.testing.assert_array_equal(network.params, params)
    np.testing.assert_array_equal(network.statistics, statistics)
    np.testing.assert_array_equal(network.weights[0].ravel(), params[:24])


def test_inference_changes_nothing(rng):
    """A pass without caches leaves parameters, statistics and input as they are."""
    network = make_network(rng, batch_norm=True, dropout=0.5)
    x = rng.standard_normal((5, N_INPUTS))
    before, state = x.copy(), network.snapshot()
    first, second = network.forward(x), network.forward(x)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(network.params, state[0])
    np.testing.assert_array_equal(network.statistics, state[1])


def test_inference_repeats_the_training_pass(rng):
    """With the batch's own statistics, batch norm predicts what it trained on."""
    network, n = make_network(rng, batch_norm=True), 7
    for layer in network.layers:
        layer.momentum = 0.0
    x = rng.standard_normal((n, N_INPUTS))
    trained = network.forward(x, Workspace(network).caches(n)).copy()
    np.testing.assert_allclose(network.forward(x), trained, rtol=1e-12)


def batch_norm_layer(rng, n_features=3, **options):
    layer = BatchNorm(n_features, **options)
    network = Network([layer])
    network.initialize(rng)
    network.params[...] = rng.standard_normal(2 * n_features)
    return layer, network


def test_batch_norm_formula(rng):
    """(x - mean) / sqrt(var + eps) * gamma + beta, and running averages of both."""
    layer, network = batch_norm_layer(rng, momentum=0.8, epsilon=0.1)
    x = rng.standard_normal((10, 3))
    y = network.forward(x.copy(), Workspace(network).caches(10))
    mean, var = x.mean(axis=0), x.var(axis=0)
    expected = (x - mean) / np.sqrt(var + 0.1) * layer.gamma + layer.beta
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(layer.mean, 0.2 * mean, rtol=1e-12)
    np.testing.assert_allclose(layer.var, 0.8 + 0.2 * var, rtol=1e-12)


def test_batch_norm_weights_are_repeated_rows(rng):
    """A row of weight 3 is as good as three such rows."""
    counts = np.array([1, 3, 0, 2])
    x = rng.standard_normal((4, 3))
    outputs, statistics = [], []
    for rows, weight in [
        (np.arange(4), counts[:, None].astype(float)),
        (np.arange(4).repeat(counts), None),
    ]:
        _, network = batch_norm_layer(np.random.default_rng(1))
        caches = Workspace(network).caches(len(rows))
        outputs.append(network.forward(x[rows].copy(), caches, weight))
        statistics.append(network.statistics)
    np.testing.assert_allclose(
        outputs[0].repeat(counts, axis=0), outputs[1], rtol=1e-12
    )
    np.testing.assert_allclose(*statistics, rtol=1e-12)


def test_batch_norm_of_weights_that_underflow(rng):
    """A batch whose weights are all zero still gives finite numbers."""
    _, network = batch_norm_layer(rng)
    x = rng.standard_normal((4, 3))
    y = network.forward(x, Workspace(network).caches(4), np.zeros((4, 1)))
    assert np.isfinite(y).all()
    assert np.isfinite(network.statistics).all()


def test_batch_norm_of_one_row(rng):
    """A single row is standardized by the running statistics that it updates."""
    layer, network = batch_norm_layer(rng, momentum=0.75)
    x = rng.standard_normal((1, 3))
    y = network.forward(x.copy(), Workspace(network).caches(1))
    np.testing.assert_allclose(layer.mean, 0.25 * x[0])
    np.testing.assert_allclose(layer.var, 0.75 + 0.25 * x[0] ** 2)
    x_hat = (x - layer.mean) / np.sqrt(layer.var + layer.epsilon)
    np.testing.assert_allclose(y, x_hat * layer.gamma + layer.beta)


def test_no_bias_below_batch_norm(rng):
    """Batch norm makes the bias below it redundant."""
    network = make_network(rng, batch_norm=True)
    assert [layer.has_bias for layer in network.layers if isinstance(layer, Dense)] == [
        False,
        False,
        True,
    ]


def test_dropout(rng):
    """Entries are zero with the rate's probability, or scaled; the gradient alike."""
    layer = Dropout(500, 0.3)
    caches = Workspace(Network([Dense(1, 500, "he_normal"), layer]), rng).caches(100)
    x = rng.standard_normal((100, 500))
    y = layer.forward(x, caches[1])
    dropped = y == 0
    assert abs(dropped.mean() - 0.3) < 0.01
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.7, rtol=1e-12)
    grad = layer.backward(np.ones_like(x), caches[1])
    np.testing.assert_allclose(grad, np.where(dropped, 0, 1 / 0.7), rtol=1e-12)


def test_dropout_draws_anew(rng):
    """No two steps leave the same entries out."""
    network = make_network(rng, dropout=0.5)
    caches = Workspace(network, rng).caches(20)
    x = rng.standard_normal((20, N_INPUTS))
    first = network.forward(x, caches).copy()
    assert not np.array_equal(first, network.forward(x, caches))


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
        caches[2].rng = np.random.default_rng(5)  # the same mask each time
        network.params[...] = params
        raw = network.forward(x, caches)
        return loss.loss_gradient(y, raw)[0]

    params = network.params.copy()
    value(params)
    network.backward(loss.loss_gradient(y, caches[3].z)[1], caches)
    assert_gradient(value, workspace.grads.copy(), params, rng)


def test_caches_are_made_once(rng):
    """The same batch size gets the same memory at every call."""
    workspace = Workspace(make_network(rng))
    assert workspace.caches(5) is workspace.caches(5)
    assert workspace.caches(5) is not workspace.caches(6)
