"""A loss that becomes inf or NaN while training: what is kept, and what is said."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNRegressor
from tests.plain import plain_regressor
from tests.tables import binary, regression, regressor

#: Steps so large that the loss of a linear model leaves the finite numbers late.
DIVERGING = {
    "optimizer": "sgd",
    "solver": "bgd",
    "learning_rate": 10.0,
    "max_iter": 200,
}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "r2"},
    ],
    ids=["loss", "validation loss", "validation score"],
)
def test_divergence_is_a_warning(params):
    """Divergence warns once, of the epoch and of what to change."""
    reg = regressor((), **DIVERGING, **params)
    with pytest.warns(ConvergenceWarning) as record:
        reg.fit(*regression())
    assert len(record) == 1
    message = str(record[0].message)
    assert f"in epoch {reg.n_iter_ + 1} " in message
    for remedy in ("Lower learning_rate", "numeric_scaling", "target_scaling"):
        assert remedy in message


def test_divergence_keeps_the_last_finite_weights():
    """After divergence in epoch t + 1, the weights are those of t epochs."""
    X, y = regression()
    reg = regressor((), **DIVERGING)
    with pytest.warns(ConvergenceWarning):
        reg.fit(X, y)
    assert 1 < reg.n_iter_ < 200
    assert np.isfinite(reg.loss_curve_).all()
    before = clone(reg).set_params(max_iter=reg.n_iter_).fit(X, y)
    np.testing.assert_array_equal(reg.network_.params, before.network_.params)
    assert np.isfinite(reg.network_.params).all()


def test_divergence_with_early_stopping_keeps_the_best_weights():
    """With early stopping, the weights after divergence are those of the best epoch."""
    X, y = regression()
    reg = regressor((), **DIVERGING, early_stopping=True)
    with pytest.warns(ConvergenceWarning):
        reg.fit(X, y)
    assert reg.best_validation_score_ == max(reg.validation_scores_)
    assert np.isfinite(reg.predict(X)).all()


def test_divergence_in_the_first_epoch_is_an_error():
    """With no finite epoch, there is an error in the words of the warning."""
    reg = regressor(optimizer="sgd", learning_rate=1e30, target_scaling=False)
    with pytest.raises(ValueError, match=r"diverged: in epoch 1 .*Lower learning_rate"):
        reg.fit(*regression())
    assert vars(reg) == reg.get_params(deep=False)


def test_divergence_before_the_first_validation():
    """A first epoch that spoils the weights is an error, as nothing was validated."""
    X, y = regression()
    params = {"learning_rate": 1e6, "early_stopping": True}
    with pytest.raises(ValueError, match="Training diverged"):
        plain_regressor(8 * (8,), **params).fit(X, y)


@pytest.mark.parametrize(
    "params",
    [{}, {"early_stopping": True}, {"early_stopping": True, "scoring": "r2"}],
    ids=["training loss", "validation loss", "validation score"],
)
@pytest.mark.parametrize(("depth", "optimizer"), [(1, "sgd"), (8, "adam")])
def test_fault_03_divergence_gives_one_clear_message(depth, optimizer, params):
    """Steps that are far too large give one message, whatever is watched.

    A peer's metric complained of "Input contains NaN".
    """
    reg = plain_regressor(
        depth * (8,), optimizer=optimizer, learning_rate=1e6, **params
    )
    message = "^Training diverged: in epoch .* Lower learning_rate"
    if depth == 8:
        # After one epoch no prediction is finite, and there are no weights to keep.
        with pytest.raises(ValueError, match=message):
            reg.fit(*regression())
    else:
        with pytest.warns(ConvergenceWarning, match=message) as record:
            reg.fit(*regression())
        assert len(record) == 1


def test_a_run_after_divergence_starts_with_a_fresh_optimizer():
    """What overflowed in the optimizer's memory does not spoil the next run."""
    X, y = binary()
    reg = DNNRegressor((), warm_start=True, optimizer="momentum", tol=None)
    reg.set_params(learning_rate=1e3, max_iter=100)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        reg.fit(X, y)
    assert reg._progress["state"] is None
