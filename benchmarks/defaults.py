"""What each part of the defaults brings on the development tables.

The tables, their splits and the scores of other libraries lie beside the repository,
in ``../shared/bench``.  Each variant is the default estimator with some parameters
changed, fitted on the same splits with one thread; results are kept in
``defaults.csv``, so that only what is missing is run.

    python benchmarks/defaults.py                   run what is missing
    python benchmarks/defaults.py --only default    run these variants alone
    python benchmarks/defaults.py --report          print the tables

The numbers are those of ``summary.py`` there: error (1 - accuracy, or the root mean
squared error over the target's deviation), log loss and 1 - AUC, as shifted geometric
means over tables relative to HistGradientBoosting; seconds are the sum over tables.
"""

import argparse
import json
import multiprocessing
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from plain import PLAIN
from threadpoolctl import threadpool_limits

from skdnn.nn.activations import Parametric
from skdnn.nn.losses import LogLoss
from skdnn.nn.optimizers import Adam, AdamW
from skdnn.nn.schedules import CosLog

HERE = Path(__file__).parent
BENCH = HERE.parent.parent / "shared" / "bench"
RESULTS = HERE / "defaults.csv"
MAX_TRAIN = 5000
SHIFT = 0.01

#: The default network without any part of the recipe, but with early stopping: rows
#: held out, the best epoch kept.
STOPPED = {**PLAIN, "temperature_scaling": False, "clip_predictions": False}

#: What the standard parametrization needs in place of the recipe's learning rate.
STANDARD = {"parametrization": "standard", "learning_rate": 2e-3}

#: Parameters that only one of the estimators has.
CLASSIFIER_ONLY = {"temperature_scaling", "loss"}
REGRESSOR_ONLY = {"clip_predictions"}

#: The default without one of its parts.
REMOVED = {
    "embedding of numbers": {"numeric_embedding": None},
    "embedding of categories": {"max_one_hot": None},
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
    "clipping": {"clip_predictions": False},
    "ensemble": {"n_ensemble": 1},
}

#: The plain network with one part.
ALONE = {
    "nothing": {},
    "embedding of numbers": {"numeric_embedding": "piecewise_linear"},
    "embedding of categories": {"max_one_hot": 8},
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
    "clipping": {"clip_predictions": True},
    "ensemble": {"n_ensemble": 2},
}

#: The default with something else in place of, or beside, what it has.
TRIED = {
    "eight members": {"n_ensemble": 8},
    "eight members that share matrices": {
        "n_ensemble": 8,
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
    **{f"without {name}": params for name, params in REMOVED.items()},
    **{f"with {name}": params for name, params in TRIED.items()},
    **{f"plain and {name}": {**STOPPED, **params} for name, params in ALONE.items()},
}


def tasks(folds, names, index):
    """List what is to be fitted: (variant, table, fold)."""
    done = set()
    if RESULTS.exists():
        rows = pd.read_csv(RESULTS)
        done = set(zip(rows.variant, rows.dataset, rows.split, strict=True))
    return [
        (name, entry, fold)
        for fold in range(folds)
        for name in names
        for entry in index
        if (name, entry["name"], fold) not in done
    ]


def fit(task):
    """Fit one variant on one split; return rows of results."""
    import accuracy

    name, entry, fold = task
    warnings.simplefilter("ignore")
    X, y, numbers, categories = accuracy.load(BENCH / "data", entry)
    params = dict(VARIANTS.get(name, {}))
    regression = entry["task"] == "regression"
    for foreign in CLASSIFIER_ONLY if regression else REGRESSOR_ONLY:
        params.pop(foreign, None)
    model = "hgb" if name == "hgb" else "skdnn_raw"
    with threadpool_limits(1):
        scores, fit_s, *_ = accuracy.run_one(
            X, y, numbers, categories, entry["task"], model, fold, MAX_TRAIN, 1, params
        )
    task = [name, entry["name"], entry["task"], fold]
    return [
        [*task, metric, f"{score:.6g}", round(fit_s, 2)]
        for metric, score in scores.items()
        if metric != "r2"
    ]


def run(folds, names, jobs):
    """Fit what is missing, and append the results."""
    index = json.loads((BENCH / "data" / "index.json").read_text())
    header = "variant,dataset,task,split,metric,score,fit_s\n"
    if not RESULTS.exists():
        RESULTS.write_text(header)
    todo = tasks(folds, names, index)
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


def beside_default(rows, variant):
    """Return the change of the error in percent, and its standard error over splits."""
    splits = [
        log_ratio(part, variant, "default", "error")
        for _, part in rows.groupby("split")
        if variant in set(part.variant)
    ]
    change = 100 * np.expm1(np.mean(splits))
    if len(splits) < 2:
        return f"{change:+.1f} %"
    return f"{change:+.1f} ± {100 * np.std(splits, ddof=1) / len(splits) ** 0.5:.1f} %"


def report():
    """Print every variant beside HistGradientBoosting and the default."""
    rows = pd.read_csv(RESULTS)
    n_tables = rows.dataset.nunique()
    # Splits that are not finished yet are left out.
    finished = rows.groupby(["variant", "split"]).dataset.transform("nunique")
    rows = rows[finished == n_tables]
    print("| | splits | error | log loss | 1 - AUC | fit s | error beside default |")
    print("|---|---|---|---|---|---|---|")
    for name in ["hgb", *VARIANTS]:
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
            print(beside_default(rows, name), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--report", action="store_true", help="print the tables")
    parser.add_argument("--only", help="names of variants, separated by commas")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.report:
        report()
    else:
        sys.path.insert(0, str(BENCH))
        chosen = options.only.split(",") if options.only else ["hgb", *VARIANTS]
        run(options.folds, chosen, options.jobs)
