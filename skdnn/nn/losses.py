"""Losses, each merged with the link from raw predictions to predictions.

A loss reads the raw output of the network, so that softmax and log loss, or exp and
Poisson deviance, are computed together: fewer passes, no overflow.

To add a loss, write a class with `pointwise` and its row in `CLASSIFIER_LOSSES` or
`REGRESSOR_LOSSES`.
"""

from copy import copy
from functools import reduce
from numbers import Real
from types import SimpleNamespace

import numpy as np
from scipy.special import expit, log_expit, log_softmax, xlogy
from sklearn.base import BaseEstimator

__all__ = [
    "CLASSIFIER_LOSSES",
    "REGRESSOR_LOSSES",
    "AbsoluteError",
    "Gamma",
    "Huber",
    "LogLoss",
    "Loss",
    "Poisson",
    "Quantile",
    "SquaredError",
    "SquaredErrorAndQuantiles",
]

#: From so many columns on, NumPy's maximum of each row takes less time than a copy of
#: the transposed array and a maximum over its rows.
WIDE = 48

#: How many quantiles are learned beside a mean, and what the mean of their losses
#: counts, in units of the target's deviation.
AUXILIARY_QUANTILES, AUXILIARY_STRENGTH = 19, 10.0


def softmax(raw, out, row=None):
    """Return ``exp(raw_k) / sum_j exp(raw_j)`` over the last axis.

    `row` is memory for one entry a row, if given.
    """
    np.subtract(raw, np.max(raw, axis=-1, keepdims=True, out=row), out=out)
    np.exp(out, out=out)
    out /= np.sum(out, axis=-1, keepdims=True, out=row)
    return out


def identity(raw, out):
    out[...] = raw
    return out


#: name -> function (raw, out) that turns raw predictions into predictions
INVERSE_LINKS = {
    "identity": identity,
    "sigmoid": expit,
    "softmax": softmax,
    "exp": np.exp,
}


def mean_of_members(values, weights=None):
    """Return the mean over the first axis, added up in its order.

    NumPy's own adds eight numbers at a time where there is one a member, so that a row
    alone would have another mean than among others.  With `weights`, whose sum is 1, it
    is ``sum_k(weights_k values_k)``.
    """
    if weights is None:
        return reduce(np.add, values) / values.dtype.type(len(values))
    weights = weights.astype(values.dtype)
    return reduce(np.add, map(np.multiply, weights, values))


def log_mean_exp(raw, weights=None):
    """Return ``log(mean_k(exp(raw_k)))``, over the first axis."""
    largest = raw.max(axis=0)
    # What overflowed stays infinite, and does not become NaN.
    largest[~np.isfinite(largest)] = 0
    with np.errstate(divide="ignore"):
        return largest + np.log(mean_of_members(np.exp(raw - largest), weights))


def logit_mean_sigmoid(raw, weights=None):
    """Return the logit of the mean probability, over the first axis."""
    above, below = (log_mean_exp(log_expit(z), weights) for z in (raw, -raw))
    return above - below


def log_mean_softmax(raw, weights=None):
    """Return the logarithms of the mean probabilities, over the first axis."""
    return log_mean_exp(log_softmax(raw, axis=-1), weights)


def log_mean_exp_slope(raw, slope):
    """Return the derivative of `log_mean_exp` from that of `raw`."""
    share = np.exp(raw - raw.max(axis=0))
    share /= share.sum(axis=0)
    share *= slope
    return share.sum(axis=0)


def logit_mean_sigmoid_slope(raw):
    """Return the derivative of ``logit_mean_sigmoid(a * raw)`` in `a`, at 1."""
    above = log_mean_exp_slope(log_expit(raw), raw * expit(-raw))
    return above + log_mean_exp_slope(log_expit(-raw), raw * expit(raw))


def log_mean_softmax_slope(raw):
    """Return the derivative of ``log_mean_softmax(a * raw)`` in `a`, at 1."""
    log_p = log_softmax(raw, axis=-1)
    mean = np.einsum("mij,mij->mi", np.exp(log_p), raw)
    return log_mean_exp_slope(log_p, raw - mean[..., None])


#: name -> function (raw, weights) that averages the predictions of members, from raw
#: (n_members, n, n_outputs) to raw (n, n_outputs); on a logarithmic scale, where none
#: underflows
AVERAGES = {
    "identity": mean_of_members,
    "sigmoid": logit_mean_sigmoid,
    "softmax": log_mean_softmax,
    "exp": log_mean_exp,
}

#: name -> function that returns the derivative of the average of ``factor * raw`` in
#: `factor`, at 1
AVERAGE_SLOPES = {
    "identity": lambda raw: raw.mean(axis=0),
    "sigmoid": logit_mean_sigmoid_slope,
    "softmax": log_mean_softmax_slope,
    "exp": lambda raw: log_mean_exp_slope(raw, raw),
}


#: name -> function that returns the derivative of a prediction in its own raw
#: prediction, from the prediction; of a softmax, without ``-p^2``
SLOPES = {
    "identity": np.ones_like,
    "sigmoid": lambda p: p * (1 - p),
    "softmax": lambda p: p,
    "exp": lambda p: p,
}


class Loss(BaseEstimator):
    """Base class: sums the losses and gradients of the rows, with their weights.

    Attributes
    ----------
    link : {"identity", "sigmoid", "softmax", "exp"}
        The function from raw predictions to predictions.
    links : tuple of str
        What `link` may be, where it is a parameter.
    center : float in (0, 1), ndarray of these, or None
        Of a robust loss, which quantile of the targets is the constant that fits them
        best; None is the mean.  An array has one for each of the `levels`.
    levels : ndarray of shape (n_levels,), or None
        Of which quantiles of the one target the outputs are; None is an output a
        target.
    n_auxiliary : int
        How many outputs, the last, are there to learn from and not to predict with.
    predicted : Loss
        What a network without these outputs is trained by.
    output_levels : ndarray of shape (n_outputs,), float, or None
        Of which quantile of its target the best constant of an output is; below 0 it is
        the mean, and None is not known.
    total_strength : float
        What the losses of a target and of all that is learned beside it count together.
    ranges : dict of str to tuple
        What the parameters may be: number type, low, high, closed sides.
    """

    link = "identity"
    links = ()
    center = None
    levels = None
    n_auxiliary = 0
    total_strength = 1.0
    ranges = {}

    def pointwise(self, y, raw, cache):
        """Write the loss of each entry and its gradient in `raw`, to `cache`."""
        raise NotImplementedError

    def check_targets(self, y):
        """Raise a ValueError for targets that the loss has no value for."""

    def allocate(self, n, n_outputs, dtype):
        """Return the memory that `loss_gradient` needs for batches of `n` rows."""
        return SimpleNamespace(
            losses=np.empty((n, n_outputs), dtype),
            grad=np.empty((n, n_outputs), dtype),
            scratch=np.empty((n, n_outputs), dtype),
        )

    def loss_gradient(self, y, raw, weight=None, factor=None, cache=None):
        """Return the sum of the rows' losses times `factor`, and its gradient in `raw`.

        Parameters
        ----------
        y : ndarray of shape (n, n_outputs), or (n,) of class indices for a softmax
            Targets.
        raw : ndarray of shape (n, n_outputs)
            Raw predictions.
        weight : ndarray of shape (n, 1), default=None
            Weights of the rows.
        factor : float, default=None
            What to multiply the sum with; by default ``1 / n``.
        cache : namespace, default=None
            What `allocate` returns.  The gradient is part of it.

        Returns
        -------
        loss : float
        grad : ndarray of shape (n, n_outputs)
        """
        if cache is None:
            cache = self.allocate(*raw.shape, raw.dtype)
        if factor is None:
            factor = 1 / len(raw)
        self.pointwise(y, raw, cache)
        losses, grad = cache.losses, cache.grad
        if weight is not None:
            losses *= weight
            grad *= weight
        grad *= factor
        # In float64: one row may be far worse than all others.
        total = float(np.add.reduce(losses, axis=None, dtype=np.float64))
        return factor * total, grad

    @property
    def predicted(self):
        return self

    @property
    def output_levels(self):
        return self.center

    def smoothed(self, share):
        """Return this loss, with so much of each label spread evenly over all classes.

        Only that of a probability grows without end, so that others have no need of it.
        """
        return self

    def average(self, raw, weights=None):
        """Return raw predictions whose inverse link is the mean of the members'.

        Parameters
        ----------
        raw : ndarray of shape (n_members, n, n_outputs)
        weights : ndarray of shape (n_members,), default=None
            Of the members, with a sum of 1; None is that all count the same.

        Returns
        -------
        raw : ndarray of shape (n, n_outputs)
        """
        return AVERAGES[self.link](raw, weights)

    def average_slope(self, raw):
        """Return the derivative of ``average(factor * raw)`` in `factor`, at 1."""
        return AVERAGE_SLOPES[self.link](raw)

    def inverse_link(self, raw):
        """Return predictions, in an array of their own, from raw predictions."""
        return INVERSE_LINKS[self.link](raw, out=np.empty_like(raw))

    def slope(self, raw, output):
        """Return the gradient of a prediction, of one output, in the raw predictions.

        Parameters
        ----------
        raw : ndarray of shape (n, n_outputs), or (n_members, n, n_outputs)
        output : int

        Returns
        -------
        slope : ndarray of the shape of `raw`
            Of members, that of the mean of their predictions.
        """
        predictions = self.inverse_link(raw)
        own = predictions[..., output]
        slope = np.zeros_like(raw)
        if self.link == "softmax":
            slope -= own[..., None] * predictions
        slope[..., output] += SLOPES[self.link](own)
        return slope if raw.ndim == 2 else slope / len(raw)

    def predict(self, raw):
        """Return predictions from raw predictions; of members, their mean."""
        predictions = self.inverse_link(raw)
        if raw.ndim == 2:
            return predictions
        # What `mean` does, which takes twice as long for one row.
        return mean_of_members(predictions)


class _SoftmaxMixin:
    """Memory for losses whose targets may be class indices, one entry a row."""

    def allocate(self, n, n_outputs, dtype):
        cache = super().allocate(n, n_outputs, dtype)
        if self.link == "softmax":
            cache.losses = np.empty((n, 1), dtype)
            cache.row = np.empty((n, 1), dtype)
            cache.ones = np.ones((n_outputs, 1), dtype)
            cache.transposed = (
                np.empty((n_outputs, n), dtype) if n_outputs < WIDE else None
            )
            cache.chosen, cache.mean = np.empty((2, n), dtype)
            cache.starts = np.arange(n) * n_outputs
            cache.positions = np.empty_like(cache.starts)
        return cache


def _row_maxima(x, transposed, out):
    """Return the maximum of each row, (n, 1)."""
    if transposed is None:
        return np.maximum.reduce(x, axis=1, out=out, keepdims=True)
    # A maximum over columns is vectorized, over the few entries of a row it is not.
    np.copyto(transposed, x.T)
    np.maximum.reduce(transposed, axis=0, out=out[:, 0])
    return out


class LogLoss(_SoftmaxMixin, Loss):
    """Log loss, or cross-entropy.

    Of a sigmoid output ``p = 1 / (1 + exp(-raw))``, summed over outputs::

        loss = -y log(p) - (1 - y) log(1 - p)        grad = p - y

    Of a softmax ``p_k = exp(raw_k) / sum_j exp(raw_j)``, with `y` the class::

        loss = -log(p_y)                             grad_k = p_k - [k = y]

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share of each label that is spread evenly over all classes (Szegedy et al.,
        2016).
    link : {"auto", "sigmoid", "softmax"}, default="auto"
        ``"auto"``: a softmax over several exclusive classes, else a sigmoid.

    Examples
    --------
    >>> from skdnn import DNNClassifier
    >>> from skdnn.nn.losses import LogLoss
    >>> DNNClassifier(loss=LogLoss(label_smoothing=0.1)).loss
    LogLoss(label_smoothing=0.1)
    """

    links = ("sigmoid", "softmax")
    ranges = {"label_smoothing": (Real, 0, 1, "left")}

    def __init__(self, label_smoothing=0.0, link="auto"):
        self.label_smoothing = label_smoothing
        self.link = link

    def smoothed(self, share):
        smoothed = copy(self)
        smoothed.label_smoothing = 1 - (1 - self.label_smoothing) * (1 - share)
        return smoothed

    def pointwise(self, y, raw, cache):
        if self.link == "softmax":
            self._multinomial(y, raw, cache)
        else:
            self._binary(y, raw, cache)

    def _binary(self, y, raw, cache):
        losses, grad, scratch = cache.losses, cache.grad, cache.scratch
        if self.label_smoothing:
            y = np.multiply(y, 1 - self.label_smoothing, out=scratch)
            y += self.label_smoothing / 2
        expit(raw, out=grad)
        grad -= y
        # The loss is (1 - y) raw - log(p).
        np.multiply(y, raw, out=losses)
        np.subtract(raw, losses, out=losses)
        losses -= log_expit(raw, out=scratch)

    def _multinomial(self, y, raw, cache):
        p, row, chosen = cache.grad, cache.row, cache.chosen
        smoothing = self.label_smoothing
        shifted = np.subtract(raw, _row_maxima(raw, cache.transposed, out=row), out=p)
        np.add(cache.starts, y, out=cache.positions)
        # Methods, as the functions of the same name take twice the time.
        shifted.take(cache.positions, out=chosen, mode="clip")
        if smoothing:
            chosen *= 1 - smoothing
            mean = np.mean(shifted, axis=1, out=cache.mean)
            mean *= smoothing
            chosen += mean
        np.exp(shifted, out=p)
        # A product with ones is several times as fast as a sum of each row.
        np.dot(p, cache.ones, out=row)
        p /= row
        np.log(row, out=row)
        np.subtract(row[:, 0], chosen, out=cache.losses[:, 0])
        p.take(cache.positions, out=chosen, mode="clip")
        chosen -= 1 - smoothing
        p.put(cache.positions, chosen)
        if smoothing:
            p -= smoothing / p.shape[1]


class SquaredError(_SoftmaxMixin, Loss):
    """Half the squared error of the predictions, summed over outputs.

    ``loss = 1/2 sum_k (a_k - y_k)^2``, with ``a`` the linked raw prediction; for a
    classifier, half the Brier score of the probabilities.

    Parameters
    ----------
    link : {"auto", "identity", "sigmoid", "softmax"}, default="auto"
        From raw predictions to predictions.  ``"auto"``: the identity for regression, a
        softmax for several exclusive classes, else a sigmoid.
    """

    links = ("identity", "sigmoid", "softmax")

    def __init__(self, link="auto"):
        self.link = link

    def pointwise(self, y, raw, cache):
        getattr(self, f"_{self.link}")(y, raw, cache)

    def check_targets(self, y):
        if self.link == "sigmoid" and (y.min() < 0 or y.max() > 1):
            raise ValueError(
                "loss=SquaredError(link='sigmoid') takes targets in [0, 1], got values "
                f"from {y.min():g} to {y.max():g}."
            )

    def _identity(self, y, raw, cache):
        np.subtract(raw, y, out=cache.grad)
        np.square(cache.grad, out=cache.losses)
        cache.losses *= 0.5

    def _sigmoid(self, y, raw, cache):
        a, slope, grad = expit(raw, out=cache.scratch), cache.losses, cache.grad
        np.subtract(a, y, out=grad)
        np.subtract(1, a, out=slope)
        slope *= a
        np.square(grad, out=a)
        grad *= slope
        np.multiply(a, 0.5, out=cache.losses)

    def _softmax(self, y, raw, cache):
        grad, row = cache.grad, cache.row
        p = softmax(raw, out=cache.scratch, row=row)
        grad[...] = p
        np.add(cache.starts, y, out=cache.positions)
        p.take(cache.positions, out=cache.chosen, mode="clip")
        cache.chosen -= 1
        grad.put(cache.positions, cache.chosen)
        np.einsum("ij,ij->i", grad, grad, out=cache.losses[:, 0])
        cache.losses *= 0.5
        # The Jacobian of the softmax is diag(p) - p p^T.
        np.einsum("ij,ij->i", grad, p, out=row[:, 0])
        grad -= row
        grad *= p


class AbsoluteError(Loss):
    """``loss = |raw - y|``: predicts the median."""

    center = 0.5

    def pointwise(self, y, raw, cache):
        np.subtract(raw, y, out=cache.grad)
        np.abs(cache.grad, out=cache.losses)
        np.sign(cache.grad, out=cache.grad)


class Huber(Loss):
    """Squared for small errors, absolute for large ones (Huber, 1964).

    With ``e = raw - y``: ``loss = 1/2 e^2`` where ``|e| <= delta``, else
    ``delta (|e| - delta / 2)``.

    Parameters
    ----------
    delta : float > 0, default=1.0
        In units of the target's robust standard deviation where `target_scaling` is on:
        1.28 of these are the 80 % quantile of the absolute deviations from the median,
        those of 0 left out.
    """

    center = 0.5
    ranges = {"delta": (Real, 0, None, "neither")}

    def __init__(self, delta=1.0):
        self.delta = delta

    def pointwise(self, y, raw, cache):
        # With g = clip(e, -delta, delta) the loss is g (e - g / 2) on both branches.
        error = np.subtract(raw, y, out=cache.losses)
        grad = np.clip(error, -self.delta, self.delta, out=cache.grad)
        error -= np.multiply(grad, 0.5, out=cache.scratch)
        error *= grad


class Quantile(Loss):
    """Pinball loss: predicts a quantile, or several (Koenker and Bassett, 1978).

    ``loss = max(q (y - raw), (q - 1) (y - raw))``, of several quantiles their sum.

    Several are outputs of one network, and `predict` returns a column for each, in
    their order.  Learned side by side, they could cross: each row is put in order,
    which never raises the loss (Chernozhukov, Fernandez-Val and Galichon, 2010,
    "Quantile and Probability Curves Without Crossing").

    Parameters
    ----------
    quantile : float in (0, 1) or array-like of these, default=0.5
        Which quantile of the target to predict, or which ones: different numbers, in
        any order.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from skdnn import DNNRegressor
    >>> from skdnn.nn.losses import Quantile
    >>> X, y = make_friedman1(200, noise=1.0, random_state=0)
    >>> reg = DNNRegressor(loss=Quantile([0.05, 0.5, 0.95]), random_state=0)
    >>> low, median, high = reg.fit(X, y).predict(X).T
    >>> bool((low <= median).all() and (median <= high).all())
    True
    """

    ranges = {"quantile": (Real, 0, 1, "neither")}

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    @property
    def center(self):
        return self.quantile if self.levels is None else self.levels

    @property
    def levels(self):
        return np.array(self.quantile, float) if np.ndim(self.quantile) else None

    def allocate(self, n, n_outputs, dtype):
        cache = super().allocate(n, n_outputs, dtype)
        cache.quantile = np.array(self.quantile, dtype)
        return cache

    def pointwise(self, y, raw, cache):
        error = np.subtract(raw, y, out=cache.losses)
        above = np.greater(error, 0, out=cache.grad, casting="unsafe")
        above -= cache.quantile
        error *= above


class SquaredErrorAndQuantiles(Loss):
    """Squared error, beside which outputs of their own learn quantiles of the targets.

    ``loss = 1/2 (raw - y)^2 + 10 mean_k(max(q_k (y - raw_k), (q_k - 1) (y - raw_k)))``
    with ``q_k = (k - 1/2) / K`` for `K` quantiles of each target.

    A mean is learned better by a network that has to know how the target is distributed
    around it: an auxiliary task (Caruana, 1997, "Multitask Learning"), whose quantiles
    are those of Dabney et al. (2018, "Distributional Reinforcement Learning with
    Quantile Regression").  The mean stays what squared error makes it.

    It is what a regressor trains with where `auxiliary_quantiles` is on, and no value
    of its `loss`.

    Parameters
    ----------
    n_targets : int, default=1
        The first outputs are those of the targets; the quantiles follow, lowest first.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from skdnn import DNNRegressor
    >>> X, y = make_friedman1(200, noise=1.0, random_state=0)
    >>> reg = DNNRegressor(auxiliary_quantiles=True, random_state=0).fit(X, y)
    >>> reg.predict(X).shape, reg.n_outputs_
    ((200,), 1)
    """

    total_strength = 1.0 + AUXILIARY_STRENGTH

    def __init__(self, n_targets=1):
        self.n_targets = n_targets

    @property
    def n_quantiles(self):
        """How many each target has: few where many targets share the hidden layers."""
        return max(1, AUXILIARY_QUANTILES // self.n_targets)

    @property
    def n_auxiliary(self):
        return self.n_quantiles * self.n_targets

    @property
    def predicted(self):
        return SquaredError(link="identity")

    @property
    def strength(self):
        """What the losses of the quantiles are multiplied with."""
        return AUXILIARY_STRENGTH / self.n_quantiles

    @property
    def output_levels(self):
        levels = (np.arange(self.n_quantiles) + 0.5) / self.n_quantiles
        return np.repeat(np.append(-1.0, levels), self.n_targets)

    def allocate(self, n, n_outputs, dtype):
        cache = super().allocate(n, n_outputs, dtype)
        cache.levels = self.output_levels.astype(dtype)
        return cache

    def pointwise(self, y, raw, cache):
        losses, grad = cache.losses, cache.grad
        error, by_level = losses, (len(y), -1, self.n_targets)
        np.subtract(raw.reshape(by_level), y[:, None], out=error.reshape(by_level))
        np.greater(error, 0, out=grad, casting="unsafe")
        grad -= cache.levels
        grad *= self.strength
        of_mean = slice(self.n_targets)
        grad[:, of_mean] = error[:, of_mean]
        error[:, of_mean] *= 0.5
        losses *= grad

    def predict(self, raw):
        return super().predict(raw[..., : self.n_targets])


class Poisson(Loss):
    """Half the Poisson deviance with a log link; for counts, ``y >= 0``.

    ``loss = exp(raw) - y raw + y log(y) - y``
    """

    link = "exp"

    def check_targets(self, y):
        if y.min() < 0 or not (y > 0).any():
            raise ValueError(
                "loss='poisson' takes targets >= 0 that are not all zero, got values "
                f"from {y.min():g} to {y.max():g}."
            )

    def pointwise(self, y, raw, cache):
        mean = np.exp(raw, out=cache.grad)
        losses = xlogy(y, y, out=cache.losses)
        losses -= y
        losses += mean
        losses -= np.multiply(y, raw, out=cache.scratch)
        mean -= y


class Gamma(Loss):
    """Half the gamma deviance with a log link; for amounts, ``y > 0``.

    ``loss = raw + y exp(-raw) - log(y) - 1``
    """

    link = "exp"

    def check_targets(self, y):
        if y.min() <= 0:
            raise ValueError(
                f"loss='gamma' takes targets > 0, got values from {y.min():g}."
            )

    def pointwise(self, y, raw, cache):
        ratio = np.negative(raw, out=cache.scratch)
        np.exp(ratio, out=ratio)
        ratio *= y
        np.log(y, out=cache.losses)
        np.subtract(raw, cache.losses, out=cache.losses)
        cache.losses += ratio
        cache.losses -= 1
        np.subtract(1, ratio, out=cache.grad)


CLASSIFIER_LOSSES = {"log_loss": LogLoss, "squared_error": SquaredError}
REGRESSOR_LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "poisson": Poisson,
    "gamma": Gamma,
}
