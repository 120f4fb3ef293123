"""Kernels of activations agree with the layers: bias, strength and dropout, in one."""

from types import SimpleNamespace

import numpy as np
import pytest

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.layers import Activate, Dropout, ParametricActivate, sum_rows
from skdnn.nn.noise import Noise
from tests.programs import (
    DTYPES,
    _compiled,
    assert_close,
    level,  # noqa: F401
    operation,
    run,
)

# In the fast suite each value once, and the best instructions.
pytestmark = pytest.mark.sampled

NAMES = pytest.mark.parametrize("name", list(ACTIVATIONS))

#: Widths that are odd, and longer than the longest vectors.
N, WIDTH = 9, 37


def number(name):
    return _compiled.activations()[name]


def data(dtype, *, scale=3.0, n=N, width=WIDTH):
    """Return inputs, gradients, biases and strengths."""
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((n, width)) * scale).astype(dtype)
    grad = rng.standard_normal((n, width)).astype(dtype)
    bias = rng.standard_normal(width).astype(dtype)
    strength = rng.uniform(0, 2, width).astype(dtype)
    return z, grad, bias, strength


def numpy_units(name, z, grad, bias=None, strength=None, rate=0.0, draw=0, key=1):
    """Return what NumPy's layers make of float64: y, input gradient, gradients."""
    z, grad = z.astype(np.float64), grad.astype(np.float64)
    n, width = z.shape
    ones = np.ones(n)
    kind = Activate if strength is None else ParametricActivate
    layer = kind(width, name)
    scratch = np.empty_like(z), np.empty_like(z)
    cache = layer.allocate(z.shape, z.dtype, scratch, False)
    if strength is not None:
        layer.strength = strength.astype(np.float64)
        cache.strength_grad = np.empty(width)
    dropout = Dropout(width, rate)
    dropout_cache = dropout.allocate(z.shape, z.dtype, scratch, False)
    noise = Noise(0)
    noise.draw = draw
    dropout_cache.noise, dropout_cache.keys = noise, [key]
    if bias is not None:
        z += bias
    y = layer.forward(z, cache)
    if rate:
        y = dropout.forward(y, dropout_cache)
        grad = dropout.backward(grad, dropout_cache)
    y = y.copy()
    grad_z = layer.backward(grad, cache)
    bias_grad = sum_rows(ones, grad_z, out=np.empty(width))
    return SimpleNamespace(
        y=y,
        grad=grad_z,
        bias_grad=bias_grad,
        strength_grad=getattr(cache, "strength_grad", None),
    )


def compiled_units(
    name,
    z,
    grad,
    bias=None,
    strength=None,
    rate=0.0,
    draw=0,
    key=1,
    in_place=True,
    shared_slope=False,
    adds=False,
):
    """Return what kernels make of it."""
    n, width = z.shape
    z, grad = z.copy(), grad.copy()
    y = z if in_place else np.full_like(z, np.nan)
    slope = y if shared_slope else np.full_like(z, np.nan)
    bend = bits = strength_grad = None
    bias_grad = np.full(width, 10.0 if adds else np.nan, z.dtype)
    if strength is not None:
        bend, strength_grad = np.full_like(z, np.nan), bias_grad.copy()
    dropped = Dropout(width, rate).dropped
    if rate:
        bits = np.empty(width // 2 + 2, np.uint32)
    key = int(np.uint64(key).astype(np.int64))
    sizes = width, number(name), dropped, key, 1
    arrays = z, y, slope, bend, bias, strength, bits
    forward = operation("activate_forward", *arrays, sizes=sizes)
    sizes = width, number(name), adds, dropped
    arrays = grad, slope, bend, bias_grad, strength_grad
    backward = operation("activate_backward", *arrays, sizes=sizes)
    run(forward, backward, dtype=z.dtype, n=n, draw=draw)
    return SimpleNamespace(
        y=y, grad=grad, bias_grad=bias_grad, strength_grad=strength_grad
    )


def assert_same(actual, desired, dtype, scale=1):
    assert_close(actual.y, desired.y, dtype, scale)
    assert_close(actual.grad, desired.grad, dtype, scale)
    assert_close(actual.bias_grad, desired.bias_grad, dtype, 4 * scale)
    if desired.strength_grad is not None:
        assert_close(actual.strength_grad, desired.strength_grad, dtype, 10 * scale)


def test_every_activation_has_a_kernel():
    assert list(_compiled.activations()) == list(ACTIVATIONS)


@DTYPES
@NAMES
@pytest.mark.parametrize("in_place", [True, False])
def test_activation_and_bias(name, dtype, in_place):
    z, grad, bias, _ = data(dtype)
    for b in None, bias:
        actual = compiled_units(name, z, grad, b, in_place=in_place)
        assert_same(actual, numpy_units(name, z, grad, b), dtype)


@DTYPES
@NAMES
def test_tails(name, dtype):
    z, grad, *_ = data(dtype, scale=30.0)
    assert_same(compiled_units(name, z, grad), numpy_units(name, z, grad), dtype, 8)


@DTYPES
@NAMES
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_strength(name, dtype, rate):
    z, grad, bias, strength = data(dtype)
    options = {"bias": bias, "strength": strength, "rate": rate}
    actual = compiled_units(name, z, grad, **options)
    assert_same(actual, numpy_units(name, z, grad, **options), dtype)


@DTYPES
@NAMES
@pytest.mark.parametrize("width", [1, 36, 37])
def test_dropout(name, dtype, width):
    """The bits are those of NumPy, whichever pass it is."""
    z, grad, bias, _ = data(dtype, width=width)
    for draw, key in (0, 1), (2**40 + 3, 2**64 - 5):
        options = {"bias": bias, "rate": 0.5, "draw": draw, "key": key}
        desired = numpy_units(name, z, grad, **options)
        assert 0 < (desired.grad == 0).mean() < 1
        assert_same(compiled_units(name, z, grad, **options), desired, dtype)


@DTYPES
@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_relu_shares_its_slope(dtype, rate):
    z, grad, bias, _ = data(dtype)
    actual = compiled_units("relu", z, grad, bias, rate=rate, shared_slope=True)
    assert_same(actual, numpy_units("relu", z, grad, bias, rate=rate), dtype)


@DTYPES
def test_identity_needs_no_slope(dtype):
    z, grad, bias, _ = data(dtype)
    y, bias_grad, given = z.copy(), np.empty_like(bias), grad.copy()
    sizes = WIDTH, number("identity"), 0, 0, 1
    arrays = y, y, None, None, bias, None, None
    forward = operation("activate_forward", *arrays, sizes=sizes)
    arrays = given, None, None, bias_grad, None
    sizes = WIDTH, number("identity"), 0, 0
    backward = operation("activate_backward", *arrays, sizes=sizes)
    run(forward, backward, dtype=dtype, n=N)
    assert_close(y, z + bias, dtype)
    np.testing.assert_array_equal(given, grad)
    assert_close(bias_grad, grad.sum(axis=0), dtype, 4)


@DTYPES
@NAMES
def test_prediction_stores_nothing(name, dtype):
    z, grad, bias, strength = data(dtype)
    for s in None, strength:
        y = z.copy()
        sizes = WIDTH, number(name), 0, 0, 0
        arrays = y, y, None, None, bias, s, None
        run(operation("activate_forward", *arrays, sizes=sizes), dtype=dtype, n=N)
        assert_close(y, numpy_units(name, z, grad, bias, s).y, dtype)


@DTYPES
def test_gradients_add_up(dtype):
    z, grad, bias, strength = data(dtype)
    actual = compiled_units("tanh", z, grad, bias, strength, adds=True)
    desired = numpy_units("tanh", z, grad, bias, strength)
    assert_close(actual.bias_grad, desired.bias_grad + 10, dtype, 4)
    assert_close(actual.strength_grad, desired.strength_grad + 10, dtype, 4)


@DTYPES
@pytest.mark.parametrize("width", [6, 7])
def test_slabs_draw_the_bits_of_their_rows(dtype, width):
    """What is left after a batch in two slabs is the second."""
    slab = 5
    z, grad, *_ = data(dtype, n=2 * slab, width=width)
    rate, key = 0.5, 77
    desired = numpy_units("identity", np.ones_like(z), grad, rate=rate, key=key)
    ones, y = np.ones((slab, width), dtype), np.empty((slab, width), dtype)
    slope, given = np.empty_like(y), np.ones_like(y)
    bits, bias_grad = np.empty(width // 2 + 2, np.uint32), np.empty(width, dtype)
    dropped = Dropout(width, rate).dropped
    sizes = width, number("identity"), dropped, key, 1
    arrays = ones, y, slope, None, None, None, bits
    forward = operation("activate_forward", *arrays, sizes=sizes)
    arrays = given, slope, None, bias_grad, None
    sizes = width, number("identity"), 0, dropped
    backward = operation("activate_backward", *arrays, sizes=sizes)
    run(forward, backward, dtype=dtype, n=2 * slab, slab_size=slab)
    np.testing.assert_array_equal(y, desired.y[slab:])
    # The second slab's gradient has gone through both masks.
    both = desired.y[:slab] * desired.y[slab:]
    assert_close(bias_grad, (desired.y[:slab] + both).sum(axis=0), dtype)


@DTYPES
@NAMES
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_that_are_not_finite(name, dtype):
    """NaN stays NaN, and infinities go where NumPy lets them go."""
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0], dtype)
    z = np.tile(special, (2, 10))
    actual = compiled_units(name, z, np.ones_like(z))
    assert_close(actual.y, numpy_units(name, z, z).y, dtype)
    grad = np.full_like(z, np.nan)
    actual = compiled_units(name, np.ones_like(z), grad)
    assert np.isnan(actual.grad).all()
    assert np.isnan(actual.bias_grad).all()
    if name not in ("relu", "leaky_relu", "identity"):
        actual = compiled_units(name, np.full_like(z, np.nan), np.ones_like(z))
        assert np.isnan(actual.grad).all()


@DTYPES
@NAMES
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30])
def test_slopes_of_large_numbers_are_their_limits(name, dtype, size):
    right = {"sigmoid": 0, "tanh": 0, "selu": 1.0507009873554805}.get(name, 1)
    left = {"leaky_relu": 0.01, "identity": 1}.get(name, 0)
    z = np.tile(np.array([size, -size], dtype), (2, 10))
    actual = compiled_units(name, z, np.ones_like(z))
    assert_close(actual.grad[:, 0], np.full(2, right, dtype), dtype)
    assert_close(actual.grad[:, 1], np.full(2, left, dtype), dtype)


@DTYPES
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "elu", "softplus", "silu"])
def test_no_digits_are_lost(name, dtype):
    """Not to rounding, near zero or in a tail, but where numbers become denormal."""
    rng = np.random.default_rng(0)
    lowest = np.log(np.finfo(dtype).tiny) + 2
    small = 10.0 ** rng.uniform(-20, 0, 500) * rng.choice([-1, 1], 500)
    z = np.concatenate([rng.uniform(lowest, -lowest, 1000), small]).astype(dtype)
    exact = z.astype(np.longdouble)
    e = np.exp(-abs(exact))
    sigmoid = np.where(exact < 0, e, 1) / (1 + e)
    desired = {
        "sigmoid": lambda: sigmoid,
        "tanh": lambda: np.tanh(exact),
        "elu": lambda: np.where(exact > 0, exact, np.expm1(np.minimum(exact, 0))),
        "softplus": lambda: np.maximum(exact, 0) + np.log1p(e),
        "silu": lambda: exact * sigmoid,
    }[name]()
    z = z.reshape(10, -1)
    y = compiled_units(name, z, z).y.ravel()
    np.testing.assert_allclose(y, desired, rtol=4 * np.finfo(dtype).eps, atol=0)
