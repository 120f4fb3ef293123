"""Imports inside the package point down, level by level."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import skdnn

LEVELS = [
    {"skdnn", "skdnn.dask", "skdnn.onnx"},
    {"skdnn.dask._estimators"},
    {
        "skdnn.classifier",
        "skdnn.regressor",
        "skdnn.display",
        "skdnn.export",
        "skdnn.transfer",
        "skdnn._show_versions",
    },
    {
        "skdnn.display.activations",
        "skdnn.display.attributions",
        "skdnn.display.loss_curve",
        "skdnn.display.network",
        "skdnn.display.weights",
    },
    {"skdnn.display.figures", "skdnn.inspection", "skdnn.monitoring"},
    {"skdnn.onnx._encoder"},
    {"skdnn.onnx._inputs", "skdnn.onnx._network", "skdnn.onnx._targets"},
    {"skdnn.onnx._graph"},
    {"skdnn._base"},
    {"skdnn._advice", "skdnn._attributions", "skdnn._fitted", "skdnn._persistence"},
    {"skdnn.dask._table"},
    {"skdnn._fitting", "skdnn._trial", "skdnn.dask._training"},
    {"skdnn._html", "skdnn._recipe", "skdnn._streamed", "skdnn._training"},
    {
        "skdnn._callbacks",
        "skdnn._clock",
        "skdnn._ending",
        "skdnn._linear_share",
        "skdnn._stopping",
    },
    {"skdnn.dask._rounds", "skdnn.dask._shards"},
    {"skdnn._parts", "skdnn._validation"},
    {"skdnn._calibration", "skdnn._data", "skdnn._mixture", "skdnn._model"},
    {"skdnn._class_targets", "skdnn._number_targets", "skdnn.encoding"},
    {"skdnn._class_predictions", "skdnn._vocabulary"},
    {"skdnn._architecture", "skdnn._targets"},
    {"skdnn._portfolio", "skdnn._pretrained"},
    {"skdnn._parameters", "skdnn._scoring", "skdnn._statistics"},
    {
        "skdnn._baseline",
        "skdnn._categories",
        "skdnn._class_weights",
        "skdnn._scalings",
        "skdnn._tables",
    },
    {
        "skdnn._distributions",
        "skdnn._doc_link",
        "skdnn._summary",
        "skdnn._target_scaling",
        "skdnn._threads",
        "skdnn._warnings",
    },
    {
        "skdnn._rows",
        "skdnn._sklearn_compat",
        "skdnn._version",
        "skdnn.dask._cluster",
        "skdnn.dask._partitions",
        "skdnn.dask._prediction",
        "skdnn.dask._storage",
        "skdnn.streaming",
    },
    {"skdnn.nn.trainer"},
    {"skdnn.nn.step", "skdnn.nn.steps"},
    {"skdnn.nn.copying", "skdnn.nn.mlp"},
    {"skdnn.nn.network"},
    {"skdnn.nn.prediction"},
    {"skdnn.nn.recording"},
    {
        "skdnn.nn.batches",
        "skdnn.nn.embeddings",
        "skdnn.nn.inputs",
        "skdnn.nn.program",
        "skdnn.nn.workspace",
    },
    {"skdnn.nn.layers", "skdnn.nn.losses", "skdnn.nn.optimizers", "skdnn.nn.schedules"},
    {
        "skdnn.nn.activations",
        "skdnn.nn.compiled",
        "skdnn.nn.initializers",
        "skdnn.nn.noise",
        "skdnn.nn.vectors",
        "skdnn.nn.workers",
    },
    {"skdnn.nn"},
]
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
ROOT = Path(skdnn.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in ROOT.rglob("*.py")
}


@cache
def imports(module):
    """Return what a module imports from where, as pairs of names."""
    pairs = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            pairs |= {(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            pairs |= {(alias.name, None) for alias in node.names}
    return pairs


def test_every_module_has_its_level():
    """No module is left out of the order."""
    assert MODULES.keys() == LEVEL.keys()


@pytest.mark.parametrize("module", sorted(LEVEL))
def test_imports_point_down(module):
    """A module imports only what lies below it."""
    for source, name in imports(module):
        if source.split(".")[0] == "skdnn":
            below = f"{source}.{name}" if f"{source}.{name}" in LEVEL else source
            assert LEVEL[below] > LEVEL[module], f"{module} imports {below}"


@pytest.mark.parametrize("module", sorted(m for m in LEVEL if m.startswith("skdnn.nn")))
def test_the_engine_knows_no_scikit_learn(module):
    """The engine takes BaseEstimator from scikit-learn, and nothing else."""
    taken = {pair for pair in imports(module) if pair[0].split(".")[0] == "sklearn"}
    assert taken <= {("sklearn.base", "BaseEstimator")}


ENGINE = sorted(m for m in LEVEL if m.startswith("skdnn.nn."))


@pytest.mark.parametrize("module", ENGINE)
def test_what_is_public_is_said(module):
    """`__all__` has names that there are, and what other modules import."""
    public = import_module(module).__all__
    assert all(hasattr(import_module(module), name) for name in public)
    taken = {name for m in LEVEL for source, name in imports(m) if source == module}
    assert taken <= set(public)


def test_public_modules_of_the_engine():
    """What the package says is public are modules of it."""
    assert {f"skdnn.nn.{name}" for name in skdnn.nn.__all__} <= set(ENGINE)
