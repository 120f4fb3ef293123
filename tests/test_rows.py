"""Equal rows: copies of one observation are one row, observations are rows each."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.ensemble import AdaBoostClassifier, BaggingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skdnn._rows
from skdnn import DNNClassifier, DNNRegressor
from skdnn._rows import canonical_rows, rows_with_weight
from tests.plain import plain_classifier, plain_regressor
from tests.tables import QUICK, binary, classifier, parameters, regression

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


def cells(n, n_levels=4, seed=0):
    """Return two columns of few levels, and noisy classes that depend on them."""
    rng = np.random.default_rng(seed)
    X = rng.integers(n_levels, size=(n, 2))
    log_odds = np.linspace(-1.5, 1.5, n_levels)[X].sum(axis=1)
    return X.astype(float), (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)


def ratings(n, seed=0):
    """Return three columns of categories, and ratings from 1 to 5 by them."""
    rng = np.random.default_rng(seed)
    X = rng.integers(3, size=(n, 3))
    y = np.clip(np.rint(1 + X.sum(axis=1) * 0.7 + rng.standard_normal(n)), 1, 5)
    return pd.DataFrame(X.astype(str), columns=list("abc")).astype("category"), y


def repeated(table, n_times):
    """Return each row of a table several times."""
    return tuple(np.repeat(part, n_times, axis=0) for part in table)


def canonical(X, y, weight=None):
    return canonical_rows(X, y, rows_with_weight(len(X), weight))


# Which rows there are

OBSERVATIONS = {
    "noisy classes": cells(400),
    "a column alone": (cells(400)[0][:, :1], cells(400)[1]),
    "columns that set the class": repeated(XOR, 25),
    "ratings": (np.arange(300.0)[:, None] % 4, np.arange(300) % 5 + 1.0),
    "many categories that set the class": repeated(
        (np.arange(30.0)[:, None], np.arange(30) // 5 % 2), 12
    ),
    "years, with holes": repeated(
        (np.append(np.arange(1990.0, 2015), np.nan)[:, None], np.arange(26) % 3), 6
    ),
    "steps of a tenth": repeated((np.arange(60)[:, None] / 10, np.arange(60) % 7), 5),
    "columns that set all different targets": repeated(
        (np.arange(60.0)[:, None], regression(60)[1]), 5
    ),
    "several labels": (cells(400)[0], np.column_stack([cells(400)[1]] * 2)),
}

COPIES = {
    "classification": repeated(binary(50), 8),
    "regression": repeated(regression(50), 8),
    "few numbers to a column": repeated((np.round(binary(80)[0], 1), binary(80)[1]), 3),
    "few columns, all targets different": repeated(
        (np.arange(60.0)[:, None] % 4, regression(60)[1]), 3
    ),
}


@pytest.mark.parametrize("table", OBSERVATIONS)
def test_observations_are_rows_each(table):
    """In a table of few different rows, each row given is one, and weighs one."""
    X, y = OBSERVATIONS[table]
    rows, n_rows = canonical(X, y)
    assert n_rows == len(rows.index) == len(X)
    assert rows.weight is None
    given = np.column_stack([X, y])
    kept = np.column_stack([X[rows.index], y[rows.index]])
    np.testing.assert_array_equal(*(t[np.lexsort(t.T)] for t in (given, kept)))


@pytest.mark.parametrize("table", COPIES)
def test_copies_are_one_row(table):
    """Copies of an observation stay joined, so that they are on one side of a split."""
    X, y = COPIES[table]
    rows, n_rows = canonical(X, y)
    n_different = len(np.unique(np.column_stack([X, y]), axis=0))
    assert n_rows == len(rows.index) == n_different
    assert rows.weight.sum() == len(X)


@pytest.mark.parametrize("table", [*OBSERVATIONS, *COPIES])
def test_sparse_rows_are_dense_rows(table):
    """The same holds for sparse tables."""
    X, y = {**OBSERVATIONS, **COPIES}[table]
    dense, n_rows = canonical(X, y)
    sparse, n_sparse = canonical_rows(
        csr_array(X), y, rows_with_weight(X.shape[0], None)
    )
    assert n_sparse == n_rows
    np.testing.assert_array_equal(sparse.index, dense.index)


@pytest.mark.parametrize("unit", [1e-300, 1 / 400, 0.5])
def test_weights_that_are_no_counts(unit):
    """Weights below one say nothing about the number of rows."""
    X, y = cells(400)
    rows, n_rows = canonical(X, y, np.full(400, unit))
    assert n_rows == len(rows.index) == 400
    np.testing.assert_allclose(rows.weight, unit)


def test_many_observations_are_spread_to_a_limit(monkeypatch):
    """Large weights make no large table, and keep their sum and their number."""
    monkeypatch.setattr(skdnn._rows, "MOST_SPREAD", 100)
    X, y = cells(400)
    rows, n_rows = canonical(X, y, np.full(400, 1000.0))
    assert n_rows == 400_000
    assert 90 < len(rows.index) < 110
    assert rows.weight.sum() == pytest.approx(400_000)


@pytest.mark.parametrize("table", [cells(90), binary(45), repeated(binary(30), 3)])
def test_fractional_weights_in_any_order(table):
    """Weights of equal rows are added in an order of their own, not as they come."""
    X, y = (np.concatenate([part, part]) for part in table)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.1, 3, len(X))
    order = rng.permutation(len(X))
    one, two = (
        canonical(X[rows], y[rows], weight[rows])[0]
        for rows in (np.arange(len(X)), order)
    )
    np.testing.assert_array_equal(X[one.index], X[order][two.index])
    np.testing.assert_array_equal(one.weight, two.weight)
    est = classifier(dtype="float64", **QUICK)
    np.testing.assert_array_equal(
        parameters(est.fit(X, y, weight)),
        parameters(est.fit(X[order], y[order], weight[order])),
    )


# What is made of them


@pytest.mark.parametrize("weight", [1, 2, 3])
def test_a_weight_of_two_is_two_observations(weight):
    """Whole weights are repeated rows, to the bit, also where rows are observations."""
    X, y = cells(60)
    est = classifier(early_stopping=True, batch_size=16, dropout=0.2)
    weights = np.random.default_rng(1).integers(1, weight + 1, size=60)
    one = parameters(est.fit(X, y, weights))
    two = parameters(est.fit(*repeated((X, y), weights)))
    np.testing.assert_array_equal(one, two)


def test_the_number_of_rows_is_that_of_the_rows_given():
    """Members follow the number of rows, not that of the different ones."""
    X, y = cells(1200)
    clf = DNNClassifier((4,), max_iter=1).fit(X, y)
    assert clf.coefs_[0].shape[0] == 4
    clf.fit(X[:900], y[:900])
    assert clf.coefs_[0].shape[0] == 8


@pytest.mark.parametrize("fraction, n_held_out", [(50, 50), (0.25, 100)])
def test_the_size_of_the_split_is_in_rows_given(fraction, n_held_out):
    """So does the number of rows to hold out."""
    seen = []

    def scorer(estimator, X, y):
        seen.append(len(y))
        return estimator.score(X, y)

    plain_classifier(
        early_stopping=True, validation_fraction=fraction, scoring=scorer
    ).fit(*cells(400))
    assert set(seen) == {n_held_out}


def test_the_smallest_split_is_in_rows_given():
    """Twenty rows are enough to hold some out, however few differ."""
    X, y = repeated(XOR, 5)
    assert DNNClassifier((4,), max_iter=1).fit(X, y).validation_scores_ is not None
    few = DNNClassifier((4,), max_iter=1).fit(X[:-1], y[:-1])
    assert few.validation_scores_ is None


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_few_different_rows_are_many_steps(method, step_sizes):
    """An epoch has as many steps as there are batches of the rows given."""
    clf = plain_classifier(batch_size=50, max_iter=1)
    options = {} if method == "fit" else {"classes": [0, 1]}
    getattr(clf, method)(*cells(400), **options)
    assert step_sizes() == [50] * 8


def test_each_side_of_a_split_has_the_cells():
    """Rows of a cell are on both sides, in proportion to how many it has."""
    X, y = cells(4000, n_levels=2)
    shares = []

    def scorer(estimator, X, y):
        shares.append(np.unique(X, axis=0, return_counts=True)[1] / len(X))
        return 0.0

    plain_classifier(early_stopping=True, scoring=scorer, max_iter=1).fit(X, y)
    expected = np.unique(X, axis=0, return_counts=True)[1] / len(X)
    np.testing.assert_allclose(shares[0], expected, atol=0.07)


def test_copies_are_on_one_side_of_a_split():
    """No copy of a row that is validated on trains."""
    X, y = repeated(binary(60), 4)
    seen = []

    def scorer(estimator, X, y):
        seen.append(X)
        return 0.0

    plain_classifier(early_stopping=True, scoring=scorer, max_iter=1).fit(X, y)
    different, counts = np.unique(seen[0], axis=0, return_counts=True)
    assert len(different) == 6
    assert set(counts) == {4}


# What is learned with the defaults


def linear(estimator):
    """Return a linear model of categories."""
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), estimator)


def test_two_columns_of_categories():
    """As good as a logistic regression on two columns of few categories."""
    X, y = cells(3000)
    X = pd.DataFrame(X.astype(int).astype(str), columns=["a", "b"]).astype("category")
    train, test = slice(1000), slice(1000, None)
    ours = DNNClassifier(random_state=0).fit(X[train], y[train])
    theirs = linear(LogisticRegression()).fit(X[train], y[train])
    losses = [log_loss(y[test], m.predict_proba(X[test])) for m in (ours, theirs)]
    assert losses[0] <= 1.02 * losses[1]
    areas = [
        roc_auc_score(y[test], m.predict_proba(X[test])[:, 1]) for m in (ours, theirs)
    ]
    assert areas[0] >= areas[1] - 0.01


@pytest.mark.slow
def test_ratings_by_categories():
    """As good as a ridge regression on ratings by three categories."""
    X, y = ratings(3000)
    train, test = slice(1000), slice(1000, None)
    ours = DNNRegressor(random_state=0).fit(X[train], y[train])
    theirs = linear(Ridge()).fit(X[train], y[train])
    errors = [
        root_mean_squared_error(y[test], m.predict(X[test])) for m in (ours, theirs)
    ]
    assert errors[0] <= 1.02 * errors[1]


@pytest.mark.sampled
@pytest.mark.parametrize("n_rows_each", [4, 20])
@pytest.mark.parametrize("share_flipped", [0, 0.02])
def test_categories_that_set_the_target(n_rows_each, share_flipped):
    """What is held out of a category is some of its rows, or it would say nothing."""
    n_levels = 100
    rng = np.random.default_rng(0)
    z = rng.integers(n_levels, size=2 * n_levels * n_rows_each)
    level = np.round(rng.standard_normal(n_levels), 2)[z]
    X = pd.DataFrame({"word": np.char.add("word ", z.astype(str))})
    half = len(z) // 2
    params = {"n_members": 1, "random_state": 0}
    if share_flipped:
        y = (level > 0) ^ (rng.random(len(z)) < share_flipped)
        clf = DNNClassifier((32,), **params).fit(X[:half], y[:half])
        said = clf.predict_proba(X[half:])[:, 1]
        assert roc_auc_score(y[half:], said) > 0.9
    else:
        reg = DNNRegressor((32,), **params).fit(X[:half], level[:half])
        assert reg.score(X[half:], level[half:]) > 0.8


def test_rows_that_are_alone_in_a_category():
    """They are observations; those of categories that other rows have are copies."""
    numbers = np.arange(8.0) ** 2
    index = np.repeat(np.arange(8), 2)
    for codes, n_rows in (np.arange(8), 16), (np.arange(8) % 4, 8):
        X = np.column_stack([numbers, codes])[index]
        rows = rows_with_weight(16, None)
        assert canonical_rows(X, numbers[index], rows, n_codes=1)[1] == n_rows
        assert canonical_rows(X, numbers[index], rows)[1] == 8


def test_a_column_of_many_words():
    """Of twelve words, most of which set a rare class, none is a row of its own."""
    rng = np.random.default_rng(65)
    z = rng.standard_normal(641)
    X = pd.DataFrame({"word": np.digitize(z, np.linspace(-2, 2, 11)).astype(str)})
    y = z > 1
    clf = DNNClassifier((32,), n_members=1, random_state=0).fit(X[:141], y[:141])
    constant = np.full(500, y[:141].mean())
    said = clf.predict_proba(X[141:])[:, 1]
    assert log_loss(y[141:], said) < 0.5 * log_loss(y[141:], constant)
    assert clf.validation_scores_ is not None


def test_exclusive_or():
    """The table of a first lesson is learned, whatever its rows weigh."""
    X, y = repeated(XOR, 25)
    for weight in (None, np.full(100, 0.01)):
        clf = DNNClassifier(random_state=0).fit(X, y, weight)
        np.testing.assert_array_equal(clf.predict(XOR[0]), XOR[1])


# Weights


@pytest.mark.parametrize("unit", [1e-300, 1e-3, 0.1])
def test_the_unit_of_small_weights_makes_no_difference(unit):
    """By default, the penalty is as strong whatever the weights are measured in."""
    X, y = binary()
    weight = np.random.default_rng(0).uniform(0.2, 1, 60)
    est = classifier(dtype="float64")
    one, two = (parameters(est.fit(X, y, w)) for w in (weight, unit * weight))
    np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)


def test_a_strength_that_weights_make_large_is_said():
    """A given `alpha` is relative to the sum of the weights, which may be tiny."""
    X, y = binary()
    with pytest.warns(UserWarning, match="alpha=0.0001 is as strong as 0.1 would be"):
        classifier(alpha=1e-4).fit(X, y, np.full(60, 1e-3))
    classifier(alpha=0.0).fit(X, y, np.full(60, 1e-3))


def test_alpha_auto_is_a_strength_for_weights_of_one():
    """Without weights, or with whole ones, "auto" is 1e-4; with halves, half that."""
    X, y = binary()
    for weight, alpha in (None, 1e-4), (np.full(60, 3), 1e-4), (np.full(60, 0.5), 5e-5):
        one, two = (
            parameters(classifier(alpha=a).fit(X, y, weight)) for a in ("auto", alpha)
        )
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-8)


def test_boosting_a_table_of_few_rows():
    """AdaBoost, whose weights sum to one, has rows to learn from."""
    X, y = repeated(XOR, 25)
    network = plain_classifier(max_iter=60, batch_size=20, learning_rate=0.01)
    boosted = AdaBoostClassifier(network, n_estimators=2, random_state=0)
    assert boosted.fit(X, y).score(X, y) == 1


def test_bagging_with_a_scorer_that_takes_no_weights():
    """A bootstrap has copies, which are no weights from the user."""
    reg = plain_regressor(early_stopping=True, scoring="neg_max_error")
    X, y = regression()
    bag = BaggingRegressor(reg, n_estimators=2, random_state=0, max_samples=1.0)
    assert np.isfinite(bag.fit(X, y).predict(X)).all()
