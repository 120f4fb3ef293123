"""What workers do: check the rows of partitions, join them to a shard, divide it."""

from copy import copy
from typing import NamedTuple

import numpy as np

from skdnn._data import Data, check_data, split
from skdnn._model import Statistics
from skdnn._rows import Rows
from skdnn.dask._storage import empty, stored
from skdnn.nn.batches import Batch


class Divided(NamedTuple):
    """The rows of a shard, some of them held out.

    Attributes
    ----------
    data : Data
    rows : Rows
        Those to train on.
    held_out : HeldOut or None
    """

    data: Data
    rows: object
    held_out: object


class Shard:
    """Encoded rows that one worker trains on, and those that it holds out.

    Parameters
    ----------
    batch : Batch
        The training rows.
    total : float
        The sum of their weights.
    n_trained : float
        How many of them a member trains on, on average.
    held_out : ndarray of shape (n_held_out, n_features), default=None
        Encoded rows, where all members hold out the same.
    positions : ndarray of int of shape (n_members, n_held_out), default=None
        Where each member holds out training rows of its own.

    Attributes
    ----------
    trainer : Trainer or None
        Of the round before: memory to use again, nothing that has a say.
    """

    def __init__(self, batch, total, n_trained, held_out=None, positions=None):
        self.batch = batch
        self.total = total
        self.n_trained = n_trained
        self.held_out = held_out
        self.positions = positions
        self.trainer = None

    def member(self, index):
        """Return the same rows as a member of an ensemble sees them."""
        X, y, weight = self.batch
        if weight is not None and weight.shape[1] > 1:
            weight = np.ascontiguousarray(weight[:, [index]])
        positions = None if self.positions is None else self.positions[[index]]
        batch = Batch(X, y, weight)
        return Shard(batch, self.total, self.n_trained, self.held_out, positions)

    def __getstate__(self):
        return vars(self) | {"trainer": None}

    def __sizeof__(self):
        # What Dask weighs when it looks for the place of a task.
        arrays = *self.batch, self.held_out, self.positions
        return 1000 + sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))


def check(estimator, model, names, storage, X, y, weight):
    """Return a partition as the data that the model reads, or None without rows."""
    if not len(X):
        return None
    model = model._replace(encoder=encoder_that_knows(model.encoder, names))
    data = check_data(estimator, model, X, y, weight, is_part=True)
    return data._replace(X=stored(data.X, storage), X_given=None)


def join(parts, in_order, storage):
    """Return the data of partitions as those of a shard.

    Parameters
    ----------
    parts : list of Data or None
    in_order : bool
        Whether to take the rows as they come, and not find copies.
    storage : {"memory", "disk"}
        Where the worker keeps them.
    """
    parts = [part for part in parts if part is not None]
    starts = np.cumsum([0, *(len(part.X) for part in parts[:-1])])
    rows = Rows.joined(
        [
            part.rows._replace(index=part.rows.index + start)
            for part, start in zip(parts, starts, strict=True)
        ]
    )
    data = parts[0]._replace(
        X=_joined([part.X for part in parts], storage),
        targets=np.concatenate([part.targets for part in parts]),
        rows=rows,
        n_rows=len(rows.index),
    )
    return data if in_order else data.in_canonical_order()


def n_rows_of(data):
    """Return how many observations and how many rows there are, and their weight."""
    rows = data.rows
    weight = len(rows.index) if rows.weight is None else rows.weight.sum()
    return data.n_rows, len(rows.index), float(weight)


def divide(data, targets, settings, rng):
    """Return the data with some rows held out, in proportion.

    Parameters
    ----------
    data : Data
    targets : Targets
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    rng : Generator or None
        None is to hold nothing out.
    """
    if rng is None:
        return Divided(data, data.rows, None)
    strata = targets.strata(data.targets[data.rows.index])
    return Divided(data, *split(data, strata, settings, rng))


def encode(divided, model, storage):
    """Return divided data as the `Shard` that the network reads."""
    data, rows, held_out = divided
    y = model.targets.encode(data.targets[rows.index])
    weight, total = model.weights(data.targets, rows)
    batch = Batch(_encoded(model.encoder, data.X, rows, storage), y, weight)
    X = positions = None
    if held_out is not None and held_out.positions is not None:
        positions = held_out.positions
    elif held_out is not None:
        X = _encoded(model.encoder, data.X, held_out.parts[0].rows, storage)
    return Shard(batch, total, rows.n_trained, X, positions)


def encode_all(data, model, storage):
    """Return data as a `Shard` that holds all of it out."""
    X = _encoded(model.encoder, data.X, data.rows, storage)
    return Shard(Batch(X[:0], None, None), 0, 0, X)


def targets_of(data):
    """Return the targets and weights of data that are all held out, by all members."""
    index, weight = data.rows.index, data.rows.weight
    return data.targets[index], weight, np.zeros(len(index), np.intp)


def statistics_of(divided, model, names):
    """Return what there is to learn from the training rows of a shard."""
    model = model._replace(encoder=encoder_that_knows(model.encoder, names))
    return model.statistics(divided.data, divided.rows).packed()


def merge_statistics(parts):
    """Return what there is to learn from the rows of several shards."""
    return Statistics.merged(parts)


def encoder_that_knows(encoder, names):
    """Return an encoder with the names of all categories, which no pickle holds."""
    if names is not None:
        encoder = copy(encoder)
        encoder.know(names)
    return encoder


def judge_of(divided):
    """Return the rows held out: targets, weights, and the member that does it."""
    data, _, held_out = divided
    rows = Rows.joined([part.rows for part in held_out.parts])
    n_members = len(held_out.parts)
    member = np.repeat(np.arange(n_members), len(rows.index) // n_members)
    return data.targets[rows.index], rows.weight, member


def size_of(shard):
    """Return the number of rows, that of a member, and the sum of their weights."""
    return len(shard.batch.X), shard.n_trained, shard.total


def _joined(arrays, storage):
    if len(arrays) == 1:
        return arrays[0]
    n_rows = sum(map(len, arrays))
    dtype = np.result_type(*arrays)
    out = empty((n_rows, arrays[0].shape[1]), dtype, storage)
    return np.concatenate(arrays, out=out)


def _encoded(encoder, X, rows, storage):
    shape = len(rows.index), encoder.n_features_out_
    out = empty(shape, encoder.dtype, storage)
    return encoder.encode_rows(X, rows.index, out)
