"""What one network takes over from another: a member, hidden layers, its lower part."""

import numpy as np

from skdnn.nn.layers import Fork, LinearJoin
from skdnn.nn.network import Network
from skdnn.nn.vectors import without_views

__all__ = [
    "copy_branch",
    "copy_hidden",
    "copy_member",
    "copy_outputs",
    "cut_above",
    "hidden_layers",
    "set_member",
]


def copy_member(network, ensemble, member):
    """Make a network a member, by its index, of an ensemble of networks like it."""
    for own, of_all in zip(network.layers, ensemble.layers, strict=True):
        _copy_values(own, of_all, [member])


def set_member(ensemble, member, network):
    """Give a member, by its index, what a network like it has.

    All that members share, or do not train, stays as it is.
    """
    for own, of_member in zip(ensemble.layers, network.layers, strict=True):
        for name in (*own.parameters, *own.statistics):
            values, new = getattr(own, name), getattr(of_member, name)
            if values.size != new.size:
                values.reshape(ensemble.n_members, -1)[member] = new.ravel()


def copy_hidden(network, other, n_hidden):
    """Give a network the first hidden layers of another, and what lies below.

    Their widths and parametrization must be the same.  Members take over what the
    other's members have, in turn; a single network what the first has.
    """
    members = np.arange(network.n_members or 1) % (other.n_members or 1)
    layers = hidden_layers(network, n_hidden), hidden_layers(other, n_hidden)
    for own, of_other in zip(*layers, strict=True):
        _copy_values(own, of_other, members)


def copy_branch(network, other):
    """Give a network with a linear share what one like it, but without, has."""
    around = Fork | LinearJoin
    layers = [layer for layer in network.layers if not isinstance(layer, around)]
    for own, of_other in zip(layers, other.layers, strict=True):
        _copy_values(own, of_other, slice(None))


def copy_outputs(network, other):
    """Give a network all that one like it, but with more outputs, has for its own."""
    for own, of_other in zip(network.layers[:-1], other.layers[:-1], strict=True):
        _copy_values(own, of_other, slice(None))
    for name in network.layers[-1].parameters:
        values = getattr(other.layers[-1], name)
        getattr(network.layers[-1], name)[...] = values[..., : network.n_outputs]


def hidden_layers(network, n_hidden):
    """Return the first hidden layers and what lies below, where there are values.

    Layers that only act, as dropout, may be there in one network alone.
    """
    blocks = network.blocks[: n_hidden - network.n_hidden - 1]
    layers = [layer for block in blocks for layer in block]
    return [ly for ly in layers if ly.parameters or ly.statistics]


def cut_above(network, hidden):
    """Return a network of its own that ends with a hidden layer, by its index."""
    blocks = network.blocks[: hidden - network.n_hidden]
    layers = [without_views(layer) for block in blocks for layer in block]
    part = Network(layers, network.params.dtype, network.learning_rates)
    for own, of_whole in zip(part.layers, network.layers, strict=False):
        _copy_values(own, of_whole, slice(None))
    return part


def _copy_values(layer, other, members):
    """Give a layer the parameters and statistics of some members of another."""
    for name in (*layer.parameters, *layer.statistics):
        own, values = getattr(layer, name), getattr(other, name)
        # What members share, and some statistics, are the same for all.
        if own.size != values.size:
            values = values.reshape(other.n_members or 1, -1)[members]
        own[...] = values.reshape(own.shape)
