"""Estimators are the same, and end the same, by the compiled engine and by NumPy."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skdnn import DNNClassifier, DNNRegressor
from skdnn._sklearn_compat import StrOptions
from skdnn.nn import compiled
from skdnn.nn.activations import ACTIVATIONS, Activation
from skdnn.nn.embeddings import Embedding, EntityEmbedding, PiecewiseLinearLayer
from skdnn.nn.losses import SquaredError
from skdnn.nn.optimizers import OPTIMIZERS, Adam
from skdnn.nn.schedules import SCHEDULES
from skdnn.nn.workers import Workers
from tests.conftest import has_callbacks
from tests.tables import (
    binary,
    holes,
    multiclass,
    multilabel,
    multioutput,
    numbers,
    parameters,
    regression,
)
from tests.test_own_classes import Linear, LogCosh, Signs
from tests.threads import PATIENCE, blas_threads

pytestmark = pytest.mark.skipif(not compiled.available, reason=compiled.why_not)

#: Quick, and not yet so long that rounding errors have grown.
SHORT = {"max_iter": 3, "random_state": 0, "tol": None}
SMALL = {"hidden_layer_dims": (12, 8), "batch_size": 16, "n_members": 2}


def by_numpy():
    """Return a context without the compiled engine."""
    return patch.object(compiled, "available", False)


def said(est, X):
    """Return all that an estimator predicts, as numbers."""
    return getattr(est, "predict_proba", est.predict)(X)


def assert_same_fit(est, X, y, tolerance, **fit_params):
    """Assert that a fit is the same by both engines; return that of the first."""
    one = clone(est).fit(X, y, **fit_params)
    predicted = said(one, X)
    with by_numpy():
        two = clone(est).fit(X, y, **fit_params)
        expected = said(two, X)
    assert_allclose(one.loss_curve_, two.loss_curve_, rtol=tolerance, atol=tolerance)
    if two.validation_loss_curve_ is not None:
        curves = one.validation_loss_curve_, two.validation_loss_curve_
        assert_allclose(*curves, rtol=tolerance, atol=tolerance)
    scale = abs(expected).max()
    assert_allclose(predicted, expected, rtol=0, atol=10 * tolerance * scale)
    return one


# Tables


def mixed(n=120):
    """Return a table of all kinds of columns, with holes, and numbers to predict."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(holes(numbers(n, 3)), columns=list("abc"))
    frame["few"] = pd.Categorical(rng.choice(["x", "y", None], n))
    frame["many"] = pd.Categorical(rng.integers(40, size=n).astype(str))
    frame["flag"] = rng.random(n) < 0.5
    return frame, numbers(n, 1, seed=3).ravel() + frame["flag"]


def categories(n=90):
    """Return a table of nothing but categories, some of many."""
    rng = np.random.default_rng(0)
    codes = rng.integers([3, 9, 60], size=(n, 3)).astype(str)
    frame = pd.DataFrame(codes, columns=list("abc")).astype("category")
    return frame, rng.integers(3, size=n)


def long_lists(n=1500):
    """Return a column of about a thousand categories."""
    rng = np.random.default_rng(0)
    codes = pd.Categorical(rng.integers(2000, size=n).astype(str))
    return pd.DataFrame({"a": codes, "b": rng.standard_normal(n)}), codes.codes / 1000.0


def sparse(n=120, d=30):
    """Return a sparse table and classes."""
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.random((n, d)) * (rng.random((n, d)) < 0.1))
    return X, (X.sum(axis=1) > np.median(X.sum(axis=1))).astype(int)


def one_column(n=80):
    X = numbers(n, 1)
    return X, (X.ravel() > 0).astype(int)


#: table -> estimator, data, other parameters
TABLES = {
    "mixed": (DNNRegressor, mixed, {}),
    "categories": (DNNClassifier, categories, {"min_frequency": 1}),
    "long lists": (DNNRegressor, long_lists, {"min_frequency": 1, "max_iter": 1}),
    "sparse": (DNNClassifier, sparse, {}),
    "few rows": (DNNRegressor, lambda: regression(7), {}),
    "two rows": (DNNRegressor, lambda: regression(2), {}),
    "one column": (DNNClassifier, one_column, {}),
    "constants": (DNNRegressor, lambda: (np.ones((60, 2)), regression()[1]), {}),
    "wide": (DNNClassifier, lambda: binary(40, 5000), {"max_iter": 1}),
    "binary": (DNNClassifier, binary, {}),
    "many classes": (DNNClassifier, lambda: multiclass(200, n_classes=30), {}),
    "labels": (DNNClassifier, multilabel, {}),
    "several targets": (DNNRegressor, multioutput, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["tuned", "plain"])
@pytest.mark.parametrize("name", TABLES)
def test_tables(name, recipe, runs):
    """Fits in float64 are the same, on any table, and so are predictions."""
    Estimator, data, params = TABLES[name]
    params = {"recipe": recipe, "dtype": "float64"} | SMALL | SHORT | params
    assert_same_fit(Estimator(**params), *data(), 1e-5)
    assert runs["trained"] and runs["predicted"]


@pytest.mark.parametrize("name", ["mixed", "many classes"])
def test_defaults(name, runs):
    """So are they with nothing but the constructor's defaults, in float32."""
    Estimator, data, _ = TABLES[name]
    assert_same_fit(Estimator(max_iter=3, random_state=0), *data(), 1e-3)
    assert runs["trained"] and runs["predicted"]


#: What is recorded too, on mixed data.
RECORDED = {
    "one member": {"n_members": 1},
    "eight members": {"n_members": 8},
    "shared": {"n_members": 3, "ensemble_weights": "shared"},
    "shared, plain": {"n_members": 3, "ensemble_weights": "shared", "recipe": "plain"},
    "early stopping": {"early_stopping": True},
    "early stopping, together": {"early_stopping": True, "ensemble_weights": "shared"},
    "refit": {"early_stopping": True, "refit": True},
    "scoring": {"early_stopping": True, "scoring": "r2"},
    "row by row": {"solver": "sgd", "max_iter": 1},
    "all rows": {"solver": "bgd"},
    "all rows, batch norm": {"solver": "bgd", "batch_norm": True},
    "rows as they lie": {"shuffle": False},
    "batch norm": {"batch_norm": True, "dropout": 0.2},
    "periodic": {"numeric_embedding": "periodic"},
    "piecewise linear": {"numeric_embedding": "piecewise_linear"},
    "embedded": {"categorical_embedding": EntityEmbedding(max_one_hot=0)},
    "residual": {"residual": True, "hidden_layer_dims": (8, 8, 8)},
    "no hidden layer": {"hidden_layer_dims": ()},
    "own schedule": {"schedule": Linear()},
    "verbose": {"verbose": True},
    "large batches": {"batch_size": 10_000},
    **{f"schedule {name}": {"schedule": name} for name in SCHEDULES},
    **{name: {"optimizer": name} for name in OPTIMIZERS if name != "lbfgs"},
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(name, runs):
    """Neither early stopping nor a schedule, nor any name, forces NumPy."""
    X, y = mixed(80)
    params = {"dtype": "float64"} | SMALL | SHORT | RECORDED[name]
    assert_same_fit(DNNRegressor(**params), X, y, 1e-5)
    assert runs["trained"] and runs["predicted"]


WEIGHTED = {
    "classes": ({"class_weight": "balanced"}, False),
    "rows": ({}, True),
    "both": ({"class_weight": {0: 1, 1: 2, 2: 5}}, True),
    "held out by members": ({"early_stopping": True, "n_members": 3}, True),
    "batch norm": ({"batch_norm": True}, True),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights(name, runs):
    """Rows that count differently, some not at all, do so by both engines."""
    params, has_weights = WEIGHTED[name]
    X, y = multiclass()
    weight = np.random.default_rng(1).integers(3, size=len(y)) if has_weights else None
    est = DNNClassifier(**{"dtype": "float64"} | SMALL | SHORT | params)
    assert_same_fit(est, X, y, 1e-5, sample_weight=weight)
    assert runs["trained"]


@pytest.mark.parametrize("name", ["mixed", "sparse"])
def test_going_on(name, runs):
    """Warm starts and `partial_fit` go on where both engines were."""
    Estimator, data, _ = TABLES[name]
    X, y = data()
    params = {"dtype": "float64", "warm_start": True, "dropout": 0.2} | SMALL | SHORT
    one, two = Estimator(**params), Estimator(**params)
    # Each engine takes over what the other has left.
    for engine in range(4):
        one.fit(X, y)
        with by_numpy() if engine % 2 else patch.object(compiled, "available", True):
            two.fit(X, y)
    for _ in range(2):
        one.partial_fit(X, y)
        with by_numpy():
            two.partial_fit(X, y)
    assert_allclose(said(one, X), said(two, X), rtol=1e-5, atol=1e-6)


def fortran(X):
    return np.asfortranarray(X)


def strided(X):
    return np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("laid_out", [fortran, strided, read_only])
def test_layouts(laid_out):
    """However a table lies in memory, it is the same to the bit."""
    X, y = regression()
    est = DNNRegressor(**SMALL | SHORT)
    one, two = clone(est).fit(X, y), clone(est).fit(laid_out(X), y)
    assert one.loss_curve_ == two.loss_curve_
    assert_array_equal(one.predict(X), two.predict(laid_out(X)))


def test_memory_map(tmp_path):
    """joblib's memory maps, of a table and of a model, are read and not written."""
    X, y = regression()
    params = {"warm_start": True} | SMALL | SHORT
    joblib.dump((X, y), tmp_path / "table")
    Z, z = joblib.load(tmp_path / "table", mmap_mode="r")
    one, two = DNNRegressor(**params).fit(X, y), DNNRegressor(**params).fit(Z, z)
    joblib.dump(two, tmp_path / "model")
    two = joblib.load(tmp_path / "model", mmap_mode="r")
    assert_array_equal(one.predict(X), two.predict(Z))
    # The optimizer's memory is mapped too.
    assert_array_equal(one.fit(X, y).predict(X), two.fit(Z, z).predict(Z))
    two = joblib.load(tmp_path / "model", mmap_mode="r")
    two.partial_fit(Z, z)


# What NumPy trains


class OwnLoss(SquaredError):
    """A loss of the user's own, if only by its class."""


class OwnOptimizer(Adam):
    """An optimizer of the user's own, if only by its class."""


class OwnLayer(PiecewiseLinearLayer):
    """A layer of the user's own, if only by its class."""


class OwnEmbedding(Embedding):
    """An embedding by that layer."""

    def layer(self, n_inputs, n_numbers, n_members=None):
        return OwnLayer(n_inputs, n_numbers, 4, 2, n_members)


def stairs(z, scratch):
    """An activation of NumPy alone."""
    return np.tanh(z, out=z)


def stairs_backward(grad, a, scratch):
    grad *= 1 - a**2
    return grad


#: What is not recorded -> parameters, and whether it is predicted by programs.
BY_NUMPY = {
    "L-BFGS": ({"optimizer": "lbfgs", "solver": "bgd"}, True),
    "a loss": ({"loss": LogCosh()}, True),
    "a subclass of a loss": ({"loss": OwnLoss()}, True),
    "an optimizer": ({"optimizer": Signs()}, True),
    "a subclass of an optimizer": ({"optimizer": OwnOptimizer()}, True),
    "a layer": ({"numeric_embedding": OwnEmbedding()}, False),
    "an activation": ({"activation": "stairs"}, False),
    "an activation of a known name": ({"activation": "tanh"}, False),
}


@pytest.mark.parametrize("what", BY_NUMPY)
@pytest.mark.parametrize("n_members", [1, 2])
def test_what_numpy_trains(what, n_members, runs, monkeypatch):
    """All that has no program is trained by NumPy from first to last, to the bit."""
    if "activation" in what:
        name = BY_NUMPY[what][0]["activation"]
        monkeypatch.setitem(ACTIVATIONS, name, Activation(stairs, stairs_backward))
        constraints = DNNRegressor._parameter_constraints
        monkeypatch.setitem(constraints, "activation", [StrOptions({*ACTIVATIONS})])
    params, is_predicted = BY_NUMPY[what]
    X, y = regression()
    params = SMALL | SHORT | params | {"n_members": n_members, "linear_share": False}
    one = DNNRegressor(**params).fit(X, y)
    one.predict(X)
    assert not runs["trained"]
    assert bool(runs["predicted"]) == is_predicted
    with by_numpy():
        two = DNNRegressor(**params).fit(X, y)
    assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-6)
    assert_array_equal(parameters(one), parameters(two))
    assert len(one.loss_curve_) == 3


@pytest.mark.skipif(not has_callbacks, reason="scikit-learn has no callbacks")
def test_callbacks(runs):
    """Callbacks are heard, and stop a fit that is recorded."""
    from tests.test_callbacks import Recorder

    X, y = regression()
    est = DNNRegressor(**SMALL | SHORT | {"max_iter": 9})
    recorder = Recorder(stop_after=2)
    est.set_callbacks(recorder).fit(X, y)
    assert est.n_iter_ == 2
    assert runs["trained"]


# Instructions

FIT = """
import json, sys
from skdnn import DNNRegressor
from skdnn.nn import compiled
from tests.test_compiled import SHORT, SMALL, mixed
X, y = mixed()
est = DNNRegressor(**{"dtype": "float64"} | SMALL | SHORT).fit(X, y)
print(json.dumps([compiled.level, est.loss_curve_, est.predict(X).tolist()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "level", compiled.engine.supported_levels() if compiled.available else []
)
def test_levels(level):
    """With the instructions that SKDNN_LEVEL names, fits are as they are by NumPy."""
    result = subprocess.run(
        [sys.executable, "-c", FIT],
        env={**os.environ, "SKDNN_LEVEL": level},
        capture_output=True,
        text=True,
        check=True,
    )
    chosen, curve, predicted = json.loads(result.stdout)
    assert chosen == level
    X, y = mixed()
    with by_numpy():
        est = DNNRegressor(**{"dtype": "float64"} | SMALL | SHORT).fit(X, y)
    assert_allclose(curve, est.loss_curve_, rtol=1e-5)
    assert_allclose(predicted, est.predict(X), atol=1e-5)


# Threads


@pytest.mark.parametrize(
    "params", [{}, {"early_stopping": True}, {"recipe": "plain", "batch_norm": True}]
)
def test_any_number_of_threads(params, many_threads, monkeypatch):
    """Members side by side are the same to the bit as one after the other."""
    asked, init = [], Workers.__init__

    def spy(self, n_threads=1):
        asked.append(n_threads)
        init(self, n_threads)

    monkeypatch.setattr(Workers, "__init__", spy)
    X, y = mixed()
    est = DNNRegressor(**SMALL | SHORT | {"n_members": 5} | params)
    beside, before = clone(est).fit(X, y), threading.active_count()
    assert max(asked) == 5
    with patch("skdnn._threads._sharing.n_threads", lambda: 1):
        alone = clone(est).fit(X, y)
    assert asked[-1] == 1
    assert beside.loss_curve_ == alone.loss_curve_
    assert_array_equal(parameters(beside), parameters(alone))
    assert threading.active_count() == before
    assert set(blas_threads()) == {6}


def threads_of_a_fit():
    """Return how many threads a fit of several members has, and BLAS in it."""
    found, enter = [], Workers.__enter__

    def spy(self):
        found.append((self.n_threads, max(blas_threads())))
        return enter(self)

    with patch.object(Workers, "__enter__", spy):
        DNNRegressor(**SMALL | SHORT | {"n_members": 4}).fit(*regression())
    return max(found)


@pytest.mark.slow
def test_one_thread_in_a_worker_of_loky():
    """Where all cores have a process, a fit has one thread."""
    n_cores = joblib.cpu_count()
    jobs = [joblib.delayed(threads_of_a_fit)()] * 2
    for n_threads, _ in joblib.Parallel(n_jobs=max(2, n_cores))(jobs):
        assert n_threads == 1


def test_predictions_in_many_threads(runs):
    """Threads that predict at once share nothing, and leave little."""
    X, y = mixed()
    est = DNNRegressor(**SMALL | SHORT).fit(X, y)
    expected = est.predict(X)
    with ThreadPoolExecutor(8) as pool:
        for predicted in pool.map(lambda _: est.predict(X), range(64)):
            assert_array_equal(predicted, expected)
    assert 1 <= len(est.network_.predictor._idle) <= 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork(many_threads):
    """A process that was forked after a fit predicts, and fits, the same."""
    X, y = regression()
    est = DNNRegressor(**SMALL | SHORT | {"n_members": 4}).fit(X, y)
    expected = est.predict(X)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        predicted = pool.apply_async(est.predict, (X,)).get(PATIENCE)
        fitted = pool.apply_async(clone(est).fit, (X, y)).get(PATIENCE)
    assert_array_equal(predicted, expected)
    assert_array_equal(fitted.predict(X), expected)
