"""`warm_start`: when a second `fit` goes on, and when it begins anew."""

import numpy as np
import pytest
from sklearn.base import clone

from skdnn.nn.losses import LogLoss
from tests.plain import plain_classifier, plain_regressor
from tests.tables import binary, classifier, parameters

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])


@pytest.mark.sampled
@both
@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
@pytest.mark.parametrize("solver", ["bgd", "minibatch"])
def test_warm_start_continues(make, optimizer, solver):
    """Two warm starts are one long run, to the bit: with dropout, schedule and all."""
    X, y = binary()
    params = {"optimizer": optimizer, "solver": solver, "batch_size": 16}
    params |= {"dropout": 0.3, "batch_norm": True, "schedule": "inverse_scaling"}
    two = make(warm_start=True, max_iter=4, **params).fit(X, y).fit(X, y)
    one = make(max_iter=8, **params).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert two.loss_curve_ == one.loss_curve_[4:]


@both
def test_warm_start_counts_the_epochs_of_the_last_fit(make):
    """`n_iter_` and `loss_curve_` are of the last `fit`, however short it was."""
    X, y = binary()
    for max_iter in (1, 3):
        est = make(warm_start=True, max_iter=max_iter).fit(X, y).fit(X, y)
        assert est.n_iter_ == len(est.loss_curve_) == max_iter


@both
def test_warm_start_false_begins_anew(make):
    """Without warm start, a second `fit` is as the first, to the bit."""
    X, y = binary()
    est = make(batch_norm=True, dropout=0.2).fit(X, y)
    first = parameters(est)
    np.testing.assert_array_equal(first, parameters(est.fit(X, y)))


@both
def test_warm_start_keeps_the_scaling(make):
    """A warm start on other data keeps the scaling of the first."""
    X, y = binary()
    est = make(warm_start=True).fit(X, y)
    median = est.encoder_.median_.copy()
    est.fit(100 * X + 1, y)
    np.testing.assert_array_equal(est.encoder_.median_, median)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_dims": (3,)},
        {"hidden_layer_dims": (8, 8)},
        {"batch_norm": True},
        {"dtype": "float64"},
        {"activation": "tanh"},
    ],
    ids=str,
)
def test_warm_start_of_another_network(change):
    """A warm start with another network is an error that names both parameters."""
    X, y = binary()
    clf = classifier(warm_start=True).fit(X, y).set_params(**change)
    (name,) = change
    with pytest.raises(ValueError) as error:
        clf.fit(X, y)
    assert "warm_start" in str(error.value)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"hidden_layer_dims": (8,)}, {"hidden_layer_dims": [8]}),
        ({"dropout": 0.1}, {"dropout": np.float64(0.1)}),
        ({"dropout": 0.1}, {"dropout": [0.1]}),
        ({"class_weight": {0: 1, 1: 2}}, {"class_weight": {1: 2, 0: 1}}),
        ({"loss": LogLoss(0.1)}, {"loss": LogLoss(0.1)}),
    ],
)
def test_equal_parameters_are_no_change(before, after):
    """Training goes on with parameters that are equal to those of before."""
    X, y = binary()
    one = classifier(**before).partial_fit(X, y, [0, 1])
    two = clone(one).partial_fit(X, y, [0, 1]).set_params(**after)
    np.testing.assert_array_equal(
        parameters(one.partial_fit(X, y)), parameters(two.partial_fit(X, y))
    )
