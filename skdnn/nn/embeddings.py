"""Layers that turn numbers and categories into vectors, below the first dense layer.

The rows of a table enter as ``[numbers | other columns | codes of categories]``.  Both
kinds of embedding replace their columns and pass the others on; that of numbers is the
first layer, so that nothing asks for its input gradient.

To add an embedding of numbers, write its layer with `expand` and `expand_backward`, an
`Embedding` that holds its parameters, and its row in `NUMERIC_EMBEDDINGS`.
"""

from math import pi, sqrt
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator

from skdnn.nn.layers import Layer, Parameter, sum_rows

__all__ = [
    "CATEGORICAL_EMBEDDINGS",
    "NUMERIC_EMBEDDINGS",
    "Embedding",
    "EntityEmbedding",
    "EntityEmbeddingLayer",
    "NumericEmbedding",
    "Periodic",
    "PeriodicLayer",
    "PiecewiseLinear",
    "PiecewiseLinearLayer",
]

#: Where one value has most of the rows, the bins of the others may be so many times as
#: fine as they would be.
FINER = 8


class EntityEmbeddingLayer(Layer):
    """Replace each column of codes by a vector that is learned for each code.

    The codes are the last columns; their vectors take their place (Guo and Berkhahn,
    2016).

    Parameters
    ----------
    n_inputs : int
        Number of columns, those of codes included.
    cardinalities : list of int
        Number of codes of each of the last columns.
    width : int
        Length of the vectors.
    n_members : int, default=None
    """

    def __init__(self, n_inputs, cardinalities, width, n_members=None):
        n_codes = len(cardinalities)
        super().__init__(n_inputs, n_inputs + n_codes * (width - 1), n_members)
        self.width = width
        self._n_others = n_inputs - n_codes
        self.starts = np.cumsum([0, *cardinalities[:-1]])
        self._n_vectors = sum(cardinalities)
        shape = (*self._lead, self._n_vectors, width)
        self.parameters["vectors"] = Parameter(shape, "embedding")

    @property
    def sources(self):
        """Which column each output is made of."""
        n, n_others = self.n_inputs, self._n_others
        vectors = np.repeat(np.arange(n_others, n), self.width)
        return np.append(np.arange(n_others), vectors)

    def initialize(self, rng):
        self.vectors[...] = rng.standard_normal(self.vectors.shape) / sqrt(self.width)

    def allocate(self, x_shape, dtype, scratch, first):
        n, n_codes = x_shape[-2], self.n_inputs - self._n_others
        lead, size = self._lead, self._n_vectors * self.width
        return SimpleNamespace(
            y=np.empty(self.output_shape(n), dtype),
            rows=np.empty((n, n_codes), np.intp),
            vectors=np.empty((*lead, n, n_codes, self.width), dtype),
            entries=np.empty((n, n_codes, self.width), np.intp),
            columns=np.arange(self.width),
            # In float64, as a code may have many rows.
            grad_vectors=np.empty((*lead, n, n_codes * self.width)),
            sums=np.empty(size),
            grad_x=None if first else np.zeros(x_shape, dtype),
        )

    def forward(self, x, cache=None, weight=None):
        n, n_others = x.shape[-2], self._n_others
        # Members have the same codes.
        codes = x.reshape(-1, n, self.n_inputs)[0, :, n_others:]
        if cache is None:
            y, out = np.empty(self.output_shape(n), x.dtype), None
            rows = codes.astype(np.intp)
        else:
            y, rows, out = cache.y, cache.rows, cache.vectors
            np.copyto(rows, codes, casting="unsafe")
        rows += self.starts
        # Without a mode, `take` goes through memory of its own.
        vectors = self.vectors.take(rows, axis=-2, out=out, mode="clip")
        y[..., :n_others] = x[..., :n_others]
        y[..., n_others:] = vectors.reshape(*self._lead, n, -1)
        return y

    def backward(self, grad, cache):
        # The position of each entry of the vectors' gradient in the flat parameter.
        np.multiply(cache.rows[..., None], self.width, out=cache.entries)
        cache.entries += cache.columns
        np.copyto(cache.grad_vectors, grad[..., self._n_others :])
        entries, sums = cache.entries.reshape(-1), cache.sums
        grads = cache.grad_vectors.reshape(-1, entries.size)
        of_members = cache.vectors_grad.reshape(-1, sums.size)
        for own, g in zip(of_members, grads, strict=True):
            sums.fill(0)
            np.add.at(sums, entries, g)
            own[...] = sums
        if cache.grad_x is None:
            return None
        # Codes have no gradient: their columns stay zero.
        cache.grad_x[..., : self._n_others] = grad[..., : self._n_others]
        return cache.grad_x


class NumericEmbedding(Layer):
    """Base class: the number itself, and a learned linear map of an expansion of it.

    Each of the first columns ``x`` becomes ``[x, expand(x) @ weight + bias]``, with a
    weight and a bias of its own.

    Parameters
    ----------
    n_inputs : int
    n_numbers : int
        How many of the first columns to embed.
    n_terms : int
        Length of the expansion.
    width : int
        Length of what it is mapped to.
    n_members : int, default=None
    """

    def __init__(self, n_inputs, n_numbers, n_terms, width, n_members=None):
        super().__init__(n_inputs, n_inputs + n_numbers * width, n_members)
        self.n_numbers = n_numbers
        self.n_terms = n_terms
        self.width = width
        lead = (*self._lead, n_numbers)
        self.parameters.update(
            weight=Parameter((*lead, n_terms, width), "embedding"),
            bias=Parameter((*lead, 1, width), "embedding"),
        )

    def expand(self, numbers, cache):
        """Return the expansion (..., n_numbers, n, n_terms).

        Parameters
        ----------
        numbers : ndarray of shape (..., n_numbers, n, 1)
        cache : namespace, or None
            Of a training pass.
        """
        raise NotImplementedError

    def expand_backward(self, grad, cache):
        """Compute the gradients of the expansion's parameters; may overwrite `grad`."""

    @property
    def sources(self):
        """Which column each output is made of."""
        columns = np.arange(self.n_inputs)
        numbers, others = np.split(columns, [self.n_numbers])
        return np.concatenate([numbers, np.repeat(numbers, self.width), others])

    @property
    def _expansion_learns(self):
        return type(self).expand_backward is not NumericEmbedding.expand_backward

    def initialize(self, rng):
        bound = 1 / sqrt(self.n_terms)
        self.weight[...] = rng.uniform(-bound, bound, self.weight.shape)
        self.bias[...] = rng.uniform(-bound, bound, self.bias.shape)

    def allocate(self, x_shape, dtype, scratch, first):
        n = x_shape[-2]
        shape = (*self._lead, self.n_numbers, n)
        cache = SimpleNamespace(
            y=np.empty(self.output_shape(n), dtype),
            terms=np.empty((*shape, self.n_terms), dtype),
            vectors=np.empty((*shape, self.width), dtype),
            ones=np.ones(n, dtype),
        )
        if self._expansion_learns:
            cache.grad_terms = np.empty_like(cache.terms)
        return cache

    def forward(self, x, cache=None, weight=None):
        j, n = self.n_numbers, x.shape[-2]
        numbers = np.swapaxes(x[..., :j], -1, -2)[..., None]
        y = np.empty(self.output_shape(n), x.dtype) if cache is None else cache.y
        terms = self.expand(numbers, cache)
        if cache is None:
            vectors = terms @ self.weight
        else:
            cache.numbers = numbers
            vectors = np.matmul(terms, self.weight, out=cache.vectors)
        vectors += self.bias
        y[..., :j] = x[..., :j]
        self._vectors_in(y)[...] = vectors
        y[..., j * (1 + self.width) :] = x[..., j:]
        return y

    def _vectors_in(self, y):
        """Return the view (..., n_numbers, n, width) of the vectors in the output."""
        j = self.n_numbers
        part = y[..., j : j * (1 + self.width)]
        return np.swapaxes(part.reshape(*y.shape[:-1], j, self.width), -2, -3)

    def backward(self, grad, cache):
        g = cache.vectors
        g[...] = self._vectors_in(grad)
        sum_rows(cache.ones, g, out=cache.bias_grad)
        np.matmul(np.swapaxes(cache.terms, -1, -2), g, out=cache.weight_grad)
        if self._expansion_learns:
            np.matmul(g, np.swapaxes(self.weight, -1, -2), out=cache.grad_terms)
            self.expand_backward(cache.grad_terms, cache)


class PeriodicLayer(NumericEmbedding):
    """``expand(x) = cos(2 pi frequency x + phase)``, both learned; see `Periodic`."""

    def __init__(
        self, n_inputs, n_numbers, n_terms, width, frequency_scale, n_members=None
    ):
        super().__init__(n_inputs, n_numbers, n_terms, width, n_members)
        self.frequency_scale = frequency_scale
        shape = (*self._lead, n_numbers, 1, n_terms)
        self.parameters.update(
            frequency=Parameter(shape, "embedding"), phase=Parameter(shape, "embedding")
        )

    def initialize(self, rng):
        super().initialize(rng)
        shape = self.frequency.shape
        self.frequency[...] = rng.standard_normal(shape) * self.frequency_scale
        self.phase[...] = rng.uniform(-pi, pi, shape)

    def allocate(self, x_shape, dtype, scratch, first):
        cache = super().allocate(x_shape, dtype, scratch, first)
        cache.angle = np.empty_like(cache.terms)
        cache.radians = np.empty(self.frequency.shape, dtype)
        return cache

    def expand(self, numbers, cache):
        trained = cache is not None
        radians = np.multiply(
            self.frequency, 2 * pi, out=cache.radians if trained else None
        )
        angle = np.multiply(numbers, radians, out=cache.angle if trained else None)
        angle += self.phase
        return np.cos(angle, out=cache.terms if trained else angle)

    def expand_backward(self, grad, cache):
        grad *= np.sin(cache.angle, out=cache.angle)
        np.negative(grad, out=grad)
        sum_rows(cache.ones, grad, out=cache.phase_grad)
        grad *= cache.numbers
        sum_rows(cache.ones, grad, out=cache.frequency_grad)
        cache.frequency_grad *= 2 * pi


class PiecewiseLinearLayer(NumericEmbedding):
    """``expand(x)_t = clip((x - low_t) / (high_t - low_t), 0, 1)``.

    See `PiecewiseLinear`.  The bins are learned from the training rows, before training
    starts, and kept among the statistics.
    """

    def __init__(self, n_inputs, n_numbers, n_terms, width, n_members=None):
        super().__init__(n_inputs, n_numbers, n_terms, width, n_members)
        shape = (n_numbers, 1, n_terms)
        self.statistics.update(low=shape, inverse_length=shape)

    def adapt(self, x, weight=None):
        for j, column in enumerate(x[:, : self.n_numbers].T):
            edges = edges_of_bins(column, weight, self.n_terms)
            # The inverse of a length below that is infinite.
            lengths = np.maximum(np.diff(edges), np.finfo(edges.dtype).tiny)
            self.low[j, 0, : len(lengths)] = edges[:-1]
            self.inverse_length[j, 0, : len(lengths)] = 1 / lengths

    def allocate(self, x_shape, dtype, scratch, first):
        cache = super().allocate(x_shape, dtype, scratch, first)
        # The numbers and the bins are the same for all members.
        cache.terms = np.empty((self.n_numbers, x_shape[-2], self.n_terms), dtype)
        return cache

    def expand(self, numbers, cache):
        terms = np.subtract(
            numbers, self.low, out=None if cache is None else cache.terms
        )
        terms *= self.inverse_length
        return np.clip(terms, 0, 1, out=terms)


def edges_of_bins(column, weight, n_bins):
    """Return the edges of bins that hold equal weights of a column, at most `n_bins`.

    A value that more than half of the rows have would leave few bins to the others: it
    becomes an edge, and bins hold equal weights of the others, each no less than one of
    `FINER` parts of what a bin would hold otherwise.

    Parameters
    ----------
    column : ndarray of shape (n,)
    weight : ndarray of shape (n,), or None
    n_bins : int

    Returns
    -------
    edges : ndarray of shape (n_edges,)
        In ascending order, each once.
    """
    edges = _quantiles(column, weight, n_bins)
    common = _quantiles(column, weight, 2)[1]
    others = column != common
    share = np.average(others, weights=weight)
    if 0 < share < 0.5:
        n_others = max(1, min(n_bins - 1, round(FINER * n_bins * share)))
        weight = None if weight is None else weight[others]
        edges = np.append(_quantiles(column[others], weight, n_others), common)
    return np.unique(edges)


def _quantiles(column, weight, n):
    levels = np.linspace(0, 1, n + 1)
    return np.quantile(column, levels, weights=weight, method="inverted_cdf")


class EntityEmbedding(BaseEstimator):
    """Embed each category of a column by a vector that is learned.

    Categories that are alike for the target come to lie near each other (Guo and
    Berkhahn, 2016, "Entity Embeddings of Categorical Variables").

    Parameters
    ----------
    max_one_hot : int >= 0, default=8
        Columns of at most so many categories, missing ones counted as one, are not
        embedded, but become a column of zeros and ones for each category.
    width : int >= 1, default=8
        Length of the vectors.
    """

    ranges = {
        "max_one_hot": (Integral, 0, None, "left"),
        "width": (Integral, 1, None, "left"),
    }

    def __init__(self, max_one_hot=8, width=8):
        self.max_one_hot = max_one_hot
        self.width = width


class Embedding(BaseEstimator):
    """Base class: the parameters of an embedding of numbers.

    Attributes
    ----------
    ranges : dict of str to tuple
        What the parameters may be: number type, low, high, closed sides.
    """

    ranges = {}

    def layer(self, n_inputs, n_numbers, n_members=None):
        """Return the layer that embeds the first `n_numbers` columns."""
        raise NotImplementedError


class Periodic(Embedding):
    """Embed each number by waves of learned frequencies.

    ``[x, cos(2 pi frequency x + phase) @ weight + bias]``, with frequencies that start
    normal with standard deviation `frequency_scale` and phases that start uniform
    (Gorishniy et al., 2022, "On Embeddings for Numerical Features"; with phases and the
    number itself, the PBLD embedding of Holzmueller et al., 2024).

    Parameters
    ----------
    n_frequencies : int >= 1, default=16
        Number of waves of each column.
    width : int >= 1, default=4
        Number of what they are mapped to, beside the number itself.
    frequency_scale : float > 0, default=0.1
        Standard deviation of the first frequencies, in waves a unit of the scaled
        column. Larger ones see finer detail, and noise.
    """

    ranges = {
        "n_frequencies": (Integral, 1, None, "left"),
        "width": (Integral, 1, None, "left"),
        "frequency_scale": (Real, 0, None, "neither"),
    }

    def __init__(self, n_frequencies=16, width=4, frequency_scale=0.1):
        self.n_frequencies = n_frequencies
        self.width = width
        self.frequency_scale = frequency_scale

    def layer(self, n_inputs, n_numbers, n_members=None):
        return PeriodicLayer(
            n_inputs,
            n_numbers,
            self.n_frequencies,
            self.width,
            self.frequency_scale,
            n_members,
        )


class PiecewiseLinear(Embedding):
    """Embed each number by how far it reaches into each of a row of bins.

    ``[x, e @ weight + bias]``, ``e_t = clip((x - low_t) / (high_t - low_t), 0, 1)``,
    with bins that hold equal numbers of training rows (Gorishniy et al., 2022). Where
    more than half of the rows have one value, as the zeros of a count often are, it is
    an edge, and the bins hold equal numbers of the other rows, at most eight times as
    few as otherwise.

    Parameters
    ----------
    n_bins : int >= 1, default=32
        Number of bins of each column; less where quantiles are equal.
    width : int >= 1, default=4
        Number of what they are mapped to, beside the number itself.
    """

    ranges = {
        "n_bins": (Integral, 1, None, "left"),
        "width": (Integral, 1, None, "left"),
    }

    def __init__(self, n_bins=32, width=4):
        self.n_bins = n_bins
        self.width = width

    def layer(self, n_inputs, n_numbers, n_members=None):
        return PiecewiseLinearLayer(
            n_inputs, n_numbers, self.n_bins, self.width, n_members
        )


NUMERIC_EMBEDDINGS = {"periodic": Periodic, "piecewise_linear": PiecewiseLinear}
CATEGORICAL_EMBEDDINGS = {"entity": EntityEmbedding}
