"""From the parameters of an estimator to the plain data that describes its network."""

from sklearn.base import clone

from skdnn._parameters import from_name, per_layer
from skdnn.nn.activations import ACTIVATIONS, to_plain
from skdnn.nn.embeddings import CATEGORICAL_EMBEDDINGS, NUMERIC_EMBEDDINGS


def architecture(settings, encoder, n_outputs):
    """Return the arguments of `build_mlp`.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    encoder : TabularEncoder
        Which knows what enters the network.
    n_outputs : int
    """
    entity = from_name(settings.categorical_embedding, CATEGORICAL_EMBEDDINGS)
    activations = to_plain(per_layer(vars(settings), "activation"))
    return {
        "n_inputs": encoder.n_features_out_,
        "hidden": list(map(int, settings.hidden_layer_dims)),
        "n_outputs": n_outputs,
        "activations": activations,
        "initializers": _initializers(settings, activations),
        "dropout": list(map(float, per_layer(vars(settings), "dropout"))),
        "batch_norm": bool(settings.batch_norm),
        "n_numbers": encoder.n_numeric_out_,
        "numeric_embedding": _embedding(settings.numeric_embedding),
        "cardinalities": list(map(int, encoder.cardinalities_)),
        "category_width": 1 if entity is None else int(entity.width),
        "input_scaling": bool(settings.input_scaling),
        "ntk": settings.parametrization == "ntk",
        "residual": bool(settings.residual),
        "n_members": None if settings.n_members == 1 else int(settings.n_members),
        "shared": settings.ensemble_weights == "shared",
        "learning_rates": {
            kind: float(rate)
            for kind, rate in (settings.learning_rate_multipliers or {}).items()
        },
        "n_frozen_layers": int(settings.n_frozen_layers),
        "dtype": settings.dtype,
    }


def _initializers(settings, activations):
    """Return the name of the initial distribution of each dense layer."""
    names = [a if isinstance(a, str) else a[1] for a in activations]
    above = [*names, "identity"]
    if settings.weight_init != "auto":
        return [settings.weight_init] * len(above)
    return [ACTIVATIONS[name].initializer for name in above]


def _embedding(value):
    """Return name and parameters of an embedding, or one of the user's own class."""
    if value is None:
        return None
    embedding = from_name(value, NUMERIC_EMBEDDINGS)
    kinds = {kind: name for name, kind in NUMERIC_EMBEDDINGS.items()}
    if type(embedding) not in kinds:
        return clone(embedding)
    return kinds[type(embedding)], embedding.get_params()
