"""From raw predictions to classes, by formula."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdnn._class_targets import ClassTargets
from skdnn.nn.losses import LogLoss, SquaredError

RAW = np.array([[0.3, -2.0, 1.5], [-4.0, 0.2, 0.1], [0.0, 0.0, -1.0]])
WORDS = np.array(["a", "b", "c"])


def sigmoid(raw):
    """Return the logistic function."""
    return 1 / (1 + np.exp(-raw))


def targets(classes, link="sigmoid", loss=LogLoss):
    """Return targets of some classes, that have learned."""
    of_classes = ClassTargets()
    of_classes.check(classes, learn=True)
    of_classes.loss = loss(link=link)
    return of_classes


def labels(n_labels=3, dtype=int):
    """Return targets of several labels a row."""
    return targets(np.eye(n_labels, dtype=dtype))


@pytest.mark.parametrize("loss", [LogLoss, SquaredError])
def test_several_classes(loss):
    """Probabilities are the softmax, and decisions are what enters it."""
    of_words = targets(WORDS, "softmax", loss)
    expected = np.exp(RAW) / np.exp(RAW).sum(axis=1, keepdims=True)
    assert_allclose(of_words.probabilities(RAW), expected)
    assert_allclose(of_words.log_probabilities(RAW), np.log(expected))
    assert_array_equal(of_words.decisions(RAW), RAW)
    assert_array_equal(of_words.predict(RAW), ["c", "b", "a"])


@pytest.mark.parametrize("loss", [LogLoss, SquaredError])
def test_several_classes_by_sigmoids(loss):
    """Probabilities are sigmoids, over their sum."""
    of_words = targets(WORDS, "sigmoid", loss)
    expected = sigmoid(RAW) / sigmoid(RAW).sum(axis=1, keepdims=True)
    assert_allclose(of_words.probabilities(RAW), expected)
    assert_allclose(of_words.log_probabilities(RAW), np.log(expected))
    assert_array_equal(of_words.predict(RAW), ["c", "b", "a"])


def test_two_classes():
    """A single output is the logit of the second."""
    of_words, raw = targets(WORDS[:2]), RAW[:, :1]
    second = sigmoid(raw[:, 0])
    expected = np.column_stack([1 - second, second])
    assert_allclose(of_words.probabilities(raw), expected)
    assert_allclose(of_words.log_probabilities(raw), np.log(expected))
    assert_array_equal(of_words.decisions(raw), raw[:, 0])
    # Where both are as probable, it is the first.
    assert_array_equal(of_words.predict(raw), ["b", "a", "a"])


def test_a_single_class():
    """It is certain, whatever comes out."""
    of_words, raw = targets(WORDS[:1]), RAW[:, :1]
    assert_array_equal(of_words.probabilities(raw), np.ones((3, 1)))
    assert_array_equal(of_words.log_probabilities(raw), np.zeros((3, 1)))
    assert_array_equal(of_words.predict(raw), ["a"] * 3)


def test_several_labels():
    """Each has a probability of its own, and is there from more than a half on."""
    of_labels = labels()
    assert_allclose(of_labels.probabilities(RAW), sigmoid(RAW))
    assert_allclose(of_labels.log_probabilities(RAW), np.log(sigmoid(RAW)))
    assert_array_equal(of_labels.decisions(RAW), RAW)
    assert_array_equal(of_labels.predict(RAW), [[1, 0, 1], [0, 1, 1], [0, 0, 0]])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
def test_labels_have_the_dtype_that_they_came_with(dtype):
    """So do those that are made of zeros and ones."""
    assert labels(dtype=dtype).predict(RAW).dtype == dtype
    assert labels(dtype=dtype).as_labels([[0, 1]]).dtype == dtype


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_logarithms_of_what_rounds_to_zero(link):
    """They are finite, and those of the others are as exact."""
    log_proba = targets(WORDS, link).log_probabilities(np.array([[-900.0, 0, 900]]))
    assert np.isfinite(log_proba).all()
    assert_allclose(
        log_proba[0, 0], {"softmax": -1800, "sigmoid": -900}[link], rtol=1e-3
    )


def test_members_are_averaged():
    """The probability of an ensemble is the mean of those of its members."""
    raw = np.stack([RAW, -RAW])
    of_words = targets(WORDS, "softmax")
    each = [of_words.probabilities(one) for one in raw]
    assert_allclose(of_words.probabilities(raw), np.mean(each, axis=0))
    assert_allclose(labels().probabilities(raw), np.full((3, 3), 0.5))


def test_positions_of_classes():
    """By label; of two, the second is meant where none is named."""
    assert targets(WORDS).position("b") == 1
    assert targets(WORDS[:2]).position(None) == 1
    assert targets(WORDS[:1]).position(None) == 0
    assert labels().position(2) == 2
    for wrong in "d", None, 0:
        with pytest.raises(ValueError, match="must be one of the classes"):
            targets(WORDS).position(wrong)
