"""What to say when training has ended."""

from sklearn.exceptions import ConvergenceWarning

from skdnn._baseline import FEWEST_EPOCHS, FEWEST_STEPS, learned_nothing
from skdnn._warnings import warn


def check_end(training):
    """Warn if a training went badly, or raise an error if nothing came of it."""
    trainer, rule, n_epochs = training.trainer, training.rule, training.n_epochs
    if trainer.diverged:
        _check_divergence(training)
    elif rule.validations and rule.best.snapshot is None:
        raise ValueError(
            f"The validation loss was not finite in any of {rule.n_epochs} epochs: "
            "the network predicts no finite loss for the rows held out, or for "
            "X_val and y_val. Look for targets or columns there that are far from "
            "those of training, lower learning_rate or set early_stopping=False."
        )
    elif training.interrupted:
        warn("Training interrupted by user.")
    elif trainer.ran_out:
        limit = trainer.optimizer.max_evaluations
        warn(
            f"Training reached max_evaluations={limit} of LBFGS and has not "
            "converged yet. Increase max_evaluations.",
            ConvergenceWarning,
        )
    elif n_epochs and not training.stopped and _learned_nothing(training):
        began = (
            ""
            if trainer.learning_rate is None
            else (f"another learning_rate (it began with {trainer.learning_rate}), ")
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


def _learned_nothing(training):
    """Whether training had time to learn something, and has not."""
    trainer, rule = training.trainer, training.rule
    clock = trainer.time_for
    if clock is not None and clock.is_over(trainer.epoch):
        return False
    if trainer.learning_rate is None:
        had_time = rule.n_epochs < training.n_epochs  # it was done
    else:
        many = rule.stopped or training.n_steps >= FEWEST_STEPS
        had_time = rule.n_epochs >= FEWEST_EPOCHS and many
    if not had_time:
        return False
    return learned_nothing(
        trainer.loss,
        trainer.network.n_outputs,
        (training.batch.y, training.batch.weight),
        trainer.losses,
        None if rule.validate is None else rule.validate.targets,
        [validation.loss for validation in rule.validations],
    )


def _check_divergence(training):
    trainer, rule = training.trainer, training.rule
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
