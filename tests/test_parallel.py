"""Fits and predictions in several threads and processes at once."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import permutations
from threading import Barrier, Event

import numpy as np
import pytest
import scipy.sparse as sp
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from threadpoolctl import threadpool_limits

from skdnn import _threads, _training
from skdnn.nn import compiled
from skdnn.nn.trainer import Trainer
from skdnn.nn.workers import Workers
from tests.plain import plain_classifier, plain_regressor
from tests.same import assert_same_network
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    parameters,
    regression,
    regressor,
)
from tests.threads import PATIENCE, blas_threads, set_blas_threads

#: Backends of joblib that start processes, which takes seconds.
PROCESSES = ["loky", "multiprocessing"]
backends = pytest.mark.parametrize(
    "backend",
    [
        "threading",
        *(pytest.param(name, marks=pytest.mark.slow) for name in PROCESSES),
    ],
)


# From Python 3.12 on, a fork of a process with threads warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def jobs(backend, n_jobs=2):
    """Return a context in which scikit-learn runs so many jobs at once.

    All data are mapped into memory, and all processes of loky are the same, since it
    takes seconds to start others.
    """
    loky = {"inner_max_num_threads": 2} if backend == "loky" else {}
    return parallel_config(backend, n_jobs=n_jobs, max_nbytes=100, **loky)


@pytest.fixture
def six_threads():
    """BLAS runs on six threads."""
    limit = set_blas_threads(6)
    yield
    with ThreadPoolExecutor(1) as pool:
        pool.submit(limit.restore_original_limits).result(PATIENCE)


@pytest.fixture
def two_threads():
    """BLAS runs on two threads."""
    limit = set_blas_threads(2)
    yield
    with ThreadPoolExecutor(1) as pool:
        pool.submit(limit.restore_original_limits).result(PATIENCE)


@pytest.fixture
def large(monkeypatch):
    """All matrix products count as large ones, in processes that are forked too."""
    monkeypatch.setattr(_threads, "LARGE_PRODUCT", 0)


# Results


def assert_same(one, two):
    """Assert that two estimators are the same, to the bit."""
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.loss_curve_ == two.loss_curve_
    assert one.validation_scores_ == two.validation_scores_


@backends
@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_searches_agree(backend, task):
    """A search in two jobs finds what it finds in one, with all that is random on."""
    make, data = TASKS[task]
    params = {"dropout": 0.2, "batch_norm": True, "early_stopping": True}
    grid = {"alpha": [1e-3, 1.0], "solver": ["bgd", "minibatch"]}
    one = GridSearchCV(make(batch_size=16, **params), grid, cv=2)
    two = clone(one)
    one.fit(*data())
    with jobs(backend):
        two.fit(*data())
    for name, column in one.cv_results_.items():
        if "time" not in name and name != "params":
            np.testing.assert_array_equal(two.cv_results_[name], column)
    assert two.cv_results_["params"] == one.cv_results_["params"]
    assert two.best_params_ == one.best_params_
    assert_same(one.best_estimator_, two.best_estimator_)


def cross_validated():
    """Return scores, predictions and networks of a cross-validation."""
    X, y = multiclass()
    clf = classifier(dropout=0.2, early_stopping=True, scoring="accuracy")
    scores = cross_val_score(clf, X, y, cv=4)
    proba = cross_val_predict(clf, X, y, cv=4, method="predict_proba")
    models = cross_validate(clf, X, y, cv=4, return_estimator=True)["estimator"]
    return scores, proba, models


cross_validated_in_one_job = cache(cross_validated)


@backends
def test_cross_validation_agrees(backend):
    """Scores, predictions and networks of two jobs are those of one."""
    scores, proba, models = cross_validated_in_one_job()
    with jobs(backend):
        other_scores, other_proba, again = cross_validated()
    np.testing.assert_array_equal(other_scores, scores)
    np.testing.assert_array_equal(other_proba, proba)
    for one, two in zip(models, again, strict=True):
        assert_same(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize("table", [np.asarray, np.asfortranarray, sp.csr_array])
def test_data_that_joblib_maps(backend, table):
    """Data that processes share, mapped into memory and read-only, are the same."""
    X, y = regression(200)
    X = table(X)
    weight = 1.0 + np.arange(200) % 3
    reg = regressor(early_stopping=True)
    expected = clone(reg).fit(X, y, weight)
    with jobs(backend):
        fits = Parallel()(delayed(fit)(reg, X, y, weight) for _ in range(2))
    for mapped, est in fits:
        assert mapped
        assert_same(est, expected)


def fit(est, X, y, weight=None):
    """Return whether `y` is mapped into memory, and a fitted clone."""
    return isinstance(y, np.memmap), clone(est).fit(X, y, weight)


# How many threads BLAS has in a fit


def single_classifier(**params):
    """Return a classifier of one network: no members are trained side by side."""
    return classifier(n_members=1, **params)


class Pairs:
    """A scorer that says how many threads BLAS has while two fits are running."""

    def __init__(self, n_fits=2):
        self.barrier = Barrier(n_fits, timeout=PATIENCE)

    def __call__(self, estimator, X, y):
        self.barrier.wait()
        (n_threads,) = set(blas_threads())
        self.barrier.wait()
        return float(n_threads)

    def __deepcopy__(self, memo):
        return self  # a clone of the estimator meets at the same barrier


def counts_in_cross_validation(scorer, cv, **params):
    """Return how many threads BLAS had in each epoch of each fit."""
    X, y = multiclass()
    clf = single_classifier(early_stopping=True, scoring=scorer, max_iter=3, **params)
    result = cross_validate(clf, X, y, cv=cv, return_estimator=True)
    return [est.validation_scores_ for est in result["estimator"]]


@pytest.mark.parametrize("n_fits", [2, 4])
def test_threads_are_shared(n_fits, six_threads, large):
    """Fits that run at once in threads of joblib share the threads of BLAS."""
    with jobs("threading", n_fits):
        counts = counts_in_cross_validation(Pairs(n_fits), cv=n_fits)
    assert counts == [[6 // n_fits] * 3] * n_fits
    assert set(blas_threads()) == {6}


def test_a_fit_on_its_own_has_all_threads(six_threads, large):
    """One fit after the other leaves the number of threads as it is."""
    assert counts_in_cross_validation(Pairs(1), cv=2) == [[6.0] * 3] * 2
    assert set(blas_threads()) == {6}


#: A network whose largest product, with batches of all rows, is not a small one.
LARGE = {"hidden_layer_dims": (800, 800), "solver": "bgd"}


@pytest.mark.parametrize("make", [regressor, plain_regressor])
def test_small_products_run_on_one_thread(make, six_threads):
    """A second thread is for networks that gain by it."""
    X, y = regression()
    for params, n_threads in ({}, 1), (LARGE, 6):
        est = make(n_members=1, **params, early_stopping=True, max_iter=2)
        est.set_params(scoring=n_blas_threads)
        assert est.fit(X, y).validation_scores_ == [n_threads] * 2
        assert set(blas_threads()) == {6}


@pytest.fixture
def workers(monkeypatch):
    """How many threads each training has for members side by side."""
    seen = []

    class Spy(Workers):
        def __init__(self, n_threads):
            seen.append(n_threads)
            super().__init__(n_threads)

    monkeypatch.setattr(_training, "Workers", Spy)
    return seen


def test_members_side_by_side(six_threads, workers):
    """While members train on threads of their own, BLAS has one, whatever the size."""
    reg = regressor(**LARGE, scoring=n_blas_threads, max_iter=2, n_members=4)
    reg.set_params(early_stopping=True).fit(*regression())
    assert reg.validation_scores_ == [1 if compiled.available else 6] * 2
    assert workers == [4 if compiled.available else 1]
    assert set(blas_threads()) == {6}


def test_members_that_share_matrices_are_no_networks_of_their_own(six_threads, workers):
    """They are trained together, and BLAS keeps its threads."""
    reg = regressor(**LARGE, ensemble_weights="shared", max_iter=2)
    reg.set_params(early_stopping=True, scoring=n_blas_threads).fit(*regression())
    assert reg.validation_scores_ == [6] * 2
    assert workers == [1]


@pytest.mark.parametrize("n_fits", [2, 4])
def test_fits_at_once_share_threads_for_members(n_fits, six_threads, workers):
    """Each has its part of the threads that BLAS would have."""
    with ExitStack() as others:
        for _ in range(n_fits - 1):
            others.enter_context(_threads.shared_threads())
        regressor(n_members=8).fit(*regression())
    assert workers == [6 // n_fits if compiled.available else 1]
    assert set(blas_threads()) == {6}


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_small_fit_beside_a_large_one(order, six_threads):
    """While one of the fits is small, all run on one thread; then they share anew."""
    X, y = binary()
    scorers, fits = [Waits(), Waits()], []
    with ThreadPoolExecutor(2) as pool:
        for scorer, params in zip(scorers, (LARGE, {}), strict=True):
            clf = single_classifier(**params, early_stopping=True, max_iter=1)
            fits.append(pool.submit(clf.set_params(scoring=scorer).fit, X, y))
            assert scorer.called.wait(PATIENCE)
        during = set(blas_threads())
        scorers[order[0]].may_end.set()
        fits[order[0]].result(PATIENCE)
        then = set(blas_threads())
        scorers[order[1]].may_end.set()
        fits[order[1]].result(PATIENCE)
    assert during == {1}
    assert then == {1 if order[0] == 0 else 6}
    assert set(blas_threads()) == {6}


def test_more_fits_than_threads(two_threads, large):
    """Each fit has one thread at least."""
    with jobs("threading", 5):
        assert counts_in_cross_validation(Pairs(5), cv=5) == [[1.0] * 3] * 5
    assert set(blas_threads()) == {2}


def n_blas_threads(estimator, X, y):
    """Return the number of threads of BLAS, as a score."""
    return float(max(blas_threads()))


def test_forked_processes_have_one_thread(six_threads, large, monkeypatch):
    """A fit in a process that was forked, a daemon, runs on one thread."""
    for name in _threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with jobs("multiprocessing"):
        assert counts_in_cross_validation(n_blas_threads, cv=2) == [[1.0] * 3] * 2
    assert set(blas_threads()) == {6}


def test_forked_processes_have_the_threads_that_are_set(
    six_threads, large, monkeypatch
):
    """But where the environment says how many, as users set it, it holds for all."""
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    with jobs("multiprocessing"):
        assert counts_in_cross_validation(n_blas_threads, cv=2) == [[6.0] * 3] * 2


def test_loky_sets_the_number_of_threads():
    """In processes of loky, a fit runs on the threads that joblib gave them."""
    with jobs("loky"):
        counts = counts_in_cross_validation(n_blas_threads, cv=2, **LARGE)
        outside = Parallel()(delayed(blas_threads)() for _ in range(2))
    assert {count for process in outside for count in process} == {2}
    assert counts == [[2.0] * 3] * 2


class Waits:
    """A scorer that says when it was called, and ends or fails when it may."""

    def __init__(self, error=None):
        self.error = error
        self.called = Event()
        self.may_end = Event()

    def __call__(self, estimator, X, y):
        self.called.set()
        assert self.may_end.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        return 0.0


@pytest.mark.sampled
@pytest.mark.parametrize("order", permutations(range(3)), ids=str)
@pytest.mark.parametrize("failing", [(), (0,), (1, 2), (0, 1, 2)], ids=str)
def test_threads_are_given_back(order, failing, six_threads, large):
    """As fits come and go, in any order, failing or not, the rest share anew."""
    X, y = binary()
    errors = [RuntimeError("no more") if i in failing else None for i in range(3)]
    scorers, fits, counts = [Waits(error) for error in errors], [], []
    with ThreadPoolExecutor(3) as pool:
        for scorer in scorers:
            clf = single_classifier(early_stopping=True, scoring=scorer, max_iter=1)
            fits.append(pool.submit(clf.fit, X, y))
            assert scorer.called.wait(PATIENCE)
            counts.append(blas_threads()[0])
        for i in order:
            scorers[i].may_end.set()
            assert fits[i].exception(PATIENCE) is errors[i]
            counts.append(blas_threads()[0])
    assert counts == [6, 3, 2, 3, 6, 6]
    assert set(blas_threads()) == {6}


@pytest.mark.parametrize("error", [None, RuntimeError("no more")])
def test_threads_of_partial_fit(error, six_threads, large, monkeypatch):
    """Calls of `partial_fit` share as fits do, and give back after an error."""
    X, y = binary()
    barrier, counts = Barrier(2, timeout=PATIENCE), []
    original = Trainer.run

    def run(*args):
        barrier.wait()
        counts.extend(blas_threads())
        barrier.wait()
        if error is not None:
            raise error
        return original(*args)

    monkeypatch.setattr(Trainer, "run", run)
    with ThreadPoolExecutor(2) as pool:
        regressors = [regressor(n_members=1) for _ in range(2)]
        calls = [pool.submit(reg.partial_fit, X, y) for reg in regressors]
        assert [call.exception(PATIENCE) for call in calls] == [error] * 2
    assert set(counts) == {3}
    assert set(blas_threads()) == {6}


@pytest.mark.parametrize(
    "params", [{"hidden_layer_dims": (-1,)}, {"optimizer": "lbfgs"}, {"tol": "no"}]
)
def test_threads_after_bad_parameters(params, six_threads, large):
    """A fit that ends before it begins leaves the number of threads as it is."""
    X, y = binary()
    waits = Waits()
    with ThreadPoolExecutor(1) as pool:
        clf = single_classifier(early_stopping=True, scoring=waits, max_iter=1)
        fit = pool.submit(clf.fit, X, y)
        assert waits.called.wait(PATIENCE)
        with pytest.raises(ValueError):
            classifier(**params).fit(X, y)
        with pytest.raises(ValueError, match="infinity"):
            classifier().fit(np.full_like(X, np.inf), y)
        during = blas_threads()
        waits.may_end.set()
        fit.result(PATIENCE)
    assert set(during) == set(blas_threads()) == {6}


@pytest.mark.slow
def test_many_fits_at_random(six_threads):
    """However many fits come and go, large or small, all threads are there then."""
    X, y = binary(20)

    def fits(seed):
        for _ in range(10):
            regressor((2,), max_iter=1, random_state=seed).fit(X, y)
            with _threads.shared_threads(), _threads.threads_for(2**30):
                blas_threads()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fits, range(8), timeout=PATIENCE))
    assert set(blas_threads()) == {6}


def test_the_users_own_limit(large):
    """A limit that the user has set holds before, during and after fits in threads."""
    X, y = binary()
    before = blas_threads()
    with threadpool_limits(1, "blas"), jobs("threading"):
        assert counts_in_cross_validation(Pairs(), cv=2) == [[1.0] * 3] * 2
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    with threadpool_limits(3, "blas"):
        with ThreadPoolExecutor(4) as pool:
            for call in [pool.submit(classifier().fit, X, y) for _ in range(8)]:
                call.result(PATIENCE)
        assert set(blas_threads()) == {3}
    assert blas_threads() == before


# Forks


@pytest.mark.slow
def test_forks_during_a_fit(two_threads):
    """A process that is forked while others fit, in threads, can fit on its own."""
    X, y = binary(500, 20)
    enough, runs = Event(), Event()

    def scoring(estimator, X, y):
        runs.set()
        if enough.is_set():
            raise RuntimeError("enough")
        return 0.0

    params = {"early_stopping": True, "scoring": scoring, "max_iter": 10**6}
    endless = [classifier((200,), **params) for _ in range(2)]
    clf = classifier(dropout=0.1)
    expected = clone(clf).fit(X, y)
    with ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(one.fit, X, y) for one in endless]
        try:
            assert runs.wait(PATIENCE)
            for _ in range(3):
                forked = Parallel(2, backend="multiprocessing", timeout=PATIENCE)(
                    delayed(fit)(clf, X, y) for _ in range(4)
                )
                for _, est in forked:
                    assert_same(est, expected)
            assert not any(one.done() for one in fits)
        finally:
            enough.set()
        for one in fits:
            assert str(one.exception(PATIENCE)) == "enough"


def test_fork_while_fits_are_counted():
    """So can a process that is forked in the moment when a fit begins."""
    X, y = binary()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=classifier().fit, args=(X, y))
    with _threads._sharing._lock:
        process.start()
    process.join(PATIENCE)
    process.kill()
    assert process.exitcode == 0


# Searches and fits at once


# From Python 3.12 on, a fork of a process with threads warns.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_fault_35_parallel_searches_end_and_agree(backend, two_threads):
    """A search ends in each backend, finds the same, and gives all threads back.

    A peer's hung, or spent its time on more threads than there were cores.
    """
    X, y = binary()
    grid = {"alpha": [0.01, 10.0], "solver": ["bgd", "minibatch"]}
    search = GridSearchCV(plain_classifier(), grid, cv=2)
    expected = clone(search).fit(X, y)
    before = blas_threads()
    with jobs(backend):
        search.fit(X, y)
    assert blas_threads() == before
    for column in "mean_test_score", "split0_test_score":
        np.testing.assert_array_equal(
            search.cv_results_[column], expected.cv_results_[column]
        )
    assert_same_network(search.best_estimator_, expected.best_estimator_)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
@pytest.mark.parametrize("error", [None, RuntimeError("no more")])
def test_fault_36_the_number_of_threads_is_given_back(error, order, two_threads):
    """Two fits at once share the threads, and give them back, after an error too.

    The setting belongs to the process: a peer's fits had to learn to put it back.
    """
    X, y = binary()
    before = blas_threads()
    scorers, fits = [Waits(error), Waits(error)], []
    with ThreadPoolExecutor(2) as pool:
        for scorer in scorers:
            clf = plain_classifier(early_stopping=True, scoring=scorer, max_iter=1)
            fits.append(pool.submit(clf.fit, X, y))
            assert scorer.called.wait(60)
        during = blas_threads()
        for i in order:
            scorers[i].may_end.set()
            assert fits[i].exception(60) is error
        after = blas_threads()
    assert during == [1 for _ in before]
    assert after == before
    with pytest.raises(ValueError, match="infinity"):
        plain_classifier().fit(np.full_like(X, np.inf), y)
    assert blas_threads() == before
