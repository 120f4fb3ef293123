"""What a network takes over is what the other has, and nothing else changes."""

import numpy as np
import pytest

from skdnn.nn.copying import copy_hidden, copy_member, cut_above, set_member
from skdnn.nn.layers import Dense
from tests.networks import N_INPUTS, SWITCHES, make_network, make_rows, small_network


def test_cut_above(rng):
    """A part of a network ends with a hidden layer, and has memory of its own."""
    network = small_network(rng, batch_norm=True)
    network.statistics += rng.uniform(size=len(network.statistics))
    x = rng.standard_normal((7, N_INPUTS))
    part = cut_above(network, 1)
    expected = network.predict(x)
    np.testing.assert_allclose(
        network.layers[-1].forward(part.predict(x)), expected, rtol=1e-12
    )
    assert cut_above(network, 0).n_outputs == 6
    part.params[...] = 0
    part.statistics[...] = 0
    np.testing.assert_array_equal(network.predict(x), expected)


@pytest.mark.parametrize("switch", SWITCHES)
def test_members_can_be_set(switch, rng):
    """One by one, from networks that are like them; the others stay as they are."""
    options = SWITCHES[switch]
    ensemble = make_network(rng, n_members=3, n_outputs=4, **options)
    other = make_network(rng, n_members=3, n_outputs=4, **options)
    other.params[...] = rng.standard_normal(other.params.shape)
    alone = make_network(rng, n_outputs=4, **options)
    x = make_rows(rng, 20, options)
    for network in ensemble, other:
        network.adapt(x)
    before = ensemble.forward(x)

    copy_member(alone, other, 1)
    set_member(ensemble, 1, alone)

    after = ensemble.forward(x)
    np.testing.assert_array_equal(after[1], other.forward(x)[1])
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    for m in range(3):
        copy_member(alone, other, m)
        set_member(ensemble, m, alone)
    np.testing.assert_array_equal(ensemble.params, other.params)


@pytest.mark.parametrize("n_hidden", [1, 2])
def test_copy_hidden(n_hidden, rng):
    """The first hidden layers are those of the other network, and the rest stays."""
    network = small_network(rng, batch_norm=True, n_outputs=2)
    other = small_network(rng, batch_norm=True, dropout=0.5)
    other.statistics += rng.uniform(size=len(other.statistics))
    x, before = rng.standard_normal((7, N_INPUTS)), network.copy()
    copy_hidden(network, other, n_hidden)
    for i, (own, theirs) in enumerate(
        zip(network.hidden_outputs(x), other.hidden_outputs(x), strict=True)
    ):
        assert np.array_equal(own, theirs) == (i < n_hidden)
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    for layer, old in zip(dense[n_hidden:], before.weights[n_hidden:], strict=True):
        np.testing.assert_array_equal(layer.matrix, old)


@pytest.mark.parametrize(("n_now", "n_before"), [(4, 2), (2, 3), (3, None), (None, 3)])
def test_members_are_taken_over_in_turn(n_now, n_before, rng):
    """Where the other has too few, its first come again; one alone takes the first."""
    network, other = (make_network(rng, n_members=n) for n in (n_now, n_before))
    copy_hidden(network, other, 1)
    own, theirs = (
        net.weights[0].reshape(-1, *net.weights[0].shape[-2:])
        for net in (network, other)
    )
    for i, matrix in enumerate(own):
        np.testing.assert_array_equal(matrix, theirs[i % len(theirs)])
