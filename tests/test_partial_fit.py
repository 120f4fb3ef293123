"""`partial_fit`: training in parts, and what is counted on the way."""

import pickle

import numpy as np
import pytest

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.optimizers import LBFGS, Adam
from tests.plain import plain_classifier, plain_regressor
from tests.recipes import CLASSES, data_for, maker, networks, table
from tests.same import assert_same_network
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    parameters,
    regressor,
)

makers = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
estimators = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
tasks = pytest.mark.parametrize("task", TASKS)


# Parts


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("batch_norm", [False, True])
def test_partial_fit_is_one_epoch(task, batch_norm):
    """Calls on all the data are the epochs of a `fit` without shuffling, to the bit."""
    make, data = TASKS[task]
    X, y = data()
    params = {"shuffle": False, "batch_size": 16, "dropout": 0.2}
    # What "auto" can mean for all the data alone.
    params |= {"schedule": "constant", "early_stopping": False}
    if make is regressor:
        params["auxiliary_quantiles"] = False
    expected = make(batch_norm=batch_norm, max_iter=3, **params).fit(X, y)
    est = make(batch_norm=batch_norm, max_iter=3, **params)
    classes = (
        {} if make is regressor else {"classes": np.arange(3 - (task == "binary"))}
    )
    for _ in range(3):
        est.partial_fit(X, y, **classes)
    np.testing.assert_array_equal(parameters(est), parameters(expected))
    assert est.n_iter_ == 3


def test_partial_fit_streams():
    """Data in pieces are learned, though no piece has all classes."""
    X, y = multiclass(300)
    order = np.argsort(y, kind="stable")
    clf = classifier(learning_rate=0.01, batch_size=10)
    for _ in range(30):
        for rows in np.array_split(order, 6):
            clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert clf.n_iter_ == 180
    assert clf.score(X, y) > 0.6
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_partial_fit_wants_classes_first():
    """The first call must say which classes there are; later ones need not."""
    X, y = binary()
    clf = classifier()
    with pytest.raises(ValueError, match="classes must be passed"):
        clf.partial_fit(X, y)
    assert vars(clf) == clf.get_params(deep=False)
    clf.partial_fit(X, y, classes=[1, 0]).partial_fit(X, y)
    clf.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="not the same as on the last call"):
        clf.partial_fit(X, y, classes=[0, 2])


def test_partial_fit_knows_its_classes():
    """A label that is not among the classes is an error that names it."""
    X, y = multiclass()
    with pytest.raises(ValueError, match=r"not among the classes: \[2\]"):
        classifier().partial_fit(X, y, classes=[0, 1])


def test_partial_fit_of_text_labels():
    """Classes may be text, and all of them are predicted with some probability."""
    X, y = binary()
    labels = np.array(["no", "yes"])[y]
    clf = classifier().partial_fit(X, labels, classes=["no", "perhaps", "yes"])
    assert clf.predict_proba(X).shape == (60, 3)
    assert set(clf.predict(X)) <= {"no", "perhaps", "yes"}


@tasks
def test_partial_fit_after_fit(task):
    """`partial_fit` goes on from what `fit` learned."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(X, y)
    before = est.network_.params.copy()
    est.set_params(optimizer="sgd", learning_rate=1e-12).partial_fit(X, y)
    # Of a linear share, weights of what embeddings make of a column begin at zero.
    np.testing.assert_allclose(est.network_.params, before, rtol=1e-5, atol=1e-10)


@tasks
def test_fit_after_partial_fit(task):
    """`fit` begins anew, unless `warm_start` says otherwise."""
    make, data = TASKS[task]
    X, y = data()
    classes = (
        {} if make is regressor else {"classes": np.arange(3 - (task == "binary"))}
    )
    est = make().partial_fit(X, y, **classes).fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(make().fit(X, y)))


@tasks
def test_partial_fit_after_pickling(task):
    """Training goes on after pickling as it would have without, to the bit."""
    make, data = TASKS[task]
    X, y = data()
    params = {"batch_norm": True, "dropout": 0.2, "batch_size": 16}
    classes = (
        {} if make is regressor else {"classes": np.arange(3 - (task == "binary"))}
    )
    est = make(**params).partial_fit(X, y, **classes)
    copy = pickle.loads(pickle.dumps(est))
    est.partial_fit(X, y)
    copy.partial_fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(copy))
    np.testing.assert_array_equal(est.predict(X), copy.predict(X))


def test_partial_fit_with_weights():
    """Weights count in `partial_fit`."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3
    one = classifier().partial_fit(X, y, [0, 1], weight)
    two = classifier().partial_fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight), [0, 1]
    )
    np.testing.assert_array_equal(parameters(one), parameters(two))
    one = regressor().partial_fit(X, y, weight)
    two = regressor().partial_fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_fault_16_partial_fit_of_several_labels_a_row():
    """Multilabel targets come in parts, some without a row of some label.

    A peer's `partial_fit` took them for classes, and failed.
    """
    X, y = multilabel(300)
    clf = plain_classifier((16,), learning_rate=0.03, batch_size=20)
    no_first = y[:, 0] == 0
    clf.partial_fit(X[no_first], y[no_first], classes=[0, 1, 2])
    for _ in range(30):
        for start in range(0, 300, 100):
            part = slice(start, start + 100)
            clf.partial_fit(X[part], y[part], classes=[0, 1, 2])
    clf.partial_fit(X[:1], y[:1])
    assert clf.n_iter_ == 92
    assert (clf.predict(X) == y).mean() > 0.95


# What is counted


@pytest.mark.sampled
@tasks
@networks
def test_fault_13_what_n_iter_and_loss_curve_count(network, task):
    """`n_iter_` counts one `fit` or all `partial_fit`; `loss_curve_` is the last call.

    A peer's warm start stopped after one epoch, its `n_iter_` grew from fit to fit,
    and after three `partial_fit` it was 1 with three losses.
    """
    is_number = task in ("regression", "multioutput")
    # Which are for a fit alone.
    without = {"auxiliary_quantiles": False} if is_number else {}
    make = maker(task, network, early_stopping=False, **without)
    X, y = table(task)
    est = make(warm_start=True, max_iter=5)
    for _ in range(3):
        before = parameters(est) if hasattr(est, "network_") else None
        est.fit(X, y)
        assert est.n_iter_ == len(est.loss_curve_) == 5
        assert before is None or (parameters(est) != before).mean() > 0.5
    assert_same_network(est, make(max_iter=15, schedule="constant").fit(X, y))
    est = make()
    for k in 1, 2, 3:
        est.partial_fit(X, y, **CLASSES[task])
        assert (est.n_iter_, len(est.loss_curve_)) == (k, 1)
    # A constant schedule, and none of the sizes that depend on the number of rows.
    in_parts = {"max_iter": 3, "schedule": "constant", "batch_size": 200}
    in_parts |= {"batch_size": 16} if network == "all at once" else {}
    assert_same_network(est, make(**in_parts).fit(X, y))


# Where there is none


@makers
def test_fault_14_partial_fit_after_early_stopping_is_a_clear_error(make):
    """`partial_fit` with early_stopping=True says why not, and changes nothing.

    A peer's crashed on an attribute that only `fit` had made.
    """
    X, y = data_for(make)
    est = make(early_stopping=True).fit(X, y)
    before = parameters(est)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        est.partial_fit(X, y)
    np.testing.assert_array_equal(parameters(est), before)
    assert len(est.validation_scores_) == 5
    assert est.set_params(early_stopping=False).partial_fit(X, y).n_iter_ == 1


@estimators
def test_fault_15_lbfgs_has_no_partial_fit(Estimator):
    """`partial_fit` is there for the optimizers that take steps, in both classes.

    A peer's regressor had it for L-BFGS too, for want of a pair of parentheses.
    """
    assert not hasattr(Estimator(optimizer="lbfgs"), "partial_fit")
    assert not hasattr(Estimator(optimizer=LBFGS()), "partial_fit")
    assert hasattr(Estimator(), "partial_fit")
    changed = Estimator(optimizer="lbfgs").set_params(optimizer=Adam())
    assert hasattr(changed, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        Estimator(optimizer="lbfgs").partial_fit(*binary())


def test_partial_fit_with_early_stopping():
    """`partial_fit` with early stopping is an error that names both."""
    with pytest.raises(ValueError, match=r"partial_fit .* early_stopping=True"):
        classifier(early_stopping=True).partial_fit(*binary(), classes=[0, 1])


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("optimizer", ["lbfgs", LBFGS()])
def test_partial_fit_with_lbfgs(make, optimizer):
    """With L-BFGS there is no `partial_fit`."""
    assert not hasattr(make(optimizer=optimizer, solver="bgd"), "partial_fit")
