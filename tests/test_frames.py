"""Data frames give the same network as arrays, bit for bit, and names beside."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from tests.plain import plain_classifier, plain_regressor
from tests.recipes import data_for
from tests.same import assert_outputs, assert_same, outputs
from tests.tables import (
    RANDOM,
    TASKS,
    binary,
    classifier,
    holes,
    numbers,
    regressor,
    whole,
)

makers = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
tasks = pytest.mark.parametrize("task", TASKS)
makes = pytest.mark.parametrize("make", [classifier, regressor])


# pandas and polars


def nullable(X):
    """Return a pandas table of its nullable numbers, NA where NaN is."""
    kinds = ["Float64", "Float32", "Int64", "Int8"]
    columns = zip("abcd", X.T, kinds, strict=True)
    return pd.DataFrame({c: pd.Series(x).astype(k) for c, x, k in columns})


def arrow(X):
    """Return a pandas table of Arrow's numbers, null where NaN is."""
    kinds = [pa.float64(), pa.float32(), pa.int64(), pa.int8()]
    columns = zip("abcd", X.T, kinds, strict=True)
    return pd.DataFrame(
        {
            c: pd.Series(pa.array(x, k, from_pandas=True), dtype=pd.ArrowDtype(k))
            for c, x, k in columns
        }
    )


def mixed(X):
    """Return a pandas table of a nullable, an Arrow, a NumPy and a float32 column."""
    one, two = nullable(X), arrow(X)
    return pd.DataFrame(
        {"a": one["a"], "b": X[:, 1], "c": two["c"], "d": X[:, 3].astype("float32")}
    )


def polars_floats(X):
    """Return a polars table of Float64, null where NaN is."""
    return pl.DataFrame(X, list("abcd")).fill_nan(None)


def polars_numbers(X):
    """Return a polars table of several types, null where NaN is."""
    kinds = [pl.Float64, pl.Float32, pl.Int64, pl.Int8]
    return polars_floats(X).cast(dict(zip("abcd", kinds, strict=True)))


def polars_integers(X):
    """Return a polars table of Int64, null where NaN is."""
    return polars_floats(X).cast(pl.Int64)


FRAMES = {
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "pandas float32": lambda X: pd.DataFrame(X, columns=list("abcd"), dtype="float32"),
    "pandas object": lambda X: pd.DataFrame(X, columns=list("abcd"), dtype=object),
    "pandas nullable": nullable,
    "pandas arrow": arrow,
    "pandas mixed": mixed,
    "pandas reordered": lambda X: pd.DataFrame(
        X, np.arange(len(X))[::-1], list("abcd")
    ),
    "polars": lambda X: pl.DataFrame(X, list("abcd")),
    "polars null": polars_floats,
    "polars Int64": polars_integers,
    "polars mixed": polars_numbers,
    "pyarrow": lambda X: pa.table(arrow(X)),
}
frames = pytest.mark.parametrize("frame", FRAMES)


@pytest.mark.sampled
@frames
@tasks
def test_frame(frame, task):
    """A frame with holes is the array with NaN, whatever library it is from."""
    make, data = TASKS[task]
    _, y = data()
    X = holes(whole(len(y)))
    table = FRAMES[frame](X)
    est = make(**RANDOM).fit(X, y)
    framed = make(**RANDOM).fit(table, y)
    assert_same(est, framed)
    assert_outputs(framed, table, outputs(est, X))


@pytest.mark.sampled
@frames
@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_frame_under_each_scaling(frame, scaling):
    """The same holds for the other scalings."""
    _, y = binary()
    X = holes(whole())
    est = classifier(numeric_scaling=scaling)
    assert_same(est.fit(X, y), clone(est).fit(FRAMES[frame](X), y))


@frames
def test_frame_without_holes_or_scaling(frame):
    """Without scaling, a frame without holes is the array; one with holes an error."""
    X, y = whole(), binary()[1]
    est = classifier(numeric_scaling=None)
    assert_same(est.fit(X, y), clone(est).fit(FRAMES[frame](X), y))
    with pytest.raises(ValueError, match="contains NaN"):
        est.fit(FRAMES[frame](holes(X)), y)


@pytest.mark.slow
@frames
def test_frame_and_scorer(frame):
    """Rows of a frame that are held out reach a scorer."""
    X, y = holes(whole()), binary()[1]
    est = classifier(early_stopping=True, scoring="accuracy")
    framed = clone(est).fit(FRAMES[frame](X), y)
    assert_same(est.fit(X, y), framed)


@pytest.mark.slow
@frames
def test_frame_to_validate_on(frame):
    """A frame can be what early stopping validates on."""
    X, y = holes(whole()), binary()[1]
    table = FRAMES[frame](X)
    for scoring in "loss", "accuracy":
        est = classifier(scoring=scoring)
        one = est.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        two = clone(est).fit(table[:40], y[:40], X_val=table[40:], y_val=y[40:])
        assert_same(one, two)


@pytest.mark.parametrize("dtype", ["boolean", "bool[pyarrow]"])
def test_missing_bool(dtype):
    """A bool that is no category may be missing; it is 0, 1 or a hole."""
    X, y = numbers(), binary()[1]
    missing = np.arange(60) % 7 == 0
    X[:, 1] = np.where(missing, np.nan, X[:, 1] > 0)
    flag = pd.Series(np.where(missing, None, X[:, 1] > 0), dtype=dtype)
    frame = pd.DataFrame({"a": X[:, 0], "b": flag, "c": X[:, 2], "d": X[:, 3]})
    est = classifier(categorical_features=None, **RANDOM)
    one, two = est.fit(X, y), clone(est).fit(frame, y)
    assert_same(one, two)
    assert list(two.encoder_.missing_columns_) == [1]
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(frame))


def test_missing_bool_of_polars():
    """The same holds for polars."""
    X, y = numbers(), binary()[1]
    missing = np.arange(60) % 7 == 0
    X[:, 1] = np.where(missing, np.nan, X[:, 1] > 0)
    frame = polars_floats(X).with_columns(pl.col("b").cast(pl.Boolean))
    est = classifier(categorical_features=None, **RANDOM)
    one, two = est.fit(X, y), clone(est).fit(frame, y)
    assert_same(one, two)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(frame))


@pytest.mark.sampled
@makes
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("frame", [k for k in FRAMES if "Int" not in k])
def test_infinity_in_a_frame(make, value, frame):
    """Infinity is an error in any frame, in `fit` and in `predict`."""
    X, y = whole(), binary()[1]
    bad = X.copy()
    table = FRAMES[frame](X)
    if frame == "pyarrow":
        bad = table.set_column(0, "a", pa.array(np.r_[value, X[1:, 0]]))
    elif isinstance(table, pl.DataFrame):
        bad = table.with_columns(a=np.r_[value, X[1:, 0]])
    else:
        bad = table.copy()
        bad.iloc[0, 0] = value
    with pytest.raises(ValueError, match="infinity"):
        make().fit(bad, y)
    est = make().fit(table, y)
    with pytest.raises(ValueError, match="infinity"):
        est.predict(bad)


# Names


def heard(model, X):
    """Return what is said of a table in `predict`: warnings, and an error."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        try:
            model.predict(X)
        except ValueError as error:
            record.append(error)
    said = [str(getattr(one, "message", one)) for one in record]
    return [text.replace(type(model).__name__, "model") for text in said]


@makes
@pytest.mark.parametrize("library", ["pandas", "pandas arrow", "polars"])
def test_names(make, library):
    """Names are kept and checked as in scikit-learn, with the same words."""
    X, y = whole(), binary()[1]
    table = FRAMES[library](X)
    renamed = table.rename(
        **{"mapping" if library == "polars" else "columns": {"b": "z"}}
    )
    wrong = table[list("badc")], table[list("abc")], renamed, X
    est, reference = make().fit(table, y), LogisticRegression().fit(table, y)
    if library != "polars":
        assert list(est.feature_names_in_) == list("abcd")
        assert est.feature_names_in_.dtype == object
        assert all(heard(est, other) for other in wrong)
    # scikit-learn 1.7 doesn't see the names of newer versions of polars.
    assert hasattr(est, "feature_names_in_") == hasattr(reference, "feature_names_in_")
    for other in wrong:
        assert heard(est, other) == heard(reference, other)
    assert heard(est, table) == []
    unnamed = make().fit(X, y), LogisticRegression().fit(X, y)
    assert heard(unnamed[0], table) == heard(unnamed[1], table)


@makes
def test_names_on_one_side_only(make):
    """Without the names, predictions are the same, with scikit-learn's warning."""
    X, y = whole(), binary()[1]
    table = FRAMES["pandas"](X)
    est, unnamed = make().fit(table, y), make().fit(X, y)
    expected = est.predict(table)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but"):
        np.testing.assert_array_equal(est.predict(X), expected)
    with pytest.warns(UserWarning, match="X has feature names, but"):
        np.testing.assert_array_equal(unnamed.predict(table), expected)


def test_names_in_validation_data():
    """The names of validation data are checked too."""
    X, y = whole(), binary()[1]
    table = FRAMES["pandas"](X)
    with pytest.raises(ValueError, match="feature names"):
        classifier().fit(table, y, X_val=table[list("badc")], y_val=y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        classifier().fit(table, y, X_val=X, y_val=y)


@makes
def test_names_from_call_to_call(make):
    """Calls that go on check the names; a new `fit` takes new ones."""
    X, y = whole(), binary()[1]
    table = FRAMES["pandas"](X)
    other = table.rename(columns={"a": "z"})
    est = make(warm_start=True).fit(table, y)
    with pytest.raises(ValueError, match="feature names"):
        est.fit(other, y)
    with pytest.raises(ValueError, match="feature names"):
        est.partial_fit(other, y)
    assert list(est.feature_names_in_) == list("abcd")
    assert list(clone(est).fit(other, y).feature_names_in_) == list("zbcd")


@tasks
def test_feature_names(task):
    """Names of columns are kept where there are any, and checked in `predict`."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(X, y)
    assert not hasattr(est, "feature_names_in_")
    frame = pd.DataFrame(X, columns=list("abcd"))
    est.fit(frame, y)
    assert list(est.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(est.predict(frame), make().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        est.predict(frame.rename(columns={"a": "z"}))


@tasks
def test_names_do_not_outlive_their_data(task):
    """A `fit` without names forgets those of the `fit` before."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(pd.DataFrame(X, columns=list("abcd")), y).fit(X, y)
    assert not hasattr(est, "feature_names_in_")


@makers
def test_fault_23_no_names_of_columns_without_a_data_frame(make):
    """What was fitted on an array has no names, and warns of none missing.

    A peer made names up, and warned at each prediction that an array lacks them.
    """
    X, y = data_for(make)
    frame = pd.DataFrame(X)  # whose columns are numbers
    for est in (
        make(early_stopping=True).fit(X, y, X_val=X, y_val=y),
        make().fit(X.tolist(), y.tolist()),
        make().fit(frame, y),
    ):
        assert not hasattr(est, "feature_names_in_")
        for rows in X, X.tolist(), frame:
            np.testing.assert_array_equal(est.predict(rows), est.predict(X))
