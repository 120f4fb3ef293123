"""What it means that two estimators are the same, to the bit."""

import numpy as np
from sklearn.base import clone

from tests.tables import parameters


def assert_same_network(one, two):
    """Assert that two estimators have the same network, to the bit."""
    np.testing.assert_array_equal(parameters(one), parameters(two))


def assert_same(one, two):
    """Assert that two estimators have the same network and the same curves."""
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.loss_curve_ == two.loss_curve_
    assert one.validation_loss_curve_ == two.validation_loss_curve_
    assert one.validation_scores_ == two.validation_scores_
    assert one.learning_rate_curve_ == two.learning_rate_curve_


def outputs(est, X):
    """Return all that an estimator predicts."""
    methods = "predict", "predict_proba", "predict_log_proba", "decision_function"
    return [getattr(est, name)(X) for name in methods if hasattr(est, name)]


def assert_outputs(est, X, expected):
    """Assert that an estimator predicts what is expected, to the bit."""
    for actual, array in zip(outputs(est, X), expected, strict=True):
        np.testing.assert_array_equal(actual, array)


def assert_taken_as(est, table, X, y, **fit_params):
    """Assert that `table` is as good as the float64 array `X`, in fit and predict."""
    one = clone(est).fit(X, y, **fit_params)
    two = clone(est).fit(table, y, **fit_params)
    assert_same(one, two)
    assert_outputs(two, table, outputs(one, X))
