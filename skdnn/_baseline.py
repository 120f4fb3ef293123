"""Whether training has learned anything: what a constant prediction is worth."""

from math import sqrt

import numpy as np
from scipy.optimize import minimize

from skdnn._rows import chunks

#: With fewer epochs, or steps, nothing learned is no surprise.
FEWEST_EPOCHS, FEWEST_STEPS = 10, 100

#: By what share the loss has to be below that of a constant prediction.
MARGIN = 1e-3

#: The same of training rows, times the root of their number: measured while the network
#: changes, their loss comes out that much lower by chance.
CHANCE = 0.2

#: A loss that leaves nothing to learn.
NEGLIGIBLE = 1e-3


def learned_nothing(loss, n_outputs, train, losses, held_out=None, validated=()):
    """Whether no epoch was better than a prediction that is the same for all rows.

    The rows held out decide, where the best of such predictions is the best for these
    very rows; but to learn training rows by heart is to learn something.

    Parameters
    ----------
    loss : Loss
    n_outputs : int
    train, held_out : tuple (y, weight)
        Targets as the loss reads them, and weights of mean 1 or None. `held_out` is
        None where there are none.
    losses, validated : sequence of float
        The loss of each epoch, on these rows.
    """

    def is_below(best, margin, y, weight):
        constant = constant_loss(loss, n_outputs, y, weight)
        # A few rows may make up most of a robust loss, which the others are no part of.
        gain = margin * min(abs(constant), loss.total_strength)
        # Where a constant is all but right, there is nothing to learn.
        return constant < NEGLIGIBLE or best < constant - gain

    if (train[0] == train[0][0]).all():
        return False
    # The training rows, which are many, only if there is need.
    if held_out is not None and is_below(min(validated), MARGIN, *held_out):
        return False
    return not is_below(min(losses), CHANCE / sqrt(len(train[0])), *train)


def constant_loss(loss, n_outputs, y, weight=None):
    """Return the lowest mean loss of a prediction that is the same for all rows.

    Parameters
    ----------
    loss : Loss
    n_outputs : int
    y : ndarray of shape (n, n_outputs), or (n,) of class indices
    weight : ndarray of shape (n, 1) or (n, n_members), default=None
        Of mean 1.
    """
    share = np.ones(len(y)) if weight is None else weight.mean(axis=1, dtype=float)
    start = np.zeros(n_outputs)
    if y.ndim == 1:
        # Of all rows of a class, one is enough.
        of_class = np.bincount(y, share, minlength=n_outputs)
        y = np.flatnonzero(of_class)
        share, start = of_class[y], np.log(of_class + 1e-3)
    elif loss.output_levels is not None:
        start = _best_of_levels(loss.output_levels, n_outputs, y, share)
    share = share[:, None] / share.sum()

    def objective(raw):
        value, slope = 0.0, np.zeros(n_outputs)
        for rows in chunks(len(y), n_outputs):
            repeated = np.tile(raw, (len(y[rows]), 1))
            part, grad = loss.loss_gradient(y[rows], repeated, share[rows], 1.0)
            value += part
            slope += grad.sum(axis=0)
        return value, slope

    return minimize(objective, start, jac=True, method="L-BFGS-B").fun


def _best_of_levels(levels, n_outputs, y, weight):
    """Return the quantiles, or means, that each output is to learn.

    From anywhere else, L-BFGS would not get over the kinks between equal targets.
    """
    n_targets = y.shape[1]
    levels = np.broadcast_to(levels, n_outputs)
    best = np.zeros(n_outputs)
    for target, column in enumerate(y.T):
        own = slice(target, None, n_targets)
        is_mean = levels[own] < 0
        options = {"weights": weight, "method": "inverted_cdf"}
        of_levels = np.quantile(column, np.where(is_mean, 0, levels[own]), **options)
        mean = np.average(column, weights=weight)
        best[own] = np.where(is_mean, mean, of_levels)
    return best
