"""What dies in the middle of a fit: workers, the scheduler, the client."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from threading import Timer

import numpy as np
import pytest

from skdnn.dask import _cluster
from skdnn.dask._table import Table
from skdnn.dask._training import ClusterTraining
from tests.cluster.lazy import arrays, on_cluster
from tests.tables import binary, parameters
from tests.threads import PATIENCE

distributed = pytest.importorskip("distributed")

#: Seconds from the beginning of an epoch to what happens in it.
SOON = 0.02


@pytest.fixture
def collections():
    """Rows for two workers, and enough of them for an epoch to take a while."""
    return arrays(*binary(8000), sizes=[2000] * 4)


def estimator(**params):
    """Return an estimator whose epochs have four rounds."""
    return on_cluster(hidden_layer_dims=(32,), parallel="rows", **params)


@contextmanager
def soon_after(owner, name, is_time, action):
    """Do something soon after a method has begun; wait for that in the end.

    `is_time` says of its object whether that is the time.
    """
    method, timers = getattr(owner, name), []

    def run(self, *args):
        if not timers and is_time(self):
            timers.append(Timer(SOON, action))
            timers[0].start()
        return method(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, run)
        yield
    timers[0].join(PATIENCE)


def in_epoch(number, action, in_refit=False):
    """Do something soon after an epoch has begun."""

    def is_time(training):
        refits = training.rule.validate is None
        return training.trainer.epoch == number and refits == in_refit

    return soon_after(ClusterTraining, "_run_epoch", is_time, action)


def in_reading_again(action):
    """Do something soon after a refit has begun to read all rows."""
    return soon_after(Table, "anew", lambda table: True, action)


def local_cluster(**options):
    """Return a cluster of two processes."""
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", **options
    )


@contextmanager
def processes_by_hand(tmp_path, n_workers=2):
    """Yield a client, and the processes of a scheduler and of workers without nanny."""
    where = str(tmp_path / "scheduler.json")
    command = [sys.executable, "-m", "distributed.cli.dask_"]
    common = ["--scheduler-file", where, "--no-dashboard"]
    alone = ["--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    commands = [
        [*command[:-1], f"{command[-1]}scheduler", *common, "--port", "0"],
        *([*command[:-1], f"{command[-1]}worker", *common, *alone],) * n_workers,
    ]
    processes = [subprocess.Popen(command, **silent) for command in commands]
    try:
        client = distributed.Client(
            scheduler_file=where, set_as_default=False, timeout=PATIENCE
        )
        client.wait_for_workers(n_workers, timeout=PATIENCE)
        yield client, processes
        client.close(timeout=1)
    finally:
        for process in processes:
            process.kill()
            process.wait(PATIENCE)


def test_killed_worker_with_a_nanny(collections):
    """The fit is the same, to the bit: rounds that are lost are computed again."""
    with local_cluster() as cluster, distributed.Client(cluster) as client:
        expected = estimator().fit(*collections)
        pid = min(client.run(os.getpid).values())
        with in_epoch(2, lambda: os.kill(pid, signal.SIGKILL)):
            est = estimator().fit(*collections)
        assert pid not in client.run(os.getpid).values()
        np.testing.assert_array_equal(parameters(est), parameters(expected))
        assert est.validation_loss_curve_ == expected.validation_loss_curve_


def test_killed_worker_of_members(collections):
    """So it is where members are trained apart."""
    with local_cluster() as cluster, distributed.Client(cluster) as client:
        est = on_cluster(parallel="members")
        expected = parameters(est.fit(*collections))
        pid = min(client.run(os.getpid).values())
        with in_epoch(1, lambda: os.kill(pid, signal.SIGKILL)):
            est.fit(*collections)
        np.testing.assert_array_equal(parameters(est), expected)


def test_killed_worker_in_a_refit(collections):
    """It is the same, to the bit, while all rows are read again and while it trains."""
    with local_cluster() as cluster, distributed.Client(cluster) as client:
        est = estimator(refit=True, early_stopping=True)
        expected = parameters(est.fit(*collections))
        curve = est.validation_loss_curve_
        for moment in in_reading_again, partial(in_epoch, 0, in_refit=True):
            pid = min(client.run(os.getpid).values())
            with moment(partial(os.kill, pid, signal.SIGKILL)):
                est.fit(*collections)
            # With one worker less, the next fit would be another.
            client.wait_for_workers(2, timeout=PATIENCE)
            assert pid not in client.run(os.getpid).values()
            np.testing.assert_array_equal(parameters(est), expected)
            assert est.validation_loss_curve_ == curve


def test_processes_that_do_not_come_again(collections, tmp_path, monkeypatch):
    """One worker goes on with the rows of both; without any, and a scheduler, none."""
    monkeypatch.setattr(_cluster, "PATIENCE", 2)
    with processes_by_hand(tmp_path) as (client, (scheduler, first, second)):
        est = estimator(client=client)
        expected = parameters(est.fit(*collections))
        with in_epoch(1, first.kill):
            est.fit(*collections)
        assert len(client.ncores()) == 1
        np.testing.assert_array_equal(parameters(est), expected)

        before = vars(est).copy()
        with in_epoch(1, second.kill), pytest.raises(RuntimeError, match="no worker"):
            est.fit(*collections)
        assert vars(est) == before
        with pytest.raises(RuntimeError, match="no worker"):
            est.fit(*collections)

        with pytest.raises(RuntimeError, match="lost its Dask cluster"):
            scheduler.kill()
            est.fit(*collections)
        assert vars(est) == before


def test_killed_scheduler(collections, tmp_path):
    """An error says so, soon, and the estimator is as it was."""
    with processes_by_hand(tmp_path, 1) as (client, (scheduler, _)):
        est = estimator(client=client)
        with (
            in_epoch(2, scheduler.kill),
            pytest.raises(RuntimeError, match="lost its Dask cluster"),
        ):
            est.fit(*collections)
        assert not hasattr(est, "classes_")
        assert vars(est) == vars(estimator(client=client))


def test_closed_client(collections):
    """As is the one that a client leaves."""
    with local_cluster(processes=False) as cluster:
        client = distributed.Client(cluster, set_as_default=False)
        est = estimator(client=client)
        with (
            in_epoch(2, client.close),
            pytest.raises(RuntimeError, match="lost its Dask cluster"),
        ):
            est.fit(*collections)
        assert not hasattr(est, "classes_")


def test_errors_of_partitions(client):
    """They come as they are, from the worker."""

    def breaks(part):
        raise OSError("the disk is full")

    X, y = arrays(*binary(40), sizes=[20, 20])
    with pytest.raises(OSError, match="the disk is full"):
        estimator().fit(X.map_blocks(breaks, dtype=X.dtype, meta=X._meta), y)


def test_security():
    """TLS is Dask's own, and nothing of skdnn goes around it."""
    security = distributed.Security.temporary()
    with (
        local_cluster(security=security) as cluster,
        distributed.Client(cluster, security=security) as client,
    ):
        assert client.scheduler.address.startswith("tls://")
        assert all(worker.startswith("tls://") for worker in client.ncores())
        X, y = arrays(*binary(400), sizes=[200, 200])
        est = estimator().fit(X, y)
        assert est.predict(X).compute().shape == (400,)
