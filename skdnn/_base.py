"""What classifier and regressor share: fit, and what it leaves."""

from abc import ABC
from contextlib import contextmanager
from copy import copy, deepcopy
from functools import partial
from time import perf_counter

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier

from skdnn._advice import AdviceMixin
from skdnn._callbacks import FitTasks
from skdnn._data import FEWEST_TO_SPLIT, check_data, check_validation_arguments
from skdnn._fitted import FittedMixin
from skdnn._fitting import (
    Job,
    check_parameters,
    check_same_kinds,
    fit_epoch_of_kinds,
    fit_job,
)
from skdnn._model import Model
from skdnn._parameters import (
    CONSTRAINTS,
    FIXED,
    REMEMBERED,
    check_going_on,
    check_together,
    is_on,
    warn_of_no_effect,
)
from skdnn._persistence import pack, transient, unpack, without_transient
from skdnn._portfolio import ALIKE, warn_of_missing_kinds
from skdnn._pretrained import check_fits, pretrained_estimator, transferable
from skdnn._recipe import resolve
from skdnn._sklearn_compat import CallbackSupportMixin, _fit_context, with_callbacks
from skdnn._streamed import Source, check_streamed, read_stream
from skdnn._tables import TakesTablesMixin
from skdnn._threads import shared_threads
from skdnn._training import Training, random_streams
from skdnn._trial import leaves_members_open, members_in_time
from skdnn.encoding import TabularEncoder
from skdnn.streaming import as_stream


class BaseDNN(
    AdviceMixin, FittedMixin, TakesTablesMixin, CallbackSupportMixin, BaseEstimator, ABC
):
    """A network trained by gradient descent; subclasses say what they predict."""

    _parameter_constraints = CONSTRAINTS
    _fixed = FIXED
    #: The kind of `Targets`.
    _targets_class = None

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit the network to data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or Stream
            Training data. NaN stands for a missing number, unless `numeric_scaling` is
            None. A :class:`~skdnn.streaming.Stream`, or a `pyarrow.dataset.Dataset`,
            is read in batches, where memory does not hold it.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), str or list
            Targets. With a stream, the name of their column, or a list of names.

        sample_weight : array-like of shape (n_samples,) or str, default=None
            Weights of the rows. A row of weight 2 is as good as two such rows. With a
            stream, the name of their column.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation data for early stopping, instead of a part of `X`.

        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation data.

        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation data.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If parameters or data make no sense; if the loss is not finite in the first
            epoch. The estimator is then as it was before.
        """
        started = perf_counter()
        tasks = FitTasks(self, X, y, sample_weight)
        validation = X_val, y_val, sample_weight_val
        with self._transaction(tasks) as fitted, shared_threads():
            fitted._fit((X, y, sample_weight), validation, tasks, started)
        return self

    @contextmanager
    def _transaction(self, tasks=None):
        """Yield a copy to fit, which takes this one's place if nothing is raised.

        Until then this one is as it was, and predicts in other threads. The copy is
        shallow: training replaces what was fitted, and changes nothing in place.
        """
        before, fitted = vars(self), object.__new__(type(self))
        fitted.__dict__ = before.copy()
        # What overflows is looked at, and what underflows is zero.
        with np.errstate(all="ignore"):
            yield fitted
        fitted._model.encoder.forget()
        self.__dict__ = vars(fitted) | transient(before)
        if tasks is not None:
            try:
                tasks.end_fit()
            except BaseException:
                self.__dict__ = before
                raise

    def _fit(self, train, validation, tasks, started):
        """Train on all the data, for as long as it takes.

        `train` and `validation` are X, y and weights; `started` is when `fit` was
        called.
        """
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        check_parameters(self)
        check_validation_arguments(*validation, self.early_stopping)
        progress = deepcopy(self._progress) if goes_on else None
        streams = random_streams(self.random_state, progress)
        stream = as_stream(train[0])
        if stream is None:
            model, data = self._begin(train, goes_on)
        else:
            source = Source(stream, *train[1:])
            check_streamed(vars(self), source, goes_on)
            holds_out = validation[0] is None and bool(self.early_stopping)
            model, data = read_stream(self, source, holds_out, streams["split"])
        val = None
        if validation[0] is not None:
            val = check_data(self, model, *validation, suffix="_val")
        in_time = None
        if stream is None:
            # A stream would be read once more for it.
            in_time = partial(members_in_time, model, data, started=started)
        settings = self._resolve(data.n_columns, data.n_rows, goes_on, in_time)
        if stream is not None:
            # Which is read anew in each epoch of each training.
            settings.portfolio = self._built_with["portfolio"] = ALIKE
        warn_of_missing_kinds(self.portfolio, settings)
        watched = val is not None or settings.early_stopping
        self._check_validation(settings, model.targets, data.n_rows, watched, val)
        job = Job(data, val, streams, tasks, started, settings.max_time, progress)
        self.__dict__ = fit_job(self, model, settings, job)

    def _check_validation(self, settings, targets, n_rows, watched, val):
        """Warn of parameters without effect; refuse scorers that don't fit targets.

        `watched` is whether training is watched on some rows, and `val` those of them
        that were given.
        """
        warn_of_no_effect(vars(self), watched, val, n_rows < FEWEST_TO_SPLIT)
        watches_metric = watched and settings.scoring != "loss"
        if watches_metric and isinstance(settings.scoring, str):
            targets.check_scoring(settings)

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch, from where training stands."""
        with self._transaction() as fitted, shared_threads():
            fitted._fit_an_epoch((X, y, sample_weight), classes)
        return self

    def _fit_an_epoch(self, train, classes):
        """Train on a part of the data, as a part of a longer run."""
        if as_stream(train[0]) is not None:
            raise ValueError(
                "partial_fit takes some rows at a time; a stream is for fit, which "
                "reads it again in each epoch."
            )
        goes_on = self.__sklearn_is_fitted__()
        check_together(vars(self))
        self._refuse_for_parts(goes_on)
        if goes_on and self.kinds_ is not None:
            self.__dict__ = fit_epoch_of_kinds(self, train, classes)
            return
        model, data = self._begin(train, goes_on, classes)
        settings = self._resolve(data.n_columns, None, goes_on)
        progress = deepcopy(self._progress) if goes_on else None
        streams = random_streams(self.random_state, progress)
        training = Training(
            settings, streams, None, settings.max_iter, progress=progress
        )
        training.run(model, data, data.rows).check()
        self.__dict__ = self._attributes(training)

    def _refuse_for_parts(self, goes_on):
        """Raise an error for what needs all the data, which `partial_fit` has not."""
        reasons = {"early_stopping": "it never sees all the data"}
        if goes_on:
            check_same_kinds(self)
        else:
            reasons["linear_share"] = reasons["early_stopping"]
            reasons["auxiliary_quantiles"] = "training is yet to go on"
            reasons["portfolio"] = reasons["early_stopping"]
        for name, reason in reasons.items():
            value = getattr(self, name, False)
            if is_on(value):
                raise ValueError(
                    f"partial_fit does not support {name}={value!r}, as {reason}."
                )

    def _begin(self, train, goes_on, classes=None):
        """Return the model to train, and checked data."""
        if goes_on:
            check_going_on(vars(self), self._built_with, self._fixed)
            if self.kinds_ is not None:
                raise ValueError(
                    f"fit can't go on with {len(self.kinds_)} kinds of members: with "
                    "warm_start=True, set portfolio=False from the start."
                )
            model = self._model
        else:
            model = Model(self._new_encoder(), self._targets_class())
        learn = not goes_on
        data = check_data(self, model, *train, learn=learn, classes=classes)
        return model, data.in_canonical_order() if self.shuffle else data

    def _new_encoder(self):
        """Return an encoder that knows nothing, or that of the pretrained estimator."""
        source = pretrained_estimator(self.pretrained, BaseDNN)
        if source is None:
            columns = {"categorical_features": self.categorical_features}
            return TabularEncoder(self.numeric_scaling, **columns)
        # What the columns are is known by now.
        vars(self).pop("feature_names_in_", None)
        for name in "n_features_in_", "feature_names_in_":
            if hasattr(source, name):
                setattr(self, name, getattr(source, name))
        return copy(source.encoder_)

    def _resolve(self, n_columns, n_rows, goes_on, members_in_time=None):
        """Return the parameters with what ``"auto"`` stands for in its place.

        `members_in_time` returns how many members there is time for.
        """
        source = None if goes_on else pretrained_estimator(self.pretrained, BaseDNN)
        before = self._built_with if goes_on else transferable(source)
        settings = resolve(vars(self), n_columns, n_rows, is_classifier(self), before)
        settings.pretrained = source
        if source is not None:
            check_fits(settings)
        if not goes_on:
            if members_in_time is not None and leaves_members_open(
                vars(self), settings
            ):
                # Of the kinds that are asked for, none is left out.
                n_members = max(members_in_time(settings), len(settings.portfolio))
                params = vars(self) | {"n_members": n_members}
                settings = resolve(params, n_columns, n_rows, is_classifier(self))
            self._built_with = {
                name: clone(getattr(settings, name), safe=False)
                for name in (*self._fixed, *REMEMBERED)
            }
        return settings

    def _attributes(self, training):
        """Return the attributes of this estimator if a training ends as it is."""
        # Prediction does not need it, and it is twice as large as the network.
        keeps_progress = self.warm_start or training.n_epochs is None
        return {
            **without_transient(vars(self)),
            **training.attributes(),
            "_model": training.model(),
            "_progress": training.progress() if keeps_progress else None,
        }

    def __getstate__(self):
        return pack(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(unpack(state, type(self)))
