"""Distributions of initial weights, one row of `INITIALIZERS` each.

A row is called as ``initializer(rng, n_inputs, n_outputs)`` and returns a float64 array
of shape (n_inputs, n_outputs), whatever the dtype of the network: the same seed starts
the same network in float32 and in float64.
"""

from functools import partial
from math import sqrt

__all__ = ["INITIALIZERS"]


def normal(variance, rng, n_inputs, n_outputs):
    """Draw from a normal distribution around zero."""
    std = sqrt(variance(n_inputs, n_outputs))
    return rng.standard_normal((n_inputs, n_outputs)) * std


def uniform(variance, rng, n_inputs, n_outputs):
    """Draw from a uniform distribution around zero."""
    bound = sqrt(3 * variance(n_inputs, n_outputs))
    return rng.uniform(-bound, bound, (n_inputs, n_outputs))


def lecun(n_inputs, n_outputs):
    """Keep the variance of the activations: ``1 / n_inputs`` (LeCun et al., 1998)."""
    return 1 / n_inputs


def he(n_inputs, n_outputs):
    """Make up for the half that ReLU cuts off: ``2 / n_inputs`` (He et al., 2015)."""
    return 2 / n_inputs


def glorot(n_inputs, n_outputs):
    """Treat both directions alike: ``2 / (n_inputs + n_outputs)`` (Glorot, 2010)."""
    return 2 / (n_inputs + n_outputs)


INITIALIZERS = {
    f"{variance.__name__}_{distribution.__name__}": partial(distribution, variance)
    for variance in (lecun, he, glorot)
    for distribution in (normal, uniform)
}
