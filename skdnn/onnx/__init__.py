"""Fitted models as ONNX, which other programs and languages run.

Needs skl2onnx and onnx: ``pip install "skdnn[onnx]"``.  Once this module is imported,
``skl2onnx.to_onnx`` can convert skdnn's estimators too.
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from skdnn._mixture import Mixture
from skdnn.classifier import DNNClassifier
from skdnn.encoding import TabularEncoder
from skdnn.regressor import DNNRegressor
from skdnn.transfer import HiddenFeatures

try:
    import skl2onnx
except ImportError as error:
    raise ImportError(
        "skdnn.onnx needs skl2onnx and onnx: pip install 'skdnn[onnx]'."
    ) from error

from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from skdnn.onnx._encoder import encode
from skdnn.onnx._graph import Graph
from skdnn.onnx._inputs import columns_of, input_types, rename_inputs
from skdnn.onnx._network import hidden_units, raw_predictions
from skdnn.onnx._targets import (
    decisions,
    label_array,
    labels,
    mixed,
    numbers,
    probabilities,
)

__all__ = ["to_onnx"]

#: What is converted here.
MODELS = DNNClassifier, DNNRegressor, HiddenFeatures, TabularEncoder

#: kind of dtype of the classes -> type of the labels
LABELS = {
    "O": StringTensorType,
    "i": Int64TensorType,
    "b": BooleanTensorType,
    "f": DoubleTensorType,
}


def to_onnx(model, X, *, target_opset=None):
    """Convert a fitted model to ONNX.

    The graph computes what `predict` and `predict_proba` do, or `transform`, in float64
    where they do, with all that belongs to them: scaling, holes, categories, members,
    temperature.

    Parameters
    ----------
    model : DNNClassifier, DNNRegressor, HiddenFeatures, TabularEncoder or Pipeline
        A fitted one. Other steps of a pipeline are converted by skl2onnx, and so is
        what else it knows around skdnn's estimators.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Some rows, for names and types of the inputs. A data frame has an input for each
        column, of shape (n, 1), by its name and of its dtype, where all that is neither
        numbers nor bool is text. A column that may have holes later is not one of
        integers. Anything else has one input, ``"X"``.
    target_opset : int, default=None
        Version of ONNX's operators, 18 or newer; by default the newest that skl2onnx
        has been tested with.

    Returns
    -------
    onnx_model : onnx.ModelProto
        The outputs of a classifier are ``"label"``, of shape (n,), or (n, n_labels) for
        multilabel targets, and ``"probabilities"``, of shape (n, n_classes); the output
        of others is ``"variable"``, of shape (n, n_outputs). Where the input is one
        matrix that is not float64, numbers are float32.

    Raises
    ------
    NotImplementedError
        If the model has a part of the user's own, such as a layer or a loss.
    ValueError
        If the columns of `X` are not those that the model was fitted to, or numbers
        come as text.

    Notes
    -----
    NaN is a missing number. Missing text is ``""``; ``"None"``, ``"nan"`` and
    ``"<NA>"``, which ONNX Runtime makes of missing Python objects, are missing as well,
    unless they are a category.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import DNNClassifier
    >>> from skdnn.onnx import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DNNClassifier((16,), max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> [output.name for output in to_onnx(clf, X).graph.output]
    ['label', 'probabilities']
    """
    if isinstance(model, MODELS):
        check_is_fitted(model)
        validate_data(model, X, reset=False, skip_check_array=True)
    types = input_types(X)
    onnx_model = skl2onnx.to_onnx(
        model,
        initial_types=types,
        target_opset=target_opset,
        options={"zipmap": False} if hasattr(model, "predict_proba") else None,
    )
    return rename_inputs(onnx_model, [name for name, _ in types])


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare what a model puts out, for skl2onnx."""
    operator = scope.declare_local_operator(_alias(type(model)), model)
    operator.inputs = inputs
    # Of a matrix, they are what those of skl2onnx's own models are.
    is_double = len(inputs) > 1 or isinstance(inputs[0].type, DoubleTensorType)
    numbers_type = DoubleTensorType if is_double else FloatTensorType
    for name, type_ in _outputs(model, numbers_type):
        operator.outputs.append(scope.declare_local_variable(name, type_))
    return operator.outputs


def _outputs(model, numbers_type):
    """Return the names of what a model puts out, and their types."""
    check_is_fitted(model)
    if isinstance(model, TabularEncoder):
        return [("variable", numbers_type([None, model.n_features_out_]))]
    if isinstance(model, HiddenFeatures):
        return [("variable", numbers_type([None, len(model.get_feature_names_out())]))]
    targets = model._model.targets
    if isinstance(model, DNNRegressor):
        return [("variable", numbers_type([None, targets.n_outputs]))]
    n_classes = len(targets.classes)
    label = Int64TensorType([None, n_classes])
    if not targets.multilabel:
        label = LABELS[label_array(targets.classes).dtype.kind]([None])
    return [("label", label), ("probabilities", numbers_type([None, n_classes]))]


def _convert(scope, operator, container):
    """Add the graph of a model to what skl2onnx makes."""
    model, graph = operator.raw_operator, Graph(scope, container)
    options = {}
    if isinstance(model, DNNClassifier):
        options = container.get_options(model, {"raw_scores": False})
    *label, last = _tensors(graph, model, operator.inputs, **options)
    if isinstance(operator.outputs[-1].type, FloatTensorType):
        last = last.astype(np.float32)
    for tensor, variable in zip([*label, last], operator.outputs, strict=True):
        graph.put_out(tensor, variable.onnx_name)


def _tensors(graph, model, inputs, raw_scores=False, zipmap=None):
    """Return what a model puts out, numbers last.

    `raw_scores` asks for those of ``decision_function`` in place of probabilities, and
    `zipmap` for a dictionary of these, which there is none of.
    """
    columns = columns_of(graph, inputs, model.n_features_in_)
    if isinstance(model, TabularEncoder):
        return [encode(graph, model, columns)]
    fitted = model._model
    targets, rows = fitted.targets, encode(graph, fitted.encoder, columns)
    if isinstance(model, HiddenFeatures):
        raw = raw_predictions(graph, fitted.network, rows)
        return [hidden_units(raw, fitted.network, model.members)]
    raw = _raw_of_members(graph, fitted, rows)
    if isinstance(model, DNNRegressor):
        return [numbers(graph, targets, *raw)]
    proba = probabilities(graph, targets, *raw)
    scores = decisions(graph, targets, *raw) if raw_scores else proba
    return [labels(graph, targets, proba), scores]


def _raw_of_members(graph, model, rows):
    """Return raw predictions, and of how many members they are; None is one network."""
    if isinstance(model, Mixture):
        parts = [_raw_of_members(graph, part, rows) for part in model.models]
        return mixed(graph, model.targets, parts, model.weights), None
    raw = raw_predictions(graph, model.network, rows) / model.temperature
    return raw, model.network.n_members


def _alias(model_class):
    return f"Skdnn{model_class.__name__}"


#: What skl2onnx asks of classifiers; probabilities are an array, whatever it is.
OPTIONS = {"zipmap": [True, False, "columns"], "raw_scores": [True, False]}

for _model_class in MODELS:
    skl2onnx.update_registered_converter(
        _model_class,
        _alias(_model_class),
        lambda operator: None,
        _convert,
        parser=_parse,
        options=OPTIONS if _model_class is DNNClassifier else None,
    )
