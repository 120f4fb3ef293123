"""The network of the project's source documents, against their formulas."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from skdnn.nn import compiled
from skdnn.nn.layers import BatchNorm, Dense
from skdnn.nn.network import Network
from skdnn.nn.prediction import SLAB
from skdnn.nn.workspace import Workspace
from tests import tables
from tests.plain import DNNClassifier, DNNRegressor, plain_classifier
from tests.tables import binary, multiclass, regression
from tests.textbook import (
    FULL_BATCH,
    TEXTBOOK,
    assert_equal_layers,
    backward,
    columns_of,
    forward,
    initial_parameters,
    relu,
    relu_slope,
    sigmoid,
    sigmoid_slope,
    train_binary_classifier,
)

# S1: the forward pass


@pytest.mark.parametrize("dims", [(), (5,), (6, 5), (3, 1, 7, 2)])
def test_s1_forward_pass(dims):
    """The raw prediction is ``W[l] A[l-1] + b[l]`` through ReLU, at any depth."""
    X, y = multiclass()
    clf = plain_classifier(dims, numeric_scaling=None, dtype="float64").fit(X, y)
    _, A = forward(X.T, *columns_of(clf), relu, lambda z: z)
    np.testing.assert_allclose(
        clf.decision_function(X), A[-1].T, rtol=1e-12, atol=1e-13
    )


def test_s1_probabilities_are_the_sigmoid_of_the_last_layer():
    """With two classes, ``A[L]`` is the sigmoid of ``Z[L]``, the chance of class 1."""
    X, y = binary()
    clf = plain_classifier((6, 5), numeric_scaling=None, dtype="float64").fit(X, y)
    _, A = forward(X.T, *columns_of(clf), relu, sigmoid)
    np.testing.assert_allclose(clf.predict_proba(X)[:, 1], A[-1][0], rtol=1e-12)


def test_s1_the_only_loop_is_over_layers(by_numpy, monkeypatch):
    """A prediction takes one matrix product a layer, whatever the number of rows."""
    X, y = binary(500)
    clf = plain_classifier((6, 5)).fit(X, y)
    calls = []
    original = Dense.forward

    def spy(self, x, *args):
        calls.append(len(x))
        return original(self, x, *args)

    monkeypatch.setattr(Dense, "forward", spy)
    clf.predict(X)
    assert len(calls) == 3
    assert min(calls) >= 500


@pytest.mark.skipif(not compiled.available, reason=compiled.why_not)
def test_s1_the_only_compiled_loop_is_over_layers(monkeypatch):
    """Nor does it take more of the compiled engine, which is called once a slab."""
    X, y = binary(500)
    clf = plain_classifier((6, 5)).fit(X, y)
    n_rows, n_products = [], []
    original = compiled.run_programs

    def spy(programs, **options):
        (program,) = programs
        kernels = program.operations["kernel"]
        n_rows.append(options["n_rows"])
        n_products.append(sum(kernels == compiled.kernel_numbers()["dense_forward"]))
        return original(programs, **options)

    monkeypatch.setattr(compiled, "run_programs", spy)
    clf.predict(X)
    assert len(n_rows) == 2
    assert 500 <= sum(n_rows) <= 2 * SLAB
    assert n_products == [3, 3]


# S2: shapes


def test_s2_shapes_are_those_of_the_documents():
    """Each ``W[l]`` is ``(n[l], n[l-1])``, each ``b[l]`` has ``n[l]`` entries."""
    X, y = multiclass(d=4)
    clf = plain_classifier((7, 5)).fit(X, y)
    n = [4, 7, 5, 3]
    W, b = columns_of(clf)
    assert [w.shape for w in W] == [(above, below) for below, above in pairwise(n)]
    assert [v.shape for v in b] == [(width, 1) for width in n[1:]]


def test_s2_outputs_have_the_shape_of_the_samples():
    """``A[L]`` is ``(n[L], m)``: one row of predictions a sample."""
    X, y = multiclass(50)
    clf = plain_classifier().fit(X, y)
    assert clf.predict_proba(X[:13]).shape == (13, 3)


def test_s2_widths_that_do_not_fit_name_both_shapes():
    """Layers whose widths do not fit are an error that names both."""
    layers = [Dense(3, 5, "he_normal"), Dense(4, 2, "he_normal")]
    with pytest.raises(ValueError, match=r"\(n, 5\).*\(n, 4\)"):
        Network(layers)


def test_s2_input_that_does_not_fit_names_both_shapes():
    """An input of another width is an error that names both shapes."""
    network = Network([Dense(3, 5, "he_normal")])
    with pytest.raises(ValueError, match=r"\(n, 3\).*\(7, 4\)"):
        network.forward(np.zeros((7, 4)))


# S3, S4: gradients and steps


@pytest.mark.parametrize(
    ("activation", "g", "g_slope"),
    [("relu", relu, relu_slope), ("sigmoid", sigmoid, sigmoid_slope)],
)
def test_s3_s4_one_step_is_the_formulas(activation, g, g_slope):
    """One step is ``W -= lr dW``, ``b -= lr db`` with the documents' gradients."""
    X, y = binary()
    rate = 0.7
    params = {**TEXTBOOK, "activation": activation, "learning_rate": rate}
    clf = DNNClassifier((6, 5, 4), max_iter=1, **params).fit(X, y)
    W, b = initial_parameters(clf, X, y)
    Z, A = forward(X.T, W, b, g, sigmoid)
    dW, db = backward(A[-1] - y, Z, A, W, g_slope)
    expected_W = [w - rate * dw for w, dw in zip(W, dW, strict=True)]
    expected_b = [v - rate * dv for v, dv in zip(b, db, strict=True)]
    assert_equal_layers(clf, expected_W, expected_b, rtol=1e-12)


def test_s3_gradient_is_the_slope_of_the_cost():
    """``dW`` and ``db`` predict how the cost changes along a random direction."""
    X, y = regression()
    reg = DNNRegressor((6, 5), activation="tanh", max_iter=1, **TEXTBOOK).fit(X, y)
    network = reg.network_
    workspace = Workspace(network)
    target = y[:, None]
    params = network.params.copy()

    def cost(at):
        network.params[:] = at
        raw = network.forward(X, workspace.caches(len(X)))
        value, grad = reg._model.targets.loss.loss_gradient(target, raw)
        network.backward(grad, workspace.caches(len(X)))
        return value

    cost(params)
    gradient = workspace.grads.copy()
    direction = np.random.default_rng(0).standard_normal(len(params))
    direction /= np.linalg.norm(direction)
    slope = (cost(params + 1e-6 * direction) - cost(params - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(gradient @ direction, slope, rtol=1e-6)


def test_s3_stops_before_the_gradient_of_the_input():
    """The first layer has no memory for the gradient of its input; the others have."""
    X, y = binary()
    network = plain_classifier((6, 5)).fit(X, y).network_
    caches = Workspace(network).caches(7)
    dense = [c for c in caches if hasattr(c, "grad_x")]
    assert dense[0].grad_x is None
    assert [c.grad_x.shape for c in dense[1:]] == [(7, 6), (7, 5)]


def test_s4_a_step_is_proportional_to_the_learning_rate():
    """Twice the learning rate moves twice as far."""
    X, y = binary()
    clf = DNNClassifier((6,), max_iter=1, **TEXTBOOK)
    start, _ = initial_parameters(clf, X, y)
    one, _ = columns_of(clone(clf).set_params(learning_rate=0.25).fit(X, y))
    two, _ = columns_of(clone(clf).set_params(learning_rate=0.5).fit(X, y))
    for w, near, far in zip(start, one, two, strict=True):
        np.testing.assert_allclose(far - w, 2 * (near - w), rtol=1e-9, atol=1e-15)


# S5: three variants of gradient descent


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"solver": "bgd"}, [50]),
        ({"solver": "bgd", "batch_size": 7}, [50]),
        ({"solver": "sgd"}, [1] * 50),
        ({"solver": "sgd", "batch_size": 7}, [1] * 50),
        ({"solver": "minibatch", "batch_size": 20}, [20, 20, 10]),
        ({"solver": "minibatch", "batch_size": 7}, [7] * 7 + [1]),
        ({"solver": "minibatch", "batch_size": 50}, [50]),
        ({"solver": "minibatch", "batch_size": 1000}, [50]),
    ],
)
def test_s5_rows_a_step(params, expected, step_sizes):
    """Each solver takes its number of rows a step, and all rows an epoch."""
    X, y = binary(50)
    plain_classifier(max_iter=2, **params).fit(X, y)
    assert step_sizes() == 2 * expected


def test_s5_automatic_batch_size(step_sizes):
    """A batch of automatic size is 200 rows of a plain network."""
    X, y = binary(450)
    plain_classifier(max_iter=1, batch_size="auto", optimizer="sgd").fit(X, y)
    assert step_sizes() == [200, 200, 50]


def test_s5_automatic_batch_size_of_the_recipe(step_sizes):
    """In the tuned recipe, it is the same for all batches but the last, all rows."""
    X, y = binary(450)
    tables.classifier(max_iter=1, early_stopping=False).fit(X, y)
    sizes = step_sizes()
    assert sum(sizes) == 450
    assert 1 < sizes[0] <= 450
    assert set(sizes[:-1]) <= {sizes[0]}
    assert sizes[-1] <= sizes[0]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("solver", "batch_size"), [("bgd", 60), ("sgd", 1)])
def test_s5_extremes_of_mini_batches(solver, batch_size, shuffle):
    """Mini-batches of all rows are `bgd`, of one row `sgd`, to the bit."""
    X, y = binary(60)
    one = plain_classifier(solver=solver, shuffle=shuffle).fit(X, y)
    two = plain_classifier(batch_size=batch_size, shuffle=shuffle).fit(X, y)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


@pytest.mark.parametrize(
    ("solver", "size"), [("bgd", 60), ("sgd", 1), ("minibatch", 25)]
)
def test_s5_variants_are_the_formulas(solver, size):
    """Each variant equals a plain loop over its batches, costs and weights."""
    X, y = binary(60)
    params = {**TEXTBOOK, "solver": solver, "batch_size": 25, "alpha": 2.0}
    clf = DNNClassifier(
        (6, 5), shuffle=False, learning_rate=0.05, max_iter=20, **params
    ).fit(X, y)
    W, b = initial_parameters(clf, X, y)
    m, lambd, costs = 60, 2.0, []
    for _ in range(20):
        total = 0.0
        for start in range(0, m, size):
            x, t = X[start : start + size], y[start : start + size]
            # The penalty is lambda / (2 m) with all m samples, whatever the batch.
            share = lambd * len(x) / m
            cost, W, b = train_binary_classifier(x.T, t, W, b, 0.05, 1, share)
            total += len(x) * cost[0]
        costs.append(total / m)
    np.testing.assert_allclose(clf.loss_curve_, costs, rtol=1e-11)
    assert_equal_layers(clf, W, b, rtol=1e-10)


# S6: L2 regularization


@pytest.mark.parametrize("lambd", [0.0, 0.5, 30.0])
def test_s6_objective_is_the_textbooks(lambd):
    """``J = mean loss + lambda / (2 m) * sum ||W||^2``, with alpha for lambda."""
    X, y = binary(60)
    clf = DNNClassifier((6, 5), max_iter=1, **{**TEXTBOOK, "alpha": lambd}).fit(X, y)
    W, b = initial_parameters(clf, X, y)
    _, A = forward(X.T, W, b, relu, sigmoid)
    penalty = lambd / (2 * 60) * sum((w**2).sum() for w in W)
    expected = log_loss(y, A[-1][0]) + penalty
    np.testing.assert_allclose(clf.loss_curve_[0], expected, rtol=1e-12)


def test_s6_weights_of_rows_divide_the_penalty():
    """With weighted samples, the total of the weights stands where m stood."""
    X, y = regression(60)
    weight = np.random.default_rng(0).uniform(0.5, 3, 60)
    params = {**TEXTBOOK, "alpha": 7.0, "target_scaling": False}
    reg = DNNRegressor((6,), max_iter=1, **params).fit(X, y, weight)
    W, b = initial_parameters(reg, X, y)
    _, A = forward(X.T, W, b, relu, lambda z: z)
    total = (weight * (A[-1][0] - y) ** 2 / 2).sum()
    total += 7.0 / 2 * sum((w**2).sum() for w in W)
    np.testing.assert_allclose(reg.loss_curve_[0], total / weight.sum(), rtol=1e-12)


def test_s6_ridge_regression():
    """The optimum of the linear model is that of ridge regression, biases free."""
    X, y = regression()
    reg = DNNRegressor((), **FULL_BATCH, alpha=5.0).fit(X, y)
    ridge = Ridge(alpha=5.0).fit(X, y)
    np.testing.assert_allclose(reg.coefs_[0][:, 0], ridge.coef_, atol=1e-4)
    np.testing.assert_allclose(reg.intercepts_[0], ridge.intercept_, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_s6_logistic_regression(weighted):
    """The linear classifier's optimum is that of logistic regression, C = 1 / alpha."""
    X, y = binary(80)
    weight = np.random.default_rng(0).uniform(0.5, 3, 80) if weighted else None
    params = {**FULL_BATCH, "alpha": 2.0}
    del params["target_scaling"]
    clf = DNNClassifier((), **params).fit(X, y, weight)
    other = LogisticRegression(C=1 / 2.0, tol=1e-9).fit(X, y, weight)
    np.testing.assert_allclose(clf.coefs_[0][:, 0], other.coef_[0], atol=1e-4)
    np.testing.assert_allclose(clf.intercepts_[0], other.intercept_, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 6, 20, 60])
def test_s6_optimum_does_not_move_with_the_batch_size(batch_size):
    """At the optimum of `bgd`, the steps of an epoch of mini-batches cancel out."""
    X, y = regression(60)
    reg = DNNRegressor((), **FULL_BATCH, alpha=20.0, warm_start=True).fit(X, y)
    optimum = reg.network_.params.copy()
    rate = 1e-7
    reg.set_params(optimizer="sgd", learning_rate=rate, max_iter=1, tol=None)
    reg.set_params(solver="minibatch", batch_size=batch_size).fit(X, y)
    moved = np.abs(reg.network_.params - optimum).max()
    # With a penalty off by a factor of two, each step would have a slope of about 0.3.
    assert moved < 1e-3 * rate * 60 / batch_size


# S7: batch normalization


class TextbookBatchNorm:
    """S7 with one hidden layer and S8's output, samples in columns."""

    def __init__(self, W, b, eps=1e-5):
        (self.W1, self.W2), self.b2 = W, b[1]
        self.gamma, self.beta = np.ones_like(b[0]), b[0]
        self.mean, self.var, self.eps = np.zeros_like(b[0]), np.ones_like(b[0]), eps

    def step(self, X, y, rate):
        """Take a step on all samples; return the cost before."""
        m = X.shape[1]
        z = self.W1 @ X
        mean, var = z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True)
        std = np.sqrt(var + self.eps)
        x_hat = (z - mean) / std
        u = x_hat * self.gamma + self.beta
        a1 = relu(u)
        a2 = sigmoid(self.W2 @ a1 + self.b2)
        dz2 = a2 - y
        du = self.W2.T @ dz2 * relu_slope(u)
        dx_hat = du * self.gamma
        dvar = (dx_hat * (z - mean)).sum(1, keepdims=True) * -0.5 * std**-3
        dmean = (-dx_hat / std).sum(1, keepdims=True)
        dz = dx_hat / std + dvar * 2 * (z - mean) / m + dmean / m
        self.W2 = self.W2 - rate * dz2 @ a1.T / m
        self.b2 = self.b2 - rate * dz2.sum(1, keepdims=True) / m
        self.gamma = self.gamma - rate * (du * x_hat).sum(1, keepdims=True) / m
        self.beta = self.beta - rate * du.sum(1, keepdims=True) / m
        self.W1 = self.W1 - rate * dz @ X.T / m
        self.mean = 0.9 * self.mean + 0.1 * mean
        self.var = 0.9 * self.var + 0.1 * var
        return -np.mean(y * np.log(a2) + (1 - y) * np.log(1 - a2))

    def predict_proba(self, X):
        """Return the probability of class 1, by the running statistics."""
        x_hat = (self.W1 @ X - self.mean) / np.sqrt(self.var + self.eps)
        a1 = relu(x_hat * self.gamma + self.beta)
        return sigmoid(self.W2 @ a1 + self.b2)[0]


@pytest.fixture(scope="module")
def batch_norm_runs():
    """A fitted classifier with batch norm, its textbook twin, their costs and data."""
    X, y = binary(60)
    clf = DNNClassifier(
        (6,), batch_norm=True, learning_rate=0.3, max_iter=100, **TEXTBOOK
    ).fit(X, y)
    twin = TextbookBatchNorm(*initial_parameters(clf, X, y))
    costs = [twin.step(X.T, y, 0.3) for _ in range(100)]
    return clf, twin, costs, X


def test_s7_training_normalizes_by_the_batch(batch_norm_runs):
    """The cost of each iteration is the textbook's."""
    clf, _, costs, _ = batch_norm_runs
    np.testing.assert_allclose(clf.loss_curve_, costs, rtol=1e-10)


def test_s7_gradients_pass_through_the_statistics(batch_norm_runs):
    """Weights, gains and shifts after training are the textbook's."""
    clf, twin, _, _ = batch_norm_runs
    (norm,) = [ly for ly in clf.network_.layers if isinstance(ly, BatchNorm)]
    np.testing.assert_allclose(clf.coefs_[0], twin.W1.T, rtol=1e-9)
    np.testing.assert_allclose(clf.coefs_[1], twin.W2.T, rtol=1e-9)
    np.testing.assert_allclose(norm.gamma, twin.gamma[:, 0], rtol=1e-9)
    np.testing.assert_allclose(norm.beta, twin.beta[:, 0], rtol=1e-9)


def test_s7_running_statistics(batch_norm_runs):
    """Running statistics are averages of the batches' with a memory of 0.9."""
    clf, twin, _, _ = batch_norm_runs
    (norm,) = [ly for ly in clf.network_.layers if isinstance(ly, BatchNorm)]
    np.testing.assert_allclose(norm.mean, twin.mean[:, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(norm.var, twin.var[:, 0], rtol=1e-9)


def test_s7_prediction_uses_running_statistics(batch_norm_runs):
    """A prediction normalizes by the running statistics, so that it needs no batch."""
    clf, twin, _, X = batch_norm_runs
    proba = np.vstack([clf.predict_proba(row[None]) for row in X])[:, 1]
    np.testing.assert_allclose(proba, twin.predict_proba(X.T), rtol=1e-9)
