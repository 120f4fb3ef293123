"""Contenders that take turns, so that a machine that slows down does so for all.

Ratios are taken within a round; what is printed is a median over the rounds.
"""

from statistics import median


def take_turns(contenders, n_rounds):
    """Return the times of each contender, one a round.

    Parameters
    ----------
    contenders : dict of str to callable
        Each returns how long it took, whatever of it is measured.
    n_rounds : int
    """
    times = {name: [] for name in contenders}
    for _ in range(n_rounds):
        for name, run in contenders.items():
            times[name].append(run())
    return times


def ratio(times, numerator, denominator):
    """Return the median ratio of two contenders' times."""
    pairs = zip(times[numerator], times[denominator], strict=True)
    return median(a / b for a, b in pairs)
