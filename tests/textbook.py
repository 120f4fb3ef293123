"""The network of the project's source documents, transcribed.

As in those documents, samples are in columns: ``W[l]`` is ``coefs_[l - 1].T``.
"""

import numpy as np
from sklearn.base import clone

#: What makes an estimator the textbook's.
TEXTBOOK = {
    "solver": "bgd",
    "optimizer": "sgd",
    "weight_init": "lecun_normal",
    "numeric_scaling": None,
    "alpha": 0,
    "tol": None,
    "dtype": "float64",
    "random_state": 0,
}


#: What finds the optimum of a convex objective.
FULL_BATCH = {
    "solver": "bgd",
    "optimizer": "lbfgs",
    "numeric_scaling": None,
    "target_scaling": False,
    "tol": 1e-9,
    "dtype": "float64",
    "random_state": 0,
}


def initial_parameters(estimator, X, y):
    """Return the `W` and `b` that `estimator` starts from, samples in columns."""
    # A step too small to change any number but a zero.
    start = clone(estimator).set_params(max_iter=1, learning_rate=1e-300, solver="bgd")
    W, b = columns_of(start.fit(X, y))
    assert max(np.abs(v).max() for v in b) < 1e-290
    # Exactly: below a layer without a living unit, the slope of ReLU hangs on it.
    return W, [np.zeros_like(v) for v in b]


def columns_of(estimator):
    """Return `W` and `b` of each layer, as the documents write them."""
    W = [coef.T.copy() for coef in estimator.coefs_]
    b = [intercept[:, None].copy() for intercept in estimator.intercepts_]
    return W, b


def assert_equal_layers(estimator, W, b, rtol):
    """Assert that weights and biases equal, to `rtol` of the largest in each array."""
    for actual, expected in zip(columns_of(estimator), (W, b), strict=True):
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=rtol, atol=rtol * np.abs(e).max())


def forward(X, W, b, g, g_out):
    """Return `Z` and `A` of each layer; the loop over layers is the only one."""
    A, Z = [X], []
    for layer in range(len(W)):
        Z.append(W[layer] @ A[-1] + b[layer])
        A.append((g_out if layer == len(W) - 1 else g)(Z[-1]))
    return Z, A


def backward(dZ, Z, A, W, g_slope):
    """Return `dW` and `db` of each layer from `dZ` of the last."""
    m = A[0].shape[1]
    dW, db = [None] * len(W), [None] * len(W)
    for layer in reversed(range(len(W))):
        dW[layer] = dZ @ A[layer].T / m
        db[layer] = dZ.sum(axis=1, keepdims=True) / m
        if layer > 0:
            dZ = W[layer].T @ dZ * g_slope(Z[layer - 1])
    return dW, db


def relu(z):
    return np.maximum(0, z)


def relu_slope(z):
    return (z > 0).astype(float)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_slope(z):
    return sigmoid(z) * (1 - sigmoid(z))


def train_binary_classifier(X, y, W, b, learning_rate, n_iterations, lambd=0.0):
    """Train S8's network; return the cost of each iteration, weights and biases."""
    m, costs = X.shape[1], []
    for _ in range(n_iterations):
        Z, A = forward(X, W, b, relu, sigmoid)
        a = A[-1]
        cost = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
        costs.append(cost + lambd / (2 * m) * sum((w**2).sum() for w in W))
        dW, db = backward(a - y, Z, A, W, relu_slope)
        W = [
            w - learning_rate * (dw + lambd / m * w)
            for w, dw in zip(W, dW, strict=True)
        ]
        b = [v - learning_rate * dv for v, dv in zip(b, db, strict=True)]
    return costs, W, b


def train_squared_error(X, y, W, b, learning_rate, n_iterations):
    """Train S10's network; return the cost of each iteration, weights and biases."""
    costs = []
    for _ in range(n_iterations):
        Z, A = forward(X, W, b, sigmoid, sigmoid)
        a = A[-1]
        costs.append(np.mean(0.5 * ((a - y) ** 2).sum(axis=0)))
        dW, db = backward((a - y) * a * (1 - a), Z, A, W, sigmoid_slope)
        W = [w - learning_rate * dw for w, dw in zip(W, dW, strict=True)]
        b = [v - learning_rate * dv for v, dv in zip(b, db, strict=True)]
    return costs, W, b
