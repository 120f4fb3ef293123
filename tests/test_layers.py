"""Layers compute their formulas, forward and back, one at a time."""

import numpy as np
import pytest

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.layers import Activate, BatchNorm, Dense, Dropout
from skdnn.nn.network import Network
from skdnn.nn.workspace import Workspace
from tests.gradcheck import assert_gradient


@pytest.mark.parametrize("bias", [False, True])
def test_dense(bias, rng):
    """z = x W + b, with the gradients x^T g, the sum of g, and g W^T."""
    layer = Dense(4, 3, "he_normal", bias=bias)
    workspace = Workspace(network := Network([Dense(2, 4, "he_normal"), layer]))
    network.params[...] = rng.standard_normal(len(network.params))
    cache = workspace.caches(6)[1]
    x, g = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    shift = layer.bias if bias else 0
    z = layer.forward(x, cache)
    np.testing.assert_allclose(z, x @ layer.weight + shift, rtol=1e-12)
    np.testing.assert_allclose(layer.backward(g, cache), g @ layer.weight.T, rtol=1e-12)
    np.testing.assert_allclose(cache.weight_grad, x.T @ g, rtol=1e-12)
    if bias:
        np.testing.assert_allclose(cache.bias_grad, g.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activate_training_is_inference(name, rng):
    """With or without a cache, an activation has the same output."""
    layer = Activate(5, name)
    x = rng.standard_normal((6, 5))
    scratch = np.empty((2, *x.shape))
    cache = layer.allocate(x.shape, x.dtype, scratch, False)
    trained, inferred = layer.forward(x.copy(), cache), layer.forward(x.copy())
    np.testing.assert_array_equal(trained, inferred)


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


def test_batch_norm_inference_formula(rng):
    """Inference standardizes by the running statistics."""
    layer, network = batch_norm_layer(rng, epsilon=0.1)
    layer.mean[...], layer.var[...] = [1, 2, 3], [4, 5, 6]
    x = rng.standard_normal((10, 3))
    expected = (x - layer.mean) / np.sqrt(layer.var + 0.1) * layer.gamma + layer.beta
    np.testing.assert_allclose(network.forward(x.copy()), expected, rtol=1e-12)


def batch_norm_input_gradient(layer, cache, x, grad, weight=None):
    """Return the gradient in `x` of the sum of `grad` times the output."""
    layer.forward(x.copy(), cache, weight)
    return layer.backward(grad.copy(), cache)


@pytest.mark.parametrize("weighted", [False, True])
def test_batch_norm_input_gradient(weighted, rng):
    """The gradient in the input goes through the mean and the variance as well."""
    layer, network = batch_norm_layer(rng)
    (cache,) = Workspace(network).caches(6)
    x, grad = rng.standard_normal((2, 6, 3))
    weight = rng.uniform(0.5, 2, (6, 1)) if weighted else None
    assert_gradient(
        lambda x: np.sum(grad * layer.forward(x.copy(), cache, weight)),
        batch_norm_input_gradient(layer, cache, x, grad, weight),
        x,
        rng,
    )


def test_batch_norm_gradient_of_one_row(rng):
    """The statistics that standardize a single row are constants to its gradient."""
    layer, network = batch_norm_layer(rng)
    (cache,) = Workspace(network).caches(1)
    x, grad = rng.standard_normal((2, 1, 3))
    in_x = batch_norm_input_gradient(layer, cache, x, grad)
    inv_std = 1 / np.sqrt(layer.var + layer.epsilon)
    np.testing.assert_allclose(in_x, grad * layer.gamma * inv_std, rtol=1e-12)
    np.testing.assert_allclose(cache.beta_grad, grad[0], rtol=1e-12)
    expected = grad[0] * (x[0] - layer.mean) * inv_std
    np.testing.assert_allclose(cache.gamma_grad, expected, rtol=1e-12)


def test_batch_norm_of_a_constant_column(rng):
    """A column without variance becomes the shift."""
    layer, network = batch_norm_layer(rng)
    y = network.forward(np.full((5, 3), 7.0), Workspace(network).caches(5))
    np.testing.assert_allclose(y, np.tile(layer.beta, (5, 1)), rtol=1e-12)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_dropout(rate, dtype, rng):
    """Entries are zero where 16 random bits are below the rate, else scaled."""
    layer = Dropout(5, rate)
    network = Network([Dense(1, 5, "he_normal"), layer], dtype)
    workspace = Workspace(network, seed=3)
    cache = workspace.caches(7)[1]
    below = round(rate * 2**16)
    rate = below / 2**16
    for draw, x in enumerate(rng.standard_normal((2, 7, 5)).astype(dtype)):
        workspace.seek(draw)
        ((_, bits),) = cache.noise.blocks(cache.keys, 7, 5)
        kept = bits.reshape(7, 5) >= below
        y = layer.forward(x, cache)
        np.testing.assert_allclose(y, np.where(kept, x / (1 - rate), 0), rtol=1e-6)
        grad = layer.backward(np.ones_like(x), cache)
        np.testing.assert_allclose(grad, kept / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("rate", [0.99999, 0.9999999, 1 - 2**-53])
def test_dropout_of_almost_everything(rate):
    """Rates that round to 1 are the largest below it, and keep what they should."""
    layer = Dropout(100, rate)
    network = Network([Dense(1, 100, "he_normal"), layer])
    cache = Workspace(network).caches(10_000)[1]
    y = layer.forward(np.ones((10_000, 100)), cache)
    assert np.unique(y).tolist() == [0, 2**16]
    assert 2 < np.count_nonzero(y) < 40


def test_dropout_drops_its_share():
    """In many blocks of random bits, as many entries are zero as the rate says."""
    layer = Dropout(100, 0.3)
    network = Network([Dense(1, 100, "he_normal"), layer])
    cache = Workspace(network).caches(1000)[1]
    kept = layer.forward(np.ones((1000, 100)), cache) > 0
    assert kept.mean() == pytest.approx(0.7, abs=0.01)
    assert abs(np.corrcoef(kept[:500].ravel(), kept[500:].ravel())[0, 1]) < 0.02


def test_dropout_leaves_its_input(rng):
    """Dropout writes to memory of its own: the activation below reads its output."""
    layer = Dropout(5, 0.5)
    network = Network([Dense(1, 5, "he_normal"), layer])
    cache = Workspace(network).caches(7)[1]
    x = rng.standard_normal((7, 5))
    before = x.copy()
    layer.forward(x, cache)
    np.testing.assert_array_equal(x, before)


def test_dropout_inference_is_the_identity(rng):
    """Without a cache nothing is dropped."""
    x = rng.standard_normal((7, 5))
    assert Dropout(5, 0.5).forward(x) is x
