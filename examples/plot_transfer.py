r"""
Transfer learning: a network begins where another one ended
===========================================================

What a network has learned in its first layers may be of use for another problem: these
layers are taken over (`pretrained`), new ones are put on top, and some of the first
stay as they are (`n_frozen_layers`), the others are trained further. That pays where
the problems have something in common, and where the new one has few rows. Ten networks
each, of which mean and standard deviation are printed and drawn.

This is S14 of the :ref:`textbook's systems <textbook>`.
"""

import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier

N_SEEDS = 10
COLORS = {
    "anew": "tab:blue",
    "pretrained": "tab:orange",
    "first layer frozen": "tab:green",
    "earlier network as it is": "gray",
}
# Few rows, and few epochs for them: training could go on, and says so.
warnings.simplefilter("ignore", ConvergenceWarning)


def compare(title, ways, sizes, rows_to_learn_from, ax):
    """Print and draw the accuracy of each way to train on few rows.

    `ways` are functions of a seed, rows and targets that return a fitted network;
    `rows_to_learn_from(n, seed)` is ``X, y, X_test, y_test``.
    """
    print(f"{title:<26}" + "".join(f"{n:>15}" for n in sizes))
    for k, (name, train) in enumerate(ways.items()):
        scores = np.empty((len(sizes), N_SEEDS))
        for i, seed in np.ndindex(scores.shape):
            X, y, X_test, y_test = rows_to_learn_from(sizes[i], seed)
            scores[i, seed] = train(seed, X, y).score(X_test, y_test)
        mean, deviation = scores.mean(axis=1), scores.std(axis=1)
        pairs = zip(mean, deviation, strict=True)
        line = "".join(f"{m:>8.3f} ({d:.3f})".rjust(15) for m, d in pairs)
        print(f"{name:<26}{line}")
        beside = np.array(sizes) * (1 + 0.015 * k)  # so that none hides another
        style = {"marker": "o", "capsize": 3, "color": COLORS[name]}
        ax.errorbar(beside, mean, deviation, label=name, **style)
    ax.set(title=title, ylabel="Accuracy on the other rows", xticks=sizes)
    ax.legend(loc="lower right")


# %%
# From the digits 0 to 4 to the digits 5 to 9
# -------------------------------------------
#
# The digits lie anywhere in a slightly larger image. That it does not matter where
# takes many images to learn, and a network that has seen many of the first five digits
# brings it along to five, ten or twenty images of each of the others. (Where digits
# always lie in the middle, there is no such thing to bring along: then a network that
# begins anew is as good or better.)

SHIFTS = [(down, right) for down in range(3) for right in range(3)]


def shifted(images, down, right):
    """Return images of 8 x 8 somewhere in one of 10 x 10, as rows of numbers."""
    larger = np.zeros((len(images), 10, 10))
    larger[:, down : down + 8, right : right + 8] = images
    return larger.reshape(len(images), -1)


def few_digits(n, seed):
    """Return `n` images of each of the digits 5 to 9, and others to test on."""
    rng = np.random.default_rng(seed)
    X = copies[rng.integers(len(SHIFTS), size=len(images)), np.arange(len(images))]
    order = rng.permutation(np.flatnonzero(y >= 5))
    of_classes = [order[y[order] == digit] for digit in range(5, 10)]
    few = np.concatenate([rows[:n] for rows in of_classes])
    rest = np.concatenate([rows[20:] for rows in of_classes])
    return X[few], y[few], X[rest], y[rest]


def digit_network(seed, max_iter=20, **params):
    return DNNClassifier(
        (128, 64),
        recipe="plain",
        learning_rate=0.005,
        alpha=1.0,
        numeric_scaling=None,
        max_iter=max_iter,
        tol=None,
        random_state=seed,
        **params,
    )


digits = load_digits()
images, y = digits.images / 16, digits.target
first = y < 5
copies = np.array([shifted(images, *shift) for shift in SHIFTS])
every = copies[:, first].reshape(-1, copies.shape[-1])
earlier = digit_network(0, max_iter=40).fit(every, np.tile(y[first], len(SHIFTS)))


def digits_from(**start):
    return lambda seed, X, y: digit_network(seed, **start).fit(X, y)


figure, ax = plt.subplots(layout="constrained")
compare(
    "Digits 5 to 9",
    {
        "anew": digits_from(),
        "pretrained": digits_from(pretrained=earlier),
        "first layer frozen": digits_from(pretrained=earlier, n_frozen_layers=1),
    },
    [5, 10, 20],
    few_digits,
    ax,
)
ax.set_xlabel("Images of each digit")

# %%
# From last year's rows to this year's few
# ----------------------------------------
#
# Penguins of 2007 and 2008, and few of 2009: which are female? The encoder comes along
# too, with the islands and species that it knows. Years are much alike here, so that
# the earlier network, as it is, is hard to beat; a new one needs many more rows to get
# there.

# In the gallery, too, a script is called by its name.
PENGUINS = Path(sys.argv[0]).parent / "data" / "penguins.csv"

table = pd.read_csv(PENGUINS).dropna(subset=["sex"])
measures, sex = table.drop(columns=["sex", "year"]), table["sex"]
this_year = np.flatnonzero(table["year"] == 2009)
before = table["year"] < 2009


def few_penguins(n, seed):
    """Return `n` rows of this year, and others to test on."""
    order = np.random.default_rng(seed).permutation(this_year)
    few, rest = order[:n], order[40:]
    return measures.iloc[few], sex.iloc[few], measures.iloc[rest], sex.iloc[rest]


def penguin_network(seed, **start):
    return DNNClassifier((32, 32), n_members=1, max_iter=30, random_state=seed, **start)


last_years = penguin_network(0).fit(measures[before], sex[before])
figure, ax = plt.subplots(layout="constrained")
compare(
    "Penguins of 2009",
    {
        "anew": lambda seed, X, y: penguin_network(seed).fit(X, y),
        "first layer frozen": lambda seed, X, y: penguin_network(
            seed, pretrained=last_years, n_frozen_layers=1
        ).fit(X, y),
        "earlier network as it is": lambda seed, X, y: last_years,
    },
    [10, 40],
    few_penguins,
    ax,
)
ax.set_xlabel("Rows of 2009")
plt.show()
