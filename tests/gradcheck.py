"""Directional derivative checks, in float64."""

import numpy as np


def directional_derivative(f, x, v, eps=1e-6):
    """Central difference of the scalar function `f` at `x` along `v`."""
    return (f(x + eps * v) - f(x - eps * v)) / (2 * eps)


def assert_gradient(f, grad, x, rng, n_directions=5):
    """Assert that `grad` is the gradient of `f` at `x`, along random directions."""
    for _ in range(n_directions):
        v = rng.standard_normal(x.shape)
        v /= np.linalg.norm(v)
        expected = directional_derivative(f, x, v)
        np.testing.assert_allclose(np.sum(grad * v), expected, rtol=1e-6, atol=1e-8)
