"""The memory that training needs beside the parameters of a network."""

from math import prod
from types import SimpleNamespace

import numpy as np

from skdnn.nn.layers import Dense, Dropout
from skdnn.nn.noise import Noise
from skdnn.nn.vectors import share_parameters

__all__ = ["Workspace", "weight_gradients"]


class Workspace:
    """The gradients of a network, and what its layers keep between their passes.

    Parameters
    ----------
    network : Network
    seed : int, default=0
        Of dropout.

    Attributes
    ----------
    grads : ndarray of shape (n_params,)
        The gradient that `Network.backward` computed last, laid out like the params.
    """

    def __init__(self, network, seed=0):
        self.grads = np.zeros_like(network.params)
        trained = [layer for layer in network.layers if not layer.frozen]
        drops = any(isinstance(layer, Dropout) for layer in trained)
        self._lowest = trained[0]
        self._noise = Noise(seed, network.n_members) if drops else None
        self._layers = network.layers
        self._learning_rates = network.learning_rates
        self._caches = {}

    def caches(self, n):
        """Return one cache a layer for a batch of `n` rows, the same at every call.

        Those of frozen layers are None, with which rows pass as in a prediction.
        A run meets two sizes at most: that of its batches and that of the last one.
        """
        if n not in self._caches:
            self._caches[n] = self._allocate(n)
        return self._caches[n]

    def seek(self, draw, offset=0):
        """Say which pass comes next, for dropout.

        Parameters
        ----------
        draw : int
            The number of the pass, from 0.
        offset : int, default=0
            How many rows of its batch went before.
        """
        if self._noise is not None:
            self._noise.draw, self._noise.offset = draw, offset

    def _allocate(self, n):
        dtype = self.grads.dtype
        # Shared by all layers, since none needs it between two calls.
        largest = max(prod(ly.output_shape(n)) for ly in self._layers)
        scratch = np.empty((2, largest), dtype)
        caches, x_shape = [], (n, self._layers[0].n_inputs)
        for layer in self._layers:
            shape = layer.output_shape(n)
            pair = [s[: prod(shape)].reshape(shape) for s in scratch]
            first = layer is self._lowest
            cache = None
            if not layer.frozen:
                cache = layer.allocate(x_shape, dtype, pair, first)
            caches.append(cache)
            x_shape = shape
        for i, cache in enumerate(caches):
            if cache is not None and isinstance(self._layers[i], Dropout):
                cache.noise, cache.keys = self._noise, self._noise.keys(i)
        share_parameters(
            self.grads,
            self._layers,
            [SimpleNamespace() if cache is None else cache for cache in caches],
            self._learning_rates,
            suffix="_grad",
        )
        return caches


def weight_gradients(network, grads):
    """Return, of a gradient, the part of the matrix of each dense layer.

    Parameters
    ----------
    network : Network
    grads : ndarray of shape (n_params,)
        Laid out like the params.
    """
    layers = network.layers
    owners = [SimpleNamespace() for _ in layers]
    share_parameters(grads, layers, owners, network.learning_rates)
    return [
        owner.weight / layer.multiplier
        for owner, layer in zip(owners, layers, strict=True)
        if isinstance(layer, Dense)
    ]
