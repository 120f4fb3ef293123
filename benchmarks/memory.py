"""Peak memory of fit and of prediction over that of holding the data.

Each number comes from a child process of its own, which loads X last and then makes
one call; it is the growth of the process's peak resident memory across that call. The
peak only ever rises, and loading X, straight from the file into its array, leaves it at
what the process holds at that moment. A child starts with the peak of its parent, hence
the parent never touches the data: another child draws and saves them.
"""

import argparse
import resource
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import joblib
import machine
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier, DNNRegressor

ESTIMATORS = {"DNNClassifier": DNNClassifier, "DNNRegressor": DNNRegressor}
PREDICTIONS = {
    "DNNClassifier": ("predict", "predict_proba"),
    "DNNRegressor": ("predict",),
}
MEGABYTE = 1e6
ALLOWED_FIT = 100 * MEGABYTE
ALLOWED_PREDICT = 50 * MEGABYTE


def save_data(folder, n_samples, n_features):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    y = X @ rng.standard_normal(n_features) + rng.standard_normal(n_samples)
    np.save(folder / "X.npy", X)
    np.save(folder / "DNNRegressor.npy", y)
    np.save(folder / "DNNClassifier.npy", (y > 0).astype(np.int64))


def fit_growth(folder, name, solver):
    """Return the bytes that fit adds to the peak; keep the estimator in the folder."""
    estimator = ESTIMATORS[name](
        (128, 64), solver=solver, max_iter=2, dtype="float32", random_state=0
    )
    y = np.load(folder / f"{name}.npy")
    X = np.load(folder / "X.npy")
    before = peak_memory()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y)
    growth = peak_memory() - before
    joblib.dump(estimator, folder / f"{name}.joblib")
    return growth


def predict_growth(folder, name, method):
    """Return the bytes that a prediction adds to the peak, and those of its result."""
    predict = getattr(joblib.load(folder / f"{name}.joblib"), method)
    X = np.load(folder / "X.npy")
    before = peak_memory()
    result = predict(X)
    return peak_memory() - before, result.nbytes


def peak_memory():
    """Return the most bytes this process has ever had in memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def in_child(function, *args):
    """Call the function in a new interpreter and return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def print_row(name, call, growth, allowed=None):
    goal = f"(<= {allowed / MEGABYTE:.0f})" if allowed else ""
    line = f"{name:<14} {call:<22} {growth / MEGABYTE:>8.0f} MB {goal:>10}"
    print(line.rstrip(), flush=True)


def measure(folder, n_samples, n_features):
    in_child(save_data, folder, n_samples, n_features)
    float32_copy = 4 * n_samples * n_features
    for name, methods in PREDICTIONS.items():
        growth = in_child(fit_growth, folder, name, "minibatch")
        print_row(name, "fit, minibatch", growth, float32_copy + ALLOWED_FIT)
        for method in methods:
            growth, n_bytes = in_child(predict_growth, folder, name, method)
            print_row(name, method, growth, n_bytes + ALLOWED_PREDICT)
    for name in ESTIMATORS:
        growth = in_child(fit_growth, folder, name, "bgd")
        print_row(name, "fit, bgd", growth)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=50)
    arguments = parser.parse_args()
    print(machine.describe())
    print(
        f"Peak resident memory added to that of holding X, {arguments.rows} x "
        f"{arguments.features} in float64,\nby networks of hidden layers (128, 64) in "
        f"float32; goals in parentheses\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.rows, arguments.features)


if __name__ == "__main__":
    main()
