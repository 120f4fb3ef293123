"""A feed-forward network on one flat parameter vector, and the memory to train it."""

from itertools import repeat
from math import prod
from typing import NamedTuple

import numpy as np

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.layers import Activate, BatchNorm, Dense, Dropout


class ParameterGroup(NamedTuple):
    """A run of the flat vector whose entries are trained alike."""

    span: slice
    decayed: bool
    learning_rate: float


class Network:
    """Feed-forward network.

    Parameters
    ----------
    layers : list of Layer
        From the input to the output; the width of each must fit the one below.
    dtype : numpy dtype, default=float64
        Of the parameters and of all computations.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        All parameters, those under the L2 penalty first: ``params[:n_decayed]``.  The
        layers hold views of it.
    statistics : ndarray of shape (n_statistics,)
        The running statistics of the batch norm layers, held in the same way.
    groups : list of ParameterGroup
        What the layers declare about the entries of `params`, in order.
    """

    def __init__(self, layers, dtype=np.float64):
        _check_widths(layers)
        self.layers = layers
        self.params = np.zeros(sum(prod(p.shape) for p in _parameters(layers)), dtype)
        self.statistics = np.zeros(
            sum(prod(shape) for ly in layers for shape in ly.statistics.values()), dtype
        )
        self._bind()

    def _bind(self):
        self.groups = share_parameters(self.params, self.layers, self.layers)
        share_statistics(self.statistics, self.layers)
        self.n_decayed = sum(
            g.span.stop - g.span.start for g in self.groups if g.decayed
        )

    @property
    def n_inputs(self):
        return self.layers[0].n_inputs

    @property
    def n_outputs(self):
        return self.layers[-1].n_outputs

    @property
    def couples_rows(self):
        """Whether, in training, a row's output depends on the rest of its batch."""
        return any(layer.couples_rows for layer in self.layers)

    @property
    def weights(self):
        """The matrix (n_inputs, n_outputs) of each dense layer."""
        return [layer.weight for layer in self.layers if isinstance(layer, Dense)]

    @property
    def shifts(self):
        """The vector (n_outputs,) that each dense layer adds, or its batch norm."""
        with_shift = [ly for ly in self.layers if {"bias", "beta"} & {*ly.parameters}]
        return [ly.bias if isinstance(ly, Dense) else ly.beta for ly in with_shift]

    def initialize(self, rng):
        """Draw the initial parameters."""
        for layer in self.layers:
            layer.initialize(rng)

    def forward(self, x, caches=None, weight=None):
        """Return the raw predictions (n, n_outputs) for `x` (n, n_inputs).

        With `caches` (see `Workspace`) it is a training pass, and `weight`, of shape
        (n, 1), is what each row counts in the statistics of the batch.
        """
        if x.ndim != 2 or x.shape[1] != self.n_inputs:
            raise ValueError(
                f"The network takes arrays of shape (n, {self.n_inputs}), got "
                f"{x.shape}."
            )
        for layer, cache in zip(self.layers, caches or repeat(None), strict=False):
            x = layer.forward(x, cache, weight)
        return x

    def backward(self, grad, caches):
        """Compute every parameter's gradient from that of the raw predictions."""
        for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
            grad = layer.backward(grad, cache)

    def snapshot(self, out=None):
        """Return a copy of everything that training changes, made in `out` if given."""
        copies = out or (np.empty_like(self.params), np.empty_like(self.statistics))
        for copy, values in zip(copies, (self.params, self.statistics), strict=True):
            copy[...] = values
        return copies

    def restore(self, snapshot):
        """Go back to a snapshot."""
        self.params[...], self.statistics[...] = snapshot

    def adopt(self, params, statistics):
        """Take over two arrays, of the right lengths, without copying them."""
        # As plain arrays: a memory map is slow, and its slices are memory maps.
        self.params, self.statistics = np.asarray(params), np.asarray(statistics)
        self._bind()

    def copy(self):
        """Return a network of its own with the same parameters and statistics."""
        copy = object.__new__(type(self))
        copy.__setstate__(self.__getstate__())
        copy.adopt(*self.snapshot())
        return copy

    def __getstate__(self):
        # Pickling turns a view into a copy: layers travel without theirs.
        return {**self.__dict__, "layers": [_without_views(ly) for ly in self.layers]}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._bind()


class Workspace:
    """The memory that training needs beside the parameters.

    Parameters
    ----------
    network : Network
    rng : numpy.random.Generator, default=None
        Of dropout.

    Attributes
    ----------
    grads : ndarray of shape (n_params,)
        The gradient that `Network.backward` computed last, laid out like the params.
    """

    def __init__(self, network, rng=None):
        self.grads = np.zeros_like(network.params)
        self._layers = network.layers
        self._rng = rng
        self._caches = {}

    def caches(self, n):
        """Return one cache a layer for a batch of `n` rows, the same at every call.

        A run meets two sizes at most: that of its batches and that of the last one.
        """
        if n not in self._caches:
            self._caches[n] = self._allocate(n)
        return self._caches[n]

    def _allocate(self, n):
        dtype = self.grads.dtype
        widest = max(layer.n_outputs for layer in self._layers)
        # Shared by all layers, since none needs it between two calls.
        scratch = np.empty((2, n * widest), dtype)
        caches = []
        for layer in self._layers:
            pair = [s[: n * layer.n_outputs].reshape(n, -1) for s in scratch]
            first = layer is self._layers[0]
            caches.append(layer.allocate(n, dtype, pair, first))
            caches[-1].rng = self._rng
        share_parameters(self.grads, self._layers, caches, suffix="_grad")
        return caches


def share_parameters(vector, layers, owners, suffix=""):
    """Give each owner the views of `vector` that its layer declares; return the groups.

    Entries that are trained alike lie together, those that decay first.
    """
    declared = [
        (owner, name + suffix, parameter)
        for layer, owner in zip(layers, owners, strict=True)
        for name, parameter in layer.parameters.items()
    ]
    declared.sort(key=lambda d: (not d[2].decayed, d[2].learning_rate))
    groups, start = [], 0
    for owner, name, (shape, decayed, learning_rate) in declared:
        stop = start + prod(shape)
        setattr(owner, name, vector[start:stop].reshape(shape))
        if groups and groups[-1][1:] == (decayed, learning_rate):
            groups[-1] = groups[-1]._replace(span=slice(groups[-1].span.start, stop))
        else:
            groups.append(ParameterGroup(slice(start, stop), decayed, learning_rate))
        start = stop
    return groups


def share_statistics(vector, layers):
    """Set on each layer views of `vector` in the shapes of its running statistics."""
    start = 0
    for layer in layers:
        for name, shape in layer.statistics.items():
            stop = start + prod(shape)
            setattr(layer, name, vector[start:stop].reshape(shape))
            start = stop


def build_mlp(widths, activations, initializers, batch_norm, dropout, dtype):
    """Return a fully connected network, its parameters still zero.

    Parameters
    ----------
    widths : sequence of int
        Number of inputs, of units of each hidden layer, and of outputs.
    activations : sequence of str
        One a hidden layer.
    initializers : sequence of str
        One a dense layer, so one more.
    batch_norm : bool
        Whether to standardize before each activation.
    dropout : sequence of float
        One a hidden layer, applied after the activation.
    dtype : numpy dtype
    """
    layers = []
    *hidden, n_outputs = widths[1:]
    for i, width in enumerate(hidden):
        layers.append(Dense(widths[i], width, initializers[i], bias=not batch_norm))
        if batch_norm:
            layers.append(BatchNorm(width))
        if ACTIVATIONS[activations[i]] is not ACTIVATIONS["identity"]:
            layers.append(Activate(width, activations[i]))
        if dropout[i] > 0:
            layers.append(Dropout(width, dropout[i]))
    layers.append(Dense(widths[-2], n_outputs, initializers[-1]))
    return Network(layers, dtype)


def _parameters(layers):
    return [parameter for layer in layers for parameter in layer.parameters.values()]


def _without_views(layer):
    copy = object.__new__(type(layer))
    views = {*layer.parameters, *layer.statistics}
    copy.__dict__.update({k: v for k, v in layer.__dict__.items() if k not in views})
    return copy


def _check_widths(layers):
    for i in range(1, len(layers)):
        below, above = layers[i - 1], layers[i]
        if below.n_outputs != above.n_inputs:
            raise ValueError(
                f"Layer {i - 1} ({type(below).__name__}) returns arrays of shape "
                f"(n, {below.n_outputs}), but layer {i} ({type(above).__name__}) takes "
                f"arrays of shape (n, {above.n_inputs})."
            )
