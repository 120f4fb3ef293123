"""The diagram of a network says what there is in it."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skdnn import NetworkDisplay
from skdnn._summary import summary
from tests.plain import plain_classifier, plain_regressor
from tests.recipes import maker, networks, table
from tests.tables import binary, classifier, multiclass, regression


def said(display):
    """Return what stands beside the layers: names, and what is below them."""
    texts = [text.get_text() for text in display.texts_]
    return dict(zip(texts[::2], texts[1::2], strict=True))


@networks
def test_all_parameters_are_counted(network):
    """The layers have all parameters, and their widths fit together."""
    X, y = table("multiclass")
    clf = maker("multiclass", network)().fit(X, y)
    layers = summary(clf)
    assert sum(layer.n_parameters for layer in layers) == len(clf.network_.params)
    assert layers[0].n_units == clf.encoder_.n_features_out_
    assert layers[-1].n_units == 3


def test_plain(plt):
    """A textbook network is columns, hidden layers and an output."""
    clf = plain_classifier((20, 7), activation=["relu", "tanh"]).fit(*multiclass())
    display = NetworkDisplay.from_estimator(clf)
    assert said(display) == {
        "input: 4 numbers": "4 columns",
        "hidden 1: 20 units": "relu\n100 parameters",
        "hidden 2: 7 units": "tanh\n147 parameters",
        "output: 3 units": "softmax\n24 parameters",
    }
    assert display.ax_.get_title() == "DNNClassifier, 271 parameters"


def test_default_recipe(plt):
    """Embeddings, scaling, dropout and the number of networks are told."""
    X, y = binary()
    frame = pd.DataFrame(X).assign(word=[*"abcdefghij"] * 6)
    frame.columns = [*"abcde"]
    clf = classifier(batch_norm=True, n_members=2, dtype="float64").fit(frame, y)
    display = NetworkDisplay.from_estimator(clf, name="mine")
    names = ["input", "embedding", "embedding", "input scaling", "hidden 1", "output"]
    assert [layer.name for layer in display.layers] == names
    details = [layer.details for layer in display.layers]
    assert details[1:3] == [("piecewise linear",), ("of categories",)]
    assert details[4] == ("batch norm", "silu of learned strength", "dropout 0.2")
    n_parameters = len(clf.network_.params)
    title = f"mine, 2 networks, {n_parameters:,} parameters"
    assert display.ax_.get_title() == title


def test_frozen():
    """Layers that are not trained say so."""
    X, y = binary()
    pretrained = classifier((6, 6)).fit(X, y)
    layers = summary(
        classifier((6, 6), pretrained=pretrained, n_frozen_layers=1).fit(X, y)
    )
    frozen = ["frozen" in layer.details for layer in layers]
    names = [layer.name for layer in layers]
    assert names == ["input", "embedding", "input scaling", *names[3:]]
    assert frozen == [False, True, True, True, False, False]


def test_deep(plt):
    """Of a row of equal layers, the first and the last are drawn."""
    reg = plain_regressor((6,) * 20, residual=True, activation="identity")
    display = NetworkDisplay.from_estimator(reg.fit(*regression()))
    assert said(display) == {
        "input: 4 numbers": "4 columns",
        "hidden 1: 6 units": "identity\n30 parameters",
        "hidden 2: 6 units": "identity, residual\n42 parameters",
        "17 more of these": "714 parameters",
        "hidden 20: 6 units": "identity, residual\n42 parameters",
        "output: 1 unit": "identity\n7 parameters",
    }


def test_three_equal_layers(plt):
    """A short row is drawn as it is."""
    clf = plain_classifier((6,) * 4).fit(*binary())
    assert "hidden 3: 6 units" in said(NetworkDisplay.from_estimator(clf))


def test_units(plt):
    """Narrow layers have all their units, wide ones the first and the last four."""
    clf = plain_classifier((9, 10)).fit(*binary())
    ax = NetworkDisplay.from_estimator(clf).ax_
    units = [c.get_offsets() for c in ax.collections if len(c.get_offsets()) > 1]
    drawn = [np.ma.masked_invalid(xy)[:, 0].count() for xy in units]
    assert drawn == [4, 9, 8]
    lines = [
        len(c.get_segments()) for c in ax.collections if hasattr(c, "get_segments")
    ]
    assert lines == [4 * 9, 9 * 8, 8]


def test_linear_model(plt):
    """A network without hidden layers has two."""
    clf = plain_classifier(()).fit(*binary())
    assert [*said(NetworkDisplay.from_estimator(clf))] == [
        "input: 4 numbers",
        "output: 1 unit",
    ]


def test_axes(plt):
    """The network is drawn in axes that are passed, or in a figure of its own."""
    figure, ax = plt.subplots()
    clf = plain_classifier().fit(*binary())
    display = NetworkDisplay.from_estimator(clf, ax=ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert display.plot().figure_ is not figure


def test_not_fitted():
    """An estimator that is not fitted has no network yet."""
    with pytest.raises(NotFittedError):
        NetworkDisplay.from_estimator(classifier())


def test_without_matplotlib(monkeypatch):
    """Without matplotlib, the error says what is missing."""
    clf = plain_classifier().fit(*binary())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"NetworkDisplay.plot requires matplotlib"):
        NetworkDisplay.from_estimator(clf)
