"""Networks as graphs: one function a layer, in the formulas of ``skdnn/nn/layers.py``.

A layer or an activation that is not in a table here can't be exported.
"""

from math import pi, sqrt

import numpy as np

from skdnn.nn.activations import LEAKY_SLOPE, SELU_ALPHA, SELU_SCALE
from skdnn.nn.embeddings import (
    EntityEmbeddingLayer,
    PeriodicLayer,
    PiecewiseLinearLayer,
)
from skdnn.nn.layers import (
    Activate,
    BatchNorm,
    Dense,
    Dropout,
    Fork,
    Join,
    LinearJoin,
    ParametricActivate,
    Scale,
    SharedDense,
)
from skdnn.nn.prediction import HEADROOM


class Lane:
    """The way through the layers.

    Attributes
    ----------
    graph : Graph
    has_members : bool
        Whether what passes has an axis for the members of an ensemble.
    fork : Fork
        Where the shortcut begins.
    shortcut : Tensor
    """

    def __init__(self, graph):
        self.graph = graph
        self.has_members = False
        self.fork = self.shortcut = None


def raw_predictions(graph, network, x):
    """Return what ``network.predict(x)`` does."""
    lane = Lane(graph)
    for layer in network.layers:
        make = _row(LAYERS, type(layer), f"a layer of {type(layer).__name__}")
        x = make(lane, layer, x)
        lane.has_members |= layer.n_members is not None
    dtype = network.params.dtype
    limit = np.finfo(dtype).max / HEADROOM
    return x.clip(float(-limit), float(limit)).rounded_to(dtype)


def hidden_units(units, network, members):
    """Return what `HiddenFeatures` makes of the raw predictions of a network.

    Which are the outputs of a hidden layer, (n, n_units) or (n_members, n, n_units).
    """
    if network.n_members is None:
        return units
    if members == "mean":
        return units.mean(axis=0).rounded_to(network.params.dtype)
    side_by_side = network.n_members * network.n_outputs
    return units.transpose(1, 0, 2).reshape(0, side_by_side)


def _row(table, key, what):
    if key not in table:
        raise NotImplementedError(f"There is no ONNX for {what}.")
    return table[key]


def _dense(lane, layer, x):
    z = x @ layer.weight
    if layer.multiplier != 1:
        z = z * layer.multiplier
    return z + layer.bias if layer.has_bias else z


def _shared_dense(lane, layer, x):
    gain_out = layer.gain_out.astype(np.float64) * layer.multiplier
    z = (x * layer.gain_in) @ layer.weight * gain_out
    return z + layer.bias if layer.has_bias else z


def _scale(lane, layer, x):
    return x * layer.gain


def _batch_norm(lane, layer, x):
    names = "gamma", "beta", "mean", "var"
    gamma, beta, mean, var = (getattr(layer, n).astype(np.float64) for n in names)
    factor = gamma / np.sqrt(var + layer.epsilon)
    return x * factor + (beta - mean * factor)


def _activate(lane, layer, x):
    name = layer.activation
    return _row(ACTIVATIONS, name, f"activation={name!r}")(x)


def _parametric_activate(lane, layer, x):
    return x + layer.strength * (_activate(lane, layer, x) - x)


def _dropout(lane, layer, x):
    return x


def _fork(lane, layer, x):
    lane.fork, lane.shortcut = layer, x
    return x


def _join(lane, layer, x):
    width, around = layer.n_inputs, lane.fork.n_outputs
    y, shortcut = x * layer.branch_scale, lane.shortcut
    if around > width:
        shortcut = shortcut.columns(0, width)
    elif around < width:
        # Zeros behind the columns that it has.
        shortcut = shortcut @ np.eye(around, width)
    return y + shortcut


def _linear_join(lane, layer, x):
    linear = lane.shortcut @ (layer.weight.astype(np.float64) * layer.share)
    return x * layer.branch_scale + linear + layer.bias


def _entity(lane, layer, x):
    n_others, n_codes = layer.n_inputs - len(layer.starts), len(layer.starts)
    codes = x.columns(n_others, layer.n_inputs).astype(np.int64)
    if lane.has_members:
        # They have the same codes.
        codes = codes.take(np.array(0), axis=0)
    lead = _lead(layer)
    rows = codes + layer.starts.astype(np.int64)
    vectors = lane.graph.tensor(layer.vectors).take(rows, axis=len(lead))
    vectors = vectors.reshape(*[0] * len(lead), 0, n_codes * layer.width)
    others = [x.columns(0, n_others)] if n_others else []
    return _beside(lane, layer, [*others, vectors])


def _numeric_embedding(lane, layer, x, expand):
    """Return ``[x, expand(x) @ weight + bias, other columns]``."""
    j, lead = layer.n_numbers, _lead(layer)
    numbers = x.columns(0, j)
    terms = expand(numbers.transpose(1, 0).reshape(0, 0, 1))
    vectors = terms @ layer.weight + layer.bias
    # From numbers, rows, width to rows, numbers, width.
    axes = [k + len(lead) for k in (1, 0, 2)]
    vectors = vectors.transpose(*range(len(lead)), *axes)
    vectors = vectors.reshape(*[0] * len(lead), 0, j * layer.width)
    others = [x.columns(j, layer.n_inputs)] if layer.n_inputs > j else []
    return _beside(lane, layer, [numbers, vectors, *others])


def _piecewise_linear(lane, layer, x):
    def expand(numbers):
        return ((numbers - layer.low) * layer.inverse_length).clip(0, 1)

    return _numeric_embedding(lane, layer, x, expand)


def _periodic(lane, layer, x):
    def expand(numbers):
        radians = 2 * pi * layer.frequency.astype(np.float64)
        # ONNX Runtime has had no cosine of float64 for longer than no sine.
        phase = layer.phase.astype(np.float64) + pi / 2
        return (numbers * radians + phase).apply("Sin")

    return _numeric_embedding(lane, layer, x, expand)


def _lead(layer):
    """Return the size of the axis of members, if the layer has it."""
    return () if layer.n_members is None else (layer.n_members,)


def _beside(lane, layer, parts):
    """Return tensors side by side, each with the axis of members if one has it."""
    if layer.n_members is not None:
        shape = np.array([layer.n_members, 1, 1])
        parts = [part.apply("Expand", shape) for part in parts]
    return lane.graph.concat(parts)


#: layer -> function (lane, layer, x) that returns what it makes of `x`
LAYERS = {
    Dense: _dense,
    SharedDense: _shared_dense,
    Scale: _scale,
    BatchNorm: _batch_norm,
    Activate: _activate,
    ParametricActivate: _parametric_activate,
    Dropout: _dropout,
    Fork: _fork,
    Join: _join,
    LinearJoin: _linear_join,
    EntityEmbeddingLayer: _entity,
    PiecewiseLinearLayer: _piecewise_linear,
    PeriodicLayer: _periodic,
}


def _leaky_relu(z):
    return z.maximum(z * LEAKY_SLOPE)


def _elu(z, alpha=1.0):
    return z.maximum(0) + (z.minimum(0).apply("Exp") - 1) * alpha


def _selu(z):
    return _elu(z, SELU_ALPHA) * SELU_SCALE


def _gelu(z):
    # ONNX Runtime has the error function in float32 alone.
    erf = (z * sqrt(0.5)).astype(np.float32).apply("Erf").astype(np.float64)
    return z * (0.5 * erf + 0.5)


def _silu(z):
    # With the operator of a sigmoid, ONNX Runtime 1.20 wants float32.
    return z * (0.5 * (0.5 * z).apply("Tanh") + 0.5)


def _mish(z):
    return z * _softplus(z).apply("Tanh")


def _softplus(z):
    return z.maximum(0) + ((-z.apply("Abs")).apply("Exp") + 1).apply("Log")


#: name -> function of a tensor
ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: z.apply("Sigmoid"),
    "tanh": lambda z: z.apply("Tanh"),
    "relu": lambda z: z.maximum(0),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
}
