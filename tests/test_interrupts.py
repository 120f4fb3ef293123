"""Ctrl-C leaves the estimator as it was, or with the best weights; never a half."""

import numpy as np
import pytest

from skdnn import _data, _model, _validation
from skdnn._callbacks import FitTasks, ProgressLine
from skdnn.encoding import TabularEncoder
from skdnn.nn.losses import LogLoss
from skdnn.nn.network import Network
from skdnn.nn.optimizers import SGD
from skdnn.nn.schedules import Constant
from skdnn.nn.steps import NumpySteps
from tests.tables import binary, classifier, parameters

# Steps are interrupted one by one, whoever takes them.
pytestmark = pytest.mark.usefixtures("one_at_a_time")

X, Y = binary()

#: A `fit` that validates, once an epoch, on rows of one network.
WATCHED = {
    "early_stopping": True,
    "n_members": 1,
    "schedule": "constant",
    "batch_size": 10,
}


class Interrupts:
    """Wraps a function that is interrupted when it is called for the n-th time."""

    def __init__(self, function, n):
        self.function, self.n, self.n_calls = function, n, 0

    def __call__(self, *args, **kwargs):
        self.n_calls += 1
        if self.n_calls == self.n:
            raise KeyboardInterrupt
        return self.function(*args, **kwargs)


def interrupt(monkeypatch, owner, name, n=1):
    """Interrupt a function of a module or class at its n-th call."""
    spy = Interrupts(getattr(owner, name), n)
    wrapped = (lambda *a, **k: spy(*a, **k)) if isinstance(owner, type) else spy
    monkeypatch.setattr(owner, name, wrapped)
    return spy


#: Where an interrupt leaves nothing to keep: owner, function, call.
BEFORE_AN_EPOCH = {
    "joining rows": (_data, "canonical_rows", 1),
    "splitting": (_data, "hold_out", 1),
    "fitting the encoder": (TabularEncoder, "learn", 1),
    "encoding": (TabularEncoder, "encode_rows", 1),
    "building the network": (_model, "build_mlp", 1),
    "initial weights": (Network, "initialize", 1),
    "the first pass": (LogLoss, "loss_gradient", 1),
    "the first step": (NumpySteps, "run", 1),
    "the first validation": (_validation.Validator, "__call__", 1),
    "the first temperature": (_validation, "fit_temperature", 1),
    "keeping the first epoch": (Network, "snapshot", 3),
}


#: What a warm start does not do again.
OF_THE_FIRST_FIT = ("fitting the encoder", "building the network", "initial weights")


@pytest.mark.sampled
@pytest.mark.parametrize("where", BEFORE_AN_EPOCH)
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("warm_start", [False, True])
def test_before_an_epoch_has_ended(where, fitted, warm_start, monkeypatch):
    """Ctrl-C comes out of `fit`, and the estimator is as it was."""
    params = {"optimizer": SGD(), "temperature_scaling": True, "refit": not warm_start}
    clf = classifier(**WATCHED | params, warm_start=warm_start)
    if fitted:
        clf.fit(X, Y)
    if fitted and warm_start and where in OF_THE_FIRST_FIT:
        return
    before = vars(clf).copy()
    spy = interrupt(monkeypatch, *BEFORE_AN_EPOCH[where])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, 1 - Y)
    assert spy.n_calls == spy.n
    assert vars(clf) == before


def test_before_the_epoch_of_a_partial_fit_has_ended(monkeypatch):
    """The one epoch of `partial_fit` is done as a whole, or not at all."""
    clf = classifier(optimizer=SGD(), batch_size=10).partial_fit(X, Y, [0, 1])
    before, weights = vars(clf).copy(), parameters(clf)
    interrupt(monkeypatch, NumpySteps, "run", 4)
    with pytest.raises(KeyboardInterrupt):
        clf.partial_fit(X, Y)
    assert vars(clf) == before
    np.testing.assert_array_equal(parameters(clf), weights)


#: Where an interrupt ends the third epoch: owner, function, call, epochs that are left.
AFTER_TWO_EPOCHS = {
    "a pass": (LogLoss, "loss_gradient", None, 2),
    "a step": (NumpySteps, "run", 2 * 6 + 3, 2),
    "a schedule": (Constant, "factors", 2 * 6 + 3, 2),
    "validation": (_validation.Validator, "__call__", 3, 2),
    "temperature": (_validation, "fit_temperature", 3, 2),
    "printing": (ProgressLine, "print", 3, 3),
    "the end of an epoch": (FitTasks, "end_epoch", 3, 3),
    "the start of an epoch": (FitTasks, "begin_epoch", 3, 2),
}


@pytest.mark.sampled
@pytest.mark.parametrize("where", AFTER_TWO_EPOCHS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_after_two_epochs(where, early_stopping, monkeypatch):
    """Ctrl-C leaves what a fit of the epochs that have ended leaves, to the bit."""
    params = WATCHED | {"optimizer": SGD()}
    params |= {"early_stopping": early_stopping, "verbose": True}
    params |= {"temperature_scaling": early_stopping}
    owner, name, n, n_left = AFTER_TWO_EPOCHS[where]
    if not early_stopping and where in ("validation", "temperature"):
        return
    expected = classifier(**params | {"max_iter": n_left}).fit(X, Y)
    if n is None:
        counted = interrupt(monkeypatch, owner, name, -1)
        classifier(**params | {"max_iter": 2}).fit(X, Y)
        n = counted.n_calls + 1
        monkeypatch.setattr(owner, name, counted.function)
    interrupt(monkeypatch, owner, name, n)
    clf = classifier(**params)
    with pytest.warns(UserWarning, match="interrupted by user"):
        clf.fit(X, Y)
    np.testing.assert_array_equal(parameters(clf), parameters(expected))
    assert clf.n_iter_ == n_left
    told = [name for name in vars(expected) if name.endswith("_")]
    for name in set(told) - {"network_", "encoder_", "classes_"}:
        assert getattr(clf, name) == getattr(expected, name), name


# A refit


REFIT = WATCHED | {"refit": True, "optimizer": SGD()}

#: Where an interrupt ends a refit of five epochs of six steps: owner, function, call.
IN_THE_REFIT = {
    "fitting the encoder": (TabularEncoder, "learn", 2),
    "initial weights": (Network, "initialize", 2),
    "the first step": (NumpySteps, "run", 5 * 6 + 1),
    "the last step": (NumpySteps, "run", 5 * 6 + 5 * 6),
}


@pytest.mark.parametrize("where", IN_THE_REFIT)
def test_interrupted_refit(where, monkeypatch):
    """An interrupted refit keeps the first network, with its encoder and scores."""
    params = REFIT | {"scoring": rising()}
    # Outliers make the scaling of all rows another one than that of the training rows.
    Z = np.exp(3 * X)
    first = classifier(**params | {"refit": False}).fit(Z, Y)
    owner, name, n = IN_THE_REFIT[where]
    interrupt(monkeypatch, owner, name, n)
    clf = classifier(**params | {"scoring": rising()})
    with pytest.warns(UserWarning, match="refit was interrupted by user"):
        clf.fit(Z, Y)
    np.testing.assert_array_equal(parameters(clf), parameters(first))
    np.testing.assert_array_equal(clf.predict_proba(Z), first.predict_proba(Z))
    assert clf.validation_scores_ == first.validation_scores_


@pytest.mark.parametrize("where", ["a step", "validation", "the end of an epoch"])
def test_no_refit_after_an_interrupt(where, monkeypatch):
    """After Ctrl-C in the first training, no second one begins."""
    owner, name, n, _ = AFTER_TWO_EPOCHS[where]
    interrupt(monkeypatch, owner, name, n)
    built = interrupt(monkeypatch, _model, "build_mlp", 2)
    with pytest.warns(UserWarning, match="interrupted by user") as record:
        classifier(**REFIT).fit(X, Y)
    assert len(record) == built.n_calls == 1


def rising():
    """Return a scorer by which each epoch is better than the one before."""
    scores = iter(range(99))
    return lambda estimator, X, y: next(scores)


# Steps and epochs


def interrupting(epoch):
    """Return a scorer that interrupts training in that epoch, as Ctrl-C does.

    The scores that it gives fall, so that the first epoch is the best.
    """
    calls = []

    def score(estimator, X, y):
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return 1 / len(calls)

    return score


def test_interrupt_leaves_a_fitted_estimator():
    """After Ctrl-C the estimator predicts, with a warning."""
    X, y = binary()
    params = {"early_stopping": True, "n_members": 1, "max_iter": 50}
    clf = classifier(scoring=interrupting(4), **params)
    with pytest.warns(UserWarning, match="interrupted") as record:
        clf.fit(X, y)
    assert record[0].filename == __file__  # the line that calls fit
    # The epoch that was being validated has not ended.
    assert clf.n_iter_ == 3
    assert len(clf.loss_curve_) == len(clf.validation_scores_) == 3
    assert len(clf.learning_rate_curve_) == 3
    assert clf.predict(X).shape == y.shape


def test_interrupt_keeps_the_best_weights():
    """After Ctrl-C the weights are the best so far."""
    X, y = binary()
    params = {"early_stopping": True, "schedule": "constant"}
    clf = classifier(scoring=interrupting(4), max_iter=50, **params)
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    assert clf.best_iter_ == 1
    best = classifier(scoring=lambda est, X, y: 1.0, max_iter=2, **params).fit(X, y)
    assert best.best_iter_ == 1
    np.testing.assert_array_equal(clf.network_.params, best.network_.params)


@pytest.mark.parametrize("solver", ["bgd", "minibatch"])
def test_interrupt_within_an_epoch(solver, by_numpy):
    """Ctrl-C amid an epoch leaves the weights of the epoch before."""

    class Interrupting(SGD):
        n_steps = 0

        def update(self, *args):
            super().update(*args)
            Interrupting.n_steps += 1
            if Interrupting.n_steps == stop_at:
                raise KeyboardInterrupt

    X, y = binary()
    stop_at = 3 if solver == "bgd" else 3 * 6 - 2
    params = {"solver": solver, "batch_size": 10, "max_iter": 50}
    clf = classifier(optimizer=Interrupting(), **params)
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    expected = classifier(optimizer="sgd", **{**params, "max_iter": 2}).fit(X, y)
    assert clf.n_iter_ == 2
    np.testing.assert_array_equal(clf.network_.params, expected.network_.params)


BGD_LBFGS = {"optimizer": "lbfgs", "solver": "bgd"}


def test_interrupt_with_lbfgs():
    """Ctrl-C amid a run of L-BFGS leaves the weights of the iteration before."""
    X, y = binary()
    params = {"early_stopping": True, "max_iter": 50, "n_members": 1, **BGD_LBFGS}
    # Scores rise until the interrupt, so that the last iteration is the best.
    calls = []

    def score(estimator, X, y):
        calls.append(estimator.network_.params.copy())
        if len(calls) == 4:
            raise KeyboardInterrupt
        return len(calls)

    clf = classifier(scoring=score, **params)
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    assert clf.best_iter_ == 3
    np.testing.assert_array_equal(clf.network_.params, calls[2])
