"""What the constructor parameters may be, alone and together."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import get_scorer_names

from skdnn._scalings import SCALINGS
from skdnn._sklearn_compat import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skdnn._warnings import warn
from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.embeddings import (
    CATEGORICAL_EMBEDDINGS,
    NUMERIC_EMBEDDINGS,
    Embedding,
    EntityEmbedding,
)
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.layers import KINDS
from skdnn.nn.losses import Quantile, SquaredError
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, Optimizer
from skdnn.nn.schedules import SCHEDULES, Constant, Schedule

AUTO = StrOptions({"auto"})

#: With fewer units that dropout keeps, on average, there is a warning.
FEWEST_KEPT = 0.1

#: What each parameter may be that classifier and regressor share.
CONSTRAINTS = {
    "hidden_layer_dims": ["array-like"],
    "recipe": [StrOptions({"auto", "tuned", "plain"})],
    "activation": [StrOptions({"auto", *ACTIVATIONS}), Parametric, "array-like"],
    "batch_norm": ["boolean"],
    "residual": [AUTO, "boolean"],
    "dropout": [AUTO, Interval(Real, 0, 1, closed="left"), "array-like"],
    "alpha": [AUTO, Interval(Real, 0, None, closed="left")],
    "solver": [StrOptions({"bgd", "sgd", "minibatch"})],
    "batch_size": [AUTO, Interval(Integral, 1, None, closed="left")],
    "optimizer": [StrOptions({"auto", *OPTIMIZERS}), Optimizer, LBFGS],
    "learning_rate": [AUTO, Interval(Real, 0, None, closed="neither")],
    "learning_rate_multipliers": [AUTO, dict, None],
    "schedule": [StrOptions({"auto", *SCHEDULES}), Schedule],
    "weight_init": [StrOptions({"auto", *INITIALIZERS})],
    "parametrization": [StrOptions({"auto", "standard", "ntk"})],
    "max_iter": [AUTO, Interval(Integral, 1, None, closed="left")],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "n_iter_no_change": [AUTO, Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
    "early_stopping": [AUTO, "boolean"],
    "validation_fraction": [
        Interval(Real, 0, 1, closed="neither"),
        Interval(Integral, 1, None, closed="left"),
    ],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
    "refit": ["boolean"],
    "numeric_scaling": [StrOptions({*SCALINGS}), None],
    "numeric_embedding": [
        StrOptions({"auto", *NUMERIC_EMBEDDINGS}),
        Embedding,
        None,
    ],
    "input_scaling": [AUTO, "boolean"],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
    "categorical_embedding": [
        StrOptions({"auto", *CATEGORICAL_EMBEDDINGS}),
        EntityEmbedding,
        None,
    ],
    "min_frequency": [Interval(Integral, 1, None, closed="left")],
    "n_members": [AUTO, Interval(Integral, 1, None, closed="left")],
    "ensemble_weights": [StrOptions({"own", "shared"})],
    "portfolio": [AUTO, "boolean", list, tuple],
    "linear_share": [AUTO, "boolean"],
    "pretrained": [BaseEstimator, None],
    "n_frozen_layers": [Interval(Integral, 0, None, closed="left")],
    "dtype": [StrOptions({"float32", "float64"})],
}

#: Parameters that may be objects with parameters of their own.
PARTS = (
    "loss",
    "optimizer",
    "schedule",
    "numeric_embedding",
    "categorical_embedding",
)

#: What a run that goes on can't change.
FIXED = (
    "hidden_layer_dims",
    "activation",
    "batch_norm",
    "residual",
    "dropout",
    "loss",
    "learning_rate_multipliers",
    "parametrization",
    "numeric_scaling",
    "numeric_embedding",
    "input_scaling",
    "categorical_features",
    "categorical_embedding",
    "min_frequency",
    "n_members",
    "ensemble_weights",
    "linear_share",
    "n_frozen_layers",
    "dtype",
)

#: What can change, though ``"auto"`` goes on to mean what it meant.
REMEMBERED = ("temperature_scaling", "portfolio")


def check_together(params):
    """Raise an error for parameters that make no sense together.

    Parameters
    ----------
    params : dict
        With the parameters of an estimator, each of which alone is as `CONSTRAINTS`
        say.
    """
    _check_dims(params["hidden_layer_dims"])
    if not is_auto(params["activation"]):
        per_layer(params, "activation", _is_activation)
    if not is_auto(params["dropout"]):
        rates = per_layer(
            params, "dropout", lambda v: isinstance(v, Real) and 0 <= v < 1
        )
        _warn_of_dropout(rates, params["hidden_layer_dims"])
    for name in PARTS:
        _check_ranges(params[name])
    _check_multipliers(params["learning_rate_multipliers"])
    if is_lbfgs(params["optimizer"]):
        _check_lbfgs(params)
    if params["n_frozen_layers"] and params["pretrained"] is None:
        raise ValueError(
            f"n_frozen_layers={params['n_frozen_layers']} needs layers that are "
            "trained already, got pretrained=None."
        )
    if params["refit"] and params["warm_start"]:
        raise ValueError(
            "refit=True trains a network anew on all rows, while warm_start=True goes "
            "on with the one there is: choose one of them."
        )
    if is_on(params["linear_share"]) and params["warm_start"]:
        raise ValueError(
            "linear_share=True adds a linear model when training has ended, while "
            "warm_start=True goes on with it: choose one of them."
        )
    if is_on(params.get("auxiliary_quantiles")):
        _check_auxiliary(params)
    for name in set_for_validation(params):
        if not params["early_stopping"] and name != "scoring":
            raise ValueError(
                f"{name}={params[name]!r} needs rows that are held out, got "
                "early_stopping=False."
            )


def _check_auxiliary(params):
    if not predicts_mean(params["loss"]):
        raise ValueError(
            "auxiliary_quantiles=True is for loss='squared_error', got "
            f"loss={params['loss']!r}."
        )
    if params["warm_start"]:
        raise ValueError(
            "auxiliary_quantiles=True leaves outputs out of the network when training "
            "has ended, while warm_start=True goes on with it: choose one of them."
        )


def check_going_on(params, before, fixed):
    """Raise an error for parameters with which training can't go on.

    Parameters
    ----------
    params : dict
        With the parameters of an estimator.
    before : dict
        With those that training began with, nothing left on ``"auto"``, which goes on
        to stand for the same.
    fixed : sequence of str
        Those that can't change.
    """
    for name in fixed:
        now, then = comparable(params, name), comparable(before, name)
        if not is_auto(params[name]) and now != then:
            raise ValueError(
                f"{name} was {before[name]!r} when training began and is now "
                f"{params[name]!r}: warm_start and partial_fit can't change it. Train "
                "a clone instead."
            )
    if is_lbfgs(params["optimizer"]) and any(per_layer(before, "dropout")):
        raise ValueError(
            "optimizer='lbfgs' needs dropout=0, an objective that stands still; "
            f"training began with dropout={before['dropout']!r}, which warm_start "
            "can't change. Train a clone instead."
        )


def set_for_validation(params):
    """Return the names of parameters set by hand that need rows to validate on."""
    idle = {
        "temperature_scaling": ("auto", False),
        "linear_share": ("auto", False),
        "refit": (False,),
        "scoring": ("loss",),
    }
    return [n for n in idle if n in params and params[n] not in idle[n]]


def warn_of_no_effect(params, watched, val, few_rows=False):
    """Warn of parameters set by hand that need rows to be held out.

    `watched` is whether training is watched on some, and `val` those that were given.
    With `few_rows`, the temperature follows from their number.
    """
    for name in set_for_validation(params):
        if few_rows and name == "temperature_scaling":
            continue
        if not watched and params["early_stopping"]:
            why = (
                "no rows are held out, of so few or with this optimizer. Set "
                "early_stopping=True or pass X_val."
            )
        elif name == "refit" and val is not None:
            why = "with X_val, no rows of X are held out: all are trained on."
        else:
            continue
        warn(f"{name}={params[name]!r} has no effect: {why}")


def is_lbfgs(optimizer):
    """Whether an optimizer is L-BFGS, by name or as an instance."""
    by_name = isinstance(optimizer, str) and optimizer == "lbfgs"
    return by_name or isinstance(optimizer, LBFGS)


def predicts_mean(loss):
    """Whether a regressor's loss is the squared error of what the network returns."""
    if isinstance(loss, str):
        return loss == "squared_error"
    return type(loss) is SquaredError and loss.link in ("auto", "identity")


def is_auto(value):
    """Whether a parameter has been left to skdnn."""
    return isinstance(value, str) and value == "auto"


def is_on(value):
    """Whether a switch has been set to True, also one of NumPy."""
    return bool(value) and not is_auto(value)


def from_name(value, table):
    """Return the object that a name in `table` stands for, or `value` itself."""
    return table[value]() if isinstance(value, str) else value


def per_layer(params, name, is_valid=lambda value: True):
    """Return the parameter `name` as one value for each hidden layer."""
    value, n_layers = params[name], len(params["hidden_layer_dims"])
    values = [value] * n_layers if np.ndim(value) == 0 else list(value)
    if len(values) != n_layers:
        raise ValueError(
            f"{name} has {len(values)} entries, but hidden_layer_dims has "
            f"{n_layers}: got {name}={value!r}, "
            f"hidden_layer_dims={params['hidden_layer_dims']!r}."
        )
    if not all(is_valid(v) for v in values):
        raise ValueError(f"{name} has an entry that is not valid: {value!r}.")
    return values


def comparable(params, name):
    """Return the parameter `name` as what two equal ones have in common."""
    value = params[name]
    if name in ("activation", "dropout") and not is_auto(value):
        return list(map(_comparable, per_layer(params, name)))
    return _comparable(value)


def _comparable(value):
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False).items()
        return [type(value).__name__, {k: _comparable(v) for k, v in params}]
    if isinstance(value, list | tuple):
        return list(map(_comparable, value))
    if isinstance(value, dict):
        return {k: _comparable(v) for k, v in value.items()}
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value


def with_link(loss, links, targets):
    """Return the loss with the first of `links`, unless it has another of them.

    `targets` is what those are called that have these links.
    """
    able = loss.links or (loss.link,)
    possible = [link for link in links if link in able]
    if not possible:
        raise ValueError(
            f"loss={loss!r} is not for {targets}: its link is one of {list(able)}, and "
            f"must be one of {links}."
        )
    if loss.link == "auto":
        return clone(loss).set_params(link=possible[0])
    if loss.link not in possible:
        raise ValueError(
            f"loss={loss!r}: link must be one of {possible} for {targets}, got "
            f"{loss.link!r}."
        )
    return loss


def _is_activation(value):
    name = value.activation if isinstance(value, Parametric) else value
    return isinstance(name, str) and name in ACTIVATIONS


def _check_dims(hidden_layer_dims):
    try:
        dims = np.asarray(hidden_layer_dims)
    except ValueError:  # lists of different lengths
        dims = np.empty((0, 0))
    if dims.ndim != 1 or (len(dims) and (dims.dtype.kind not in "iu" or min(dims) < 1)):
        raise ValueError(
            "hidden_layer_dims must be a sequence of integers >= 1, got "
            f"{hidden_layer_dims!r}."
        )


def _warn_of_dropout(rates, widths):
    """Warn if most rows lose all units of a layer, and with them all their columns."""
    for rate, n_units in zip(rates, widths, strict=True):
        if (1 - rate) * n_units < FEWEST_KEPT:
            warn(
                f"dropout={rate} keeps {(1 - rate) * n_units:.2g} of {n_units} units "
                "on average, so that in training most rows lose what their columns "
                "say. Lower dropout."
            )
            return


def _check_ranges(part):
    """Raise an error for a parameter of a loss, an optimizer or a schedule."""
    if part is not None and not isinstance(part, str):
        constraints = {
            name: [Interval(kind, low, high, closed=closed)]
            for name, (kind, low, high, closed) in part.ranges.items()
        }
        params = part.get_params(deep=False)
        if isinstance(part, Quantile) and np.ndim(part.quantile):
            _check_levels(part.quantile, constraints.pop("quantile"))
        validate_parameter_constraints(constraints, params, type(part).__name__)


def _check_levels(levels, constraints):
    """Raise an error for a sequence of quantiles that are none, or not different."""
    if np.ndim(levels) > 1 or not len(levels):
        raise ValueError(
            f"Quantile takes a number or a sequence of numbers, got {levels!r}."
        )
    for level in levels:
        validate_parameter_constraints(
            {"quantile": constraints}, {"quantile": level}, "Quantile"
        )
    if len(set(levels)) < len(levels):
        raise ValueError(f"The quantiles of Quantile must differ, got {levels!r}.")


def _check_multipliers(multipliers):
    """Raise an error for learning rates of kinds of parameters that there are not."""
    for kind, rate in () if is_auto(multipliers) else (multipliers or {}).items():
        if kind not in KINDS:
            raise ValueError(
                f"learning_rate_multipliers has a key {kind!r}; the kinds of "
                f"parameters are {list(KINDS)}."
            )
        if not (isinstance(rate, Real) and 0 <= rate < np.inf):
            raise ValueError(
                f"learning_rate_multipliers[{kind!r}] must be a finite number >= 0, "
                f"got {rate!r}."
            )


def _check_lbfgs(params):
    """Raise an error for what L-BFGS can't be combined with."""
    dropout, multipliers = params["dropout"], params["learning_rate_multipliers"]
    own_steps, still = "as it finds its own steps", "an objective that stands still"
    for name, is_wrong, needed in [
        ("solver", params["solver"] != "bgd", "solver='bgd', all rows a step"),
        (
            "dropout",
            not is_auto(dropout) and any(per_layer(params, "dropout")),
            f"dropout=0, {still}",
        ),
        (
            "learning_rate",
            not is_auto(params["learning_rate"]),
            f"learning_rate='auto', {own_steps}",
        ),
        (
            "schedule",
            not _stands_still(params["schedule"]),
            f"schedule='constant', {own_steps}",
        ),
        (
            "learning_rate_multipliers",
            multipliers not in ("auto", None, {}),
            f"learning_rate_multipliers=None, {own_steps}",
        ),
    ]:
        if is_wrong:
            raise ValueError(
                f"optimizer='lbfgs' needs {needed}; got {name}={params[name]!r}."
            )


def _stands_still(schedule):
    if is_auto(schedule):
        return True
    schedule = from_name(schedule, SCHEDULES)
    return type(schedule) is Constant and schedule.warm_up == 0
