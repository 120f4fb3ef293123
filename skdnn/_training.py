"""What scikit-learn means by training: which rows validate, and when to stop."""

from numbers import Integral
from time import perf_counter
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


class HeldOut(NamedTuple):
    """Rows to validate on.

    Attributes
    ----------
    parts : list of Data
        Those of the network, or of each member of an ensemble, as many for one as for
        another.
    positions : ndarray of int of shape (n_members, n_rows), default=None
        Where they are among the training rows, as others learn from them.
    """

    parts: list
    positions: np.ndarray | None = None


def validation_size(validation_fraction, n_rows):
    """Return the number of validation rows that a fraction or a count stands for."""
    if isinstance(validation_fraction, Integral):
        return int(validation_fraction)
    return max(1, int(np.ceil(validation_fraction * n_rows)))


def hold_out(n_rows, n_validation, strata, rng, n_members=1):
    """Return the positions of the rows that each member holds out, in order.

    Members hold out different rows, as far as there are enough of them.

    Parameters
    ----------
    n_rows, n_validation : int
    strata : ndarray of int of shape (n_rows,), or None
        Each stratum is split in the same proportion, as well as whole rows allow: one
        with a single row goes to training, one with more goes to both sides if there is
        room.
    rng : numpy.random.Generator
    n_members : int, default=1

    Returns
    -------
    positions : ndarray of int of shape (n_members, n_validation)
    """
    shuffled = rng.permutation(n_rows)
    strata = np.zeros(n_rows, int) if strata is None else strata[shuffled]
    _, strata, counts = np.unique(strata, return_inverse=True, return_counts=True)
    rank = _ranks(strata, counts)
    n_held_out = _quotas(strata, counts, rank, n_validation)
    # Members take turns at the rows of a stratum, and all learn from its last.
    n_taken = n_held_out[strata]
    n_in_turn = np.maximum(1, np.maximum(counts - 1, n_held_out))[strata]
    positions = []
    for member in range(n_members):
        place = (rank - member * n_taken) % n_in_turn
        chosen = (rank < n_in_turn) & (place < n_taken)
        positions.append(np.sort(shuffled[chosen]))
    return np.array(positions)


def _ranks(strata, counts):
    """Return each row's position among the rows of its stratum."""
    rank = np.empty(len(strata), dtype=np.intp)
    starts = np.cumsum(counts) - counts
    by_stratum = np.argsort(strata, kind="stable")
    rank[by_stratum] = np.arange(len(rank)) - np.repeat(starts, counts)
    return rank


def _quotas(strata, counts, rank, n_validation):
    """Return how many rows to hold out of each stratum."""
    # One row of each stratum first, then the strata in turn, and the last row of each
    # only if there are no others.
    turn = np.where(rank == counts[strata] - 1, 2, np.minimum(rank, 1))
    seat = (rank + 0.5) / counts[strata]
    first = np.lexsort((seat, turn))[:n_validation]
    return np.bincount(strata[first], minlength=len(counts))


class Run(NamedTuple):
    """How to train.

    Attributes
    ----------
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    streams : dict of Generator
    n_epochs : int or None
        At most so many; None is one, as a part of a longer run.
    clock : Clock
    tasks : FitTasks or None
        What callbacks hear from.
    """

    settings: object
    streams: dict
    n_epochs: int | None
    clock: "Clock"
    tasks: object


class Clock:
    """Ends training in time, with the schedules drawn in to end at the same time.

    Parameters
    ----------
    max_time : float or None
        Seconds.
    started : float, default=0.0
        When they began to count, as from `time.perf_counter`.
    share : float, default=1.0
        How much of them this training may take.

    Attributes
    ----------
    max_epochs : float
        How many epochs there seems to be time for.
    """

    def __init__(self, max_time, started=0.0, share=1.0):
        self.max_time = max_time
        self.share = share
        self.started = started
        self.max_epochs = np.inf
        self._began = perf_counter()

    def __call__(self, trainer):
        """Take note of an epoch; return whether there is no time for another."""
        if self.max_time is None:
            return False
        now, n_epochs = perf_counter(), len(trainer.losses)
        left = self.share * self.max_time - (now - self.started)
        n_more = left / ((now - self._began) / n_epochs)
        self.max_epochs = min(self.max_epochs, trainer.epoch + max(0.0, n_more))
        trainer.max_epochs = min(trainer.max_epochs, self.max_epochs)
        return n_more < 1


#: Fitted attributes that training with validation rows has the last word on.
WATCHED = (
    "best_loss_",
    "validation_loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "best_iter_",
    "temperature_",
)


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
    validate : Validator, default=None
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
        self.best_temperature = 1.0
        self.n_stalled = 0
        self.stopped = False

    def __call__(self):
        """Take note of an epoch; return whether to stop."""
        score, temperature = -self.trainer.losses[-1], 1.0
        if self.validate is not None:
            loss, score, temperature = self.validate()
            self.validation_losses.append(loss)
            self.scores.append(score)
        better = score > -np.inf and score >= self.best_score + (self.tol or 0.0)
        improved = self.tol is None or better
        self.n_stalled = 0 if improved else self.n_stalled + 1
        if score > self.best_score:
            self._keep(score, temperature)
        if self.n_stalled > self.patience:
            self.stopped = not self._lower_learning_rate()
        return self.stopped

    def should_have_stopped(self):
        """Whether a run to the last epoch is a sign that there are too few of them."""
        had_time = len(self.trainer.losses) > self.patience
        watched_loss = self.validate is None and self.tol is not None
        # A schedule that ends at its lowest rate is done when it ends.
        ends = self.trainer.schedule.ends
        return had_time and watched_loss and not self.stopped and not ends

    def best(self):
        """Return the fitted attributes about the best epoch; None is for no value."""
        watched = self.validate is not None
        return {
            "best_iter_": self.best_epoch,
            "best_loss_": None if watched else min(self.trainer.losses, default=None),
            "validation_loss_curve_": list(self.validation_losses) if watched else None,
            "validation_scores_": list(self.scores) if watched else None,
            "best_validation_score_": self.best_score if self.scores else None,
            "temperature_": self.best_temperature,
        }

    def _keep(self, score, temperature):
        self.best_score = score
        self.best_temperature = temperature
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
