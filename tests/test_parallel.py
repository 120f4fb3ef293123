"""Fits and predictions in several threads and processes at once."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier, Event

import joblib
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
from threadpoolctl import threadpool_info, threadpool_limits

from skdnn import _threads
from skdnn.encoding import TabularEncoder
from skdnn.nn.step import Step
from skdnn.nn.trainer import Trainer
from tests import plain
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    numbers,
    parameters,
    regression,
    regressor,
)

BACKENDS = ["loky", "threading", "multiprocessing"]
backends = pytest.mark.parametrize("backend", BACKENDS)

#: Seconds after which what should have happened is taken to hang.
PATIENCE = 60

# From Python 3.12 on, a fork of a process with threads warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def jobs(backend, n_jobs=2):
    """Return a context in which scikit-learn runs so many jobs at once.

    All data are mapped into memory, and all processes of loky are the same, since it
    takes seconds to start others.
    """
    loky = {"inner_max_num_threads": 2} if backend == "loky" else {}
    return parallel_config(backend, n_jobs=n_jobs, max_nbytes=100, **loky)


def blas_threads():
    """Return how many threads each BLAS library of this process uses."""
    libraries = threadpool_info()
    return [lib["num_threads"] for lib in libraries if lib["user_api"] == "blas"]


def set_blas_threads(n_threads):
    """Set how many threads BLAS uses, from a thread that is gone afterwards.

    As long as it is there, newer versions of threadpoolctl let no other change them.
    """
    with ThreadPoolExecutor(1) as pool:
        limit = pool.submit(threadpool_limits, n_threads, "blas").result(PATIENCE)
    assert set(blas_threads()) == {n_threads}
    return limit


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
    monkeypatch.setattr(_threads, "SMALL_PRODUCT", 0)


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


@backends
def test_cross_validation_agrees(backend):
    """Scores, predictions and networks of two jobs are those of one."""
    X, y = multiclass()
    clf = classifier(dropout=0.2, early_stopping=True, scoring="accuracy")
    scores = cross_val_score(clf, X, y, cv=4)
    proba = cross_val_predict(clf, X, y, cv=4, method="predict_proba")
    models = cross_validate(clf, X, y, cv=4, return_estimator=True)["estimator"]
    with jobs(backend):
        np.testing.assert_array_equal(cross_val_score(clf, X, y, cv=4), scores)
        np.testing.assert_array_equal(
            cross_val_predict(clf, X, y, cv=4, method="predict_proba"), proba
        )
        again = cross_validate(clf, X, y, cv=4, return_estimator=True)["estimator"]
    for one, two in zip(models, again, strict=True):
        assert_same(one, two)


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
    clf = classifier(early_stopping=True, scoring=scorer, max_iter=3, **params)
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


@pytest.mark.parametrize("make", [regressor, plain.regressor])
def test_small_products_run_on_one_thread(make, six_threads):
    """A second thread is for networks that gain by it."""
    X, y = regression()
    for params, n_threads in ({}, 1), (LARGE, 6):
        est = make(**params, early_stopping=True, scoring=n_blas_threads, max_iter=2)
        assert est.fit(X, y).validation_scores_ == [n_threads] * 2
        assert set(blas_threads()) == {6}


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_small_fit_beside_a_large_one(order, six_threads):
    """While one of the fits is small, all run on one thread; then they share anew."""
    X, y = binary()
    scorers, fits = [Waits(), Waits()], []
    with ThreadPoolExecutor(2) as pool:
        for scorer, params in zip(scorers, (LARGE, {}), strict=True):
            clf = classifier(**params, early_stopping=True, max_iter=1)
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


def test_forked_processes_have_one_thread(six_threads, large):
    """A fit in a process that was forked, a daemon, runs on one thread."""
    with jobs("multiprocessing"):
        assert counts_in_cross_validation(n_blas_threads, cv=2) == [[1.0] * 3] * 2
    assert set(blas_threads()) == {6}


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


@pytest.mark.parametrize("order", permutations(range(3)), ids=str)
@pytest.mark.parametrize("failing", [(), (0,), (1, 2), (0, 1, 2)], ids=str)
def test_threads_are_given_back(order, failing, six_threads, large):
    """As fits come and go, in any order, failing or not, the rest share anew."""
    X, y = binary()
    errors = [RuntimeError("no more") if i in failing else None for i in range(3)]
    scorers, fits, counts = [Waits(error) for error in errors], [], []
    with ThreadPoolExecutor(3) as pool:
        for scorer in scorers:
            clf = classifier(early_stopping=True, scoring=scorer, max_iter=1)
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
        calls = [pool.submit(regressor().partial_fit, X, y) for _ in range(2)]
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
        clf = classifier(early_stopping=True, scoring=waits, max_iter=1)
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


# Predictions in many threads

#: Of one chunk and of several, with and without padding.
N_ROWS = [1, 15, 16, 17, 1023, 1024, 1025, 2100]


def in_threads(n_threads, function):
    """Return what `function(i)` returns in threads that begin together."""
    barrier = Barrier(n_threads, timeout=PATIENCE)

    def run(i):
        barrier.wait()
        return function(i)

    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(run, range(n_threads), timeout=PATIENCE))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_predictions_in_many_threads(task, batch_norm):
    """Sixteen threads that predict at once get what one gets, whatever the shape."""
    make, data = TASKS[task]
    est = make((33, 17), batch_norm=batch_norm, dropout=0.1).fit(*data())
    assert_predictions_agree(est, N_ROWS)


@pytest.mark.parametrize(
    ("make", "dtype"), [(classifier, "float32"), (regressor, "float64")]
)
def test_predictions_on_several_threads_each(make, dtype, two_threads):
    """So do threads whose matrix products run on several threads."""
    X, y = binary(300, 20)
    est = make((256, 256), batch_norm=True, dtype=dtype, max_iter=1).fit(X, y)
    assert_predictions_agree(est, [1, 17, 600])


def assert_predictions_agree(est, n_rows):
    """Assert that threads predict tables of so many rows as one thread does."""
    X = numbers(max(n_rows), est.n_features_in_, seed=1)
    methods = "predict", "predict_proba"
    methods = [getattr(est, name) for name in methods if hasattr(est, name)]
    jobs = [(method, n) for method in methods for n in n_rows]
    expected = {job: job[0](X[: job[1]]) for job in jobs}

    def predict(i):
        for method, n in jobs[i:] + jobs[:i]:
            np.testing.assert_array_equal(method(X[:n]), expected[method, n])

    in_threads(16, predict)


def test_predictions_of_a_mapped_model(tmp_path):
    """A model that is mapped into memory predicts in many threads too."""
    clf = classifier((20,), batch_norm=True).fit(*multiclass())
    joblib.dump(clf, tmp_path / "clf")
    mapped = joblib.load(tmp_path / "clf", mmap_mode="r")
    assert_predictions_agree(mapped, N_ROWS)


# Predictions while another thread trains

WAYS_TO_GO_ON = {
    "partial_fit": ({}, "partial_fit"),
    "warm start": ({"warm_start": True}, "fit"),
    "fit": ({}, "fit"),
    "early stopping": ({"early_stopping": True}, "fit"),
    "early stopping by a scorer": ({"early_stopping": True, "scoring": "r2"}, "fit"),
    "lbfgs": ({"optimizer": "lbfgs", "solver": "bgd"}, "fit"),
}
FITTED = ["network_", "encoder_", "classes_", "n_features_in_", "loss_curve_"]
ways_to_go_on = pytest.mark.parametrize("way", WAYS_TO_GO_ON)


@pytest.fixture
def meanwhile(monkeypatch):
    """A list of what another thread does whenever training reaches certain points."""
    functions = []

    def interrupt(owner, name):
        original = getattr(owner, name)

        def method(*args, **kwargs):
            for before_or_after in True, False:
                with ThreadPoolExecutor(1) as pool:
                    for function in functions:
                        pool.submit(function).result(PATIENCE)
                if before_or_after:
                    result = original(*args, **kwargs)
            return result

        monkeypatch.setattr(owner, name, method)

    interrupt(TabularEncoder, "fit_rows")
    interrupt(Step, "loss_gradient")
    return functions


@ways_to_go_on
@pytest.mark.parametrize("batch_norm", [False, True])
def test_others_predict_with_the_state_before(way, batch_norm, meanwhile):
    """Until training ends, other threads predict with the network from before."""
    X, y = regression()
    params, method = WAYS_TO_GO_ON[way]
    reg = regressor(batch_norm=batch_norm, max_iter=3, **params).fit(X, y)
    before, seen = reg.predict(X), []
    meanwhile.append(lambda: seen.append(reg.predict(X)))
    getattr(reg, method)(X if method == "partial_fit" else 9 * X + 5, y)
    meanwhile.clear()
    assert len(seen) >= 2
    for predicted in seen:
        np.testing.assert_array_equal(predicted, before)
    assert not np.array_equal(reg.predict(X), before)


def fails(estimator, X, y):
    """A scorer that fails."""
    raise RuntimeError("no more")


@pytest.mark.parametrize("scoring", ["loss", fails])
def test_others_read_the_attributes_from_before(scoring, meanwhile):
    """Nor does any other attribute change before; never, if training fails."""
    X, y = multiclass()
    clf = classifier(batch_norm=True, early_stopping=True).fit(X, y)
    clf.set_params(scoring=scoring)
    before, seen = vars(clf).copy(), []
    meanwhile.append(lambda: seen.append(vars(clf).copy()))
    words = np.array(["a", "b", "c"])[y]
    if scoring is fails:
        with pytest.raises(RuntimeError, match="no more"):
            clf.fit(np.tile(X, 2), words)
        seen.append(vars(clf).copy())
    else:
        clf.fit(np.tile(X, 2), words)
        assert all(vars(clf)[name] is not before[name] for name in FITTED)
    assert len(seen) > 2
    for attributes in seen:
        assert all(attributes[name] is before[name] for name in FITTED)


@ways_to_go_on
def test_predictions_while_training_ends(way):
    """Threads that predict all the time see states between calls, and no others."""
    X, y = regression(200)
    params, method = WAYS_TO_GO_ON[way]
    reg = regressor(batch_size=16, **params).fit(X, y)
    tables = [X, X if method == "partial_fit" else 9 * X + 5]
    rows = numbers(1500, seed=1)  # two chunks
    done, states = Event(), [reg.predict(rows).tobytes()]

    def predict():
        seen = set()
        while not done.is_set():
            seen.add(reg.predict(rows).tobytes())
        return seen

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(predict) for _ in range(8)]
        try:
            for i in range(1, 6):
                getattr(reg, method)(tables[i % 2], y)
                states.append(reg.predict(rows).tobytes())
        finally:
            done.set()
        seen = set().union(*(reader.result(PATIENCE) for reader in readers))
    assert len(set(states)) == (6 if method == "partial_fit" or "warm" in way else 2)
    assert seen <= set(states)


# Forks


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
