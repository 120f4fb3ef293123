"""The estimators with nothing but the constructor's defaults, as most people use them.

What `"auto"` stands for is known to training alone; what else reads a parameter must
not meet the word.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor
from tests.tables import binary, multiclass, multilabel, multioutput, regression

TASKS = {
    "binary": (DNNClassifier, binary),
    "multiclass": (DNNClassifier, multiclass),
    "multilabel": (DNNClassifier, multilabel),
    "regression": (DNNRegressor, regression),
    "multioutput": (DNNRegressor, multioutput),
}
tasks = pytest.mark.parametrize("task", TASKS)

#: One of each estimator.
two_tasks = pytest.mark.parametrize(
    "task", ["binary", pytest.param("regression", marks=pytest.mark.slow)]
)

#: What is public of a fitted estimator and takes a table.
OUTPUTS = "predict", "predict_proba", "predict_log_proba", "decision_function"


def said(est, X):
    """Return all that an estimator says about a table."""
    return [getattr(est, name)(X) for name in OUTPUTS if hasattr(est, name)]


def assert_says_the_same(one, two, X):
    for a, b in zip(said(one, X), said(two, X), strict=True):
        np.testing.assert_array_equal(a, b)


@tasks
def test_each_method(task):
    """All that is public runs, and what it returns is finite."""
    Estimator, data = TASKS[task]
    X, y = data()
    est = Estimator().fit(X, y)
    assert all(np.isfinite(part).all() for part in said(est, X))
    assert est.score(X, y) > 0.5
    assert len(est.loss_curve_) == est.n_iter_
    assert repr(est) == f"{Estimator.__name__}()"
    assert est._repr_html_()
    copy = pickle.loads(pickle.dumps(est))
    assert_says_the_same(copy, est, X)
    weight = np.ones(len(X))
    assert np.shape(clone(est).fit(X, y, weight).predict(X)) == np.shape(y)


@tasks
def test_partial_fit(task):
    """It begins, and goes on after a pickle as without."""
    Estimator, data = TASKS[task]
    X, y = data()
    classes = np.unique(y) if np.ndim(y) == 1 else np.arange(y.shape[1])
    first = {"classes": classes} if Estimator is DNNClassifier else {}
    est = Estimator().partial_fit(X, y, **first)
    copy = pickle.loads(pickle.dumps(est))
    assert_says_the_same(est.partial_fit(X, y), copy.partial_fit(X, y), X)
    assert est.n_iter_ == 2


@two_tasks
def test_warm_start(task):
    """It goes on from a fit, after a pickle as without."""
    Estimator, data = TASKS[task]
    X, y = data()
    est = Estimator(warm_start=True).fit(X, y)
    copy = pickle.loads(pickle.dumps(est))
    assert_says_the_same(est.fit(X, y), copy.fit(X, y), X)


@two_tasks
def test_search_and_pipeline(task):
    """It is searched over, behind a scaler."""
    Estimator, data = TASKS[task]
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), Estimator())
    grid = {f"{Estimator.__name__.lower()}__alpha": [1e-4, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(cross_val_score(Estimator(), X, y, cv=2)).all()


@two_tasks
def test_frame_of_all_kinds(task):
    """A table of numbers with holes, words and bools needs no preparation."""
    Estimator, data = TASKS[task]
    X, y = data()
    table = pd.DataFrame(X, columns=list("abcd"))
    table.loc[::7, "a"] = np.nan
    table["word"] = pd.Categorical(np.array(list("xyz"))[np.arange(60) % 3])
    table["bool"] = X[:, 1] > 0
    est = Estimator().fit(table, y)
    assert est.score(table, y) > 0.5
    assert_says_the_same(pickle.loads(pickle.dumps(est)), est, table)
