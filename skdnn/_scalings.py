"""How columns of numbers are scaled: what each kind learns, and what it makes of them.

Numbers come in units of the column, so that nothing overflows on the way. What is
learned is arrays by name, which a file can hold.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from skdnn._distributions import (
    quantiles,
    runs_of_quantiles,
)
from skdnn._rows import chunks

#: Steps of the empirical distribution that quantile scaling interpolates.
N_QUANTILES = 1001

#: The levels between them.
LEVELS = np.linspace(0, 1, N_QUANTILES)

#: How many arrays quantile scaling needs, like the one of the numbers.
RANK_ARRAYS = 16

#: Where quantile scaling cuts the normal distribution off, as its reach is infinite.
EDGE = 1e-7


class Scaling(NamedTuple):
    """A row of `SCALINGS`.

    Attributes
    ----------
    learn : callable
        ``learn(sample, columns, unit, half_range, moments)`` returns the median of each
        column, and a dict of arrays; `moments` are None but for ``"standard"``.
    apply : callable
        ``apply(numbers, columns, limit, **learned)`` scales numbers in place, none of
        them to more than `limit`; `columns` says of which column each is.
    """

    learn: Callable
    apply: Callable


@cache
def largest_square_root(dtype):
    """Return the largest number whose square does not overflow."""
    return float(np.sqrt(np.finfo(dtype).max))


def refuse_what_overflows(low, high, dtype, positions, names):
    """Raise an error for columns of numbers that would be cut off.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,)
        Their range.
    dtype : {"float32", "float64"}
    positions : ndarray of int of shape (n_columns,)
        Where they stand in the table.
    names : sequence of str, or None
        Of all columns of the table.
    """
    limit = largest_square_root(dtype)
    for j in np.flatnonzero((low < -limit) | (high > limit)):
        position = positions[j]
        name = position if names is None else repr(names[position])
        raise ValueError(
            f"Column {name} has numbers from {low[j]:.3g} to {high[j]:.3g}. With "
            f"numeric_scaling=None and dtype={dtype!r}, they must be within "
            f"{limit:.3g} of zero. Scale them, e.g. by numeric_scaling='robust'."
        )


def units(low, high):
    """Return powers of two that bring columns of that range to about one.

    In between, nothing overflows, nor is lost below the smallest float: that such a
    factor rounds nothing makes no other difference.
    """
    size = np.maximum(np.abs(low), np.abs(high))
    _, exponent = np.frexp(np.where(np.isfinite(size), size, 1))
    return np.ldexp(1.0, -np.clip(exponent, -1022, 1022))


def _learn_robust(sample, columns, unit, half_range, moments):
    q25, median, q75 = _quantiles(sample, columns, [0.25, 0.5, 0.75])
    spread = q75 * unit - q25 * unit
    spread = np.where(spread > 0, spread, half_range)
    return median, _center_and_scale(median * unit, spread, unit)


def _learn_standard(sample, columns, unit, half_range, moments):
    (median,) = _quantiles(sample, columns, [0.5])
    deviation = np.sqrt(moments.variance[columns])
    return median, _center_and_scale(moments.mean[columns], deviation, unit)


def _quantiles(sample, columns, levels):
    return quantiles(sample.X, columns, sample.rows.index, sample.rows.weight, levels)


def _center_and_scale(center, scale, unit):
    # A column that is constant so far keeps its own scale.
    return {"center": center, "scale": np.where(scale > 0, scale, unit)}


def _learn_quantile(sample, columns, unit, half_range, moments):
    """Learn the runs of equal quantiles: their values, and the first of each."""
    index, weight = sample.rows.index, sample.rows.weight
    runs, first = runs_of_quantiles(sample.X, columns, index, weight, LEVELS)
    at_median = np.arange(len(columns)) * N_QUANTILES + N_QUANTILES // 2
    run = np.searchsorted(first, at_median, side="right") - 1
    median = runs[run]
    return median, {"runs": runs * unit[first // N_QUANTILES], "first": first}


def _apply_robust(X, columns, limit, center, scale):
    _apply_standard(X, columns, limit, center, scale)
    # sqrt(1 + (X / 3)^2), in the memory of one array.
    root = X / 3
    np.square(root, out=root)
    root += 1
    X /= np.sqrt(root, out=root)


def _apply_standard(X, columns, limit, center, scale):
    X -= center[columns]
    X /= scale[columns]
    np.clip(X, -limit, limit, out=X)


def _apply_quantile(X, columns, limit, runs, first):
    columns = np.broadcast_to(columns, X.shape)
    # A few at a time, as there are many arrays on the way.
    for part in chunks(len(X), RANK_ARRAYS * X[:1].size, len(X)):
        level = _ranks(X[part], columns[part], runs, first) / (N_QUANTILES - 1)
        X[part] = ndtri(np.clip(level, EDGE, 1 - EDGE))


def _ranks(X, columns, runs, first):
    """Return where numbers are among the quantiles of their columns, from 0 on.

    One that is several quantiles is in their middle.
    """
    start = np.flatnonzero(first % N_QUANTILES == 0)
    stop = np.append(start[1:], len(first))
    low, high = runs[start], runs[stop - 1]
    within = np.clip(X, low[columns], high[columns])
    # Of the runs of all columns, the last that is not above.
    run = np.searchsorted(
        _complex(first // N_QUANTILES, runs), _complex(columns, within), side="right"
    )
    run -= 1
    last = np.append(first[1:], len(start) * N_QUANTILES) - 1
    rank = (0.5 * (first + last))[run]
    # From the end of a run to the next, they are as far as the way is.
    step = within - runs[run]
    way = np.append(np.diff(runs), 0)[run]
    is_between = step > 0
    np.divide(step, way, out=rank, where=is_between)
    rank += np.where(is_between, last[run], 0)
    rank -= columns * N_QUANTILES
    rank[low[columns] > X] = 0
    rank[high[columns] < X] = N_QUANTILES - 1
    return rank


def _complex(real, imaginary):
    """Return complex numbers, which NumPy puts in order part by part."""
    out = np.empty(np.broadcast(real, imaginary).shape, dtype=np.complex128)
    out.real, out.imag = real, imaginary
    return out


SCALINGS = {
    "robust": Scaling(_learn_robust, _apply_robust),
    "standard": Scaling(_learn_standard, _apply_standard),
    "quantile": Scaling(_learn_quantile, _apply_quantile),
}
