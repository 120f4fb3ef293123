"""Kinds of members: in what some of an ensemble differ from the rest."""

from skdnn._parameters import is_auto, is_lbfgs, is_on
from skdnn._warnings import warn

#: The kinds of an ensemble that has several, by what each does otherwise, the first
#: being the estimator as it is.  A portfolio is chosen once, on many tables (Feurer et
#: al., 2022), in an order in which each helps the mean of those before it.
PORTFOLIO = (
    {},
    {"numeric_embedding": "periodic", "dropout": 0.0},
    {"dropout": 0.0},
    {"numeric_embedding": "periodic"},
)

#: Members of one kind, the estimator as it is.
ALIKE = [{}]

#: With fewer members, or rows, as many of one kind are as good: the mean of one or two
#: of a kind is rough, and so is what few rows say that it is worth.
FEWEST_MEMBERS, FEWEST_ROWS = 8, 2000


#: What members of an ensemble may differ in.  All others are about columns, targets and
#: rows, or about how training is watched, which they have in common.
DIFFERING = (
    "hidden_layer_dims",
    "activation",
    "batch_norm",
    "residual",
    "dropout",
    "alpha",
    "batch_size",
    "optimizer",
    "learning_rate",
    "learning_rate_multipliers",
    "schedule",
    "weight_init",
    "parametrization",
    "max_iter",
    "n_iter_no_change",
    "numeric_embedding",
    "input_scaling",
    "linear_share",
    "auxiliary_quantiles",
)


def kinds_of(params, settings, n_rows, is_tuned):
    """Return in what each kind of members differs from the estimator as it is.

    Parameters
    ----------
    params : dict
        Parameters of an estimator.
    settings : dict
        What they stand for, so far.
    n_rows : int or None
        Number of rows to train on; None is a part of them (`partial_fit`).
    is_tuned : bool
        Whether ``"auto"`` stands for the tuned recipe.

    Returns
    -------
    kinds : list of dict
        As many as there are kinds, one at least.
    """
    portfolio, n_members = params["portfolio"], settings["n_members"]
    if is_auto(portfolio):
        enough = n_rows is not None and n_rows >= FEWEST_ROWS
        portfolio = is_tuned and enough and n_members >= FEWEST_MEMBERS
        portfolio = portfolio and _can_differ(settings)
    if not isinstance(portfolio, list | tuple):
        portfolio = _of_open(params, settings) if portfolio else ALIKE
    return list(portfolio)[:n_members]


def _can_differ(settings):
    """Return whether members have no parameters in common, and rows choose weights."""
    if settings["warm_start"] or is_lbfgs(settings["optimizer"]):
        return False
    own = settings["ensemble_weights"] == "own" and settings["pretrained"] is None
    return own and bool(settings["early_stopping"])


def _of_open(params, settings):
    """Return the kinds of `PORTFOLIO` that change nothing that was set by hand."""
    kinds = [{}]
    for changes in PORTFOLIO[1:]:
        is_open = all(is_auto(params[name]) for name in changes)
        # Where numbers have no embedding, as in wide tables, there is none to change.
        has_part = all(settings[name] for name in changes)
        if is_open and has_part:
            kinds.append(changes)
    return kinds


def members_of(kinds, n_members):
    """Return how many members each kind has, which differ by one at most."""
    n, n_more = divmod(n_members, len(kinds))
    return [n + (position < n_more) for position in range(len(kinds))]


def check_portfolio(params):
    """Raise an error for kinds that differ in what members have in common."""
    kinds = params["portfolio"]
    if isinstance(kinds, list | tuple) and not kinds:
        raise ValueError(
            "portfolio is empty: it takes a dict for each kind of members."
        )
    if not is_on(kinds):
        return
    if params["warm_start"]:
        raise ValueError(
            "portfolio trains each kind of members on its own and then weighs them, "
            "while warm_start=True goes on with one network: choose one of them."
        )
    if params["pretrained"] is not None:
        raise ValueError(
            "portfolio has kinds of members with layers of their own, while pretrained "
            "says which they begin with: choose one of them."
        )
    for changes in kinds if isinstance(kinds, list | tuple) else ():
        if not isinstance(changes, dict):
            raise ValueError(
                "portfolio must be a list of dicts, each of which says what a kind of "
                f"members does otherwise, got {changes!r} in it."
            )
        for name in changes:
            if name not in DIFFERING or name not in params:
                possible = [other for other in DIFFERING if other in params]
                raise ValueError(
                    f"portfolio has members with a {name!r} of their own; they may "
                    f"differ in {possible}."
                )


def warn_of_missing_kinds(portfolio, settings):
    """Warn of kinds that are asked for, and not there.

    Parameters
    ----------
    portfolio : bool, list of dict or "auto"
        As it was given.
    settings : namespace
        What the parameters stand for.
    """
    if isinstance(portfolio, list | tuple):
        n_missing = len(portfolio) - len(settings.portfolio)
        if n_missing:
            warn(
                f"portfolio has {len(portfolio)} kinds of members, and the last "
                f"{n_missing} have none: n_members={settings.n_members}."
            )
    elif is_on(portfolio) and settings.portfolio == ALIKE:
        warn(
            "portfolio=True has no effect: there is one member, or what its kinds "
            "differ in (numeric_embedding, dropout) is set already."
        )
