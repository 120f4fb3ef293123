"""Which rows train and which are held out, in a network and in each member."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import PredefinedSplit, cross_validate

from skdnn._data import hold_out, validation_size
from skdnn._rows import Rows, rows_with_weight
from skdnn.nn.copying import copy_member
from skdnn.nn.mlp import build_mlp
from tests.plain import plain_classifier, plain_regressor
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
    regression,
    regressor,
)

tasks = pytest.mark.parametrize("task", TASKS)


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


@pytest.mark.sampled
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


@pytest.mark.sampled
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
    params |= {"target_scaling": True, "linear_share": False}
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


@pytest.mark.parametrize("n_singletons", [1, 2, 10])
def test_classes_with_one_row_and_early_stopping(n_singletons):
    """Classes with one row each are trained on, the others on both sides."""
    X, y = multiclass(60)
    X = np.vstack([X, numbers(n_singletons, seed=1)])
    y = np.r_[y, 3 + np.arange(n_singletons)]
    clf = classifier(early_stopping=True, validation_fraction=6).fit(X, y)
    assert len(clf.classes_) == 3 + n_singletons
    assert len(clf.validation_scores_) == 5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("sizes", "n_validation"), [([30, 28, 2, 1], 6), ([60, 1], 6), ([2, 2, 2], 3)]
)
def test_fault_01_classes_are_in_both_parts_of_the_split(sizes, n_validation, seed):
    """A class with two rows is on both sides, one with a single row in training.

    A peer stratified two classes only, and raised an error for a class of one row.
    """
    y = np.repeat(np.arange(len(sizes)), sizes)
    held_out = []

    def score(estimator, X, y):
        held_out.extend(y)
        return 0.0

    clf = plain_classifier(
        early_stopping=True, scoring=score, random_state=seed, max_iter=1
    )
    clf.set_params(validation_fraction=n_validation).fit(numbers(len(y)), y)
    n_held_out = np.bincount(held_out, minlength=len(sizes))
    for size, n in zip(sizes, n_held_out, strict=True):
        assert (0 < n < size) if size > 1 else n == 0
    assert len(clf.classes_) == len(sizes)


def test_fault_09_early_stopping_never_sees_the_outer_test_rows():
    """What is in the test rows of a cross-validation has no part in training.

    Users of peers gave the outer test fold to early stopping, and scored too well.
    """
    X, y = regression()
    test = np.arange(60) % 3 == 0
    X_poisoned = np.where(test[:, None], np.inf, X)
    y_poisoned = np.where(test, np.nan, y)
    held_out = []

    def score(estimator, X, y):
        held_out.extend(y)
        return -np.mean((estimator.predict(X) - y) ** 2)

    reg = plain_regressor(early_stopping=True, scoring=score)
    clean, poisoned = (
        cross_validate(
            reg,
            *data,
            cv=PredefinedSplit(np.where(test, 0, -1)),
            scoring=lambda estimator, X, y: 0.0,
            return_estimator=True,
        )["estimator"][0]
        for data in [(X, y), (X_poisoned, y_poisoned)]
    )
    assert_same_network(clean, poisoned)
    assert clean.validation_scores_ == poisoned.validation_scores_
    assert set(held_out) <= set(y[~test])


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

    params = {"early_stopping": True, "n_members": 3, "target_scaling": False}
    params |= {"scoring": score, "shuffle": False, "linear_share": False}
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

    params = {"n_members": 3, "dtype": "float64", "batch_norm": True}
    params["linear_share"] = False
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
    weight, total = clf._model.weights(np.zeros(4), rows)
    expected = np.array([[1, 1, 0], [2, 0, 2], [0, 3, 3], [6, 6, 6]]) * 4 / [9, 10, 11]
    np.testing.assert_allclose(weight, expected, rtol=1e-6)
    assert total == 10


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss"])
def test_members_of_a_rare_class(scoring):
    """Each member holds out a row of each class, which some scorers need."""
    X, y = binary(200)
    y = np.where(np.arange(200) < 3, 1, 0)
    clf = classifier(scoring=scoring, n_members=4).fit(X, y)
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
    params = {"n_members": "auto", "warm_start": True, "max_iter": 1}
    for n, then, n_members in (300, 1200, 8), (1200, 300, 4):
        clf = classifier(**params)
        n_members = n_members if first == "fit" else 2
        classes = {} if first == "fit" else {"classes": [0, 1]}
        getattr(clf, first)(X[:n], y[:n], **classes)
        assert clf.network_.n_members == n_members
        clf.fit(X[:then], y[:then])
        assert clf.network_.n_members == n_members


SCORES = [0.1, 0.7, 0.3, 0.2, 0.6]


def test_best_weights_of_members_are_restored():
    """With rows of their own, too, the weights are those of the best epoch."""
    X, y = binary()
    seen = []

    def score(estimator, X, y):
        seen.append(estimator.network_.params.copy())
        return SCORES[(len(seen) - 1) // 2]

    clf = classifier(scoring=score, linear_share=False).fit(X, y)
    assert clf.best_iter_ == 2
    for member in range(2):
        alone = build_mlp(**{**clf._model.architecture, "n_members": None})
        copy_member(alone, clf.network_, member)
        np.testing.assert_array_equal(alone.params, seen[2 + member])


def test_members_of_much_validation_data():
    """What goes through the network in several parts is put together again."""
    X, y = binary(1500)
    clf = classifier(max_iter=1, linear_share=False)
    clf.fit(X[:60], y[:60], X_val=X, y_val=y)
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
