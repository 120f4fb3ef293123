"""Graphs of ONNX, written as formulas.

A `Tensor` is what a node puts out. Operators between tensors, arrays and numbers add
the node that computes them, so that a layer reads here as it does in NumPy.
"""

from numbers import Real

import numpy as np
from onnx import helper, numpy_helper

#: From this version on, the axes of all reductions are an input.
OLDEST_OPSET = 18

#: The version of ``ai.onnx.ml`` whose LabelEncoder maps text to integers.
OPSET_OF_LABELS = 2


class Graph:
    """The graph that skl2onnx is making of a model, to add nodes to.

    Parameters
    ----------
    scope : skl2onnx Scope
        Which gives names.
    container : skl2onnx ModelComponentContainer
        Which keeps nodes and constants.
    """

    def __init__(self, scope, container):
        self._scope = scope
        self._container = container
        opset = container.target_opset_any_domain("")
        if opset < OLDEST_OPSET:
            raise ValueError(
                f"skdnn exports to opset {OLDEST_OPSET} of ONNX or a newer one, got "
                f"target_opset={opset}."
            )

    def tensor(self, value):
        """Return a tensor for what is one already, or is an array, text or a number.

        Numbers of Python are float64. Float32 is kept as it is, which is half as large,
        and read as float64.
        """
        if isinstance(value, Tensor):
            return value
        array = np.asarray(value, np.float64 if isinstance(value, Real) else None)
        name = self._scope.get_unique_variable_name("constant")
        if array.dtype.kind in "OU":
            tensor = helper.make_tensor(
                name,
                helper.np_dtype_to_tensor_dtype(np.dtype(object)),
                array.shape,
                [text.encode() for text in array.ravel()],
            )
        else:
            tensor = numpy_helper.from_array(array, name)
        self._container.initializers.append(tensor)
        constant = Tensor(self, name)
        return constant.astype(np.float64) if array.dtype == np.float32 else constant

    def add(self, op, *inputs, domain="", version=None, **attributes):
        """Add a node, and return what it puts out."""
        name = self._scope.get_unique_variable_name(op.lower())
        self._container.add_node(
            op,
            [self.tensor(value).name for value in inputs],
            [name],
            op_domain=domain,
            op_version=version,
            name=self._scope.get_unique_operator_name(op),
            **attributes,
        )
        return Tensor(self, name)

    def put_out(self, tensor, name):
        """Give a tensor the name of something that is put out."""
        self._container.add_node(
            "Identity",
            [tensor.name],
            [name],
            name=self._scope.get_unique_operator_name("Identity"),
        )

    def sort(self, tensor, size):
        """Return the entries of the last axis, `size` of them, in ascending order."""
        names = [self._scope.get_unique_variable_name("sorted") for _ in range(2)]
        self._container.add_node(
            "TopK",
            [tensor.name, self.tensor(np.array([size])).name],
            names,
            name=self._scope.get_unique_operator_name("TopK"),
            largest=0,
        )
        return Tensor(self, names[0])

    def concat(self, parts):
        """Return tensors side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=-1)

    def where(self, condition, yes, no):
        return self.add("Where", condition, yes, no)

    def labels(self, text, labels, default):
        """Return the integer of each text, by a dict, or the default."""
        return self.add(
            "LabelEncoder",
            text,
            domain="ai.onnx.ml",
            version=OPSET_OF_LABELS,
            keys_strings=list(labels),
            values_int64s=list(map(int, labels.values())),
            default_int64=int(default),
        )


class Tensor:
    """What a node puts out.

    Parameters
    ----------
    graph : Graph
    name : str
    """

    # Has an array leave its operators to this class.
    __array_ufunc__ = None

    def __init__(self, graph, name):
        self.graph = graph
        self.name = name

    def __add__(self, other):
        return self.graph.add("Add", self, other)

    def __sub__(self, other):
        return self.graph.add("Sub", self, other)

    def __rsub__(self, other):
        return self.graph.add("Sub", other, self)

    def __mul__(self, other):
        return self.graph.add("Mul", self, other)

    def __truediv__(self, other):
        return self.graph.add("Div", self, other)

    def __matmul__(self, other):
        return self.graph.add("MatMul", self, other)

    def __neg__(self):
        return self.graph.add("Neg", self)

    def __lt__(self, other):
        return self.graph.add("Less", self, other)

    def __le__(self, other):
        return self.graph.add("LessOrEqual", self, other)

    def __gt__(self, other):
        return self.graph.add("Greater", self, other)

    __rmul__ = __mul__

    def equals(self, other):
        return self.graph.add("Equal", self, other)

    def astype(self, dtype):
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.graph.add("Cast", self, to=kind)

    def rounded_to(self, dtype):
        """Return the nearest numbers of a dtype, as float64."""
        rounds = np.dtype(dtype) != np.float64
        return self.astype(dtype).astype(np.float64) if rounds else self

    def maximum(self, other):
        return self.graph.add("Max", self, other)

    def minimum(self, other):
        return self.graph.add("Min", self, other)

    def clip(self, low, high):
        return self.graph.add("Clip", self, low, high)

    def columns(self, start, stop):
        """Return some of the last axis."""
        bounds = (np.array([i]) for i in (start, stop, -1))
        return self.graph.add("Slice", self, *bounds)

    def take(self, indices, axis):
        return self.graph.add("Gather", self, indices, axis=axis)

    def transpose(self, *axes):
        return self.graph.add("Transpose", self, perm=axes)

    def reshape(self, *shape):
        """Return it in another shape; a 0 keeps the axis that is there."""
        return self.graph.add("Reshape", self, np.array(shape))

    def mean(self, axis):
        return self._reduced("ReduceMean", axis)

    def log_sum_exp(self, axis):
        return self._reduced("ReduceLogSumExp", axis)

    def _reduced(self, op, axis):
        return self.graph.add(op, self, np.array([axis]), keepdims=0)

    def apply(self, op, *others, **attributes):
        """Return what a node makes of it, and of other inputs."""
        return self.graph.add(op, self, *others, **attributes)
