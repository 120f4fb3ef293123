"""What a network from earlier years brings to the few rows of the last one.

Both tables have categories, and a column with the year.  A network is trained on the
rows of all years but the last; the last has a few rows to learn from, drawn anew for
each seed, and the others to be tested on.  One network has those alone, others start
from the earlier one's layers, some of which are frozen.  The earlier network itself is
among them too: what has not changed needs no training.
"""

import argparse
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from tables import load

from skdnn import DNNClassifier, DNNRegressor

N_ROWS = 100

#: Table -> the column of the year, and the estimator.
YEARS = {"nass_crash": ("yearacc", DNNClassifier), "nlswork": ("year", DNNRegressor)}


def error(est, X, y):
    """Return the log loss of a classifier, or the standardized error of a regressor."""
    if isinstance(est, DNNClassifier):
        return log_loss(y, est.predict_proba(X))
    return np.sqrt(np.mean((est.predict(X) - y) ** 2)) / np.std(y)


def errors(name, n_seeds):
    """Yield the errors of each seed: without, and with 0, 1, 2 frozen layers."""
    X, y = load(name)
    column, kind = YEARS[name]
    y, is_last = np.asarray(y), (X[column] == X[column].max()).to_numpy()
    X = X.drop(columns=column)
    earlier = kind(random_state=0).fit(X[~is_last], y[~is_last])
    X, y = X[is_last], y[is_last]
    for seed in range(n_seeds):
        order = np.random.default_rng(seed).permutation(len(y))
        few, rest = order[:N_ROWS], order[N_ROWS:]
        ways = [{}, *({"pretrained": earlier, "n_frozen_layers": k} for k in range(3))]
        fits = [kind(random_state=seed, **way).fit(X.iloc[few], y[few]) for way in ways]
        yield [error(est, X.iloc[rest], y[rest]) for est in (*fits, earlier)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    n_seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"Mean and standard deviation of {n_seeds} seeds, {N_ROWS} rows\n")
    names = "few rows alone", "0 frozen", "1 frozen", "2 frozen", "earlier network"
    print(f"{'':<12}" + "".join(f"{name:>17}" for name in names))
    for name in YEARS:
        results = np.array(list(errors(name, n_seeds)))
        pairs = zip(results.mean(axis=0), results.std(axis=0), strict=True)
        line = "".join(f"{mean:.3f} ({std:.3f})".rjust(17) for mean, std in pairs)
        print(f"{name:<12}{line}")


if __name__ == "__main__":
    main()
