"""Kernels of layers agree with the layers."""

from itertools import product

import numpy as np
import pytest

from skdnn.nn.embeddings import EntityEmbeddingLayer
from skdnn.nn.layers import BatchNorm, Fork, Join
from tests.programs import (
    DTYPES,
    assert_close,
    level,  # noqa: F401
    operation,
    run,
)

# In the fast suite each value once, and the best instructions.
pytestmark = pytest.mark.sampled


def layer_with_cache(layer, n, dtype, rng, first=False):
    """Give a layer parameters and statistics; return it and a cache."""
    parameters = {name: p.shape for name, p in layer.parameters.items()}
    for name, shape in {**parameters, **layer.statistics}.items():
        setattr(layer, name, np.empty(shape, dtype))
    layer.initialize(rng)
    scratch = tuple(np.empty((2, n, layer.n_outputs), dtype))
    cache = layer.allocate((n, layer.n_inputs), dtype, scratch, first)
    for name, shape in parameters.items():
        setattr(cache, f"{name}_grad", np.empty(shape, dtype))
    return layer, cache


class TestBatchNorm:
    def layer(self, n, width, dtype, rng):
        layer, cache = layer_with_cache(BatchNorm(width, 0.8, 1e-3), n, dtype, rng)
        for name in "gamma", "beta", "mean":
            getattr(layer, name)[...] = rng.standard_normal(width)
        layer.var[...] = rng.exponential(size=width)
        return layer, cache

    def compare(self, x, weight, column, order, grad, in_place):
        """Go forward and back by both; assert that all that they write agrees."""
        (n, width), dtype = x.shape, x.dtype
        layer, cache = self.layer(n, width, dtype, np.random.default_rng(1))
        mean, var = layer.mean.copy(), layer.var.copy()
        of_rows = None if weight is None else weight[order, column, None]
        with np.errstate(all="ignore"):
            desired = layer.forward(x.copy(), cache, of_rows)
            desired_grad = layer.backward(grad.copy(), cache)

        y = x if in_place else np.empty_like(x)
        x_hat, share = np.empty_like(x), np.empty(n, dtype)
        inv_std, batch_mean, squares, batch_var = np.empty((4, width), dtype)
        gamma_grad, beta_grad = np.empty((2, width), dtype)
        sums, sums_back = np.empty(1 + width, dtype), np.empty(2 * width, dtype)
        grad = grad.copy()
        n_columns = 0 if weight is None else weight.shape[1]
        sizes, scalars = [width, n_columns, column], [layer.momentum, layer.epsilon]
        of_x = x, weight, sums
        affine, running = (layer.gamma, layer.beta), (mean, var)
        of_batch = inv_std, batch_mean, squares, batch_var
        run(
            operation("batch_norm_sums", *of_x, sizes=sizes),
            operation(
                "batch_norm_squares",
                *(*of_x, mean, batch_mean, share, squares),
                sizes=[*sizes, 1],
            ),
            operation(
                "batch_norm_forward",
                *(x, y, x_hat, *affine, *running, *of_batch),
                sizes=[width, 1, 1],
                scalars=scalars,
            ),
            operation(
                "batch_norm_backward_sums",
                *(grad, x_hat, gamma_grad, beta_grad, sums_back),
                sizes=[width],
            ),
            operation(
                "batch_norm_backward",
                *(grad, x_hat, layer.gamma, inv_std, share, sums_back),
                np.empty(3 * width, dtype),
                sizes=[width, 1],
            ),
            dtype=dtype,
            n=n,
            order=order,
        )
        for actual, wanted in [
            (y, desired),
            (mean, layer.mean),
            (var, layer.var),
            (share, cache.share[0]),
            (grad, desired_grad),
            (gamma_grad, cache.gamma_grad),
            (beta_grad, cache.beta_grad),
        ]:
            assert_close(actual, wanted, dtype, scale=20)

    @DTYPES
    @pytest.mark.parametrize("in_place", [False, True])
    @pytest.mark.parametrize("n_columns", [0, 1, 3])
    @pytest.mark.parametrize(("n", "width"), [(1, 5), (2, 1), (33, 7), (100, 130)])
    def test_forward_and_backward(self, n, width, n_columns, in_place, dtype):
        rng = np.random.default_rng(0)
        x, grad = rng.standard_normal((2, n, width)).astype(dtype)
        order = rng.permutation(n + 10)[:n]
        weight = None
        if n_columns:
            weight = rng.exponential(size=(n + 10, n_columns)).astype(dtype)
        column = max(n_columns - 1, 0)
        self.compare(x, weight, column, order, grad, in_place)

    @DTYPES
    @pytest.mark.parametrize("n", [1, 20])
    def test_a_batch_without_weight(self, n, dtype):
        rng = np.random.default_rng(2)
        x, grad = rng.standard_normal((2, n, 3)).astype(dtype)
        weight = np.ones((n, 2), dtype)
        weight[:, 1] = 0
        self.compare(x, weight, 1, np.arange(n), grad, False)

    @DTYPES
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_stays_in_its_column(self, value, dtype):
        rng = np.random.default_rng(3)
        x, grad = rng.standard_normal((2, 10, 4)).astype(dtype)
        x[3, 1] = value
        grad[5, 2] = value
        self.compare(x, None, 0, np.arange(10), grad, False)

    @DTYPES
    @pytest.mark.parametrize(("n", "width"), [(1, 5), (9, 64), (7, 200)])
    def test_predict(self, n, width, dtype):
        rng = np.random.default_rng(4)
        layer, _ = self.layer(n, width, dtype, rng)
        x = rng.standard_normal((n, width)).astype(dtype)
        x[0, :3] = np.nan, np.inf, -np.inf
        desired, y = layer.forward(x.copy()), np.empty_like(x)
        for out in y, x:
            statistics = layer.gamma, layer.beta, layer.mean, layer.var
            run(
                operation(
                    "batch_norm_predict",
                    x,
                    out,
                    *statistics,
                    sizes=[width],
                    scalars=[layer.epsilon],
                ),
                dtype=dtype,
                n=n,
            )
            assert_close(out, desired, dtype)


class TestEntityEmbedding:
    CARDINALITIES = [3, 200, 2]

    def layer(self, n, n_others, width, dtype, first=False):
        """Return a layer, its cache, and rows that hold all codes."""
        rng = np.random.default_rng(0)
        layer, cache = layer_with_cache(
            EntityEmbeddingLayer(n_others + 3, self.CARDINALITIES, width),
            n,
            dtype,
            rng,
            first,
        )
        codes = [rng.integers(high, size=n) for high in self.CARDINALITIES]
        x = np.column_stack([rng.standard_normal((n, n_others)), *codes])
        return layer, cache, np.ascontiguousarray(x, dtype)

    def sizes(self, layer):
        return [layer.n_inputs, 3, layer.width, sum(self.CARDINALITIES)]

    def forward(self, layer, x):
        y = np.full((len(x), layer.n_outputs), np.nan, x.dtype)
        starts = layer.starts.astype(np.int64)
        op = operation(
            "entity_forward", x, starts, layer.vectors, y, sizes=self.sizes(layer)
        )
        run(op, dtype=x.dtype, n=len(x))
        return y

    @DTYPES
    @pytest.mark.parametrize(("n_others", "width"), [(0, 1), (4, 8), (11, 3)])
    def test_forward(self, n_others, width, dtype):
        layer, cache, x = self.layer(70, n_others, width, dtype)
        x[0, 0] = 2 if n_others == 0 else np.nan
        np.testing.assert_array_equal(self.forward(layer, x), layer.forward(x, cache))

    @DTYPES
    def test_codes_that_are_not_there(self, dtype):
        special = [-np.inf, -1e30, -300, -204, -1, 0, 2, 3, 204, 205, 300, 2.0**40]
        layer, cache, _ = self.layer(len(special), 2, 4, dtype)
        x = np.array([[0, 0, *[code] * 3] for code in special], dtype)
        desired = layer.forward(np.clip(x, -1000, 1000), cache)
        np.testing.assert_array_equal(self.forward(layer, x), desired)
        # Of what has no place in the order, all that matters is where memory ends.
        x[:, 2:] = np.nan
        first = np.tile(layer.vectors[0], 3)
        np.testing.assert_array_equal(self.forward(layer, x)[:, 2:], [first] * len(x))

    @DTYPES
    @pytest.mark.parametrize("adds", [False, True])
    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize("slab_size", [40, 10])
    def test_backward(self, slab_size, first, adds, dtype):
        layer, cache, x = self.layer(40, 5, 8, dtype, first)
        x = x[:10].copy() if slab_size == 10 else x
        x = np.concatenate([x] * (40 // slab_size))
        rng = np.random.default_rng(1)
        grad = rng.standard_normal((slab_size, layer.n_outputs)).astype(dtype)
        # The rows of each slab are at the same place, and here they are the same too.
        layer.forward(x, cache)
        desired = layer.backward(np.concatenate([grad] * (40 // slab_size)), cache)
        before = rng.standard_normal((slab_size, layer.n_inputs)).astype(dtype)
        grad_x = None if first else before.copy()
        vectors_grad = np.full_like(layer.vectors, np.nan)
        op = operation(
            "entity_backward",
            x,
            layer.starts.astype(np.int64),
            grad,
            vectors_grad,
            np.full(vectors_grad.size, np.nan),
            grad_x,
            sizes=[*self.sizes(layer), int(adds)],
        )
        run(op, dtype=dtype, n=40, slab_size=slab_size)
        assert_close(vectors_grad, cache.vectors_grad, dtype)
        if first:
            assert desired is None
        elif not adds:
            np.testing.assert_array_equal(grad_x, desired[:slab_size])
        else:
            times = 40 // slab_size
            assert_close(grad_x, before + times * desired[:slab_size], dtype, scale=2)

    @DTYPES
    def test_codes_that_are_not_there_have_a_gradient_somewhere(self, dtype):
        layer, _, x = self.layer(4, 0, 2, dtype)
        x[...] = np.array([[np.nan], [np.inf], [-np.inf], [1e30]])
        vectors_grad = np.empty_like(layer.vectors)
        grad = np.ones((4, layer.n_outputs), dtype)
        op = operation(
            "entity_backward",
            x,
            layer.starts.astype(np.int64),
            grad,
            vectors_grad,
            np.empty(vectors_grad.size),
            None,
            sizes=self.sizes(layer),
        )
        run(op, dtype=dtype, n=4)
        np.testing.assert_array_equal(vectors_grad[[0, -1]], [[6, 6]] * 2)
        assert vectors_grad.sum() == grad.size


class TestBranch:
    @DTYPES
    def test_join(self, dtype):
        rng = np.random.default_rng(0)
        for width, of_shortcut in product([1, 7, 40], repeat=2):
            n = 11
            x = rng.standard_normal((n, width)).astype(dtype)
            shortcut = rng.standard_normal((n, of_shortcut)).astype(dtype)
            x[0, 0], shortcut[1, 0] = np.inf, np.nan
            layer = Join(width, 0.25)
            desired, y = layer.forward(x, shortcut), np.empty_like(x)
            for out in y, x:
                op = operation(
                    "join_forward",
                    x,
                    shortcut,
                    out,
                    sizes=[width, of_shortcut],
                    scalars=[0.25],
                )
                run(op, dtype=dtype, n=n)
                np.testing.assert_array_equal(out, desired)

    @DTYPES
    def test_join_backward(self, dtype):
        rng = np.random.default_rng(1)
        grad = rng.standard_normal((11, 7)).astype(dtype)
        layer = Join(7, 0.3)
        cache = layer.allocate(grad.shape, dtype, None, False)
        desired, shortcut_grad = layer.backward(grad.copy(), cache), np.empty_like(grad)
        op = operation("join_backward", grad, shortcut_grad, sizes=[7], scalars=[0.3])
        run(op, dtype=dtype, n=11)
        np.testing.assert_array_equal(grad, desired)
        np.testing.assert_array_equal(shortcut_grad, cache.shortcut)

    @DTYPES
    def test_add(self, dtype):
        rng = np.random.default_rng(2)
        for width, of_shortcut in product([1, 7, 40], repeat=2):
            grad = rng.standard_normal((11, width)).astype(dtype)
            shortcut_grad = rng.standard_normal((11, of_shortcut)).astype(dtype)
            desired = Fork(width).backward(grad.copy(), shortcut_grad)
            run(
                operation("add", grad, shortcut_grad, sizes=[width, of_shortcut]),
                dtype=dtype,
                n=11,
            )
            np.testing.assert_array_equal(grad, desired)
