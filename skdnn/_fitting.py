"""One call of `fit`: a training, or one for each kind of members."""

from copy import copy, deepcopy
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier

from skdnn._callbacks import FitTasks
from skdnn._data import Data, HeldOut
from skdnn._mixture import Mixture, choose_weights, held_out_predictions
from skdnn._model import Model, Statistics
from skdnn._parameters import (
    check_going_on,
    check_together,
    comparable,
    is_auto,
    is_lbfgs,
)
from skdnn._portfolio import ALIKE, check_portfolio, members_of
from skdnn._recipe import resolve
from skdnn._streamed import StreamedData
from skdnn._training import Training, end_times, refit
from skdnn._warnings import warn


class Job(NamedTuple):
    """What a call of `fit` is about, whichever kind of members is trained.

    Attributes
    ----------
    data : Data or StreamedData
    val : Data or None
        What was given to validate on.
    streams : dict of Generator
        See `random_streams`.
    tasks : FitTasks
    started : float
        When it was called, as of `time.perf_counter`.
    max_time : float or None
        Seconds that it may take.
    progress : dict, default=None
        That of the fit to go on from.
    statistics : Statistics, default=None
        What a model learns before there is a network, if that is known.
    """

    data: Data | StreamedData
    val: Data | None
    streams: dict
    tasks: FitTasks
    started: float
    max_time: float | None
    progress: dict | None = None
    statistics: Statistics | None = None


def fit_job(estimator, model, settings, job):
    """Train what the settings say.

    Parameters
    ----------
    estimator : BaseDNN
        Stays as it is.
    model : Model
        Without a network, or the one to go on with.
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    job : Job

    Returns
    -------
    attributes : dict
        All that the estimator then has.
    """
    if settings.portfolio != ALIKE:
        return _fit_kinds(estimator, model, settings, job)
    job.tasks.begin_fit(settings.max_iter, estimator._attributes)
    attributes, _ = _fit_kind(estimator, model, settings, job)
    return attributes


def _fit_kind(estimator, model, settings, job):
    """Train a model, and anew on all rows if the settings say so.

    Returns
    -------
    attributes : dict
    training : Training
        In which it was watched.
    """
    data, streams = job.data, job.streams
    rows, held_out = data.rows, None if job.val is None else HeldOut([job.val])
    if job.val is None and settings.early_stopping:
        # A copy, so that a warm start holds the same rows out.
        rng = deepcopy(streams["split"])
        rows, held_out = data.split(model, settings, rng)
    refits = settings.refit and held_out is not None and job.val is None
    first_end, end_time = end_times(job.max_time, job.started, refits)
    n_epochs = settings.max_iter
    training = Training(
        settings, streams, n_epochs, n_epochs, first_end, job.tasks, job.progress
    )
    as_estimator = estimator._as_estimator
    training.run(model, data, rows, held_out, as_estimator, job.statistics).check()
    attributes = estimator._attributes(training)
    if refits and not (training.interrupted or training.stopped):

        def run(training, model):
            training.run(model, data, data.rows)

        model = refit(training, run, end_time) or attributes["_model"]
        attributes = {**attributes, "_model": model}
    return attributes, training


def _fit_kinds(estimator, model, settings, job):
    """Train a model of each kind of members, and weigh them."""
    kinds = _kinds(estimator, settings)
    n_columns, n_rows = job.data.n_columns, job.data.n_rows
    all_settings = [kind._resolve(n_columns, n_rows, goes_on=False) for kind in kinds]
    n_epochs = sum(settings.max_iter for settings in all_settings)
    job.tasks.begin_fit(n_epochs, estimator._attributes)
    trained, raw, held_out = [], [], None
    try:
        for position, kind in enumerate(kinds):
            turn = position, len(kinds)
            training = _fit_in_turn(kind, model, all_settings[position], job, *turn)
            ended = training.interrupted or training.stopped
            if ended and trained and training.rule.validate is None:
                # Nothing says what a kind is worth that was not trained to its end.
                break
            trained.append(kind)
            job = job._replace(statistics=training.statistics)
            if training.rule.validate is not None:
                held_out = training.rule.validate.held_out
                raw.append(held_out_predictions(training.model(), held_out))
            if ended:
                break
    except KeyboardInterrupt:
        if not trained:
            raise
        warn("Training interrupted by user.")
    weights = _weights(trained, raw, held_out)
    return _attributes(estimator, Mixture(_sharing(trained, settings), weights))


def _weights(kinds, raw, held_out):
    """Return what each kind counts; as much as the others, if nothing says so."""
    try:
        if raw and len(raw) == len(kinds):
            return choose_weights(kinds[0]._model.targets.loss, raw, held_out)
    except KeyboardInterrupt:
        warn("Training interrupted by user.")
    return np.full(len(kinds), 1 / len(kinds))


def _fit_in_turn(kind, model, settings, job, position, n_kinds):
    """Fit an estimator of one of several kinds, in its part of the time that is left.

    Returns
    -------
    training : Training
    """
    now = perf_counter()
    if job.max_time is not None:
        left = job.started + job.max_time - now
        job = job._replace(max_time=left / (n_kinds - position))
    if settings.verbose:
        print(f"kind {position + 1} of {n_kinds}, n_members={settings.n_members}")
    # Copies, as each learns what encoding needs.
    model = Model(copy(model.encoder), copy(model.targets))
    job = job._replace(started=now)
    kind.__dict__, training = _fit_kind(kind, model, settings, job)
    return training


def _sharing(kinds, settings):
    """Return estimators that have in memory once what all have learned."""
    for kind in kinds:
        kind._model.encoder.forget()
        if not settings.refit:
            # They have read the same rows, and learned the same of them.
            kind._model = kind._model._replace(encoder=kinds[0]._model.encoder)
    return kinds


def _attributes(estimator, mixture):
    """Return all that an estimator has with several kinds of members."""
    first = vars(mixture.kinds[0])
    told = {name: value for name, value in first.items() if name.endswith("_")}
    return {**vars(estimator), **told, "_model": mixture, "_progress": None}


def fit_epoch_of_kinds(estimator, train, classes):
    """Train each kind of members for one epoch, on a part of the data.

    Parameters
    ----------
    estimator : BaseDNN
        Stays as it is.
    train : tuple of (X, y, sample_weight)
    classes : array-like of shape (n_classes,) or None
        See `partial_fit`.

    Returns
    -------
    attributes : dict
        All that the estimator then has.
    """
    changes, kinds = estimator._built_with["portfolio"], []
    # An interrupted fit may have fewer kinds than were asked for.
    for of_kind, trained in zip(changes, estimator.kinds_, strict=False):
        alike = {"recipe": trained.recipe, "n_members": trained.n_members}
        kind = _changed(estimator, alike | of_kind)
        # With what it has learned, but for what its parameters are now.
        learned = {k: v for k, v in vars(trained).items() if "_" in (k[0], k[-1])}
        vars(kind).update(learned)
        kind._fit_an_epoch(train, classes)
        kinds.append(kind)
    return _attributes(estimator, Mixture(kinds, estimator.kind_weights_))


def _kinds(estimator, settings):
    """Return an estimator for each kind of members, yet to be trained."""
    # Another optimizer is no reason for another recipe.
    alike = {name: getattr(settings, name) for name in ("recipe", "early_stopping")}
    numbers = members_of(settings.portfolio, settings.n_members)
    return [
        _changed(estimator, alike | changes | {"n_members": n_members})
        for changes, n_members in zip(settings.portfolio, numbers, strict=True)
    ]


def _changed(estimator, changes):
    """Return an estimator with the same columns, but for some parameters."""
    kept = "n_features_in_", "feature_names_in_", "_metadata_request"
    own = {
        name: value
        for name, value in vars(estimator).items()
        if name in kept or (not name.startswith("_") and not name.endswith("_"))
    }
    changed = object.__new__(type(estimator))
    changed.__dict__ = own | changes | {"portfolio": False}
    return changed


def check_parameters(estimator):
    """Raise an error for parameters that make no sense together, also those of kinds.

    Parameters
    ----------
    estimator : BaseDNN
    """
    check_together(vars(estimator))
    check_portfolio(vars(estimator))
    if isinstance(estimator.portfolio, list | tuple):
        for position, changes in enumerate(estimator.portfolio):
            kind = _changed(estimator, changes)
            try:
                kind._validate_params()
                check_together(vars(kind))
            except ValueError as error:
                raise ValueError(f"portfolio[{position}]: {error}") from error


def check_same_kinds(estimator):
    """Raise an error for other parameters than training can go on with.

    Parameters
    ----------
    estimator : BaseDNN
        A fitted one.
    """
    before = estimator._built_with
    check_going_on(vars(estimator), before, estimator._fixed)
    if is_auto(estimator.portfolio):
        return
    params = vars(estimator) | {"n_members": before["n_members"]}
    n_columns = estimator.n_features_in_
    now = vars(resolve(params, n_columns, None, is_classifier(estimator)))
    if comparable(now, "portfolio") != comparable(before, "portfolio"):
        raise ValueError(
            f"portfolio was {before['portfolio']!r} when training began and is now "
            f"{now['portfolio']!r}: partial_fit can't change it. Train a clone instead."
        )


def optimizer_takes_steps(estimator):
    """Whether the optimizer can train on a part of the data at a time."""
    kinds = getattr(estimator, "kinds_", None) or ()
    if any(is_lbfgs(each.optimizer) for each in (estimator, *kinds)):
        raise AttributeError("partial_fit is not available with optimizer='lbfgs'.")
    return True
