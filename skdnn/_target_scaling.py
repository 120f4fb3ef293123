"""Location and scale of targets: the network learns what is left without them.

The location is the constant that the loss fits best, where an untrained network starts.
The scale of a robust loss is robust too, or outliers would set what it calls small.
"""

import numpy as np

#: The share of absolute deviations, of those that are not zero, that the robust scale
#: reaches, and how many standard deviations of a normal distribution that is.
REACH, NORMAL_REACH = 0.8, 1.2815515655446004

#: How far from its location, in units of its scale, a target may be for a robust loss.
#: It would pull no harder from further away, but drown the losses of all other rows.
FARTHEST = 1e8


def location_and_scale(moments, y, weight, loss):
    """Return what to subtract from the targets, and what to divide them by then.

    Parameters
    ----------
    moments : Moments
        Of all targets.
    y : ndarray of shape (n, n_targets)
        A sample of them, for quantiles.
    weight : ndarray of shape (n,), or None
    loss : Loss

    Returns
    -------
    location, scale : ndarray of shape (n_outputs,)
        With several quantiles of one target, an output for each.
    """
    mean, unit = moments.mean, moments.unit
    if loss.link not in ("identity", "exp"):
        return np.zeros_like(mean), np.ones_like(mean)
    if loss.link == "exp":
        location, scale = np.zeros_like(mean), mean
    elif loss.center is None:
        location, scale = mean, np.sqrt(moments.variance)
    else:
        y = y / unit
        # All quantiles with weights: so that a weight of 2 is a row given twice.
        weight = np.ones(len(y)) if weight is None else weight
        weight = np.broadcast_to(weight[:, None], y.shape)
        location = _quantile(y, loss.center, weight).reshape(-1)
        scale = _spread(y, weight)
    scale = np.minimum(scale * unit, np.finfo(y.dtype).max)
    return location * unit, np.full_like(location, np.where(scale > 0, scale, 1.0))


def _spread(y, weight):
    """Return a robust standard deviation: most of the targets may be equal."""
    deviation = np.abs(y - _quantile(y, 0.5, weight))
    deviates = deviation > 0
    weight = np.where(deviates | ~deviates.any(axis=0), weight, 0.0)
    return _quantile(deviation, REACH, weight) / NORMAL_REACH


def _quantile(y, q, weight):
    return np.quantile(y, q, axis=0, weights=weight, method="inverted_cdf")
