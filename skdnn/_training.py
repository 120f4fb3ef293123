"""What scikit-learn means by training: which rows, how they count, when to stop."""

import time
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

#: Rows hashed at a time.
CHUNK_ROWS = 4096


class Rows(NamedTuple):
    """Rows of a data set and what each of them counts.

    Attributes
    ----------
    index : ndarray of int of shape (n_rows,)
    weight : ndarray of shape (n_rows,), or None where all count one
    """

    index: np.ndarray
    weight: np.ndarray | None

    def take(self, positions):
        """Return some of the rows, by their position among these."""
        weight = None if self.weight is None else self.weight[positions]
        return Rows(self.index[positions], weight)


class Data(NamedTuple):
    """Data that has been checked.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Class indices or numbers.
    rows : Rows
        Those to use.
    frame, labels : array-like
        `X` and `y` as they came, for scorers.
    """

    X: np.ndarray
    targets: np.ndarray
    rows: Rows
    frame: object
    labels: object


def rows_with_weight(n_samples, sample_weight):
    """Return the rows that count, in their own order."""
    if sample_weight is None:
        return Rows(np.arange(n_samples), None)
    index = np.flatnonzero(sample_weight)
    return Rows(index, sample_weight[index])


def distinct_rows(X, targets, rows):
    """Join equal rows, adding up their weights, in an order that only their values set.

    A row that counts twice then *is* a row that stands there twice, and the order in
    which rows arrive makes no difference, to the last bit and for every solver.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    rows : Rows
    """
    words = X.shape[1] + (1 if targets.ndim == 1 else targets.shape[1])
    # Fixed: the hash has no part in the randomness of training.
    multipliers = np.random.default_rng(0).integers(
        2**63, size=2 * words, dtype=np.uint64
    )
    hashes = np.empty(len(rows.index), dtype=np.uint64)
    for chunk in gen_batches(len(hashes), CHUNK_ROWS):
        values = _values(X, targets, rows.index[chunk])
        hashes[chunk] = values.view(np.uint32).astype(np.uint64) @ (2 * multipliers + 1)
    order = np.argsort(hashes, kind="stable")
    starts = _starts_of_equals(X, targets, rows.index[order], hashes[order])
    rows = rows.take(order)
    if len(starts) == len(order):
        return rows
    weight = np.ones(len(order)) if rows.weight is None else rows.weight
    return Rows(rows.index[starts], np.add.reduceat(weight, starts))


def _starts_of_equals(X, targets, index, hashes):
    """Return the positions in `index` of the rows that differ from the one before."""
    suspects = np.flatnonzero(hashes[1:] == hashes[:-1]) + 1
    starts = np.ones(len(index), dtype=bool)
    for first in range(0, len(suspects), CHUNK_ROWS):
        these = suspects[first : first + CHUNK_ROWS]
        before = _values(X, targets, index[these - 1]).view(np.uint64)
        after = _values(X, targets, index[these]).view(np.uint64)
        starts[these] = (before != after).any(axis=1)
    return np.flatnonzero(starts)


def _values(X, targets, index):
    """Return rows of X and targets side by side, as float64 whatever they were."""
    values = np.hstack(
        [X[index], targets[index].reshape(len(index), -1)], dtype=np.float64
    )
    values += 0.0  # -0.0 has other bits than 0.0
    return values


def validation_size(validation_fraction, n_rows):
    """Return the number of validation rows that a fraction or a count stands for."""
    if isinstance(validation_fraction, float):
        return max(1, int(np.ceil(validation_fraction * n_rows)))
    return validation_fraction


def split_rows(n_rows, n_validation, strata, rng):
    """Return the positions of training rows and of validation rows, in order.

    Parameters
    ----------
    n_rows, n_validation : int
    strata : ndarray of int of shape (n_rows,), or None
        Each stratum is split in the same proportion, as well as whole rows allow: one
        with a single row goes to training, one with more goes to both sides if there is
        room.
    rng : numpy.random.Generator
    """
    shuffled = rng.permutation(n_rows)
    if strata is None:
        chosen = shuffled[:n_validation]
    else:
        chosen = _stratified(shuffled, n_validation, strata[shuffled])
    is_validation = np.zeros(n_rows, dtype=bool)
    is_validation[chosen] = True
    return np.flatnonzero(~is_validation), np.flatnonzero(is_validation)


def _stratified(shuffled, n_validation, strata):
    """Return `n_validation` of the shuffled rows, of all strata in proportion."""
    _, strata, counts = np.unique(strata, return_inverse=True, return_counts=True)
    by_stratum = np.argsort(strata, kind="stable")
    rank = np.empty(len(shuffled), dtype=np.intp)
    rank[by_stratum] = np.arange(len(rank)) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    # One row of each stratum first, then the strata in turn, and the last row of each
    # only if there are no others.
    turn = np.where(rank == counts[strata] - 1, 2, np.minimum(rank, 1))
    seat = (rank + 0.5) / counts[strata]
    return shuffled[np.lexsort((seat, turn))[:n_validation]]


class StoppingRule:
    """Watches the loss, or a validation score, and says when to stop.

    Without a validation set, training stops after more than `patience` epochs in a row
    whose loss is not below the best by `tol`.  With one, the same holds for the score,
    and the weights of the best epoch are kept.

    Parameters
    ----------
    trainer : Trainer
    patience : int
    tol : float, or None to never stop
    validate : callable, default=None
        Returns the validation loss, the validation score, in this order, of the network
        as it is.
    verbose : bool
        Whether to print a line an epoch.
    """

    def __init__(self, trainer, patience, tol, validate=None, verbose=False):
        self.trainer = trainer
        self.patience = patience
        self.tol = tol
        self.validate = validate
        self.verbose = verbose
        self.validation_losses = []
        self.scores = []
        self.best_score = -np.inf
        self.best_epoch = trainer.epoch
        self.best_snapshot = None
        self.n_stalled = 0
        self.stopped = False
        self._started = time.perf_counter()

    def __call__(self):
        """Take note of an epoch; return whether to stop."""
        score = -self.trainer.losses[-1]
        if self.validate is not None:
            loss, score = self.validate()
            self.validation_losses.append(loss)
            self.scores.append(score)
        improved = self.tol is None or score >= self.best_score + self.tol
        self.n_stalled = 0 if improved else self.n_stalled + 1
        if score > self.best_score:
            self._keep(score)
        if self.verbose:
            self._print()
        if self.n_stalled > self.patience:
            self.stopped = not self._lower_learning_rate()
        return self.stopped

    def should_have_stopped(self):
        """Whether a run to the last epoch is a sign that there are too few of them."""
        had_time = len(self.trainer.losses) > self.patience
        watched_loss = self.validate is None and self.tol is not None
        return had_time and watched_loss and not self.stopped

    def _keep(self, score):
        self.best_score = score
        self.best_epoch = self.trainer.epoch
        if self.validate is not None:
            self.best_snapshot = self.trainer.network.snapshot(out=self.best_snapshot)

    def _lower_learning_rate(self):
        factor = self.trainer.schedule.on_plateau(
            self.trainer.learning_rate * self.trainer.slowdown
        )
        if factor is None:
            return False
        self.trainer.slowdown *= factor
        self.n_stalled = 0
        return True

    def _print(self):
        trainer = self.trainer
        line = f"epoch {trainer.epoch:4d}  loss {trainer.losses[-1]:.6f}"
        if self.validate is not None:
            line += f"  validation loss {self.validation_losses[-1]:.6f}"
            line += f"  score {self.scores[-1]:.6f}"
        print(f"{line}  {time.perf_counter() - self._started:.1f} s")
