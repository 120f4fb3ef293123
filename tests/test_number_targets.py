"""From numbers to what a network learns, and back."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdnn._number_targets import NumberTargets
from skdnn._rows import Rows
from skdnn._statistics import Sample
from skdnn.nn.losses import Huber, Poisson, Quantile, SquaredError

Y = np.array([3.0, -1, 7, 12, 4])


def learned(y, loss="squared_error", target_scaling=True, dtype="float32"):
    """Return targets that have learned from `y`, and what they make of it."""
    targets, rows = NumberTargets(), Rows(np.arange(len(y)), None)
    checked = targets.check(y, learn=True)
    settings = SimpleNamespace(
        loss=loss,
        target_scaling=target_scaling,
        auxiliary_quantiles=False,
        dtype=dtype,
    )
    sample = Sample(checked[:, None], checked, rows, None, None)
    targets.learn(targets.statistics(checked, rows), sample, settings)
    return targets, checked


@pytest.mark.parametrize("y", [Y, np.column_stack([Y, Y**2])])
def test_mean_and_standard_deviation(y):
    """The network learns ``(y - mean) / std``, and what it predicts is put back."""
    targets, checked = learned(y, dtype="float64")
    encoded = targets.encode(checked)
    z = (y - y.mean(axis=0)) / y.std(axis=0)
    assert_allclose(encoded, z.reshape(len(y), -1), rtol=1e-12)
    assert_allclose(targets.predict(encoded), y, rtol=1e-12)


def test_without_scaling():
    """Numbers are learned as they are."""
    targets, checked = learned(Y, target_scaling=False)
    assert_array_equal(targets.encode(checked)[:, 0], Y)
    assert_array_equal(targets.predict(Y[:, None]), Y)


def test_far_targets_of_a_robust_loss_are_cut_off():
    """What pulls no harder from farther away need not be so far."""
    y = np.r_[np.linspace(0, 1, 99), 1e30]
    for loss, is_cut in ("squared_error", False), (Huber(), True):
        targets, checked = learned(y, loss)
        z = (y - targets.location) / targets.scale
        same = targets.encode(checked)[:, 0] == z.astype("float32")
        assert same[:-1].all()
        assert same[-1] != is_cut


def test_quantiles_are_in_order():
    """An output stands for each, of one number; those of a row never cross."""
    targets, checked = learned(Y, Quantile([0.5, 0.9, 0.1]))
    assert targets.encode(checked).shape == (5, 3)
    assert_array_equal(targets.ranks, [1, 2, 0])
    predicted = targets.predict(np.array([[0.3, -1.0, 0.2], [0.0, 1.0, -1.0]]))
    assert (predicted[:, 2] < predicted[:, 0]).all()
    assert (predicted[:, 0] < predicted[:, 1]).all()


def test_predictions_of_deviances_are_above_zero():
    """An exponential that underflows is the smallest number there is."""
    targets, _ = learned(np.array([1.0, 2, 3]), Poisson())
    assert 0 < targets.predict(np.array([[-1e4]]))[0] < 1e-300


@pytest.mark.parametrize("y", [Y, np.column_stack([Y, Y**2]), Y[:, None] * [1, 2, 3]])
def test_what_is_adopted_is_what_is_learned(y):
    """From what is known of all rows, without the rows."""
    targets, checked = learned(y)
    adopted = NumberTargets()
    adopted.adopt(targets.statistics(checked, Rows(np.arange(len(y)), None)))
    assert adopted.n_targets == targets.n_targets
    assert adopted.multioutput == targets.multioutput
    assert_array_equal(adopted.check(y), checked)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "b"], "y holds text, and DNNRegressor predicts numbers"),
        (np.ones((5, 3)), "must have 1 columns as in the first fit"),
        ([np.nan, 1], "NaN"),
    ],
)
def test_what_is_no_such_target(y, message):
    """An error says what it should be."""
    targets, _ = learned(Y)
    with pytest.raises(ValueError, match=message):
        targets.check(y)


def test_links_of_classes():
    """They are not for numbers."""
    with pytest.raises(ValueError, match="link"):
        learned(Y, SquaredError("softmax"))


def test_positions_of_outputs():
    """By number; the only one is meant where none is named."""
    assert learned(Y)[0].position(None) == 0
    several, _ = learned(np.column_stack([Y, Y]))
    assert several.position(1) == 1
    for wrong in None, 2, -1, 0.0, "1":
        with pytest.raises(ValueError, match="from 0 to 1, got"):
            several.position(wrong)
