"""Tables that memory does not hold, read again and again."""

import sys
from os import PathLike

import numpy as np

__all__ = ["Stream"]

#: Rows of a Parquet file that are read at a time.
BATCH_ROWS = 2**14


class Stream:
    """A table that is read anew, a batch of rows at a time, in each epoch.

    ``fit(stream, y="target", sample_weight="weight")`` takes it for `X`, where `y` and
    `sample_weight` are names of its columns; all others are features. Kinds of columns,
    categories, scaling and the number of rows are learned in a first pass, and memory
    holds no more than `buffer_rows` encoded rows at a time, however many there are. A
    table of no more rows than that is loaded, and the fit is that of the table.

    Where `shuffle` of the estimator is True, rows are shuffled within the buffer, and
    parts of files, which Parquet calls row groups, come in another order each epoch.
    Rows from an iterable come in the order that it has them in: if they are sorted, by
    the target or by time, shuffle them beforehand, or let it give them in a new order
    each time.

    Parameters
    ----------
    source : pyarrow.dataset.Dataset, str, path, list of these, iterable or callable
        What is read: a dataset, the path of a Parquet file or of a folder of them, or
        data frames (of pandas, polars or pyarrow) from an iterable such as a list, or
        from the iterator that a callable without arguments returns. An iterator by
        itself is refused, as it ends with the first epoch.
    buffer_rows : int, default=131072
        Rows that are in memory at a time.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skdnn import DNNRegressor
    >>> from skdnn.streaming import Stream
    >>> def days():
    ...     for day in range(5):
    ...         hour = np.arange(24.0)
    ...         yield pd.DataFrame({"hour": hour, "load": np.sin(hour / 4) + day / 9})
    >>> reg = DNNRegressor((8,), random_state=0).fit(Stream(days), y="load")
    >>> reg.predict(pd.DataFrame({"hour": [6.0]})).shape
    (1,)
    """

    def __init__(self, source, *, buffer_rows=2**17):
        if not isinstance(buffer_rows, int | np.integer) or buffer_rows < 1:
            raise ValueError(f"buffer_rows must be an int >= 1, got {buffer_rows!r}.")
        self.source = source
        self.buffer_rows = int(buffer_rows)
        self._dataset = _as_dataset(source)
        if self._dataset is None and not callable(source):
            _check_iterable(source)

    def batches(self, rng=None):
        """Yield the rows, as data frames.

        Parameters
        ----------
        rng : numpy.random.Generator, default=None
            Of the order of parts of files; None is the order that they have.

        Yields
        ------
        frame : data frame of pandas or polars
        """
        if self._dataset is not None:
            parts = _read(self._dataset, rng)
        else:
            parts = self.source() if callable(self.source) else self.source
        for part in parts:
            yield _as_frame(part)

    def frames_of(self, columns):
        """Yield the rows as data frames of some columns, by name, or of all for None.

        Frames without rows are passed over.
        """
        for frame in filter(len, self.batches()):
            if columns is None:
                yield frame
            else:
                _check_names(frame, columns)
                yield frame[columns]


def as_stream(X):
    """Return a stream as it is, a dataset of pyarrow as one, and None for all else."""
    if isinstance(X, Stream):
        return X
    return Stream(X) if _is_dataset(X) else None


def named_columns(X, *columns):
    """Return columns as arrays, those of a stream by their names.

    Parameters
    ----------
    X : Stream, Dataset or array-like
    *columns : str, list of str, array-like or None
        With a stream, a name, or several, are read from it; all else stays as it is.
    """
    stream = as_stream(X)
    names = [] if stream is None else list(filter(_is_name, columns))
    if not names:
        return columns
    parts = [[column_of(f, own) for own in names] for f in stream.frames_of(None)]
    read = map(np.concatenate, zip(*parts, strict=True))
    return [next(read) if _is_name(own) else own for own in columns]


def _is_name(columns):
    """Whether this names a column, or several."""
    names = columns if isinstance(columns, list) else [columns]
    return bool(names) and all(isinstance(name, str) for name in names)


def column_of(frame, names):
    """Return a column of a frame as an array, or several, by name."""
    _check_names(frame, names)
    return frame[names].to_numpy()


def without_columns(frame, names):
    """Return a frame without some columns."""
    is_pandas = hasattr(frame, "iloc")
    return frame.drop(columns=names) if is_pandas else frame.drop(names)


def _check_names(frame, names):
    """Raise an error where a frame lacks a column."""
    own = list(frame.columns)
    missing = set([names] if isinstance(names, str) else names) - set(own)
    if missing:
        raise ValueError(f"The stream has no column {min(missing)!r}; it has {own}.")


def _is_dataset(X):
    """Whether this is a dataset of pyarrow, which need not be installed."""
    dataset = sys.modules.get("pyarrow.dataset")
    return dataset is not None and isinstance(X, dataset.Dataset)


def _as_dataset(source):
    """Return a dataset, or that of some files; None for what is neither."""
    if _is_dataset(source):
        return source
    paths = source if isinstance(source, list) else [source]
    if not paths or not all(isinstance(path, str | PathLike) for path in paths):
        return None
    from pyarrow.dataset import dataset

    paths = list(map(str, paths))
    return dataset(paths if isinstance(source, list) else paths[0])


def _check_iterable(source):
    if not hasattr(source, "__iter__"):
        raise TypeError(
            "source must be a pyarrow.dataset.Dataset, paths of Parquet files, or an "
            f"iterable or a callable that gives data frames, got {source!r}."
        )
    if iter(source) is source:
        raise TypeError(
            "source is an iterator (such as a generator), which can be read only once, "
            "and each epoch reads all rows anew. Pass a function that returns a new "
            "iterator each time: Stream(function) instead of Stream(function())."
        )


def _read(dataset, rng):
    """Yield record batches, without reading far ahead."""
    how = {"batch_size": BATCH_ROWS, "batch_readahead": 2, "fragment_readahead": 1}
    parts = [] if rng is None else _parts(dataset)
    if not parts:
        yield from dataset.to_batches(**how)
    for k in rng.permutation(len(parts)) if parts else ():
        yield from parts[k].to_batches(dataset.schema, **how)


def _parts(dataset):
    """Return the smallest parts of a dataset; none where it is filtered."""
    try:
        fragments = list(dataset.get_fragments())
    except ValueError:
        return []
    parts = []
    for fragment in fragments:
        split = getattr(fragment, "split_by_row_group", None)
        parts += [fragment] if split is None else split()
    return parts


def _as_frame(part):
    """Return a frame of pandas or polars, without losing what its columns hold."""
    if hasattr(part, "get_columns") or hasattr(part, "iloc"):
        return part
    if not hasattr(part, "to_pandas"):
        raise TypeError(
            "A Stream is of data frames, whose columns have names, got "
            f"{type(part).__name__}."
        )
    from pandas import ArrowDtype
    from pyarrow import types

    if all(types.is_floating(t) or types.is_integer(t) for t in part.schema.types):
        return part.to_pandas()
    return part.to_pandas(types_mapper=ArrowDtype)
