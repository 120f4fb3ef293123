"""Quantiles that are learned beside a mean, and left out when training has ended."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss, mean_squared_error

from skdnn import DNNClassifier, DNNRegressor
from skdnn._baseline import constant_loss
from skdnn.nn import compiled
from skdnn.nn.copying import copy_outputs
from skdnn.nn.losses import Huber, SquaredError, SquaredErrorAndQuantiles
from skdnn.nn.optimizers import LBFGS
from skdnn.nn.step import Step
from skdnn.streaming import Stream
from tests.gradcheck import assert_gradient
from tests.plain import plain_regressor
from tests.same import assert_same_network
from tests.tables import multioutput, numbers, regression, regressor

#: Switched on where it would not be, and off where it would.
ON, OFF = {"auxiliary_quantiles": True}, {"auxiliary_quantiles": False}

every_number = pytest.mark.parametrize("n_targets", [1, 2, 7, 30])


def draw(n_targets, rng, n=11):
    """Return a loss, targets, and raw predictions."""
    loss = SquaredErrorAndQuantiles(n_targets)
    y = rng.standard_normal((n, n_targets))
    return loss, y, rng.standard_normal((n, n_targets + loss.n_auxiliary))


# The loss


def test_auxiliary_losses_by_hand(monkeypatch):
    """1/2 * 2^2 of the mean, and 10 / 2 * (1/4 * 1 + 1/4 * 1) of the quantiles."""
    monkeypatch.setattr("skdnn.nn.losses.AUXILIARY_QUANTILES", 2)
    loss, y, raw = SquaredErrorAndQuantiles(), [[1.0]], [[3.0, 0.0, 2.0]]
    value, grad = loss.loss_gradient(np.array(y), np.array(raw))
    assert value == 4.5
    np.testing.assert_array_equal(grad, [[2.0, -1.25, 1.25]])


@every_number
def test_auxiliary_losses_are_those_of_scikit_learn(n_targets, rng):
    """Half the squared error, and pinball losses at the middles of equal parts."""
    loss, y, raw = draw(n_targets, rng)
    weight = rng.uniform(0.5, 2, len(y))
    value, _ = loss.loss_gradient(y, raw, weight[:, None])
    k = loss.n_quantiles
    assert k == {1: 19, 2: 9, 7: 2, 30: 1}[n_targets]
    options = {"sample_weight": weight, "multioutput": "raw_values"}
    expected = mean_squared_error(y, raw[:, :n_targets], **options).sum() / 2
    for i in range(k):
        columns = slice((i + 1) * n_targets, (i + 2) * n_targets)
        options["alpha"] = (2 * i + 1) / (2 * k)
        losses = mean_pinball_loss(y, raw[:, columns], **options)
        expected += 10 / k * losses.sum()
    np.testing.assert_allclose(value, expected * weight.mean(), rtol=1e-12)


@every_number
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_auxiliary_losses(n_targets, weighted, rng):
    """Along random directions."""
    loss, y, raw = draw(n_targets, rng)
    weight = rng.uniform(0.5, 2, (len(y), 1)) if weighted else None
    _, grad = loss.loss_gradient(y, raw, weight)
    assert_gradient(
        lambda raw: loss.loss_gradient(y, raw, weight)[0], grad.copy(), raw, rng
    )


def test_only_means_are_predicted(rng):
    """Of one network and of several."""
    loss, _, raw = draw(2, rng)
    np.testing.assert_array_equal(loss.predict(raw), raw[:, :2])
    raw = np.stack([raw, -3 * raw])
    np.testing.assert_allclose(loss.predict(raw), -raw[0, :, :2], rtol=1e-15)


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("n_values", [2, 5, 1000])
def test_best_constants_of_targets_with_ties(n_targets, n_values, rng):
    """They are mean and quantiles, whatever the kinks between equal targets."""
    loss = SquaredErrorAndQuantiles(n_targets)
    y = rng.integers(n_values, size=(500, n_targets)) * rng.uniform(size=n_targets)
    weight = rng.integers(1, 4, size=500)
    k = loss.n_quantiles
    rows = y.repeat(weight, axis=0)
    levels = (np.arange(k) + 0.5) / k
    quantiles = np.quantile(rows, levels, axis=0, method="inverted_cdf")
    best = np.concatenate([rows.mean(axis=0), quantiles.ravel()])
    expected, _ = loss.loss_gradient(rows, np.tile(best, (len(rows), 1)))
    share = weight[:, None] / weight.mean()
    actual = constant_loss(loss, len(best), y, share)
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


# What it does to a fit


@pytest.mark.parametrize(("data", "n"), [(regression, 1), (multioutput, 2)])
@pytest.mark.parametrize("n_members", [1, 3])
def test_auxiliary_outputs_are_left_out(data, n, n_members, monkeypatch):
    """The network is the one that was trained, without the last outputs."""
    trained = []

    def spy(network, other):
        trained.append(other)
        copy_outputs(network, other)

    monkeypatch.setattr("skdnn._model.copy_outputs", spy)
    reg = regressor(n_members=n_members, linear_share=False, **ON).fit(*data())
    assert reg.n_outputs_ == n == reg.network_.n_outputs
    assert isinstance(reg._model.targets.loss, SquaredError)
    *layers, last = trained[-1].layers
    *others, other_last = reg.network_.layers
    assert last.n_outputs == n + n * (19 // n)
    for layer, other in zip(layers, others, strict=True):
        for name in (*layer.parameters, *layer.statistics):
            np.testing.assert_array_equal(getattr(layer, name), getattr(other, name))
    np.testing.assert_array_equal(last.weight[..., :n], other_last.weight)
    np.testing.assert_array_equal(last.bias[..., :n], other_last.bias)


def test_scorers_see_what_a_fit_would_end_with():
    """An estimator without these outputs, which they may keep."""
    X, y = regression()
    seen = []

    def score(estimator, X_val, y_val):
        assert estimator.n_outputs_ == 1 == estimator.coefs_[-1].shape[1]
        seen.append(estimator.predict(X))
        return float(len(seen))

    params = {"early_stopping": True, "n_members": 1, "linear_share": False}
    reg = regressor(scoring=score, **params, **ON).fit(X, y)
    np.testing.assert_array_equal(reg.predict(X), seen[-1])


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_the_mean_stays_a_mean():
    """Of a skewed target, where the mean of the quantiles is much less."""
    rng = np.random.default_rng(1)
    X, y = numbers(2000, 2), rng.exponential(size=2000) ** 3
    params = {"early_stopping": False, "linear_share": False, "max_iter": 60}
    reg = DNNRegressor((4,), random_state=0, n_members=1, dropout=0.0, **params, **ON)
    predicted = reg.fit(X, y).predict(X).mean()
    levels = (np.arange(19) + 0.5) / 19
    of_quantiles = np.quantile(y, levels).mean()
    assert abs(predicted / y.mean() - 1) < 0.1 < 1 - of_quantiles / y.mean()


@pytest.mark.skipif(not compiled.available, reason="The engine was not built.")
@pytest.mark.parametrize("data", [regression, multioutput])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_auxiliary_quantiles_by_both_engines(data, dtype, monkeypatch):
    """The compiled engine learns what NumPy does."""
    X, y = data()
    make = partial(regressor, max_iter=3, batch_size=16, dtype=dtype, **ON)
    one = make().fit(X, y)
    monkeypatch.setattr(compiled, "available", False)
    two = make().fit(X, y)
    tolerance = 1e-3 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=tolerance)
    scale = abs(y).max()
    np.testing.assert_allclose(one.predict(X), two.predict(X), atol=tolerance * scale)


@pytest.mark.skipif(not compiled.available, reason="The engine was not built.")
def test_the_compiled_engine_trains_the_default(monkeypatch):
    """Its steps are programs: none is computed by NumPy."""
    by_numpy, loss_gradient = [], Step.loss_gradient

    def spy(step, *args, **options):
        by_numpy.append(step)
        return loss_gradient(step, *args, **options)

    monkeypatch.setattr(Step, "loss_gradient", spy)
    make = partial(DNNRegressor, (8,), max_iter=2, linear_share=False, tol=None)
    make().fit(*regression())
    assert not by_numpy
    monkeypatch.setattr(compiled, "available", False)
    make().fit(*regression())
    assert by_numpy


# With what it goes


@pytest.mark.parametrize(
    ("params", "is_on"),
    [
        ({}, True),
        ({"loss": SquaredError()}, True),
        ({"recipe": "plain"}, False),
        ({"recipe": "plain", **ON}, True),
        ({"loss": "absolute_error"}, False),
        ({"loss": Huber()}, False),
        ({"loss": SquaredError(link="sigmoid")}, False),
        ({"warm_start": True}, False),
        ({"optimizer": LBFGS(), "solver": "bgd", "recipe": "tuned"}, False),
        (OFF, False),
    ],
)
def test_when_auxiliary_quantiles_are_learned(params, is_on):
    """In the tuned recipe, for a mean, by steps, and where training ends."""
    X, y = regression()
    y = (y - y.min()) / np.ptp(y)
    reg = DNNRegressor((4,), max_iter=2, tol=None, **params).fit(X, y)
    assert reg._built_with["auxiliary_quantiles"] is is_on
    assert reg.n_outputs_ == 1


def test_auxiliary_quantiles_change_what_is_learned():
    """And what is reported: the objective has their losses too."""
    X, y = regression()
    one, two = (plain_regressor(**params).fit(X, y) for params in (ON, OFF))
    assert (one.predict(X) != two.predict(X)).any()
    assert one.loss_ > two.loss_


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "huber"}, "is for loss='squared_error', got loss='huber'"),
        ({"loss": SquaredError(link="sigmoid")}, "is for loss='squared_error'"),
        ({"warm_start": True}, "choose one of them"),
    ],
)
@pytest.mark.parametrize("on", [True, np.True_])
def test_what_auxiliary_quantiles_do_not_go_with(params, message, on):
    """It is said before anything is trained."""
    with pytest.raises(ValueError, match=message):
        regressor(**params, auxiliary_quantiles=on).fit(*regression())


def test_the_loss_is_not_for_users():
    """There is one way to it."""
    with pytest.raises(ValueError, match="auxiliary_quantiles=True trains with"):
        regressor(loss=SquaredErrorAndQuantiles()).fit(*regression())
    with pytest.raises(ValueError, match="is not for"):
        DNNClassifier(loss=SquaredErrorAndQuantiles()).fit(numbers(20), [0, 1] * 10)


def test_partial_fit_has_no_auxiliary_quantiles():
    """Nobody knows when they could be left out; what was fitted goes on without."""
    X, y = regression()
    with pytest.raises(ValueError, match="auxiliary_quantiles=True, as training is"):
        regressor(**ON).partial_fit(X, y)
    reg = regressor(linear_share=False).fit(X, y)
    before = reg.predict(X)
    reg.partial_fit(X, y)
    assert (reg.predict(X) != before).any()
    assert reg.n_outputs_ == 1


def test_auxiliary_quantiles_can_not_change_as_training_goes_on():
    """There would be no network to change."""
    reg = regressor(warm_start=True).fit(*regression())
    reg.set_params(warm_start=False, **ON)
    reg.fit(*regression())
    with pytest.raises(ValueError, match="auxiliary_quantiles was True when training"):
        reg.set_params(**OFF).partial_fit(*regression())


def test_auxiliary_quantiles_with_all_else():
    """Refit, members that share, batch norm, a linear share, streams and pickles."""
    X, y = regression()
    params = {"early_stopping": True, "refit": True, "ensemble_weights": "shared"}
    reg = regressor(batch_norm=True, linear_share=True, **params, **ON).fit(X, y)
    assert reg.network_.n_outputs == 1
    copy = pickle.loads(pickle.dumps(reg))
    np.testing.assert_array_equal(copy.predict(X), reg.predict(X))
    table = np.column_stack([X, y])
    names = [*map(str, range(X.shape[1])), "y"]
    frame = pd.DataFrame(table, columns=names)
    streamed = regressor(**ON).fit(Stream([frame]), "y")
    assert_same_network(streamed, regressor(**ON).fit(frame[names[:-1]], y))


def test_constant_and_rare_targets():
    """Targets of one value, or all but one, have quantiles that are equal."""
    X = numbers(40)
    for y in (np.full(40, 3.0), np.eye(40)[7]):
        reg = DNNRegressor((4,), random_state=0, max_iter=3, tol=None).fit(X, y)
        assert np.isfinite(reg.predict(X)).all()
    reg = DNNRegressor((4,), random_state=0).fit(X, np.full(40, 3.0))
    np.testing.assert_allclose(reg.predict(X), 3.0, rtol=1e-3)
