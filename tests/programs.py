"""Programs of a few operations, for tests of the kernels that they call."""

from types import SimpleNamespace

import numpy as np
import pytest

_compiled = pytest.importorskip(
    "skdnn.nn._compiled", reason="The compiled engine was not built."
)

OPERATION = np.dtype(
    [("kernel", "i8"), ("size", "i8", 8), ("scalar", "f8", 8), ("pointer", "u8", 12)]
)

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(params=_compiled.supported_levels(), autouse=True)
def level(request):
    """Test kernels for all instructions that this processor has."""
    _compiled.choose_level(request.param)
    yield
    _compiled.choose_level(_compiled.supported_levels()[0])


def operation(name, *arrays, sizes=(), scalars=()):
    """Return one operation, and its arrays, which must live until it has run.

    An array that is None is a null pointer.
    """
    op = np.zeros(1, OPERATION)
    op["kernel"] = _compiled.kernels()[name]
    op["size"][0, : len(sizes)] = sizes
    op["scalar"][0, : len(scalars)] = scalars
    for slot, array in enumerate(arrays):
        assert array is None or array.flags.c_contiguous
        op["pointer"][0, slot] = 0 if array is None else array.ctypes.data
    return op, arrays


def run(
    *operations,
    dtype,
    n,
    order=None,
    batch_size=None,
    slab_size=None,
    n_updates=0,
    rates=None,
    t=0,
    draw=0,
):
    """Run all batches of `n` rows, by default one; return the sum of the objectives."""
    batch_size = batch_size or n
    n_steps = -(-n // batch_size)
    program = SimpleNamespace(
        bytes=np.concatenate([op for op, _ in operations]).view(np.uint8),
        n_updates=n_updates,
        part=0,
        n_parts=1,
    )
    (total,) = _compiled.run(
        [program],
        [0.0],
        np.dtype(dtype) == np.float32,
        order,
        n,
        batch_size,
        slab_size or batch_size,
        0,
        n_steps,
        np.ones(n_steps) if rates is None else np.asarray(rates, float),
        t,
        draw,
    )
    return total


def assert_close(actual, desired, dtype, scale=1):
    """Assert that arrays agree but for `scale` times some roundings, and NaN too."""
    tolerance = scale * (2e-6 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(actual, desired, rtol=tolerance, atol=tolerance)
