"""A short trial says how many members there is time for."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skdnn import DNNClassifier, DNNRegressor, _trial
from skdnn.streaming import Stream
from tests.tables import binary, numbers, parameters

SHORT = {"hidden_layer_dims": (4,), "random_state": 0}

#: Time enough for whatever is to be done.
PLENTY = 1e9

both = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


def n_members(est):
    """Return how many networks a fitted estimator has."""
    first = est.coefs_[0]
    return 1 if first.ndim == 2 else len(first)


@pytest.mark.parametrize(
    ("max_time", "refit", "expected"),
    [
        *((0.5, False, 1), (29, False, 1), (30, False, 2), (89, False, 2)),
        *((90, False, 3), (300, False, 10), (1000, False, 16), (60, True, 2)),
        (59, True, 1),
    ],
)
def test_members_in_time(max_time, refit, expected, monkeypatch):
    """An epoch of two takes 3 seconds here, so that all 20 take 30 a member."""
    monkeypatch.setattr(_trial, "_seconds_an_epoch", lambda *args: 3.0)
    monkeypatch.setattr(_trial, "perf_counter", lambda: 100.0)
    settings = SimpleNamespace(max_time=max_time, refit=refit, max_iter=20)
    assert _trial.members_in_time(None, None, settings, started=100.0) == expected


def test_time_that_is_gone_counts(monkeypatch):
    """Of what `fit` may take, the checks and the trial have taken some."""
    monkeypatch.setattr(_trial, "_seconds_an_epoch", lambda *args: 3.0)
    monkeypatch.setattr(_trial, "perf_counter", lambda: 160.0)
    settings = SimpleNamespace(max_time=150, refit=False, max_iter=20)
    assert _trial.members_in_time(None, None, settings, started=100.0) == 3
    assert _trial.members_in_time(None, None, settings, started=0.0) == 1


def test_a_trial_that_fails(monkeypatch):
    """Where nothing was measured, the number of members stays what it was."""
    monkeypatch.setattr(_trial, "_seconds_an_epoch", lambda *args: None)
    settings = SimpleNamespace(max_time=1, refit=False, n_members=8)
    assert _trial.members_in_time(None, None, settings, started=0.0) == 8


@both
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"max_time": PLENTY, "max_iter": 1}, 16),
        ({"max_time": 1e-9}, 1),
        ({"max_time": PLENTY, "max_iter": 1, "n_members": 3}, 3),
        ({"max_time": PLENTY, "max_iter": 1, "recipe": "plain"}, 1),
        ({"max_time": PLENTY, "max_iter": 1, "solver": "bgd", "recipe": "tuned"}, 2),
        ({"max_iter": 1}, 8),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Training reached max_iter")
def test_members(Estimator, params, expected):
    """Time sets their number where nothing else does."""
    assert n_members(Estimator(**SHORT | params).fit(*binary())) == expected


@both
@pytest.mark.parametrize("weighted", [False, True])
def test_the_trial_leaves_no_trace(Estimator, weighted):
    """The fit is that of the same number of members, to the bit."""
    X, y = binary()
    X[::7, 1] = np.nan
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X)) if weighted else None
    params = SHORT | {"max_iter": 2, "max_time": PLENTY, "tol": None}
    one = Estimator(**params).fit(X, y, weight)
    two = Estimator(**params, n_members=16).fit(X, y, weight)
    assert_array_equal(parameters(one), parameters(two))
    assert one.loss_curve_ == two.loss_curve_


def test_a_warm_start_keeps_its_members():
    """What began goes on, whatever the time is then."""
    params = SHORT | {"warm_start": True, "max_iter": 1, "tol": None}
    clf = DNNClassifier(**params, max_time=PLENTY).fit(*binary())
    clf.set_params(max_time=1e-9).fit(*binary())
    assert n_members(clf) == 16


def test_a_pretrained_network_keeps_its_members():
    """They are as many as it has, whatever the time."""
    source = DNNClassifier(**SHORT, max_iter=1, n_members=3, tol=None).fit(*binary())
    params = SHORT | {"max_iter": 1, "tol": None, "pretrained": source}
    assert n_members(DNNClassifier(**params, max_time=PLENTY).fit(*binary())) == 3


def test_a_stream_has_no_trial():
    """It would be read once more."""
    X, y = binary()
    reg = DNNRegressor(**SHORT, max_time=PLENTY, max_iter=1, tol=None)
    reg.fit(Stream([_frame(X, y)]), "y")
    assert n_members(reg) == 8


def _frame(X, y):
    return pd.DataFrame(X).rename(columns=str).assign(y=y)


def test_the_longer_an_epoch_the_longer_it_measures():
    """Of many rows, a few are tried, and stand for all."""
    seconds = {}
    for n_rows in 1000, 64_000:
        X = numbers(n_rows)
        est = DNNRegressor(**SHORT)
        model, data = est._begin((X, X[:, 0], None), goes_on=False)
        settings = est._resolve(data.n_columns, data.n_rows, goes_on=False)
        seconds[n_rows] = _trial._seconds_an_epoch(model, data, settings)
    assert seconds[64_000] > 5 * seconds[1000] > 0


def test_interrupted(monkeypatch):
    """Ctrl-C in the trial ends the fit; there is nothing to keep yet."""

    def interrupted(trial, *args):
        trial.interrupted = True

    monkeypatch.setattr(_trial.Training, "run", interrupted)
    clf = DNNClassifier(**SHORT, max_time=PLENTY)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*binary())
    assert not hasattr(clf, "classes_")
