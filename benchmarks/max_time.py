"""Error against `max_time`, on three tables of 16,000 to 32,000 training rows.

    python benchmarks/max_time.py [--times 1 3 10]

For each table and time in seconds, one line: how long the fit took, its members and
epochs (of several kinds, those of the first), error (1 - accuracy, or root mean squared
error over the target's deviation) and log loss on the other rows. The last two lines
are the fit without `max_time`, and HistGradientBoosting's.
"""

import argparse
import time
import warnings

import machine
import numpy as np
from defaults import class_scores, number_scores
from peers import PEERS
from tables import TABLES, load, split

from skdnn import DNNClassifier, DNNRegressor

NAMES = "adult", "letter", "california"


def line(label, est, train, test, is_regression):
    """Fit an estimator and print what came of it."""
    start = time.perf_counter()
    est.fit(*train)
    seconds = time.perf_counter() - start
    if is_regression:
        values = number_scores(est, *test, np.std(train[1]))
    else:
        values = class_scores(est, *test)
        values = {
            "error": 1 - values["accuracy"],
            "log loss": values["log_loss"],
        }
    size = ""
    if isinstance(est, DNNClassifier | DNNRegressor):
        kinds = est.kinds_ or [est]
        n_members = sum(kind.network_.n_members or 1 for kind in kinds)
        size = f"{n_members} x {est.n_iter_}"
    scores = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
    print(f"{label!s:>10} {seconds:7.1f} s {size:>8}  {scores}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", nargs="+", type=float, default=[1, 3, 10, 30, 100])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine.describe())
    for name in NAMES:
        X, y = load(name)
        task = TABLES[name].task
        is_regression = task == "regression"
        train, test = split(y, task, 0, len(y))
        train, test = (X.iloc[train], y[train]), (X.iloc[test], y[test])
        print(f"\n{name}, {len(train[1])} rows")
        make = (DNNClassifier, DNNRegressor)[is_regression]
        for seconds in [*options.times, None]:
            est = make(max_time=seconds, random_state=0)
            line(seconds, est, train, test, is_regression)
        categories = list(X.select_dtypes("category"))
        line(
            "hgb",
            PEERS["hgb"](is_regression, 0, categories),
            train,
            test,
            is_regression,
        )


if __name__ == "__main__":
    main()
