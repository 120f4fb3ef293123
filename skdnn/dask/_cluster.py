"""The cluster that a fit runs on: its workers, its tasks, and what to say if it goes.

All that is done there is plain tasks: pure functions, under keys that tell them apart.
So Dask itself computes again, elsewhere, what a worker held that has died.
"""

from contextlib import contextmanager
from uuid import uuid4

import numpy as np

#: Seconds without any worker after which a fit gives up.
PATIENCE = 30


class Cluster:
    """Runs the tasks of one fit.

    Parameters
    ----------
    client : distributed.Client or None
        None is the current one.

    Attributes
    ----------
    workers : list of str
        Their addresses when the fit began.
    """

    def __init__(self, client):
        self.client = current_client() if client is None else client
        self._name = uuid4().hex
        self.workers = sorted(self.client.ncores())
        if not self.workers:
            self.workers = self._first_workers()

    def _first_workers(self):
        """Return the workers of a cluster that is only just starting."""
        from distributed import TimeoutError

        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise _no_worker() from None
        return sorted(self.client.ncores())

    def memory(self):
        """Return the bytes that the smallest worker may use; infinite is no limit."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [worker["memory_limit"] or np.inf for worker in workers]
        return min(limits, default=np.inf)

    def submit(self, function, *arguments, at, worker=None):
        """Return the future of a task.

        Parameters
        ----------
        function : callable
            Pure.
        *arguments : object
            Futures among them are what these come to.
        at : tuple of int
            Which of the tasks of this function it is.
        worker : str, default=None
            Where it should run, as long as that is there.
        """
        name = function.__name__.strip("_").replace("_", "-")
        return self.client.submit(
            function, *arguments, key=(f"{name}-{self._name}", *at), **_place(worker)
        )

    def compute(self, function, *arguments, at, worker=None):
        """Return the future of a task whose arguments may be partitions."""
        from dask import delayed

        name = f"{function.__name__.strip('_')}-{self._name}-{'-'.join(map(str, at))}"
        task = delayed(function, pure=True)(*arguments, dask_key_name=name)
        return self.client.compute(task, **_place(worker))

    def collect(self, futures):
        """Return what a list of futures comes to, once all are there."""
        from distributed import TimeoutError, wait

        while True:
            try:
                with self.client.as_current():
                    wait(futures, timeout=PATIENCE)
                return self.client.gather(futures)
            except TimeoutError:
                if not self.client.ncores():
                    raise _no_worker() from None

    def merge(self, function, futures, at):
        """Return the future of ``function([...])`` of many, merged a few at a time."""
        level = 0
        while len(futures) > 1:
            groups = [futures[i : i + FAN_IN] for i in range(0, len(futures), FAN_IN)]
            futures = [
                group[0]
                if len(group) == 1
                else self.submit(function, group, at=(*at, level, i))
                for i, group in enumerate(groups)
            ]
            level += 1
        return futures[0]


#: How many results a task merges: a tree of these is as deep as the logarithm of their
#: number, and no worker receives those of all.
FAN_IN = 4


def current_client():
    """Return the client of this thread or process."""
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        raise RuntimeError(
            "There is no Dask client to fit with. Make one first, as in client = "
            "dask.distributed.Client(), or pass it as client=..."
        ) from None


@contextmanager
def clear_errors():
    """Say what it means if the scheduler is gone, or the client."""
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError) as error:
        raise RuntimeError(
            "The fit has lost its Dask cluster: the scheduler has died, the client was "
            "closed or its tasks were cancelled. The estimator is as it was before. "
            f"({type(error).__name__}: {error})"
        ) from error


def _no_worker():
    """Return the error that there is nobody to do the work."""
    return RuntimeError(
        f"The Dask cluster has had no worker for {PATIENCE} seconds. The estimator is "
        "as it was before."
    )


def _place(worker):
    if worker is None:
        return {}
    return {"workers": [worker], "allow_other_workers": True}
