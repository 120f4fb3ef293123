"""The encoder against its formulas, in plain NumPy."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import ndtri
from scipy.stats import norm, rankdata
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdnn import _rows, _statistics
from skdnn._scalings import EDGE
from skdnn.encoding import TabularEncoder
from tests.plain import plain_classifier
from tests.tables import binary, classifier, holes, numbers

SCALINGS = ["robust", "standard", "quantile"]
scalings = pytest.mark.parametrize("scaling", SCALINGS)
all_scalings = pytest.mark.parametrize("scaling", [*SCALINGS, None])


def encoder(scaling="robust", dtype="float64"):
    return TabularEncoder(scaling, dtype=dtype)


def squash(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


@pytest.fixture
def X():
    """Columns of different location, scale and shape; 101 rows make quantiles exact."""
    X = numbers(101, 3)
    return np.column_stack([X[:, 0], 1000 + 50 * X[:, 1], np.exp(3 * X[:, 2])])


# Formulas


def test_robust(X):
    """Robust scaling is the distance to the median in quartile ranges, squashed."""
    q25, median, q75 = np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    expected = squash((X - median) / (q75 - q25))
    actual = encoder("robust").fit_transform(X)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_robust_keeps_outliers_within_3():
    """No number, however large, is encoded beyond 3."""
    X = numbers(50, 1)
    enc = encoder("robust").fit(X)
    np.testing.assert_allclose(enc.transform([[1e300], [-1e300]]), [[3], [-3]])


def test_robust_of_equal_quartiles():
    """Where the quartiles are equal, half the range stands in for their difference."""
    X = np.r_[np.zeros(90), 8.0, -2.0][:, None]
    expected = squash(X / 5)
    np.testing.assert_allclose(encoder("robust").fit_transform(X), expected, rtol=1e-12)


def test_standard(X):
    """Standard scaling has zero mean and unit variance."""
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    actual = encoder("standard").fit_transform(X)
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def test_quantile():
    """Quantile scaling goes through the distribution function to a normal one."""
    # As many numbers as steps: each has a quantile of its own.
    X = np.random.default_rng(0).permutation(1001.0 ** (np.arange(1001) / 500))[:, None]
    actual = encoder("quantile").fit_transform(X)[:, 0]
    level = (rankdata(X[:, 0]) - 1) / 1000
    inner = (level > 0.01) & (level < 0.99)
    np.testing.assert_allclose(actual[inner], norm.ppf(level[inner]), atol=0.05)
    np.testing.assert_array_equal(np.argsort(actual), np.argsort(X[:, 0]))


def test_quantile_of_ties():
    """A value that many rows share gets the middle of its step."""
    X = np.repeat([1.0, 2.0, 5.0], [250, 500, 250])[:, None]
    actual = encoder("quantile").fit(X).transform([[2.0]])
    np.testing.assert_allclose(actual, [[0.0]], atol=5e-3)


def test_quantile_cuts_off():
    """Beyond the numbers that were seen, the normal distribution is cut off."""
    enc = encoder("quantile").fit(numbers(50, 1))
    edge = ndtri(1 - EDGE)
    np.testing.assert_allclose(enc.transform([[1e9], [-1e9]]), [[edge], [-edge]])


@scalings
def test_encoding_keeps_the_order(scaling, X):
    """A larger number is never encoded as a smaller one."""
    actual = encoder(scaling).fit_transform(X)
    for before, after in zip(X.T, actual.T, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= 0).all()


def test_none(X):
    """Without scaling, numbers stay as they are."""
    np.testing.assert_array_equal(encoder(None).fit_transform(X), X)


@all_scalings
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(scaling, dtype, X):
    """The result is of `dtype`, and float32 differs from float64 by its rounding."""
    for given in (X, X.astype("float32"), X.astype(int)):
        assert encoder(scaling, dtype).fit_transform(given).dtype == dtype
    exact = encoder(scaling).fit_transform(X)
    rounded = encoder(scaling, dtype).fit_transform(X)
    np.testing.assert_allclose(rounded, exact, rtol=1e-6, atol=1e-30)


# Missing numbers


@scalings
def test_missing_number_is_the_median(scaling, X):
    """A hole is encoded as the median of its column."""
    median = np.median(X[1:, 1:2], axis=0)
    X[0, 1] = np.nan
    enc = encoder(scaling).fit(X[1:])
    filled = X[:1].copy()
    filled[0, 1] = enc.median_[1]
    np.testing.assert_array_equal(enc.transform(X[:1]), enc.transform(filled))
    # Of an even number of rows, the lower of the two in the middle.
    assert enc.median_[1] == np.sort(X[1:, 1])[49] <= median[0]


@scalings
def test_columns_with_holes_get_an_indicator(scaling, X):
    """Columns with holes in training get one more column each, after all others."""
    X[::7, 2] = np.nan
    X[3, 0] = np.nan
    enc = encoder(scaling).fit(X)
    encoded = enc.transform(X)
    assert encoded.shape == (101, 5)
    assert enc.n_features_out_ == 5
    np.testing.assert_array_equal(enc.missing_columns_, [0, 2])
    np.testing.assert_array_equal(encoded[:, 3:], np.isnan(X[:, [0, 2]]))


@scalings
def test_holes_do_not_count(scaling, X):
    """Location and scale are those of the numbers that are there."""
    holes = np.vstack([X, np.full((40, 3), np.nan)])
    with_holes = encoder(scaling).fit(holes).transform(X)[:, :3]
    np.testing.assert_allclose(with_holes, encoder(scaling).fit_transform(X), rtol=1e-9)


@scalings
def test_hole_in_a_column_without_holes_in_training(scaling, X):
    """A hole that training did not see is filled, and has no indicator."""
    enc = encoder(scaling).fit(X)
    row = X[:1].copy()
    row[0, 0] = np.nan
    encoded = enc.transform(row)
    assert encoded.shape == (1, 3)
    assert np.isfinite(encoded).all()


@scalings
def test_indicator_of_a_table_without_holes(scaling, X):
    """A table without holes still has the indicators, all zero."""
    enc = encoder(scaling)
    with_hole = X.copy()
    with_hole[0, 1] = np.nan
    encoded = enc.fit(with_hole).transform(X.astype(int))
    np.testing.assert_array_equal(encoded[:, 3], np.zeros(101))


def test_missing_number_without_scaling(X):
    """Without scaling, a hole is an error, in `fit` and in `transform`."""
    enc = encoder(None).fit(X)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        enc.transform(X)
    with pytest.raises(ValueError, match="NaN"):
        encoder(None).fit(X)


@scalings
def test_missing_in_pandas(scaling):
    """Missing numbers of pandas' own types are holes."""
    frame = pd.DataFrame({"a": pd.array([1, None, 3, 4], dtype="Int64"), "b": 1.5})
    plain = np.array([[1, 1.5], [np.nan, 1.5], [3, 1.5], [4, 1.5]])
    enc = encoder(scaling)
    np.testing.assert_array_equal(
        enc.fit_transform(frame), clone(enc).fit_transform(plain)
    )


# Columns at the edge


@pytest.fixture
def constants():
    """Columns that vary, are constant, constant with a hole, holes, and vary again."""
    hole = np.r_[np.nan, np.full(19, 5.0)]
    count = np.arange(20.0)
    return np.column_stack(
        [count, np.full(20, 7.0), hole, np.full(20, np.nan), count**2]
    )


@scalings
def test_constant_columns_are_left_out(scaling, constants):
    """Of a constant column, all that is left is where it has holes, if it has some."""
    enc = encoder(scaling).fit(constants)
    assert list(enc.get_feature_names_out()) == ["x0", "x4", "x2_missing"]
    assert (enc.n_features_out_, enc.n_numeric_out_) == (3, 2)
    np.testing.assert_array_equal(enc.varying_columns_, [0, 4])
    np.testing.assert_array_equal(enc.missing_columns_, [2])
    varying = encoder(scaling).fit_transform(constants[:, [0, 4]])
    expected = np.column_stack([varying, np.arange(20) == 0])
    np.testing.assert_array_equal(enc.transform(constants), expected)


@scalings
def test_numbers_where_training_had_a_constant(scaling, constants):
    """A constant column is no input, whatever it holds later."""
    enc = encoder(scaling).fit(constants)
    later = constants.copy()
    later[:, 1], later[:, 3] = np.arange(20), np.r_[np.nan, np.arange(19)]
    np.testing.assert_array_equal(enc.transform(later), enc.transform(constants))


def test_constant_columns_without_scaling(constants):
    """Without scaling, the table stays as it is, constants and all."""
    X = constants[:, [0, 1, 4]]
    enc = encoder(None).fit(X)
    np.testing.assert_array_equal(enc.transform(X), X)
    assert enc.n_numeric_out_ == 3


@scalings
def test_constant_in_the_rows_that_count(scaling, X):
    """A column is constant if it is in the rows that are learned from."""
    X[:50, 1] = 3
    assert encoder(scaling).fit(X).n_features_out_ == 3
    rows = encoder(scaling)
    rows.fit_rows(rows.validate(rows, X, reset=True), np.arange(50))
    weights = encoder(scaling).fit(X, sample_weight=np.arange(101) < 50)
    expected = encoder(scaling).fit(X[:50, ::2]).transform(X[:, ::2])
    for enc in (rows, weights):
        assert list(enc.get_feature_names_out()) == ["x0", "x2"]
        np.testing.assert_allclose(enc.transform(X), expected, rtol=1e-9, atol=1e-12)


@scalings
def test_rare_numbers_are_no_constant(scaling, monkeypatch):
    """All rows are looked at, not only those that quantiles are estimated from."""
    monkeypatch.setattr(_statistics, "SAMPLED_ROWS", 10)
    monkeypatch.setattr(_rows, "CHUNK_NUMBERS", 7)
    X = np.zeros((1000, 1))
    X[501] = 1
    enc = encoder(scaling).fit(X)
    assert enc.n_numeric_out_ == 1
    assert enc.transform([[1.0]]) > enc.transform([[0.0]])


@scalings
def test_constant_columns_may_be_kept(scaling, constants):
    """`drop_constant=False` keeps them, as zeros, and all indicators."""
    enc = encoder(scaling)
    checked = enc.validate(enc, constants, reset=True)
    enc.fit_rows(checked, np.arange(20), drop_constant=False)
    encoded = enc.transform(constants)
    assert encoded.shape == (20, 7)
    np.testing.assert_allclose(encoded[:, 1:3], np.zeros((20, 2)), atol=1e-9)
    np.testing.assert_array_equal(encoded[:, 5:], np.isnan(constants[:, 2:4]))
    assert np.isfinite(encoded).all()
    assert np.isfinite(enc.transform([[1.0, 8, 9, 10, 11]])).all()


def test_the_first_part_of_a_stream_drops_nothing(constants):
    """`partial_fit` keeps a column that is constant so far; `fit` sees all rows."""
    y = np.arange(20) % 2
    assert plain_classifier().fit(constants, y).coefs_[0].shape == (3, 8)
    stream = plain_classifier().partial_fit(constants, y, classes=[0, 1])
    assert stream.coefs_[0].shape == (7, 8)


@pytest.mark.sampled
@scalings
@pytest.mark.parametrize("value", [0.0, 7.0, -1e30, np.nan])
def test_constant_tables(scaling, value):
    """Where all columns are constant, the result is one of zeros."""
    enc = encoder(scaling).fit(np.full((20, 2), value))
    rows = [[value, value], [value + 1, 3], [np.nan, np.nan]]
    np.testing.assert_array_equal(enc.transform(rows), np.zeros((3, 1)))
    assert list(enc.get_feature_names_out()) == ["x0"]
    assert (enc.n_features_out_, enc.n_numeric_out_) == (1, 0)
    clf = classifier(numeric_scaling=scaling).fit(np.full((20, 2), value), [0, 1] * 10)
    assert np.ptp(clf.decision_function(rows)) == 0


@scalings
def test_constant_columns_of_sparse_tables(scaling, constants):
    """A sparse table loses the columns that the array loses."""
    X = np.column_stack([constants, np.zeros(20)])
    expected = encoder(scaling).fit_transform(X)
    enc = encoder(scaling).fit(sp.csr_array(X))
    np.testing.assert_array_equal(enc.transform(sp.csr_array(X)), expected)
    X = enc.validate(enc, sp.csr_array(X), reset=False)
    entries, common = enc.encode_sparse_rows(X, np.arange(20))
    encoded, entries = np.tile(common, (20, 1)), entries.tocoo()
    encoded[entries.row, entries.col] = entries.data
    np.testing.assert_array_equal(encoded, expected)


@scalings
@pytest.mark.parametrize("unit", [1e30, 1e-30, 1e300])
def test_units(scaling, unit, X):
    """The unit of a column makes no difference, from tiny to huge."""
    if scaling == "standard" and unit == 1e300:
        # Whose variance is beyond float64.
        unit = 1e100
    actual = encoder(scaling).fit_transform(unit * X)
    np.testing.assert_allclose(actual, encoder(scaling).fit_transform(X), rtol=1e-9)


@scalings
def test_large_offset(scaling):
    """Small differences on a large offset are kept, even with float32 results."""
    X = 1e9 + np.arange(9.0)[:, None]
    encoded = encoder(scaling, "float32").fit_transform(X)
    assert len(np.unique(encoded)) == 9


@pytest.mark.sampled
@scalings
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "bool", "float32"])
def test_types_of_numbers(scaling, dtype):
    """Whole numbers of any type are encoded as the same floats are."""
    whole = np.random.default_rng(0).integers(0, 2, (30, 2)).astype(dtype)
    np.testing.assert_array_equal(
        encoder(scaling).fit_transform(whole),
        encoder(scaling).fit_transform(whole.astype("float64")),
    )


@all_scalings
def test_infinite_number(scaling, X):
    """An infinite number is an error."""
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        encoder(scaling).fit(X)


@all_scalings
def test_single_row(scaling):
    """One row is enough to fit."""
    assert np.isfinite(encoder(scaling).fit_transform([[1.0, 2.0]])).all()


# Weights


@scalings
def test_weights_are_repeated_rows(scaling, X):
    """A row of weight 2 is two such rows, holes and all."""
    X[::9, 1] = np.nan
    weight = np.random.default_rng(0).integers(1, 5, 101)
    one = encoder(scaling).fit(X, sample_weight=weight)
    two = encoder(scaling).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(
        one.transform(X), two.transform(X), rtol=1e-9, atol=1e-12
    )


@scalings
def test_weights_that_are_none(scaling, X):
    """Weights are one for each row, not negative, and not all zero."""
    for weight in (np.ones(100), -np.ones(101), np.zeros(101)):
        with pytest.raises(ValueError, match=r"[Ww]eight"):
            encoder(scaling).fit(X, sample_weight=weight)
    one = encoder(scaling).fit(X, sample_weight=[2.0] * 101)
    np.testing.assert_allclose(one.transform(X), encoder(scaling).fit_transform(X))


@scalings
def test_rows_are_sampled_for_quantiles(scaling, X, monkeypatch):
    """Quantiles of many rows are estimated from some of them, of the whole range."""
    many = np.random.default_rng(0).standard_normal((5000, 1))
    exact = encoder(scaling).fit(many).transform([[-1.0], [0.5]])
    monkeypatch.setattr(_statistics, "SAMPLED_ROWS", 2000)
    sampled = encoder(scaling).fit(many).transform([[-1.0], [0.5]])
    np.testing.assert_allclose(sampled, exact, atol=0.1)
    weighted = encoder(scaling).fit(many, sample_weight=np.full(5000, 2.0))
    np.testing.assert_allclose(
        weighted.transform([[-1.0], [0.5]]), sampled, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_sampled_rows_keep_their_weights(scaling, monkeypatch):
    """Quantiles that are estimated from some rows count the weights of these rows."""
    many = np.random.default_rng(0).standard_normal((5000, 1))
    weight = np.exp(many[:, 0])
    monkeypatch.setattr(_statistics, "SAMPLED_ROWS", 2000)
    enc = encoder(scaling).fit(many, sample_weight=weight)
    # A normal density times exp(x) is a normal density around 1.
    np.testing.assert_allclose(enc.median_, [1], atol=0.15)


@scalings
def test_chunks_make_no_difference(scaling, X, monkeypatch):
    """Learning a few rows at a time gives the same result."""
    X[5, 1] = np.nan
    expected = encoder(scaling).fit_transform(X)
    monkeypatch.setattr(_rows, "CHUNK_NUMBERS", 7 * X.shape[1])
    actual = encoder(scaling).fit_transform(X)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


# Memory


def peak_bytes(function, *args):
    """Return the most memory that was in use during a call, beyond what was before."""
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "scaling",
    [
        "robust",
        *(pytest.param(s, marks=pytest.mark.slow) for s in ("standard", "quantile")),
    ],
)
def test_memory(scaling):
    """Learning and encoding take the memory of the result, and little more."""
    X, rows = numbers(100_000, 50), np.arange(100_000)
    enc = encoder(scaling, "float32")
    enc.validate(enc, X, reset=True)
    peak = peak_bytes(lambda: enc.fit_rows(X, rows).encode_rows(X, rows))
    assert peak < 1.3 * 4 * X.size


def test_memory_of_a_mixed_frame():
    """Checking a frame with categories makes one array, and no copies on the way."""
    frame = pd.DataFrame(numbers(100_000, 50), columns=[f"x{j}" for j in range(50)])
    frame["words"] = pd.Categorical(["a", "b"] * 50_000)
    enc = encoder()
    peak = peak_bytes(lambda: enc.validate(enc, frame, reset=True))
    assert peak < 1.2 * 8 * frame.size


def test_columns_are_checked_a_few_at_a_time(X, monkeypatch):
    """Numbers beside categories are those without, in whatever parts they are read."""
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame["n"] = pd.array([1, None] * 50 + [3], dtype="Int64")
    expected = encoder().fit_transform(frame)
    frame.insert(1, "words", ["x", "y", "x"] * 33 + ["y", "x"])
    for size in (1, 250, 10_000):
        monkeypatch.setattr(_rows, "CHUNK_NUMBERS", size)
        encoded = encoder().fit_transform(frame)
        np.testing.assert_array_equal(encoded[:, :5], expected)
    frame.loc[50, "c"] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        encoder().fit(frame)


# As a transformer


def test_names():
    """Indicators are named after their columns."""
    frame = pd.DataFrame({"age": [1, 2, np.nan], "size": [3.0, 4, 5]})
    enc = encoder().fit(frame)
    assert list(enc.get_feature_names_out()) == ["age", "size", "age_missing"]
    assert list(enc.feature_names_in_) == ["age", "size"]


def test_names_of_an_array():
    """Columns without names get scikit-learn's, or those that are passed."""
    enc = encoder().fit([[1.0, np.nan], [2.0, 3.0], [3.0, 4.0]])
    assert list(enc.get_feature_names_out()) == ["x0", "x1", "x1_missing"]
    assert list(enc.get_feature_names_out(["p", "q"])) == ["p", "q", "q_missing"]
    assert not hasattr(enc, "feature_names_in_")


def test_names_are_distinct():
    """An indicator of holes does not take the name of a column that is there."""
    frame = pd.DataFrame(
        {"age": [1, 2, np.nan], "age_missing": [3.0, 4, 5], "age_missing_2": [1, 3, 2]}
    )
    names = ["age", "age_missing", "age_missing_2", "age_missing_3"]
    assert list(encoder().fit(frame).get_feature_names_out()) == names
    out = encoder().set_output(transform="pandas").fit_transform(frame)
    np.testing.assert_array_equal(out["age_missing_3"], [0, 0, 1])


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"a": ["b_c", "d"], "a_b": ["c", "e"]}, ["a_b_c", "a_d", "a_b_c_2", "a_b_e"]),
        ({"a": ["x", "missing", None]}, ["a_missing", "a_missing_2", "a_x"]),
        ({"a": ["1", 1.0, "1.0"]}, ["a_1", "a_1.0"]),
        ({"a": ["x", "y"], "a_x": [1.0, 2]}, ["a_x", "a_x_2", "a_y"]),
    ],
)
def test_names_of_categories_are_distinct(frame, expected):
    """Nor do categories; those that differ as values differ in their names."""
    frame = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in frame.items()})
    frame = frame.infer_objects()
    enc = encoder().fit(frame)
    assert list(enc.get_feature_names_out()) == expected


def test_codes_keep_the_name_of_their_column():
    """A column of codes has its own name, even where an earlier one is made of it."""
    frame = pd.DataFrame({"a": ["x", "y"] * 4, "a_x": list("pqrstuvw")}, dtype=object)
    enc = TabularEncoder(max_one_hot=2, min_frequency=1).fit(frame)
    assert list(enc.get_feature_names_out()) == ["a_x_2", "a_y", "a_x"]


def test_names_of_columns_that_share_theirs():
    """Columns of one name are told apart too."""
    X = np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, np.nan]])
    names = encoder().fit(X).get_feature_names_out(["a", "a", "a_2"])
    assert list(names) == ["a", "a_3", "a_2", "a_2_missing"]


def test_frame_out():
    """With pandas output, the result has the names."""
    frame = pd.DataFrame({"age": [1, 2, np.nan], "size": [3.0, 4, 5]}, index=[7, 8, 9])
    out = encoder().set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["age", "size", "age_missing"]
    assert list(out.index) == [7, 8, 9]


@scalings
def test_pipeline(scaling):
    """The encoder works in a pipeline, before another estimator."""
    X, y = binary(200)
    X[::5, 0] = np.nan
    pipe = make_pipeline(encoder(scaling), LogisticRegression()).fit(X, y)
    expected = LogisticRegression().fit(encoder(scaling).fit_transform(X), y)
    np.testing.assert_array_equal(
        pipe.predict(X), expected.predict(pipe[0].transform(X))
    )


def test_not_fitted():
    """Before `fit`, there is nothing to transform with."""
    with pytest.raises(NotFittedError):
        encoder().transform([[1.0]])


def test_input_is_left_alone(X):
    """Neither `fit` nor `transform` writes to its input."""
    X[3, 1] = np.nan
    before = X.copy()
    X.flags.writeable = False
    for scaling in SCALINGS:
        encoder(scaling).fit_transform(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("max_one_hot", [None, 0, 3])
def test_source_columns(max_one_hot):
    """Each column of the result has the name of the one that it comes from."""
    frame = pd.DataFrame(holes(numbers(50, 3)), columns=["a", "b", "c"])
    frame.insert(1, "few", pd.Categorical(["x", "y"] * 25))
    frame.insert(0, "many", pd.Categorical(list("vwxyz") * 10))
    frame["same"] = 1.0
    enc = TabularEncoder(max_one_hot=max_one_hot).fit(frame)
    names = enc.get_feature_names_out()
    assert len(names) == enc.n_features_out_ == len(enc.source_columns_)
    for name, j in zip(names, enc.source_columns_, strict=True):
        assert name.startswith(frame.columns[j])


def test_source_column_of_nothing():
    """Where nothing varies, the one column of zeros is named by the first."""
    enc = TabularEncoder().fit(np.ones((5, 3)))
    np.testing.assert_array_equal(enc.source_columns_, [0])
