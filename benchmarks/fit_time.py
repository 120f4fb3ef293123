"""Seconds of whole fits: compiled and by NumPy, and beside gradient boosting.

The fits are of the default recipe, with encoding, validation and stopping in them.
Those to compare take turns in one process, a round at a time; ratios are taken within a
round, and everything printed is a median over the rounds.

The first part switches the compiled engine off for every other fit. The second fits the
defaults and scikit-learn's HistGradientBoosting to the 22 development tables, as
``defaults.py`` has them, but on all threads; the ratio is that of the total times.
"""

import argparse
import warnings
from functools import partial
from statistics import median
from time import perf_counter
from unittest.mock import patch

import machine
import numpy as np
from defaults import MAX_TRAIN, estimator
from tables import TABLES, load, split
from turns import ratio, take_turns

from skdnn import DNNClassifier
from skdnn.nn import compiled

N_FEATURES = 14

#: What is fitted -> rows, parameters, how many times as fast as NumPy it should be.
FITS = {
    "5,000 rows": (5000, {}, 4.5),
    "5,000 rows, eight members": (5000, {"n_members": 8}, 5.0),
    "500 rows": (500, {}, 4.0),
}

#: Of the times of all tables together, skdnn's to that of HistGradientBoosting.
TABLES_GOAL = 1.5


def make_data(n_samples):
    """Draw numbers, and classes that depend on a product and a wave of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, N_FEATURES))
    noise = 0.5 * rng.standard_normal(n_samples)
    score = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + noise
    return X, (score > 0).astype(np.int64)


def seconds(make, X, y, available=compiled.available):
    """Return the seconds of a fit, with or without the compiled engine."""
    est = make()
    with patch.object(compiled, "available", available):
        start = perf_counter()
        est.fit(X, y)
        return perf_counter() - start


def compare_engines(n_rounds):
    """Print how many times as fast as NumPy the compiled engine is."""
    print(f"{'':<28}{'compiled':>10}{'NumPy':>10}{'ratio':>8}")
    for name, (n_samples, params, goal) in FITS.items():
        X, y = make_data(n_samples)
        fit = partial(seconds, partial(DNNClassifier, **params, random_state=0), X, y)
        contenders = {"compiled": fit, "NumPy": partial(fit, available=False)}
        take_turns(contenders, 1)  # imports, first touch of memory, threads
        times = take_turns(contenders, n_rounds)
        ours, by_numpy = (median(times[kind]) for kind in contenders)
        print(
            f"{name:<28}{ours:>9.3f}s{by_numpy:>9.3f}s"
            f"{ratio(times, 'NumPy', 'compiled'):>8.2f} (>= {goal:g})",
            flush=True,
        )


def time_table(name, n_rounds):
    """Return the seconds of both estimators on a table, one a round."""
    X, y = load(name)
    kind = TABLES[name].task
    train, _ = split(y, kind, 0, MAX_TRAIN)
    X, y, is_number = X.iloc[train], y[train], kind == "regression"
    categories = list(X.select_dtypes("category"))
    contenders = {
        variant: partial(
            seconds, partial(estimator, variant, is_number, 0, categories), X, y
        )
        for variant in ("default", "hgb")
    }
    return take_turns(contenders, n_rounds)


def compare_tables(names, n_rounds):
    """Print the times of the defaults and of gradient boosting, table by table."""
    print(f"{'':<28}{'skdnn':>10}{'boosting':>10}{'ratio':>8}")
    time_table(names[0], 1)  # imports, first touch of memory, threads
    totals = {"default": np.zeros(n_rounds), "hgb": np.zeros(n_rounds)}
    for name in names:
        times = time_table(name, n_rounds)
        print_table(name, times)
        for variant, total in totals.items():
            total += times[variant]
    print_table("all", totals, f"(<= {TABLES_GOAL:g})")


def print_table(name, times, goal=""):
    ours, theirs = median(times["default"]), median(times["hgb"])
    line = f"{name:<28}{ours:>9.2f}s{theirs:>9.2f}s"
    print(f"{line}{ratio(times, 'default', 'hgb'):>8.2f} {goal}".rstrip(), flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="engines,tables")
    parser.add_argument("--tables", default=",".join(TABLES))
    arguments = parser.parse_args()
    for option, known in (("parts", ("engines", "tables")), ("tables", TABLES)):
        names = getattr(arguments, option).split(",")
        if unknown := set(names) - set(known):
            parser.error(f"--{option}: {sorted(unknown)} not in {list(known)}")
        setattr(arguments, option, names)
    return arguments


def main():
    arguments = parse_arguments()
    warnings.simplefilter("ignore")
    print(machine.describe())
    print(
        f"Median seconds of a fit and median ratios of {arguments.rounds} rounds; "
        f"goals in parentheses"
    )
    if "engines" in arguments.parts:
        print()
        if compiled.available:
            compare_engines(arguments.rounds)
        else:
            print(f"No compiled engine to compare: {compiled.why_not}")
    if "tables" in arguments.parts:
        print()
        compare_tables(arguments.tables, arguments.rounds)


if __name__ == "__main__":
    main()
