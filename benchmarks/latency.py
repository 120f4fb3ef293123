"""What predictions take: milliseconds of one row, seconds of a million.

One row: a data frame or an array, as a service has it. Beside `predict_proba` stands
what scikit-learn's own checks of that row take, where it has any (it knows no
categories), and LightGBM's prediction on one thread, which is quicker for one row.
Where LightGBM does not take a table, columns of text, it gets the same columns as
categories.

Many rows: an array of numbers. Beside the prediction of a plain network stands that of
scikit-learn's MLP of the same architecture, and beside that of the default recipe its
matrix products alone: in float64, as predictions are computed, into arrays that exist
already, a block of rows after the other.

Contenders take turns, a prediction each, so that what else the machine does meets all;
times are medians, and ratios and differences medians of those within a round.
"""

import argparse
import importlib.util
import warnings
from functools import partial
from statistics import median
from time import perf_counter

import machine
import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.utils.validation import validate_data
from turns import ratio, take_turns

from skdnn import DNNClassifier

#: The most times of LightGBM's that a row may take, and microseconds more than checks.
LIGHTGBM_GOAL = 2.0
CHECKS_GOAL = 60

#: Of a million rows: times as fast as the MLP, and times of the products.
MLP_GOAL = 1.0
PRODUCTS_GOAL = 1.5

N_TRAINING = 2000
N_CATEGORIES = 8
N_COLUMNS = 20
ARCHITECTURES = [(100,), (256, 256)]

#: Rows of a product of the floor: what goes in and comes out stays in the cache.
BLOCK = 1024

HAS_LIGHTGBM = importlib.util.find_spec("lightgbm") is not None


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


def seconds(function, *args):
    start = perf_counter()
    function(*args)
    return perf_counter() - start


def targets():
    return np.random.default_rng(2).integers(2, size=N_TRAINING)


def of_one_row(X, name, n_rounds):
    """Return the seconds of each round's predictions of one row, and of its checks."""
    y = targets()
    ours = DNNClassifier(max_iter=2, random_state=0).fit(X, y)
    contenders = {"skdnn": partial(seconds, ours.predict_proba, X[:1])}
    if name.endswith("numbers"):
        check = partial(
            validate_data, ours, X[:1], reset=False, ensure_all_finite="allow-nan"
        )
        contenders["checks"] = partial(seconds, check)
    if HAS_LIGHTGBM:
        from lightgbm import LGBMClassifier

        X = X.astype("category") if "text" in name else X
        peer = LGBMClassifier(n_jobs=1, verbose=-1).fit(X, y)
        contenders["LightGBM"] = partial(seconds, peer.predict_proba, X[:1])
    take_turns(contenders, 1)
    return take_turns(contenders, n_rounds)


def print_one_row(n_rounds):
    print(
        f"Milliseconds of one row, {n_rounds} rounds\n\n"
        f"{'':<26}{'skdnn':>8}{'checks':>8}{'us over checks':>16}{'':>10}"
        f"{'LightGBM':>10}{'ratio':>7}"
    )
    for name, make in TABLES.items():
        times = of_one_row(make(), name, n_rounds)
        line = f"{name:<26}{1e3 * median(times['skdnn']):>8.3f}"
        if "checks" in times:
            pairs = zip(times["skdnn"], times["checks"], strict=True)
            over = 1e6 * median(ours - checks for ours, checks in pairs)
            # Of frames, scikit-learn alone checks much that this goal is not about.
            goal = f"(<= {CHECKS_GOAL})" if name.startswith("array") else ""
            line += f"{1e3 * median(times['checks']):>8.3f}{over:>16.0f}{goal:>10}"
        else:
            line += f"{'-':>8}{'-':>16}{'':>10}"
        if "LightGBM" in times:
            line += f"{1e3 * median(times['LightGBM']):>10.3f}"
            line += f"{ratio(times, 'skdnn', 'LightGBM'):>7.2f} (<= {LIGHTGBM_GOAL:g})"
        else:
            line += f"{'-':>10}{'-':>7}"
        print(line, flush=True)


def products(coefs, n_rows):
    """Make a function that does the products of a prediction, and nothing else.

    The matrices are of shape (n_inputs, n_outputs), or with one more axis, the first,
    of the members of an ensemble.
    """
    rng = np.random.default_rng(0)
    members = [
        list(weights)
        for weights in zip(
            *(w.astype(np.float64).reshape(-1, *w.shape[-2:]) for w in coefs),
            strict=True,
        )
    ]
    widths = [len(members[0][0]), *(w.shape[1] for w in members[0])]
    arrays = [rng.standard_normal((BLOCK, width)) for width in widths]

    def run():
        for start in range(0, n_rows, BLOCK):
            n = min(BLOCK, n_rows - start)
            for weights in members:
                for x, w, out in zip(arrays, weights, arrays[1:], strict=False):
                    np.matmul(x[:n], w, out=out[:n])

    return run


def print_many_rows(n_rows, n_rounds):
    print(
        f"Seconds of {n_rows:,} x {N_COLUMNS}, {n_rounds} rounds\n\n"
        f"{'':<26}{'skdnn':>8}{'beside':>8}{'ratio':>9}"
    )
    X = np.random.default_rng(3).standard_normal((n_rows, N_COLUMNS))
    X_train, y = X[:N_TRAINING], targets()
    for hidden in ARCHITECTURES:
        ours = DNNClassifier(hidden, recipe="plain", max_iter=2, random_state=0)
        peer = MLPClassifier(hidden, max_iter=2, random_state=0)
        contenders = {
            name: partial(seconds, est.fit(X_train, y).predict_proba, X)
            for name, est in (("skdnn", ours), ("mlp", peer))
        }
        take_turns(contenders, 1)
        times = take_turns(contenders, n_rounds)
        value = f"{ratio(times, 'mlp', 'skdnn'):>9.2f} (>= {MLP_GOAL:g})"
        print_pair(f"MLP {hidden} / skdnn", times["skdnn"], times["mlp"], value)
    ours = DNNClassifier(max_iter=2, random_state=0).fit(X_train, y)
    contenders = {
        "skdnn": partial(seconds, ours.predict_proba, X),
        "products": partial(seconds, products(ours.coefs_, n_rows)),
    }
    take_turns(contenders, 1)
    times = take_turns(contenders, n_rounds)
    value = f"{ratio(times, 'skdnn', 'products'):>9.2f} (<= {PRODUCTS_GOAL:g})"
    print_pair("default / its products", times["skdnn"], times["products"], value)


def print_pair(name, ours, others, value):
    print(f"{name:<26}{median(ours):>8.3f}{median(others):>8.3f}{value}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--parts", default="one,many", help="one row, many rows, or both"
    )
    parser.add_argument("--rounds", type=int, default=100, help="of one row")
    parser.add_argument("--many-rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    if not set(parts) <= {"one", "many"}:
        parser.error("--parts: one, many, or both with a comma")
    warnings.simplefilter("ignore")
    print(machine.describe())
    print("Medians; goals in parentheses")
    if "one" in parts:
        print()
        print_one_row(arguments.rounds)
    if "many" in parts:
        print()
        print_many_rows(arguments.rows, arguments.many_rounds)


if __name__ == "__main__":
    main()
