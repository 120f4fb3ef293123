"""From labels to what a network learns; labels of any type are in `test_labels.py`."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdnn._class_targets import ClassTargets
from skdnn._rows import Rows
from skdnn.nn.losses import LogLoss

WORDS = np.array(["b", "a", "c", "a"])
LABELS = np.array([[1, 0, 1], [0, 1, 1], [1, 0, 1], [0, 0, 0]])


def learned(y, classes=None, link="sigmoid"):
    """Return targets that know `y`, and what they make of it."""
    targets = ClassTargets()
    checked = targets.check(y, learn=True, classes=classes)
    targets.loss, targets._dtype = LogLoss(link=link), "float32"
    return targets, checked


def test_classes_become_their_ranks():
    """An output stands for each; one is enough for two."""
    targets, checked = learned(WORDS)
    assert_array_equal(targets.classes, ["a", "b", "c"])
    assert_array_equal(checked, [1, 0, 2, 0])
    assert_array_equal(targets.as_given(checked), WORDS)
    assert (targets.n_outputs, targets.multilabel) == (3, False)
    assert learned(WORDS[:2])[0].n_outputs == 1
    assert learned(WORDS[:2], classes=["z", "b", "a"])[0].n_outputs == 3


def test_labels_stay_as_they_are():
    """An output stands for each; their classes are the numbers of the columns."""
    targets, checked = learned(LABELS == 1)
    assert_array_equal(checked, LABELS)
    assert checked.dtype == np.intp
    assert_array_equal(targets.classes, [0, 1, 2])
    assert (targets.n_outputs, targets.labels) == (3, None)


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (WORDS, ["d"], r"not among the classes: \['d'\]"),
        (WORDS, LABELS, "as in the first fit, one a row"),
        (LABELS, WORDS, "as in the first fit, 3 a row"),
        (LABELS, LABELS[:, :2], "as in the first fit, 3 a row"),
    ],
)
def test_another_kind_of_labels(first, then, message):
    """What was learned first is what all others have to be."""
    targets, _ = learned(first)
    with pytest.raises(ValueError, match=message):
        targets.check(then)


def test_encoding():
    """The softmax reads ranks, and sigmoids a column each of zeros and ones."""
    targets, checked = learned(WORDS, link="softmax")
    assert targets.encode(checked) is checked
    targets, checked = learned(WORDS)
    assert_array_equal(targets.encode(checked), np.eye(3)[checked])
    assert targets.encode(checked).dtype == np.float32
    targets, checked = learned(WORDS[:2])
    assert_array_equal(targets.encode(checked), [[1], [0]])
    targets, checked = learned(LABELS)
    assert_array_equal(targets.encode(checked), LABELS)


def test_strata():
    """Classes are; of labels, their combinations are, those that stand alone as one."""
    targets, checked = learned(WORDS)
    assert targets.strata(checked) is checked
    targets, checked = learned(LABELS)
    one, two, three, four = targets.strata(checked)
    assert one == three != two == four


def test_missing_classes():
    """Labels can't be missing, as each has a column."""
    targets, _ = learned(WORDS)
    assert targets.missing(["a", "c"]) == ["b"]
    assert learned(LABELS)[0].missing([0]) == []


@pytest.mark.parametrize("y", [WORDS, LABELS])
def test_what_is_adopted_is_what_is_learned(y):
    """From what is known of all rows, without the rows."""
    targets, checked = learned(y)
    adopted = ClassTargets()
    adopted.adopt(targets.statistics(checked, Rows(np.arange(len(checked)), None)))
    assert_array_equal(adopted.check(y), checked)
    assert adopted.n_outputs == targets.n_outputs
    assert adopted.multilabel == targets.multilabel
