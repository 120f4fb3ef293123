"""What `refit` leaves: the network of all rows, and what was seen of the first."""

import numpy as np
import pytest

from skdnn import _training
from tests.tables import (
    TASKS,
    WATCHED,
    binary,
    classifier,
    parameters,
    regression,
    regressor,
)

PARAMS = {"early_stopping": True, "learning_rate": 0.1, "max_iter": 9}

each_task = pytest.mark.parametrize("task", TASKS)


@pytest.mark.sampled
@each_task
@pytest.mark.parametrize("warned", [False, True])
def test_curves_and_counts_are_of_the_run_that_was_watched(task, warned):
    """They are those of the same fit without the refit, all of one length."""
    make, data = TASKS[task]
    params = PARAMS | ({"tol": 1e-4, "n_iter_no_change": 2} if warned else {})
    one, two = (make(refit=refit, **params).fit(*data()) for refit in (False, True))
    for name in WATCHED:
        assert getattr(one, name) == getattr(two, name), name
    assert two.n_iter_ == len(two.loss_curve_) == len(two.validation_loss_curve_)
    assert two.best_iter_ <= two.n_iter_
    assert two.loss_ == two.loss_curve_[-1]
    assert not np.array_equal(parameters(one), parameters(two))


def test_watched_attributes_are_all_about_epochs():
    """Each attribute that the stopping rule fills is kept."""
    clf = classifier(**PARAMS).fit(*binary())
    told = {name for name in vars(clf) if name.endswith("_") and name[0] != "_"}
    assert told - {"n_features_in_", "learning_rate_"} == {*WATCHED} - {"temperature_"}


def test_a_refit_that_diverges_keeps_the_first_network(monkeypatch):
    """Half a training is not put in the place of a whole one."""
    params = PARAMS | {"optimizer": "sgd", "learning_rate": 0.01}
    X, y = regression()
    first = regressor(**params).fit(X, y)
    again = regressor(refit=True, **params)
    run_again = _training._run_again

    def run_fast(training, model, run):
        training.settings.learning_rate = 1e30
        return run_again(training, model, run)

    monkeypatch.setattr(_training, "_run_again", run_fast)
    with pytest.warns(UserWarning, match="refit diverged: the network from before"):
        again.fit(X, y)
    np.testing.assert_array_equal(parameters(again), parameters(first))
    np.testing.assert_array_equal(again.predict(X), first.predict(X))


def test_refit_needs_rows_that_are_held_out():
    """Without any, it is an error, or where that depends on the data, a warning."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"refit=True .* early_stopping=False"):
        classifier(refit=True, early_stopping=False).fit(X, y)
    with pytest.warns(UserWarning, match="refit=True has no effect: no rows"):
        classifier(refit=True).fit(X[:15], y[:15])
    with pytest.warns(UserWarning, match="refit=True has no effect: with X_val"):
        classifier(refit=True).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize(
    "params",
    [
        {"temperature_scaling": True, "solver": "bgd"},
        {"temperature_scaling": np.True_, "optimizer": "sgd"},
        {"scoring": "accuracy", "solver": "bgd"},
    ],
    ids=str,
)
def test_what_else_needs_rows_that_are_held_out(params):
    """So is it with what else has no effect without them."""
    X, y = binary()
    (name, *_) = params
    with pytest.warns(UserWarning, match=f"{name}=.* has no effect: no rows"):
        classifier(**params).fit(X, y)
    classifier(early_stopping=True, **params).fit(X, y)


def test_switches_may_be_numpy_bools():
    """A search passes on what stands in its grid."""
    X, y = binary()
    with pytest.raises(ValueError, match="temperature_scaling"):
        classifier(temperature_scaling=np.True_, early_stopping=np.False_).fit(X, y)
    with pytest.raises(ValueError, match="early_stopping is False"):
        classifier(early_stopping=np.False_).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="partial_fit does not support"):
        classifier(early_stopping=np.True_).partial_fit(X, y, classes=[0, 1])
