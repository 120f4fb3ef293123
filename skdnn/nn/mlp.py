"""Multilayer perceptrons: which layers they have, from the input to the output."""

import numpy as np

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.embeddings import (
    NUMERIC_EMBEDDINGS,
    Embedding,
    EntityEmbeddingLayer,
)
from skdnn.nn.layers import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Fork,
    Join,
    LinearJoin,
    ParametricActivate,
    Scale,
    SharedDense,
)
from skdnn.nn.network import Network

__all__ = ["build_mlp"]


def build_mlp(
    n_inputs,
    hidden,
    n_outputs,
    *,
    activations,
    initializers,
    dropout,
    batch_norm=False,
    n_numbers=0,
    numeric_embedding=None,
    cardinalities=(),
    category_width=1,
    input_scaling=False,
    ntk=False,
    residual=False,
    linear_share=None,
    n_members=None,
    shared=False,
    learning_rates=None,
    n_frozen_layers=0,
    dtype=np.float64,
):
    """Return a fully connected network, its parameters still zero.

    From the input to the output: embeddings, input scaling, then for each hidden layer
    a dense layer, batch norm, activation and dropout, and a dense layer for the output.

    Parameters
    ----------
    n_inputs : int
        Number of columns: of numbers, of others, and of codes.
    hidden : sequence of int
        Units of each hidden layer.
    n_outputs : int
    activations : sequence of str or tuple
        One a hidden layer: a name in `ACTIVATIONS`, or ``("parametric", name)``.
    initializers : sequence of str
        One a dense layer, so one more.
    dropout : sequence of float
        One a hidden layer.
    batch_norm : bool
    n_numbers : int
        Columns of numbers, which are the first.
    numeric_embedding : (str, dict) or Embedding, default=None
        Name and parameters of a row of `NUMERIC_EMBEDDINGS`, or one that has no row.
    cardinalities : sequence of int
        Number of codes of each column of codes, which are the last.
    category_width : int
        Length of the vectors that stand for codes.
    input_scaling, ntk, residual : bool
        Whether to have `Scale` below the first dense layer, the neural-tangent
        parametrization, and shortcuts (`Fork`, `Join`) around all hidden layers but the
        first.
    linear_share : float, default=None
        That of a linear model in the raw predictions (`LinearJoin`), which reads what
        the embeddings return; None is without one. Not with `residual`, as shortcuts do
        not nest.
    n_members : int, default=None
        Size of the ensemble; None is a single network.
    shared : bool
        Whether its members share embeddings and the matrices of hidden layers.
    learning_rates : dict of str to float, default=None
        See `Network`.
    n_frozen_layers : int, default=0
        How many of the hidden layers are frozen, with all that lies below them.
    dtype : numpy dtype
    """
    below = None if shared else n_members
    layers = _embeddings(
        n_inputs,
        n_numbers,
        numeric_embedding,
        cardinalities,
        category_width,
        n_members=below,
    )
    width = layers[-1].n_outputs if layers else n_inputs
    n_around = width
    if linear_share is not None:
        layers.append(Fork(width, below))
    if input_scaling:
        layers.append(Scale(width, below))
    for i, n_units in enumerate(hidden):
        options = {"bias": not batch_norm, "ntk": ntk, "n_members": n_members}
        if shared:
            dense = SharedDense(
                width, n_units, initializers[i], diverse=i == 0, **options
            )
        else:
            dense = Dense(width, n_units, initializers[i], **options)
        block = [dense]
        if batch_norm:
            block.append(BatchNorm(n_units, n_members=n_members))
        block.extend(_activation(activations[i], n_units, n_members))
        if dropout[i] > 0:
            block.append(Dropout(n_units, dropout[i], n_members))
        if residual and i > 0:
            join = Join(n_units, 1 / (len(hidden) - 1), n_members)
            block = [Fork(width, n_members), *block, join]
        layers.extend(block)
        width = n_units
        if i < n_frozen_layers:
            for layer in layers:
                layer.frozen = True
    layers.append(
        Dense(width, n_outputs, initializers[-1], ntk=ntk, n_members=n_members)
    )
    if linear_share is not None:
        layers.append(LinearJoin(n_around, n_outputs, linear_share, n_members))
    return Network(layers, dtype, learning_rates)


def _embeddings(
    n_inputs, n_numbers, numeric_embedding, cardinalities, category_width, n_members
):
    """Return the layers that embed numbers and categories, if there are any."""
    layers = []
    if numeric_embedding is not None and n_numbers:
        embedding = numeric_embedding
        if not isinstance(embedding, Embedding):
            name, params = embedding
            embedding = NUMERIC_EMBEDDINGS[name](**params)
        layers.append(embedding.layer(n_inputs, n_numbers, n_members))
        n_inputs = layers[-1].n_outputs
    if cardinalities:
        layers.append(
            EntityEmbeddingLayer(n_inputs, cardinalities, category_width, n_members)
        )
    return layers


def _activation(description, n_units, n_members):
    """Return the layer of an activation, if it is not the identity."""
    plain = isinstance(description, str)
    name = description if plain else description[1]
    if ACTIVATIONS[name] is ACTIVATIONS["identity"]:
        return []
    return [(Activate if plain else ParametricActivate)(n_units, name, n_members)]
