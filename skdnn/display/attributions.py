"""How much each column brings to predictions, as bars or as a swarm of rows."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier

from skdnn._sklearn_compat import _check_feature_names_in
from skdnn.display.figures import begin
from skdnn.inspection import integrated_gradients


class AttributionsDisplay:
    """How much each column brings to predictions, as bars or as a swarm of rows.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    attributions : ndarray of shape (n_samples, n_features)
        What `integrated_gradients` returned.
    features : ndarray of shape (n_samples, n_features), default=None
        The numbers that stand there, for the colors of the swarm; NaN is gray.
    feature_names : sequence of str, default=None
        Names of the columns.
    target_name : str, default=None
        What the attributions are parts of, for the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure that `ax_` is part of.
    columns_ : ndarray of int
        The columns that are drawn, from the top: those of the largest mean absolute
        attributions.

    See Also
    --------
    skdnn.inspection.integrated_gradients : What is drawn.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from skdnn import AttributionsDisplay, DNNRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> reg = DNNRegressor(max_iter=5, tol=None, random_state=0).fit(X, y)
    >>> AttributionsDisplay.from_estimator(reg, X[:50], kind="swarm")
    <...>
    >>> plt.close()
    """

    def __init__(
        self, attributions, *, features=None, feature_names=None, target_name=None
    ):
        self.attributions = attributions
        self.features = features
        self.feature_names = feature_names
        self.target_name = target_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        baseline=None,
        target=None,
        kind="bar",
        max_features=20,
        ax=None,
    ):
        """Draw the attributions of rows.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            A fitted estimator.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to explain.
        baseline, target
            See :func:`~skdnn.inspection.integrated_gradients`.
        kind, max_features, ax
            See :meth:`plot`.

        Returns
        -------
        display : AttributionsDisplay
        """
        attributions = integrated_gradients(
            estimator, X, baseline=baseline, target=target
        )
        encoder = estimator.encoder_
        checked = encoder.validate(estimator, X, reset=False)
        features = np.full(attributions.shape, np.nan)
        numbers = checked[:, : len(encoder.numeric_columns_)]
        numbers = numbers.toarray() if issparse(numbers) else numbers
        features[:, encoder.numeric_columns_] = numbers
        display = cls(
            attributions,
            features=features,
            feature_names=_check_feature_names_in(estimator),
            target_name=_name_of(estimator, target),
        )
        return display.plot(ax, kind=kind, max_features=max_features)

    def plot(self, ax=None, *, kind="bar", max_features=20):
        """Draw the attributions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.
        kind : {"bar", "swarm"}, default="bar"
            `"bar"` draws the mean of the absolute attributions of each column, and of a
            single row the attributions, with their signs. `"swarm"` draws a point a
            row, in the color of the number that stands there; categories and missing
            numbers are gray.
        max_features : int, default=20
            How many columns to draw, at most.

        Returns
        -------
        display : AttributionsDisplay
        """
        if kind not in ("bar", "swarm"):
            raise ValueError(f"kind must be 'bar' or 'swarm', got {kind!r}.")
        size = np.abs(self.attributions).mean(axis=0)
        self.columns_ = np.argsort(-size, kind="stable")[:max_features]
        ax = begin(self, ax, figsize=(6.4, 1 + 0.3 * len(self.columns_)))
        is_mean = kind == "bar" and len(self.attributions) > 1
        if kind == "swarm":
            self._plot_swarm()
        elif is_mean:
            ax.barh(range(len(self.columns_)), size[self.columns_])
        else:
            values = self.attributions[0, self.columns_]
            colors = np.where(values < 0, "tab:blue", "tab:red")
            ax.barh(range(len(values)), values, color=colors)
        if not is_mean:
            ax.axvline(0, color="gray", linewidth=0.8, zorder=0)
        start = "Mean absolute part" if is_mean else "Part"
        ax.set_xlabel(f"{start} of the {self.target_name or 'prediction'}")
        names = self.feature_names
        names = [str(j if names is None else names[j]) for j in self.columns_]
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        return self

    def _plot_swarm(self):
        """Draw a point a row, beside each other where they would lie on each other."""
        span = np.abs(self.attributions).max() or 1.0
        for place, j in enumerate(self.columns_):
            values = self.attributions[:, j]
            rank = np.full(len(values), np.nan)
            if self.features is not None:
                rank = _shares_below(self.features[:, j])
            is_gray = np.isnan(rank)
            y = place + _swarm(values, span)
            style = {"s": 8, "linewidths": 0}
            self.ax_.scatter(values[is_gray], y[is_gray], color="silver", **style)
            points = self.ax_.scatter(
                values[~is_gray],
                y[~is_gray],
                c=rank[~is_gray],
                cmap="coolwarm",
                vmin=0,
                vmax=1,
                **style,
            )
        if self.features is not None and not np.isnan(self.features).all():
            bar = self.figure_.colorbar(points, ax=self.ax_, ticks=[0, 1], aspect=40)
            bar.ax.set_yticklabels(["low", "high"])
            bar.set_label("Number in the column", labelpad=-10)


def _shares_below(numbers):
    """Return how large a share of the numbers is below each; NaN of NaN."""
    share = np.full(len(numbers), np.nan)
    there = ~np.isnan(numbers)
    known = np.sort(numbers[there])
    share[there] = np.searchsorted(known, numbers[there]) / max(1, len(known) - 1)
    return share


def _swarm(values, span):
    """Return by how much to move points so that those of a bin are side by side."""
    n_bins, width = 100, 0.8
    bins = np.floor((values / span + 1) / 2 * n_bins).astype(int)
    _, bins, counts = np.unique(bins, return_inverse=True, return_counts=True)
    order = np.argsort(bins, kind="stable")
    place = np.empty(len(values))
    starts = np.cumsum(counts) - counts
    place[order] = np.arange(len(values)) - starts[bins[order]]
    # Points of the fullest bin fill the width, and others are as close.
    return (place - (counts[bins] - 1) / 2) * min(0.08, width / counts.max())


def _name_of(estimator, target):
    """Return what the attributions of a target are parts of."""
    position = estimator._model.targets.position(target)
    if is_classifier(estimator):
        return f"probability of {estimator.classes_[position]}"
    levels = estimator._model.targets.loss.levels
    if levels is not None:
        return f"prediction of quantile {levels[position]:g}"
    return "prediction" if estimator.n_outputs_ == 1 else f"prediction {position}"
