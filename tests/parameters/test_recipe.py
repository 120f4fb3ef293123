"""What `"auto"` stands for: the tuned recipe or the textbook, and what it learns."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skdnn import DNNClassifier, DNNRegressor
from skdnn._recipe import PLAIN, TUNED, is_tuned, resolve
from skdnn.nn.embeddings import Periodic
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, AdamW
from tests import tables
from tests.plain import plain_classifier, plain_regressor
from tests.tables import binary, numbers, parameters

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])


# What it stands for

#: Parameters that may be "auto", for which it stands for one of two things.
AUTOS = [*TUNED, *PLAIN, "early_stopping", "batch_size", "max_iter", "n_iter_no_change"]


def everything(**params):
    """Return the parameters of both classes, all on "auto" that may be."""
    together = DNNRegressor().get_params(False) | DNNClassifier().get_params(False)
    autos = dict.fromkeys(set(AUTOS) & set(together), "auto")
    return together | autos | params


@pytest.mark.parametrize(
    "params",
    [{"optimizer": o} for o in ("auto", "adam", "adamw", Adam(0.5), AdamW())],
    ids=str,
)
def test_auto_is_tuned_where_adam_takes_mini_batches(params):
    """With Adam and mini-batches, `"auto"` is the tuned recipe."""
    assert is_tuned(everything(**params))
    settings = resolve(everything(**params), 5, 10_000)
    for name in set(TUNED) - {"optimizer"}:
        assert getattr(settings, name) == TUNED[name]
    # But not what was chosen.
    if params["optimizer"] in ("adam", "adamw"):
        assert type(settings.optimizer) is OPTIMIZERS[params["optimizer"]]
    elif params["optimizer"] != "auto":
        assert settings.optimizer is params["optimizer"]


#: Optimizers and solvers for which it is the textbook's.
NOT_TUNED = [
    *({"optimizer": o} for o in ("sgd", "momentum", "nesterov", "rmsprop", "adagrad")),
    *({"optimizer": o, "solver": "bgd"} for o in ("lbfgs", LBFGS())),
    {"optimizer": SGD()},
    *({"solver": solver} for solver in ("bgd", "sgd")),
    {"optimizer": AdamW(), "solver": "bgd"},
]


@pytest.mark.parametrize("params", NOT_TUNED, ids=str)
def test_auto_is_the_textbook_elsewhere(params):
    """With another optimizer or solver, `"auto"` is a plain network."""
    assert not is_tuned(everything(**params))
    settings = resolve(everything(**params), 5, 1000)
    for name in set(PLAIN) - {"optimizer"}:
        assert getattr(settings, name) == PLAIN[name]
    assert not settings.early_stopping
    assert (settings.batch_size, settings.max_iter) == (200, 200)
    assert settings.n_iter_no_change == 10
    assert settings.learning_rate == settings.optimizer.default_learning_rate


@pytest.mark.sampled
@both
@pytest.mark.parametrize("params", NOT_TUNED, ids=str)
def test_auto_elsewhere_is_a_plain_network(make, params):
    """An estimator with its defaults is then the network of the textbook."""
    X, y = binary()
    default = {plain_classifier: tables.classifier, plain_regressor: tables.regressor}[
        make
    ]
    one = default(n_members="auto", **params).fit(X, y)
    two = make(**params).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.validation_scores_ is None


@pytest.mark.sampled
@pytest.mark.parametrize("optimizer", ["auto", "sgd"])
@pytest.mark.parametrize("n_rows", [None, 1, 100, 100_000])
@pytest.mark.parametrize("is_classifier", [False, True])
def test_auto_leaves_nothing_open(optimizer, n_rows, is_classifier):
    """Nothing but what the activation or the weights of rows say is left open."""
    params = everything(optimizer=optimizer)
    before = dict(params)
    settings = vars(resolve(params, 5, n_rows, is_classifier))
    left = {k for k, v in settings.items() if isinstance(v, str) and v == "auto"}
    assert left == {"alpha", "weight_init"}
    assert settings.keys() == params.keys()
    assert params == before


@pytest.mark.sampled
@pytest.mark.parametrize("solver", ["bgd", "sgd", "minibatch"])
@pytest.mark.parametrize("optimizer", sorted({*OPTIMIZERS} - {"lbfgs"}))
def test_recipe_says_so_whatever_the_optimizer(optimizer, solver):
    """`"tuned"` and `"plain"` stand for all other choices but that of the optimizer."""
    for recipe, choices in ("tuned", TUNED), ("plain", PLAIN):
        params = everything(optimizer=optimizer, solver=solver, recipe=recipe)
        settings = resolve(params, 5, 10_000)
        for name in set(choices) - {"optimizer"}:
            assert getattr(settings, name) == choices[name], name
        assert type(settings.optimizer) is OPTIMIZERS[optimizer]
        assert settings.recipe == recipe
        assert settings.early_stopping == (recipe == "tuned")


def test_recipe_plain_is_each_part_switched_off():
    """A plain network takes one argument, or a long list of them."""
    X, y = binary()
    X[:, 3] = np.arange(60) % 20
    one = DNNClassifier((8,), recipe="plain", categorical_features=[3], random_state=0)
    parts = {
        **{"activation": "relu", "residual": False, "dropout": 0.0},
        **{"optimizer": "adam", "learning_rate": 0.001, "schedule": "constant"},
        **{"learning_rate_multipliers": None, "parametrization": "standard"},
        **{"numeric_embedding": None, "categorical_embedding": None},
        **{"input_scaling": False, "n_members": 1, "temperature_scaling": False},
        **{"batch_size": 200, "max_iter": 200, "n_iter_no_change": 10},
        "early_stopping": False,
    }
    two = clone(one).set_params(recipe="auto", **parts)
    for est in one, two:
        with pytest.warns(ConvergenceWarning, match="max_iter=200"):
            est.fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.loss_curve_ == two.loss_curve_


@pytest.mark.sampled
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize(
    ("optimizer", "solver"),
    [
        *((name, "minibatch") for name in sorted({*OPTIMIZERS} - {"lbfgs"})),
        *(("adam", "bgd"), ("sgd", "sgd"), ("lbfgs", "bgd")),
    ],
)
def test_recipe_tuned_learns_with_any_optimizer(Estimator, optimizer, solver):
    """The other parts of the recipe are no obstacle to any of them."""
    X = numbers(200)
    y = (X[:, 0] - 0.5 * X[:, 1] > 0).astype(int)
    params = {"optimizer": optimizer, "solver": solver, "random_state": 0}
    if solver == "sgd":
        params |= {"max_iter": 5, "n_members": 1}
    est = Estimator((16,), recipe="tuned", **params).fit(X, y)
    assert est.score(X, y) > (0.9 if Estimator is DNNClassifier else 0.5)


def test_fewer_rows_have_more_members():
    """The fewer the rows, the more members, where nobody chose a number of them."""
    rows = [20, 999, 1000, 9999, 10_000, None]
    settings = [resolve(everything(), 5, n_rows) for n_rows in rows]
    assert [each.n_members for each in settings] == [8, 8, 4, 4, 2, 2]
    assert resolve(everything(n_members=3), 5, 20).n_members == 3
    assert resolve(everything(recipe="plain"), 5, 20).n_members == 1


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_auto_keeps_what_was_chosen(optimizer):
    """What is not on `"auto"` stays as it is."""
    chosen = {
        **{"activation": "tanh", "dropout": 0.3, "schedule": "step"},
        **{"numeric_embedding": Periodic(), "categorical_embedding": None},
        **{"input_scaling": False, "parametrization": "standard"},
        **{"learning_rate_multipliers": None},
        **{"temperature_scaling": False},
        **{"early_stopping": True, "learning_rate": 0.7, "n_members": 4},
        **{"batch_size": 3, "max_iter": 5, "n_iter_no_change": 7},
    }
    assert set(AUTOS) - {"optimizer"} <= set(chosen)
    for n_rows in (None, 100, 100_000):
        settings = vars(resolve(everything(optimizer=optimizer) | chosen, 5, n_rows))
        assert {name: settings[name] for name in chosen} == chosen


def test_auto_of_a_part_of_the_data():
    """`partial_fit` has no end to plan for, and no rows to hold out."""
    settings = resolve(everything(), 5, None)
    assert settings.schedule == "constant"
    assert settings.early_stopping is False
    assert settings.activation == TUNED["activation"]


def test_auto_of_the_other_class():
    """What only the classifier has is off in the regressor."""
    params = everything()
    del params["temperature_scaling"]
    assert resolve(params, 5, 1000).temperature_scaling is False


# What it learns


def test_default_classifier_learns():
    """With its defaults, the classifier learns what a linear model cannot."""
    X = numbers(400)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    clf = DNNClassifier(random_state=0, max_iter=30, tol=None).fit(X[:300], y[:300])
    assert clf.score(X[300:], y[300:]) > 0.8


def test_default_regressor_learns():
    """With its defaults, the regressor learns what a linear model cannot."""
    X = numbers(400)
    y = 1000 + 50 * X[:, 0] * X[:, 1]
    reg = DNNRegressor(random_state=0, max_iter=30, tol=None).fit(X[:300], y[:300])
    assert reg.score(X[300:], y[300:]) > 0.7
