"""What a target is, and what the network sees of it: the encoder's twin for `y`."""

from abc import ABC, abstractmethod
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.special import log_expit, log_softmax, softmax
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from skdnn._parameters import from_name, with_link
from skdnn._scoring import check_scoring_of_classes, check_scoring_of_numbers
from skdnn._statistics import Moments, blocks
from skdnn._target_scaling import FARTHEST, location_and_scale
from skdnn.nn.losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES, LogLoss


class Targets(ABC):
    """A target: checks it, learns from it, encodes it, and decodes predictions.

    What `check` returns, class indices or numbers, is what all else calls targets.

    Attributes
    ----------
    n_outputs : int
        Number of outputs that a network has for it.
    loss : Loss
        What training minimizes, with the link that suits the target.
    """

    @abstractmethod
    def check(self, y, name="y", learn=False, classes=None):
        """Return `y` as targets; first learn what kind it is of, if so told.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        name : str, default="y"
            Of the argument, for errors.
        learn : bool, default=False
        classes : array-like of shape (n_classes,), default=None
            All that there are, if not those of `y`.

        Returns
        -------
        targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """

    @abstractmethod
    def adopt(self, statistics):
        """Learn what kind of target there is from what is known of all rows."""

    @abstractmethod
    def statistics(self, targets, rows):
        """Return what there is to learn from some rows, or from a part of them.

        Returns
        -------
        statistics : ClassStatistics or Moments
        """

    @abstractmethod
    def learn(self, statistics, sample, settings):
        """Learn what encoding and decoding need.

        Parameters
        ----------
        statistics : ClassStatistics or Moments
            Of all training rows.
        sample : Sample
        settings : namespace
        """

    @abstractmethod
    def encode(self, targets):
        """Return targets as the loss reads them."""

    @abstractmethod
    def predict(self, raw):
        """Return predictions, of the kind of `y`, from raw ones.

        Those are of shape (n, n_outputs), or (n_members, n, n_outputs).
        """

    @abstractmethod
    def check_scoring(self, settings):
        """Raise an error for the name of a scorer that does not suit the target."""

    def weigh(self, targets, rows):
        """Return `rows` with the weights that their targets give them."""
        return rows

    def total_weight(self, statistics, total):
        """Return what `weigh` makes of rows that weigh `total`, by what is known."""
        return total

    @property
    def labels(self):
        """What targets that are indices stand for, else None."""
        return None

    def strata(self, targets):
        """Return the groups that a validation split keeps in proportion."""
        return None

    def as_given(self, targets):
        """Return targets of the kind of `y`, as scorers see them."""
        return targets

    def missing(self, labels):
        """Return the classes that are not among some labels."""
        return []

    @abstractmethod
    def position(self, target):
        """Return which of its numbers a row is asked for: of a class, or an output.

        None is the only one, or the second of two classes.
        """

    @abstractmethod
    def number(self, raw, position):
        """Return that number of each row: a probability, or what is predicted."""

    @abstractmethod
    def number_slope(self, raw, position):
        """Return the gradient of that number in the raw predictions."""

    def averaged(self, raw):
        """Return raw predictions (n, n_outputs), those of an ensemble as one."""
        return raw if raw.ndim == 2 else self.loss.average(raw)


class ClassStatistics(NamedTuple):
    """What there is to learn from some rows of a target of classes.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
    absent_present : ndarray of shape (2,), or None
        What a label is, where there are several labels a row.
    counts : ndarray of shape (1, n_classes) or (n_labels, 2)
        How much the rows of each class weigh, or with and without each label.
    """

    classes: np.ndarray
    absent_present: np.ndarray | None
    counts: np.ndarray

    @classmethod
    def of(cls, targets, rows, classes, absent_present):
        """Return those of some rows of targets."""
        n_classes = len(classes) if absent_present is None else 2
        columns = np.atleast_2d(targets[rows.index].T)
        counts = [np.bincount(c, rows.weight, minlength=n_classes) for c in columns]
        return cls(classes, absent_present, np.array(counts))

    @classmethod
    def merged(cls, parts):
        """Return those of the rows of several parts."""
        first = parts[0]
        if len(parts) == 1:
            return first
        if first.absent_present is not None:
            return first._replace(counts=sum(part.counts for part in parts))
        classes = np.unique(np.concatenate([part.classes for part in parts]))
        counts = np.zeros((1, len(classes)))
        for part in parts:
            counts[:, np.searchsorted(classes, part.classes)] += part.counts
        return cls(classes, None, counts)

    def of_sample(self, sample):
        """Return those of a sample of the same targets."""
        classes = self.classes if sample.classes is None else sample.classes
        return self.of(sample.targets, sample.rows, classes, self.absent_present)


class ClassTargets(Targets):
    """One of several classes a row, or several labels.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        For several labels a row, the numbers of the columns.
    multilabel : bool
    """

    def check(self, y, name="y", learn=False, classes=None):
        y = check_array(
            y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name=name
        )
        if y.dtype == object and y.ndim == 2 and y.shape[1] > 1:
            y = np.array(y.tolist())  # as columns of several dtypes come in
        kind = type_of_target(y, input_name=name)
        multilabel = kind == "multilabel-indicator"
        if multilabel:
            y = y.toarray() if hasattr(y, "toarray") else y
            if not np.isin(y, (0, 1)).all():
                raise ValueError(
                    f"{name} with several labels a row must hold zeros and ones, got "
                    f"{np.unique(y).tolist()}."
                )
        else:
            if kind not in ("binary", "multiclass"):
                _refuse_labels(y, kind)
            y = column_or_1d(y, warn=True)
        if learn:
            self._learn_classes(y, classes)
        if multilabel != self.multilabel or (
            multilabel and y.shape[1] != self.n_outputs
        ):
            raise ValueError(
                f"{name} must hold labels as in the first fit, "
                f"{self.n_outputs if self.multilabel else 'one'} a row; got an array "
                f"of shape {y.shape}."
            )
        return y.astype(np.intp) if multilabel else self._class_indices(y, name)

    def _learn_classes(self, y, classes):
        self.multilabel = y.ndim == 2
        seen = np.arange(y.shape[1]) if self.multilabel else np.unique(y)
        self.classes = seen if classes is None else np.unique(np.asarray(classes))
        if self.multilabel and not np.array_equal(self.classes, seen):
            raise ValueError(
                "With several labels a row, classes are the numbers of the columns, "
                f"{seen.tolist()}, got {self.classes.tolist()}."
            )
        # What a label is where it is absent and where it is present.
        self._absent_present = np.array([0, 1], y.dtype) if self.multilabel else None
        self._count_outputs()

    def _count_outputs(self):
        n_classes = len(self.classes)
        self.n_outputs = n_classes if self.multilabel or n_classes > 2 else 1

    def adopt(self, statistics):
        self.classes = statistics.classes
        self._absent_present = statistics.absent_present
        self.multilabel = self._absent_present is not None
        self._count_outputs()

    def _class_indices(self, y, name):
        unknown = np.setdiff1d(y, self.classes)
        if len(unknown):
            raise ValueError(
                f"{name} contains labels that are not among the classes: "
                f"{unknown.tolist()}; the classes are {self.classes.tolist()}."
            )
        return np.searchsorted(self.classes, y)

    def statistics(self, targets, rows):
        kind = self.classes, self._absent_present
        parts = [ClassStatistics.of(targets, block, *kind) for block in blocks(rows)]
        return ClassStatistics.merged(parts)

    def learn(self, statistics, sample, settings):
        self.loss = self._resolve_loss(settings.loss)
        self._dtype = settings.dtype
        self._class_weights = None
        if settings.class_weight is not None:
            self._learn_class_weights(statistics.counts, settings.class_weight)

    def _resolve_loss(self, loss):
        loss = from_name(loss, CLASSIFIER_LOSSES)
        exclusive = self.n_outputs > 1 and not self.multilabel
        if exclusive:
            return with_link(loss, ["softmax", "sigmoid"], "more than two classes")
        targets = "labels" if self.multilabel else "two classes"
        return with_link(loss, ["sigmoid"], targets)

    def _learn_class_weights(self, counts, class_weight):
        """Learn the weight of each class, of each column of the targets."""
        classes = np.array([0, 1]) if self.multilabel else self.classes
        several = isinstance(class_weight, list)
        weights = class_weight if several else [class_weight] * len(counts)
        if len(weights) != len(counts):
            raise ValueError(
                f"class_weight is a list of {len(weights)} entries, but y has "
                f"{len(counts)} columns of labels."
            )
        self._class_weights = [
            _weights_of_classes(weight, classes, count)
            for weight, count in zip(weights, counts, strict=True)
        ]

    def weigh(self, targets, rows):
        if self._class_weights is None:
            return rows
        columns = targets[rows.index].reshape(len(rows.index), -1).T
        weight = np.ones(len(rows.index)) if rows.weight is None else rows.weight.copy()
        for of_class, column in zip(self._class_weights, columns, strict=True):
            weight *= of_class[column]
        return rows._replace(weight=weight)

    def total_weight(self, statistics, total):
        if self._class_weights is None:
            return total
        (of_class,), (count,) = self._class_weights, statistics.counts
        return float(of_class @ count)

    @property
    def labels(self):
        return None if self.multilabel else self.classes

    def strata(self, targets):
        if not self.multilabel:
            return targets
        _, strata, counts = np.unique(
            targets, axis=0, return_inverse=True, return_counts=True
        )
        # Combinations of labels that stand alone share a stratum.
        return np.where(counts[strata] > 1, strata, -1)

    def as_given(self, targets):
        return targets if self.multilabel else self.classes[targets]

    def missing(self, labels):
        return [] if self.multilabel else np.setdiff1d(self.classes, labels).tolist()

    def check_scoring(self, settings):
        check_scoring_of_classes(settings.scoring, self.classes, self.multilabel)

    def encode(self, targets):
        if self.loss.link == "softmax":
            return targets
        targets = targets.reshape(len(targets), -1)
        if not self.multilabel and self.n_outputs > 1:
            targets = targets == np.arange(self.n_outputs)
        return targets.astype(self._dtype)

    def predict(self, raw):
        proba = self.probabilities(raw)
        if self.multilabel:
            return self.as_labels((proba > 0.5).astype(np.intp))
        return self.classes[proba.argmax(axis=1)]

    def as_labels(self, present):
        """Return several labels a row, given as zeros and ones, of the kind of `y`."""
        return self._absent_present[present]

    def probabilities(self, raw):
        """Return the probabilities (n, n_classes) that raw predictions stand for."""
        if self.exclusive_sigmoids:
            return softmax(log_expit(self.averaged(raw)), axis=1)
        proba = self.loss.predict(raw)
        if self.multilabel or self.n_outputs > 1:
            return proba
        # With a single class, the only column is that class.
        proba = np.concatenate([1 - proba, proba], axis=1)
        return proba if len(self.classes) == 2 else np.ones_like(proba[:, :1])

    def decisions(self, raw):
        """Return raw predictions (n,) of two classes, else (n, n_outputs)."""
        raw = self.averaged(raw)
        return raw[:, 0] if self.n_outputs == 1 and not self.multilabel else raw

    def log_probabilities(self, raw):
        """Return their logarithms, finite where one rounds to 0."""
        raw = self.averaged(raw)
        if self.multilabel:
            return log_expit(raw)
        if self.n_outputs == 1:
            log_proba = log_expit(np.hstack([-raw, raw]))
            return log_proba if len(self.classes) == 2 else np.zeros_like(raw)
        if self.exclusive_sigmoids:
            raw = log_expit(raw)
        return log_softmax(raw, axis=1)

    def position(self, target):
        if target is None and not self.multilabel and len(self.classes) <= 2:
            return len(self.classes) - 1
        is_meant = [label == target for label in self.classes.tolist()]
        if sum(is_meant) != 1:
            raise ValueError(
                f"target must be one of the classes {self.classes.tolist()}, got "
                f"{target!r}."
            )
        return is_meant.index(True)

    def number(self, raw, position):
        return self.probabilities(raw)[:, position]

    def number_slope(self, raw, position):
        if self.exclusive_sigmoids:
            return self._slope_of_share(raw, position)
        if self.multilabel or self.n_outputs > 1:
            return self.loss.slope(raw, position)
        # With a single class, its probability is one, whatever comes out.
        sign = 0 if len(self.classes) == 1 else 2 * position - 1
        return sign * self.loss.slope(raw, 0)

    def _slope_of_share(self, raw, position):
        """Return the gradient of a probability that is a sigmoid over their sum."""
        each = self.loss.inverse_link(raw)
        p = self.loss.predict(raw)
        total = p.sum(axis=1, keepdims=True)
        of_share = (np.eye(self.n_outputs)[position] - p[:, [position]] / total) / total
        return of_share * each * (1 - each) / _n_averaged(raw)

    @property
    def exclusive_sigmoids(self):
        """Whether the probabilities of classes are sigmoids, over their sum."""
        several = self.n_outputs > 1 and not self.multilabel
        return several and self.loss.link == "sigmoid"


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
    location, scale : ndarray of shape (n_outputs,)
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
        self.n_outputs = self.n_targets if levels is None else len(levels)
        self._dtype = settings.dtype
        # A robust loss pulls no harder from beyond the farthest.
        self._cuts_off = settings.target_scaling and self.loss.center is not None
        self.location, self.scale = np.zeros(self.n_outputs), np.ones(self.n_outputs)
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

    def encode(self, targets):
        y = targets.reshape(len(targets), -1)
        self.loss.check_targets(y)
        y = np.broadcast_to(y, (len(y), self.n_outputs))
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
        slope = np.eye(self.n_outputs)[output] * self.scale / _n_averaged(raw)
        return np.broadcast_to(slope, raw.shape)


def _n_averaged(raw):
    """Return of how many members raw predictions are."""
    return 1 if raw.ndim == 2 else len(raw)


def _refuse_labels(y, kind):
    """Raise an error for what can't be labels, in scikit-learn's words."""
    try:
        check_classification_targets(y)
    except ValueError as error:
        if not kind.startswith("continuous"):
            raise
        raise ValueError(f"{error} For numbers, use DNNRegressor.") from None


def _weights_of_classes(class_weight, classes, count):
    """Return the weight of each class, by its index, from what each weighs so far."""
    weights = np.ones(len(classes))
    present = np.arange(len(classes))
    if isinstance(class_weight, str):
        present = np.flatnonzero(count)
    weights[present] = compute_class_weight(
        class_weight,
        classes=classes[present],
        y=classes[present],
        sample_weight=count[present],
    )
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError(
            "class_weight must be non-negative, finite and above zero for some class, "
            "got "
            f"{class_weight!r}."
        )
    return weights
