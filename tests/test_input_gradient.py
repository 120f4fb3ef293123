"""Gradients of inference in what enters a network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.layers import Layer
from skdnn.nn.network import Network, build_mlp
from tests.gradcheck import assert_gradient

N_NUMBERS, CARDINALITIES = 3, [4, 6]
N_INPUTS = N_NUMBERS + 2 + len(CARDINALITIES)

#: name -> arguments of `build_mlp`
NETWORKS = {
    "plain": {},
    "linear": {"hidden": ()},
    "ntk": {"ntk": True},
    "input scaling": {"input_scaling": True},
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": 0.5},
    "residual": {"residual": True, "hidden": (5, 7, 4)},
    "parametric": {"activation": ("parametric", "silu")},
    "all at once": {
        "ntk": True,
        "input_scaling": True,
        "batch_norm": True,
        "residual": True,
        "hidden": (5, 7, 4),
        "activation": ("parametric", "mish"),
        "dropout": 0.3,
    },
    **{name: {"activation": name} for name in ACTIVATIONS},
}
EMBEDDINGS = {
    "none": {},
    "codes": {"cardinalities": CARDINALITIES, "category_width": 3},
    "piecewise linear": {
        "n_numbers": N_NUMBERS,
        "numeric_embedding": ("piecewise_linear", {"n_bins": 5, "width": 2}),
    },
    "both": {
        "n_numbers": N_NUMBERS,
        "numeric_embedding": ("periodic", {"n_frequencies": 5, "width": 2}),
        "cardinalities": CARDINALITIES,
        "category_width": 3,
    },
}
members = pytest.mark.parametrize("members", [None, "own", "shared"])


def build(members=None, activation="silu", hidden=(5, 4), dropout=0.0, **options):
    """Return a network of random parameters and statistics, in float64."""
    network = build_mlp(
        N_INPUTS,
        hidden,
        2,
        activations=[activation] * len(hidden),
        initializers=["he_normal"] * (len(hidden) + 1),
        dropout=[dropout] * len(hidden),
        n_members=None if members is None else 3,
        shared=members == "shared",
        **options,
    )
    rng = np.random.default_rng(0)
    network.params[...] = rng.standard_normal(network.params.shape)
    network.statistics[...] = rng.uniform(0.5, 2, network.statistics.shape)
    return network


def rows(n=6):
    """Return rows of numbers and codes."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, N_INPUTS))
    x[:, -2:] = rng.integers(CARDINALITIES, size=(n, 2))
    return x


@members
@pytest.mark.parametrize("name", NETWORKS)
def test_gradient(name, members, rng):
    """It is that of inference, by finite differences."""
    network, x = build(members, **NETWORKS[name]), rows()
    weight = rng.standard_normal(network.forward(x).shape)
    raw, gradient = network.input_gradient(x, lambda raw: weight.copy())
    assert_allclose(raw, network.forward(x), rtol=1e-12)

    def total(x):
        return np.sum(weight * network.forward(x))

    assert_gradient(total, gradient, x, rng)


@members
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_gradient_in_embedded_rows(embedding, members, rng):
    """What is above the embeddings is differentiated in what they return."""
    network = build(members, **EMBEDDINGS[embedding])
    embedded = network.embed(rows())
    n = len(network.sources)
    lead = (3,) if members == "own" and embedding != "none" else ()
    assert embedded.shape == (*lead, 6, n)
    weight = rng.standard_normal((*(() if members is None else (3,)), 6, 2))
    raw, gradient = network.input_gradient(embedded, lambda raw: weight.copy())
    assert_allclose(raw, network.forward(rows()), rtol=1e-12)

    def total(embedded):
        raw, _ = network.input_gradient(embedded, np.zeros_like)
        return np.sum(weight * raw)

    assert_gradient(total, gradient, embedded, rng)


@members
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_sources(embedding, members):
    """A change of an input changes what comes from it, and nothing else."""
    network, x = build(members, **EMBEDDINGS[embedding]), rows()
    before = network.embed(x)
    for j in range(N_INPUTS):
        changed = x.copy()
        changed[:, j] = 1 - x[:, j].clip(0, 1).round()
        differs = (network.embed(changed) != before).reshape(-1, len(network.sources))
        assert_array_equal(
            np.flatnonzero(differs.any(axis=0)), np.flatnonzero(network.sources == j)
        )


@members
def test_nothing_is_changed(members):
    """Neither the network, nor its input, nor the slope that is handed over."""
    network, x = build(members, **NETWORKS["all at once"]), rows()
    before = network.snapshot()
    copy, slope = x.copy(), np.ones(network.forward(x).shape)
    network.input_gradient(x, lambda raw: slope.copy())
    assert_array_equal(x, copy)
    assert_array_equal(network.params, before[0])
    assert_array_equal(network.statistics, before[1])


@members
def test_rows_know_nothing_of_each_other(members):
    """Batch norm has its running statistics, and each row its own gradient."""
    network, x = build(members, **NETWORKS["all at once"]), rows()
    _, together = network.input_gradient(x, np.ones_like)
    alone = [network.input_gradient(row, np.ones_like)[1] for row in x[:, None]]
    assert_allclose(together, np.vstack(alone), rtol=1e-10)


def test_a_layer_without_a_gradient():
    """A layer of one's own that has none is named."""

    class Doubles(Layer):
        def forward(self, x, cache=None, weight=None):
            return 2 * x

    network = Network([Doubles(2, 2)])
    with pytest.raises(NotImplementedError, match="Doubles has no input_gradient"):
        network.input_gradient(np.ones((3, 2)), np.ones_like)
