"""Residual connections: what lets a network be deep.

Handwritten digits, and networks of 2 to 50 hidden layers of 32 units. Layer by layer,
the signal of the input gets smaller and is lost in the noise of dropout. With
`residual`, each layer adds to what comes in instead of replacing it; by default that is
so from five hidden layers on. Draws the accuracy on test rows to depth.png.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdnn import DNNClassifier

DEPTHS = [2, 4, 8, 20, 50]

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

figure, ax = plt.subplots(layout="constrained")
for residual in [False, True]:
    scores = []
    for depth in DEPTHS:
        clf = DNNClassifier(
            (32,) * depth,
            residual=residual,
            n_members=1,
            max_iter=20,
            random_state=0,
        )
        with warnings.catch_warnings():
            # A deep network without them learns nothing, and says so.
            warnings.simplefilter("ignore")
            scores.append(clf.fit(X_train, y_train).score(X_test, y_test))
        print(f"{residual = !s:5}  {depth:2d} layers  accuracy {scores[-1]:.3f}")
    ax.plot(DEPTHS, scores, marker="o", label=f"{residual=}")

ax.set(xscale="log", xticks=DEPTHS, xticklabels=DEPTHS)
ax.minorticks_off()
ax.set(xlabel="Hidden layers", ylabel="Accuracy on test rows")
ax.legend()
figure.savefig("depth.png")
