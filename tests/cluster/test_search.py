"""Searches whose fits run on a cluster, through joblib."""

import os
import signal
from functools import partial
from time import monotonic
from uuid import uuid4

import numpy as np
import pytest
import sklearn.experimental.enable_halving_search_cv  # noqa: F401
from joblib import parallel_config
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    cross_val_score,
)

from skdnn._threads import _sharing, shared_threads, threads_for
from tests.tables import binary, classifier
from tests.threads import PATIENCE, blas_threads, set_blas_threads

distributed = pytest.importorskip("distributed")


@pytest.fixture
def data():
    """Columns, classes, and folds, all of which are scattered."""
    X, y = binary(600)
    return X, y, list(KFold(3).split(X))


def scattered(X, y, folds, **options):
    """Return a context in which fits run on the cluster, and data are there once."""
    arrays = [X, y, *(part for fold in folds for part in fold)]
    return parallel_config("dask", scatter=arrays, **options)


def test_searches(client, data):
    """They come to what they come to in this process."""
    X, y, folds = data
    grid = {"learning_rate": [0.01, 0.1], "dropout": [0.0, 0.3]}

    def results():
        search = GridSearchCV(classifier(), grid, cv=folds).fit(X, y)
        halving = HalvingRandomSearchCV(
            classifier(),
            grid,
            **{"n_candidates": 4, "resource": "max_iter", "min_resources": 2},
            **{"max_resources": 4, "factor": 2, "cv": folds, "random_state": 0},
        ).fit(X, y)
        scores = cross_val_score(classifier(), X, y, cv=folds)
        searches = search.cv_results_, halving.cv_results_
        return [*(r["mean_test_score"] for r in searches), scores]

    expected = results()
    with scattered(*data):
        for one, two in zip(results(), expected, strict=True):
            np.testing.assert_array_equal(one, two)


def killed_once(folder, est, X, y):
    """Score an estimator; the fifth call of all takes its process with it."""
    number = len(os.listdir(folder))
    (folder / uuid4().hex).touch()
    if number >= 4 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return est.score(X, y)


def test_killed_worker(tmp_path):
    """It costs the fits that it had not done, and nothing else."""
    X, y = binary(600)
    data = X, y, list(KFold(3).split(X))
    grid = {"learning_rate": np.linspace(0.01, 0.1, 6)}
    expected = GridSearchCV(classifier(), grid, cv=data[2]).fit(X, y).cv_results_
    scoring = partial(killed_once, tmp_path)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        # Which keeps one copy of what was sent to all.
        client.amm.stop()
        with scattered(*data):
            search = GridSearchCV(classifier(), grid, cv=data[2], scoring=scoring)
            search.fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected["mean_test_score"]
    )
    # Each fit has a file, but for those that were done twice, and the kill has one.
    assert (tmp_path / "killed").exists()
    assert 18 < len(os.listdir(tmp_path)) - 1 < 2 * 18


def threads_of_a_fit(wait):
    """Return threads of BLAS, and for members, while as many fits run as there can."""
    end = monotonic() + wait
    while monotonic() < end:
        with shared_threads():
            alone = _sharing.n_threads()
            with threads_for(2**40):
                of_blas = blas_threads()
            with threads_for(0, 8) as for_members:
                pass
    return alone, for_members, max(of_blas)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_fit_has_its_share_of_a_worker(n_threads):
    """Alone all threads of the worker, beside others one each, whatever BLAS has."""
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=n_threads, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        alone = client.submit(threads_of_a_fit, 0.1, pure=False).result(PATIENCE)
        assert alone == (n_threads, n_threads, 1)
        client.submit(set_six, pure=False).result(PATIENCE)
        alone = client.submit(threads_of_a_fit, 0.1, pure=False).result(PATIENCE)
        assert alone == (n_threads, n_threads, n_threads)
        both = client.map(threads_of_a_fit, [0.6] * n_threads, pure=False)
        if n_threads > 1:
            # The last to end is alone in the end, the first is not.
            assert (1, 1, 1) in client.gather(both)


def set_six():
    """Give BLAS six threads."""
    set_blas_threads(6)
