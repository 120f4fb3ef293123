"""Which rows train and which are held out, and when training stops."""

from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from skdnn._rows import Rows, rows_with_weight
from skdnn._training import StoppingRule, hold_out, validation_size
from skdnn._validation import Validation
from skdnn.nn.network import build_mlp
from skdnn.nn.schedules import Adaptive, Constant
from tests import plain
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    numbers,
    parameters,
    regression,
    regressor,
)

tasks = pytest.mark.parametrize("task", TASKS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Rows that count


def test_rows_without_weight_are_left_out():
    """Rows of weight zero do not count; the others keep their order and weight."""
    rows = rows_with_weight(4, np.array([2.0, 0.0, 1.0, 0.0]))
    np.testing.assert_array_equal(rows.index, [0, 2])
    np.testing.assert_array_equal(rows.weight, [2.0, 1.0])


def test_all_rows_count_without_weights():
    """Without weights, all rows count, and there are no weights."""
    rows = rows_with_weight(3, None)
    np.testing.assert_array_equal(rows.index, [0, 1, 2])
    assert rows.weight is None


@pytest.mark.parametrize(
    ("fraction", "n_rows", "expected"),
    [(0.1, 100, 10), (0.1, 101, 11), (0.1, 2, 1), (0.5, 3, 2), (7, 100, 7), (7, 5, 7)],
)
def test_validation_size(fraction, n_rows, expected):
    """A float is a share, rounded up, and an int is a number."""
    assert validation_size(fraction, n_rows) == expected


# The split


def split_rows(n_rows, n_validation, strata, rng):
    """Return the rows that are trained on, and those that are held out."""
    (validation,) = hold_out(n_rows, n_validation, strata, rng)
    return np.delete(np.arange(n_rows), validation), validation


@pytest.mark.parametrize("n_validation", [1, 5, 20, 59])
@pytest.mark.parametrize("stratified", [False, True])
def test_split_has_each_row_once(n_validation, stratified, rng):
    """Each row is in one of the two parts, and validation has the number it should."""
    strata = multiclass(60)[1] if stratified else None
    training, validation = split_rows(60, n_validation, strata, rng)
    assert len(validation) == n_validation
    np.testing.assert_array_equal(np.sort(np.r_[training, validation]), np.arange(60))


@pytest.mark.parametrize("counts", [(50, 50), (80, 20), (60, 30, 10), (90, 5, 5)])
def test_split_is_in_proportion(counts, rng):
    """Each class gives its share of the validation rows, but for rounding."""
    strata = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    _, validation = split_rows(100, 20, strata, rng)
    given = np.bincount(strata[validation], minlength=len(counts))
    assert (np.abs(given - 0.2 * np.array(counts)) <= 1).all()


@pytest.mark.parametrize("n_validation", [3, 6, 20, 50])
def test_split_has_each_class_on_both_sides(n_validation, rng):
    """Each class with two rows or more is in both parts, if there is room."""
    strata = rng.permutation(np.repeat([0, 1, 2], [100, 6, 2]))
    training, validation = split_rows(108, n_validation, strata, rng)
    assert set(strata[training]) == set(strata[validation]) == {0, 1, 2}


@pytest.mark.parametrize("n_validation", [1, 5, 10, 50, 58])
def test_split_keeps_singletons_for_training(n_validation, rng):
    """A class with a single row is trained on."""
    strata = rng.permutation(np.repeat([0, 1, 2, 3], [30, 30, 1, 1]))
    training, validation = split_rows(62, n_validation, strata, rng)
    assert {2, 3} <= set(strata[training])
    assert set(strata[validation]) <= {0, 1}


def test_split_of_singletons_alone(rng):
    """With one row a class, there is a split all the same."""
    training, validation = split_rows(10, 3, np.arange(10), rng)
    assert (len(training), len(validation)) == (7, 3)


def test_split_of_more_classes_than_validation_rows(rng):
    """With more classes than validation rows, each class is trained on."""
    strata = rng.permutation(np.repeat(np.arange(20), 3))
    training, validation = split_rows(60, 5, strata, rng)
    assert set(strata[training]) == set(range(20))
    assert len(set(strata[validation])) == 5


def test_split_is_random():
    """The split follows the generator: the same again, or another one."""
    strata = multiclass(60)[1]
    one, two, three = (
        split_rows(60, 10, strata, np.random.default_rng(seed))[1] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != three).any()


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize(("n_members", "at_most"), [(3, 1), (6, 1), (9, 2), (30, 5)])
def test_members_hold_out_different_rows(n_members, at_most, stratified, rng):
    """No row is held out again before all others of its class have been, but one."""
    strata = multiclass(60)[1] if stratified else np.zeros(60, int)
    positions = hold_out(60, 9, strata if stratified else None, rng, n_members)
    times = np.bincount(positions.ravel(), minlength=60)
    assert times.max() == at_most
    assert all(len(set(own)) == 9 for own in positions)
    if n_members > 6:
        # All learn from the last row of each class.
        assert (np.bincount(strata[times == 0]) == 1).all()
        assert set(times[times > 0]) <= {at_most - 1, at_most}


@pytest.mark.parametrize("n_members", [1, 2, 7, 40])
@pytest.mark.parametrize("n_validation", [4, 12, 55])
def test_members_have_each_class_on_both_sides(n_validation, n_members, rng):
    """What holds for one split holds for those of all members."""
    strata = rng.permutation(np.repeat([0, 1, 2, 3, 4], [60, 40, 6, 2, 1]))
    first, *others = hold_out(109, n_validation, strata, rng, n_members)
    assert set(strata[first]) == {0, 1, 2, 3}
    for own in others:
        np.testing.assert_array_equal(np.sort(strata[own]), np.sort(strata[first]))
    for own in (first, *others):
        assert set(np.delete(strata, own)) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("stratified", [False, True])
def test_split_is_fair(stratified):
    """Each row is held out about as often as any other."""
    strata = np.repeat([0, 1], 10) if stratified else None
    counts = np.zeros(20)
    for seed in range(400):
        counts[split_rows(20, 5, strata, np.random.default_rng(seed))[1]] += 1
    # Binomial with 400 draws of 1/4: mean 100, deviation 8.7.
    assert np.abs(counts - 100).max() < 45


# The split of an estimator


#: An ensemble whose members hold out the same rows.
TOGETHER = {"early_stopping": True, "ensemble_weights": "shared"}


def held_out(make, X, y, **params):
    """Return the rows that an estimator holds out, as a scorer sees them."""
    seen = []

    def score(estimator, X, y):
        seen.append((X, y))
        return 0.0

    make(**params, scoring=score, **TOGETHER).fit(X, y)
    return seen[0]


@tasks
@pytest.mark.parametrize("n", [2, 3, 5])
def test_tiny_data(task, n):
    """Early stopping works with as few as two rows."""
    make, data = TASKS[task]
    X, y = data()
    est = make(early_stopping=True).fit(X[:n], y[:n])
    assert len(est.validation_scores_) == 5
    assert np.isfinite(est.validation_scores_).all()


def test_classes_are_held_out_in_proportion():
    """The validation rows of a classifier have its classes in proportion."""
    X = numbers(200)
    y = np.repeat(["a", "b", "c"], [100, 80, 20])
    _, labels = held_out(classifier, X, y, validation_fraction=20)
    counts = [np.sum(labels == label) for label in "abc"]
    assert np.abs(np.array(counts) - [10, 8, 2]).max() <= 1


def test_combinations_of_labels_are_held_out_in_proportion():
    """The validation rows of several labels have their combinations in proportion."""
    X = numbers(200)
    Y = np.repeat([[0, 0], [0, 1], [1, 1]], [100, 80, 20], axis=0)
    _, labels = held_out(classifier, X, Y, validation_fraction=20)
    counts = [np.sum((labels == row).all(axis=1)) for row in ([0, 0], [0, 1], [1, 1])]
    assert np.abs(np.array(counts) - [10, 8, 2]).max() <= 1


def test_lone_combinations_of_labels():
    """Combinations of labels that stand alone are split like one stratum."""
    Y = (np.arange(64)[:, None] >> np.arange(6)) & 1
    clf = classifier(early_stopping=True).fit(numbers(64), Y)
    assert len(clf.validation_scores_) == 5


def test_lone_combinations_of_labels_are_held_out_in_proportion():
    """Combinations that stand alone give their share of the validation rows."""
    lone = (np.arange(63)[:, None] >> np.arange(6)) & 1
    Y = np.vstack([lone, np.ones((63, 6), int)])
    _, labels = held_out(classifier, numbers(126), Y, validation_fraction=20)
    assert abs((labels == 1).all(axis=1).sum() - 10) <= 1


def test_held_out_rows_do_not_train():
    """What is in the validation rows has no effect on the weights."""
    X, y = regression()
    params = {"scoring": lambda est, X, y: 0.0, "shuffle": False, **TOGETHER}
    params |= {"target_scaling": True}
    reg = regressor(**params).fit(X, y)
    _, labels = held_out(regressor, X, y, shuffle=False)
    changed = np.isin(y, labels)
    assert changed.sum() == 6
    X[changed] += 100
    y = np.where(changed, -50.0, y)
    other = regressor(**params).fit(X, y)
    np.testing.assert_array_equal(parameters(reg), parameters(other))


def test_warm_start_holds_the_same_rows_out():
    """A warm start never trains on rows that were held out before, even unseeded."""
    X, y = binary()
    seen = []

    def score(estimator, X, y):
        seen.append(X)
        return 0.0

    params = {"warm_start": True, "random_state": None, **TOGETHER}
    clf = classifier(max_iter=1, scoring=score, **params)
    clf.fit(X, y).fit(X, y)
    np.testing.assert_array_equal(seen[0], seen[1])


def test_scorer_sees_data_as_they_came():
    """A scorer gets the frame of the held-out rows, their labels, and no warning."""
    X, y = binary()
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(60) + 500)
    labels = pd.Series(np.array(["no", "yes"])[y], index=frame.index)
    X_seen, y_seen = held_out(classifier, frame, labels)
    assert list(X_seen.columns) == list("abcd")
    pd.testing.assert_frame_equal(X_seen, frame.loc[X_seen.index])
    np.testing.assert_array_equal(y_seen, labels.loc[X_seen.index])


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_early_stopping_with_names_and_text_labels(scoring):
    """Early stopping works with a frame and text labels, and warns of nothing."""
    X, y = binary()
    frame = pd.DataFrame(X, columns=list("abcd"))
    clf = classifier(early_stopping=True, scoring=scoring)
    clf.fit(frame, np.array(["no", "yes"])[y])
    assert list(clf.predict(frame[:3])) == list(clf.predict(frame)[:3])


# Members that hold out rows of their own


def members_of(estimator):
    """Return the parameters of each member, as one vector each."""
    layers = estimator.network_.layers
    values = [getattr(ly, name) for ly in layers for name in ly.parameters]
    return [
        np.concatenate([v[m].ravel() for v in values]) for m in range(len(values[0]))
    ]


@pytest.mark.parametrize("weighted", [False, True])
def test_members_do_not_learn_from_the_rows_that_they_hold_out(weighted):
    """The target of a row changes those members that learn from it, and no other."""
    X, y = regression()
    weight = np.random.default_rng(1).uniform(0.5, 2, 60) if weighted else None
    seen = []

    def score(estimator, X, y, sample_weight=None):
        seen.append(y)
        return 0.0

    params = {"early_stopping": True, "n_ensemble": 3, "target_scaling": False}
    params |= {"scoring": score, "shuffle": False, "clip_predictions": False}
    one = members_of(regressor(**params).fit(X, y, weight))
    assert [len(labels) for labels in seen] == [6] * 15
    assert len(np.unique(np.concatenate(seen[:3]))) == 18
    changed = np.where(np.isin(y, seen[0]), 9.0, y)
    two = members_of(regressor(**params).fit(X, changed, weight))
    np.testing.assert_array_equal(one[0], two[0])
    assert (one[1] != two[1]).any()
    assert (one[2] != two[2]).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_members_are_validated_on_the_rows_that_they_hold_out(weighted):
    """The score is the mean of the members', each a network of its own."""
    X, y = binary()
    weight = np.random.default_rng(1).uniform(0.5, 2, 60) if weighted else None
    seen = []

    def score(estimator, X, y, sample_weight=None):
        # A copy is as good as the member itself.
        seen.append((X, y, sample_weight, deepcopy(estimator)))
        assert estimator.network_.n_members is None
        return log_loss(y, estimator.predict_proba(X), sample_weight=sample_weight)

    params = {"n_ensemble": 3, "dtype": "float64", "batch_norm": True}
    clf = classifier(scoring=score, max_iter=1, early_stopping=True, **params)
    clf.fit(X, y, weight)
    scores = [log_loss(y, e.predict_proba(X), sample_weight=w) for X, y, w, e in seen]
    assert len(set(scores)) == 3
    np.testing.assert_allclose(clf.validation_scores_, np.mean(scores))
    # The loss is that of all these rows together.
    totals = [len(y) if w is None else w.sum() for _, y, w, _ in seen]
    np.testing.assert_allclose(
        clf.validation_loss_curve_, np.average(scores, weights=totals)
    )
    # These are the members of the ensemble, whose prediction is the mean of theirs.
    alone = np.mean([est.predict_proba(X) for *_, est in seen], axis=0)
    np.testing.assert_allclose(clf.predict_proba(X), alone)


def test_members_have_weights_of_their_own():
    """They are of mean 1 for each, and the penalty's share is that of the average."""
    clf = classifier().fit(*binary())
    learned = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], bool)
    rows = Rows(np.arange(4), np.array([1.0, 2, 3, 6]), learned)
    weight, total = clf._weights(np.zeros(4), rows)
    expected = np.array([[1, 1, 0], [2, 0, 2], [0, 3, 3], [6, 6, 6]]) * 4 / [9, 10, 11]
    np.testing.assert_allclose(weight, expected, rtol=1e-6)
    assert total == 10


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss"])
def test_members_of_a_rare_class(scoring):
    """Each member holds out a row of each class, which some scorers need."""
    X, y = binary(200)
    y = np.where(np.arange(200) < 3, 1, 0)
    clf = classifier(scoring=scoring, n_ensemble=4).fit(X, y)
    assert np.isfinite(clf.validation_scores_).all()


def test_members_score_without_a_number():
    """One member whose score is NaN is an error, not a score."""
    scores = iter([0.5, np.nan])
    clf = classifier(scoring=lambda est, X, y: next(scores))
    with pytest.raises(ValueError, match="no value on the validation data, of 6 rows"):
        clf.fit(*binary())


@pytest.mark.parametrize("first", ["fit", "partial_fit"])
def test_members_are_kept_by_a_warm_start(first):
    """Going on with more or fewer rows keeps their number, whatever "auto" would be."""
    X, y = binary(1200)
    params = {"n_ensemble": "auto", "warm_start": True, "max_iter": 1}
    for n, then, n_members in (300, 1200, 4), (1200, 300, 2):
        clf = classifier(**params)
        n_members = n_members if first == "fit" else 2
        classes = {} if first == "fit" else {"classes": [0, 1]}
        getattr(clf, first)(X[:n], y[:n], **classes)
        assert clf.network_.n_members == n_members
        clf.fit(X[:then], y[:then])
        assert clf.network_.n_members == n_members


def test_best_weights_of_members_are_restored():
    """With rows of their own, too, the weights are those of the best epoch."""
    X, y = binary()
    seen = []

    def score(estimator, X, y):
        seen.append(estimator.network_.params.copy())
        return SCORES[(len(seen) - 1) // 2]

    clf = classifier(scoring=score).fit(X, y)
    assert clf.best_iter_ == 2
    for member in range(2):
        alone = build_mlp(**{**clf._architecture, "n_members": None})
        alone.take_over(clf.network_, member)
        np.testing.assert_array_equal(alone.params, seen[2 + member])


def test_members_of_much_validation_data():
    """What goes through the network in several parts is put together again."""
    X, y = binary(1500)
    clf = classifier(max_iter=1).fit(X[:60], y[:60], X_val=X, y_val=y)
    expected = log_loss(y, clf.predict_proba(X))
    np.testing.assert_allclose(clf.validation_loss_curve_, expected, rtol=1e-5)


def test_members_of_validation_data():
    """Validation data that is given is the same for all members."""
    X, y = binary()
    seen = []

    def score(estimator, X, y):
        seen.append((len(X), estimator.network_.n_members))
        return 0.0

    classifier(scoring=score).fit(X, y, X_val=X[:7], y_val=y[:7])
    assert seen == [(7, 2)] * 5


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

    def validate():
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

    est = make(scoring=score, batch_norm=True, **TOGETHER).fit(*data())
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


# Attributes of each mode

VALIDATION = {"validation_loss_curve_", "validation_scores_", "best_validation_score_"}


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
