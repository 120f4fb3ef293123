"""The loss curves that are drawn are those of the estimator."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skdnn import LossCurveDisplay
from tests.tables import binary, classifier, regression, regressor

mpl.use("Agg")


@pytest.fixture
def plt():
    """Return pyplot, and close what was drawn."""
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def texts(display):
    """Return the entries of the legend."""
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("make", "data"), [(classifier, binary), (regressor, regression)]
)
def test_training_curve(make, data, plt):
    """The line is the loss curve, over the epochs from 1."""
    est = make(early_stopping=False).fit(*data())
    display = LossCurveDisplay.from_estimator(est)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(line.get_ydata(), est.loss_curve_)
    assert texts(display) == ["training"]


def test_validation_curve(plt):
    """With early stopping, the validation loss is drawn and the best epoch marked."""
    clf = classifier(early_stopping=True).fit(*binary())
    display = LossCurveDisplay.from_estimator(clf)
    _, line = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), clf.validation_loss_curve_)
    assert texts(display) == ["training", "validation", "best epoch"]
    assert display.ax_.lines[-1].get_xdata()[0] == clf.best_iter_


def test_labels(plt):
    """The axes are named, and the title has the class and the learning rate."""
    clf = classifier(learning_rate=0.0075).fit(*binary())
    ax = LossCurveDisplay.from_estimator(clf).ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Epoch", "Loss")
    assert ax.get_title() == "DNNClassifier, learning rate 0.0075"


def test_name(plt):
    """A name that is passed stands in the title."""
    clf = classifier(learning_rate=0.5).fit(*binary())
    display = LossCurveDisplay.from_estimator(clf, name="mine")
    assert display.ax_.get_title() == "mine, learning rate 0.5"


def test_axes(plt):
    """The curves are drawn in axes that are passed."""
    figure, ax = plt.subplots()
    clf = classifier().fit(*binary())
    display = LossCurveDisplay.from_estimator(clf, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.lines_[0] in ax.lines


def test_new_axes(plt):
    """By default, the curves are drawn in a figure of their own."""
    clf = classifier().fit(*binary())
    one, two = (LossCurveDisplay.from_estimator(clf) for _ in range(2))
    assert one.figure_ is not two.figure_


def test_options(plt):
    """Further arguments go to matplotlib."""
    clf = classifier(early_stopping=True).fit(*binary())
    display = LossCurveDisplay.from_estimator(clf, linewidth=7)
    assert [line.get_linewidth() for line in display.lines_] == [7, 7]


def test_plain_numbers(plt):
    """A display can be made of numbers alone, and drawn again."""
    display = LossCurveDisplay([3.0, 2.0, 1.0])
    assert not hasattr(display, "ax_")
    assert display.plot() is display
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [3, 2, 1])
    assert display.ax_.get_title() == ""
    first = display.ax_
    assert display.plot().ax_ is not first


def test_not_fitted():
    """An estimator that is not fitted has no curve."""
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(classifier())


def test_without_matplotlib(monkeypatch):
    """Without matplotlib, the error says what is missing."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"LossCurveDisplay.plot requires matplotlib"):
        LossCurveDisplay([1.0]).plot()
