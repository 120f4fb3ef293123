"""Batches visit every row once an epoch, in order or shuffled."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone

from skdnn.nn import batches as module
from skdnn.nn.batches import Batch, Batches, StreamedBatches
from tests import plain
from tests.recipes import maker, networks, table
from tests.tables import TASKS, parameters

tasks = pytest.mark.parametrize("task", plain.TASKS)


def data(n=23):
    X = np.arange(2.0 * n).reshape(n, 2)
    return X, np.arange(n), np.arange(n)[:, None] / 10


def visit(batches):
    return [[np.array(a) for a in batch if a is not None] for batch in batches]


@pytest.mark.parametrize("gathered_bytes", [1, 100, 10**6])
@pytest.mark.parametrize("batch_size", [1, 4, 22])
def test_every_row_once(batch_size, gathered_bytes, rng, monkeypatch):
    """An epoch holds each row once, with its target and its weight."""
    monkeypatch.setattr(module, "GATHERED_BYTES", gathered_bytes)
    epoch = visit(Batches(*data(), batch_size, rng))
    sizes = [len(X) for X, *_ in epoch]
    assert sizes == [batch_size] * (23 // batch_size) + [23 % batch_size] * (
        23 % batch_size > 0
    )
    X, y, weight = (np.concatenate(parts) for parts in zip(*epoch, strict=True))
    assert sorted(y) == list(range(23))
    np.testing.assert_array_equal(X, data()[0][y])
    np.testing.assert_array_equal(weight, data()[2][y])


def test_order_changes_each_epoch(rng):
    """Each epoch has an order of its own."""
    batches = Batches(*data(), 5, rng)
    first, second = (np.concatenate([y for _, y, _ in visit(batches)]) for _ in "12")
    assert not np.array_equal(first, second)


def test_order_depends_on_the_generator_alone():
    """Equal generators give equal orders, whatever the batch size."""
    orders = [
        np.concatenate(
            [y for _, y, _ in visit(Batches(*data(), size, np.random.default_rng(7)))]
        )
        for size in (5, 3)
    ]
    np.testing.assert_array_equal(*orders)


def test_epochs_depend_on_the_generator_alone():
    """What went before does not matter: a later epoch can be repeated from anew."""
    rng = np.random.default_rng(7)
    batches = Batches(*data(), 5, rng)
    visit(batches)
    state = rng.bit_generator.state
    second = np.concatenate([y for _, y, _ in visit(batches)])
    rng.bit_generator.state = state
    again = np.concatenate([y for _, y, _ in visit(Batches(*data(), 5, rng))])
    np.testing.assert_array_equal(second, again)


def test_data_are_left_alone(rng):
    """Shuffling does not touch the rows where they lie."""
    arrays = data()
    visit(Batches(*arrays, 5, rng))
    for array, expected in zip(arrays, data(), strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(("gathered_bytes", "n_rows"), [(1, 2), (100, 6), (10**6, 23)])
def test_gathered_memory(gathered_bytes, n_rows, rng, monkeypatch):
    """Rows are gathered in as many whole batches as fit, at least one, at most all.

    A batch of two rows has 32 bytes.
    """
    monkeypatch.setattr(module, "GATHERED_BYTES", gathered_bytes)
    assert {len(batch.X.base) for batch in Batches(*data(), 2, rng)} == {n_rows}


def test_gathered_batches(rng):
    """However small they are, no more than 1024 batches are gathered at a time."""
    X = np.arange(3000.0)[:, None]
    batches = Batches(X, X[:, 0], None, 1, rng)
    assert {len(batch.X.base) for batch in batches} == {1024}


def test_rows_without_columns(rng):
    """Rows of no columns are batched like others."""
    X, y = np.empty((7, 0)), np.arange(7)
    shapes = [batch.X.shape for batch in Batches(X, y, None, 3, rng)]
    assert shapes == [(3, 0), (3, 0), (1, 0)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_shapes(dtype, rng):
    """Each array keeps its dtype and its number of dimensions."""
    X, y, weight = data()
    X, y = X.astype(dtype), np.column_stack([y, y]).astype(dtype)
    first = next(iter(Batches(X, y, weight.astype(dtype), 5, rng)))
    assert [array.shape for array in first] == [(5, 2), (5, 2), (5, 1)]
    assert {array.dtype for array in first} == {np.dtype(dtype)}


def test_order_is_kept_without_a_generator():
    """Without a generator rows come as they lie."""
    order = np.concatenate([y for _, y, _ in visit(Batches(*data(), 5))])
    np.testing.assert_array_equal(order, np.arange(23))


@pytest.mark.parametrize("batch_size", [23, 100])
def test_a_batch_of_everything_is_no_copy(batch_size, rng):
    """All rows at once are the arrays themselves."""
    X, y, weight = data()
    (batch,) = Batches(X, y, weight, batch_size, rng)
    assert batch.X is X
    assert batch.y is y
    assert batch.weight is weight


def test_no_weights():
    """Without weights each batch has None."""
    X, y, _ = data()
    assert all(batch.weight is None for batch in Batches(X, y, None, 5))


# Of an estimator


@pytest.mark.sampled
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n", [1, 2, 21, 41])
def test_batch_norm_and_a_last_batch_of_one_row(task, n):
    """Batch norm copes with a last, or only, batch of one row."""
    make, data = TASKS[task]
    X, y = data()
    est = make(batch_norm=True, batch_size=20).fit(X[:n], y[:n])
    assert np.isfinite(est.loss_curve_).all()
    assert np.isfinite(est.network_.statistics).all()
    assert np.isfinite(est.predict(X)).all()


@pytest.mark.sampled
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("n", "size"), [(41, 20), (1, 20), (7, 1), (5, 100)])
@tasks
@networks
def test_fault_28_last_batches_of_one_row(network, task, n, size, batch_norm):
    """Any number of rows goes with any batch size, and the last batch counts.

    Peers' batch norm failed on a single row, or batches that are not full were
    dropped, or a batch size above the number of rows was a warning.
    """
    X, y = (array[:n] for array in table(task))
    params = {"batch_norm": batch_norm, "batch_size": size, "shuffle": False}
    est = maker(task, network, **params)()
    est.fit(X, y).partial_fit(X[:1], y[:1])
    assert np.isfinite(est.predict(X)).all()
    if n > 1:
        est.set_params(early_stopping=False)  # where all rows are trained on
        changed = X.copy()
        changed[-1] = changed[0]
        one, two = (clone(est).set_params(numeric_scaling=None) for _ in range(2))
        one, two = one.fit(X, y), two.fit(changed, y)
        assert parameters(one).tobytes() != parameters(two).tobytes()


# Blocks of rows that are read anew


def streamed(sizes, batch_size, n_rows, rng=None):
    """Return batches of rows that come in parts of some sizes."""
    X, y, weight = data(sum(sizes))

    def read():
        for start, stop in pairwise(np.cumsum([0, *sizes])):
            yield Batch(X[start:stop], y[start:stop], weight[start:stop])

    memory = Batch(np.empty((n_rows, 2)), np.zeros(n_rows, int), np.empty((n_rows, 1)))
    return StreamedBatches(read, sum(sizes), memory, batch_size, rng)


@pytest.mark.parametrize("sizes", [[23], [1] * 23, [7, 0, 9, 7], [8, 8, 7], [22, 1]])
@pytest.mark.parametrize(("batch_size", "n_rows"), [(1, 1), (3, 8), (4, 8), (5, 100)])
def test_streamed_rows_in_order(sizes, batch_size, n_rows):
    """They are the batches of the table, however they come and are kept."""
    batches = streamed(sizes, batch_size, n_rows)
    for _ in range(2):
        expected = visit(Batches(*data(), batch_size))
        for one, two in zip(visit(batches), expected, strict=True):
            for a, b in zip(one, two, strict=True):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        batches.last(2).y, Batches(*data(), batch_size).last(2).y
    )


def test_streamed_rows_shuffled(rng):
    """Each row comes once, out of the block that it is in, in a new order each time."""
    batches = streamed([23], 3, 8, rng)
    assert batches.n_batches_in_block == 2
    epochs = [np.concatenate([y for _, y, _ in visit(batches)]) for _ in range(2)]
    assert not np.array_equal(*epochs)
    for epoch in epochs:
        for start in range(0, 23, 6):
            rows = np.arange(start, min(start + 6, 23))
            assert sorted(epoch[start : start + 6]) == rows.tolist()


@pytest.mark.parametrize("n", [20, 22, 24, 26])
def test_streamed_rows_that_change(n):
    """There are as many rows in each epoch."""
    batches = streamed([n], 3, 6)
    batches.n_samples = 23
    with pytest.raises(ValueError, match="more" if n > 23 else "less"):
        visit(batches)
