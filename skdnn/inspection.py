"""What a prediction is made of: how much of it each column brings."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skdnn._attributions import TOLERANCE, Paths
from skdnn._base import BaseDNN
from skdnn._rows import chunks
from skdnn._warnings import warn

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
        If `target` is none of the classes or outputs; if members are of several kinds
        (`portfolio`), with a loss of several quantiles, or of exclusive classes and a
        sigmoid.

    Warns
    -----
    ConvergenceWarning
        If the attributions of some row miss their sum by more than 1e-4 of the range of
        its predictions between baseline and row.

    See Also
    --------
    skdnn.AttributionsDisplay : A picture of them.
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
    if estimator.kinds_ is not None:
        of_kinds = [
            integrated_gradients(kind, X, baseline=baseline, target=target)
            for kind in _averaged_kinds(estimator)
        ]
        return np.tensordot(estimator.kind_weights_, of_kinds, axes=1)
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


def _averaged_kinds(estimator):
    """Return the kinds of members, if what they predict is averaged as it is."""
    targets = estimator._model.targets
    if targets.loss.levels is not None or targets.exclusive_sigmoids:
        raise ValueError(
            f"With loss={targets.loss!r}, the predictions of several kinds of members "
            "are averaged before they are sorted, or made to add up to 1, so that "
            "attributions are not the mean of theirs. Take one of kinds_, or fit with "
            "portfolio=False."
        )
    return estimator.kinds_


def _as_rows(baseline):
    """Return one row or several as a table."""
    if hasattr(baseline, "to_frame"):
        return baseline.to_frame().T
    return baseline if np.ndim(baseline) == 2 else [baseline]
