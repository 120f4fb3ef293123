"""Exported models predict in ONNX Runtime what they predict here."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.tables import KEPT, TABLES, load, split
from skdnn._scalings import SCALINGS
from skdnn.encoding import TabularEncoder
from skdnn.nn import embeddings, layers, losses
from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.embeddings import Embedding, EntityEmbedding, PiecewiseLinearLayer
from tests.tables import (
    RECIPES,
    TASKS,
    binary,
    classifier,
    holes,
    multiclass,
    multilabel,
    numbers,
    regression,
    regressor,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")

from skdnn.onnx import _encoder, _network, _targets, to_onnx  # noqa: E402
from skdnn.onnx._inputs import rename_inputs  # noqa: E402
from tests.exported import assert_same, run, table, unseen  # noqa: E402

# Networks


@pytest.mark.sampled
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, recipe):
    """Every kind of target, with every part of a network, and with holes."""
    make, data = TASKS[task]
    X, y = data()
    X[:, 3] = np.round(X[:, 3])
    X = holes(X)
    assert_same(make(**RECIPES[recipe]).fit(X, y), X)


@pytest.mark.sampled
@pytest.mark.parametrize("parametric", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation, parametric):
    """Every activation, also with a strength that units learn."""
    X, y = regression()
    activation = Parametric(activation) if parametric else activation
    # Where some activations are far from their middle.
    assert_same(regressor(activation=activation, n_members=1).fit(X, y), X, 20 * X)


@pytest.mark.sampled
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("widths", [(8, 5), (5, 8), (6, 6, 6)])
def test_residual_connections(widths, shared):
    """Shortcuts around layers that are wider, narrower and equal, with batch norm."""
    X, y = regression()
    weights = "shared" if shared else "own"
    network = {"residual": True, "batch_norm": True, "ensemble_weights": weights}
    assert_same(regressor(widths, **network).fit(X, y), X)


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaling", [*SCALINGS, None])
def test_scalings(scaling, dtype):
    """Every scaling, of numbers that come again, and far outside of training."""
    X = np.round(4 * numbers(90), 1)
    X = X if scaling is None else holes(X)
    _, y = multiclass()
    model = classifier(numeric_scaling=scaling, dtype=dtype).fit(X, y)
    exact = 1e-7 if dtype == "float32" else 1e-9
    assert_same(model, X, np.vstack([X, X + 0.05, 100 * X]), exact)


def test_numbers_that_float32_takes_for_equal():
    """Columns are scaled in float64."""
    X, y = regression()
    X[:, 0] += 1e9
    model = regressor().fit(X, y)
    assert len(np.unique(X[:, 0].astype(np.float32))) == 1
    assert len(np.unique(run(to_onnx(model, X), X)["variable"])) > 50
    assert_same(model, X)


@pytest.mark.parametrize("scaling", ["robust", "standard", None])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_far_too_large_numbers(loss, scaling):
    """What would overflow is cut off as it is here."""
    X, y = regression()
    params = {"activation": "relu", "numeric_embedding": None}
    model = regressor(loss=loss, numeric_scaling=scaling, **params).fit(X, np.abs(y))
    new = np.vstack([1e30 * X, X])
    for factor in 1, 1e15:
        model.network_.params[:] *= factor
        out = run(to_onnx(model, X), new)["variable"]
        with np.errstate(over="ignore"):
            # Near the limits, what is rounded differently is far apart.
            y, out = (np.arcsinh(a.ravel() / 2) for a in (model.predict(new), out))
        np.testing.assert_allclose(out, y, 1e-5, 1e-5)
    if loss == "poisson":
        assert (run(to_onnx(model, X), new)["variable"] > 0).all()


LOSSES = {
    "sigmoids of exclusive classes": (classifier, losses.LogLoss(link="sigmoid")),
    "squared error of classes": (classifier, "squared_error"),
    "squared error of sigmoids": (classifier, losses.SquaredError(link="sigmoid")),
    **{name: (regressor, name) for name in losses.REGRESSOR_LOSSES},
}


@pytest.mark.sampled
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, n_members):
    """Every link, whose mean over members is that of predictions."""
    make, loss = LOSSES[name]
    X, y = multiclass()
    assert_same(make(loss=loss, n_members=n_members).fit(X, y + 1), X)


#: Three members of two kinds.
KINDS = {"portfolio": [{}, {"activation": "relu"}], "n_members": 3}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_several_kinds(name):
    """Their weighted mean is that of predictions."""
    make, loss = LOSSES[name]
    X, y = multiclass()
    model = make(loss=loss, early_stopping=True, **KINDS).fit(X, y + 1)
    assert abs(model.kind_weights_ - 0.5).max() > 0.001
    assert_same(model, X)


def test_raw_scores_of_several_kinds():
    """They are the decision function."""
    X, y = multiclass()
    model = classifier(**KINDS).fit(X, y)
    out = run(skl2onnx.to_onnx(model, X, options={"raw_scores": True}), X)
    expected = model.decision_function(X)
    np.testing.assert_allclose(out["probabilities"], expected, atol=1e-6)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_raw_scores(link, n_members):
    """What skl2onnx calls raw scores is the decision function."""
    X, y = multiclass()
    model = classifier(loss=losses.LogLoss(link=link), n_members=n_members).fit(X, y)
    onnx_model = skl2onnx.to_onnx(model, X, options={"raw_scores": True})
    out = run(onnx_model, X)["probabilities"]
    np.testing.assert_allclose(out, model.decision_function(X), atol=1e-6)


def test_target_scaling_off():
    """A regressor that learns the target as it is."""
    X, y = regression()
    assert_same(regressor(target_scaling=False).fit(X, y), X)


def test_temperature():
    """Raw predictions of members are divided by it before they are averaged."""
    X, y = binary()
    model = classifier(temperature_scaling=True, early_stopping=True).fit(X, y)
    assert model.temperature_ != 1
    assert_same(model, X)


LABELS = {
    "text": np.array(["ä", "b", "c"]),
    "objects": np.array(["ä", "b", "c"], dtype=object),
    "negative": np.array([-5, 0, 5]),
    "small integers": np.array([1, 2, 3], dtype=np.uint8),
    "floats": np.array([1.0, 2.0, 3.0]),
    "bool": np.array([False, True, True]),
    "a single one": np.array(["a", "a", "a"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels(kind):
    """Labels are those of `y`."""
    X, y = multiclass()
    assert_same(classifier(early_stopping=False).fit(X, LABELS[kind][y]), X)


@pytest.mark.parametrize("labels", [["ä", "b", "c"], [0, 1, 2]])
def test_fault_41_onnx_files_of_multilabel_targets_and_string_labels(labels):
    """They are exported with their shapes, types and order."""
    X, y = multilabel()
    assert_same(classifier().fit(X, y), X)
    X, y = multiclass()
    model = classifier().fit(X, np.array(labels)[y])
    out = run(to_onnx(model, X), X)
    assert set(out["label"]) == set(model.predict(X)) <= set(labels)
    assert_same(model, X)


# Tables


ENCODINGS = {
    "default": {},
    "all one-hot": {"categorical_embedding": None},
    "all embedded": {"categorical_embedding": EntityEmbedding(0), "min_frequency": 4},
    "shared": {"ensemble_weights": "shared", "numeric_scaling": "quantile"},
    "alone": {"n_members": 1, "numeric_embedding": None},
    "numbers": {"categorical_features": ["täxt", "many", "1 category"]},
}
CATEGORIES = ["bool", "täxt", "many", "1 category", "codes", "floats"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_frames(encoding):
    """An input a column, holes and unseen categories as here."""
    frame, y = table()
    params = {"categorical_features": CATEGORIES} | ENCODINGS[encoding]
    assert_same(classifier(**params).fit(frame, y), frame, unseen(frame))


def test_rare_categories_share_a_column():
    """Of more than 100 categories without an embedding."""
    X = pd.DataFrame(
        {"a": [f"c{i % 130}" for i in range(400)], "b": numbers(400)[:, 0]}
    )
    model = regressor(categorical_embedding=None).fit(X, X["b"])
    assert model.encoder_.n_features_out_ == 101
    assert_same(model, X, X.assign(a=X["a"].where(X.index % 3 > 0, "new")))


def test_names_and_types_of_inputs():
    """An input has the name of its column and its dtype."""
    frame, y = table()
    inputs = to_onnx(classifier().fit(frame, y), frame).graph.input
    assert [i.name for i in inputs] == list(frame)
    kinds = [
        onnx.TensorProto.DataType.Name(i.type.tensor_type.elem_type) for i in inputs
    ]
    assert kinds == [
        *("DOUBLE", "FLOAT", "INT64", "INT8", "BOOL"),
        *("STRING", "STRING", "STRING", "INT64", "DOUBLE", "DOUBLE"),
    ]


def test_nullable_numbers_and_polars():
    """Numbers that are not NumPy's are float64, text is text."""
    polars = pytest.importorskip("polars")
    frame, y = table()
    frame = frame[["number (x)", "int", "many"]].copy()
    for other in (
        frame.astype({"int": "Int64", "number (x)": "Float64"}),
        polars.from_pandas(frame.astype({"int": float})),
    ):
        # Not all versions of scikit-learn see the names of polars' columns.
        model = classifier().fit(other, y)
        out = run(to_onnx(model, other), frame.astype({"int": float}))
        expected = model.predict_proba(other)
        np.testing.assert_allclose(out["probabilities"], expected, atol=1e-6)


def test_names_that_look_alike_without_their_signs():
    """Names of inputs are those of columns even if these are letters no more."""
    X, y = regression(d=3)
    X = pd.DataFrame(X, columns=["a b", "a_b", "a-b"])
    assert_same(regressor().fit(X, y), X)


def test_inputs_that_inner_graphs_read():
    """They are renamed there, too."""
    double = onnx.helper.make_tensor_value_info("a_b", onnx.TensorProto.DOUBLE, [])
    bools = onnx.helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])
    out = onnx.helper.make_empty_tensor_value_info("out")
    ops = [onnx.helper.make_node(op, ["a_b"], ["out"]) for op in ("Neg", "Identity")]
    then, otherwise = (
        onnx.helper.make_graph([op], op.op_type, [], [out]) for op in ops
    )
    branches = {"then_branch": then, "else_branch": otherwise}
    node = onnx.helper.make_node("If", ["c"], ["out"], **branches)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "both", [double, bools], [out]),
        ir_version=10,
        opset_imports=[onnx.helper.make_opsetid("", 18)],
    )
    session = onnxruntime.InferenceSession(
        rename_inputs(model, ["a b", "c"]).SerializeToString()
    )
    feed = {"a b": np.array(2.0), "c": np.array(True)}
    assert session.run(None, feed) == [-2.0]


@pytest.mark.parametrize("hole", ["", "nan", "None", "<NA>"])
def test_missing_text(hole):
    """What stands for missing text is missing, unless it is a category."""
    X = pd.DataFrame({"a": ["x", "y", None, "z"] * 20})
    y = np.arange(80) % 4
    model = regressor().fit(X, y)
    holes = X.fillna({"a": hole})
    out = run(to_onnx(model, X), holes)["variable"][:, 0]
    np.testing.assert_allclose(out, model.predict(X), rtol=1e-6)
    assert_same(regressor().fit(holes, y), holes)


OTHER_TYPES = {
    "bools as numbers": ([True, False], [1.0, 0.0, 2.0, np.nan]),
    "numbers as bools": ([0, 1, 7], [True, False]),
    "bools as text": ([True, False], ["True", "False", "1"]),
    "text as integers": (["1", "02", "-3", "x"], [1, 2, -3, 4]),
    "text as floats": (["1", "2.50", "1e3", "x"], [1.0, 2.5, 1000.0, 4.0]),
    "large integers": ([2**60, 2**60 + 1, 5], [2**60, 2**60 + 1, 7]),
    "infinity": ([np.inf, 1.0, -np.inf], [np.inf, -np.inf, 1.0, 3.0]),
    "text alone, as numbers": (["a", "b"], [1.0, np.nan]),
    "integers as float32": ([0.5, 1, 3], np.float32([0.5, 1, 4])),
}


@pytest.mark.slow
@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("case", OTHER_TYPES)
def test_categories_of_another_type(case, coded):
    """A category is found by its name or number, whatever holds it."""
    seen, then = OTHER_TYPES[case]
    X = pd.DataFrame({"a": np.resize(np.array(seen), 60), "b": numbers()[:, 0]})
    new = pd.DataFrame({"a": np.resize(np.array(then), 12), "b": numbers(12)[:, 0]})
    X["a"] = X["a"].astype(object) if "text" in case.split() else X["a"]
    params = {"categorical_features": ["a"], "min_frequency": 1}
    if coded:
        params["categorical_embedding"] = EntityEmbedding(0)
    model = regressor(**params).fit(X, np.arange(60) % len(seen))
    assert_same(model, new)


MATRICES = {
    "float32": lambda X: X.astype(np.float32),
    "int": lambda X: np.round(3 * X).astype(int),
    "bool": lambda X: X > 0,
    "Fortran": np.asfortranarray,
    "text": lambda X: np.where(X > 0, "a", "b").astype(object),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_matrices(kind):
    """An array of any dtype is one input."""
    X, y = multiclass()
    X = MATRICES[kind](X)
    categories = list(range(4)) if kind == "text" else None
    model = classifier(categorical_features=categories).fit(X, y)
    assert_same(model, X)


def test_sparse_tables():
    """What was fitted to a sparse table takes a dense matrix."""
    sparse = pytest.importorskip("scipy.sparse")
    X, y = multiclass()
    X = np.where(X > 0, X, 0)
    model = classifier().fit(sparse.csr_array(X), y)
    out = run(to_onnx(model, sparse.csr_array(X)), X)
    np.testing.assert_allclose(out["probabilities"], model.predict_proba(X), atol=1e-6)


def test_tables_that_say_nothing():
    """Where all columns are constant, the input of the network is a zero."""
    X = pd.DataFrame({"a": np.ones(60), "b": ["x"] * 60})
    assert_same(regressor().fit(X, np.arange(60)), X)


@pytest.mark.sampled
@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("recipe", [*RECIPES, "quantile", "frame"])
def test_empty_and_single_rows(recipe, n):
    """A batch may have one row, or none."""
    X, y = multiclass()
    params = RECIPES.get(recipe, {"numeric_scaling": "quantile"})
    if recipe == "frame":
        X, y = table()
    else:
        X = np.round(X)
    model = classifier(**params).fit(X, y)
    out = run(to_onnx(model, X), X[:n])
    assert out["label"].shape == (n,)
    assert out["probabilities"].shape == (n, 3)
    if n:
        proba = model.predict_proba(X[:n])
        np.testing.assert_allclose(out["probabilities"], proba, atol=1e-6)


def test_quantiles_of_the_normal_distribution():
    """The polynomial in place of them is exact to 1e-9."""
    polynomial = _encoder._quantile_polynomial()
    p = np.concatenate([np.linspace(_encoder.EDGE, 0.5, 1001), np.logspace(-7, -1, 99)])
    w = -np.log(4 * p * (1 - p))
    z = -np.sqrt(np.maximum(w, 0)) * polynomial(w)
    np.testing.assert_allclose(z, ndtri(p), atol=1e-8)


# Other models


def test_pipelines():
    """A pipeline, and by skl2onnx itself: probabilities are a plain array."""
    X, y = binary()
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    assert_same(pipeline, X)
    assert_same(make_pipeline(StandardScaler(), regressor()).fit(X, y), X)
    for options in None, {"zipmap": False}, {id(pipeline[-1]): {"zipmap": False}}:
        out = run(skl2onnx.to_onnx(pipeline, X, options=options), X)
        proba = pipeline.predict_proba(X)
        np.testing.assert_allclose(out["probabilities"], proba, atol=1e-6)


def test_encoder():
    """An encoder alone, and below a model of scikit-learn."""
    frame, y = table()
    encoder = TabularEncoder("quantile", max_one_hot=8).fit(frame)
    out = run(to_onnx(encoder, frame), unseen(frame))["variable"]
    np.testing.assert_allclose(out, encoder.transform(unseen(frame)), atol=1e-6)
    pipeline = make_pipeline(TabularEncoder(), LogisticRegression()).fit(frame, y)
    assert_same(pipeline, frame, unseen(frame), 1e-5)


AROUND = {
    "search": lambda: GridSearchCV(classifier(), {"alpha": [1.0]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(classifier(), cv=2, method="sigmoid"),
    "stacked": lambda: StackingClassifier([("a", classifier())], cv=2),
    "bagged": lambda: BaggingClassifier(classifier(), 2),
    "one for each class": lambda: OneVsRestClassifier(classifier()),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", AROUND)
def test_inside_other_models(name, dtype):
    """What skl2onnx converts may hold estimators of skdnn."""
    X, y = multiclass()
    X = X.astype(dtype)
    assert_same(AROUND[name]().fit(X, y), X)


@pytest.mark.exhaustive
@pytest.mark.skipif(not KEPT.exists(), reason="the kept tables are not there")
@pytest.mark.parametrize("name", TABLES)
def test_development_tables(name):
    """The defaults, on 10,000 rows of real tables, which training saw 2,000 of."""
    X, y = load(name)
    train, _ = split(y, TABLES[name].task, 0, 2000)
    make = regressor if TABLES[name].task == "regression" else classifier
    model = make((128, 128), max_iter=10).fit(X.iloc[train], y[train])
    assert_same(model, X, X[:10_000], 1e-5)


# What can't be exported


class OwnLayer(PiecewiseLinearLayer):
    """A layer that nobody knows."""


class OwnEmbedding(Embedding):
    def layer(self, n_inputs, n_numbers, n_members=None):
        return OwnLayer(n_inputs, n_numbers, 4, 2, n_members)


class OwnLoss(losses.SquaredError):
    def predict(self, raw):
        return super().predict(raw)


def test_own_parts_are_named():
    """Layers and losses of the user's own are errors that name them."""
    X, y = regression()
    model = regressor(numeric_embedding=OwnEmbedding()).fit(X, y)
    with pytest.raises(NotImplementedError, match="a layer of OwnLayer"):
        to_onnx(model, X)
    model = regressor(loss=OwnLoss()).fit(X, y)
    with pytest.raises(NotImplementedError, match=r"loss=OwnLoss\(.*'predict'"):
        to_onnx(model, X)


def test_own_activations_are_named(monkeypatch):
    """So are activations without a row."""
    X, y = regression()
    model = regressor(activation="gelu").fit(X, y)
    monkeypatch.delitem(_network.ACTIVATIONS, "gelu")
    with pytest.raises(NotImplementedError, match="activation='gelu'"):
        to_onnx(model, X)


def test_columns_that_do_not_fit():
    """Text in place of numbers, and another number of columns."""
    frame, y = table()
    model = classifier().fit(frame, y)
    with pytest.raises(ValueError, match=r"'number \(x\)' enters as text"):
        to_onnx(model, frame.astype({"number (x)": str}))
    with pytest.raises(ValueError, match="feature names"):
        to_onnx(model, frame.iloc[:, ::-1])
    with pytest.raises(ValueError, match="expecting 4 features"):
        to_onnx(classifier().fit(numbers(60, 4), numbers()[:, 0] > 0), numbers(9, 3))
    with pytest.raises(ValueError, match=r"rows and columns, its shape is \(9,\)"):
        to_onnx(make_pipeline(model), np.ones(9))
    types = [("X", skl2onnx.common.data_types.DoubleTensorType([None, 3]))]
    with pytest.raises(ValueError, match="fitted to 11 columns, got 3"):
        skl2onnx.to_onnx(model, initial_types=types)


def test_not_fitted():
    """A model that is not fitted is scikit-learn's error."""
    with pytest.raises(NotFittedError):
        to_onnx(classifier(), numbers())


def test_opset():
    """The version of the operators is what is asked for, 18 or newer."""
    X, y = regression()
    model = regressor(numeric_scaling="quantile").fit(X, y)
    onnx_model = to_onnx(model, X, target_opset=18)
    assert [o.version for o in onnx_model.opset_import if not o.domain] == [18]
    run(onnx_model, X)
    with pytest.raises(ValueError, match="target_opset=15"):
        to_onnx(model, X, target_opset=15)


def test_every_row_has_its_row():
    """A layer, an activation, a scaling or a link that is new fails here."""
    known = {
        value
        for module in (layers, embeddings)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, layers.Layer)
    }
    bases = {layers.Layer, embeddings.NumericEmbedding}
    assert _network.LAYERS.keys() == known - bases
    assert _network.ACTIVATIONS.keys() == ACTIVATIONS.keys()
    assert _encoder.SCALINGS.keys() == SCALINGS.keys()
    assert _targets.INVERSE_LINKS.keys() == losses.INVERSE_LINKS.keys()
