"""What the constructor parameters may be, alone and together."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.initializers import INITIALIZERS
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, Optimizer
from skdnn.nn.schedules import SCHEDULES, Constant, Schedule

#: What each parameter may be that classifier and regressor share.
CONSTRAINTS = {
    "hidden_layer_dims": ["array-like"],
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like"],
    "batch_norm": ["boolean"],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "solver": [StrOptions({"bgd", "sgd", "minibatch"})],
    "batch_size": [
        StrOptions({"auto"}),
        Interval(Integral, 1, None, closed="left"),
    ],
    "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer, LBFGS],
    "learning_rate": [
        StrOptions({"auto"}),
        Interval(Real, 0, None, closed="neither"),
    ],
    "schedule": [StrOptions(set(SCHEDULES)), Schedule],
    "weight_init": [StrOptions({"auto", *INITIALIZERS})],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [
        Interval(Real, 0, 1, closed="neither"),
        Interval(Integral, 1, None, closed="left"),
    ],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
    "numeric_scaling": [StrOptions({"robust", "standard", "quantile"}), None],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
    "dtype": [StrOptions({"float32", "float64"})],
}

#: What a run that goes on can't change.
FIXED = (
    "hidden_layer_dims",
    "activation",
    "batch_norm",
    "dropout",
    "loss",
    "numeric_scaling",
    "categorical_features",
    "dtype",
)


def check_together(params):
    """Raise an error for parameters that make no sense together.

    Parameters
    ----------
    params : dict
        With the parameters of an estimator, each of which alone is as `CONSTRAINTS`
        say.
    """
    _check_dims(params["hidden_layer_dims"])
    per_layer(params, "activation", lambda v: isinstance(v, str) and v in ACTIVATIONS)
    per_layer(params, "dropout", lambda v: isinstance(v, Real) and 0 <= v < 1)
    for name in ("loss", "optimizer", "schedule"):
        _check_ranges(params[name])
    if isinstance(named(params["optimizer"], OPTIMIZERS), LBFGS):
        _check_lbfgs(params)


def named(value, table):
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


def plain(params, name):
    """Return the parameter `name` as what two equal ones have in common."""
    if name in ("activation", "dropout"):
        return per_layer(params, name)
    value = params[name]
    if isinstance(value, BaseEstimator):
        return [type(value).__name__, value.get_params()]
    if isinstance(value, tuple | np.ndarray):
        return np.asarray(value).tolist()
    return value


def with_link(loss, links):
    """Return the loss with the first of `links`, unless it has another of them."""
    links = [link for link in links if link in loss.links]
    if loss.link == "auto":
        return clone(loss).set_params(link=links[0])
    if loss.link not in links:
        raise ValueError(
            f"loss={loss!r}: link must be one of {links} for this target, got "
            f"{loss.link!r}."
        )
    return loss


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


def _check_ranges(part):
    """Raise an error for a parameter of a loss, an optimizer or a schedule."""
    if not isinstance(part, str):
        constraints = {
            name: [Interval(kind, low, high, closed=closed)]
            for name, (kind, low, high, closed) in part.ranges.items()
        }
        params = part.get_params(deep=False)
        validate_parameter_constraints(constraints, params, type(part).__name__)


def _check_lbfgs(params):
    schedule = named(params["schedule"], SCHEDULES)
    meaningless = {
        "solver": params["solver"] != "bgd",
        "dropout": any(per_layer(params, "dropout")),
        "learning_rate": params["learning_rate"] != "auto",
        "schedule": type(schedule) is not Constant or schedule.warm_up > 0,
    }
    needed = {
        "solver": "solver='bgd', all rows a step",
        "dropout": "dropout=0, an objective that stands still",
        "learning_rate": "learning_rate='auto', as it finds its own steps",
        "schedule": "schedule='constant', as it finds its own steps",
    }
    for name in meaningless:
        if meaningless[name]:
            raise ValueError(
                f"optimizer='lbfgs' needs {needed[name]}; got {name}={params[name]!r}."
            )
