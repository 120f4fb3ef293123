"""Kernels of optimizers take the steps of the optimizers."""

import numpy as np
import pytest

from skdnn.nn.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSprop,
)
from skdnn.nn.vectors import ParameterGroup
from tests.programs import (
    DTYPES,
    assert_close,
    level,  # noqa: F401
    operation,
    run,
)

# In the fast suite each value once, and the best instructions.
pytestmark = pytest.mark.sampled

#: kernel, optimizer, its hyperparameters
CASES = [
    ("sgd", SGD(), []),
    ("momentum", Momentum(0.8), [0.8]),
    ("momentum", Momentum(0.0), [0.0]),
    ("nesterov", Nesterov(0.8), [0.8]),
    ("rmsprop", RMSprop(0.95, 1e-3), [0.95, 1e-3]),
    ("adagrad", Adagrad(1e-3), [1e-3]),
    ("adam", Adam(0.8, 0.97, 1e-3), [0.8, 0.97, 1e-3]),
    ("adam", Adam(0.0, 0.0, 1e-3), [0.0, 0.0, 1e-3]),
    ("adam", AdamW(0.8, 0.97, 1e-3, 0.1), [0.8, 0.97, 1e-3]),
]
OPTIMIZERS = pytest.mark.parametrize(("name", "optimizer", "hyper"), CASES)

#: Steps before, and the rates of those to come.
T, RATES = 3, [0.1, 0.02, 0.005]


def take_steps(optimizer, w, grad, memory, penalty, decayed, multiplier):
    """Take the steps that NumPy takes; return the sum of the penalties."""
    grads, total = np.empty_like(grad), 0.0
    state = {"t": T, **dict(zip(optimizer.memory, memory, strict=True))}
    groups = [ParameterGroup(slice(0, len(w)), decayed, multiplier)]
    step = optimizer.stepper(w, grads, state, groups)
    for rate in RATES:
        grads[...] = grad
        if decayed and penalty:
            grads += w * penalty
            total += 0.5 * penalty * float(np.dot(w, w))
        step(rate)
    return total


def take_compiled_steps(
    name, hyper, weight_decay, w, grad, memory, penalty, decayed, multiplier
):
    """Take the same ones by the kernel."""
    update = operation(
        name,
        w,
        grad,
        *memory,
        sizes=[len(w), int(decayed)],
        scalars=[multiplier, penalty, weight_decay, *hyper],
    )
    operations = [update]
    if name == "adam":
        operations.insert(0, operation("adam_rate", scalars=hyper[:2]))
    return run(
        *operations,
        dtype=w.dtype,
        n=len(RATES),
        batch_size=1,
        n_updates=len(operations),
        rates=RATES,
        t=T,
    )


def compare(name, optimizer, hyper, w, grad, penalty, decayed, multiplier=1.0):
    """Assert that both go the same way, from a memory of steps before."""
    rng = np.random.default_rng(1)
    memory = [rng.exponential(size=len(w)).astype(w.dtype) for _ in optimizer.memory]
    own, own_memory, own_grad = w.copy(), [v.copy() for v in memory], grad.copy()
    options = penalty, decayed, multiplier
    with np.errstate(all="ignore"):
        desired = take_steps(optimizer, own, own_grad, own_memory, *options)
    total = take_compiled_steps(
        name, hyper, optimizer.weight_decay, w, grad, memory, *options
    )
    assert_close(w, own, w.dtype)
    for vector, own_vector in zip(memory, own_memory, strict=True):
        assert_close(vector, own_vector, w.dtype)
    np.testing.assert_array_equal(grad, own_grad)
    assert_close(total, desired, w.dtype)


@DTYPES
@OPTIMIZERS
@pytest.mark.parametrize(
    ("penalty", "decayed"), [(0.0, False), (0.0, True), (0.3, False), (0.3, True)]
)
@pytest.mark.parametrize("n", [1, 13, 10_001])
def test_steps_are_those_of_the_optimizer(
    n, penalty, decayed, name, optimizer, hyper, dtype
):
    rng = np.random.default_rng(0)
    w, grad = rng.standard_normal((2, n)).astype(dtype)
    compare(name, optimizer, hyper, w, grad, penalty, decayed, multiplier=0.5)


@DTYPES
@OPTIMIZERS
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_what_is_not_finite_stays_so(penalty, name, optimizer, hyper, dtype):
    # Some that overflow, to an infinity or back to NaN, and many that do not.
    special = np.array([0.0, 1.0, np.inf, -np.inf, np.nan, np.finfo(dtype).max], dtype)
    w, grad = np.stack(np.meshgrid(special, special)).reshape(2, -1)
    compare(name, optimizer, hyper, w, grad, penalty, decayed=True)
    w, grad = np.stack(np.meshgrid(special, special)).reshape(2, -1)
    compare(name, optimizer, hyper, w, grad, penalty, decayed=False)


@DTYPES
def test_each_run_of_parameters_adds_its_penalty(dtype):
    w, grad = np.ones(10, dtype), np.zeros(10, dtype)
    total = run(
        operation("sgd", w[:4], grad[:4], sizes=[4, 1], scalars=[1.0, 0.5]),
        operation("sgd", w[4:], grad[4:], sizes=[6, 1], scalars=[2.0, 0.5]),
        dtype=dtype,
        n=1,
        n_updates=2,
        rates=[0.1],
    )
    assert_close(total, 0.25 * 10, dtype)
    assert_close(w, [0.95] * 4 + [0.9] * 6, dtype)
