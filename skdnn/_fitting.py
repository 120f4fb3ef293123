"""One call of `fit`: a training, or one for each kind of members."""

from copy import copy, deepcopy
from time import perf_counter
from typing import NamedTuple

import numpy as np

from skdnn._callbacks import FitTasks
from skdnn._data import Data, HeldOut
from skdnn._mixture import Mixture, choose_weights, held_out_predictions
from skdnn._model import Model, Statistics
from skdnn._parameters import check_going_on, check_together, comparable
from skdnn._portfolio import check_portfolio, members_of
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
    if len(settings.portfolio) > 1:
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
    first_end, end_time = end_times(settings.max_time, job.started, refits)
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
    for position, kind in enumerate(kinds):
        # Copies, as each learns what encoding needs.
        new = Model(copy(model.encoder), copy(model.targets))
        try:
            turn = position, len(kinds)
            training = _fit_in_turn(kind, new, all_settings[position], job, *turn)
        except KeyboardInterrupt:
            if not trained:
                raise
            warn("Training interrupted by user.")
            break
        trained.append(kind)
        if not settings.refit:
            # They have read the same rows, and learned the same of them.
            encoder = trained[0]._model.encoder
            kind._model = kind._model._replace(encoder=encoder)
        job = job._replace(statistics=training.statistics)
        if training.rule.validate is not None:
            held_out = training.rule.validate.held_out
            raw.append(held_out_predictions(training.model(), held_out))
        if training.interrupted or training.stopped:
            break
    weights = np.full(len(trained), 1 / len(trained))
    if raw:
        weights = choose_weights(trained[0]._model.targets.loss, raw, held_out)
    return _attributes(estimator, Mixture(trained, weights))


def _fit_in_turn(kind, model, settings, job, position, n_kinds):
    """Fit an estimator of one of several kinds, in its part of the time that is left.

    Returns
    -------
    training : Training
    """
    now = perf_counter()
    if settings.max_time is not None:
        left = job.started + settings.max_time - now
        settings.max_time = left / (n_kinds - position)
    if settings.verbose:
        print(f"kind {position + 1} of {n_kinds}, n_members={settings.n_members}")
    kind.__dict__, training = _fit_kind(
        kind, model, settings, job._replace(started=now)
    )
    return training


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
    before = estimator._built_with
    check_going_on(vars(estimator), before, estimator._fixed)
    settings = estimator._resolve(estimator.n_features_in_, None, goes_on=True)
    if comparable(vars(settings), "portfolio") != comparable(before, "portfolio"):
        raise ValueError(
            f"portfolio was {before['portfolio']!r} when training began and is now "
            f"{settings.portfolio!r}: partial_fit can't change it. Train a clone "
            "instead."
        )
    kinds = []
    for changes, trained in zip(settings.portfolio, estimator.kinds_, strict=False):
        alike = {"recipe": trained.recipe, "n_members": trained.n_members}
        kind = _changed(estimator, alike | changes)
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
    columns = "n_features_in_", "feature_names_in_"
    own = {
        name: value
        for name, value in vars(estimator).items()
        if name in columns or (not name.startswith("_") and not name.endswith("_"))
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
        for changes in estimator.portfolio:
            kind = _changed(estimator, changes)
            kind._validate_params()
            check_together(vars(kind))
