"""How fits by the compiled engine end, and that nothing of them stays behind."""

import copy
import gc
import pickle
import signal
import threading
import tracemalloc
import weakref
from time import perf_counter
from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skdnn import DNNRegressor
from skdnn.nn import compiled, steps
from skdnn.nn.network import Network
from skdnn.nn.optimizers import OPTIMIZERS
from tests.plain import PLAIN
from tests.tables import (
    parameters,
    regression,
)
from tests.test_compiled import SHORT, SMALL, by_numpy, mixed
from tests.threads import blas_threads

pytestmark = pytest.mark.skipif(not compiled.available, reason=compiled.why_not)

# How a fit ends


def sent(seconds):
    """Send Ctrl-C after some seconds; return when, in a list."""
    # Shells have what they start in the background ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    times = []

    def send():
        times.append(perf_counter())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Timer(seconds, send).start()
    return times


#: Steps that take seconds each.
LONG_STEPS = {
    "one network": {"n_members": 1, "solver": "bgd"},
    "members": {"n_members": 4, "solver": "bgd"},
    "shared": {"n_members": 4, "solver": "bgd", "ensemble_weights": "shared"},
}


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends signals")
@pytest.mark.parametrize("name", LONG_STEPS)
def test_interrupt_within_a_long_step(name, many_threads, monkeypatch):
    """Ctrl-C is heard at once, amid a step, and leaves no thread that works."""
    X = np.random.default_rng(0).standard_normal((2**16, 8), np.float32)
    est = DNNRegressor((256, 256), **PLAIN, **LONG_STEPS[name])
    before, n_threads = vars(est).copy(), threading.active_count()
    times, begin_epoch = [], steps.RecordedSteps.begin_epoch

    def begin(self):
        begin_epoch(self)
        times.append(sent(0.1))

    monkeypatch.setattr(steps.RecordedSteps, "begin_epoch", begin)
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, X[:, 0])
    ((sent_at,),) = times
    # 0.1 s between two looks, and slack for a machine that others use.
    assert perf_counter() - sent_at < 1
    assert vars(est) == before
    assert threading.active_count() == n_threads
    assert set(blas_threads()) == {6}
    assert_denormals()


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupt_between_slices(early_stopping, n_threads, monkeypatch):
    """Ctrl-C in the third epoch leaves what two epochs leave, to the bit."""
    monkeypatch.setattr("skdnn._threads._sharing.n_threads", lambda: n_threads)
    X, y = regression()
    params = SMALL | SHORT | {"schedule": "constant", "n_members": 3}
    params |= {"early_stopping": early_stopping}
    expected = DNNRegressor(**params | {"max_iter": 2}).fit(X, y)
    epochs, run = [], steps.RecordedSteps._run
    begin_epoch = steps.RecordedSteps.begin_epoch

    def begin(self):
        epochs.append(0)
        begin_epoch(self)

    def interrupted(self, first, rates, workers):
        run(self, first, rates, workers)
        if len(epochs) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(steps.RecordedSteps, "begin_epoch", begin)
    monkeypatch.setattr(steps.RecordedSteps, "_run", interrupted)
    est = DNNRegressor(**params | {"max_iter": 9})
    with pytest.warns(UserWarning, match="interrupted by user"):
        est.fit(X, y)
    assert est.n_iter_ == 2
    assert_array_equal(parameters(est), parameters(expected))


def test_max_time(runs):
    """A fit ends in time, with epochs that have ended."""
    X, y = regression(2000)
    started = perf_counter()
    est = DNNRegressor(**SMALL | SHORT | {"max_iter": 10**6, "max_time": 0.5}).fit(X, y)
    assert perf_counter() - started < 3
    assert 0 < len(est.loss_curve_) < 10**6
    assert runs["trained"]


def test_slices_of_a_clock(runs):
    """Where there is a clock, an epoch of many steps comes in several slices."""
    X, y = regression(400)
    params = {"solver": "sgd", "max_time": 60, "max_iter": 1, "random_state": 0}
    with patch.object(steps, "SLICE", 1e-6):
        one = DNNRegressor((4,), **params, **PLAIN).fit(X, y)
    assert runs["trained"] == 400
    runs.clear()
    two = DNNRegressor((4,), **params, **PLAIN).fit(X, y)
    assert runs["trained"] < 400
    assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-3)


#: Steps that are too large, at once or later.
DIVERGING = {
    "later": {"optimizer": "sgd", "solver": "bgd", "learning_rate": 10.0},
    "at once": {"optimizer": "sgd", "learning_rate": 1e30, "target_scaling": False},
    "in the first epoch": {
        "learning_rate": 1e6,
        "hidden_layer_dims": 8 * (8,),
        "dtype": "float32",
    },
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("name", DIVERGING)
def test_divergence(name, n_members, recwarn):
    """What diverges does so in the same epoch, in the same words."""
    params = {"hidden_layer_dims": (), "max_iter": 200, "random_state": 0, "tol": None}
    params |= {"dtype": "float64", "n_members": n_members} | DIVERGING[name]
    if name == "in the first epoch":
        params |= PLAIN
    X, y = regression()
    ends = []
    for available in True, False:
        est = DNNRegressor(**params)
        with patch.object(compiled, "available", available):
            try:
                est.fit(X, y)
                ends.append((est.n_iter_, str(recwarn.pop().message)))
                assert np.isfinite(parameters(est)).all()
            except ValueError as error:
                ends.append(str(error))
                assert vars(est) == est.get_params(deep=False)
    assert "diverged" in ends[0][-1] or "diverged" in ends[0]
    assert ends[0] == ends[1]


# Numbers too small for a full mantissa


def assert_denormals():
    """Assert that this thread computes with such numbers, as NumPy does."""
    for dtype, small in (np.float32, 1e-40), (np.float64, 1e-310):
        assert (np.full(9, small, dtype) * np.full(9, 0.5, dtype) > 0).all()


def n_denormal(vector):
    tiny = np.finfo(vector.dtype).tiny
    return int(((vector != 0) & (abs(vector) < tiny)).sum())


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_keep_their_denormals(n_threads, monkeypatch):
    """Before and after a fit and a prediction, in each thread that computes."""
    monkeypatch.setattr("skdnn._threads._sharing.n_threads", lambda: n_threads)
    checked, run_programs = set(), compiled.run_programs

    def run(programs, **options):
        assert_denormals()
        try:
            return run_programs(programs, **options)
        finally:
            assert_denormals()
            checked.add(threading.get_ident())

    monkeypatch.setattr(compiled, "run_programs", run)
    X, y = regression(2000)
    est = DNNRegressor(**SMALL | SHORT | {"n_members": 4}).fit(X, y)
    est.predict(X)
    assert len(checked) >= n_threads
    assert_denormals()


@pytest.mark.parametrize(
    "optimizer", [name for name in OPTIMIZERS if name not in ("sgd", "lbfgs")]
)
def test_no_denormals_are_left(optimizer):
    """What an optimizer forgets becomes zero, and is never one of these numbers."""
    X, y = regression(500)
    # Only the first row has a gradient here.
    X = np.column_stack([X, np.zeros(500)])
    X[0, -1] = 1e-20
    params = {"optimizer": optimizer, "learning_rate": 1e-4, "alpha": 0.0}
    params |= {"solver": "sgd", "shuffle": False, "numeric_scaling": None}
    params |= {"warm_start": True, "max_iter": 1, "random_state": 0}

    def n_left():
        est = DNNRegressor((4,), activation="tanh", **params, **PLAIN).fit(X, y)
        state = est._progress["state"]
        return sum(n_denormal(state[name]) for name in state if name != "t")

    assert n_left() == 0
    with by_numpy():
        assert n_left() > 0


# Memory


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True, "n_members": 3},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"ensemble_weights": "shared"}, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_kept(params):
    """Tables, networks and the memory of programs go when nobody refers to them."""
    gc.collect()
    before = n_networks()
    gc.disable()
    try:
        X, y = regression()
        est = DNNRegressor(**SMALL | SHORT | params).fit(X, y)
        est.predict(X)
        network = est.network_
        assert network.predictor._idle
        watched = X, y, est, network, network.predictor, network.params
        refs = [weakref.ref(thing) for thing in watched]
        del X, y, est, network, watched
        assert [ref() for ref in refs] == [None] * 6
        assert n_networks() == before
    finally:
        gc.enable()


def n_networks():
    return sum(isinstance(thing, Network) for thing in gc.get_objects())


@pytest.mark.slow
def test_soak():
    """However many fits and predictions, none leaves memory behind."""
    X, y = regression()
    params = SMALL | SHORT | {"max_iter": 1, "hidden_layer_dims": (100, 100)}
    est = DNNRegressor(**params)
    lost = clone(est).set_params(learning_rate=1e38)

    def work(n):
        for _ in range(n):
            est.fit(X, y).predict(X)
            with pytest.raises(ValueError, match="diverged"):
                lost.fit(X, y)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = work(2)
        grown = work(8) - before
    finally:
        tracemalloc.stop()
    # One vector that each fit left behind would be sixteen.
    assert grown < 2 * est.network_.params.nbytes


# Copies


def test_copies():
    """Pickles, copies and clones predict the same, and carry no programs along."""
    X, y = mixed()
    est = DNNRegressor(**SMALL | SHORT).fit(X, y)
    size, expected = len(pickle.dumps(est)), est.predict(X)
    assert len(pickle.dumps(est)) == size
    copies = pickle.loads(pickle.dumps(est)), copy.copy(est), copy.deepcopy(est)
    for other in (*copies, clone(est).fit(X, y)):
        assert_array_equal(other.predict(X), expected)
    est.set_params(max_iter=1, dtype="float64", n_members=7)
    assert_array_equal(est.predict(X), expected)
    network = copies[2].network_.copy()
    network.params *= 2
    assert_array_equal(copies[2].predict(X), expected)
