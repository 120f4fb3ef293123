"""What a pickle of an estimator holds: plain data, arrays, and the parameters given."""

from skdnn._mixture import Mixture
from skdnn._model import Model
from skdnn._sklearn_compat import TRANSIENT
from skdnn._version import __version__
from skdnn.nn.activations import from_plain, to_plain

#: Counts up when an older skdnn could not make sense of a newer state, or the reverse.
FORMAT = 8


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
    if "_model" in state:
        state["_model"] = state["_model"].state()
        built_with = state["_built_with"]
        activation = to_plain(built_with["activation"])
        state["_built_with"] = built_with | {"activation": activation}
    return state


def unpack(state, estimator_class):
    """Return the attributes of an estimator from a saved state.

    Raises
    ------
    ValueError
        If the state has another format.
    """
    attributes = dict(state)
    saved_by = attributes.pop("_saved_by", {"format": None, "skdnn": "unknown"})
    if saved_by["format"] != FORMAT:
        name = estimator_class.__name__
        raise ValueError(
            f"This {name} was saved by skdnn {saved_by['skdnn']} in format "
            f"{saved_by['format']}; skdnn {__version__} reads format {FORMAT}. "
            f"Load it with skdnn {saved_by['skdnn']}, or fit it again."
        )
    if "_model" in attributes:
        model = attributes["_model"]
        if "kinds" in model:
            attributes["_model"] = Mixture(**model)
        else:
            targets = estimator_class._targets_class()
            attributes["_model"] = Model.from_state(model, targets)
        built_with = attributes["_built_with"]
        activation = from_plain(built_with["activation"])
        attributes["_built_with"] = built_with | {"activation": activation}
    return attributes
