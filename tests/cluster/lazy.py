"""Tables as collections of Dask."""

from functools import partial

import dask.array as da
import dask.dataframe as dd
import numpy as np

from skdnn.dask import DaskDNNClassifier, DaskDNNRegressor
from skdnn.dask._estimators import OWN
from tests import tables
from tests.tables import QUICK_PAIR, TASKS

#: The local twins; clusters have no linear share.
classifier = partial(tables.classifier, linear_share=False)
regressor = partial(tables.regressor, linear_share=False)

#: What stands for the estimators of `TASKS`.
ON_CLUSTER = {
    "binary": DaskDNNClassifier,
    "multiclass": DaskDNNClassifier,
    "multilabel": DaskDNNClassifier,
    "regression": DaskDNNRegressor,
    "multioutput": DaskDNNRegressor,
}


def on_cluster(task="binary", hidden_layer_dims=(8,), **params):
    """Return an estimator that is quick to train, of a kind of target."""
    return ON_CLUSTER[task](hidden_layer_dims, **QUICK_PAIR | params)


def arrays(*given, sizes):
    """Return arrays in chunks of so many rows each."""
    return [
        da.from_array(a, chunks=(tuple(sizes), *((s,) for s in a.shape[1:])))
        for a in map(np.asarray, given)
    ]


def frames(*given, sizes):
    """Return frames or series in partitions of so many rows each."""
    stops = np.cumsum(sizes)
    spans = [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]
    return [
        dd.from_delayed([_part(a.iloc[span]) for span in spans], meta=a.iloc[:0])
        for a in given
    ]


def _part(frame):
    from dask import delayed

    return delayed(frame)


def table(task, sizes, **params):
    """Return an estimator, its local twin, and data in chunks and in memory."""
    make, data = TASKS[task]
    X, y = data(sum(sizes))
    make = classifier if make is tables.classifier else regressor
    local = make(**{k: v for k, v in params.items() if k not in OWN})
    return on_cluster(task, **params), local, arrays(X, y, sizes=sizes), (X, y)
