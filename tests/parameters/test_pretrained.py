"""Transfer learning: layers of a trained network in a new one."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn import compiled
from skdnn.nn.batches import Batch
from skdnn.nn.copying import hidden_layers
from skdnn.nn.layers import Dense, Layer
from skdnn.nn.losses import SquaredError
from skdnn.nn.mlp import build_mlp
from skdnn.nn.optimizers import SGD
from skdnn.nn.step import Step
from tests.same import assert_same
from tests.tables import binary, classifier, multiclass, numbers, regression, regressor

WIDTHS = (8, 6)

#: Kinds of networks, by what sets them apart.
KINDS = {
    "tuned": {},
    "plain": {"recipe": "plain", "n_members": 1},
    "batch norm": {"batch_norm": True},
    "shared": {"ensemble_weights": "shared", "n_members": 3},
    "residual": {"residual": True},
    "periodic": {"numeric_embedding": "periodic"},
    "float64": {"dtype": "float64"},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def earlier(**params):
    """Return a classifier of three classes that is to be pretrained."""
    return classifier(WIDTHS, **params).fit(*multiclass())


def later(source, **params):
    """Return a classifier of two classes that starts from another estimator."""
    clf = classifier(WIDTHS, pretrained=source, random_state=1, **params)
    return clf.fit(*binary())


def values(est, n_hidden):
    """Return all values of the first hidden layers, and of what lies below them."""
    layers = hidden_layers(est.network_, n_hidden)
    names = [(ly, name) for ly in layers for name in (*ly.parameters, *ly.statistics)]
    return [getattr(layer, name).copy() for layer, name in names]


# What is taken over, and what stays


@pytest.mark.parametrize("engine", [False, True])
@pytest.mark.parametrize("n_frozen", [1, 2])
@kinds
def test_n_frozen_layers_stay(kind, n_frozen, engine, monkeypatch):
    """They stay as they were to the bit, statistics included; the others learn."""
    monkeypatch.setattr(compiled, "available", engine and compiled.available)
    source = earlier(**KINDS[kind])
    before = values(source, n_frozen)
    est = later(source, n_frozen_layers=n_frozen, **KINDS[kind])
    for own, value in zip(values(est, n_frozen), before, strict=True):
        np.testing.assert_array_equal(own, value)
    for layer in est.network_.layers:
        frozen = np.array([layer.frozen])
        assert frozen or not any(
            (getattr(layer, n) == 0).all() for n in layer.parameters
        )
    dense = [ly for ly in est.network_.layers if isinstance(ly, Dense)]
    for i, (layer, old) in enumerate(zip(dense, source.network_.weights, strict=True)):
        same = layer.matrix.shape == old.shape and np.array_equal(layer.matrix, old)
        assert same == (i < n_frozen)
    # Nor did the estimator change from which they came.
    for own, value in zip(values(source, n_frozen), before, strict=True):
        np.testing.assert_array_equal(own, value)


@kinds
def test_pretrained_is_where_training_begins(kind):
    """Without steps, all hidden layers are as pretrained, and the output is new."""
    still = {"optimizer": "sgd", "learning_rate": 1e-300, "schedule": "constant"}
    source = earlier(**KINDS[kind])
    est = later(source, **still, **KINDS[kind])
    for own, value in zip(values(est, 2), values(source, 2), strict=True):
        # Running statistics move, though no parameter does.
        assert kind == "batch norm" or np.array_equal(own, value)
    assert est.coefs_[-1].shape[-1] == 1 != source.coefs_[-1].shape[-1]


@pytest.mark.parametrize("members", [(4, 2), (2, 5), (3, 1), (1, 3)])
@pytest.mark.parametrize("weights", ["own", "shared"])
def test_members(members, weights):
    """Members take over those of the ensemble in turn, a single one the first."""
    n_before, n_now = members
    params = {"ensemble_weights": weights}
    source = earlier(n_members=n_before, **params)
    est = later(source, n_members=n_now, n_frozen_layers=2, **params)
    for own, old in zip(
        hidden_layers(est.network_, 2), hidden_layers(source.network_, 2), strict=True
    ):
        for name in (*own.parameters, *own.statistics):
            mine, theirs = getattr(own, name), getattr(old, name)
            if mine.size == theirs.size:
                np.testing.assert_array_equal(mine.ravel(), theirs.ravel())
                continue
            for i, part in enumerate(mine.reshape(n_now, -1)):
                expected = theirs.reshape(n_before, -1)[i % n_before]
                np.testing.assert_array_equal(part, expected)


def test_hidden_layers_beyond_are_new():
    """A deeper network takes over all layers, a shallower one as many as it has."""
    source = earlier()
    deep = classifier((*WIDTHS, 5), pretrained=source, n_frozen_layers=2)
    shallow = classifier(WIDTHS[:1], pretrained=source, n_frozen_layers=1)
    for est, n_hidden in (deep, 2), (shallow, 1):
        est.fit(*binary())
        for own, old in zip(
            values(est, n_hidden), values(source, n_hidden), strict=True
        ):
            np.testing.assert_array_equal(own, old)


def test_features_of_frozen_layers():
    """With all hidden layers frozen, what is trained is a linear model on them."""
    source = earlier(recipe="plain", n_members=1)
    est = later(source, recipe="plain", n_members=1, n_frozen_layers=2)
    X = numbers(7, 4, seed=3)
    hidden = source.encoder_.transform(X)
    for weight, bias in zip(source.coefs_[:2], source.intercepts_[:2], strict=True):
        hidden = np.maximum(hidden @ weight + bias, 0)
    raw = hidden @ est.coefs_[2] + est.intercepts_[2]
    np.testing.assert_allclose(est.decision_function(X), raw[:, 0], rtol=1e-5)


# Tasks


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (classifier(WIDTHS).fit(*multiclass()), regressor(WIDTHS)),
        (regressor(WIDTHS).fit(*regression()), classifier(WIDTHS)),
        (classifier(WIDTHS).fit(*binary()), classifier(WIDTHS)),
    ],
)
def test_from_task_to_task(before, now):
    """Classes to numbers and back, and two classes to three."""
    X, y = regression() if isinstance(now, DNNRegressor) else multiclass()
    now.set_params(pretrained=before, n_frozen_layers=1).fit(X, y)
    assert now.predict(X).shape == y.shape
    for own, old in zip(values(now, 1), values(before, 1), strict=True):
        np.testing.assert_array_equal(own, old)


def test_auto_stands_for_what_it_was():
    """What is left to skdnn and shapes the layers is that of the pretrained network."""
    source = earlier(
        activation="tanh",
        parametrization="standard",
        numeric_embedding=None,
        input_scaling=False,
        n_members=3,
    )
    est = classifier(WIDTHS, pretrained=source, n_members="auto").fit(*binary())
    assert est.network_.n_members == 3
    assert est.encoder_.n_features_out_ == est.coefs_[0].shape[-2]
    assert est.learning_rate_ == 0.001


def test_encoder_comes_along():
    """Columns are scaled as they were, whatever the new rows are."""
    source = earlier()
    X, y = binary()
    est = classifier(WIDTHS, pretrained=source).fit(100 * X + 3, y)
    np.testing.assert_array_equal(
        est.encoder_.transform(X), source.encoder_.transform(X)
    )


# The engine


def network(n_frozen, n_members=None, shared=False, batch_norm=False):
    """Return a network of three hidden layers, whose parameters are drawn."""
    net = build_mlp(
        4,
        [5, 6, 3],
        2,
        activations=[("parametric", "silu"), "tanh", "relu"],
        initializers=["he_normal"] * 4,
        dropout=[0, 0, 0],
        n_members=n_members,
        shared=shared,
        batch_norm=batch_norm,
        numeric_embedding=("periodic", {}),
        n_numbers=4,
        input_scaling=True,
        n_frozen_layers=n_frozen,
    )
    net.initialize(np.random.default_rng(0))
    return net


@pytest.mark.parametrize("n_frozen", [1, 2, 3])
@pytest.mark.parametrize(
    "members", [{}, {"n_members": 2}, {"n_members": 2, "shared": True}]
)
def test_gradient_above_frozen_layers(n_frozen, members):
    """It is that of the whole network, but for the layers that are frozen: zero."""
    rng = np.random.default_rng(1)
    batch = Batch(rng.standard_normal((9, 4)), rng.standard_normal((9, 2)), None)
    gradients, layers = [], []
    for k in 0, n_frozen:
        net = network(k, **members)
        step = Step(net, SquaredError(link="identity"), SGD(), penalty=0.01)
        step.loss_gradient(batch)
        net.adopt(step.grads, net.statistics)
        gradients.append(net.layers)
        layers.append(net)
    for whole, part in zip(*gradients, strict=True):
        for name in part.parameters:
            expected = 0 if part.frozen else getattr(whole, name)
            np.testing.assert_allclose(getattr(part, name), expected, atol=1e-15)
    assert sum(layer.frozen for layer in layers[1].layers) > n_frozen


def test_no_way_back_through_frozen_layers(monkeypatch):
    """NumPy calls no backward pass of theirs, and makes no memory for one."""
    net, called = network(2, batch_norm=True), []
    for layer in net.layers:
        if layer.frozen:
            monkeypatch.setattr(layer, "backward", lambda *_: called.append(1))
            monkeypatch.setattr(layer, "allocate", lambda *_: called.append(1))
    rng = np.random.default_rng(1)
    batch = Batch(rng.standard_normal((9, 4)), rng.standard_normal((9, 2)), None)
    step = Step(net, SquaredError(link="identity"), SGD(), penalty=0.0)
    step.learning_rate = 0.1
    step(batch)
    assert not called
    assert not Layer.frozen


@pytest.mark.skipif(not compiled.available, reason=compiled.why_not)
@pytest.mark.parametrize("n_frozen", [0, 1, 2])
@kinds
def test_compiled_is_numpy(kind, n_frozen, monkeypatch):
    """Both engines train the same network on frozen layers."""
    params = KINDS[kind] | {"dtype": "float64", "n_frozen_layers": n_frozen}
    source = earlier(**KINDS[kind] | {"dtype": "float64"})
    one = later(source, **params)
    monkeypatch.setattr(compiled, "available", False)
    two = later(source, **params)
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-9)


# As scikit-learn has it


def test_clone_and_search():
    """A frozen estimator survives `clone`: `n_frozen_layers` can be searched."""
    source = FrozenEstimator(earlier())
    grid = {"n_frozen_layers": [0, 1, 2]}
    search = GridSearchCV(classifier(WIDTHS, pretrained=source), grid, cv=2)
    search.fit(*binary())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    again = clone(search.best_estimator_).fit(*binary())
    assert_same(again, search.best_estimator_)


def test_pipeline_and_pickle():
    """It works at the end of a pipeline, and after a pickle."""
    source = pickle.loads(pickle.dumps(earlier()))
    X, y = binary()
    pipe = make_pipeline(
        StandardScaler(), classifier(WIDTHS, pretrained=source, n_frozen_layers=1)
    ).fit(X, y)
    copy = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(copy.predict_proba(X), pipe.predict_proba(X))
    np.testing.assert_array_equal(values(copy[-1], 1)[0], values(source, 1)[0])


def test_training_goes_on():
    """`warm_start` and `partial_fit` go on from it, with what was frozen."""
    source, (X, y) = earlier(), binary()
    for est in (
        later(source, n_frozen_layers=1, warm_start=True).fit(X, y),
        later(source, n_frozen_layers=1).partial_fit(X, y),
        classifier(WIDTHS, pretrained=source, n_frozen_layers=1).partial_fit(X, y, y),
    ):
        for own, old in zip(values(est, 1), values(source, 1), strict=True):
            np.testing.assert_array_equal(own, old)
    with pytest.raises(ValueError, match="n_frozen_layers was 1 when training began"):
        est.set_params(n_frozen_layers=2).partial_fit(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True, "refit": True},
        {"optimizer": "lbfgs", "solver": "bgd", "dropout": 0.0},
        {"solver": "sgd", "max_iter": 2},
    ],
)
def test_ways_of_training(params):
    """However it is trained, what is frozen stays."""
    source = earlier()
    est = later(source, n_frozen_layers=1, **params)
    for own, old in zip(values(est, 1), values(source, 1), strict=True):
        np.testing.assert_array_equal(own, old)


# What is wrong


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pretrained": StandardScaler()}, "pretrained must be a fitted DNNClassifier"),
        ({"pretrained": classifier(WIDTHS)}, "pretrained must be fitted.*FrozenEst"),
        ({"n_frozen_layers": 3}, "n_frozen_layers=3, but there are 2 hidden layers"),
        ({"hidden_layer_dims": (8, 7)}, r"hidden_layer_dims=\(8, 7\) does not fit"),
        ({"activation": ["relu", "silu"]}, "activation=.* does not fit pretrained"),
        ({"batch_norm": True}, "batch_norm=True does not fit pretrained"),
        ({"numeric_scaling": "quantile"}, "numeric_scaling='quantile' does not fit"),
        ({"dtype": "float64"}, "dtype='float64' does not fit pretrained"),
        ({"ensemble_weights": "shared"}, "ensemble_weights='shared' does not fit"),
        ({"pretrained": None, "n_frozen_layers": 1}, "n_frozen_layers=1 needs layers"),
        (
            {
                "pretrained": earlier(residual=True),
                "hidden_layer_dims": (8, 6, 4),
            },
            "each layer of a residual network",
        ),
    ],
)
def test_what_does_not_fit(params, message):
    """It is an error that names the parameter, and nothing is fitted."""
    est = classifier(WIDTHS, pretrained=earlier()).set_params(**params)
    with pytest.raises((TypeError, ValueError), match=message):
        est.fit(*binary())
    assert not hasattr(est, "classes_")
    assert not hasattr(est, "n_features_in_")


def test_other_columns():
    """The columns must be those of the pretrained estimator."""
    X, y = binary()
    with pytest.raises(ValueError, match="pretrained: X has 3 features"):
        classifier(WIDTHS, pretrained=earlier()).fit(X[:, :3], y)


def test_names_of_columns():
    """So must their names, which the new estimator has then."""
    pandas = pytest.importorskip("pandas")
    X, y = binary()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    source = classifier(WIDTHS).fit(frame, y)
    est = DNNClassifier(WIDTHS, pretrained=source, max_iter=1, tol=None, random_state=0)
    assert list(est.fit(frame, y).feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="pretrained: The feature names should match"):
        est.fit(frame[["b", "a", "c", "d"]], y)
