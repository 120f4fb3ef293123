"""Targets that are classes: from labels to what the network learns of them."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from skdnn._class_predictions import ClassPredictions
from skdnn._class_weights import weighed, weights_of_classes
from skdnn._parameters import from_name, with_link
from skdnn._scoring import check_scoring_of_classes
from skdnn._statistics import ClassStatistics, blocks
from skdnn.nn.losses import CLASSIFIER_LOSSES


class ClassTargets(ClassPredictions):
    """One of several classes a row, or several labels; learned, encoded, predicted.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        For several labels a row, the numbers of the columns.
    multilabel : bool
    """

    def check(self, y, name="y", learn=False, classes=None):
        y = _check_labels(y, name)
        if learn:
            self._learn_classes(y, classes)
        multilabel = y.ndim == 2
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
        classes = np.array([0, 1]) if self.multilabel else self.classes
        self._class_weights = weights_of_classes(
            settings.class_weight, classes, statistics.counts
        )

    def _resolve_loss(self, loss):
        loss = from_name(loss, CLASSIFIER_LOSSES)
        exclusive = self.n_outputs > 1 and not self.multilabel
        if exclusive:
            return with_link(loss, ["softmax", "sigmoid"], "more than two classes")
        targets = "labels" if self.multilabel else "two classes"
        return with_link(loss, ["sigmoid"], targets)

    def weigh(self, targets, rows):
        if self._class_weights is None:
            return rows
        return weighed(rows, targets, self._class_weights)

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


def _check_labels(y, name):
    """Return an array of labels (n,), or of zeros and ones (n, n_labels)."""
    y = check_array(
        y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name=name
    )
    if y.dtype == object and y.ndim == 2 and y.shape[1] > 1:
        y = np.array(y.tolist())  # as columns of several dtypes come in
    kind = type_of_target(y, input_name=name)
    if kind != "multilabel-indicator":
        if kind not in ("binary", "multiclass"):
            _refuse_labels(y, kind)
        return column_or_1d(y, warn=True)
    y = y.toarray() if hasattr(y, "toarray") else y
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"{name} with several labels a row must hold zeros and ones, got "
            f"{np.unique(y).tolist()}."
        )
    return y


def _refuse_labels(y, kind):
    """Raise an error for what can't be labels, in scikit-learn's words."""
    try:
        check_classification_targets(y)
    except ValueError as error:
        if not kind.startswith("continuous"):
            raise
        raise ValueError(f"{error} For numbers, use DNNRegressor.") from None
