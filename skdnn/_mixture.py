"""Several kinds of members: their predictions, averaged by weights that rows choose."""

from math import ceil
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

#: How many rows equal weights are worth.
PRIOR = 3.0

#: So many rows are enough to choose weights by.
ENOUGH_ROWS = 20_000


class Mixture(NamedTuple):
    """A model of models: the mean of what several kinds of members predict.

    Attributes
    ----------
    kinds : list of DNNClassifier or DNNRegressor
        Fitted, one for each kind. They have encoder and targets in common.
    weights : ndarray of shape (n_kinds,)
        Positive, with a sum of 1.
    """

    kinds: list
    weights: np.ndarray

    @property
    def models(self):
        return [kind._model for kind in self.kinds]

    @property
    def encoder(self):
        return self.models[0].encoder

    @property
    def targets(self):
        return self.models[0].targets

    @property
    def raw_shape(self):
        """Shape of the raw predictions of a row, those of all kinds as one."""
        return 1, self.targets.n_outputs

    def copy(self):
        """Return the model; no training goes on with it, so that it stays as it is."""
        return self

    def predict(self, X, finish, dtype=np.float64):
        """Return ``finish(raw predictions)``; see `Model.predict`."""
        raw = [m.predict(X, m.targets.averaged, dtype) for m in self.models]
        return finish(self.targets.loss.average(np.stack(raw), self.weights))

    def state(self):
        """Return the model as plain data and arrays, and the estimators' own."""
        return self._asdict()


def held_out_predictions(model, held_out):
    """Return what a model predicts for the rows that it holds out.

    Each member predicts its own.

    Parameters
    ----------
    model : Model
    held_out : ValidationRows

    Returns
    -------
    raw : ndarray of float64 of shape (n, n_outputs)
    """
    raw = held_out.own(model.network.predict(held_out.X)).astype(np.float64)
    return model.targets.averaged(raw / model.temperature)


def choose_weights(loss, raw, held_out):
    """Return the convex weights with which a mean of predictions has the least loss.

    It is the minimum of ``n * loss(weights) / deviation - prior * mean(log(n_kinds *
    weights))``, for `n` effective rows whose losses have that standard deviation with
    equal weights (stacking, Wolpert, 1992, by convex weights, Breiman, 1996, with a
    Dirichlet prior).  There, the loss is no higher than that of equal weights.

    Parameters
    ----------
    loss : Loss
    raw : list of ndarray of shape (n_k, n_outputs)
        What each kind predicts for the rows that it holds out, in the same order; one
        with more members has more of them.
    held_out : ValidationRows
        Of the kind with the fewest.

    Returns
    -------
    weights : ndarray of shape (n_kinds,)
    """
    n_kinds, n = len(raw), len(held_out.y)
    some = slice(None, n, ceil(n / ENOUGH_ROWS))
    raw, y = np.stack([of_kind[:n][some] for of_kind in raw]), held_out.y[some]
    counts = None if held_out.weight is None else held_out.weight[some, 0]
    cache = loss.allocate(*raw.shape[1:], raw.dtype)

    def losses(weights):
        loss.pointwise(y, loss.average(raw, weights), cache)
        return cache.losses.sum(axis=1)

    equal = np.full(n_kinds, 1 / n_kinds)
    of_rows = losses(equal)
    mean = np.average(of_rows, weights=counts)
    deviation = np.sqrt(np.average(np.square(of_rows - mean), weights=counts))
    if not (np.isfinite(deviation) and deviation > 0):
        return equal

    def objective(logits):
        mean = np.average(losses(softmax(logits)), weights=counts)
        return (
            held_out.n_effective * mean / deviation - PRIOR * log_softmax(logits).mean()
        )

    return softmax(minimize(objective, np.zeros(n_kinds), method="L-BFGS-B").x)
