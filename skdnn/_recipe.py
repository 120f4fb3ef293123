"""What ``"auto"`` means: the choices that measurements made, and when they hold.

There are two recipes.  The tuned one is mostly that of RealMLP (Holzmueller et al.,
2024, "Better by Default"); in the plain one, which the textbook has, each of its parts
is off.  ``recipe="auto"`` is the tuned one where Adam takes mini-batches.
``benchmarks/defaults.py`` measures what each part brings.
"""

from math import log2, sqrt
from types import SimpleNamespace

from skdnn._data import FEWEST_TO_SPLIT, validation_size
from skdnn._parameters import from_name, is_auto, is_lbfgs, predicts_mean
from skdnn._portfolio import kinds_of
from skdnn.nn.activations import Parametric
from skdnn.nn.optimizers import OPTIMIZERS, Adam, AdamW

#: Of all tasks.
TUNED = {
    "activation": Parametric("silu"),
    "dropout": 0.2,
    "schedule": "coslog",
    "optimizer": AdamW(beta_2=0.95, weight_decay=0.01),
    "numeric_embedding": "piecewise_linear",
    "categorical_embedding": "entity",
    "input_scaling": True,
    "parametrization": "ntk",
    "learning_rate_multipliers": {
        "scale": 6.0,
        "bias": 0.1,
        "activation": 0.1,
        "embedding": 0.1,
    },
    "n_members": 2,
    "temperature_scaling": True,
}

PLAIN = {
    "activation": "relu",
    "dropout": 0.0,
    "schedule": "constant",
    "optimizer": "adam",
    "numeric_embedding": None,
    "categorical_embedding": None,
    "input_scaling": False,
    "parametrization": "standard",
    "learning_rate_multipliers": {},
    "n_members": 1,
    "temperature_scaling": False,
}

#: Above this many rows, ``early_stopping="auto"`` means True for a plain network, as in
#: HistGradientBoosting; for the tuned recipe, from `FEWEST_TO_SPLIT` on.
EARLY_STOPPING_ROWS = 10_000

#: The learning rate of the tuned recipe.
CLASSIFIER_RATE, REGRESSOR_RATE = 0.05, 0.12

#: Above this many columns, ``numeric_embedding="auto"`` is None.
MAX_EMBEDDED = 200

#: Epochs of the tuned recipe at 5,000 rows, and at most: they fall with the fourth root
#: of the rows.
EPOCHS, AT_ROWS, MOST_EPOCHS = 60, 5000, 90

#: How many members the ensemble has with fewer rows than that: where a network on its
#: own is least sure of itself, and quickest, they are more than two.
MEMBERS = {1000: 8, 10_000: 4}

#: With fewer rows, a linear model has a share in the raw predictions.
LINEAR_ROWS = 1000

#: Batches hold about 1.6 times the root of the number of rows, as a power of two within
#: these limits.
SMALLEST_BATCH, LARGEST_BATCH = 32, 512

#: From so many hidden layers on, the tuned recipe has residual connections: without
#: them, the signal gets smaller layer by layer, and is lost in the noise of dropout.
DEEP = 5


def resolve(params, n_columns, n_rows=None, is_classifier=True, before=None):
    """Return the parameters with what ``"auto"`` stands for in its place.

    Parameters
    ----------
    params : dict
        Parameters of an estimator.
    n_columns : int
    n_rows : int, default=None
        Number of rows to train on; None is a part of them (`partial_fit`).
    is_classifier : bool
    before : dict, default=None
        What some of them stood for when training began, for a run that goes on.

    Returns
    -------
    settings : namespace
    """
    before = (before or {}).items()
    params = params | {k: v for k, v in before if is_auto(params.get(k))}
    tuned = is_tuned(params)
    autos = {name for name, value in params.items() if is_auto(value)}
    choices = {**PLAIN, **(TUNED if tuned else {})}
    if n_columns > MAX_EMBEDDED:
        choices["numeric_embedding"] = None
    if n_rows is None or params["warm_start"]:
        # Nobody knows how long it will go on: a wave would have ended at rate 0.
        choices["schedule"] = "constant"
    if is_lbfgs(params["optimizer"]):
        # It needs an objective that stands still, and finds its own steps.
        choices.update(dropout=0.0, schedule="constant", learning_rate_multipliers={})
    choices["early_stopping"] = n_rows is not None and _splits(params, tuned, n_rows)
    choices["residual"] = tuned and len(params["hidden_layer_dims"]) >= DEEP
    # All rows a step are few steps an epoch.
    by_rows = tuned and n_rows is not None and params["solver"] != "bgd"
    choices.update(_by_rows(n_rows if by_rows else None, params["max_iter"]))
    settings = {**params, **{name: choices[name] for name in autos if name in choices}}
    settings["optimizer"] = from_name(settings["optimizer"], OPTIMIZERS)
    if "learning_rate" in autos:
        rate = settings["optimizer"].default_learning_rate
        # Others take steps as large as the gradient, which has its own scale.
        if settings["parametrization"] == "ntk" and settings["optimizer"].normalizes:
            rate = CLASSIFIER_RATE if is_classifier else REGRESSOR_RATE
        settings["learning_rate"] = rate
    settings.setdefault("temperature_scaling", False)
    if "linear_share" in autos:
        settings["linear_share"] = tuned and _shares(settings, n_rows)
    elif settings["linear_share"] and settings["residual"]:
        raise ValueError(
            "linear_share=True is a shortcut around the network, and residual=True, "
            f"which 'auto' is from {DEEP} hidden layers on, makes some around its "
            "layers: shortcuts do not nest. Set one of them to False."
        )
    if "auxiliary_quantiles" in autos:
        settings["auxiliary_quantiles"] = tuned and _has_auxiliary(settings, n_rows)
    if "n_members" in autos and isinstance(settings["portfolio"], list | tuple):
        # Of the kinds that are given, none is left out.
        settings["n_members"] = max(settings["n_members"], len(settings["portfolio"]))
    settings["portfolio"] = kinds_of(params, settings, n_rows, tuned)
    settings["recipe"] = "tuned" if tuned else "plain"
    return SimpleNamespace(**settings)


def is_tuned(params):
    """Whether ``"auto"`` stands for the tuned recipe."""
    if not is_auto(params["recipe"]):
        return params["recipe"] == "tuned"
    optimizer = params["optimizer"]
    adam = optimizer in ("auto", "adam", "adamw") or isinstance(optimizer, Adam)
    return adam and params["solver"] == "minibatch"


def _splits(params, tuned, n_rows):
    """Return whether rows are held out."""
    enough = n_rows >= FEWEST_TO_SPLIT if tuned else n_rows > EARLY_STOPPING_ROWS
    return enough and validation_size(params["validation_fraction"], n_rows) < n_rows


def _shares(settings, n_rows):
    """Return whether a linear model is of use, and rows will tell how much."""
    if n_rows is None or settings["warm_start"] or settings["residual"]:
        return False
    return n_rows < LINEAR_ROWS and bool(settings["early_stopping"])


def _has_auxiliary(settings, n_rows):
    """Return whether quantiles are learned beside the mean that is asked for."""
    if n_rows is None or settings["warm_start"] or is_lbfgs(settings["optimizer"]):
        # They are left out of the model in the end, and kinks are not for L-BFGS.
        return False
    return predicts_mean(settings["loss"])


def _by_rows(n_rows, max_iter):
    """Return what depends on the number of rows; None is that nothing does."""
    if n_rows is None:
        return {"batch_size": 200, "max_iter": 200, "n_iter_no_change": 10}
    batch_size = 2 ** round(log2(1.6 * sqrt(n_rows)))
    if is_auto(max_iter):
        max_iter = round(EPOCHS * (AT_ROWS / n_rows) ** 0.25)
        max_iter = max(1, min(MOST_EPOCHS, max_iter))
    members = [number for limit, number in MEMBERS.items() if n_rows < limit]
    return {
        **({"n_members": members[0]} if members else {}),
        "batch_size": min(max(batch_size, SMALLEST_BATCH), LARGEST_BATCH),
        "max_iter": max_iter,
        # From the end of the second wave of coslog, at a fifth, to that of the last.
        "n_iter_no_change": max(1, round(0.8 * max_iter)),
    }
