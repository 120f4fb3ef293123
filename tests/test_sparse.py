"""Sparse tables give the same network as dense ones, in little memory."""

import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skdnn._rows import Rows, distinct_rows
from skdnn.encoding import TabularEncoder
from skdnn.nn.batches import Batches, SparseRows
from tests.same import (
    assert_outputs,
    assert_same,
    assert_same_network,
    assert_taken_as,
    outputs,
)
from tests.tables import (
    RANDOM,
    TASKS,
    binary,
    classifier,
    holes,
    multilabel,
    regression,
    regressor,
)

SCALINGS = ["robust", "standard", "quantile", None]
tasks = pytest.mark.parametrize("task", TASKS)
scalings = pytest.mark.parametrize("scaling", SCALINGS)
makes = pytest.mark.parametrize("make", [classifier, regressor])


# Tables


def sparse_numbers(n=90, d=6):
    """Return columns that are mostly zero: one empty, one full, some rows empty."""
    rng = np.random.default_rng(3)
    X = np.where(rng.random((n, d)) < 0.3, rng.standard_normal((n, d)), 0)
    X[:, 1] = 0
    X[:, 2] = rng.standard_normal(n)
    X[::10] = 0
    return X


def stored(X, where):
    """Return a CSR array that stores the numbers in some places, zeros and all."""
    out = sp.csr_array(where.astype(X.dtype))
    out.data[:] = X[where]
    return out


def explicit_zeros(X):
    """Return a CSR array that stores every second zero."""
    where = (X != 0) | (np.arange(X.size).reshape(X.shape) % 2 == 0)
    out = stored(X, where)
    assert (out.data == 0).any()
    return out


def unsorted(X):
    """Return a CSR array whose indices fall."""
    out = sp.csr_array(X)
    for i in range(len(X)):
        row = slice(*out.indptr[i : i + 2])
        out.indices[row] = out.indices[row][::-1].copy()
        out.data[row] = out.data[row][::-1].copy()
    # Another one, which has not looked at its entries yet.
    return sp.csr_array((out.data, out.indices, out.indptr), shape=X.shape)


def duplicates(X):
    """Return a CSR matrix that stores each entry as two halves, apart."""
    half = sp.csr_array(X / 2)
    indptr = 2 * half.indptr
    rows = np.split(np.arange(half.nnz), half.indptr[1:-1])
    order = np.concatenate([np.tile(row, 2) for row in rows])
    arrays = half.data[order], half.indices[order], indptr
    return sp.csr_matrix(arrays, shape=X.shape)


def duplicates_of_coo(X):
    """Return a COO array that stores each entry as two halves, apart."""
    half = sp.coo_array(X / 2)
    index = tuple(np.tile(index, 2) for index in half.coords)
    return sp.coo_array((np.tile(half.data, 2), index), shape=X.shape)


def with_indices(container, dtype):
    """Return a function that makes a sparse array with indices of a type."""

    def convert(X):
        out = container(X)
        out.indices, out.indptr = out.indices.astype(dtype), out.indptr.astype(dtype)
        return out

    return convert


FORMATS = {
    f"{name}_{kind}": getattr(sp, f"{name}_{kind}")
    for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
    for kind in ("matrix", "array")
}
SPARSE = {
    **FORMATS,
    "int32 csr": with_indices(sp.csr_array, np.int32),
    "int64 csr": with_indices(sp.csr_array, np.int64),
    "int64 csc": with_indices(sp.csc_matrix, np.int64),
    "unsorted": unsorted,
    "duplicates": duplicates,
    "duplicates of coo": duplicates_of_coo,
    "explicit zeros": explicit_zeros,
    "pandas": lambda X: pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(X)),
}


@pytest.mark.parametrize("kind", ["unsorted", "duplicates", "duplicates of coo"])
def test_these_are_not_canonical(kind):
    """The oddly stored tables of these tests are what they claim to be."""
    X = sparse_numbers()
    table = SPARSE[kind](X)
    np.testing.assert_array_equal(table.toarray(), X)
    assert not SPARSE[kind](X).has_canonical_format
    assert table.nnz == np.count_nonzero(X) * (1 if kind == "unsorted" else 2)


formats = pytest.mark.parametrize("kind", SPARSE)


@pytest.mark.sampled
@formats
@pytest.mark.parametrize("task", ["multiclass", "multioutput"])
def test_sparse_training_is_dense_training(kind, task):
    """A sparse table of any format is as good as the array, for any kind of target."""
    make, data = TASKS[task]
    _, y = data()
    X = sparse_numbers(len(y))
    assert_taken_as(make(**RANDOM), SPARSE[kind](X), X, y)


@pytest.mark.sampled
@tasks
@scalings
@pytest.mark.parametrize("solver", ["bgd", "sgd", "minibatch"])
def test_sparse_solvers(task, scaling, solver):
    """The same holds for each solver under each scaling."""
    make, data = TASKS[task]
    _, y = data()
    X = sparse_numbers(len(y))
    est = make(solver=solver, batch_size=16, numeric_scaling=scaling, max_iter=2)
    assert_taken_as(est, sp.csr_array(X), X, y)


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": "lbfgs", "solver": "bgd"},
        {"dropout": 0.4},
        {"shuffle": False, "batch_size": 16},
        {"shuffle": False, "solver": "bgd", "batch_norm": True},
        {"solver": "sgd", "batch_norm": True, "max_iter": 2},
        {"dtype": "float64", "batch_size": 16},
        {"hidden_layer_dims": ()},
        {"batch_size": 7, "alpha": 1.0, "activation": "tanh"},
        {"optimizer": "sgd", "schedule": "cosine"},
        {"early_stopping": True, "solver": "bgd"},
    ],
    ids=str,
)
def test_sparse_parameters(task, params):
    """The same holds for other parameters."""
    make, data = TASKS[task]
    _, y = data()
    X = sparse_numbers(len(y))
    assert_taken_as(make(**params), sp.csr_array(X), X, y)


@makes
@pytest.mark.parametrize("rows", [16, 256])
def test_sparse_slabs(make, rows, monkeypatch):
    """A batch that goes through in slabs is the same too."""
    monkeypatch.setattr("skdnn.nn.step.SLAB_BYTES", 0)
    X = sparse_numbers(600)
    assert_taken_as(make(solver="bgd"), sp.csr_array(X), X, np.arange(600) % 2)


@pytest.mark.slow
@formats
@pytest.mark.parametrize("given", [False, True])
def test_sparse_rows_reach_a_scorer(kind, given):
    """Early stopping by a metric works with sparse rows, held out or given."""
    X, y = sparse_numbers(60), binary()[1]
    est = regressor(early_stopping=True, scoring="r2")
    val = {"X_val": X[:20], "y_val": y[:20]} if given else {}
    sparse_val = {**val, "X_val": SPARSE[kind](X[:20])} if given else {}
    one, two = est.fit(X, y, **val), clone(est).fit(SPARSE[kind](X), y, **sparse_val)
    assert_same(one, two)


@pytest.mark.parametrize("dense_side", ["X", "X_val"])
def test_sparse_on_one_side(dense_side):
    """Training rows may be dense and validation rows sparse, or the reverse."""
    X, y = sparse_numbers(60), binary()[1]
    tables = {"X": sp.csr_array(X), "X_val": sp.csc_array(X[:20]), dense_side: X}
    tables["X_val"] = tables["X_val"][:20]
    one = classifier().fit(X, y, X_val=X[:20], y_val=y[:20])
    assert_same(one, classifier().fit(y=y, y_val=y[:20], **tables))


@pytest.mark.sampled
@scalings
@makes
@pytest.mark.parametrize("weight", ["whole", "tenths", "random", "some zero"])
def test_sparse_weights(scaling, make, weight):
    """Weighted rows of a sparse table count as those of an array."""
    X, y = sparse_numbers(60), binary()[1]
    weight = {
        "whole": 1.0 + np.arange(60) % 3,
        "tenths": np.full(60, 0.1),
        "random": np.random.default_rng(4).random(60),
        "some zero": (np.arange(60) % 3).astype(float),
    }[weight]
    est = make(numeric_scaling=scaling)
    assert_taken_as(est, sp.csr_array(X), X, y, sample_weight=weight)


@pytest.mark.sampled
@scalings
@pytest.mark.parametrize("n", [40, 100, 250, 1000])
@pytest.mark.parametrize("weight", [None, 0.1, 0.7])
def test_sparse_encoding(scaling, n, weight):
    """The encoder learns the same from a sparse table, and encodes it the same."""
    X = np.round(sparse_numbers(n), 1) + 0.0
    weight = None if weight is None else np.full(n, weight)
    one = TabularEncoder(scaling).fit(X, sample_weight=weight)
    two = TabularEncoder(scaling).fit(sp.csc_array(X), sample_weight=weight)
    assert one.__getstate__().keys() == two.__getstate__().keys()
    for name, learned in one.__getstate__().items():
        np.testing.assert_equal(getattr(two, name), learned, err_msg=name)
    np.testing.assert_array_equal(two.transform(sp.coo_array(X)), one.transform(X))


@pytest.mark.sampled
@scalings
@pytest.mark.parametrize(
    "dtype",
    ["float32", "longdouble", "int8", "int16", "int64", "uint8", "uint64", "bool"],
)
def test_sparse_dtype(scaling, dtype):
    """Sparse numbers of any type are those of an array."""
    X = np.abs(np.round(3 * sparse_numbers(60))).astype(dtype).astype(float)
    est = classifier(numeric_scaling=scaling, max_iter=2)
    assert_taken_as(est, sp.csr_array(X.astype(dtype)), X, binary()[1])


@pytest.mark.slow
@formats
def test_sparse_holes(kind):
    """NaN in a sparse table is a missing number, what is not stored is zero."""
    X, y = holes(sparse_numbers(60), 0.1), binary()[1]
    assert_taken_as(classifier(**RANDOM), SPARSE[kind](X), X, y)


@pytest.mark.sampled
@scalings
@pytest.mark.parametrize("shape", [(60, 1), (60, 6), (1, 6), (1, 1)])
@pytest.mark.parametrize("table", [np.zeros, np.ones])
def test_sparse_tables_of_one_number(scaling, shape, table):
    """A table that is all zeros, or has none, is the array too."""
    X, y = table(shape), np.arange(shape[0]) % 2
    est = regressor(numeric_scaling=scaling)
    for kind in "csr_array", "coo_matrix":
        assert_taken_as(est, SPARSE[kind](X), X, y)


@makes
def test_sparse_partial_fit(make):
    """Calls that go on may alternate between sparse and dense."""
    X, y = sparse_numbers(60), binary()[1]
    first = {"classes": [0, 1]} if make is classifier else {}
    one, two = make(batch_size=16), make(batch_size=16)
    one.partial_fit(X[:40], y[:40], **first).partial_fit(X, y).partial_fit(X, y)
    two.partial_fit(sp.csr_array(X[:40]), y[:40], **first)
    two.partial_fit(X, y).partial_fit(sp.lil_matrix(X), y)
    assert_same(one, two)


@makes
@pytest.mark.parametrize("early_stopping", [False, True])
def test_sparse_warm_start(make, early_stopping):
    """So may calls of `fit` with a warm start."""
    X, y = sparse_numbers(60), binary()[1]
    one = make(warm_start=True, early_stopping=early_stopping, dropout=0.2)
    two = clone(one)
    one.fit(X, y).fit(X, y).fit(X, y)
    two.fit(sp.csr_array(X), y).fit(sp.coo_array(X), y).fit(X, y)
    assert_same(one, two)


@makes
def test_sparse_in_chunks(make, monkeypatch):
    """How many rows are looked at a time makes no difference."""
    X, y = sparse_numbers(60), binary()[1]
    expected = make(**RANDOM).fit(X, y)
    monkeypatch.setattr("skdnn._rows.CHUNK_NUMBERS", 100)
    est = make(**RANDOM).fit(sp.csr_array(X), y)
    assert_same_network(est, expected)
    # A sum over parts may be rounded otherwise.
    curves = est.validation_loss_curve_, expected.validation_loss_curve_
    np.testing.assert_allclose(*curves, rtol=1e-12)
    assert_outputs(est, sp.csr_array(X), outputs(expected, X))


@scalings
def test_sparse_rows_sampled_for_quantiles(scaling, monkeypatch):
    """Where quantiles are estimated from some rows, they are the same rows."""
    monkeypatch.setattr("skdnn._statistics.SAMPLED_ROWS", 30)
    X, y = sparse_numbers(), np.arange(90) % 2
    assert_taken_as(regressor(numeric_scaling=scaling), sp.csr_array(X), X, y)


def contents(X):
    """Return copies of the arrays that a sparse table is of."""
    names = "data", "indices", "indptr", "row", "col", "offsets", "rows"
    arrays = [getattr(X, name) for name in names if hasattr(X, name)]
    return [arrays[0].dtype, X.shape, *(a.copy() for a in arrays)]


@pytest.mark.sampled
@makes
@pytest.mark.parametrize("kind", [k for k in SPARSE if k[:3] not in ("dok", "pan")])
def test_sparse_tables_are_left_alone(kind, make):
    """Neither training nor prediction touches what a sparse table stores."""
    X, y = sparse_numbers(60), binary()[1]
    table = SPARSE[kind](X)
    before = contents(table)
    make(numeric_scaling="standard").fit(table, y).partial_fit(table, y).predict(table)
    for one, two in zip(before, contents(table), strict=True):
        np.testing.assert_array_equal(one, two)


@makes
@pytest.mark.parametrize(
    "kind", ["csr_array", "csc_matrix", "coo_array", "unsorted", "duplicates"]
)
def test_sparse_tables_may_be_mapped(kind, make, tmp_path):
    """Sparse tables in read-only memory maps, as of joblib, are fitted all the same."""
    X, y = sparse_numbers(60), binary()[1]
    joblib.dump(SPARSE[kind](X), tmp_path / "X")
    table = joblib.load(tmp_path / "X", mmap_mode="r")
    assert not table.data.flags.writeable
    assert_taken_as(make(**RANDOM), table, X, y)


@makes
def test_sparse_order_and_repeats(make):
    """Equal sparse rows are one row, and the order of rows makes no difference."""
    X, y = sparse_numbers(60), binary()[1]
    order = np.random.default_rng(5).permutation(120)
    one = make(**RANDOM).fit(X, y, np.full(60, 2.0))
    X, y = np.tile(X, (2, 1))[order], np.tile(y, 2)[order]
    assert_same(one, make(**RANDOM).fit(sp.csr_array(X), y))


def test_distinct_sparse_rows():
    """Rows are joined and ordered by their values, however they are stored."""
    X = np.round(sparse_numbers(300, 3))
    targets = np.arange(300) % 2
    rows = Rows(np.arange(300), None)
    expected = distinct_rows(X, targets, rows)
    assert len(expected.index) < 300
    for convert in sp.csr_array, explicit_zeros:
        index, weight, _ = distinct_rows(convert(X), targets, rows)
        np.testing.assert_array_equal(index, expected.index)
        np.testing.assert_array_equal(weight, expected.weight)


# SparseRows


@pytest.fixture
def sparse_rows():
    """Sparse rows around a common one, and the same as an array."""
    X = sparse_numbers(50, 5).astype(np.float32)
    common = np.arange(5, dtype=np.float32)
    entries = stored(X, X != 0)
    return SparseRows(entries, common), np.where(X != 0, X, common)


def test_sparse_rows_say_what_they_are(sparse_rows):
    """Length, shape and dtype are those of the array."""
    rows, _ = sparse_rows
    assert (len(rows), rows.shape, rows.dtype) == (50, (50, 5), np.float32)


@pytest.mark.parametrize(
    "index",
    [
        slice(None),
        slice(3, 17),
        slice(40, 1000),
        slice(5, 5),
        slice(None, None, 3),
        np.array([4, 4, 0, 49]),
        np.array([], dtype=int),
        np.arange(50) % 3 == 0,
    ],
    ids=str,
)
def test_sparse_rows_by_index(index, sparse_rows):
    """Some of the rows are those of the array, in memory of their own."""
    rows, X = sparse_rows
    part = rows[index]
    assert part.dtype == np.float32
    assert part.flags.c_contiguous
    np.testing.assert_array_equal(part, X[index])
    part[...] = 7
    np.testing.assert_array_equal(rows[:], X)


def test_sparse_rows_taken(sparse_rows):
    """Rows by position overwrite all of what they are written to."""
    rows, X = sparse_rows
    for position in [3, 3, 1], np.arange(50)[::-1], []:
        position = np.array(position, dtype=int)
        out = np.full((len(position), 5), np.nan, np.float32)
        assert rows.take(position, out) is out
        np.testing.assert_array_equal(out, X[position])


def test_sparse_rows_store_what_is_there():
    """A stored zero is a zero, not the number of the common row."""
    entries = stored(np.zeros((2, 3)), np.eye(2, 3, dtype=bool))
    rows = SparseRows(entries, np.array([1.0, 2, 3]))
    np.testing.assert_array_equal(rows[:], [[0, 2, 3], [1, 0, 3]])


@pytest.mark.sampled
@pytest.mark.parametrize("size", [1, 7, 16, 49, 50, 99])
@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("gathered_bytes", [1, 500, 10**6])
def test_batches_of_sparse_rows(size, seed, gathered_bytes, sparse_rows, monkeypatch):
    """Batches of sparse rows are those of the array, over several epochs."""
    monkeypatch.setattr("skdnn.nn.batches.GATHERED_BYTES", gathered_bytes)
    y, weight = np.arange(50), np.random.default_rng(1).random((50, 1))
    one, two = (
        Batches(X, y, weight, size, None if seed is None else np.random.default_rng(0))
        for X in sparse_rows
    )
    for _ in range(3):
        for sparse, dense in zip(one, two, strict=True):
            np.testing.assert_array_equal(sparse.X[:], dense.X)
            np.testing.assert_array_equal(sparse.y, dense.y)
            np.testing.assert_array_equal(sparse.weight, dense.weight)


# Memory


def peak(function, *args):
    """Return the most bytes that are allocated at a time, NumPy's included."""
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "make", [classifier, pytest.param(regressor, marks=pytest.mark.slow)]
)
def test_sparse_tables_are_not_made_dense(make):
    """Training and prediction take far less memory than the table as an array."""
    n, d = 20_000, 500
    X = sp.random(n, d, density=0.002, random_state=0, format="csr")
    y = np.arange(n) % 2
    est = make(max_iter=1)
    assert peak(est.fit, X, y) < n * d * 8 / 3
    assert peak(est.predict, X) < n * d * 8 / 3


# What is wrong


@makes
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix"])
@pytest.mark.parametrize("scaling", ["robust", None])
def test_infinity_in_a_sparse_table(make, value, kind, scaling):
    """Infinity in a sparse table is an error, in `fit` and in `predict`."""
    X, y = sparse_numbers(60), binary()[1]
    bad = X.copy()
    bad[3, 2] = value
    est = make(numeric_scaling=scaling)
    with pytest.raises(ValueError, match="infinity"):
        est.fit(SPARSE[kind](bad), y)
    est.fit(SPARSE[kind](X), y)
    with pytest.raises(ValueError, match="infinity"):
        est.predict(SPARSE[kind](bad))
    with pytest.raises(ValueError, match="infinity"):
        est.partial_fit(SPARSE[kind](bad), y)


@makes
def test_nan_in_a_sparse_table_without_scaling(make):
    """Without scaling, NaN in a sparse table is an error."""
    X, y = holes(sparse_numbers(60)), binary()[1]
    with pytest.raises(ValueError, match="contains NaN"):
        make(numeric_scaling=None).fit(sp.csr_array(X), y)


@pytest.mark.parametrize("data", [regression, multilabel])
def test_sparse_target_of_a_regressor(data):
    """Sparse targets are an error that says so."""
    X, y = data()
    y = y.reshape(len(y), -1).astype(float)
    with pytest.raises(TypeError, match="Sparse data was passed for y"):
        regressor().fit(X, sp.csr_array(y))


@makes
@pytest.mark.parametrize("kind", ["csr_array", "coo_matrix"])
def test_sparse_table_of_other_columns(make, kind):
    """A sparse table of another width is an error that names both."""
    X, y = sparse_numbers(60), binary()[1]
    est = make().fit(SPARSE[kind](X), y)
    for wrong in X[:, :5], np.hstack([X, X]):
        wrong = SPARSE[kind](wrong)
        message = f"X has {wrong.shape[1]} features.* expecting 6 features"
        for call in est.predict, lambda X: est.partial_fit(X, y):
            with pytest.raises(ValueError, match=message):
                call(wrong)
        with pytest.raises(ValueError, match=message):
            make().fit(X, y, X_val=wrong, y_val=y)


@makes
def test_sparse_table_of_other_rows(make):
    """A sparse table of more rows than the target is an error."""
    X, y = sparse_numbers(60), binary()[1]
    with pytest.raises(ValueError, match="as many rows"):
        make().fit(sp.csr_array(X), y[:50])


@makes
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (sp.csr_array((60, 6), dtype=complex), "[Cc]omplex"),
        (sp.csr_array((0, 6)), "0 sample"),
        (sp.csr_array((60, 0)), "0 feature"),
        (sp.coo_array(np.ones(60)), "2D|1[Dd]|dimension"),
    ],
    ids=["complex", "no rows", "no columns", "one dimension"],
)
def test_sparse_tables_that_make_no_sense(make, table, message):
    """Complex, empty and flat sparse tables are errors."""
    with pytest.raises(ValueError, match=message):
        make().fit(table, np.arange(table.shape[0]) % 2)
