"""When training stops, what it watches until then, and which weights it keeps."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV, cross_validate

from skdnn import DNNClassifier, DNNRegressor
from skdnn._recipe import resolve
from skdnn._stopping import StoppingRule
from skdnn._validation import Validation
from skdnn.nn.optimizers import Adam
from skdnn.nn.schedules import Adaptive, Constant
from tests import plain
from tests.plain import plain_classifier, plain_regressor
from tests.recipes import data_for
from tests.same import assert_same_network
from tests.tables import (
    TASKS,
    TOGETHER,
    binary,
    classifier,
    held_out,
    multiclass,
    numbers,
    parameters,
    regressor,
)

makers = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
tasks = pytest.mark.parametrize("task", TASKS)


# The stopping rule


def make_rule(patience, tol, losses, scores=None, schedule=None):
    """Return the epochs that a rule lets run, and the rule."""
    trainer = SimpleNamespace(
        epoch=0,
        losses=[],
        learning_rate=1.0,
        plateau_factor=1.0,
        schedule=schedule or Constant(),
    )
    trainer.network = SimpleNamespace(snapshot=lambda out=None: trainer.epoch)
    values = iter(scores or [])

    def validate(workers):
        score = next(values)
        return Validation(-score, score, temperature=1 + score)

    rule = StoppingRule(trainer, patience, tol, validate if scores else None)
    for loss in losses:
        trainer.losses.append(loss)
        trainer.epoch += 1
        if rule():
            break
    return trainer.epoch, rule


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_rule_stops_after_patience(patience):
    """Training stops after more than `patience` epochs in a row without progress."""
    n_epochs, rule = make_rule(patience, 0.1, [3.0, 2.0] + 20 * [2.0])
    assert n_epochs == 2 + patience + 1
    assert rule.stopped


def test_rule_counts_epochs_in_a_row():
    """An epoch of progress starts the count anew."""
    n_epochs, _ = make_rule(2, 0.1, [5.0, 5.0, 5.0, 4.0, 4.0, 4.0, 4.0, 3.0])
    assert n_epochs == 7


def test_rule_compares_with_the_best():
    """Progress is a loss below the best one, not below the last one."""
    n_epochs, rule = make_rule(2, 0.1, [1.0, 9.0, 8.0, 7.0, 0.5])
    assert n_epochs == 4
    assert rule.best.epoch == 1


def test_rule_wants_progress_of_tol():
    """Progress by less than `tol` is none."""
    n_epochs, rule = make_rule(2, 0.1, 1 - 0.01 * np.arange(20))
    assert n_epochs < 20
    # And yet the best epoch is the best.
    assert rule.best.epoch == n_epochs


def test_rule_adds_up_slow_progress():
    """Slow progress that adds up to `tol` within the patience goes on."""
    n_epochs, _ = make_rule(2, 0.5, 10 - 1.0 * np.arange(10))
    assert n_epochs == 10


@pytest.mark.parametrize("scores", [None, [0.0] * 30])
def test_rule_without_tol_never_stops(scores):
    """Without `tol`, all epochs run, with and without a validation score."""
    n_epochs, rule = make_rule(1, None, [1.0] * 30, scores)
    assert n_epochs == 30
    assert not rule.should_have_stopped()


def test_rule_watches_the_score():
    """With a score, the loss does not matter, and more is better."""
    losses = list(range(20))
    n_epochs, rule = make_rule(2, 0.1, losses, [1, 2, 3, 9, 1, 1, 1, 1, 1, 1])
    assert n_epochs == 7
    assert (rule.best.epoch, rule.best.score) == (4, 9)
    assert rule.best.snapshot == 4
    assert rule.best.temperature == 10


def test_rule_lowers_the_rate_on_a_plateau():
    """With an adaptive schedule, a stall lowers the rate and starts the count anew."""
    schedule = Adaptive(divisor=10, minimum=0.05)
    n_epochs, rule = make_rule(2, 0.1, [1.0] * 30, schedule=schedule)
    # One epoch of progress, then three stalls of three: 1 -> 0.1 -> 0.01, then the end.
    assert n_epochs == 10
    np.testing.assert_allclose(rule.trainer.plateau_factor, 0.01)


def test_rule_should_have_stopped():
    """A run to the last epoch is a sign of too few unless scores were watched."""
    assert make_rule(1, 0.1, [3.0, 2.0])[1].should_have_stopped()
    assert not make_rule(1, 0.1, [3.0, 2.0], [1, 2])[1].should_have_stopped()
    assert not make_rule(1, 0.1, [2.0] * 9)[1].should_have_stopped()


# Early stopping

SCORES = [0.1, 0.7, 0.3, 0.2, 0.6]


@tasks
def test_best_weights_are_restored(task):
    """After early stopping the weights are those of the epoch of the best score."""
    make, data = TASKS[task]
    seen = []

    def score(estimator, X, y):
        seen.append(parameters(estimator))
        return SCORES[len(seen) - 1]

    params = {"batch_norm": True, "linear_share": False}
    est = make(scoring=score, **params, **TOGETHER).fit(*data())
    assert est.best_iter_ == 2
    np.testing.assert_array_equal(parameters(est), seen[1])


@pytest.mark.parametrize(
    ("make", "scoring", "metric"),
    [
        (classifier, "accuracy", lambda est, X, y: accuracy_score(y, est.predict(X))),
        (classifier, "loss", lambda est, X, y: -log_loss(y, est.predict_proba(X))),
        (regressor, "r2", lambda est, X, y: r2_score(y, est.predict(X))),
    ],
)
def test_best_score_is_that_of_the_final_network(make, scoring, metric):
    """The score of the fitted estimator on the held-out rows is the best one."""
    X, y = binary()
    params = {"learning_rate": 0.1, "max_iter": 30, "dtype": "float64"}
    params["linear_share"] = False
    X_val, y_val = held_out(make, X, y)
    est = make(scoring=scoring, **params, **TOGETHER).fit(X, y)
    assert est.best_validation_score_ == max(est.validation_scores_)
    assert est.best_iter_ == 1 + np.argmax(est.validation_scores_)
    expected = metric(est, X_val, y_val)
    np.testing.assert_allclose(est.best_validation_score_, expected, rtol=1e-9)


def test_training_stops_early():
    """Training stops when the score no longer rises."""
    X, y = binary()
    clf = classifier(
        early_stopping=True,
        scoring=lambda est, X, y: 0.5,
        tol=1e-4,
        n_iter_no_change=3,
        max_iter=50,
    ).fit(X, y)
    assert clf.n_iter_ == 5


def test_a_second_fit_stops_like_the_first():
    """Nothing of the stopping rule is left over for the next `fit`."""
    X, y = binary()
    clf = classifier(
        early_stopping=True,
        learning_rate=0.1,
        tol=1e-4,
        n_iter_no_change=2,
        max_iter=90,
    )
    first = clf.fit(X, y).validation_scores_
    assert clf.fit(X, y).validation_scores_ == first
    assert len(first) < 90


def test_one_epoch_of_early_stopping():
    """With `max_iter=1`, rows are held out as with any other number."""
    clf = classifier(early_stopping=True, max_iter=1).fit(*binary())
    assert len(clf.validation_scores_) == 1


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
@pytest.mark.parametrize("dtype", ["U1", object, "str", "category"])
def test_fault_02_early_stopping_with_labels_that_are_strings(dtype, scoring):
    """Early stopping works with strings as labels, in every dtype.

    A peer asked whether the predicted strings were NaN, a TypeError.
    """
    X, y = multiclass()
    y = np.array(["a", "b", "c"])[y]
    y = y.astype(dtype) if dtype in ("U1", object) else pd.Series(y, dtype=dtype)
    clf = plain_classifier(early_stopping=True, scoring=scoring).fit(X, y)
    assert np.isfinite(clf.validation_scores_).all()
    assert set(clf.predict(X)) <= {"a", "b", "c"}


@pytest.mark.sampled
@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize(
    ("make", "scoring"),
    [
        (plain_classifier, "loss"),
        (plain_classifier, "accuracy"),
        (plain_regressor, "loss"),
        (plain_regressor, "r2"),
    ],
)
def test_fault_04_validation_sets_of_one_row(make, scoring, n):
    """One row is enough to validate on; where a score needs two, an error says so.

    A peer's R² of one row was NaN, a warning an epoch, and no epoch was the best.
    """
    X, y = data_for(make)
    est = make(early_stopping=True, scoring=scoring)
    y[:2] = 0, 1
    if scoring == "r2":
        with pytest.raises(ValueError, match="validation"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            est.fit(X[:n], y[:n])
    else:
        est.fit(X[:n], y[:n])
        assert np.isfinite(est.validation_scores_).all()
        assert est.best_iter_ >= 1


@pytest.mark.parametrize(
    ("make", "scoring"),
    [
        (plain_classifier, "loss"),
        (plain_classifier, "accuracy"),
        (plain_classifier, DNNClassifier.score),
        (plain_regressor, "loss"),
        (plain_regressor, "r2"),
        (plain_regressor, DNNRegressor.score),
    ],
)
def test_fault_06_no_warning_of_feature_names_in_early_stopping(make, scoring):
    """A data frame and early stopping give no warning, here an error.

    A peer scored an array inside `fit`, and warned that it had no feature names.
    """
    X, y = data_for(make)
    X = pd.DataFrame(X, columns=list("abcd"))
    est = make(early_stopping=True, scoring=scoring, validation_fraction=10)
    est.fit(X, y)
    est.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert list(est.feature_names_in_) == list("abcd")


@makers
def test_fault_07_patience_is_long_and_the_best_epoch_is_kept(make):
    """By default ten epochs or more are borne, and the best weights stay.

    Peers stopped after two, kept the last weights, or got worse with more patience.
    """
    for optimizer in "auto", "sgd":
        params = make().get_params(deep=False)
        params.update(n_iter_no_change="auto", max_iter="auto", optimizer=optimizer)
        assert resolve(params, n_columns=4, n_rows=1000).n_iter_no_change >= 10
    X, y = data_for(make)
    X_val, y_val = numbers(20, seed=1), y[:20]
    scoring = "neg_log_loss" if make is plain_classifier else "neg_mean_squared_error"
    params = {"learning_rate": 0.1, "max_iter": 100, "tol": 0.0, "scoring": scoring}
    params["early_stopping"] = "auto"  # as there is validation data
    scores = []
    for patience in 1, 10, 50:
        est = make(**params, n_iter_no_change=patience)
        est.fit(X, y, X_val=X_val, y_val=y_val)
        assert est.best_iter_ < est.n_iter_  # or there would be nothing to restore
        score = sklearn.metrics.get_scorer(scoring)(est, X_val, y_val)
        assert score == max(est.validation_scores_) == est.best_validation_score_
        scores.append(score)
    assert scores == sorted(scores)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_fault_08_fits_leave_no_state_behind_for_the_next_one():
    """Optimizer, schedule and early stopping start anew at each fit and fold.

    A peer's stopper remembered the folds before, and stopped at once.
    """
    X, y = binary(90)
    clf = plain_classifier(optimizer=Adam(), schedule=Adaptive(), early_stopping=True)
    clf.set_params(max_iter=30, tol=0.01, n_iter_no_change=2, validation_fraction=9)
    once, again = (
        cross_validate(clf, X, y, cv=3, return_estimator=True) for _ in range(2)
    )
    np.testing.assert_array_equal(once["test_score"], again["test_score"])
    for one, two in zip(once["estimator"], again["estimator"], strict=True):
        assert_same_network(one, two)
    first = clone(clf.fit(X, y)).fit(X, y)
    assert_same_network(first, clf.fit(X, y))


# Validation data of the user's own


@tasks
def test_validation_data_are_used(task):
    """The validation loss is that of the data that were passed, after each epoch."""
    make, data = plain.TASKS[task]
    X, y = data()
    params = {"dtype": "float64", "alpha": 0, "solver": "bgd", "early_stopping": True}
    est = make(max_iter=3, scoring=lambda *_: 0, **params)
    est.fit(X, y, X_val=X, y_val=y)
    # Without penalty, dropout or batches, the next epoch begins with the same loss.
    np.testing.assert_allclose(
        est.validation_loss_curve_[:-1], est.loss_curve_[1:], rtol=1e-10
    )


@tasks
def test_all_rows_train_beside_validation_data(task):
    """With validation data, no row of `X` is held out."""
    make, data = plain.TASKS[task]
    X, y = data()
    params = {"max_iter": 2, "early_stopping": True}
    one = make(scoring=lambda *_: 0, max_iter=1).fit(X, y)
    scores = iter([1.0, 0.0])
    two = make(scoring=lambda *_: next(scores), **params)
    two.fit(X, y, X_val=X[:5], y_val=y[:5])
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_validation_weights_count():
    """Validation weights of whole numbers are repeated rows, in loss and score."""
    X, y = binary()
    weight = 1 + np.arange(20) % 3
    for scoring in ("loss", "accuracy"):
        clf = classifier(early_stopping=True, scoring=scoring, dtype="float64")
        val = {"X_val": X[:20], "y_val": y[:20], "sample_weight_val": weight}
        one = clf.fit(X, y, **val)
        scores, losses = one.validation_scores_, one.validation_loss_curve_
        val = {name: np.repeat(v, weight, axis=0) for name, v in val.items()}
        del val["sample_weight_val"]
        two = clf.fit(X, y, **val)
        np.testing.assert_allclose(two.validation_scores_, scores, rtol=1e-10)
        np.testing.assert_allclose(two.validation_loss_curve_, losses, rtol=1e-10)


def test_validation_rows_without_weight_do_not_count():
    """A validation row of weight zero is no row, even for a scorer without weights."""
    X, y = binary()
    seen = []

    def score(estimator, X, y, sample_weight):
        seen.append((len(X), len(y), len(sample_weight)))
        return 0.0

    weight = np.r_[np.zeros(5), np.ones(15)]
    val = {"X_val": X[:20], "y_val": y[:20], "sample_weight_val": weight}
    classifier(scoring=score, max_iter=2).fit(X, y, **val)
    assert seen == [(15, 15, 15)] * 2


def test_training_weights_are_in_the_split():
    """The validation score weighs the rows that are held out."""
    X, y = binary()
    weight = np.random.default_rng(0).uniform(0.5, 3, 60)
    seen = []

    def score(estimator, X, y, sample_weight):
        seen.append((X, sample_weight))
        return 0.0

    classifier(early_stopping=True, scoring=score, max_iter=2).fit(X, y, weight)
    rows, weights = seen[0]
    expected = [weight[(row == X).all(axis=1)][0] for row in rows]
    np.testing.assert_allclose(weights, expected)


def test_missing_numbers_in_validation_data():
    """Validation data may have holes where training data had none."""
    X, y = binary()
    X_val = X[:10].copy()
    X_val[0, 0] = np.nan
    clf = classifier().fit(X, y, X_val=X_val, y_val=y[:10])
    assert np.isfinite(clf.validation_scores_).all()


# Training that ends too soon


def test_fault_34_one_warning_that_says_what_to_change():
    """Training that ends too soon warns once; one that ended by itself does not.

    Peers warned in every example and every fit of a search.
    """
    X, y = binary()
    with pytest.warns(ConvergenceWarning) as record:
        plain_classifier(max_iter=20, tol=0.0).fit(X, y)
    (message,) = (str(warning.message) for warning in record)
    assert record[0].filename == __file__  # the line that calls fit
    assert "max_iter=20" in message
    assert "Increase max_iter or learning_rate" in message
    # None of these warns, which would be an error here.
    params = {"max_iter": 100, "tol": 1e-3, "learning_rate": 0.1}
    assert plain_classifier(**params, early_stopping=True).fit(X, y).n_iter_ < 100
    assert plain_classifier(**params).fit(X, y).n_iter_ < 100
    assert plain_classifier(**params | {"tol": None}).fit(X, y).n_iter_ == 100
    with pytest.warns(ConvergenceWarning) as record:
        search = GridSearchCV(plain_classifier(max_iter=20), {"tol": [None, 0.0]}, cv=2)
        search.fit(X, y)
    # One a fit, of the second candidate: two folds, and perhaps the best one.
    assert len(record) == 2 + (search.best_params_["tol"] == 0.0)
