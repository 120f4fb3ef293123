"""Which columns of a table hold categories, and what becomes of these.

A category becomes a code, its position among those of its column. In the result, the
codes of a column become columns that are 1 in their rows and 0 in the others, or one
column of smaller codes, of those that are frequent.
"""

import re

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

#: Codes of what is not among the categories; `RARE` is for all that have no level.
UNKNOWN, MISSING, RARE = -1, -2, -3

#: The most columns that a column of categories becomes.
MAX_LEVELS = 100

#: The most levels with a code of their own: a float32 can't tell more numbers apart.
MAX_CODES = 2**24 - 1

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
    if isinstance(wanted, str):
        return np.flatnonzero(_by_dtype(X))
    if wanted is None or np.ndim(X) != 2:
        return np.empty(0, dtype=np.intp)
    if issparse(X):
        raise ValueError(
            f"categorical_features={wanted!r} needs a dense table, X is sparse."
        )
    names = [str(name) for name in getattr(X, "columns", [])]
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


def refuse_times(X):
    """Raise an error if a column of a data frame holds dates or times."""
    for j, kind in enumerate(_kinds(X)):
        if kind in TIMES:
            name = str(X.columns[j])
            raise ValueError(
                f"Column {name!r} holds times ({kind}). Turn it into numbers (the "
                "year, the hour, days since a date) or leave it out."
            )


def _kinds(X):
    """Return what the dtypes of a data frame are called; other tables have none."""
    dtypes = getattr(X, "dtypes", []) if hasattr(X, "columns") else []
    return [re.split(r"[\[(<]", str(dtype))[0].lower() for dtype in dtypes]


def _by_dtype(X):
    """Return whether each column of a data frame has a dtype of categories."""
    return [
        kind in CATEGORICAL and not (kind == "object" and _are_numbers(X, j))
        for j, kind in enumerate(_kinds(X))
    ]


def _are_numbers(X, j):
    return X.iloc[:, j].infer_objects().dtype.kind in "iuf"


def codes_and_categories(X, j, categories=None):
    """Return the codes of what stands in a column, and its categories.

    Parameters
    ----------
    X : table
    j : int
        Position of the column.
    categories : ndarray of object, default=None
        What the codes count, by default what stands there, in an order of its own.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        `UNKNOWN` is what is not among the categories.
    categories : ndarray of object
    """
    from pandas import Index, factorize

    column = _safe_indexing(X, int(j), axis=1)
    # The one pass over the rows, and none for those that are categorical already. Of
    # pandas' column the array, as a series makes floats of objects that are numbers.
    own, distinct = factorize(_array(column))
    distinct = np.asarray(distinct, dtype=object)
    if categories is None:
        categories = _in_order(distinct)
    # As objects, so that 1 is 1.0, and a word the word that it is in any other dtype.
    position = Index(categories, dtype=object).get_indexer(
        Index(distinct, dtype=object)
    )
    # What is missing is -1 in `own`, the last position.
    return np.append(position, MISSING)[own], categories


def _array(column):
    """Return what pandas factorizes: an array of its own or NumPy's."""
    if hasattr(column, "array"):
        return column.array
    return column if isinstance(column, np.ndarray) else np.asarray(column, object)


def _in_order(values):
    values = sorted(values, key=lambda v: (type(v).__name__, v))
    categories = np.empty(len(values), dtype=object)
    categories[:] = values
    return categories


def learn_levels(column, weight, max_one_hot=None, min_frequency=1):
    """Return the codes that have a level of their own, and what becomes of levels.

    The rare ones of many share a level, with the unknown ones. A column that holds the
    same in all rows has none, nor has one of codes in which all are rare.

    Parameters
    ----------
    column : ndarray of shape (n_rows,)
        Codes.
    weight : ndarray of shape (n_rows,) or None
        Not zero.
    max_one_hot : int or None
        Of more levels, each becomes a number in one column, otherwise a column.
    min_frequency : int
        What a level must weigh to have a number of its own. Where the mean weight is
        less than one, it is the unit.

    Returns
    -------
    levels : ndarray of int
        In order. The first is `RARE` where there is a level to share, as there always
        is with numbers.
    is_coded : bool
        Whether levels become numbers.
    """
    count = np.bincount(column.astype(np.intp) - RARE, weight)
    levels = np.flatnonzero(count) + RARE
    if len(levels) == 1:
        return levels[:0], False
    is_coded = max_one_hot is not None and len(levels) > max_one_hot
    if is_coded:
        unit = 1 if weight is None else min(1, weight.mean())
        # But for rounding errors of the sums.
        n_own = np.count_nonzero(count >= min_frequency * unit * (1 - 1e-10))
        n_own = min(n_own, MAX_CODES)
        if not n_own:
            return levels[:0], False
    elif len(levels) > MAX_LEVELS:
        n_own = MAX_LEVELS - 1
    else:
        return levels, False
    frequent_first = np.argsort(-count[levels - RARE], kind="stable")
    own = np.sort(levels[frequent_first[:n_own]])
    return np.append(RARE, own), is_coded


def encode_levels(codes, levels, coded, out):
    """Write the columns of all levels to `out`, side by side, those of codes last."""
    out.fill(0)
    rows = np.arange(len(codes))
    start, start_of_coded = 0, out.shape[1] - len(coded)
    for k, own in enumerate(levels):
        if k in coded:
            out[:, start_of_coded], _ = _positions(codes[:, k], own)
            start_of_coded += 1
        elif len(own):
            position, is_there = _positions(codes[:, k], own)
            out[rows[is_there], start + position[is_there]] = 1
            start += len(own)


def _positions(column, own):
    """Return the positions of codes among the levels, and whether they are there."""
    position = np.minimum(np.searchsorted(own, column), len(own) - 1)
    is_there = own[position] == column
    if own[0] == RARE:
        position[~is_there], is_there[...] = 0, True
    return position, is_there


def level_names(name, categories, levels):
    """Return the names of the columns of some levels."""
    words = {**dict(enumerate(categories)), MISSING: "missing", RARE: "rare"}
    return [f"{name}_{words[level]}" for level in levels]
