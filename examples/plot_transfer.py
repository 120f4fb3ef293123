"""What a network has learned of the digits 0 to 4 helps it to learn 5 to 9.

The digits lie anywhere in a slightly larger image. That it does not matter where takes
many images to learn, and a network that has seen many of the first five digits brings
it along to five, ten or twenty images of each of the others: its hidden layers are
taken over, and stay as they are (frozen) or are trained further. Ten networks each, of
which mean and standard deviation are printed and drawn to transfer.png.

Where digits always lie in the middle, there is no such thing to bring along: then a
network that begins anew is as good or better.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier

N_SEEDS = 10
ROWS_A_CLASS = [5, 10, 20]
SHIFTS = [(down, right) for down in range(3) for right in range(3)]
WAYS = {
    "anew": {},
    "pretrained": {"n_frozen_layers": 0},
    "pretrained, first layer frozen": {"n_frozen_layers": 1},
    "pretrained, both layers frozen": {"n_frozen_layers": 2},
}


def shifted(images, down, right):
    """Return images of 8 x 8 somewhere in one of 10 x 10, as rows of numbers."""
    larger = np.zeros((len(images), 10, 10))
    larger[:, down : down + 8, right : right + 8] = images
    return larger.reshape(len(images), -1)


def draw_shifts(images, rng):
    """Return each image shifted once, by chance."""
    copies = np.array([shifted(images, *shift) for shift in SHIFTS])
    return copies[rng.integers(len(SHIFTS), size=len(images)), np.arange(len(images))]


def new_network(seed, **params):
    # Pixels have a scale in common, which most of them would lose on their own.
    return DNNClassifier(
        (256, 128),
        numeric_scaling=None,
        numeric_embedding=None,
        random_state=seed,
        **params,
    )


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    digits = load_digits()
    images, y = digits.images / 16, digits.target
    first = y < 5
    every = np.concatenate([shifted(images[first], *shift) for shift in SHIFTS])
    earlier = new_network(0, max_iter=20).fit(every, np.tile(y[first], len(SHIFTS)))

    scores = np.empty((len(WAYS), len(ROWS_A_CLASS), N_SEEDS))
    for seed in range(N_SEEDS):
        rng = np.random.default_rng(seed)
        X = draw_shifts(images, rng)
        order = rng.permutation(np.flatnonzero(~first))
        of_classes = [order[y[order] == digit] for digit in range(5, 10)]
        rest = np.concatenate([rows[max(ROWS_A_CLASS) :] for rows in of_classes])
        for j, n_rows in enumerate(ROWS_A_CLASS):
            few = np.concatenate([rows[:n_rows] for rows in of_classes])
            for i, way in enumerate(WAYS.values()):
                start = {**way, "pretrained": earlier} if way else {}
                clf = new_network(seed, **start).fit(X[few], y[few])
                scores[i, j, seed] = clf.score(X[rest], y[rest])

    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    print(f"{'rows a class':<32}" + "".join(f"{n:>15}" for n in ROWS_A_CLASS))
    for name, of_way in zip(WAYS, scores, strict=True):
        mean, deviation = of_way.mean(axis=1), of_way.std(axis=1)
        pairs = zip(mean, deviation, strict=True)
        line = "".join(f"{m:>8.3f} ({d:.3f})".rjust(15) for m, d in pairs)
        print(f"{name:<32}{line}")
        ax.errorbar(ROWS_A_CLASS, mean, deviation, marker="o", capsize=3, label=name)
    ax.set(
        xlabel="Rows of each of the digits 5 to 9",
        ylabel="Accuracy on the other rows",
        xticks=ROWS_A_CLASS,
    )
    ax.legend(title="Hidden layers")
    figure.savefig("transfer.png")
    print("Drawn to transfer.png")


if __name__ == "__main__":
    main()
