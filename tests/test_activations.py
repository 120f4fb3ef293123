"""Activations are what their names say, and their derivatives are theirs."""

import numpy as np
import pytest
from scipy.special import erfc, expit

from skdnn.nn.activations import ACTIVATIONS, Parametric, from_plain, to_plain
from skdnn.nn.initializers import INITIALIZERS
from tests.gradcheck import directional_derivative

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

FORMULAS = {
    "identity": lambda z: z,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "selu": lambda z: (
        SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0)))
    ),
    "gelu": lambda z: z * 0.5 * erfc(-z / np.sqrt(2)),
    "silu": lambda z: z * expit(z),
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "softplus": lambda z: np.logaddexp(0, z),
}


def mish_slope(z):
    t = np.tanh(np.logaddexp(0, z))
    return t + z * expit(z) * (1 - t**2)


SLOPES = {
    "identity": np.ones_like,
    "sigmoid": lambda z: expit(z) * expit(-z),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: np.where(z > 0, 1, 0),
    "leaky_relu": lambda z: np.where(z > 0, 1, 0.01),
    "elu": lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    "selu": lambda z: (
        SELU_SCALE * np.where(z > 0, 1, SELU_ALPHA * np.exp(np.minimum(z, 0)))
    ),
    "gelu": lambda z: (
        0.5 * erfc(-z / np.sqrt(2)) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    ),
    "silu": lambda z: expit(z) * (1 + z * expit(-z)),
    "mish": mish_slope,
    "softplus": expit,
}
#: Far into both tails, and off the kink at zero.
GRID = np.linspace(-40, 40, 200).reshape(50, 4)


def scratch_for(z):
    return np.full_like(z, np.nan), np.full_like(z, np.nan)


def away_from_zero(rng, shape):
    """Draw numbers that a central difference does not carry over the kink at zero."""
    z = 2 * rng.standard_normal(shape)
    z[np.abs(z) < 0.01] = 0.5
    return z


def backward(name, z, grad):
    activation = ACTIVATIONS[name]
    output = activation.forward(z.copy(), scratch_for(z))
    saved = z.copy() if activation.saves == "input" else output
    return activation.backward(grad.copy(), saved, scratch_for(z))


def test_every_row_has_a_formula():
    """The table of this test is that of the engine."""
    assert FORMULAS.keys() == SLOPES.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_initializer_exists(name):
    """The distribution of weights that an activation asks for is in the table."""
    assert ACTIVATIONS[name].initializer in INITIALIZERS


def rounding(name, z):
    """Return what one rounding in the sigmoid of SiLU, which is a tanh, comes to."""
    return np.finfo(z.dtype).eps * np.abs(z).max() if name == "silu" else 0.0


@pytest.mark.parametrize("name", FORMULAS)
def test_forward(name):
    """The activation is its formula."""
    with np.errstate(over="ignore"):
        output = ACTIVATIONS[name].forward(GRID.copy(), scratch_for(GRID))
    atol = max(1e-300, rounding(name, GRID))
    np.testing.assert_allclose(output, FORMULAS[name](GRID), rtol=1e-12, atol=atol)


@pytest.mark.parametrize("name", FORMULAS)
def test_slope(name):
    """The backward pass of ones is the formula of the derivative."""
    slope = backward(name, GRID, np.ones_like(GRID))
    atol = max(1e-15, rounding(name, GRID))
    np.testing.assert_allclose(slope, SLOPES[name](GRID), rtol=1e-12, atol=atol)


@pytest.mark.parametrize("name", FORMULAS)
def test_backward(name, rng):
    """The backward pass multiplies the gradient with the derivative."""
    z = away_from_zero(rng, (50, 4))
    grad = rng.standard_normal(z.shape)
    for v in rng.standard_normal((5, *z.shape)):
        expected = directional_derivative(
            lambda z: np.sum(grad * FORMULAS[name](z)), z, v
        )
        np.testing.assert_allclose(
            np.sum(backward(name, z, grad) * v), expected, rtol=1e-6
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORMULAS)
def test_extremes(name, dtype):
    """Inputs of any size give the value and the slope of the formulas."""
    z = np.array([[-800.0, -90, -20, 0, 20, 90, 800]], dtype=dtype)
    with np.errstate(over="ignore"):
        output = ACTIVATIONS[name].forward(z.copy(), scratch_for(z))
        slope = backward(name, z, np.ones_like(z))
    expected = FORMULAS[name](z.astype(np.float64))
    atol = rounding(name, z[np.abs(z) < 50])
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=max(1e-30, atol))
    expected = SLOPES[name](z.astype(np.float64))
    away = z != 0
    np.testing.assert_allclose(
        slope[away], expected[away], rtol=1e-5, atol=max(1e-7, atol)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORMULAS)
def test_dtype(name, dtype):
    """What comes out has the dtype that went in, in both directions."""
    z = np.array([[-1.0, 2.0]], dtype=dtype)
    assert ACTIVATIONS[name].forward(z.copy(), scratch_for(z)).dtype == dtype
    assert backward(name, z, np.ones_like(z)).dtype == dtype


@pytest.mark.parametrize("name", FORMULAS)
def test_in_place(name, rng):
    """Both passes return the array they were given."""
    activation = ACTIVATIONS[name]
    z, grad = rng.standard_normal((2, 3, 4))
    saved = z.copy()
    assert activation.forward(z, scratch_for(z)) is z
    assert activation.backward(grad, saved, scratch_for(z)) is grad


@pytest.mark.parametrize(
    ("activation", "plain"),
    [
        ("relu", "relu"),
        (Parametric("tanh"), ("parametric", "tanh")),
        (["relu", Parametric()], ["relu", ("parametric", "silu")]),
    ],
)
def test_plain_data_and_back(activation, plain):
    """What a file holds of an activation stands for the same."""
    assert to_plain(activation) == plain
    assert repr(from_plain(plain)) == repr(activation)
