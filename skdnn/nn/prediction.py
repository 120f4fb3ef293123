"""Raw predictions, by the compiled engine where that can be."""

from types import SimpleNamespace
from weakref import proxy

import numpy as np

from skdnn.nn import compiled
from skdnn.nn.recording import NotRecorded, record_prediction
from skdnn.nn.vectors import share_parameters, share_statistics

__all__ = ["HEADROOM", "Predictor", "predict_finite"]

#: Rows that go through a program at a time.
SLAB = 256

#: How far raw predictions stay from the largest number.
HEADROOM = 2.0**20


class Predictor:
    """Makes the raw predictions of a network as it is, from any number of threads.

    Parameters
    ----------
    network : Network
    dtype : numpy dtype
        In which to compute.
    """

    def __init__(self, network, dtype):
        # It is the network's own: a cycle would keep the memory of both for a while.
        self._network = proxy(network)
        self._dtype = dtype
        self._is_recorded = compiled.available
        # A thread takes one of these for as long as it works.
        self._idle = []

    def __call__(self, x):
        """Return the raw predictions (n, n_outputs), or (n_members, n, n_outputs)."""
        recorded = self._take()
        if recorded is None:
            return self._by_numpy(x.astype(self._dtype, copy=False))
        try:
            return recorded(x)
        finally:
            self._idle.append(recorded)

    def _by_numpy(self, x):
        """Return what `forward` does, the same for a row wherever it stands in `x`."""
        network, n_rows = self._network, len(x)
        if not _needs_whole_slabs(network):
            return network.forward(x)
        slab, parts = np.zeros((SLAB, x.shape[1])), []
        for start in range(0, max(1, n_rows), SLAB):
            part = x[start : start + SLAB]
            slab[: len(part)] = part
            parts.append(network.forward(slab)[..., : len(part), :])
        return np.concatenate(parts, axis=-2)

    def _take(self):
        if not self._is_recorded:
            return None
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return _Recorded(self._network, self._dtype)
        except NotRecorded:
            self._is_recorded = False
            return None


def predict_finite(predictor, x, dtype):
    """Return raw predictions in a dtype, finite for every finite row.

    What overflows is limited, so that sums over members stay finite too.
    """
    raw, limit = predictor(x), np.finfo(dtype).max / HEADROOM
    # A NaN is neither above nor below it.
    if not np.abs(raw).max(initial=0) <= limit:
        raw = _limited(predictor, x, raw, limit)
    return raw.astype(dtype)


def _limited(predictor, x, raw, limit):
    """Return raw predictions for `x`, computed from smaller numbers if need be."""
    if not np.isfinite(raw).all():
        largest = np.finfo(np.float32).max
        limited = predictor(np.clip(x, -largest, largest))
        np.copyto(raw, limited, where=~np.isfinite(raw))
    return np.clip(raw, -limit, limit)


def _needs_whole_slabs(network):
    """Whether products have to be of one size, for a row to be the same in any table.

    BLAS may round one of another size differently.  Of a float32, what it is rounded to
    does not show it, as it is computed in float64.
    """
    return network.params.dtype == np.float64


class _Recorded:
    """Programs of all members, with memory of their own."""

    def __init__(self, network, dtype):
        self._network = network
        layers = network.layers
        self._params = np.empty(network.params.shape, dtype)
        self._statistics = np.empty(network.statistics.shape, dtype)
        owners = [SimpleNamespace() for _ in layers]
        share_parameters(self._params, layers, owners, network.learning_rates)
        share_statistics(self._statistics, layers, owners)
        self._x = np.zeros((SLAB, network.n_inputs), dtype)
        self._whole = _needs_whole_slabs(network)
        recorded = [
            record_prediction(network, owners, self._x, member)
            for member in range(network.n_members or 1)
        ]
        self._programs = [program for program, _ in recorded]
        self._outputs = [out for _, out in recorded]

    def __call__(self, x):
        network, n = self._network, len(x)
        # They may have changed since the last call.
        self._params[...] = network.params
        self._statistics[...] = network.statistics
        raw = np.empty((len(self._programs), n, network.n_outputs), self._x.dtype)
        for start in range(0, n, SLAB):
            part = x[start : start + SLAB]
            self._x[: len(part)] = part
            n_rows = SLAB if self._whole else len(part)
            compiled.run_programs(self._programs, n_rows=n_rows)
            for out, of_member in zip(self._outputs, raw, strict=True):
                of_member[start : start + SLAB] = out[: len(part)]
        return raw if network.n_members is not None else raw[0]
