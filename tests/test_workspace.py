"""The memory of training: caches, gradients, what dropout draws."""

import numpy as np
import pytest

from skdnn.nn.layers import Dense
from skdnn.nn.network import Network
from skdnn.nn.workspace import Workspace, weight_gradients
from tests.networks import N_INPUTS, small_network


def test_dropout_draws_anew(rng):
    """No two passes leave the same entries out, but the same pass does."""
    network = small_network(rng, dropout=0.5)
    workspace = Workspace(network)
    caches = workspace.caches(20)
    x = rng.standard_normal((20, N_INPUTS))
    raw = []
    for draw in (0, 1, 0):
        workspace.seek(draw)
        raw.append(network.forward(x, caches).copy())
    assert not np.array_equal(raw[0], raw[1])
    np.testing.assert_array_equal(raw[0], raw[2])


def test_caches_are_made_once(rng):
    """The same batch size gets the same memory at every call."""
    workspace = Workspace(small_network(rng))
    assert workspace.caches(5) is workspace.caches(5)
    assert workspace.caches(5) is not workspace.caches(6)


@pytest.mark.parametrize("ntk", [False, True])
def test_weight_gradients(ntk, rng):
    """They are in the matrices, x^T g, whatever these are the parameters of."""
    network = Network([Dense(4, 3, "he_normal", ntk=ntk), Dense(3, 2, "he_normal")])
    network.initialize(rng)
    workspace = Workspace(network)
    caches = workspace.caches(6)
    x, g = rng.standard_normal((6, 4)), rng.standard_normal((6, 2))
    network.forward(x, caches)
    network.backward(g.copy(), caches)
    first, last = weight_gradients(network, workspace.grads)
    np.testing.assert_allclose(last, (x @ network.weights[0]).T @ g, rtol=1e-12)
    np.testing.assert_allclose(first, x.T @ (g @ network.weights[1].T), rtol=1e-12)
