"""What classifier and regressor share: parameters, training, raw predictions."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from copy import copy, deepcopy
from math import ceil
from time import perf_counter
from types import SimpleNamespace

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context, clone, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skdnn._advice import check_alone, check_parts, other_name
from skdnn._architecture import architecture
from skdnn._parameters import (
    CALIBRATION,
    CONSTRAINTS,
    FIXED,
    check_going_on,
    check_together,
    is_auto,
    is_lbfgs,
    named,
    set_for_validation,
)
from skdnn._persistence import pack, transient, unpack, without_transient
from skdnn._recipe import resolve
from skdnn._rows import chunks, rows_with_weight
from skdnn._threads import shared_threads, threads_for
from skdnn._training import (
    WATCHED,
    Clock,
    Data,
    End,
    HeldOut,
    Run,
    StoppingRule,
    hold_out,
    validation_size,
)
from skdnn._validation import Validator
from skdnn._warnings import warn
from skdnn.callbacks import (
    CallbackSupportMixin,
    FitTasks,
    ProgressLine,
    with_callbacks,
)
from skdnn.encoding import TabularEncoder
from skdnn.nn.batches import Batch, Batches, SparseRows
from skdnn.nn.network import build_mlp
from skdnn.nn.optimizers import LBFGS
from skdnn.nn.schedules import SCHEDULES
from skdnn.nn.trainer import Trainer

#: Strength of the penalty by default.
ALPHA = 1e-4

#: Below this mean of the weights, a given strength is seldom what is meant.
SMALL_WEIGHT = 0.01

#: Rows that embeddings of numbers learn their bins from.
LEARNED_ROWS = 100_000

#: Rows predicted at a time, and what the last of them are padded to: a matrix product
#: may round a row differently at the edge, and a prediction depends on its row alone.
PREDICTED_ROWS = 1024
PADDED_ROWS = 16


class BaseDNN(CallbackSupportMixin, BaseEstimator, ABC):
    """A network trained by gradient descent; subclasses deal with targets."""

    _parameter_constraints = CONSTRAINTS
    _fixed = FIXED

    def __new__(cls, *args, **params):
        # Python alone says that there is no such name, not what it is called here.
        other = other_name(params)
        if other is not None:
            raise TypeError(f"{cls.__name__} has no parameter {other}.")
        return super().__new__(cls)

    @abstractmethod
    def __init__(self, **params):
        vars(self).update(params)

    def set_params(self, **params):
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by their names; ``optimizer__beta_1`` is that of an object.

        Returns
        -------
        self : object
            This estimator.
        """
        other = other_name(params)
        if other is not None:
            raise ValueError(f"{type(self).__name__} has no parameter {other}.")
        check_parts(params, vars(self))
        return super().set_params(**params)

    def _validate_params(self):
        params, owner = self.get_params(deep=False), type(self).__name__
        check_alone(params, self._parameter_constraints, owner)

    @abstractmethod
    def _check_targets(self, y, name, reset, classes=None):
        """Return `y` as class indices or numbers; if `reset`, learn its kind."""

    @abstractmethod
    def _resolve_loss(self):
        """Return the loss object."""

    @abstractmethod
    def _learn_targets(self, targets, rows):
        """Learn what `_weigh` and `_network_targets` need from the training rows."""

    @abstractmethod
    def _network_targets(self, targets):
        """Return targets as the loss reads them."""

    def _note_range(self, targets, rows, settings):
        """Keep the range of the targets, if predictions are to stay in it."""

    def _weigh(self, targets, rows):
        """Return `rows` with the weights that their targets give them."""
        return rows

    @abstractmethod
    def _check_scoring(self):
        """Raise an error for the name of a scorer that does not suit the target."""

    def _strata(self, targets):
        """Return the groups that a validation split keeps in proportion."""
        return None

    def _labels(self, targets):
        """Return checked targets as scorers see them."""
        return targets

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
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. NaN stands for a missing number, unless `numeric_scaling` is
            None.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A row of weight 2 is as good as two such rows.

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
        with self._in_training(tasks) as trained, shared_threads():
            check_together(vars(self))
            given = self._check_validation_data(X_val, y_val, sample_weight_val)
            going_on = self.warm_start and hasattr(self, "network_")
            trained._train(X, y, sample_weight, going_on, given, tasks, started)
            if not self.warm_start:
                # Prediction does not need it, and it is twice as large as the network.
                trained._progress = None
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch, from where training stands."""
        with self._in_training() as trained, shared_threads():
            check_together(vars(self))
            if self.early_stopping and not is_auto(self.early_stopping):
                raise ValueError(
                    "partial_fit does not support early_stopping=True, as it never "
                    "sees all the data."
                )
            going_on = hasattr(self, "network_")
            trained._train_an_epoch(X, y, sample_weight, going_on, classes)
        return self

    @contextmanager
    def _in_training(self, tasks=None):
        """Yield a copy to train, which takes this one's place if nothing is raised.

        Until then this one is as it was, and predicts in other threads. The copy is
        shallow: training replaces what was fitted, and changes nothing in place.
        """
        before, trained = vars(self), object.__new__(type(self))
        trained.__dict__ = before.copy()
        # What overflows is looked at, and what underflows is zero.
        with np.errstate(all="ignore"):
            yield trained
        trained.encoder_.forget()
        self.__dict__ = vars(trained) | transient(before)
        if tasks is not None:
            try:
                tasks.end_fit()
            except BaseException:
                self.__dict__ = before
                raise

    def _check_validation_data(self, X_val, y_val, sample_weight_val):
        """Return the three, or None where there is no validation data."""
        if X_val is None and y_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val is provided, but X_val was not.")
            return None
        if y_val is None:
            raise ValueError("X_val is provided, but y_val was not provided.")
        if X_val is None:
            raise ValueError("y_val is provided, but X_val was not provided.")
        if not self.early_stopping:
            raise ValueError(
                "X_val and y_val are passed to fit while early_stopping is False. To "
                "use them, set early_stopping to True or 'auto'."
            )
        return X_val, y_val, sample_weight_val

    def _train(self, X, y, sample_weight, going_on, given, tasks, started):
        """Train on all the data, for as long as it takes.

        `given` is validation data from the user; `started` is when `fit` was called.
        """
        streams = self._begin(going_on)
        data = self._check_data(X, y, sample_weight, "", not going_on)
        if given is not None:
            given = self._check_data(*given, "_val", False)
        if self.shuffle:
            data = data.in_canonical_order()
        settings = self._resolve(data.X.shape[1], data.n_rows, going_on)
        rows, held_out = data.rows, None if given is None else HeldOut([given])
        if given is None and settings.early_stopping:
            # A copy, so that a warm start holds the same rows out.
            rows, held_out = self._split(data, settings, deepcopy(streams["split"]))
        self._warn_of_no_effect(held_out, given)
        if held_out is not None and isinstance(self.scoring, str):
            self._check_scoring()
        end_time = None if self.max_time is None else started + self.max_time
        n_epochs = settings.max_iter
        run = Run(settings, streams, n_epochs, n_epochs, end_time, tasks)
        refits = self.refit and held_out is not None and given is None
        if refits and end_time is not None:
            run = run._replace(end_time=started + self.max_time / 2)
        tasks.begin_fit(n_epochs)
        end = self._train_on(data, rows, held_out, run, going_on)
        self._conclude(end, run)
        if refits and not (end.interrupted or tasks.stopped):
            max_epochs = end.trainer.max_epochs
            run = run._replace(max_epochs=max_epochs, end_time=end_time, tasks=None)
            self._refit(data, run, end.trainer.time_for)

    def _warn_of_no_effect(self, held_out, given):
        """Warn of parameters set by hand that need rows to be held out."""
        for name in set_for_validation(vars(self)):
            if held_out is None and self.early_stopping:
                why = (
                    "no rows are held out, of so few or with this optimizer. Set "
                    "early_stopping=True or pass X_val."
                )
            elif name == "refit" and given is not None:
                why = "with X_val, no rows of X are held out: all are trained on."
            else:
                continue
            warn(f"{name}={getattr(self, name)!r} has no effect: {why}")

    def _refit(self, data, run, clock):
        """Replace the network by one trained on all rows, if nothing comes between.

        What is told of training is that of the first, which was watched.
        """
        before, trouble = vars(self).copy(), f"has no time (max_time={self.max_time})"
        if clock is None or clock.has_time(run.end_time):
            trouble = self._train_again(data, run)
        if trouble is None:
            vars(self).update({name: before[name] for name in WATCHED})
        else:
            self.__dict__ = before
            warn(f"The refit {trouble}: the network from before it is kept.")

    def _train_again(self, data, run):
        """Train a new network on all rows; return what went wrong, if anything."""
        self._progress = None
        self.encoder_ = copy(self.encoder_)
        # Nothing but the clock may end it before; schedules are those of before.
        run = run._replace(
            settings=SimpleNamespace(**{**vars(run.settings), "tol": None}),
            streams=self._random_streams(),
            n_epochs=max(1, self.best_iter_),
        )
        try:
            end = self._train_on(data, data.rows, None, run, going_on=False)
        except KeyboardInterrupt:
            return "was interrupted by user"
        if end.interrupted:
            return "was interrupted by user"
        return "diverged" if end.trainer.diverged else None

    def _train_an_epoch(self, X, y, sample_weight, going_on, classes):
        """Train on a part of the data, as a part of a longer run."""
        streams = self._begin(going_on)
        data = self._check_data(X, y, sample_weight, "", not going_on, classes)
        if self.shuffle:
            data = data.in_canonical_order()
        settings = self._resolve(data.X.shape[1], None, going_on)
        run = Run(settings, streams, None, settings.max_iter)
        self._conclude(self._train_on(data, data.rows, None, run, going_on), run)

    def _begin(self, going_on):
        """Prepare for the data; return the random streams."""
        self._progress = deepcopy(self._progress) if going_on else None
        streams = self._random_streams()
        if going_on:
            check_going_on(vars(self), self._built_with, self._fixed)
        else:
            self.encoder_ = TabularEncoder(
                self.numeric_scaling,
                categorical_features=self.categorical_features,
                max_one_hot=self.max_one_hot,
                min_frequency=self.min_frequency,
                dtype=self.dtype,
            )
        return streams

    def _train_on(self, data, rows, held_out, run, going_on):
        """Train on some rows of checked data, while others may be held out.

        Return how it ended.
        """
        if not going_on:
            self.encoder_.fit_rows(
                data.X, rows.index, rows.weight, drop_constant=run.n_epochs is not None
            )
            self._learn_targets(data.targets, rows)
            self._loss = self._resolve_loss()
            self.temperature_ = 1.0
        self._note_range(data.targets, rows, run.settings)
        batch, total_weight = self._encode(data, rows)
        penalty = _penalty(run.settings.alpha, rows, total_weight)
        if going_on:
            self.network_ = self.network_.copy()
        else:
            self.network_ = self._build_network(run.settings, batch, run.streams)
        validate = None
        if held_out is not None:
            scaling = run.settings.temperature_scaling
            validate = Validator(self, held_out, batch, scaling)
        return self._run(batch, penalty, validate, run)

    def _resolve(self, n_columns, n_rows, going_on):
        """Return the parameters with what ``"auto"`` stands for in its place.

        Where training goes on, that is what it stood for when training began.
        """
        params = vars(self)
        if going_on:
            before = self._built_with.items()
            params = params | {k: v for k, v in before if is_auto(params.get(k))}
        settings = resolve(params, n_columns, n_rows, is_classifier(self))
        if not going_on:
            self._built_with = {
                name: clone(getattr(settings, name), safe=False)
                for name in (*self._fixed, *CALIBRATION)
            }
        return settings

    def _random_streams(self):
        """Return one generator a purpose: dropout does not change the order of rows."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        purposes = "weights", "split", "order", "dropout"
        streams = np.random.default_rng(seed).spawn(len(purposes))
        streams = dict(zip(purposes, streams, strict=True))
        if self._progress is not None:
            streams.update(self._progress["streams"])
        return streams

    def _check_data(self, X, y, sample_weight, suffix, reset, classes=None):
        """Return checked data; `suffix` is that of the names of the arguments."""
        with _errors_of(suffix and f"X{suffix}"):
            X_checked = self.encoder_.validate(self, X, reset=reset)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None."
            )
        targets = self._check_targets(y, f"y{suffix}", reset, classes)
        n_samples = X_checked.shape[0]
        if n_samples != len(targets):
            raise ValueError(
                f"X{suffix} and y{suffix} must have as many rows, got arrays of shape "
                f"{X_checked.shape} and {np.shape(y)}."
            )
        if sample_weight is not None:
            with _errors_of(suffix and f"sample_weight{suffix}"):
                sample_weight = _check_weight(sample_weight, X_checked, suffix)
        rows = rows_with_weight(n_samples, sample_weight)
        # Not all sparse formats have rows to take.
        frame = X_checked if issparse(X) else X
        is_weighted = sample_weight is not None
        return Data(X_checked, targets, rows, len(rows.index), frame, is_weighted)

    def _split(self, data, settings, rng):
        """Return the training rows, and those that are held out.

        Members with parameters of their own hold out different rows.  What they have
        in common, as scaling and bins, learns from the rows of all.
        """
        n_rows = len(data.rows.index)
        n_validation = validation_size(self.validation_fraction, data.n_rows)
        if n_validation >= data.n_rows:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves no row to "
                f"train on: there are {data.n_rows} rows of non-zero weight, copies "
                "counted once. Set early_stopping=False or lower validation_fraction."
            )
        n_validation = max(1, round(n_validation * n_rows / data.n_rows))
        strata = self._strata(data.targets[data.rows.index])
        own = settings.ensemble_weights == "own" and settings.n_ensemble > 1
        n_members = settings.n_ensemble if own else 1
        positions = hold_out(n_rows, n_validation, strata, rng, n_members)
        parts = [data._replace(rows=data.rows.take(p)) for p in positions]
        learned = np.ones((n_rows, n_members), dtype=bool)
        np.put_along_axis(learned, positions.T, False, axis=0)
        if own:
            return data.rows._replace(learned=learned), HeldOut(parts, positions)
        return data.rows.take(np.flatnonzero(learned)), HeldOut(parts)

    def _encode(self, data, rows):
        """Return some rows as the network reads them, and the sum of their weights."""
        if issparse(data.X):
            X = SparseRows(*self.encoder_.encode_sparse_rows(data.X, rows.index))
        else:
            X = self.encoder_.encode_rows(data.X, rows.index)
        targets = self._network_targets(data.targets[rows.index])
        weight, total = self._weights(data.targets, rows)
        return Batch(X, targets, weight), total

    def _weights(self, targets, rows):
        """Return weights of mean 1, or None where all are, and their sum before.

        Members that do not learn from all rows have weights of their own, and the sum
        is the mean of theirs.
        """
        rows, n = self._weigh(targets, rows), len(rows.index)
        if rows.weight is None and rows.learned is None:
            return None, n
        weight = np.ones((n, 1)) if rows.weight is None else rows.weight[:, None]
        if rows.learned is not None:
            weight = weight * rows.learned
        total = weight.sum(axis=0)
        for sum_of_member in total:
            if not 0 < sum_of_member < np.inf:
                raise ValueError(
                    "The weights of the training or validation rows, sample_weight "
                    "times class_weight, must have a sum that is finite and not zero: "
                    f"{sum_of_member}."
                )
        return (weight / total * n).astype(self.dtype), float(total.mean())

    def _build_network(self, settings, batch, streams):
        """Return a network with its initial parameters."""
        # Plain data, which is what a pickle holds of the network's layers.
        self._architecture = architecture(settings, self.encoder_, self.n_outputs_)
        network = build_mlp(**self._architecture)
        network.initialize(streams["weights"])
        if network.adapts:
            sample = slice(LEARNED_ROWS)
            weight = batch.weight
            weight = None if weight is None else weight[sample].mean(axis=1)
            # Dense, even where the table is sparse.
            network.adapt(batch.X[sample], weight)
        return network

    def _combined(self, raw):
        """Return raw predictions, those of an ensemble as one."""
        return raw if raw.ndim == 2 else self._loss.average(raw)

    def _run(self, batch, penalty, validate, run):
        """Train the network; return how it ended."""
        settings, n_epochs = run.settings, run.n_epochs
        trainer = self._make_trainer(penalty, run)
        tol = settings.tol if n_epochs else None
        # That of before is a part of the model, until other rows have their say.
        temperature = self.temperature_ if settings.temperature_scaling else 1.0
        patience = settings.n_iter_no_change
        rule = StoppingRule(trainer, patience, tol, validate, temperature)
        hooks = self._hooks(trainer, rule, run)
        size = {"bgd": len(batch.X), "sgd": 1, "minibatch": settings.batch_size}
        size = size[settings.solver]
        interrupted = False
        try:
            with threads_for(2 * size * self.network_.largest_matrix):
                if isinstance(trainer.optimizer, LBFGS):
                    tol = 0.0 if settings.tol is None else settings.tol
                    trainer.minimize(batch, n_epochs, tol, *hooks)
                else:
                    order = run.streams["order"] if settings.shuffle else None
                    batches = Batches(*batch, size, order)
                    trainer.run(batches, n_epochs or 1, *hooks)
        except KeyboardInterrupt:
            # Before an epoch has ended, there is nothing to keep.
            if not rule.n_epochs:
                raise
            interrupted = True
        n_steps = rule.n_epochs * ceil(len(batch.X) / size)
        return End(trainer, rule, interrupted, batch, n_steps)

    def _conclude(self, end, run):
        """Keep what there is to tell about a training."""
        end.check(run.n_epochs, run.tasks is not None and run.tasks.stopped)
        vars(self).update(self._fitted_attributes(end.trainer, end.rule, run.n_epochs))
        self._progress = _progress(end.trainer, run.streams)

    def _hooks(self, trainer, rule, run):
        """Return what the trainer calls at the end of an epoch, and at its start."""
        n_epochs, tasks = run.n_epochs, run.tasks
        line = ProgressLine(n_epochs or 1) if run.settings.verbose else None

        def on_epoch_end():
            clock = trainer.time_for
            stops = rule() | (clock is not None and clock.is_over(trainer.epoch))
            if line is not None:
                values = {"loss": trainer.losses[-1]}
                if rule.validate is not None:
                    values["validation loss"] = rule.validations[-1].loss
                    values["score"] = rule.validations[-1].score
                line.print(trainer.epoch, len(trainer.losses), values)
            if tasks is not None:
                stops |= tasks.end_epoch(
                    lambda: {
                        **without_transient(vars(self)),
                        **self._fitted_attributes(trainer, rule, n_epochs),
                        "_progress": deepcopy(_progress(trainer, run.streams))
                        if run.settings.warm_start
                        else None,
                    }
                )
            return stops

        return on_epoch_end, tasks.begin_epoch if tasks is not None else lambda: None

    def _make_trainer(self, penalty, run):
        settings, progress = run.settings, self._progress or {}
        optimizer, start_epoch = settings.optimizer, progress.get("epoch", 0)
        state = clock = None
        if run.end_time is not None:
            clock = Clock(run.end_time, start_epoch, run.n_epochs, run.max_epochs)
        if progress.get("optimizer") == type(optimizer).__name__:
            state = progress["state"]
        self.learning_rate_ = settings.learning_rate
        return Trainer(
            self.network_,
            self._loss,
            optimizer,
            named(settings.schedule, SCHEDULES),
            learning_rate=settings.learning_rate,
            plateau_factor=progress.get("plateau_factor", 1.0),
            penalty=penalty,
            max_epochs=run.max_epochs,
            state=state,
            dropout_rng=run.streams["dropout"],
            start_epoch=start_epoch,
            time_for=clock,
        )

    def _fitted_attributes(self, trainer, rule, n_epochs):
        """Return what training leaves behind, as if it stopped now."""
        # A copy, since training may go on.
        network = self.network_.copy()
        if rule.best.snapshot is not None:
            network.restore(rule.best.snapshot)
        return {
            "network_": network,
            "n_iter_": rule.n_epochs if n_epochs else trainer.epoch,
            **rule.attributes(),
        }

    def _as_it_is(self):
        """Return this estimator as it is now, whatever another thread makes of it.

        Training puts another ``__dict__`` in place of this one.
        """
        check_is_fitted(self)
        same = object.__new__(type(self))
        same.__dict__ = vars(self)
        return same

    def _predict_raw(self, X):
        """Return the raw predictions (n_samples, n_outputs)."""
        return self._predict_with(X, self._combined, self.network_.params.dtype)

    @np.errstate(all="ignore")
    def _predict_with(self, X, finish, dtype=np.float64):
        """Return ``finish(raw predictions)``, computed a few rows at a time.

        Raw predictions are (n, n_outputs), or (n_members, n, n_outputs); `dtype` is
        theirs: a float32 can't tell a probability of 1 - 1e-9 from 1.
        """
        X = self.encoder_.validate(self, X, reset=False)
        # That of the network, whatever the parameter has been set to since.
        network_dtype, dtype = self.network_.params.dtype, np.dtype(dtype)
        n_raw = self.n_outputs_ * (self.network_.n_members or 1)
        spans = chunks(X.shape[0], max(X.shape[1], n_raw), PREDICTED_ROWS, PADDED_ROWS)
        spans = list(spans)
        rows = np.zeros(
            (_padded(spans[0]), self.encoder_.n_features_out_), network_dtype
        )
        out = sparse = None
        if issparse(X):
            every = np.arange(X.shape[0])
            sparse = SparseRows(*self.encoder_.encode_sparse_rows(X, every))
        for span in spans:
            n = span.stop - span.start
            if sparse is None:
                self.encoder_.encode(X[span], out=rows[:n])
            else:
                sparse.take(span, out=rows[:n])
            raw = self.network_.predict(rows[: _padded(span)])[..., :n, :]
            raw = raw.astype(dtype, copy=False) / dtype.type(self.temperature_)
            part = finish(raw)
            if out is None:
                out = np.empty((X.shape[0], *part.shape[1:]), part.dtype)
            out[span] = part
        return out

    def __getstate__(self):
        return pack(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(unpack(state, type(self).__name__))

    def _get_params_html(self, deep=True, doc_link=None):
        # scikit-learn shows the descriptions in our docstrings only inside a link, and
        # there is no page to link to: this one is to the page that it stands on. Before
        # 1.8, it shows none, and passes no link.
        link = () if doc_link is None else ("#",)
        return super()._get_params_html(deep, *link)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.numeric_scaling is not None
        tags.input_tags.sparse = True
        tags.input_tags.categorical = self.categorical_features is not None
        return tags

    @property
    def coefs_(self):
        """The weight matrix (n_inputs, n_outputs) of each layer."""
        return self.network_.weights

    @property
    def intercepts_(self):
        """The bias (n_outputs,) of each layer, or the shift of its batch norm."""
        return self.network_.shifts

    @property
    def n_layers_(self):
        """Number of layers, input and output included."""
        return len(self.coefs_) + 1

    @property
    def out_activation_(self):
        """Name of the function from the raw predictions to predictions."""
        return self._loss.link


def _penalty(alpha, rows, total_weight):
    """Return what ``|weights|^2 / 2`` is multiplied with, beside the mean loss of rows.

    Warn where a strength that was given is no longer small beside their weights.
    """
    learned = rows.learned
    n_rows = len(rows.index) if learned is None else learned.sum(axis=0).mean()
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


def optimizer_takes_steps(estimator):
    """Whether the optimizer can train on a part of the data at a time."""
    if is_lbfgs(estimator.optimizer):
        raise AttributeError("partial_fit is not available with optimizer='lbfgs'.")
    return True


def _progress(trainer, streams):
    """Return what training needs to go on, besides the network."""
    return {
        "epoch": trainer.epoch,
        "optimizer": type(trainer.optimizer).__name__,
        # Numbers that overflowed would spoil the next run too.
        "state": None if trainer.diverged else trainer.step.state,
        "plateau_factor": trainer.plateau_factor,
        "streams": streams,
    }


@contextmanager
def _errors_of(name):
    """Put a name, if there is one, before the messages of errors."""
    try:
        yield
    except ValueError as error:
        if not name:
            raise
        raise ValueError(f"{name}: {error}") from error


def _padded(span):
    """Return the length of a slice, rounded up."""
    return -(-(span.stop - span.start) // PADDED_ROWS) * PADDED_ROWS


def _check_weight(weight, X, suffix):
    name = f"sample_weight{suffix}"
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError(
            f"{name}: all weights are zero, there is nothing to learn from."
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(weight.sum()):
            raise ValueError(f"{name}: the sum of the weights is not finite.")
    return weight
