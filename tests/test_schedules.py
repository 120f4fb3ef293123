"""Schedules multiply the learning rate with what their formulas say."""

from math import cos, log2, pi

import pytest

from skdnn.nn.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    CosLog,
    Exponential,
    InverseScaling,
    OneCycle,
    Step,
)


@pytest.mark.parametrize(
    ("schedule", "epoch", "factor"),
    [
        (Constant(), 7.5, 1),
        (Adaptive(), 7.5, 1),
        (InverseScaling(power=0.5), 0, 1),
        (InverseScaling(power=0.5), 3, 1 / 2),
        (InverseScaling(power=2), 3, 1 / 16),
        (Step(every=10, decay=0.5), 9.9, 1),
        (Step(every=10, decay=0.5), 25, 1 / 4),
        (Exponential(decay=0.9), 2, 0.81),
        (Cosine(), 0, 1),
        (Cosine(), 25, (1 + cos(pi / 4)) / 2),
        (Cosine(), 100, 0),
        (OneCycle(rise=0.4, start_divisor=10), 0, 0.1),
        (OneCycle(rise=0.4, start_divisor=10), 20, 0.55),
        (OneCycle(rise=0.4), 40, 1),
        (OneCycle(rise=0.4, final_divisor=100), 70, 0.505),
        (OneCycle(rise=0.4, final_divisor=100), 100, 0.01),
        (CosLog(), 0, 0),
        (CosLog(), 100 * (2**0.5 - 1) / 15, 1),
        (CosLog(), 100 / 15, 0),
        (CosLog(cycles=2), 30, (1 - cos(2 * pi * log2(1.9))) / 2),
        (Constant(warm_up=10), 0, 0.01),
        (Constant(warm_up=10), 5, 0.505),
        (Constant(warm_up=10), 10, 1),
        (Exponential(decay=0.9, warm_up=4), 2, 0.81 * 0.505),
    ],
)
def test_factor(schedule, epoch, factor):
    """Of 100 epochs, worked by hand."""
    assert schedule(epoch, 100) == pytest.approx(factor, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_warms_up(name):
    """Every schedule has the warm-up, and is as without it afterwards."""
    plain, warm = SCHEDULES[name](), SCHEDULES[name](warm_up=10)
    assert warm(3, 100) == pytest.approx(plain(3, 100) * (0.01 + 0.99 * 0.3))
    assert warm(50, 100) == plain(50, 100)


def test_adaptive_divides_on_a_plateau():
    """A stall divides the rate by 5, until it is at the minimum."""
    schedule = Adaptive(divisor=5, minimum=1e-3)
    assert schedule.on_plateau(0.1) == pytest.approx(0.2)
    assert schedule.on_plateau(1.001e-3) == pytest.approx(0.2)
    assert schedule.on_plateau(1e-3) is None


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "coslog"])
def test_nothing_rises_after_the_end(name):
    """Beyond the last epoch the rate stays where it ended."""
    schedule = SCHEDULES[name]()
    assert schedule(15, 10) == schedule(27.5, 10) == schedule(10, 10)


@pytest.mark.parametrize("name", sorted(SCHEDULES.keys() - {"adaptive"}))
def test_others_stop_on_a_plateau(name):
    """A stall ends training with every other schedule."""
    assert SCHEDULES[name]().on_plateau(0.1) is None


ENDS = {
    "constant": (1, 1),
    "inverse_scaling": (1, 101**-0.5),
    "step": (1, 1e-3),
    "exponential": (1, 0.95**100),
    "cosine": (1, 0),
    "flat_cosine": (1, 0),
    "one_cycle": (1 / 25, 1e-4),
    "coslog": (0, 0),
    "adaptive": (1, 1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_ends(name):
    """By default, each schedule starts and ends where its docstring says."""
    schedule = SCHEDULES[name]()
    ends = schedule(0, 100), schedule(100, 100)
    assert ends == pytest.approx(ENDS[name], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factor_is_a_share(name):
    """No schedule asks for a negative rate, or for more than the learning rate."""
    factors = [SCHEDULES[name](warm_up=5)(epoch / 4, 100) for epoch in range(401)]
    assert min(factors) >= 0
    assert max(factors) <= 1
