"""How many threads matrix products run on while networks train."""

import multiprocessing
import os
import sys
from contextlib import contextmanager
from threading import Lock

from joblib import cpu_count

from skdnn._sklearn_compat import _get_threadpool_controller
from skdnn.nn.steps import LARGE_PRODUCT

#: What users set to say how many threads each process has.
VARIABLES = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"


class _Sharing:
    """The fits that run in this process, and what they have done to BLAS.

    A number of threads is that of the process, whichever thread sets it, and what a fit
    finds when it starts may be what another one has set. So the number from before is
    kept from when a second fit starts to when the last but one ends.
    """

    def __init__(self):
        self._lock = Lock()
        self._n_fits = 0
        self._n_small = 0
        self._before = None
        self._most = None

    def count(self, fits=0, small=0):
        """Add to the number of fits, or of those that train on small products."""
        most = _threads_of_worker()
        with self._lock:
            self._n_fits += fits
            self._n_small += small
            self._most = most
            self._set_threads()

    def n_threads(self):
        """Return how many threads a fit may use, of those that BLAS has."""
        most = _threads_of_worker()
        with self._lock:
            if most is not None:
                # Dask gives BLAS one thread, and tasks the others.
                return most
            if _is_forked():
                return 1
            before = self._before or _blas_threads()
            of_blas = [n_threads for _, n_threads in before] or [cpu_count()]
            return self._share(max(of_blas))

    def _share(self, n_threads):
        """Return how many of so many threads each fit has."""
        if self._most is not None:
            return min(n_threads, self._most)
        return max(1, n_threads // max(1, self._n_fits))

    def _set_threads(self):
        limited = self._most is not None
        # So are the workers of Dask, which say themselves how many threads they have.
        forked = _is_forked() and not limited
        shared = self._n_fits > (0 if forked or limited else 1) or self._n_small > 0
        if not shared and self._before is None:
            return
        if self._before is None:
            self._before = _blas_threads()
        for library, n_threads in self._before:
            if shared:
                alone = forked or self._n_small > 0
                n_threads = 1 if alone else self._share(n_threads)
            library.set_num_threads(n_threads)
            # In newer versions of threadpoolctl, only the thread that set a number can
            # set another, until it says that it is done.
            getattr(library, "clear_controlling_thread", lambda: None)()
        if not shared:
            self._before = None


def _is_forked():
    # joblib tells most of its processes how many threads they have, but not those that
    # it forks, which are daemons.  Whoever sets a number for all processes has thought
    # of it.
    is_told = any(name in os.environ for name in VARIABLES)
    return multiprocessing.current_process().daemon and not is_told


def _threads_of_worker():
    """Return how many threads of its Dask worker this task has, None if it is none."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        state = get_worker().state
    except ValueError:  # this is no task
        return None
    # Tasks that have only just begun may fit too.
    return max(1, state.nthreads // max(1, len(state.executing)))


def _blas_threads():
    """Return the BLAS libraries of this process, and how many threads each uses."""
    blas = _get_threadpool_controller().select(user_api="blas").lib_controllers
    return [(library, library.num_threads) for library in blas]


_sharing = _Sharing()

# In a process that was forked while a fit ran, none does.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sharing.__init__)


@contextmanager
def shared_threads():
    """Share the threads of matrix products with the other fits of this process.

    `k` fits at once, in threads of their own, get one `k`-th of the threads each, and
    one at least; in a process forked by joblib or multiprocessing, a fit gets one,
    unless the environment sets a number (`VARIABLES`), and all fits on a worker of Dask
    get no more than it has.
    """
    _sharing.count(fits=1)
    try:
        yield
    finally:
        _sharing.count(fits=-1)


@contextmanager
def threads_for(n_operations, side_by_side=1):
    """Divide the threads of a fit between BLAS and what runs side by side.

    BLAS has one thread while the largest matrix product has few operations, or where
    several things could run side by side: even if none does, as BLAS may round in
    another way on several threads, and may get them back when another fit ends.

    Parameters
    ----------
    n_operations : int
        Of the largest matrix product.
    side_by_side : int, default=1
        How many networks could be trained at the same time.

    Yields
    ------
    n_threads : int
        How many of them may be.
    """
    n_threads = min(side_by_side, _sharing.n_threads()) if side_by_side > 1 else 1
    small = int(side_by_side > 1 or n_operations < LARGE_PRODUCT)
    _sharing.count(small=small)
    try:
        yield n_threads
    finally:
        _sharing.count(small=-small)
