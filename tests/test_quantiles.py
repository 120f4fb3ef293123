"""Several quantiles of a target, as outputs of one network."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV

from skdnn import DNNRegressor
from skdnn._baseline import constant_loss
from skdnn._statistics import Moments
from skdnn._target_scaling import location_and_scale
from skdnn.nn.losses import Quantile
from tests.plain import plain_regressor
from tests.tables import (
    STILL,
    UNSCALED,
    binary,
    classifier,
    multioutput,
    numbers,
    parameters,
    regression,
    regressor,
)

LEVELS = [0.05, 0.5, 0.95]


def noisy(n=100, seed=0):
    """Return a column and a target whose spread grows with it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    return x[:, None], 10 + 3 * x + np.exp(x) * rng.standard_normal(n)


def pinball(y, predicted, levels=LEVELS):
    """Return the mean loss of a row: the sum over its quantiles."""
    columns = zip(levels, predicted.T, strict=True)
    return sum(mean_pinball_loss(y, column, alpha=level) for level, column in columns)


def unordered(reg, X):
    """Return predictions as the network makes them."""
    targets = reg._model.targets
    return reg._predict(X, "averaged") * targets.scale + targets.location


# The loss


def test_value_is_the_sum_of_separate_losses(rng):
    """Value and gradient are those of a loss a quantile, to the bit."""
    y, raw = rng.standard_normal((20, 1)), rng.standard_normal((20, 3))
    weight = rng.uniform(0, 2, (20, 1))
    value, grad = Quantile(LEVELS).loss_gradient(y.repeat(3, axis=1), raw, weight)
    apart = [
        Quantile(level).loss_gradient(y, raw[:, [k]], weight)
        for k, level in enumerate(LEVELS)
    ]
    assert_allclose(value, sum(value for value, _ in apart), rtol=1e-14)
    assert_array_equal(grad, np.hstack([grad for _, grad in apart]))


def test_objective_is_the_pinball_loss():
    """The objective is the sum of the losses of the quantiles, in the target's unit."""
    X, y = regression()
    params = {"loss": Quantile(LEVELS), "alpha": 0, "solver": "bgd", "dtype": "float64"}
    reg = plain_regressor(max_iter=4, target_scaling=False, **params).fit(X, y)
    before = plain_regressor(max_iter=3, target_scaling=False, **params).fit(X, y)
    assert_allclose(reg.loss_, pinball(y, unordered(before, X)), rtol=1e-10)


@pytest.mark.parametrize("scaling", [False, True])
@pytest.mark.parametrize("quantile", [0.3, 0.5])
def test_a_sequence_of_one_is_that_quantile(quantile, scaling):
    """One quantile in a sequence is the same network, and a column."""
    X, y = regression()
    one = regressor(loss=Quantile(quantile), target_scaling=scaling).fit(X, y)
    two = regressor(loss=Quantile([quantile]), target_scaling=scaling).fit(X, y)
    assert_array_equal(parameters(one), parameters(two))
    assert_array_equal(one.predict(X)[:, None], two.predict(X))
    assert one.predict(X).shape == y.shape


# Predictions


@pytest.mark.parametrize("levels", [LEVELS, [0.95, 0.05, 0.5], (0.5, 0.95, 0.05)])
def test_predictions_never_cross(levels):
    """What the network has the wrong way round is put in order, column by column."""
    X, y = regression(40)
    reg = regressor(loss=Quantile(levels), max_iter=1, learning_rate=1.0).fit(X, y)
    far = 100 * numbers(200)
    raw, rank = unordered(reg, far), np.argsort(levels)
    assert (np.diff(raw[:, rank]) < 0).any()
    predicted = reg.predict(far)
    assert (np.diff(predicted[:, rank]) >= 0).all()
    assert_allclose(np.sort(predicted, axis=1), np.sort(raw, axis=1), rtol=1e-6)
    assert reg.n_outputs_ == predicted.shape[1] == 3


def test_order_lowers_the_loss():
    """The pinball loss of the predictions is below that of the raw ones."""
    X, y = regression(40)
    reg = regressor(loss=Quantile(LEVELS), max_iter=1, learning_rate=1.0).fit(X, y)
    assert pinball(y, reg.predict(X)) < pinball(y, unordered(reg, X))


def test_order_of_the_levels_is_that_of_the_columns():
    """Levels in another order are the same predictions in another order."""
    X, y = noisy()
    params = {"max_iter": 60, "learning_rate": 0.05}
    reg = regressor(loss=Quantile([0.9, 0.1]), **params).fit(X, y)
    high, low = reg.predict(X).T
    assert (low < high).all()
    assert (y > high).mean() < 0.25 > (y < low).mean()


@pytest.mark.filterwarnings("ignore:Training learned nothing")
@pytest.mark.parametrize("scaling", [False, True])
def test_constants_are_the_quantiles(scaling):
    """With weights for the biases alone, predictions are the target's quantiles."""
    y = np.random.default_rng(0).permutation(np.linspace(0, 1, 101))
    params = {"solver": "bgd", "max_iter": 1500, "schedule": "cosine", "alpha": 0}
    params |= {"learning_rate": 0.02, "target_scaling": scaling}
    reg = regressor((), loss=Quantile([0.1, 0.9, 0.5]), **params)
    predicted = reg.fit(np.zeros((101, 1)), y).predict([[0.0]])
    assert_allclose(predicted, [[0.1, 0.9, 0.5]], atol=0.02)


def test_intervals_cover_rows_that_training_has_not_seen():
    """The defaults cover nine of ten rows, by intervals that follow the spread."""
    reg = DNNRegressor((32, 32), loss=Quantile(LEVELS), max_iter=30, random_state=0)
    low, median, high = reg.fit(*noisy(800)).predict(noisy(2000, seed=1)[0]).T
    X, y = noisy(2000, seed=1)
    assert abs(((low <= y) & (y <= high)).mean() - 0.9) < 0.05
    assert abs((y < median).mean() - 0.5) < 0.07
    width = high - low
    assert width[X[:, 0] > 0.5].mean() > 2 * width[X[:, 0] < -0.5].mean()


@pytest.mark.parametrize("weights", ["own", "shared"])
def test_members_are_averaged_before_they_are_ordered(weights):
    """The prediction of an ensemble is the mean of its members, in order."""
    X, y = regression(40)
    params = {"n_members": 3, "ensemble_weights": weights, "learning_rate": 1.0}
    reg = regressor(loss=Quantile(LEVELS), max_iter=1, **params).fit(X, y)
    targets, far = reg._model.targets, 100 * X
    raw = reg._predict(far, "averaged")
    members = reg._model.network.predict(reg.encoder_.transform(far))
    assert_allclose(raw, members.mean(axis=0), rtol=1e-5, atol=1e-5)
    expected = np.sort(raw * targets.scale + targets.location, axis=1)
    assert_allclose(reg.predict(far), expected, rtol=1e-12)


# The scale of the target


def test_location_of_each_quantile(rng):
    """Each output has the quantile for a location, and all have the same scale."""
    y = rng.standard_normal((200, 1))
    moments = Moments.of(y, None)
    location, scale = location_and_scale(moments, y, None, Quantile(LEVELS))
    assert_array_equal(location, np.quantile(y[:, 0], LEVELS, method="inverted_cdf"))
    _, of_one = location_and_scale(moments, y, None, Quantile())
    assert_array_equal(scale, of_one.repeat(3))


def test_location_counts_weights(rng):
    """A weight of a whole number is as many rows."""
    y, counts = rng.standard_normal((50, 1)), rng.integers(1, 5, 50)
    weight, repeated = counts.astype(float), y.repeat(counts, axis=0)
    loss = Quantile(LEVELS)
    one = location_and_scale(Moments.of(y, weight), y, weight, loss)
    two = location_and_scale(Moments.of(repeated, None), repeated, None, loss)
    assert_array_equal(one, two)


def test_training_starts_at_the_quantiles():
    """A network that has not learned predicts the quantiles of the target."""
    X, y = regression(400)
    params = {"early_stopping": False, **STILL}
    reg = regressor((), loss=Quantile(LEVELS), **params).fit(0 * X, y)
    expected = np.quantile(y, LEVELS, method="inverted_cdf")
    assert_allclose(reg.predict(X[:1]), [expected], rtol=1e-5)


def test_a_target_too_large_is_named():
    """The error of a target that a float32 can't hold names it."""
    X, y = regression()
    y[7] = 1e300
    reg = regressor(loss=Quantile(LEVELS), target_scaling=False)
    with pytest.raises(ValueError, match=r"target of 1e\+300 is too large"):
        reg.fit(X, y)


def test_weights_are_repeated_rows():
    """A row of weight 2 is as good as two such rows."""
    X, y = regression()
    counts = 1 + np.arange(60) % 3
    one = regressor(loss=Quantile(LEVELS)).fit(X, y, counts)
    two = regressor(loss=Quantile(LEVELS)).fit(X.repeat(counts, 0), y.repeat(counts))
    assert_array_equal(parameters(one), parameters(two))


# What a fit is worth


def test_score():
    """It is the mean D2 of the quantiles, and R2 of a single one."""
    X, y = regression()
    weight = np.random.default_rng(0).uniform(0.5, 2, 60)
    reg = regressor(loss=Quantile([0.9, 0.2])).fit(X, y)
    high, low = reg.predict(X).T
    for w in None, weight:
        scores = [
            d2_pinball_score(y, high, alpha=0.9, sample_weight=w),
            d2_pinball_score(y, low, alpha=0.2, sample_weight=w),
        ]
        assert_allclose(reg.score(X, y, w), np.mean(scores), rtol=1e-12)
    assert reg.score(X, y) != reg.score(X, y, weight)
    one = regressor(loss=Quantile(0.9)).fit(X, y)
    assert_allclose(
        one.score(X, y, weight), r2_score(y, one.predict(X), sample_weight=weight)
    )


def test_score_of_the_loss_that_was_fitted():
    """What a parameter has been set to since makes no difference."""
    X, y = regression()
    reg = regressor(loss=Quantile(LEVELS)).fit(X, y)
    before = reg.score(X, y)
    assert reg.set_params(loss="squared_error").score(X, y) == before


def test_validation_loss_is_the_pinball_loss():
    """Early stopping watches the sum of the losses, in the target's unit."""
    X, y = regression()
    params = {"early_stopping": True, "dtype": "float64", "max_iter": 4}
    reg = plain_regressor(loss=Quantile(LEVELS), **params)
    reg.fit(X, y, X_val=X[:20], y_val=y[:20])
    expected = pinball(y[:20], unordered(reg, X[:20])) / reg._model.targets.scale[0]
    assert_allclose(min(reg.validation_loss_curve_), expected, rtol=1e-9)


def test_scoring_by_a_function():
    """A callable sees the columns of the predictions."""

    def width(estimator, X, y):
        low, high = estimator.predict(X).T
        return -np.mean(high - low)

    X, y = regression()
    params = {"early_stopping": True, "n_members": 1, "scoring": width}
    reg = regressor(loss=Quantile([0.1, 0.9]), **params)
    assert max(reg.fit(X, y).validation_scores_) < 0


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error", "neg_max_error"])
def test_scoring_by_a_name(scoring):
    """A scorer that compares one prediction a row is an error, before training."""
    reg = regressor(loss=Quantile(LEVELS), early_stopping=True, scoring=scoring)
    with pytest.raises(ValueError, match=f"scoring='{scoring}' .* but loss=.* makes 3"):
        reg.fit(*regression())


def test_the_best_constant(rng):
    """The loss of the best constant is that of the target's quantiles."""
    y = rng.standard_normal((101, 1))
    best = np.quantile(y[:, 0], LEVELS, method="inverted_cdf")
    expected = pinball(y[:, 0], np.tile(best, (101, 1)))
    value = constant_loss(Quantile(LEVELS), 3, y.repeat(3, axis=1))
    assert_allclose(value, expected, rtol=1e-3)


def test_a_network_that_learned_nothing_warns(rng):
    """Quantiles no better than the target's own are a warning; others are none."""
    X = numbers(60)
    params = {"max_iter": 12, "learning_rate": 1e-9, "early_stopping": False}
    reg = regressor(loss=Quantile(LEVELS), batch_size=5, **params)
    with pytest.warns(ConvergenceWarning, match="learned nothing"):
        reg.fit(X, rng.standard_normal(60))
    reg.set_params(learning_rate=0.03, max_iter=60).fit(X, X[:, 0])


# Parameters


@pytest.mark.parametrize("levels", [LEVELS, tuple(LEVELS), np.array(LEVELS)], ids=type)
def test_clone_pickle_and_going_on(levels):
    """Any sequence of levels survives what scikit-learn does with parameters."""
    X, y = regression()
    reg = regressor(loss=Quantile(levels), warm_start=True).fit(X, y)
    predicted = reg.predict(X)
    assert_array_equal(clone(reg).fit(X, y).predict(X), predicted)
    loaded = pickle.loads(pickle.dumps(reg))
    assert_array_equal(loaded.predict(X), predicted)
    assert "Quantile" in repr(reg)
    assert not np.array_equal(loaded.fit(X, y).predict(X), predicted)
    reg.partial_fit(X[:30], y[:30])
    reg.set_params(loss__quantile=[0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="loss was Quantile"):
        reg.fit(X, y)


def test_search():
    """Sequences are values that a search can choose from, by `score`."""
    X, y = regression()
    grid = {"loss__quantile": [[0.1, 0.9], [0.25, 0.5, 0.75]], "alpha": [0.0, 1.0]}
    search = GridSearchCV(regressor(loss=Quantile()), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    chosen = search.best_params_["loss__quantile"]
    assert search.predict(X).shape == (60, len(chosen))


@pytest.mark.parametrize(
    ("quantile", "message"),
    [
        ([], "a number or a sequence of numbers, got"),
        ([[0.1, 0.9]], "a number or a sequence of numbers, got"),
        ([0.1, 1.0], r"must be a float in the range \(0.0, 1.0\). Got 1.0"),
        ([0.0, 0.5], r"must be a float in the range \(0.0, 1.0\). Got 0.0"),
        ([0.1, "median"], r"must be a float in the range .* Got 'median'"),
        ([0.1, None], r"must be a float in the range .* Got None"),
        ([0.1, np.nan], r"must be a float in the range .* Got nan"),
        ([0.5, 0.1, 0.5], r"must differ, got \[0.5, 0.1, 0.5\]"),
        ("median", r"must be a float in the range .* Got 'median'"),
        (1.5, r"must be a float in the range \(0.0, 1.0\). Got 1.5"),
    ],
)
def test_levels_that_are_none(quantile, message):
    """What is no quantile is an error that names it, before training."""
    reg = regressor(loss=Quantile(quantile))
    with pytest.raises(ValueError, match=message):
        reg.fit(*regression())
    assert not hasattr(reg, "n_iter_")


def test_several_targets():
    """Several quantiles are those of one target."""
    reg = regressor(loss=Quantile(LEVELS))
    with pytest.raises(
        ValueError, match=r"quantile of one target, but y has 2 columns"
    ):
        reg.fit(*multioutput())
    one = regressor(loss=Quantile(0.5)).fit(*multioutput())
    assert one.predict(multioutput()[0]).shape == (60, 2)


def test_classes_have_no_quantiles():
    """A classifier has no such loss."""
    with pytest.raises(ValueError, match=r"loss=Quantile.* is not for two classes"):
        classifier(loss=Quantile(LEVELS)).fit(*binary())


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": "lbfgs", "solver": "bgd", "recipe": "plain"},
        {"refit": True, "early_stopping": True},
        {"solver": "sgd", "max_iter": 1},
        {"batch_norm": True, **UNSCALED},
    ],
    ids=str,
)
def test_other_parameters(params):
    """Quantiles are learned with whatever else there is."""
    X, y = regression()
    predicted = regressor(loss=Quantile(LEVELS), **params).fit(X, y).predict(X)
    assert (np.diff(predicted) >= 0).all()


def test_exported_predictions_never_cross():
    """Nor do those of ONNX Runtime."""
    for package in "onnx", "onnxruntime", "skl2onnx":
        pytest.importorskip(package)
    from tests.test_onnx import assert_same

    X, y = regression(40)
    reg = regressor(loss=Quantile([0.9, 0.1, 0.5]), max_iter=1, learning_rate=1.0)
    assert_same(reg.fit(X, y), X, 100 * numbers(200))
