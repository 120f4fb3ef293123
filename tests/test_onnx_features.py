"""Exported hidden features are in ONNX Runtime what they are here."""

from itertools import product

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdnn import HiddenFeatures
from tests.tables import RECIPES, classifier, holes, multiclass, numbers

pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

from skdnn.onnx import to_onnx
from tests.exported import assert_same, run, table, unseen


def assert_same_features(hidden, X, new=None):
    """Compare exported hidden features with those here, which are not all one."""
    new = X if new is None else new
    units = hidden.transform(new)
    assert units.std(axis=0).max() > 1e-2
    out = run(to_onnx(hidden, X), new)
    assert list(out) == ["variable"]
    np.testing.assert_allclose(out["variable"], units, atol=1e-6)


@pytest.mark.sampled
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("members", ["concatenate", "mean"])
def test_hidden_features(members, recipe):
    """Every hidden layer, of members side by side and as their mean."""
    X, y = multiclass()
    X[:, 3] = np.round(X[:, 3])
    network = FrozenEstimator(
        classifier(**RECIPES[recipe] | {"hidden_layer_dims": (8, 5, 7)}).fit(
            holes(X), y
        )
    )
    for layer in -3, 1, -1:
        hidden = HiddenFeatures(network, layer, members=members).fit(X)
        assert_same_features(hidden, holes(X))


@pytest.mark.parametrize(("frozen", "residual"), product([False, True], repeat=2))
def test_hidden_features_below_another_model(frozen, residual):
    """A step of a pipeline, fitted to frames with holes, or to arrays."""
    (frame, y), X = table(), numbers(200).astype(np.float32)
    network = classifier((8, 8), residual=residual, batch_norm=True)
    for train, new in (frame, unseen(frame)), (X, 2 * X):
        inside = FrozenEstimator(network.fit(train, y)) if frozen else network
        hidden = HiddenFeatures(inside)
        pipeline = make_pipeline(hidden, LogisticRegression()).fit(train, y)
        assert_same(pipeline, train, new, 1e-5)
        assert_same_features(pipeline[0], train, new)


@pytest.mark.parametrize("members", ["concatenate", "mean"])
@pytest.mark.parametrize("n", [0, 1])
def test_few_rows(n, members):
    """A batch may have one row, or none."""
    X, y = multiclass()
    hidden = HiddenFeatures(classifier(n_members=3), members=members).fit(X, y)
    out = run(to_onnx(hidden, X), X[:n])["variable"]
    assert out.shape == (n, len(hidden.get_feature_names_out()))


def test_not_fitted():
    """What is not fitted is scikit-learn's error."""
    with pytest.raises(NotFittedError):
        to_onnx(HiddenFeatures(classifier()), numbers())
