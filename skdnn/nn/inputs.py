"""What a network makes of its inputs: embedded columns, first weights, gradients.

Embeddings turn columns into vectors, and all else is above them.  As there is nothing
between two codes, what asks for slopes begins with what the embeddings return.
"""

import numpy as np

from skdnn.nn.layers import Dense, Fork, Join, Scale

__all__ = ["embed", "first_weights", "input_gradient", "sources"]


def embed(network, x):
    """Return what the embeddings make of `x` (n, n_inputs): what is above reads it.

    It is of shape (n, n_embedded), or (n_members, n, n_embedded).
    """
    network.check_table(x)
    for layer in _embeddings(network):
        x = layer.forward(x)
    return x


def sources(network):
    """Return which input each column of what the embeddings return is made of."""
    columns = np.arange(network.n_inputs)
    for layer in _embeddings(network):
        columns = columns[layer.sources]
    return columns


def first_weights(network):
    """Return what the first dense layer makes of its inputs, before the bias.

    Input scaling is a part of it, and embeddings lie below.

    Returns
    -------
    weights : ndarray of shape (n, n_units) or (n_members, n, n_units)
    columns : ndarray of int of shape (n,)
        Which column of the network's input each of these inputs is made of.
    """
    columns, first = sources(network), len(_embeddings(network))
    # All are linear: what they make of each input alone, less what of none.
    x = np.eye(len(columns) + 1, len(columns), -1)
    for layer in network.layers[first:]:
        if not isinstance(layer, Fork):
            x = layer.forward(x)
        if isinstance(layer, Dense):
            break
    return x[..., 1:, :] - x[..., :1, :], columns


def input_gradient(network, embedded, slope):
    """Return the raw predictions, and the gradient of what is made of them.

    It is that of inference: with running statistics, without dropout.

    Parameters
    ----------
    network : Network
    embedded : ndarray of shape (..., n, n_embedded)
        What `embed` returned, or anything between two such arrays.
    slope : callable
        From raw predictions to the gradient in these.

    Returns
    -------
    raw : ndarray of shape (n, n_outputs), or (n_members, n, n_outputs)
    gradient : ndarray of the shape of `embedded`
    """
    layers = network.layers[len(_embeddings(network)) :]
    x, shortcut = embedded, None
    entered = []
    for layer in layers:
        entered.append(x)
        if isinstance(layer, Fork):
            shortcut = x
        elif isinstance(layer, Join):
            x = layer.forward(x, shortcut)
        else:
            # Some overwrite what comes in.
            x = layer.forward(x.copy())
    raw, grad, shortcut = x, slope(x), None
    for layer, x in zip(reversed(layers), reversed(entered), strict=True):
        if isinstance(layer, Fork):
            grad = layer.backward(grad, shortcut)
            continue
        if isinstance(layer, Join):
            shortcut = layer.shortcut_gradient(grad)
        grad = layer.input_gradient(x, grad)
        if grad.ndim > x.ndim:
            grad = grad.sum(axis=0)
    return raw, grad


def _embeddings(network):
    """Return the layers that turn columns into vectors, which are the first."""
    below = [block[0] for block in network.blocks[: -network.n_hidden - 1]]
    return [layer for layer in below if not isinstance(layer, Fork | Scale)]
