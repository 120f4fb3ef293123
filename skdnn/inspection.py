"""What a prediction is made of: how much of it each column brings."""

from warnings import warn

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skdnn._attributions import TOLERANCE, Paths
from skdnn._base import BaseDNN
from skdnn._rows import chunks
from skdnn._sklearn_compat import _check_feature_names_in, check_matplotlib_support

#: Rows that are encoded at a time.
ENCODED_ROWS = 256


def integrated_gradients(estimator, X, *, baseline=None, target=None):
    """Attribute each prediction to the columns of the table.

    The attributions of a row say how the prediction changes on the way from a baseline,
    a row that stands for nothing in particular, to the row itself, and which column
    brings how much of the change (Sundararajan, Taly and Yan, 2017, "Axiomatic
    Attribution for Deep Networks")::

        attribution_j = integral over t from 0 to 1 of dF/dx_j(x(t)) x_j'(t)

    They add up to ``F(row) - F(baseline)``, where ``F`` is the probability of a class,
    or a predicted number in units of the target.

    The way ``x(t)`` is a straight line between the rows as the network reads them:
    columns scaled, holes filled and marked, categories as columns of zeros and ones or
    as learned vectors. What a column has become is added up again.

    Parameters
    ----------
    estimator : DNNClassifier or DNNRegressor
        A fitted estimator.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows to explain.
    baseline : array-like of shape (n_features,) or (n_baselines, n_features), \
            default=None
        Where the ways begin; of several rows, attributions are the mean, and add up to
        the difference from the mean prediction of these rows. None is the middle of
        each column: the median of a number (the mean, with
        ``numeric_scaling="standard"``, and zero with None), and the average of all
        categories, each counted once.
    target : label or int, default=None
        A class of several, or the position of an output: a label of several a row, a
        target, a quantile. None is the second of two classes, ``classes_[1]``, or the
        only output.

    Returns
    -------
    attributions : ndarray of shape (n_samples, n_features)

    Raises
    ------
    ValueError
        If `target` is none of the classes or outputs.

    Warns
    -----
    ConvergenceWarning
        If the attributions of some row miss their sum by more than 1e-4 of the range of
        its predictions between baseline and row.

    See Also
    --------
    AttributionsDisplay : A picture of them.
    sklearn.inspection.permutation_importance : How much a score needs each column.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skdnn import DNNClassifier
    >>> from skdnn.inspection import integrated_gradients
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = DNNClassifier(max_iter=5, tol=None, random_state=0).fit(X, y)
    >>> attributions = integrated_gradients(clf, X[:5], baseline=X[5])
    >>> attributions.shape
    (5, 30)
    >>> p = clf.predict_proba(X[:6])[:, 1]
    >>> bool((abs(attributions.sum(axis=1) - (p[:5] - p[5])) < 1e-3).all())
    True
    """
    _check_estimator(estimator)
    model = estimator._model
    paths = Paths(model, model.targets.position(target))
    X = model.encoder.validate(estimator, X, reset=False)
    starts = [paths.middle()]
    if baseline is not None:
        baseline = model.encoder.validate(estimator, _as_rows(baseline), reset=False)
        starts = [paths.end(row) for row in paths.encode(baseline)[:, None]]
    out = np.empty(X.shape)
    gap = 0.0
    for chunk in chunks(len(out), model.encoder.n_features_out_, ENCODED_ROWS):
        ends = paths.end(paths.encode(X[chunk]))
        parts = [paths.attributions(start, ends) for start in starts]
        out[chunk] = np.mean([attributions for attributions, _ in parts], axis=0)
        gap = max(gap, *(gap_of_part for _, gap_of_part in parts))
    if gap > 1:
        warn(
            f"The attributions of some row miss their sum by {gap * TOLERANCE:.1g} of "
            "the range of its predictions on the way from the baseline.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return out


def _check_estimator(estimator):
    if not isinstance(estimator, BaseDNN):
        raise TypeError(
            "Attributions are those of a DNNClassifier or DNNRegressor, got a "
            f"{type(estimator).__name__}. Of a pipeline, take the last step, and the "
            "rows that the steps before make: pipeline[-1], pipeline[:-1].transform(X)."
        )
    check_is_fitted(estimator)


def _as_rows(baseline):
    """Return one row or several as a table."""
    if hasattr(baseline, "to_frame"):
        return baseline.to_frame().T
    return baseline if np.ndim(baseline) == 2 else [baseline]


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
    integrated_gradients : What is drawn.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_diabetes
    >>> from skdnn import DNNRegressor
    >>> from skdnn.inspection import AttributionsDisplay
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
            See :func:`integrated_gradients`.
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
        return display.plot(kind=kind, max_features=max_features, ax=ax)

    def plot(self, *, kind="bar", max_features=20, ax=None):
        """Draw the attributions.

        Parameters
        ----------
        kind : {"bar", "swarm"}, default="bar"
            `"bar"` draws the mean of the absolute attributions of each column, and of a
            single row the attributions, with their signs. `"swarm"` draws a point a
            row, in the color of the number that stands there; categories and missing
            numbers are gray.
        max_features : int, default=20
            How many columns to draw, at most.
        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        Returns
        -------
        display : AttributionsDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if kind not in ("bar", "swarm"):
            raise ValueError(f"kind must be 'bar' or 'swarm', got {kind!r}.")
        size = np.abs(self.attributions).mean(axis=0)
        self.columns_ = np.argsort(-size, kind="stable")[:max_features]
        if ax is None:
            height = 1 + 0.3 * len(self.columns_)
            _, ax = plt.subplots(figsize=(6.4, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        name = self.target_name or "prediction"
        single = len(self.attributions) == 1
        if kind == "swarm":
            self._plot_swarm()
            label = f"Part of the {name}"
        elif single:
            values = self.attributions[0, self.columns_]
            colors = np.where(values < 0, "tab:blue", "tab:red")
            ax.barh(range(len(values)), values, color=colors)
            label = f"Part of the {name}"
        else:
            ax.barh(range(len(self.columns_)), size[self.columns_])
            label = f"Mean absolute part of the {name}"
        if kind == "swarm" or single:
            ax.axvline(0, color="gray", linewidth=0.8, zorder=0)
        names = self.feature_names
        names = [str(j if names is None else names[j]) for j in self.columns_]
        ax.set_yticks(range(len(names)), names)
        ax.set_xlabel(label)
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
