"""How the numbers in each column of a table are distributed: range, quantiles, moments.

A column is taken as the numbers in it that are not zero, and one zero with the weight
of all the others, whether the table is dense or sparse: both learn the same to the bit,
and a sparse one in the time that its entries take.  All columns of a block are looked
at in one go.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skdnn._rows import chunks, dense


def holes_and_range(X, n_columns, rows):
    """Return which of the first columns have holes, and their extremes.

    The lowest of no number is infinite, and the highest minus that.
    """
    if issparse(X):
        part = X[rows]
        holes = np.zeros(n_columns, dtype=bool)
        holes[part.indices[np.isnan(part.data)]] = True
        low, high = (m(axis=0).toarray().ravel() for m in (part.nanmin, part.nanmax))
        # That of no number is NaN.
        return holes, np.fmin(low, np.inf), np.fmax(high, -np.inf)
    holes = np.zeros(n_columns, dtype=bool)
    low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    for chunk in chunks(len(rows), X.shape[1]):
        numbers = dense(X, rows[chunk])[:, :n_columns]
        holes |= np.isnan(numbers).any(axis=0)
        np.fmin(low, np.fmin.reduce(numbers), out=low)
        np.fmax(high, np.fmax.reduce(numbers), out=high)
    return holes, low, high


def quantiles(X, columns, rows, weight, levels):
    """Return weighted quantiles (n_levels, n_columns) that pass over holes.

    They are the smallest numbers at or below which each share of the weight lies: of
    all definitions, the one for which weights are as good as repeated rows.  Those of
    no number are zero.
    """
    parts = [
        np.repeat(block.value, _n_levels(block, levels)).reshape(-1, len(levels)).T
        for block in _blocks(X, columns, rows, weight)
    ]
    return np.hstack(parts)


def runs_of_quantiles(X, columns, rows, weight, levels):
    """Return the same quantiles as runs of equal ones, column by column.

    Returns
    -------
    value : ndarray of shape (n_runs,)
    first : ndarray of int of shape (n_runs,)
        The position of the first of each run among all ``n_columns * n_levels``.
    """
    values, counts = [], []
    for block in _blocks(X, columns, rows, weight):
        count = _n_levels(block, levels)
        value, column, count = (
            a[count > 0] for a in (block.value, block.column, count)
        )
        starts = np.flatnonzero(_differs(column) | _differs(value))
        values.append(value[starts])
        counts.append(np.add.reduceat(count, starts))
    first = np.cumsum(np.concatenate([[0], *counts]))[:-1]
    return np.concatenate(values), first


def moments(X, columns, rows, weight, unit):
    """Return weights, weighted means and variances of columns, passing over holes.

    The latter two are those of ``unit * X``, and zero where there is no number.
    """
    parts = []
    for block in _blocks(X, columns, rows, weight):
        unit_of_block, unit = np.split(unit, [block.n_columns])
        value = block.value * unit_of_block[block.column]
        total = np.bincount(block.column, block.weight)
        mean = np.bincount(block.column, block.weight * value) / total
        square = np.square(value - mean[block.column])
        variance = np.bincount(block.column, block.weight * square) / total
        parts.append((total, mean, variance))
    return map(np.concatenate, zip(*parts, strict=True))


class _Block(NamedTuple):
    """The numbers of some columns, each in order, with the weight of each.

    A column without a number has a zero.
    """

    value: np.ndarray
    weight: np.ndarray
    column: np.ndarray
    n_columns: int


def _blocks(X, columns, rows, weight):
    """Yield the numbers of the columns, a few columns at a time."""
    weight = np.ones(len(rows)) if weight is None else weight
    total = weight.sum()
    for value, row, column, n_columns in _entries(X, columns, rows):
        n_entries = np.bincount(column, minlength=n_columns)
        rest = total - np.bincount(column, weight[row], n_columns)
        rest = np.where(n_entries < len(rows), np.maximum(rest, 0), 0)
        seen = ~np.isnan(value)
        is_empty = rest + np.bincount(column[seen], weight[row[seen]], n_columns) == 0
        rest[is_empty] = 1
        zeros = np.flatnonzero(rest)
        value = np.append(value[seen], np.zeros(len(zeros)))
        weight_of_value = np.append(weight[row[seen]], rest[zeros])
        column = np.append(column[seen], zeros)
        order = np.lexsort((value, column))
        yield _Block(value[order], weight_of_value[order], column[order], n_columns)


def _entries(X, columns, rows):
    """Yield the numbers that are not zero, holes included, of a few columns at a time.

    Yields
    ------
    value : ndarray of float64
    row : ndarray of int
        Positions among `rows`.
    column : ndarray of int
        Positions among the columns of the block.
    n_columns : int
    """
    if issparse(X):
        part = X[rows].tocsc()[:, columns]
        for some in chunks(len(columns), 1 + part.nnz // max(1, len(columns))):
            block = part[:, some].tocoo()
            seen = block.data != 0
            value, row, column = (a[seen] for a in (block.data, *block.coords))
            yield value.astype(np.float64), row, column, block.shape[1]
    else:
        for j in columns:
            value = X[rows, j].astype(np.float64)
            row = np.flatnonzero(value)
            yield value[row], row, np.zeros(len(row), dtype=np.intp), 1


def _n_levels(block, levels):
    """Return of how many levels each number is the quantile."""
    starts = np.flatnonzero(_differs(block.column))
    # Begin anew at each column, so that no rounding error grows from one to the next.
    change = block.weight.copy()
    change[starts[1:]] -= np.add.reduceat(block.weight, starts)[:-1]
    below = np.cumsum(change)
    share = below / below[np.append(starts[1:], len(below)) - 1][block.column]
    # Shares that differ by rounding errors are one.
    reached = np.searchsorted(np.subtract(levels, 1e-10), share, side="right")
    before = np.append(0, reached[:-1])
    before[starts] = 0
    return reached - before


def _differs(array):
    """Return whether each entry differs from the one before; the first one does."""
    return np.append(True, array[1:] != array[:-1])
