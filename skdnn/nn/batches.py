"""Batches of rows, in a new order each epoch, gathered without copying the data."""

from typing import NamedTuple

import numpy as np

#: Bytes of X gathered at a time: enough to make the call cheap, few enough to stay
#: cached.
GATHERED_BYTES = 2**19


class Batch(NamedTuple):
    """Rows to take a step on.

    Attributes
    ----------
    X : ndarray of shape (n, n_features)
    y : ndarray of shape (n,) or (n, n_outputs)
    weight : ndarray of shape (n, 1), or None
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


class Batches:
    """The rows of an epoch, batch by batch.

    Rows are gathered into a buffer that holds several batches, so that small batches
    cost a view instead of a copy each.  All views are made once.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    weight : ndarray of shape (n_samples, 1), default=None
    batch_size : int
        At least `n_samples` means all rows, as they lie.
    rng : numpy.random.Generator, default=None
        Of the order.  None keeps the order of the rows.
    """

    def __init__(self, X, y, weight, batch_size, rng=None):
        self.n_samples = len(X)
        self.batch_size = min(batch_size, self.n_samples)
        self._source = Batch(X, y, weight)
        self._rng = rng
        if self.batch_size < self.n_samples:
            self._allocate()

    def _allocate(self):
        size, n = self.batch_size, self.n_samples
        row_bytes = self._source.X[0].nbytes
        per_block = max(1, GATHERED_BYTES // max(1, size * row_bytes))
        self._block = min(n, min(per_block, 1024) * size)
        self._rows = np.arange(n)
        self._order = self._rows.copy()
        self._buffers = [_buffer(array, self._block) for array in self._source]
        self._full = self._cut(self._block)
        self._last = self._cut(n % self._block)

    def _cut(self, n_rows):
        """Return the batches in the first `n_rows` of the buffers."""
        buffers = [_rows(buffer, 0, n_rows) for buffer in self._buffers]
        return [
            Batch(*(_rows(b, start, start + self.batch_size) for b in buffers))
            for start in range(0, n_rows, self.batch_size)
        ]

    def __iter__(self):
        if self.batch_size == self.n_samples:
            yield self._source
            return
        if self._rng is not None:
            # Not shuffled in place, so that an order depends on the generator alone.
            self._rng.permuted(self._rows, out=self._order)
        for start in range(0, self.n_samples, self._block):
            rows = self._order[start : start + self._block]
            for array, buffer in zip(self._source, self._buffers, strict=True):
                if array is not None:
                    np.take(array, rows, axis=0, out=buffer[: len(rows)], mode="clip")
            yield from self._full if len(rows) == self._block else self._last


def _buffer(array, n_rows):
    return None if array is None else np.empty((n_rows, *array.shape[1:]), array.dtype)


def _rows(array, start, stop):
    return None if array is None else array[start:stop]
