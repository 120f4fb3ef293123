"""What the fitted attributes are, in each mode of training."""

import pickle
from math import cos, pi

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skdnn.nn.schedules import Adaptive, Exponential, Step
from tests import plain
from tests.plain import plain_classifier
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    numbers,
    regression,
    regressor,
)

tasks = pytest.mark.parametrize("task", TASKS)


# Attributes


@pytest.mark.parametrize(
    ("task", "n_outputs", "out_activation"),
    [
        ("binary", 1, "sigmoid"),
        ("multiclass", 3, "softmax"),
        ("multilabel", 3, "sigmoid"),
        ("regression", 1, "identity"),
        ("multioutput", 2, "identity"),
    ],
)
def test_outputs(task, n_outputs, out_activation):
    """Each task has its number of outputs and its function of the last layer."""
    make, data = plain.TASKS[task]
    est = make((6, 5)).fit(*data(d=4))
    assert est.n_outputs_ == n_outputs
    assert est.out_activation_ == out_activation
    assert est.n_layers_ == 4
    assert est.n_features_in_ == 4
    assert [w.shape for w in est.coefs_] == [(4, 6), (6, 5), (5, n_outputs)]
    assert [v.shape for v in est.intercepts_] == [(6,), (5,), (n_outputs,)]


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_out_activation_of_an_exponential(loss):
    """A loss with an exponential link says so."""
    X, y = regression()
    assert regressor(loss=loss).fit(X, np.exp(y)).out_activation_ == "exp"


@tasks
def test_history(task):
    """The history has a float an epoch, and its last and best are attributes."""
    make, data = plain.TASKS[task]
    est = make().fit(*data())
    assert est.n_iter_ == 5
    assert all(type(loss) is float for loss in est.loss_curve_)
    assert est.loss_ == est.loss_curve_[-1]
    assert est.best_loss_ == min(est.loss_curve_)
    assert est.best_iter_ == 1 + np.argmin(est.loss_curve_)


@tasks
def test_weights_are_views(task):
    """`coefs_` and `intercepts_` are views of the one parameter vector."""
    make, data = plain.TASKS[task]
    est = make().fit(*data())
    total = sum(a.size for a in est.coefs_ + est.intercepts_)
    assert total == est.network_.params.size
    for array in est.coefs_ + est.intercepts_:
        assert np.shares_memory(array, est.network_.params)


def test_curves_are_plain_numbers():
    """Losses are floats of Python's, with weights as without."""
    X, y = binary()
    clf = classifier().fit(X, y, sample_weight=np.arange(60))
    assert {type(loss) for loss in clf.loss_curve_} == {float}


@tasks
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_not_fitted(task, method):
    """Before `fit`, there is nothing to predict with."""
    est = TASKS[task][0]()
    if hasattr(est, method):
        with pytest.raises(NotFittedError):
            getattr(est, method)(numbers())


# The learning rate

#: Schedules, and what they multiply the rate with when each of six epochs begins.
FACTORS = {
    "constant": ("constant", 6 * [1.0]),
    "cosine": ("cosine", [0.5 * (1 + cos(pi * epoch / 6)) for epoch in range(6)]),
    "exponential": ("exponential", [0.95**epoch for epoch in range(6)]),
    "step": (Step(every=2, decay=0.5), [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 4]),
    "warm-up": (
        Exponential(decay=0.5, warm_up=2),
        [0.01, 0.505 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32],
    ),
}


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("name", FACTORS)
def test_learning_rate_curve_is_the_schedule(name, n_members):
    """It has the rate of each epoch's first step, whatever comes within the epoch."""
    schedule, factors = FACTORS[name]
    params = {"schedule": schedule, "learning_rate": 0.2, "max_iter": 6}
    clf = classifier(**params, n_members=n_members, batch_size=7).fit(*binary())
    np.testing.assert_allclose(
        clf.learning_rate_curve_, np.multiply(0.2, factors), rtol=1e-14
    )
    assert {type(rate) for rate in clf.learning_rate_curve_} == {float}
    assert clf.learning_rate_ == 0.2
    copy = pickle.loads(pickle.dumps(clf))
    assert copy.learning_rate_curve_ == clf.learning_rate_curve_


def test_learning_rate_curve_has_plateaus():
    """An epoch after a stall has the lower rate."""
    clf = classifier(
        schedule=Adaptive(divisor=2.0, minimum=0.3),
        learning_rate=1.0,
        early_stopping=True,
        scoring=lambda est, X, y: 0.5,
        n_iter_no_change=2,
        tol=1e-3,
        max_iter=20,
    ).fit(*binary())
    assert clf.learning_rate_curve_ == 4 * [1.0] + 3 * [0.5] + 3 * [0.25]


def test_learning_rate_curve_goes_on():
    """It is that of this call, as the losses are, and the schedule goes on."""
    X, y = binary()
    params = {"schedule": "exponential", "learning_rate": 0.2}
    clf = classifier(**params, max_iter=3, warm_start=True).fit(X, y)
    clf.fit(X, y)
    expected = [0.2 * 0.95**epoch for epoch in range(3, 6)]
    np.testing.assert_allclose(clf.learning_rate_curve_, expected, rtol=1e-14)
    clf = classifier(**params)
    for epoch in range(3):
        clf.partial_fit(X, y, classes=[0, 1])
        np.testing.assert_allclose(
            clf.learning_rate_curve_, [0.2 * 0.95**epoch], rtol=1e-14
        )


# Of each mode

VALIDATION = {"validation_loss_curve_", "validation_scores_", "best_validation_score_"}


@pytest.mark.parametrize("name", ["coefs_", "classes_", "n_layers_", "network_"])
def test_attributes_before_fit(name):
    """The error names the attribute, and no other; what is no property has its own."""
    with pytest.raises(
        AttributeError, match=f"no attribute '{name}', as it is not fit"
    ):
        getattr(classifier(), name)
    with pytest.raises(AttributeError, match=r"_of'\.?$"):
        getattr(classifier(), name.strip("_") + "_of")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        classifier(optimizer="lbfgs", solver="bgd").partial_fit(*binary())


@tasks
@pytest.mark.parametrize("early_stopping", [False, True])
def test_attributes_of_each_mode(task, early_stopping):
    """Attributes exist in all modes, and are None where there is nothing to tell."""
    make, data = TASKS[task]
    est = make(early_stopping=early_stopping).fit(*data())
    absent = {"best_loss_"} if early_stopping else VALIDATION
    for name in {"best_loss_"} | VALIDATION:
        assert (getattr(est, name) is None) == (name in absent)
    assert est.loss_ == est.loss_curve_[-1]
    assert est.n_iter_ == 5


def test_attributes_do_not_outlive_their_mode():
    """A `fit` in another mode leaves no attribute of the mode before."""
    X, y = binary()
    clf = classifier(early_stopping=True).fit(X, y)
    clf.set_params(early_stopping=False).fit(X, y)
    assert all(getattr(clf, name) is None for name in VALIDATION)
    assert clf.best_loss_ == min(clf.loss_curve_)
    clf.set_params(early_stopping=True).fit(X, y)
    assert clf.best_loss_ is None


def test_best_epoch_without_early_stopping():
    """Without early stopping, the best epoch is that of the lowest objective."""
    clf = classifier(optimizer="sgd", learning_rate=3.0, max_iter=20).fit(*multiclass())
    assert clf.best_loss_ == min(clf.loss_curve_)
    assert clf.best_iter_ == 1 + np.argmin(clf.loss_curve_)


def test_attributes_after_partial_fit():
    """After `partial_fit` there is no validation, and epochs add up."""
    X, Y = multilabel()
    clf = classifier()
    for i in range(1, 4):
        clf.partial_fit(X, Y, classes=[0, 1, 2])
        assert clf.n_iter_ == i
    assert len(clf.loss_curve_) == 1
    assert all(getattr(clf, name) is None for name in VALIDATION)


#: How training can watch itself, and the curves that there are then.
MODES = {
    "loss": {"early_stopping": False},
    "lbfgs": {"early_stopping": False, "optimizer": "lbfgs", "solver": "bgd"},
    "validation loss": {"early_stopping": True},
    "validation score": {"early_stopping": True, "scoring": "neg_log_loss"},
}


@pytest.mark.sampled
@pytest.mark.parametrize("mode", [*MODES, "partial_fit"])
@pytest.mark.parametrize("before", [None, *MODES])
def test_fault_05_attributes_are_of_this_fit_in_all_modes(before, mode):
    """The curves and the best values are there in each mode, None where not watched.

    A peer had some only with early stopping, and kept those of the fit before.
    """
    X, y = binary()
    clf = plain_classifier(max_iter=7)
    if before is not None:
        clf.set_params(**MODES[before], max_iter=3).fit(X, y).set_params(max_iter=7)
    if mode == "partial_fit":
        clf.set_params(**MODES["loss"], optimizer="adam")
        clf.partial_fit(X, y, classes=[0, 1])
    else:
        clf.set_params(**{"optimizer": "adam", "scoring": "loss", **MODES[mode]})
        clf.fit(X, y)
    assert clf.loss_ == clf.loss_curve_[-1]
    assert len(clf.loss_curve_) == (1 if mode == "partial_fit" else 7)
    if mode == "lbfgs":
        assert clf.learning_rate_curve_ is None
    else:
        assert len(clf.learning_rate_curve_) == len(clf.loss_curve_)
    assert clf.best_iter_ <= 7
    if mode.startswith("validation"):
        assert clf.best_loss_ is None
        assert len(clf.validation_loss_curve_) == len(clf.validation_scores_) == 7
        assert clf.best_validation_score_ == max(clf.validation_scores_)
    else:
        assert clf.best_loss_ == min(clf.loss_curve_)
        assert clf.validation_loss_curve_ is clf.validation_scores_ is None
        assert clf.best_validation_score_ is None
