"""Networks to test, each in a line."""

import numpy as np

from skdnn.nn.mlp import build_mlp

#: Columns of `small_network`.
N_INPUTS = 4

#: Each switch alone, and all together.
SWITCHES = {
    "plain": {},
    "batch_norm": {"batch_norm": True},
    "input_scaling": {"input_scaling": True},
    "ntk": {"ntk": True},
    "parametric": {"activations": [("parametric", "tanh")] * 3},
    "residual": {"residual": True},
    "residual of other widths": {"residual": True, "hidden": [5, 3, 6]},
    "periodic": {"numeric_embedding": ("periodic", {"frequency_scale": 0.3})},
    "piecewise_linear": {
        "numeric_embedding": ("piecewise_linear", {"n_bins": 3, "width": 2})
    },
    "categories": {"cardinalities": (3, 4), "category_width": 2},
}
SWITCHES["all"] = {k: v for options in SWITCHES.values() for k, v in options.items()}
SWITCHES["linear share"] = {"linear_share": 0.3}
# Shortcuts do not nest.
SWITCHES["linear share of all"] = SWITCHES["all"] | SWITCHES["linear share"]
SWITCHES["linear share of all"] |= {"residual": False, "batch_norm": False}
N_NUMBERS, N_OTHERS = 2, 1


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


def small_network(rng, activation="tanh", batch_norm=False, dropout=0.0, n_outputs=3):
    """Return a network of two hidden layers whose parameters are all random."""
    network = mlp(
        (N_INPUTS, 6, 5, n_outputs),
        [activation] * 2,
        ["glorot_normal"] * 3,
        batch_norm,
        [dropout] * 2,
        np.float64,
    )
    network.initialize(rng)
    # Biases, gains and shifts off zero and one, so that their terms can be seen.
    network.params += 0.1 * rng.standard_normal(len(network.params))
    return network


def make_network(rng, activation="tanh", n_outputs=1, **options):
    """Return a network of three hidden layers, with the options of `build_mlp`."""
    options.setdefault("n_numbers", N_NUMBERS)
    n_inputs = N_NUMBERS + N_OTHERS + len(options.get("cardinalities", ()))
    network = build_mlp(
        n_inputs,
        options.pop("hidden", [5, 5, 5]),
        n_outputs,
        activations=options.pop("activations", [activation] * 3),
        initializers=["he_normal"] * 4,
        dropout=options.pop("dropout", [0.0] * 3),
        **options,
    )
    network.initialize(rng)
    network.adapt(make_rows(rng, 50, options))
    network.params += 0.1 * rng.standard_normal(len(network.params))
    return network


def make_rows(rng, n, options):
    """Return rows for a network that was made with these options."""
    codes = [rng.integers(m, size=n) for m in options.get("cardinalities", ())]
    return np.column_stack([rng.standard_normal((n, N_NUMBERS + N_OTHERS)), *codes])
