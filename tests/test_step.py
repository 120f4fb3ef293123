"""One step: the objective, its gradient, and the memory that it stays in."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skdnn.nn import step as module
from skdnn.nn.batches import Batch, Batches, SparseRows
from skdnn.nn.losses import LogLoss, SquaredError
from skdnn.nn.mlp import build_mlp
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, SGD, Adam
from skdnn.nn.schedules import Constant
from skdnn.nn.step import Step
from skdnn.nn.steps import steps
from skdnn.nn.trainer import Trainer
from tests.networks import mlp


def make_step(
    widths,
    rng,
    optimizer=None,
    *,
    dtype=np.float64,
    batch_norm=False,
    dropout=0.0,
    penalty=0.0,
):
    n_hidden = len(widths) - 2
    network = mlp(
        widths,
        ["tanh"] * n_hidden,
        ["lecun_normal"] * (n_hidden + 1),
        batch_norm,
        [dropout] * n_hidden,
        dtype,
    )
    network.initialize(rng)
    loss = SquaredError(link="identity")
    return Step(network, loss, optimizer or SGD(), penalty)


def draw(rng, n=30, d=3, dtype=np.float64):
    X = rng.standard_normal((n, d)).astype(dtype)
    return X, np.sin(X[:, :1])


# Objective and gradient


def test_a_step_is_gradient_and_update(rng):
    """It returns the objective before it, and moves against its gradient."""
    step = make_step((3, 4, 1), rng, penalty=0.3)
    batch, before = Batch(*draw(rng), None), step.network.params.copy()
    value, gradient = step.loss_gradient(batch), step.grads.copy()
    step.learning_rate = 0.2
    assert step(batch) == value
    np.testing.assert_array_equal(step.network.params, before - 0.2 * gradient)
    assert step.state["t"] == 1


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - {"lbfgs"}))
def test_steps_are_those_of_training(optimizer, rng, by_numpy):
    """Step by step, or as an epoch of the trainer: the same bits of NumPy."""
    X, y = draw(rng)
    one, two = (
        make_step((3, 4, 1), np.random.default_rng(1), OPTIMIZERS[optimizer]())
        for _ in range(2)
    )
    trainer = Trainer(
        two.network,
        two.loss,
        OPTIMIZERS[optimizer](),
        Constant(),
        learning_rate=0.01,
        penalty=0.0,
        max_epochs=1,
    )
    trainer.run(steps(trainer.step, Batches(X, y, None, 7)), 1, lambda: False)
    total = 0.0
    for batch in Batches(X, y, None, 7):
        one.learning_rate = 0.01
        total += len(batch.X) * one(batch)
    assert trainer.losses == [total / len(X)]
    np.testing.assert_array_equal(one.network.params, two.network.params)


def test_lbfgs_asks_for_the_gradient_alone(rng):
    """There is nothing to remember for an optimizer that takes other steps."""
    step = make_step((3, 4, 1), rng, LBFGS())
    assert step.state is None
    assert np.isfinite(step.loss_gradient(Batch(*draw(rng), None)))


@pytest.mark.parametrize("block", [1, 5, 15, 16, 10**6])
def test_penalty(block, rng, monkeypatch):
    """The penalty is 1/2 |weights|^2 times its factor, in whatever blocks.

    There are 12 + 4 weights, and 5 biases that are free.
    """
    monkeypatch.setattr(module, "BLOCK", block)
    step = make_step((3, 4, 1), rng)
    step.network.params[...] = w = rng.standard_normal(21)
    batch = Batch(*draw(rng), None)
    loss, gradient = step.loss_gradient(batch), step.grads.copy()
    step.penalty = 0.3
    np.testing.assert_allclose(
        step.loss_gradient(batch), loss + 0.15 * (w[:16] @ w[:16]), rtol=1e-12
    )
    gradient[:16] += 0.3 * w[:16]
    np.testing.assert_allclose(step.grads, gradient, rtol=1e-12)


def test_batches_estimate_the_gradient(rng):
    """The batches' gradients average to that of all rows, whatever the weights."""
    X, y = draw(rng)
    weight = rng.uniform(0, 3, (30, 1))
    step = make_step((3, 4, 1), rng, penalty=0.2)
    step.loss_gradient(Batch(X, y, weight))
    full, mean = step.grads.copy(), 0
    for batch in Batches(X, y, weight, 7, rng):
        step.loss_gradient(batch)
        mean = mean + step.grads * len(batch.X) / len(X)
    np.testing.assert_allclose(mean, full, rtol=1e-10)


# Slabs


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_slabs(weighted, sparse, rng, monkeypatch):
    """A batch that goes through in slabs has the same loss and gradient."""
    X, y = draw(rng, n=1000)
    weight = rng.uniform(0, 2, (1000, 1)) if weighted else None
    rows = SparseRows(sp.csr_array(X), np.zeros(3)) if sparse else X
    results = []
    for slab_bytes in (1, 2**30):
        monkeypatch.setattr(module, "SLAB_BYTES", slab_bytes)
        step = make_step((3, 4, 1), np.random.default_rng(1), penalty=0.1)
        results.append([step.loss_gradient(Batch(rows, y, weight)), *step.grads])
    np.testing.assert_allclose(*results, rtol=1e-10)


@pytest.mark.parametrize(("slab_bytes", "largest"), [(1, 256), (2**30, 1000)])
def test_rows_of_a_pass(slab_bytes, largest, rng, monkeypatch):
    """No pass has more rows than a slab, so that memory has a bound."""
    monkeypatch.setattr(module, "SLAB_BYTES", slab_bytes)
    step = make_step((3, 4, 1), rng)
    seen, forward = [], step.network.forward

    def spy(x, *args):
        seen.append(len(x))
        return forward(x, *args)

    monkeypatch.setattr(step.network, "forward", spy)
    step.loss_gradient(Batch(*draw(rng, n=1000), None))
    assert max(seen) == largest
    assert sum(seen) == 1000


def test_coupled_rows_are_one_slab(rng, monkeypatch):
    """Batch norm sees the whole batch, however large it is."""
    batch = Batch(*draw(rng, n=1000), None)
    results = []
    for slab_bytes in (1, 2**30):
        monkeypatch.setattr(module, "SLAB_BYTES", slab_bytes)
        step = make_step((3, 4, 1), np.random.default_rng(1), batch_norm=True)
        results.append([step.loss_gradient(batch), *step.grads])
    np.testing.assert_array_equal(*results)


# Memory

#: Networks that have each layer, and losses that have each kind of memory.
NETWORKS = {
    "plain": {},
    "batch_norm": {"batch_norm": True},
    "recipe": {
        "numeric_embedding": ("piecewise_linear", {"n_bins": 3, "width": 2}),
        "input_scaling": True,
        "ntk": True,
        "activations": [("parametric", name) for name in ("silu", "relu", "tanh")],
        "n_members": 2,
    },
    "periodic": {"numeric_embedding": ("periodic", {})},
    "categories": {"cardinalities": (5, 4), "category_width": 3, "input_scaling": True},
    "members": {"n_members": 3, "batch_norm": True},
    "members that share": {
        "numeric_embedding": ("periodic", {}),
        "cardinalities": (5, 4),
        "category_width": 2,
        "input_scaling": True,
        "ntk": True,
        "residual": True,
        "n_members": 3,
        "shared": True,
    },
    "residual": {"residual": True},
    "smooth": {"loss": LogLoss(0.1, link="softmax")},
    "softmax squared": {"loss": SquaredError(link="softmax")},
}
N_COLUMNS = 3


def step_and_batches(name, rng, hidden=(6, 6, 6), n=40, batch_size=12, dropout=0.0):
    """Return a step of a network by its name, and batches of two sizes."""
    params = dict(NETWORKS[name])
    loss = params.pop("loss", LogLoss(link="softmax"))
    codes = [rng.integers(m, size=n) for m in params.get("cardinalities", ())]
    network = build_mlp(
        N_COLUMNS + len(codes),
        hidden,
        4,
        activations=params.pop("activations", ["silu", "mish", "tanh"]),
        initializers=["he_normal"] * 4,
        dropout=[dropout] * 3,
        n_numbers=2,
        **params,
    )
    network.initialize(rng)
    X = np.column_stack([rng.standard_normal((n, N_COLUMNS)), *codes])
    network.adapt(X)
    y, weight = rng.integers(4, size=n), rng.uniform(0, 2, (n, 1))
    step = Step(network, loss, Adam(), penalty=0.1)
    step.learning_rate = 1e-3
    return step, Batches(X, y, weight, batch_size, rng)


def arrays(value, seen):
    """Yield every array within an object, once."""
    if id(value) in seen or isinstance(value, np.random.Generator):
        return
    seen[id(value)] = value
    if isinstance(value, np.ndarray):
        yield value
        return
    if callable(value) and getattr(value, "__closure__", None):
        parts = [cell.cell_contents for cell in value.__closure__]
    elif isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        parts = list(getattr(value, "__dict__", {}).values())
    for part in parts:
        yield from arrays(part, seen)


@pytest.mark.sampled
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_array_is_made_or_moved(name, dropout, rng):
    """After both sizes of batches, a step has the same arrays for ever, where they are.

    But for the batch, which the caller owns.
    """
    step, batches = step_and_batches(name, rng, dropout=dropout)

    def places():
        for batch in batches:
            step(batch)
        owned = {
            (array.__array_interface__["data"][0], array.shape, array.strides)
            for array in arrays(step, {})
            if not any(np.shares_memory(array, buffer) for buffer in batches._buffers)
        }
        return owned

    first = places()
    assert len(first) > 20
    assert places() == first
    assert places() == first


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("hidden", "n", "limit"),
    [((16_000, 3, 16_000), 16, 80_000), ((4, 4, 4), 30_000, 150_000)],
)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_allocates_no_array(name, hidden, n, limit, rng, monkeypatch):
    """Nothing that grows with the width of a layer, nor with the batch.

    A vector of a wide layer has 128,000 bytes, a number a row 240,000.  NumPy steps
    over arrays of several shapes through a buffer of at most 65,536.
    """
    monkeypatch.setattr(module, "SLAB_BYTES", 2**30)
    step, batches = step_and_batches(name, rng, hidden, n=2 * n, batch_size=n)
    _, batch = batches
    step(batch)
    tracemalloc.start()
    try:
        step(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def peak_of_epoch(width, batch_size, rng, **options):
    X, y = draw(rng, n=4000, dtype=np.float32)
    step = make_step((3, width, width, 1), rng, Adam(), dtype=np.float32, **options)
    step.learning_rate = 0.1
    batches = Batches(X, y, np.ones((len(X), 1), np.float32), batch_size, rng)
    for batch in batches:
        step(batch)
    tracemalloc.start()
    try:
        for batch in batches:
            step(batch)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("width", "batch_size"), [(256, 250), (64, 2000), (64, 4000), (256, 4000)]
)
def test_an_epoch_allocates_nothing_that_grows(width, batch_size, rng):
    """The second epoch needs next to no new memory, whatever the sizes.

    NumPy casts through a buffer of 8,192 entries, at most 65,536 bytes.  One activation
    of the widest case has 256,000 bytes or more, one weight matrix 262,144.
    """
    assert peak_of_epoch(width, batch_size, rng) < 80_000


@pytest.mark.parametrize("batch_size", [250, 4000])
def test_no_layer_allocates_what_grows(batch_size, rng):
    """With batch norm, dropout and a penalty, an epoch still needs next to nothing."""
    options = {"batch_norm": True, "dropout": 0.5, "penalty": 0.1}
    assert peak_of_epoch(256, batch_size, rng, **options) < 80_000
