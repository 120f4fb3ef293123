"""What each part of the defaults brings on the development tables.

``tables.py`` gets the tables.  Each variant is the default estimator with two members
and some parameters changed, fitted on the same splits with one thread; results are kept
in ``defaults.csv``, so that only what is missing is run.  ``peers.py`` has the
estimators of other libraries, which run by name; one of them, scikit-learn's
HistGradientBoosting (``hgb``), is what all others are compared with.

    python benchmarks/defaults.py                   run what is missing
    python benchmarks/defaults.py --only default    run these variants alone
    python benchmarks/defaults.py --rows 500        with so many training rows at most
    python benchmarks/defaults.py --report          print the tables, of 5,000 rows

Of more than 5,000 rows, only the tables that have so many are run.

The numbers are error (1 - accuracy, or the root mean squared error over the target's
deviation), log loss and 1 - AUC, as shifted geometric means over tables relative to
HistGradientBoosting; seconds are the sum over tables.
"""

import argparse
import multiprocessing
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from peers import PEERS
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    roc_auc_score,
    root_mean_squared_error,
)
from tables import TABLES, load, split
from threadpoolctl import threadpool_limits

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.activations import Parametric
from skdnn.nn.losses import LogLoss
from skdnn.nn.optimizers import Adam, AdamW
from skdnn.nn.schedules import CosLog

RESULTS = Path(__file__).with_name("defaults.csv")
HEADER = "variant,dataset,task,rows,split,metric,score,fit_s\n"
SHIFT = 0.01

#: Training rows at most, with which all tables are run.
MAX_TRAIN = 5000

#: What parts are taken from, so that the number of rows changes nothing but itself.
TWO = {"n_members": 2}

#: The default network without any part of the recipe, but with early stopping: rows
#: held out, the best epoch kept.
STOPPED = {"recipe": "plain", "early_stopping": True}

#: What the standard parametrization needs in place of the recipe's learning rate.
STANDARD = {"parametrization": "standard", "learning_rate": 2e-3}

#: Parameters that say nothing to the other estimator.
CLASSIFIER_ONLY = {"temperature_scaling", "loss"}
REGRESSOR_ONLY = {"auxiliary_quantiles"}

#: Two members without one of their parts.
REMOVED = {
    "embedding of numbers": {"numeric_embedding": None},
    "embedding of categories": {"categorical_embedding": None},
    "input scaling": {"input_scaling": False},
    "neural-tangent parametrization": STANDARD,
    "learning rates by kind": {"learning_rate_multipliers": None},
    "slow embeddings": {
        "learning_rate_multipliers": {"scale": 6.0, "bias": 0.1, "activation": 0.1}
    },
    "parametric activation": {"activation": "silu"},
    "SiLU (ReLU instead)": {"activation": Parametric("relu")},
    "dropout": {"dropout": 0.0},
    "weight decay": {"optimizer": AdamW(beta_2=0.95, weight_decay=0.0)},
    "beta_2 of 0.95 (0.999 instead)": {"optimizer": AdamW(weight_decay=0.01)},
    "coslog (constant instead)": {"schedule": "constant"},
    "temperature scaling": {"temperature_scaling": False},
    "ensemble": {"n_members": 1},
    "linear share": {"linear_share": False},
    "auxiliary quantiles": {"auxiliary_quantiles": False},
}

#: The plain network with one part.
ALONE = {
    "nothing": {},
    "embedding of numbers": {"numeric_embedding": "piecewise_linear"},
    "embedding of categories": {"categorical_embedding": "entity"},
    "input scaling": {
        "input_scaling": True,
        "learning_rate_multipliers": {"scale": 6.0},
    },
    "neural-tangent parametrization": {"parametrization": "ntk"},
    "parametric activation": {
        "activation": Parametric("relu"),
        "learning_rate_multipliers": {"activation": 0.1},
    },
    "SiLU": {"activation": "silu"},
    "dropout": {"dropout": 0.1},
    "weight decay": {"optimizer": AdamW(weight_decay=0.01)},
    "beta_2 of 0.95": {"optimizer": Adam(beta_2=0.95)},
    "coslog": {"schedule": "coslog"},
    "temperature scaling": {"temperature_scaling": True},
    "auxiliary quantiles": {"auxiliary_quantiles": True},
    "ensemble": {"n_members": 2},
}

#: Two members with something else in place of, or beside, what they have.
TRIED = {
    "four members": {"n_members": 4},
    "eight members": {"n_members": 8},
    "sixteen members": {"n_members": 16},
    "eight members of one kind": {"n_members": 8, "portfolio": False},
    "sixteen members of one kind": {"n_members": 16, "portfolio": False},
    "eight members that share matrices": {
        "n_members": 8,
        "ensemble_weights": "shared",
    },
    "periodic embedding": {"numeric_embedding": "periodic"},
    "label smoothing of 0.1": {"loss": LogLoss(label_smoothing=0.1)},
    "flat cosine": {"schedule": "flat_cosine"},
    "one cycle": {"schedule": "one_cycle"},
    "warm-up": {"schedule": CosLog(warm_up=2)},
    "three hidden layers": {"hidden_layer_dims": (128, 128, 128)},
    "three hidden layers, residual": {
        "hidden_layer_dims": (128, 128, 128),
        "residual": True,
    },
    "batch norm": {"batch_norm": True},
    "Mish": {"activation": Parametric("mish")},
    "quantile scaling": {"numeric_scaling": "quantile"},
    "refit on all rows": {"refit": True},
}

#: name -> parameters
VARIANTS = {
    "default": {},
    "two members": TWO,
    **{f"without {name}": {**TWO, **params} for name, params in REMOVED.items()},
    **{f"with {name}": {**TWO, **params} for name, params in TRIED.items()},
    **{f"plain and {name}": {**STOPPED, **params} for name, params in ALONE.items()},
}


def tasks(folds, names, max_train):
    """List what is to be fitted: (variant, table, rows, fold)."""
    done = set()
    if RESULTS.exists():
        kept = pd.read_csv(RESULTS)
        done = set(zip(kept.variant, kept.dataset, kept.rows, kept.split, strict=True))
    tables = [t for t in TABLES if max_train <= MAX_TRAIN or has_rows(t, max_train)]
    every = (
        (name, table, max_train, fold)
        for fold in range(folds)
        for name in names
        for table in tables
    )
    return [task for task in every if task not in done]


def has_rows(table, n_rows):
    """Whether a table has so many to train on."""
    y = load(table)[1]
    return len(split(y, TABLES[table].task, 0, len(y))[0]) >= n_rows


def estimator(name, regression, fold, categories):
    """Make the estimator of a variant, or of another library."""
    if name in PEERS:
        return PEERS[name](regression, fold, categories)
    foreign = CLASSIFIER_ONLY if regression else REGRESSOR_ONLY
    params = {k: v for k, v in VARIANTS[name].items() if k not in foreign}
    return (DNNClassifier, DNNRegressor)[regression](**params, random_state=fold)


def number_scores(est, X, y, spread):
    """Return metric -> score; `spread` is the deviation of the target in training."""
    return {"nrmse": root_mean_squared_error(y, est.predict(X)) / spread}


def class_scores(est, X, y):
    """Return metric -> score."""
    # Few training rows may lack a class: it has no probability, and is a column.
    classes = np.union1d(est.classes_, y)
    proba = np.zeros((len(y), len(classes)))
    proba[:, np.isin(classes, est.classes_)] = est.predict_proba(X)
    proba = np.clip(proba, 1e-7, 1)
    proba /= proba.sum(axis=1, keepdims=True)
    values = {
        "accuracy": accuracy_score(y, np.ravel(est.predict(X))),
        "log_loss": log_loss(y, proba, labels=classes),
    }
    if proba.shape[1] == 2:
        values["roc_auc"] = roc_auc_score(y, proba[:, 1])
    return values


def fit(task):
    """Fit one variant on one split; return rows of results."""
    variant, name, max_train, fold = task
    kind = TABLES[name].task
    X, y = load(name)
    train, test = split(y, kind, fold, max_train)
    categories = list(X.select_dtypes("category"))
    est = estimator(variant, kind == "regression", fold, categories)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        est.fit(X.iloc[train], y[train])
        seconds = time.perf_counter() - start
        if kind == "regression":
            values = number_scores(est, X.iloc[test], y[test], np.std(y[train]))
        else:
            values = class_scores(est, X.iloc[test], y[test])
    return [
        [
            variant,
            name,
            kind,
            max_train,
            fold,
            metric,
            f"{value:.6g}",
            round(seconds, 2),
        ]
        for metric, value in values.items()
    ]


def run(folds, names, max_train, jobs):
    """Fit what is missing, and append the results."""
    if not RESULTS.exists():
        RESULTS.write_text(HEADER)
    todo = tasks(folds, names, max_train)
    for name in {table for _, table, *_ in todo}:
        load(name)  # so that no two processes prepare it
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, maxtasksperchild=20) as pool, RESULTS.open("a") as file:
        for n, rows in enumerate(pool.imap_unordered(fit, todo), 1):
            file.writelines(",".join(map(str, row)) + "\n" for row in rows)
            file.flush()
            print(f"{n} of {len(todo)}: {rows[0][0]}, {rows[0][1]}", flush=True)


def errors(rows, variant, metric):
    """Return the errors of a variant, by table and split; lower is better."""
    wanted = {"error": ["accuracy", "nrmse"]}.get(metric, [metric])
    part = rows[(rows.variant == variant) & rows.metric.isin(wanted)]
    grows = part.metric.isin(["accuracy", "roc_auc"])
    values = np.where(grows, 1 - part.score, part.score)
    return pd.Series(values, [part.dataset, part.split])


def log_ratio(rows, variant, reference, metric):
    """Return the log of the ratio of shifted geometric means over tables.

    A table's error is the mean over the splits that both have finished.
    """
    pair = [errors(rows, name, metric) for name in (variant, reference)]
    both = pd.concat(pair, axis=1).dropna().groupby(level=0).mean()
    ours, theirs = np.log(both + SHIFT).mean()
    return ours - theirs


def beside_two(rows, variant):
    """Return the change of the error in percent, and its standard error over splits."""
    splits = [
        log_ratio(part, variant, "two members", "error")
        for _, part in rows.groupby("split")
        if {variant, "two members"} <= set(part.variant)
    ]
    if not splits:
        return ""
    change = 100 * np.expm1(np.mean(splits))
    if len(splits) < 2:
        return f"{change:+.1f} %"
    return f"{change:+.1f} ± {100 * np.std(splits, ddof=1) / len(splits) ** 0.5:.1f} %"


def report(max_train):
    """Print every variant beside HistGradientBoosting and two members."""
    rows = pd.read_csv(RESULTS)
    rows = rows[rows.rows == max_train]
    n_tables = rows.dataset.nunique()
    # Splits that are not finished yet are left out.
    finished = rows.groupby(["variant", "split"]).dataset.transform("nunique")
    rows = rows[finished == n_tables]
    print("| | splits | error | log loss | 1 - AUC | fit s | error beside two |")
    print("|---|---|---|---|---|---|---|")
    for name in [*PEERS, *VARIANTS]:
        own = rows[rows.variant == name]
        n_splits = own.split.nunique()
        if n_splits:
            cells = [
                f"{np.exp(log_ratio(rows, name, 'hgb', metric)):.3f}"
                for metric in ("error", "log_loss", "roc_auc")
            ]
            fits = own[own.metric.isin(["accuracy", "nrmse"])]
            cells.append(f"{fits.fit_s.sum() / n_splits:.0f}")
            print(f"| {name} | {n_splits} |", " | ".join(cells), end=" | ")
            print(beside_two(rows, name), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--report", action="store_true", help="print the tables")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*PEERS, *VARIANTS],
        metavar="NAME",
        help="variants, or estimators of peers.py",
    )
    parser.add_argument("--rows", type=int, default=MAX_TRAIN, metavar="N")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.report:
        report(options.rows)
    else:
        names = options.only or ["hgb", *VARIANTS]
        run(options.folds, names, options.rows, options.jobs)
