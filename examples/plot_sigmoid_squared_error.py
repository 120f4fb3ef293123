r"""
Squared error on sigmoid outputs: the first networks
====================================================

The first networks had sigmoids in all layers, and minimized the squared error of the
last ones. With outputs :math:`a = \sigma(z)` that is

.. math::

    J = \tfrac{1}{2} \lVert a - y \rVert^2, \qquad
    \delta_L = (a - y) \, a \, (1 - a)

Where an output is wrong and sure of it, :math:`a (1 - a)` vanishes, and learning
stalls. Cross-entropy leaves :math:`\delta_L = a - y`, which is largest there.

This is S10 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier
from skdnn.nn.losses import LogLoss, SquaredError

LOSSES = {
    "squared error": SquaredError(link="sigmoid"),
    "cross-entropy": LogLoss(link="sigmoid"),
}

# %%
# The gradient at the output
# --------------------------
#
# That of a row of class 1, against what goes into the sigmoid. Dots are the formulas
# above.

figure, ax = plt.subplots(layout="constrained")
z = np.linspace(-8, 8, 81)
a = expit(z)
formulas = {"squared error": (a - 1) * a * (1 - a), "cross-entropy": a - 1}
for name, loss in LOSSES.items():
    _, of_mean = loss.loss_gradient(np.ones((len(z), 1)), z[:, None])
    (line,) = ax.plot(z, len(z) * of_mean, label=name)
    ax.plot(z[::8], formulas[name][::8], "o", color=line.get_color())
ax.set(xlabel="Input of the sigmoid", ylabel="Gradient for a row of class 1")
ax.legend()

# %%
# What that does to training
# --------------------------
#
# Two networks with the same initial weights, and all rows in each step.

X, y = load_breast_cancer(return_X_y=True)
figure, ax = plt.subplots(layout="constrained")
for name, loss in LOSSES.items():
    clf = DNNClassifier(
        (20, 7),
        activation="sigmoid",
        loss=loss,
        alpha=0.0,
        solver="bgd",
        optimizer="sgd",
        learning_rate=1.0,
        max_iter=1000,
        tol=None,
        random_state=0,
    ).fit(X, y)
    print(f"{name}: accuracy {clf.score(X, y):.3f}")
    ax.plot(np.array(clf.loss_curve_) / clf.loss_curve_[0], label=name)

ax.set(xlabel="Iteration", ylabel="Loss, relative to the first")
ax.legend()
plt.show()
