"""Parameters that say when training ends, and on which rows it is judged."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss

from skdnn import _base, _clock
from tests import tables
from tests.plain import plain_classifier, plain_regressor
from tests.tables import binary, parameters

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
each_task = pytest.mark.parametrize("task", tables.TASKS)


# How long


@both
@pytest.mark.parametrize("max_iter", [1, 2, 7])
def test_max_iter_is_the_number_of_epochs(make, max_iter):
    """Training lasts `max_iter` epochs unless it stops before."""
    est = make(max_iter=max_iter).fit(*binary())
    assert est.n_iter_ == len(est.loss_curve_) == max_iter


@both
def test_max_iter_that_is_too_small_is_a_warning(make):
    """A run to the last epoch that still makes progress is a warning."""
    with pytest.warns(ConvergenceWarning, match="max_iter=3 .*Increase max_iter"):
        make(max_iter=3, tol=1e-4, n_iter_no_change=2).fit(*binary())


def test_max_iter_with_early_stopping_is_no_warning():
    """With early stopping, a run to the last epoch is none: the best weights stay."""
    params = {"tol": 1e-4, "n_iter_no_change": 2, "early_stopping": True}
    clf = plain_classifier(max_iter=3, **params).fit(*binary())  # warnings are errors
    assert clf.n_iter_ == 3


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, but for who adds to its only entry."""
    now = [0.0]
    for module in _base, _clock:
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def slow_scorer(clock, scores):
    """Return a scorer that takes a second, and keeps the parameters that it sees."""
    scores, seen = iter(scores), []

    def score(estimator, X, y):
        clock[0] += 1
        seen.append(parameters(estimator))
        return next(scores)

    return score, seen


@both
def test_max_time_ends_training_with_the_best_weights(make, clock, steps):
    """No epoch begins that would end too late, and the schedule ends in time."""
    score, seen = slow_scorer(clock, [1, 5, 3, 4, 2])
    params = {"schedule": "cosine", "learning_rate": 0.1, "solver": "bgd"}
    est = make(max_time=4.5, max_iter=100, early_stopping=True, scoring=score)
    est.set_params(**params).fit(*binary())
    assert est.n_iter_ == 4
    assert est.best_iter_ == 2
    np.testing.assert_array_equal(parameters(est), seen[1])
    # There is time for four and a half: for four whole ones.
    expected = 0.05 * (1 + np.cos(np.pi * np.arange(1, 4) / 4))
    np.testing.assert_allclose(steps["rates"], [0.1, *expected], rtol=1e-12)


@both
def test_max_time_is_enough_for_one_epoch(make):
    """However little time there is, one epoch is run."""
    assert make(max_time=1e-9, max_iter=100).fit(*binary()).n_iter_ == 1


@both
def test_max_time_to_spare_changes_nothing(make):
    """With more time than all epochs take, there is the same network."""
    X, y = binary()
    params = {"schedule": "cosine", "dropout": 0.2}
    one, two = (make(max_time=t, **params).fit(X, y) for t in (None, 3600))
    np.testing.assert_array_equal(parameters(one), parameters(two))


@both
def test_max_time_is_halved_for_a_refit(make, clock):
    """A network that is trained a second time has the other half of the time."""
    score, _ = slow_scorer(clock, [1, 5, 3, 4, 2])
    params = {"early_stopping": True, "scoring": score, "max_iter": 100}
    est = make(max_time=9, refit=True, **params).fit(*binary())
    assert est.n_iter_ == 4
    assert est.best_iter_ == 2


@both
def test_tol_none_runs_all_epochs(make):
    """Without `tol`, even training that stands still goes on."""
    est = make(tol=None, learning_rate=1e-30, max_iter=30).fit(*binary())
    assert est.n_iter_ == 30


@both
def test_tol_is_what_counts_as_progress(make):
    """Training stops once the loss no longer falls by `tol`."""
    params = {"learning_rate": 1e-4, "solver": "bgd", "max_iter": 50}
    est = make(tol=1.0, n_iter_no_change=5, **params).fit(*binary())
    # One epoch of progress, five without, and the one that is too much.
    assert est.n_iter_ == 7


@both
@pytest.mark.parametrize("patience", [1, 4])
def test_n_iter_no_change_is_the_patience(make, patience):
    """Training stops after more than so many epochs without progress."""
    params = {"learning_rate": 1e-4, "solver": "bgd", "max_iter": 50}
    est = make(tol=1.0, n_iter_no_change=patience, **params).fit(*binary())
    assert est.n_iter_ == patience + 2


# Rows that are held out


@both
def test_early_stopping_holds_rows_out(make, steps):
    """Early stopping trains on some rows and measures on the others."""
    X, y = binary(50)
    est = make(early_stopping=True, solver="bgd", max_iter=3).fit(X, y)
    assert [len(rows) for rows in steps["rows"]] == [45, 45, 45]
    assert len(est.validation_scores_) == len(est.validation_loss_curve_) == 3


@both
def test_early_stopping_false_uses_all_rows(make, steps):
    """Without early stopping, all rows train."""
    est = make(early_stopping=False, solver="bgd", max_iter=1).fit(*binary(50))
    assert [len(rows) for rows in steps["rows"]] == [50]
    assert est.validation_scores_ is None


@pytest.mark.parametrize(("n", "validated"), [(10_000, False), (10_001, True)])
def test_early_stopping_auto_is_for_more_than_10000_rows(n, validated):
    """`"auto"` of a plain network holds rows out of more than 10,000."""
    X, y = binary(n, 3)
    params = {"optimizer": "sgd", "max_iter": 2, "early_stopping": "auto"}
    clf = plain_classifier((2,), **params).fit(X, y)
    assert (clf.validation_scores_ is not None) == validated


def test_early_stopping_auto_uses_validation_data():
    """`"auto"` is True for small data if `fit` gets validation data."""
    X, y = binary()
    clf = plain_classifier(early_stopping="auto", optimizer="sgd")
    clf.fit(X[:40], y[:40], X_val=X, y_val=y)
    assert len(clf.validation_scores_) == 5


def classes(make):
    return {"classes": [0, 1]} if make is tables.classifier else {}


def test_early_stopping_auto_is_for_the_tuned_recipe():
    """By default, rows are held out."""
    X, y = binary(100)
    for make in tables.classifier, tables.regressor:
        assert len(make().fit(X, y).validation_scores_) == 5
        assert make().partial_fit(X, y, **classes(make)).validation_scores_ is None


@both
@pytest.mark.parametrize(
    ("fraction", "n_validation"), [(0.1, 5), (0.25, 13), (0.001, 1), (7, 7), (1, 1)]
)
def test_validation_fraction_is_a_share_or_a_number(
    make, fraction, n_validation, steps
):
    """A float is the share, rounded up, an int the number of the rows held out."""
    params = {"early_stopping": True, "solver": "bgd", "max_iter": 2}
    make(validation_fraction=fraction, **params).fit(*binary(50))
    assert len(steps["rows"][0]) == 50 - n_validation


def test_scoring_callable_sets_the_best_epoch():
    """The epoch with the best score of the callable is the best."""
    scores = iter([1.0, 5.0, 3.0, 4.0, 2.0])
    clf = plain_classifier(early_stopping=True, scoring=lambda est, X, y: next(scores))
    clf.fit(*binary())
    assert clf.validation_scores_ == [1.0, 5.0, 3.0, 4.0, 2.0]
    assert clf.best_iter_ == 2
    assert clf.best_validation_score_ == 5.0


def test_scoring_loss_is_the_validation_loss():
    """`"loss"` watches the loss on the validation rows, without the penalty."""
    X, y = binary()
    clf = plain_classifier(
        early_stopping=True, scoring="loss", alpha=5.0, dtype="float64"
    )
    clf.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert clf.validation_scores_ == [-loss for loss in clf.validation_loss_curve_]
    # The best weights are in place.
    expected = log_loss(y[:20], clf.predict_proba(X[:20]))
    np.testing.assert_allclose(min(clf.validation_loss_curve_), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "scoring"),
    [
        (plain_classifier, "accuracy"),
        (plain_classifier, "roc_auc"),
        (plain_classifier, "neg_log_loss"),
        (plain_regressor, "r2"),
        (plain_regressor, "neg_mean_absolute_error"),
    ],
)
def test_scoring_name_is_scikit_learns(make, scoring):
    """The best score is what scikit-learn's scorer says of the fitted estimator."""
    X, y = binary()
    est = make(early_stopping=True, scoring=scoring)
    est.fit(X, y, X_val=X[:20], y_val=y[:20])
    expected = get_scorer(scoring)(est, X[:20], y[:20])
    np.testing.assert_allclose(est.best_validation_score_, expected, rtol=1e-12)


# A refit


@both
@pytest.mark.parametrize("weighted", [False, True])
def test_refit_trains_on_all_rows_for_the_best_number_of_epochs(make, weighted):
    """The network is that of a `fit` to all rows with so many epochs."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3 if weighted else None
    params = {"dropout": 0.2, "batch_norm": True, "batch_size": 16}
    first = {"early_stopping": True, "max_iter": 9, "learning_rate": 0.1}
    est = make(refit=True, **params | first).fit(X, y, weight)
    again = {"max_iter": est.best_iter_, "learning_rate": 0.1}
    expected = make(**params | again).fit(X, y, weight)
    np.testing.assert_array_equal(parameters(est), parameters(expected))


@both
def test_refit_is_not_stopped_early(make):
    """The second training goes on while its loss stands still, and warns of nothing."""
    X, y = binary()
    scores = iter([1, 2, 3, 4, 0])
    params = {"tol": 1.0, "n_iter_no_change": 1, "learning_rate": 1e-4}
    est = make(refit=True, early_stopping=True, scoring=lambda *_: next(scores))
    est.set_params(**params).fit(X, y)
    assert est.best_iter_ == 4
    expected = make(max_iter=4, learning_rate=1e-4).fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(expected))


@each_task
def test_refit_keeps_what_validation_said(task):
    """Scores and temperature are those of the first training."""
    make, data = tables.TASKS[task]
    X, y = data()
    one, two = (
        make(refit=refit, early_stopping=True).fit(X, y) for refit in (False, True)
    )
    for name in tables.WATCHED:
        assert getattr(one, name) == getattr(two, name)
    assert one.validation_scores_ is not None
    assert one.best_loss_ is two.best_loss_ is None


@both
def test_refit_is_for_rows_that_were_held_out(make):
    """Without such rows, or with validation data, there is no second training."""
    X, y = binary()
    for params, val in (
        ({"solver": "bgd", "early_stopping": "auto"}, {}),
        ({"early_stopping": True}, {"X_val": X[:20], "y_val": y[:20]}),
    ):
        one, two = make(**params), make(refit=True, **params)
        one.fit(X, y, **val)
        with pytest.warns(UserWarning, match="refit=True has no effect"):
            two.fit(X, y, **val)
        np.testing.assert_array_equal(parameters(one), parameters(two))
        assert two.n_iter_ == 5


def test_refit_and_warm_start_contradict_each_other():
    """A network that is trained anew can't be the one that goes on."""
    with pytest.raises(ValueError, match=r"refit=True .*warm_start=True"):
        plain_classifier(refit=True, warm_start=True).fit(*binary())
