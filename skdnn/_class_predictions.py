"""What the outputs of a network say of classes: labels and their probabilities."""

import numpy as np
from scipy.special import log_expit, log_softmax, softmax

from skdnn._targets import Targets, n_averaged


class ClassPredictions(Targets):
    """From raw predictions to classes; `ClassTargets` adds the way from `y`."""

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
        return of_share * each * (1 - each) / n_averaged(raw)

    @property
    def exclusive_sigmoids(self):
        """Whether the probabilities of classes are sigmoids, over their sum."""
        several = self.n_outputs > 1 and not self.multilabel
        return several and self.loss.link == "sigmoid"
