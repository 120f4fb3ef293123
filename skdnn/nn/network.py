"""A feed-forward network on one flat parameter vector."""

from itertools import repeat
from math import prod

import numpy as np

from skdnn.nn.layers import BatchNorm, Dense, Fork, Join, Layer, SharedDense
from skdnn.nn.prediction import Predictor, predict_finite
from skdnn.nn.vectors import share_parameters, share_statistics, without_views

__all__ = ["Network"]


class Network:
    """Feed-forward network.

    Parameters
    ----------
    layers : list of Layer
        From the input to the output; the width of each must fit the one below.
    dtype : numpy dtype, default=float64
        Of the parameters and of all computations.
    learning_rates : dict of str to float, default=None
        What to multiply the learning rate of each kind of parameter with; 1 for those
        that are not named.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        All parameters, those under the L2 penalty first: ``params[:n_decayed]``.  The
        layers hold views of it.
    statistics : ndarray of shape (n_statistics,)
        The running statistics of the batch norm layers, held in the same way.
    groups : list of ParameterGroup
        What the layers declare about the entries of `params`, in order.
    predictor, quick_predictor : Predictor
        They make the same raw predictions as `forward`: in float64, and in the dtype of
        the parameters.
    """

    def __init__(self, layers, dtype=np.float64, learning_rates=None):
        _check_widths(layers)
        self.layers = layers
        self.learning_rates = learning_rates or {}
        self.params = np.zeros(
            sum(prod(p.shape) for ly in layers for p in ly.parameters.values()), dtype
        )
        self.statistics = np.zeros(
            sum(prod(shape) for ly in layers for shape in ly.statistics.values()), dtype
        )
        self._bind()

    def _bind(self):
        self.predictor = Predictor(self, np.float64)
        self.quick_predictor = Predictor(self, self.params.dtype)
        self.groups = share_parameters(
            self.params, self.layers, self.layers, self.learning_rates
        )
        share_statistics(self.statistics, self.layers, self.layers)
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
    def n_members(self):
        """Size of the ensemble; None is a single network."""
        return self.layers[-1].n_members

    @property
    def members_apart(self):
        """Whether there are members, and they have nothing in common."""
        if self.n_members is None:
            return False
        shared = any(isinstance(layer, SharedDense) for layer in self.layers)
        return not shared and all(layer.n_members is not None for layer in self.layers)

    @property
    def couples_rows(self):
        """Whether, in training, a row's output depends on the rest of its batch."""
        return any(ly.couples_rows for ly in self.layers if not ly.frozen)

    @property
    def adapts(self):
        """Whether some layer has something to learn by `adapt`."""
        return any(type(ly).adapt is not Layer.adapt for ly in self.layers)

    @property
    def blocks(self):
        """The layers in groups: one each up to the first dense layer, then one for each
        dense layer and all that acts on its units.  The last is the output layer.
        """
        blocks, is_dense = [], False
        for layer in self.layers:
            # A shortcut begins below its dense layer.
            begins = isinstance(layer, Fork) or (
                isinstance(layer, Dense)
                and not (blocks and isinstance(blocks[-1][-1], Fork))
            )
            is_dense = is_dense or begins
            if begins or not is_dense:
                blocks.append([])
            blocks[-1].append(layer)
        return blocks

    @property
    def n_hidden(self):
        """Number of hidden layers."""
        return sum(isinstance(layer, Dense) for layer in self.layers) - 1

    @property
    def weights(self):
        """The matrix (n_inputs, n_outputs) of each dense layer."""
        return [ly.matrix for ly in self.layers if isinstance(ly, Dense)]

    @property
    def shifts(self):
        """The vector (n_outputs,) that each dense layer adds, or its batch norm."""
        # An embedding has biases too, which are of no layer of units.
        return [
            ly.bias if isinstance(ly, Dense) else ly.beta
            for ly in self.layers
            if isinstance(ly, BatchNorm) or (isinstance(ly, Dense) and ly.has_bias)
        ]

    def initialize(self, rng):
        """Draw the initial parameters."""
        for layer in self.layers:
            layer.initialize(rng)

    def adapt(self, x, weight=None):
        """Learn from training rows, before training, what has no gradient."""
        for layer in self.layers:
            layer.adapt(x, weight)

    def forward(self, x, caches=None, weight=None):
        """Return the raw predictions (n, n_outputs) for `x` (n, n_inputs).

        Those of an ensemble are (n_members, n, n_outputs).  With `caches` (see
        `Workspace`) it is a training pass, and `weight`, of shape (n, 1) or (n,
        n_members), is what each row counts in the statistics of the batch.
        """
        self.check_table(x)
        return _forward(self.layers, x, caches or repeat(None), weight)

    def hidden_outputs(self, x):
        """Return what each hidden layer makes of `x`, as in prediction."""
        outputs = []
        for block in self.blocks[:-1]:
            x = _forward(block, x, repeat(None))
            outputs.append(x)
        return outputs[len(outputs) - self.n_hidden :]

    def predict(self, x):
        """Return the raw predictions for `x`, finite for every finite row.

        They are computed in float64, as BLAS may round a product of float32 differently
        by the place of a row in `x`; what is left of that is rounded away.
        """
        self.check_table(x)
        return predict_finite(self.predictor, x, self.params.dtype)

    def check_table(self, x):
        """Raise an error if `x` is not of shape (n, n_inputs)."""
        if x.ndim != 2 or x.shape[1] != self.n_inputs:
            raise ValueError(
                f"The network takes arrays of shape (n, {self.n_inputs}), got "
                f"{x.shape}."
            )

    def backward(self, grad, caches):
        """Compute every parameter's gradient from that of the raw predictions."""
        shortcut = None
        for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
            if layer.frozen:
                break
            if isinstance(layer, Fork):
                grad = layer.backward(grad, shortcut)
            else:
                grad = layer.backward(grad, cache)
            if isinstance(layer, Join):
                shortcut = cache.shortcut

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
        state = {k: v for k, v in self.__dict__.items() if not isinstance(v, Predictor)}
        return {**state, "layers": list(map(without_views, self.layers))}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._bind()


def _forward(layers, x, caches, weight=None):
    """Return what some layers make of `x`; a branch ends where it began, among them."""
    shortcut = None
    for layer, cache in zip(layers, caches, strict=False):
        if isinstance(layer, Fork):
            shortcut = x
        elif isinstance(layer, Join):
            x = layer.forward(x, shortcut, cache)
        else:
            x = layer.forward(x, cache, weight)
    return x


def _check_widths(layers):
    for i in range(1, len(layers)):
        below, above = layers[i - 1], layers[i]
        if below.n_outputs != above.n_inputs:
            raise ValueError(
                f"Layer {i - 1} ({type(below).__name__}) returns arrays of shape "
                f"(n, {below.n_outputs}), but layer {i} ({type(above).__name__}) takes "
                f"arrays of shape (n, {above.n_inputs})."
            )
