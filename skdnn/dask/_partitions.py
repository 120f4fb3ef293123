"""Dask collections as partitions: what is read again and again, wherever it is."""

from typing import NamedTuple

import numpy as np


class Partitions(NamedTuple):
    """Columns, targets and weights of some rows, partition by partition.

    Attributes
    ----------
    X, y : list of Delayed
    weight : list of Delayed, or None where all rows count one
    example : DataFrame or None
        Some rows, where dtypes say all that there is to know of columns.
    is_frame : bool
    """

    X: list
    y: list
    weight: list | None
    example: object
    is_frame: bool

    def __len__(self):
        return len(self.X)

    def arguments(self, i):
        """Return columns, targets and weights of a partition."""
        return self.X[i], self.y[i], None if self.weight is None else self.weight[i]


def is_collection(X):
    """Whether something is a collection of Dask."""
    return hasattr(X, "__dask_graph__") and hasattr(X, "to_delayed")


def partitions_of(X, y, sample_weight=None, suffix=""):
    """Return Dask collections as `Partitions` that belong together.

    Parameters
    ----------
    X, y, sample_weight : dask.dataframe or dask.array collection
    suffix : str, default=""
        Of their names.
    """
    named = {f"X{suffix}": X, f"y{suffix}": y, f"sample_weight{suffix}": sample_weight}
    given = {name: value for name, value in named.items() if value is not None}
    for name in (f"X{suffix}", f"y{suffix}", *given):
        if not is_collection(named[name]):
            raise TypeError(
                f"{name} must be a Dask DataFrame, Series or Array, got "
                f"{type(named[name]).__name__}. What is in memory, and streams, "
                "DNNClassifier and DNNRegressor fit without a cluster."
            )
        check_dense(getattr(named[name], "_meta", None), name)
    chunks = _row_chunks(X)
    parts = {name: _parts(value, chunks) for name, value in given.items()}
    n_parts = len(parts[f"X{suffix}"])
    for name, part in parts.items():
        if len(part) != n_parts:
            raise ValueError(
                f"X{suffix} has {n_parts} partitions and {name} has {len(part)}: each "
                "must hold the same rows. Repartition one of them."
            )
    is_frame = not hasattr(X, "chunks")
    example = X._meta_nonempty if is_frame and not _has_objects(X) else None
    return Partitions(*(parts.get(name) for name in named), example, is_frame)


def check_dense(chunk, name):
    """Raise an error if a chunk of an array, or what stands for one, is sparse."""
    # Those of scipy.sparse, and sparse.COO.
    if hasattr(chunk, "todense"):
        method = "toarray" if hasattr(chunk, "toarray") else "todense"
        raise TypeError(
            f"{name} has sparse chunks ({type(chunk).__name__}), which can't be fitted "
            f"on a cluster. Make them dense: {name}.map_blocks(lambda chunk: chunk."
            f"{method}(), dtype={name}.dtype). A scipy.sparse array that memory holds, "
            "DNNClassifier and DNNRegressor fit as it is."
        )


def _has_objects(X):
    """Whether columns of a frame may hold anything."""
    return any(isinstance(t, np.dtype) and t.kind == "O" for t in X.dtypes)


def _row_chunks(X):
    """Return how many rows the chunks of an array have, if that is known."""
    if not hasattr(X, "chunks") or any(n != n for n in X.chunks[0]):
        return None
    return X.chunks[0]


def _parts(collection, chunks):
    """Return a collection as a list of Delayed, of so many rows each if it is known."""
    if not hasattr(collection, "chunks"):
        # As they are: Dask would read small files of few columns together, so that X
        # and y no longer had the same partitions.
        return list(collection.to_delayed(optimize_graph=False))
    own = _row_chunks(collection)
    if chunks is not None and own is not None and sum(chunks) == sum(own):
        collection = collection.rechunk({0: chunks})
    if collection.ndim > 1:
        collection = collection.rechunk({1: -1})
    return list(collection.to_delayed().ravel())


def groups(n_rows, n_groups):
    """Return the positions of the partitions in groups of about equal rows.

    Parameters
    ----------
    n_rows : sequence of int
        Of each partition.
    n_groups : int
        At most; none is empty.

    Returns
    -------
    groups : list of list of int
        The positions in each are in order.
    """
    chosen, sizes = [[] for _ in range(n_groups)], [0] * n_groups
    for i in sorted(range(len(n_rows)), key=lambda i: (-n_rows[i], i)):
        if n_rows[i]:
            smallest = sizes.index(min(sizes))
            chosen[smallest].append(i)
            sizes[smallest] += n_rows[i]
    return [sorted(group) for group in chosen if group]
