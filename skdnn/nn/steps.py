"""The steps of an epoch, a slice at a time: by NumPy, or by the compiled engine.

Between two slices Ctrl-C is heard, the clock is read, and learning rates are set.
"""

from math import ceil
from time import perf_counter

import numpy as np

from skdnn.nn import compiled
from skdnn.nn.layers import Dense
from skdnn.nn.recording import NotRecorded, record_step
from skdnn.nn.workers import ALONE

__all__ = ["LARGE_PRODUCT", "NumpySteps", "RecordedSteps", "largest_product", "steps"]

#: Seconds that a slice should take.
SLICE = 0.05

#: Operations of a matrix product below which a second thread costs more than it brings,
#: and a great deal more where other programs hold a core.
LARGE_PRODUCT = 2**25

#: A step is cut in so many parts at most, each of so many rows at least: to add up
#: their gradients then takes a few percent of what it takes to compute them.
MOST_PARTS, ROWS_OF_PART = 4, 128


def steps(step, batches):
    """Return what takes the steps of an epoch: compiled, where that can be.

    Parameters
    ----------
    step : Step
    batches : Batches
    """
    if compiled.available:
        try:
            return RecordedSteps(step, batches)
        except NotRecorded:
            pass
    return NumpySteps(step, batches)


class NumpySteps:
    """Takes one step after the other.

    Parameters
    ----------
    step : Step
    batches : Batches

    Attributes
    ----------
    n_apart : int
        On how many threads it can be of use to take them.
    """

    n_apart = 1

    def __init__(self, step, batches):
        self.step = step
        self.batches = batches
        self._seconds = None

    def begin_epoch(self):
        """Put the rows into an order for the epoch."""
        self._iterator = iter(self.batches)
        self._total = 0.0

    def skip(self, n_steps):
        """Leave out the first steps of an epoch that has begun."""
        for _ in range(n_steps):
            next(self._iterator)

    def slice(self, n_left):
        """Return how many of the steps that are left of an epoch to take at once."""
        if self._seconds is None:
            return 1
        return max(1, min(n_left, int(SLICE / self._seconds)))

    def run(self, first, rates, workers=ALONE):
        """Take steps.

        Parameters
        ----------
        first : int
            The number of the first, from the beginning of the epoch.
        rates : ndarray of shape (n_steps,)
            The learning rate of each.
        workers : Workers, default=ALONE
            Threads to take them on.
        """
        start = perf_counter()
        self._run(first, rates, workers)
        self._seconds = (perf_counter() - start) / len(rates)

    def end_epoch(self):
        """Return the objective before each step, averaged over the rows."""
        return self._total / self.batches.n_samples

    def _run(self, first, rates, workers):
        step = self.step
        # Rates come first, as an iterator that is asked goes on.
        for rate, batch in zip(rates.tolist(), self._iterator, strict=False):
            step.learning_rate = rate
            self._total += len(batch.X) * step(batch)


class RecordedSteps(NumpySteps):
    """Takes the steps by recorded programs, which give up Python's lock.

    Members that have nothing in common are trained side by side, and otherwise parts of
    a step that takes long.

    Parameters
    ----------
    step : Step
        Its memory, and the number of its steps, are those of the programs too.
    batches : Batches

    Raises
    ------
    NotRecorded
        If there is no kernel for a part of the step.
    """

    def __init__(self, step, batches):
        super().__init__(step, batches)
        n_parts = _n_parts(step.network, batches.batch_size)
        n_rows = ceil(batches.batch_size / n_parts)
        self._slab = min(n_rows, step.slab_rows or n_rows)
        self._programs = record_step(step, batches.table, self._slab, n_parts)
        self._waits = n_parts > 1
        self.n_apart = len(self._programs)

    def begin_epoch(self):
        self._blocks = self.batches.blocks()
        # One for each program, so that slices and threads make no difference.
        self._totals = [0.0] * self.n_apart

    def skip(self, n_steps):
        # `run` is told the number of its first, and goes on in the block of that.
        if n_steps:
            self._block = next(self._blocks)
            self._order = self._block.shuffle()

    def slice(self, n_left):
        # Not beyond the rows that are in memory.
        done = self.batches.n_batches - n_left
        n_in_block = self.batches.n_batches_in_block
        return min(super().slice(n_left), n_in_block - done % n_in_block)

    def run(self, first, rates, workers=ALONE):
        first %= self.batches.n_batches_in_block
        if first == 0:
            self._block = next(self._blocks)
            self._order = self._block.shuffle()
        super().run(first, rates, workers)

    def end_epoch(self):
        n_members = self.step.network.n_members or 1
        return sum(self._totals) / n_members / self.batches.n_samples

    def _run(self, first, rates, workers):
        step, block, order = self.step, self._block, self._order
        n_groups = self.n_apart
        if self._waits:
            # Each thread has to be there: none has two groups.
            n_groups = min(workers.n_threads, self.n_apart)
        meeting = np.zeros(2, np.int64)

        def run(group):
            own = slice(group, None, n_groups)
            self._totals[own] = compiled.run_programs(
                self._programs[own],
                totals=self._totals[own],
                meeting=meeting,
                n_threads=n_groups if self._waits else 1,
                stopped=workers.stopped,
                order=order,
                n_rows=block.n_samples,
                batch_size=self.batches.batch_size,
                slab_size=self._slab,
                first_step=first,
                rates=rates,
                t=step.state["t"],
                draw=step.draws,
            )

        workers.map(run, range(n_groups))
        step.state["t"] += len(rates)
        step.draws += len(rates)


def largest_product(network, batch_size):
    """Return the operations of the largest matrix product of a step."""
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    return 2 * batch_size * max(ly.n_inputs * ly.n_outputs for ly in dense)


def _n_parts(network, batch_size):
    """Return how many programs share the rows of a batch.

    It does not depend on how many threads there are: the sum of the gradients of parts
    is rounded in another way than that of the whole.
    """
    if network.members_apart or not compiled.engine.can_meet():
        return 1
    if largest_product(network, batch_size) < LARGE_PRODUCT:
        return 1
    return max(1, min(MOST_PARTS, batch_size // ROWS_OF_PART))
