"""Several labels or several targets a row, and targets of one column."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tests.tables import (
    classifier,
    multilabel,
    multioutput,
    numbers,
    regression,
    regressor,
)


def test_multilabel():
    """Several labels a row come back as an indicator matrix, learned each by itself."""
    X, Y = multilabel()
    clf = classifier(max_iter=100, learning_rate=0.05).fit(X, Y)
    predicted = clf.predict(X)
    assert predicted.shape == Y.shape
    assert predicted.dtype.kind == "i"
    assert (predicted == Y).mean() > 0.95
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_multilabel_of_no_opinion():
    """A label whose probability is exactly one half is not predicted."""
    clf = classifier().fit(*multilabel())
    clf.network_.params[:] = 0
    assert (clf.predict_proba(numbers()) == 0.5).all()
    assert not clf.predict(numbers()).any()


def test_multilabel_of_a_single_label():
    """A column that is always 0 or always 1 is learned too."""
    X, Y = multilabel()
    Y[:, 0], Y[:, 1] = 0, 1
    clf = classifier(max_iter=100, learning_rate=0.05).fit(X, Y)
    np.testing.assert_array_equal(clf.predict(X)[:, :2], Y[:, :2])


def test_multilabel_sparse():
    """Labels in a sparse matrix are the same as in an array."""
    X, Y = multilabel()
    one, two = classifier().fit(X, Y), classifier().fit(X, csr_matrix(Y))
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_multioutput():
    """Several targets are predicted together, each in units of its own."""
    X, Y = multioutput()
    reg = regressor((30,), max_iter=300, learning_rate=0.01).fit(X, Y)
    predicted = reg.predict(X)
    assert predicted.shape == Y.shape
    assert (np.abs(predicted - Y).mean(axis=0) < 0.3 * Y.std(axis=0)).all()


def test_target_of_one_column():
    """A target of one column is a column of numbers, with scikit-learn's warning."""
    X, y = regression()
    with pytest.warns(UserWarning, match="column-vector"):
        reg = regressor().fit(X, y[:, None])
    np.testing.assert_array_equal(reg.predict(X), regressor().fit(X, y).predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_predictions_are_float64(dtype):
    """Predictions of numbers are float64, whatever the type of `X` and `y`."""
    X, y = regression()
    assert regressor().fit(X, y.astype(dtype)).predict(X).dtype == np.float64
