"""What each part of the defaults brings on the development tables.

The tables, their splits and the scores of other libraries lie beside the repository, in
``../shared/bench``.  Each variant is the default estimator with some parameters changed,
fitted on the same splits with one thread; results are kept in ``defaults.csv``, so that
only what is missing is run.

    python benchmarks/defaults.py                   run what is missing
    python benchmarks/defaults.py --only default    run these variants alone
    python benchmarks/defaults.py --report          print the tables

The numbers are those of ``summary.py`` there: error (1 - accuracy, or the root mean
squared error over the target's deviation), log loss and 1 - AUC, as shifted geometric
means over tables relative to HistGradientBoosting; seconds are the sum over tables.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import json
import multiprocessing
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
BENCH = HERE.parent.parent / "shared" / "bench"
RESULTS = HERE / "defaults.csv"
MAX_TRAIN = 5000
SHIFT = 0.01

#: The default network without any part of the recipe, but with early stopping: rows
#: held out, the best epoch kept.
PLAIN = {
    "activation": "relu",
    "parametric_activation": False,
    "dropout": 0.0,
    "optimizer": "adam",
    "learning_rate_multipliers": None,
    "schedule": "constant",
    "parametrization": "standard",
    "numeric_embedding": None,
    "input_scaling": False,
    "n_ensemble": 1,
    "max_one_hot": None,
    "temperature_scaling": False,
    "clip_predictions": False,
}


def alone(**params):
    return {**PLAIN, **params}


#: name -> parameters; those that only one of the two estimators has are for it alone
VARIANTS = {}


def tasks(folds, names, index):
    """List what is to be fitted: (variant, table, fold)."""
    done = set()
    if RESULTS.exists():
        rows = pd.read_csv(RESULTS)
        done = set(zip(rows.variant, rows.dataset, rows.split, strict=True))
    return [
        (name, entry, fold)
        for name in names
        for fold in range(folds)
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
    foreign = "clip_predictions", "temperature_scaling"
    params.pop(foreign[entry["task"] == "regression"], None)
    model = "hgb" if name == "hgb" else "skdnn_raw"
    scores, fit_s, *_ = accuracy.run_one(
        X, y, numbers, categories, entry["task"], model, fold, MAX_TRAIN, 1, params
    )
    return [
        [name, entry["name"], entry["task"], fold, metric, f"{score:.6g}", round(fit_s, 2)]
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


def errors(rows, metric):
    """Return the mean error over splits, table by variant."""
    wanted = {"error": ["accuracy", "rmse"]}.get(metric, [metric])
    part = rows[rows.metric.isin(wanted)].copy()
    grows = part.metric.isin(["accuracy", "roc_auc"])
    part["error"] = np.where(grows, 1 - part.score, part.score)
    table = part.pivot_table("error", ["dataset", "split"], "variant").dropna()
    return table.groupby("dataset").mean()


def ratios(rows, reference):
    """Return error, log loss, 1 - AUC and seconds of each variant, one a row."""
    columns = {}
    for title, metric in ("error", "error"), ("log loss", "log_loss"), (
        "1 - AUC",
        "roc_auc",
    ):
        means = np.exp(np.log(errors(rows, metric) + SHIFT).mean())
        columns[title] = means / means[reference]
    one_metric = rows[rows.metric.isin(["accuracy", "rmse"])]
    seconds = one_metric.groupby(["variant", "split"]).fit_s.sum()
    columns["fit s"] = seconds.groupby("variant").mean()
    return pd.DataFrame(columns)


def spread(rows, variant, reference):
    """Return the standard error of the log ratio of errors, over splits."""
    by_split = []
    for _, part in rows[rows.variant.isin([variant, reference])].groupby("split"):
        logs = np.log(errors(part, "error") + SHIFT)
        by_split.append((logs[variant] - logs[reference]).mean())
    return np.std(by_split, ddof=1) / np.sqrt(len(by_split))


def report():
    """Print every variant beside the default, in the order of `VARIANTS`."""
    rows = pd.read_csv(RESULTS).replace({"metric": {"nrmse": "rmse"}})
    known = [name for name in ["hgb", *VARIANTS] if name in set(rows.variant)]
    rows = rows[rows.variant.isin(known)]
    n_splits = rows.groupby("variant").split.nunique()
    table = ratios(rows, "hgb").loc[known]
    print("| variant | splits | error | log loss | 1 - AUC | fit s | error / default |")
    print("|---|---|---|---|---|---|---|")
    for name, row in table.iterrows():
        beside = row["error"] / table.loc["default", "error"] - 1
        off = spread(rows, name, "default") if name != "default" else 0.0
        print(
            f"| {name} | {n_splits[name]} | {row['error']:.3f} | {row['log loss']:.3f} "
            f"| {row['1 - AUC']:.3f} | {row['fit s']:.0f} "
            f"| {beside:+.1%} ± {off:.1%} |"
        )


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
