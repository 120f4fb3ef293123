"""The parameters as a whole: each has an effect and a test, and can be set."""

from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.embeddings import EntityEmbedding, Periodic, PiecewiseLinear
from skdnn.nn.losses import Huber, LogLoss
from skdnn.nn.optimizers import LBFGS, Adam, AdamW, Nesterov, RMSprop
from skdnn.nn.schedules import (
    Adaptive,
    Constant,
    Cosine,
    CosLog,
    InverseScaling,
    OneCycle,
    Step,
)
from tests.plain import plain_classifier, plain_regressor
from tests.recipes import data_for
from tests.tables import binary, classifier, numbers, parameters

FOLDER = Path(__file__).parent
TESTS = "\n".join(path.read_text("utf-8") for path in FOLDER.glob("test_*.py"))
ESTIMATORS = [DNNClassifier, DNNRegressor]
EMBEDDED = {
    "categorical_features": [0],
    "categorical_embedding": EntityEmbedding(),
    "min_frequency": 1,
}
makers = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
estimators = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


# Completeness


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_parameter_has_a_test(Estimator):
    """No parameter is without a test of its effect in this folder."""
    untested = [
        name for name in Estimator().get_params() if f"def test_{name}_" not in TESTS
    ]
    assert not untested


PRETRAINED = {
    make: make(random_state=7).fit(*data_for(make))
    for make in (plain_classifier, plain_regressor)
}

#: name of a parameter -> what to start with, and a value that makes a difference
CHANGES = {
    "recipe": ({"learning_rate": 0.01}, "tuned"),
    "hidden_layer_dims": ({}, (4,)),
    "activation": ({}, "tanh"),
    "batch_norm": ({}, True),
    "residual": ({"hidden_layer_dims": (4, 4)}, True),
    "dropout": ({}, 0.5),
    "alpha": ({}, 10.0),
    "loss": ({}, {plain_classifier: "squared_error", plain_regressor: "huber"}),
    "solver": ({}, "sgd"),
    "batch_size": ({}, 7),
    "optimizer": ({}, "rmsprop"),
    "learning_rate": ({}, 0.1),
    "learning_rate_multipliers": (
        {},
        {plain_classifier: {"bias": 0.1}, plain_regressor: {"weight": 2.0}},
    ),
    "schedule": ({}, "cosine"),
    "weight_init": ({}, "lecun_uniform"),
    "parametrization": ({}, "ntk"),
    "max_iter": ({}, 4),
    "max_time": ({}, 1e-9),
    "tol": ({"tol": 0.0, "n_iter_no_change": 1}, 10.0),
    "n_iter_no_change": ({"tol": 10.0, "n_iter_no_change": 1}, 2),
    "shuffle": ({"batch_size": 7}, False),
    "early_stopping": ({}, True),
    "validation_fraction": ({"early_stopping": True}, 0.3),
    "scoring": (
        {"early_stopping": True},
        {plain_classifier: "roc_auc", plain_regressor: "r2"},
    ),
    "refit": ({"early_stopping": True}, True),
    "numeric_scaling": ({}, "quantile"),
    "numeric_embedding": ({}, "periodic"),
    "input_scaling": ({}, True),
    "categorical_features": ({}, [0]),
    "categorical_embedding": (EMBEDDED | {"categorical_embedding": None}, "entity"),
    "min_frequency": (EMBEDDED | {"min_frequency": 2}, 1),
    "n_members": ({}, 2),
    "ensemble_weights": ({"n_members": 2}, "shared"),
    "target_scaling": ({}, False),
    "auxiliary_quantiles": ({}, True),
    "class_weight": ({}, "balanced"),
    "portfolio": ({"n_members": 2}, [{}, {"dropout": 0.5}]),
    "linear_share": ({"early_stopping": True}, True),
    "temperature_scaling": ({"early_stopping": True}, True),
    "pretrained": ({}, PRETRAINED),
    "n_frozen_layers": ({"pretrained": PRETRAINED}, 1),
    "warm_start": ({}, True),
    "verbose": ({}, True),
    "random_state": ({}, 1),
    "dtype": ({}, "float64"),
    # And of the parts.
    "categorical_embedding__max_one_hot": (EMBEDDED, 99),
    "categorical_embedding__width": (EMBEDDED, 3),
    "numeric_embedding__n_frequencies": ({"numeric_embedding": Periodic()}, 3),
    "numeric_embedding__frequency_scale": ({"numeric_embedding": Periodic()}, 1.0),
    "numeric_embedding__n_bins": ({"numeric_embedding": PiecewiseLinear()}, 3),
    "numeric_embedding__width": ({"numeric_embedding": PiecewiseLinear()}, 3),
    "optimizer__beta_1": ({"optimizer": Adam()}, 0.5),
    "optimizer__beta_2": ({"optimizer": Adam()}, 0.5),
    "optimizer__epsilon": ({"optimizer": Adam()}, 0.1),
    "optimizer__weight_decay": ({"optimizer": AdamW()}, 1.0),
    "optimizer__momentum": ({"optimizer": Nesterov()}, 0.5),
    "optimizer__rho": ({"optimizer": RMSprop()}, 0.5),
    "optimizer__history": ({"optimizer": LBFGS(), "solver": "bgd"}, 1),
    "optimizer__max_evaluations": ({"optimizer": LBFGS(), "solver": "bgd"}, 2),
    "schedule__warm_up": ({"schedule": Constant()}, 3),
    "schedule__power": ({"schedule": InverseScaling()}, 1.0),
    "schedule__every": ({"schedule": Step(every=2)}, 3),
    "schedule__decay": ({"schedule": Step(every=2)}, 0.5),
    "schedule__rise": ({"schedule": OneCycle()}, 0.6),
    "schedule__start_divisor": ({"schedule": OneCycle()}, 5.0),
    "schedule__final_divisor": ({"schedule": OneCycle()}, 10.0),
    "schedule__cycles": ({"schedule": CosLog()}, 2),
    "schedule__divisor": (
        {"schedule": Adaptive(), "tol": 10.0, "n_iter_no_change": 1},
        2.0,
    ),
    "schedule__minimum": (
        {"schedule": Adaptive(), "tol": 10.0, "n_iter_no_change": 1},
        0.1,
    ),
}


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:Training reached max_iter")
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make, name)
        for make in (plain_classifier, plain_regressor)
        for name in {**make().get_params(deep=False), **CHANGES}
        if "__" in name or hasattr(make(), name)
    ],
)
@pytest.mark.filterwarnings("ignore:Training reached max_evaluations")
def test_fault_32_every_parameter_changes_something(make, name, capsys):
    """No parameter is without effect, and without a change all stays the same.

    A peer's gradient clipping and number of threads did nothing, and a scaling
    without a seed changed everything.
    """
    start, value = CHANGES[name]
    if isinstance(value, dict):
        value = value[make]
    if start.get("pretrained") is PRETRAINED:
        start = {"pretrained": FrozenEstimator(PRETRAINED[make])}
    # Far from all that was seen, where predictions may be clipped.
    far = 100 * numbers(seed=1)
    X, y = data_for(make)
    y[:10] = y[0]

    def outcome(**change):
        est = clone(make(max_iter=6).set_params(**start)).set_params(**change)
        est.fit(X, y).fit(X, y)
        printed = capsys.readouterr().out
        predicted = getattr(est, "predict_proba", est.predict)(far).tobytes()
        networks = [parameters(kind).tobytes() for kind in est.kinds_ or [est]]
        return networks, est.validation_scores_, predicted, printed != ""

    before = outcome()
    assert before == outcome()
    assert before != outcome(**{name: value})


# The constructor


def test_hidden_layer_dims_may_be_positional():
    """`hidden_layer_dims` comes first, and all other parameters are keyword-only."""
    for Estimator in ESTIMATORS:
        assert Estimator((3,)).hidden_layer_dims == (3,)
        with pytest.raises(TypeError):
            Estimator((3,), "tanh")


@estimators
def test_fault_25_one_argument_has_a_position(Estimator):
    """The widths come first; all other parameters are keywords.

    A peer put a new parameter before the widths, and `(3,)` became the loss.
    """
    first, *others = signature(Estimator).parameters.values()
    assert first.name == "hidden_layer_dims"
    assert {parameter.kind for parameter in others} == {Parameter.KEYWORD_ONLY}
    assert Estimator((3,)).hidden_layer_dims == (3,)
    assert list(signature(Estimator().fit).parameters)[:3] == [
        "X",
        "y",
        "sample_weight",
    ]


@makers
def test_fault_26_parameters_stay_the_objects_that_were_given(make):
    """Constructor, `get_params` and `fit` leave what was given, and a clone takes it.

    Peers drew the random state in the constructor, copied lists so that `clone`
    complained, and had names with a double underscore.
    """
    given = {
        "hidden_layer_dims": [8, 4],
        "activation": ["relu", "tanh"],
        "dropout": [0.1, 0.0],
        "optimizer": Adam(beta_1=0.8),
        "schedule": Cosine(),
        "loss": LogLoss() if make is plain_classifier else Huber(),
        "random_state": np.random.RandomState(0),
    }
    given |= {"class_weight": {0: 1, 1: 2}} if make is plain_classifier else {}
    before = repr(given)
    est = make(**given)
    drawn = given["random_state"].get_state()[2]
    for _ in range(2):
        for name, value in est.get_params().items():
            assert value is given.get(name, value)
        seeded = make(**{**given, "random_state": 0})
        assert repr(clone(est).set_params(random_state=0)) == repr(seeded)
        assert given["random_state"].get_state()[2] == drawn
        est.fit(*data_for(make))
        drawn = given["random_state"].get_state()[2]
    assert repr(given) == before
    assert not any("__" in name for name in est.get_params(deep=False))
    assert make(random_state=None).fit(*data_for(make)).random_state is None


# Clones and nested parameters


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_clone(Estimator):
    """A clone has the parameters of the original, and none of its objects."""
    est = Estimator((3,), optimizer=Adam(beta_1=0.5), schedule=Cosine(warm_up=2))
    copy = clone(est)
    assert copy.optimizer is not est.optimizer
    assert copy.get_params()["optimizer__beta_1"] == 0.5
    assert copy.get_params()["schedule__warm_up"] == 2
    assert repr(copy) == repr(est)


def test_nested_parameters():
    """Parameters of optimizer, schedule and loss can be set, and have their effect."""
    X, y = binary()
    clf = classifier(optimizer=Adam(), schedule=Cosine(), loss=LogLoss())
    clf.set_params(
        optimizer__beta_1=0.5, schedule__warm_up=2.0, loss__label_smoothing=0.1
    )
    expected = classifier(
        optimizer=Adam(beta_1=0.5), schedule=Cosine(2.0), loss=LogLoss(0.1)
    )
    np.testing.assert_array_equal(
        clf.fit(X, y).network_.params, expected.fit(X, y).network_.params
    )
    with pytest.raises(ValueError, match="Invalid parameter"):
        clf.set_params(optimizer__nonsense=1)


def test_search_over_nested_parameters():
    """A search reaches the parameters of an optimizer."""
    X, y = binary()
    grid = {"optimizer__beta_1": [0.1, 0.9]}
    search = GridSearchCV(classifier(optimizer=Adam()), grid, cv=2).fit(X, y)
    assert search.best_estimator_.optimizer.beta_1 in (0.1, 0.9)
