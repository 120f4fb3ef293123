"""Attributions: they add up, and are those of the formula where one knows them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import _attributions
from skdnn.inspection import integrated_gradients
from skdnn.nn.embeddings import EntityEmbedding, PiecewiseLinear
from skdnn.nn.losses import LogLoss, Quantile
from tests.tables import (
    RECIPES,
    TASKS,
    UNSCALED,
    binary,
    classifier,
    holes,
    mixed,
    multiclass,
    multilabel,
    multioutput,
    numbers,
    regression,
    regressor,
)


def predicted(est, X, target=None):
    """Return the number of each row that is attributed."""
    if not hasattr(est, "classes_"):
        return est.predict(X).reshape(len(X), -1)[:, target or 0]
    return est.predict_proba(X)[
        :, 1 if target is None else list(est.classes_).index(target)
    ]


def assert_complete(est, X, baseline, target=None, tolerance=1e-4):
    """Assert that attributions add up, as a share of the range of predictions."""
    attributions = integrated_gradients(est, X, baseline=baseline, target=target)
    assert attributions.shape == X.shape
    numbers, first = predicted(est, X, target), predicted(est, baseline, target)
    change = numbers - first.mean()
    assert_allclose(
        attributions.sum(axis=1),
        change,
        rtol=0,
        atol=tolerance * max(1, np.ptp(numbers)),
    )
    return attributions


# They add up


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("task", TASKS)
def test_complete(task, recipe):
    """The sum is the change of the prediction, whatever the network."""
    make, data = TASKS[task]
    X, y = data()
    X[:, 3] = X[:, 3].round()
    est = make(**RECIPES[recipe]).fit(X, y)
    several = task in ("multiclass", "multilabel", "multioutput")
    assert_complete(est, X[:5], X[5:7], 1 if several else None)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"recipe": "plain", "hidden_layer_dims": (20, 20)},
        {"numeric_scaling": "quantile", "numeric_embedding": "periodic"},
        {"categorical_embedding": EntityEmbedding(max_one_hot=0, width=3)},
        {"categorical_embedding": None, "dtype": "float64"},
        {"residual": True, "hidden_layer_dims": (9, 7, 5), "batch_norm": True},
        {"loss": Quantile([0.9, 0.1])},
    ],
    ids=str,
)
def test_complete_on_a_table_of_all_kinds(params):
    """So it is with holes, categories, and a column that says nothing."""
    X, y = mixed()
    reg = regressor(
        max_iter=20, **{k: v for k, v in params.items() if k != "max_iter"}
    ).fit(X, y)
    attributions = assert_complete(reg, X[:6], X[10:12], 0)
    assert not attributions[:, list(X).index("same")].any()
    assert attributions.any(axis=0).sum() == 5


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_complete_of_an_exponential(loss):
    X, y = regression()
    reg = regressor(loss=loss, max_iter=30).fit(X, np.exp(y / 3))
    assert_complete(reg, X[:5], X[5:6])


def test_complete_of_classes_by_sigmoids():
    X, y = multiclass()
    clf = classifier(loss=LogLoss(link="sigmoid"), max_iter=20).fit(X, y)
    assert_complete(clf, X[:5], X[5:6], 2)


def test_of_all_classes():
    """Attributions of the probabilities of all classes cancel out."""
    X, y = multiclass()
    clf = classifier(max_iter=20).fit(X, np.array(["low", "mid", "high"])[y])
    parts = [integrated_gradients(clf, X[:4], target=label) for label in clf.classes_]
    assert abs(parts[0]).max() > 0.01
    # Each is as exact as its own ways are cut.
    assert_allclose(sum(parts), 0, atol=2e-3)
    clf = classifier(max_iter=20).fit(*binary())
    first, second = (integrated_gradients(clf, X[:4], target=k) for k in (0, 1))
    assert_allclose(first, -second, atol=1e-12)
    assert_array_equal(integrated_gradients(clf, X[:4]), second)


# They are those of the formula


def test_linear_network():
    """Of a linear network, they are weights times the difference, exactly."""
    X, y = regression()
    reg = regressor((), recipe="plain", **UNSCALED).fit(X, y)
    weight = LinearRegression().fit(X, reg.predict(X)).coef_
    attributions = integrated_gradients(reg, X, baseline=X[7])
    assert_allclose(attributions, weight * (X - X[7]), rtol=1e-9, atol=1e-9)
    middle = integrated_gradients(reg, X)
    assert_allclose(middle, weight * X, rtol=1e-9, atol=1e-9)


def test_linear_network_of_categories():
    """A category has the difference of what it brings and what all bring on average."""
    X, y = mixed()
    params = {"recipe": "plain", "dtype": "float64", "max_iter": 20}
    for embedding in None, EntityEmbedding(max_one_hot=0, width=3):
        reg = regressor((), categorical_embedding=embedding, **params).fit(X, y)
        column = list(X).index("many")
        rows = X.iloc[[0] * 12].copy()
        rows["many"] = pd.Categorical(
            [str(k) for k in range(12)], X["many"].cat.categories
        )
        brought = reg.predict(rows)
        attributions = integrated_gradients(reg, rows)[:, column]
        assert_allclose(attributions, brought - brought.mean(), atol=1e-9)
        between = integrated_gradients(reg, rows, baseline=rows[:1])
        assert_allclose(between[:, column], brought - brought[0], atol=1e-9)
        assert_allclose(np.delete(between, column, axis=1), 0, atol=1e-9)


@pytest.mark.parametrize(
    "embedding", [None, "periodic", PiecewiseLinear(n_bins=6)], ids=str
)
def test_integral_of_finite_differences(embedding):
    """They are the integral along the straight line of the scaled numbers."""
    X, y = regression()
    params = {"numeric_embedding": embedding, "n_members": 1, "max_iter": 20}
    reg = regressor(**UNSCALED, **params).fit(X, y)
    x0, x1 = X[0], X[1]
    share = (np.arange(4000) + 0.5) / 4000
    way = x0 + share[:, None] * (x1 - x0)
    expected = []
    for j in range(4):
        step = 1e-6 * np.eye(4)[j]
        slope = (reg.predict(way + step) - reg.predict(way - step)) / 2e-6
        expected.append(slope.mean() * (x1 - x0)[j])
    attributions = integrated_gradients(reg, x1[None], baseline=x0)[0]
    # A piecewise linear embedding is followed from chord to chord.
    assert_allclose(attributions, expected, atol=1e-3 * abs(attributions).sum())


def test_a_hole_belongs_to_its_column():
    """A missing number and its mark are attributed to the column they are of."""
    X, y = regression()
    X = holes(X, 0.3)
    reg = regressor(max_iter=20).fit(X, y)
    row, other = X[:1].copy(), X[:1].copy()
    row[0, 1], other[0, 1] = np.nan, 0.5
    attributions = integrated_gradients(reg, row, baseline=other)[0]
    assert abs(attributions[1]) > 0
    assert_array_equal(np.delete(attributions, 1), 0)


# Rows, baselines, targets


def test_rows_know_nothing_of_each_other(monkeypatch):
    """A row has the same attributions among any others, however many there are."""
    X, y = mixed()
    reg = regressor(max_iter=20).fit(X, y)
    together = integrated_gradients(reg, X)
    alone = np.vstack([integrated_gradients(reg, X[k : k + 1]) for k in range(9)])
    assert_allclose(together[:9], alone, rtol=1e-8, atol=1e-10)
    monkeypatch.setattr("skdnn.inspection.ENCODED_ROWS", 7)
    monkeypatch.setattr(_attributions, "CHORDS", 5)
    assert_allclose(
        integrated_gradients(reg, X[:20]), together[:20], rtol=1e-8, atol=1e-10
    )


def test_several_baselines():
    """Of several rows, they are the mean over ways from each."""
    X, y = mixed()
    reg = regressor(max_iter=20).fit(X, y)
    several = integrated_gradients(reg, X[:5], baseline=X[10:13])
    each = [integrated_gradients(reg, X[:5], baseline=X.iloc[k]) for k in range(10, 13)]
    assert_allclose(several, np.mean(each, axis=0), rtol=1e-10, atol=1e-12)


def test_default_baseline():
    """It is the median row, where there are nothing but numbers."""
    X, y = regression(61)
    reg = regressor(early_stopping=False, max_iter=20).fit(X, y)
    expected = integrated_gradients(reg, X[:5], baseline=np.median(X, axis=0))
    assert_allclose(integrated_gradients(reg, X[:5]), expected, rtol=1e-4, atol=1e-6)


def test_the_row_itself():
    """From a row to itself, nothing changes."""
    X, y = mixed()
    reg = regressor().fit(X, y)
    assert not integrated_gradients(reg, X[:1], baseline=X[:1]).any()


@pytest.mark.parametrize("task", ["multioutput", "multilabel"])
def test_targets_by_position(task):
    """Each output has attributions of its own."""
    make, data = TASKS[task]
    X, y = data()
    est = make(max_iter=20).fit(X, y)
    for target in range(y.shape[1]):
        assert_complete(est, X[:3], X[5:6], target)
    one, two = (integrated_gradients(est, X[:3], target=k) for k in (0, 1))
    assert not np.allclose(one, two)


def test_constant_columns_and_a_single_class():
    """Where nothing varies, there is nothing to attribute."""
    X = pd.DataFrame({"a": [1.0] * 30, "b": ["x"] * 30})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reg = regressor().fit(X, np.arange(30.0))
        clf = classifier().fit(numbers(30), np.zeros(30))
    assert_array_equal(integrated_gradients(reg, X[:3]), np.zeros((3, 2)))
    assert_array_equal(integrated_gradients(clf, numbers(3)), np.zeros((3, 4)))


def test_sparse():
    """Attributions of a sparse table are those of the dense one."""
    X, y = binary()
    X[X < 0.5] = 0
    clf = classifier(max_iter=20).fit(csr_array(X), y)
    expected = integrated_gradients(clf, X[:9], baseline=X[9:10])
    actual = integrated_gradients(clf, csr_array(X[:9]), baseline=csr_array(X[9:10]))
    assert_array_equal(actual, expected)


def test_the_estimator_is_left_alone():
    """Predictions afterwards are those of before."""
    X, y = mixed()
    reg = regressor(batch_norm=True).fit(X, y)
    before = reg.predict(X)
    integrated_gradients(reg, X[:5])
    assert_array_equal(reg.predict(X), before)


@pytest.mark.parametrize(
    ("make", "data", "target", "message"),
    [
        (classifier, multiclass, None, r"one of the classes \[0, 1, 2\], got None"),
        (classifier, binary, 7, r"one of the classes \[0, 1\], got 7"),
        (classifier, multilabel, None, r"one of the classes \[0, 1, 2\], got None"),
        (regressor, multioutput, None, "from 0 to 1, got None"),
        (regressor, multioutput, 2, "from 0 to 1, got 2"),
        (regressor, regression, "y", "from 0 to 0, got 'y'"),
    ],
)
def test_targets_that_there_are_not(make, data, target, message):
    """They are an error that says what there is."""
    X, y = data()
    est = make().fit(X, y)
    with pytest.raises(ValueError, match=message):
        integrated_gradients(est, X, target=target)


def test_other_estimators():
    """Only networks have attributions, and only when they are fitted."""
    X, y = binary()
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    with pytest.raises(TypeError, match=r"got a Pipeline.* pipeline\[-1\]"):
        integrated_gradients(pipeline, X)
    with pytest.raises(NotFittedError):
        integrated_gradients(classifier(), X)
    with pytest.raises(ValueError, match="3 features, but"):
        integrated_gradients(pipeline[-1], X, baseline=X[0, :3])


def test_attributions_that_do_not_add_up(monkeypatch):
    """They are a warning that says by how much."""
    X, y = regression()
    reg = regressor((30, 30), max_iter=30).fit(X, y)
    monkeypatch.setattr(_attributions, "FIRST_CHORDS", 1)
    monkeypatch.setattr(_attributions, "MOST_HALVINGS", 0)
    with pytest.warns(ConvergenceWarning, match=r"miss their sum by 0\.\d+ of"):
        integrated_gradients(reg, X)


def test_chords_are_halved_where_it_is_needed(monkeypatch):
    """From few chords, halving reaches what many chords reach."""
    X, y = regression()
    reg = regressor((30, 30), recipe="plain", max_iter=30, **UNSCALED).fit(X, y)
    expected = integrated_gradients(reg, X[:9])
    monkeypatch.setattr(_attributions, "FIRST_CHORDS", 2)
    monkeypatch.setattr(_attributions, "MOST_HALVINGS", 15)
    assert_complete(reg, X[:9], X[9:10])
    assert_allclose(integrated_gradients(reg, X[:9]), expected, atol=2e-3)
