"""What scikit-learn means by training: which rows validate, and when to stop."""

from math import ceil, floor
from numbers import Integral
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdnn._baseline import FEWEST_EPOCHS, FEWEST_STEPS, learned_nothing
from skdnn._rows import Rows, canonical_rows
from skdnn._warnings import warn


class Data(NamedTuple):
    """Data that has been checked.

    Attributes
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Class indices or numbers.
    rows : Rows
        Those to use.
    n_rows : int
        How many observations they stand for.
    frame : array-like
        `X` as it came, for scorers.
    is_weighted : bool
        Whether the user gave weights.
    """

    X: np.ndarray
    targets: np.ndarray
    rows: Rows
    n_rows: int
    frame: object
    is_weighted: bool

    def in_canonical_order(self):
        """Return the same data, whatever the order in which its rows come."""
        rows, n_rows = canonical_rows(self.X, self.targets, self.rows)
        return self._replace(rows=rows, n_rows=n_rows)


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
    max_epochs : float
        What schedules stretch over, if there is time.
    end_time : float or None
        When to end at the latest, as of `time.perf_counter`; None is never.
    tasks : FitTasks or None
        What callbacks hear from.
    """

    settings: object
    streams: dict
    n_epochs: int | None
    max_epochs: float
    end_time: float | None = None
    tasks: object = None


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


#: Fitted attributes that training with validation rows has the last word on.
WATCHED = (
    "loss_curve_",
    "loss_",
    "n_iter_",
    "best_loss_",
    "best_iter_",
    "validation_loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "temperature_",
)


class Best(NamedTuple):
    """The best epoch so far.

    Attributes
    ----------
    score : float
    epoch : int
    temperature : float
    snapshot : tuple or None
        Of the network, if there are validation rows.
    """

    score: float
    epoch: int
    temperature: float
    snapshot: tuple | None = None


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
    temperature : float, default=1.0
        Holds until validation says otherwise.

    Attributes
    ----------
    validations : list of Validation
        Of each epoch, if there are validation rows.
    best : Best
    """

    def __init__(self, trainer, patience, tol, validate=None, temperature=1.0):
        self.trainer = trainer
        self.patience = patience
        self.tol = tol
        self.validate = validate
        self.validations = []
        self.best = Best(-np.inf, trainer.epoch, temperature)
        self.n_stalled = 0
        self.stopped = False

    @property
    def n_epochs(self):
        """Number of epochs that have ended, validation included."""
        return len(self.trainer.losses if self.validate is None else self.validations)

    def __call__(self):
        """Take note of an epoch; return whether to stop."""
        trainer, best = self.trainer, self.best
        score, temperature, snapshot = -trainer.losses[-1], best.temperature, None
        if self.validate is not None:
            validation = self.validate()
            score, temperature = validation.score, validation.temperature
            if score > best.score:
                snapshot = trainer.network.snapshot()
            # Whoever interrupts what takes time undoes the epoch; now it has ended.
            self.validations.append(validation)
        if score > best.score:
            self.best = Best(score, trainer.epoch, temperature, snapshot)
        better = score > -np.inf and score >= best.score + (self.tol or 0.0)
        improved = self.tol is None or better
        self.n_stalled = 0 if improved else self.n_stalled + 1
        if self.n_stalled > self.patience:
            self.stopped = not self._lower_learning_rate()
        return self.stopped

    def should_have_stopped(self):
        """Whether a run to the last epoch is a sign that there are too few of them."""
        had_time = len(self.trainer.losses) > self.patience
        watched_loss = self.validate is None and self.tol is not None
        # A schedule that ends at its lowest rate is done when it ends.
        anneals = self.trainer.schedule.anneals
        return had_time and watched_loss and not self.stopped and not anneals

    def attributes(self):
        """Return the fitted attributes about the epochs; None is for no value."""
        losses = self.trainer.losses[: self.n_epochs]
        watched = self.validate is not None
        validation_losses = [validation.loss for validation in self.validations]
        scores = [validation.score for validation in self.validations]
        return {
            "loss_curve_": losses,
            "loss_": losses[-1],
            "best_loss_": None if watched else min(losses),
            "best_iter_": self.best.epoch,
            "validation_loss_curve_": validation_losses if watched else None,
            "validation_scores_": scores if watched else None,
            "best_validation_score_": self.best.score if watched else None,
            "temperature_": self.best.temperature,
        }

    def _lower_learning_rate(self):
        if self.trainer.learning_rate is None:  # the optimizer finds its own steps
            return False
        factor = self.trainer.schedule.on_plateau(
            self.trainer.learning_rate * self.trainer.plateau_factor
        )
        if factor is None:
            return False
        self.trainer.plateau_factor *= factor
        self.n_stalled = 0
        return True


class End(NamedTuple):
    """How training ended.

    Attributes
    ----------
    trainer : Trainer
    rule : StoppingRule
    interrupted : bool
        Whether Ctrl-C ended it.
    batch : Batch
        The training rows.
    n_steps : int
    """

    trainer: object
    rule: StoppingRule
    interrupted: bool
    batch: object
    n_steps: int

    def check(self, n_epochs, stopped=False):
        """Warn if training went badly, or raise an error if nothing came of it.

        `n_epochs` is how many there were to be, None if one, as a part of a longer run;
        `stopped` says that a callback has asked for an end.
        """
        trainer, rule = self.trainer, self.rule
        if trainer.diverged:
            self._check_divergence()
        elif rule.validations and rule.best.snapshot is None:
            raise ValueError(
                f"The validation loss was not finite in any of {rule.n_epochs} epochs: "
                "the network predicts no finite loss for the rows held out, or for "
                "X_val and y_val. Look for targets or columns there that are far from "
                "those of training, lower learning_rate or set early_stopping=False."
            )
        elif self.interrupted:
            warn("Training interrupted by user.")
        elif trainer.ran_out:
            limit = trainer.optimizer.max_evaluations
            warn(
                f"Training reached max_evaluations={limit} of LBFGS and has not "
                "converged yet. Increase max_evaluations.",
                ConvergenceWarning,
            )
        elif n_epochs and not stopped and self._learned_nothing(n_epochs):
            began = (
                ""
                if trainer.learning_rate is None
                else (
                    f"another learning_rate (it began with {trainer.learning_rate}), "
                )
            )
            warn(
                f"Training learned nothing: in none of {rule.n_epochs} epochs was the "
                "loss lower than that of a prediction that is the same for all rows. "
                "Either the columns say nothing about the target, or the network could "
                f"not learn what they say: try {began}fewer hidden layers, "
                "residual=True or less dropout or alpha.",
                ConvergenceWarning,
            )
        elif rule.n_epochs == n_epochs and rule.should_have_stopped():
            or_faster = "" if trainer.learning_rate is None else " or learning_rate"
            warn(
                f"Training reached max_iter={n_epochs} epochs and has not "
                f"converged yet. Increase max_iter{or_faster}.",
                ConvergenceWarning,
            )

    def _learned_nothing(self, n_epochs):
        """Whether training had time to learn something, and has not."""
        trainer, rule = self.trainer, self.rule
        clock = trainer.time_for
        if clock is not None and clock.is_over(trainer.epoch):
            return False
        if trainer.learning_rate is None:
            had_time = rule.n_epochs < n_epochs  # it was done
        else:
            many = rule.stopped or self.n_steps >= FEWEST_STEPS
            had_time = rule.n_epochs >= FEWEST_EPOCHS and many
        if not had_time:
            return False
        return learned_nothing(
            trainer.loss,
            trainer.network.n_outputs,
            (self.batch.y, self.batch.weight),
            trainer.losses,
            None if rule.validate is None else rule.validate.targets,
            [validation.loss for validation in rule.validations],
        )

    def _check_divergence(self):
        trainer, rule = self.trainer, self.rule
        lower = "Lower learning_rate, scale"
        scale = "Scale" if trainer.learning_rate is None else lower
        advice = (
            f"in epoch {trainer.epoch + 1} the loss or the weights were no longer "
            f"finite. {scale} the columns (numeric_scaling='robust') or, for a "
            "regressor, the target (target_scaling=True)."
        )
        nothing = rule.validate is not None and rule.best.snapshot is None
        if not rule.n_epochs or nothing:
            raise ValueError(f"Training diverged: {advice}")
        warn(
            f"Training diverged: {advice} The weights from before are kept.",
            ConvergenceWarning,
        )
