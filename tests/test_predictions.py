"""What an estimator predicts: labels, probabilities, and each row by itself."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from tests.recipes import maker, networks, table
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    numbers,
)

tasks = pytest.mark.parametrize("task", TASKS)


# Probabilities


@tasks
def test_probabilities(task):
    """Probabilities are float64, between 0 and 1, and of all classes."""
    make, data = TASKS[task]
    est = make()
    assert hasattr(est, "predict_proba") == (make is classifier)
    if make is classifier:
        X, y = data()
        proba = est.fit(X, y).predict_proba(X)
        assert proba.dtype == np.float64
        assert proba.shape == (len(X), 3 if task != "binary" else 2)
        assert ((proba >= 0) & (proba <= 1)).all()
        if task != "multilabel":
            np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_probabilities_are_of_the_raw_outputs(data):
    """Probabilities are the sigmoid or the softmax of the decision function."""
    X, y = data()
    clf = classifier(dtype="float64").fit(X, y)
    raw = clf.decision_function(X)
    if data is binary:
        assert raw.shape == (60,)
        expected = np.column_stack([expit(-raw), expit(raw)])
    else:
        expected = (expit if data is multilabel else lambda r: softmax(r, axis=1))(raw)
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-10)


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_log_probabilities(data):
    """Log probabilities are logarithms, finite where a probability rounds to 0."""
    X, y = data()
    clf = classifier().fit(X, y)
    expected = np.log(clf.predict_proba(X))
    # That of a probability near 1 has the absolute error of the probability.
    log_proba = clf.predict_log_proba(X)
    np.testing.assert_allclose(log_proba, expected, rtol=1e-12, atol=1e-15)
    clf.network_.params *= 1e4
    assert (clf.predict_proba(X) == 0).any()
    assert np.isfinite(clf.predict_log_proba(X)).all()


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_prediction_is_the_likeliest(data):
    """The prediction is the likeliest class, or each label over one half."""
    X, y = data()
    clf = classifier().fit(X, y)
    proba = clf.predict_proba(X)
    expected = proba > 0.5 if data is multilabel else proba.argmax(axis=1)
    np.testing.assert_array_equal(clf.predict(X), expected)


@pytest.mark.parametrize("data", [binary, multiclass])
def test_confident_probabilities(data):
    """Probabilities of huge raw outputs are 0 and 1, and nothing overflows."""
    X, y = data()
    clf = classifier().fit(X, y)
    clf.network_.params *= 1e6
    proba = clf.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert proba.max() == 1


def test_brier_loss_of_several_classes():
    """The squared error of the probabilities learns several classes."""
    X, y = multiclass()
    clf = classifier(loss="squared_error", max_iter=100, learning_rate=0.05).fit(X, y)
    assert clf.out_activation_ == "softmax"
    assert clf.score(X, y) > 0.9
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


# Rows


@tasks
def test_prediction_in_chunks(task):
    """A large table is predicted as its parts are, to the bit."""
    make, data = TASKS[task]
    est = make().fit(*data())
    X = numbers(3000, seed=1)
    parts = [est.predict(part) for part in np.array_split(X, 7)]
    np.testing.assert_array_equal(est.predict(X), np.concatenate(parts))


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("layout", [np.asfortranarray, np.float32, list, pd.DataFrame])
def test_layout_of_X(task, layout):
    """The layout of `X` makes no difference to a prediction."""
    make, data = TASKS[task]
    X, y = data()
    X = X.astype(np.float32).astype(np.float64)
    est = make().fit(X, y)
    np.testing.assert_array_equal(est.predict(layout(X)), est.predict(X))


@tasks
def test_missing_numbers(task):
    """Missing numbers are learned from, and predicted with."""
    make, data = TASKS[task]
    X, y = data()
    missing = np.random.default_rng(0).random(X.shape) < 0.2
    X[missing] = np.nan
    est = make(early_stopping=True).fit(X, y)
    assert est.encoder_.n_features_out_ == 8
    assert np.isfinite(est.predict(X)).all()
    assert np.isfinite(est.predict(np.full((1, 4), np.nan))).all()


def test_missing_numbers_carry_information():
    """That a number is missing can be learned from."""
    X, _ = binary(200)
    y = np.random.default_rng(1).integers(0, 2, 200)
    X[y == 1, 0] = np.nan
    clf = classifier(max_iter=100, learning_rate=0.05).fit(X, y)
    assert clf.score(X, y) == 1


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:Training knows not one of the categories")
@tasks
@networks
def test_fault_29_predictions_do_not_depend_on_other_rows(network, task):
    """A row gets the same prediction, to the bit, alone, among others or in order.

    A peer's differed in the third digit, with the number of rows given at once.
    """
    params = {"batch_norm": True, "dropout": 0.2, "hidden_layer_dims": (30, 20)}
    est = maker(task, network, **params)().fit(*table(task))
    X = numbers(2100, seed=1)
    predict = getattr(est, "predict_proba", est.predict)
    expected = predict(X)
    for size in 1, 7, 300, 1025:
        rows = X[: 40 * size]
        parts = [predict(rows[i : i + size]) for i in range(0, len(rows), size)]
        np.testing.assert_array_equal(np.concatenate(parts), expected[: len(rows)])
    order = np.random.default_rng(2).permutation(2100)
    np.testing.assert_array_equal(predict(X[order]), expected[order])
