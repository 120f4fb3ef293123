"""Parameters of what comes out: temperature, range and scale of predictions."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from skdnn._calibration import PRIOR
from tests.plain import plain_classifier, plain_regressor
from tests.tables import (
    binary,
    multiclass,
    multilabel,
    multioutput,
    regression,
)

# Temperature

SHARP = {"temperature_scaling": True, "early_stopping": True, "learning_rate": 0.05}


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_temperature_scaling_divides_the_raw_predictions(data):
    """Probabilities are sigmoid or softmax of the scores, divided by temperature."""
    X, y = data(90)
    clf = plain_classifier(dtype="float64", max_iter=40, **SHARP).fit(X, y)
    raw = clf.network_.forward(clf.encoder_.transform(X)) / clf.temperature_
    scores = clf.decision_function(X).reshape(raw.shape)
    assert clf.temperature_ != 1
    np.testing.assert_allclose(scores, raw, rtol=1e-10, atol=1e-12)
    proba = clf.predict_proba(X)
    expected = softmax(raw, axis=1) if data is multiclass else expit(raw)
    actual = proba[:, 1:] if data is binary else proba
    np.testing.assert_allclose(actual, expected, rtol=1e-10)


@pytest.mark.parametrize("data", [binary, multiclass])
def test_temperature_scaling_minimizes_the_validation_loss(data):
    """No other temperature gives the validation rows less loss, but for its priors."""
    X, y = data(60)
    X_val, y_val = data(500, seed=1)
    # Labels at random make a network too sure that has learned its rows by heart.
    y_val[::5] = y_val[::-1][::5]
    clf = plain_classifier((64,), max_iter=60, dtype="float64", **SHARP)
    clf.fit(X, y, X_val=X_val, y_val=y_val)
    raw = clf.decision_function(X_val) * clf.temperature_

    def probabilities(temperature):
        z = raw / temperature
        if data is binary:
            return np.column_stack([expit(-z), expit(z)])
        return softmax(z, axis=1)

    def loss(temperature):
        return -np.log(probabilities(temperature)[np.arange(500), y_val]).mean()

    def objective(temperature):
        # One of 501 rows is of all classes alike.
        of_any_class = -np.log(probabilities(temperature)).mean()
        prior = np.log(temperature) ** 2 / (2 * PRIOR**2 * 500)
        return (500 * loss(temperature) + of_any_class) / 501 + prior

    grid = np.exp(np.linspace(-2, 2, 401))
    objectives = [objective(temperature) for temperature in grid]
    best = objective(clf.temperature_)
    assert abs(np.log(clf.temperature_)) > 0.02
    assert best < objective(1.0)
    assert best < min(objectives) + 1e-5
    assert abs(np.log(clf.temperature_ / grid[np.argmin(objectives)])) < 0.03
    expected = loss(clf.temperature_)
    np.testing.assert_allclose(min(clf.validation_loss_curve_), expected, rtol=1e-9)
    assert clf.best_validation_score_ == -min(clf.validation_loss_curve_)


def test_temperature_scaling_is_seen_by_scorers():
    """A scorer of probabilities gets those that the epoch's temperature gives."""
    X, y = binary()
    seen = []

    def score(estimator, X, y):
        seen.append((estimator.temperature_, -log_loss(y, estimator.predict_proba(X))))
        return seen[-1][1]

    clf = plain_classifier(scoring=score, dtype="float64", max_iter=20, **SHARP)
    clf.fit(X, y, X_val=X, y_val=y)
    assert clf.temperature_ == seen[clf.best_iter_ - 1][0]
    assert clf.validation_scores_ == [score for _, score in seen]
    np.testing.assert_allclose(
        clf.validation_loss_curve_, [-score for _, score in seen], rtol=1e-9
    )


def test_temperature_scaling_false_is_a_temperature_of_one():
    """Without it, raw predictions are the scores."""
    X, y = binary()
    params = {**SHARP, "temperature_scaling": False, "dtype": "float64"}
    clf = plain_classifier(**params).fit(X, y)
    assert clf.temperature_ == 1
    raw = clf.network_.forward(clf.encoder_.transform(X))[:, 0]
    np.testing.assert_allclose(clf.decision_function(X), raw, rtol=1e-10, atol=1e-12)


def test_temperature_scaling_needs_rows_that_are_held_out():
    """Without early stopping, there is nothing to measure it on."""
    with pytest.raises(ValueError, match=r"temperature_scaling=True .*early_stopping"):
        plain_classifier(temperature_scaling=True, early_stopping=False).fit(*binary())


# Scale


@pytest.mark.parametrize("data", [regression, multioutput])
def test_target_scaling_makes_units_irrelevant(data):
    """With `target_scaling`, the units of the target make no difference."""
    X, y = data()
    reg = plain_regressor(dtype="float64").fit(X, y)
    other = plain_regressor(dtype="float64").fit(X, 1000 * y - 70)
    np.testing.assert_allclose(
        other.predict(X), 1000 * reg.predict(X) - 70, rtol=1e-9, atol=1e-6
    )


def test_target_scaling_standardizes():
    """Scaling trains on the standardized target."""
    X, y = regression()
    z = (y - y.mean()) / y.std()
    one = plain_regressor(target_scaling=True, dtype="float64").fit(X, y)
    two = plain_regressor(target_scaling=False, dtype="float64").fit(X, z)
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-9)
    expected = two.predict(X) * y.std() + y.mean()
    np.testing.assert_allclose(one.predict(X), expected, rtol=1e-9)


def test_target_scaling_counts_the_weights():
    """Mean and deviation of the target are weighted."""
    X, y = regression()
    weight = np.random.default_rng(0).uniform(0.1, 5, 60)
    mean = np.average(y, weights=weight)
    z = (y - mean) / np.sqrt(np.average((y - mean) ** 2, weights=weight))
    one = plain_regressor(target_scaling=True, dtype="float64").fit(X, y, weight)
    two = plain_regressor(target_scaling=False, dtype="float64").fit(X, z, weight)
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-9)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_target_scaling_of_an_exponential_divides_by_the_mean(loss):
    """Under an exponential link, the target is divided by its mean alone."""
    X, y = regression()
    y = np.exp(y / 3)
    params = {"loss": loss, "dtype": "float64"}
    one = plain_regressor(target_scaling=True, **params).fit(X, y)
    two = plain_regressor(target_scaling=False, **params).fit(X, y / y.mean())
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-9)
    np.testing.assert_allclose(one.predict(X), two.predict(X) * y.mean(), rtol=1e-9)


def test_target_scaling_of_a_constant_target():
    """A target without any variance is predicted."""
    X, _ = regression()
    for value in (0.0, 7.5):
        reg = plain_regressor(
            (), max_iter=2000, learning_rate=0.01, solver="bgd", alpha=0
        )
        reg.fit(X, np.full(60, value))
        np.testing.assert_allclose(reg.predict(X), value, atol=1e-3)
