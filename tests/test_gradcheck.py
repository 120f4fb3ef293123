"""The gradient check itself is to be trusted."""

import numpy as np
import pytest

from tests.gradcheck import assert_gradient


def square(x):
    return x @ x


def test_right_gradient_passes():
    """The gradient of |x|^2 is 2 x."""
    x = np.random.default_rng(0).standard_normal(10)
    assert_gradient(square, 2 * x, x, np.random.default_rng(1))


@pytest.mark.parametrize("factor", [2.001, 1.999, -2])
def test_wrong_gradient_fails(factor):
    """An error of 0.05 % is seen."""
    x = np.random.default_rng(0).standard_normal(10)
    with pytest.raises(AssertionError):
        assert_gradient(square, factor * x, x, np.random.default_rng(1))
