"""Which columns of a table hold categories, and what becomes of these.

A category becomes a code, its position among those of its column, and a code becomes a
column that is 1 in its rows and 0 in the others.
"""

import re

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

#: Codes of what is not among the categories; `RARE` is for all that have no column.
UNKNOWN, MISSING, RARE = -1, -2, -3

#: The most columns that a column of categories becomes.
MAX_LEVELS = 100

#: Names of dtypes, of pandas, Arrow and polars, up to their first bracket.
CATEGORICAL = {
    *("category", "categorical", "enum", "dictionary"),
    *("object", "str", "string", "large_string", "utf8"),
    *("bool", "boolean"),
}
TIMES = {
    *("datetime64", "datetime", "timestamp", "date", "date32", "date64", "time"),
    *("timedelta64", "duration", "period"),
}


def categorical_columns(X, wanted):
    """Return the positions of the columns of a table that hold categories.

    Parameters
    ----------
    X : table
    wanted : {"from_dtype"}, None, or array-like of bool, int or str
        As `categorical_features` of the estimators.
    """
    names = [str(name) for name in getattr(X, "columns", [])]
    if isinstance(wanted, str):
        return np.flatnonzero(_by_dtype(X, names))
    if wanted is None or np.ndim(X) != 2:
        return np.empty(0, dtype=np.intp)
    if issparse(X):
        raise ValueError(
            f"categorical_features={wanted!r} needs a dense table, X is sparse."
        )
    wanted, n_columns = np.asarray(wanted), np.shape(X)[1]
    kind = wanted.dtype.kind if wanted.ndim == 1 else None
    if kind == "b" and len(wanted) == n_columns:
        return np.flatnonzero(wanted)
    if kind in ("i", "u") and not set(wanted.tolist()) - set(range(n_columns)):
        return np.unique(wanted)
    if kind in ("U", "O", "T") and not set(wanted.tolist()) - set(names):
        return np.sort([names.index(name) for name in set(wanted.tolist())])
    raise ValueError(
        f"categorical_features={wanted.tolist()!r} must be a mask, the positions or "
        f"the names of columns; X has {n_columns} columns"
        + (f", {names}." if names else " without names.")
    )


def _by_dtype(X, names):
    """Return whether each column of a data frame has a dtype of categories."""
    if not hasattr(X, "dtypes") or not names:
        return np.empty(0, dtype=bool)
    kinds = [re.split(r"[\[(<]", str(dtype))[0].lower() for dtype in X.dtypes]
    for name, kind in zip(names, kinds, strict=True):
        if kind in TIMES:
            raise ValueError(
                f"Column {name!r} holds times ({kind}). Turn it into numbers (the "
                "year, the hour, days since a date) or leave it out."
            )
    return np.array(
        [
            kind in CATEGORICAL and not (kind == "object" and _are_numbers(X, j))
            for j, kind in enumerate(kinds)
        ]
    )


def _are_numbers(X, j):
    return X.iloc[:, j].infer_objects().dtype.kind in "iuf"


def learn_categories(X, columns):
    """Return the categories in each of some columns, in an order of their own."""
    return [_distinct(_column(X, j)) for j in columns]


def codes(X, columns, categories):
    """Return the codes (n_samples, n_columns) of what stands in some columns.

    `UNKNOWN` is what was not there when the categories were learned.
    """
    from pandas import Index, isna

    out = np.empty((np.shape(X)[0], len(columns)))
    for k, j in enumerate(columns):
        values = _column(X, j)
        out[:, k] = Index(categories[k], dtype=object).get_indexer(values)
        out[isna(values), k] = MISSING
    return out


def _column(X, j):
    return np.asarray(_safe_indexing(X, int(j), axis=1), dtype=object)


def _distinct(values):
    from pandas import isna, unique

    values = unique(values)
    values = sorted(values[~isna(values)], key=lambda v: (type(v).__name__, v))
    categories = np.empty(len(values), dtype=object)
    categories[:] = values
    return categories


def learn_levels(column, weight):
    """Return the codes that get a column of their own, in order.

    The rare ones of many share a column, with the unknown ones.  A column that holds
    the same in all rows becomes none.

    Parameters
    ----------
    column : ndarray of shape (n_rows,)
        Codes.
    weight : ndarray of shape (n_rows,) or None
    """
    levels, inverse = np.unique(column, return_inverse=True)
    if len(levels) == 1:
        return levels[:0]
    if len(levels) > MAX_LEVELS:
        frequent_first = np.argsort(-np.bincount(inverse, weight), kind="stable")
        levels = np.append(RARE, np.sort(levels[frequent_first[: MAX_LEVELS - 1]]))
    return levels


def encode_levels(codes, levels, out):
    """Write the columns of all levels to `out`, side by side."""
    out.fill(0)
    start, rows = 0, np.arange(len(codes))
    for column, own in zip(codes.T, levels, strict=True):
        if len(own):
            position = np.minimum(np.searchsorted(own, column), len(own) - 1)
            has_own = own[position] == column
            if own[0] == RARE:
                position[~has_own], has_own[...] = 0, True
            out[rows[has_own], start + position[has_own]] = 1
            start += len(own)


def level_names(name, categories, levels):
    """Return the names of the columns of some levels."""
    words = {**dict(enumerate(categories)), MISSING: "missing", RARE: "rare"}
    return [f"{name}_{words[level]}" for level in levels]
