"""Range, quantiles and moments of columns, dense and sparse, against NumPy."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skdnn import _rows
from skdnn._distributions import (
    holes_and_range,
    moments,
    quantiles,
    runs_of_quantiles,
)
from skdnn.encoding import TabularEncoder
from tests.plain import plain_classifier

LEVELS = [0, 0.1, 0.25, 0.5, 0.75, 1]
tables = pytest.mark.parametrize("table", [np.asarray, sp.csr_array])
weights = pytest.mark.parametrize("weighted", [False, True])


def columns(n=200, d=30):
    """Return columns from all zero to none, of few and of many numbers, with holes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    X[:, ::2] = np.round(X[:, ::2])
    X[rng.random((n, d)) > np.linspace(0, 1, d)] = 0
    X[rng.random((n, d)) < 0.05] = np.nan
    X[:, 7] = np.nan
    return X


def weight(n=200):
    return np.random.default_rng(1).integers(1, 5, n).astype(float)


def seen(X, j, repeats):
    """Return the numbers of a column, each as often as it counts."""
    column = np.repeat(X[:, j], repeats)
    column = column[~np.isnan(column)]
    return column if len(column) else np.zeros(1)


@pytest.mark.sampled
@tables
@weights
@pytest.mark.parametrize("size", [1, 100, 2**18])
def test_quantiles(table, weighted, size, monkeypatch):
    """They are NumPy's, however many columns are looked at in one go."""
    monkeypatch.setattr(_rows, "CHUNK_NUMBERS", size)
    X, rows = columns(), np.arange(150)
    own = weight()[rows] if weighted else None
    repeats = weight()[rows].astype(int) if weighted else 1
    some = np.arange(1, 29)
    expected = [
        np.quantile(seen(X[rows], j, repeats), LEVELS, method="inverted_cdf")
        for j in some
    ]
    actual = quantiles(table(X), some, rows, own, LEVELS)
    np.testing.assert_array_equal(actual, np.transpose(expected))


@tables
@weights
def test_runs_of_quantiles(table, weighted):
    """Runs are the same quantiles, each as often as it stands there."""
    X, rows, some = columns(), np.arange(200), np.arange(30)
    levels = np.linspace(0, 1, 51)
    own = weight() if weighted else None
    value, first = runs_of_quantiles(table(X), some, rows, own, levels)
    expected = quantiles(table(X), some, rows, own, levels)
    lengths = np.diff(np.append(first, expected.size))
    assert (lengths > 0).all()
    np.testing.assert_array_equal(np.repeat(value, lengths), expected.T.ravel())


@tables
@weights
def test_moments(table, weighted):
    """Mean and variance are NumPy's, of what stands there."""
    X, rows, some = columns(), np.arange(200), np.arange(30)
    own = weight() if weighted else None
    repeats = weight().astype(int) if weighted else 1
    unit = 2.0 ** np.arange(-15, 15)
    total, mean, variance = moments(table(X), some, rows, own, unit)
    for j in some:
        column = unit[j] * seen(X, j, repeats)
        np.testing.assert_allclose(mean[j], column.mean(), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(variance[j], column.var(), rtol=1e-12, atol=1e-15)
        assert total[j] == len(column)


@tables
def test_holes_and_range(table):
    """Extremes pass over holes, and zeros that are not stored count."""
    X, rows = columns(), np.arange(20, 160)
    holes, low, high = holes_and_range(table(X), 30, rows)
    np.testing.assert_array_equal(holes, np.isnan(X[rows]).any(axis=0))
    numbers = np.delete(X[rows], 7, axis=1)
    np.testing.assert_array_equal(np.delete(low, 7), np.nanmin(numbers, axis=0))
    np.testing.assert_array_equal(np.delete(high, 7), np.nanmax(numbers, axis=0))
    assert (low[7], high[7]) == (np.inf, -np.inf)


def hashed(n=200, d=2**16, n_words=20):
    """Return a table as a hashing vectorizer makes it: many columns, nearly all zero.

    Half of its columns hold nothing.
    """
    rng = np.random.default_rng(0)
    row = np.repeat(np.arange(n), n_words)
    column = 2 * rng.integers(d // 2, size=len(row))
    return sp.csr_array((rng.choice([-1.0, 0.5], len(row)), (row, column)), (n, d))


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile"])
@pytest.mark.parametrize("drop_constant", [True, False])
def test_columns_of_zeros_take_no_memory(scaling, drop_constant):
    """The encoder makes no row of a hashed table dense, much less the table."""
    X, rows = hashed(), np.arange(200)
    enc = TabularEncoder(scaling)
    X = enc.validate(enc, X, reset=True)
    tracemalloc.start()
    try:
        enc.fit_rows(X, rows, drop_constant=drop_constant)
        entries, common = enc.encode_sparse_rows(X, rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Some vectors of a number for each column, where the table has 200.
    assert peak < 40 * 8 * X.shape[1]
    assert entries.nnz <= X.nnz
    some = slice(50)
    encoded = np.tile(common, (50, 1))
    np.put_along_axis(encoded, *_padded(entries[some]), axis=1)
    np.testing.assert_array_equal(
        encoded, enc.encode_rows(X[some].toarray(), rows[some])
    )


def _padded(entries):
    """Return columns and values of the entries of each row, the last one repeated."""
    width = np.diff(entries.indptr).max()
    ends = entries.indptr[1:, None] - 1
    at = np.minimum(entries.indptr[:-1, None] + np.arange(width), ends)
    return entries.indices[at], entries.data[at]


def test_learning_from_a_hashed_table():
    """A stream of hashed rows is learned from, and predicted as its rows are."""
    X = hashed(d=2**14)
    y = (X.sum(axis=1) > np.median(X.sum(axis=1))).astype(int)
    clf = plain_classifier(learning_rate=0.01)
    for _ in range(10):
        clf.partial_fit(X, y, classes=[0, 1])
    assert clf.score(X, y) > 0.95
    np.testing.assert_array_equal(
        clf.predict_proba(X[:7].toarray()), clf.predict_proba(X[:7])
    )
