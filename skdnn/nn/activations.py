"""Activation functions and their derivatives, one row of `ACTIVATIONS` each.

``forward(z, scratch)`` overwrites `z` with the activation and returns it.
``backward(grad, saved, scratch)`` turns the gradient with respect to the activation
into the one with respect to `z`, in place, and may overwrite `saved`: the output of the
forward pass or, where the derivative cannot be read from that, a copy of its input.
`scratch` is a pair of arrays of the same shape, for intermediate results.

To add an activation, write the two functions and their row.

`Parametric` is any of them with a strength that each unit learns.
"""

from collections.abc import Callable
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
from sklearn.base import BaseEstimator

__all__ = [
    "ACTIVATIONS",
    "LEAKY_SLOPE",
    "SELU_ALPHA",
    "SELU_SCALE",
    "Activation",
    "Parametric",
    "from_plain",
    "to_plain",
]

#: Slope of the leaky ReLU below zero.
LEAKY_SLOPE = 0.01

#: Constants of the self-normalizing network (Klambauer et al., 2017).
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772

#: From here on, softplus(z) = z and tanh(softplus(z)) = 1 to the last bit of float64.
MISH_LINEAR = 20.0


class Activation(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    forward, backward : callable
        See the module's docstring.
    saves : {"output", "input"}
        What `backward` reads.
    initializer : str
        The distribution of initial weights that suits the layer below it.
    """

    forward: Callable
    backward: Callable
    saves: str = "output"
    initializer: str = "glorot_uniform"


def identity(z, scratch):
    """``a = z``."""
    return z


def identity_backward(grad, a, scratch):
    return grad


def sigmoid(z, scratch):
    """``a = 1 / (1 + exp(-z))``."""
    return _sigmoid(z, out=z)


def sigmoid_backward(grad, a, scratch):
    slope = np.subtract(1, a, out=scratch[0])
    slope *= a
    grad *= slope
    return grad


def tanh(z, scratch):
    """``a = tanh(z)``."""
    return np.tanh(z, out=z)


def tanh_backward(grad, a, scratch):
    slope = np.square(a, out=scratch[0])
    np.subtract(1, slope, out=slope)
    grad *= slope
    return grad


def relu(z, scratch):
    """``a = max(z, 0)``."""
    return np.maximum(z, _zeros(scratch[0]), out=z)


def relu_backward(grad, a, scratch):
    grad *= _indicator(np.greater, a, scratch[0])
    return grad


def leaky_relu(z, scratch):
    """``a = max(z, 0.01 z)``."""
    return np.maximum(z, np.multiply(z, LEAKY_SLOPE, out=scratch[0]), out=z)


def leaky_relu_backward(grad, a, scratch):
    slope = _indicator(np.greater, a, scratch[0])
    slope *= 1 - LEAKY_SLOPE
    slope += LEAKY_SLOPE
    grad *= slope
    return grad


def elu(z, scratch):
    """``a = z where z > 0, else exp(z) - 1``."""
    negative = np.minimum(z, _zeros(scratch[0]), out=scratch[0])
    # exp(z) - 1 >= z, so the maximum picks the right branch.
    return np.maximum(z, np.expm1(negative, out=negative), out=z)


def elu_backward(grad, a, scratch):
    slope = np.minimum(a, _zeros(scratch[0]), out=scratch[0])
    slope += 1
    grad *= slope
    return grad


def selu(z, scratch):
    """``a = 1.0507 (z where z > 0, else 1.6733 (exp(z) - 1))``."""
    negative, zeros = scratch[0], _zeros(scratch[1])
    np.minimum(z, zeros, out=negative)
    np.expm1(negative, out=negative)
    negative *= SELU_ALPHA
    np.maximum(z, zeros, out=z)
    z += negative
    z *= SELU_SCALE
    return z


def selu_backward(grad, a, scratch):
    # Below zero the slope is a + SELU_SCALE * SELU_ALPHA, above it SELU_SCALE.
    slope = _indicator(np.less, a, scratch[0])
    slope *= SELU_SCALE * (SELU_ALPHA - 1)
    slope += SELU_SCALE
    slope += np.minimum(a, _zeros(scratch[1]), out=scratch[1])
    grad *= slope
    return grad


def gelu(z, scratch):
    """``a = z Phi(z)``, with the distribution function of the standard normal."""
    z *= ndtr(z, out=scratch[0])
    return z


def gelu_backward(grad, z, scratch):
    slope = np.square(z, out=scratch[0])
    slope *= -0.5
    np.exp(slope, out=slope)
    slope *= 1 / sqrt(2 * pi)
    slope *= z
    slope += ndtr(z, out=scratch[1])
    grad *= slope
    return grad


def silu(z, scratch):
    """``a = z sigmoid(z)``."""
    z *= _sigmoid_by_tanh(z, out=scratch[0])
    return z


def silu_backward(grad, z, scratch):
    s, slope = _sigmoid_by_tanh(z, out=scratch[0]), scratch[1]
    np.subtract(1, s, out=slope)
    slope *= z
    slope += 1
    slope *= s
    grad *= slope
    return grad


def mish(z, scratch):
    """``a = z tanh(log(1 + exp(z)))``, as ``z n / (n + 2)``, ``n = e^z (e^z + 2)``."""
    e, n = _mish_terms(z, scratch)
    n /= np.add(n, 2, out=e)
    z *= n
    return z


def mish_backward(grad, z, scratch):
    # The slope is (n + 4 z e (e + 1) / (n + 2)) / (n + 2).
    e, n = _mish_terms(z, scratch)
    z *= 4
    z *= e
    e += 1
    z *= e
    z /= np.add(n, 2, out=e)
    z += n
    z /= e
    grad *= z
    return grad


def softplus(z, scratch):
    """``a = log(1 + exp(z))``, as ``max(z, 0) + log(1 + exp(-|z|))``."""
    tail = np.abs(z, out=scratch[0])
    np.negative(tail, out=tail)
    np.exp(tail, out=tail)
    np.log1p(tail, out=tail)
    np.maximum(z, _zeros(scratch[1]), out=z)
    z += tail
    return z


def softplus_backward(grad, a, scratch):
    # 1 - exp(-a) = sigmoid(z)
    slope = np.negative(a, out=scratch[0])
    np.expm1(slope, out=slope)
    grad *= np.negative(slope, out=slope)
    return grad


def _sigmoid(z, out):
    np.negative(z, out=out)
    np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)


def _sigmoid_by_tanh(z, out):
    # Half the time of `_sigmoid`; where that is almost 0, this is 0.
    np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5
    return out


def _mish_terms(z, scratch):
    e, n = scratch
    np.exp(np.minimum(z, MISH_LINEAR, out=e), out=e)
    np.add(e, 2, out=n)
    n *= e
    return e, n


def _zeros(out):
    # NumPy's maximum of two arrays is vectorized, that of an array and a scalar is not.
    out.fill(0)
    return out


def _indicator(compare, a, out):
    return compare(a, 0, out=out, casting="unsafe")


ACTIVATIONS = {
    "identity": Activation(identity, identity_backward, initializer="lecun_normal"),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "tanh": Activation(tanh, tanh_backward),
    "relu": Activation(relu, relu_backward, initializer="he_normal"),
    "leaky_relu": Activation(leaky_relu, leaky_relu_backward, initializer="he_normal"),
    "elu": Activation(elu, elu_backward, initializer="he_normal"),
    "selu": Activation(selu, selu_backward, initializer="lecun_normal"),
    "gelu": Activation(gelu, gelu_backward, saves="input", initializer="he_normal"),
    "silu": Activation(silu, silu_backward, saves="input", initializer="he_normal"),
    "mish": Activation(mish, mish_backward, saves="input", initializer="he_normal"),
    "softplus": Activation(softplus, softplus_backward, initializer="he_normal"),
}


class Parametric(BaseEstimator):
    """An activation whose strength each unit learns: ``z + strength * (f(z) - z)``.

    1, where the strength starts, is the activation itself and 0 the identity (the
    parametric activations of RealMLP, Holzmueller et al., 2024).

    Parameters
    ----------
    activation : str, default="silu"
        A name in `ACTIVATIONS`.

    Examples
    --------
    >>> from skdnn import DNNClassifier
    >>> from skdnn.nn.activations import Parametric
    >>> DNNClassifier(activation=Parametric("mish")).activation
    Parametric(activation='mish')
    """

    def __init__(self, activation="silu"):
        self.activation = activation


def to_plain(activation):
    """Return an activation, or a list of them, as plain data: what `build_mlp` takes.

    A name stays a name, and ``Parametric(name)`` is ``("parametric", name)``.
    """
    if isinstance(activation, Parametric):
        return "parametric", activation.activation
    if isinstance(activation, str):
        return activation
    return list(map(to_plain, activation))


def from_plain(description):
    """Return what `to_plain` was given."""
    if isinstance(description, tuple):
        return Parametric(description[1])
    if isinstance(description, str):
        return description
    return list(map(from_plain, description))
