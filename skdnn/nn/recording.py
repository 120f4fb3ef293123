"""Records a training step, or a prediction, as a program for the compiled engine.

A program is an array of operations, each a kernel of ``kernels/`` with the sizes,
numbers and addresses that it works on.  What a layer does stays defined by its NumPy
code; here stands which kernels do the same, one function a kind of layer, which writes
the operations of the way forward and returns a function that writes those of the way
back.  A layer, loss, activation or optimizer that is not in a table here is not
recorded, and NumPy runs the training.

The members of an ensemble follow one another in a program, or have one each where they
have nothing in common.  All kernels therefore work on one network alone.  A step that
takes long can be cut in parts, each of some of the rows of every batch, with gradients
of its own, which are added up.
"""

from types import SimpleNamespace

import numpy as np

from skdnn.nn import losses, optimizers
from skdnn.nn.activations import ACTIVATIONS, Activation
from skdnn.nn.batches import SparseRows
from skdnn.nn.compiled import activation_numbers
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
from skdnn.nn.noise import stream_key
from skdnn.nn.program import Program, address
from skdnn.nn.vectors import share_parameters

__all__ = ["NotRecorded", "record_prediction", "record_step"]

#: No two threads write to the same line of the cache, of so many float32.
LINE = 16


class NotRecorded(Exception):
    """There is no kernel for a part of the network, its loss or its optimizer."""


class Lane:
    """The way of one network, or one member of an ensemble, through the layers.

    Parameters
    ----------
    program : Program
    layers : list of Layer
    member : int
        0 for a single network.
    values : dict of Layer to object
        Has the layer's parameters and statistics as attributes.
    gradients : dict of Layer to object, default=None
        Has those of the parameters.  Without them, it is a prediction.
    seed : int, default=None
        Of dropout.
    """

    def __init__(self, program, layers, member, values, gradients=None, seed=None):
        self.program = program
        self.layers = layers
        self.member = member
        self.trains = gradients is not None
        self.seed = seed
        self.adds = False
        self.shortcut = None
        self.shortcut_grad = None
        self._values = values
        self._gradients = gradients
        # In a prediction, what lies below is done with, unless there are shortcuts.
        self._keeps = self.trains or any(isinstance(layer, Fork) for layer in layers)
        widest = max(max(layer.n_inputs, layer.n_outputs) for layer in layers)
        self._pair = [program.rows(widest).reshape(-1) for _ in range(2)]

    def value(self, layer, name, shared=False):
        """Return a parameter or statistic: the member's, or what all share."""
        return self._entry(self._values, layer, name, shared)

    def gradient(self, layer, name, shared=False):
        """Return the gradient of a parameter."""
        return self._entry(self._gradients, layer, name, shared)

    def _entry(self, arrays, layer, name, shared):
        array = getattr(arrays[layer], name)
        return array if shared or layer.n_members is None else array[self.member]

    def rows(self, width, x):
        """Return memory for what a layer makes of `x`."""
        return self.program.rows(width) if self._keeps else self.other(x, width)

    def other(self, array, width):
        """Return memory that `array` does not lie in, which the next but one reuses."""
        taken = np.shares_memory(array, self._pair[0])
        memory = self._pair[1 if taken else 0]
        n_rows = self.program.n_rows
        return memory[: n_rows * width].reshape(n_rows, width)

    def forward(self, stages, x):
        """Record the way of `x` through some stages.

        Returns
        -------
        y : ndarray
        steps_back : list of tuple
            Of each stage that is trained, the number of its inputs and the function
            that records its way back: from the gradient of its output, the memory for
            that of its input (None where nobody needs it), and whether to add to what
            is there.
        """
        steps_back = []
        for stage in stages:
            record = RECORDERS.get(type(stage))
            if record is None:
                raise NotRecorded(f"a layer of {type(stage).__name__}")
            self.trains = self._gradients is not None and not stage.frozen
            x, back = record(self, stage, x)
            if self.trains:
                steps_back.append((stage.n_inputs, back))
        return x, steps_back

    def backward(self, steps_back, grad, out=None, adds=False):
        """Record the way back; write the gradient of the first input to `out`."""
        for i, (n_inputs, back) in reversed(list(enumerate(steps_back))):
            if i > 0:
                grad = back(grad, self.other(grad, n_inputs), False)
            else:
                grad = back(grad, out, adds)
        return grad


class Units(SimpleNamespace):
    """What happens to each unit by itself, in one kernel: a stage of its own.

    Attributes
    ----------
    n_inputs : int
    frozen : bool
    bias : Dense, default=None
        The layer whose bias is added first.
    activation : Activate, default=None
    dropout : Dropout, default=None
    position : int, default=None
        Where the dropout is in the network.
    """

    def __init__(self, n_inputs, frozen, bias=None):
        super().__init__(
            n_inputs=n_inputs,
            frozen=frozen,
            bias=bias,
            activation=None,
            dropout=None,
            position=None,
        )


def _stages(layers):
    """Yield the layers, those that act on units alone joined."""
    units = None
    for position, layer in enumerate(layers):
        if isinstance(layer, Activate | Dropout):
            # An activation comes before dropout, or else it is of the next.
            full = units is not None and (
                units.dropout is not None
                or (units.activation is not None and isinstance(layer, Activate))
            )
            if full:
                yield units
            if full or units is None:
                units = Units(layer.n_inputs, layer.frozen)
            if isinstance(layer, Dropout):
                units.dropout, units.position = layer, position
            else:
                units.activation = layer
            continue
        if units is not None:
            yield units
            units = None
        yield layer
        if isinstance(layer, Dense) and layer.has_bias:
            units = Units(layer.n_outputs, layer.frozen, bias=layer)
    if units is not None:
        yield units


def _record_dense(lane, layer, x):
    return _product(lane, layer, x, shared=False)


def _product(lane, layer, x, shared):
    weight = lane.value(layer, "weight", shared)
    sizes, scalars = (layer.n_inputs, layer.n_outputs), (layer.multiplier,)
    z, add = lane.rows(layer.n_outputs, x), lane.program.add
    add("dense_forward", (x, weight, z), sizes, scalars)

    def backward(grad, out, adds):
        weight_grad = lane.gradient(layer, "weight", shared)
        more = shared and lane.adds
        add("dense_backward_weight", (x, grad, weight_grad), (*sizes, more), scalars)
        if out is not None:
            add("dense_backward_input", (grad, weight, out), (*sizes, adds), scalars)
        return out

    return z, backward


def _record_shared_dense(lane, layer, x):
    scaled, back_in = _gain(lane, layer, "gain_in", layer.n_inputs, x)
    product, back_product = _product(lane, layer, scaled, shared=True)
    z, back_out = _gain(lane, layer, "gain_out", layer.n_outputs, product)

    def backward(grad, out, adds):
        grad = back_out(grad, grad, False)
        grad = back_product(grad, lane.other(grad, layer.n_inputs), False)
        return back_in(grad, out, adds)

    return z, backward


def _record_scale(lane, layer, x):
    return _gain(lane, layer, "gain", layer.n_inputs, x)


def _gain(lane, layer, name, width, x):
    gain, add = lane.value(layer, name), lane.program.add
    y = lane.rows(width, x)
    add("scale_forward", (x, gain, y), (width,))

    def backward(grad, out, adds):
        gain_grad = lane.gradient(layer, name)
        add("scale_backward", (x, gain, grad, gain_grad, out), (width, adds))
        return out

    return y, backward


def _record_units(lane, units, z):
    program, width, activation = lane.program, units.n_inputs, units.activation
    name = "identity" if activation is None else activation.activation
    number = _activation_number(name)
    has_strength = isinstance(activation, ParametricActivate)
    bias = strength = slope = bend = bits = None
    dropped = key = 0
    if units.bias is not None:
        bias = lane.value(units.bias, "bias")
    if has_strength:
        strength = lane.value(activation, "strength")
    if lane.trains and units.dropout is not None:
        dropped = units.dropout.dropped
        key = np.uint64(stream_key(lane.seed, lane.member, units.position))
        key = int(key.astype(np.int64))
        bits = program.buffer(width // 2 + 2, dtype=np.uint32)
    acts = name != "identity" or has_strength or dropped
    if lane.trains:
        # The slope of a rectifier can be read off its output.
        plain = name == "relu" and not has_strength
        slope = z if plain else program.rows(width) if acts else None
        bend = program.rows(width) if has_strength else None
    pointers = z, z, slope, bend, bias, strength, bits
    sizes = width, number, dropped, key, int(lane.trains)
    if acts or bias is not None:
        program.add("activate_forward", pointers, sizes)

    def backward(grad, out, adds):
        bias_grad = strength_grad = None
        if units.bias is not None:
            bias_grad = lane.gradient(units.bias, "bias")
        if has_strength:
            strength_grad = lane.gradient(activation, "strength")
        pointers = grad, slope, bend, bias_grad, strength_grad
        program.add("activate_backward", pointers, (width, number, 0, dropped))
        return grad

    return z, backward


def _record_batch_norm(lane, layer, x):
    program, width = lane.program, layer.n_inputs
    names = "gamma", "beta", "mean", "var"
    gamma, beta, mean, var = (lane.value(layer, name) for name in names)
    if not lane.trains:
        pointers = x, x, gamma, beta, mean, var
        program.add("batch_norm_predict", pointers, (width,), (layer.epsilon,))
        return x, None
    part, n_parts, last = program.part, program.n_parts, program.n_parts - 1
    sums, squares, sums_back = (
        program.of_parts((layer, lane.member, name), n)
        for name, n in (("sums", 1 + width), ("squares", width), ("back", 2 * width))
    )
    x_hat, share = program.rows(width), program.buffer(program.n_rows)
    inv_std, batch_mean, batch_var = (program.buffer(width) for _ in range(3))
    weight, n_columns, column = lane.weight
    sizes = width, n_columns, column
    program.add("batch_norm_sums", (x, weight, sums[part]), sizes)
    program.meet()
    pointers = x, weight, sums, mean, batch_mean, share, squares[part]
    program.add("batch_norm_squares", pointers, (*sizes, n_parts))
    program.meet()
    pointers = (x, x, x_hat, gamma, beta, mean, var, inv_std)
    pointers = (*pointers, batch_mean, squares, batch_var)
    scalars = layer.momentum, layer.epsilon
    sizes = width, n_parts, part == last
    program.add("batch_norm_forward", pointers, sizes, scalars)
    scratch = program.buffer(3 * width)

    def backward(grad, out, adds):
        gradients = lane.gradient(layer, "gamma"), lane.gradient(layer, "beta")
        pointers = (grad, x_hat, *gradients, sums_back[part])
        program.add("batch_norm_backward_sums", pointers, (width,))
        program.meet()
        pointers = (grad, x_hat, gamma, inv_std, share, sums_back, scratch)
        program.add("batch_norm_backward", pointers, (width, n_parts))
        return grad

    return x, backward


def _record_fork(lane, layer, x):
    lane.shortcut = x

    def backward(grad, out, adds):
        around = lane.shortcut_grad
        lane.program.add("add", (grad, around), (layer.n_inputs, around.shape[1]))
        return grad

    return x, backward


def _record_join(lane, layer, x):
    width, shortcut, add = layer.n_inputs, lane.shortcut, lane.program.add
    y = lane.rows(width, x)
    sizes, scalars = (width, shortcut.shape[1]), (layer.branch_scale,)
    add("join_forward", (x, shortcut, y), sizes, scalars)
    shortcut_grad = lane.program.rows(width) if lane.trains else None

    def backward(grad, out, adds):
        add("join_backward", (grad, shortcut_grad), (width,), scalars)
        lane.shortcut_grad = shortcut_grad
        return grad

    return y, backward


def _record_linear_join(lane, layer, x):
    if lane.trains:
        raise NotRecorded("training with a linear share")
    width, shortcut, add = layer.n_outputs, lane.shortcut, lane.program.add
    linear, y = lane.program.rows(width), lane.rows(width, x)
    weight, bias = lane.value(layer, "weight"), lane.value(layer, "bias")
    sizes, scalars = (layer.n_around, width), (layer.share,)
    add("dense_forward", (shortcut, weight, linear), sizes, scalars)
    add("join_forward", (x, linear, y), (width, width), (layer.branch_scale,))
    identity = _activation_number("identity")
    pointers = y, y, None, None, bias, None, None
    add("activate_forward", pointers, (width, identity, 0, 0, 0))
    return y, None


def _record_entity(lane, layer, x):
    program, vectors = lane.program, lane.value(layer, "vectors")
    n_codes = len(layer.starts)
    starts = np.ascontiguousarray(layer.starts, np.int64)
    y = lane.rows(layer.n_outputs, x)
    sizes = layer.n_inputs, n_codes, layer.width
    program.add("entity_forward", (x, starts, vectors, y), (*sizes, len(vectors)))
    sums = program.buffer(*vectors.shape, dtype=np.float64) if lane.trains else None

    def backward(grad, out, adds):
        vectors_grad = lane.gradient(layer, "vectors")
        pointers = x, starts, grad, vectors_grad, sums, out
        program.add("entity_backward", pointers, (*sizes, len(vectors), adds))
        return out

    return y, backward


def _record_piecewise_linear(lane, layer, x):
    program, j, t = lane.program, layer.n_numbers, layer.n_terms
    weight, bias = lane.value(layer, "weight"), lane.value(layer, "bias")
    inverse = lane.value(layer, "inverse_length", shared=True)
    low = lane.value(layer, "low", shared=True)
    y = lane.rows(layer.n_outputs, x)
    prefix = program.buffer(j, t, layer.width)
    bins = program.buffer(program.n_rows, j, dtype=np.int32)
    positions = program.buffer(program.n_rows, j)
    edges = program.buffer(j, t)
    sizes = layer.n_inputs, j, t, layer.width
    pointers = (x, low, inverse, weight, bias, y, prefix, bins, positions, edges)
    program.add("piecewise_forward", pointers, sizes)
    sums = program.buffer(2, j, t, layer.width) if lane.trains else None

    def backward(grad, out, adds):
        gradients = lane.gradient(layer, "weight"), lane.gradient(layer, "bias")
        pointers = (grad, bins, positions, *gradients, sums)
        program.add("piecewise_backward", pointers, sizes)

    return y, backward


def _record_periodic(lane, layer, x):
    program, j, t = lane.program, layer.n_numbers, layer.n_terms
    names = "frequency", "phase", "weight", "bias"
    frequency, phase, weight, bias = (lane.value(layer, name) for name in names)
    y = lane.rows(layer.n_outputs, x)
    cosines = program.buffer(program.n_rows, j, t)
    sines = program.buffer(program.n_rows, j, t) if lane.trains else None
    sizes = layer.n_inputs, j, t, layer.width
    pointers = (x, frequency, phase, weight, bias, y, cosines, sines)
    program.add("periodic_forward", pointers, sizes)

    def backward(grad, out, adds):
        gradients = (lane.gradient(layer, name) for name in names)
        pointers = (x, weight, grad, cosines, sines, *gradients)
        program.add("periodic_backward", pointers, sizes)

    return y, backward


#: layer -> function (lane, layer, x) that records it; see `Lane.forward`
RECORDERS = {
    Dense: _record_dense,
    SharedDense: _record_shared_dense,
    Scale: _record_scale,
    Units: _record_units,
    BatchNorm: _record_batch_norm,
    Fork: _record_fork,
    Join: _record_join,
    LinearJoin: _record_linear_join,
    EntityEmbeddingLayer: _record_entity,
    PiecewiseLinearLayer: _record_piecewise_linear,
    PeriodicLayer: _record_periodic,
}

#: (loss, link) -> its kernel, and the parameter that it reads
LOSSES = {
    (losses.LogLoss, "sigmoid"): ("log_loss_sigmoid", "label_smoothing"),
    (losses.LogLoss, "softmax"): ("log_loss_softmax", "label_smoothing"),
    (losses.SquaredError, "identity"): ("squared_error_identity", None),
    (losses.SquaredError, "sigmoid"): ("squared_error_sigmoid", None),
    (losses.SquaredError, "softmax"): ("squared_error_softmax", None),
    (losses.AbsoluteError, "identity"): ("absolute_error", None),
    (losses.Huber, "identity"): ("huber", "delta"),
    (losses.Quantile, "identity"): ("quantile", None),
    (losses.SquaredErrorAndQuantiles, "identity"): (
        "squared_error_and_quantiles",
        "strength",
    ),
    (losses.Poisson, "exp"): ("poisson", None),
    (losses.Gamma, "exp"): ("gamma", None),
}

#: optimizer -> its kernel, and the parameters that it reads
OPTIMIZERS = {
    optimizers.SGD: ("sgd", ()),
    optimizers.Momentum: ("momentum", ("momentum",)),
    optimizers.Nesterov: ("nesterov", ("momentum",)),
    optimizers.RMSprop: ("rmsprop", ("rho", "epsilon")),
    optimizers.Adagrad: ("adagrad", ("epsilon",)),
    optimizers.Adam: ("adam", ("beta_1", "beta_2", "epsilon")),
    optimizers.AdamW: ("adam", ("beta_1", "beta_2", "epsilon")),
}


def _activation_number(name):
    numbers, (forward, backward, *_) = activation_numbers(), ACTIVATIONS[name]
    # A row of the same name may be somebody's own.
    is_ours = (forward.__name__, backward.__name__) == (name, f"{name}_backward")
    is_ours &= forward.__module__ == backward.__module__ == Activation.__module__
    if name not in numbers or not is_ours:
        raise NotRecorded(f"activation={name!r}")
    return numbers[name]


def record_step(step, batch, n_rows, n_parts=1):
    """Return the programs of a step, which together do what it does.

    Parameters
    ----------
    step : Step
    batch : Batch
        The table that batches are taken from.
    n_rows : int
        How many rows go through at a time, at most.
    n_parts : int, default=1
        How many programs share the rows of a batch, where members follow one another.

    Returns
    -------
    programs : list of Program
        One for each member of an ensemble whose members have nothing in common,
        otherwise one for each part.
    """
    network, optimizer = step.network, step.optimizer
    if type(optimizer) not in OPTIMIZERS:
        raise NotRecorded(f"optimizer={type(optimizer).__name__}")
    loss = step.loss
    if (type(loss), loss.link) not in LOSSES:
        raise NotRecorded(f"loss={type(loss).__name__}")
    _check_arrays(step, batch)
    dtype = network.params.dtype
    members = range(network.n_members or 1)
    if network.members_apart:
        return [
            _record_program(step, batch, Program(dtype, n_rows), [member], [step.grads])
            for member in members
        ]
    grads = [step.grads, *(np.empty_like(step.grads) for _ in range(n_parts - 1))]
    parts, common = range(n_parts), {}
    programs = [Program(dtype, n_rows, part, n_parts, common) for part in parts]
    return [
        _record_program(step, batch, program, members, grads) for program in programs
    ]


def _record_program(step, batch, program, members, grads):
    """Record the step of some members; `grads` has a vector for each part of it."""
    network, layers = step.network, step.network.layers
    owners = [SimpleNamespace() for _ in layers]
    share_parameters(grads[program.part], layers, owners, network.learning_rates)
    gradients = dict(zip(layers, owners, strict=True))
    values = dict(zip(layers, layers, strict=True))
    lanes = [Lane(program, layers, m, values, gradients, step.seed) for m in members]
    _record_pass(program, lanes, step.loss, batch, network.n_members)
    _record_update(program, lanes, step, grads)
    return program.finish()


def _check_arrays(step, batch):
    """Leave to NumPy what it refuses, or stretches: kernels look at no bounds."""
    network, (X, y, weight) = step.network, batch
    n, n_outputs, dtype = len(X), network.n_outputs, network.params.dtype
    if step.loss.link == "softmax":
        fits = y.shape == (n,) and y.min() >= 0 and y.max() < n_outputs
    else:
        n_targets = n_outputs - step.loss.n_auxiliary
        fits = len(y) == n and y.size == n * n_targets
    levels = step.loss.output_levels
    fits &= np.ndim(levels) == 0 or len(levels) == n_outputs
    columns = (1, network.n_members or 1)
    fits_too = weight is None or (len(weight) == n and weight.shape[1] in columns)
    if not (fits and fits_too and X.shape[1] == network.n_inputs):
        raise NotRecorded("a table of another shape")
    vectors = [network.params, step.grads]
    vectors += [step.state[name] for name in step.optimizer.memory]
    if not all(v.shape == network.params.shape and v.dtype == dtype for v in vectors):
        raise NotRecorded("a vector of another shape")
    for vector in (*vectors, network.statistics):
        if not (vector.flags.writeable and vector.flags.c_contiguous):
            raise NotRecorded("a vector that is not to be written to")


def _record_pass(program, lanes, loss, batch, n_members):
    """Record the way of rows forward and back, through each of the lanes."""
    layers = lanes[0].layers
    n_shared = _n_shared(layers, n_members)
    stages = list(_stages(layers))
    x, below = lanes[0].forward(stages[:n_shared], _record_rows(program, batch.X))
    grad_shared = program.rows(x.shape[1]) if below else None
    for lane in lanes:
        lane.adds = lane is not lanes[0]
        lane.weight = _weight(batch.weight, lane.member, program.dtype)
        raw, steps_back = lane.forward(stages[n_shared:], x)
        _record_loss(program, loss, batch.y, raw, lane.weight)
        lane.backward(steps_back, raw, grad_shared, lane.adds)
    if below:
        lanes[0].backward(below, grad_shared)


def _n_shared(layers, n_members):
    """Return how many layers, from below, are the same for all members."""
    if n_members is None:
        return 0
    return next(i for i, layer in enumerate(layers) if layer.n_members is not None)


def _record_rows(program, X):
    """Record how rows of a table become an array."""
    x = program.rows(X.shape[1])
    if isinstance(X, SparseRows):
        entries = X.entries
        parts = entries.data, entries.indices, entries.indptr, X.common
        data, indices, indptr, common = parts = list(map(np.ascontiguousarray, parts))
        dtypes = {data.dtype, common.dtype, program.dtype}
        if indices.dtype != indptr.dtype or len(dtypes) > 1:
            raise NotRecorded(f"a sparse table of {X.entries.data.dtype}")
        program.add("gather_sparse", (*parts, x), (X.shape[1], indices.itemsize == 8))
    else:
        program.add("gather", (_table(X, program.dtype), x), (X.shape[1],))
    return x


def _record_loss(program, loss, y, raw, weight):
    kernel, parameter = LOSSES[type(loss), loss.link]
    table, n_columns, column = weight
    y = _table(y, np.int64 if loss.link == "softmax" else program.dtype)
    scalars = () if parameter is None else (getattr(loss, parameter),)
    sizes, pointers = (raw.shape[1], n_columns, column), (y, raw, table, raw)
    if kernel == "quantile":
        # One of each output.
        quantiles = program.buffer(raw.shape[1])
        quantiles[...] = loss.quantile
        pointers = (*pointers, quantiles)
    elif kernel == "squared_error_and_quantiles":
        levels = program.buffer(raw.shape[1])
        levels[...] = loss.output_levels
        sizes, pointers = (*sizes, loss.n_targets), (*pointers, levels)
    program.add(kernel, pointers, sizes, scalars)


def _weight(weight, member, dtype):
    """Return the weights of rows, how many columns they have, and the member's."""
    if weight is None:
        return None, 0, 0
    n_columns = weight.shape[1]
    return _table(weight, dtype), n_columns, member if n_columns > 1 else 0


def _table(array, dtype):
    """Return an array that a program can read, without a copy if it is one."""
    if array.dtype != dtype:
        raise NotRecorded(f"an array of {array.dtype} instead of {np.dtype(dtype)}")
    return np.ascontiguousarray(array)


def _record_update(program, lanes, step, grads):
    """Record the step of the optimizer on all parameters that the lanes have.

    Those of a part are its share of them.
    """
    optimizer, before = step.optimizer, len(program)
    kernel, names = OPTIMIZERS[type(optimizer)]
    hyperparameters = [getattr(optimizer, name) for name in names]
    if kernel == "adam":
        program.add("adam_rate", (), (), hyperparameters[:2])
    vectors = [step.network.params, step.grads]
    vectors += [step.state[name] for name in optimizer.memory]
    apart = step.network.members_apart
    members = [lane.member for lane in lanes] if apart else None
    for span, decayed, multiplier in _spans(step.network, members):
        span = _share(span, program)
        scalars = multiplier, step.penalty, optimizer.weight_decay
        sizes = span.stop - span.start, decayed
        if len(grads) > 1:
            of_parts = [of_part[span] for of_part in grads]
            program.add("sum_gradients", of_parts, (sizes[0], len(grads) - 1))
        pointers = [vector[span] for vector in vectors]
        program.add(kernel, pointers, sizes, (*scalars, *hyperparameters))
    program.n_updates = len(program) - before


def _share(span, program):
    """Return what a part of the programs of a step has of a run of parameters."""
    n, part, n_parts = span.stop - span.start, program.part, program.n_parts
    first, stop = (
        n * p // n_parts // LINE * LINE if p < n_parts else n for p in (part, part + 1)
    )
    return slice(span.start + first, span.start + stop)


def _spans(network, members):
    """Return the runs of the parameters that are trained alike, of some members.

    None is all that there is.
    """
    if members is None or network.n_members is None:
        return network.groups
    spans = []
    start = network.params.__array_interface__["data"][0]
    for layer in (ly for ly in network.layers if not ly.frozen):
        for name, parameter in layer.parameters.items():
            for member in members:
                own = getattr(layer, name)[member]
                first = (address(own) - start) // own.itemsize
                rate = network.learning_rates.get(parameter.kind, 1.0)
                span = slice(first, first + own.size)
                spans.append((span, parameter.decayed, rate))
    return spans


def record_prediction(network, owners, x, member):
    """Return a program that makes raw predictions, and the array that it writes.

    Parameters
    ----------
    network : Network
    owners : list of object
        They have parameters and statistics of the layers.
    x : ndarray of shape (n_rows, n_inputs)
        What it reads; as many rows go through at a time, at most.
    member : int
        0 for a single network.
    """
    program = Program(x.dtype, len(x))
    values = dict(zip(network.layers, owners, strict=True))
    raw, _ = Lane(program, network.layers, member, values).forward(
        _stages(network.layers), x
    )
    return program.finish(), raw
