"""What prediction costs where there are many classes."""

import tracemalloc

import numpy as np
import pytest

from skdnn.nn import losses
from tests.tables import TASKS, classifier, multiclass, numbers

CLASSIFIERS = ["binary", "multiclass", "multilabel"]


@pytest.fixture(scope="module")
def many():
    """A classifier of 200 classes."""
    return classifier((4,), max_iter=1).fit(*multiclass(n=800, n_classes=200))


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_one_softmax(n_members, method, monkeypatch):
    """Probabilities are computed once: no average of logarithms before."""
    X, y = multiclass()
    clf = classifier(n_members=n_members).fit(X, y)
    shapes = []

    def softmax(raw, out):
        shapes.append(raw.shape)
        return losses.softmax(raw, out)

    monkeypatch.setitem(losses.INVERSE_LINKS, "softmax", softmax)
    monkeypatch.setitem(losses.AVERAGES, "softmax", None)
    getattr(clf, method)(X)
    assert shapes == [(len(X), 3) if n_members == 1 else (n_members, len(X), 3)]


@pytest.mark.parametrize("task", CLASSIFIERS)
def test_predict_is_the_most_probable(task):
    """Classes are those of the highest probability, labels those above a half."""
    make, data = TASKS[task]
    X, y = data()
    clf = make().fit(X, y)
    rows = numbers(3000, seed=1)
    proba = clf.predict_proba(rows)
    expected = proba > 0.5 if y.ndim == 2 else clf.classes_[proba.argmax(axis=1)]
    np.testing.assert_array_equal(clf.predict(rows), expected)


def test_probabilities_are_those_of_the_raw_predictions(many):
    """The softmax of what `decision_function` returns, to its precision."""
    rows = numbers(300, seed=1)
    p = np.exp(many.decision_function(rows))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(many.predict_proba(rows), p, rtol=1e-4)


def test_memory_of_predict(many):
    """The classes of 20,000 rows take no memory for all of their probabilities."""
    rows = numbers(20_000, seed=1)
    tracemalloc.start()
    many.predict(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(rows) * 200 * 8 / 2
