"""One run: from a model and data to a better model."""

from copy import copy
from math import ceil
from types import SimpleNamespace

import numpy as np
from sklearn.utils import check_random_state

from skdnn._calibration import temperature_of_learned
from skdnn._callbacks import ProgressLine
from skdnn._clock import Clock
from skdnn._data import FEWEST_TO_SPLIT
from skdnn._ending import check_end
from skdnn._linear_share import choose_linear_share, fit_linear_share
from skdnn._model import Model
from skdnn._parameters import from_name, is_auto
from skdnn._stopping import StoppingRule
from skdnn._threads import threads_for
from skdnn._validation import Validator
from skdnn._warnings import warn
from skdnn.nn.optimizers import LBFGS
from skdnn.nn.schedules import SCHEDULES
from skdnn.nn.steps import largest_product, steps
from skdnn.nn.trainer import Trainer
from skdnn.nn.workers import Workers

#: Strength of the penalty by default.
ALPHA = 1e-4

#: Below this mean of the weights, a given strength is seldom what is meant.
SMALL_WEIGHT = 0.01


class Training:
    """One run: from a model and data to a better model.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    streams : dict of Generator
        See `random_streams`.
    n_epochs : int or None
        At most so many; None is one, as a part of a longer run.
    max_epochs : float
        What schedules stretch over, if there is time.
    end_time : float, default=None
        When to end at the latest, as of `time.perf_counter`; None is never.
    tasks : FitTasks, default=None
        What callbacks hear from.
    progress : dict, default=None
        That of an earlier run, to go on from.

    Attributes
    ----------
    trainer : Trainer
    rule : StoppingRule
    batch : Batch
        The training rows, encoded; of a stream, as many as memory holds.
    statistics : Statistics
        What a new model has learned before there is a network.
    n_steps : int
        How many have been taken.
    interrupted : bool
        Whether Ctrl-C ended it.
    linear_share : LinearShare or None
        What a linear model does beside the network; before `run`, that of an earlier
        training, whose strength and share are known.
    """

    def __init__(
        self,
        settings,
        streams,
        n_epochs,
        max_epochs,
        end_time=None,
        tasks=None,
        progress=None,
    ):
        self.settings = settings
        self.streams = streams
        self.n_epochs = n_epochs
        self.max_epochs = max_epochs
        self.end_time = end_time
        self.tasks = tasks
        self.interrupted = False
        self.linear_share = None
        self._progress = progress or {}

    def run(self, model, data, rows, held_out=None, as_estimator=None, statistics=None):
        """Train the model on some rows of checked data.

        Parameters
        ----------
        model : Model
            Without a network, or the one to go on with, which stays as it is.
        data : Data or StreamedData
        rows : Rows or StreamedRows
        held_out : HeldOut, default=None
            What to validate on.
        as_estimator : callable, default=None
            Returns an estimator that predicts with a model, for scorers.
        statistics : Statistics, default=None
            What the model learns before there is a network, by default of `rows`.

        Returns
        -------
        self : object
        """
        settings, is_new = self.settings, model.network is None
        if is_new:
            self.statistics = statistics or data.statistics(model, rows)
            model.learn(self.statistics, settings, is_whole=self.n_epochs is not None)
            rng = self.streams["weights"]
            model = model.with_network(settings, self.statistics.sample, rng)
        else:
            model = model.copy()
        encoded = data.encode(model, rows)
        penalty = penalty_of(settings.alpha, rows.n_trained, encoded.total_weight)
        validate = None
        if held_out is not None:
            validate = Validator(model, held_out, encoded.batch, settings, as_estimator)
        self.trainer = self._make_trainer(model, penalty)
        self.rule = self._make_rule(model, validate)
        self.batch = encoded.batch
        self._model = model
        self._train(encoded)
        if is_new and settings.linear_share and self._knows_share(encoded):
            self._share(max(rows.n_trained, encoded.total_weight))
        self._doubt(rows.n_trained)
        return self

    def model(self):
        """Return what predicts if training ends here, with parameters of its own."""
        network, best = self._model.network.copy(), self.rule.best
        if best.snapshot is not None:
            network.restore(best.snapshot)
        model = self._model._replace(network=network, temperature=best.temperature)
        model = model.without_auxiliary()
        return model if self.linear_share is None else self.linear_share.added_to(model)

    def attributes(self):
        """Return the fitted attributes that tell of training, as if it ended here."""
        n_epochs = self.rule.n_epochs if self.n_epochs else self.trainer.epoch
        return {
            **self.rule.attributes(),
            "n_iter_": n_epochs,
            "learning_rate_": self.settings.learning_rate,
        }

    def progress(self):
        """Return what another run needs to go on from here, besides the model."""
        trainer = self.trainer
        return {
            "epoch": trainer.epoch,
            "optimizer": type(trainer.optimizer).__name__,
            # Numbers that overflowed would spoil the next run too.
            "state": None if trainer.diverged else trainer.step.state,
            "plateau_factor": trainer.plateau_factor,
            "streams": self.streams,
            "noise": {"seed": trainer.step.seed, "draws": trainer.step.draws},
        }

    @property
    def stopped(self):
        """Whether a callback has asked for an end."""
        return self.tasks is not None and self.tasks.stopped

    def check(self):
        """Warn if training went badly, or raise an error if nothing came of it."""
        check_end(self)

    def _make_trainer(self, model, penalty):
        settings, progress = self.settings, self._progress
        optimizer, start_epoch = settings.optimizer, progress.get("epoch", 0)
        state = clock = None
        if self.end_time is not None:
            clock = Clock(self.end_time, start_epoch, self.n_epochs, self.max_epochs)
        if progress.get("optimizer") == type(optimizer).__name__:
            state = progress["state"]
        return Trainer(
            model.network,
            model.targets.loss,
            optimizer,
            from_name(settings.schedule, SCHEDULES),
            learning_rate=settings.learning_rate,
            plateau_factor=progress.get("plateau_factor", 1.0),
            penalty=penalty,
            max_epochs=self.max_epochs,
            state=state,
            **progress.get("noise") or self._new_noise(),
            start_epoch=start_epoch,
            time_for=clock,
        )

    def _new_noise(self):
        """Return what dropout begins with."""
        bits = self.streams["dropout"].bit_generator
        return {"seed": int(bits.random_raw()), "draws": 0}

    def _make_rule(self, model, validate):
        settings = self.settings
        tol = settings.tol if self.n_epochs else None
        # That of before is a part of the model, until other rows have their say.
        temperature = model.temperature if settings.temperature_scaling else 1.0
        patience = settings.n_iter_no_change
        return StoppingRule(self.trainer, patience, tol, validate, temperature)

    def _train(self, encoded):
        """Run the trainer until something stops it."""
        settings, trainer, n_epochs = self.settings, self.trainer, self.n_epochs
        n_rows, taken = encoded.n_rows, None
        size = {"bgd": n_rows, "sgd": 1, "minibatch": settings.batch_size}
        size = min(size[settings.solver], n_rows)
        if not isinstance(trainer.optimizer, LBFGS):
            order = self.streams["order"] if settings.shuffle else None
            taken = steps(trainer.step, encoded.batches(size, order))
        try:
            largest = largest_product(trainer.network, size)
            side_by_side = threads_for(largest, 1 if taken is None else taken.n_apart)
            with side_by_side as n_threads, Workers(n_threads) as workers:
                hooks = self._hooks(workers)
                if taken is None:
                    tol = 0.0 if settings.tol is None else settings.tol
                    trainer.minimize(encoded.batch, n_epochs, tol, *hooks)
                else:
                    trainer.run(taken, n_epochs or 1, *hooks, workers)
        except KeyboardInterrupt:
            # Before an epoch has ended, there is nothing to keep.
            if not self.rule.n_epochs:
                raise
            self.interrupted = True
        self.n_steps = self.rule.n_epochs * ceil(n_rows / size)

    def _knows_share(self, encoded):
        """Whether the share of a linear model is known, or can be chosen."""
        # A stream may be longer than memory.
        whole = self.n_epochs is not None and len(self.batch.X) == encoded.n_rows
        return whole and (self.rule.validate or self.linear_share) is not None

    def _share(self, n_rows):
        """Train a linear model beside the network, on rows that stand for `n_rows`."""
        known, self.linear_share = self.linear_share, None
        model, validator = self.model(), self.rule.validate
        try:
            if validator is None:
                chosen = fit_linear_share(model, self.batch, n_rows, known)
            else:
                chosen = choose_linear_share(model, self.batch, n_rows, validator)
        except KeyboardInterrupt:
            # The network has been trained, and is there alone.
            self.interrupted, chosen = True, None
        if chosen is not None:
            best = self.rule.best._replace(temperature=chosen.temperature)
            self.rule.best, self.linear_share = best, chosen

    def _doubt(self, n_trained):
        """Be no surer than rows can be, if these are too few to hold any out."""
        is_whole = self.rule.validate is None and self.n_epochs is not None
        if not is_whole or n_trained >= FEWEST_TO_SPLIT:
            return
        if not self.settings.temperature_scaling:
            return
        X, y, weight = self.batch
        weight = None if weight is None else weight.mean(axis=1, keepdims=True)
        raw = self.trainer.network.predict(X[:])
        temperature = temperature_of_learned(self.trainer.loss, y, raw, weight)
        self.rule.best = self.rule.best._replace(temperature=temperature)

    def _hooks(self, workers):
        """Return what the trainer calls at the end of an epoch, and at its start."""
        trainer, rule, tasks = self.trainer, self.rule, self.tasks
        line = ProgressLine(self.n_epochs or 1) if self.settings.verbose else None

        def on_epoch_end():
            clock = trainer.time_for
            stops = rule(workers) | (clock is not None and clock.is_over(trainer.epoch))
            if line is not None:
                values = {"loss": trainer.losses[-1]}
                if rule.validate is not None:
                    values["validation loss"] = rule.validations[-1].loss
                    values["score"] = rule.validations[-1].score
                line.print(trainer.epoch, len(trainer.losses), values)
            if tasks is not None:
                stops |= tasks.end_epoch(self)
            return stops

        return on_epoch_end, tasks.begin_epoch if tasks is not None else lambda: None


def random_streams(random_state, progress=None):
    """Return one generator a purpose: dropout does not change the order of rows.

    Those of an earlier run, in its `progress`, go on.
    """
    if progress is not None:
        return progress["streams"]
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    purposes = "weights", "split", "order", "dropout"
    streams = np.random.default_rng(seed).spawn(len(purposes))
    return dict(zip(purposes, streams, strict=True))


def end_times(max_time, started, refits):
    """Return when the first training is to end, and when all is; None is never.

    Parameters
    ----------
    max_time : float or None
        Seconds that all may take.
    started : float
        As of `time.perf_counter`.
    refits : bool
        Whether there is another training, for which half of the time is left.
    """
    if max_time is None:
        return None, None
    return started + max_time / (2 if refits else 1), started + max_time


def refit(first, run, end_time, make=Training):
    """Return a model trained anew on all rows, or None if something comes between.

    It is trained for as many epochs as were best in the first training, whose schedules
    it has; nothing but the clock may end it before.

    Parameters
    ----------
    first : Training
        Which has ended.
    run : callable
        ``run(training, model)`` trains a model, which has learned nothing, on all rows.
    end_time : float or None
    make : callable, default=Training
        Returns a training of the kind that the first is.

    Returns
    -------
    model : Model or None
    """
    model = first.model()
    clock = first.trainer.time_for
    if clock is not None and not clock.has_time(end_time):
        trouble = f"has no time (max_time={first.settings.max_time})"
    else:
        changed = {"tol": None, "linear_share": first.linear_share is not None}
        second = make(
            settings=SimpleNamespace(**{**vars(first.settings), **changed}),
            streams=random_streams(first.settings.random_state),
            n_epochs=max(1, first.rule.best.epoch),
            max_epochs=first.trainer.max_epochs,
            end_time=end_time,
        )
        second.linear_share = first.linear_share
        trouble = _run_again(second, model, run)
        first.interrupted |= second.interrupted
    if trouble is not None:
        warn(f"The refit {trouble}: the network from before it is kept.")
        return None
    return second.model()._replace(temperature=model.temperature)


def _run_again(training, model, run):
    """Train a new network; return what went wrong, if anything."""
    # Copies, as the first model may yet be needed.
    model = Model(copy(model.encoder), copy(model.targets))
    try:
        run(training, model)
    except KeyboardInterrupt:
        training.interrupted = True
    if training.interrupted:
        return "was interrupted by user"
    return "diverged" if training.trainer.diverged else None


def penalty_of(alpha, n_rows, total_weight):
    """Return what ``|weights|^2 / 2`` is multiplied with, beside the mean loss of rows.

    Warn where a strength that was given is no longer small beside their weights.
    """
    if is_auto(alpha):
        # As in `canonical_rows`, weights below one are no numbers of rows.
        return ALPHA / max(n_rows, total_weight)
    mean_weight = total_weight / n_rows
    if alpha and mean_weight < SMALL_WEIGHT:
        warn(
            f"The weights of the rows are {mean_weight:g} on average, and alpha is "
            f"relative to their sum: alpha={alpha:g} is as strong as "
            f"{alpha / mean_weight:g} would be without weights. Scale the weights to a "
            "mean of 1, or set alpha='auto'."
        )
    return alpha / total_weight
