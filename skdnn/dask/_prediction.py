"""Predictions of collections: as lazy as these, a partition at a time."""

import numpy as np


def lazily(estimator, X, finish, options):
    """Return a collection of predictions, of the kind of `X` and divided alike.

    Parameters
    ----------
    estimator : DNNClassifier or DNNRegressor
    X : dask.dataframe or dask.array collection
    finish : str
        The method of the targets that makes predictions of raw ones.
    options : dict
        Of `Model.predict`.

    Returns
    -------
    predictions : dask Series, DataFrame or Array
        Of a frame, with its index.
    """
    from dask import delayed

    example = _example(estimator._model, finish, options)
    arguments = delayed(estimator, pure=True), finish, options, example
    if not hasattr(X, "chunks"):
        meta = _framed(example, X._meta.iloc[:0].index, estimator)
        return X.map_partitions(_of_partition, *arguments, meta=meta)
    X = X.rechunk({1: -1})
    out = {"drop_axis": 1}
    if example.ndim == 2:
        out = {"chunks": (X.chunks[0], (example.shape[1],))}
    return X.map_blocks(_of_rows, *arguments, dtype=example.dtype, meta=example, **out)


def _example(model, finish, options):
    """Return what predictions of no row look like."""
    dtype = options.get("dtype", np.float64) or model.encoder.dtype
    raw = np.zeros(model.raw_shape, dtype)
    return getattr(model.targets, finish)(raw)[:0]


def _of_rows(X, estimator, finish, options, example):
    # A sparse chunk has no length.
    return estimator._predict(X, finish, **options) if X.shape[0] else example


def _of_partition(X, estimator, finish, options, example):
    predicted = _of_rows(X, estimator, finish, options, example)
    return _framed(predicted, X.index, estimator)


def _framed(predicted, index, estimator):
    """Return predictions as pandas has them."""
    from pandas import DataFrame, Series

    if predicted.ndim == 1:
        return Series(predicted, index, name="prediction")
    n_columns = predicted.shape[1]
    names = getattr(estimator, "classes_", range(n_columns))
    return DataFrame(predicted, index, columns=list(map(str, names)))
