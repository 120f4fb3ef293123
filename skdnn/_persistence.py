"""What a pickle of an estimator holds: plain data, arrays, and the parameters given.

The network travels as its widths and its two vectors, not as objects: classes inside
skdnn may move and change without making old files unreadable, and a file holds few
types that its reader has to trust.
"""

from skdnn._version import __version__
from skdnn.nn.activations import from_plain, to_plain
from skdnn.nn.network import build_mlp

#: Counts up when an older skdnn could not make sense of a newer state, or the reverse.
FORMAT = 2

#: What a fit that is running keeps on the estimator, for `sklearn.callback`.
TRANSIENT = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


def without_transient(attributes):
    """Return the attributes without those of a fit that is running."""
    return {k: v for k, v in attributes.items() if k not in TRANSIENT}


def transient(attributes):
    """Return those attributes of a fit that is running."""
    return {k: v for k, v in attributes.items() if k in TRANSIENT}


def pack(attributes):
    """Return the attributes of an estimator as a state to save."""
    state = without_transient(attributes)
    state["_saved_by"] = {"format": FORMAT, "skdnn": __version__}
    network = state.pop("network_", None)
    if network is not None:
        state["_network"] = {"params": network.params, "statistics": network.statistics}
        built_with = state["_built_with"]
        activation = to_plain(built_with["activation"])
        state["_built_with"] = built_with | {"activation": activation}
    return state


def unpack(state, class_name):
    """Return the attributes of an estimator from a saved state.

    Raises
    ------
    ValueError
        If the state has another format.
    """
    attributes = dict(state)
    saved_by = attributes.pop("_saved_by", {"format": None, "skdnn": "unknown"})
    if saved_by["format"] != FORMAT:
        raise ValueError(
            f"This {class_name} was saved by skdnn {saved_by['skdnn']} in format "
            f"{saved_by['format']}; skdnn {__version__} reads format {FORMAT}. "
            f"Load it with skdnn {saved_by['skdnn']}, or fit it again."
        )
    arrays = attributes.pop("_network", None)
    if arrays is not None:
        network = build_mlp(**attributes["_architecture"])
        network.adopt(**arrays)
        attributes["network_"] = network
        built_with = attributes["_built_with"]
        activation = from_plain(built_with["activation"])
        attributes["_built_with"] = built_with | {"activation": activation}
    return attributes
