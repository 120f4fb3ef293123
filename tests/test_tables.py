"""What the columns of a table hold, whatever table it is: numbers or categories."""

import datetime
import enum
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skdnn import DNNRegressor, _categories, _rows
from skdnn.encoding import TabularEncoder
from tests.tables import binary, classifier, numbers, parameters, regressor

WHOLE = np.round(10 * numbers(40, 1)[:, 0]) + 0.0


def encoder(**params):
    return TabularEncoder(dtype="float64", **params)


def objects(values):
    """Return objects as a column of a frame, as they are."""
    return pd.Series(list(values), dtype=object)


def table(column):
    """Return a frame of a column `a`, and of numbers."""
    return pd.DataFrame({"a": column, "x": np.arange(float(len(column)))})


def names_of(column, **params):
    return list(encoder(**params).fit(table(column)).get_feature_names_out())


# Numbers

NUMBERS = {
    "Decimal": lambda x: objects(map(Decimal, x)),
    "Fraction": lambda x: objects(map(Fraction, x)),
    "int": lambda x: objects(map(int, x)),
    "float": objects,
    "NumPy": lambda x: objects(map(np.float32, x)),
    "a little of each": lambda x: objects([Decimal(x[0]), int(x[1]), *x[2:]]),
    "IntEnum": lambda x: objects(map(enum.IntEnum("Sizes", {"S": 7}), [7] * len(x))),
    "Arrow decimal": lambda x: pd.Series(
        pa.array(map(Decimal, x)), dtype=pd.ArrowDtype(pa.decimal128(5))
    ),
    "sparse": lambda x: pd.Series(pd.arrays.SparseArray(x)),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_objects_that_are_numbers_are_numbers(kind):
    """Numbers of any type are the float64 that they are nearest to."""
    column = NUMBERS[kind](WHOLE)
    expected = table(np.array(column, dtype=np.float64))
    enc = encoder().fit(expected)
    one = encoder().fit(table(column))
    assert list(one.numeric_columns_) == [0, 1]
    np.testing.assert_array_equal(one.transform(table(column)), enc.transform(expected))
    # What was learned from floats holds for any numbers, one row at a time too.
    for rows in slice(None), slice(3, 4):
        np.testing.assert_array_equal(
            enc.transform(table(column)[rows]), enc.transform(expected[rows])
        )


@pytest.mark.parametrize("hole", [None, np.nan, pd.NA, pd.NaT, Decimal("NaN")])
@pytest.mark.parametrize("number", [float, Decimal, Fraction])
def test_holes_among_numbers_are_holes(hole, number):
    """One hole of any kind does not make categories of the numbers beside it."""
    column = objects([hole, *map(number, WHOLE)])
    expected = table(np.array([np.nan, *WHOLE]))
    np.testing.assert_array_equal(
        encoder().fit_transform(table(column)), encoder().fit_transform(expected)
    )


def test_numbers_beyond_64_bits():
    """A number is a float64, however many digits it has, or an error."""
    column = objects([10**30 * (i + 1) for i in range(20)])
    assert names_of(column) == ["a", "x"]
    with pytest.raises(ValueError, match=r"'a' can't be turned into numbers: int too"):
        encoder().fit(table(objects([10**400, 1])))


def test_a_network_learns_from_objects_that_are_numbers():
    """Decimals are as good as floats, with the constructor's defaults otherwise."""
    X = np.round(numbers(300, 3), 2)
    y = X @ [1.0, 2.0, -1.0]
    frame = pd.DataFrame(
        {c: objects(map(Decimal, map(str, X[:, "abc".index(c)]))) for c in "abc"}
    )
    one = DNNRegressor(max_iter=3, random_state=0).fit(
        pd.DataFrame(X, columns=list("abc")), y
    )
    two = DNNRegressor(max_iter=3, random_state=0).fit(frame, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_text_where_training_had_numbers():
    """Text that is a number is one; other text is an error that names the column."""
    enc = encoder().fit(table(WHOLE))
    given = table(objects([None if x == 3 else str(x) for x in WHOLE]))
    expected = table(np.where(WHOLE == 3, np.nan, WHOLE))
    np.testing.assert_array_equal(enc.transform(given), enc.transform(expected))
    np.testing.assert_array_equal(
        enc.transform(given.astype({"a": "string"})), enc.transform(expected)
    )
    with pytest.raises(ValueError, match=r"'a' can't be .* could not convert .*'\?'"):
        enc.transform(table(["1", "?"]))


# Refused

DAY = datetime.date(2020, 1, 1)
TIMES = [
    *(DAY, datetime.time(3), datetime.timedelta(1), pd.Timestamp(DAY)),
    *(datetime.datetime(2020, 1, 1), pd.Period("2020-01"), pd.Timedelta(1)),
    *(np.datetime64("2020-01-01"), np.timedelta64(3, "s")),
]
NEITHER = [pd.Interval(0, 1), [1], {"a": 1}, (1, 2), {1}, object(), 1j, np.ones(2)]


def type_name(value):
    return type(value).__name__


@pytest.mark.parametrize("wanted", ["from_dtype", ["a"], ["x"], None])
@pytest.mark.parametrize("value", [*TIMES, *NEITHER], ids=type_name)
def test_objects_that_are_refused(value, wanted):
    """What is neither number, text nor bool is refused by name, whatever is wanted."""
    message = rf"Column 'a' holds (times \()?{type_name(value)}\b"
    enc = encoder(categorical_features=wanted)
    for column in [value] * 4, [None, "b", value, None], [1.5, None, value, True]:
        with pytest.raises(ValueError, match=message):
            enc.fit(table(objects(column)))
    for trained in (["u", "v"] if wanted in ("from_dtype", ["a"]) else [1.0, 2.0],):
        enc.fit(table(trained))
        with pytest.raises(ValueError, match=message):
            enc.transform(table(objects([value])))


ARROW = {
    "time64": pa.array([1, 2], pa.time64("us")),
    "timestamp": pa.array([1, 2], pa.timestamp("us")),
    "date32": pa.array([1, 2], pa.date32()),
    "duration": pa.array([1, 2], pa.duration("us")),
    "list": pa.array([[1], [2]]),
    "struct": pa.array([{"b": 1}, {"b": 2}]),
}


@pytest.mark.parametrize("kind", ARROW)
@pytest.mark.parametrize("frame", ["pandas", "pyarrow"])
def test_arrow_columns_that_are_refused(kind, frame):
    """The same holds for Arrow's columns, alone and beside others."""
    column = ARROW[kind]
    made = pa.table({"a": column, "x": [1.0, 2]})
    if frame == "pandas":
        column = pd.Series(column, dtype=pd.ArrowDtype(column.type))
        made = pd.DataFrame({"a": column, "x": [1.0, 2]})
    for wanted in "from_dtype", None, ["a"]:
        with pytest.raises(ValueError, match=rf"Column 'a' holds .*{kind}"):
            encoder(categorical_features=wanted).fit(made)


DTYPES = {
    "interval": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2])),
    "period": pd.Series(pd.period_range("2020", periods=2, freq="M")),
    "datetime64": pd.Series(pd.date_range("2020", periods=2, tz="UTC")),
    "complex": pd.Series([1j, 2]),
}


@pytest.mark.parametrize("kind", DTYPES)
def test_dtypes_that_are_refused(kind):
    """So it does for pandas' own dtypes."""
    for wanted in "from_dtype", None:
        with pytest.raises(ValueError, match=rf"Column 'a' .*{kind}"):
            encoder(categorical_features=wanted).fit(table(DTYPES[kind]))


POLARS = {
    "List": pl.Series([[1], [2]]),
    "Struct": pl.Series([{"b": 1}, {"b": 2}]),
    "Time": pl.Series([datetime.time(1), None]),
    "Duration": pl.Series([datetime.timedelta(1), None]),
    "date": pl.Series([DAY, "b"], dtype=pl.Object),
    "list": pl.Series([["b"], None], dtype=pl.Object),
}


@pytest.mark.parametrize("kind", POLARS)
def test_polars_columns_that_are_refused(kind):
    """And for those of polars, whose objects are looked at too."""
    frame = pl.DataFrame({"a": POLARS[kind], "x": [1.0, 2]})
    for wanted in "from_dtype", None:
        with pytest.raises(ValueError, match=rf"Column 'a' holds .*{kind}"):
            encoder(categorical_features=wanted).fit(frame)


def test_refusals_leave_the_estimator_as_it_was():
    """A column that is refused is an error before any work is done."""
    clf = classifier()
    with pytest.raises(ValueError, match="'a' holds times"):
        clf.fit(table(objects([DAY] * 40)), np.arange(40) % 2)
    assert not hasattr(clf, "encoder_")


# Categories of objects


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Word(str, enum.Enum):  # noqa: UP042
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ([Color.RED, Color.BLUE], ["Color.BLUE", "Color.RED"]),
        ([Word.RED, Word.BLUE], ["blue", "red"]),
        ([b"red", b"blue"], ["blue", "red"]),
        ([np.str_("red"), "blue"], ["blue", "red"]),
        ([True, None], ["missing", "True"]),
        (["red", np.nan], ["missing", "red"]),
        (["red", pd.NA], ["missing", "red"]),
    ],
    ids=["Enum", "text Enum", "bytes", "NumPy text", "bool", "NaN", "NA"],
)
def test_objects_that_are_categories(column, names):
    """Text of any type and bool are categories, holes among them are missing."""
    assert names_of(objects(column)) == ["x", *(f"a_{name}" for name in names)]


def test_intervals_of_a_categorical():
    """A dtype of categories says that they are categories, whatever they are."""
    column = pd.cut(np.arange(9.0), [-1, 3, 9])
    assert names_of(pd.Series(column)) == ["x", "a_(-1, 3]", "a_(3, 9]"]


def test_columns_of_polars_and_arrow_that_can_be_used():
    """Decimals, big and half numbers, bytes, dictionaries, nulls, polars' objects."""
    one = pl.DataFrame(
        {
            "decimal": pl.Series(["1.5", None, "2"]).cast(pl.Decimal(5, 2)),
            "big": pl.Series([1, 2, None], dtype=pl.Int128),
            "bytes": pl.Series([b"u", b"v", None]),
            "object": pl.Series([1.5, 2.5, None], dtype=pl.Object),
            "words": pl.Series(["u", "v", "u"], dtype=pl.Object),
            "null": pl.Series([None] * 3),
        }
    )
    two = pa.table(
        {
            "decimal": pa.array([Decimal("1.5"), None, Decimal(2)]),
            "big": pa.array([np.float16(1), np.float16(2), None], pa.float16()),
            "bytes": pa.array([b"u", b"v", None]),
            "object": pa.array([1.5, 2.5, None]),
            "words": pa.array(["u", "v", "u"]).dictionary_encode(),
            "null": pa.nulls(3),
        }
    )
    three = pd.DataFrame(
        {
            "decimal": [1.5, None, 2],
            "big": [1, 2, None],
            "bytes": ["u", "v", None],
            "object": [1.5, 2.5, None],
            "words": ["u", "v", "u"],
            "null": objects([None] * 3),
        }
    )
    expected = encoder().fit_transform(three)
    assert expected.shape == (3, 11)
    for frame in one, two:
        np.testing.assert_array_equal(encoder().fit_transform(frame), expected)


def test_arrow_decimals_alone():
    """They need no category beside them to be numbers."""
    frame = table(NUMBERS["Arrow decimal"](WHOLE))
    np.testing.assert_array_equal(
        encoder().fit_transform(frame[["a"]]),
        encoder().fit_transform(pd.DataFrame({"a": WHOLE})),
    )


# Lists and arrays


@pytest.mark.parametrize("hole", [None, np.nan, pd.NA])
@pytest.mark.parametrize("kind", [list, tuple, lambda r: np.array(r, dtype=object)])
def test_rows_with_holes(kind, hole):
    """A row as JSON has it, null and all, is the row with NaN."""
    X, y = binary()
    clf = classifier().fit(np.where(X > 1, np.nan, X), y)
    row, expected = X[:1].tolist(), X[:1].copy()
    row[0][1], expected[0, 1] = hole, np.nan
    row, other = kind(row), kind([*row, X[1].tolist()])
    np.testing.assert_array_equal(clf.predict_proba(row), clf.predict_proba(expected))
    np.testing.assert_array_equal(
        clf.predict_proba(other)[0], clf.predict_proba(row)[0]
    )


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((4, 2), "datetime64[D]"),
        np.zeros((4, 2), "timedelta64[s]"),
        [[DAY, 1.0]] * 4,
        [[np.datetime64("2020"), np.datetime64("2021")]] * 4,
        np.array([[pd.Timestamp(0), 1.0]] * 4, dtype=object),
    ],
    ids=["datetime64", "timedelta64", "dates", "list of datetime64", "Timestamp"],
)
def test_arrays_of_times(X):
    """An array or list of times is an error that says so, in `fit` and `predict`."""
    reg = regressor().fit(numbers(4, 2), np.arange(4.0))
    for call in reg.predict, lambda X: clone(reg).fit(X, np.arange(4.0)):
        with pytest.raises(ValueError, match="Column 0 holds times"):
            call(X)


def test_text_in_arrays():
    """Text in an array is an error that says what to do, unless it is a number."""
    reg = regressor().fit(numbers(4, 2), np.arange(4.0))
    expected = reg.predict([[1.0, 2.5]])
    for X in [["1", "2.5"]], np.array([["1", "2.5"]]), np.array([[b"1", b"2.5"]]):
        np.testing.assert_array_equal(reg.predict(X), expected)
    with pytest.raises(
        ValueError, match=r"Column 1 can't .*'red'.*categorical_features"
    ):
        reg.predict([[1.0, "red"]])


# How a table is cut


def cut_frame(n):
    """Return a frame of dense, sparse, nullable and category columns of `n` rows."""
    X = numbers(n, 3)
    counts = np.maximum(0, np.round(X)).astype(int)
    return pd.DataFrame(
        {
            "dense": X[:, 0],
            "sparse": pd.arrays.SparseArray(counts[:, 0]),
            "words": pd.Categorical.from_codes(counts[:, 1] % 3, ["u", "v", "w"]),
            "also sparse": pd.arrays.SparseArray(counts[:, 1] > 1),
            "nullable": pd.array(counts[:, 2], dtype="Int64"),
            "float32": X[:, 1].astype("float32"),
        }
    )


@pytest.mark.parametrize("numbers_at_a_time", [1, 200, 2**18])
def test_sparse_columns_beside_others(monkeypatch, numbers_at_a_time):
    """Sparse columns are the dense ones, however the table is cut to be read."""
    frame = cut_frame(100)
    dense = frame.astype({"sparse": float, "also sparse": float, "nullable": float})
    expected = encoder().fit_transform(dense)
    monkeypatch.setattr(_rows, "CHUNK_NUMBERS", numbers_at_a_time)
    for columns in list(frame), [c for c in frame if c != "words"]:
        enc = encoder().fit(frame[columns])
        np.testing.assert_array_equal(
            enc.transform(frame[columns]), expected[:, : 5 + 3 * ("words" in columns)]
        )


def test_sparse_columns_of_many_rows():
    """The same holds for as many rows as are cut without being told."""
    frame = cut_frame(100_000)
    enc = encoder().fit(frame)
    encoded = enc.transform(frame)
    rows = [0, 99_999]
    np.testing.assert_array_equal(enc.transform(frame.iloc[rows]), encoded[rows])


@pytest.mark.parametrize("fill", [0.0, 1.0, np.nan])
def test_sparse_columns_alone(fill):
    """A frame of sparse columns is the array, and stays sparse if zeros fill it."""
    X = np.maximum(0, np.round(numbers(50, 3)))
    frame = pd.DataFrame(
        {c: pd.arrays.SparseArray(X[:, "abc".index(c)], fill_value=fill) for c in "abc"}
    )
    enc = encoder()
    assert sp.issparse(enc.validate(enc, frame, reset=True)) == (fill == 0)
    enc.fit(frame)
    expected = encoder().fit_transform(pd.DataFrame(X, columns=list("abc")))
    for given in frame, pd.DataFrame(X, columns=list("abc")), frame[:1]:
        np.testing.assert_array_equal(enc.transform(given), expected[: len(given)])
    for mixed in frame.assign(c=pd.arrays.SparseArray(X[:, 2] > 0)), frame.astype(bool):
        same = encoder(categorical_features=None)
        np.testing.assert_array_equal(
            same.fit_transform(mixed), same.fit_transform(mixed.astype(float))
        )


def test_few_rows_are_as_many():
    """The quick way for few rows leads to the same codes."""
    frame = pd.DataFrame({"a": ["u", None, "w", "v"] * 20, "b": [3, 1, 2, 1] * 20})
    frame["c"] = frame["b"].where(frame["b"] > 1).astype("category")
    enc = encoder(categorical_features=list("abc")).fit(frame)
    for table in frame, frame.astype({"a": "string", "b": object}):
        encoded = enc.transform(table)
        for n in 1, 2, _categories.FEW_ROWS, _categories.FEW_ROWS + 1:
            np.testing.assert_array_equal(enc.transform(table[:n]), encoded[:n])


# What was learned holds


@pytest.mark.sampled
@pytest.mark.parametrize("hole", [None, np.nan, pd.NA])
@pytest.mark.parametrize("scaling", ["robust", None])
@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_text_that_is_missing_in_training(hole, scaling, dtype):
    """A column of text without any in a fold has no part, and is no error later."""
    enc = encoder(numeric_scaling=scaling)
    enc.fit(table(pd.Series([hole] * 4, dtype=dtype).iloc[:4]))
    assert list(enc.get_feature_names_out()) == ["x"]
    for later in ["u", "v"], [hole, "u"], objects([1.5, "v"]):
        np.testing.assert_array_equal(
            enc.transform(table(later)), enc.transform(table([None, None]))
        )


def test_text_that_is_missing_in_one_fold():
    """Training goes on where text comes for the first time, in `partial_fit` too."""
    clf = classifier().partial_fit(table(objects([np.nan] * 4)), [0, 1] * 2, [0, 1])
    clf.partial_fit(table(["u", "v"] * 2), [0, 1] * 2)
    clf.predict(table(["w"] * 4))


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("trained", "later"),
    [
        (["1", "2", "3"], [1, 2, 3]),
        (["1", "2", "3"], [1.0, 2.0, 3.0]),
        (["1", "2", "3"], [Decimal(1), np.int8(2), 3]),
        (["1.0", "2.0", "3.0"], [1, 2, 3]),
        (["01", "02", "03"], [1, 2, 3]),
        ([1.0, 2.0, 3.0], ["1", "2", "3"]),
        ([True, False, True], [1, 0, 1]),
        ([True, False, True], ["True", "False", "True"]),
        (["True", "False", "True"], [True, False, True]),
        ([1, 0, 1], [True, False, True]),
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 20])
def test_categories_in_another_type(trained, later, n):
    """What can only mean one category of training is understood as that."""
    enc = encoder(categorical_features=["a"]).fit(table(objects(trained * n)))
    np.testing.assert_array_equal(
        enc.transform(table(objects(later * n))),
        enc.transform(table(objects(trained * n))),
    )


# Columns that are named


@pytest.mark.parametrize(
    "none",
    [[], (), np.array([]), pd.Index([]), pd.Series([], dtype=object), np.zeros(0, int)],
    ids=lambda none: f"{type(none).__name__} {getattr(none, 'dtype', '')}",
)
def test_no_column_is_named(none):
    """Nothing in `categorical_features` is none, for tables of any kind."""
    X, y = binary()
    frame = pd.DataFrame(X, columns=list("abcd"))
    one = classifier(categorical_features=None, warm_start=True).fit(X, y)
    for table in X, X.tolist(), frame, sp.csr_array(X):
        two = classifier(categorical_features=none, warm_start=True).fit(table, y)
        assert list(two.encoder_.categorical_columns_) == []
        np.testing.assert_array_equal(parameters(one), parameters(two))
    two.fit(sp.csr_array(X), y)


@pytest.mark.parametrize(
    "wanted",
    [
        pd.Index(["a"]),
        pd.Series(["a"]),
        pl.Series(["a"]),
        ("a",),
        np.array(["a"], dtype=object),
        pd.Index([0]),
        range(1),
        np.array([True, False]),
        pd.Series([True, False]),
        pd.array([True, False], dtype="boolean"),
        [np.True_, np.False_],
    ],
    ids=lambda wanted: f"{type(wanted).__name__} {getattr(wanted, 'dtype', '')}",
)
def test_columns_named_in_other_types(wanted):
    """Names, positions and masks may come in anything, and training may go on."""
    frame, y = table([3, 1, 2, 1]), [0, 1] * 2
    clf = classifier(categorical_features=wanted).partial_fit(frame, y, [0, 1])
    clf.partial_fit(frame, y)
    assert list(clf.encoder_.categorical_columns_) == [0]


# Warnings


def said(call, *args):
    """Return the warnings of a call."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        call(*args)
    return [str(one.message) for one in record]


def test_numbers_that_are_text_get_a_warning():
    """One '?' among numbers is a warning that names the column and the way out."""
    column = [*map(str, np.arange(50) / 7), "?"]
    for dtype in object, "str", "string":
        (text,) = said(encoder().fit, table(pd.Series(column, dtype=dtype)))
        assert "'a'" in text
        assert "pd.to_numeric(errors='coerce')" in text
    with pytest.warns(UserWarning, match="are numbers: 'a'"):
        classifier().fit(table(column)[:50], np.arange(50) % 2)
    # Objects that mix text with numbers, as pandas reads long files.
    (text,) = said(encoder().fit, table(objects([*range(50), "7", "?"])))
    assert "'a'" in text


def test_identifiers_get_a_warning():
    """So is a column in which nearly every row has a category of its own."""
    column = [f"person {i % 195}" for i in range(200)]
    (text,) = said(encoder().fit, table(column))
    assert "'a'" in text
    assert "Leave the columns out" in text
    frame = table(column).assign(b=column, c=["u", "v"] * 100)
    (text,) = said(encoder().fit, frame)
    assert "'a', 'b'." in text


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([*map(str, range(50)), "?"], dtype="category"),
        [str(i % 12) for i in range(500)],
        [f"word {i}" for i in range(50)],
        [f"word {i % 100}" for i in range(200)],
        [f"{i}th" for i in range(60)],
        objects([True, 1, "1"] * 40),
    ],
    ids=["as told", "few numbers", "few rows", "words", "with a unit", "mixed"],
)
def test_categories_get_no_warning(column):
    """What was called categories, or may well be, is not."""
    assert said(encoder().fit_transform, table(column)) == []


def test_columns_that_are_named_get_no_warning():
    """Who names a column as one of categories means it."""
    enc = encoder(categorical_features=["a"])
    assert said(enc.fit, table([*map(str, range(300))])) == []


def test_columns_that_say_nothing_any_more_get_a_warning():
    """Not one known category in many rows is a warning; one unknown row is none."""
    frame = table(["u", "v"] * 10)
    enc = encoder().fit(frame)
    later = table(["U", "V"] * 10)
    (text,) = said(enc.transform, later)
    assert "'a'" in text
    for quiet in later[:1], later.assign(a=["u", *["U"] * 19]), later.assign(a=None):
        assert said(enc.transform, quiet) == []
    clf = classifier().fit(frame, [0, 1] * 10)
    with pytest.warns(UserWarning, match="'a'"):
        clf.predict(later)


def test_categories_that_are_rare_in_training_get_no_warning(monkeypatch):
    """Where most rows had no category that was kept, not to know one is usual."""
    monkeypatch.setattr(_categories, "MAX_LEVELS", 3)
    column = [f"word {i % 60}" for i in range(120)]
    enc = encoder().fit(table(column))
    assert enc.known_shares_[0] < 0.1
    assert said(enc.transform, table(["other"] * 100)) == []
