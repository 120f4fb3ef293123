"""Whether a scorer suits the kind of the target, tried before training."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.metrics import get_scorer


class _Oracle(BaseEstimator):
    """Predicts the targets that it was given."""

    def __init__(self, y=None, classes=None):
        self.y = y
        self.classes = classes

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return self.y


class _OracleOfNumbers(RegressorMixin, _Oracle):
    pass


class _OracleOfClasses(ClassifierMixin, _Oracle):
    @property
    def classes_(self):
        return self.classes

    def predict_proba(self, X):
        if self.y.ndim == 2:
            return self.y.astype(float)
        return (self.y[:, None] == self.classes).astype(float)


def check_scoring_of_numbers(scoring, n_outputs):
    """Raise an error if a scorer, by its name, can't score such numbers."""
    y = np.linspace(0.3, 2.9, 7 * n_outputs).reshape(7, n_outputs)
    y = y[:, 0] if n_outputs == 1 else y
    _check(scoring, _OracleOfNumbers(y), y, "numbers")


def check_scoring_of_classes(scoring, classes, multilabel):
    """Raise an error if a scorer, by its name, can't score such labels."""
    if len(classes) < 2:
        return
    one = np.eye(len(classes), dtype=int)
    y = np.vstack([one, 1 - one]) if multilabel else np.repeat(classes, 3)
    kind = "several labels a row" if multilabel else f"{len(classes)} classes"
    # Not all of them right, for which some metrics have no value.
    _check(scoring, _OracleOfClasses(np.roll(y, 1, axis=0), classes), y, kind)


def check_sees_predictions(scoring, where):
    """Raise an error for a scorer that may look at the rows of X.

    Parameters
    ----------
    scoring : str or callable
    where : str
        Where there are none to look at, as the error says it.
    """
    if callable(scoring) and not hasattr(scoring, "_score_func"):
        raise ValueError(
            "scoring must be 'loss', the name of a scorer, or what make_scorer "
            f"returns: {where}, a scorer sees predictions, not the rows of X. Got "
            f"{scoring!r}."
        )


def _check(scoring, oracle, y, kind):
    example = "'accuracy'" if is_classifier(oracle) else "'r2'"
    try:
        get_scorer(scoring)(oracle, np.zeros((len(y), 1)), y)
    except (AttributeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".:")
        raise ValueError(
            f"scoring={scoring!r} does not suit a target of {kind} ({reason}). Take "
            f"'loss', a scorer such as {example}, or a callable."
        ) from error
