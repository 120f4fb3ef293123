"""Weights of classes: what rows weigh by them, and which make no sense."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdnn._class_weights import weighed, weights_of_classes
from skdnn._rows import Rows
from tests.tables import binary, classifier, multiclass, multilabel

CLASSES = np.array(["a", "b", "c"])


@pytest.mark.parametrize("count", [[10, 30, 60], [1, 1, 1], [0.5, 0.25, 3]])
def test_balanced(count):
    """A class weighs ``total / (n_classes * count)``, so that all sum up to as much."""
    (weights,) = weights_of_classes("balanced", CLASSES, np.array([count]))
    assert_allclose(weights, np.sum(count) / (3 * np.array(count)))
    assert_allclose(weights * count, np.sum(count) / 3)


def test_balanced_without_rows_of_a_class():
    """A class that no row has weighs one, and is none of those that are counted."""
    (weights,) = weights_of_classes("balanced", CLASSES, np.array([[10, 0, 30]]))
    assert_allclose(weights, [2, 1, 2 / 3])


def test_weights_by_class():
    """Classes that are not named weigh one."""
    (weights,) = weights_of_classes({"b": 2.5}, CLASSES, np.ones((1, 3)))
    assert_array_equal(weights, [1, 2.5, 1])
    assert weights_of_classes(None, CLASSES, np.ones((1, 3))) is None


def test_a_list_has_weights_for_each_column():
    """Anything else is for all columns."""
    counts = np.array([[30, 10], [20, 20]])
    classes = np.array([0, 1])
    each = weights_of_classes([{0: 3}, "balanced"], classes, counts)
    assert_array_equal(each, [[3, 1], [1, 1]])
    every = weights_of_classes({1: 4}, classes, counts)
    assert_array_equal(every, [[1, 4], [1, 4]])


def test_rows_weigh_what_their_classes_do():
    """So much more than before; of several labels, it is the product."""
    index = np.array([3, 0, 2])
    targets = np.array([0, 1, 2, 1])
    weights = [np.array([1, 2, 3.0])]
    assert_array_equal(weighed(Rows(index, None), targets, weights).weight, [2, 1, 3])
    before = Rows(index, np.array([1, 10, 100.0]))
    assert_array_equal(weighed(before, targets, weights).weight, [2, 10, 300])
    assert_array_equal(before.weight, [1, 10, 100])
    labels = np.array([[0, 1], [1, 1], [1, 0], [0, 0]])
    weights = [np.array([2, 3.0]), np.array([5, 7.0])]
    assert_array_equal(weighed(Rows(index, None), labels, weights).weight, [10, 14, 15])


# What makes no sense


def test_class_weights_that_are_all_zero():
    """Class weights that leave nothing to learn from are an error that names them."""
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight={0: 0, 1: 0}).fit(*binary())


def test_negative_class_weights():
    """A negative class weight is an error that names the parameter."""
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight={0: -1, 1: 1}).fit(*binary())


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_class_weights_that_are_not_finite(weight):
    """A class weight is a number."""
    with pytest.raises(ValueError, match=r"class_weight must be non-negative, finite"):
        classifier(class_weight={0: weight, 1: 1}).fit(*binary())


def test_class_weights_of_other_classes():
    """Weights of classes that are not there are an error that names the classes."""
    with pytest.raises(ValueError, match=r"\[0, 1\], are not in class_weight"):
        classifier(class_weight={7: 1.0}).fit(*binary())


def test_class_weights_of_another_number_of_labels():
    """A list of class weights that is too short is an error that names both numbers."""
    with pytest.raises(ValueError, match=r"class_weight .* 1 entries.* 3 columns"):
        classifier(class_weight=[{0: 1, 1: 2}]).fit(*multilabel())


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_that_all_weigh_nothing(early_stopping):
    """Where class weights leave nothing to train or validate on, an error says so."""
    X, y = multiclass()
    clf = classifier(class_weight={0: 0, 1: 1, 2: 1}, early_stopping=early_stopping)
    only_zeros = X[y == 0], y[y == 0]
    with pytest.raises(ValueError, match="finite and not zero: 0"):
        if early_stopping:
            clf.fit(X, y, X_val=only_zeros[0], y_val=only_zeros[1])
        else:
            clf.fit(X, y, sample_weight=(y == 0).astype(float))
