"""Kernels of losses agree with the losses."""

import numpy as np
import pytest

from skdnn.nn.losses import (
    AbsoluteError,
    Gamma,
    Huber,
    LogLoss,
    Poisson,
    Quantile,
    SquaredError,
    SquaredErrorAndQuantiles,
)
from tests.programs import (
    DTYPES,
    assert_close,
    level,  # noqa: F401
    operation,
    run,
)

# In the fast suite each value once, and the best instructions.
pytestmark = pytest.mark.sampled

#: kernel, loss, its parameter
ENTRYWISE = [
    ("log_loss_sigmoid", LogLoss(link="sigmoid"), 0.0),
    ("log_loss_sigmoid", LogLoss(0.2, "sigmoid"), 0.2),
    ("squared_error_identity", SquaredError("identity"), 0.0),
    ("squared_error_sigmoid", SquaredError("sigmoid"), 0.0),
    ("absolute_error", AbsoluteError(), 0.0),
    ("huber", Huber(0.7), 0.7),
    ("quantile", Quantile(0.3), 0.3),
    ("poisson", Poisson(), 0.0),
    ("gamma", Gamma(), 0.0),
]
MULTINOMIAL = [
    ("log_loss_softmax", LogLoss(link="softmax"), 0.0),
    ("log_loss_softmax", LogLoss(0.2, "softmax"), 0.2),
    ("squared_error_softmax", SquaredError("softmax"), 0.0),
]
CASES = pytest.mark.parametrize(("name", "loss", "parameter"), ENTRYWISE + MULTINOMIAL)


def draw(name, n_rows, n_outputs, dtype, rng):
    """Return targets that a loss allows."""
    if name.endswith("softmax"):
        return rng.integers(n_outputs, size=n_rows)
    shape = n_rows, n_outputs
    y = {
        "log_loss_sigmoid": lambda: rng.integers(2, size=shape),
        "squared_error_sigmoid": lambda: rng.integers(2, size=shape),
        "poisson": lambda: rng.poisson(1.0, size=shape),
        "gamma": lambda: rng.gamma(2.0, size=shape) + 0.01,
    }.get(name, lambda: rng.standard_normal(shape))()
    return y.astype(dtype)


def widths(name):
    return [2, 3, 10, 101, 700] if name.endswith("softmax") else [1, 3, 300]


def pass_through(name, parameter, y, raw, weight, column, grad, **options):
    sizes = raw.shape[1], 0 if weight is None else weight.shape[1], column
    arrays = y, raw, weight, grad
    if name == "quantile":
        levels = np.empty(raw.shape[1], raw.dtype)
        levels[...] = parameter
        loss = operation(name, *arrays, levels, sizes=sizes)
    else:
        loss = operation(name, *arrays, sizes=sizes, scalars=[parameter])
    return run(loss, dtype=raw.dtype, **options)


@DTYPES
@CASES
@pytest.mark.parametrize("n_columns", [0, 1, 3])
def test_value_and_gradient_are_those_of_the_loss(
    name, loss, parameter, n_columns, dtype
):
    rng = np.random.default_rng(0)
    n_rows, n, column = 400, 333, max(n_columns - 1, 0)
    for n_outputs in widths(name):
        y = draw(name, n_rows, n_outputs, dtype, rng)
        raw = 3 * rng.standard_normal((n, n_outputs)).astype(dtype)
        weight, of_rows = None, None
        order = rng.permutation(n_rows)[:n]
        if n_columns:
            weight = rng.exponential(size=(n_rows, n_columns)).astype(dtype)
            weight[order[0]] = 0
            of_rows = weight[order, column, None]
        value, desired = loss.loss_gradient(y[order], raw, of_rows)
        before, grad = raw.copy(), np.empty_like(raw)
        total = pass_through(
            name, parameter, y, raw, weight, column, grad, n=n, order=order
        )
        # Of the scale of the gradient of a row, which is one over their number.
        assert_close(n * grad, n * desired, dtype, scale=10)
        assert_close(total / n, value, dtype, scale=n_outputs)
        np.testing.assert_array_equal(raw, before)
        # The gradient may take the place of the raw predictions.
        in_place = pass_through(
            name, parameter, y, raw, weight, column, raw, n=n, order=order
        )
        assert in_place == total
        np.testing.assert_array_equal(raw, grad)


@DTYPES
@CASES
def test_values_of_slabs_add_up(name, loss, parameter, dtype):
    rng = np.random.default_rng(1)
    n, slab_size, n_outputs = 50, 20, 4
    y = draw(name, n, n_outputs, dtype, rng)
    weight = rng.exponential(size=(n, 1)).astype(dtype)
    raw = rng.standard_normal((slab_size, n_outputs)).astype(dtype)
    grad = np.empty_like(raw)
    total = pass_through(
        name, parameter, y, raw, weight, 0, grad, n=n, slab_size=slab_size
    )
    value = 0.0
    for start in range(0, n, slab_size):
        rows = slice(start, min(start + slab_size, n))
        part = raw[: rows.stop - start]
        of_slab, desired = loss.loss_gradient(y[rows], part, weight[rows], 1 / n)
        value += of_slab
    assert_close(total / n, value, dtype, scale=4)
    assert_close(n * grad[: len(part)], n * desired, dtype, scale=10)


@DTYPES
@pytest.mark.parametrize("n_outputs", [2, 3, 255, 256, 300])
def test_quantiles_of_each_output(n_outputs, dtype):
    """Levels stay with their outputs from block to block, and slab to slab."""
    rng = np.random.default_rng(0)
    n, levels = 50, rng.uniform(0.01, 0.99, n_outputs)
    y = rng.standard_normal((n, n_outputs)).astype(dtype)
    raw = rng.standard_normal((n, n_outputs)).astype(dtype)
    grad = np.empty_like(raw)
    value, desired = Quantile(levels).loss_gradient(y, raw)
    total = pass_through("quantile", levels, y, raw, None, 0, grad, n=n)
    assert_close(n * grad, n * desired, dtype)
    assert_close(total / n, value, dtype, scale=n_outputs)


def pass_with_quantiles(loss, y, raw, weight, grad, **options):
    """Run the kernel of a mean and its quantiles, on weights of one column or none."""
    sizes = raw.shape[1], 0 if weight is None else 1, 0, loss.n_targets
    levels = loss.output_levels.astype(raw.dtype)
    arrays = y, raw, weight, grad, levels
    name, scalars = "squared_error_and_quantiles", [loss.strength]
    loss = operation(name, *arrays, sizes=sizes, scalars=scalars)
    return run(loss, dtype=raw.dtype, **options)


@DTYPES
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [1, 2, 7, 30, 300])
def test_quantiles_beside_each_mean(n_targets, weighted, dtype):
    """Targets begin anew for each level, from block to block and slab to slab."""
    rng = np.random.default_rng(0)
    loss = SquaredErrorAndQuantiles(n_targets)
    n_rows, n = 60, 50
    n_outputs = n_targets + loss.n_auxiliary
    y = rng.standard_normal((n_rows, n_targets)).astype(dtype)
    raw = rng.standard_normal((n, n_outputs)).astype(dtype)
    order, grad = rng.permutation(n_rows)[:n], np.empty_like(raw)
    weight = rng.exponential(size=(n_rows, 1)).astype(dtype) if weighted else None
    of_rows = None if weight is None else weight[order]
    value, desired = loss.loss_gradient(y[order], raw, of_rows)
    total = pass_with_quantiles(loss, y, raw, weight, grad, n=n, order=order)
    assert_close(n * grad, n * desired, dtype, scale=10)
    assert_close(total / n, value, dtype, scale=n_outputs)


@DTYPES
def test_special_values_beside_quantiles(dtype):
    """Infinities and NaN are those of NumPy."""
    loss = SquaredErrorAndQuantiles()
    for value in SPECIAL:
        raw = np.full((1, 20), value, dtype)
        y, grad = np.ones((1, 1), dtype), np.empty_like(raw)
        total = pass_with_quantiles(loss, y, raw, None, grad, n=1)
        with np.errstate(all="ignore"):
            expected, desired = loss.loss_gradient(y, raw)
        assert_close(grad, desired, dtype, scale=100)
        assert_close(total, expected, dtype, scale=100)


SPECIAL = [0.0, 30.0, -30.0, 100.0, -100.0, 800.0, -800.0, np.inf, -np.inf, np.nan]


@DTYPES
@CASES
def test_special_values_are_those_of_numpy(name, loss, parameter, dtype):
    is_softmax = name.endswith("softmax")
    large = [np.finfo(dtype).max, -np.finfo(dtype).max]
    raws = [[value, 0.5] for value in SPECIAL + large]
    raws += [raw[::-1] for raw in raws] + [[value, value] for value in SPECIAL]
    for values in raws:
        raw = np.array([values], dtype)
        for target in 0, 1, 2:
            if target == 2 and name not in ("poisson", "gamma"):
                continue
            y = np.array([target] if is_softmax else [[target, target]])
            if not is_softmax:
                y = y.astype(dtype)
            grad = np.empty_like(raw)
            total = pass_through(name, parameter, y, raw, None, 0, grad, n=1)
            with np.errstate(all="ignore"):
                value, desired = loss.loss_gradient(y, raw)
            assert_close(grad, desired, dtype, scale=100)
            assert_close(total, value, dtype, scale=100)


@DTYPES
@CASES
def test_not_a_number_stays_with_its_row(name, loss, parameter, dtype):
    rng = np.random.default_rng(2)
    for n_outputs in widths(name):
        n = 9
        y = draw(name, n, n_outputs, dtype, rng)
        raw = rng.standard_normal((n, n_outputs)).astype(dtype)
        for column in {0, n_outputs // 2, n_outputs - 1}:
            spoilt, grad = raw.copy(), np.empty_like(raw)
            spoilt[4, column] = np.nan
            total = pass_through(name, parameter, y, spoilt, None, 0, grad, n=n)
            value, desired = loss.loss_gradient(y, spoilt)
            assert np.isnan(total)
            assert np.isnan(value)
            assert_close(n * grad, n * desired, dtype, scale=10)


@DTYPES
def test_a_row_that_is_far_worse_does_not_hide_the_others(dtype):
    n = 100_000
    y, raw = np.zeros((n, 1), dtype), np.ones((n, 1), dtype)
    raw[0] = 1e4
    grad = np.empty_like(raw)
    total = pass_through("absolute_error", 0.0, y, raw, None, 0, grad, n=n)
    np.testing.assert_allclose(total, 1e4 + n - 1, rtol=1e-12)
