"""What enters a model: the inputs that a table becomes, and their columns.

A data frame has an input for each column, anything else one matrix.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from skl2onnx.common import data_types

from skdnn._tables import as_array, as_table
from skdnn.onnx._graph import Tensor

#: type of skl2onnx -> what a column of it holds; all others are numbers
KINDS = {
    data_types.StringTensorType: "text",
    data_types.BooleanTensorType: "bool",
    data_types.Int64TensorType: "integers",
    data_types.Int32TensorType: "integers",
    data_types.Int16TensorType: "integers",
    data_types.Int8TensorType: "integers",
    data_types.UInt32TensorType: "integers",
    data_types.UInt16TensorType: "integers",
    data_types.UInt8TensorType: "integers",
}

#: kind of dtype -> type of skl2onnx
TYPES = {
    "b": data_types.BooleanTensorType,
    "i": data_types.Int64TensorType,
    "u": data_types.Int64TensorType,
    "f": data_types.DoubleTensorType,
    "O": data_types.StringTensorType,
}


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
        return [("X", TYPES["f"]([None, X.shape[1]]))]
    table = as_table(X if hasattr(X, "shape") else as_array(X))
    types = [_type_of(table, j) for j in range(table.shape[1])]
    if table.names is not None:
        return [(n, t([None, 1])) for n, t in zip(table.names, types, strict=True)]
    # A matrix has one type: text, if some of it is.
    is_text = data_types.StringTensorType in types
    type_ = data_types.StringTensorType if is_text else types[0]
    return [("X", type_([None, len(types)]))]


def _type_of(table, j):
    """Return the type of a column of a table."""
    is_numbers = table.kind(j) == "numbers"
    if not is_numbers and not table.holds_categories(j):
        return TYPES["f"]
    values = np.asarray(table.numbers(j) if is_numbers else table.values(j))
    if values.dtype == np.float32:
        return data_types.FloatTensorType
    return TYPES.get(values.dtype.kind, data_types.StringTensorType)


def columns_of(graph, inputs, n_columns):
    """Return the columns of what enters a model, as a list of `Column`."""
    columns = []
    for variable in inputs:
        width = variable.type.shape[1] if len(variable.type.shape) == 2 else None
        width = n_columns if width is None else width
        kind = KINDS.get(type(variable.type), "numbers")
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
