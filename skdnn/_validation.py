"""What the network is worth, as it is, on rows that it does not learn from."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

from skdnn._calibration import fit_temperature
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
            batch, self._total = estimator._encode(data, data.rows)
            self._X, self._y, self._weight = batch
            self._positions = np.arange(len(self._y))
            self._judges = [estimator]
        else:
            rows = Rows.joined([part.rows for part in parts])
            self._weight, self._total = estimator._weights(parts[0].targets, rows)
            self._positions = positions.ravel()
            self._y = batch.y[self._positions]
            # Not a copy, which may be large.
            self._X = batch.X
            self._judges = [_alone(estimator) for _ in parts]
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

    def _loss(self):
        """Return the loss, and the temperature that it has it with."""
        loss, y, weight = self.estimator._loss, self._y, self._weight
        raw = self._raw()
        value = loss.loss_gradient(y, self.estimator._combined(raw), weight)[0]
        if not self.scale_temperature or not np.isfinite(value):
            return value, 1.0
        temperature, value = fit_temperature(loss, y, raw, weight, self._total)
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
        if np.isnan(scores).any():
            n_rows = len(self._positions) // len(scores)
            raise ValueError(
                f"scoring={self.estimator.scoring!r} is NaN on the validation data, of "
                f"{n_rows} rows. Validate on more of them, or use scoring='loss'."
            )
        return float(np.mean(scores))


def _alone(estimator):
    """Return the estimator with a network that is to be one of its members."""
    alone = object.__new__(type(estimator))
    alone.__dict__ = vars(estimator).copy()
    alone._architecture = {**estimator._architecture, "n_members": None}
    alone.network_ = build_mlp(**alone._architecture)
    return alone


def _scorer(estimator, data):
    """Return a function that scores the estimator on validation data as it came."""
    scorer = check_scoring(estimator, scoring=estimator.scoring)
    index = data.rows.index
    weight = estimator._weigh(data.targets, data.rows).weight
    options = {} if weight is None else {"sample_weight": weight}

    def score():
        # Taken anew each time: the rows of all members may be many.
        X, y = _safe_indexing(data.frame, index), _safe_indexing(data.labels, index)
        return float(scorer(estimator, X, y, **options))

    return score
