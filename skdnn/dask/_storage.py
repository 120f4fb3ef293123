"""Where a worker keeps its rows: in its memory, or in files that are mapped into it."""

import os
from tempfile import mkstemp
from weakref import finalize

import numpy as np


def empty(shape, dtype, directory):
    """Return an array to write to.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy dtype
    directory : str or None
        None is memory; anything else is a file there, which ends with the array.
        ``"worker"`` is the directory that the worker itself keeps what it spills in.
    """
    if directory is None or 0 in shape:
        return np.empty(shape, dtype)
    file, path = mkstemp(suffix=".skdnn", dir=_directory(directory))
    os.close(file)
    array = np.memmap(path, dtype, "w+", shape=shape)
    finalize(array, _remove, path)
    return array


def stored(array, directory):
    """Return an array, moved to a file if there is a directory."""
    if directory is None:
        return array
    out = empty(array.shape, array.dtype, directory)
    out[...] = array
    return out


def _directory(directory):
    if directory != "worker":
        return directory
    from distributed import get_worker

    return get_worker().local_directory


def _remove(path):
    # Where the worker has been killed, its directory goes by itself.
    if os.path.exists(path):
        os.remove(path)
