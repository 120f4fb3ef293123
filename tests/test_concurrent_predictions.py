"""Predictions in many threads at once, and while another thread trains."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import joblib
import numpy as np
import pytest

from skdnn.encoding import TabularEncoder
from skdnn.nn.step import Step
from skdnn.nn.steps import NumpySteps
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    numbers,
    regression,
    regressor,
)
from tests.threads import PATIENCE, set_blas_threads


@pytest.fixture
def two_threads():
    """BLAS runs on two threads."""
    limit = set_blas_threads(2)
    yield
    with ThreadPoolExecutor(1) as pool:
        pool.submit(limit.restore_original_limits).result(PATIENCE)


# In many threads

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


@pytest.mark.sampled
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_predictions_in_many_threads(task, batch_norm):
    """Sixteen threads that predict at once get what one gets, whatever the shape."""
    make, data = TASKS[task]
    est = make((33, 17), batch_norm=batch_norm, dropout=0.1).fit(*data())
    assert_predictions_agree(est, N_ROWS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (classifier, "float32"),
        pytest.param(regressor, "float64", marks=pytest.mark.slow),
    ],
)
def test_predictions_on_several_threads_each(make, dtype, two_threads):
    """So do threads whose matrix products run on several threads."""
    X, y = binary(300, 20)
    est = make((256, 256), batch_norm=True, dtype=dtype, max_iter=1).fit(X, y)
    assert_predictions_agree(est, [1, 17, 600])


def test_predictions_of_a_mapped_model(tmp_path):
    """A model that is mapped into memory predicts in many threads too."""
    clf = classifier((20,), batch_norm=True).fit(*multiclass())
    joblib.dump(clf, tmp_path / "clf")
    mapped = joblib.load(tmp_path / "clf", mmap_mode="r")
    assert_predictions_agree(mapped, N_ROWS)


# While another thread trains

WAYS_TO_GO_ON = {
    "partial_fit": ({}, "partial_fit"),
    "warm start": ({"warm_start": True}, "fit"),
    "fit": ({}, "fit"),
    "early stopping": ({"early_stopping": True}, "fit"),
    "early stopping by a scorer": ({"early_stopping": True, "scoring": "r2"}, "fit"),
    "lbfgs": ({"optimizer": "lbfgs", "solver": "bgd"}, "fit"),
}

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

    interrupt(TabularEncoder, "learn")
    interrupt(NumpySteps, "run")
    interrupt(Step, "loss_gradient")
    return functions


@pytest.mark.sampled
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


FITTED = ["_model", "n_features_in_", "loss_curve_"]


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


@pytest.mark.parametrize(
    "way",
    [
        *("partial_fit", "warm start"),
        *(
            pytest.param(way, marks=pytest.mark.slow)
            for way in WAYS_TO_GO_ON
            if way not in ("partial_fit", "warm start")
        ),
    ],
)
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
