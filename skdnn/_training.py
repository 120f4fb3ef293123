"""What scikit-learn means by training: which rows validate, and when to stop."""

from numbers import Integral
from typing import NamedTuple

import numpy as np

from skdnn._rows import Rows


class Data(NamedTuple):
    """Data that has been checked.

    Attributes
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
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


def validation_size(validation_fraction, n_rows):
    """Return the number of validation rows that a fraction or a count stands for."""
    if isinstance(validation_fraction, Integral):
        return int(validation_fraction)
    return max(1, int(np.ceil(validation_fraction * n_rows)))


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
    """

    def __init__(self, trainer, patience, tol, validate=None):
        self.trainer = trainer
        self.patience = patience
        self.tol = tol
        self.validate = validate
        self.validation_losses = []
        self.scores = []
        self.best_score = -np.inf
        self.best_epoch = trainer.epoch
        self.best_snapshot = None
        self.n_stalled = 0
        self.stopped = False

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
        if self.n_stalled > self.patience:
            self.stopped = not self._lower_learning_rate()
        return self.stopped

    def should_have_stopped(self):
        """Whether a run to the last epoch is a sign that there are too few of them."""
        had_time = len(self.trainer.losses) > self.patience
        watched_loss = self.validate is None and self.tol is not None
        return had_time and watched_loss and not self.stopped

    def best(self):
        """Return the fitted attributes about the best epoch; None is for no value."""
        watched = self.validate is not None
        return {
            "best_iter_": self.best_epoch,
            "best_loss_": None if watched else min(self.trainer.losses, default=None),
            "validation_loss_curve_": list(self.validation_losses) if watched else None,
            "validation_scores_": list(self.scores) if watched else None,
            "best_validation_score_": self.best_score if self.scores else None,
        }

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
