"""Targets that are numbers, one or several a row."""

from copy import copy
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array, column_or_1d

from skdnn._parameters import from_name, with_link
from skdnn._scoring import check_scoring_of_numbers
from skdnn._statistics import Moments, blocks
from skdnn._target_scaling import FARTHEST, location_and_scale
from skdnn._targets import Targets, n_averaged
from skdnn.nn.losses import REGRESSOR_LOSSES, LogLoss, SquaredErrorAndQuantiles


class NumberTargets(Targets):
    """One number a row, or several.

    For several quantiles of one number, the network has an output for each, which is
    learned as if it had a target of its own.

    Attributes
    ----------
    n_targets : int
        How many numbers a row.
    multioutput : bool
        Whether `y` has columns.
    location, scale : ndarray of shape (n_predicted,)
        The network learns ``(y - location) / scale``.
    """

    def check(self, y, name="y", learn=False, classes=None):
        try:
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)
        except ValueError as error:
            if "could not convert string" not in str(error):
                raise
            raise ValueError(
                f"{name} holds text, and DNNRegressor predicts numbers: {error}. For "
                "classes, use DNNClassifier."
            ) from None
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if learn:
            self.multioutput = y.ndim == 2
            self.n_targets = y.shape[1] if self.multioutput else 1
        if y.shape[1:] != ((self.n_targets,) if self.multioutput else ()):
            raise ValueError(
                f"{name} must have {self.n_targets} columns as in the first fit, got "
                f"an array of shape {y.shape}."
            )
        return y

    def adopt(self, statistics):
        self.n_targets = len(statistics.total)
        self.multioutput = self.n_targets > 1

    def statistics(self, targets, rows):
        parts = [Moments.of_targets(targets, block) for block in blocks(rows)]
        return Moments.merged(parts)

    def learn(self, statistics, sample, settings):
        self.loss = self._resolve_loss(settings.loss)
        levels = self.loss.levels
        n_predicted = self.n_targets if levels is None else len(levels)
        if settings.auxiliary_quantiles:
            self.loss = SquaredErrorAndQuantiles(self.n_targets)
        self.n_outputs = n_predicted + self.loss.n_auxiliary
        self._dtype = settings.dtype
        # A robust loss pulls no harder from beyond the farthest.
        self._cuts_off = settings.target_scaling and self.loss.center is not None
        self.location, self.scale = np.zeros(n_predicted), np.ones(n_predicted)
        if settings.target_scaling:
            rows = sample.rows
            y = sample.targets[rows.index].reshape(len(rows.index), -1)
            self.location, self.scale = location_and_scale(
                statistics, y, rows.weight, self.loss
            )

    def _resolve_loss(self, loss):
        loss = from_name(loss, REGRESSOR_LOSSES)
        if isinstance(loss, LogLoss):
            raise ValueError(f"loss={loss!r} is for DNNClassifier.")
        if loss.n_auxiliary:
            raise ValueError(
                f"loss={loss!r} is what auxiliary_quantiles=True trains with; set that "
                "and loss='squared_error'."
            )
        if loss.levels is not None and self.n_targets > 1:
            raise ValueError(
                f"loss={loss!r} predicts a column for each quantile of one target, but "
                f"y has {self.n_targets} columns. Fit an estimator for each column."
            )
        return with_link(loss, ["identity", "sigmoid", "exp"], "numbers")

    def check_scoring(self, settings):
        loss = self._resolve_loss(settings.loss)
        if loss.levels is not None:
            raise ValueError(
                f"scoring={settings.scoring!r} compares a target with one prediction, "
                f"but loss={loss!r} makes {len(loss.levels)}. Take 'loss', or a "
                "callable scorer(estimator, X, y)."
            )
        check_scoring_of_numbers(settings.scoring, self.n_targets)

    def without_auxiliary(self):
        if not self.loss.n_auxiliary:
            return self
        targets = copy(self)
        targets.n_outputs = self.n_outputs - self.loss.n_auxiliary
        targets.loss = self.loss.predicted
        return targets

    def encode(self, targets):
        y = targets.reshape(len(targets), -1)
        self.loss.check_targets(y)
        y = np.broadcast_to(y, (len(y), len(self.location)))
        # In halves, as a difference may overflow.
        scaled = (0.5 * y - 0.5 * self.location) / (0.5 * self.scale)
        if self._cuts_off:
            np.clip(scaled, -FARTHEST, FARTHEST, out=scaled)
        scaled = scaled.astype(self._dtype)
        lost = ~np.isfinite(scaled)
        if self.loss.link == "exp" and (y > 0).all():
            lost |= scaled == 0
        if lost.any():
            row, output = np.argwhere(lost)[0]
            raise ValueError(
                f"A target of {y[row, output]:g} is too large or too small for "
                f"dtype={self._dtype!r}: the network is trained on "
                f"(y - {self.location[output]:g}) / {self.scale[output]:g}."
            )
        return scaled

    def predict(self, raw):
        y = self.loss.predict(raw)
        y *= self.scale
        y += self.location
        limits = np.finfo(y.dtype)
        # An exponential is above zero, which the deviances insist on.
        low = limits.tiny if self.loss.link == "exp" else limits.min
        np.clip(y, low, limits.max, out=y)
        if self.loss.levels is not None:
            # Each row in order, so that quantiles don't cross.
            return np.sort(y, axis=1)[:, self.ranks]
        return y if self.multioutput else y[:, 0]

    @property
    def ranks(self):
        """Of each of several quantiles, how many are below it."""
        return np.argsort(np.argsort(self.loss.levels))

    def position(self, target):
        if target is None and self.n_outputs == 1:
            return 0
        if not isinstance(target, Integral) or not 0 <= target < self.n_outputs:
            raise ValueError(
                "target must be the position of a column of the predictions, from 0 to "
                f"{self.n_outputs - 1}, got {target!r}."
            )
        return int(target)

    def number(self, raw, position):
        return self.predict(raw).reshape(raw.shape[-2], -1)[:, position]

    def number_slope(self, raw, position):
        if self.loss.levels is None:
            return self.scale[position] * self.loss.slope(raw, position)
        # That of the output that has come to stand there.
        y = self.loss.predict(raw) * self.scale + self.location
        output = np.argsort(y, axis=1)[:, self.ranks[position]]
        slope = np.eye(self.n_outputs)[output] * self.scale / n_averaged(raw)
        return np.broadcast_to(slope, raw.shape)
