"""Recorded steps do what NumPy's do: whole runs, over all that has a name."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from skdnn.nn import compiled
from skdnn.nn.activations import ACTIVATIONS, Activation, tanh, tanh_backward
from skdnn.nn.batches import Batches, SparseRows
from skdnn.nn.layers import Dense
from skdnn.nn.losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES, LogLoss, SquaredError
from skdnn.nn.mlp import build_mlp
from skdnn.nn.network import Network
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, SGD, AdamW, Momentum
from skdnn.nn.recording import NotRecorded, record_step
from skdnn.nn.schedules import SCHEDULES, Constant
from skdnn.nn.step import Step
from skdnn.nn.steps import steps
from skdnn.nn.trainer import Trainer
from skdnn.nn.workers import Workers

pytestmark = pytest.mark.skipif(not compiled.available, reason=f"{compiled.why_not}")

N, N_NUMBERS, N_OTHERS, CARDINALITIES = 150, 4, 2, (3, 7)


def build(n_outputs=1, seed=0, dtype=np.float64, **options):
    hidden = options.pop("hidden", (9, 6))
    plan = {
        "activations": ["silu"] * len(hidden),
        "initializers": ["he_normal"] * (len(hidden) + 1),
        "dropout": [0.0] * len(hidden),
        **options,
    }
    n_inputs = N_NUMBERS + N_OTHERS + len(CARDINALITIES)
    network = build_mlp(n_inputs, hidden, n_outputs, dtype=dtype, **plan)
    network.initialize(np.random.default_rng(seed))
    return network


def table(n_outputs=1, target="real", dtype=np.float64, weight_columns=0):
    rng = np.random.default_rng(1)
    numbers = rng.standard_normal((N, N_NUMBERS + N_OTHERS))
    codes = rng.integers(CARDINALITIES, size=(N, len(CARDINALITIES)))
    X = np.hstack([numbers, codes]).astype(dtype)
    y = {
        "real": lambda: rng.standard_normal((N, n_outputs)),
        "binary": lambda: rng.integers(2, size=(N, n_outputs)),
        "positive": lambda: rng.gamma(2.0, size=(N, n_outputs)),
        "classes": lambda: rng.integers(n_outputs, size=N),
    }[target]()
    y = y.astype(np.intp if target == "classes" else dtype)
    weight = None
    if weight_columns:
        weight = rng.uniform(0, 2, (N, weight_columns)).astype(dtype)
        weight[rng.random(weight.shape) < 0.2] = 0
    return X, y, weight


def train(
    kind,
    network,
    data,
    loss=None,
    optimizer=None,
    batch_size=32,
    n_epochs=3,
    penalty=0.01,
    learning_rate=0.01,
    n_threads=1,
    schedule=None,
    shuffle=True,
):
    """Return the losses of a run, whose network is trained in place."""
    if network.adapts:
        network.adapt(data[0][:])
    loss = loss or SquaredError(link="identity")
    trainer = Trainer(
        network,
        loss,
        optimizer or AdamW(),
        schedule or Constant(),
        learning_rate=learning_rate,
        penalty=penalty,
        max_epochs=n_epochs,
        seed=5,
    )
    order = np.random.default_rng(2) if shuffle else None
    batches = Batches(*data, batch_size, order)
    # Raises an error where NumPy would run.
    record_step(trainer.step, batches.table, batch_size)
    available = patch.object(compiled, "available", kind == "recorded")
    with available, Workers(n_threads) as workers:
        trainer.run(
            steps(trainer.step, batches), n_epochs, lambda: False, workers=workers
        )
    return trainer.losses


def assert_same(network, data, tolerance=1e-9, **options):
    """Assert that both kinds of steps train the same network, and change it."""
    before = network.params.copy()
    other = network.copy()
    by_numpy = train("numpy", network, data, **options)
    recorded = train("recorded", other, data, **options)
    assert np.isfinite(by_numpy).all()
    assert not np.allclose(before, network.params)
    assert_allclose(recorded, by_numpy, rtol=tolerance)
    scale = abs(network.params).max()
    assert_allclose(other.params, network.params, rtol=0, atol=tolerance * scale)
    assert_allclose(other.statistics, network.statistics, rtol=0, atol=tolerance)


#: name -> arguments of `build_mlp`
NETWORKS = {
    "plain": {},
    "linear": {"hidden": (), "activations": []},
    "narrow": {"hidden": (2, 2)},
    "no bias": {"batch_norm": True},
    "ntk": {"ntk": True},
    "input scaling": {"input_scaling": True},
    "dropout": {"dropout": [0.3, 0.5]},
    "batch norm and dropout": {"batch_norm": True, "dropout": [0.3, 0.0]},
    "residual": {"residual": True, "hidden": (9, 6, 11, 6)},
    "residual, batch norm": {"residual": True, "hidden": (9, 6, 6), "batch_norm": True},
    "parametric": {"activations": [("parametric", "silu"), ("parametric", "relu")]},
    "parametric, dropout": {
        "activations": [("parametric", "silu")] * 2,
        "dropout": [0.2, 0.2],
    },
    "narrower than its inputs": {"hidden": (2, 3)},
    "categories": {"cardinalities": CARDINALITIES, "category_width": 3},
    "piecewise linear": {
        "n_numbers": N_NUMBERS,
        "numeric_embedding": ("piecewise_linear", {"n_bins": 6, "width": 3}),
    },
    "periodic": {
        "n_numbers": N_NUMBERS,
        "numeric_embedding": ("periodic", {"n_frequencies": 5, "width": 3}),
    },
    "all embeddings": {
        "n_numbers": N_NUMBERS,
        "numeric_embedding": ("piecewise_linear", {"n_bins": 32, "width": 4}),
        "cardinalities": CARDINALITIES,
        "category_width": 8,
        "input_scaling": True,
        "ntk": True,
        "activations": [("parametric", "silu")] * 2,
        "dropout": [0.2, 0.1],
        "learning_rates": {"scale": 6.0, "bias": 0.1, "activation": 0.1},
    },
}
for recipe in NETWORKS.values():
    n_hidden = len(recipe.get("hidden", (9, 6)))
    recipe.setdefault("activations", ["silu"] * n_hidden)
    recipe.setdefault("initializers", ["he_normal"] * (n_hidden + 1))
    recipe.setdefault("dropout", [0.0] * n_hidden)


@pytest.mark.parametrize("members", [None, 3, "shared"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, members):
    ensemble = {"n_members": 3, "shared": members == "shared"} if members else {}
    assert_same(build(**NETWORKS[name], **ensemble), table())


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_in_float32(name):
    network = build(**NETWORKS[name], n_members=2, dtype=np.float32)
    assert_same(network, table(dtype=np.float32), tolerance=1e-5, optimizer=Momentum())


@pytest.mark.parametrize("form", ["plain", "parametric", "dropout"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation, form):
    chosen = ("parametric", activation) if form == "parametric" else activation
    dropout = [0.3, 0.0] if form == "dropout" else [0.0, 0.0]
    assert_same(build(activations=[chosen] * 2, dropout=dropout), table())


#: name -> loss, number of outputs, targets
LOSSES = {
    "log loss": (LogLoss(link="sigmoid"), 1, "binary"),
    "log loss of several labels": (LogLoss(link="sigmoid"), 3, "binary"),
    "log loss of classes": (LogLoss(link="softmax"), 4, "classes"),
    "log loss of many classes": (LogLoss(link="softmax"), 60, "classes"),
    "smoothed": (LogLoss(0.1, link="sigmoid"), 1, "binary"),
    "smoothed classes": (LogLoss(0.1, link="softmax"), 4, "classes"),
    "squared error": (SquaredError(link="identity"), 2, "real"),
    "Brier score": (SquaredError(link="sigmoid"), 1, "binary"),
    "Brier score of classes": (SquaredError(link="softmax"), 4, "classes"),
    **{
        name: (loss(), 2, "positive" if name in ("poisson", "gamma") else "real")
        for name, loss in REGRESSOR_LOSSES.items()
        if name != "squared_error"
    },
    "quantile 0.8": (REGRESSOR_LOSSES["quantile"](0.8), 1, "real"),
    "quantiles": (REGRESSOR_LOSSES["quantile"]([0.1, 0.9, 0.5]), 3, "real"),
    "huber 0.3": (REGRESSOR_LOSSES["huber"](0.3), 1, "real"),
}


@pytest.mark.parametrize("weight_columns", [0, 1, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, weight_columns):
    loss, n_outputs, target = LOSSES[name]
    network = build(n_outputs, n_members=3 if weight_columns == 3 else None)
    data = table(n_outputs, target, weight_columns=weight_columns)
    assert_same(network, data, loss=loss)


def test_every_loss_is_here():
    tested = {type(loss) for loss, *_ in LOSSES.values()}
    assert tested == {*CLASSIFIER_LOSSES.values(), *REGRESSOR_LOSSES.values()}


@pytest.mark.parametrize("name", [n for n, o in OPTIMIZERS.items() if o is not LBFGS])
@pytest.mark.parametrize("penalty", [0.0, 0.05])
def test_optimizers(name, penalty):
    rates = {"bias": 0.3, "norm": 2.0}
    network = build(batch_norm=True, learning_rates=rates)
    assert_same(network, table(), optimizer=OPTIMIZERS[name](), penalty=penalty)


@pytest.mark.parametrize("members", [None, 3])
def test_weights_of_batch_norm(members):
    network = build(batch_norm=True, n_members=members)
    assert_same(network, table(weight_columns=members or 1))


@pytest.mark.parametrize("batch_size", [1, 7, 150, 10_000])
def test_batch_sizes(batch_size):
    assert_same(build(dropout=[0.2, 0.2]), table(), batch_size=batch_size)


@pytest.mark.parametrize("weight_columns", [0, 1])
@pytest.mark.parametrize("name", [name for name in NETWORKS if "batch" in name])
def test_a_last_batch_of_one_row(name, weight_columns):
    """A row alone is standardized by the running statistics."""
    assert N % 149 == 1
    data = table(weight_columns=weight_columns)
    assert_same(build(**NETWORKS[name]), data, batch_size=149)


def test_one_row():
    assert_same(build(dropout=[0.2, 0.2]), [a if a is None else a[:1] for a in table()])


@pytest.mark.parametrize("n_members", [None, 3])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_no_columns(n_outputs, hidden, n_members, capfd):
    """Without inputs, a network learns constants, and BLAS has nothing to say."""
    n = len(hidden)
    network = build_mlp(
        0,
        hidden,
        n_outputs,
        activations=["silu"] * n,
        initializers=["he_normal"] * (n + 1),
        dropout=[0.0] * n,
        n_members=n_members,
    )
    network.params[...] = np.random.default_rng(0).standard_normal(network.params.shape)
    assert_same(network, (np.empty((N, 0)), *table(n_outputs)[1:]))
    assert network.predict(np.empty((5, 0))).shape[-2:] == (5, n_outputs)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    assert_same(build(), table(), schedule=SCHEDULES[name]())


def test_slabs(monkeypatch):
    """A batch in slabs is the same as a whole, dropout included."""
    monkeypatch.setattr("skdnn.nn.step.SLAB_BYTES", 1)
    rng, n = np.random.default_rng(0), 700
    X = rng.standard_normal((n, N_NUMBERS + N_OTHERS + len(CARDINALITIES)))
    X[:, -2:] = rng.integers(CARDINALITIES, size=(n, 2))
    network = build(**NETWORKS["all embeddings"])
    data = X, rng.standard_normal((n, 1)), rng.uniform(0, 2, (n, 1))
    assert_same(network, data, batch_size=n)


def test_sparse_tables():
    rng = np.random.default_rng(0)
    entries = csr_array(rng.random((N, 8)) * (rng.random((N, 8)) < 0.2))
    common = np.arange(8.0)
    network = build(n_members=2)
    assert_same(network, (SparseRows(entries, common), *table()[1:]))


@pytest.mark.parametrize("name", ["plain", "all embeddings", "batch norm and dropout"])
def test_any_number_of_threads(name):
    """Members side by side are the same to the bit as one after the other."""
    network = build(**NETWORKS[name], n_members=4)
    other = network.copy()
    alone = train("recorded", network, table())
    beside = train("recorded", other, table(), n_threads=3)
    assert alone == beside
    assert (network.params == other.params).all()


@pytest.mark.parametrize("members", [None, 3, "shared"])
@pytest.mark.parametrize("name", NETWORKS)
def test_predictions(name, members):
    ensemble = {"n_members": 3, "shared": members == "shared"} if members else {}
    network = build(**NETWORKS[name], **ensemble)
    X, *_ = table()
    if network.adapts:
        network.adapt(X)
    train("numpy", network, table())
    X = np.vstack([X] * 4)
    assert_allclose(network.predict(X), network.forward(X), rtol=1e-9, atol=1e-12)
    assert network.predictor._idle, "NumPy has predicted"


def recorded_step(network, data=None, loss=None, optimizer=None, **options):
    """Record the step of a plain network."""
    loss, optimizer = loss or SquaredError(link="identity"), optimizer or AdamW()
    step = Step(network, loss, optimizer, 0.0, **options)
    return record_step(step, Batches(*(data or table()), 32).table, 32)


class OwnLayer(Dense):
    """A layer of somebody's own."""


class OwnLoss(SquaredError):
    """A loss of somebody's own."""


class OwnOptimizer(SGD):
    """An optimizer of somebody's own."""


def stairs(z, scratch):
    """An activation of somebody's own."""
    return np.tanh(z, out=z)


def with_activation(monkeypatch, name, *functions):
    monkeypatch.setitem(ACTIVATIONS, name, Activation(*functions))
    return build(activations=[name] * 2)


#: What NumPy runs -> a function that tries to record it.
NOT_RECORDED = {
    "a layer": lambda m: recorded_step(Network([OwnLayer(8, 1, "he_normal")])),
    "a loss": lambda m: recorded_step(build(), loss=OwnLoss(link="identity")),
    "an optimizer": lambda m: recorded_step(build(), optimizer=OwnOptimizer()),
    "L-BFGS": lambda m: recorded_step(build(), optimizer=LBFGS()),
    "an activation": lambda m: recorded_step(
        with_activation(m, "stairs", stairs, tanh_backward)
    ),
    "an activation of a known name": lambda m: recorded_step(
        with_activation(m, "tanh", stairs, tanh_backward)
    ),
    "a slope of a known name": lambda m: recorded_step(
        with_activation(m, "tanh", tanh, stairs)
    ),
    "targets of another dtype": lambda m: recorded_step(
        build(), [a if a is None else a.astype(np.float32) for a in table()]
    ),
    "weights of another dtype": lambda m: recorded_step(
        build(), (*table()[:2], np.ones((N, 1), np.float32))
    ),
    "a vector that is read": lambda m: recorded_step(read_only(build())),
    "a state of another dtype": lambda m: recorded_step(
        build(), state=AdamW().init(build().params.astype(np.float32))
    ),
}


def read_only(network):
    network.params.flags.writeable = False
    return network


@pytest.mark.parametrize("what", NOT_RECORDED)
def test_not_recorded(what, monkeypatch):
    """The list of all that has no program."""
    with pytest.raises(NotRecorded):
        NOT_RECORDED[what](monkeypatch)


X, Y, _ = table()
CLASSES = np.zeros(N, np.intp)

#: What NumPy refuses -> network, table, loss.
REFUSED = {
    "another number of columns": (build(), (X[:, 1:], Y, None), None),
    "too few targets": (build(), (X, Y[1:], None), None),
    "other outputs": (build(3), (X, table(2)[1], None), None),
    "a class too many": (build(2), (X, CLASSES + 2, None), LogLoss(link="softmax")),
    "another number of quantiles": (
        build(3),
        (X, table(3)[1], None),
        REGRESSOR_LOSSES["quantile"]([0.1, 0.9]),
    ),
    "too few weights": (build(), (X, Y, np.ones((9, 1))), None),
    "weights of no member": (build(), (X, Y, np.ones((N, 2))), None),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    """What NumPy refuses never gets to a program, which looks at no bounds."""
    network, data, loss = REFUSED[what]
    with pytest.raises(NotRecorded):
        recorded_step(network, data, loss)


@pytest.mark.parametrize("x", [np.ones((3, 1)), np.ones((3, 9)), np.ones(8)])
def test_refused_predictions(x):
    with pytest.raises(ValueError, match="takes arrays of shape"):
        build().predict(x)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("kind", ["numpy", "recorded"])
@pytest.mark.parametrize("what", ["params", "targets"])
def test_nan(what, kind, n_threads):
    """What is not a number ends training, and the network is as it was."""
    network, data = build(n_members=2, batch_norm=True), table()
    if what == "params":
        network.params[3] = np.nan
    else:
        data[1][-1] = np.nan
    before = network.params.copy(), network.statistics.copy()
    assert train(kind, network, data, n_threads=n_threads) == []
    np.testing.assert_array_equal(network.params, before[0])
    np.testing.assert_array_equal(network.statistics, before[1])


def test_predictions_after_nan():
    """What was not a number leaves nothing in the memory of the next prediction."""
    network = build(n_members=2)
    expected = network.predict(X)
    assert np.isnan(network.predict(np.full_like(X, np.nan))).all()
    np.testing.assert_array_equal(network.predict(X), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_are_those_of_the_parameters_now(dtype):
    """A change in place is seen, and so is a return to a snapshot."""
    network = build(batch_norm=True, dtype=dtype)
    x, before, snapshot = X.astype(dtype), network.predict(X), network.snapshot()
    network.params *= 1.5
    network.statistics += 0.5
    changed = network.predict(x)
    expected = network.forward(x.astype(np.float64)).astype(dtype)
    assert_allclose(changed, expected, rtol=1e-9 if dtype == np.float64 else 1e-4)
    assert not np.allclose(changed, before)
    network.restore(snapshot)
    np.testing.assert_array_equal(network.predict(X), before)
