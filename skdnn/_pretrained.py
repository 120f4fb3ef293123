"""What a network takes over from one that was trained before."""

from sklearn.frozen import FrozenEstimator

from skdnn._parameters import comparable

#: Parameters with which layers were trained, and that they need again.
TRANSFERRED = (
    "batch_norm",
    "residual",
    "parametrization",
    "numeric_scaling",
    "numeric_embedding",
    "input_scaling",
    "categorical_features",
    "categorical_embedding",
    "min_frequency",
    "ensemble_weights",
    "dtype",
)

#: Those that may be others, but are the same if left to skdnn.
PROPOSED = ("activation", "n_members")


def pretrained_estimator(pretrained, kind):
    """Return the fitted estimator that a parameter stands for; None is none.

    Parameters
    ----------
    pretrained : estimator, FrozenEstimator or None
    kind : type
        What it has to be an instance of.
    """
    if isinstance(pretrained, FrozenEstimator):
        pretrained = pretrained.estimator
    if pretrained is None:
        return None
    if not isinstance(pretrained, kind):
        raise TypeError(
            "pretrained must be a fitted DNNClassifier or DNNRegressor, or a "
            f"FrozenEstimator around one, got {type(pretrained).__name__}."
        )
    if not pretrained.__sklearn_is_fitted__():
        raise ValueError(
            f"pretrained must be fitted, and this {type(pretrained).__name__} is not. "
            "scikit-learn's clone, as in a search, fits nothing and forgets what was: "
            "set pretrained=FrozenEstimator(...), of sklearn.frozen, which it keeps."
        )
    # Of several kinds of members, the first is the estimator as it is.
    return pretrained if pretrained.kinds_ is None else pretrained.kinds_[0]


def transferable(estimator):
    """Return parameters of a pretrained estimator for those left to skdnn."""
    if estimator is None:
        return {}
    return {n: estimator._built_with[n] for n in (*TRANSFERRED, *PROPOSED)}


def check_fits(settings):
    """Raise an error for layers that can't be what they are in the pretrained network.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``; `pretrained` is fitted.
    """
    now, then = vars(settings), settings.pretrained._built_with
    for name in TRANSFERRED:
        if comparable(now, name) != comparable(then, name):
            raise ValueError(
                f"{name}={now[name]!r} does not fit pretrained, which was trained with "
                f"{name}={then[name]!r}."
            )
    n_hidden = n_transferred(settings)
    for name in "hidden_layer_dims", "activation":
        if comparable(now, name)[:n_hidden] != comparable(then, name)[:n_hidden]:
            raise ValueError(
                f"{name}={now[name]!r} does not fit pretrained, which was trained with "
                f"{name}={then[name]!r}: the hidden layers that both have, from the "
                "input on, must be the same."
            )
    depths = len(settings.hidden_layer_dims), len(then["hidden_layer_dims"])
    if settings.residual and depths[0] != depths[1]:
        raise ValueError(
            f"hidden_layer_dims={settings.hidden_layer_dims!r} does not fit "
            f"pretrained, which has {depths[1]} hidden layers: each layer of a "
            "residual network counts by how many there are."
        )
    if settings.n_frozen_layers > n_hidden:
        raise ValueError(
            f"n_frozen_layers={settings.n_frozen_layers}, but there are {n_hidden} "
            "hidden layers to take over from pretrained, with hidden_layer_dims="
            f"{then['hidden_layer_dims']!r}."
        )


def n_transferred(settings):
    """Return how many hidden layers are taken over: those that both networks have."""
    then = settings.pretrained._built_with["hidden_layer_dims"]
    return min(len(settings.hidden_layer_dims), len(then))
