"""What may have been meant, for those who come with the words of other libraries."""

from difflib import get_close_matches
from functools import partial
from numbers import Integral

from skdnn._parameters import from_name, is_auto
from skdnn._recipe import TUNED
from skdnn._sklearn_compat import (
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.embeddings import CATEGORICAL_EMBEDDINGS, NUMERIC_EMBEDDINGS
from skdnn.nn.losses import CLASSIFIER_LOSSES, REGRESSOR_LOSSES
from skdnn.nn.optimizers import OPTIMIZERS
from skdnn.nn.schedules import SCHEDULES

#: What stands for a parameter of another name: of scikit-learn's MLP, other networks,
#: ensembles, and skdnn's own first days.
NAMES = {
    "hidden_layer_sizes": "hidden_layer_dims",
    "learning_rate_init": "learning_rate",
    "l2_regularization": "alpha",
    "weight_decay": "optimizer=AdamW(weight_decay=...)",
    "lr": "learning_rate",
    "epochs": "max_iter",
    "n_epochs": "max_iter",
    "max_epochs": "max_iter",
    "patience": "n_iter_no_change",
    "quantile": "loss=Quantile(...)",
    "callbacks": "set_callbacks(...)",
    "n_estimators": "n_members",
    "n_ensemble": "n_members",
    "max_one_hot": "categorical_embedding=EntityEmbedding(max_one_hot=...)",
    "category_width": "categorical_embedding=EntityEmbedding(width=...)",
    "parametric_activation": "activation=Parametric(...)",
    "power_t": "schedule=InverseScaling(power=...)",
    "momentum": "optimizer=Momentum(momentum=...)",
    "nesterovs_momentum": "optimizer='nesterov'",
    "beta_1": "optimizer=Adam(beta_1=...)",
    "beta_2": "optimizer=Adam(beta_2=...)",
    "epsilon": "optimizer=Adam(epsilon=...)",
    "max_fun": "optimizer=LBFGS(max_evaluations=...)",
}

#: What stands for a value that its parameter can't have.
VALUES = {
    **{("solver", name): f"optimizer={name!r}" for name in OPTIMIZERS},
    ("solver", "lbfgs"): "optimizer='lbfgs', solver='bgd'",
    **{("optimizer", name): f"solver={name!r}" for name in ("bgd", "minibatch")},
    **{("learning_rate", name): f"schedule={name!r}" for name in SCHEDULES},
    ("learning_rate", "invscaling"): "schedule='inverse_scaling'",
    ("schedule", "invscaling"): "schedule='inverse_scaling'",
    ("activation", "logistic"): "activation='sigmoid'",
    ("activation", "swish"): "activation='silu'",
    ("loss", "mse"): "loss='squared_error'",
    ("loss", "mae"): "loss='absolute_error'",
    ("loss", "cross_entropy"): "loss='log_loss'",
    **{("loss", name): f"DNNRegressor(loss={name!r})" for name in REGRESSOR_LOSSES},
    **{("loss", name): f"DNNClassifier(loss={name!r})" for name in CLASSIFIER_LOSSES},
}

#: Parameters that may be objects with parameters of their own, and their names.
PARTS = {
    "activation": {name: partial(Parametric, name) for name in ACTIVATIONS},
    "loss": {**CLASSIFIER_LOSSES, **REGRESSOR_LOSSES},
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "numeric_embedding": NUMERIC_EMBEDDINGS,
    "categorical_embedding": CATEGORICAL_EMBEDDINGS,
}


class AdviceMixin:
    """Says what a parameter or value that does not exist is called here."""

    def __new__(cls, *args, **params):
        # Python alone says that there is no such name, not what it is called here.
        other = _other_name(params)
        if other is not None:
            raise TypeError(f"{cls.__name__} has no parameter {other}.")
        return super().__new__(cls)

    def set_params(self, **params):
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters by their names; ``optimizer__beta_1`` is that of an object.

        Returns
        -------
        self : object
            This estimator.
        """
        other = _other_name(params)
        if other is not None:
            raise ValueError(f"{type(self).__name__} has no parameter {other}.")
        _check_parts(params, vars(self))
        return super().set_params(**params)

    def _validate_params(self):
        params, owner = self.get_params(deep=False), type(self).__name__
        _check_alone(params, self._parameter_constraints, owner)


def _check_alone(params, constraints, owner):
    """Raise an error for a value that its parameter can't have.

    It is scikit-learn's, and what may have been meant.
    """
    for name, value in params.items():
        allowed = constraints.get(name, "no_validation")
        try:
            validate_parameter_constraints({name: allowed}, {name: value}, owner)
        except InvalidParameterError as error:
            meant = _meant(name, value, allowed)
            meant = f" Did you mean {meant}?" if meant else ""
            raise InvalidParameterError(f"{error}{meant}") from None


def _other_name(names):
    """Return the first name that is another library's, and a sentence about it."""
    for name in names:
        if name in NAMES:
            return f"{name!r}: what it sets is {NAMES[name]} here"
    return None


def _check_parts(params, values):
    """Raise an error for parameters of a part that is a name and has none.

    Parameters
    ----------
    params : dict
        To set, as ``{"optimizer__beta_1": 0.8}``.
    values : dict
        With what the parts are.
    """
    for name in params:
        part, _, inner = name.partition("__")
        value = params.get(part, values.get(part))
        if not inner or part not in values or hasattr(value, "set_params"):
            continue
        if part not in PARTS:
            raise ValueError(
                f"{name} can't be set: {part}={value!r} has no parameters of its own."
            )
        if value is None or isinstance(value, str):
            raise ValueError(
                f"{name} can't be set while {part}={value!r}: a name has no parameters "
                f"of its own. {_instance(part, inner, value)}"
            )


def _instance(part, inner, value):
    """Return a sentence about the object whose parameter could be set."""
    table = PARTS[part]
    wanted = TUNED.get(part) if value is None or is_auto(value) else value
    first = [] if wanted is None else [from_name(wanted, table)]
    for instance in [*first, *(kind() for kind in table.values())]:
        if inner in instance.get_params():
            return f"Set {part} to an instance, such as {part}={instance!r}."
    return f"Nor is there any with a parameter {inner!r}."


def _meant(name, value, constraints):
    """Return what a value may have been meant to be, or None."""
    if isinstance(value, type):
        return f"an instance, {name}={value.__name__}()"
    if name == "hidden_layer_dims" and isinstance(value, Integral):
        return f"{name}=({value},)"
    if not isinstance(value, str):
        return None
    if (name, value.lower()) in VALUES:
        return VALUES[name, value.lower()]
    options = [o for c in constraints if isinstance(c, StrOptions) for o in c.options]
    close = get_close_matches(value.lower(), sorted(options), n=1)
    return f"{name}={close[0]!r}" if close else None
