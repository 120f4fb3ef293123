"""Networks of many layers learn, and a network that does not says so."""

import warnings

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier, DNNRegressor
from skdnn._baseline import constant_loss
from skdnn.nn.layers import Fork, Join
from skdnn.nn.losses import (
    AbsoluteError,
    Gamma,
    LogLoss,
    Poisson,
    Quantile,
    SquaredError,
)
from skdnn.nn.mlp import build_mlp
from tests.tables import binary, multiclass, numbers, regression

#: 18 layers, no two of which are as wide.
PYRAMID = tuple(range(70, 16, -3))

#: A depth where nothing learns without residual connections.
DEAD = {"hidden_layer_dims": (4,) * 40, "residual": False, "n_members": 1}


@pytest.mark.parametrize(
    "dims",
    [
        (32,) * 20,
        *(
            pytest.param(dims, marks=pytest.mark.slow)
            for dims in (PYRAMID, PYRAMID[::-1], (16,) * 50)
        ),
    ],
)
def test_deep_networks_learn_the_digits(dims):
    """One member of many layers, half of the rows: all but as good as two layers."""
    X, y = load_digits(return_X_y=True)
    clf = DNNClassifier(dims, n_members=1, max_iter=15, random_state=0)
    assert clf.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9


@pytest.mark.parametrize("options", [{"batch_norm": True}, {"activation": "relu"}])
def test_deep_regressors_learn(options):
    """So does a regressor, with other layers inside."""
    X, y = regression(400)
    reg = DNNRegressor((16,) * 20, n_members=1, max_iter=20, random_state=0, **options)
    assert reg.fit(X, y).score(*regression(400, seed=1)) > 0.8


def residual_blocks(estimator):
    return sum(type(ly) is Join for ly in estimator.network_.layers)


@pytest.mark.parametrize(("depth", "n_blocks"), [(0, 0), (2, 0), (4, 0), (5, 4)])
def test_connections_go_around_from_five_layers_on(depth, n_blocks):
    """Up to four hidden layers, the default is a network without."""
    clf = DNNClassifier((4,) * depth, max_iter=1, random_state=0).fit(*binary())
    assert residual_blocks(clf) == n_blocks


def test_without_the_recipe_there_are_no_connections():
    """A deep network of the textbook stays one."""
    params = {"solver": "bgd", "max_iter": 1, "random_state": 0}
    assert residual_blocks(DNNClassifier((4,) * 6, **params).fit(*binary())) == 0


@pytest.mark.parametrize("width", [16, 64])
@pytest.mark.parametrize("depth", [2, 20, 100])
def test_the_signal_keeps_its_size(depth, width, rng):
    """However many layers, what comes out at the start is as large as what came in."""
    network = build_mlp(
        width,
        [width] * depth,
        width,
        activations=["silu"] * depth,
        initializers=["he_normal"] * (depth + 1),
        dropout=[0.0] * depth,
        residual=True,
    )
    network.initialize(rng)
    x = rng.standard_normal((200, width))
    sizes, shortcut = [], None
    for layer in network.layers:
        if isinstance(layer, Fork):
            shortcut = x
        elif isinstance(layer, Join):
            x, shortcut = layer.forward(x, shortcut), None
        else:
            x = layer.forward(x)
        if shortcut is None:
            sizes.append(np.sqrt(np.mean(x**2)))
    assert 0.5 < min(sizes) <= max(sizes) < 3


# Nothing learned


@pytest.mark.parametrize(
    ("make", "data", "params"),
    [
        (DNNClassifier, binary, DEAD),
        (DNNClassifier, multiclass, DEAD),
        (DNNRegressor, regression, DEAD),
        (DNNRegressor, regression, DEAD | {"loss": "absolute_error"}),
        (DNNRegressor, regression, DEAD | {"early_stopping": False}),
        (DNNRegressor, regression, {"learning_rate": 1e-9, "n_members": 2}),
        (DNNRegressor, regression, {"learning_rate": 30.0, "n_members": 1}),
    ],
)
def test_what_learned_nothing_says_so(make, data, params):
    """No epoch better than a constant prediction: a warning says what to try."""
    X, y = data(300)
    with pytest.warns(ConvergenceWarning, match=r"learned nothing.*residual=True"):
        make(random_state=0, max_iter=15, **params).fit(X, y)


def test_lbfgs_that_is_done_at_once_says_so():
    """Without a gradient there is no step to take."""
    params = DEAD | {"solver": "bgd", "optimizer": "lbfgs", "activation": "sigmoid"}
    with pytest.warns(ConvergenceWarning, match="learned nothing"):
        DNNRegressor(random_state=0, **params).fit(*regression(100))


@pytest.mark.parametrize("n", [30, 100, 400])
@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_noise_learned_by_heart_is_no_failure(make, n):
    """A target that has nothing to do with the columns gives no warning."""
    X, y = numbers(n), np.random.default_rng(1).integers(2, size=n)
    make((32,), n_members=1, random_state=0).fit(X, y)


def test_large_noise_says_that_the_columns_say_nothing():
    """Where noise is too much to learn by heart, the warning names it first."""
    X, y = numbers(20_000, 2), np.random.default_rng(1).integers(2, size=20_000)
    with pytest.warns(ConvergenceWarning, match="the columns say nothing"):
        DNNClassifier((8,), n_members=1, max_iter=10, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    ("data", "params"),
    [
        (binary, {"max_iter": 1}),
        (binary, {"max_iter": 3, "learning_rate": 1e-9}),
        (lambda: (numbers(), np.zeros(60)), {"learning_rate": 1e-9}),
        (lambda: (numbers(), np.arange(60) == 0), {"learning_rate": 0.01}),
    ],
)
def test_no_warning_without_a_reason(data, params):
    """Few steps say nothing, and of a single class there is nothing to learn."""
    DNNClassifier((4,), n_members=1, random_state=0, **params).fit(*data())


def test_partial_fit_does_not_warn():
    """It never knows what is still to come."""
    clf = DNNClassifier(random_state=0, learning_rate=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            clf.partial_fit(*binary(2000), classes=[0, 1])


# The best constant prediction


def entropy(share):
    return -xlogy(share, share).sum()


def test_constant_of_classes(rng):
    """The log loss of a constant is the entropy of the classes."""
    y, weight = rng.integers(7, size=200), rng.uniform(size=(200, 3))
    share = np.bincount(y, weight.mean(axis=1), minlength=9) / weight.mean(axis=1).sum()
    loss = LogLoss(link="softmax")
    value = constant_loss(loss, 9, y, weight)
    np.testing.assert_allclose(value, entropy(share), rtol=1e-4)
    smooth = 0.8 * share + 0.2 / 9
    value = constant_loss(LogLoss(0.2, link="softmax"), 9, y, weight)
    np.testing.assert_allclose(value, entropy(smooth), rtol=1e-4)
    value = constant_loss(SquaredError(link="softmax"), 9, y, weight)
    np.testing.assert_allclose(value, (1 - (share**2).sum()) / 2, rtol=1e-4)


def test_constant_of_labels(rng):
    """With several labels a row, their entropies add up."""
    y = (rng.random((300, 3)) < [0.1, 0.5, 0.8]).astype(float)
    mean = y.mean(axis=0)
    value = constant_loss(LogLoss(link="sigmoid"), 3, y)
    expected = entropy(mean) + entropy(1 - mean)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def poisson_deviance(y, c):
    return c - y * np.log(c) + xlogy(y, y) - y


def gamma_deviance(y, c):
    return np.log(c / y) + y / c - 1


@pytest.mark.parametrize(
    ("loss", "at_best"),
    [
        (SquaredError(link="identity"), lambda y: y.var() / 2),
        (AbsoluteError(), lambda y: np.abs(y - np.median(y)).mean()),
        (
            Quantile(0.9),
            lambda y: np.mean(
                [max(0.9 * e, -0.1 * e) for e in (y - np.quantile(y, 0.9))[:, 0]]
            ),
        ),
        (Poisson(), lambda y: poisson_deviance(y, y.mean()).mean()),
        (Gamma(), lambda y: gamma_deviance(y, y.mean()).mean()),
    ],
)
def test_constant_of_numbers(loss, at_best, rng):
    """The best constant is the mean, the median or the quantile."""
    y = rng.gamma(2, size=(501, 1))
    np.testing.assert_allclose(constant_loss(loss, 1, y), at_best(y), rtol=1e-3)
