"""What classifier and regressor share: parameters, training, raw predictions."""

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skdnn._parameters import (
    CONSTRAINTS,
    FIXED,
    check_together,
    named,
    per_layer,
    plain,
)
from skdnn._persistence import pack, unpack, without_transient
from skdnn._rows import chunks, dense, distinct_rows, rows_with_weight
from skdnn._threads import shared_threads
from skdnn._training import Data, StoppingRule, split_rows, validation_size
from skdnn.callbacks import (
    CallbackSupportMixin,
    FitTasks,
    ProgressLine,
    with_callbacks,
)
from skdnn.encoding import TabularEncoder
from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.batches import Batch, Batches, SparseRows
from skdnn.nn.network import build_mlp
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS
from skdnn.nn.schedules import SCHEDULES
from skdnn.nn.trainer import Trainer

#: Above this many rows, ``early_stopping="auto"`` means True, as in
#: HistGradientBoosting.
EARLY_STOPPING_ROWS = 10_000

#: The largest batch of ``batch_size="auto"``.
AUTO_BATCH_SIZE = 200

#: Rows predicted at a time, and what the last of them are padded to: a matrix product
#: may round a row differently at the edge, and a prediction depends on its row alone.
PREDICTED_ROWS = 1024
PADDED_ROWS = 16


class BaseDNN(CallbackSupportMixin, BaseEstimator, ABC):
    """A network trained by gradient descent; subclasses deal with targets."""

    _parameter_constraints = CONSTRAINTS
    _fixed = FIXED

    @abstractmethod
    def __init__(
        self,
        hidden_layer_dims,
        *,
        activation,
        batch_norm,
        dropout,
        alpha,
        loss,
        solver,
        batch_size,
        optimizer,
        learning_rate,
        schedule,
        weight_init,
        max_iter,
        tol,
        n_iter_no_change,
        shuffle,
        early_stopping,
        validation_fraction,
        scoring,
        numeric_scaling,
        categorical_features,
        warm_start,
        verbose,
        random_state,
        dtype,
    ):
        self.hidden_layer_dims = hidden_layer_dims
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.alpha = alpha
        self.loss = loss
        self.solver = solver
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_init = weight_init
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.numeric_scaling = numeric_scaling
        self.categorical_features = categorical_features
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.dtype = dtype

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

    def _weigh(self, targets, rows):
        """Return `rows` with the weights that their targets give them."""
        return rows

    def _strata(self, targets):
        """Return the groups that a validation split keeps in proportion."""
        return None

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
        tasks = FitTasks(self, X, y, sample_weight)
        with self._in_training() as trained, shared_threads():
            check_together(vars(self))
            given = self._check_validation_data(X_val, y_val, sample_weight_val)
            going_on = self.warm_start and hasattr(self, "network_")
            trained._train(X, y, sample_weight, going_on, given, self.max_iter, tasks)
            if not self.warm_start:
                # Prediction does not need it, and it is twice as large as the network.
                trained._progress = None
        tasks.end_fit()
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch, from where training stands."""
        with self._in_training() as trained, shared_threads():
            check_together(vars(self))
            if self.early_stopping is True:
                raise ValueError(
                    "partial_fit does not support early_stopping=True, as it never "
                    "sees all the data."
                )
            going_on = hasattr(self, "network_")
            trained._train(X, y, sample_weight, going_on, classes=classes)
        return self

    @contextmanager
    def _in_training(self):
        """Yield a copy to train, which takes this one's place if nothing is raised.

        Until then this one is as it was, and predicts in other threads. The copy is
        shallow: training replaces what was fitted, and changes nothing in place.
        """
        copy = object.__new__(type(self))
        copy.__dict__ = vars(self).copy()
        yield copy
        self.__dict__ = vars(copy)

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
        if self.early_stopping is False:
            raise ValueError(
                "X_val and y_val are passed to fit while early_stopping is False. To "
                "use them, set early_stopping to True or 'auto'."
            )
        return X_val, y_val, sample_weight_val

    def _train(
        self,
        X,
        y,
        sample_weight,
        going_on,
        given=None,
        n_epochs=None,
        tasks=None,
        classes=None,
    ):
        """Train for at most `n_epochs`, by default for one, as a part of a longer run.

        `given` is validation data from the user.
        """
        self._progress = deepcopy(self._progress) if going_on else None
        streams = self._random_streams()
        if going_on:
            self._check_unchanged()
        else:
            self._built_with = {name: plain(vars(self), name) for name in self._fixed}
            self.encoder_ = TabularEncoder(
                self.numeric_scaling,
                categorical_features=self.categorical_features,
                dtype=self.dtype,
            )
        data = self._check_data(X, y, sample_weight, "", not going_on, classes)
        if given is not None:
            given = self._check_data(*given, "_val", False)
        if self.shuffle:
            data = data._replace(rows=distinct_rows(data.X, data.targets, data.rows))
        rows, held_out = data.rows, given
        if given is None and n_epochs and self._stops_early(len(rows.index)):
            # A copy, so that a warm start holds the same rows out.
            rows, held_out = self._split(data, deepcopy(streams["split"]))
        if not going_on:
            # What is constant in the first part of a stream need not be in the next.
            whole = n_epochs is not None
            self.encoder_.fit_rows(data.X, rows.index, rows.weight, drop_constant=whole)
            self._learn_targets(data.targets, rows)
            self._loss = self._resolve_loss()
        batch, weight = self._encode(data, rows)
        if going_on:
            self.network_ = self.network_.copy()
        else:
            self.network_ = self._build_network(streams["weights"])
        self._run(batch, weight, self._validator(held_out), n_epochs, streams, tasks)

    def _check_unchanged(self):
        """Raise an error if going on would take another network, loss or encoding."""
        for name, before in self._built_with.items():
            if plain(vars(self), name) != before:
                raise ValueError(
                    f"{name} was {before!r} when training began and is now "
                    f"{getattr(self, name)!r}: warm_start and partial_fit can't change "
                    "it. Train a clone instead."
                )

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
        labels = y.tocsr() if issparse(y) else y
        return Data(X_checked, targets, rows, frame, labels)

    def _stops_early(self, n_rows):
        if self.early_stopping == "auto":
            return n_rows > EARLY_STOPPING_ROWS
        return self.early_stopping

    def _split(self, data, rng):
        """Return the training rows, and the validation data."""
        n_rows = len(data.rows.index)
        n_validation = validation_size(self.validation_fraction, n_rows)
        if n_validation >= n_rows:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves no row to "
                f"train on: there are {n_rows} different rows of non-zero weight. Set "
                "early_stopping=False or lower validation_fraction."
            )
        strata = self._strata(data.targets[data.rows.index])
        training, validation = split_rows(n_rows, n_validation, strata, rng)
        held_out = data._replace(rows=data.rows.take(validation))
        return data.rows.take(training), held_out

    def _encode(self, data, rows):
        """Return some rows as the network reads them, and the sum of their weights."""
        rows = self._weigh(data.targets, rows)
        if issparse(data.X):
            X = SparseRows(*self.encoder_.encode_sparse_rows(data.X, rows.index))
        else:
            X = self.encoder_.encode_rows(data.X, rows.index)
        targets = self._network_targets(data.targets[rows.index])
        if rows.weight is None:
            return Batch(X, targets, None), len(X)
        total = float(rows.weight.sum())
        if not 0 < total < np.inf:
            raise ValueError(
                "The weights of the training or validation rows, sample_weight times "
                f"class_weight, must have a sum that is finite and not zero: {total}."
            )
        weight = (rows.weight * (len(X) / total)).astype(self.dtype)[:, None]
        return Batch(X, targets, weight), total

    def _build_network(self, rng):
        """Return a network with its initial parameters."""
        activations = per_layer(vars(self), "activation")
        if self.weight_init == "auto":
            above = [*activations, "identity"]
            initializers = [ACTIVATIONS[name].initializer for name in above]
        else:
            initializers = [self.weight_init] * (len(activations) + 1)
        hidden = map(int, self.hidden_layer_dims)
        # Plain data, which is what a pickle holds of the network's layers.
        self._architecture = {
            "widths": [self.encoder_.n_features_out_, *hidden, self.n_outputs_],
            "activations": activations,
            "initializers": initializers,
            "batch_norm": bool(self.batch_norm),
            "dropout": list(map(float, per_layer(vars(self), "dropout"))),
            "dtype": self.dtype,
        }
        network = build_mlp(**self._architecture)
        network.initialize(rng)
        return network

    def _validator(self, data):
        """Return a function that measures loss and score on validation data."""
        if data is None:
            return None
        batch, _ = self._encode(data, data.rows)
        scorer = None if self.scoring == "loss" else self._scorer(data)

        def validate():
            loss = self._mean_loss(batch)
            # A metric would only complain of predictions that are not finite.
            if scorer is None or not np.isfinite(loss):
                return loss, -loss
            score = scorer()
            if np.isnan(score):
                raise ValueError(
                    f"scoring={self.scoring!r} is NaN on the validation data, of "
                    f"{len(batch.X)} rows. Validate on more of them, or use "
                    "scoring='loss'."
                )
            return loss, score

        return validate

    def _scorer(self, data):
        """Return a function that scores the estimator on validation data as it came."""
        scorer = check_scoring(self, scoring=self.scoring)
        index = data.rows.index
        X, y = _safe_indexing(data.frame, index), _safe_indexing(data.labels, index)
        weight = self._weigh(data.targets, data.rows).weight
        options = {} if weight is None else {"sample_weight": weight}
        return lambda: float(scorer(self, X, y, **options))

    def _mean_loss(self, batch):
        """Return the loss on encoded rows, without the penalty."""
        total, n = 0.0, len(batch.X)
        for chunk in chunks(n, batch.X.shape[1], PREDICTED_ROWS):
            raw = self.network_.forward(batch.X[chunk])
            weight = None if batch.weight is None else batch.weight[chunk]
            total += self._loss.loss_gradient(batch.y[chunk], raw, weight, 1 / n)[0]
        return total

    def _run(self, batch, total_weight, validate, n_epochs, streams, tasks):
        """Train the network, and keep what there is to tell about it."""
        trainer = self._make_trainer(total_weight, streams["dropout"])
        tol = self.tol if n_epochs else None
        rule = StoppingRule(trainer, self.n_iter_no_change, tol, validate)
        hooks = self._hooks(trainer, rule, n_epochs, streams, tasks)
        try:
            if isinstance(trainer.optimizer, LBFGS):
                tol = 0.0 if self.tol is None else self.tol
                trainer.minimize(batch, n_epochs, tol, *hooks)
            else:
                size = {"bgd": len(batch.X), "sgd": 1, "minibatch": self.batch_size}
                size = size[self.solver]
                size = AUTO_BATCH_SIZE if size == "auto" else size
                rng = streams["order"] if self.shuffle else None
                trainer.run(Batches(*batch, size, rng), n_epochs or 1, *hooks)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=6)
        self._warn_if_it_went_badly(trainer, rule, n_epochs)
        vars(self).update(self._fitted_attributes(trainer, rule, n_epochs))
        self._progress = _progress(trainer, streams)

    def _hooks(self, trainer, rule, n_epochs, streams, tasks):
        """Return what the trainer calls at the end of an epoch, and at its start."""
        line = ProgressLine(n_epochs or 1) if self.verbose else None

        def on_epoch_end():
            stops = rule()
            if line is not None:
                values = {"loss": trainer.losses[-1]}
                if rule.validate is not None:
                    values["validation loss"] = rule.validation_losses[-1]
                    values["score"] = rule.scores[-1]
                line.print(trainer.epoch, len(trainer.losses), values)
            if tasks is not None:
                stops |= tasks.end_epoch(
                    lambda: {
                        **without_transient(vars(self)),
                        **self._fitted_attributes(trainer, rule, n_epochs),
                        "_progress": deepcopy(_progress(trainer, streams))
                        if self.warm_start
                        else None,
                    }
                )
            return stops

        return on_epoch_end, tasks.begin_epoch if tasks is not None else lambda: None

    def _make_trainer(self, total_weight, dropout_rng):
        optimizer = named(self.optimizer, OPTIMIZERS)
        progress = self._progress or {}
        state = None
        if progress.get("optimizer") == type(optimizer).__name__:
            state = progress["state"]
        return Trainer(
            self.network_,
            self._loss,
            optimizer,
            named(self.schedule, SCHEDULES),
            learning_rate=self._initial_learning_rate(),
            slowdown=progress.get("slowdown", 1.0),
            penalty=self.alpha / total_weight,
            max_epochs=self.max_iter,
            state=state,
            dropout_rng=dropout_rng,
            start_epoch=progress.get("epoch", 0),
        )

    def _initial_learning_rate(self):
        if self.learning_rate == "auto":
            return named(self.optimizer, OPTIMIZERS).default_learning_rate
        return self.learning_rate

    def _warn_if_it_went_badly(self, trainer, rule, n_epochs):
        losses = trainer.losses
        advice = (
            f"in epoch {trainer.epoch + 1} the loss or the weights were no longer "
            "finite. Lower learning_rate, scale the columns (numeric_scaling='robust') "
            "or, for a regressor, the target (target_scaling=True)."
        )
        if trainer.diverged:
            validated = rule.validate is not None
            if not losses or (validated and rule.best_snapshot is None):
                raise ValueError(f"Training diverged: {advice}")
            warnings.warn(
                f"Training diverged: {advice} The weights from before are kept.",
                ConvergenceWarning,
                stacklevel=7,
            )
        elif len(losses) == n_epochs and rule.should_have_stopped():
            warnings.warn(
                f"Training reached max_iter={self.max_iter} epochs and has not "
                "converged yet. Increase max_iter or learning_rate.",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _fitted_attributes(self, trainer, rule, n_epochs):
        """Return what training leaves behind, as if it stopped now."""
        losses = list(trainer.losses)
        # A copy, since training may go on.
        network = self.network_.copy()
        if rule.best_snapshot is not None:
            network.restore(rule.best_snapshot)
        return {
            "network_": network,
            "loss_curve_": losses,
            "loss_": losses[-1] if losses else None,
            "n_iter_": len(losses) if n_epochs else trainer.epoch,
            "learning_rate_": self._initial_learning_rate(),
            **rule.best(),
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
        return self._predict_with(X, lambda raw: raw)

    def _predict_linked(self, X):
        """Return the predictions of the network, behind the link of the loss."""
        # In float64, as a float32 can't tell a probability of 1 - 1e-9 from 1.
        return self._predict_with(
            X, lambda raw: self._loss.inverse_link(raw.astype(np.float64)), np.float64
        )

    def _predict_with(self, X, finish, dtype=None):
        """Return ``finish(raw predictions)``, computed a few rows at a time."""
        X = self.encoder_.validate(self, X, reset=False)
        # That of the network, whatever the parameter has been set to since.
        network_dtype = self.network_.params.dtype
        out = np.empty((X.shape[0], self.n_outputs_), dtype or network_dtype)
        spans = list(chunks(*X.shape, PREDICTED_ROWS, PADDED_ROWS))
        rows = np.zeros(
            (_padded(spans[0]), self.encoder_.n_features_out_), network_dtype
        )
        # What overflows ends as an infinite prediction or a probability of 0 or 1.
        with np.errstate(over="ignore", invalid="ignore"):
            for span in spans:
                n = span.stop - span.start
                self.encoder_.encode(dense(X, span), out=rows[:n])
                out[span] = finish(self.network_.forward(rows[: _padded(span)])[:n])
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


def optimizer_takes_steps(estimator):
    """Whether the optimizer can train on a part of the data at a time."""
    if isinstance(named(estimator.optimizer, OPTIMIZERS), LBFGS):
        raise AttributeError("partial_fit is not available with optimizer='lbfgs'.")
    return True


def _progress(trainer, streams):
    """Return what training needs to go on, besides the network."""
    return {
        "epoch": trainer.epoch,
        "optimizer": type(trainer.optimizer).__name__,
        # Numbers that overflowed would spoil the next run too.
        "state": None if trainer.diverged else trainer.state,
        "slowdown": trainer.slowdown,
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
