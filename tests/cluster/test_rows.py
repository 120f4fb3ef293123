"""Rows on several workers: local steps, and averages of what these come to."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, r2_score

from skdnn._clock import Clock
from skdnn._model import Model
from skdnn.dask import DaskDNNClassifier, DaskDNNRegressor, _table
from skdnn.dask._partitions import groups
from skdnn.dask._rounds import Epoch, Plan, State, average, run_round
from skdnn.dask._shards import Shard
from skdnn.dask._table import Table
from skdnn.dask._training import ClusterTraining
from skdnn.nn.batches import Batch
from skdnn.nn.losses import LogLoss
from skdnn.nn.optimizers import Adam
from skdnn.nn.schedules import Constant
from tests.cluster.lazy import arrays, classifier, frames, on_cluster, regressor, table
from tests.networks import mlp
from tests.same import assert_same_network
from tests.tables import (
    TASKS,
    UNSCALED,
    WATCHED,
    binary,
    holes,
    mixed,
    parameters,
)

ROWS = {"parallel": "rows"}


# An average of gradient steps is a step down the gradient of all rows


EXACT = {
    **{"recipe": "plain", "solver": "bgd", "optimizer": "sgd", "alpha": 0.1},
    **{"learning_rate": 0.3, "dtype": "float64", "n_members": 1, "max_iter": 20},
    **ROWS,
}


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_descent_is_exact(client, task, weighted):
    """Of unequal shards, with weights of rows and of classes, and a penalty."""
    params = EXACT | {"class_weight": "balanced", "early_stopping": False}
    est, local, collections, data = table(task, [41, 11, 8], **params)
    if weighted:
        weight = np.linspace(0.5, 3, 60)
        data = *data, weight
        collections += arrays(weight, sizes=[41, 11, 8])
    est.fit(*collections)
    local.fit(*data)
    np.testing.assert_allclose(parameters(est), parameters(local), rtol=1e-9)
    np.testing.assert_allclose(est.loss_curve_, local.loss_curve_, rtol=1e-9)


def test_few_rows_are_not_certain(client):
    """They are too few, and weigh what they do, wherever they are."""
    own = {"recipe": "tuned", "dropout": 0, "alpha": 0, "learning_rate": 6}
    params = EXACT | own | {"class_weight": {0: 1, 1: 3}}
    est, local, collections, data = table("binary", [10, 9], **params)
    weight = np.linspace(0.5, 3, 19)
    est.fit(*collections, *arrays(weight, sizes=[10, 9]))
    local.fit(*data, weight)
    np.testing.assert_allclose(parameters(est), parameters(local), rtol=1e-9)
    assert est.temperature_ > 1.1
    assert est.temperature_ == pytest.approx(local.temperature_, rel=1e-6)


@pytest.mark.parametrize(
    "task, scoring", [("multiclass", "loss"), ("regression", "r2")]
)
def test_validation_data(client, task, scoring):
    """They are judged where they are, as they are in memory."""
    params = EXACT | {"early_stopping": True, "scoring": scoring, "max_iter": 5}
    est, local, collections, data = table(task, [41, 11, 8], **params)
    X, y = TASKS[task][1](50, seed=1)
    weight = np.linspace(0, 3, 50)
    names = "X_val", "y_val", "sample_weight_val"
    lazy = arrays(X, y, weight, sizes=[13, 0, 30, 7])
    est.fit(*collections, **dict(zip(names, lazy, strict=True)))
    local.fit(*data, **dict(zip(names, (X, y, weight), strict=True)))
    for name in "validation_loss_curve_", "validation_scores_", "temperature_":
        ours, theirs = getattr(est, name), getattr(local, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert len(est.validation_loss_curve_) == 5
    if scoring == "loss":
        loss = log_loss(y, est.predict_proba(X), sample_weight=weight)
        assert min(est.validation_loss_curve_) == pytest.approx(loss, rel=1e-5)
    else:
        score = r2_score(y, est.predict(X), sample_weight=weight)
        assert est.best_validation_score_ == pytest.approx(score, rel=1e-5)


def test_average():
    """Its weights are those of the rows."""
    earlier = np.array([5.0, 2.0])

    def state(value, t, place, sums, weight):
        memory = {"t": t, "m": np.full(3, value + 3)}
        orders = {place: f"order of {place}"}
        params = np.full(3, value)
        return State(params, params[:0], memory, orders, sums, earlier, weight)

    both = average(
        [
            state(1.0, 3, 0, np.array([2.0, 1.0]), 1.0),
            state(5.0, 4, 1, np.array([9.0, 3.0]), 3.0),
        ]
    )
    np.testing.assert_array_equal(both.params, np.full(3, 4.0))
    np.testing.assert_array_equal(both.memory["m"], np.full(3, 7.0))
    assert both.memory["t"] == 4
    assert both.orders == {0: "order of 0", 1: "order of 1"}
    assert both.weight == 4
    assert both.loss == (2 + 9 + 5) / (1 + 3 + 2)
    # What is frozen stays as it is.
    same = np.array([0.1, -0.3, 7e-9], np.float32)
    states = [
        state(0.0, 1, i, np.zeros(2), weight)._replace(params=same)
        for i, weight in enumerate([0.7, 5.3, 2.9])
    ]
    np.testing.assert_array_equal(average(states).params, same)


def rounds(shard, plan, epoch, first=0):
    """Return the states after the rounds of an epoch."""
    network = plan.model.network
    state = State(
        *network.snapshot(),
        Adam().init(network.params),
        {0: np.random.default_rng(0)},
        *np.zeros((2, 2)),
    )
    states = [state]
    for number in range(first, epoch.n_rounds):
        states.append(run_round(shard, plan, states[-1], epoch, number, 0))
    return states[1:]


def test_rounds_are_pure():
    """A round comes to the same again, whatever ran before, and many to one."""
    X, y = binary(64)
    network = mlp([4, 8, 1], ["relu"], ["he_normal"] * 2, False, [0.3], np.float64)
    network.initialize(np.random.default_rng(0))
    targets = type("Targets", (), {"loss": LogLoss(link="sigmoid")})
    model = Model(None, targets, {}, network)
    plan = Plan(model, Adam(), Constant(), 0.1, 0.01, 8, True, 3)
    batch = Batch(X, y[:, None].astype(float), None)

    def shard():
        return Shard(batch, 64.0, 64.0)

    (whole,) = rounds(shard(), plan, Epoch(0, 0, 1, 1.0, 1.0))
    one = shard()
    *_, last = parts = rounds(one, plan, Epoch(0, 0, 3, 1.0, 1.0))
    np.testing.assert_array_equal(last.params, whole.params)
    assert last.memory["t"] == whole.memory["t"] == 8
    assert last.loss == pytest.approx(whole.loss, rel=1e-12)
    for other in one, shard():
        again = run_round(other, plan, parts[0], Epoch(0, 0, 3, 1.0, 1.0), 1, 0)
        np.testing.assert_array_equal(again.params, parts[1].params)
        elsewhere = run_round(other, plan, parts[0], Epoch(0, 0, 3, 1.0, 1.0), 1, 0)
        np.testing.assert_array_equal(elsewhere.params, parts[1].params)


# What is learned before


def test_encoder_is_the_local_one(client):
    """To the bit, on unequal shards, with holes and categories."""
    X, _ = mixed(120)
    X["a"] = np.where(np.arange(120) < 60, X["a"], 5 * X["a"])
    target = X["c"].rename("y")
    for scaling in "robust", "quantile":
        params = {"numeric_scaling": scaling, "early_stopping": False}
        est = on_cluster("regression", **params, **ROWS)
        est.fit(*frames(X, target, sizes=[70, 20, 30]))
        local = regressor(**params).fit(X, target)
        np.testing.assert_array_equal(
            est.encoder_.transform(X), local.encoder_.transform(X)
        )


def test_targets_are_exact(client):
    """Location and scale of a target, and what classes weigh."""
    est, local, collections, data = table(
        "regression", [40, 20], early_stopping=False, **ROWS
    )
    ours = est.fit(*collections)._model.targets
    theirs = local.fit(*data)._model.targets
    np.testing.assert_allclose(ours.location, theirs.location, rtol=1e-12)
    np.testing.assert_allclose(ours.scale, theirs.scale, rtol=1e-12)


# What comes out


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_members": 1},
        {"ensemble_weights": "shared"},
        {"batch_norm": True},
        {"storage": "disk"},
        {"scoring": "neg_log_loss"},
        {"n_rounds": 1},
    ],
    ids=str,
)
def test_it_is_as_good(client, params):
    """As the local fit, but for the noise of its seeds."""
    X, y = binary(3000)
    X_test, y_test = binary(2000, seed=1)
    common = {"max_iter": 12, "random_state": 0}
    est = DaskDNNClassifier((16,), **common, **params, **ROWS)
    est.fit(*arrays(X, y, sizes=[1700, 300, 900, 100]))
    loss = log_loss(y_test, est.predict_proba(X_test))
    local = classifier((16,), **common).fit(X, y)
    assert loss < 1.3 * log_loss(y_test, local.predict_proba(X_test)) + 0.02
    n_epochs = est.n_iter_
    assert len(est.loss_curve_) == len(est.validation_loss_curve_) == n_epochs
    assert est.best_validation_score_ == max(est.validation_scores_)
    assert est.best_iter_ == 1 + np.argmax(est.validation_scores_)
    assert 0.2 < est.temperature_ < 5


def test_rounds_make_a_difference(client):
    """As do seeds, and nothing else does."""
    X, y = binary(600)
    collections = arrays(X, y, sizes=[400, 200])

    def fit(**params):
        est = on_cluster(batch_size=16, **params, **ROWS).fit(*collections)
        return parameters(est).tolist()

    first = fit()
    assert fit() == first
    assert fit(n_rounds=2) != first
    assert fit(random_state=1) != first


def test_regressor_with_holes(client):
    """One that has to learn something."""
    X = np.random.default_rng(0).standard_normal((2000, 4))
    y = 10 + 3 * X[:, 0] - X[:, 1]
    est = DaskDNNRegressor((16,), max_iter=15, random_state=0, **ROWS)
    est.fit(*arrays(holes(X, 0.05), y, sizes=[1000, 1000]))
    assert est.score(X, y) > 0.95


def test_warm_start_goes_on(client):
    """From the network, and with what the optimizer remembers."""
    X, y = binary(400)
    collections = arrays(X, y, sizes=[200, 200])
    est = on_cluster(warm_start=True, early_stopping=False, **ROWS)
    first = est.fit(*collections).loss_
    assert est.fit(*collections).loss_ < first
    assert est._progress["epoch"] == 10
    assert est._progress["state"]["t"] == 10 * 7


def test_partial_fit_by_collections(client):
    """Each is an epoch on the workers that have its rows."""
    X, y = binary(400)
    est = on_cluster(**ROWS)
    for rows in [slice(200), slice(200, 400)] * 4:
        part = arrays(X[rows], y[rows], sizes=[120, 80])
        est.partial_fit(*part, classes=[0, 1])
    assert est.n_iter_ == 8
    assert est.score(X, y) > 0.8


def test_time_limit(client):
    """It ends in time, and schedules with it."""
    X, y = binary(2000)
    est = on_cluster(max_iter=10_000, max_time=4, **ROWS)
    est.fit(*arrays(X, y, sizes=[1000, 1000]))
    assert 1 <= est.n_iter_ < 10_000


def test_callbacks_hear_of_epochs(client):
    """They see estimators that predict, and may stop."""
    pytest.importorskip("sklearn.callback")
    seen = []

    class Callback:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            seen.append(fitted_estimator)
            return context.task_name == "epoch" and len(seen) == 3

    X, y = binary(200)
    est = on_cluster(**ROWS)
    est.set_callbacks(Callback())
    est.fit(*arrays(X, y, sizes=[100, 100]))
    assert est.n_iter_ == 3
    np.testing.assert_array_equal(seen[-1].predict(X), est.predict(X))


def test_verbose(client, capsys):
    """A line an epoch, and nothing from the workers."""
    X, y = binary(200)
    on_cluster(verbose=True, **ROWS).fit(*arrays(X, y, sizes=[100, 100]))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10] for line in lines] == [f"epoch {i:4d}" for i in range(1, 6)]


def test_interruption_keeps_what_there_is(client, monkeypatch):
    """Ctrl-C undoes the epoch that it comes in."""
    run = ClusterTraining._run_epoch

    def interrupted(self):
        if self.trainer.epoch == 2:
            raise KeyboardInterrupt
        return run(self)

    monkeypatch.setattr(ClusterTraining, "_run_epoch", interrupted)
    X, y = binary(200)
    est = on_cluster(**ROWS)
    with pytest.warns(UserWarning, match="interrupted by user"):
        est.fit(*arrays(X, y, sizes=[100, 100]))
    assert est.n_iter_ == 2


# A refit

REFIT = {"recipe": "plain", "schedule": "constant", "early_stopping": True}
REFIT |= {"learning_rate": 0.05, "batch_size": 16, "max_iter": 3, "n_members": 1}
REFIT |= {"n_rounds": 2, **ROWS}


def refit_data():
    return arrays(*binary(200), sizes=[120, 80])


@pytest.fixture(scope="module")
def first(processes):
    """The training before a refit."""
    return on_cluster(client=processes, **REFIT).fit(*refit_data())


def test_a_refit_trains_on_all_rows(client, first, monkeypatch):
    """As a fit to all of them does, for as many epochs as were best."""
    held = []
    anew = Table.anew

    def seen(self, cluster, model):
        held.extend(key for key in client.futures if "encode" in str(key))
        return anew(self, cluster, model)

    monkeypatch.setattr(Table, "anew", seen)
    again = on_cluster(refit=True, **REFIT).fit(*refit_data())
    for name in WATCHED:
        assert getattr(again, name) == getattr(first, name), name
    params = REFIT | {"early_stopping": False, "max_iter": first.best_iter_}
    alone = on_cluster(**params).fit(*refit_data())
    assert_same_network(again, alone)
    assert not np.array_equal(parameters(again), parameters(first))
    # Workers need not hold the rows of both trainings at once.
    assert not held


@pytest.mark.parametrize(
    "owner, name, trouble, message",
    [
        (Table, "anew", KeyboardInterrupt, "was interrupted by user"),
        (ClusterTraining, "_run_epoch", KeyboardInterrupt, "was interrupted by user"),
        (Clock, "has_time", None, r"has no time \(max_time=1000\)"),
    ],
    ids=["reading", "an epoch", "time"],
)
def test_a_refit_that_fails(client, first, monkeypatch, owner, name, trouble, message):
    """The network from before it is kept."""
    n_watched = 0 if owner is not ClusterTraining else first.n_iter_ + 1
    method = getattr(owner, name)
    calls = []

    def fails(*args):
        calls.append(name)
        if len(calls) <= n_watched:
            return method(*args)
        if trouble is not None:
            raise trouble
        return False

    monkeypatch.setattr(owner, name, fails)
    again = on_cluster(refit=True, max_time=1000, **REFIT)
    with pytest.warns(UserWarning, match=f"The refit {message}: the network from"):
        again.fit(*refit_data())
    assert_same_network(again, first)
    assert again.temperature_ == first.temperature_


def test_divergence(client):
    """It is an error, as in memory, and leaves no trace."""
    X, y = binary(200)
    params = UNSCALED | {"learning_rate": 1e200, "recipe": "plain"}
    est = on_cluster(**params, **ROWS)
    with pytest.raises(ValueError, match="Training diverged"):
        est.fit(*arrays(X, y, sizes=[100, 100]))
    assert not hasattr(est, "classes_")


def test_a_share_is_held_out_everywhere(client):
    """In all classes, and no more than there is use for."""
    X, y = binary(400)
    collections = arrays(X, y, sizes=[200, 200])
    est = on_cluster(n_members=1, **ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_table, "MOST_HELD_OUT", 20)
        sizes = []
        held_out = _table._held_out

        def seen(futures, workers, judged, own):
            sizes.extend(len(targets) for targets, _, _ in judged)
            return held_out(futures, workers, judged, own)

        patch.setattr(_table, "_held_out", seen)
        est.fit(*collections)
    assert sizes == [10, 10]


@pytest.mark.parametrize(
    "n_rows, n_groups, expected",
    [
        ([5, 5, 5, 5], 2, [[0, 2], [1, 3]]),
        ([10, 1, 0, 9], 2, [[0], [1, 3]]),
        ([3], 4, [[0]]),
        ([0, 2, 2], 3, [[1], [2]]),
    ],
)
def test_shards_are_of_equal_size(n_rows, n_groups, expected):
    """About, and none is empty."""
    assert groups(n_rows, n_groups) == expected
