"""Which columns of a table hold categories, and what becomes of these.

A category is known by its name: text by itself, a number by the shortest text for it,
so that 1, 1.0 and "1" are one category, whatever holds them. Its code is its position
among all names of the column in training. In the result, the codes of a column become
columns that are 1 in their rows and 0 in the others, or one column of smaller codes, of
those that are frequent.
"""

import re
from decimal import Decimal
from numbers import Real

import numpy as np

from skdnn._warnings import warn

#: Codes of what is not among the categories; `RARE` is for all that have no level.
UNKNOWN, MISSING, RARE = -1, -2, -3

#: The most columns that a column of categories becomes.
MAX_LEVELS = 100

#: The most levels with a code of their own: a float32 can't tell more numbers apart.
MAX_CODES = 2**24 - 1

#: Up to so many rows, looking each of them up is quicker than finding equal ones.
FEW_ROWS = 32

#: Text that is a number, as text; words like "nan" and "infinity" are words here.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

#: So many different numbers are too many to be meant as categories. With fewer, such as
#: grades or months, categories do as well.
MANY_NUMBERS = 20

#: Names that are looked at to see whether a column is one of numbers.
LOOKED_AT = 1000

#: In fewer rows, a column of many categories can look like one of names or numbers of
#: persons or things.
ENOUGH_ROWS = 100


def categorical_columns(table, wanted):
    """Return the positions of the columns of a table that hold categories.

    Parameters
    ----------
    table : Table, or None for one that can hold nothing but numbers
    wanted : {"from_dtype"}, None, or array-like of bool, int or str
        As `categorical_features` of the estimators.
    """
    is_none = wanted is None or (not is_from_dtype(wanted) and np.size(wanted) == 0)
    if is_none or (table is None and is_from_dtype(wanted)):
        return np.empty(0, dtype=np.intp)
    if table is None:
        raise ValueError(
            f"categorical_features={wanted!r} needs a dense table with rows and "
            "columns, X is none."
        )
    n_columns, names = table.shape[1], table.names or []
    if is_from_dtype(wanted):
        # The columns of an array have no dtypes of their own.
        is_category = [table.holds_categories(j) for j in range(len(names))]
        return np.flatnonzero(is_category)
    # In NumPy's types, whatever kept them.
    wanted = np.array(np.asarray(wanted).tolist())
    kind = wanted.dtype.kind if wanted.ndim == 1 else None
    if kind == "b" and len(wanted) == n_columns:
        return np.flatnonzero(wanted)
    if kind in ("i", "u") and not set(wanted.tolist()) - set(range(n_columns)):
        return np.unique(wanted)
    if kind == "U" and not set(wanted.tolist()) - set(names):
        return np.flatnonzero(np.isin(names, wanted))
    raise ValueError(
        f"categorical_features={wanted.tolist()!r} must be a mask, the positions or "
        f"the names of columns; X has {n_columns} columns"
        + (f", {names}." if names else " without names.")
    )


def is_from_dtype(wanted):
    """Whether the dtypes of a table say which of its columns are categories."""
    return isinstance(wanted, str)


def codes_and_names(column):
    """Return the codes of what stands in a column, and the names that they count.

    Parameters
    ----------
    column : array of NumPy or pandas

    Returns
    -------
    codes : ndarray of shape (n_samples,)
    names : list of str
        In an order of their own: numbers by value, then text.
    """
    own, values = _distinct(column)
    of_values = list(map(name_of, values))
    names = in_order(set(of_values) - {None})
    index = {name: code for code, name in enumerate(names)}
    codes = np.full(len(values) + 1, MISSING)
    codes[:-1] = [index.get(name, MISSING) for name in of_values]
    return codes[own], names


def index_of(names, codes):
    """Return a dictionary of codes by names, and where these are numbers, by these."""
    index = dict(zip(names, codes, strict=True))
    for name, code in zip(names, codes, strict=True):
        if NUMBER.fullmatch(name):
            index.setdefault(float(name), code)
    # Bools that another program made 0 and 1, or the reverse.
    for one, other in ("True", 1.0), ("False", 0.0), (1.0, "True"), (0.0, "False"):
        if one in index:
            index.setdefault(other, index[one])
    return index


def look_up(column, index):
    """Return the codes of what stands in a column.

    Parameters
    ----------
    column : array of NumPy or pandas
    index : dict
        What `index_of` returned. Text is found by name, anything else by name or, as a
        second try, by number.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        `UNKNOWN` is what is not in the index.
    """
    own, values = _distinct(column)
    codes = np.full(len(values) + 1, MISSING)
    for k, value in enumerate(values):
        name = name_of(value)
        if name is None:
            continue
        code = index.get(name, UNKNOWN)
        if code == UNKNOWN and isinstance(value, Real | Decimal):
            code = index.get(_as_float(value), UNKNOWN)
        codes[k] = code
    return codes[own]


def _distinct(column):
    """Return the position of each row's value among some, and these as objects.

    The position of what is missing is -1, or that of a value that is. Of few rows, all
    values are returned.
    """
    from pandas import factorize

    if hasattr(column, "categories"):
        return _distinct_of_categorical(column)
    if len(column) <= FEW_ROWS:
        return slice(len(column)), list(column)
    own, values = factorize(column)
    return own, np.asarray(values, dtype=object)


def _distinct_of_categorical(column):
    """Return the same of a categorical, in which it is there to be read."""
    categories = column.categories
    if len(column) <= FEW_ROWS:
        # One by one, as pandas is slow to take few of them.
        values = [None if c < 0 else categories[c] for c in column.codes.tolist()]
        return slice(len(values)), values
    is_used = np.zeros(len(categories) + 1, dtype=bool)
    # The last is what is missing, whose code is -1.
    is_used[column.codes] = True
    used = np.flatnonzero(is_used[:-1])
    own = np.full(len(is_used), -1)
    own[used] = np.arange(len(used))
    return own[column.codes], np.asarray(categories.take(used), dtype=object)


def name_of(value):
    """Return the name of a category, None where it is missing.

    Equal values of different types have one name.
    """
    kind = type(value)
    if kind is str:
        return value
    if isinstance(value, str):
        # Not that of an enum that is text too.
        return str.__str__(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, Real | Decimal):
        return None if value != value else _name_of_number(value)
    is_missing = value is None or kind.__name__ in ("NAType", "NaTType")
    return None if is_missing else str(value)


def _name_of_number(value):
    """Return the same for equal numbers of any type."""
    try:
        whole = int(value)
    except OverflowError:
        return str(float(value))
    return str(whole) if whole == value else str(_as_float(value))


def _as_float(value):
    try:
        return float(value)
    except OverflowError:
        return np.inf


def in_order(names):
    """Return a set of names as a list, numbers by value, then text."""
    numbers = {name for name in names if NUMBER.fullmatch(name)}
    by_value = sorted(numbers, key=lambda name: (float(name), name))
    return by_value + sorted(names - numbers)


def seem_numbers(names):
    """Whether most categories of a column are numbers, and too many to be meant so."""
    looked_at = names[:: len(names) // LOOKED_AT + 1]
    n_numbers = sum(bool(NUMBER.fullmatch(name.strip())) for name in looked_at)
    return n_numbers >= MANY_NUMBERS and 2 * n_numbers > len(looked_at)


def seem_identifiers(names, n_rows):
    """Whether nearly every row has a category of its own, which says nothing."""
    return n_rows >= ENOUGH_ROWS and len(names) > 0.9 * n_rows


def warn_of(what, columns, way_out):
    """Warn of some columns, if there are any."""
    if columns:
        warn(f"{what}: {', '.join(columns)}. {way_out}")


def warn_of_odd(columns):
    """Warn of columns of text that were not meant as categories, it seems.

    Parameters
    ----------
    columns : iterable of tuple
        What to call each, the names of its categories, and how many rows have one.
    """
    numbers, identifiers = [], []
    for title, names, n_rows in columns:
        if seem_numbers(names):
            numbers.append(title)
        elif seem_identifiers(names, n_rows):
            identifiers.append(title)
    way_out = "or make them categories (astype('category')) if that is what they are."
    warn_of(
        "Most values of these columns of categories are numbers",
        numbers,
        f"Turn them into numbers (pd.to_numeric(errors='coerce')), {way_out}",
    )
    warn_of(
        "Nearly every row has a category of its own in these columns",
        identifiers,
        f"Such a category says nothing. Leave the columns out, {way_out}",
    )


def learn_levels(count, mean_weight, max_one_hot=None, min_frequency=1):
    """Return the codes that have a level of their own, and what becomes of levels.

    The rare ones of many share a level, with the unknown ones. A column that holds the
    same in all rows has none, nor has one of codes in which all are rare.

    Parameters
    ----------
    count : ndarray
        What the rows of each code weigh, from `RARE` on.
    mean_weight : float
        Of the rows.
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
    levels = np.flatnonzero(count) + RARE
    if len(levels) == 1:
        return levels[:0], False
    is_coded = max_one_hot is not None and len(levels) > max_one_hot
    if is_coded:
        unit = min(1, mean_weight)
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
            out[:, start_of_coded], _ = positions(codes[:, k], own)
            start_of_coded += 1
        elif len(own):
            position, is_there = positions(codes[:, k], own)
            out[rows[is_there], start + position[is_there]] = 1
            start += len(own)


def positions(column, own):
    """Return the positions of codes among the levels, and whether they are there."""
    position = np.minimum(np.searchsorted(own, column), len(own) - 1)
    is_there = own[position] == column
    if own[0] == RARE:
        position[~is_there], is_there[...] = 0, True
    return position, is_there


def level_names(name, categories, levels):
    """Return the names of the columns of some levels."""
    own = levels[levels >= 0]
    words = {
        MISSING: "missing",
        RARE: "rare",
        **dict(zip(own, categories, strict=True)),
    }
    return [f"{name}_{words[level]}" for level in levels]
