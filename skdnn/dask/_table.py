"""A table on a cluster: looked at, learned from, encoded, a part of it held out."""

import warnings
from copy import copy
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from skdnn._categories import in_order, is_from_dtype
from skdnn._data import validation_size
from skdnn._parts import Columns, warn_of_columns
from skdnn.dask._partitions import check_dense, groups
from skdnn.dask._shards import (
    check,
    divide,
    encode,
    encode_all,
    join,
    judge_of,
    merge_statistics,
    n_rows_of,
    size_of,
    statistics_of,
    targets_of,
)
from skdnn.dask._training import HeldOutRows, Shards

#: At most so many rows are held out, however many there are: what more of them tell of
#: an epoch is less than what they would teach.
MOST_HELD_OUT = 2**17

#: Raw predictions of these that the client receives each epoch.
MOST_PREDICTED = 2**21


def columns_of(X):
    """Return what the columns of a partition are."""
    return Columns.of(X)


def merge_columns(parts):
    """Return what the columns of several partitions are."""
    return Columns.merged(parts)


class Look(NamedTuple):
    """What there is in a partition, or in several.

    Attributes
    ----------
    n_rows : list of int
        Of each.
    columns : dict
        What the estimator notes of the columns.
    names : dict
        Of the categories in each column that has some, by its position.
    labels : ndarray or None
        What tells all that there is to learn of the kind of `y`.
    """

    n_rows: list
    columns: dict
    names: dict
    labels: np.ndarray | None


def look(estimator, encoder, targets, X, y):
    """Return a `Look` at a partition; at columns that are known, only the labels."""
    # Dask may not have known.
    check_dense(X, "X")
    check_dense(y, "y")
    n_rows = len(X)
    if not n_rows:
        return Look([0], {}, {}, None)
    targets = copy(targets)
    names, columns = {}, {}
    with warnings.catch_warnings():
        # A part of the rows is no reason to warn.
        warnings.simplefilter("ignore")
        if not hasattr(encoder, "categorical_columns_"):
            encoder, estimator = copy(encoder), copy(estimator)
            encoder.validate(estimator, X, reset=True)
            columns = {k: v for k, v in vars(estimator).items() if k in NOTED}
            positions = encoder.categorical_columns_.tolist()
            names = dict(zip(positions, encoder.names_of_codes, strict=True))
        targets.check(y, learn=True)
    return Look([n_rows], columns, names, _labels(targets, y))


def _labels(targets, y):
    """Return rows of `y` that are as good as all, to learn of what kind it is."""
    if not hasattr(targets, "classes"):
        return np.asarray(y)[:1]
    if targets.multilabel:
        return np.repeat(targets.as_labels([[0], [1]]), targets.n_outputs, axis=1)
    return targets.classes


def merge_looks(looks):
    """Return the `Look` at the partitions of several."""
    n_rows = [n for one in looks for n in one.n_rows]
    seen = [one for one in looks if one.labels is not None]
    if not seen:
        return Look(n_rows, {}, {}, None)
    first, names = seen[0], {}
    for one in seen:
        columns, expected = _plain(one.columns), _plain(first.columns)
        if columns != expected:
            raise ValueError(
                f"All partitions of X must have the same columns, got {expected} and "
                f"{columns}."
            )
        for column, own in one.names.items():
            names[column] = in_order({*names.get(column, ()), *own})
    labels = np.concatenate([one.labels for one in seen])
    if first.labels.ndim == 1:
        labels = np.unique(labels)
    return Look(n_rows, first.columns, names, labels)


def _plain(columns):
    return {name: np.asarray(value).tolist() for name, value in columns.items()}


#: What an estimator notes of the columns that it is fitted to.
NOTED = "n_features_in_", "feature_names_in_"


class Table:
    """The rows of a collection, on the workers of a cluster.

    Parameters
    ----------
    cluster : Cluster
    estimator : BaseDNN
        In whose name they are checked.
    model : Model
        Whose encoder and targets learn from them.
    partitions : Partitions
    storage : {"memory", "disk"}
        Where workers keep the rows.

    Attributes
    ----------
    n_samples : int
        In all partitions.
    """

    def __init__(self, cluster, estimator, model, partitions, storage):
        self.cluster = cluster
        self.estimator = estimator
        self.model = model
        self.storage = storage
        self._partitions = partitions
        self._names = self.columns = None

    def look(self, learn, classes=None):
        """Find out how many rows there are.

        Learn what columns, categories and classes there are, if so told; those of
        columns may be those of a pretrained network.
        """
        model = self.model
        encoder = model.encoder
        if not hasattr(encoder, "categorical_columns_"):
            encoder = copy(encoder)
            wanted = self._categories(encoder.categorical_features)
            encoder.categorical_features = wanted
        looks = [
            self._compute(
                look,
                *(self.estimator, encoder, model.targets),
                *self._partitions.arguments(i)[:2],
                i=i,
            )
            for i in range(len(self._partitions))
        ]
        (seen,) = self.cluster.collect(
            [self.cluster.merge(merge_looks, looks, at=(self._tag,))]
        )
        self._n_rows = seen.n_rows
        self.n_samples = sum(seen.n_rows)
        if not self.n_samples:
            raise ValueError("X has no rows: all of its partitions are empty.")
        if not learn:
            return
        model.targets.check(seen.labels, learn=True, classes=classes)
        encoder = model.encoder
        if hasattr(encoder, "categorical_columns_"):
            return
        vars(self.estimator).update(seen.columns)
        encoder.categorical_columns_ = np.array(sorted(seen.names), dtype=np.intp)
        self._names = [seen.names[column] for column in sorted(seen.names)]
        encoder.know(self._names)
        if "feature_names_in_" in seen.columns:
            encoder.feature_names_in_ = seen.columns["feature_names_in_"]

    def _categories(self, wanted):
        """Return which columns are categories, if their dtypes have to say so.

        A column of objects is what it is in all partitions.
        """
        partitions, self.columns = self._partitions, None
        if not partitions.is_frame or not is_from_dtype(wanted):
            return wanted
        if partitions.example is not None:
            self.columns = Columns.of(partitions.example)
        else:
            parts = [
                self._compute(columns_of, partitions.X[i], i=i)
                for i in range(len(partitions))
            ]
            merged = self.cluster.merge(merge_columns, parts, at=(self._tag,))
            (self.columns,) = self.cluster.collect([merged])
        return self.columns.categories(wanted)

    def gather_rows(self, in_one_place, in_order):
        """Put the rows on the workers, in shards of about as many each.

        Parameters
        ----------
        in_one_place : bool
            Whether one worker has all of them.
        in_order : bool
            Whether to take them as they come.

        Returns
        -------
        n_rows : int
            How many observations there are.
        """
        workers = self.cluster.workers
        of_shards = groups(self._n_rows, 1 if in_one_place else len(workers))
        self.workers = workers[: len(of_shards)]
        self._data = []
        for k, (group, worker) in enumerate(zip(of_shards, self.workers, strict=True)):
            parts = [
                self._compute(
                    check,
                    *(self.estimator, self.model, self._names, self.storage),
                    *self._partitions.arguments(i),
                    i=i,
                    worker=worker,
                )
                for i in group
            ]
            self._data.append(self._submit(join, parts, in_order, self.storage, k=k))
        sizes = self._of_each(n_rows_of, self._data)
        n_rows, self._n_distinct, weights = map(list, zip(*sizes, strict=True))
        total = sum(weights)
        if not 0 < total < np.inf:
            raise ValueError(
                "sample_weight must have a sum that is finite and not zero, got "
                f"{total}."
            )
        return sum(n_rows)

    def divide(self, settings, rng):
        """Hold rows out, if there is a generator.

        Parameters
        ----------
        settings : namespace
            Parameters of the estimator, nothing left on ``"auto"``.
        rng : numpy.random.Generator or None
        """
        n_rows, n_shards = sum(self._n_distinct), len(self._data)
        how = SimpleNamespace(
            validation_fraction=settings.validation_fraction,
            ensemble_weights=settings.ensemble_weights,
            n_members=settings.n_members,
        )
        rngs = [rng] * n_shards
        if rng is not None:
            wanted = validation_size(settings.validation_fraction, n_rows)
            classes = getattr(self.model.targets, "classes", ())
            n_raw = settings.n_members * max(1, len(classes))
            most = max(1, min(MOST_HELD_OUT, MOST_PREDICTED // n_raw))
            if n_shards > 1 or wanted > most:
                how.validation_fraction = min(wanted, most) / n_rows
            rngs = rng.spawn(n_shards) if n_shards > 1 else [rng]
        self._own = rng is not None and how.ensemble_weights == "own"
        self._own = self._own and how.n_members > 1
        targets = copy(self.model.targets)
        self._divided = [
            self._submit(divide, data, targets, how, rng, k=k)
            for k, (data, rng) in enumerate(zip(self._data, rngs, strict=True))
        ]
        self._holds_out = rng is not None

    def statistics(self):
        """Return what there is to learn from the training rows of all shards."""
        parts = [
            self._submit(statistics_of, divided, self.model, self._names, k=k)
            for k, divided in enumerate(self._divided)
        ]
        merged = self.cluster.merge(merge_statistics, parts, at=(self._tag,))
        (statistics,) = self.cluster.collect([merged])
        if self.columns is not None and statistics.columns is not None:
            warn_of_columns(self.columns, self.model.encoder, statistics)
        return statistics

    def encoded(self):
        """Encode all rows; return the `Shards`, and the `HeldOutRows` or None."""
        futures = [
            self._submit(encode, divided, self.model, self.storage, k=k)
            for k, divided in enumerate(self._divided)
        ]
        sizes = self._of_each(size_of, futures)
        n_rows, n_trained, totals = map(list, zip(*sizes, strict=True))
        n_trained, total = sum(n_trained), sum(totals)
        shards = Shards(futures, self.workers, n_rows, n_trained, total)
        held_out = None
        if self._holds_out:
            judged = self._of_each(judge_of, self._divided)
            held_out = _held_out(futures, self.workers, judged, self._own)
        # The workers need no others any more.
        self._data = self._divided = None
        return shards, held_out

    def anew(self, cluster, model):
        """Return the same table, to be read again, for a model that is to learn."""
        table = Table(cluster, self.estimator, model, self._partitions, self.storage)
        table._names, table._n_rows = self._names, self._n_rows
        return table

    def beside(self, partitions):
        """Return `HeldOutRows` of a table beside this one, to validate on."""
        table = Table(
            self.cluster, self.estimator, self.model, partitions, self.storage
        )
        table._names, table._tag = self._names, 1
        table.look(learn=False)
        table.gather_rows(in_one_place=False, in_order=True)
        futures = [
            table._submit(encode_all, data, self.model, self.storage, k=k)
            for k, data in enumerate(table._data)
        ]
        judged = table._of_each(targets_of, table._data)
        return _held_out(futures, table.workers, judged, own=False)

    #: What tells its tasks from those of another table of the same fit.
    _tag = 0

    def _compute(self, function, *arguments, i, worker=None):
        at = self._tag, i
        return self.cluster.compute(function, *arguments, at=at, worker=worker)

    def _submit(self, function, *arguments, k):
        at, worker = (self._tag, k), self.workers[k]
        return self.cluster.submit(function, *arguments, at=at, worker=worker)

    def _of_each(self, function, futures):
        """Return what a function makes of each shard, where that is."""
        return self.cluster.collect(
            [self._submit(function, future, k=k) for k, future in enumerate(futures)]
        )


def _held_out(futures, workers, judged, own):
    targets, weights, members = zip(*judged, strict=True)
    return HeldOutRows(
        futures,
        workers,
        np.concatenate(targets),
        None if weights[0] is None else np.concatenate(weights),
        np.concatenate(members) if own else None,
    )
