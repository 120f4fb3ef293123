"""Fits to collections: the same as those in memory, where all rows are in one place."""

import gc
import pickle
from inspect import signature
from pathlib import Path
from time import monotonic, sleep

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import accuracy_score, make_scorer

from skdnn import DNNClassifier, DNNRegressor
from skdnn.dask import DaskDNNClassifier, DaskDNNRegressor, _estimators
from skdnn.dask._estimators import OWN
from skdnn.streaming import Stream
from tests.cluster.lazy import arrays, classifier, frames, on_cluster, regressor, table
from tests.same import assert_same_network
from tests.tables import (
    TASKS,
    WATCHED,
    binary,
    holes,
    mixed,
    parameters,
)
from tests.threads import PATIENCE

PAIRS = [(DaskDNNClassifier, DNNClassifier), (DaskDNNRegressor, DNNRegressor)]
tasks = pytest.mark.parametrize("task", TASKS)


def assert_same(one, two):
    """Assert that two estimators are the same, to the bit, and their curves."""
    assert_same_network(one, two)
    for name in WATCHED:
        if getattr(two, name, None) is not None:
            np.testing.assert_allclose(
                getattr(one, name), getattr(two, name), rtol=1e-6, err_msg=name
            )


# Parameters


@pytest.mark.parametrize("on_dask, local", PAIRS)
def test_parameters_are_those_of_the_local_class(on_dask, local):
    """And those of a cluster, with the same defaults, in the signature too."""
    expected = local().get_params(deep=False) | OWN
    assert on_dask().get_params(deep=False) == expected
    assert list(signature(on_dask).parameters) == [*signature(local).parameters, *OWN]


def test_wrong_names_and_values_are_errors():
    """As they are for the local estimators."""
    with pytest.raises(TypeError, match="hidden_layer_dims here"):
        DaskDNNClassifier(hidden_layer_sizes=(8,))
    with pytest.raises(TypeError, match="no_such"):
        DaskDNNClassifier(no_such=1)
    X, y = arrays(*binary(20), sizes=[20])
    for name, value in {"parallel": "all", "n_rounds": 0, "storage": "tape"}.items():
        with pytest.raises(ValueError, match=name):
            on_cluster(**{name: value}).fit(X, y)


def test_clone_keeps_the_client(client):
    """It is the same one, and all else is copied."""
    est = on_cluster(client=client, dropout=[0.1])
    same = clone(est)
    assert same.client is client
    assert same.dropout == [0.1]
    assert same.dropout is not est.dropout


# The same as in memory


@tasks
@pytest.mark.parametrize("sizes", [[60], [1, 30, 0, 29]])
def test_fit_is_the_local_one(client, task, sizes):
    """Where all rows are in one place, partitions make no difference."""
    est, local, collections, data = table(task, sizes)
    assert_same(est.fit(*collections), local.fit(*data))


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_few_rows_are_not_certain(client, task):
    """Where no row can be held out, Laplace's rule says how sure to be, as locally."""
    sizes = [5, 0, 7]
    for params in {"n_members": 1}, {"parallel": "members"}:
        params = {"learning_rate": 0.3, "max_iter": 30, **params}
        est, local, collections, data = table(task, sizes, **params)
        assert_same(est.fit(*collections), local.fit(*data))
        assert est.temperature_ == local.temperature_ > 1
    est.set_params(temperature_scaling=False).fit(*collections)
    assert est.temperature_ == 1
    est.set_params(temperature_scaling=True)
    assert est.partial_fit(*collections, classes=est.classes_).temperature_ == 1


@pytest.mark.parametrize(
    "params",
    [
        {"parallel": "members", "n_members": 3},
        {"n_members": 3, "ensemble_weights": "shared"},
        {"n_members": 1, "early_stopping": False},
        {"shuffle": False, "batch_size": 16},
        {"batch_norm": True, "recipe": "plain", "optimizer": "nesterov"},
        {"solver": "bgd"},
        {"scoring": "accuracy"},
        {"scoring": make_scorer(accuracy_score)},
        {"class_weight": "balanced"},
        {"numeric_scaling": "quantile"},
        {"max_iter": 40, "n_iter_no_change": 3, "tol": 1e-4},
        {"refit": True, "max_time": 1000},
    ],
    ids=str,
)
def test_parameters_do_what_they_do_locally(client, params):
    """Members that are trained apart are those that are trained together."""
    est, local, collections, data = table("binary", [40, 40], **params)
    assert_same(est.fit(*collections), local.fit(*data))


@pytest.mark.parametrize("known", [True, False])
def test_frame_with_categories_and_holes(client, known):
    """Categories need not be known to Dask, nor be in all partitions."""
    X, y = mixed(80)
    X["text"] = np.repeat(["one", "two", "three", None], 20)
    X, y = X.iloc[np.argsort(X["many"].cat.codes)], pd.Series(y)
    lazy, target = frames(X, y.reset_index(drop=True), sizes=[30, 10, 40])
    if not known:
        lazy["few"] = lazy["few"].cat.as_unknown()
        lazy["many"] = lazy["many"].cat.as_unknown()
    est = on_cluster("regression").fit(lazy, target)
    local = regressor().fit(X, y)
    assert_same(est, local)
    np.testing.assert_array_equal(est.feature_names_in_, list(X))
    np.testing.assert_array_equal(
        est.encoder_.get_feature_names_out(), local.encoder_.get_feature_names_out()
    )


def test_labels_of_text(client):
    """Classes are those of all partitions."""
    X, y = binary(60)
    y = np.array(["no", "yes", "perhaps"])[np.arange(60) // 20]
    est = on_cluster().fit(*arrays(X, y, sizes=[20, 20, 20]))
    assert est.classes_.tolist() == ["no", "perhaps", "yes"]
    assert_same(est, classifier().fit(X, y))


def test_weights(client):
    """Of rows; some partitions may hold none that counts."""
    X, y = binary(60)
    weight = np.repeat([0.0, 1.0, 2.5], 20)
    est = on_cluster().fit(*arrays(X, y, weight, sizes=[20, 20, 20]))
    assert_same(est, classifier().fit(X, y, weight))


def test_validation_data(client):
    """They are a collection too, with partitions of their own."""
    (X, y), (X_val, y_val) = binary(60), binary(30, seed=1)
    lazy = arrays(X_val, y_val, sizes=[10, 20])
    est = on_cluster(early_stopping=True, random_state=0)
    est.fit(*arrays(X, y, sizes=[30, 30]), X_val=lazy[0], y_val=lazy[1])
    local = classifier(early_stopping=True, random_state=0)
    local.fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_array_equal(parameters(est), parameters(local))
    np.testing.assert_allclose(
        est.validation_loss_curve_, local.validation_loss_curve_, rtol=1e-5
    )


def test_pretrained(client):
    """The columns are those of the network to begin with, and its layers can stay."""
    X, y = mixed(80)
    first = regressor().fit(X, y)
    # A column of objects, and a category that it does not know.
    X = X.assign(few=np.repeat(["x", "z"], 40))
    lazy, target = frames(X, pd.Series(1 - y), sizes=[30, 0, 50])
    params = {"pretrained": first, "n_frozen_layers": 1}
    est = on_cluster("regression", **params).fit(lazy, target)
    assert_same(est, regressor(**params).fit(X, 1 - y))
    divided = on_cluster("regression", pretrained=est, n_frozen_layers=1)
    divided.set_params(parallel="rows", refit=True, early_stopping=True, max_iter=2)
    divided.fit(lazy, target)
    for one in est, divided:
        np.testing.assert_array_equal(
            one.encoder_.transform(X), first.encoder_.transform(X)
        )
        np.testing.assert_array_equal(one.coefs_[0], first.coefs_[0])
        assert (one.coefs_[1] != first.coefs_[1]).any()


def test_warm_start(client):
    """A second fit goes on as the local one does, members apart or not."""
    for parallel in "auto", "members":
        est, local, collections, data = table("binary", [30, 30], warm_start=True)
        est.set_params(parallel=parallel)
        for _ in range(2):
            assert_same(est.fit(*collections), local.fit(*data))


def test_partial_fit(client):
    """It is an epoch over the rows it is given, as many of them as there are."""
    est, local, _, (X, y) = table("binary", [60])
    for rows in slice(40), slice(40, 60):
        part = arrays(X[rows], y[rows], sizes=[len(X[rows])])
        est.partial_fit(*part, classes=[0, 1])
        local.partial_fit(X[rows], y[rows], classes=[0, 1])
        assert_same(est, local)
    with pytest.raises(ValueError, match="classes must be passed"):
        on_cluster().partial_fit(*part)
    # What is in memory trains as well.
    assert_same(est.partial_fit(X, y), local.partial_fit(X, y))


def test_storage_on_disk(client):
    """Files make no difference, and go when the fit ends."""
    est, local, collections, data = table("binary", [30, 30], storage="disk")
    local = classifier()

    def n_files(dask_worker):
        gc.collect()
        return len(list(Path(dask_worker.local_directory).glob("*.skdnn")))

    assert_same(est.fit(*collections), local.fit(*data))
    # Dask lets go of what nobody needs in its own time.
    end = monotonic() + PATIENCE
    while any(client.run(n_files).values()):
        assert monotonic() < end
        # A thread of a worker keeps what its last task took.
        for worker in client.ncores():
            client.submit(sleep, 0.1, workers=[worker], pure=False).result(PATIENCE)


# Predictions


@tasks
def test_predictions_are_lazy(client, task):
    """Of arrays and frames, they are collections that hold what is predicted."""
    est, _, collections, (X, _) = table(task, [30, 30])
    est.fit(*collections)
    methods = ["predict"]
    if hasattr(est, "predict_proba"):
        methods += ["predict_proba", "predict_log_proba", "decision_function"]
    for method in methods:
        expected = getattr(est.to_local(), method)(X)
        np.testing.assert_array_equal(getattr(est, method)(X), expected)
        of_array = getattr(est, method)(collections[0])
        assert isinstance(of_array, da.Array)
        assert of_array.dtype == expected.dtype
        assert of_array.shape == expected.shape
        np.testing.assert_array_equal(of_array.compute(), expected)


def test_predictions_of_frames(client):
    """They have the index of the frame, and the classes as columns."""
    X, y = binary(60)
    X = pd.DataFrame(X, index=np.arange(60) + 100, columns=list("abcd"))
    lazy, target = frames(X, pd.Series(y, X.index), sizes=[25, 0, 35])
    est = on_cluster().fit(lazy, target)
    for name in "predict", "predict_proba":
        predicted = getattr(est, name)(lazy)
        expected = getattr(est.to_local(), name)(X)
        np.testing.assert_array_equal(predicted.compute().to_numpy(), expected)
        assert predicted.compute().index.equals(X.index)
        assert predicted.compute().dtypes is not None
    assert list(predicted.columns) == ["0", "1"]


def test_local_twin(client):
    """It is a plain estimator, and so is what comes out of a pickle of it."""
    est, _, collections, (X, y) = table("multiclass", [30, 30], client=client)
    est.fit(*collections)
    local = est.to_local()
    assert type(local) is DNNClassifier
    assert local.get_params() == {
        name: value for name, value in est.get_params().items() if name not in OWN
    }
    loaded, other = pickle.loads(pickle.dumps((local, est)))
    assert other.client is None
    for twin in local, loaded, other:
        np.testing.assert_array_equal(twin.predict_proba(X), est.predict_proba(X))
    assert local.score(X, y) == est.score(X, y)


# What is refused


def never(chunk):
    """Compute a chunk that nobody should ask for."""
    raise AssertionError


def test_no_client():
    """It says how to make one."""
    X, y = arrays(*binary(20), sizes=[20])
    with pytest.raises(RuntimeError, match=r"client = dask.distributed.Client\(\)"):
        on_cluster().fit(X, y)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"optimizer": "lbfgs", "solver": "bgd"}, "gradient of all rows"),
        ({"linear_share": True}, "linear_share=True trains a linear model"),
        ({"portfolio": True}, "portfolio=True trains kinds of members"),
        ({"portfolio": [{}]}, "trains kinds of members one after the other"),
        ({"scoring": lambda estimator, X, y: 0.0}, "sees predictions"),
        ({"parallel": "members", "n_members": 1}, "several.* got n_members=1"),
        (
            {"parallel": "members", "n_members": "auto", "recipe": "plain"},
            "several.* got n_members=1",
        ),
        (
            {"parallel": "members", "ensemble_weights": "shared"},
            "several.* ensemble_weights='shared'",
        ),
    ],
)
def test_what_a_cluster_can_not_do(client, params, message):
    """It is an error before anything is computed, and leaves no trace."""
    est, _, (X, y), _ = table("binary", [30], **params)
    with pytest.raises(ValueError, match=message):
        est.fit(X.map_blocks(never, dtype=X.dtype, meta=X._meta), y)
    assert not hasattr(est, "classes_")
    assert not hasattr(est, "n_features_in_")


def test_what_is_no_collection(client):
    """It has its own estimators."""
    X, y = binary(20)
    with pytest.raises(TypeError, match="DNNClassifier and DNNRegressor fit"):
        on_cluster().fit(X, y)
    (lazy,) = arrays(X, sizes=[20])
    with pytest.raises(TypeError, match="y must be a Dask"):
        on_cluster().fit(lazy, y)
    (target,) = arrays(y, sizes=[20])
    with pytest.raises(TypeError, match="X_val must be a Dask"):
        on_cluster(early_stopping=True).fit(lazy, target, X_val=X, y_val=y)
    stream = Stream([pd.DataFrame(X, columns=list("abcd")).assign(y=y)])
    with pytest.raises(TypeError, match="streams, DNNClassifier and DNNRegressor fit"):
        on_cluster().fit(stream, "y")


def test_sparse_chunks(client):
    """They are an error, before any is computed, that says how to make them dense."""
    X, y = binary(40)
    dense, target = arrays(X, y, sizes=[20, 20])
    sparse = dense.map_blocks(csr_array)
    broken = dense.map_blocks(lambda chunk: 1 / 0, meta=csr_array((0, 0)))
    advice = r"Make them dense: X\.map_blocks\(lambda chunk: chunk\.toarray\(\), dtype"
    est = on_cluster()
    with pytest.raises(
        TypeError, match=rf"X has sparse chunks \(csr_array\).*{advice}"
    ):
        est.fit(broken, target)
    with pytest.raises(TypeError, match="X_val has sparse chunks"):
        est.fit(dense, target, X_val=broken, y_val=target)
    # Dask does not know what these are.
    hidden = da.from_delayed(delayed(csr_array)(X), X.shape, dtype=float)
    with pytest.raises(TypeError, match=advice):
        est.fit(hidden, target)
    assert not hasattr(est, "n_features_in_")
    est.fit(sparse.map_blocks(lambda chunk: chunk.toarray(), dtype=X.dtype), target)
    assert_same(est, classifier().fit(X, y))
    # To predict, there is no need to.
    for chunks in sparse, hidden:
        np.testing.assert_array_equal(est.predict(chunks), est.predict(X))


def test_partitions_that_do_not_match(client):
    """Their number, their rows or their columns."""
    X, y = binary(60)
    (X_lazy,), (y_lazy,) = arrays(X, sizes=[30, 30]), arrays(y, sizes=[60])
    frame, series = frames(pd.DataFrame(X), pd.Series(y), sizes=[20, 40])
    with pytest.raises(ValueError, match="has 2 partitions and y has 1"):
        on_cluster().fit(frame, series.repartition(npartitions=1))
    # Of arrays, chunks can be cut anew.
    assert_same(on_cluster().fit(X_lazy, y_lazy), classifier().fit(X, y))
    (other,) = frames(pd.Series(y), sizes=[40, 20])
    with pytest.raises(ValueError, match="X and y must have as many rows"):
        on_cluster().fit(frame, other)


def test_columns_that_differ(client):
    """Partitions are parts of one table."""
    X, y = binary(40)
    frame = pd.DataFrame(X, columns=list("abcd"))
    lazy, target = frames(frame, pd.Series(y), sizes=[20, 20])
    parts = [lazy.partitions[0], lazy.partitions[1].rename(columns={"d": "e"})]
    other = dd.from_delayed(
        [d for p in parts for d in p.to_delayed()], verify_meta=False
    )
    with pytest.raises(ValueError, match="All partitions of X must have the same"):
        on_cluster().fit(other, target)


def test_text_that_is_a_number_here_and_there(client):
    """A column of objects is what it is in the whole table."""
    X = pd.DataFrame({"a": [1, 2] * 20 + ["x", "y"] * 20, "b": np.arange(80.0)})
    y = pd.Series(np.arange(80) % 2)
    with dask.config.set({"dataframe.convert-string": False}):
        lazy, target = frames(X, y, sizes=[40, 40])
        est = on_cluster().fit(lazy, target)
    assert_same(est, classifier().fit(X, y))
    assert est.encoder_.categories_[0].tolist() == ["1", "2", "x", "y"]


def test_no_rows(client):
    """Nothing can be learned of empty partitions."""
    X, y = arrays(*binary(0), sizes=[0, 0])
    with pytest.raises(ValueError, match="all of its partitions are empty"):
        on_cluster().fit(X, y)


# Where it runs


@pytest.mark.parametrize(
    "enough, memory, params, apart",
    [
        (20, np.inf, {"n_members": 2}, True),
        (20, np.inf, {"n_members": 1}, False),
        (31, np.inf, {"n_members": 1}, True),
        (31, 1000, {"n_members": 2}, False),
        (20, np.inf, {"n_members": 2, "ensemble_weights": "shared"}, False),
        (31, np.inf, {"parallel": "rows"}, False),
        (20, np.inf, {"n_members": 4, "parallel": "members"}, True),
    ],
)
def test_rows_or_members(client, monkeypatch, enough, memory, params, apart):
    """Their number, the members and the memory of workers say which it is."""
    monkeypatch.setattr(_estimators, "ENOUGH_ROWS", enough)
    monkeypatch.setattr(_estimators.Cluster, "memory", lambda self: memory)
    seen = []
    run = _estimators.ClusterTraining

    def training(apart, **others):
        seen.append(apart)
        return run(apart=apart, **others)

    monkeypatch.setattr(_estimators, "ClusterTraining", training)
    est, _, collections, _ = table("binary", [30, 30], **params)
    est.fit(*collections)
    assert seen == [apart]


def test_holes_in_arrays(client):
    """As in memory."""
    X, y = binary(60)
    X = holes(X)
    est = on_cluster().fit(*arrays(X, y, sizes=[30, 30]))
    assert_same(est, classifier().fit(X, y))
