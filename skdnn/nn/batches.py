"""Batches of rows, in a new order each epoch, gathered without copying the data."""

from math import ceil
from typing import NamedTuple

import numpy as np

__all__ = ["Batch", "Batches", "SparseRows", "StreamedBatches"]

#: Bytes of X gathered at a time: enough to make the call cheap, few enough to stay
#: cached.
GATHERED_BYTES = 2**19


class SparseRows:
    """Rows that differ from a common one in few entries, made dense when taken.

    Parameters
    ----------
    entries : CSR array of shape (n_samples, n_features)
        What stands where a row differs from the common one.
    common : ndarray of shape (n_features,)
    """

    def __init__(self, entries, common):
        self.entries = entries
        self.common = common
        self.shape = entries.shape
        self.dtype = common.dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        part = self.entries[rows]
        return self._fill(part, np.empty(part.shape, self.dtype))

    def take(self, rows, out):
        """Write some of the rows, by their positions, to `out`."""
        return self._fill(self.entries[rows], out)

    def _fill(self, part, out):
        out[...] = self.common
        row_of_entry = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        out[row_of_entry, part.indices] = part.data
        return out


class Batch(NamedTuple):
    """Rows to take a step on.

    Attributes
    ----------
    X : ndarray or SparseRows of shape (n, n_features)
    y : ndarray of shape (n,) or (n, n_outputs)
    weight : ndarray of shape (n, 1) or (n, n_members), or None
    """

    X: np.ndarray | SparseRows
    y: np.ndarray
    weight: np.ndarray | None


class Batches:
    """The rows of an epoch, batch by batch.

    Rows are gathered into a buffer that holds several batches, so that small batches
    cost a view instead of a copy each.  All views are made once.

    Parameters
    ----------
    X : ndarray or SparseRows of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    weight : ndarray of shape (n_samples, 1) or (n_samples, n_members), default=None
    batch_size : int
        At least `n_samples` means all rows, as they lie.
    rng : numpy.random.Generator, default=None
        Of the order.  None keeps the order of the rows.

    Attributes
    ----------
    n_batches : int
        In an epoch.
    n_batches_in_block : int
        How many of them are in memory at a time, which are all.
    table : Batch
        All rows.
    """

    def __init__(self, X, y, weight, batch_size, rng=None):
        self.n_samples = len(X)
        self.batch_size = min(batch_size, self.n_samples)
        self.n_batches = ceil(self.n_samples / self.batch_size)
        self.n_batches_in_block = self.n_batches
        self.table = Batch(X, y, weight)
        self._rng = rng
        self._order = None
        self._buffers = None
        if self.batch_size < self.n_samples:
            self._rows = np.arange(self.n_samples)
            self._order = self._rows.copy()

    def blocks(self):
        """Yield the rows that are in memory at a time, as batches."""
        yield self

    def shuffle(self):
        """Put the rows into the order of a new epoch.

        Returns
        -------
        order : ndarray of shape (n_samples,), or None if they stay as they lie
        """
        if self._rng is not None and self._order is not None:
            # Not shuffled in place, so that an order depends on the generator alone.
            self._rng.permuted(self._rows, out=self._order)
        return self._order

    def last(self, n_rows):
        """Return the first rows of the last batch of the epoch."""
        start = (self.n_batches - 1) * self.batch_size
        rows = slice(start, start + n_rows)
        if self._order is not None:
            rows = self._order[rows]
        return Batch(*(None if array is None else array[rows] for array in self.table))

    def _allocate(self):
        size, n = self.batch_size, self.n_samples
        X = self.table.X
        row_bytes = X.shape[1] * X.dtype.itemsize
        per_block = max(1, GATHERED_BYTES // max(1, size * row_bytes))
        self._block = min(n, min(per_block, 1024) * size)
        self._buffers = [_buffer(array, self._block) for array in self.table]
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
            yield self.table
            return
        self.shuffle()
        if self._buffers is None:
            self._allocate()
        for start in range(0, self.n_samples, self._block):
            rows = self._order[start : start + self._block]
            for array, buffer in zip(self.table, self._buffers, strict=True):
                if array is not None:
                    _gather(array, rows, buffer[: len(rows)])
            yield from self._full if len(rows) == self._block else self._last


class StreamedBatches:
    """The rows of an epoch, batch by batch, where memory does not hold them all.

    They come a block at a time, each into the memory of the last. Rows are shuffled
    within a block: that they come in another order each epoch is up to who reads them.

    Parameters
    ----------
    read : callable
        Returns an iterator over the rows of a new epoch, as a `Batch` of any size.
    n_samples : int
        How many rows it gives in all.
    table : Batch
        The memory, which holds dense rows.
    batch_size : int
    rng : numpy.random.Generator, default=None
        Of the order within a block.  None keeps the order of the rows.

    Attributes
    ----------
    n_batches : int
        In an epoch.
    n_batches_in_block : int
        In each block but the last.
    """

    def __init__(self, read, n_samples, table, batch_size, rng=None):
        self.n_samples = n_samples
        self.table = table
        self.batch_size = min(batch_size, n_samples, len(table.X))
        self.n_batches = ceil(n_samples / self.batch_size)
        self.n_batches_in_block = len(table.X) // self.batch_size
        self._read = read
        self._rng = rng
        self._n_rows = self.n_batches_in_block * self.batch_size
        self._blocks = {}

    def blocks(self):
        """Yield the rows that are in memory at a time, as `Batches`.

        Raises
        ------
        ValueError
            If there are more rows than in the first epoch, or less.
        """
        n_read, n_left = 0, self.n_samples
        for part in self._read():
            if len(part.X) > n_left:
                raise ValueError(self._other_rows("more"))
            n_left -= len(part.X)
            start = 0
            while start < len(part.X):
                n = min(self._n_rows - n_read, len(part.X) - start)
                for array, own in zip(part, self.table, strict=True):
                    if array is not None:
                        own[n_read : n_read + n] = array[start : start + n]
                start, n_read = start + n, n_read + n
                # That the last one is the last is seen after all is read.
                if n_read == self._n_rows and (start < len(part.X) or n_left):
                    yield self._block(n_read)
                    n_read = 0
        if n_left:
            raise ValueError(self._other_rows("less"))
        yield self._block(n_read)

    def last(self, n_rows):
        """Return the first rows of the last batch of the block in memory."""
        return self._current.last(n_rows)

    def __iter__(self):
        for block in self.blocks():
            yield from block

    def _block(self, n_rows):
        """Return the first rows in memory as batches."""
        if n_rows not in self._blocks:
            rows = [_rows(array, 0, n_rows) for array in self.table]
            self._blocks[n_rows] = Batches(*rows, self.batch_size, self._rng)
        self._current = self._blocks[n_rows]
        return self._current

    def _other_rows(self, how):
        return (
            f"An epoch has {how} rows than the first one, which had {self.n_samples}: "
            "whatever gives the rows must give the same ones each time."
        )


def _gather(array, rows, out):
    if isinstance(array, SparseRows):
        array.take(rows, out)
    else:
        array.take(rows, axis=0, out=out, mode="clip")


def _buffer(array, n_rows):
    return None if array is None else np.empty((n_rows, *array.shape[1:]), array.dtype)


def _rows(array, start, stop):
    return None if array is None else array[start:stop]
