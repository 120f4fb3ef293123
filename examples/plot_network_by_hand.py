r"""
A network by hand: forward, backward, one step
==============================================

All of a network's mathematics fits on a page of NumPy. Here it is, beside a fitted
`DNNClassifier`, with the same numbers in each line: the forward pass, the shapes that
every array has to have, the backward pass, and a step of gradient descent. The backward
pass is then held against slopes that are measured, which is how one tells that a
gradient is right.

With rows as samples, :math:`A_0 = X`, and layer :math:`l` of :math:`n_l` units with
activation :math:`g`:

.. math::

    Z_l &= A_{l-1} W_l + b_l, \qquad A_l = g(Z_l) \\
    \frac{\partial J}{\partial W_l} &= A_{l-1}^T \delta_l / m, \qquad
    \frac{\partial J}{\partial b_l} = \textstyle\sum_i \delta_{l,i} / m, \qquad
    \delta_l = (\delta_{l+1} W_{l+1}^T) \cdot g'(Z_l) \\
    W_l &\leftarrow W_l - \eta \, \frac{\partial J}{\partial W_l}, \qquad
    b_l \leftarrow b_l - \eta \, \frac{\partial J}{\partial b_l}

These are S1 to S4 of the :ref:`textbook's systems <textbook>`.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier

# %%
# A network to look into
# ----------------------
#
# Two hidden layers and a sigmoid output, trained on all rows at a time. A call of
# `partial_fit` is one step.

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
clf = DNNClassifier(
    (5, 3),
    activation="tanh",
    alpha=0.0,
    solver="bgd",
    optimizer="sgd",
    learning_rate=0.5,
    numeric_scaling=None,
    dtype="float64",
    random_state=0,
)
for _ in range(20):
    clf.partial_fit(X, y, classes=[0, 1])

# %%
# The shapes are known in advance
# -------------------------------
#
# Weights of layer :math:`l` are :math:`(n_{l-1}, n_l)`, its biases :math:`n_l`, and
# what comes out of it is :math:`(m, n_l)`.

W, b = clf.coefs_, clf.intercepts_
widths = [X.shape[1], *clf.hidden_layer_dims, 1]
for layer, (n_in, n_out) in enumerate(pairwise(widths)):
    assert W[layer].shape == (n_in, n_out) and b[layer].shape == (n_out,)
    print(f"layer {layer + 1}: W {W[layer].shape}, b {b[layer].shape}")

# %%
# What does not fit is an error that names both shapes.

for method, arrays in [(clf.predict, [X[:, :29]]), (clf.fit, [X, y[:500]])]:
    try:
        method(*arrays)
    except ValueError as error:
        print(error)

# %%
# Forward
# -------
#
# The only loop is the one over layers. What comes out of each is kept for later.


def forward(X, W, b):
    """Return the activations of all layers, those of the input first."""
    A = [X]
    for weight, bias in zip(W[:-1], b[:-1], strict=True):
        A.append(np.tanh(A[-1] @ weight + bias))
    A.append(expit(A[-1] @ W[-1] + b[-1]))
    return A


def cost(X, y, W, b):
    """Return the cross-entropy."""
    a = forward(X, W, b)[-1][:, 0]
    return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))


probabilities = forward(X, W, b)[-1][:, 0]
difference = np.abs(probabilities - clf.predict_proba(X)[:, 1]).max()
print(f"cost {cost(X, y, W, b):.4f}, largest difference to skdnn {difference:.0e}")

# %%
# Backward
# --------
#
# At the output, cross-entropy and sigmoid leave :math:`a - y`; the slope of tanh is
# :math:`1 - a^2`. Nobody needs the gradient of the input itself, so that the loop ends
# before it.


def backward(X, y, W, b):
    """Return the gradients of all weights and all biases."""
    A = forward(X, W, b)
    delta = A.pop() - y[:, None]
    W_gradients, b_gradients = [], []
    while True:
        a = A.pop()
        W_gradients.insert(0, a.T @ delta / len(y))
        b_gradients.insert(0, delta.mean(axis=0))
        if not A:
            return W_gradients, b_gradients
        delta = delta @ W[len(A)].T * (1 - a**2)


W_gradients, b_gradients = backward(X, y, W, b)

# %%
# One step
# --------
#
# skdnn's next step is the one that these gradients say.

stepped = [w - clf.learning_rate * g for w, g in zip(W, W_gradients, strict=True)]
clf.partial_fit(X, y)
for layer, (ours, theirs) in enumerate(zip(stepped, clf.coefs_, strict=True)):
    difference = np.abs(ours - theirs).max()
    print(f"layer {layer + 1}: largest difference after a step {difference:.0e}")

# %%
# Is the gradient right?
# ----------------------
#
# Move one weight a little to both sides, and see what that does to the cost: the slope
# between the two is the gradient, but for an error that shrinks with the square of the
# distance, until it is so small that nothing but rounding is left.


def measured_slope(layer, i, j, distance):
    """Return the slope of the cost along one weight."""
    costs = []
    for sign in (1, -1):
        moved = [w.copy() for w in W]
        moved[layer][i, j] += sign * distance
        costs.append(cost(X, y, moved, b))
    return (costs[0] - costs[1]) / (2 * distance)


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for layer, gradient in enumerate(W_gradients):
    indices = np.ndindex(gradient.shape)
    slopes = [measured_slope(layer, i, j, 1e-5) for i, j in indices]
    left.plot(gradient.ravel(), slopes, "o", alpha=0.6, label=f"layer {layer + 1}")
left.axline((0, 0), slope=1, color="gray", linewidth=0.8, zorder=0)
left.set(xlabel="Backward pass", ylabel="Measured slope", title="Each weight")
left.legend()

distances = np.logspace(-11, 0, 34)
for layer, gradient in enumerate(W_gradients):
    slopes = np.array([measured_slope(layer, 0, 0, h) for h in distances])
    right.loglog(distances, np.abs(slopes / gradient[0, 0] - 1))
right.set(
    xlabel="Distance", ylabel="Relative difference", title="One weight of each layer"
)
plt.show()
