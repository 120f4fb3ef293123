"""What all targets tell of a row: one of its numbers, and the gradient of that."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdnn._class_targets import ClassTargets
from skdnn._number_targets import NumberTargets
from skdnn.nn.losses import Gamma, Huber, LogLoss, Poisson, Quantile, SquaredError
from tests.gradcheck import assert_gradient


def numbers(loss, n_targets=1):
    """Return targets of numbers that have learned."""
    targets = NumberTargets()
    targets.loss, targets.n_targets, targets.multioutput = loss, n_targets, True
    targets.n_outputs = n_targets if loss.levels is None else len(loss.levels)
    targets.location = np.linspace(1, 2, targets.n_outputs)
    targets.scale = np.linspace(3, 4, targets.n_outputs)
    return targets


def classes(loss, n_classes, multilabel=False):
    """Return targets of classes that have learned."""
    targets = ClassTargets()
    targets.loss, targets.multilabel = loss, multilabel
    targets.classes = np.arange(n_classes)
    several = multilabel or n_classes > 2
    targets.n_outputs = n_classes if several else 1
    return targets


TARGETS = {
    "numbers": numbers(SquaredError("identity"), 3),
    "bounded numbers": numbers(SquaredError("sigmoid"), 2),
    "robust": numbers(Huber()),
    "counts": numbers(Poisson(), 2),
    "amounts": numbers(Gamma()),
    "quantiles": numbers(Quantile([0.5, 0.9, 0.1])),
    "two classes": classes(LogLoss(link="sigmoid"), 2),
    "a single class": classes(LogLoss(link="sigmoid"), 1),
    "classes": classes(LogLoss(link="softmax"), 4),
    "classes by sigmoids": classes(LogLoss(link="sigmoid"), 4),
    "Brier": classes(SquaredError("softmax"), 3),
    "labels": classes(LogLoss(link="sigmoid"), 3, multilabel=True),
}


@pytest.mark.parametrize("n_members", [None, 1, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_slope_of_a_number(name, n_members, rng):
    """It is the gradient of what is predicted, at each position."""
    targets = TARGETS[name]
    lead = () if n_members is None else (n_members,)
    raw = rng.standard_normal((*lead, 7, targets.n_outputs))
    n_positions = getattr(targets, "classes", np.arange(targets.n_outputs))
    for position in range(len(n_positions)):
        slope = targets.number_slope(raw, position)
        assert slope.shape == raw.shape
        weight = rng.standard_normal(7)

        def total(raw, position=position, weight=weight):
            return weight @ targets.number(raw, position)

        assert_gradient(total, weight[:, None] * slope, raw, rng)


@pytest.mark.parametrize("name", TARGETS)
def test_numbers_are_those_that_are_predicted(name, rng):
    """Position by position, they are probabilities or predictions."""
    targets = TARGETS[name]
    raw = rng.standard_normal((7, targets.n_outputs))
    of_classes = isinstance(targets, ClassTargets)
    expected = targets.probabilities(raw) if of_classes else targets.predict(raw)
    for position, column in enumerate(expected.T):
        assert_array_equal(targets.number(raw, position), column)
