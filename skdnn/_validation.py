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
    parts : list of Data
        Validation rows, or those of each member, as many for one as for another.
    scale_temperature : bool
        Whether the loss is that with the temperature that suits the rows best.
    """

    def __init__(self, estimator, parts, scale_temperature):
        self.estimator = estimator
        self.scale_temperature = scale_temperature
        data = parts[0]._replace(rows=Rows.joined([part.rows for part in parts]))
        self._batch, self._total = estimator._encode(data, data.rows)
        # Of one part, the estimator itself is asked.
        self._judges = [estimator]
        if len(parts) > 1:
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
        (X, y, weight), loss = self._batch, self.estimator._loss
        raw = self._raw(X)
        value = loss.loss_gradient(y, self.estimator._combined(raw), weight)[0]
        if not self.scale_temperature or not np.isfinite(value):
            return value, 1.0
        temperature, value = fit_temperature(loss, y, raw, weight, self._total)
        return value, temperature

    def _raw(self, X):
        """Return the raw predictions for encoded rows, those of all who predict them.

        They are (n, n_outputs), or (n_members, n, n_outputs).
        """
        n = len(X) // len(self._judges)
        parts = []
        for i, judge in enumerate(self._judges):
            for chunk in chunks(n, X.shape[1], VALIDATED_ROWS):
                rows = X[i * n + chunk.start : i * n + chunk.stop]
                parts.append(judge.network_.forward(rows))
        return np.concatenate(parts, axis=-2)

    def _score(self, temperature):
        """Return the mean score of the judges."""
        scores = []
        for judge, scorer in zip(self._judges, self._scorers, strict=True):
            # A scorer sees the probabilities that these weights will have.
            judge.temperature_ = temperature
            scores.append(scorer())
        if np.isnan(scores).any():
            raise ValueError(
                f"scoring={self.estimator.scoring!r} is NaN on the validation data, of "
                f"{len(self._batch.X) // len(scores)} rows. Validate on more of them, "
                "or use scoring='loss'."
            )
        return float(np.mean(scores))


def _alone(estimator):
    """Return the estimator with a network that is to be one of its members."""
    alone = object.__new__(type(estimator))
    alone.__dict__ = vars(estimator).copy()
    alone.network_ = build_mlp(**{**estimator._architecture, "n_members": None})
    return alone


def _scorer(estimator, data):
    """Return a function that scores the estimator on validation data as it came."""
    scorer = check_scoring(estimator, scoring=estimator.scoring)
    index = data.rows.index
    X, y = _safe_indexing(data.frame, index), _safe_indexing(data.labels, index)
    weight = estimator._weigh(data.targets, data.rows).weight
    options = {} if weight is None else {"sample_weight": weight}
    return lambda: float(scorer(estimator, X, y, **options))
