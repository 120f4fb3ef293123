"""What enters a model: the inputs that a table becomes, and their columns.

A data frame has an input for each column, anything else one matrix.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from skl2onnx.common import data_types

from skdnn._tables import NUMBERS, as_array, as_table
from skdnn.onnx._graph import Tensor

#: dtype -> type of skl2onnx; numbers of other dtypes are float64
TYPES = {
    "bool": data_types.BooleanTensorType,
    "float32": data_types.FloatTensorType,
    "float64": data_types.DoubleTensorType,
    "int8": data_types.Int8TensorType,
    "int16": data_types.Int16TensorType,
    "int32": data_types.Int32TensorType,
    "int64": data_types.Int64TensorType,
    "object": data_types.StringTensorType,
    "uint8": data_types.UInt8TensorType,
    "uint16": data_types.UInt16TensorType,
    "uint32": data_types.UInt32TensorType,
    "uint64": data_types.UInt64TensorType,
}

#: kind of dtype -> what a column of it holds
KINDS = {"b": "bool", "f": "numbers", "i": "integers", "O": "text", "u": "integers"}
KIND_OF_TYPE = {type_: KINDS[np.dtype(name).kind] for name, type_ in TYPES.items()}


class Column(NamedTuple):
    """A column of what enters a model.

    Attributes
    ----------
    tensor : Tensor
        Of shape (n, width); the column is one of these.
    place : int
        Which of them.
    width : int
    kind : {"text", "bool", "integers", "numbers"}
    title : str
        What to call it in a message.
    """

    tensor: Tensor
    place: int
    width: int
    kind: str
    title: str


def input_types(X):
    """Return the names of the inputs that a table becomes, and their types."""
    if issparse(X):
        return [("X", _type_of_dtype(X.dtype)([None, X.shape[1]]))]
    X = X if hasattr(X, "shape") else as_array(X)
    if len(X.shape) != 2:
        raise ValueError(f"X must have rows and columns, its shape is {X.shape}.")
    table = as_table(X)
    types = [_type_of(table, j) for j in range(table.shape[1])]
    if table.names is not None:
        return [(n, t([None, 1])) for n, t in zip(table.names, types, strict=True)]
    # A matrix has one type: text, if some of it is.
    type_ = TYPES["object"] if TYPES["object"] in types else types[0]
    return [("X", type_([None, len(types)]))]


def _type_of(table, j):
    """Return the type of a column of a table."""
    if table.kind(j) == NUMBERS:
        return _type_of_dtype(table.numbers(j).dtype)
    if not table.holds_categories(j):
        return TYPES["float64"]
    return _type_of_dtype(np.asarray(table.values(j)).dtype)


def _type_of_dtype(dtype):
    others = "float64" if dtype.kind in "iuf" else "object"
    return TYPES.get(dtype.name, TYPES[others])


def columns_of(graph, inputs, n_columns):
    """Return the columns of what enters a model, as a list of `Column`."""
    columns = []
    for variable in inputs:
        width = variable.type.shape[1] if len(variable.type.shape) == 2 else None
        width = n_columns if width is None else width
        kind = KIND_OF_TYPE.get(type(variable.type), "numbers")
        tensor = Tensor(graph, variable.onnx_name)
        for place in range(width):
            name = variable.raw_name
            title = f"Column {place} of {name!r}" if width > 1 else f"Column {name!r}"
            columns.append(Column(tensor, place, width, kind, title))
    if len(columns) != n_columns:
        raise ValueError(
            f"The model was fitted to {n_columns} columns, got {len(columns)}."
        )
    return columns


def rename_inputs(onnx_model, names):
    """Call the inputs what the columns are called: skl2onnx has letters alone.

    No other name has anything but letters, so that none of them is taken.
    """
    graph = onnx_model.graph
    new = {i.name: name for i, name in zip(graph.input, names, strict=True)}
    for value in graph.input:
        value.name = new[value.name]
    _rename_in(graph, new)
    return onnx_model


def _rename_in(graph, new):
    """Rename what the nodes of a graph read, and those of the graphs in them."""
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename_in(attribute.g, new)
