"""How many threads matrix products run on where several networks train at once."""

import multiprocessing
import os
from contextlib import contextmanager
from threading import Lock

from sklearn.utils.parallel import _get_threadpool_controller


class _Sharing:
    """The fits that run in this process, and the limit that they have set on BLAS.

    A limit is that of the process, whichever thread sets it. So it is set as a second
    fit starts, and taken back as the last but one ends; what each fit found when it
    started may be what another one had set.
    """

    def __init__(self):
        self._lock = Lock()
        self._n_fits = 0
        self._n_threads = None
        self._found = None

    def enter(self):
        with self._lock:
            self._n_fits += 1
            # joblib tells most of its processes how many threads they have, but not
            # those that it forks, which are daemons.
            if multiprocessing.current_process().daemon:
                self._limit(share=0)
            elif self._n_fits > 1:
                self._limit(share=1 / self._n_fits)

    def leave(self):
        with self._lock:
            self._n_fits -= 1
            if self._n_fits <= 1 and self._found is not None:
                self._found.restore_original_limits()
                self._found = None

    def _limit(self, share):
        blas = _get_threadpool_controller().select(user_api="blas")
        if self._found is None:
            counts = [library["num_threads"] for library in blas.info()]
            self._n_threads = max(counts, default=1)
        limiter = blas.limit(limits=max(1, int(share * self._n_threads)))
        self._found = self._found or limiter


_sharing = _Sharing()

# In a process that was forked while a fit ran, none does.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sharing.__init__)


@contextmanager
def shared_threads():
    """Share the threads of matrix products with the other fits of this process.

    `k` fits at once, in threads of their own, get one `k`-th of the threads each, and
    one at least; in a process forked by joblib or multiprocessing, a fit gets one.
    """
    _sharing.enter()
    try:
        yield
    finally:
        _sharing.leave()
