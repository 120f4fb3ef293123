"""What classifier and regressor share: parameters, training, raw predictions."""

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import _safe_indexing, check_random_state, gen_batches
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted

from skdnn._training import (
    Data,
    StoppingRule,
    distinct_rows,
    rows_with_weight,
    split_rows,
    validation_size,
)
from skdnn.encoding import CHUNK_ROWS, TabularEncoder
from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.batches import Batch, Batches
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.network import build_mlp
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, Optimizer
from skdnn.nn.schedules import SCHEDULES, Constant, Schedule
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


class BaseDNN(BaseEstimator, ABC):
    """A network trained by gradient descent; subclasses deal with targets."""

    _parameter_constraints = {
        "hidden_layer_dims": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"bgd", "sgd", "minibatch"})],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer, LBFGS],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "schedule": [StrOptions(set(SCHEDULES)), Schedule],
        "weight_init": [StrOptions({"auto", *INITIALIZERS})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "early_stopping": [StrOptions({"auto"}), "boolean"],
        "validation_fraction": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
        "numeric_scaling": [StrOptions({"robust", "standard", "quantile"}), None],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    #: What a run that goes on can't change.
    _fixed = (
        "hidden_layer_dims",
        "activation",
        "batch_norm",
        "dropout",
        "loss",
        "numeric_scaling",
        "dtype",
    )

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
        X : array-like of shape (n_samples, n_features)
            Training data. NaN stands for a missing number, unless `numeric_scaling` is
            None.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A row of weight 2 is as good as two such rows.

        X_val : array-like of shape (n_val, n_features), default=None
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
        with self._unchanged_on_error():
            self._check_parameters()
            going_on = self.warm_start and hasattr(self, "network_")
            given = self._check_validation_data(X_val, y_val, sample_weight_val)
            self._train(X, y, sample_weight, given, going_on, n_epochs=self.max_iter)
            if not self.warm_start:
                # Prediction does not need it, and it is twice as large as the network.
                self._progress = None
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch, from where training stands."""
        with self._unchanged_on_error():
            self._check_parameters()
            if self.early_stopping is True:
                raise ValueError(
                    "partial_fit does not support early_stopping=True, as it never "
                    "sees all the data."
                )
            self._train(
                X, y, sample_weight, None, hasattr(self, "network_"), classes=classes
            )
        return self

    @contextmanager
    def _unchanged_on_error(self):
        """Leave the estimator as it was if the body raises."""
        before = vars(self).copy()
        snapshot = self.network_.snapshot() if hasattr(self, "network_") else None
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            if snapshot is not None:
                self.network_.restore(snapshot)
            raise

    def _check_parameters(self):
        """Raise an error for pairs of parameters that make no sense together."""
        dims = check_array(
            self.hidden_layer_dims,
            ensure_2d=False,
            ensure_min_samples=0,
            dtype=None,
            input_name="hidden_layer_dims",
        )
        if dims.ndim != 1 or (
            len(dims) and (dims.dtype.kind not in "iu" or min(dims) < 1)
        ):
            raise ValueError(
                "hidden_layer_dims must be a sequence of integers >= 1, got "
                f"{self.hidden_layer_dims!r}."
            )
        self._per_layer("activation", lambda value: value in ACTIVATIONS)
        self._per_layer("dropout", lambda v: isinstance(v, Real) and 0 <= v < 1)
        for name in ("loss", "optimizer", "schedule"):
            self._check_ranges(getattr(self, name))
        if self._is_lbfgs():
            self._check_lbfgs()

    def _check_ranges(self, part):
        """Raise an error for a parameter of a loss, an optimizer or a schedule."""
        if not isinstance(part, str):
            constraints = {
                name: [Interval(kind, low, high, closed=closed)]
                for name, (kind, low, high, closed) in part.ranges.items()
            }
            params = part.get_params(deep=False)
            validate_parameter_constraints(constraints, params, type(part).__name__)

    def _check_lbfgs(self):
        schedule = named(self.schedule, SCHEDULES)
        meaningless = {
            "solver": self.solver != "bgd",
            "dropout": any(self._per_layer("dropout")),
            "learning_rate": self.learning_rate != "auto",
            "schedule": type(schedule) is not Constant or schedule.warm_up > 0,
        }
        needed = {
            "solver": "solver='bgd', all rows a step",
            "dropout": "dropout=0, an objective that stands still",
            "learning_rate": "learning_rate='auto', as it finds its own steps",
            "schedule": "schedule='constant', as it finds its own steps",
        }
        for name in meaningless:
            if meaningless[name]:
                raise ValueError(
                    f"optimizer='lbfgs' needs {needed[name]}; got {name}="
                    f"{getattr(self, name)!r}."
                )

    def _with_link(self, loss, links):
        """Return the loss with the first of `links`, unless it has another of them."""
        links = [link for link in links if link in loss.links]
        if loss.link == "auto":
            return clone(loss).set_params(link=links[0])
        if loss.link not in links:
            raise ValueError(
                f"loss={loss!r}: link must be one of {links} for this target, got "
                f"{loss.link!r}."
            )
        return loss

    def _is_lbfgs(self):
        return isinstance(named(self.optimizer, OPTIMIZERS), LBFGS)

    def _per_layer(self, name, is_valid=lambda value: True):
        """Return the parameter `name` as one value for each hidden layer."""
        value, n_layers = getattr(self, name), len(self.hidden_layer_dims)
        values = [value] * n_layers if np.ndim(value) == 0 else list(value)
        if len(values) != n_layers:
            raise ValueError(
                f"{name} has {len(values)} entries, but hidden_layer_dims has "
                f"{n_layers}: got {name}={value!r}, "
                f"hidden_layer_dims={self.hidden_layer_dims!r}."
            )
        if not all(is_valid(v) for v in values):
            raise ValueError(f"{name} has an entry that is not valid: {value!r}.")
        return values

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

    def _train(self, X, y, sample_weight, given, going_on, n_epochs=None, classes=None):
        """Train for at most `n_epochs`, by default for one, as a part of a longer run.

        `given` is validation data from the user.
        """
        # A copy, so that what was learned before survives an error.
        self._progress = deepcopy(self._progress) if going_on else None
        streams = self._random_streams()
        if going_on:
            self._check_unchanged()
        else:
            self._built_with = {name: repr(getattr(self, name)) for name in self._fixed}
            self.encoder_ = TabularEncoder(self.numeric_scaling, self.dtype)
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
            self.encoder_.fit_rows(data.X, rows.index, rows.weight)
            self._learn_targets(data.targets, rows)
            self._loss = self._resolve_loss()
        batch, weight = self._encode(data, rows)
        if not going_on:
            self.network_ = self._build_network(streams["weights"])
        self._run(batch, weight, self._validator(held_out), n_epochs, streams)

    def _check_unchanged(self):
        """Raise an error if going on would take another network, loss or encoding."""
        for name, before in self._built_with.items():
            if repr(getattr(self, name)) != before:
                raise ValueError(
                    f"{name} was {before} when training began and is now "
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
        X_checked = self.encoder_.validate(self, X, reset=reset)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None."
            )
        targets = self._check_targets(y, f"y{suffix}", reset, classes)
        if len(X_checked) != len(targets):
            raise ValueError(
                f"X{suffix} and y{suffix} must have as many rows, got arrays of shape "
                f"{X_checked.shape} and {np.shape(y)}."
            )
        if sample_weight is not None:
            sample_weight = _check_weight(sample_weight, X_checked, suffix)
        rows = rows_with_weight(len(X_checked), sample_weight)
        return Data(X_checked, targets, rows, X, y)

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
        n, dtype = len(rows.index), np.dtype(self.dtype)
        encoded = np.empty((n, self.encoder_.n_features_out_), dtype)
        for chunk in gen_batches(n, CHUNK_ROWS):
            self.encoder_.encode(data.X[rows.index[chunk]], out=encoded[chunk])
        targets = self._network_targets(data.targets[rows.index])
        if rows.weight is None:
            return Batch(encoded, targets, None), n
        total = rows.weight.sum()
        weight = (rows.weight * (n / total)).astype(dtype)[:, None]
        return Batch(encoded, targets, weight), total

    def _build_network(self, rng):
        """Return a network with its initial parameters."""
        activations = self._per_layer("activation")
        if self.weight_init == "auto":
            above = [*activations, "identity"]
            initializers = [ACTIVATIONS[name].initializer for name in above]
        else:
            initializers = [self.weight_init] * (len(activations) + 1)
        n_inputs = self.encoder_.n_features_out_
        network = build_mlp(
            [n_inputs, *map(int, self.hidden_layer_dims), self.n_outputs_],
            activations,
            initializers,
            self.batch_norm,
            self._per_layer("dropout"),
            np.dtype(self.dtype),
        )
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
            return loss, scorer()

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
        for chunk in gen_batches(n, PREDICTED_ROWS):
            raw = self.network_.forward(batch.X[chunk])
            weight = None if batch.weight is None else batch.weight[chunk]
            total += self._loss.loss_gradient(batch.y[chunk], raw, weight, 1 / n)[0]
        return total

    def _run(self, batch, total_weight, validate, n_epochs, streams):
        """Train the network, and keep what there is to tell about it."""
        trainer = self._make_trainer(total_weight, streams["dropout"])
        tol = self.tol if n_epochs else None
        rule = StoppingRule(trainer, self.n_iter_no_change, tol, validate, self.verbose)
        try:
            if self._is_lbfgs():
                tol = 0.0 if self.tol is None else self.tol
                trainer.minimize(batch, n_epochs, tol, rule)
            else:
                size = {"bgd": len(batch.X), "sgd": 1, "minibatch": self.batch_size}
                size = size[self.solver]
                size = AUTO_BATCH_SIZE if size == "auto" else size
                rng = streams["order"] if self.shuffle else None
                trainer.run(Batches(*batch, size, rng), n_epochs or 1, rule)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        self._report(trainer, rule, n_epochs)
        self._progress = {
            "epoch": trainer.epoch,
            "optimizer": type(trainer.optimizer).__name__,
            # Numbers that overflowed would spoil the next run too.
            "state": None if trainer.diverged else trainer.state,
            "slowdown": trainer.slowdown,
            "streams": streams,
        }

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

    def _report(self, trainer, rule, n_epochs):
        """Set the attributes that tell how training went; warn if it went badly."""
        losses = trainer.losses
        advice = (
            f"in epoch {trainer.epoch + 1} the loss or the weights were no longer "
            "finite. Lower learning_rate, scale the columns (numeric_scaling='robust') "
            "or, for a regressor, the target (target_scaling=True)."
        )
        if trainer.diverged:
            if not losses:
                raise ValueError(f"Training diverged: {advice}")
            warnings.warn(
                f"Training diverged: {advice} The weights from before are kept.",
                ConvergenceWarning,
                stacklevel=6,
            )
        elif len(losses) == n_epochs and rule.should_have_stopped():
            warnings.warn(
                f"Training reached max_iter={self.max_iter} epochs and has not "
                "converged yet: the loss still falls by more than tol within "
                "n_iter_no_change epochs. Increase max_iter or learning_rate.",
                ConvergenceWarning,
                stacklevel=6,
            )
        self.loss_curve_ = losses
        self.loss_ = losses[-1] if losses else None
        self.n_iter_ = len(losses) if n_epochs else trainer.epoch
        self.learning_rate_ = self._initial_learning_rate()
        self.best_iter_ = rule.best_epoch
        if rule.validate is None:
            self.best_loss_ = min(losses, default=None)
            self.validation_loss_curve_ = None
            self.validation_scores_ = None
            self.best_validation_score_ = None
        else:
            if rule.best_snapshot is not None:
                self.network_.restore(rule.best_snapshot)
            self.best_loss_ = None
            self.validation_loss_curve_ = rule.validation_losses
            self.validation_scores_ = rule.scores
            self.best_validation_score_ = rule.best_score

    def _predict_raw(self, X):
        """Return the raw predictions (n_samples, n_outputs)."""
        return self._predict_with(X, lambda raw: raw, self.dtype)

    def _predict_linked(self, X):
        """Return the predictions of the network, behind the link of the loss."""
        # In float64, as a float32 can't tell a probability of 1 - 1e-9 from 1.
        return self._predict_with(
            X, lambda raw: self._loss.inverse_link(raw.astype(np.float64)), np.float64
        )

    def _predict_with(self, X, finish, dtype):
        """Return ``finish(raw predictions)``, computed a few rows at a time."""
        check_is_fitted(self)
        X = self.encoder_.validate(self, X, reset=False)
        out = np.empty((len(X), self.n_outputs_), dtype)
        n_rows = -(-min(len(X), PREDICTED_ROWS) // PADDED_ROWS) * PADDED_ROWS
        rows = np.zeros((n_rows, self.encoder_.n_features_out_), self.dtype)
        # What overflows ends as an infinite prediction or a probability of 0 or 1.
        with np.errstate(over="ignore", invalid="ignore"):
            for chunk in gen_batches(len(X), PREDICTED_ROWS):
                n = min(chunk.stop, len(X)) - chunk.start
                self.encoder_.encode(X[chunk], out=rows[:n])
                padded = -(-n // PADDED_ROWS) * PADDED_ROWS
                out[chunk] = finish(self.network_.forward(rows[:padded])[:n])
        return out

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.numeric_scaling is not None
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
    if estimator._is_lbfgs():
        raise AttributeError("partial_fit is not available with optimizer='lbfgs'.")
    return True


def named(value, table):
    """Return the object that a name in `table` stands for, or `value` itself."""
    return table[value]() if isinstance(value, str) else value


def _check_weight(weight, X, suffix):
    name = f"sample_weight{suffix}"
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError(
            f"{name}: all weights are zero, there is nothing to learn from."
        )
    return weight
