"""Time for training: how many epochs there are, and schedules that end with them."""

import numpy as np
import pytest

from skdnn import _base, _clock
from skdnn._clock import Clock
from skdnn.encoding import TabularEncoder
from skdnn.nn.optimizers import SGD
from skdnn.nn.schedules import SCHEDULES, Cosine
from tests.tables import binary, classifier, parameters, regression, regressor

MAKES = {"classifier": (classifier, binary), "regressor": (regressor, regression)}
both = pytest.mark.parametrize(("make", "data"), MAKES.values(), ids=MAKES)


@pytest.fixture
def now(monkeypatch):
    """The time, which stands still but for who adds to its only entry."""
    time = [0.0]
    for module in _base, _clock:
        monkeypatch.setattr(module, "perf_counter", lambda: time[0])
    return time


class Slow(SGD):
    """Gradient descent whose every step takes a second, and that notes its rates."""

    def __init__(self, now=None, rates=None):
        self.now = now
        self.rates = rates

    def __sklearn_clone__(self):
        return self

    def update(self, w, g, rate, t, scratch):
        super().update(w, g, rate, t, scratch)
        self.now[0] += 1
        self.rates.append(rate)


def fitted(make, data, now, **params):
    """Return an estimator of ten steps an epoch, a second each, and its rates."""
    slow = Slow(now, [])
    defaults = {"batch_size": 6, "schedule": "cosine", "learning_rate": 0.1}
    defaults |= {"learning_rate_multipliers": None, "n_members": 1, "max_iter": 90}
    est = make(optimizer=slow, **defaults | params).fit(*data())
    return est, slow.rates


def share(rates):
    """Return rates as a share of the learning rate."""
    return np.array(rates) / 0.1


# The schedule ends with the time


@pytest.mark.sampled
@both
@pytest.mark.parametrize("n_epochs", [1, 2, 3, 7])
@pytest.mark.parametrize("spare", [0.1, 0.5, 0.9])
def test_few_epochs_end_at_rate_zero(make, data, n_epochs, spare, now):
    """Time for few epochs is time for a schedule that comes down to zero."""
    est, rates = fitted(make, data, now, max_time=10 * (n_epochs + spare))
    assert est.n_iter_ == n_epochs
    assert now[0] == 10 * n_epochs
    assert share(rates)[-1] < 1 / n_epochs**2 * 0.03
    expected = (1 + np.cos(np.pi * np.arange(10 * n_epochs) / (10 * n_epochs))) / 2
    np.testing.assert_allclose(share(rates), expected, rtol=1e-9)


@pytest.mark.parametrize("schedule", [n for n, s in SCHEDULES.items() if s.anneals])
def test_each_schedule_that_ends_ends_in_time(schedule, now):
    """All schedules are drawn in alike."""
    _, rates = fitted(classifier, binary, now, max_time=25, schedule=schedule)
    full = SCHEDULES[schedule]()
    expected = [full(epoch, 2) for epoch in np.arange(20) / 10]
    np.testing.assert_allclose(share(rates), expected, rtol=1e-9)


def test_less_time_than_an_epoch_takes(now):
    """One epoch is run, and comes down to zero, however little time there is."""
    est, rates = fitted(classifier, binary, now, max_time=1e-3)
    assert est.n_iter_ == 1
    assert share(rates)[-1] < 0.03


def test_time_to_spare(now):
    """With time for all epochs, nothing is drawn in."""
    one, fast = fitted(classifier, binary, now, max_iter=4)
    two, slow = fitted(classifier, binary, now, max_iter=4, max_time=1e9)
    assert fast == slow
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_what_comes_before_training_is_not_an_epoch(now, monkeypatch):
    """Minutes of encoding take time from the epochs, but do not count as theirs."""
    encode = TabularEncoder.encode_rows

    def slowly(self, *args):
        now[0] += 60
        return encode(self, *args)

    monkeypatch.setattr(TabularEncoder, "encode_rows", slowly)
    est, rates = fitted(classifier, binary, now, max_time=60 + 35, early_stopping=False)
    assert est.n_iter_ == 3
    assert share(rates)[-1] < 0.01


def test_slower_than_it_began(now):
    """Where epochs grow slow, the schedule ends earlier, and in time."""

    def score(estimator, X, y):
        now[0] += 10
        return 1.0

    params = {"early_stopping": True, "scoring": score, "batch_size": 6}
    est, rates = fitted(classifier, binary, now, max_time=45, **params)
    # 54 rows are nine steps; without the scores there would be time for five epochs.
    assert est.n_iter_ == 2
    assert now[0] == 38
    assert share(rates)[-1] < 0.01


def test_a_warm_start_counts_its_own_epochs(now):
    """The time that earlier epochs took is not that of this fit."""
    clf, rates = fitted(classifier, binary, now, max_iter=3, warm_start=True)
    clf.set_params(max_time=25, max_iter=90)
    del rates[:]
    assert clf.fit(*binary()).n_iter_ == 2
    expected = [Cosine()(epoch, 5) for epoch in 3 + np.arange(20) / 10]
    # Before its first step, nobody knows how long an epoch takes.
    np.testing.assert_allclose(share(rates)[1:], expected[1:], rtol=1e-9)


# The clock on its own


def test_clock_by_hand(now):
    """There is time for five epochs of two seconds, then for four that grow slow."""
    clock = Clock(10.9, 0, 20, 20)
    assert clock(0.0) == 20
    now[0] = 1.0
    assert clock(0.5) == 5
    now[0] = 2.0
    assert not clock.is_over(1)
    assert clock(1.0) == 5
    # Validation is still to come.
    now[0] = 3.5
    assert clock(1.9) == 5
    now[0] = 5.0
    assert clock(1.9) == 4
    now[0] = 10.0
    assert clock.is_over(2)


def test_clock_of_a_refit(now):
    """Three of a schedule of twelve, with time for two: two thirds of the schedule."""
    clock = Clock(2.0, 0, 3, 12)
    now[0] = 1.0
    assert clock(1.0) == 8


# A refit


@both
def test_refit_in_time(make, data, now):
    """Both trainings together take no more than the time there is."""
    scores = iter(range(99))
    params = {"refit": True, "early_stopping": True, "max_time": 100}
    est, rates = fitted(make, data, now, scoring=lambda *_: next(scores), **params)
    # Five epochs of nine steps in the first half, then five of ten.
    assert est.n_iter_ == est.best_iter_ == 5
    assert now[0] == 95
    assert share(rates)[-1] < 0.01


def test_refit_that_would_be_late_is_drawn_in(now):
    """Where fewer epochs fit than were best, the schedule ends with them."""
    scores = iter(range(99))
    slow_start = iter([0.0, 20.0])

    def score(estimator, X, y):
        return next(scores)

    clf = classifier(refit=True, early_stopping=True, scoring=score, max_time=80)
    learn = TabularEncoder.learn

    def learn_slowly(self, *args, **kwargs):
        now[0] += next(slow_start)
        return learn(self, *args, **kwargs)

    params = clf.get_params()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TabularEncoder, "learn", learn_slowly)
        names = "refit", "early_stopping", "scoring", "max_time"
        chosen = {name: params[name] for name in names}
        est, rates = fitted(classifier, binary, now, **chosen)
    assert est.best_iter_ == 4
    # 36 and 20 seconds have gone: there is time for two epochs of ten.
    assert len(rates) == 4 * 9 + 2 * 10
    assert now[0] == 76
    assert share(rates)[-1] < 0.01


def test_no_time_for_a_refit(now):
    """A refit that would not come to the end of an epoch is left out, and says so."""
    params = {"refit": True, "early_stopping": True, "max_time": 10}
    with pytest.warns(UserWarning, match=r"refit has no time \(max_time=10\)"):
        est, rates = fitted(classifier, binary, now, **params)
    assert len(rates) == 9
    assert est.n_iter_ == 1
