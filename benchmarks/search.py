"""Seconds of a grid search with skdnn and of the same search with scikit-learn's MLP.

24 candidates times 5 folds on the digits, in two processes. Both networks have the same
layers, optimizer, batches, inputs and epochs. The searches take turns, a round at a
time, so that a machine that slows down does so for both; the ratio is taken within a
round. The first round, in which the processes start and import, is not counted.
"""

import argparse
from statistics import median
from time import perf_counter

import machine
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skdnn import DNNClassifier

#: How many times as fast as scikit-learn's the search should be.
GOAL = 5.0

WIDTHS = [(32,), (64,), (100,), (64, 32)]
ALPHAS = [1e-4, 1e-2, 1.0]
LEARNING_RATES = [1e-3, 1e-2]


def skdnn_search(n_epochs, n_jobs):
    network = DNNClassifier(
        recipe="plain",
        early_stopping=False,
        batch_size=200,
        max_iter=n_epochs,
        tol=None,
        numeric_scaling=None,
        random_state=0,
    )
    grid = {
        "hidden_layer_dims": WIDTHS,
        "alpha": ALPHAS,
        "learning_rate": LEARNING_RATES,
    }
    return GridSearchCV(network, grid, cv=5, n_jobs=n_jobs, refit=False)


def sklearn_search(n_epochs, n_jobs):
    # It runs all epochs, and does not warn, if it never sees a loss without progress.
    network = MLPClassifier(
        max_iter=n_epochs, tol=0.0, n_iter_no_change=n_epochs, random_state=0
    )
    grid = {
        "hidden_layer_sizes": WIDTHS,
        "alpha": ALPHAS,
        "learning_rate_init": LEARNING_RATES,
    }
    return GridSearchCV(network, grid, cv=5, n_jobs=n_jobs, refit=False)


def seconds(search, X, y):
    start = perf_counter()
    search.fit(X, y)
    return perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    X = X / 16
    print(machine.describe())
    rounds = []
    for i in range(args.rounds + 1):
        searches = [make(args.epochs, args.jobs) for make in SEARCHES.values()]
        rounds.append([seconds(search, X, y) for search in searches])
        best = [f"{search.best_score_:.3f}" for search in searches]
        print(f"round {i}: {rounds[-1][0]:.1f} s and {rounds[-1][1]:.1f} s", *best)
    for name, times in zip(SEARCHES, zip(*rounds[1:], strict=True), strict=True):
        print(f"{name:20s} {median(times):6.1f} s")
    ratio = median(theirs / ours for ours, theirs in rounds[1:])
    print(f"skdnn is {ratio:.2f} times as fast (>= {GOAL:g})")


SEARCHES = {"skdnn": skdnn_search, "scikit-learn's MLP": sklearn_search}

if __name__ == "__main__":
    main()
