"""The layers of a multilayer perceptron are those that its arguments ask for."""

import numpy as np
import pytest

from skdnn.nn.layers import Activate, Dense, Dropout
from tests.networks import mlp, small_network


@pytest.mark.parametrize("batch_norm", [False, True])
def test_layers_of_an_mlp(batch_norm):
    """Each hidden layer has the activation and the dropout of its place, if any."""
    network = mlp(
        (9, 8, 7, 6, 5),
        ["relu", "identity", "gelu"],
        ["he_normal", "he_uniform", "glorot_normal", "lecun_normal"],
        batch_norm,
        [0.0, 0.2, 0.3],
        np.float64,
    )
    norm = ["BatchNorm"] * batch_norm
    names = [type(layer).__name__ for layer in network.layers]
    assert names == [
        *("Dense", *norm, "Activate"),
        *("Dense", *norm, "Dropout"),
        *("Dense", *norm, "Activate", "Dropout"),
        "Dense",
    ]
    values = {
        kind: [getattr(layer, name) for layer in network.layers if type(layer) is kind]
        for kind, name in {
            Activate: "activation",
            Dropout: "rate",
            Dense: "initializer",
        }.items()
    }
    assert values == {
        Activate: ["relu", "gelu"],
        Dropout: [0.2, 0.3],
        Dense: ["he_normal", "he_uniform", "glorot_normal", "lecun_normal"],
    }
    assert [layer.n_outputs for layer in network.layers if type(layer) is Dense] == [
        *(8, 7, 6, 5)
    ]


def test_no_bias_below_batch_norm(rng):
    """Batch norm makes the bias below it redundant."""
    network = small_network(rng, batch_norm=True)
    assert [layer.has_bias for layer in network.layers if isinstance(layer, Dense)] == [
        False,
        False,
        True,
    ]
