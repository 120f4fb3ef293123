"""The loss curves that are drawn are those of the estimator."""

import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skdnn import LossCurveDisplay
from tests.tables import binary, classifier, regression, regressor


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
    best = clf.best_iter_
    assert display.ax_.lines[-1].get_xydata().tolist() == [
        [best, clf.validation_loss_curve_[best - 1]]
    ]


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


def test_score(plt):
    """A metric that is watched has an axis on the right, with its best epoch."""
    clf = classifier(early_stopping=True, scoring="roc_auc").fit(*binary())
    display = LossCurveDisplay.from_estimator(clf)
    right = display.score_ax_
    assert right.get_ylabel() == "Score (roc_auc)"
    np.testing.assert_array_equal(right.lines[0].get_ydata(), clf.validation_scores_)
    assert display.lines_[2] is right.lines[0]
    best = clf.best_iter_
    assert right.lines[1].get_xydata().tolist() == [
        [best, clf.validation_scores_[best - 1]]
    ]
    assert texts(display) == ["training", "validation", "best epoch", "score"]


def test_no_score(plt):
    """Where the loss is watched, there is no other score, and no axis for it."""
    clf = classifier(early_stopping=True).fit(*binary())
    display = LossCurveDisplay.from_estimator(clf)
    assert display.score_ax_ is None
    assert len(display.figure_.axes) == 1


def test_score_of_a_callable(plt):
    """A scorer without a name is a score."""
    clf = classifier(early_stopping=True, scoring=lambda est, X, y: 1.0)
    display = LossCurveDisplay.from_estimator(clf.fit(*binary()))
    assert display.score_ax_.get_ylabel() == "Score"


def scheduled(**params):
    """Return a fitted estimator whose learning rate changes from epoch to epoch."""
    params = {"schedule": "cosine", "learning_rate": 0.1} | params
    return classifier(**params).fit(*binary())


def test_learning_rate(plt):
    """It is drawn beneath, over the same epochs and from zero, if that is asked for."""
    clf = scheduled(early_stopping=True, scoring="accuracy")
    display = LossCurveDisplay.from_estimator(clf)
    assert display.learning_rate_ax_ is None
    display = LossCurveDisplay.from_estimator(clf, plot_learning_rate=True)
    beneath, line = display.learning_rate_ax_, display.lines_[-1]
    assert beneath.lines[:] == [line]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(line.get_ydata(), clf.learning_rate_curve_)
    assert line.get_color() == display.lines_[0].get_color()
    assert beneath.get_xlim() == display.ax_.get_xlim()
    bottom, top = beneath.get_ylim()
    assert bottom == 0 and 0.1 < top < 0.12
    assert (beneath.get_xlabel(), beneath.get_ylabel()) == ("Epoch", "Learning rate")
    assert display.ax_.get_xlabel() == ""
    assert texts(display) == ["training", "validation", "best epoch", "score"]


def test_learning_rates_of_several_runs(plt):
    """They go into the same axes, also where the first run did not have them."""
    display = LossCurveDisplay.from_estimator(
        scheduled(early_stopping=True, scoring="accuracy"), name="one"
    )
    runs = [
        LossCurveDisplay.from_estimator(
            scheduled(learning_rate=rate), ax=display.ax_, plot_learning_rate=True
        )
        for rate in (0.1, 0.3)
    ]
    last = LossCurveDisplay.from_estimator(scheduled(), ax=display.ax_)
    assert runs[0].learning_rate_ax_ is runs[1].learning_rate_ax_
    assert last.learning_rate_ax_ is None
    beneath = runs[0].learning_rate_ax_
    assert len(beneath.lines) == 2
    assert beneath.get_ylim()[1] > 0.3
    assert (beneath.get_xlabel(), display.ax_.get_xlabel()) == ("Epoch", "")
    display.figure_.draw_without_rendering()  # which lays out
    parts = display.ax_, display.score_ax_, beneath
    losses, scores, rates = (part.get_position() for part in parts)
    assert losses.bounds == scores.bounds
    assert rates.y1 < losses.y0
    assert losses.height == pytest.approx(3 * rates.height, rel=0.05)


def test_learning_rates_of_several_axes(plt):
    """Displays side by side have one each, also where they share the epochs."""
    _, axes = plt.subplots(1, 2, sharex=True)
    one, two = (
        LossCurveDisplay.from_estimator(scheduled(), ax=ax, plot_learning_rate=True)
        for ax in axes
    )
    assert one.learning_rate_ax_ is not two.learning_rate_ax_


def test_no_learning_rate(plt):
    """L-BFGS has none, and there is no place for it."""
    clf = classifier(optimizer="lbfgs", solver="bgd").fit(*binary())
    display = LossCurveDisplay.from_estimator(clf, plot_learning_rate=True)
    assert display.learning_rate_ax_ is None
    assert len(display.figure_.axes) == 1


def test_learning_rate_of_an_older_pickle(plt):
    """It was fitted before the attribute was there: the losses are drawn."""
    clf = scheduled()
    del clf.learning_rate_curve_
    for plot_learning_rate in False, True:
        display = LossCurveDisplay.from_estimator(
            clf, plot_learning_rate=plot_learning_rate
        )
        np.testing.assert_array_equal(display.lines_[0].get_ydata(), clf.loss_curve_)
        assert display.learning_rate_ax_ is None


def test_learning_rate_without_a_grid(plt):
    """Axes that lie anywhere can't be divided, and stay empty."""
    ax = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="ax must be one of a grid"):
        LossCurveDisplay.from_estimator(scheduled(), ax=ax, plot_learning_rate=True)
    assert not ax.lines


def test_several_runs(plt):
    """Each run has its color and its name; what the curves are is said once."""
    display, runs = None, []
    for rate in (0.1, 0.2):
        clf = classifier(early_stopping=True, scoring="accuracy", learning_rate=rate)
        display = LossCurveDisplay.from_estimator(
            clf.fit(*binary()), ax=display and display.ax_, name="mine"
        )
        runs.append(display)
    assert texts(display) == [
        "mine, learning rate 0.1",
        "mine, learning rate 0.2",
        "training",
        "validation",
        "best epoch",
        "score",
    ]
    assert display.ax_.get_title() == ""
    assert runs[0].score_ax_ is display.score_ax_
    assert len(display.figure_.axes) == 2
    colors = [{line.get_color() for line in run.lines_} for run in runs]
    assert [len(of_run) for of_run in colors] == [1, 1]
    assert colors[0] != colors[1]


def test_several_runs_without_validation(plt):
    """Their names are enough to tell them apart, and a title of the user stays."""
    clf = classifier(early_stopping=False, learning_rate=0.1).fit(*binary())
    display = LossCurveDisplay.from_estimator(clf, name="one")
    display.ax_.set_title("two runs")
    LossCurveDisplay.from_estimator(clf, ax=display.ax_, label="the other")
    assert texts(display) == ["one, learning rate 0.1", "the other"]
    assert display.ax_.get_title() == "two runs"


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
