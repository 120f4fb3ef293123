"""A stream of rows: what its first pass learns, and how it is read in each epoch.

Where the buffer holds all rows, they become `Data`, as those of a table do. Otherwise
statistics are added up as rows come and go, and rows that are held out are chosen by
their hashes: those with the smallest, as large a share as is wanted and as many as the
buffer holds at most. Copies of a row are so on the same side, in each pass.
"""

from contextlib import contextmanager
from copy import copy, deepcopy
from functools import partial
from numbers import Integral
from typing import NamedTuple

import numpy as np

from skdnn import _statistics
from skdnn._data import Data, HeldOut, check_data
from skdnn._model import Model, Statistics
from skdnn._parameters import is_auto, is_lbfgs, is_on
from skdnn._parts import Columns, begin, read_part
from skdnn._rows import Rows, mixed
from skdnn._scoring import check_sees_predictions
from skdnn._statistics import Sample
from skdnn.nn.batches import Batch, StreamedBatches
from skdnn.streaming import Stream, column_of, without_columns


class Source(NamedTuple):
    """A stream, and which of its columns are what.

    Attributes
    ----------
    stream : Stream
    y : str or list of str
    sample_weight : str or None
    """

    stream: Stream
    y: object
    sample_weight: str | None

    def batches(self, rng=None):
        """Yield columns, targets, weights or None, and the number of each batch."""
        not_columns = [self.y] if isinstance(self.y, str) else list(self.y)
        if self.sample_weight is not None:
            not_columns.append(self.sample_weight)
        for number, frame in enumerate(self.stream.batches(rng)):
            if not len(frame):
                continue
            weight = None
            if self.sample_weight is not None:
                weight = column_of(frame, self.sample_weight)
            y = column_of(frame, self.y)
            yield without_columns(frame, not_columns), y, weight, number


def check_streamed(params, source, goes_on):
    """Raise an error for what needs all rows at once.

    Parameters
    ----------
    params : dict
        Of the estimator.
    source : Source
    goes_on : bool
        Whether the estimator is to go on from where it stands.
    """
    y, sample_weight = source.y, source.sample_weight
    names = y if isinstance(y, list) and y else [y]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            "With a stream for X, y must be the name of the column of targets, or a "
            f"list of names, got an object of {type(y)}."
        )
    if not (sample_weight is None or isinstance(sample_weight, str)):
        raise ValueError(
            "With a stream for X, sample_weight must be the name of a column, got an "
            f"object of {type(sample_weight)}."
        )
    batch_size, buffer_rows = params["batch_size"], source.stream.buffer_rows
    if not is_auto(batch_size) and batch_size > buffer_rows:
        raise ValueError(
            f"batch_size={batch_size} is more than the buffer_rows={buffer_rows} of "
            "the stream."
        )
    need_all = {
        "optimizer": is_lbfgs(params["optimizer"]),
        "solver": params["solver"] == "bgd",
        "linear_share": is_on(params["linear_share"]),
        "portfolio": is_on(params["portfolio"]),
        "class_weight": len(names) > 1 and params.get("class_weight") is not None,
    }
    for name, needs_all in need_all.items():
        if needs_all:
            raise ValueError(
                f"{name}={params[name]!r} needs all rows in memory, but X is a stream."
            )
    check_sees_predictions(params["scoring"], "with a stream")
    if goes_on:
        raise ValueError(
            "warm_start=True can't go on with a stream. Train a clone, or call "
            "partial_fit with some rows at a time."
        )


def read_stream(estimator, source, holds_out, rng):
    """Read a stream for the first time.

    Parameters
    ----------
    estimator : BaseDNN
        Which notes the names of the columns.
    source : Source
    holds_out : bool
        Whether rows may have to be held out.
    rng : numpy.random.Generator
        Stays as it is; which rows these are is up to it.

    Returns
    -------
    model : Model
        Which has not learned.
    data : Data or StreamedData
    """
    columns, seed = None, int(deepcopy(rng).integers(2**63))
    while True:
        first = FirstPass(estimator, source, columns, holds_out, seed)
        if first.run():
            model, data = first.result()
            return model, data.in_canonical_order() if estimator.shuffle else data
        # A column of objects was of numbers, until text came.
        columns = first.columns


class FirstPass:
    """Reads all rows, and learns what there is to know before training.

    Parameters
    ----------
    estimator : BaseDNN
    source : Source
    columns : Columns or None
        Of all batches, where an earlier pass has seen them.
    holds_out : bool
    seed : int

    Attributes
    ----------
    columns : Columns
        Of all batches so far.
    """

    def __init__(self, estimator, source, columns, holds_out, seed):
        self.estimator = estimator
        self.source = source
        self.columns = columns
        fraction, n_most = estimator.validation_fraction, source.stream.buffer_rows
        if isinstance(fraction, Integral):
            fraction, n_most = 1.0, min(fraction, n_most)
        self._held = _HeldRows(fraction if holds_out else 0.0, n_most, seed)
        self._sum = _Sum(self._learn)
        # As long as these are all there are.
        self._first_rows, self._n_rows = [], 0

    def run(self):
        """Read all rows; return whether the columns are what they seemed at first."""
        knew = True
        self._some = None
        for X, y, weight, number in self.source.batches():
            with _errors_of_batch(number):
                knew &= self._add_columns(X)
                if knew:
                    self._add(X, y, weight)
        if self._some is None:
            raise ValueError("The stream has no rows.")
        return knew

    def _add_columns(self, X):
        """Take note of the columns of a batch; return whether they are as before."""
        own = Columns.of(X)
        before = own if self.columns is None else self.columns
        self._some = X[:1] if self._some is None else self._some
        self.columns = Columns.merged([before, own])
        wanted = self.estimator.categorical_features
        now, then = self.columns.categories(wanted), before.categories(wanted)
        return np.array_equal(now, then)

    def _add(self, X, y, weight):
        """Take note of the rows of a batch."""
        self._model, data = read_part(self.estimator, X, y, weight, self.columns)
        rows = self._model.sample(data, data.rows).whole()
        self._n_rows += len(data.rows.index)
        self._first_rows.append(rows)
        if self._n_rows > self.source.stream.buffer_rows:
            while self._first_rows:
                self._sum.add(self._held.split(self._first_rows.pop(0)))

    def result(self):
        """Return a model that knows all of the stream, and its rows."""
        if self._first_rows:
            rows = Sample.joined(self._first_rows)
            model = self._begin(self._learn(rows))
            return model, self._as_data(model, rows)
        extra = self._held.cut()
        if extra is not None:
            self._sum.add(extra)
        train, held = self._sum.result(), self._held.rows()
        if held is None:
            model = self._begin(train)
            return model, StreamedData(self.estimator, self.source, train)
        every = Statistics.merged([train, self._learn(held).packed()])
        model = self._begin(every)
        # It knows what only rows that are held out have, but does not learn from it.
        none = self._learn(held.take(slice(0))).packed()
        held = held.recoded(model.encoder.names_of_codes, model.targets.labels)
        train = Statistics.merged([train, none])
        data = StreamedData(
            self.estimator,
            self.source,
            every,
            train,
            self._as_data(model, held),
            self._held,
        )
        return model, data

    def _begin(self, statistics):
        return begin(self.estimator, self.columns, self._some, statistics)

    def _as_data(self, model, rows):
        """Return checked rows in memory."""
        return Data(
            rows.X,
            rows.targets,
            rows.rows,
            n_rows=len(rows.rows.index),
            X_given=None,
            is_weighted=self.source.sample_weight is not None,
            n_codes=len(model.encoder.categorical_columns_),
        )

    def _learn(self, rows):
        """Return what there is to learn from some rows."""
        encoder, targets = copy(self._model.encoder), copy(self._model.targets)
        if rows.names is not None:
            encoder.know(rows.names)
        if rows.classes is not None:
            targets.classes = rows.classes
        return Model(encoder, targets).statistics(rows, rows.rows)


class _Sum:
    """Adds up what there is to learn, a block of rows at a time.

    Parameters
    ----------
    learn : callable
        Returns the statistics of some rows.
    """

    def __init__(self, learn):
        self._learn = learn
        self._pending, self._n_pending = [], 0
        self._total = []

    def add(self, rows):
        """Add rows, which are learned from when there are enough of them."""
        n_in_block = _statistics.SAMPLED_ROWS
        self._pending.append(rows)
        self._n_pending += len(rows.X)
        if self._n_pending < n_in_block:
            return
        rows = Sample.joined(self._pending)
        n_whole = len(rows.X) // n_in_block * n_in_block
        for start in range(0, n_whole, n_in_block):
            self._add_block(rows.take(slice(start, start + n_in_block)))
        self._pending = [rows.take(slice(n_whole, None))]
        self._n_pending = len(rows.X) - n_whole

    def result(self):
        """Return the statistics of all rows."""
        if self._n_pending or not self._total:
            self._add_block(Sample.joined(self._pending))
        return self._total[0]

    def _add_block(self, rows):
        parts = [*self._total, self._learn(rows).packed()]
        self._total = [Statistics.merged(parts)]


class _HeldRows:
    """Chooses rows to hold out, by chance that depends on the rows alone.

    Parameters
    ----------
    share : float
        Of all rows.
    n_most : int
        How many there may be.
    seed : int
    """

    def __init__(self, share, n_most, seed):
        self._below = np.uint64(min(int(share * 2.0**64), 2**64 - 1))
        self._n_most = n_most
        self._seed = np.uint64(seed)
        self._parts, self._n_rows = [], 0

    def are_held(self, rows):
        """Return whether each of some rows is held out."""
        if not self._below:
            return np.zeros(len(rows.rows.index), dtype=bool)
        return self._keys(rows) < self._below

    def split(self, rows):
        """Keep the rows that are held out; return those that are to be trained on."""
        is_held = self.are_held(rows)
        if not is_held.any():
            return rows
        self._parts.append(rows.take(is_held))
        self._n_rows += np.count_nonzero(is_held)
        trained = rows.take(~is_held)
        if self._n_rows < 1.25 * self._n_most:
            return trained
        return Sample.joined([trained, self.cut()])

    def cut(self):
        """Return the rows that are too many, if any: they are held out no more."""
        if self._n_rows <= self._n_most:
            return None
        rows = self.rows()
        keys = self._keys(rows)
        self._below = np.sort(keys)[self._n_most]
        is_held = keys < self._below
        self._parts = [rows.take(is_held)]
        self._n_rows = np.count_nonzero(is_held)
        return rows.take(~is_held)

    def rows(self):
        """Return the rows that are held out, or None."""
        return Sample.joined(self._parts) if self._n_rows else None

    def _keys(self, rows):
        return mixed(rows.row_hashes() + self._seed)


class StreamedRows(NamedTuple):
    """Which rows of a stream to train on.

    Attributes
    ----------
    statistics : Statistics
        Of these rows.
    held : _HeldRows or None
        Which are others.
    """

    statistics: Statistics
    held: _HeldRows | None

    @property
    def n_trained(self):
        """How many they are."""
        return self.statistics.n_rows


class StreamedData(NamedTuple):
    """Checked rows that memory does not hold; does what `Data` does.

    Attributes
    ----------
    estimator : BaseDNN
        In whose name rows are checked.
    source : Source
    every : Statistics
        Of all rows.
    train : Statistics or None
        Of those that are not held out, where some may be.
    held_out : Data or None
    held : _HeldRows or None
    """

    estimator: object
    source: Source
    every: Statistics
    train: Statistics | None = None
    held_out: Data | None = None
    held: _HeldRows | None = None

    @property
    def n_columns(self):
        return self.every.sample.X.shape[1]

    @property
    def n_rows(self):
        return self.every.n_rows

    @property
    def rows(self):
        """All rows."""
        return StreamedRows(self.every, None)

    def in_canonical_order(self):
        """Return the same: nobody can put in order what does not fit memory."""
        return self

    def split(self, model, settings, rng):
        """Return the training rows, and those that are held out."""
        if self.held_out is None:
            raise ValueError(
                f"validation_fraction={settings.validation_fraction} holds out none of "
                f"{self.n_rows} rows. Set early_stopping=False or raise it."
            )
        return StreamedRows(self.train, self.held), HeldOut([self.held_out])

    def statistics(self, model, rows):
        return rows.statistics

    def encode(self, model, rows):
        """Return how some rows are read, encoded."""
        statistics = rows.statistics
        n_rows, total = statistics.n_rows, statistics.total_weight
        total = n_rows if total is None else total
        total = model.targets.total_weight(statistics.targets, total)
        # A sample may have weights where rows have none.
        weight = None if statistics.total_weight is None else np.ones(1)
        sample = statistics.sample
        one, _ = model.batch(sample, Rows(sample.rows.index[:1], weight))
        n_kept = min(self.source.stream.buffer_rows, n_rows)
        memory = [
            None if a is None else np.zeros((n_kept, *a.shape[1:]), a.dtype)
            for a in one
        ]
        read = partial(self._read, model, rows, total)
        return EncodedStream(Batch(*memory), total, n_rows, read)

    def _read(self, model, rows, total, rng):
        """Yield the rows of an epoch, encoded."""
        encoder, targets = model.encoder, model.targets
        for X, y, weight, number in self.source.batches(rng):
            with _errors_of_batch(number):
                data = check_data(self.estimator, model, X, y, weight, is_part=True)
            chosen = data.rows
            if rows.held is not None:
                is_held = rows.held.are_held(model.sample(data, chosen))
                chosen = chosen.take(~is_held)
            if not len(chosen.index):
                continue
            weight = targets.weigh(data.targets, chosen).weight
            if weight is not None:
                weight = weight[:, None] / total * rows.n_trained
                weight = weight.astype(encoder.dtype)
            X = encoder.encode_rows(data.X, chosen.index)
            yield Batch(X, targets.encode(data.targets[chosen.index]), weight)


class EncodedStream(NamedTuple):
    """Training rows as the network reads them; does what `Encoded` does.

    Attributes
    ----------
    batch : Batch
        The memory that they pass through.
    total_weight : float
    n_rows : int
    read : callable
        Returns an iterator over them, in the order of a generator or, for None, in that
        of the source.
    """

    batch: Batch
    total_weight: float
    n_rows: int
    read: object

    def batches(self, batch_size, rng):
        """Return them as batches; without `rng`, in their order."""
        read = partial(self.read, rng)
        return StreamedBatches(read, self.n_rows, self.batch, batch_size, rng)


@contextmanager
def _errors_of_batch(number):
    """Say in which batch of a stream an error is."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"Batch {number} of the stream: {error}") from error
