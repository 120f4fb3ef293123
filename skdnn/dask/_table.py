"""A table on a cluster: looked at, learned from, encoded, a part of it held out."""

from copy import copy
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from skdnn._categories import _in_order as in_order
from skdnn._data import validation_size
from skdnn._model import LEARNED_ROWS
from skdnn._rows import Rows
from skdnn.dask._partitions import groups
from skdnn.dask._shards import (
    check,
    divide,
    encode,
    join,
    judge_of,
    n_rows_of,
    rows_of,
    sample,
    size_of,
)
from skdnn.dask._training import HeldOutRows, Shards
from skdnn.nn.batches import Batch

#: At most so many rows are held out, however many there are: what more of them tell of
#: an epoch is less than what they would teach.
MOST_HELD_OUT = 2**17

#: Raw predictions of these that the client receives each epoch.
MOST_PREDICTED = 2**21

#: Numbers in the sample that embeddings learn from.
SAMPLED_NUMBERS = 2**24


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
    """Return a `Look` at a partition."""
    if not len(X):
        return Look([0], {}, {}, None)
    noted = object.__new__(type(estimator))
    noted.__dict__ = vars(estimator).copy()
    encoder, targets = copy(encoder), copy(targets)
    encoder.validate(noted, X, reset=True)
    targets.check(y, learn=True)
    noted = {name: vars(noted).get(name) for name in NOTED if name in vars(noted)}
    names = zip(encoder.categorical_columns_.tolist(), encoder._seen, strict=True)
    return Look([len(X)], noted, dict(names), _labels(targets, y))


def _labels(targets, y):
    """Return rows of `y` from which all can be learned that checks learn from it."""
    classes = getattr(targets, "classes", None)
    if classes is None:
        return np.asarray(y)[:1]
    return np.array([[0] * len(classes), [1] * len(classes)], np.asarray(y).dtype) if targets.multilabel else classes


def together(looks):
    """Return the `Look` at the partitions of several."""
    seen = [one for one in looks if one.labels is not None]
    if not seen:
        return looks[0]._replace(n_rows=sum((one.n_rows for one in looks), []))
    for one in seen:
        if str(one.columns) != str(seen[0].columns):
            raise ValueError(
                "All partitions of X must have the same columns, got "
                f"{seen[0].columns} and {one.columns}."
            )
    names = {}
    for one in seen:
        for column, own in one.names.items():
            names[column] = own if column not in names else in_order({*names[column], *own})
    return Look(
        sum((one.n_rows for one in looks), []),
        seen[0].columns,
        names,
        np.unique(np.concatenate([one.labels for one in seen]), axis=0),
    )


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

    Attributes
    ----------
    n_samples : int
        In all partitions.
    """

    def __init__(self, cluster, estimator, model, partitions, storage, name):
        self.cluster = cluster
        self.estimator = estimator
        self.model = model
        self.partitions = partitions
        self.directory = "worker" if storage == "disk" else None
        self._name = name
        self._names = None

    def look(self, learn, classes=None):
        """Find out what there is; learn columns, categories and classes if so told."""
        model = self.model
        looks = [
            self.cluster.compute(
                look,
                *(self.estimator, model.encoder, model.targets),
                *self.partitions.arguments(i)[:2],
                at=(self._name, i),
            )
            for i in range(len(self.partitions))
        ]
        (seen,) = self.cluster.collect(
            [self.cluster.merge(together, looks, at=(self._name,))]
        )
        self._n_rows = seen.n_rows
        self.n_samples = sum(seen.n_rows)
        if not self.n_samples:
            raise ValueError("X has no rows: all its partitions are empty.")
        if learn:
            vars(self.estimator).update(seen.columns)
            model.targets.check(seen.labels, learn=True, classes=classes)
            if not hasattr(model.encoder, "categorical_columns_"):
                columns = sorted(seen.names)
                model.encoder.categorical_columns_ = np.array(columns, dtype=np.intp)
                self._names = [seen.names[column] for column in columns]
                model.encoder._seen, model.encoder._index = self._names, None
                if "feature_names_in_" in seen.columns:
                    names = seen.columns["feature_names_in_"]
                    model.encoder.feature_names_in_ = names

    def gather_rows(self, n_shards, in_order):
        """Put the rows on the workers, in shards of about as many each.

        Returns
        -------
        n_rows : int
            How many observations there are.
        """
        n_shards = min(n_shards, len(self.cluster.workers))
        of_shards = groups(self._n_rows, n_shards)
        self.workers = self.cluster.workers[: len(of_shards)]
        n_codes = len(self.model.encoder.categorical_columns_)
        self._data = []
        for k, (group, worker) in enumerate(zip(of_shards, self.workers, strict=True)):
            parts = [
                self.cluster.compute(
                    check,
                    *(self.estimator, self.model, self._names, self.directory),
                    *self.partitions.arguments(i),
                    at=(self._name, i),
                    worker=worker,
                )
                for i in group
            ]
            self._data.append(
                self.cluster.submit(
                    *(join, parts, n_codes, in_order, self.directory),
                    at=(self._name, k),
                    worker=worker,
                )
            )
        sizes = self._of_each(n_rows_of, self._data)
        n_rows, self._n_rows_of_shards, weights = map(list, zip(*sizes, strict=True))
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
        settings = SimpleNamespace(**vars(settings))
        n_rows, n_shards = sum(self._n_rows_of_shards), len(self._data)
        if rng is not None:
            wanted = validation_size(settings.validation_fraction, n_rows)
            most = max(1, min(MOST_HELD_OUT, MOST_PREDICTED // self._n_raw(settings)))
            if n_shards > 1 or wanted > most:
                settings.validation_fraction = min(wanted, most) / n_rows
        rngs = [rng] if rng is None or n_shards == 1 else rng.spawn(n_shards)
        rngs = rngs * n_shards if rng is None else rngs
        self._divided = [
            self.cluster.submit(
                *(divide, data, copy(self.model.targets), settings, rng),
                at=(self._name, k),
                worker=self.workers[k],
            )
            for k, (data, rng) in enumerate(zip(self._data, rngs, strict=True))
        ]

    def learn(self, settings, is_whole):
        """Learn from the training rows what encoding and decoding need.

        Parameters
        ----------
        settings : namespace
            Parameters of the estimator, nothing left on ``"auto"``.
        is_whole : bool
            Whether there will be no other rows.
        """
        parts = self._of_each(rows_of, self._divided)
        X, targets, weights = zip(*parts, strict=True)
        weight = None if weights[0] is None else np.concatenate(weights)
        X, targets = np.concatenate(X), np.concatenate(targets)
        data = SimpleNamespace(X=X, targets=targets)
        rows = Rows(np.arange(len(X)), weight)
        self.model.learn(data, rows, settings, is_whole)

    def _n_raw(self, settings):
        return self.model.targets.n_outputs * max(1, settings.n_members)

    def shards(self):
        """Encode all rows; return the `Shards`."""
        futures = [
            self.cluster.submit(
                *(encode, divided, self.model, self.directory),
                at=(self._name, k),
                worker=self.workers[k],
            )
            for k, divided in enumerate(self._divided)
        ]
        sizes = self._of_each(size_of, futures)
        n_rows, n_trained, totals, _ = map(list, zip(*sizes, strict=True))
        most = min(
            LEARNED_ROWS, SAMPLED_NUMBERS // self.model.encoder.n_features_out_
        )
        share = min(1.0, most / sum(n_rows))
        samples = [
            self.cluster.submit(
                *(sample, shard, max(1, round(share * n))), at=(self._name, k)
            )
            for k, (shard, n) in enumerate(zip(futures, n_rows, strict=True))
        ]
        parts = self.cluster.collect(samples)
        pooled = Batch(
            *(None if a[0] is None else np.concatenate(a) for a in zip(*parts))
        )
        return Shards(
            futures, self.workers, n_rows, sum(n_trained), sum(totals), pooled
        )

    def held_out(self, futures, own):
        """Return the rows that the shards hold out.

        Parameters
        ----------
        futures : list of Future of Shard
        own : bool
            Whether each member has rows of its own.
        """
        judged = self._of_each(judge_of, self._divided)
        targets, weights, members = zip(*judged, strict=True)
        weight = None if weights[0] is None else np.concatenate(weights)
        return HeldOutRows(
            futures,
            self.workers,
            np.concatenate(targets),
            weight,
            np.concatenate(members) if own else None,
        )

    def _of_each(self, function, futures):
        """Return what a function makes of each, where it is."""
        return self.cluster.collect(
            [
                self.cluster.submit(function, future, at=(self._name, k))
                for k, future in enumerate(futures)
            ]
        )
