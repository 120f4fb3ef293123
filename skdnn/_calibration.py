"""Temperature scaling: how sure a classifier may be, by rows that it has not seen."""

from functools import cache
from math import exp, isfinite

import numpy as np
from scipy.optimize import brentq

from skdnn._rows import chunks

#: How far the logarithm of the inverse temperature may go.
LIMIT = 2.0

#: Standard deviation of its prior, which matters where there are few rows.
PRIOR = 0.5

#: How far it mostly goes.
NEAR = 0.5

#: How exact it has to be.
TOLERANCE = 0.01


class MeanLoss:
    """Mean loss of rows, as a function of what their raw predictions are scaled by.

    A few rows pass at a time, through memory that is allocated once.

    Parameters
    ----------
    loss : Loss
    y : ndarray of shape (n, n_outputs), or (n,) of class indices
    raw : ndarray of shape (n, n_outputs), or (n_members, n, n_outputs)
    weight : ndarray of shape (n, 1), default=None
        Of mean 1.
    """

    def __init__(self, loss, y, raw, weight=None):
        self.loss, self.y, self.raw, self.weight = loss, y, raw, weight
        self._chunks = list(chunks(len(y), raw.size // len(y)))
        n_rows = {len(y[rows]) for rows in self._chunks}
        n_outputs, dtype = raw.shape[-1], raw.dtype
        self._caches = {n: loss.allocate(n, n_outputs, dtype) for n in n_rows}
        self._scaled = np.empty((*raw.shape[:-2], max(n_rows), n_outputs), dtype)

    def __call__(self, factor):
        """Return the mean loss, and its derivative in the logarithm of `factor`."""
        factor = self.raw.dtype.type(factor)
        loss, slope, scale = 0.0, 0.0, 1 / len(self.y)
        for rows in self._chunks:
            y = self.y[rows]
            raw, moves = self._scaled_rows(rows, len(y), factor)
            weight = None if self.weight is None else self.weight[rows]
            part, grad = self.loss.loss_gradient(
                y, raw, weight, scale, self._caches[len(y)]
            )
            loss += part
            slope += float(np.vdot(grad, moves))
        return loss, slope

    def _scaled_rows(self, rows, n, factor):
        """Return raw predictions (n, n_outputs), and how they move with `factor`."""
        scaled = self._scaled[..., :n, :]
        np.multiply(self.raw[..., rows, :], factor, out=scaled)
        if scaled.ndim == 2:
            return scaled, scaled
        return self.loss.average(scaled), self.loss.average_slope(scaled)


def fit_temperature(loss, y, raw, weight=None, n=None):
    """Return the temperature that suits the rows best, and their loss with it.

    It divides the raw predictions (Guo et al., 2017), those of each member of an
    ensemble before they are averaged.  With ``s`` the logarithm of its inverse,
    ``mean loss + s^2 / (2 prior^2 n)`` is minimal, where the loss is that beside one
    more row that could be of any class: few rows that are all predicted well don't tell
    how sure to be (Platt, 1999, who does the same to his targets).

    Parameters
    ----------
    loss, y, raw, weight
        As in `MeanLoss`.
    n : float, default=None
        How many rows they stand for, if not as many as there are: a row of weight 2 is
        as good as two.

    Returns
    -------
    temperature : float
        1 if the loss is not finite.
    loss : float
        Mean of the rows, without the prior.
    """
    n = len(y) if n is None else n
    mean_loss = MeanLoss(loss.smoothed(1 / (n + 1)), y, raw, weight)

    @cache
    def slope(s):
        return mean_loss(exp(s))[1] + s / (PRIOR**2 * n)

    s = _downhill(slope) if isfinite(mean_loss(1.0)[0]) else 0.0
    mean_loss.loss = loss
    return exp(-s), mean_loss(exp(s))[0]


def temperature_of_learned(loss, y, raw, weight=None):
    """Return the temperature for rows that have been learned, where none is held out.

    Of rows that are all predicted well, that of `fit_temperature` would only say so.
    This one makes them as sure as their number allows: with `n` rows of `k` classes,
    their loss is that beside `k` more rows, one of each class, which have the same
    columns as they (Laplace's rule of succession: ``(n + 1) / (n + k)`` at most).

    Parameters
    ----------
    loss, y, raw, weight
        As in `MeanLoss`.

    Returns
    -------
    temperature : float
        No less than 1.
    """
    n, n_classes = len(y), raw.shape[-1] if loss.link == "softmax" else 2
    smoothed = loss.smoothed(n_classes / (n + n_classes))
    mean_loss = MeanLoss(smoothed, y, raw, weight)

    @cache
    def slope(s):
        return mean_loss(exp(s))[1]

    return max(1.0, exp(-_downhill(slope)))


def _downhill(slope):
    """Return where the slope changes its sign, or the limit on the way down from 0."""
    s, direction = 0.0, -np.sign(slope(0.0))
    for distance in NEAR, LIMIT:
        before, s = s, float(direction * distance)
        if slope(before) * slope(s) <= 0:
            return brentq(slope, before, s, xtol=TOLERANCE)
    return s
