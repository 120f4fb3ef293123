"""Hidden layers as columns for other estimators."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdnn import HiddenFeatures
from skdnn.nn.activations import ACTIVATIONS
from skdnn.nn.layers import BatchNorm, Dense, Fork, Join
from tests.plain import plain_classifier, plain_regressor
from tests.recipes import maker, networks, table
from tests.tables import (
    binary,
    classifier,
    holes,
    multiclass,
    raw_predictions,
    regression,
)


def frozen(estimator, X, **params):
    """Return the hidden features of a fitted estimator, and those of `X`."""
    hidden = HiddenFeatures(FrozenEstimator(estimator), **params).fit(X)
    return hidden, hidden.transform(X)


@parametrize_with_checks([HiddenFeatures(plain_regressor((4,), max_iter=2))])
def test_sklearn_checks(estimator, check):
    """scikit-learn's checks of transformers pass, and none is excused."""
    check(estimator)


# What comes out


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "identity"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_by_hand(name, batch_norm):
    """Matrix, shift, running averages of batch norm, activation: nothing else."""
    X, y = multiclass()
    params = {"activation": name, "batch_norm": batch_norm, "dropout": 0.3}
    clf = plain_classifier((8, 5), dtype="float64", **params).fit(X, y)
    norms = [ly for ly in clf.network_.layers if isinstance(ly, BatchNorm)]
    expected = clf.encoder_.transform(X)
    for layer in range(2):
        z = expected @ clf.coefs_[layer]
        if batch_norm:
            norm = norms[layer]
            z = norm.gamma * (z - norm.mean) / np.sqrt(norm.var + norm.epsilon)
        z += clf.intercepts_[layer]
        expected = ACTIVATIONS[name].forward(z, (np.empty_like(z), np.empty_like(z)))
        _, units = frozen(clf, X, layer=layer)
        np.testing.assert_allclose(units, expected, rtol=1e-9, atol=1e-12)


def test_identity():
    """Layers without an activation put out what they are: products."""
    X, y = regression()
    reg = plain_regressor((6, 5), activation="identity", dtype="float64").fit(X, y)
    expected = reg.encoder_.transform(X) @ reg.coefs_[0] + reg.intercepts_[0]
    np.testing.assert_allclose(frozen(reg, X, layer=0)[1], expected, atol=1e-12)


@pytest.mark.parametrize("residual", [False, True])
@networks
def test_output_layer_makes_predictions_of_them(network, residual):
    """The last layer of each member turns the last hidden one into raw predictions."""
    X, y = table("binary")
    params = {"hidden_layer_dims": (8, 6), "batch_norm": True, "dtype": "float64"}
    params["linear_share"] = False
    clf = maker("binary", network, **params, residual=residual)().fit(X, y)
    _, units = frozen(clf, X)
    n_members = clf.network_.n_members or 1
    units = np.stack(np.hsplit(units, n_members))
    output = clf.network_.layers[-1]
    raw = output.forward(units if n_members > 1 else units[0])
    raw = clf._model.targets.averaged(raw / clf.temperature_)
    np.testing.assert_allclose(raw, raw_predictions(clf, X), atol=1e-9)


@networks
def test_layer_by_layer(network):
    """Each hidden layer is what the network makes of the rows up to the next one."""
    X, y = table("multiclass")
    params = {"hidden_layer_dims": (8, 7, 6), "batch_norm": True, "residual": True}
    clf = maker("multiclass", network, **params)().fit(X, y)
    x, seen, shortcut = clf.encoder_.transform(X), [], None
    for layer in clf.network_.layers:
        if isinstance(layer, Dense):
            seen.append(x.copy())
        if isinstance(layer, Fork):
            shortcut = x
        else:
            x = layer.forward(x, *([shortcut] if isinstance(layer, Join) else []))
    for layer, expected in enumerate(seen[1:]):
        expected = np.hstack(expected) if expected.ndim == 3 else expected
        _, units = frozen(clf, X, layer=layer)
        np.testing.assert_allclose(units, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ensemble_weights", ["own", "shared"])
def test_members(ensemble_weights):
    """Members stand side by side, each as it would alone, or are averaged."""
    X, y = binary()
    params = {"n_members": 3, "ensemble_weights": ensemble_weights}
    clf = classifier((8, 6), **params).fit(X, y)
    hidden, units = frozen(clf, X)
    mean, units_of_mean = frozen(clf, X, members="mean")
    assert units.shape == (60, 18)
    np.testing.assert_allclose(
        units_of_mean, (units[:, :6] + units[:, 6:12] + units[:, 12:]) / 3, rtol=1e-5
    )
    names = hidden.get_feature_names_out()
    assert names[[0, 5, 6, 17]].tolist() == [
        "hiddenfeatures_member0_unit0",
        "hiddenfeatures_member0_unit5",
        "hiddenfeatures_member1_unit0",
        "hiddenfeatures_member2_unit5",
    ]
    assert mean.get_feature_names_out()[-1] == "hiddenfeatures_unit5"
    if ensemble_weights == "own":
        alone = clf._as_estimator(clf._model.member(1))
        np.testing.assert_allclose(frozen(alone, X)[1], units[:, 6:12], atol=1e-6)


def test_which_layer():
    """`layer` counts as in a list, from either end."""
    X, y = binary()
    clf = plain_classifier((5, 4, 3)).fit(X, y)
    for layer, width in enumerate((5, 4, 3)):
        (hidden, units), (_, same) = (
            frozen(clf, X, layer=i) for i in (layer, layer - 3)
        )
        assert units.shape == (60, width)
        np.testing.assert_array_equal(units, same)
        assert len(hidden.get_feature_names_out()) == width


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    """The units are in the precision of the network."""
    X, y = binary()
    assert frozen(plain_classifier(dtype=dtype).fit(X, y), X)[1].dtype == dtype


def test_tags():
    """What goes in, targets included, is what the network takes."""
    for network in (plain_classifier(), plain_regressor(numeric_scaling=None)):
        tags, expected = get_tags(HiddenFeatures(network)), get_tags(network)
        assert tags.input_tags == expected.input_tags
        assert tags.target_tags == expected.target_tags


def test_rows_are_alone():
    """A row's units are the same in any company, to the last bit."""
    X, y = multiclass(700)
    _, units = frozen(classifier((8, 8)).fit(X, y), X)
    hidden, _ = frozen(classifier((8, 8)).fit(X, y), X)
    np.testing.assert_array_equal(hidden.transform(X[300:311]), units[300:311])
    np.testing.assert_array_equal(hidden.transform(X[::-1]), units[::-1])


def test_every_kind_of_table():
    """Holes, sparse tables and columns of text go in as they do in predictions."""
    X, y = binary()
    X = np.round(np.abs(X)) - 1
    assert np.isfinite(frozen(classifier().fit(holes(X), y), holes(X))[1]).all()
    clf = classifier().fit(X, y)
    sparse = frozen(clf, X)[0].transform(csr_array(X))
    np.testing.assert_array_equal(sparse, frozen(clf, X)[1])
    frame = pd.DataFrame(X, columns=[*"abcd"]).assign(e=np.array(["u", "v"])[y])
    hidden = HiddenFeatures(classifier()).fit(frame, y)
    assert hidden.feature_names_in_.tolist() == [*"abcde"]
    assert hidden.n_features_in_ == 5
    assert np.isfinite(hidden.transform(frame)).all()


# How it is fitted


def test_fit_through():
    """The network is that of a fit of its own; what was passed stays unfitted."""
    X, y = binary()
    network = classifier()
    hidden = HiddenFeatures(network).fit(X, y)
    assert hidden.estimator is network
    assert not hasattr(network, "network_")
    np.testing.assert_array_equal(
        hidden.transform(X), frozen(classifier().fit(X, y), X)[1]
    )


def test_frozen_stays_as_it_is():
    """A frozen network is not trained again, in a pipeline and after `clone` either."""
    X, y = binary()
    clf = classifier().fit(X, y)
    _, units = frozen(clf, X)
    params = clf.network_.params.copy()
    pipeline = clone(
        make_pipeline(HiddenFeatures(FrozenEstimator(clf)), LogisticRegression())
    ).fit(X, 1 - y)
    np.testing.assert_array_equal(pipeline[0].transform(X), units)
    np.testing.assert_array_equal(clf.network_.params, params)
    assert pipeline.score(X, 1 - y) > 0.8


def test_frozen_layers():
    """Those of a pretrained network that stay as they are have its activations."""
    X, y = binary()
    pretrained = classifier((8, 6), batch_norm=True).fit(X, y)
    params = {"pretrained": pretrained, "n_frozen_layers": 1, "batch_norm": True}
    clf = classifier((8, 6), **params).fit(X, 1 - y)
    first, last = (
        [frozen(network, X, layer=layer)[1] for network in (pretrained, clf)]
        for layer in (0, 1)
    )
    np.testing.assert_array_equal(*first)
    assert (last[0] != last[1]).any()


def test_sample_weight():
    """Weights, and rows to validate on, reach the network."""
    X, y = binary()
    weight = np.arange(60.0)
    hidden = HiddenFeatures(classifier()).fit(X, y, sample_weight=weight)
    alone = classifier().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(hidden.transform(X), frozen(alone, X)[1])
    validated = HiddenFeatures(classifier(early_stopping=True)).fit(
        X, y, X_val=X, y_val=y
    )
    assert len(validated.estimator_.validation_loss_curve_) == 5


def test_routing(metadata_routing):
    """With routing, the network gets the weights that it requests, and no others."""
    X, y = binary()
    weight = np.arange(60.0)
    step = HiddenFeatures(classifier().set_fit_request(sample_weight=True))
    pipeline = make_pipeline(
        step, LogisticRegression().set_fit_request(sample_weight=False)
    ).fit(X, y, sample_weight=weight)
    alone = classifier().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(pipeline[0].transform(X), frozen(alone, X)[1])
    with pytest.raises(ValueError, match=r"sample_weight.*not explicitly set"):
        HiddenFeatures(classifier()).fit(X, y, sample_weight=weight)
    assert HiddenFeatures(classifier()).fit(X, y).n_features_in_ == 4


def test_search():
    """The layer and what is inside the network can be searched over."""
    X, y = binary()
    search = GridSearchCV(
        make_pipeline(
            StandardScaler(), HiddenFeatures(classifier((5, 3))), LogisticRegression()
        ),
        {
            "hiddenfeatures__layer": [0, -1],
            "hiddenfeatures__estimator__activation": ["tanh", "relu"],
        },
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 4


def test_pickle():
    """It comes out of a pickle as it went in."""
    X, y = binary()
    hidden = HiddenFeatures(classifier(), layer=0).fit(X, y)
    copy = pickle.loads(pickle.dumps(hidden))
    np.testing.assert_array_equal(copy.transform(X), hidden.transform(X))


def test_pandas_output():
    """`set_output` makes frames of the rows' index and the units' names."""
    X, y = binary()
    frame = pd.DataFrame(X, index=np.arange(60) * 2, columns=[*"abcd"])
    hidden = HiddenFeatures(plain_classifier((3,))).set_output(transform="pandas")
    units = hidden.fit_transform(frame, y)
    assert [*units] == [f"hiddenfeatures_unit{i}" for i in range(3)]
    assert units.index.equals(frame.index)


# Errors


@pytest.mark.parametrize("layer", [2, -3, 100])
def test_no_such_layer(layer):
    """A layer that there is none of is an error before any training, and after."""
    X, y = binary()
    message = f"layer={layer}, but the network has 2 hidden layers: -2 to 1."
    with pytest.raises(ValueError, match=message):
        # Which would be an error too.
        HiddenFeatures(classifier((4, 4)), layer=layer).fit(X, y[:-1])
    with pytest.raises(ValueError, match=message):
        frozen(classifier((4, 4)).fit(X, y), X, layer=layer)


def test_no_hidden_layer():
    """A linear model has none."""
    with pytest.raises(ValueError, match=r"layer=-1, but the network has 0 hidden"):
        HiddenFeatures(classifier(())).fit(*binary())


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestRegressor(),
        make_pipeline(StandardScaler(), plain_classifier()),
        FrozenEstimator(LogisticRegression()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_no_network(estimator):
    """Another kind of estimator is an error that says which."""
    with pytest.raises(TypeError, match=r"takes a DNNClassifier or a DNNRegressor"):
        HiddenFeatures(estimator).fit(*binary())


def test_not_fitted():
    """Neither a transformer nor a frozen network works before it is fitted."""
    X, y = binary()
    with pytest.raises(NotFittedError):
        HiddenFeatures(classifier()).transform(X)
    with pytest.raises(NotFittedError):
        HiddenFeatures(FrozenEstimator(classifier())).fit(X, y)
    for name in "n_features_in_", "feature_names_in_":
        with pytest.raises(AttributeError, match=f"'HiddenFeatures'.*'{name}', as it"):
            getattr(HiddenFeatures(classifier()), name)


@pytest.mark.parametrize("params", [{"layer": 0.5}, {"members": "median"}])
def test_parameters(params):
    """Values that make no sense are scikit-learn's own errors."""
    (name,) = params
    with pytest.raises(ValueError, match=f"The '{name}' parameter of HiddenFeatures"):
        HiddenFeatures(classifier(), **params).fit(*binary())


def test_other_columns():
    """Columns that the network has not seen are an error."""
    X, y = binary()
    hidden = HiddenFeatures(plain_classifier(), members="mean").fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but"):
        hidden.transform(X[:, :3])
    with pytest.raises(ValueError, match="input_features should have length equal"):
        hidden.get_feature_names_out([*"abc"])
