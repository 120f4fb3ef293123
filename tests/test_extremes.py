"""Numbers at the ends of what a float holds: any finite row has a finite prediction."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skdnn.encoding import TabularEncoder
from tests.tables import classifier, numbers, regressor

HUGE = np.finfo("float64").max
TINY = 5e-324

#: Where training never was. scikit-learn warns where the sum of a table overflows.
FAR = [1e306, -1e306, 1e39, -1e39, 1e30, -1e20, 1e12, TINY, -TINY, 1e-310, 0.0]

SCALINGS = ["robust", "standard", "quantile"]
scalings = pytest.mark.parametrize("scaling", SCALINGS)
all_scalings = pytest.mark.parametrize("scaling", [*SCALINGS, None])
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
tables = pytest.mark.parametrize("table", [np.asarray, sp.csr_array])


def column(name, n=60):
    """Return numbers that are hard to compute with."""
    z = numbers(n, 1)[:, 0]
    return {
        "ordinary": z,
        "huge": 1e306 * z,
        "beyond float32": 1e39 * z,
        "the smallest": TINY * np.round(3 * z),
        "subnormal": 1e-310 * z,
        "huge offset": 1e300 + 1e285 * z,
        "one outlier": np.where(np.arange(n) == 3, HUGE, z),
        "huge and subnormal": np.where(np.arange(n) % 2, 1e307 * z, 1e-310 * z),
        "mostly zero": np.where(z > 1, 1e-320, 0),
    }[name]


COLUMNS = [
    "ordinary",
    *("huge", "beyond float32", "the smallest", "subnormal"),
    *("huge offset", "one outlier", "huge and subnormal", "mostly zero"),
]


@pytest.mark.sampled
@all_scalings
@dtypes
@tables
def test_far_rows_have_finite_predictions(scaling, dtype, table):
    """A row far outside is predicted, and not as NaN, whatever the scaling."""
    X = numbers(60, 2)
    est = classifier(numeric_scaling=scaling, dtype=dtype)
    est.fit(table(X), X[:, 0] > 0)
    far = np.array([[a, b] for a in FAR for b in FAR])
    assert np.isfinite(est.decision_function(table(far))).all()
    proba = est.predict_proba(table(far))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (proba >= 0).all()
    assert np.isfinite(est.decision_function(table([[HUGE, -HUGE]]))).all()


@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise_linear"])
@pytest.mark.parametrize("scaling", ["standard", None])
def test_far_rows_of_deep_networks(embedding, scaling):
    """Nor does it overflow behind an embedding, batch norm and many layers."""
    X = numbers(60, 2)
    est = regressor(
        (8,) * 12,
        numeric_scaling=scaling,
        numeric_embedding=embedding,
        batch_norm=True,
        residual=True,
    )
    est.fit(X, X[:, 0])
    far = np.array([[a, b] for a in FAR for b in FAR])
    assert np.isfinite(est.predict(far)).all()


@pytest.mark.sampled
@scalings
@dtypes
@tables
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_extremes(scaling, dtype, table, name):
    """Whatever a column holds, its encoding is finite, varies and keeps the order."""
    X = column(name)[:, None]
    enc = TabularEncoder(scaling, dtype=dtype).fit(table(X))
    rows = np.sort(np.r_[X[:, 0], FAR])[:, None]
    encoded = enc.transform(table(rows))[:, 0]
    assert np.isfinite(encoded).all()
    assert (np.diff(encoded) >= 0).all()
    assert np.ptp(enc.transform(table(X))) > 0.5


@scalings
@pytest.mark.parametrize("unit", [2.0**1020, 2.0**-1000, 2.0**-1060])
def test_units_at_the_ends(scaling, unit):
    """A power of two as the unit makes no difference, to the last bit."""
    # Of few bits, so that none is lost among the subnormal numbers.
    X = np.round(numbers(60, 2) * 64) / 64
    X[:, 1] = X[:, 1] > 1
    expected = TabularEncoder(scaling, dtype="float64").fit_transform(X)
    actual = TabularEncoder(scaling, dtype="float64").fit_transform(unit * X)
    np.testing.assert_array_equal(actual, expected)


def test_quantiles_of_subnormal_gaps():
    """Between two quantiles that are next to each other, ranks still grow."""
    X = np.repeat([0.0, 1e-310, 1.0], 20)[:, None]
    enc = TabularEncoder("quantile", dtype="float64").fit(X)
    encoded = enc.transform([[0], [2e-311], [5e-311], [1e-310], [0.5], [1]])[:, 0]
    assert np.isfinite(encoded).all()
    assert (np.diff(encoded) > 0).all()


@dtypes
@pytest.mark.parametrize("scaling", ["standard", None])
def test_where_far_numbers_are_cut_off(scaling, dtype):
    """Where a square would overflow, and no nearer: int64 passes."""
    limit = np.sqrt(np.finfo(dtype).max)
    X = np.array([[-1.0], [1.0]])
    enc = TabularEncoder(scaling, dtype=dtype).fit(X)
    rows = np.array([[HUGE], [-HUGE], [2.0**63], [-(2.0**63)]])
    expected = np.array([[limit], [-limit], [2.0**63], [-(2.0**63)]], dtype)
    np.testing.assert_array_equal(enc.transform(rows), expected)


@dtypes
@tables
@pytest.mark.parametrize("sign", [-1, 1])
def test_numbers_that_cannot_stay_as_they_are(dtype, table, sign):
    """Without scaling, numbers whose squares overflow are an error of `fit`."""
    X = numbers(60, 2)
    X[7, 1] = sign * 1.1 * np.sqrt(np.finfo(dtype).max)
    est = classifier(numeric_scaling=None, dtype=dtype)
    with pytest.raises(ValueError, match=r"Column 1 .*numeric_scaling=None"):
        est.fit(table(X), X[:, 0] > 0)
    assert not hasattr(est, "network_")


def test_the_column_that_overflows_is_named():
    """With names, the error has that of the column."""
    frame = pd.DataFrame({"kind": ["a", "b"], "size": [1e39, 2]})
    with pytest.raises(ValueError, match="Column 'size' has numbers from 2 to 1e\\+39"):
        TabularEncoder(None).fit(frame)


@all_scalings
@dtypes
def test_no_warning_of_overflow(scaling, dtype):
    """Users who let NumPy raise errors get none from the encoder."""
    X = numbers(60, 2)
    enc = TabularEncoder(scaling, dtype=dtype)
    columns = [] if scaling is None else [column(name)[:, None] for name in COLUMNS]
    with np.errstate(all="raise"), warnings.catch_warnings(action="error"):
        enc.fit(X)
        for table in np.asarray, sp.csr_array:
            enc.transform(table([[a, b] for a in FAR for b in FAR]))
            for x in columns:
                clone = TabularEncoder(scaling, dtype=dtype)
                clone.fit(table(x)).transform(table(np.c_[FAR]))


@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear"])
@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_training_on_extremes(embedding, scaling):
    """Training on them ends with finite predictions for all of them."""
    X = np.column_stack([column(name) for name in COLUMNS])
    est = classifier(numeric_scaling=scaling, numeric_embedding=embedding)
    proba = est.fit(X, X[:, 0] > 0).predict_proba(X)
    assert np.isfinite(proba).all()
    assert np.ptp(proba[:, 0]) > 0.01
