"""The differentiable steps that a network is made of.

A layer owns parameters.  What depends on the batch (outputs kept for the backward pass,
gradients, masks) lives in a cache that is allocated once and handed to every call.  A
cache is also what makes a pass a training pass: without one, `forward` is inference and
changes nothing but its result, so that a fitted network can predict from many threads.
`input_gradient` is the derivative of inference, and changes nothing either.

In shapes, ``n`` is the number of rows of the batch.  `BatchNorm` and activations
overwrite their input, which no layer below them reads again; the others write their
output to memory of their own.  `weight` is the weight of each row, of shape (n, 1), or
None where all count the same.

An ensemble is a network whose layers have `n_members`: parameters, but those that
members share, and what passes between layers then have one more axis, the first, and
products become stacked products.  The rows that enter the first layer have no such
axis, as all members see the same; but a row may count differently for each, and
`weight` then is of shape (n, n_members).
"""

from math import sqrt
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.initializers import INITIALIZERS

__all__ = [
    "KINDS",
    "Activate",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Fork",
    "Join",
    "Layer",
    "LinearJoin",
    "Parameter",
    "ParametricActivate",
    "Scale",
    "SharedDense",
    "sum_rows",
]

#: Kinds of parameters; those of a kind have a learning rate in common.
KINDS = ("weight", "bias", "norm", "scale", "activation", "embedding")


class Parameter(NamedTuple):
    """What a layer declares about one of its parameters.

    Attributes
    ----------
    shape : tuple of int
    kind : str
        One of `KINDS`.
    decayed : bool
        Whether the L2 penalty and weight decay act on it.
    """

    shape: tuple
    kind: str
    decayed: bool = False


class Layer:
    """Base class: no parameters, no statistics, rows that know nothing of each other.

    Attributes
    ----------
    n_inputs, n_outputs : int
        Width of what comes in and what goes out.
    n_members : int or None
        Size of the ensemble; None is a single network.
    parameters : dict of str to Parameter
    statistics : dict of str to tuple of int
        Shape of each running statistic, which training updates without a gradient.
    frozen : bool
        Whether training leaves it as it is, which it then does with all layers below:
        rows pass through as in a prediction, and no gradient comes back.
    """

    couples_rows = False
    frozen = False

    def __init__(self, n_inputs, n_outputs, n_members=None):
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        self.n_members = n_members
        self.parameters = {}
        self.statistics = {}

    def output_shape(self, n):
        """Return the shape of the output for `n` rows."""
        return (*self._lead, n, self.n_outputs)

    def _allocate_shared(self, x_shape, dtype, first):
        """Return memory for the gradient of what members still share, if they do."""
        alone = len(x_shape) == len(self._lead) + 2
        return None if alone or first else np.empty(x_shape, dtype)

    @property
    def _lead(self):
        return () if self.n_members is None else (self.n_members,)

    def _per_column(self, n_columns):
        """Return the shape of a vector for each member, broadcast along the rows."""
        return (n_columns,) if self.n_members is None else (*self._lead, 1, n_columns)

    def initialize(self, rng):
        """Give parameters and statistics their first values."""

    def adapt(self, x, weight=None):
        """Learn from training rows, before training, what has no gradient."""

    def allocate(self, x_shape, dtype, scratch, first):
        """Return the cache for batches of inputs of shape `x_shape`.

        All that `forward` and `backward` write to is in there: neither allocates what
        grows with the batch or the layer.  `scratch` is a pair of arrays like the
        output, free for use within a call.  `first` says that no layer lies below, so
        that nobody needs the input gradient.
        """
        return SimpleNamespace(scratch=scratch)

    def input_gradient(self, x, grad):
        """Return the gradient of inference in `x`, which members may share.

        Parameters
        ----------
        x : ndarray of shape (..., n, n_inputs)
            What came in.
        grad : ndarray of shape (..., n, n_outputs)
            The gradient in what went out; it may be overwritten.

        Returns
        -------
        grad : ndarray of shape (..., n, n_inputs)
            Where members share `x`, of each of them.
        """
        raise NotImplementedError(f"{type(self).__name__} has no input_gradient.")


class Dense(Layer):
    """Affine map ``z = x @ weight + bias`` from (n, n_inputs) to (n, n_outputs).

    A batch norm above makes the bias redundant: its gradient is zero but for rounding
    errors, which an adaptive optimizer would scale up to full steps.

    Parameters
    ----------
    n_inputs, n_outputs : int
    initializer : str
        A name in `INITIALIZERS`.
    bias : bool, default=True
    ntk : bool, default=False
        Whether to compute ``x @ weight / sqrt(n_inputs) + bias``, with weights larger
        by as much (the neural-tangent parametrization, Jacot et al., 2018): then a step
        of an adaptive optimizer changes the outputs of wide and narrow layers alike.
    n_members : int, default=None
    """

    def __init__(
        self, n_inputs, n_outputs, initializer, bias=True, ntk=False, n_members=None
    ):
        super().__init__(n_inputs, n_outputs, n_members)
        self.initializer = initializer
        self.multiplier = 1 / sqrt(n_inputs) if ntk and n_inputs else 1.0
        self.has_bias = bias
        self._declare()

    def _declare(self):
        shape = (*self._lead, self.n_inputs, self.n_outputs)
        self.parameters["weight"] = Parameter(shape, "weight", decayed=True)
        if self.has_bias:
            shape = self._per_column(self.n_outputs)
            self.parameters["bias"] = Parameter(shape, "bias")

    @property
    def matrix(self):
        """What inputs are multiplied with, whatever the parametrization."""
        return self.weight if self.multiplier == 1 else self.weight * self.multiplier

    def initialize(self, rng):
        draw = INITIALIZERS[self.initializer]
        for matrix in self.weight.reshape(-1, self.n_inputs, self.n_outputs):
            matrix[...] = draw(rng, self.n_inputs, self.n_outputs)
        if self.multiplier != 1:
            self.weight /= self.multiplier
        if self.has_bias:
            self.bias[...] = 0

    def allocate(self, x_shape, dtype, scratch, first):
        n = x_shape[-2]
        return SimpleNamespace(
            z=np.empty(self.output_shape(n), dtype),
            grad_x=None if first else np.empty((*self._lead, n, self.n_inputs), dtype),
            grad_shared=self._allocate_shared(x_shape, dtype, first),
            ones=np.ones(n, dtype),
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            z = x @ self.weight
        else:
            cache.x = x
            z = np.matmul(x, self.weight, out=cache.z)
        if self.multiplier != 1:
            z *= self.multiplier
        if self.has_bias:
            z += self.bias
        return z

    def backward(self, grad, cache):
        """Return the gradient with respect to `x`, of the same shape as that."""
        if self.has_bias:
            sum_rows(cache.ones, grad, out=cache.bias_grad)
        if self.multiplier != 1:
            grad *= self.multiplier
        np.matmul(np.swapaxes(cache.x, -1, -2), grad, out=cache.weight_grad)
        if cache.grad_x is None:
            return None
        np.matmul(grad, np.swapaxes(self.weight, -1, -2), out=cache.grad_x)
        return _sum_shared(cache.grad_x, cache)

    def input_gradient(self, x, grad):
        return grad @ np.swapaxes(self.matrix, -1, -2)


class SharedDense(Dense):
    """Affine map whose matrix the members of an ensemble share.

    ``z = ((x * gain_in) @ weight) * gain_out + bias``: each member has vectors of its
    own (BatchEnsemble, Wen et al., 2020; TabM, Gorishniy et al., 2025).

    Parameters
    ----------
    n_inputs, n_outputs, initializer, bias, ntk, n_members
        As in `Dense`.
    diverse : bool, default=False
        Whether `gain_in` starts as random signs, which tells the members apart, instead
        of ones.
    """

    def __init__(self, *args, diverse=False, **options):
        super().__init__(*args, **options)
        self.diverse = diverse

    def _declare(self):
        super()._declare()
        shape = (self.n_inputs, self.n_outputs)
        self.parameters["weight"] = Parameter(shape, "weight", decayed=True)
        for name, width in ("gain_in", self.n_inputs), ("gain_out", self.n_outputs):
            self.parameters[name] = Parameter(self._per_column(width), "scale")

    def initialize(self, rng):
        super().initialize(rng)
        self.gain_in[...] = 1
        self.gain_out[...] = 1
        if self.diverse:
            self.gain_in[...] = rng.choice([-1, 1], self.gain_in.shape)

    def allocate(self, x_shape, dtype, scratch, first):
        cache = super().allocate(x_shape, dtype, scratch, first)
        n = x_shape[-2]
        cache.scaled = np.empty((*self._lead, n, self.n_inputs), dtype)
        cache.product = np.empty(self.output_shape(n), dtype)
        cache.grad_scaled = np.empty_like(cache.scaled)
        cache.factor = np.empty(self._per_column(self.n_outputs), dtype)
        return cache

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            # A product a member: BLAS may round a row differently among more of them.
            z = (x * self.gain_in) @ self.weight
            z *= self.gain_out * self.multiplier
        else:
            cache.x = x
            np.multiply(x, self.gain_in, out=cache.scaled)
            np.matmul(_flat(cache.scaled), self.weight, out=_flat(cache.product))
            if self.multiplier != 1:
                cache.product *= self.multiplier
            z = np.multiply(cache.product, self.gain_out, out=cache.z)
        if self.has_bias:
            z += self.bias
        return z

    def backward(self, grad, cache):
        if self.has_bias:
            sum_rows(cache.ones, grad, out=cache.bias_grad)
        cache.product *= grad
        sum_rows(cache.ones, cache.product, out=cache.gain_out_grad)
        grad *= np.multiply(self.gain_out, self.multiplier, out=cache.factor)
        np.matmul(_flat(cache.scaled).T, _flat(grad), out=cache.weight_grad)
        np.matmul(_flat(grad), self.weight.T, out=_flat(cache.grad_scaled))
        grad_x = np.multiply(cache.grad_scaled, cache.x, out=cache.scaled)
        sum_rows(cache.ones, grad_x, out=cache.gain_in_grad)
        if cache.grad_x is None:
            return None
        np.multiply(cache.grad_scaled, self.gain_in, out=cache.grad_x)
        return _sum_shared(cache.grad_x, cache)

    def input_gradient(self, x, grad):
        return super().input_gradient(x, grad * self.gain_out) * self.gain_in


class Scale(Layer):
    """Multiply each input by a number that is learned, and starts at 1.

    Behind a fast learning rate, it lets the network turn useless columns down and
    useful ones up (the scaling layer of RealMLP, Holzmueller et al., 2024).
    """

    def __init__(self, n_features, n_members=None):
        super().__init__(n_features, n_features, n_members)
        self.parameters["gain"] = Parameter(self._per_column(n_features), "scale")

    def initialize(self, rng):
        self.gain[...] = 1

    def allocate(self, x_shape, dtype, scratch, first):
        n = x_shape[-2]
        return SimpleNamespace(
            y=np.empty(self.output_shape(n), dtype),
            product=scratch[0],
            grad_shared=self._allocate_shared(x_shape, dtype, first),
            ones=np.ones(n, dtype),
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            return x * self.gain
        cache.x = x
        return np.multiply(x, self.gain, out=cache.y)

    def backward(self, grad, cache):
        product = np.multiply(grad, cache.x, out=cache.product)
        sum_rows(cache.ones, product, out=cache.gain_grad)
        grad *= self.gain
        return _sum_shared(grad, cache)

    def input_gradient(self, x, grad):
        return grad * self.gain


class BatchNorm(Layer):
    """Standardize each feature over the batch, multiply by `gamma`, add `beta`.

    With ``p`` the share of each row in the weight of the batch, ``mean = sum(p x)`` and
    ``var = sum(p (x - mean)^2)`` (Ioffe and Szegedy, 2015).  Inference uses running
    averages of both, and so does a batch of one row, which has no variance of its own.
    """

    couples_rows = True

    def __init__(self, n_features, momentum=0.9, epsilon=1e-5, n_members=None):
        super().__init__(n_features, n_features, n_members)
        self.momentum = momentum
        self.epsilon = epsilon
        shape = self._per_column(n_features)
        self.parameters.update(
            gamma=Parameter(shape, "norm"), beta=Parameter(shape, "norm")
        )
        self.statistics.update(mean=shape, var=shape)

    def initialize(self, rng):
        self.gamma[...] = 1
        self.beta[...] = 0
        self.mean[...] = 0
        self.var[...] = 1

    def allocate(self, x_shape, dtype, scratch, first):
        n, shape = x_shape[-2], self._per_column(self.n_outputs)
        return SimpleNamespace(
            x_hat=np.empty(self.output_shape(n), dtype),
            ones=np.ones(n, dtype),
            share=np.full((*self._lead, 1, n), 1 / n, dtype),
            total=np.empty(self.n_members or 1, dtype),
            nothing=np.empty(self.n_members or 1, dtype),
            square=scratch[0],
            mean=np.empty(shape, dtype),
            var=np.empty(shape, dtype),
            inv_std=np.empty(shape, dtype),
            factor=np.empty(shape, dtype),
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            factor = self.gamma / np.sqrt(self.var + self.epsilon)
            x *= factor
            x += self.beta - self.mean * factor
            return x
        mean, var = self._statistics(x, cache, weight)
        inv_std = np.add(var, self.epsilon, out=cache.inv_std)
        np.divide(1, np.sqrt(inv_std, out=inv_std), out=inv_std)
        x_hat = np.subtract(x, mean, out=cache.x_hat)
        x_hat *= inv_std
        np.multiply(x_hat, self.gamma, out=x)
        x += self.beta
        return x

    def _statistics(self, x, cache, weight):
        """Update the running statistics; return those to standardize `x` with."""
        if weight is not None:
            self._share(weight, cache)
        single = x.shape[-2] == 1
        batch_mean = sum_rows(cache.share, x, out=cache.mean)
        mean = self.mean if single else batch_mean
        deviation = np.subtract(x, mean, out=cache.square)
        np.square(deviation, out=deviation)
        var = sum_rows(cache.share, deviation, out=cache.var)
        # Before the mean, which a single row measures its deviation from.
        self._move(self.var, var, cache.factor)
        self._move(self.mean, batch_mean, cache.factor)
        return (self.mean, self.var) if single else (mean, var)

    def _share(self, weight, cache):
        """Write the share of each row in the weight of the batch to ``cache.share``."""
        n, n_columns = weight.shape
        total = np.add.reduce(weight, axis=0, out=cache.total[:n_columns])
        # A batch may have nothing for a member: then all rows count the same.
        nothing = np.equal(total, 0, out=cache.nothing[:n_columns], casting="unsafe")
        share = cache.share.reshape(-1, n)
        np.add(weight.T, nothing[:, None], out=share)
        nothing *= n
        total += nothing
        share /= total[:, None]

    def _move(self, average, value, scratch):
        """Move a running average towards the value of the batch."""
        step = np.subtract(value, average, out=scratch)
        step *= 1 - self.momentum
        average += step

    def backward(self, grad, cache):
        sum_rows(cache.ones, grad, out=cache.beta_grad)
        product = np.multiply(grad, cache.x_hat, out=cache.square)
        sum_rows(cache.ones, product, out=cache.gamma_grad)
        if grad.shape[-2] > 1:
            # x_hat has mean 0 and variance 1 whatever x is, so the parts of the
            # gradient along the constant vector and along x_hat cannot reach x: both
            # are taken out.
            reach = np.multiply(cache.x_hat, cache.gamma_grad, out=cache.square)
            reach += cache.beta_grad
            reach *= np.swapaxes(cache.share, -1, -2)
            grad -= reach
        grad *= np.multiply(self.gamma, cache.inv_std, out=cache.factor)
        return grad

    def input_gradient(self, x, grad):
        return grad * (self.gamma / np.sqrt(self.var + self.epsilon))


class Activate(Layer):
    """Apply a row of `ACTIVATIONS` to each entry."""

    def __init__(self, n_features, activation, n_members=None):
        super().__init__(n_features, n_features, n_members)
        self.activation = activation

    def allocate(self, x_shape, dtype, scratch, first):
        saved = None
        if ACTIVATIONS[self.activation].saves == "input":
            saved = np.empty(x_shape, dtype)
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

    def input_gradient(self, x, grad):
        function = ACTIVATIONS[self.activation]
        scratch, saved = (np.empty_like(x), np.empty_like(x)), x.copy()
        if function.saves == "output":
            saved = function.forward(saved, scratch)
        return function.backward(grad, saved, scratch)


class ParametricActivate(Activate):
    """Apply an activation with a strength that each unit learns; see `Parametric`."""

    def __init__(self, n_features, activation, n_members=None):
        super().__init__(n_features, activation, n_members)
        shape = self._per_column(n_features)
        self.parameters["strength"] = Parameter(shape, "activation")

    def initialize(self, rng):
        self.strength[...] = 1

    def allocate(self, x_shape, dtype, scratch, first):
        cache = super().allocate(x_shape, dtype, scratch, first)
        cache.bend, cache.y, cache.through = (
            np.empty(x_shape, dtype) for _ in range(3)
        )
        cache.ones = np.ones(x_shape[-2], dtype)
        return cache

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            return x + self.strength * (super().forward(x.copy()) - x)
        z = cache.through
        np.copyto(z, x)
        np.subtract(super().forward(x, cache), z, out=cache.bend)
        np.multiply(cache.bend, self.strength, out=cache.y)
        cache.y += z
        return cache.y

    def backward(self, grad, cache):
        product = np.multiply(grad, cache.bend, out=cache.bend)
        sum_rows(cache.ones, product, out=cache.strength_grad)
        bent = np.multiply(grad, self.strength, out=cache.y)
        grad -= bent
        grad += super().backward(bent, cache)
        return grad

    def input_gradient(self, x, grad):
        bent = grad * self.strength
        return grad - bent + super().input_gradient(x, bent)


class Dropout(Layer):
    """Zero each entry with probability `rate`, scale the others by ``1 / (1 - rate)``.

    Inference passes everything through (inverted dropout, Srivastava et al., 2014).
    Rates are rounded to multiples of ``1 / 65536`` below 1.  The random bits are those
    of ``cache.noise``, a `Noise`, where the layer has ``cache.keys``.
    """

    def __init__(self, n_features, rate, n_members=None):
        super().__init__(n_features, n_features, n_members)
        self.rate = rate
        #: How many of the 65536 values of its bits an entry is dropped for.
        self.dropped = min(round(rate * 2**16), 2**16 - 1)

    def allocate(self, x_shape, dtype, scratch, first):
        return SimpleNamespace(
            mask=np.empty(x_shape, dtype), y=np.empty(x_shape, dtype)
        )

    def forward(self, x, cache=None, weight=None):
        if cache is None:
            return x
        dropped = self.dropped
        scale = 2**16 / (2**16 - dropped)
        mask = cache.mask.reshape(len(cache.keys), -1)
        for entries, bits in cache.noise.blocks(cache.keys, *x.shape[-2:]):
            part = mask[:, entries]
            np.greater_equal(bits, dropped, out=part, casting="unsafe")
            part *= scale
        return np.multiply(x, cache.mask, out=cache.y)

    def backward(self, grad, cache):
        grad *= cache.mask
        return grad

    def input_gradient(self, x, grad):
        return grad


class Fork(Layer):
    """Begin a branch: what comes in goes on, and around all layers to the next `Join`.

    The layer above must not overwrite its input.
    """

    def __init__(self, n_features, n_members=None):
        super().__init__(n_features, n_features, n_members)

    def backward(self, grad, shortcut):
        """Return the gradient that came along the branch, plus that of the shortcut."""
        if shortcut.ndim > grad.ndim:
            # Of an input that members share.
            shortcut = shortcut.sum(axis=0)
        around = _in_common(grad, shortcut)
        grad[..., around] += shortcut[..., around]
        return grad


class Join(Layer):
    """End a branch: ``branch_scale * x + shortcut``.

    Gradients reach the layers below undiminished (He et al., 2016; for tables,
    Gorishniy et al., 2021).  Where widths differ, the shortcut drops its last columns,
    or fills up with zeros (He et al., 2016, option A).

    Parameters
    ----------
    n_features : int
    branch_scale : float, default=1.0
        In a network of ``n`` branches, ``1 / n`` keeps the signal and its gradient from
        growing with depth, and the noise of dropout too (Marion et al., 2025).
        ``1 / sqrt(n)`` would not do: the outputs of a rectifier are positive on
        average, and what they have in common adds up from branch to branch.
    n_members : int, default=None
    """

    def __init__(self, n_features, branch_scale=1.0, n_members=None):
        super().__init__(n_features, n_features, n_members)
        self.branch_scale = branch_scale

    def allocate(self, x_shape, dtype, scratch, first):
        return SimpleNamespace(
            y=np.empty(x_shape, dtype), shortcut=np.empty(x_shape, dtype)
        )

    def forward(self, x, shortcut, cache=None):
        around = _in_common(x, shortcut)
        y = np.multiply(x, self.branch_scale, out=None if cache is None else cache.y)
        y[..., around] += shortcut[..., around]
        return y

    def backward(self, grad, cache):
        """Return the gradient along the branch; the other is ``cache.shortcut``."""
        np.copyto(cache.shortcut, grad)
        grad *= self.branch_scale
        return grad

    def input_gradient(self, x, grad):
        """Return the gradient along the branch."""
        return grad * self.branch_scale

    def shortcut_gradient(self, grad):
        """Return the gradient along the shortcut, as `input_gradient` does."""
        return grad


class LinearJoin(Join):
    """End a branch: ``(1 - share) * x + share * (shortcut @ weight) + bias``.

    Around a whole network, it makes its raw predictions a weighted mean of those that
    the branch makes and of a linear model's.

    Parameters
    ----------
    n_around : int
        Width of the shortcut.
    n_outputs : int
    share : float in [0, 1]
    n_members : int, default=None
    """

    def __init__(self, n_around, n_outputs, share, n_members=None):
        super().__init__(n_outputs, 1 - share, n_members)
        self.n_around = n_around
        self.share = share
        shape = (*self._lead, n_around, n_outputs)
        self.parameters["weight"] = Parameter(shape, "weight", decayed=True)
        self.parameters["bias"] = Parameter(self._per_column(n_outputs), "bias")

    def allocate(self, x_shape, dtype, scratch, first):
        n = x_shape[-2]
        return SimpleNamespace(
            y=np.empty(x_shape, dtype),
            scaled=np.empty(x_shape, dtype),
            shortcut=np.empty((*self._lead, n, self.n_around), dtype),
            ones=np.ones(n, dtype),
        )

    def forward(self, x, shortcut, cache=None):
        if cache is None:
            y, scaled = shortcut @ self.weight, x * self.branch_scale
        else:
            cache.around = shortcut
            y = np.matmul(shortcut, self.weight, out=cache.y)
            scaled = np.multiply(x, self.branch_scale, out=cache.scaled)
        y *= self.share
        y += scaled
        y += self.bias
        return y

    def backward(self, grad, cache):
        sum_rows(cache.ones, grad, out=cache.bias_grad)
        scaled = np.multiply(grad, self.share, out=cache.scaled)
        np.matmul(np.swapaxes(cache.around, -1, -2), scaled, out=cache.weight_grad)
        np.matmul(scaled, np.swapaxes(self.weight, -1, -2), out=cache.shortcut)
        grad *= self.branch_scale
        return grad

    def shortcut_gradient(self, grad):
        return self.share * grad @ np.swapaxes(self.weight, -1, -2)


def _in_common(x, shortcut):
    """Return the columns that both have."""
    return slice(min(x.shape[-1], shortcut.shape[-1]))


def _sum_shared(grad, cache):
    """Return the gradient below: that of an input which members share is their sum."""
    if cache.grad_shared is None:
        return grad
    return np.add.reduce(grad, axis=0, out=cache.grad_shared)


def _flat(x):
    """Return the rows of all members below each other."""
    return x.reshape(-1, x.shape[-1])


def sum_rows(coefficients, x, out):
    """Write ``sum_i coefficients_i x_i`` over the rows to `out`, for each member.

    Coefficients are of shape (n,) or (1, n), or (n_members, 1, n).
    """
    # A product is several times as fast as a sum over rows.
    shape = (*x.shape[:-2], *coefficients.shape[-2:-1], x.shape[-1])
    np.matmul(coefficients, x, out=out.reshape(shape))
    return out
