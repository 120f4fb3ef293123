"""What a network is made of, layer by layer, for people to read."""

from math import prod
from typing import NamedTuple

from skdnn.nn.embeddings import (
    EntityEmbeddingLayer,
    PeriodicLayer,
    PiecewiseLinearLayer,
)
from skdnn.nn.layers import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Join,
    LinearJoin,
    ParametricActivate,
    Scale,
)


class LayerSummary(NamedTuple):
    """A layer of a network, as it is told.

    Attributes
    ----------
    name : str
        Such as `"hidden 1"`.
    n_units : int
        Width of what goes out.
    is_dense : bool
        Whether each unit reads all those of the layer below.
    details : tuple of str
        Activation, batch norm and so on.
    n_parameters : int
        Of all members of an ensemble.
    """

    name: str
    n_units: int
    is_dense: bool
    details: tuple
    n_parameters: int


def summary(estimator):
    """Return what the network of a fitted estimator is made of.

    Returns
    -------
    layers : list of LayerSummary
        From the input to the output.
    """
    network = estimator.network_
    n_columns = estimator.n_features_in_
    columns = "1 column" if n_columns == 1 else f"{n_columns} columns"
    layers = [LayerSummary("input", network.n_inputs, False, (columns,), 0)]
    for block in network.blocks:
        n_parameters = sum(
            prod(parameter.shape)
            for layer in block
            for parameter in layer.parameters.values()
        )
        is_dense = any(isinstance(layer, Dense) for layer in block)
        position = sum(layer.is_dense for layer in layers)
        if not is_dense:
            name, details = _name_below(block[-1])
            details = (*details, "frozen") if block[0].frozen else details
        elif position < network.n_hidden:
            name, details = f"hidden {position + 1}", tuple(_details(block))
        else:
            name, details = "output", tuple(_details_above(estimator, block[-1]))
        n_units = block[-1].n_outputs
        layers.append(LayerSummary(name, n_units, is_dense, details, n_parameters))
    return layers


def _name_below(layer):
    """Return name and details of a layer below the first dense one."""
    if isinstance(layer, Scale):
        return "input scaling", ()
    if isinstance(layer, EntityEmbeddingLayer):
        return "embedding", ("of categories",)
    kinds = {PeriodicLayer: "periodic", PiecewiseLinearLayer: "piecewise linear"}
    return "embedding", (kinds.get(type(layer), type(layer).__name__),)


def _details(block):
    """Yield what there is in a hidden layer, from its input to its output."""
    activation = "identity"
    for layer in block:
        if isinstance(layer, BatchNorm):
            yield "batch norm"
        elif isinstance(layer, Activate):
            learned = (
                " of learned strength" if isinstance(layer, ParametricActivate) else ""
            )
            activation = layer.activation + learned
    yield activation
    for layer in block:
        if isinstance(layer, Dropout):
            yield f"dropout {layer.rate:g}"
    if isinstance(block[-1], Join):
        yield "residual"
    if block[0].frozen:
        yield "frozen"


def _details_above(estimator, layer):
    """Yield what becomes of the raw predictions, from the last layer on."""
    if isinstance(layer, LinearJoin):
        yield f"linear share {layer.share:.2g}"
    yield estimator.out_activation_
