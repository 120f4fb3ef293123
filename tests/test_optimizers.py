"""Optimizers take the steps of their formulas."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from skdnn.nn import optimizers
from skdnn.nn.optimizers import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSprop,
)
from skdnn.nn.vectors import ParameterGroup

RATE = 0.01


def sgd(w, grads):
    for g in grads:
        w = w - RATE * g
    return w


def momentum(w, grads, mu=0.8):
    v = 0
    for g in grads:
        v = mu * v - RATE * g
        w = w + v
    return w


def nesterov(w, grads, mu=0.8):
    v = 0
    for g in grads:
        v = mu * v - RATE * g
        w = w + mu * v - RATE * g
    return w


def rmsprop(w, grads, rho=0.9, epsilon=1e-3):
    v = 0
    for g in grads:
        v = rho * v + (1 - rho) * g**2
        w = w - RATE * g / (np.sqrt(v) + epsilon)
    return w


def adagrad(w, grads, epsilon=1e-3):
    v = 0
    for g in grads:
        v = v + g**2
        w = w - RATE * g / (np.sqrt(v) + epsilon)
    return w


def adam(w, grads, beta_1=0.8, beta_2=0.95, epsilon=1e-3, decay=0.0):
    m = v = 0
    for t, g in enumerate(grads, start=1):
        w = w * (1 - RATE * decay)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        rate = RATE * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w = w - rate * m / (np.sqrt(v) + epsilon)
    return w


CASES = {
    "sgd": (SGD(), sgd),
    "momentum": (Momentum(0.8), momentum),
    "nesterov": (Nesterov(0.8), nesterov),
    "rmsprop": (RMSprop(0.9, 1e-3), rmsprop),
    "adagrad": (Adagrad(1e-3), adagrad),
    "adam": (Adam(0.8, 0.95, 1e-3), adam),
    "adamw": (
        AdamW(0.8, 0.95, 1e-3, weight_decay=0.5),
        lambda w, grads: adam(w, grads, decay=0.5),
    ),
}


def run(optimizer, w, grads, groups=None, learning_rate=RATE):
    """Take one step a gradient, each handed over in the same array, as in training."""
    params, g = w.copy(), np.empty_like(w)
    groups = groups or [ParameterGroup(slice(0, len(w)), True, 1.0)]
    step = optimizer.stepper(params, g, optimizer.init(params), groups)
    for grad in grads:
        g[...] = grad
        step(learning_rate)
    return params


def test_every_first_order_optimizer_has_a_case():
    """The table of the engine is all tested here; L-BFGS takes no such steps."""
    assert CASES.keys() == OPTIMIZERS.keys() - {"lbfgs"}


@pytest.mark.parametrize("block", [7, 10_000])
@pytest.mark.parametrize("name", CASES)
def test_formula(name, block, rng, monkeypatch):
    """Twenty steps are those of the formula, however the vector is cut into blocks."""
    monkeypatch.setattr(optimizers, "BLOCK", block)
    optimizer, formula = CASES[name]
    w, grads = rng.uniform(1, 2, 40), rng.standard_normal((20, 40))
    np.testing.assert_allclose(run(optimizer, w, grads), formula(w, grads), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_formula_beyond_a_block(name, rng):
    """Twenty steps are those of the formula on a vector longer than a block."""
    optimizer, formula = CASES[name]
    n = optimizers.BLOCK + 100
    w, grads = rng.uniform(1, 2, n), rng.standard_normal((20, n))
    np.testing.assert_allclose(run(optimizer, w, grads), formula(w, grads), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_state_carries_on(name, rng):
    """All that steps depend on is the state, so that training can be resumed."""
    optimizer, formula = CASES[name]
    w, grads = rng.uniform(1, 2, 5), rng.standard_normal((30, 5))
    params, g, groups = w.copy(), np.empty(5), [ParameterGroup(slice(0, 5), True, 1.0)]
    state = optimizer.init(params)
    for part in (grads[:10], grads[10:]):
        step = clone(optimizer).stepper(params, g, state, groups)
        for grad in part:
            g[...] = grad
            step(RATE)
    np.testing.assert_allclose(params, formula(w, grads), rtol=1e-12)


ADAM_RATIO = (0.28 / (1 - 0.9**2)) / np.sqrt(0.004996 / (1 - 0.999**2))


@pytest.mark.parametrize(
    ("optimizer", "first", "second"),
    [
        (SGD(), 0.8, 0.7),
        (Momentum(0.5), 0.8, 0.6),  # v = -0.2, then -0.1 - 0.1
        (Nesterov(0.5), 0.7, 0.5),  # v = -0.2: -0.1 - 0.2; v = -0.2: -0.1 - 0.1
        (Adagrad(epsilon=1e-300), 0.9, 0.9 - 0.1 / np.sqrt(5)),
        (RMSprop(0.75, epsilon=1e-300), 0.8, 0.7),  # v = 1, then 0.75 + 0.25
        # m = 0.2, v = 0.004; then m = 0.28, v = 0.004996
        (Adam(epsilon=1e-300), 0.9, 0.9 - 0.1 * ADAM_RATIO),
        (AdamW(epsilon=1e-300, weight_decay=0.5), 0.85, 0.8075 - 0.1 * ADAM_RATIO),
        # epsilon is added to sqrt(v) / sqrt(1 - beta_2^t) = 2 before its division
        (Adam(epsilon=2 * np.sqrt(0.001)), 0.95, None),
    ],
)
def test_by_hand(optimizer, first, second):
    """Two steps from 1 with the gradients 2 and 1 at a rate of 0.1."""
    w, grads = np.array([1.0]), [[2.0], [1.0]]
    np.testing.assert_allclose(run(optimizer, w, grads[:1], learning_rate=0.1), first)
    if second is not None:
        np.testing.assert_allclose(run(optimizer, w, grads, learning_rate=0.1), second)


@pytest.mark.parametrize("name", CASES)
def test_groups(name, rng):
    """Each group moves at its own learning rate, and only decayed groups decay."""
    optimizer, formula = CASES[name]
    w, grads = rng.standard_normal(9), rng.standard_normal((5, 9))
    groups = [
        ParameterGroup(slice(0, 4), True, 1.0),
        ParameterGroup(slice(4, 6), False, 1.0),
        ParameterGroup(slice(6, 9), False, 0.0),
    ]
    moved = run(optimizer, w, grads, groups)
    np.testing.assert_allclose(moved[:4], formula(w, grads)[:4], rtol=1e-12)
    undecayed = adam(w, grads) if name == "adamw" else formula(w, grads)
    np.testing.assert_allclose(moved[4:6], undecayed[4:6], rtol=1e-12)
    np.testing.assert_array_equal(moved[6:], w[6:])


@pytest.mark.parametrize("name", CASES)
def test_multiplier_scales_the_rate(name, rng):
    """A multiplier of 3 is three times the learning rate."""
    optimizer, _ = CASES[name]
    w, grads = rng.standard_normal(5), rng.standard_normal((4, 5))
    tripled = run(optimizer, w, grads, [ParameterGroup(slice(0, 5), True, 3.0)])
    expected = run(optimizer, w, grads, learning_rate=3 * RATE)
    np.testing.assert_allclose(tripled, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Adam(), lambda w: AdamOptimizer(w, learning_rate_init=RATE)),
        (SGD(), lambda w: SGDOptimizer(w, RATE, momentum=0)),
        (Momentum(), lambda w: SGDOptimizer(w, RATE, momentum=0.9, nesterov=False)),
        (Nesterov(), lambda w: SGDOptimizer(w, RATE, momentum=0.9, nesterov=True)),
    ],
)
def test_against_sklearn(ours, theirs, rng):
    """Ten steps are those of scikit-learn's own optimizers."""
    w, grads = rng.standard_normal(6), rng.standard_normal((10, 6))
    expected = [w.copy()]
    optimizer = theirs(expected)
    for g in grads:
        optimizer.update_params(expected, [g])
    np.testing.assert_allclose(run(ours, w, grads), expected[0], rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name, rng):
    """State and parameters keep the dtype of the network."""
    optimizer, _ = CASES[name]
    params = rng.standard_normal(5).astype(np.float32)
    state = optimizer.init(params)
    assert all(state[n].dtype == np.float32 for n in optimizer.memory)
    assert run(optimizer, params, params[None]).dtype == np.float32


def rosenbrock(x):
    value = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
    slope = 200 * (x[1] - x[0] ** 2)
    return value, np.array([-2 * x[0] * slope - 2 * (1 - x[0]), slope])


def test_lbfgs_minimizes():
    """The minimum of Rosenbrock's function is at (1, 1)."""
    start = np.array([-1.2, 1.0])
    best = LBFGS().minimize(rosenbrock, start, 200, 1e-8, lambda x: False)
    np.testing.assert_allclose(best, 1, rtol=1e-5)


@pytest.mark.parametrize("n_iterations", [1, 4])
def test_lbfgs_stops_when_told(n_iterations):
    """The callback sees each iteration, and ends the search by returning True."""
    seen = []

    def on_iteration(x):
        seen.append(x.copy())
        return len(seen) == n_iterations

    start = np.array([-1.2, 1.0])
    best = LBFGS().minimize(rosenbrock, start, 200, 1e-8, on_iteration)
    assert len(seen) == n_iterations
    np.testing.assert_allclose(best, seen[-1])


@pytest.mark.parametrize(
    ("options", "max_iter", "tol"),
    [
        ({"history": 1}, 200, 1e-8),
        ({"history": 3}, 200, 1e-8),
        ({"max_evaluations": 7}, 200, 1e-8),
        ({}, 4, 1e-8),
        ({}, 200, 1.0),
        ({}, 200, 0.0),
    ],
)
def test_lbfgs_is_scipys(options, max_iter, tol):
    """History, bounds and tolerance reach SciPy's L-BFGS-B; zero stops at neither."""
    start, seen = np.array([-1.2, 1.0]), []
    best = LBFGS(**options).minimize(rosenbrock, start, max_iter, tol, seen.append)
    settings = {"maxcor": options.get("history", 10), "gtol": tol, "maxiter": max_iter}
    settings["maxfun"] = options.get("max_evaluations", 15000)
    if tol == 0:
        settings["ftol"] = 0.0
    expected = minimize(
        rosenbrock, start, method="L-BFGS-B", jac=True, options=settings
    )
    np.testing.assert_array_equal(best, expected.x)
    assert len(seen) == expected.nit


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_its_hyperparameters(name):
    """Training leaves nothing in the object, and a clone is as good."""
    optimizer = OPTIMIZERS[name]()
    before = dict(vars(optimizer))
    if name == "lbfgs":
        optimizer.minimize(rosenbrock, np.zeros(2), 5, 0.0, lambda x: False)
    else:
        run(optimizer, np.ones(3), np.ones((2, 3)))
    assert vars(optimizer) == before
    assert clone(optimizer).get_params() == optimizer.get_params()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_automatic_learning_rate(name):
    """`learning_rate="auto"` is what the estimators' docstrings say."""
    rates = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adagrad": 0.01}
    rates["lbfgs"] = None  # finds its own step sizes
    assert OPTIMIZERS[name].default_learning_rate == rates.get(name, 0.001)
