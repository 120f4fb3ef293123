"""Full-batch training from equal initial weights, against scikit-learn's networks."""

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._base import LOSS_FUNCTIONS

from tests.plain import DNNClassifier, DNNRegressor

EPOCHS = 50

#: task -> (estimator, seed of the data)
TASKS = {
    "binary": (DNNClassifier, 2),
    "multiclass": (DNNClassifier, 2),
    "multilabel": (DNNClassifier, 2),
    "regression": (DNNRegressor, 3),
    "multioutput": (DNNRegressor, 8),
}

SGD = {"solver": "sgd", "learning_rate_init": 0.01}

#: skdnn's optimizers, as parameters of scikit-learn.  All formulas are the same: Adam
#: adds epsilon at the same place.
OPTIMIZERS = {
    "sgd": {**SGD, "momentum": 0.0},
    "momentum": {**SGD, "momentum": 0.9, "nesterovs_momentum": False},
    "nesterov": {**SGD, "momentum": 0.9, "nesterovs_momentum": True},
    "adam": {"solver": "adam", "learning_rate_init": 0.02},
    "lbfgs": {"solver": "lbfgs"},
}

#: The tolerance, as a share of the largest entry of an array.
RTOL = 1e-12

#: The same after 50 epochs of L-BFGS, each of which multiplies the rounding errors of
#: those before, most of all in deep networks: hence one hidden layer, and seeds of the
#: data with which they stay below 1e-11.
RTOL_LBFGS = 1e-10
HIDDEN_LBFGS, HIDDEN = (8,), (8, 6)


class GivenStart:
    """Makes a scikit-learn network start from the `start` that it is given."""

    def _init_coef(self, fan_in, fan_out, dtype):
        weights, biases = next(self.start)
        assert weights.shape == (fan_in, fan_out)
        assert weights.dtype == biases.dtype == dtype
        return weights, biases


class PeerClassifier(GivenStart, MLPClassifier):
    """A classifier with given initial weights."""


class PeerRegressor(GivenStart, MLPRegressor):
    """A regressor with given initial weights."""


@pytest.fixture(autouse=True)
def summed_squared_error(monkeypatch):
    """Give scikit-learn the squared error that its gradient belongs to.

    Over several outputs it takes the mean of the losses, but the sum of the gradients
    (its issue 8349), so that L-BFGS searches along lines of one function and follows
    the slope of another.  The gradient, and the loss of one output, stay the same.
    """

    def loss(y, raw, sample_weight=None):
        return 0.5 * np.average(((y - raw) ** 2).sum(axis=1), weights=sample_weight)

    monkeypatch.setitem(LOSS_FUNCTIONS, "squared_error", loss)


def make_data(task, weighted):
    """Return columns, targets, and weights or None.

    The targets are noisy, so that L-BFGS is not done before the last epoch, and no
    probability gets so close to 0 or 1 that scikit-learn clips its loss.
    """
    n, d = 500, 12
    rng = np.random.default_rng(TASKS[task][1])
    X = rng.standard_normal((n, d))
    raw = X @ rng.standard_normal((d, 3)) + X[:, :3] * X[:, 1:4] / 2
    raw += 3 * rng.standard_normal(raw.shape)
    targets = {
        "binary": (raw[:, 0] > 0).astype(int),
        "multiclass": raw.argmax(axis=1),
        "multilabel": (raw > 0).astype(int),
        "regression": raw[:, 0],
        "multioutput": raw,
    }
    # Not whole, not 1 on average, and some of them zero.
    weight = rng.uniform(0.2, 3, n) * (rng.random(n) > 0.1)
    return X, targets[task], weight if weighted else None


def make_network(task, optimizer, hidden_layer_dims, **params):
    """Return skdnn's network."""
    Estimator = TASKS[task][0]
    if Estimator is DNNRegressor:
        params["target_scaling"] = False
    return Estimator(
        hidden_layer_dims,
        solver="bgd",
        optimizer=optimizer,
        learning_rate=OPTIMIZERS[optimizer].get("learning_rate_init", "auto"),
        max_iter=EPOCHS,
        tol=None,
        shuffle=False,
        early_stopping=False,
        numeric_scaling=None,
        random_state=0,
        dtype="float64",
        **params,
    )


def initial_layers(network, X, y):
    """Yield the weights and biases of each layer that `network` starts from."""
    # A step too small to change any number but the zeros of the biases.
    tiny = {"optimizer": "sgd", "learning_rate": 1e-300, "max_iter": 1}
    start = clone(network).set_params(**tiny).fit(X, y)
    for weights, biases in zip(start.coefs_, start.intercepts_, strict=True):
        assert np.abs(biases).max() < 1e-290
        yield weights.copy(), np.zeros_like(biases)


def fit_peer(network, X, y, weight):
    """Return scikit-learn's network, trained as `network` says."""
    Peer = PeerRegressor if is_regressor(network) else PeerClassifier
    peer = Peer(
        hidden_layer_sizes=network.hidden_layer_dims,
        activation=network.activation,
        alpha=network.alpha,
        batch_size=len(X),
        shuffle=False,
        max_iter=network.max_iter,
        tol=0,
        n_iter_no_change=np.inf,
        **OPTIMIZERS[network.optimizer],
    )
    peer.start = initial_layers(network, X, y)
    # It warns if it ran all epochs.
    with pytest.warns(ConvergenceWarning):
        peer.fit(X, y, sample_weight=weight)
    assert peer.n_iter_ == network.max_iter
    return peer


def assert_close(actual, expected, rtol):
    """Assert that arrays are equal, but for `rtol` of the largest entry."""
    atol = rtol * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def assert_same_layers(network, peer, rtol):
    """Assert that the weights and biases of all layers are equal."""
    for name in ("coefs_", "intercepts_"):
        layers = getattr(network, name), getattr(peer, name)
        for actual, expected in zip(*layers, strict=True):
            assert_close(actual, expected, rtol)


@pytest.mark.sampled
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0, 10.0])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "lbfgs"])
@pytest.mark.parametrize("task", TASKS)
def test_steps(task, optimizer, activation, alpha, weighted):
    """Objectives of all epochs, and layers after the last, are scikit-learn's."""
    X, y, weight = make_data(task, weighted)
    network = make_network(task, optimizer, HIDDEN, activation=activation, alpha=alpha)
    network.fit(X, y, sample_weight=weight)
    peer = fit_peer(network, X, y, weight)
    assert network.n_iter_ == EPOCHS
    assert_same_layers(network, peer, RTOL)
    assert_close(network.loss_curve_, peer.loss_curve_, RTOL)


@pytest.mark.sampled
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0, 10.0])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("task", TASKS)
def test_lbfgs(task, activation, alpha, weighted):
    """Objective and layers after the last epoch are scikit-learn's."""
    X, y, weight = make_data(task, weighted)
    params = {"activation": activation, "alpha": alpha}
    network = make_network(task, "lbfgs", HIDDEN_LBFGS, **params)
    network.fit(X, y, sample_weight=weight)
    peer = fit_peer(network, X, y, weight)
    assert network.n_iter_ == EPOCHS
    assert_same_layers(network, peer, RTOL_LBFGS)
    # The last of `loss_curve_` is from before the last epoch.
    network.set_params(max_iter=EPOCHS + 1).fit(X, y, sample_weight=weight)
    assert_close(network.loss_, peer.loss_, RTOL_LBFGS)


@pytest.mark.sampled
@pytest.mark.parametrize("task", TASKS)
def test_first_epochs_of_lbfgs(task):
    """Each of the first epochs is scikit-learn's, in a deep network too."""
    X, y, weight = make_data(task, weighted=True)
    network = make_network(task, "lbfgs", HIDDEN, activation="tanh", alpha=10.0)
    losses = []
    for max_iter in range(1, 13):
        network.set_params(max_iter=max_iter).fit(X, y, sample_weight=weight)
        peer = fit_peer(network, X, y, weight)
        assert_same_layers(network, peer, RTOL)
        losses.append(peer.loss_)
    assert_close(network.loss_curve_[1:], losses[:-1], RTOL)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_millionth_is_noticed(optimizer):
    """A penalty that differs by a millionth makes a difference beyond the tolerance."""
    X, y, weight = make_data("binary", weighted=True)
    params = {"activation": "relu", "alpha": 10.0}
    network = make_network("binary", optimizer, HIDDEN_LBFGS, **params)
    peer = fit_peer(network, X, y, weight)
    network.set_params(alpha=10.0 * (1 + 1e-6)).fit(X, y, sample_weight=weight)
    with pytest.raises(AssertionError):
        assert_same_layers(network, peer, RTOL_LBFGS)
