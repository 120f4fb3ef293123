"""L-BFGS in the estimators: what it ends with, what it says, and what it goes with."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.activations import Parametric
from skdnn.nn.optimizers import LBFGS
from tests.tables import TASKS, binary, classifier, regression, regressor

PARAMS = {"optimizer": "lbfgs", "solver": "bgd"}

each_task = pytest.mark.parametrize("task", TASKS)


# When it ends


@pytest.mark.filterwarnings("ignore:Training reached max_iter")
def test_a_loss_that_stalls():
    """With nothing but the defaults, a stall is no TypeError."""
    X, y = load_diabetes(return_X_y=True)
    DNNRegressor(**PARAMS, random_state=0).fit(X, y)


@each_task
def test_a_stall_ends_training(task):
    """There is no rate to lower: training stops, without a word."""
    make, data = TASKS[task]
    params = {"tol": 1e-9, "n_iter_no_change": 2, "max_iter": 50}
    params |= {"early_stopping": True, "scoring": lambda estimator, X, y: 0.0}
    est = make(**PARAMS | params).fit(*data())
    assert est.n_iter_ == 4


@pytest.mark.filterwarnings("ignore:Training learned nothing")
@each_task
def test_done_at_once_is_validated(task):
    """Where there is nothing to gain, the network is validated all the same."""
    make, data = TASKS[task]
    X, y = data()
    params = {"tol": 1e9, "n_iter_no_change": 9, "early_stopping": True}
    est = make(**PARAMS | params).fit(X, y)
    assert est.n_iter_ == est.best_iter_ == len(est.loss_curve_) == 1
    assert len(est.validation_scores_) == len(est.validation_loss_curve_) == 1
    assert est.best_validation_score_ == est.validation_scores_[0]


def failing_scorer(estimator, X, y):
    """Break down, as a scorer."""
    return next(iter([]))


@pytest.mark.parametrize("params", [PARAMS, {}], ids=["lbfgs", "adam"])
def test_stop_iteration_of_a_scorer(params):
    """A StopIteration that is a fault comes out of `fit`."""
    clf = classifier(scoring=failing_scorer, early_stopping=True, **params)
    with pytest.raises(StopIteration):
        clf.fit(*binary())
    assert not hasattr(clf, "network_")


# What it says


def test_warning_of_too_few_iterations():
    """It advises nothing that L-BFGS refuses."""
    params = {"max_iter": 4, "n_iter_no_change": 2, "tol": 1e-9}
    with pytest.warns(ConvergenceWarning, match=r"Increase max_iter\.$"):
        classifier(early_stopping=False, **PARAMS | params).fit(*binary())


def test_warning_of_too_few_evaluations():
    """A search that runs out of evaluations is not done."""
    params = {"solver": "bgd", "optimizer": LBFGS(max_evaluations=3), "max_iter": 99}
    with pytest.warns(ConvergenceWarning, match="max_evaluations=3"):
        classifier(**params).fit(*binary())


def test_divergence_advises_no_learning_rate():
    """There is none to lower."""
    X, y = regression()
    reg = regressor(target_scaling=False, **PARAMS)
    with pytest.raises(ValueError, match=r"diverged.* Scale the columns"):
        reg.fit(X, 1e30 * y)


# What it goes with


@pytest.mark.parametrize("n_members", [None, 2, 3])
def test_objective_and_gradient_are_of_one_function(n_members, rng):
    """Those of an ensemble are the sums over its members, both of them."""
    clf = classifier(n_members=n_members or 1, dtype="float64", **PARAMS)
    X, y = binary()
    errors = []

    class Checks(LBFGS):
        def minimize(self, objective, params, *args):
            start = params + 0.1 * rng.standard_normal(len(params))
            along = rng.standard_normal(len(params))
            along /= np.linalg.norm(along)
            errors.append(
                check_grad(
                    lambda t: objective(start + t * along)[0],
                    lambda t: objective(start + t * along)[1] @ along,
                    [0.0],
                )
            )
            return super().minimize(objective, params, *args)

    clf.set_params(optimizer=Checks()).fit(X, y)
    assert errors[0] < 1e-5


#: What else a constructor may be given beside L-BFGS.
BESIDE = {
    "early_stopping": True,
    "refit": True,
    "max_time": 1e-6,
    "n_members": 3,
    "ensemble_weights": "shared",
    "batch_norm": True,
    "residual": True,
    "batch_size": 7,
    "shuffle": False,
    "tol": None,
    "numeric_embedding": "periodic",
    "input_scaling": True,
    "parametrization": "ntk",
    "activation": Parametric("relu"),
    "learning_rate_multipliers": None,
    "schedule": "constant",
    "dropout": 0.0,
    "warm_start": True,
    "verbose": True,
    "dtype": "float64",
}


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:The refit has no time")
@each_task
@pytest.mark.parametrize("name", BESIDE)
def test_beside_other_parameters(name, task):
    """It trains with all parameters that it does not refuse, also a second time."""
    make, data = TASKS[task]
    params = {name: BESIDE[name]} | PARAMS
    if name in ("refit", "ensemble_weights"):
        params |= {"early_stopping": True, "n_members": 2}
    X, y = data()
    est = make(**params).fit(X, y).fit(X, y)
    assert np.isfinite(est.predict(X)).all()
    assert len(est.loss_curve_) == est.n_iter_ >= 1


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.filterwarnings("ignore:Training reached max_iter")
def test_defaults(Estimator):
    """With nothing but the defaults, on a small table."""
    X, y = binary()
    est = Estimator(**PARAMS, random_state=0).fit(X, y)
    assert est.score(X, y) > 0.9
