"""Rows of a table: which of them count, how much, and how to go through them."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

#: The most numbers, of 8 bytes, to look at a time.
CHUNK_NUMBERS = 2**18

#: Equal rows are observations of their own if so large a share of them stands beside
#: rows of the same columns and another target: copies have the same.
MIXED = 0.1

#: Where the columns set the target, they are if they come so often on average, and no
#: column tells them apart.
OFTEN = 5

#: A column of more values than that, and than half of the rows, tells them apart,
#: unless its values fill so large a part of their range, in even steps.
FEW_VALUES, FILLED = 10, 0.5

#: So they are where so large a share of them holds all that there is of a category:
#: what is held out then says nothing about the categories that are not.
ALONE = 0.5

#: The most rows that they are spread out to; weights may be of any size.
MOST_SPREAD = 2**17


def chunks(n_rows, n_columns, at_most=4096):
    """Return slices of `n_rows` rows; as few as fit, so that no chunk is large."""
    size = max(1, min(at_most, CHUNK_NUMBERS // max(1, n_columns)))
    # scikit-learn's `gen_batches` takes longer than the prediction of a row.
    return [slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size)]


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
    trained_by : ndarray of bool of shape (n_rows, n_members), default=None
        Whether each member of an ensemble trains on a row; None is all on all.
    """

    index: np.ndarray
    weight: np.ndarray | None
    trained_by: np.ndarray | None = None

    @property
    def n_trained(self):
        """How many rows a member trains on, on average."""
        if self.trained_by is None:
            return len(self.index)
        return self.trained_by.sum(axis=0).mean()

    def take(self, positions):
        """Return some of the rows, by their position among these."""
        return Rows(*(a if a is None else a[positions] for a in self))

    def spread(self, counts):
        """Return each row `counts` times, with as much less weight."""
        weight = np.repeat(self.weight / counts, counts)
        # As where nobody speaks of weights.
        weight = None if (weight == 1).all() else weight
        return Rows(np.repeat(self.index, counts), weight)

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


def canonical_rows(X, targets, rows, n_codes=0):
    """Return rows that do not depend on the order in which they come, and their number.

    Equal rows are joined, so that a row that counts twice *is* a row that stands there
    twice, to the last bit and for every solver.  Copies of one observation (repeated,
    resampled, weighted) stay joined, and so on one side of a split: what is learned
    from one is no news about the other.  In a table of few different rows, where equal
    ones are observations of their own, they are spread out again.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    rows : Rows
    n_codes : int, default=0
        How many of the last columns are codes of categories.

    Returns
    -------
    rows : Rows
    n_rows : int
        How many observations they stand for.
    """
    # Weights below one on average are no numbers of rows.
    unit = 1.0 if rows.weight is None else min(1.0, np.sort(rows.weight).mean())
    rows = distinct_rows(X, targets, rows)
    if rows.weight is None:
        return rows, len(rows.index)
    counts = np.maximum(1.0, np.rint(rows.weight / unit))
    if not _are_observations(X, targets, rows, counts, n_codes):
        return rows, len(rows.index)
    n_rows = counts.sum()
    if n_rows > MOST_SPREAD:
        counts = np.maximum(1.0, np.rint(counts * (MOST_SPREAD / n_rows)))
    return rows.spread(counts.astype(np.intp)), int(n_rows)


def distinct_rows(X, targets, rows):
    """Join equal rows, adding up their weights, in an order that only their values set.

    Parameters and `rows` of the result are as in `canonical_rows`.
    """
    hashes = np.add(*_hashes(X, targets, rows.index))
    # By weight too, as the rounding of a sum depends on its order.
    order = np.lexsort((hashes,) if rows.weight is None else (rows.weight, hashes))
    starts = _starts_of_equals(X, targets, rows.index[order], hashes[order])
    rows = rows.take(order)
    if len(starts) == len(order):
        return rows
    weight = np.ones(len(order)) if rows.weight is None else rows.weight
    return Rows(rows.index[starts], np.add.reduceat(weight, starts))


def _hashes(X, targets, index):
    """Return hashes of the columns of some rows, and of their targets."""
    n_words = 2 * X.shape[1]
    n_columns = X.shape[1] + (1 if targets.ndim == 1 else targets.shape[1])
    # Fixed: the hash has no part in the randomness of training.
    multipliers = np.random.default_rng(0).integers(
        2**63, size=2 * n_columns, dtype=np.uint64
    )
    multipliers = 2 * multipliers + 1
    hashes = np.empty((2, len(index)), dtype=np.uint64)
    for chunk in chunks(len(index), n_columns):
        words = _values(X, targets, index[chunk]).view(np.uint32).astype(np.uint64)
        hashes[0, chunk] = words[:, :n_words] @ multipliers[:n_words]
        hashes[1, chunk] = words[:, n_words:] @ multipliers[n_words:]
    return hashes


def hashes_of_rows(X, targets):
    """Return a hash of each row, with its targets, in an order that looks like chance.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    targets : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    """
    return mixed(np.add(*_hashes(X, targets, np.arange(len(X)))))


def mixed(hashes):
    """Return others, which keep no order of the sums (Steele et al., 2014)."""
    for shift, multiplier in (30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB):
        hashes = hashes ^ (hashes >> np.uint64(shift))
        hashes *= np.uint64(multiplier)
    return hashes ^ (hashes >> np.uint64(31))


def _are_observations(X, targets, rows, counts, n_codes):
    """Whether rows that come several times are not copies of one.

    Parameters
    ----------
    X, targets : array
    rows : Rows
        Different ones.
    counts : ndarray of shape (n_rows,)
        How often each comes.
    n_codes : int
    """
    if counts.max() < 2:
        return False
    of_columns, of_targets = _hashes(X, targets, rows.index)
    _, place = np.unique(of_columns, return_inverse=True)
    n_rows, n_targets = np.bincount(place, counts), np.bincount(place)
    often = n_rows >= 2
    if n_rows[often & (n_targets > 1)].sum() >= MIXED * n_rows[often].sum():
        return not _tells_apart(of_targets, len(rows.index))
    often = counts >= 2
    alone = often & _hold_all_of_a_category(X, rows, n_codes)
    if counts[alone].sum() >= ALONE * counts[often].sum():
        return True
    return n_rows.mean() >= OFTEN and not any(
        _tells_apart(column, len(n_rows))
        for part in chunks(X.shape[1], len(rows.index))
        for column in dense(X[:, part], rows.index).T
    )


def _hold_all_of_a_category(X, rows, n_codes):
    """Whether each of these rows has a category that no other of them has."""
    alone = np.zeros(len(rows.index), dtype=bool)
    for j in range(X.shape[1] - n_codes, X.shape[1]):
        codes = X[rows.index, j]
        _, place, n_rows = np.unique(codes, return_inverse=True, return_counts=True)
        alone |= n_rows[place] == 1
    return alone


def _tells_apart(column, n_rows):
    """Whether a column has more values than one of a table of few different rows.

    Codes of categories, years and counts may be many: they come again by themselves.
    """
    values = np.unique(column)
    if len(values) <= max(FEW_VALUES, n_rows // 2):
        return False
    values = values[np.isfinite(values)]
    filled = len(values) * np.diff(values).min()
    return filled < FILLED * (values[-1] - values[0])


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
