"""The training loop: the only one over epochs and batches, and free of any policy.

Stopping, restoring, printing and plateaus are callables that the trainer calls after
each epoch, and that return True to stop.
"""

from math import isfinite, prod
from types import SimpleNamespace

import numpy as np

from skdnn.nn.layers import Fork, Join
from skdnn.nn.network import Workspace
from skdnn.nn.optimizers import BLOCK

#: Rows of the last batch that an epoch is judged by, besides its loss.
PROBED_ROWS = 32

#: Bytes of activations that a pass keeps, above which a batch goes through in slabs.
SLAB_BYTES = 2**21


class Trainer:
    """Minimizes the mean loss of the rows plus an L2 penalty.

    The objective is ``(sum_i w_i loss_i + alpha / 2 * |weights|^2) / sum_i w_i``.  That
    of an ensemble is the sum over its members, so that each is trained as it would be
    alone; what is reported is their mean.

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
    dropout_rng : numpy.random.Generator
    start_epoch : int, default=0
        Number of epochs that were run before.
    time_for : callable, default=None
        Called before each step with the epoch, a float, it returns the number of epochs
        that there is time for; schedules are drawn in to these.
    slowdown : float, default=1.0
        What plateaus have multiplied the learning rate with.

    Attributes
    ----------
    epoch : int
        Number of epochs so far.
    losses : list of float
        The objective of each epoch of this run: measured before each step, averaged
        over the rows.
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
        dropout_rng=None,
        start_epoch=0,
        time_for=None,
        slowdown=1.0,
    ):
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.penalty = penalty
        self.max_epochs = max_epochs
        self.state = state
        self.epoch = start_epoch
        self.time_for = time_for
        self.slowdown = slowdown
        self.losses = []
        self.diverged = False
        self.ran_out = False
        self.workspace = Workspace(network, dropout_rng)
        self._decayed = self._decayed_blocks()
        self._loss_caches = {}
        self._slab = self._slab_rows()
        self._total = np.empty_like(network.params)

    def _decayed_blocks(self):
        """Cut weights and their gradient into blocks that stay in the cache."""
        n = self.network.n_decayed
        scratch = np.empty(min(BLOCK, n), self.network.params.dtype)
        return [
            (
                self.network.params[span],
                self.workspace.grads[span],
                scratch[: n - start],
            )
            for start in range(0, n, BLOCK)
            for span in [slice(start, min(start + BLOCK, n))]
        ]

    def _slab_rows(self):
        """Return how many rows fit in the cache; None if rows are coupled."""
        if self.network.couples_rows:
            return None
        widths = sum(
            prod(ly.output_shape(1))
            for ly in self.network.layers
            if not isinstance(ly, Fork | Join)
        )
        return max(256, SLAB_BYTES // (widths * self.network.params.itemsize))

    def run(self, batches, n_epochs, on_epoch_end, on_epoch_begin=lambda: None):
        """Train for at most `n_epochs`.

        Neither callable takes arguments.  `on_epoch_begin` is called before each epoch,
        `on_epoch_end` after each that ended well; the latter returns True to stop.
        """
        network = self.network
        if self.state is None:
            self.state = self.optimizer.init(network.params)
        step = self.optimizer.stepper(
            network.params, self.workspace.grads, self.state, network.groups
        )
        # What overflows is seen, and reported, as a loss that is not finite.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._run_epochs(batches, step, n_epochs, on_epoch_end, on_epoch_begin)

    def _run_epochs(self, batches, step, n_epochs, on_epoch_end, on_epoch_begin):
        before = self.network.snapshot()
        for _ in range(n_epochs):
            on_epoch_begin()
            self.network.snapshot(out=before)
            try:
                loss, batch = self._run_epoch(batches, step)
            except KeyboardInterrupt:
                self.network.restore(before)
                raise
            if self._ends(loss, batch, before) or on_epoch_end():
                break

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
            evaluated.append(self.loss_gradient(batch))
            # The gradient of an ensemble is that of the sum over its members.
            total = evaluated[-1] * (network.n_members or 1)
            return total, self.workspace.grads.astype(np.float64)

        def on_iteration(params):
            network.params[...] = params
            loss = evaluated[0]
            del evaluated[:-1]
            ends = self._ends(loss, batch, before)
            network.snapshot(out=before)
            if ends or on_epoch_end():
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
            if not self.losses and not self._ends(evaluated[0], batch, before):
                on_epoch_end()

    def _ends(self, loss, batch, before):
        """Record an epoch, or undo it and return True if numbers overflowed.

        `batch` is the last: its loss was that before the last step.
        """
        self.diverged = not (isfinite(loss) and self._is_finite(batch))
        if self.diverged:
            self.network.restore(before)
        else:
            self.losses.append(loss)
            self.epoch += 1
        return self.diverged

    def _is_finite(self, batch):
        """Whether the network as it is has finite numbers, and predicts finite ones."""
        network, rows = self.network, slice(PROBED_ROWS)
        norm = np.dot(network.params, network.params)
        if not (isfinite(norm) and np.isfinite(network.statistics).all()):
            return False
        raw = network.forward(batch.X[rows])
        if raw.ndim == 3:
            raw = self.loss.average(raw)
        loss, _ = self.loss.loss_gradient(batch.y[rows], raw)
        return isfinite(loss) and bool(np.isfinite(raw).all())

    def _run_epoch(self, batches, step):
        """Take one step a batch.

        Return the objective, averaged over the rows, and the last batch.
        """
        total, n_seen, n_samples = 0.0, 0, batches.n_samples
        for batch in batches:
            n, epoch = len(batch.X), self.epoch + n_seen / n_samples
            if self.time_for is not None:
                self.max_epochs = self.time_for(epoch)
            total += n * self.loss_gradient(batch)
            factor = self.slowdown * self.schedule(epoch, self.max_epochs)
            step(self.learning_rate * factor)
            n_seen += n
        return total / n_samples, batch

    def loss_gradient(self, batch):
        """Return the objective on a batch; its gradient is in ``workspace.grads``."""
        n = len(batch.X)
        if self._slab is None or n <= self._slab:
            value = self._pass(batch.X[:], batch.y, batch.weight, 1 / n)
        else:
            value = self._pass_in_slabs(batch)
        value += self._add_penalty() if self.penalty else 0.0
        return value / (self.network.n_members or 1)

    def _add_penalty(self):
        """Add the gradient of the penalty to that of the losses; return the penalty."""
        total = 0.0
        for weights, grads, scratch in self._decayed:
            grads += np.multiply(weights, self.penalty, out=scratch)
            total += float(np.dot(weights, weights))
        return 0.5 * self.penalty * total

    def _pass(self, x, y, weight, scale):
        """Go forward and back; return the scaled sum of the losses."""
        network, n = self.network, len(x)
        caches = self.workspace.caches(n)
        raw = network.forward(x, caches, weight)
        if n not in self._loss_caches:
            self._loss_caches[n] = self._allocate_loss(raw, y, weight)
        cache = self._loss_caches[n]
        if network.n_members is not None:
            cache.y.reshape(-1, *y.shape)[...] = y
            y = cache.y
            if weight is not None:
                # A column for each member, or one for all of them.
                cache.weight.reshape(-1, n)[...] = weight.T
                weight = cache.weight
        value, grad = self.loss.loss_gradient(
            y, raw.reshape(-1, raw.shape[-1]), weight, scale, cache.loss
        )
        network.backward(grad.reshape(raw.shape), caches)
        return value

    def _allocate_loss(self, raw, y, weight):
        """Return memory for the losses, and for the targets of each member."""
        n_rows = prod(raw.shape[:-1])
        return SimpleNamespace(
            loss=self.loss.allocate(n_rows, raw.shape[-1], raw.dtype),
            y=np.empty((n_rows, *y.shape[1:]), y.dtype),
            weight=None if weight is None else np.empty((n_rows, 1), weight.dtype),
        )

    def _pass_in_slabs(self, batch):
        """Sum over slabs of rows: the memory of a step does not grow with its batch."""
        n, grads = len(batch.X), self.workspace.grads
        value, total = 0.0, self._total
        total.fill(0)
        for start in range(0, n, self._slab):
            rows = slice(start, start + self._slab)
            weight = None if batch.weight is None else batch.weight[rows]
            value += self._pass(batch.X[rows], batch.y[rows], weight, 1 / n)
            total += grads
        grads[...] = total
        return value
