"""The loss of each epoch, and its learning rate, of one run or of several."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdnn.display.figures import begin, name_of

#: What is drawn of a run beside its training loss, and how.
STYLES = {
    "validation": {"linestyle": "--"},
    "best epoch": {"linestyle": "none", "marker": "o"},
    "score": {"linestyle": ":"},
}

#: Heights of the losses and of the learning rate beneath them.
HEIGHTS = 3, 1


class LossCurveDisplay:
    """The loss of each epoch, on the training and on the validation rows.

    With early stopping that watches a metric, the score of each epoch has an axis of
    its own, on the right. The course of the learning rate can be drawn beneath.

    Use :meth:`from_estimator` to make one. Several runs go into the same axes, each in
    a color of its own: pass `ax`, and a `name` that tells the run from the others.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        The training objective of each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        The loss on the validation rows.

    validation_scores : array-like of shape (n_epochs,), default=None
        The score on the validation rows.

    score_name : str, default=None
        For the axis of the score.

    best_iter : int, default=None
        The epoch whose weights were kept. It is marked on the curves of validation.

    learning_rate : float, default=None
        For the title.

    learning_rate_curve : array-like of shape (n_epochs,), default=None
        The learning rate that each epoch began with.

    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves are drawn.

    score_ax_ : matplotlib Axes or None
        Where the score is drawn: the same place, with an axis on the right.

    learning_rate_ax_ : matplotlib Axes or None
        Where the learning rate is drawn: beneath, with the epochs of `ax_`, whose place
        is divided.

    figure_ : matplotlib Figure
        The figure that `ax_` is part of.

    lines_ : list of matplotlib Line2D
        The curves: training loss, and where they are drawn, validation loss, score and
        learning rate.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import DNNClassifier, LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> params = {"max_iter": 20, "tol": None, "random_state": 0}
    >>> slow = DNNClassifier((16,), learning_rate=0.01, **params).fit(X, y)
    >>> fast = DNNClassifier((16,), learning_rate=0.1, **params).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(slow, name="slow")
    >>> LossCurveDisplay.from_estimator(fast, ax=display.ax_, name="fast")
    <...>
    >>> plt.close()
    """

    def __init__(
        self,
        loss_curve,
        *,
        validation_loss_curve=None,
        validation_scores=None,
        score_name=None,
        best_iter=None,
        learning_rate=None,
        learning_rate_curve=None,
        estimator_name=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.validation_scores = validation_scores
        self.score_name = score_name
        self.best_iter = best_iter
        self.learning_rate = learning_rate
        self.learning_rate_curve = learning_rate_curve
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, *, ax=None, name=None, plot_learning_rate=False, **kwargs
    ):
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            A fitted estimator.

        ax : matplotlib Axes, default=None
            Where to draw, beside the runs that are there; by default, in a new figure.

        name : str, default=None
            Name of the run; by default, that of the class.

        plot_learning_rate : bool, default=False
            Whether to draw the learning rate of each epoch, if there is one, beneath
            the losses. `ax` must then be one of a grid, as by `plt.subplots`.

        **kwargs : dict
            Passed to matplotlib's `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        check_is_fitted(estimator)
        validated = estimator.validation_loss_curve_ is not None
        scoring = estimator.scoring
        # Older pickles have no such attribute.
        rates = getattr(estimator, "learning_rate_curve_", None)
        has_scores = validated and scoring != "loss"  # whose scores are -loss
        display = cls(
            estimator.loss_curve_,
            validation_loss_curve=estimator.validation_loss_curve_,
            validation_scores=estimator.validation_scores_ if has_scores else None,
            score_name=scoring if isinstance(scoring, str) else None,
            best_iter=estimator.best_iter_ if validated else None,
            learning_rate=estimator.learning_rate_,
            learning_rate_curve=rates,
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax, plot_learning_rate=plot_learning_rate, **kwargs)

    def plot(self, ax=None, *, plot_learning_rate=False, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, beside the runs that are there; by default, in a new figure.

        plot_learning_rate : bool, default=False
            Whether to draw the learning rate of each epoch, if there is one, beneath
            the losses. `ax` must then be one of a grid, as by `plt.subplots`.

        **kwargs : dict
            Passed to matplotlib's `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        ax = begin(self, ax)
        self.score_ax_ = self.learning_rate_ax_ = None
        if plot_learning_rate and self.learning_rate_curve is not None:
            self.learning_rate_ax_ = _beneath(ax) or _divide(ax)
        kwargs = {"label": self._title() or "training"} | kwargs
        self.lines_ = [_draw(ax, self.loss_curve, kwargs)]
        # The curves of a run have a color, and what they are is hidden in their labels.
        of_run = kwargs | {"color": self.lines_[0].get_color()}
        if self.validation_loss_curve is not None:
            self._draw_validation(ax, self.validation_loss_curve, of_run, "validation")
        if self.validation_scores is not None:
            self.score_ax_ = _right_of(ax)
            name = "" if self.score_name is None else f" ({self.score_name})"
            self.score_ax_.set_ylabel(f"Score{name}")
            self._draw_validation(
                self.score_ax_, self.validation_scores, of_run, "score"
            )
        if self.learning_rate_ax_ is not None:
            self._draw_learning_rate(self.learning_rate_ax_, of_run)
        ax.set_ylabel("Loss")
        (_beneath(ax) or ax).set_xlabel("Epoch")
        self._write_legend()
        return self

    def _draw_validation(self, ax, curve, of_run, kind):
        """Draw a curve, and mark the best epoch on it."""
        self.lines_.append(
            _draw(ax, curve, STYLES[kind] | of_run | {"label": f"_{kind}"})
        )
        if self.best_iter is not None:
            best = STYLES["best epoch"] | {"color": of_run["color"]}
            value = np.asarray(curve)[self.best_iter - 1]
            ax.plot(self.best_iter, value, label="_best epoch", **best)

    def _draw_learning_rate(self, ax, of_run):
        """Draw it from zero, up to the highest of all runs."""
        of_run = of_run | {"label": "_learning rate"}
        self.lines_.append(_draw(ax, self.learning_rate_curve, of_run))
        ax.autoscale(axis="y")
        ax.set_ylim(bottom=0)

    def _write_legend(self):
        """Say what the curves of one run are, or in what several of them differ."""
        from matplotlib.lines import Line2D

        ax, right = self.ax_, _twin(self.ax_)
        lines = ax.lines if right is None else [*ax.lines, *right.lines]
        runs = [line for line in ax.lines if not line.get_label().startswith("_")]
        kinds = {line.get_label().removeprefix("_"): line for line in reversed(lines)}
        kinds = {kind: kinds[kind] for kind in STYLES if kind in kinds}
        if len(runs) <= 1:
            entries = [(self.lines_[0], "training"), *((kinds[k], k) for k in kinds)]
            ax.set_title(self._title())
        else:
            entries = [(line, line.get_label()) for line in runs]
            for kind in ["training", *kinds] if kinds else []:
                style = STYLES.get(kind, {})
                entries.append((Line2D([], [], color="gray", **style), kind))
            if ax.get_title() == runs[0].get_label():
                ax.set_title("")
        # Between losses, which fall, and scores, which rise, there is room.
        place = "best" if right is None else "center right"
        ax.legend(*zip(*entries, strict=True), loc=place)

    def _title(self):
        parts = [self.estimator_name]
        if self.learning_rate is not None:
            parts.append(f"learning rate {self.learning_rate}")
        return ", ".join(part for part in parts if part)


def _draw(ax, curve, kwargs):
    """Draw a curve over the epochs, from 1."""
    return ax.plot(np.arange(1, len(curve) + 1), curve, **kwargs)[0]


def _twin(ax):
    """Return the axes in the same place, with an axis on the right, if any."""
    siblings = ax.get_shared_x_axes().get_siblings(ax)
    twins = [other for other in siblings if other.bbox.bounds == ax.bbox.bounds]
    return next((other for other in twins if other is not ax), None)


def _right_of(ax):
    """Return such axes; make them if there are none."""
    twin = _twin(ax)
    if twin is None:
        twin = ax.twinx()
        # The legend is not to lie below the curves of the score.
        ax.set_zorder(twin.get_zorder() + 1)
        ax.patch.set_visible(False)
    return twin


def _beneath(ax):
    """Return the axes of the learning rate beneath, if any."""
    # Those of other displays may share the epochs, but not the place.
    siblings = ax.get_shared_x_axes().get_siblings(ax)
    siblings = [s for s in siblings if s.get_gridspec() is ax.get_gridspec()]
    return next((s for s in siblings if s.get_label() == "_learning rate"), None)


def _divide(ax):
    """Return new axes for the learning rate, in the lower part of the place of `ax`."""
    place, twin = ax.get_subplotspec(), _twin(ax)
    if place is None:
        raise ValueError(
            "To draw the learning rate, ax must be one of a grid, as by plt.subplots()."
        )
    upper, lower = place.subgridspec(2, 1, height_ratios=HEIGHTS, hspace=0.1)
    for axes in [ax] if twin is None else [ax, twin]:
        axes.set_subplotspec(upper)
    beneath = ax.figure.add_subplot(lower, sharex=ax, label="_learning rate")
    beneath.set_ylabel("Learning rate")
    ax.set_xlabel("")
    ax.tick_params(labelbottom=False)
    return beneath
