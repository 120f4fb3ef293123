"""A model as arrays, from which the lines of NumPy in docs/export.md predict."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

from skdnn import DNNClassifier
from skdnn._scalings import SCALINGS
from skdnn.export import to_arrays
from skdnn.nn.embeddings import EntityEmbedding
from skdnn.nn.losses import REGRESSOR_LOSSES, LogLoss, Quantile
from tests.tables import (
    RECIPES,
    TASKS,
    classifier,
    holes,
    multiclass,
    numbers,
    regression,
    regressor,
)
from tests.test_docs import python_blocks

PAGE = Path(__file__).parents[1] / "docs" / "export.md"


@cache
def page():
    """Return the functions that the page defines, by name."""
    namespace = {"np": np}
    for block in python_blocks(PAGE.read_text(encoding="utf-8")):
        if "\ndef " in block:
            exec(compile(block, PAGE, "exec"), namespace)
    return namespace


def assert_same(estimator, X, tmp_path):
    """Compare what the page predicts, from a file, with the estimator itself."""
    np.savez(tmp_path / "model.npz", **to_arrays(estimator))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        model = dict(file)
    frame = pd.DataFrame(X).astype(object)
    columns = [frame[name].where(frame[name].notna(), None).tolist() for name in frame]
    y = page()["predict"](model, columns)
    if is_classifier(estimator):
        np.testing.assert_allclose(y, estimator.predict_proba(X), atol=1e-6)
    else:
        expected = estimator.predict(X).reshape(len(X), -1)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(y, expected, atol=1e-6 * scale)


@pytest.mark.sampled
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, recipe, tmp_path):
    """Every kind of target, with every part of a network, and with holes."""
    make, data = TASKS[task]
    X, y = data()
    # Codes are found as text, as the page has it.
    X[:, 3] = np.round(X[:, 3]) + 0.0
    estimator = make(**RECIPES[recipe]).fit(holes(X), y)
    X = pd.DataFrame(holes(X))
    X[3] = X[3].astype(int).astype(object)
    assert_same(estimator, X, tmp_path)


#: Three members of two kinds.
KINDS = {"portfolio": [{}, {"activation": "relu"}], "n_members": 3}


@pytest.mark.parametrize("task", TASKS)
def test_several_kinds(task, tmp_path):
    """The page has the weighted mean of what they predict."""
    make, data = TASKS[task]
    X, y = data()
    estimator = make(early_stopping=True, **KINDS).fit(X, y)
    assert abs(estimator.kind_weights_ - 0.5).max() > 0.001
    assert_same(estimator, X, tmp_path)


@pytest.mark.parametrize("n_members", [1, 3])
def test_quantiles(n_members, tmp_path):
    """They do not cross where the network has them the wrong way round."""
    X, y = regression()
    loss = Quantile([0.9, 0.1, 0.5])
    params = {"n_members": n_members, "max_iter": 1, "learning_rate": 1.0}
    assert_same(regressor(loss=loss, **params).fit(X, y), 100 * X, tmp_path)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "silu", "tanh"])
def test_activations(activation, tmp_path):
    """The activations that the page has."""
    X, y = regression()
    assert_same(regressor(activation=activation).fit(X, y), X, tmp_path)


@pytest.mark.parametrize("scaling", [*SCALINGS, None])
def test_scalings(scaling, tmp_path):
    """Every scaling, of numbers that come again, and far outside of training."""
    X = np.round(4 * numbers(90), 1)
    X = X if scaling is None else holes(X)
    _, y = multiclass()
    estimator = classifier(numeric_scaling=scaling, dtype="float64").fit(X, y)
    assert_same(estimator, np.vstack([X, X + 0.05, 100 * X]), tmp_path)


@pytest.mark.parametrize("loss", REGRESSOR_LOSSES)
def test_losses(loss, tmp_path):
    """Every loss of numbers."""
    X, y = regression()
    estimator = regressor(loss=loss).fit(X, np.exp(y / 5))
    assert_same(estimator, X, tmp_path)


@pytest.mark.parametrize("n_members", [1, 3])
def test_sigmoids_of_exclusive_classes(n_members, tmp_path):
    """Probabilities are over their sum."""
    X, y = multiclass()
    loss = LogLoss(link="sigmoid")
    assert_same(classifier(loss=loss, n_members=n_members).fit(X, y), X, tmp_path)


@pytest.mark.parametrize("widths", [(8, 5), (5, 8)])
def test_residual_connections(widths, tmp_path):
    """Shortcuts that are wider and narrower, with batch norm."""
    X, y = regression()
    estimator = regressor(widths, residual=True, batch_norm=True).fit(X, y)
    assert_same(estimator, X, tmp_path)


@pytest.mark.parametrize("embedding", [None, "entity", EntityEmbedding(0)])
def test_categories(embedding, tmp_path):
    """Known, missing, rare and unseen ones; those of codes come last."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "many": rng.choice([f"c{i}" for i in range(130)], 600),
            "number": rng.standard_normal(600),
            "few": rng.choice(["a", "b", None], 600),
        }
    ).astype({"many": object, "few": object})
    y = rng.integers(0, 2, 600) + (X["few"] == "a")
    estimator = classifier(categorical_embedding=embedding).fit(X, y)
    X.loc[::3, "many"] = "new"
    X.loc[1::3, "few"] = "new"
    X.loc[2::6, "many"] = None
    assert_same(estimator, X, tmp_path)


def test_a_single_class(tmp_path):
    """Its probability is one."""
    X = numbers()
    estimator = classifier(early_stopping=False).fit(X, np.zeros(60, int))
    assert_same(estimator, X, tmp_path)


def test_columns_that_say_nothing(tmp_path):
    """The only input is then a zero."""
    X = np.ones((60, 2))
    assert_same(regressor().fit(X, np.arange(60)), X, tmp_path)


def test_arrays_are_copies():
    """To change them changes nothing."""
    X, y = multiclass()
    estimator = classifier().fit(X, y)
    before = estimator.predict_proba(X)
    for array in to_arrays(estimator).values():
        if array.dtype.kind in "if":
            array.fill(1)
    np.testing.assert_array_equal(estimator.predict_proba(X), before)


def test_every_name_is_in_the_page():
    """The layout that is documented is that which there is."""
    X, y = multiclass()
    table = PAGE.read_text(encoding="utf-8").partition("| name |")[2]
    table = table.partition("\n\n")[0]
    for params in {}, {"numeric_scaling": "quantile", "dtype": "float64"}, KINDS:
        for name in to_arrays(classifier(**params).fit(X, y)):
            parts = [part for part in name.split("/") if not part.isdigit()]
            if "network" not in parts:
                assert f"`{parts[-1]}`" in table or f"/{parts[-1]}`" in table, name


def test_not_fitted():
    """A model that is not fitted is scikit-learn's error."""
    with pytest.raises(NotFittedError):
        to_arrays(DNNClassifier())
