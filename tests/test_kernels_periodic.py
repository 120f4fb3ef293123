"""Kernels of periodic embeddings agree with the layer."""

import numpy as np
import pytest

from skdnn.nn.embeddings import PeriodicLayer
from tests.programs import (
    DTYPES,
    assert_close,
    level,  # noqa: F401
    operation,
    run,
)

N, N_INPUTS, N_NUMBERS, N_TERMS, WIDTH = 12, 5, 3, 7, 4
PARAMETERS = "frequency", "phase", "weight", "bias"


def make(dtype, scale=1.0):
    """Return rows, a layer with its cache, and a gradient of its output."""
    rng = np.random.default_rng(0)
    layer = PeriodicLayer(N_INPUTS, N_NUMBERS, N_TERMS, WIDTH, 0.5)
    for name, parameter in layer.parameters.items():
        setattr(layer, name, np.empty(parameter.shape, dtype))
    layer.initialize(rng)
    x = (rng.standard_normal((N, N_INPUTS)) * scale).astype(dtype)
    cache = layer.allocate(x.shape, x.dtype, None, True)
    for name, parameter in layer.parameters.items():
        setattr(cache, f"{name}_grad", np.empty(parameter.shape, dtype))
    grad = rng.standard_normal((N, layer.n_outputs)).astype(dtype)
    return x, layer, cache, grad


def forward(layer, x, *, trains=True):
    y = np.full((N, layer.n_outputs), np.nan, x.dtype)
    cosines = np.empty((N, N_NUMBERS, N_TERMS), x.dtype)
    sines = np.empty_like(cosines) if trains else None
    values = [getattr(layer, name) for name in PARAMETERS]
    arrays = x, *values, y, cosines, sines
    sizes = N_INPUTS, N_NUMBERS, N_TERMS, WIDTH
    return operation("periodic_forward", *arrays, sizes=sizes)


def backward(layer, x, grad, cosines, sines):
    grads = [np.full_like(getattr(layer, name), np.nan) for name in PARAMETERS]
    arrays = x, layer.weight, grad, cosines, sines, *grads
    sizes = N_INPUTS, N_NUMBERS, N_TERMS, WIDTH
    return operation("periodic_backward", *arrays, sizes=sizes)


@DTYPES
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e9])
def test_forward(dtype, scale):
    """Angles may be so large that libm has to reduce them."""
    x, layer, _, _ = make(dtype, scale)
    for trains in True, False:
        op = forward(layer, x, trains=trains)
        run(op, dtype=dtype, n=N)
        assert_close(op[1][5], layer.forward(x), dtype)


@DTYPES
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_are_not_finite_have_no_wave(dtype):
    x, layer, _, _ = make(dtype)
    x[0, 0], x[1, 1], x[2, 2], x[3, 4] = np.nan, np.inf, -np.inf, np.inf
    op = forward(layer, x)
    run(op, dtype=dtype, n=N)
    assert_close(op[1][5], layer.forward(x), dtype)


@DTYPES
def test_backward(dtype):
    x, layer, cache, grad = make(dtype)
    first = forward(layer, x)
    second = backward(layer, x, grad, *first[1][-2:])
    run(first, second, dtype=dtype, n=N)
    layer.forward(x, cache)
    layer.backward(grad, cache)
    for name, actual in zip(PARAMETERS, second[1][5:], strict=True):
        assert_close(actual, getattr(cache, f"{name}_grad"), dtype, 10)


@DTYPES
def test_gradients_of_slabs_add_up(dtype):
    """Here both slabs are the first rows."""
    x, layer, cache, grad = make(dtype)
    half = N // 2
    first = forward(layer, x)
    second = backward(layer, x, grad, *first[1][-2:])
    run(first, second, dtype=dtype, n=N, slab_size=half)
    x[half:], grad[half:] = x[:half], grad[:half]
    layer.forward(x, cache)
    layer.backward(grad, cache)
    for name, actual in zip(PARAMETERS, second[1][5:], strict=True):
        assert_close(actual, getattr(cache, f"{name}_grad"), dtype, 10)
