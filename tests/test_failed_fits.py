"""A call that fails leaves the estimator as it was."""

import pickle

import numpy as np
import pytest

from tests.tables import binary, classifier, multiclass, parameters


def state(estimator):
    """Return everything that an estimator holds, in bytes."""
    return pickle.dumps(vars(estimator))


X60, Y60 = binary()


@pytest.mark.sampled
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    ("params", "args", "kwargs"),
    [
        ({}, (X60[:, :3], Y60[:50]), {}),
        ({}, (X60, Y60[:50]), {}),
        ({}, (X60, Y60 + 0.5 * X60[:, 0]), {}),
        ({}, (np.where(X60 > 2, np.inf, X60), Y60), {}),
        ({}, (X60, Y60, np.zeros(60)), {}),
        ({}, (X60, Y60, -np.ones(60)), {}),
        ({}, (X60, Y60), {"X_val": X60}),
        ({}, (X60, Y60), {"X_val": X60, "y_val": Y60[:5]}),
        ({}, (X60, Y60), {"X_val": X60, "y_val": Y60 + 7}),
        ({"alpha": -1}, (X60, Y60), {}),
        ({"dropout": [0.1, 0.2]}, (X60, Y60), {}),
        ({"optimizer": "lbfgs"}, (X60, Y60), {}),
        ({"early_stopping": True, "validation_fraction": 60}, (X60, Y60), {}),
        ({"early_stopping": True, "scoring": "nonsense"}, (X60, Y60), {}),
        ({"optimizer": "sgd", "learning_rate": 1e300}, (X60, Y60), {}),
        ({"class_weight": {7: 1.0}}, (X60, Y60 + 5), {}),
    ],
)
def test_failed_fit_changes_nothing(params, args, kwargs, warm_start):
    """A `fit` that fails leaves a fitted estimator exactly as it was."""
    clf = classifier(warm_start=warm_start, batch_norm=True).fit(*multiclass(d=5))
    clf.set_params(**params)
    before = state(clf)
    with pytest.raises(ValueError):
        clf.fit(*args, **kwargs)
    assert state(clf) == before


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((X60[:, :3], Y60), {}),
        ((X60, Y60[:50]), {}),
        ((X60, Y60 + 5), {}),
        ((X60, Y60), {"classes": [0, 1, 2]}),
        ((X60, Y60), {"sample_weight": np.zeros(60)}),
    ],
)
def test_failed_partial_fit_changes_nothing(args, kwargs):
    """A `partial_fit` that fails leaves a fitted estimator exactly as it was."""
    clf = classifier(batch_norm=True).partial_fit(X60, Y60, classes=[0, 1])
    before = state(clf)
    with pytest.raises(ValueError):
        clf.partial_fit(*args, **kwargs)
    assert state(clf) == before


def fail(estimator, X, y):
    """Break down, as a scorer."""
    raise OSError


def test_failure_while_training_keeps_the_weights():
    """An error amid training leaves weights and running statistics as they were."""
    clf = classifier(warm_start=True, batch_norm=True).fit(X60, Y60)
    clf.set_params(early_stopping=True, scoring=fail)
    before = parameters(clf)
    with pytest.raises(OSError):
        clf.fit(X60, Y60)
    np.testing.assert_array_equal(parameters(clf), before)


def test_failure_while_training_changes_nothing():
    """An error amid training leaves a fitted estimator exactly as it was."""

    clf = classifier(warm_start=True, batch_norm=True).fit(X60, Y60)
    clf.set_params(early_stopping=True, scoring=fail)
    before = state(clf)
    with pytest.raises(OSError):
        clf.fit(X60, Y60)
    assert state(clf) == before


def test_training_after_a_failure_is_as_without_it():
    """A failed warm start has no effect on the next one, to the bit."""
    one = classifier(warm_start=True, dropout=0.2).fit(X60, Y60)
    two = classifier(warm_start=True, dropout=0.2).fit(X60, Y60)
    with pytest.raises(ValueError):
        two.fit(X60, Y60 + 3)

    two.set_params(early_stopping=True, scoring=fail)
    with pytest.raises(OSError):
        two.fit(X60, Y60)
    two.set_params(early_stopping="auto", scoring="loss")
    one.fit(X60, Y60)
    two.fit(X60, Y60)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_failed_first_fit_leaves_nothing():
    """A first `fit` that fails leaves an estimator that is not fitted."""
    clf = classifier()
    with pytest.raises(ValueError):
        clf.fit(X60, Y60[:50])
    assert vars(clf) == clf.get_params(deep=False)
