"""When training stops, and which of its epochs was the best."""

from typing import NamedTuple

import numpy as np

from skdnn.nn.workers import ALONE


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

    def __call__(self, workers=ALONE):
        """Take note of an epoch; return whether to stop."""
        trainer, best = self.trainer, self.best
        score, temperature, snapshot = -trainer.losses[-1], best.temperature, None
        if self.validate is not None:
            validation = self.validate(workers)
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
        has_rates = self.trainer.learning_rate is not None
        rates = self.trainer.learning_rates[: self.n_epochs]
        return {
            "loss_curve_": losses,
            "loss_": losses[-1],
            "best_loss_": None if watched else min(losses),
            "best_iter_": self.best.epoch,
            "validation_loss_curve_": validation_losses if watched else None,
            "validation_scores_": scores if watched else None,
            "best_validation_score_": self.best.score if watched else None,
            "learning_rate_curve_": rates if has_rates else None,
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
