"""Threads for what gives up Python's lock."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np

__all__ = ["ALONE", "Workers"]


class Workers:
    """Calls functions side by side, on threads that live as long as a ``with`` block.

    Parameters
    ----------
    n_threads : int, default=1
        1 is the thread that asks, and needs no block.

    Attributes
    ----------
    stopped : ndarray of shape (1,), uint8
        1 where what the others do is no longer needed, as something was raised.
    """

    def __init__(self, n_threads=1):
        self.n_threads = n_threads
        self._pool = None
        self.stopped = np.zeros(1, np.uint8)

    def __enter__(self):
        if self.n_threads > 1:
            self._pool = ThreadPoolExecutor(self.n_threads - 1)
        return self

    def __exit__(self, *error):
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def map(self, function, *arguments):
        """Return a list of what a function returns, as `map` has it."""
        items = list(zip(*arguments, strict=True))
        if self._pool is None or len(items) < 2:
            return [function(*item) for item in items]
        self.stopped[0] = 0
        left, results = deque(range(len(items))), [None] * len(items)

        def work():
            while left:
                try:
                    i = left.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    results[i] = function(*items[i])
                except BaseException:
                    # Others may be waiting for this thread.
                    self.stopped[0] = 1
                    raise

        # The thread that asks works too, which saves waking another.  Futures are made
        # here, as that of `submit` is lost where Ctrl-C comes in the midst of it.
        others = [Future() for _ in range(min(self.n_threads, len(items)) - 1)]
        try:
            for other in others:
                self._pool.submit(_run, work, other)
            work()
            for other in others:
                other.result()
        except BaseException:
            self._end(left, others)
            raise
        return results

    def _end(self, left, others):
        """Wait, whoever interrupts that too, until no other thread works any more."""
        try:
            self.stopped[0] = 1
            left.clear()
            wait([other for other in others if not other.cancel()])
        except BaseException:
            self._end(left, others)
            raise


def _run(function, future):
    """Call a function on a thread, unless its future was cancelled before."""
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)


#: For those who have no threads.
ALONE = Workers()
