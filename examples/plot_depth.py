r"""
Residual connections: what lets a network be deep
=================================================

The forward pass is the same whatever the depth: :math:`A_l = g(A_{l-1} W_l + b_l)`, one
layer after the other. But layer by layer, the signal of the input gets smaller and is
lost in the noise of dropout. With `residual`, each layer adds to what comes in instead
of replacing it; by default that is so from five hidden layers on. Handwritten digits,
and networks of 2 to 50 hidden layers of 32 units.

It goes on from S1, the forward pass of any depth, of the
:ref:`textbook's systems <textbook>`.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skdnn import DNNClassifier

DEPTHS = [2, 8, 20, 50]

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=900, random_state=0
)
# A deep network without them learns nothing, and says so.
warnings.simplefilter("ignore", ConvergenceWarning)

figure, ax = plt.subplots(layout="constrained")
for residual in [False, True]:
    scores = []
    for depth in DEPTHS:
        clf = DNNClassifier(
            (32,) * depth, residual=residual, n_members=1, max_iter=15, random_state=0
        ).fit(X_train, y_train)
        scores.append(clf.score(X_test, y_test))
        print(f"{residual = !s:5}  {depth:2d} layers  accuracy {scores[-1]:.3f}")
    ax.plot(DEPTHS, scores, marker="o", label=f"{residual=}")

ax.set(xscale="log", xticks=DEPTHS, xticklabels=DEPTHS)
ax.minorticks_off()
ax.set(xlabel="Hidden layers", ylabel="Accuracy on test rows")
ax.legend()
plt.show()
