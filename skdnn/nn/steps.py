"""The steps of an epoch, a slice at a time: by NumPy, or by the compiled engine.

Between two slices Ctrl-C is heard, the clock is read, and learning rates are set.
"""

from time import perf_counter

from skdnn.nn import compiled
from skdnn.nn.recording import NotRecorded, record_step

__all__ = ["NumpySteps", "RecordedSteps", "steps"]

#: Seconds that a slice should take.
SLICE = 0.05


def steps(step, batches, workers):
    """Return what takes the steps of an epoch: compiled, where that can be.

    Parameters
    ----------
    step : Step
    batches : Batches
    workers : Workers
        Members of an ensemble may be trained side by side.
    """
    if compiled.available:
        try:
            return RecordedSteps(step, batches, workers)
        except NotRecorded:
            pass
    return NumpySteps(step, batches)


class NumpySteps:
    """Takes one step after the other.

    Parameters
    ----------
    step : Step
    batches : Batches
    """

    def __init__(self, step, batches):
        self.step = step
        self.batches = batches
        self._seconds = None

    def begin_epoch(self):
        """Put the rows into an order for the epoch."""
        self._iterator = iter(self.batches)
        self._total = 0.0

    def slice(self, n_left):
        """Return how many of the steps that are left of an epoch to take at once."""
        if self._seconds is None:
            return 1
        return max(1, min(n_left, int(SLICE / self._seconds)))

    def run(self, first, rates):
        """Take steps.

        Parameters
        ----------
        first : int
            The number of the first, from the beginning of the epoch.
        rates : ndarray of shape (n_steps,)
            The learning rate of each.
        """
        start = perf_counter()
        self._run(first, rates)
        self._seconds = (perf_counter() - start) / len(rates)

    def end_epoch(self):
        """Return the objective before each step, averaged over the rows."""
        return self._total / self.batches.n_samples

    def _run(self, first, rates):
        step = self.step
        # Rates come first, as an iterator that is asked goes on.
        for rate, batch in zip(rates.tolist(), self._iterator, strict=False):
            step.learning_rate = rate
            self._total += len(batch.X) * step(batch)


class RecordedSteps(NumpySteps):
    """Takes the steps by recorded programs, which give up Python's lock.

    Parameters
    ----------
    step : Step
        Its memory, and the number of its steps, are those of the programs too.
    batches : Batches
    workers : Workers
        Members are trained side by side.

    Raises
    ------
    NotRecorded
        If there is no kernel for a part of the step.
    """

    def __init__(self, step, batches, workers):
        super().__init__(step, batches)
        self._slab = min(batches.batch_size, step.slab_rows or batches.batch_size)
        self._programs = record_step(step, batches.table, self._slab)
        self._workers = workers

    def begin_epoch(self):
        self._order = self.batches.shuffle()
        # One for each program, so that slices make no difference.
        self._totals = [0.0] * len(self._programs)

    def end_epoch(self):
        n_members = self.step.network.n_members or 1
        return sum(self._totals) / n_members / self.batches.n_samples

    def _run(self, first, rates):
        step, batches, order = self.step, self.batches, self._order

        def run(program, total):
            return compiled.run_program(
                program,
                total=total,
                stopped=self._workers.stopped,
                order=order,
                n_rows=batches.n_samples,
                batch_size=batches.batch_size,
                slab_size=self._slab,
                first_step=first,
                rates=rates,
                t=step.state["t"],
                draw=step.draws,
            )

        self._totals = self._workers.map(run, self._programs, self._totals)
        step.state["t"] += len(rates)
        step.draws += len(rates)
