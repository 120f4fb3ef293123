"""How many epochs there is time for."""

from math import ceil, floor
from time import perf_counter


class Clock:
    """Says how many epochs there is time for, by how long those so far have taken.

    Parameters
    ----------
    end_time : float
        When training is to end, as of `time.perf_counter`.
    start_epoch : int
        The epoch that it starts from.
    n_epochs : int
        At most so many are run.
    max_epochs : float
        What schedules stretch over, if there is time for all of them.
    """

    def __init__(self, end_time, start_epoch, n_epochs, max_epochs):
        self.end_time = end_time
        self.start_epoch = start_epoch
        self.n_epochs = n_epochs
        self.max_epochs = max_epochs
        self._began = self._last_end = perf_counter()
        self._n_ended = 0
        self._seconds = 0.0

    def __call__(self, epoch):
        """Return what schedules stretch over, to end with the last whole epoch."""
        share = self._n_possible(epoch - self.start_epoch) / self.n_epochs
        return min(self.max_epochs, self.start_epoch + share * self.max_epochs)

    def is_over(self, epoch):
        """Return whether there is no time for another epoch."""
        n_done = epoch - self.start_epoch
        return self._n_possible(n_done) <= n_done

    def has_time(self, end_time):
        """Return whether one more epoch would end before that."""
        return perf_counter() + self._seconds <= end_time

    def _n_possible(self, n_done):
        """Return how many epochs there is time for, those that have begun included."""
        now, n_ended = perf_counter(), floor(n_done)
        if n_ended > self._n_ended:
            self._last_end, self._n_ended = now, n_ended
            self._seconds = (now - self._began) / n_ended
        # Most of an epoch is its steps, but validation comes at its end.
        this, progress = self._seconds, n_done - n_ended
        if progress:
            this = max(this, (now - self._last_end) / progress)
        if this == 0:
            return self.n_epochs
        left = self.end_time - self._last_end - this
        n = n_ended + 1 + floor(left / (self._seconds or this))
        return min(self.n_epochs, max(ceil(n_done), n))
