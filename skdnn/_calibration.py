"""Temperature scaling: how sure a classifier may be, by rows that it has not seen."""

from math import exp

from scipy.optimize import minimize_scalar

#: How far the logarithm of the inverse temperature may go.
LIMIT = 2.0

#: Standard deviation of its prior, which matters where there are few rows.
PRIOR = 0.5


def fit_temperature(loss, y, raw, weight=None, n=None):
    """Return the temperature that suits the rows best, and their loss with it.

    It divides the raw predictions (Guo et al., 2017), those of each member of an
    ensemble before they are averaged.  With ``s`` the logarithm of its inverse,
    ``mean loss + s^2 / (2 prior^2 n)`` is minimal.

    Parameters
    ----------
    loss : Loss
    y : ndarray of shape (n, n_outputs), or (n,) of class indices
    raw : ndarray of shape (n, n_outputs), or (n_members, n, n_outputs)
    weight : ndarray of shape (n, 1), default=None
        Of mean 1.
    n : float, default=None
        How many rows they stand for, if not as many as there are: a row of weight 2 is
        as good as two.

    Returns
    -------
    temperature : float
    loss : float
        Mean of the rows, without the prior.
    """
    n = len(y) if n is None else n

    def mean_loss(s):
        scaled = raw * raw.dtype.type(exp(s))
        if scaled.ndim == 3:
            scaled = loss.average(scaled)
        return loss.loss_gradient(y, scaled, weight)[0]

    def objective(s):
        return mean_loss(s) + s * s / (2 * PRIOR**2 * n)

    best = minimize_scalar(
        objective, bounds=(-LIMIT, LIMIT), method="bounded", options={"xatol": 0.01}
    ).x
    return exp(-best), mean_loss(best)
