"""The training loop: the only one over epochs and batches, and free of any policy.

Stopping, restoring, printing and plateaus are callables that the trainer calls after
each epoch, and that return True to stop.
"""

from math import isfinite

import numpy as np

from skdnn.nn.step import Step
from skdnn.nn.workers import ALONE

__all__ = ["PROBED_ROWS", "Trainer"]

#: Rows of the last batch that an epoch is judged by, besides its loss.
PROBED_ROWS = 32


class Trainer:
    """Minimizes the objective of `Step`, epoch by epoch.

    Parameters
    ----------
    network : Network
    loss : Loss
    optimizer : Optimizer or LBFGS
    schedule : Schedule
    learning_rate : float
        Before schedule and plateaus.
    penalty : float
        ``alpha / sum_i w_i``.
    max_epochs : float
        What the schedules stretch over.
    state : dict, default=None
        What the optimizer remembers of earlier runs.
    seed, draws : int, default=0
        Of dropout, and how many batches of earlier runs it was drawn for.
    start_epoch : int, default=0
        Number of epochs that were run before.
    time_for : callable, default=None
        Called again and again with the epoch, a float, it returns the number of epochs
        that there is time for; schedules are drawn in to these.
    plateau_factor : float, default=1.0
        What plateaus have multiplied the learning rate with.

    Attributes
    ----------
    epoch : int
        Number of epochs so far.
    losses : list of float
        The objective of each epoch of this run: measured before each step, averaged
        over the rows.
    learning_rates : list of float or None
        That of the first step of each epoch; None in `minimize`, which has no such.
    diverged : bool
        Whether the run ended because loss, parameters, statistics or predictions were
        no longer finite.  The network is then as it was before the epoch.
    ran_out : bool
        Whether `minimize` has used up the evaluations that the optimizer may make.
    """

    def __init__(
        self,
        network,
        loss,
        optimizer,
        schedule,
        *,
        learning_rate,
        penalty,
        max_epochs,
        state=None,
        seed=0,
        draws=0,
        start_epoch=0,
        time_for=None,
        plateau_factor=1.0,
    ):
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.epoch = start_epoch
        self.time_for = time_for
        self.plateau_factor = plateau_factor
        self.losses = []
        self.learning_rates = []
        self.diverged = False
        self.ran_out = False
        self.step = Step(network, loss, optimizer, penalty, state, seed, draws)

    def run(
        self,
        steps,
        n_epochs,
        on_epoch_end,
        on_epoch_begin=lambda: None,
        workers=ALONE,
    ):
        """Train for at most `n_epochs`, by what `steps` returned.

        Neither callable takes arguments.  `on_epoch_begin` is called before each epoch,
        `on_epoch_end` after each that ended well; the latter returns True to stop.
        Members of an ensemble, or parts of a step, run side by side, by `workers`.
        """
        before, batches = self.network.snapshot(), steps.batches
        # What overflows is seen, and reported, as a loss that is not finite.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for _ in range(n_epochs):
                on_epoch_begin()
                self.network.snapshot(out=before)
                try:
                    loss, rate = self._run_epoch(steps, workers)
                    last = batches.last(PROBED_ROWS)
                    diverged = self.end_epoch(loss, last, before, rate)
                except KeyboardInterrupt:
                    self.network.restore(before)
                    raise
                if diverged or on_epoch_end():
                    break

    def run_part(self, steps, first, stop, workers=ALONE):
        """Take some steps of an epoch, by their numbers, and record nothing of it.

        The order of its rows is the next that the batches have.  Returns the sum over
        the rows of these steps of the objective before each.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            steps.begin_epoch()
            steps.skip(first)
            steps.run(first, self._rates(steps.batches, first, stop - first), workers)
        return steps.end_epoch() * steps.batches.n_samples

    def _run_epoch(self, steps, workers):
        """Take one step a batch.

        Return the objective, averaged over the rows, and the first learning rate.
        """
        batches, done, first = steps.batches, 0, None
        steps.begin_epoch()
        while done < batches.n_batches:
            n = steps.slice(batches.n_batches - done)
            rates = self._rates(batches, done, n)
            if first is None:
                first = float(rates[0])
            steps.run(done, rates, workers)
            done += n
        return steps.end_epoch(), first

    def _rates(self, batches, first, n):
        """Return the learning rates of `n` steps of the epoch."""
        n_seen = np.arange(first, first + n) * batches.batch_size
        epochs = self.epoch + n_seen / batches.n_samples
        if self.time_for is not None:
            self.max_epochs = self.time_for(float(epochs[0]))
        factors = self.schedule.factors(epochs, self.max_epochs)
        return self.learning_rate * (self.plateau_factor * factors)

    def minimize(self, batch, n_epochs, tol, on_epoch_end, on_epoch_begin=lambda: None):
        """Train on all rows by an optimizer that searches along lines.

        It may find that it is done after an epoch has begun, which then has no end.
        """
        network = self.network
        before = network.snapshot()
        evaluated, n_evaluations = [], 0

        def objective(params):
            nonlocal n_evaluations
            n_evaluations += 1
            network.params[...] = params
            evaluated.append(self.step.loss_gradient(batch))
            # The gradient of an ensemble is that of the sum over its members.
            total = evaluated[-1] * (network.n_members or 1)
            return total, self.step.grads.astype(np.float64)

        def on_iteration(params):
            network.params[...] = params
            loss = evaluated[0]
            del evaluated[:-1]
            diverged = self.end_epoch(loss, batch, before)
            network.snapshot(out=before)
            if diverged or on_epoch_end():
                return True
            if len(self.losses) < n_epochs:
                on_epoch_begin()
            return False

        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            start = network.params.astype(np.float64)
            on_epoch_begin()
            try:
                best = self.optimizer.minimize(
                    objective, start, n_epochs, tol, on_iteration
                )
            except KeyboardInterrupt:
                network.restore(before)
                raise
            self.ran_out = n_evaluations > self.optimizer.max_evaluations
            if self.diverged:
                return
            network.params[...] = best
            # Where it starts there may be nothing to gain, which is an epoch too.
            if not self.losses and not self.end_epoch(evaluated[0], batch, before):
                on_epoch_end()

    def end_epoch(self, loss, batch, before, learning_rate=None):
        """Record an epoch, or undo it; return whether numbers overflowed.

        `batch` is the last, or some of it: its loss was that before the last step.
        """
        self.diverged = not (isfinite(loss) and self._is_finite(batch))
        if self.diverged:
            self.network.restore(before)
        else:
            self.learning_rates.append(learning_rate)
            self.losses.append(loss)
            self.epoch += 1
        return self.diverged

    def _is_finite(self, batch):
        """Whether the network as it is has finite numbers, and predicts finite ones."""
        network, rows = self.network, slice(PROBED_ROWS)
        norm = np.dot(network.params, network.params)
        if not (isfinite(norm) and np.isfinite(network.statistics).all()):
            return False
        # In the numbers of training, or what overflows them would go on unseen.  Once,
        # a program takes longer to record than it saves.
        predict = network.quick_predictor if self.losses else network.forward
        raw = predict(batch.X[rows])
        if raw.ndim == 3:
            raw = self.loss.average(raw)
        loss, _ = self.loss.loss_gradient(batch.y[rows], raw)
        return isfinite(loss) and bool(np.isfinite(raw).all())
