"""The attributions that are drawn are those of the estimator."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from skdnn import AttributionsDisplay
from skdnn.inspection import integrated_gradients
from skdnn.nn.losses import Quantile
from tests.tables import binary, classifier, mixed, multioutput, regressor

mpl.use("Agg")


def names(display):
    """Return the names beside the bars, from the top."""
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_bars(plt):
    """They are mean absolute attributions, the longest at the top."""
    X, y = mixed()
    reg = regressor(max_iter=20).fit(X, y)
    display = AttributionsDisplay.from_estimator(reg, X[:9], max_features=4)
    size = abs(integrated_gradients(reg, X[:9])).mean(axis=0)
    order = np.argsort(-size)[:4]
    assert names(display) == [X.columns[j] for j in order]
    assert_allclose([bar.get_width() for bar in display.ax_.patches], size[order])
    assert_array_equal(display.columns_, order)
    assert display.ax_.yaxis_inverted()
    assert display.ax_.get_xlabel() == "Mean absolute part of the prediction"


def test_bars_of_a_row(plt):
    """A single row has its attributions, with their signs."""
    X, y = binary()
    clf = classifier(max_iter=20).fit(X, np.array(["no", "yes"])[y])
    display = AttributionsDisplay.from_estimator(clf, X[:1], baseline=X[1], target="no")
    expected = integrated_gradients(clf, X[:1], baseline=X[1], target="no")[0]
    widths = [bar.get_width() for bar in display.ax_.patches]
    assert_allclose(widths, expected[display.columns_])
    assert min(widths) < 0 < max(widths)
    assert display.ax_.get_xlabel() == "Part of the probability of no"
    assert names(display) == [f"x{j}" for j in display.columns_]


def test_swarm(plt):
    """Each row is a point; those that would lie on each other are side by side."""
    X, y = mixed()
    reg = regressor(max_iter=20, loss=Quantile([0.1, 0.9])).fit(X, y)
    display = AttributionsDisplay.from_estimator(reg, X, kind="swarm", target=1)
    points = [c.get_offsets() for c in display.ax_.collections if len(c.get_offsets())]
    assert sum(map(len, points)) == X.size
    points = np.vstack(points)
    assert len(np.unique(points, axis=0)) == X.size
    place = points[:, 1].round().astype(int)
    attributions = integrated_gradients(reg, X, target=1)
    for k, j in enumerate(display.columns_):
        drawn = np.sort(points[place == k, 0])
        assert_allclose(drawn, np.sort(attributions[:, j]))
    assert display.ax_.get_xlabel() == "Part of the prediction of quantile 0.9"


def test_plain_numbers(plt):
    """A display can be made of numbers alone, and drawn where one likes, again."""
    display = AttributionsDisplay(np.array([[1.0, -3.0], [0.0, 1.0]]))
    assert not hasattr(display, "ax_")
    figure, ax = plt.subplots()
    assert display.plot(ax=ax) is display
    assert (display.ax_, display.figure_) == (ax, figure)
    assert names(display) == ["1", "0"]
    assert display.plot(kind="swarm").ax_ is not ax
    with pytest.raises(ValueError, match="kind must be 'bar' or 'swarm', got 'pie'"):
        display.plot(kind="pie")


def test_several_outputs_have_names(plt):
    """The axis says which output it is."""
    X, y = multioutput()
    reg = regressor().fit(X, y)
    display = AttributionsDisplay.from_estimator(reg, csr_array(X), target=1)
    assert display.ax_.get_xlabel() == "Mean absolute part of the prediction 1"


def test_without_matplotlib(monkeypatch):
    """Without matplotlib, the error says what is missing."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r"AttributionsDisplay\.plot requires matplotlib"
    ):
        AttributionsDisplay(np.ones((1, 1))).plot()
