"""Arrays, targets and weights of any type give the same network, bit for bit."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from skdnn.encoding import TabularEncoder
from tests.plain import plain_classifier, plain_regressor
from tests.same import assert_same, assert_same_network, assert_taken_as
from tests.tables import (
    RANDOM,
    TASKS,
    binary,
    classifier,
    holes,
    numbers,
    regression,
    regressor,
    whole,
)

makers = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
SCALINGS = ["robust", "standard", "quantile", None]
tasks = pytest.mark.parametrize("task", TASKS)
scalings = pytest.mark.parametrize("scaling", SCALINGS)
makes = pytest.mark.parametrize("make", [classifier, regressor])


# NumPy

FLOATS = ["float16", "float32", "float64", "longdouble", ">f4", ">f8"]
SIGNED = ["int8", "int16", "int32", "int64", ">i2", ">i8"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64", "bool"]


@pytest.mark.sampled
@scalings
@pytest.mark.parametrize("dtype", [*FLOATS, *SIGNED, *UNSIGNED, "object"])
def test_dtype(scaling, dtype):
    """Equal numbers of any dtype give the same network and the same predictions."""
    _, y = binary()
    X = whole()
    if dtype in UNSIGNED:
        X = (X > 0).astype(float) if dtype == "bool" else np.abs(X)
    if dtype in FLOATS and scaling is not None:
        X = holes(X)
    est = classifier(numeric_scaling=scaling, max_iter=2)
    assert_taken_as(est, X.astype(dtype), X, y)


@scalings
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_float64(scaling, dtype):
    """A longer float is the float64 that it is equal to, to the last bit."""
    X, y = binary()
    est = classifier(numeric_scaling=scaling, dtype=dtype)
    assert_taken_as(est, X.astype("longdouble"), X, y)


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("dtype", ["float16", "float32", "longdouble", "int8", "bool"])
def test_dtype_of_each_task(task, dtype):
    """The same holds for each kind of target, with everything random switched on."""
    make, data = TASKS[task]
    _, y = data()
    X = whole(len(y)).astype(dtype).astype(np.float64)
    assert_taken_as(make(**RANDOM), X.astype(dtype), X, y)


def every_second_column(X):
    wide = np.full((X.shape[0], 2 * X.shape[1]), 1e9)
    wide[:, ::2] = X
    return wide[:, ::2]


def reversed_twice(X):
    return X[::-1, ::-1].copy()[::-1, ::-1]


def rows_of_a_stack(X):
    return np.stack([X, X + 1], axis=1)[:, 0]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def unaligned(X):
    raw = np.zeros(X.nbytes + 1, np.uint8)[1:]
    out = raw.view(X.dtype).reshape(X.shape)
    out[...] = X
    assert not out.flags.aligned
    return out


LAYOUTS = {
    "F": np.asfortranarray,
    "columns of another": every_second_column,
    "negative strides": reversed_twice,
    "rows of another": rows_of_a_stack,
    "read-only": read_only,
    "read-only F": lambda X: read_only(X.T).T,
    "unaligned": unaligned,
    "list": lambda X: X.tolist(),
    "list of rows": list,
    "tuples": lambda X: tuple(map(tuple, X.tolist())),
}


@pytest.mark.sampled
@makes
@scalings
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(make, scaling, layout):
    """Where and how the numbers lie in memory makes no difference."""
    X, y = binary()
    est = make(numeric_scaling=scaling, max_iter=2)
    assert_taken_as(est, LAYOUTS[layout](X), X, y)


@makes
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_memory_map(make, order, dtype, tmp_path):
    """A read-only memory map of any file is taken as it is."""
    X, y = whole(), binary()[1]
    mapped = np.memmap(tmp_path / "X", dtype, "w+", shape=X.shape, order=order)
    mapped[...] = X
    mapped.flush()
    mapped = np.memmap(tmp_path / "X", dtype, "r", shape=X.shape, order=order)
    assert_taken_as(make(**RANDOM), mapped, X, y)


def test_memory_map_of_joblib(tmp_path):
    """All that goes into `fit` may be mapped, as joblib does for its processes."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3
    joblib.dump([X, y, weight], tmp_path / "data")
    mapped = joblib.load(tmp_path / "data", mmap_mode="r")
    one = classifier(**RANDOM).fit(X, y, weight)
    assert_same(one, classifier(**RANDOM).fit(*mapped))


@pytest.mark.sampled
@makes
@scalings
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_tables_are_left_alone(make, scaling, dtype, order):
    """Neither training nor prediction writes to a table."""
    X, y = binary()
    X = np.array(X if scaling is None else holes(X), dtype, order=order)
    given = X.copy()
    est = make(numeric_scaling=scaling, max_iter=2).fit(X, y)
    est.partial_fit(X, y).predict(X)
    np.testing.assert_array_equal(X, given)


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "f4", "f8"])
@makers
def test_fault_22_numbers_of_any_dtype(make, dtype):
    """Whole numbers in X and y train the same network in every dtype, to the bit.

    Peers took one width of integer targets and one of floats, and failed on others.
    """
    X, y = (10 + 5 * numbers()).clip(0).astype(int), np.arange(60) % 2
    expected = make().fit(X.astype("f8"), y)
    assert_same_network(make().fit(X.astype(dtype), y.astype(dtype)), expected)
    predicted = expected.predict(X.astype(dtype))
    np.testing.assert_array_equal(predicted, expected.predict(X))
    assert predicted.dtype == (y.dtype if make is plain_classifier else float)


# Targets and weights

TARGETS = {
    "float32": lambda y: y.astype("float32"),
    "float16": lambda y: y.astype("float16"),
    "longdouble": lambda y: y.astype("longdouble"),
    "int8": lambda y: y.astype("int8"),
    "uint16": lambda y: y.astype("uint16"),
    ">f8": lambda y: y.astype(">f8"),
    "object": lambda y: y.astype(object),
    "read-only": read_only,
    "strided": lambda y: np.repeat(y, 2)[::2],
    "list": lambda y: y.tolist(),
    "tuple": lambda y: tuple(y.tolist()),
    "list of int": lambda y: y.astype(int).tolist(),
    "Series": pd.Series,
    "Series with an index": lambda y: pd.Series(y, np.arange(len(y))[::-1]),
    "Series Float64": lambda y: pd.Series(y, dtype="Float64"),
    "Series Int64": lambda y: pd.Series(y, dtype="Int64"),
    "Series double[pyarrow]": lambda y: pd.Series(y, dtype="double[pyarrow]"),
    "Series int64[pyarrow]": lambda y: pd.Series(y).astype("int64[pyarrow]"),
    "polars": pl.Series,
    "polars Int64": lambda y: pl.Series(y).cast(pl.Int64),
    "pyarrow": pa.array,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_target(kind):
    """Equal targets of any type give the same network."""
    X, y = regression()
    y = np.round(np.abs(y))
    target = TARGETS[kind](y)
    one, two = regressor().fit(X, y), regressor().fit(X, target)
    assert_same(one, two)
    assert_same(one.partial_fit(X, y), two.partial_fit(X, target))


# scikit-learn computes the score of a longdouble in longdouble.
@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in TARGETS if kind != "longdouble"])
def test_target_and_scorer(kind):
    """Targets of any type reach a scorer, of early stopping too."""
    X, y = regression()
    y = np.round(np.abs(y))
    target = TARGETS[kind](y)
    one = regressor(early_stopping=True, scoring="r2").fit(X, y)
    two = clone(one).fit(X, target)
    assert_same(one, two)
    assert one.score(X, y) == two.score(X, target)
    given = clone(one).fit(X, target, X_val=X, y_val=target)
    assert_same(given, clone(one).fit(X, y, X_val=X, y_val=y))


@pytest.mark.parametrize(
    "several",
    [
        pd.DataFrame,
        lambda y: pd.DataFrame(y, dtype="Float64"),
        lambda y: pd.DataFrame(y, dtype="double[pyarrow]"),
        pl.DataFrame,
        np.asfortranarray,
        lambda y: y.tolist(),
    ],
    ids=["pandas", "Float64", "arrow", "polars", "F", "list"],
)
def test_several_targets(several):
    """Equal tables of targets of any type give the same network."""
    X, y = TASKS["multioutput"][1]()
    reg = regressor(early_stopping=True, scoring="r2")
    assert_same(clone(reg).fit(X, y), clone(reg).fit(X, several(y)))


@pytest.mark.parametrize("kind", ["Series Float64", "Series double[pyarrow]", "polars"])
def test_missing_target(kind):
    """A target that is missing is an error."""
    X, y = regression()
    y[3] = np.nan
    target = TARGETS[kind](y)
    target = target.fill_nan(None) if kind == "polars" else target
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(X, target)


@pytest.mark.slow
@makes
@pytest.mark.parametrize("kind", TARGETS)
def test_weights(make, kind):
    """Equal weights of any type give the same network."""
    X, y = binary()
    weight = 1.0 + np.arange(60) % 3
    est = make(**RANDOM)
    one = clone(est).fit(X, y, weight)
    assert_same(one, clone(est).fit(X, y, TARGETS[kind](weight)))


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
@pytest.mark.parametrize("n", [40, 100, 500])
def test_repeated_rows_of_the_encoder(scaling, n):
    """A row of weight 2 is two rows to all quantiles, where many are equal too."""
    X = np.round(numbers(n), 1)
    one = TabularEncoder(scaling).fit(X, sample_weight=np.full(n, 2))
    two = TabularEncoder(scaling).fit(np.repeat(X, 2, axis=0))
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
