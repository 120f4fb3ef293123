"""The same data and the same seed give the same network, to the bit."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdnn._rows import Rows, distinct_rows
from skdnn.nn.step import Step
from tests.plain import plain_classifier
from tests.tables import (
    RECIPES,
    TASKS,
    binary,
    classifier,
    multiclass,
    numbers,
    parameters,
    regression,
    regressor,
)

SOLVERS = ["bgd", "sgd", "minibatch"]
tasks = pytest.mark.parametrize("task", TASKS)
solvers = pytest.mark.parametrize("solver", SOLVERS)

#: Everything that draws random numbers.
RANDOM = {"dropout": 0.3, "early_stopping": True, "batch_size": 16, "batch_norm": True}


#: What trains: each solver, and with mini-batches each recipe.
NETWORKS = {
    **{solver: {"solver": solver} for solver in SOLVERS},
    **RECIPES,
}
networks = pytest.mark.parametrize("network", NETWORKS)


def table(task):
    """Return data for a task, with a column that may be categories."""
    X, y = TASKS[task][1]()
    X[:, 3] = np.arange(len(X)) % 7
    return X, y


def make(task, network, **params):
    """Return an estimator for a task, with everything random switched on."""
    return TASKS[task][0](**RANDOM | NETWORKS[network] | params)


def assert_equal(one, two):
    """Assert that two estimators are the same, to the bit."""
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.loss_curve_ == two.loss_curve_
    assert one.validation_scores_ == two.validation_scores_


# Seeds


@pytest.mark.sampled
@tasks
@networks
def test_same_seed(task, network):
    """The same seed gives the same network, with everything random switched on."""
    one, two = (make(task, network).fit(*table(task)) for _ in range(2))
    assert_equal(one, two)


@tasks
def test_other_seed(task):
    """Another seed gives other initial weights."""
    make, data = TASKS[task]
    one, two = (make(random_state=seed).fit(*data()) for seed in (0, 1))
    assert not np.isclose(one.coefs_[0], two.coefs_[0]).any()


def test_seed_of_a_clone():
    """A clone gives the same network."""
    clf = classifier(**RANDOM).fit(*binary())
    assert_equal(clf, clone(clf).fit(*binary()))


def test_random_state_instance():
    """A RandomState instance gives the network of its own state, and moves on."""
    rng = np.random.RandomState(7)
    one = classifier(random_state=rng).fit(*binary())
    two = classifier(random_state=np.random.RandomState(7)).fit(*binary())
    assert_equal(one, two)
    three = classifier(random_state=rng).fit(*binary())
    assert not np.isclose(one.coefs_[0], three.coefs_[0]).any()


def test_no_seed():
    """Without a seed, each `fit` draws other weights."""
    clf = classifier(random_state=None).fit(*binary())
    other = clone(clf).fit(*binary())
    assert not np.isclose(clf.coefs_[0], other.coefs_[0]).any()


def test_global_random_state_is_left_alone(monkeypatch):
    """With a seed, training does not touch NumPy's global random state."""

    def forbidden(*args):
        raise AssertionError

    monkeypatch.setattr("sklearn.utils.validation.np.random.mtrand._rand", forbidden)
    classifier(**RANDOM).fit(*binary())
    with pytest.raises(AttributeError):
        classifier(random_state=None).fit(*binary())


# Streams


@pytest.fixture
def batches(monkeypatch):
    """The rows of each batch, as they come."""
    record = []
    original = Step.loss_gradient

    def spy(self, batch):
        record.append(batch.X.tobytes())
        return original(self, batch)

    monkeypatch.setattr(Step, "loss_gradient", spy)
    return record


@solvers
@pytest.mark.parametrize("early_stopping", [False, True])
def test_dropout_does_not_change_the_order_of_rows(solver, early_stopping, batches):
    """The rows come in the same order, whether dropout draws random numbers or not."""
    params = {"solver": solver, "batch_size": 16, "early_stopping": early_stopping}
    classifier(dropout=0.0, **params).fit(*binary())
    without = batches.copy()
    batches.clear()
    classifier(dropout=0.5, **params).fit(*binary())
    assert batches == without


def test_widths_do_not_change_the_order_of_rows(batches):
    """The rows come in the same order, however many weights are drawn before."""
    classifier((3,), batch_size=16).fit(*binary())
    small = batches.copy()
    batches.clear()
    classifier((30, 20), batch_size=16).fit(*binary())
    assert batches == small


def test_dropout_and_order_do_not_change_the_weights():
    """The initial weights are the same, whatever else is random."""
    plain = {"max_iter": 1, "learning_rate": 1e-30}
    one = classifier(**plain, shuffle=False).fit(*binary())
    two = classifier(**plain, dropout=0.5).fit(*binary())
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0])


def test_initial_weights_do_not_depend_on_the_dtype():
    """A seed starts the same network in float32 and in float64."""
    start = {"max_iter": 1, "learning_rate": 1e-30, "linear_share": False}
    one = plain_classifier(**start, dtype="float32").fit(*binary())
    two = plain_classifier(**start, dtype="float64").fit(*binary())
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0].astype(np.float32))
    for recipe in RECIPES.values():
        one, two = (
            classifier(**recipe | start, dtype=dtype).fit(*binary())
            for dtype in ("float32", "float64")
        )
        np.testing.assert_allclose(
            one.network_.params, two.network_.params, rtol=1e-6, atol=1e-6
        )


# Rows


@pytest.mark.sampled
@tasks
@networks
def test_order_of_rows(task, network):
    """With `shuffle`, the order in which rows arrive makes no difference."""
    X, y = table(task)
    order = np.random.default_rng(1).permutation(len(X))
    est = make(task, network)
    one, two = clone(est).fit(X, y), clone(est).fit(X[order], y[order])
    assert_equal(one, two)


@pytest.mark.sampled
@tasks
@networks
def test_dtype_of_X(task, network):
    """Equal numbers give the same network, whatever their type and layout."""
    X, y = table(task)
    # Without negative zeros, which integers don't have.
    X = np.round(3 * X) + 0.0
    est = make(task, network)
    expected = clone(est).fit(X, y)
    for dtype in ("float32", "int64", "int8"):
        assert_equal(clone(est).fit(X.astype(dtype), y), expected)
    assert_equal(clone(est).fit(np.asfortranarray(X), y), expected)
    assert_equal(clone(est).fit(X.tolist(), y), expected)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_negative_zero_is_zero(make):
    """Minus zero is zero: rows that hold the one are equal to rows with the other."""
    X, y = binary()
    X = np.round(X) + 0.0
    negative = np.where(X == 0, -0.0, X)
    est = make(**RANDOM)
    assert_equal(clone(est).fit(X, y), clone(est).fit(negative, y))


def test_dtype_of_labels():
    """Equal labels give the same network, whatever their type."""
    X, y = multiclass()
    est = classifier(**RANDOM)
    expected = clone(est).fit(X, y)
    for labels in (y.astype(float), y.astype("int8"), np.array(["a", "b", "c"])[y]):
        assert_equal(clone(est).fit(X, labels), expected)


def test_missing_numbers_are_equal_to_each_other():
    """Rows with holes are joined and ordered like any others."""
    X, y = binary()
    X[::5, 1] = np.nan
    order = np.random.default_rng(1).permutation(60)
    est = classifier(**RANDOM)
    assert_equal(clone(est).fit(X, y), clone(est).fit(X[order], y[order]))
    double = clone(est).fit(X, y, np.full(60, 2))
    assert_equal(double, clone(est).fit(np.tile(X, (2, 1)), np.tile(y, 2)))


# Weights

WEIGHTS = np.random.default_rng(2).integers(1, 4, size=90)


@pytest.mark.sampled
@pytest.mark.parametrize("batch_norm", [False, True])
@tasks
@networks
def test_integer_weights_are_repeated_rows(task, network, batch_norm):
    """A row of weight 2 is two such rows, for every solver, with everything random."""
    X, y = table(task)
    weight = WEIGHTS[: len(X)]
    est = make(task, network, batch_norm=batch_norm)
    one = clone(est).fit(X, y, weight)
    two = clone(est).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0))
    assert_equal(one, two)


@pytest.mark.sampled
@tasks
@networks
def test_rows_of_no_weight_are_not_there(task, network):
    """A row of weight 0 is no row, for every solver, with everything random."""
    X, y = table(task)
    keep = WEIGHTS[: len(X)] > 1
    est = make(task, network)
    one = clone(est).fit(X, y, keep.astype(float))
    two = clone(est).fit(X[keep], y[keep], np.ones(keep.sum()))
    assert_equal(one, two)


@pytest.mark.parametrize("scaling", ["robust", "standard", "quantile", None])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_integer_weights_under_each_scaling(make, scaling):
    """The scaling of columns and target counts a row of weight 2 twice."""
    X, y = binary()
    weight = WEIGHTS[:60]
    est = make(numeric_scaling=scaling)
    one = clone(est).fit(X, y, weight)
    two = clone(est).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_equal(one, two)


def test_integer_weights_with_lbfgs():
    """The same holds for L-BFGS."""
    X, y = regression()
    weight = WEIGHTS[:60]
    reg = regressor(optimizer="lbfgs", solver="bgd")
    one = clone(reg).fit(X, y, weight)
    two = clone(reg).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_equal(one, two)


def test_unit_weights_are_no_weights():
    """Weights of one make no difference but for rounding."""
    X, y = binary()
    one = classifier(dtype="float64").fit(X, y)
    two = classifier(dtype="float64").fit(X, y, np.ones(60))
    np.testing.assert_allclose(parameters(one), parameters(two), rtol=1e-10)


def test_rows_as_they_come_are_weighted_too():
    """Without `shuffle`, weights of full batches are repeated rows, within rounding."""
    X, y = binary()
    weight = WEIGHTS[:60]
    clf = classifier(shuffle=False, solver="bgd", batch_norm=True, dtype="float64")
    one = clone(clf).fit(X, y, weight)
    two = clone(clf).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(parameters(one), parameters(two), rtol=1e-8, atol=1e-10)


# Equal rows


def test_equal_rows_are_joined():
    """Rows that are equal in columns and target become one, their weights added."""
    X = np.array([[1.0, 2], [3, 4], [1, 2], [1, 2]])
    targets = np.array([0, 0, 0, 1])
    rows = distinct_rows(X, targets, Rows(np.arange(4), np.array([1.0, 2, 4, 8])))
    joined = {
        (*X[i], targets[i]): w for i, w in zip(rows.index, rows.weight, strict=True)
    }
    assert joined == {(1, 2, 0): 5.0, (3, 4, 0): 2.0, (1, 2, 1): 8.0}


def test_different_rows_are_not_joined():
    """Rows that differ, however little, stay apart, and have no weights."""
    X = np.array([[1.0], [np.nextafter(1, 2)], [0.0], [-1e-320], [np.nan]])
    rows = distinct_rows(X, np.zeros(5), Rows(np.arange(5), None))
    assert sorted(rows.index) == [0, 1, 2, 3, 4]
    assert rows.weight is None


def test_rows_with_equal_hashes_are_not_joined(monkeypatch):
    """Rows whose hashes collide stay apart all the same."""

    class NoRandom:
        def integers(self, *args, size, dtype):
            return np.zeros(size, dtype)

    # With all multipliers equal, a permutation of the columns has the same hash.
    monkeypatch.setattr(np.random, "default_rng", lambda seed: NoRandom())
    X = np.array([[1.0, 2], [2, 1], [1, 2]])
    rows = distinct_rows(X, np.zeros(3), Rows(np.arange(3), np.ones(3)))
    totals = {}
    for i, w in zip(rows.index, rows.weight, strict=True):
        totals[tuple(X[i])] = totals.get(tuple(X[i]), 0) + w
    assert totals == {(1, 2): 2.0, (2, 1): 1.0}


def test_only_rows_that_count_are_joined():
    """Rows that are left out before stay out."""
    X = np.array([[1.0], [1.0], [2.0]])
    rows = distinct_rows(X, np.zeros(3), Rows(np.array([1, 2]), np.array([3.0, 4.0])))
    assert sorted(zip(rows.index, rows.weight, strict=True)) == [(1, 3.0), (2, 4.0)]


# Prediction


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:Training knows not one of the categories")
@tasks
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", ["bgd", *RECIPES])
def test_a_prediction_depends_on_its_row_alone(task, dtype, network):
    """A row is predicted the same on its own, in any order and in any company."""
    est = make(task, network, hidden_layer_dims=(33, 17), dtype=dtype)
    est.fit(*table(task))
    predict = getattr(est, "predict_proba", est.predict)
    X = numbers(2500, seed=3)
    expected = predict(X)
    order = np.random.default_rng(4).permutation(len(X))
    np.testing.assert_array_equal(predict(X[order]), expected[order])
    for start, stop in [(0, 1), (7, 8), (3, 20), (1000, 1030), (5, 2500)]:
        np.testing.assert_array_equal(predict(X[start:stop]), expected[start:stop])


@pytest.mark.parametrize("n_columns", [37, 300])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_prediction_of_many_columns_depends_on_its_row_alone(make, n_columns):
    """Nor do products of another size round it otherwise."""
    X = numbers(300, n_columns)
    y = (X[:, 0] > 0).astype(int)
    est = make((33,), dtype="float64", max_iter=1, tol=None, linear_share=False)
    predict = getattr(est.fit(X, y), "predict_proba", est.predict)
    expected = predict(X)
    for rows in (slice(i, i + 1) for i in range(0, 300, 7)):
        np.testing.assert_array_equal(predict(X[rows]), expected[rows])
    for start in 5, 17, 250:
        np.testing.assert_array_equal(predict(X[start:]), expected[start:])


@pytest.mark.parametrize("make", [classifier, regressor])
def test_prediction_changes_nothing(make):
    """A prediction changes neither the network nor its input."""
    X, y = binary()
    X[3, 1] = np.nan
    est = make(batch_norm=True, dropout=0.2).fit(X, y)
    before, given = parameters(est), X.copy()
    est.predict(X)
    np.testing.assert_array_equal(parameters(est), before)
    np.testing.assert_array_equal(X, given)


def test_fit_leaves_its_input_alone():
    """`fit` writes to none of its arguments, so that they may be read-only."""
    X, y = binary()
    weight = np.ones(60)
    for array in (X, y, weight):
        array.flags.writeable = False
    val = {"X_val": X, "y_val": y, "sample_weight_val": weight}
    clf = classifier(class_weight="balanced", numeric_scaling=None)
    clf.fit(X, y, weight, **val)
    np.testing.assert_array_equal(X, binary()[0])
    np.testing.assert_array_equal(weight, 1)


# Processes


@pytest.mark.slow
def test_parallel_search():
    """A search in two processes finds the same scores as in one."""
    X, y = binary()
    grid = {"alpha": [1e-3, 1.0], "dropout": [0.0, 0.3]}
    one, two = (
        GridSearchCV(classifier(), grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2)
    )
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
    assert_equal(one.best_estimator_, two.best_estimator_)
