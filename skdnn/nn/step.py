"""One training step on one batch: forward, loss, backward, penalty, update.

A step owns all memory that it writes to.  What depends on the size of a batch is made
when the first of that size comes, and stays where it is from then on: no array is
allocated, or moved, by a later step.  What changes from step to step are the batch and
two numbers: ``learning_rate``, and the number of the step, ``state["t"]``.
"""

from math import prod
from types import SimpleNamespace

import numpy as np

from skdnn.nn.batches import SparseRows
from skdnn.nn.layers import Fork, Join
from skdnn.nn.optimizers import BLOCK, Optimizer
from skdnn.nn.workspace import Workspace

__all__ = ["Step"]

#: Bytes of activations that a pass keeps, above which a batch goes through in slabs.
SLAB_BYTES = 2**21


class Step:
    """Lowers the mean loss of a batch plus an L2 penalty; returns what it was before.

    The objective is ``(sum_i w_i loss_i + alpha / 2 * |weights|^2) / sum_i w_i``.  That
    of an ensemble is the sum over its members, so that each is trained as it would be
    alone; what is reported is their mean.

    Parameters
    ----------
    network : Network
    loss : Loss
    optimizer : Optimizer, LBFGS or None
        The others take no such steps: they ask for objective and gradient.
    penalty : float
        ``alpha / sum_i w_i``.
    state : dict, default=None
        What the optimizer remembers of earlier steps.
    seed : int, default=0
        Of dropout, of 64 bits.
    draws : int, default=0
        Batches of earlier steps with this seed.

    Attributes
    ----------
    learning_rate : float
        Of the next step.
    state : dict, or None for `LBFGS`
    grads : ndarray of shape (n_params,)
        The gradient of the objective.  An update overwrites it.
    seed : int
    draws : int
        How many batches have been through the network: dropout is another for each.
    """

    def __init__(self, network, loss, optimizer, penalty, state=None, seed=0, draws=0):
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.penalty = penalty
        self.state = state
        self.learning_rate = None
        self.seed = seed
        self.draws = draws
        self._workspace = Workspace(network, seed)
        self.grads = self._workspace.grads
        self._decayed = self._decayed_blocks()
        self.slab_rows = self._slab_rows()
        self._total = np.empty_like(network.params)
        self._buffers, self._dense_rows = {}, {}
        if isinstance(optimizer, Optimizer):
            if state is None:
                self.state = optimizer.init(network.params)
            self._update = optimizer.stepper(
                network.params, self.grads, self.state, network.groups
            )

    def __call__(self, batch):
        """Take a step; return the objective before it."""
        value = self.loss_gradient(batch)
        self._update(self.learning_rate)
        return value

    def loss_gradient(self, batch):
        """Return the objective on a batch; its gradient is in `grads`."""
        X, y, weight = batch
        n = len(X)
        if self.slab_rows is None or n <= self.slab_rows:
            value = self._pass(self._dense(X, slice(n), n), y, weight, 1 / n)
        else:
            value = self._pass_in_slabs(X, y, weight)
        self.draws += 1
        value += self._add_penalty() if self.penalty else 0.0
        return value / (self.network.n_members or 1)

    def _pass(self, x, y, weight, factor, offset=0):
        """Go forward and back; return the sum of the losses, times `factor`.

        `offset` is how many rows of the batch went before.
        """
        network, n = self.network, len(x)
        if n not in self._buffers:
            self._buffers[n] = self._allocate(n, y, weight)
        buffers, caches = self._buffers[n], self._workspace.caches(n)
        self._workspace.seek(self.draws, offset)
        raw = network.forward(x, caches, weight)
        if network.n_members is not None:
            buffers.y.reshape(-1, *y.shape)[...] = y
            y = buffers.y
            if weight is not None:
                # A column for each member, or one for all of them.
                buffers.weight.reshape(-1, n)[...] = weight.T
                weight = buffers.weight
        value, grad = self.loss.loss_gradient(
            y, raw.reshape(-1, raw.shape[-1]), weight, factor, buffers.loss
        )
        network.backward(grad.reshape(raw.shape), caches)
        return value

    def _pass_in_slabs(self, X, y, weight):
        """Sum over slabs of rows: the memory of a step does not grow with its batch."""
        n, value, total = len(X), 0.0, self._total
        total.fill(0)
        for start in range(0, n, self.slab_rows):
            rows = slice(start, min(start + self.slab_rows, n))
            x = self._dense(X, rows, rows.stop - start)
            part = None if weight is None else weight[rows]
            value += self._pass(x, y[rows], part, 1 / n, start)
            total += self.grads
        self.grads[...] = total
        return value

    def _dense(self, X, rows, n):
        """Return `n` rows of a batch as an array."""
        if not isinstance(X, SparseRows):
            return X[rows]
        if n not in self._dense_rows:
            self._dense_rows[n] = np.empty((n, X.shape[1]), X.dtype)
        return X.take(rows, out=self._dense_rows[n])

    def _add_penalty(self):
        """Add the gradient of the penalty to that of the losses; return the penalty."""
        total = 0.0
        for weights, grads, scratch in self._decayed:
            grads += np.multiply(weights, self.penalty, out=scratch)
            total += float(np.dot(weights, weights))
        return 0.5 * self.penalty * total

    def _allocate(self, n, y, weight):
        """Return memory for the losses of `n` rows, and the targets of each member."""
        *lead, n_outputs = self.network.layers[-1].output_shape(n)
        n_losses, dtype = prod(lead), self.network.params.dtype
        return SimpleNamespace(
            y=np.empty((n_losses, *y.shape[1:]), y.dtype),
            weight=None if weight is None else np.empty((n_losses, 1), weight.dtype),
            loss=self.loss.allocate(n_losses, n_outputs, dtype),
        )

    def _decayed_blocks(self):
        """Cut weights and their gradient into blocks that stay in the cache."""
        n = self.network.n_decayed
        scratch = np.empty(min(BLOCK, n), self.network.params.dtype)
        return [
            (self.network.params[span], self.grads[span], scratch[: n - start])
            for start in range(0, n, BLOCK)
            for span in [slice(start, min(start + BLOCK, n))]
        ]

    def _slab_rows(self):
        """Return how many rows fit in the cache; None if rows are coupled."""
        if self.network.couples_rows:
            return None
        # A branch begins and ends with outputs that other layers keep anyway.
        layers = [ly for ly in self.network.layers if not isinstance(ly, Fork | Join)]
        widths = sum(prod(layer.output_shape(1)) for layer in layers)
        return max(256, SLAB_BYTES // (widths * self.network.params.itemsize))
