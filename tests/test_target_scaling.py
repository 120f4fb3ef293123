"""Location and scale of targets, and what targets far from the others do."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from skdnn import DNNRegressor
from skdnn._statistics import Moments
from skdnn._target_scaling import location_and_scale
from skdnn.nn.losses import (
    REGRESSOR_LOSSES,
    AbsoluteError,
    Gamma,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)
from tests.plain import plain_regressor
from tests.tables import QUICK, numbers, regression, regressor

SQUARED = SquaredError(link="identity")
ROBUST = {"huber": Huber(), "absolute": AbsoluteError(), "quantile": Quantile(0.8)}
ALL = {"squared": SQUARED, "poisson": Poisson(), "gamma": Gamma(), **ROBUST}

#: Four fifths of a normal distribution are within so many standard deviations.
FOUR_FIFTHS = norm.ppf(0.9)


def of_all(y, weight, loss):
    """Return location and scale where the sample is all rows."""
    return location_and_scale(Moments.of(y, weight), y, weight, loss)


def scaling(y, loss, weight=None):
    """Return location and scale of one output."""
    weight = None if weight is None else np.asarray(weight, float)
    location, scale = of_all(np.array(y, float)[:, None], weight, loss)
    return location[0], scale[0]


@pytest.mark.parametrize(
    ("loss", "location", "scale"),
    [
        (SQUARED, 22, np.sqrt(1522)),
        # Deviations from the median, 3: 1, 1, 2 and 97, of which four fifths is 97.
        (AbsoluteError(), 3, 97 / FOUR_FIFTHS),
        (Huber(), 3, 97 / FOUR_FIFTHS),
        (Quantile(0.2), 1, 97 / FOUR_FIFTHS),
        (Quantile(0.5), 3, 97 / FOUR_FIFTHS),
        (Quantile(0.9), 100, 97 / FOUR_FIFTHS),
        (Poisson(), 0, 22),
        (Gamma(), 0, 22),
        (SquaredError(link="sigmoid"), 0, 1),
    ],
    ids=repr,
)
def test_golden_values(loss, location, scale):
    """Location and scale of five numbers, by hand."""
    np.testing.assert_allclose(
        scaling([1, 2, 3, 4, 100], loss), (location, scale), rtol=1e-14
    )


def test_outliers_leave_the_robust_scale_alone():
    """One outlier of seven, however far: the other deviations are 1, 1, 2, 2, 3."""
    for far in 50, 1e10, 1.7e308:
        y = [1, 2, 3, 4, 5, 6, far]
        assert scaling(y, Huber()) == (4, 3 / FOUR_FIFTHS)


@pytest.mark.parametrize(
    ("y", "scale"),
    [
        # More than half are equal: the others set the scale.
        ([0] * 90 + [2] * 8 + [1000] * 2, 2 / FOUR_FIFTHS),
        ([7] * 99 + [8], 1 / FOUR_FIFTHS),
        ([7] * 9, 1),
        ([0] * 9, 1),
    ],
)
def test_targets_most_of_which_are_equal(y, scale):
    """The scale is that of the targets that deviate; 1 if none does."""
    location, got = scaling(y, AbsoluteError())
    assert location == y[0]
    np.testing.assert_allclose(got, scale, rtol=1e-14)


@pytest.mark.parametrize("loss", ALL)
def test_weights_are_repeated_rows(loss, rng):
    """To the bit for quantiles, which add up nothing but the weights."""
    y = np.exp(rng.standard_normal(50))
    counts = rng.integers(1, 5, 50)
    one, two = scaling(y, ALL[loss], counts), scaling(y.repeat(counts), ALL[loss])
    np.testing.assert_allclose(one, two, rtol=1e-14)
    if loss in ROBUST:
        assert one == two
        assert one == scaling(y, ALL[loss], 1.5 * counts)


def test_normal_targets_have_their_standard_deviation(rng):
    """Robust or not, the unit is the same where nothing is far out."""
    y = 5 + 3 * rng.standard_normal(100_000)
    np.testing.assert_allclose(scaling(y, SQUARED), (5, 3), rtol=0.02)
    np.testing.assert_allclose(scaling(y, Huber()), (5, 3), rtol=0.02)


@pytest.mark.sampled
@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("exponent", [-1000, 1020])
def test_units_of_any_size(loss, exponent):
    """Targets times a power of two have location and scale times it, to the bit."""
    y = np.array([0.5, 1, 3, 4, 6.5])
    location, scale = scaling(y, ALL[loss])
    unit = 2.0**exponent
    assert scaling(y * unit, ALL[loss]) == (location * unit, scale * unit)


def test_several_outputs(rng):
    """Each output has a location and a scale of its own."""
    y = rng.standard_normal((40, 3)) * [1, 1e300, 0] + [0, 0, 2]
    for loss in SQUARED, Huber():
        location, scale = of_all(y, None, loss)
        for k in range(3):
            one = location[k], scale[k]
            np.testing.assert_allclose(one, scaling(y[:, k], loss), rtol=1e-14)


# Training


def contaminated(share, size, n=600):
    """Return columns, a target of which a share is far out, and what is below that."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    clean = 3 + 2 * X[:, 0] - X[:, 1]
    y = clean + 0.1 * rng.standard_normal(n)
    far = rng.random(n) < share
    y[far] += size * rng.uniform(-1, 1, far.sum())
    return X, y, clean


@pytest.mark.sampled
@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
@pytest.mark.parametrize(
    ("share", "size"), [(0.02, 1000), (0.1, 1e6), (0.05, 1e300), (0.02, 1e308)]
)
def test_outliers_do_not_spoil_robust_losses(loss, share, size):
    """What a robust loss learns from the other rows is as good as without them."""
    X, y, clean = contaminated(share, size)
    reg = DNNRegressor((32,), loss=loss, n_members=1, max_iter=40, random_state=0)
    assert r2_score(clean, reg.fit(X, y).predict(X)) > 0.97


def test_outliers_in_the_validation_rows():
    """They do not hide from early stopping how the loss of the others falls."""
    X, y, clean = contaminated(0, 0)
    y[::10] = 1e300
    reg = DNNRegressor((32,), loss="huber", max_iter=40, random_state=0).fit(X, y)
    assert reg.best_iter_ > 5
    assert r2_score(clean, reg.predict(X)) > 0.97


def test_outliers_in_one_of_two_targets():
    """The other target is learned as if there were none."""
    X, y, clean = contaminated(0.02, 1e5)
    reg = DNNRegressor((32,), loss="huber", max_iter=40, random_state=0)
    reg.fit(X, np.column_stack([y, clean]))
    assert r2_score(np.column_stack([clean, clean]), reg.predict(X)) > 0.97


@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
def test_robust_losses_do_not_see_how_far_an_outlier_is(loss):
    """From far enough on, the network is the same to the bit."""
    X, y = regression(n=200)
    networks = []
    for far in 1e12, 1e300:
        y[0] = far
        reg = regressor(loss=loss, early_stopping=False, shuffle=False)
        networks.append(reg.fit(X, y).network_.params)
    np.testing.assert_array_equal(*networks)


@pytest.mark.parametrize("quantile", [0.05, 0.95])
def test_a_quantile_starts_where_it_ends(quantile):
    """The network starts at the quantile, which columns of noise do not move."""
    y = np.random.default_rng(0).exponential(size=2000)
    reg = regressor((), loss=Quantile(quantile), max_iter=1, learning_rate=1e-9)
    predicted = reg.fit(np.zeros((2000, 1)), y).predict([[0.0]])
    np.testing.assert_allclose(predicted, np.quantile(y, quantile), rtol=0.02)


@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
def test_units_of_the_target_make_no_difference(loss):
    """Targets times a power of two are predicted as such, to the bit."""
    X, y = regression(n=200)
    reg = regressor(loss=loss, shuffle=False)
    expected = reg.fit(X, y).predict(X)
    for unit in 2.0**-900, 2.0**900:
        predicted = clone(reg).fit(X, unit * y).predict(X)
        np.testing.assert_array_equal(predicted, unit * expected)


@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
def test_without_target_scaling_nothing_is_limited(loss):
    """The targets of the network are then those of the user."""
    X, y = numbers(50), np.linspace(0, 1e12, 50)
    reg = regressor(loss=loss, target_scaling=False, early_stopping=False)
    reg.fit(X, y)
    assert reg.loss_curve_[0] > 1e11


@pytest.mark.parametrize(
    ("loss", "y", "target"),
    [
        ("squared_error", [1.0, 2.0, 1e300], "1e\\+300"),
        ("huber", [1.0, 2.0, 1e300], "1e\\+300"),
        ("poisson", [0.0, 2.0, 1e300], "1e\\+300"),
    ],
)
def test_targets_beyond_the_dtype(loss, y, target):
    """Without scaling, a target that the dtype can't hold is an error that names it."""
    reg = regressor(loss=loss, target_scaling=False)
    with pytest.raises(ValueError, match=f"target of {target} is too large"):
        reg.fit(numbers(3), y)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_targets_of_too_many_orders_of_magnitude(loss):
    """Ratios that the dtype can't hold are an error, and no zeros."""
    y = np.r_[np.ones(59), 1e300]
    with pytest.raises(ValueError, match="target of 1 is too large or too small"):
        regressor(loss=loss).fit(numbers(60), y)
    reg = regressor(loss=loss, dtype="float64").fit(numbers(60), y)
    assert np.isfinite(reg.predict(numbers(60))).all()


@pytest.mark.parametrize("loss", sorted(REGRESSOR_LOSSES))
def test_alpha_is_in_units_of_the_scale(loss):
    """The penalty is as strong for targets in other units."""
    X, y = regression(n=200)
    y = np.exp(y - 3)
    reg = DNNRegressor((8,), loss=loss, alpha=10.0, dtype="float64", **QUICK)
    reg.set_params(shuffle=False)
    one, two = (clone(reg).fit(X, unit * y) for unit in (1.0, 2.0**100))
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-6)


# In the regressor


def test_fault_42_the_target_is_scaled_inside():
    """A target of any unit is learned as well, with nothing wrapped around.

    A peer needs a TransformedTargetRegressor, which cannot be exported.
    """
    X, y = regression(200)
    params = {"learning_rate": 0.03, "max_iter": 40, "dtype": "float64"}
    reg = plain_regressor(**params).fit(X, y)
    assert reg.score(X, y) > 0.9
    far = plain_regressor(**params).fit(X, 1e6 + 1e3 * y)
    np.testing.assert_allclose(far.predict(X), 1e6 + 1e3 * reg.predict(X), rtol=1e-9)
    bare = plain_regressor(**params, target_scaling=False)
    wrapped = TransformedTargetRegressor(bare, transformer=StandardScaler())
    np.testing.assert_allclose(
        wrapped.fit(X, y).predict(X), reg.predict(X), rtol=1e-6, atol=1e-6
    )
