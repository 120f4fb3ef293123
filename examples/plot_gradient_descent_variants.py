r"""
Gradient descent on all rows, on some, or on one
================================================

A step goes down the gradient of the cost, by the learning rate :math:`\eta`:

.. math::

    W \leftarrow W - \eta \, \frac{\partial J}{\partial W}, \qquad
    b \leftarrow b - \eta \, \frac{\partial J}{\partial b}

Which rows it looks at is the parameter `solver`: all of them (`"bgd"`, batch gradient
descent), one (`"sgd"`, stochastic), or `batch_size` of them (`"minibatch"`). The fewer
rows a step sees, the more steps one look at all rows has: it gets further, along a
noisier path.

These are S4 and S5 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier, DNNRegressor

# %%
# The path of each
# ----------------
#
# With no hidden layer, no more than two weights are learned, and the cost can be drawn
# as a map. A call of `partial_fit` with ``solver="bgd"`` is one step on the rows that
# it gets, so that the weights can be looked at after each.

rng = np.random.default_rng(0)
X = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=128)
y = X @ [2.0, 1.0] + rng.normal(scale=1.5, size=128)


def path(n_rows, n_steps):
    """Return the two weights after each step on `n_rows` rows."""
    reg = DNNRegressor(
        (),
        solver="bgd",
        optimizer="sgd",
        learning_rate=0.1,
        alpha=0.0,
        numeric_scaling=None,
        target_scaling=False,
        random_state=0,
    )
    weights = []
    for step in range(n_steps):
        rows = np.arange(step * n_rows, (step + 1) * n_rows) % len(X)
        reg.partial_fit(X[rows], y[rows])
        weights.append(reg.coefs_[0][:, 0])
    return np.array(weights)


first, second = np.meshgrid(np.linspace(-0.2, 2.8, 80), np.linspace(-1.5, 2.2, 80))
W = np.stack([first, second], axis=-1)
costs = np.mean((W @ X.T - y) ** 2, axis=-1) / 2

figure, ax = plt.subplots(layout="constrained")
ax.contour(first, second, costs, levels=20, colors="lightgray", linewidths=0.8)
for solver, n_rows in [("bgd", 128), ("minibatch", 16), ("sgd", 1)]:
    ax.plot(*path(n_rows, 60).T, ".-", linewidth=0.9, label=solver)
ax.plot(*np.linalg.lstsq(X, y)[0], "k*", markersize=12, label="least squares")
ax.set(xlabel="First weight", ylabel="Second weight", title="The first 60 steps")
ax.legend()

# %%
# One look at all rows
# --------------------
#
# An epoch is one look at all 569 rows: one step of `"bgd"`, 18 of `"minibatch"`, 569 of
# `"sgd"`.

N_EPOCHS = 30

X, y = load_breast_cancer(return_X_y=True)
figure, ax = plt.subplots(layout="constrained")
for solver in ["bgd", "minibatch", "sgd"]:
    clf = DNNClassifier(
        (16,),
        solver=solver,
        batch_size=32,
        optimizer="sgd",
        learning_rate=0.1,
        max_iter=N_EPOCHS,
        tol=None,
        random_state=0,
    ).fit(X, y)
    print(f"{solver:9}  loss {clf.loss_:.4f} after {N_EPOCHS} epochs")
    ax.semilogy(range(1, N_EPOCHS + 1), clf.loss_curve_, label=solver)

ax.set(xlabel="Epoch", ylabel="Loss")
ax.legend()
plt.show()
