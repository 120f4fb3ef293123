"""Where a worker keeps its rows: in its memory, or in files that are mapped into it."""

import os
from tempfile import mkstemp
from weakref import finalize

import numpy as np


def empty(shape, dtype, storage):
    """Return an array to write to.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy dtype
    storage : {"memory", "disk"}
        On disk, it is a file that ends with the array, where the worker of this task
        keeps what it spills.
    """
    if storage == "memory" or 0 in shape:
        return np.empty(shape, dtype)
    from distributed import get_worker

    file, path = mkstemp(suffix=".skdnn", dir=get_worker().local_directory)
    os.close(file)
    array = np.memmap(path, dtype, "w+", shape=shape)
    finalize(array, _remove, path)
    return array


def stored(array, storage):
    """Return an array, moved to a file if that is where it should be."""
    if storage == "memory":
        return array
    out = empty(array.shape, array.dtype, storage)
    out[...] = array
    return out


def _remove(path):
    # Of a worker that was killed, Dask removes the directory.
    if os.path.exists(path):
        os.remove(path)
