"""Initial weights have the distribution that their names say."""

import numpy as np
import pytest

from skdnn.nn.initializers import INITIALIZERS

VARIANCES = {"lecun": 1 / 300, "he": 2 / 300, "glorot": 2 / (300 + 200)}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_same_seed_same_draw(name):
    """Equal generators draw equal weights, and different ones different weights."""
    first, second, other = (
        INITIALIZERS[name](np.random.default_rng(seed), 5, 4) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.isclose(first, other).any()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_drawn_in_float64(name, rng):
    """Weights are float64 of shape (n_inputs, n_outputs)."""
    weights = INITIALIZERS[name](rng, 5, 4)
    assert (weights.dtype, weights.shape) == (np.float64, (5, 4))


def test_every_row_is_tested():
    """The table has each family in each distribution, and nothing else."""
    names = {
        f"{family}_{kind}" for family in VARIANCES for kind in ("normal", "uniform")
    }
    assert INITIALIZERS.keys() == names


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("family", VARIANCES)
def test_variance(family, distribution, rng):
    """60,000 weights have the mean zero and the variance of the formula."""
    weights = INITIALIZERS[f"{family}_{distribution}"](rng, 300, 200)
    assert weights.shape == (300, 200)
    np.testing.assert_allclose(weights.var(), VARIANCES[family], rtol=0.03)
    assert abs(weights.mean()) < 4 * np.sqrt(VARIANCES[family] / weights.size)


@pytest.mark.parametrize("family", VARIANCES)
def test_uniform_bound(family, rng):
    """Uniform weights end where their variance says."""
    bound = np.sqrt(3 * VARIANCES[family])
    weights = np.abs(INITIALIZERS[f"{family}_uniform"](rng, 300, 200))
    assert 0.999 * bound < weights.max() <= bound


def test_lecun_normal_is_the_textbook_formula():
    """lecun_normal is randn / sqrt(n_in)."""
    weights = INITIALIZERS["lecun_normal"](np.random.default_rng(3), 9, 5)
    expected = np.random.default_rng(3).standard_normal((9, 5)) / 3
    np.testing.assert_allclose(weights, expected, rtol=1e-15)
