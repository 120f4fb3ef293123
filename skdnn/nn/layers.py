"""The differentiable steps that a network is made of.

A layer owns parameters.  What depends on the batch (outputs kept for the backward pass,
gradients, masks) lives in a cache that is allocated once and handed to every call.  A
cache is also what makes a pass a training pass: without one, `forward` is inference and
changes nothing but its result, so that a fitted network can predict from many threads.

In shapes, ``n`` is the number of rows of the batch.  `Dense` and `Dropout` write their
output to memory of their own; `BatchNorm` and `Activate` overwrite their input, which
no layer below them reads again.  `weight` is the weight of each row, of shape (n, 1),
or None where all count the same.
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.initializers import INITIALIZERS


class Parameter(NamedTuple):
    """What a layer declares about one of its parameters.

    Attributes
    ----------
    shape : tuple of int
    decayed : bool
        Whether the L2 penalty and weight decay act on it.
    learning_rate : float
        Multiplier of the learning rate.
    """

    shape: tuple
    decayed: bool = False
    learning_rate: float = 1.0


class Layer:
    """Base class: no parameters, no statistics, rows that know nothing of each other.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Width of what comes in and what goes out.
    parameters : dict of str to Parameter
    statistics : dict of str to tuple of int
        Shape of each running statistic, which training updates without a gradient.
    """

    couples_rows = False

    def __init__(self, n_inputs, n_outputs):
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        self.parameters = {}
        self.statistics = {}

    def initialize(self, rng):
        """Give parameters and statistics their first values."""

    def allocate(self, n, dtype, scratch, first):
        """Return the cache for batches of `n` rows.

        `scratch` is a pair of arrays (n, n_outputs), free for use within a call.
        `first` says that no layer lies below, so that nobody needs the input gradient.
        """
        return SimpleNamespace(scratch=scratch)


class Dense(Layer):
    """Affine map ``z = x @ weight + bias`` from (n, n_inputs) to (n, n_outputs).

    A batch norm above makes the bias redundant: its gradient is zero but for rounding
    errors, which an adaptive optimizer would scale up to full steps.
    """

    def __init__(
        self,
        n_inputs,
        n_outputs,
        initializer,
        bias=True,
        weight_learning_rate=1.0,
        bias_learning_rate=1.0,
    ):
        super().__init__(n_inputs, n_outputs)
        self.initializer = initializer
        self.parameters["weight"] = Parameter(
            (n_inputs, n_outputs), decayed=True, learning_rate=weight_learning_rate
        )
        self.has_bias = bias
        if bias:
            self.parameters["bias"] = Parameter(
                (n_outputs,), learning_rate=bias_learning_rate
            )

    def initialize(self, rng):
        draw = INITIALIZERS[self.initializer]
        self.weight[...] = draw(rng, self.n_inputs, self.n_outputs)
        if self.has_bias:
            self.bias[...] = 0

    def allocate(self, n, dtype, scratch, first):
        return SimpleNamespace(
            z=np.empty((n, self.n_outputs), dtype=dtype),
            grad_x=None if first else np.empty((n, self.n_inputs), dtype=dtype),
            ones=np.ones(n, dtype=dtype),
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            z = x @ self.weight
        else:
            cache.x = x
            z = np.dot(x, self.weight, out=cache.z)
        if self.has_bias:
            z += self.bias
        return z

    def backward(self, grad, cache):
        """Return the gradient with respect to `x` (n, n_inputs)."""
        np.dot(cache.x.T, grad, out=cache.weight_grad)
        if self.has_bias:
            # A product with ones is several times as fast as a sum over rows.
            np.dot(cache.ones, grad, out=cache.bias_grad)
        if cache.grad_x is None:
            return None
        return np.dot(grad, self.weight.T, out=cache.grad_x)


class BatchNorm(Layer):
    """Standardize each feature over the batch, multiply by `gamma`, add `beta`.

    With ``p`` the share of each row in the weight of the batch, ``mean = sum(p x)`` and
    ``var = sum(p (x - mean)^2)`` (Ioffe and Szegedy, 2015).  Inference uses running
    averages of both, and so does a batch of one row, which has no variance of its own.
    """

    couples_rows = True

    def __init__(self, n_features, momentum=0.9, epsilon=1e-5):
        super().__init__(n_features, n_features)
        self.momentum = momentum
        self.epsilon = epsilon
        self.parameters.update(
            gamma=Parameter((n_features,)), beta=Parameter((n_features,))
        )
        self.statistics.update(mean=(n_features,), var=(n_features,))

    def initialize(self, rng):
        self.gamma[...] = 1
        self.beta[...] = 0
        self.mean[...] = 0
        self.var[...] = 1

    def allocate(self, n, dtype, scratch, first):
        return SimpleNamespace(
            x_hat=np.empty((n, self.n_inputs), dtype=dtype),
            ones=np.ones(n, dtype=dtype),
            share=np.full(n, 1 / n, dtype=dtype),
            square=scratch[0],
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            scale = self.gamma / np.sqrt(self.var + self.epsilon)
            x *= scale
            x += self.beta - self.mean * scale
            return x
        mean, var = self._statistics(x, cache, weight)
        cache.inv_std = 1 / np.sqrt(var + self.epsilon)
        x_hat = np.subtract(x, mean, out=cache.x_hat)
        x_hat *= cache.inv_std
        np.multiply(x_hat, self.gamma, out=x)
        x += self.beta
        return x

    def _statistics(self, x, cache, weight):
        """Update the running statistics; return those to standardize `x` with."""
        if weight is not None:
            # Weights may underflow to zero, all of them: then any average will do.
            total = weight.sum() or 1
            np.divide(weight[:, 0], total, out=cache.share)
        single = len(x) == 1
        mean = self.mean if single else np.dot(cache.share, x)
        deviation = np.subtract(x, mean, out=cache.square)
        var = np.dot(cache.share, np.square(deviation, out=deviation))
        # Before the mean, which a single row measures its deviation from.
        self.var += (1 - self.momentum) * (var - self.var)
        self.mean += (1 - self.momentum) * (np.dot(cache.share, x) - self.mean)
        return (self.mean, self.var) if single else (mean, var)

    def backward(self, grad, cache):
        np.dot(cache.ones, grad, out=cache.beta_grad)
        product = np.multiply(grad, cache.x_hat, out=cache.square)
        np.dot(cache.ones, product, out=cache.gamma_grad)
        if len(grad) > 1:
            # x_hat has mean 0 and variance 1 whatever x is, so the parts of the
            # gradient along the constant vector and along x_hat cannot reach x: both
            # are taken out.
            reach = np.multiply(cache.x_hat, cache.gamma_grad, out=cache.square)
            reach += cache.beta_grad
            reach *= cache.share[:, None]
            grad -= reach
        grad *= self.gamma * cache.inv_std
        return grad


class Activate(Layer):
    """Apply a row of `ACTIVATIONS` to each entry."""

    def __init__(self, n_features, activation):
        super().__init__(n_features, n_features)
        self.activation = activation

    def allocate(self, n, dtype, scratch, first):
        saved = None
        if ACTIVATIONS[self.activation].saves == "input":
            saved = np.empty((n, self.n_inputs), dtype=dtype)
        return SimpleNamespace(scratch=scratch, saved=saved)

    def forward(self, x, cache=None, weight=None):
        function = ACTIVATIONS[self.activation]
        if cache is None:
            return function.forward(x, (np.empty_like(x), np.empty_like(x)))
        if function.saves == "input":
            np.copyto(cache.saved, x)
        else:
            cache.saved = x
        return function.forward(x, cache.scratch)

    def backward(self, grad, cache):
        function = ACTIVATIONS[self.activation]
        return function.backward(grad, cache.saved, cache.scratch)


class Dropout(Layer):
    """Zero each entry with probability `rate`, scale the others by ``1 / (1 - rate)``.

    Inference passes everything through (inverted dropout, Srivastava et al., 2014).
    """

    def __init__(self, n_features, rate):
        super().__init__(n_features, n_features)
        self.rate = rate

    def allocate(self, n, dtype, scratch, first):
        return SimpleNamespace(
            mask=np.empty((n, self.n_inputs), dtype=dtype),
            y=np.empty((n, self.n_inputs), dtype=dtype),
            uniform=scratch[0],
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            return x
        cache.rng.random(out=cache.uniform, dtype=x.dtype)
        np.greater_equal(cache.uniform, self.rate, out=cache.mask, casting="unsafe")
        cache.mask *= 1 / (1 - self.rate)
        return np.multiply(x, cache.mask, out=cache.y)

    def backward(self, grad, cache):
        grad *= cache.mask
        return grad
