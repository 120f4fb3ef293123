"""Batches visit every row once an epoch, in order or shuffled."""

import numpy as np
import pytest

from skdnn.nn import batches as module
from skdnn.nn.batches import Batches


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
