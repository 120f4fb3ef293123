"""What the network is worth, as it is, on rows that it does not learn from."""

from functools import partial
from inspect import signature
from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring

from skdnn._calibration import MeanLoss, fit_temperature
from skdnn._rows import Rows, chunks
from skdnn._sklearn_compat import _safe_indexing
from skdnn.nn.copying import copy_member

#: Rows that pass through the network at a time.
VALIDATED_ROWS = 1024


class Validation(NamedTuple):
    """What an epoch was worth on the validation rows.

    Attributes
    ----------
    loss, score : float
    temperature : float
        That with which it has this loss.
    """

    loss: float
    score: float
    temperature: float = 1.0


class ValidationRows(NamedTuple):
    """The rows that a validator measures on.

    Attributes
    ----------
    X : ndarray of shape (n, n_features)
        As the network reads them.
    y : ndarray of shape (n,) or (n, n_outputs)
    weight : ndarray of shape (n, 1), or None
    n_rows : float
        How many they stand for.
    n_effective : float
        How many that count the same tell as much as they do: fewer, where weights of
        classes make some count more (Kish, 1965).
    n_members : int or None
        Into as many parts of equal length they fall, one for each member; None is that
        all members predict all rows.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    n_rows: float
    n_effective: float
    n_members: int | None

    def own(self, raw):
        """Return of the raw predictions of all members those that count."""
        if self.n_members is None:
            return raw
        parts = np.split(raw, self.n_members, axis=1)
        return np.concatenate([part[i] for i, part in enumerate(parts)])


class Validator:
    """Measures loss and score on validation rows; called at the end of each epoch.

    Where each member of an ensemble holds out rows of its own, they are predicted by
    this member alone: together, many more rows than any one member could do without.

    Parameters
    ----------
    model : Model
        In training.
    held_out : HeldOut
    batch : Batch
        The training rows.
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    as_estimator : callable
        Returns an estimator that predicts with a model, for scorers.
    """

    def __init__(self, model, held_out, batch, settings, as_estimator):
        self.model = model
        self.scale_temperature = settings.temperature_scaling
        parts, positions = held_out
        if positions is None:
            (data,) = parts
            rows = data.rows
            (self._X, self._y, self._weight), total = model.batch(data, data.rows)
            self._positions = np.arange(len(self._y))
            self._models = [model]
        else:
            rows = Rows.joined([part.rows for part in parts])
            self._weight, total = model.weights(parts[0].targets, rows)
            self._positions = positions.ravel()
            self._y = batch.y[self._positions]
            # Not a copy, which may be large.
            self._X = batch.X
            self._models = [model.member(i) for i in range(len(parts))]
        # As in `canonical_rows`, weights below one are no numbers of rows.
        self._n_rows = max(len(self._y), total)
        n_rows = len(self._y)
        self._n_effective = _n_effective(n_rows, self._weight, rows.weight)
        self._scorers = []
        if settings.scoring != "loss":
            self._scorers = [
                scorer_of(member, part, settings.scoring, as_estimator)
                for member, part in zip(self._models, parts, strict=True)
            ]

    def __call__(self, workers):
        """Return the `Validation` of the network as it is."""
        loss, temperature = self._loss(workers)
        # A metric would only complain of predictions that are not finite.
        if not self._scorers or not np.isfinite(loss):
            return Validation(loss, -loss, temperature)
        # A scorer sees the probabilities that these weights will have.
        scores = [scorer(temperature) for scorer in self._scorers]
        return Validation(loss, float(np.mean(scores)), temperature)

    @property
    def targets(self):
        """Targets of the validation rows, and their weights."""
        return self._y, self._weight

    @property
    def held_out(self):
        """The validation rows, as `ValidationRows`."""
        n_members = len(self._models) if len(self._models) > 1 else None
        X = self._X[self._positions]
        numbers = self._n_rows, self._n_effective
        return ValidationRows(X, self._y, self._weight, *numbers, n_members)

    def _loss(self, workers):
        """Return the loss, and the temperature that it has it with."""
        loss, y, weight = self.model.targets.loss, self._y, self._weight
        raw = self.raw(workers)
        if not self.scale_temperature:
            return MeanLoss(loss, y, raw, weight)(1.0)[0], 1.0
        temperature, value = fit_temperature(loss, y, raw, weight, self._n_rows)
        return value, temperature

    def raw(self, workers):
        """Return raw predictions (n, n_outputs), or (n_members, n, n_outputs)."""
        if len(self._models) > 1:
            for index, member in enumerate(self._models):
                copy_member(member.network, self.model.network, index)
        networks = [model.network for model in self._models]
        return raw_predictions(networks, self._X, self._positions, workers)


def _n_effective(n, weight, counts):
    """Return `ValidationRows.n_effective` of `n` rows, each as often as it counts."""
    counts = np.ones(n) if counts is None else counts
    # As in `canonical_rows`, weights below one are no numbers of rows.
    n_rows = max(n, counts.sum())
    if weight is None:
        return n_rows
    weight = weight[:, 0].astype(np.float64)
    return n_rows * weight.sum() ** 2 / (counts.sum() * (weight**2 / counts).sum())


def raw_predictions(networks, X, positions, workers):
    """Return raw predictions (n, n_outputs), or (n_members, n, n_outputs).

    Parameters
    ----------
    networks : list of Network
    X : ndarray or SparseRows
        Encoded rows.
    positions : ndarray of int of shape (n,)
        Those to predict, in as many parts as there are networks, one for each.
    workers : Workers
    """
    parts = [
        (network, rows[chunk])
        for network, rows in zip(
            networks, np.split(positions, len(networks)), strict=True
        )
        for chunk in chunks(len(rows), X.shape[1], VALIDATED_ROWS)
    ]
    raw = workers.map(
        lambda network, rows: _predict(network, X[rows]), *zip(*parts, strict=True)
    )
    return np.concatenate(raw, axis=-2)


def _predict(network, x):
    # Precise enough for a mean, in half the time; what overflows may not in float64.
    raw = network.quick_predictor(x)
    return raw if np.isfinite(raw).all() else network.predict(x)


def scorer_of(model, data, scoring, as_estimator):
    """Return a function that scores a model on validation data as it came.

    Its argument is the temperature.  A scorer is called as HistGradientBoosting calls
    it: with weights where the user gave some, of rows or of classes, else with each row
    as often as it stands there.  One that takes no weights sees a row of weight 2
    twice.
    """
    targets = model.targets
    scorer = check_scoring(as_estimator(model), scoring=scoring)
    rows = data.rows
    takes_weights = _takes_weights(scorer)
    if rows.weight is not None and not (data.is_weighted and takes_weights):
        rows = _repeated(rows, data.is_weighted, scoring)
    labels = targets.as_given(data.targets)[rows.index]
    weight = targets.weigh(data.targets, rows).weight if takes_weights else None
    options = {} if weight is None else {"sample_weight": weight}

    def score(temperature):
        # What a scorer keeps of it is what a fit would end with.
        scaled = model._replace(temperature=temperature).without_auxiliary()
        estimator = as_estimator(scaled)
        # Taken anew each time: the rows of all members may be many.
        if data.X_given is None:
            estimator._predict = partial(_predict_checked, scaled)
            X = data.X[rows.index]
        else:
            X = _safe_indexing(data.X_given, rows.index)
        try:
            value = float(scorer(estimator, X, labels, **options))
        except ValueError as error:
            if not targets.missing(labels):
                raise
            raise _no_score(targets, labels, scoring) from error
        if np.isnan(value):
            raise _no_score(targets, labels, scoring)
        return value

    return score


def _predict_checked(model, X, finish, **options):
    """Return what a model makes of rows that are as it takes them."""
    return model.predict(X, getattr(model.targets, finish), **options)


def _takes_weights(scorer):
    """Whether a scorer, or the metric that one is made of, takes `sample_weight`."""
    parameters = signature(getattr(scorer, "_score_func", scorer)).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return takes_any or "sample_weight" in parameters


def _repeated(rows, is_weighted, scoring):
    """Return each row as often as its weight says, without one."""
    counts = np.rint(rows.weight)
    if is_weighted and (abs(rows.weight - counts) > 1e-6 * counts).any():
        raise ValueError(
            f"scoring={scoring!r} takes no sample_weight, and the weights of the rows "
            "are no whole numbers, which could be numbers of rows. Use a scorer that "
            "takes weights, or scoring='loss'."
        )
    return Rows(np.repeat(rows.index, counts.astype(np.intp)), None)


def _no_score(targets, labels, scoring):
    """Return the error that validation rows with these labels have no score."""
    missing = targets.missing(labels)
    reason = f", none of which is of {missing}" if missing else ""
    return ValueError(
        f"scoring={scoring!r} has no value on the validation data, of {len(labels)} "
        f"rows{reason}. Validate on more of them (validation_fraction), or use "
        "scoring='loss'."
    )
