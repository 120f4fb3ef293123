"""What the network is worth, as it is, on rows that it does not learn from."""

from inspect import signature
from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

from skdnn._calibration import MeanLoss, fit_temperature
from skdnn._rows import Rows, chunks
from skdnn.nn.network import build_mlp

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


class Validator:
    """Measures loss and score on validation rows; called at the end of each epoch.

    Where each member of an ensemble holds out rows of its own, they are predicted by
    this member alone: together, many more rows than any one member could do without.

    Parameters
    ----------
    estimator : BaseDNN
        In training.
    held_out : HeldOut
    batch : Batch
        The training rows.
    scale_temperature : bool
        Whether the loss is that with the temperature that suits the rows best.
    """

    def __init__(self, estimator, held_out, batch, scale_temperature):
        self.estimator = estimator
        self.scale_temperature = scale_temperature
        parts, positions = held_out
        if positions is None:
            (data,) = parts
            batch, total = estimator._encode(data, data.rows)
            self._X, self._y, self._weight = batch
            self._positions = np.arange(len(self._y))
            self._judges = [estimator]
        else:
            rows = Rows.joined([part.rows for part in parts])
            self._weight, total = estimator._weights(parts[0].targets, rows)
            self._positions = positions.ravel()
            self._y = batch.y[self._positions]
            # Not a copy, which may be large.
            self._X = batch.X
            self._judges = [_alone(estimator) for _ in parts]
        # As in `canonical_rows`, weights below one are no numbers of rows.
        self._n_rows = max(len(self._y), total)
        self._scorers = []
        if estimator.scoring != "loss":
            self._scorers = [
                _scorer(*pair) for pair in zip(self._judges, parts, strict=True)
            ]

    def __call__(self):
        """Return the `Validation` of the network as it is."""
        if len(self._judges) > 1:
            for member, judge in enumerate(self._judges):
                judge.network_.take_over(self.estimator.network_, member)
        loss, temperature = self._loss()
        # A metric would only complain of predictions that are not finite.
        if not self._scorers or not np.isfinite(loss):
            return Validation(loss, -loss, temperature)
        return Validation(loss, self._score(temperature), temperature)

    @property
    def targets(self):
        """Targets of the validation rows, and their weights."""
        return self._y, self._weight

    def _loss(self):
        """Return the loss, and the temperature that it has it with."""
        loss, y, weight = self.estimator._loss, self._y, self._weight
        if not self.scale_temperature:
            return MeanLoss(loss, y, self._raw(), weight)(1.0)[0], 1.0
        temperature, value = fit_temperature(loss, y, self._raw(), weight, self._n_rows)
        return value, temperature

    def _raw(self):
        """Return raw predictions (n, n_outputs), or (n_members, n, n_outputs)."""
        raw = []
        of_judges = np.split(self._positions, len(self._judges))
        for judge, rows in zip(self._judges, of_judges, strict=True):
            for chunk in chunks(len(rows), self._X.shape[1], VALIDATED_ROWS):
                raw.append(judge.network_.predict(self._X[rows[chunk]]))
        return np.concatenate(raw, axis=-2)

    def _score(self, temperature):
        """Return the mean score of the judges."""
        scores = []
        for judge, scorer in zip(self._judges, self._scorers, strict=True):
            # A scorer sees the probabilities that these weights will have.
            judge.temperature_ = temperature
            scores.append(scorer())
        return float(np.mean(scores))


def _alone(estimator):
    """Return the estimator with a network that is to be one of its members."""
    alone = object.__new__(type(estimator))
    alone.__dict__ = vars(estimator).copy()
    alone._architecture = {**estimator._architecture, "n_members": None}
    alone.network_ = build_mlp(**alone._architecture)
    return alone


def _scorer(estimator, data):
    """Return a function that scores the estimator on validation data as it came.

    A scorer is called as HistGradientBoosting calls it: with weights where the user
    gave some, of rows or of classes, else with each row as often as it stands there.
    One that takes no weights sees a row of weight 2 twice.
    """
    scorer = check_scoring(estimator, scoring=estimator.scoring)
    rows = data.rows
    takes_weights = _takes_weights(scorer)
    if rows.weight is not None and not (data.is_weighted and takes_weights):
        rows = _repeated(rows, data.is_weighted, estimator.scoring)
    labels = estimator._labels(data.targets)[rows.index]
    weight = estimator._weigh(data.targets, rows).weight if takes_weights else None
    options = {} if weight is None else {"sample_weight": weight}

    def score():
        # Taken anew each time: the rows of all members may be many.
        X = _safe_indexing(data.frame, rows.index)
        try:
            value = float(scorer(estimator, X, labels, **options))
        except ValueError as error:
            if not _missing_classes(estimator, labels):
                raise
            raise _no_score(estimator, labels) from error
        if np.isnan(value):
            raise _no_score(estimator, labels)
        return value

    return score


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


def _missing_classes(estimator, labels):
    """Return the classes that are not among some labels, one a row."""
    classes = getattr(estimator, "classes_", [])
    return [] if labels.ndim > 1 else np.setdiff1d(classes, labels).tolist()


def _no_score(estimator, labels):
    """Return the error that validation rows with these labels have no score."""
    missing = _missing_classes(estimator, labels)
    reason = f", none of which is of {missing}" if missing else ""
    return ValueError(
        f"scoring={estimator.scoring!r} has no value on the validation data, of "
        f"{len(labels)} rows{reason}. Validate on more of them (validation_fraction), "
        "or use scoring='loss'."
    )
