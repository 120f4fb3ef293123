"""Tables of any library as columns, and what these hold: one way in for all of them.

A column holds numbers, categories (text, bool, or a dtype of categories), or objects,
whose types say what they are. Anything else, such as dates, is an error that names the
column: what is not recognized is never a category.
"""

import re
from abc import ABC, abstractmethod
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from numbers import Real

import numpy as np

from skdnn._rows import chunks

#: What a column holds, by its dtype.
NUMBERS, CATEGORIES, OBJECTS = "numbers", "categories", "objects"

#: What objects are, by their type.
NUMBER, TEXT, BOOL, HOLE = "number", "text", "bool", "hole"

KINDS_OF_NUMPY = {
    # scikit-learn refuses complex ones.
    **dict.fromkeys("iufc", NUMBERS),
    **dict.fromkeys("bUST", CATEGORIES),
    "O": OBJECTS,
}

#: Names of dtypes, of pandas, Arrow and polars, up to their first bracket.
CATEGORICAL = {
    *("category", "categorical", "enum", "dictionary", "null"),
    *("str", "string", "large_string", "string_view", "utf8"),
    *("bool", "boolean", "binary", "large_binary", "fixed_size_binary"),
}
NUMERIC = re.compile(r"u?int\d+|float\d*|double|halffloat|decimal\d*")
TIMES = {
    *("datetime64", "datetime", "timestamp", "date", "date32", "date64"),
    *("time", "time32", "time64", "timedelta64", "timedelta", "duration", "period"),
}
TYPES_OF_TIMES = date, time, timedelta, np.datetime64, np.timedelta64


class TakesTablesMixin:
    """Tells scikit-learn what tables an estimator takes, by its parameters."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.numeric_scaling is not None
        tags.input_tags.sparse = True
        tags.input_tags.categorical = self.categorical_features is not None
        return tags


def as_table(X):
    """Return a dense table of any kind as a `Table`."""
    if hasattr(X, "iloc"):
        return PandasTable(X)
    if hasattr(X, "get_columns"):
        return PolarsTable(X)
    if hasattr(X, "to_pandas"):
        from pandas import ArrowDtype

        return PandasTable(X.to_pandas(types_mapper=ArrowDtype))
    return ArrayTable(X)


def are_categories(kinds):
    """Whether a column is one of categories, by the kinds of what stands in it.

    Objects that are all missing are: where there are some, they may be text.
    """
    return not kinds or not kinds <= {NUMBERS, NUMBER}


def as_array(X):
    """Return an array-like, where lists may hold anything, as an array."""
    array = np.asarray(X)
    # What NumPy makes text, the numbers beside it too, or times, is looked at as it is.
    is_list = isinstance(X, list | tuple) and array.dtype.kind not in "biufc"
    return np.array(X, dtype=object) if is_list else array


class Table(ABC):
    """Columns of one of the libraries that have tables.

    Parameters
    ----------
    shape : tuple of int
    dtypes : list
        Of the columns.
    columns : list or None
        What the columns are called, if they are.

    Attributes
    ----------
    names : list of str or None
        What they are called, as text.
    is_native : bool
        Whether scikit-learn reads the table as it is, without a copy.
    """

    is_native = False

    def __init__(self, shape, dtypes, columns):
        self.shape = shape
        self.columns = columns
        self.names = None if columns is None else list(map(str, columns))
        self.dtypes = dtypes
        self._kinds = {}
        for j in range(len(columns or [])):
            self.kind(j)

    @abstractmethod
    def _column(self, j):
        """Return a column as an array of NumPy or pandas."""

    def plain_numbers(self):
        """Return all columns as one array of numbers, or None where some are not."""
        return None

    def kind(self, j):
        """Return what a column holds, by its dtype."""
        dtype = self.dtypes[j]
        if isinstance(dtype, np.dtype):
            kind = KINDS_OF_NUMPY.get(dtype.kind)
        else:
            kind = _kind_called(str(getattr(dtype, "name", dtype)))
        if kind is None:
            name = str(dtype)
            raise self._refusal(j, name, _first_word(name) in TIMES)
        return kind

    def is_declared(self, j):
        """Whether the dtype of a column is one of categories, and nothing else."""
        name = str(self.dtypes[j])
        return _first_word(name) in ("category", "categorical", "enum", "dictionary")

    def holds_categories(self, j):
        """Whether a column is one of categories if nobody says what it is."""
        return are_categories(self.kinds_of_values(j))

    def kinds_of_values(self, j):
        """Return what stands in a column: a set of kinds, which another may add to.

        Nothing but what is missing is no kind.
        """
        if self.kind(j) != OBJECTS:
            return frozenset([self.kind(j)])
        kinds = self._kinds_of_objects(j) - {HOLE}
        if kinds == {NUMBER}:
            from pandas import isna

            # A float that is no number is missing.
            kinds = set() if isna(self._column(j)).all() else kinds
        return frozenset(kinds)

    def values(self, j):
        """Return a column, of which equal objects are one category.

        True is not 1, though Python has it so.
        """
        if self.kind(j) != OBJECTS:
            return self._column(j)
        if self._kinds_of_objects(j) >= {NUMBER, BOOL}:
            return object_array(map(_bool_as_text, self._column(j)))
        return self._column(j)

    def numbers(self, j):
        """Return a column of anything that can be numbers as an array of these."""
        if self.kind(j) == OBJECTS:
            self._kinds_of_objects(j)
        try:
            return _as_numbers(self._column(j))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"Column {self.title(j)} can't be turned into numbers: {error}. If it "
                "holds categories, say so in categorical_features; otherwise turn it "
                "into numbers or leave it out."
            ) from error

    def write_numbers(self, columns, out):
        """Write some columns, as numbers, to the columns of `out`."""
        for k, j in enumerate(columns):
            out[:, k] = self.numbers(j)

    def title(self, j):
        """Return what to call a column in a message."""
        return str(j) if self.names is None else repr(self.names[j])

    def _kinds_of_objects(self, j):
        """Return what stands in a column of objects, each kind once."""
        if j not in self._kinds:
            types = set(map(type, self._column(j)))
            for one in types:
                if _kind_of_type(one) is None:
                    raise self._refusal(j, one.__name__, _is_time(one))
            self._kinds[j] = set(map(_kind_of_type, types))
        return self._kinds[j]

    def _refusal(self, j, what, is_time):
        if is_time:
            return ValueError(
                f"Column {self.title(j)} holds times ({what}). Turn it into numbers "
                "(the year, the hour, days since a date) or leave it out."
            )
        if self.names is None:
            # What NumPy raises.
            return TypeError(
                f"Column {self.title(j)} holds {what}; the argument must be a string "
                "or a real number."
            )
        return ValueError(
            f"Column {self.title(j)} holds {what}, which is neither numbers, text nor "
            "bool. Turn it into one of these or leave it out."
        )


class ArrayTable(Table):
    """Columns of a NumPy array, which have neither names nor dtypes of their own."""

    def __init__(self, X):
        self.X = X
        self.is_native = X.dtype.kind in "biufc"
        super().__init__(X.shape, [X.dtype] * X.shape[1], None)

    def _column(self, j):
        column = self.X[:, j]
        return column.astype(object) if column.dtype.kind in "UST" else column


class PandasTable(Table):
    """Columns of a data frame of pandas."""

    def __init__(self, frame):
        self.frame = frame
        dtypes = list(frame.dtypes)
        super().__init__(frame.shape, dtypes, list(frame.columns))
        self._is_plain = np.array(
            [isinstance(d, np.dtype) and d.kind in "biuf" for d in dtypes], dtype=bool
        )
        self.is_native = _are_sparse(dtypes)
        # Pandas is quick to go through all columns, and slow to look up one.
        self._columns = None
        if 4 * self._is_plain.sum() < len(dtypes):
            self._columns = [column.array for _, column in frame.items()]

    def plain_numbers(self):
        if not self._is_plain.all() or not self.dtypes:
            return None
        # Which pandas does not always find itself.
        return self.frame.to_numpy(np.result_type(*set(self.dtypes)))

    def write_numbers(self, columns, out):
        plain = np.flatnonzero(self._is_plain[columns])
        # A few columns at a time, as pandas makes a copy of them.
        for some in chunks(len(plain), len(out)):
            block = self.frame.iloc[:, columns[plain[some]]]
            out[:, plain[some]] = block.to_numpy(np.float64)
        for k in np.flatnonzero(~self._is_plain[columns]):
            out[:, k] = self.numbers(columns[k])

    def _column(self, j):
        if self._columns is not None:
            column = self._columns[j]
        else:
            column = self.frame.iloc[:, int(j)].array
        return column.to_numpy() if isinstance(self.dtypes[j], np.dtype) else column


class PolarsTable(Table):
    """Columns of a data frame of polars."""

    def __init__(self, frame):
        self.frame = frame
        super().__init__(frame.shape, frame.dtypes, frame.columns)

    def numbers(self, j):
        if self.kind(j) == NUMBERS:
            # NumPy has no numbers of 128 bits.
            return self.frame.to_series(int(j)).cast(float).to_numpy()
        return super().numbers(j)

    def _column(self, j):
        return self.frame.to_series(int(j)).to_numpy()


def _are_sparse(dtypes):
    """Whether columns make a sparse table, for which pandas has no conversion else."""
    if not all(str(dtype).startswith("Sparse") for dtype in dtypes):
        return False
    kinds = {dtype.subtype.kind for dtype in dtypes}
    is_one_type = kinds == {"b"} or kinds <= set("iuf")
    return is_one_type and all(dtype.fill_value == 0 for dtype in dtypes)


def object_array(values):
    """Return an array that has each of some objects as an element."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _as_numbers(column):
    """Return an array of NumPy or pandas as numbers, holes as NaN."""
    if hasattr(column, "categories"):
        column = np.asarray(column)
    if column.dtype.kind in "mM":
        raise TypeError("it holds times")
    if column.dtype.kind in "iufb":
        if isinstance(column, np.ndarray):
            return column
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    from pandas import isna

    objects, holes = np.asarray(column, dtype=object), isna(column)
    numbers = np.full(len(objects), np.nan)
    numbers[~holes] = objects[~holes].astype(np.float64)
    return numbers


@lru_cache
def _kind_called(name):
    """Return what a column holds by the name of its dtype, or None."""
    word = _first_word(name)
    if word == "sparse":
        # What is not there in dummies of 0 and 1, False as a rule, is a number too.
        word = _first_word(name.lower().removeprefix("sparse[")).rstrip("]")
        return NUMBERS if NUMERIC.fullmatch(word) or word.startswith("bool") else None
    if word == "object":
        return OBJECTS
    if word in CATEGORICAL:
        return CATEGORIES
    return NUMBERS if NUMERIC.fullmatch(word) else None


def _first_word(name):
    return re.split(r"[\[(<,]", name, maxsplit=1)[0].lower()


@lru_cache
def _kind_of_type(type_):
    """Return what objects of a type are, or None."""
    if type_ is type(None) or type_.__name__ in ("NAType", "NaTType"):
        return HOLE
    if issubclass(type_, bool | np.bool_):
        return BOOL
    if _is_time(type_):
        return None
    if issubclass(type_, Real | Decimal):
        return NUMBER
    return TEXT if issubclass(type_, str | bytes | Enum) else None


def _bool_as_text(value):
    return str(value) if isinstance(value, bool | np.bool_) else value


def _is_time(type_):
    return issubclass(type_, TYPES_OF_TIMES) or type_.__name__.lower() in TIMES
