"""A feed-forward network on one flat parameter vector, and the memory to train it."""

from itertools import repeat
from math import prod
from types import SimpleNamespace

import numpy as np

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.embeddings import (
    NUMERIC_EMBEDDINGS,
    Embedding,
    EntityEmbeddingLayer,
)
from skdnn.nn.layers import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Fork,
    Join,
    Layer,
    ParametricActivate,
    Scale,
    SharedDense,
)
from skdnn.nn.noise import Noise
from skdnn.nn.prediction import Predictor
from skdnn.nn.vectors import share_parameters, share_statistics

__all__ = ["HEADROOM", "Network", "Workspace", "build_mlp"]

#: How far raw predictions stay from the largest number.
HEADROOM = 2.0**20


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

    def up_to(self, hidden):
        """Return a network of its own that ends with a hidden layer, by its index."""
        blocks = self.blocks
        n_blocks = len(blocks) - self.n_hidden + hidden
        layers = [_without_views(ly) for block in blocks[:n_blocks] for ly in block]
        part = Network(layers, self.params.dtype, self.learning_rates)
        for own, of_whole in zip(part.layers, self.layers, strict=False):
            _copy_values(own, of_whole, slice(None))
        return part

    @property
    def weights(self):
        """The matrix (n_inputs, n_outputs) of each dense layer."""
        return [ly.matrix for ly in self.layers if isinstance(ly, Dense)]

    def first_weights(self):
        """Return what the first dense layer makes of its inputs, before the bias.

        Input scaling is a part of it, and embeddings lie below.

        Returns
        -------
        weights : ndarray of shape (n, n_units) or (n_members, n, n_units)
        sources : ndarray of int of shape (n,)
            Which column of the network's input each of these inputs is made of.
        """
        sources, first = self.sources, len(self._embeddings)
        n_below = len(self.blocks) - self.n_hidden - 1
        # Both are linear: what they make of each input alone, less what of none.
        x = np.eye(len(sources) + 1, len(sources), -1)
        for layer in self.layers[first : n_below + 1]:
            x = layer.forward(x)
        return x[..., 1:, :] - x[..., :1, :], sources

    @property
    def _embeddings(self):
        """The layers that turn columns into vectors, which are the first."""
        below = [block[0] for block in self.blocks[: -self.n_hidden - 1]]
        return [layer for layer in below if not isinstance(layer, Scale)]

    @property
    def sources(self):
        """Which input each column of what the embeddings return is made of."""
        sources = np.arange(self.n_inputs)
        for layer in self._embeddings:
            sources = sources[layer.sources]
        return sources

    @property
    def largest_matrix(self):
        """Number of entries of the largest matrix of a dense layer."""
        dense = [ly for ly in self.layers if isinstance(ly, Dense)]
        return max(ly.n_inputs * ly.n_outputs for ly in dense)

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
        self._check_table(x)
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
        by the place of a row in `x`; what is left of that is rounded away.  What
        overflows is limited, so that sums over members stay finite too.
        """
        self._check_table(x)
        raw, dtype = self.predictor(x), self.params.dtype
        limit = np.finfo(dtype).max / HEADROOM
        # A NaN is neither above nor below it.
        if not np.abs(raw).max(initial=0) <= limit:
            raw = self._limited(x, raw, limit)
        return raw.astype(dtype)

    def _limited(self, x, raw, limit):
        """Return raw predictions for `x`, computed from smaller numbers if need be."""
        if not np.isfinite(raw).all():
            largest = np.finfo(np.float32).max
            limited = self.predictor(np.clip(x, -largest, largest))
            np.copyto(raw, limited, where=~np.isfinite(raw))
        return np.clip(raw, -limit, limit)

    def _check_table(self, x):
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

    def weight_gradients(self, grads):
        """Return, of a gradient, the part of the matrix of each dense layer.

        Parameters
        ----------
        grads : ndarray of shape (n_params,)
            Laid out like the params.
        """
        owners = [SimpleNamespace() for _ in self.layers]
        share_parameters(grads, self.layers, owners, self.learning_rates)
        return [
            owner.weight / layer.multiplier
            for owner, layer in zip(owners, self.layers, strict=True)
            if isinstance(layer, Dense)
        ]

    def embed(self, x):
        """Return what the embeddings make of `x` (n, n_inputs): what is above reads it.

        It is of shape (n, n_embedded), or (n_members, n, n_embedded).
        """
        self._check_table(x)
        return _forward(self._embeddings, x, repeat(None))

    def input_gradient(self, embedded, slope):
        """Return the raw predictions, and the gradient of what is made of them.

        It is that of inference: with running statistics, without dropout.

        Parameters
        ----------
        embedded : ndarray of shape (..., n, n_embedded)
            What `embed` returned, or anything between two such arrays.
        slope : callable
            From raw predictions to the gradient in these.

        Returns
        -------
        raw : ndarray of shape (n, n_outputs), or (n_members, n, n_outputs)
        gradient : ndarray of the shape of `embedded`
        """
        layers, x, shortcut = self.layers[len(self._embeddings) :], embedded, None
        entered = []
        for layer in layers:
            entered.append(x)
            if isinstance(layer, Fork):
                shortcut = x
            elif isinstance(layer, Join):
                x = layer.forward(x, shortcut)
            else:
                # Some overwrite what comes in.
                x = layer.forward(x.copy())
        raw, grad, shortcut = x, slope(x), None
        for layer, x in zip(reversed(layers), reversed(entered), strict=True):
            if isinstance(layer, Fork):
                grad = layer.backward(grad, shortcut)
                continue
            if isinstance(layer, Join):
                shortcut = grad
            grad = layer.input_gradient(x, grad)
            if grad.ndim > x.ndim:
                grad = grad.sum(axis=0)
        return raw, grad

    def snapshot(self, out=None):
        """Return a copy of everything that training changes, made in `out` if given."""
        copies = out or (np.empty_like(self.params), np.empty_like(self.statistics))
        for copy, values in zip(copies, (self.params, self.statistics), strict=True):
            copy[...] = values
        return copies

    def restore(self, snapshot):
        """Go back to a snapshot."""
        self.params[...], self.statistics[...] = snapshot

    def copy_member(self, ensemble, member):
        """Become a member, by its index, of an ensemble of networks like this one."""
        for own, of_all in zip(self.layers, ensemble.layers, strict=True):
            _copy_values(own, of_all, [member])

    def set_member(self, member, network):
        """Give a member, by its index, what a network like it has.

        All that members share, or do not train, stays as it is.
        """
        for own, of_member in zip(self.layers, network.layers, strict=True):
            for name in (*own.parameters, *own.statistics):
                values, new = getattr(own, name), getattr(of_member, name)
                if values.size != new.size:
                    values.reshape(self.n_members, -1)[member] = new.ravel()

    def copy_hidden(self, other, n_hidden):
        """Take over the first hidden layers of another network, and what lies below.

        Their widths and parametrization must be the same.  Members take over what the
        other's members have, in turn; a single network what the first has.
        """
        members = np.arange(self.n_members or 1) % (other.n_members or 1)
        layers = self._hidden(n_hidden), other._hidden(n_hidden)
        for own, of_other in zip(*layers, strict=True):
            _copy_values(own, of_other, members)

    def _hidden(self, n_hidden):
        """Return the first hidden layers and what lies below, where there are values.

        Layers that only act, as dropout, may be there in one network alone.
        """
        blocks = self.blocks[: n_hidden - self.n_hidden - 1]
        layers = [layer for block in blocks for layer in block]
        return [ly for ly in layers if ly.parameters or ly.statistics]

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
        return {**state, "layers": list(map(_without_views, self.layers))}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._bind()


class Workspace:
    """The memory that training needs beside the parameters.

    Parameters
    ----------
    network : Network
    seed : int, default=0
        Of dropout.

    Attributes
    ----------
    grads : ndarray of shape (n_params,)
        The gradient that `Network.backward` computed last, laid out like the params.
    """

    def __init__(self, network, seed=0):
        self.grads = np.zeros_like(network.params)
        trained = [layer for layer in network.layers if not layer.frozen]
        drops = any(isinstance(layer, Dropout) for layer in trained)
        self._lowest = trained[0]
        self._noise = Noise(seed, network.n_members) if drops else None
        self._layers = network.layers
        self._learning_rates = network.learning_rates
        self._caches = {}

    def caches(self, n):
        """Return one cache a layer for a batch of `n` rows, the same at every call.

        Those of frozen layers are None, with which rows pass as in a prediction.
        A run meets two sizes at most: that of its batches and that of the last one.
        """
        if n not in self._caches:
            self._caches[n] = self._allocate(n)
        return self._caches[n]

    def seek(self, draw, offset=0):
        """Say which pass comes next, for dropout.

        Parameters
        ----------
        draw : int
            The number of the pass, from 0.
        offset : int, default=0
            How many rows of its batch went before.
        """
        if self._noise is not None:
            self._noise.draw, self._noise.offset = draw, offset

    def _allocate(self, n):
        dtype = self.grads.dtype
        # Shared by all layers, since none needs it between two calls.
        largest = max(prod(ly.output_shape(n)) for ly in self._layers)
        scratch = np.empty((2, largest), dtype)
        caches, x_shape = [], (n, self._layers[0].n_inputs)
        for layer in self._layers:
            shape = layer.output_shape(n)
            pair = [s[: prod(shape)].reshape(shape) for s in scratch]
            first = layer is self._lowest
            cache = None
            if not layer.frozen:
                cache = layer.allocate(x_shape, dtype, pair, first)
            caches.append(cache)
            x_shape = shape
        for i, cache in enumerate(caches):
            if cache is not None and isinstance(self._layers[i], Dropout):
                cache.noise, cache.keys = self._noise, self._noise.keys(i)
        share_parameters(
            self.grads,
            self._layers,
            [SimpleNamespace() if cache is None else cache for cache in caches],
            self._learning_rates,
            suffix="_grad",
        )
        return caches


def build_mlp(
    n_inputs,
    hidden,
    n_outputs,
    *,
    activations,
    initializers,
    dropout,
    batch_norm=False,
    n_numbers=0,
    numeric_embedding=None,
    cardinalities=(),
    category_width=1,
    input_scaling=False,
    ntk=False,
    residual=False,
    n_members=None,
    shared=False,
    learning_rates=None,
    n_frozen_layers=0,
    dtype=np.float64,
):
    """Return a fully connected network, its parameters still zero.

    From the input to the output: embeddings, input scaling, then for each hidden layer
    a dense layer, batch norm, activation and dropout, and a dense layer for the output.

    Parameters
    ----------
    n_inputs : int
        Number of columns: of numbers, of others, and of codes.
    hidden : sequence of int
        Units of each hidden layer.
    n_outputs : int
    activations : sequence of str or tuple
        One a hidden layer: a name in `ACTIVATIONS`, or ``("parametric", name)``.
    initializers : sequence of str
        One a dense layer, so one more.
    dropout : sequence of float
        One a hidden layer.
    batch_norm : bool
    n_numbers : int
        Columns of numbers, which are the first.
    numeric_embedding : (str, dict) or Embedding, default=None
        Name and parameters of a row of `NUMERIC_EMBEDDINGS`, or one that has no row.
    cardinalities : sequence of int
        Number of codes of each column of codes, which are the last.
    category_width : int
        Length of the vectors that stand for codes.
    input_scaling, ntk, residual : bool
        Whether to have `Scale` below the first dense layer, the neural-tangent
        parametrization, and shortcuts (`Fork`, `Join`) around all hidden layers but the
        first.
    n_members : int, default=None
        Size of the ensemble; None is a single network.
    shared : bool
        Whether its members share embeddings and the matrices of hidden layers.
    learning_rates : dict of str to float, default=None
        See `Network`.
    n_frozen_layers : int, default=0
        How many of the hidden layers are frozen, with all that lies below them.
    dtype : numpy dtype
    """
    below = None if shared else n_members
    layers = _embeddings(
        n_inputs,
        n_numbers,
        numeric_embedding,
        cardinalities,
        category_width,
        n_members=below,
    )
    width = layers[-1].n_outputs if layers else n_inputs
    if input_scaling:
        layers.append(Scale(width, below))
    for i, n_units in enumerate(hidden):
        options = {"bias": not batch_norm, "ntk": ntk, "n_members": n_members}
        if shared:
            dense = SharedDense(
                width, n_units, initializers[i], diverse=i == 0, **options
            )
        else:
            dense = Dense(width, n_units, initializers[i], **options)
        block = [dense]
        if batch_norm:
            block.append(BatchNorm(n_units, n_members=n_members))
        block.extend(_activation(activations[i], n_units, n_members))
        if dropout[i] > 0:
            block.append(Dropout(n_units, dropout[i], n_members))
        if residual and i > 0:
            join = Join(n_units, 1 / (len(hidden) - 1), n_members)
            block = [Fork(width, n_members), *block, join]
        layers.extend(block)
        width = n_units
        if i < n_frozen_layers:
            for layer in layers:
                layer.frozen = True
    layers.append(
        Dense(width, n_outputs, initializers[-1], ntk=ntk, n_members=n_members)
    )
    return Network(layers, dtype, learning_rates)


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


def _embeddings(
    n_inputs, n_numbers, numeric_embedding, cardinalities, category_width, n_members
):
    """Return the layers that embed numbers and categories, if there are any."""
    layers = []
    if numeric_embedding is not None and n_numbers:
        embedding = numeric_embedding
        if not isinstance(embedding, Embedding):
            name, params = embedding
            embedding = NUMERIC_EMBEDDINGS[name](**params)
        layers.append(embedding.layer(n_inputs, n_numbers, n_members))
        n_inputs = layers[-1].n_outputs
    if cardinalities:
        layers.append(
            EntityEmbeddingLayer(n_inputs, cardinalities, category_width, n_members)
        )
    return layers


def _activation(description, n_units, n_members):
    """Return the layer of an activation, if it is not the identity."""
    plain = isinstance(description, str)
    name = description if plain else description[1]
    if ACTIVATIONS[name] is ACTIVATIONS["identity"]:
        return []
    return [(Activate if plain else ParametricActivate)(n_units, name, n_members)]


def _copy_values(layer, other, members):
    """Give a layer the parameters and statistics of some members of another."""
    for name in (*layer.parameters, *layer.statistics):
        own, values = getattr(layer, name), getattr(other, name)
        # What members share, and some statistics, are the same for all.
        if own.size != values.size:
            values = values.reshape(other.n_members or 1, -1)[members]
        own[...] = values.reshape(own.shape)


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
