"""Weights of rows: what they are equal to, and which make no sense."""

import numpy as np
import pytest

from skdnn.nn.batches import Batches
from skdnn.nn.losses import SquaredError
from skdnn.nn.optimizers import SGD
from skdnn.nn.step import Step as TrainingStep
from tests import plain
from tests.networks import mlp
from tests.recipes import maker, networks, table
from tests.same import assert_same_network
from tests.tables import (
    TASKS,
    binary,
    classifier,
    parameters,
    regressor,
)

tasks = pytest.mark.parametrize("task", plain.TASKS)


# Repeated rows


@pytest.mark.sampled
@tasks
@networks
def test_fault_11_weights_count_in_the_inner_split_and_score(network, task):
    """Rows of no weight are not held out, and others validate with their weight.

    A peer weighs neither the split nor the score of early stopping.
    """
    make = maker(task, network, early_stopping=True)
    X, y = table(task)
    weight = np.arange(len(X)) % 3
    seen = {}

    def score(estimator, X, y, sample_weight):
        seen.update(zip(X[:, 0], sample_weight, strict=True))
        return 0.0

    params = {"validation_fraction": 10}
    make(**params, scoring=score).fit(X, y, weight)
    assert seen.items() <= dict(zip(X[:, 0], weight, strict=True)).items()
    assert set(seen.values()) == {1, 2}
    weighted = make(**params).fit(X, y, weight)
    repeated = make(**params).fit(X.repeat(weight, axis=0), y.repeat(weight, axis=0))
    assert_same_network(weighted, repeated)
    assert weighted.validation_scores_ == repeated.validation_scores_
    val = {"X_val": X, "y_val": y}
    weighted, plain = make(), make().fit(X, y, **val)
    weighted.fit(X, y, **val, sample_weight_val=1 + weight)
    assert weighted.loss_curve_ == plain.loss_curve_
    assert weighted.validation_scores_ != plain.validation_scores_


@pytest.mark.sampled
@tasks
@networks
def test_fault_30_weights_are_repeated_rows(network, task):
    """Weights are repeated rows: exactly in full batches, in the mean in small ones.

    A peer is tested for this with one solver only, and loosely.
    """
    make = maker(task, network)
    X, y = table(task)
    weight = np.arange(len(X)) % 3
    two = X.repeat(weight, axis=0), y.repeat(weight, axis=0)
    full = {"solver": "bgd", "batch_norm": True}
    assert_same_network(make(**full).fit(X, y, weight), make(**full).fit(*two))
    # Without `shuffle` equal rows are not joined, and are added up in another order.
    # Nor are they held out together.
    full |= {"shuffle": False, "dtype": "float64", "early_stopping": False}
    weighted, repeated = make(**full).fit(X, y, weight), make(**full).fit(*two)
    np.testing.assert_allclose(parameters(weighted), parameters(repeated), rtol=1e-6)

    mlp_ = mlp([4, 8, 1], ["tanh"], ["glorot_normal"] * 2, False, [0], "f8")
    mlp_.initialize(np.random.default_rng(0))
    step = TrainingStep(mlp_, SquaredError("identity"), SGD(), penalty=0.01)
    rows = X, X[:, :1] ** 2, weight[:, None] / weight.mean()

    def gradient(size):
        total = np.zeros_like(mlp_.params)
        for batch in Batches(*rows, size, np.random.default_rng(1)):
            step.loss_gradient(batch)
            total += len(batch.X) * step.grads
        return total / len(X)

    for size in 1, 7, 20:
        np.testing.assert_allclose(gradient(size), gradient(len(X)), rtol=1e-10)


# Weights that make no sense


@pytest.mark.parametrize("task", TASKS)
def test_weights_that_are_all_zero(task):
    """Weights that are all zero are an error."""
    make, data = TASKS[task]
    X, y = data()
    with pytest.raises(ValueError, match=r"at least one non-zero number|all .* zero"):
        make().fit(X, y, np.zeros(len(X)))


def test_validation_weights_that_are_all_zero():
    """Validation weights that are all zero are an error."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"at least one non-zero number|all .* zero"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=np.zeros(60))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_negative_weights(make):
    """A negative weight is an error."""
    X, y = binary()
    with pytest.raises(ValueError, match="Negative values"):
        make().fit(X, y, np.r_[-1.0, np.ones(59)])


def test_negative_validation_weights():
    """A negative validation weight is an error."""
    X, y = binary()
    weight = np.r_[-1.0, np.ones(59)]
    with pytest.raises(ValueError, match="Negative values"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(bad):
    """A weight that is not finite is an error."""
    with pytest.raises(ValueError, match="sample_weight contains"):
        classifier().fit(*binary(), np.r_[bad, np.ones(59)])


def test_weights_whose_sum_is_not_finite():
    """Weights that overflow when they are added up are an error."""
    X, y = binary()
    with pytest.raises(ValueError, match="sum of the weights is not finite"):
        classifier().fit(X, y, sample_weight=np.full(60, 1e307))
