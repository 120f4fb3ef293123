"""Plain networks, in a line."""

from skdnn.nn.network import build_mlp


def mlp(widths, activations, initializers, batch_norm, dropout, dtype):
    """Return a fully connected network of the given widths."""
    n_inputs, *hidden, n_outputs = widths
    return build_mlp(
        n_inputs,
        hidden,
        n_outputs,
        activations=activations,
        initializers=initializers,
        batch_norm=batch_norm,
        dropout=dropout,
        dtype=dtype,
    )
