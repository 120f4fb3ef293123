"""Rows of a table: which of them count, how much, and how to go through them."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches

#: The most numbers, of 8 bytes, to look at a time.
CHUNK_NUMBERS = 2**18


def chunks(n_rows, n_columns, at_most=4096, multiple_of=1):
    """Return slices of `n_rows` rows; as few as fit, so that no chunk is large.

    Their length, but for the last, is a multiple of `multiple_of`.
    """
    size = max(multiple_of, min(at_most, CHUNK_NUMBERS // max(1, n_columns)))
    return gen_batches(n_rows, size - size % multiple_of) if n_rows else []


def dense(X, rows):
    """Return some rows of an array or of a sparse one, as an array."""
    part = X[rows]
    return part.toarray() if issparse(part) else part


class Rows(NamedTuple):
    """Rows of a data set and what each of them counts.

    Attributes
    ----------
    index : ndarray of int of shape (n_rows,)
    weight : ndarray of shape (n_rows,), or None where all count one
    learned : ndarray of bool of shape (n_rows, n_members), default=None
        Whether each member of an ensemble learns from a row; None is all from all.
    """

    index: np.ndarray
    weight: np.ndarray | None
    learned: np.ndarray | None = None

    def take(self, positions):
        """Return some of the rows, by their position among these."""
        return Rows(*(a if a is None else a[positions] for a in self))

    @staticmethod
    def joined(parts):
        """Return the rows of several parts, one below the other."""
        fields = zip(*parts, strict=True)
        return Rows(*(None if a[0] is None else np.concatenate(a) for a in fields))


def rows_with_weight(n_samples, sample_weight):
    """Return the rows that count, in their own order."""
    if sample_weight is None:
        return Rows(np.arange(n_samples), None)
    index = np.flatnonzero(sample_weight)
    return Rows(index, sample_weight[index])


def distinct_rows(X, targets, rows):
    """Join equal rows, adding up their weights, in an order that only their values set.

    A row that counts twice then *is* a row that stands there twice, and the order in
    which rows arrive makes no difference, to the last bit and for every solver.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    rows : Rows
    """
    words = X.shape[1] + (1 if targets.ndim == 1 else targets.shape[1])
    # Fixed: the hash has no part in the randomness of training.
    multipliers = np.random.default_rng(0).integers(
        2**63, size=2 * words, dtype=np.uint64
    )
    hashes = np.empty(len(rows.index), dtype=np.uint64)
    for chunk in chunks(len(hashes), words):
        values = _values(X, targets, rows.index[chunk])
        hashes[chunk] = values.view(np.uint32).astype(np.uint64) @ (2 * multipliers + 1)
    order = np.argsort(hashes, kind="stable")
    starts = _starts_of_equals(X, targets, rows.index[order], hashes[order])
    rows = rows.take(order)
    if len(starts) == len(order):
        return rows
    weight = np.ones(len(order)) if rows.weight is None else rows.weight
    return Rows(rows.index[starts], np.add.reduceat(weight, starts))


def _starts_of_equals(X, targets, index, hashes):
    """Return the positions in `index` of the rows that differ from the one before."""
    suspects = np.flatnonzero(hashes[1:] == hashes[:-1]) + 1
    starts = np.ones(len(index), dtype=bool)
    for chunk in chunks(len(suspects), X.shape[1]):
        these = suspects[chunk]
        before = _values(X, targets, index[these - 1]).view(np.uint64)
        after = _values(X, targets, index[these]).view(np.uint64)
        starts[these] = (before != after).any(axis=1)
    return np.flatnonzero(starts)


def _values(X, targets, index):
    """Return rows of X and targets side by side, as float64 whatever they were."""
    values = np.hstack(
        [dense(X, index), targets[index].reshape(len(index), -1)], dtype=np.float64
    )
    values += 0.0  # -0.0 has other bits than 0.0
    return values
