"""What a model is stays, while training goes on: calibration, and what "auto" meant."""

import pickle

import numpy as np
import pytest
from scipy.special import expit

from skdnn.nn.activations import Parametric
from skdnn.nn.losses import LogLoss
from skdnn.nn.optimizers import Adam
from tests.tables import (
    binary,
    classifier,
    multiclass,
    multilabel,
)

#: Calibrated by rows that are held out, and so sure that it makes a difference.
SHARP = {"learning_rate": 0.1, "max_iter": 20, "early_stopping": True}
NO_STEP = {"learning_rate": 1e-12}


def calibrated(data, **params):
    """Return a classifier with a temperature that is not 1, and its data."""
    X, y = data(90)
    # Rows of which a third has labels at random, so that it was too sure.
    noisy = y.copy()
    noisy[::3] = noisy[::-1][::3]
    clf = classifier((64,), **SHARP | params).fit(X, y, X_val=X, y_val=noisy)
    assert abs(np.log(clf.temperature_)) > 0.03
    return clf, X, y


# Calibration


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_partial_fit_keeps_the_temperature(data):
    """An epoch that moves nothing moves no probability."""
    clf, X, y = calibrated(data)
    temperature, expected = clf.temperature_, clf.predict_proba(X)
    clf.set_params(early_stopping="auto", **NO_STEP).partial_fit(X, y)
    assert clf.temperature_ == temperature
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-5)


@pytest.mark.parametrize("pickled", [False, True])
def test_warm_start_without_validation_keeps_the_temperature(pickled):
    """Where no rows are held out, nothing says otherwise."""
    clf, X, y = calibrated(binary, warm_start=True)
    temperature, expected = clf.temperature_, clf.predict_proba(X)
    clf = pickle.loads(pickle.dumps(clf)) if pickled else clf
    clf.set_params(early_stopping=False, **NO_STEP).fit(X, y)
    assert clf.temperature_ == temperature
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-5)


def test_warm_start_with_validation_calibrates_anew():
    """Rows that are held out say otherwise."""
    clf, X, y = calibrated(binary, warm_start=True)
    clf.set_params(**NO_STEP).fit(X, y, X_val=X, y_val=1 - y)
    assert clf.temperature_ > 5


def test_another_optimizer_keeps_the_temperature():
    """With an optimizer whose recipe has no calibration, there goes on to be one."""
    clf, X, y = calibrated(binary, warm_start=True)
    temperature = clf.temperature_
    clf.set_params(optimizer="sgd", early_stopping=False, **NO_STEP).fit(X, y)
    assert clf.temperature_ == temperature


def test_temperature_scaling_that_is_switched_off():
    """False is what it says, also for a model that was calibrated."""
    clf, X, y = calibrated(binary, warm_start=True)
    clf.set_params(temperature_scaling=False, early_stopping=False).fit(X, y)
    assert clf.temperature_ == 1


def test_a_new_fit_forgets_the_temperature():
    """Without `warm_start`, a fit begins anew."""
    clf, X, y = calibrated(binary)
    assert clf.set_params(early_stopping=False).fit(X, y).temperature_ == 1


# What "auto" meant


def test_auto_goes_on_to_mean_what_it_meant():
    """Another optimizer, of another recipe, trains the same network with its rate."""
    X, y = binary()
    one, two = (classifier(warm_start=True).fit(X, y) for _ in range(2))
    one.set_params(optimizer="sgd").fit(X, y)
    meant = {"dropout": 0.2, "activation": Parametric("silu"), "parametrization": "ntk"}
    two.set_params(optimizer="sgd", **meant).fit(X, y)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)
    assert one.learning_rate_ == 0.1


def test_lbfgs_after_dropout():
    """L-BFGS can't go on with an objective that does not stand still."""
    X, y = binary()
    clf = classifier(warm_start=True).fit(X, y)
    clf.set_params(optimizer="lbfgs", solver="bgd")
    with pytest.raises(ValueError, match=r"dropout=0.*began with dropout=0\.2.*clone"):
        clf.fit(X, y)
    clf = classifier(warm_start=True, dropout=0).fit(X, y)
    clf.set_params(optimizer="lbfgs", solver="bgd").fit(X, y)
    assert clf.loss_curve_[-1] < clf.loss_curve_[0]


@pytest.mark.parametrize(
    ("name", "meant", "other"),
    [
        ("dropout", 0.2, 0.0),
        ("dropout", [0.2], [0.1]),
        ("activation", Parametric("silu"), "silu"),
        ("parametrization", "ntk", "standard"),
        ("numeric_embedding", "piecewise_linear", None),
        ("input_scaling", True, False),
        ("n_members", 8, 2),
        ("loss", LogLoss(), LogLoss(label_smoothing=0.1)),
    ],
)
def test_what_auto_stood_for_is_what_counts(name, meant, other):
    """The word and what it stood for are the same; anything else is an error."""
    X, y = binary()
    params = {"n_members": "auto", "warm_start": True}
    if name == "loss":
        params["loss"] = LogLoss()
    clf = classifier(**params).fit(X, y)
    clf.set_params(**{name: meant}).fit(X, y)
    with pytest.raises(ValueError, match=f"{name} was .* is now .* clone"):
        clf.set_params(**{name: other}).fit(X, y)


def test_auto_after_a_plain_beginning():
    """A network that began as the textbook's stays one under Adam."""
    X, y = binary()
    clf = classifier(warm_start=True, solver="bgd").fit(X, y)
    n_params = len(clf.network_.params)
    clf.set_params(solver="minibatch", optimizer=Adam()).fit(X, y)
    assert len(clf.network_.params) == n_params
    assert clf.learning_rate_ == 0.001
    with pytest.raises(ValueError, match="activation was 'relu'"):
        clf.set_params(activation="silu").fit(X, y)


def test_members_stay_as_many_with_more_rows():
    """The number of rows may set the number of members of a new network alone."""
    X, y = binary(60)
    clf = classifier(n_members="auto", warm_start=True).fit(X, y)
    clf.fit(*binary(1000))
    assert clf.network_.n_members == 8
    clf = classifier(n_members="auto").partial_fit(X, y, [0, 1])
    assert clf.network_.n_members == 2
    clf.partial_fit(X, y)


def test_probabilities_are_those_of_the_temperature():
    """`decision_function` is divided by it after `partial_fit` too."""
    clf, X, y = calibrated(binary, n_members=1)
    clf.set_params(early_stopping="auto").partial_fit(X, y)
    raw = clf.network_.forward(clf.encoder_.transform(X).astype(np.float32))[:, 0]
    expected = expit(raw.astype(float) / clf.temperature_)
    np.testing.assert_allclose(clf.predict_proba(X)[:, 1], expected, rtol=1e-5)
