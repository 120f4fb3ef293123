"""Inputs of a network: gradients of inference, first weights, what comes of what."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.embeddings import EntityEmbeddingLayer
from skdnn.nn.inputs import embed, first_weights, input_gradient, sources
from skdnn.nn.layers import Fork, Layer
from skdnn.nn.mlp import build_mlp
from skdnn.nn.network import Network
from tests.gradcheck import assert_gradient
from tests.recipes import maker, networks, table

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
    raw, gradient = input_gradient(network, x, lambda raw: weight.copy())
    assert_allclose(raw, network.forward(x), rtol=1e-12)

    def total(x):
        return np.sum(weight * network.forward(x))

    assert_gradient(total, gradient, x, rng)


@members
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_gradient_in_embedded_rows(embedding, members, rng):
    """What is above the embeddings is differentiated in what they return."""
    network = build(members, **EMBEDDINGS[embedding])
    embedded = embed(network, rows())
    n = len(sources(network))
    lead = (3,) if members == "own" and embedding != "none" else ()
    assert embedded.shape == (*lead, 6, n)
    weight = rng.standard_normal((*(() if members is None else (3,)), 6, 2))
    raw, gradient = input_gradient(network, embedded, lambda raw: weight.copy())
    assert_allclose(raw, network.forward(rows()), rtol=1e-12)

    def total(embedded):
        raw, _ = input_gradient(network, embedded, np.zeros_like)
        return np.sum(weight * raw)

    assert_gradient(total, gradient, embedded, rng)


@members
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_sources(embedding, members):
    """A change of an input changes what comes from it, and nothing else."""
    network, x = build(members, **EMBEDDINGS[embedding]), rows()
    before = embed(network, x)
    for j in range(N_INPUTS):
        changed = x.copy()
        changed[:, j] = 1 - x[:, j].clip(0, 1).round()
        differs = (embed(network, changed) != before).reshape(-1, len(sources(network)))
        assert_array_equal(
            np.flatnonzero(differs.any(axis=0)), np.flatnonzero(sources(network) == j)
        )


@networks
def test_first_weights(network):
    """They are the slopes of what the first activation gets, by finite differences."""
    X, y = table("binary")
    clf = maker("binary", network, dtype="float64", hidden_layer_dims=(5,))().fit(X, y)
    net, x = clf.network_, clf.encoder_.transform(X[:3])
    weights, sources = first_weights(net)
    below = [block[0] for block in net.blocks[:-2]]
    n_embeddings = sum(type(ly).__name__.endswith("Layer") for ly in below)
    layers = [layer for layer in net.layers if not isinstance(layer, Fork)]
    for layer in layers[:n_embeddings]:
        x = layer.forward(x)
    rest = layers[n_embeddings : len(below) + 1]
    before, after = x, x.copy()
    after[..., 1] += 1
    for layer in rest:
        before, after = layer.forward(before), layer.forward(after)
    np.testing.assert_allclose(
        (after - before)[..., 0, :], weights[..., 1, :], atol=1e-12
    )
    assert len(sources) == weights.shape[-2]


@networks
def test_columns_of_first_weights(network):
    """What is made of a column changes with it, and nothing else does."""
    X, y = table("binary")
    net = maker("binary", network, dtype="float64")().fit(X, y).network_
    _, sources = first_weights(net)
    embeddings = [
        block[0] for block in net.blocks if type(block[0]).__name__.endswith("Layer")
    ]
    x = np.ones((1, net.n_inputs))
    for column in range(net.n_inputs):
        before, after = x, x.copy()
        after[:, column] += 1
        for layer in embeddings:
            before, after = layer.forward(before), layer.forward(after)
        changed = (before != after).reshape(-1, len(sources)).any(axis=0)
        assert changed.any()
        assert set(sources[changed]) == {column}


def test_sources_of_codes():
    """The vectors of a column of codes follow one another."""
    layer = EntityEmbeddingLayer(5, [3, 4], 2)
    assert layer.sources.tolist() == [0, 1, 2, 3, 3, 4, 4]


@members
def test_nothing_is_changed(members):
    """Neither the network, nor its input, nor the slope that is handed over."""
    network, x = build(members, **NETWORKS["all at once"]), rows()
    before = network.snapshot()
    copy, slope = x.copy(), np.ones(network.forward(x).shape)
    input_gradient(network, x, lambda raw: slope.copy())
    assert_array_equal(x, copy)
    assert_array_equal(network.params, before[0])
    assert_array_equal(network.statistics, before[1])


@members
def test_rows_know_nothing_of_each_other(members):
    """Batch norm has its running statistics, and each row its own gradient."""
    network, x = build(members, **NETWORKS["all at once"]), rows()
    _, together = input_gradient(network, x, np.ones_like)
    alone = [input_gradient(network, row, np.ones_like)[1] for row in x[:, None]]
    assert_allclose(together, np.vstack(alone), rtol=1e-10)


def test_a_layer_without_a_gradient():
    """A layer of one's own that has none is named."""

    class Doubles(Layer):
        def forward(self, x, cache=None, weight=None):
            return 2 * x

    network = Network([Doubles(2, 2)])
    with pytest.raises(NotImplementedError, match="Doubles has no input_gradient"):
        input_gradient(network, np.ones((3, 2)), np.ones_like)


def test_embedding_rows_of_the_wrong_shape():
    """Rows that do not fit are an error that names both shapes."""
    with pytest.raises(ValueError, match=rf"\(n, {N_INPUTS}\), got \(3, 2\)"):
        embed(build(), np.ones((3, 2)))
