"""Milliseconds that the prediction of one row takes, beside LightGBM's.

The row is a data frame or an array of one row, as a service has it. The two models take
turns, a prediction each, so that what else the machine does meets both; times are
medians, and ratios medians of the ratios of neighbors. LightGBM runs on one thread,
which is quicker for one row. Where it does not take a table, columns of text, it gets
the same columns as categories.
"""

import argparse
import warnings
from statistics import median
from time import perf_counter

import machine
import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier

from skdnn import DNNClassifier

GOAL = 2.0
N_TRAINING = 2000
N_CATEGORIES = 8


def numbers(n_columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.standard_normal((N_TRAINING, n_columns))).add_prefix("x")


def categories(n_columns):
    rng = np.random.default_rng(1)
    codes = rng.integers(N_CATEGORIES, size=(N_TRAINING, n_columns))
    return pd.DataFrame(codes).astype(str).astype("category").add_prefix("c")


TABLES = {
    "array of 20 numbers": lambda: numbers(20).to_numpy(),
    "20 numbers": lambda: numbers(20),
    "400 numbers": lambda: numbers(400),
    "10 numbers, 10 categories": lambda: numbers(10).join(categories(10)),
    "20 categories": lambda: categories(20),
    "20 columns of text": lambda: categories(20).astype(object),
    "400 categories": lambda: categories(400),
}


def times(predict, peer_predict, n_rounds):
    """Return the seconds of each round's two predictions."""
    seconds = []
    for _ in range(n_rounds + 1):
        start = perf_counter()
        predict()
        between = perf_counter()
        peer_predict()
        seconds.append((between - start, perf_counter() - between))
    return seconds[1:]


def measure(X, is_text, n_rounds):
    y = np.random.default_rng(2).integers(2, size=N_TRAINING)
    X_peer = X.astype("category") if is_text else X
    ours = DNNClassifier(max_iter=2, random_state=0).fit(X, y)
    peer = LGBMClassifier(n_jobs=1, verbose=-1).fit(X_peer, y)
    row, row_peer = X[:1], X_peer[:1]
    return times(
        lambda: ours.predict_proba(row), lambda: peer.predict_proba(row_peer), n_rounds
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    n_rounds = parser.parse_args().rounds
    print(machine.describe())
    print(
        f"Medians of {n_rounds} predictions of one row each, in ms; the goal in "
        f"parentheses\n\n{'':<26} {'skdnn':>8} {'LightGBM':>8} {'ratio':>7}"
    )
    warnings.simplefilter("ignore")
    for name, make in TABLES.items():
        rounds = measure(make(), "text" in name, n_rounds)
        ours, peer = (1e3 * median(column) for column in zip(*rounds, strict=True))
        ratio = median(one / other for one, other in rounds)
        print(
            f"{name:<26} {ours:>8.2f} {peer:>8.2f} {ratio:>7.2f} (<= {GOAL:.1f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
