"""Parameters of the steps: which rows they read, and how long they are."""

import numpy as np
import pytest

from skdnn.nn.activations import Parametric
from skdnn.nn.layers import KINDS
from skdnn.nn.optimizers import OPTIMIZERS, AdamW, Momentum
from skdnn.nn.schedules import Constant, Cosine, Step
from tests.plain import plain_classifier, plain_regressor
from tests.tables import STILL, binary, parameters

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])


def by_kind(estimator):
    """Return all parameters of each kind, as a vector."""
    kinds = {kind: [] for kind in KINDS}
    for layer in estimator.network_.layers:
        for name, parameter in layer.parameters.items():
            kinds[parameter.kind].append(getattr(layer, name).ravel())
    return {kind: np.concatenate(v) for kind, v in kinds.items() if v}


# Rows


@both
@pytest.mark.parametrize(
    ("solver", "n_steps"), [("bgd", 1), ("sgd", 50), ("minibatch", 3)]
)
def test_solver_sets_the_number_of_steps(make, solver, n_steps, steps):
    """The solver says whether a step looks at all rows, at one, or at a batch."""
    make(solver=solver, batch_size=20, max_iter=2).fit(*binary(50))
    assert len(steps["rates"]) == 2 * n_steps


@both
def test_batch_size_is_the_rows_of_a_step(make, steps):
    """A step looks at `batch_size` rows, the last of an epoch at what is left."""
    make(batch_size=32, max_iter=1).fit(*binary(70))
    assert [len(rows) for rows in steps["rows"]] == [32, 32, 6]


def test_shuffle_false_takes_the_rows_as_they_come(steps):
    """Without `shuffle`, each epoch visits the rows in their own order."""
    X, _ = binary(30)
    y = np.arange(30.0)
    plain_regressor(shuffle=False, target_scaling=False, batch_size=7, max_iter=2).fit(
        X, y
    )
    np.testing.assert_array_equal(np.concatenate(steps["rows"]), np.r_[y, y])


def test_shuffle_visits_each_row_once_an_epoch_in_a_new_order(steps):
    """With `shuffle`, an epoch visits each row once, in another order each time."""
    X, _ = binary(30)
    y = np.arange(30.0)
    plain_regressor(target_scaling=False, batch_size=7, max_iter=2).fit(X, y)
    one, two = np.concatenate(steps["rows"]).reshape(2, 30)
    np.testing.assert_array_equal(np.sort(one), y)
    np.testing.assert_array_equal(np.sort(two), y)
    assert (one != two).any()
    assert (one != y).any()


# The optimizer


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"lbfgs"}))
def test_optimizer_takes_its_own_first_step(name):
    """The first step of each optimizer is that of its formula."""
    X, y = binary()
    params = {"solver": "bgd", "dtype": "float64", "max_iter": 1, "alpha": 0}
    start = plain_classifier(**params, optimizer="sgd", learning_rate=1e-300).fit(X, y)
    w = start.network_.params
    slope = plain_classifier(**params, optimizer="sgd", learning_rate=1.0).fit(X, y)
    g = w - slope.network_.params
    clf = plain_classifier(**params, optimizer=name, learning_rate=0.01).fit(X, y)
    n_decayed = clf.network_.n_decayed
    decay = np.r_[np.full(n_decayed, 1e-4), np.zeros(len(w) - n_decayed)]
    expected = {
        "sgd": 0.01 * g,
        "momentum": 0.01 * g,
        "nesterov": 1.9 * 0.01 * g,
        "rmsprop": 0.01 * g / (0.1 * np.abs(g) + 1e-8),
        "adagrad": 0.01 * g / (np.abs(g) + 1e-10),
        "adam": 0.01 * g / (np.abs(g) + 1e-8 / np.sqrt(1e-3)),
        "adamw": 0.01 * g / (np.abs(g) + 1e-8 / np.sqrt(1e-3)) + decay * w,
    }[name]
    moved = w - clf.network_.params
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-9)


@both
def test_optimizer_lbfgs_finds_the_optimum(make):
    """L-BFGS reaches the optimum of a linear model to its tolerance."""
    X, y = binary()
    params = {"solver": "bgd", "dtype": "float64", "alpha": 1.0}
    est = make((), optimizer="lbfgs", max_iter=200, tol=1e-8, **params).fit(X, y)
    optimum = est.network_.params.copy()
    est.set_params(warm_start=True, optimizer="sgd", learning_rate=1.0, tol=None)
    est.set_params(max_iter=1)
    gradient = optimum - est.fit(X, y).network_.params
    assert np.abs(gradient).max() < 1e-4


def test_optimizer_may_be_an_instance():
    """An instance with default parameters is the same as its name."""
    X, y = binary()
    for name, cls in OPTIMIZERS.items():
        one = plain_classifier(optimizer=name, solver="bgd").fit(X, y)
        two = plain_classifier(optimizer=cls(), solver="bgd").fit(X, y)
        np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_optimizer_has_parameters_of_its_own():
    """Momentum of zero is plain gradient descent."""
    X, y = binary()
    params = {"learning_rate": 0.1, "dtype": "float64"}
    one = plain_classifier(optimizer=Momentum(momentum=0.0), **params).fit(X, y)
    two = plain_classifier(optimizer="sgd", **params).fit(X, y)
    np.testing.assert_allclose(one.network_.params, two.network_.params, rtol=1e-12)


def test_optimizer_decays_weights_alone():
    """AdamW's decay acts on the weights, not on biases, gains and shifts."""
    X, y = binary()
    params = {"max_iter": 1, "solver": "bgd", "batch_norm": True, "dtype": "float64"}
    one = (
        plain_classifier(optimizer=AdamW(weight_decay=0.0), **params).fit(X, y).network_
    )
    two = (
        plain_classifier(optimizer=AdamW(weight_decay=0.5), **params).fit(X, y).network_
    )
    n = one.n_decayed
    assert (one.params[:n] != two.params[:n]).all()
    np.testing.assert_array_equal(one.params[n:], two.params[n:])


# The learning rate


@both
def test_learning_rate_is_that_of_the_steps(make, steps):
    """Each step is of the size that was asked for."""
    make(learning_rate=0.037, max_iter=2).fit(*binary())
    assert steps["rates"] == [0.037, 0.037]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("sgd", 0.1),
        ("momentum", 0.01),
        ("nesterov", 0.01),
        ("adagrad", 0.01),
        ("rmsprop", 0.001),
        ("adam", 0.001),
        ("adamw", 0.001),
    ],
)
def test_learning_rate_auto_depends_on_the_optimizer(optimizer, expected):
    """The automatic learning rate is the documented one of the optimizer."""
    X, y = binary()
    one = plain_classifier(optimizer=optimizer, learning_rate="auto").fit(X, y)
    two = plain_classifier(optimizer=optimizer, learning_rate=expected).fit(X, y)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


@pytest.mark.sampled
@both
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("inverse_scaling", [1, 2**-0.5, 3**-0.5, 0.5]),
        ("step", [1, 1, 1, 1]),
        (Step(every=2), [1, 1, 0.1, 0.1]),
        ("exponential", [1, 0.95, 0.95**2, 0.95**3]),
        ("cosine", [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        (Constant(warm_up=2), [0.01, 0.505, 1, 1]),
        (Cosine(warm_up=1), [0.01, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        ("coslog", [0, None, None, None]),
        ("one_cycle", [0.04, None, None, None]),
    ],
    ids=str,
)
def test_schedule_sets_the_size_of_the_steps(make, schedule, expected, steps):
    """The learning rate of each epoch is multiplied by the schedule."""
    make(schedule=schedule, learning_rate=0.5, solver="bgd", max_iter=4).fit(*binary())
    for rate, factor in zip(steps["rates"], expected, strict=True):
        if factor is not None:
            np.testing.assert_allclose(rate, 0.5 * factor, atol=1e-15)


def test_schedule_changes_within_an_epoch(steps):
    """The schedule is read at each step, at the share of the epoch that is over."""
    plain_classifier(
        schedule="exponential", learning_rate=1.0, batch_size=15, max_iter=2
    ).fit(*binary(60))
    expected = 0.95 ** (np.arange(8) / 4)
    np.testing.assert_allclose(steps["rates"], expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_schedule_adaptive_lowers_the_rate_when_training_stalls(steps):
    """`"adaptive"` divides the rate by 5 after each stall, until it is tiny."""
    clf = plain_classifier(
        schedule="adaptive",
        learning_rate=1e-4,
        solver="bgd",
        tol=1.0,
        n_iter_no_change=2,
        max_iter=100,
    ).fit(*binary())
    rates = np.array(steps["rates"])
    values, counts = np.unique(rates, return_counts=True)
    np.testing.assert_allclose(values[::-1], 1e-4 / 5.0 ** np.arange(4), rtol=1e-12)
    # The first epoch always counts as progress, in the first round.
    assert counts[::-1].tolist() == [4, 3, 3, 3]
    assert clf.n_iter_ == 13


#: A network with parameters of all kinds.
ALL_KINDS = {
    "batch_norm": True,
    "activation": Parametric("relu"),
    "input_scaling": True,
    "numeric_embedding": "periodic",
}


@pytest.mark.sampled
@both
@pytest.mark.parametrize("kind", KINDS)
def test_learning_rate_multipliers_of_zero_freeze_a_kind(make, kind):
    """Parameters of a kind whose multiplier is 0 stay where they start."""
    X, y = binary()
    start = by_kind(make(**ALL_KINDS, **STILL).fit(X, y))
    est = make(learning_rate_multipliers={kind: 0}, **ALL_KINDS).fit(X, y)
    assert set(start) == set(KINDS)
    for other, vector in by_kind(est).items():
        assert (vector == start[other]).all() == (other == kind)


@pytest.mark.sampled
@both
@pytest.mark.parametrize("kind", KINDS)
def test_learning_rate_multipliers_multiply_the_steps_of_a_kind(make, kind):
    """A step of gradient descent is as much longer, and only that of the kind."""
    X, y = binary()
    params = {**ALL_KINDS, **STILL, "dtype": "float64", "alpha": 0}
    start = by_kind(make(**params).fit(X, y))
    params["learning_rate"] = 0.01
    one = by_kind(make(**params).fit(X, y))
    two = by_kind(make(learning_rate_multipliers={kind: 2.5}, **params).fit(X, y))
    for other in KINDS:
        factor = 2.5 if other == kind else 1
        np.testing.assert_allclose(
            two[other] - start[other],
            factor * (one[other] - start[other]),
            rtol=1e-9,
            atol=1e-14,
        )


@both
@pytest.mark.parametrize("multipliers", [{}, {"weight": 1, "bias": 1.0}])
def test_learning_rate_multipliers_of_one_change_nothing(make, multipliers):
    """None is a multiplier of 1 for all kinds."""
    X, y = binary()
    one = make(learning_rate_multipliers=multipliers).fit(X, y)
    two = make(learning_rate_multipliers=None).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))


@pytest.mark.parametrize(
    ("multipliers", "message"),
    [
        ({"weights": 1.0}, "'weights'; the kinds of parameters are .*'weight'"),
        ({"bias": -0.1}, r"\['bias'\] must be a finite number >= 0, got -0.1"),
        ({"bias": np.inf}, r"\['bias'\] must be a finite number >= 0, got inf"),
        ({"bias": "0.1"}, r"\['bias'\] must be a finite number >= 0, got '0.1'"),
    ],
)
@both
def test_learning_rate_multipliers_that_make_no_sense(make, multipliers, message):
    """Kinds that there are not, and rates below zero, are errors that name them."""
    with pytest.raises(ValueError, match=message):
        make(learning_rate_multipliers=multipliers).fit(*binary())


# Regularization and averages
