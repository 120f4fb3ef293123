"""Learning-rate schedules, one row of `SCHEDULES` each.

A schedule is called as ``schedule(epoch, n_epochs)`` and returns what to multiply the
learning rate with.  `epoch` is a float that grows within an epoch, from 0; `n_epochs`
is `max_iter`.  Every schedule has an optional warm-up.

To add a schedule, write a class with `factor` and its row.
"""

from math import cos, log2, pi
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "CosLog",
    "Cosine",
    "Exponential",
    "FlatCosine",
    "InverseScaling",
    "OneCycle",
    "Schedule",
    "Step",
]

#: Where a warm-up starts, as a share of the learning rate: a step of zero is wasted.
WARM_UP_START = 0.01


class Schedule(BaseEstimator):
    """Base class: multiplies `factor` with a warm-up.

    Parameters
    ----------
    warm_up : float >= 0, default=0.0
        Number of epochs over which the learning rate rises linearly to its value.

    Attributes
    ----------
    ranges : dict of str to tuple
        What the parameters may be: number type, low, high, closed sides.
    anneals : bool
        Whether the rate is done after `n_epochs`, where it has its last value.
    """

    ranges = {"warm_up": (Real, 0, None, "left")}
    anneals = False

    def __init__(self, warm_up=0.0):
        self.warm_up = warm_up

    def __call__(self, epoch, n_epochs):
        # partial_fit may go on beyond max_iter, where waves would rise again.
        factor = self.factor(min(epoch, n_epochs) if self.anneals else epoch, n_epochs)
        if epoch < self.warm_up:
            factor *= WARM_UP_START + (1 - WARM_UP_START) * epoch / self.warm_up
        return factor

    def factors(self, epochs, n_epochs):
        """Return the multiplier at each of some epochs, an array."""
        return np.array([self(epoch, n_epochs) for epoch in epochs.tolist()])

    def factor(self, epoch, n_epochs):
        """Return the multiplier without the warm-up."""
        raise NotImplementedError

    def on_plateau(self, learning_rate):
        """Return what to multiply the rate with when training stalls; None: stop."""
        return None


class Constant(Schedule):
    """``1``"""

    def factors(self, epochs, n_epochs):
        # An epoch may have as many steps as there are rows.
        if epochs[0] >= self.warm_up:
            return np.ones(len(epochs))
        return super().factors(epochs, n_epochs)

    def factor(self, epoch, n_epochs):
        return 1.0


class InverseScaling(Schedule):
    """``(1 + epoch) ** -power``

    Parameters
    ----------
    power : float > 0, default=0.5
    warm_up : float >= 0, default=0.0
        Epochs over which the rate first rises linearly.
    """

    ranges = {
        **Schedule.ranges,
        "power": (Real, 0, None, "neither"),
    }

    def __init__(self, power=0.5, warm_up=0.0):
        super().__init__(warm_up)
        self.power = power

    def factor(self, epoch, n_epochs):
        return (1 + epoch) ** -self.power


class Step(Schedule):
    """``decay ** floor(epoch / every)``

    Parameters
    ----------
    every : float > 0, default=30
        Number of epochs between two drops.
    decay : float in (0, 1), default=0.1
        What each drop multiplies the rate with.
    warm_up : float >= 0, default=0.0
        Epochs over which the rate first rises linearly.
    """

    ranges = {
        **Schedule.ranges,
        "every": (Real, 0, None, "neither"),
        "decay": (Real, 0, 1, "neither"),
    }

    def __init__(self, every=30, decay=0.1, warm_up=0.0):
        super().__init__(warm_up)
        self.every = every
        self.decay = decay

    def factor(self, epoch, n_epochs):
        return self.decay ** (epoch // self.every)


class Exponential(Schedule):
    """``decay ** epoch``

    Parameters
    ----------
    decay : float in (0, 1), default=0.95
        What each epoch multiplies the rate with.
    warm_up : float >= 0, default=0.0
        Epochs over which the rate first rises linearly.
    """

    ranges = {
        **Schedule.ranges,
        "decay": (Real, 0, 1, "neither"),
    }

    def __init__(self, decay=0.95, warm_up=0.0):
        super().__init__(warm_up)
        self.decay = decay

    def factor(self, epoch, n_epochs):
        return self.decay**epoch


class Cosine(Schedule):
    """``(1 + cos(pi epoch / n_epochs)) / 2`` (Loshchilov and Hutter, 2017)."""

    anneals = True

    def factor(self, epoch, n_epochs):
        return 0.5 * (1 + cos(pi * epoch / n_epochs))


class FlatCosine(Schedule):
    """1, and from the middle on ``(1 + cos(pi (2 epoch / n_epochs - 1))) / 2``.

    Time to get somewhere, then time to settle (Holzmueller et al., 2024, who lower
    dropout and weight decay in this way).
    """

    anneals = True

    def factor(self, epoch, n_epochs):
        return 0.5 * (1 + cos(pi * max(0.0, 2 * epoch / n_epochs - 1)))


class OneCycle(Schedule):
    """Up to the learning rate and down to almost nothing (Smith and Topin, 2018).

    Both ways along half a cosine: from ``1 / start_divisor`` to 1 in the first `rise`
    of the epochs, then to ``1 / final_divisor``.

    Parameters
    ----------
    rise : float in (0, 1), default=0.3
        Share of the epochs in which the rate rises.
    start_divisor : float >= 1, default=25
        The rate starts at ``1 / start_divisor`` of its peak.
    final_divisor : float >= 1, default=1e4
        The rate ends at ``1 / final_divisor`` of its peak.
    warm_up : float >= 0, default=0.0
        Epochs over which the rate rises linearly besides.
    """

    anneals = True
    ranges = {
        **Schedule.ranges,
        "rise": (Real, 0, 1, "neither"),
        "start_divisor": (Real, 1, None, "left"),
        "final_divisor": (Real, 1, None, "left"),
    }

    def __init__(self, rise=0.3, start_divisor=25.0, final_divisor=1e4, warm_up=0.0):
        super().__init__(warm_up)
        self.rise = rise
        self.start_divisor = start_divisor
        self.final_divisor = final_divisor

    def factor(self, epoch, n_epochs):
        progress = epoch / n_epochs
        if progress < self.rise:
            low, share = 1 / self.start_divisor, 1 - progress / self.rise
        else:
            low, share = (
                1 / self.final_divisor,
                (progress - self.rise) / (1 - self.rise),
            )
        return low + (1 - low) * 0.5 * (1 + cos(pi * share))


class CosLog(Schedule):
    """Cosine waves that grow longer (Holzmueller et al., 2024, "Better by Default").

    ``(1 - cos(2 pi log2(1 + (2^cycles - 1) epoch / n_epochs))) / 2``

    Parameters
    ----------
    cycles : int >= 1, default=4
        Number of waves.
    warm_up : float >= 0, default=0.0
        Epochs over which the rate first rises linearly.
    """

    anneals = True
    ranges = {
        **Schedule.ranges,
        "cycles": (Integral, 1, None, "left"),
    }

    def __init__(self, cycles=4, warm_up=0.0):
        super().__init__(warm_up)
        self.cycles = cycles

    def factor(self, epoch, n_epochs):
        waves = log2(1 + (2**self.cycles - 1) * epoch / n_epochs)
        return 0.5 * (1 - cos(2 * pi * waves))


class Adaptive(Schedule):
    """Constant, but divided when the loss or the score stalls, instead of stopping.

    Training stops at the first stall with a rate of at most `minimum`.

    Parameters
    ----------
    divisor : float > 1, default=5.0
        What each stall divides the rate by.
    minimum : float > 0, default=1e-6
        Below this rate, a stall stops training.
    warm_up : float >= 0, default=0.0
        Epochs over which the rate first rises linearly.
    """

    ranges = {
        **Schedule.ranges,
        "divisor": (Real, 1, None, "neither"),
        "minimum": (Real, 0, None, "left"),
    }

    def __init__(self, divisor=5.0, minimum=1e-6, warm_up=0.0):
        super().__init__(warm_up)
        self.divisor = divisor
        self.minimum = minimum

    def factor(self, epoch, n_epochs):
        return 1.0

    def on_plateau(self, learning_rate):
        if learning_rate > self.minimum:
            return 1 / self.divisor
        return None


SCHEDULES = {
    "constant": Constant,
    "inverse_scaling": InverseScaling,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "flat_cosine": FlatCosine,
    "one_cycle": OneCycle,
    "coslog": CosLog,
    "adaptive": Adaptive,
}
