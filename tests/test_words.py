"""Errors that say what to do, to those who come with the words of other libraries."""

import inspect
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor
from skdnn._scoring import check_scoring_of_classes, check_scoring_of_numbers
from skdnn.nn.losses import Quantile
from skdnn.nn.optimizers import OPTIMIZERS, Adam, Momentum
from skdnn.nn.schedules import SCHEDULES, Cosine
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    numbers,
    regression,
    regressor,
)

X, Y = binary()
TEXT = np.array(["no", "yes"])[Y]

both = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


# Parameters of another name


@both
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hidden_layer_sizes", "hidden_layer_dims"),
        ("learning_rate_init", "learning_rate"),
        ("momentum", "Momentum(momentum=...)"),
        ("beta_1", "Adam(beta_1=...)"),
        ("max_fun", "LBFGS(max_evaluations=...)"),
        ("n_estimators", "n_members"),
        ("max_epochs", "max_iter"),
        ("patience", "n_iter_no_change"),
        ("max_one_hot", "EntityEmbedding(max_one_hot=...)"),
    ],
)
def test_names_of_other_libraries(Estimator, name, meant):
    """A parameter of scikit-learn's network has its name here in the error."""
    message = f"{Estimator.__name__} has no parameter '{name}'.*{re.escape(meant)}"
    with pytest.raises(TypeError, match=message):
        Estimator(**{name: 1})
    with pytest.raises(ValueError, match=message):
        Estimator().set_params(**{name: 1})


@both
def test_names_of_nobody(Estimator):
    """Any other name is the error that it is elsewhere."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        Estimator(nonsense=1)
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        Estimator().set_params(nonsense=1)
    assert next(iter(inspect.signature(Estimator).parameters)) == "hidden_layer_dims"


# Values of another parameter


@pytest.mark.parametrize(
    ("params", "meant"),
    [
        *(({"solver": n}, f"optimizer='{n}'") for n in OPTIMIZERS if n != "sgd"),
        *(({"learning_rate": n}, f"schedule='{n}'") for n in SCHEDULES),
        ({"learning_rate": "invscaling"}, "schedule='inverse_scaling'"),
        ({"schedule": "invscaling"}, "schedule='inverse_scaling'"),
        ({"optimizer": "bgd"}, "solver='bgd'"),
        ({"optimizer": "minibatch"}, "solver='minibatch'"),
        ({"optimizer": "SGD"}, "optimizer='sgd'"),
        ({"optimizer": "AdamW"}, "optimizer='adamw'"),
        ({"optimizer": Adam}, "an instance, optimizer=Adam()"),
        ({"schedule": Cosine}, "an instance, schedule=Cosine()"),
        ({"activation": "logistic"}, "activation='sigmoid'"),
        ({"activation": "ReLU"}, "activation='relu'"),
        ({"numeric_scaling": "Standard"}, "numeric_scaling='standard'"),
        ({"scoring": "acuracy"}, "scoring='accuracy'"),
        ({"loss": "absolute_error"}, "DNNRegressor(loss='absolute_error')"),
    ],
    ids=str,
)
def test_values_of_another_parameter(params, meant):
    """A value that is not allowed comes with what may have been meant."""
    (name,) = params
    message = f"'{name}' parameter .*Did you mean {re.escape(meant)}"
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(X, Y)


def test_loss_of_the_other_estimator():
    """Log loss is for a classifier."""
    with pytest.raises(ValueError, match="Did you mean DNNClassifier"):
        regressor(loss="log_loss").fit(X, Y)


def test_values_of_nobody():
    """Where nothing is near, nothing is guessed."""
    with pytest.raises(ValueError, match=r"Got 'nonsense' instead\.$"):
        classifier(optimizer="nonsense").fit(X, Y)


# Parameters of parts that are names


@both
@pytest.mark.parametrize(
    ("params", "name", "meant"),
    [
        ({}, "optimizer__beta_1", "AdamW(beta_2=0.95)"),
        ({"optimizer": "adam"}, "optimizer__beta_1", "Adam()"),
        ({"optimizer": "adam"}, "optimizer__momentum", "Momentum()"),
        ({"optimizer": "lbfgs"}, "optimizer__history", "LBFGS()"),
        ({}, "schedule__warm_up", "CosLog()"),
        ({"schedule": "cosine"}, "schedule__warm_up", "Cosine()"),
        ({}, "loss__label_smoothing", "LogLoss()"),
        ({}, "numeric_embedding__n_bins", "PiecewiseLinear()"),
        ({"numeric_embedding": None}, "numeric_embedding__n_bins", "PiecewiseLinear()"),
    ],
)
def test_parameters_of_a_name(Estimator, params, name, meant):
    """The error says that a name has none, and which instance has it."""
    part = name.split("__")[0]
    message = f"{name} can't be set while {part}=.* {part}={re.escape(meant)}"
    with pytest.raises(ValueError, match=message):
        Estimator(**params).set_params(**{name: 1})


@both
def test_parameters_of_a_name_that_nothing_has(Estimator):
    """Of a parameter that no optimizer has, none is proposed."""
    with pytest.raises(ValueError, match="Nor is there any with a parameter 'beta_9'"):
        Estimator().set_params(optimizer__beta_9=1)


@both
def test_parameters_of_an_instance(Estimator):
    """An instance has parameters, also one that is set in the same call."""
    est = Estimator().set_params(optimizer=Momentum(), optimizer__momentum=0.5)
    assert est.optimizer.momentum == 0.5
    assert est.set_params(optimizer__momentum=0.6).optimizer.momentum == 0.6


@both
def test_parameters_of_a_number(Estimator):
    """A number has no parameters, and is no place to look for them."""
    with pytest.raises(ValueError, match="alpha__x can't be set: alpha='auto' has no"):
        Estimator().set_params(alpha__x=1)
    with pytest.raises(ValueError, match="max_iter__x can't be set: max_iter=3 has no"):
        Estimator(max_iter=3).set_params(max_iter__x=1)


@both
@pytest.mark.parametrize(
    ("params", "meant"),
    [
        ({"hidden_layer_dims": 100}, "hidden_layer_dims=(100,)"),
        ({"activation": "swish"}, "activation='silu'"),
        ({"loss": "MSE"}, "loss='squared_error'"),
    ],
)
def test_values_of_other_libraries(Estimator, params, meant):
    """What stands for a value elsewhere is said."""
    X, y = numbers(20), np.arange(20) % 2
    with pytest.raises(ValueError, match=re.escape(f"Did you mean {meant}?")):
        Estimator(**params).fit(X, y)


def test_parameters_of_a_name_in_a_search():
    """A search over them says so, inside a pipeline too."""
    pipeline = make_pipeline(StandardScaler(), regressor())
    grid = {"dnnregressor__loss__quantile": [0.1, 0.9]}
    with pytest.raises(ValueError, match=r"loss__quantile can't .* loss=Quantile\(\)"):
        GridSearchCV(pipeline, grid, cv=2).fit(*regression())
    pipeline.set_params(dnnregressor__loss=Quantile())
    GridSearchCV(pipeline, grid, cv=2).fit(*regression())


# Scorers


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", "f1"])
def test_scorers_that_text_does_not_suit(scoring):
    """It is said before training, by the name and what it is to score."""
    with pytest.raises(ValueError, match=f"scoring='{scoring}' does not suit a target"):
        classifier(scoring=scoring).fit(X, TEXT)


@pytest.mark.parametrize(
    ("make", "data", "scoring"),
    [
        (regressor, regression, "accuracy"),
        (regressor, regression, "roc_auc"),
        (regressor, TASKS["multioutput"][1], "neg_max_error"),
        (classifier, multiclass, "f1"),
        (classifier, multiclass, "roc_auc"),
        (classifier, multilabel, "balanced_accuracy"),
    ],
)
def test_scorers_that_do_not_suit(make, data, scoring, monkeypatch):
    """Nothing is trained for a scorer that could not be called."""
    monkeypatch.setattr("skdnn._model.build_mlp", None)
    with pytest.raises(ValueError, match=f"scoring='{scoring}' does not suit a target"):
        make(scoring=scoring).fit(*data())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", TASKS)
def test_scorers_that_suit_are_those_that_work(task):
    """What is refused would have failed after an epoch, and nothing else is."""
    make, data = TASKS[task]
    X, y = data()
    est = make(max_iter=1, n_members=1).fit(X, y)
    for scoring in get_scorer_names():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            works = _works(est, X, y, scoring)
        assert _suits(est, scoring) or not works, scoring


def _suits(est, scoring):
    try:
        est._model.targets.check_scoring(est.set_params(scoring=scoring))
    except ValueError:
        return False
    return True


def _works(est, X, y, scoring):
    from sklearn.metrics import get_scorer

    try:
        return np.isfinite(get_scorer(scoring)(est, X, y))
    except (AttributeError, TypeError, ValueError):
        return False


def test_scorers_are_only_tried_where_they_are_used():
    """One that does not suit does no harm where nothing is held out."""
    with pytest.warns(UserWarning, match="scoring='r2' has no effect"):
        classifier(scoring="r2", solver="bgd").fit(X, TEXT)
    check_scoring_of_classes("f1", np.array([0]), False)
    check_scoring_of_numbers("r2", 3)


# The other kind of target


@pytest.mark.parametrize("dtype", ["U", object, "category"])
def test_text_for_a_regressor(dtype):
    """The error names the estimator for it."""
    y = numbers(60).astype("U3")[:, 0]
    y[0] = "many"
    y = pd.Series(y, dtype="category") if dtype == "category" else y.astype(dtype)
    for fit in (regressor().fit, regressor().partial_fit):
        with pytest.raises(ValueError, match=r"y holds text.*use DNNClassifier"):
            fit(X, y)
    with pytest.raises(ValueError, match=r"y_val holds text.*use DNNClassifier"):
        regressor().fit(X, Y, X_val=X, y_val=y)


@pytest.mark.parametrize("y", [X[:, 0], X[:, :2], X[:, 0].tolist()])
def test_numbers_for_a_classifier(y):
    """So it is the other way round."""
    with pytest.raises(ValueError, match=r"Unknown label type.*use DNNRegressor"):
        classifier().fit(X, y)
