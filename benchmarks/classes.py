"""Time an epoch and a prediction take as classes grow, beside their matrix products.

The constructor's defaults on made-up data. An epoch is what a longer fit takes beyond a
fit of one epoch, validation and temperature included. Times are of the processor, which
other programs that run lengthen less than the seconds on the wall.
"""

import argparse
from time import process_time

import machine
import numpy as np
from epoch_time import matrix_products

from skdnn import DNNClassifier

N_SAMPLES, N_FEATURES = 20_000, 20
CLASSES = (2, 10, 100, 1000, 3000)

#: Epochs beyond the first.
N_EPOCHS = 2


def make_data(n_classes):
    """Draw a standard normal X, and classes of about equal size that depend on it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    noise = rng.standard_normal(N_SAMPLES)
    rank = np.argsort(np.argsort(X[:, 0] + X[:, 1] + 0.5 * noise))
    return X, rank * n_classes // N_SAMPLES


def time_of(function, *args):
    start = process_time()
    result = function(*args)
    return process_time() - start, result


def fit(X, y, n_epochs):
    return DNNClassifier(max_iter=n_epochs, tol=None, random_state=0).fit(X, y)


def products(coefs, batch_size):
    """Return functions that do the products of an epoch, and of a prediction."""
    rng = np.random.default_rng(0)
    # (n_members, n_inputs, n_outputs): one member after the other.
    members = [list(weights) for weights in zip(*coefs, strict=True)]
    of_step = [matrix_products(weights, batch_size, rng) for weights in members]
    n_layers = len(coefs)

    def step(n_of_member):
        for of_member in of_step:
            for left, right, out in of_member[:n_of_member]:
                np.matmul(left, right, out=out)

    def run(n_of_member=None):
        for _ in range(N_SAMPLES // batch_size):
            step(n_of_member)

    return run, lambda: run(n_layers)


def table_row(n_classes, n_rounds):
    X, y = make_data(n_classes)
    times = []
    for _ in range(n_rounds):
        short, _ = time_of(fit, X, y, 1)
        long, clf = time_of(fit, X, y, 1 + N_EPOCHS)
        training, prediction = products(clf.coefs_, 256)
        floor = time_of(training)[0]
        forward = time_of(prediction)[0]
        epoch = (long - short) / N_EPOCHS
        predict, proba = time_of(clf.predict, X)[0], time_of(clf.predict_proba, X)[0]
        times.append([floor, epoch, epoch / floor, forward, predict / forward])
        times[-1].append(proba / forward)
    return np.median(times, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--classes", type=int, nargs="*", default=CLASSES)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(machine.describe())
    print(f"\n{N_SAMPLES} x {N_FEATURES}; medians of {arguments.rounds} rounds\n")
    headings = "products s", "epoch s", "ratio", "forward s", "predict", "proba"
    print(f"{'classes':>8}" + "".join(f"{h:>12}" for h in headings))
    for n_classes in arguments.classes:
        row = table_row(n_classes, arguments.rounds)
        print(f"{n_classes:>8}" + "".join(f"{v:>12.3f}" for v in row), flush=True)


if __name__ == "__main__":
    main()
