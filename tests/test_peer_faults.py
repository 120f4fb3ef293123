"""One test for each fault of docs/peer-faults.md, which other libraries have had."""

import importlib
import io
import pickle
import re
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial, wraps
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from joblib import Parallel, delayed, parallel_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import make_scorer, max_error
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from threadpoolctl import threadpool_info, threadpool_limits

from skdnn import DNNClassifier, DNNRegressor
from skdnn._persistence import FORMAT
from skdnn._recipe import resolve
from skdnn.nn.batches import Batches
from skdnn.nn.embeddings import Periodic, PiecewiseLinear
from skdnn.nn.losses import Huber, LogLoss, SquaredError
from skdnn.nn.optimizers import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Nesterov,
    Optimizer,
    RMSprop,
)
from skdnn.nn.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    CosLog,
    InverseScaling,
    OneCycle,
    Step,
)
from skdnn.nn.step import Step as TrainingStep
from tests import tables
from tests.networks import mlp
from tests.plain import TASKS, classifier, regressor
from tests.tables import (
    RECIPES,
    binary,
    multiclass,
    multilabel,
    numbers,
    parameters,
    regression,
)

#: Plain networks, and the recipes.
NETWORKS = ["plain", *RECIPES]
networks = pytest.mark.parametrize("network", NETWORKS)
tasks = pytest.mark.parametrize("task", TASKS)
makers = pytest.mark.parametrize("make", [classifier, regressor])
estimators = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])

#: What the first call to `partial_fit` needs.
CLASSES = {
    "binary": {"classes": [0, 1]},
    "multiclass": {"classes": [0, 1, 2]},
    "multilabel": {"classes": [0, 1, 2]},
    "regression": {},
    "multioutput": {},
}


def data_for(make):
    """Return a small data set for one of the two estimators."""
    return binary() if make is classifier else regression()


def table(task):
    """Return a small data set for a task, with a column that may be categories."""
    X, y = TASKS[task][1]()
    X[:, 3] = np.arange(len(X)) % 7
    return X, y


def maker(task, network, **params):
    """Return what makes a plain estimator for a task, or one of a recipe."""
    if network == "plain":
        return partial(TASKS[task][0], **params)
    return partial(tables.TASKS[task][0], **RECIPES[network] | params)


def assert_same_network(one, two):
    """Assert that two estimators are the same, to the bit."""
    np.testing.assert_array_equal(parameters(one), parameters(two))


# Early stopping and validation


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("sizes", "n_validation"), [([30, 28, 2, 1], 6), ([60, 1], 6), ([2, 2, 2], 3)]
)
def test_fault_01_classes_are_in_both_parts_of_the_split(sizes, n_validation, seed):
    """A class with two rows is on both sides, one with a single row in training.

    A peer stratified two classes only, and raised an error for a class of one row.
    """
    y = np.repeat(np.arange(len(sizes)), sizes)
    held_out = []

    def score(estimator, X, y):
        held_out.extend(y)
        return 0.0

    clf = classifier(early_stopping=True, scoring=score, random_state=seed, max_iter=1)
    clf.set_params(validation_fraction=n_validation).fit(numbers(len(y)), y)
    n_held_out = np.bincount(held_out, minlength=len(sizes))
    for size, n in zip(sizes, n_held_out, strict=True):
        assert (0 < n < size) if size > 1 else n == 0
    assert len(clf.classes_) == len(sizes)


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
@pytest.mark.parametrize("dtype", ["U1", object, "str", "category"])
def test_fault_02_early_stopping_with_labels_that_are_strings(dtype, scoring):
    """Early stopping works with strings as labels, in every dtype.

    A peer asked whether the predicted strings were NaN, a TypeError.
    """
    X, y = multiclass()
    y = np.array(["a", "b", "c"])[y]
    y = y.astype(dtype) if dtype in ("U1", object) else pd.Series(y, dtype=dtype)
    clf = classifier(early_stopping=True, scoring=scoring).fit(X, y)
    assert np.isfinite(clf.validation_scores_).all()
    assert set(clf.predict(X)) <= {"a", "b", "c"}


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
    reg = regressor(depth * (8,), optimizer=optimizer, learning_rate=1e6, **params)
    message = "^Training diverged: in epoch .* Lower learning_rate"
    if depth == 8:
        # After one epoch no prediction is finite, and there are no weights to keep.
        with pytest.raises(ValueError, match=message):
            reg.fit(*regression())
    else:
        with pytest.warns(ConvergenceWarning, match=message) as record:
            reg.fit(*regression())
        assert len(record) == 1


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize(
    ("make", "scoring"),
    [
        (classifier, "loss"),
        (classifier, "accuracy"),
        (regressor, "loss"),
        (regressor, "r2"),
    ],
)
def test_fault_04_validation_sets_of_one_row(make, scoring, n):
    """One row is enough to validate on; where a score needs two, an error says so.

    A peer's R² of one row was NaN, a warning an epoch, and no epoch was the best.
    """
    X, y = data_for(make)
    est = make(early_stopping=True, scoring=scoring)
    y[:2] = 0, 1
    if scoring == "r2":
        with pytest.raises(ValueError, match="validation"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            est.fit(X[:n], y[:n])
    else:
        est.fit(X[:n], y[:n])
        assert np.isfinite(est.validation_scores_).all()
        assert est.best_iter_ >= 1


#: How training can watch itself, and the curves that there are then.
MODES = {
    "loss": {"early_stopping": False},
    "lbfgs": {"early_stopping": False, "optimizer": "lbfgs", "solver": "bgd"},
    "validation loss": {"early_stopping": True},
    "validation score": {"early_stopping": True, "scoring": "neg_log_loss"},
}


@pytest.mark.parametrize("mode", [*MODES, "partial_fit"])
@pytest.mark.parametrize("before", [None, *MODES])
def test_fault_05_attributes_are_of_this_fit_in_all_modes(before, mode):
    """The curves and the best values are there in each mode, None where not watched.

    A peer had some only with early stopping, and kept those of the fit before.
    """
    X, y = binary()
    clf = classifier(max_iter=7)
    if before is not None:
        clf.set_params(**MODES[before], max_iter=3).fit(X, y).set_params(max_iter=7)
    if mode == "partial_fit":
        clf.set_params(**MODES["loss"], optimizer="adam")
        clf.partial_fit(X, y, classes=[0, 1])
    else:
        clf.set_params(**{"optimizer": "adam", "scoring": "loss", **MODES[mode]})
        clf.fit(X, y)
    assert clf.loss_ == clf.loss_curve_[-1]
    assert len(clf.loss_curve_) == (1 if mode == "partial_fit" else 7)
    assert clf.best_iter_ <= 7
    if mode.startswith("validation"):
        assert clf.best_loss_ is None
        assert len(clf.validation_loss_curve_) == len(clf.validation_scores_) == 7
        assert clf.best_validation_score_ == max(clf.validation_scores_)
    else:
        assert clf.best_loss_ == min(clf.loss_curve_)
        assert clf.validation_loss_curve_ is clf.validation_scores_ is None
        assert clf.best_validation_score_ is None


@pytest.mark.parametrize(
    ("make", "scoring"),
    [
        (classifier, "loss"),
        (classifier, "accuracy"),
        (classifier, DNNClassifier.score),
        (regressor, "loss"),
        (regressor, "r2"),
        (regressor, DNNRegressor.score),
    ],
)
def test_fault_06_no_warning_of_feature_names_in_early_stopping(make, scoring):
    """A data frame and early stopping give no warning, here an error.

    A peer scored an array inside `fit`, and warned that it had no feature names.
    """
    X, y = data_for(make)
    X = pd.DataFrame(X, columns=list("abcd"))
    est = make(early_stopping=True, scoring=scoring, validation_fraction=10)
    est.fit(X, y)
    est.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert list(est.feature_names_in_) == list("abcd")


@makers
def test_fault_07_patience_is_long_and_the_best_epoch_is_kept(make):
    """By default ten epochs or more are borne, and the best weights stay.

    Peers stopped after two, kept the last weights, or got worse with more patience.
    """
    for optimizer in "auto", "sgd":
        params = make().get_params(deep=False)
        params.update(n_iter_no_change="auto", max_iter="auto", optimizer=optimizer)
        assert resolve(params, n_columns=4, n_rows=1000).n_iter_no_change >= 10
    X, y = data_for(make)
    X_val, y_val = numbers(20, seed=1), y[:20]
    scoring = "neg_log_loss" if make is classifier else "neg_mean_squared_error"
    params = {"learning_rate": 0.1, "max_iter": 100, "tol": 0.0, "scoring": scoring}
    params["early_stopping"] = "auto"  # as there is validation data
    scores = []
    for patience in 1, 10, 50:
        est = make(**params, n_iter_no_change=patience)
        est.fit(X, y, X_val=X_val, y_val=y_val)
        assert est.best_iter_ < est.n_iter_  # or there would be nothing to restore
        score = sklearn.metrics.get_scorer(scoring)(est, X_val, y_val)
        assert score == max(est.validation_scores_) == est.best_validation_score_
        scores.append(score)
    assert scores == sorted(scores)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_fault_08_fits_leave_no_state_behind_for_the_next_one():
    """Optimizer, schedule and early stopping start anew at each fit and fold.

    A peer's stopper remembered the folds before, and stopped at once.
    """
    X, y = binary(90)
    clf = classifier(optimizer=Adam(), schedule=Adaptive(), early_stopping=True)
    clf.set_params(max_iter=30, tol=0.01, n_iter_no_change=2, validation_fraction=9)
    once, again = (
        cross_validate(clf, X, y, cv=3, return_estimator=True) for _ in range(2)
    )
    np.testing.assert_array_equal(once["test_score"], again["test_score"])
    for one, two in zip(once["estimator"], again["estimator"], strict=True):
        assert_same_network(one, two)
    first = clone(clf.fit(X, y)).fit(X, y)
    assert_same_network(first, clf.fit(X, y))


def test_fault_09_early_stopping_never_sees_the_outer_test_rows():
    """What is in the test rows of a cross-validation has no part in training.

    Users of peers gave the outer test fold to early stopping, and scored too well.
    """
    X, y = regression()
    test = np.arange(60) % 3 == 0
    X_poisoned = np.where(test[:, None], np.inf, X)
    y_poisoned = np.where(test, np.nan, y)
    held_out = []

    def score(estimator, X, y):
        held_out.extend(y)
        return -np.mean((estimator.predict(X) - y) ** 2)

    reg = regressor(early_stopping=True, scoring=score)
    clean, poisoned = (
        cross_validate(
            reg,
            *data,
            cv=PredefinedSplit(np.where(test, 0, -1)),
            scoring=lambda estimator, X, y: 0.0,
            return_estimator=True,
        )["estimator"][0]
        for data in [(X, y), (X_poisoned, y_poisoned)]
    )
    assert_same_network(clean, poisoned)
    assert clean.validation_scores_ == poisoned.validation_scores_
    assert set(held_out) <= set(y[~test])


def test_fault_10_a_pipeline_transforms_the_validation_data():
    """With `transform_input`, X_val goes through the steps before the network.

    Peers got it as it came: a crash after a PCA, a wrong loss after a scaler.
    """
    X, y = binary()
    X_val, y_val = X[40:], y[40:]
    X, y = X[:40], y[:40]
    with sklearn.config_context(enable_metadata_routing=True):
        clf = classifier(numeric_scaling=None, early_stopping="auto")
        clf.set_fit_request(X_val=True, y_val=True)
        steps = [("pca", PCA(2)), ("network", clone(clf))]
        pipeline = Pipeline(steps, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    pca = PCA(2)
    clf.fit(pca.fit_transform(X), y, X_val=pca.transform(X_val), y_val=y_val)
    assert_same_network(pipeline[-1], clf)
    assert pipeline[-1].validation_scores_ == clf.validation_scores_


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


# partial_fit, warm_start and persistence


@tasks
@networks
def test_fault_12_training_goes_on_the_same_after_a_pickle(network, task):
    """A pickle and more `partial_fit` are as good as `partial_fit` alone, to the bit.

    A peer's optimizer went on moving arrays that the loaded network did not have.
    """
    X, y = table(task)
    one = maker(task, network, batch_norm=True, dropout=0.2, batch_size=20)()
    one.partial_fit(X, y, **CLASSES[task])
    two, before = pickle.loads(pickle.dumps(one)), parameters(one)
    for _ in range(3):
        one.partial_fit(X, y)
        two.partial_fit(X, y)
    assert_same_network(one, two)
    # Not each bin of an embedding holds one of the rows.
    assert (parameters(one) != before).mean() > (0.9 if network == "plain" else 0.5)


@tasks
@networks
def test_fault_13_what_n_iter_and_loss_curve_count(network, task):
    """`n_iter_` counts one `fit` or all `partial_fit`; `loss_curve_` is the last call.

    A peer's warm start stopped after one epoch, its `n_iter_` grew from fit to fit,
    and after three `partial_fit` it was 1 with three losses.
    """
    make = maker(task, network, early_stopping=False)
    X, y = table(task)
    est = make(warm_start=True, max_iter=5)
    for _ in range(3):
        before = parameters(est) if hasattr(est, "network_") else None
        est.fit(X, y)
        assert est.n_iter_ == len(est.loss_curve_) == 5
        assert before is None or (parameters(est) != before).mean() > 0.5
    assert_same_network(est, make(max_iter=15, schedule="constant").fit(X, y))
    est = make()
    for k in 1, 2, 3:
        est.partial_fit(X, y, **CLASSES[task])
        assert (est.n_iter_, len(est.loss_curve_)) == (k, 1)
    # A constant schedule, and none of the sizes that depend on the number of rows.
    in_parts = {"max_iter": 3, "schedule": "constant", "batch_size": 200}
    in_parts |= {"batch_size": 16} if network == "all at once" else {}
    assert_same_network(est, make(**in_parts).fit(X, y))


@makers
def test_fault_14_partial_fit_after_early_stopping_is_a_clear_error(make):
    """`partial_fit` with early_stopping=True says why not, and changes nothing.

    A peer's crashed on an attribute that only `fit` had made.
    """
    X, y = data_for(make)
    est = make(early_stopping=True).fit(X, y)
    before = parameters(est)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        est.partial_fit(X, y)
    np.testing.assert_array_equal(parameters(est), before)
    assert len(est.validation_scores_) == 5
    assert est.set_params(early_stopping=False).partial_fit(X, y).n_iter_ == 1


@estimators
def test_fault_15_lbfgs_has_no_partial_fit(Estimator):
    """`partial_fit` is there for the optimizers that take steps, in both classes.

    A peer's regressor had it for L-BFGS too, for want of a pair of parentheses.
    """
    assert not hasattr(Estimator(optimizer="lbfgs"), "partial_fit")
    assert not hasattr(Estimator(optimizer=LBFGS()), "partial_fit")
    assert hasattr(Estimator(), "partial_fit")
    changed = Estimator(optimizer="lbfgs").set_params(optimizer=Adam())
    assert hasattr(changed, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        Estimator(optimizer="lbfgs").partial_fit(*binary())


def test_fault_16_partial_fit_of_several_labels_a_row():
    """Multilabel targets come in parts, some without a row of some label.

    A peer's `partial_fit` took them for classes, and failed.
    """
    X, y = multilabel(300)
    clf = classifier((16,), learning_rate=0.03, batch_size=20)
    no_first = y[:, 0] == 0
    clf.partial_fit(X[no_first], y[no_first], classes=[0, 1, 2])
    for _ in range(30):
        for start in range(0, 300, 100):
            part = slice(start, start + 100)
            clf.partial_fit(X[part], y[part], classes=[0, 1, 2])
    clf.partial_fit(X[:1], y[:1])
    assert clf.n_iter_ == 92
    assert (clf.predict(X) == y).mean() > 0.95


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("task", ["binary", "regression"])
@networks
def test_fault_17_a_pickle_holds_little_more_than_the_weights(
    network, task, early_stopping
):
    """A pickle is as large as the weights, and does not grow with `partial_fit`.

    Peers saved Adam's memory, the best weights, the losses or the training data.
    """
    X = numbers(500, 40)
    y = (X[:, 0] > 0).astype(int)
    X[:, 3] = np.arange(500) % 9  # which a recipe takes for categories
    make = maker(task, network, batch_size=100, hidden_layer_dims=(100, 100))
    est = make(early_stopping=early_stopping).fit(X, y)
    n_bytes = est.network_.params.nbytes
    assert n_bytes > 50_000
    assert len(pickle.dumps(est)) < 1.2 * n_bytes + 20_000
    est.set_params(early_stopping=False)
    sizes = []
    for _ in range(12):
        est.partial_fit(X, y)
        sizes.append(len(pickle.dumps(est)))
    # Twelve losses would be more than a hundred bytes.
    assert sizes[-1] - sizes[0] < 20


class Globals(pickle.Unpickler):
    """Loads a pickle, and takes note of the names that it needs."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.names = set()

    def find_class(self, module, name):
        self.names.add(f"{module}.{name}")
        return super().find_class(module, name)


def names_in(estimator):
    """Return the names that a pickle of the estimator refers to."""
    unpickler = Globals(pickle.dumps(estimator))
    unpickler.load()
    return unpickler.names


def leaves(state):
    """Yield what is in a state, inside containers and scikit-learn objects too."""
    if isinstance(state, dict):
        state = [*state, *state.values()]
    elif hasattr(state, "get_params"):
        state = list(vars(state).values())
    elif isinstance(state, np.ndarray) and state.dtype.hasobject:
        state = state.tolist()  # words, of labels and categories
    if isinstance(state, (list, tuple)):
        for part in state:
            yield from leaves(part)
    else:
        yield state


@tasks
@networks
def test_fault_18_the_saved_state_is_numpy_and_plain_data(network, task):
    """A state holds numbers, strings, arrays and generators; NumPy is all it needs.

    Peers' held arrays on a GPU, which a machine without one could not even open.
    """
    params = {"batch_norm": True, "dropout": 0.2, "early_stopping": "auto"}
    est = maker(task, network, **params)(warm_start=True)
    est.fit(*table(task)).partial_fit(*table(task))
    allowed = type(None) | bool | int | float | str | np.generic | np.ndarray
    for leaf in leaves(est.__getstate__()):
        assert isinstance(leaf, allowed | np.random.Generator), leaf
        assert not isinstance(leaf, np.ndarray) or not leaf.dtype.hasobject
    packages = {name.partition(".")[0] for name in names_in(est)}
    assert packages == {"numpy", "skdnn"}


#: Every part that has a name, and instances with parameters.
PARTS = [
    *({"optimizer": name} for name in OPTIMIZERS if name != "lbfgs"),
    *({"schedule": name} for name in SCHEDULES),
    {"optimizer": Adam(beta_1=0.8), "schedule": Cosine(warm_up=2), "loss": Huber(2.0)},
    {"optimizer": LBFGS(), "solver": "bgd", "loss": "quantile"},
    {"scoring": make_scorer(max_error, greater_is_better=False)},
    {"loss": "poisson", "scoring": "neg_mean_poisson_deviance"},
]


def test_fault_19_estimators_go_to_other_processes():
    """Whatever an estimator is made of, it can be pickled, cloned and sent to loky.

    Peers kept lambdas and local classes, which no pickle takes.
    """
    X, y = regression()
    y = y - y.min()

    class Signs(Optimizer):
        def update(self, w, g, rate, t, scratch):
            w -= np.multiply(rate, np.sign(g), out=scratch)

    for params in PARTS:
        reg = regressor((4,), early_stopping=True, max_iter=1, **params).fit(X, y)
        loaded = pickle.loads(pickle.dumps(clone(reg).fit(X, y)))
        assert_same_network(reg, loaded)
    # The user's own local classes and functions, which loky knows how to send.
    reg = regressor(early_stopping=True, optimizer=Signs(), scoring=lambda e, X, y: 0.0)
    fits = Parallel(n_jobs=2)(delayed(clone(reg).fit)(X, y) for _ in range(2))
    for there in fits:
        assert_same_network(there, reg.fit(X, y))


@estimators
def test_fault_20_public_names_and_the_format_of_a_pickle(Estimator):
    """A pickle names few classes, at paths that stay, and says which format it has.

    A peer moved its module, and old pickles gave a ModuleNotFoundError.
    """
    assert getattr(importlib.import_module("skdnn"), Estimator.__name__) is Estimator
    X, y = binary()
    est = Estimator((4,), max_iter=2, tol=None).fit(X, y)
    kind = "classifier" if Estimator is DNNClassifier else "regressor"
    loss = "LogLoss" if Estimator is DNNClassifier else "SquaredError"
    assert {name for name in names_in(est) if name.startswith("skdnn")} == {
        f"skdnn.{kind}.{Estimator.__name__}",
        "skdnn.encoding.TabularEncoder",
        f"skdnn.nn.losses.{loss}",
    }
    state = est.__getstate__()
    assert state["_saved_by"]["format"] == FORMAT
    state["_saved_by"] = {"format": FORMAT + 1, "skdnn": "99.0"}
    with pytest.raises(
        ValueError, match=rf"saved by skdnn 99\.0 in format {FORMAT + 1}"
    ):
        Estimator().__setstate__(state)
    with pytest.raises(ValueError, match="in format None"):
        Estimator().__setstate__(Estimator().get_params())


# Labels, dtypes and columns


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 5]),
        np.array([-3, -1, 7]),
        np.array([0.0, 2.0]),
        np.array([False, True]),
        np.array(["b", "a", "longer"]),
        np.array(["b", "a"], dtype=object),
    ],
    ids=lambda labels: f"{labels.tolist()} {labels.dtype}",
)
def test_fault_21_predictions_are_labels_as_they_were_given(labels):
    """Predictions are labels of the kind given, even where batch or fold lacks one.

    Peers returned their positions, for an accuracy of zero.
    """
    X, rank = multiclass(150, n_classes=len(labels))
    y = labels[rank]
    params = {"learning_rate": 0.05, "max_iter": 30}
    clf = classifier(**params).fit(X, y)
    assert clf.predict(X).dtype == clf.classes_.dtype == labels.dtype
    assert clf.score(X, y) > 0.9
    fold = y != labels[0]
    assert set(clone(clf).fit(X[fold], y[fold]).predict(X)) <= set(labels[1:])
    in_parts = classifier(**params)
    for part in [fold, *30 * [slice(None)]]:
        in_parts.partial_fit(X[part], y[part], classes=labels)
    assert in_parts.predict(X).dtype == labels.dtype
    assert in_parts.score(X, y) > 0.9


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "f4", "f8"])
@makers
def test_fault_22_numbers_of_any_dtype(make, dtype):
    """Whole numbers in X and y train the same network in every dtype, to the bit.

    Peers took one width of integer targets and one of floats, and failed on others.
    """
    X, y = (10 + 5 * numbers()).clip(0).astype(int), np.arange(60) % 2
    expected = make().fit(X.astype("f8"), y)
    assert_same_network(make().fit(X.astype(dtype), y.astype(dtype)), expected)
    predicted = expected.predict(X.astype(dtype))
    np.testing.assert_array_equal(predicted, expected.predict(X))
    assert predicted.dtype == (y.dtype if make is classifier else float)


@makers
def test_fault_23_no_names_of_columns_without_a_data_frame(make):
    """What was fitted on an array has no names, and warns of none missing.

    A peer made names up, and warned at each prediction that an array lacks them.
    """
    X, y = data_for(make)
    frame = pd.DataFrame(X)  # whose columns are numbers
    for est in (
        make(early_stopping=True).fit(X, y, X_val=X, y_val=y),
        make().fit(X.tolist(), y.tolist()),
        make().fit(frame, y),
    ):
        assert not hasattr(est, "feature_names_in_")
        for rows in X, X.tolist(), frame:
            np.testing.assert_array_equal(est.predict(rows), est.predict(X))


@pytest.mark.filterwarnings("ignore:Training knows not one of the categories")
def test_fault_24_training_alone_decides_on_columns():
    """The network reads as many columns whatever is missing or new in other rows.

    Peers derived columns anew from the data to predict, or from another fold.
    """
    X, y = binary(90)
    X[:60:7, 1] = np.nan
    X_val, y_val = X[60:].copy(), y[60:]
    X_val[:, 2] = np.nan
    clf = classifier(early_stopping="auto")
    clf.fit(X[:60], y[:60], X_val=X_val, y_val=y_val)
    assert clf.encoder_.missing_columns_.tolist() == [1]
    assert clf.coefs_[0].shape == (5, 8)
    for rows in X[60:], X_val, np.full((3, 4), np.nan), X[:1]:
        assert np.isfinite(clf.predict_proba(rows)).all()
    # Holes are in the rows of the first two of three folds.
    assert cross_val_score(classifier(), X, y, cv=KFold(3)).shape == (3,)
    # And so are two of the four categories.
    table = pd.DataFrame({"number": X[:, 0], "word": list("abcdcdcdc" * 10)})
    table.loc[60:, "word"] = "e"
    clf = classifier(early_stopping="auto")
    clf.fit(table[:60], y[:60], X_val=table[60:], y_val=y[60:])
    assert clf.coefs_[0].shape == (5, 8)
    tuned = tables.classifier(max_one_hot=0)
    embedded = clone(tuned).fit(table[:60], y[:60], X_val=table[60:], y_val=y[60:])
    for rows in table[60:], table[:1], table.assign(word=None):
        assert np.isfinite(clf.predict_proba(rows)).all()
        assert np.isfinite(embedded.predict_proba(rows)).all()
    for est in classifier(), tuned:
        scores = cross_val_score(est, table, y, cv=KFold(3), error_score="raise")
        assert scores.shape == (3,)


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
        "loss": LogLoss() if make is classifier else Huber(),
        "random_state": np.random.RandomState(0),
    }
    given |= {"class_weight": {0: 1, 1: 2}} if make is classifier else {}
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


@estimators
def test_fault_27_mixins_come_before_the_base_class(Estimator):
    """The mixins come first, so that scikit-learn knows what the estimator is.

    Peers had them last: the wrong tags, or an error about `__sklearn_tags__`.
    """
    mixins = {DNNClassifier: ClassifierMixin, DNNRegressor: RegressorMixin}
    mro = Estimator.__mro__
    assert mro.index(mixins[Estimator]) < mro.index(BaseEstimator)
    assert get_tags(Estimator()).target_tags.required
    for est in Estimator(), make_pipeline(PCA(), Estimator()):
        assert is_classifier(est) == (Estimator is DNNClassifier)
        assert is_regressor(est) == (Estimator is DNNRegressor)


# Batch norm and batches


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("n", "size"), [(41, 20), (1, 20), (7, 1), (5, 100)])
@tasks
@networks
def test_fault_28_last_batches_of_one_row(network, task, n, size, batch_norm):
    """Any number of rows goes with any batch size, and the last batch counts.

    Peers' batch norm failed on a single row, or batches that are not full were
    dropped, or a batch size above the number of rows was a warning.
    """
    X, y = (array[:n] for array in table(task))
    params = {"batch_norm": batch_norm, "batch_size": size, "shuffle": False}
    est = maker(task, network, **params)()
    est.fit(X, y).partial_fit(X[:1], y[:1])
    assert np.isfinite(est.predict(X)).all()
    if n > 1:
        est.set_params(early_stopping=False)  # where all rows are trained on
        changed = X.copy()
        changed[-1] = changed[0]
        one, two = (clone(est).set_params(numeric_scaling=None) for _ in range(2))
        one, two = one.fit(X, y), two.fit(changed, y)
        assert parameters(one).tobytes() != parameters(two).tobytes()


@pytest.mark.filterwarnings("ignore:Training knows not one of the categories")
@tasks
@networks
def test_fault_29_predictions_do_not_depend_on_other_rows(network, task):
    """A row gets the same prediction, to the bit, alone, among others or in order.

    A peer's differed in the third digit, with the number of rows given at once.
    """
    params = {"batch_norm": True, "dropout": 0.2, "hidden_layer_dims": (30, 20)}
    est = maker(task, network, **params)().fit(*table(task))
    X = numbers(2100, seed=1)
    predict = getattr(est, "predict_proba", est.predict)
    expected = predict(X)
    for size in 1, 7, 300, 1025:
        rows = X[: 40 * size]
        parts = [predict(rows[i : i + size]) for i in range(0, len(rows), size)]
        np.testing.assert_array_equal(np.concatenate(parts), expected[: len(rows)])
    order = np.random.default_rng(2).permutation(2100)
    np.testing.assert_array_equal(predict(X[order]), expected[order])


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


# Numbers


@pytest.mark.parametrize(
    "params",
    [{"batch_size": 5}, {"batch_size": 20}, {"solver": "bgd"}],
    ids=["5 rows", "20 rows", "all rows"],
)
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_fault_31_the_penalty_does_not_depend_on_the_batch_size(params, weight):
    """A linear model ends where ridge regression does, for every batch size.

    A peer divided the penalty by the rows of a batch, so that small batches had a
    strong one.
    """
    X, y = regression()
    alpha = 40.0
    reg = regressor((), alpha=alpha, numeric_scaling=None, target_scaling=False)
    reg.set_params(**params, optimizer="sgd", learning_rate=0.2, schedule="cosine")
    reg.set_params(max_iter=400).fit(X, y, np.full(60, weight))
    centered = X - X.mean(axis=0)
    hessian = weight * centered.T @ centered + alpha * np.eye(4)
    ridge = np.linalg.solve(hessian, weight * centered.T @ (y - y.mean()))
    np.testing.assert_allclose(reg.coefs_[0][:, 0], ridge, atol=0.01)


#: name of a parameter -> what to start with, and a value that makes a difference
CHANGES = {
    "hidden_layer_dims": ({}, (4,)),
    "activation": ({}, "tanh"),
    "batch_norm": ({}, True),
    "residual": ({"hidden_layer_dims": (4, 4)}, True),
    "dropout": ({}, 0.5),
    "alpha": ({}, 10.0),
    "loss": ({}, {classifier: "squared_error", regressor: "huber"}),
    "solver": ({}, "sgd"),
    "batch_size": ({}, 7),
    "optimizer": ({}, "rmsprop"),
    "learning_rate": ({}, 0.1),
    "learning_rate_multipliers": (
        {},
        {classifier: {"bias": 0.1}, regressor: {"weight": 2.0}},
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
    "scoring": ({"early_stopping": True}, {classifier: "roc_auc", regressor: "r2"}),
    "refit": ({"early_stopping": True}, True),
    "numeric_scaling": ({}, "quantile"),
    "numeric_embedding": ({}, "periodic"),
    "input_scaling": ({}, True),
    "categorical_features": ({}, [0]),
    "max_one_hot": ({"categorical_features": [0], "min_frequency": 1}, 8),
    "min_frequency": ({"categorical_features": [0], "max_one_hot": 8}, 1),
    "category_width": (
        {"categorical_features": [0], "max_one_hot": 8, "min_frequency": 1},
        3,
    ),
    "n_ensemble": ({}, 2),
    "ensemble_weights": ({"n_ensemble": 2}, "shared"),
    "target_scaling": ({}, False),
    "clip_predictions": ({"numeric_scaling": "standard"}, True),
    "class_weight": ({}, "balanced"),
    "temperature_scaling": ({"early_stopping": True}, True),
    "warm_start": ({}, True),
    "verbose": ({}, True),
    "random_state": ({}, 1),
    "dtype": ({}, "float64"),
    # And of the parts.
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


@pytest.mark.filterwarnings("ignore:Training reached max_iter")
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make, name)
        for make in (classifier, regressor)
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
    # Far from all that was seen, where predictions may be clipped.
    far = 100 * numbers(seed=1)
    X, y = data_for(make)
    y[:10] = y[0]

    def outcome(**change):
        est = clone(make(max_iter=6).set_params(**start)).set_params(**change)
        est.fit(X, y).fit(X, y)
        printed = capsys.readouterr().out
        predicted = getattr(est, "predict_proba", est.predict)(far).tobytes()
        network = parameters(est).tobytes(), est.validation_scores_
        return network, predicted, printed != ""

    assert outcome() == outcome()
    assert outcome() != outcome(**{name: value})


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("loss", [LogLoss, SquaredError])
def test_fault_33_large_numbers(loss, dtype):
    """Weights that overflow are reported, large raw outputs give finite losses.

    A peer returned a network of NaN without a word.
    """
    reg = regressor((), solver="bgd", optimizer="sgd", target_scaling=False)
    X, y = regression()
    assert np.isfinite(clone(reg).set_params(max_iter=1).fit(X, 1e3 * y).loss_)
    with pytest.raises(ValueError, match=r"the loss or the weights were no longer"):
        reg.set_params(max_iter=1, learning_rate=1e38).fit(X, 1e3 * y)

    raw = np.array([[-1e4], [-701], [0], [701], [1e4]], dtype)
    outputs = {
        "sigmoid": (raw, [np.zeros_like(raw), np.ones_like(raw)]),
        "softmax": (np.hstack([raw, -raw]), [np.full(5, 0), np.full(5, 1)]),
    }
    for link, (z, targets) in outputs.items():
        for y in targets:
            value, grad = loss(link=link).loss_gradient(y, z)
            assert np.isfinite(value)
            assert np.isfinite(grad).all()
        p = loss(link=link).inverse_link(z)
        assert ((p >= 0) & (p <= 1)).all()


def test_fault_34_one_warning_that_says_what_to_change():
    """Training that ends too soon warns once; one that ended by itself does not.

    Peers warned in every example and every fit of a search.
    """
    X, y = binary()
    with pytest.warns(ConvergenceWarning) as record:
        classifier(max_iter=20, tol=0.0).fit(X, y)
    (message,) = (str(warning.message) for warning in record)
    assert record[0].filename == __file__  # the line that calls fit
    assert "max_iter=20" in message
    assert "Increase max_iter or learning_rate" in message
    # None of these warns, which would be an error here.
    params = {"max_iter": 100, "tol": 1e-3, "learning_rate": 0.1}
    assert classifier(**params, early_stopping=True).fit(X, y).n_iter_ < 100
    assert classifier(**params).fit(X, y).n_iter_ < 100
    assert classifier(**params | {"tol": None}).fit(X, y).n_iter_ == 100
    with pytest.warns(ConvergenceWarning) as record:
        search = GridSearchCV(classifier(max_iter=20), {"tol": [None, 0.0]}, cv=2)
        search.fit(X, y)
    # One a fit, of the second candidate: two folds, and perhaps the best one.
    assert len(record) == 2 + (search.best_params_["tol"] == 0.0)


# Parallel computing, and what is printed


def blas_threads():
    """Return how many threads each BLAS library of this process uses."""
    libraries = threadpool_info()
    return [lib["num_threads"] for lib in libraries if lib["user_api"] == "blas"]


def in_a_thread(function, *args):
    """Return what a function returns in a thread that is gone afterwards."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


@pytest.fixture
def two_threads():
    """BLAS runs on two threads, as set by one that is gone.

    As long as it is there, newer versions of threadpoolctl let no other change them.
    """
    limit = in_a_thread(threadpool_limits, 2, "blas")
    assert set(blas_threads()) <= {2}
    yield
    in_a_thread(limit.restore_original_limits)


# From Python 3.12 on, a fork of a process with threads warns.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_fault_35_parallel_searches_end_and_agree(backend, two_threads):
    """A search ends in each backend, finds the same, and gives all threads back.

    A peer's hung, or spent its time on more threads than there were cores.
    """
    X, y = binary()
    grid = {"alpha": [0.01, 10.0], "solver": ["bgd", "minibatch"]}
    search = GridSearchCV(classifier(), grid, cv=2)
    expected = clone(search).fit(X, y)
    before = blas_threads()
    with parallel_config(backend, n_jobs=2):
        search.fit(X, y)
    assert blas_threads() == before
    for column in "mean_test_score", "split0_test_score":
        np.testing.assert_array_equal(
            search.cv_results_[column], expected.cv_results_[column]
        )
    assert_same_network(search.best_estimator_, expected.best_estimator_)


class Waits:
    """A scorer that says when it was called, and ends when it may."""

    def __init__(self, error):
        self.error = error
        self.called = Event()
        self.may_end = Event()

    def __call__(self, estimator, X, y):
        self.called.set()
        assert self.may_end.wait(60)
        if self.error is not None:
            raise self.error
        return 0.0


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
@pytest.mark.parametrize("error", [None, RuntimeError("no more")])
def test_fault_36_the_number_of_threads_is_given_back(error, order, two_threads):
    """Two fits at once share the threads, and give them back, after an error too.

    The setting belongs to the process: a peer's fits had to learn to put it back.
    """
    X, y = binary()
    before = blas_threads()
    scorers, fits = [Waits(error), Waits(error)], []
    with ThreadPoolExecutor(2) as pool:
        for scorer in scorers:
            clf = classifier(early_stopping=True, scoring=scorer, max_iter=1)
            fits.append(pool.submit(clf.fit, X, y))
            assert scorer.called.wait(60)
        during = blas_threads()
        for i in order:
            scorers[i].may_end.set()
            assert fits[i].exception(60) is error
        after = blas_threads()
    assert during == [1 for _ in before]
    assert after == before
    with pytest.raises(ValueError, match="infinity"):
        classifier().fit(np.full_like(X, np.inf), y)
    assert blas_threads() == before


@tasks
def test_fault_37_nothing_is_printed_unless_asked(task, capfd):
    """Without `verbose` nothing is printed, on either stream.

    A peer released a training loop with its debug prints.
    """
    make, data = TASKS[task]
    X, y = data()
    est = make(early_stopping=True).fit(X, y).set_params(early_stopping=False)
    est.partial_fit(X, y)
    est.predict(X)
    est.score(X, y)
    make(solver="bgd", optimizer="lbfgs", verbose=0).fit(X, y)
    assert capfd.readouterr() == ("", "")
    est.set_params(verbose=1).fit(X, y)
    assert capfd.readouterr().out.count("\n") == 5


# Callbacks of scikit-learn 1.9


class Recorder:
    """Writes down what it hears, keeps the estimators it gets, may raise an error."""

    def __init__(self, error=None, stops=False):
        self.error = error
        self.stops = stops
        self.events = []
        self.snapshots = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.snapshots.append(fitted_estimator)
        ended = [event for event in self.events if event.startswith("end")]
        second = ended == ["end epoch", "end epoch"]
        if second and self.error is not None:
            raise self.error
        return second and self.stops


class Propagated(Recorder):
    """Is passed on to the estimators inside."""

    max_propagation_depth = None


def with_callbacks(test):
    """Return the test, or before scikit-learn 1.9 one of the error that says so."""

    @wraps(test)
    def says_so(**kwargs):
        with pytest.raises(ImportError, match=r"scikit-learn 1\.9"):
            classifier().set_callbacks(Recorder())

    return test if find_spec("sklearn.callback") else says_so


@with_callbacks
@tasks
@networks
def test_fault_38_later_training_leaves_a_callbacks_estimator_alone(network, task):
    """The estimator that a callback keeps of an epoch stays as it was.

    A copy made by scikit-learn alone shares its arrays with the training that goes on.
    """
    X, y = table(task)
    # Schedules would end sooner in a shorter fit.
    ends = {"schedule": "constant"}
    make = maker(task, network, batch_norm=True, **ends)
    recorder = Recorder()
    est = make().set_callbacks(recorder).fit(X, y)
    est.set_callbacks().partial_fit(X, y)
    assert len(recorder.snapshots) == 6  # of five epochs, and of the end
    for k, snapshot in enumerate(recorder.snapshots[:5], 1):
        shorter = make(max_iter=k).fit(X, y)
        assert_same_network(snapshot, shorter)
        np.testing.assert_array_equal(snapshot.predict(X), shorter.predict(X))
        assert snapshot.loss_curve_ == shorter.loss_curve_


@with_callbacks
@pytest.mark.parametrize(
    ("how", "ends"),
    [
        ({}, nullcontext()),
        ({"stops": True}, nullcontext()),
        ({"error": RuntimeError("no more")}, pytest.raises(RuntimeError)),
        ({"error": KeyboardInterrupt()}, pytest.warns(match="interrupted by user")),
    ],
    ids=["early stopping", "stopped by the callback", "error", "interrupt"],
)
def test_fault_39_callbacks_are_torn_down_however_fit_ends(how, ends):
    """What begins has an end, in a search and after a pickle or an error too.

    An estimator that calls the hooks itself can forget some of them.
    """
    X, y = binary()
    recorder = Recorder(**how)
    clf = classifier(max_iter=100, early_stopping=True, tol=10.0)
    with ends:
        clf.set_callbacks(recorder).fit(X, y)
    seen = Counter(recorder.events)
    assert recorder.events[-1] == "teardown"
    assert seen["setup"] == seen["teardown"] == 1
    assert seen["begin epoch"] == seen["end epoch"] == (2 if how else 12)
    assert seen["end fit"] == (0 if isinstance(recorder.error, RuntimeError) else 1)
    assert not any("callback" in name for name in vars(clf) if name != "_skl_callbacks")

    loaded = pickle.loads(pickle.dumps(clf.set_callbacks(Recorder())))
    recorder = loaded._skl_callbacks[0]
    GridSearchCV(loaded.set_params(max_iter=3), {"alpha": [0.1, 1.0]}, cv=2).fit(X, y)
    seen = Counter(recorder.events)
    # Two folds of two candidates, and the best of them.
    assert seen["setup"] == seen["teardown"] == 5
    assert seen["begin fit"] == seen["end fit"] == 5
    assert seen["begin epoch"] == seen["end epoch"] == 15


@with_callbacks
def test_fault_40_searches_and_pipelines_pass_their_callbacks_on():
    """A callback of a search or a pipeline hears of each epoch, without a warning.

    Where an estimator has no `set_callbacks`, scikit-learn warns and drops them.
    """
    X, y = binary()
    pipeline = make_pipeline(StandardScaler(), classifier())
    search = GridSearchCV(pipeline, {"dnnclassifier__alpha": [0.1, 1.0]}, cv=2)
    for meta, n_fits in (pipeline, 1), (search, 5):
        recorder = Propagated()
        clone(meta).set_callbacks(recorder).fit(X, y)
        seen = Counter(recorder.events)
        assert seen["setup"] == seen["teardown"] == 1
        assert seen["begin epoch"] == seen["end epoch"] == 5 * n_fits


# Deployment; 41 is about export to ONNX, which there is not


def test_fault_42_the_target_is_scaled_inside():
    """A target of any unit is learned as well, with nothing wrapped around.

    A peer needs a TransformedTargetRegressor, which cannot be exported.
    """
    X, y = regression(200)
    params = {"learning_rate": 0.03, "max_iter": 40, "dtype": "float64"}
    reg = regressor(**params).fit(X, y)
    assert reg.score(X, y) > 0.9
    far = regressor(**params).fit(X, 1e6 + 1e3 * y)
    np.testing.assert_allclose(far.predict(X), 1e6 + 1e3 * reg.predict(X), rtol=1e-9)
    bare = regressor(**params, target_scaling=False)
    wrapped = TransformedTargetRegressor(bare, transformer=StandardScaler())
    np.testing.assert_allclose(
        wrapped.fit(X, y).predict(X), reg.predict(X), rtol=1e-6, atol=1e-6
    )


@tasks
@networks
def test_fault_43_skops_loads_it_with_three_names_to_trust(network, task):
    """A skops file asks to trust the estimator, its encoder and its loss, no more.

    skops no longer trusts everything at a word, so each type of a peer has to be named.
    """
    X, y = table(task)
    params = {"batch_norm": True, "dropout": 0.2, "early_stopping": True}
    est = maker(task, network, **params)().fit(X, y)
    file = skops.io.dumps(est)
    names = {
        f"{type(est).__module__}.{type(est).__name__}",
        "skdnn.encoding.TabularEncoder",
        f"skdnn.nn.losses.{'LogLoss' if is_classifier(est) else 'SquaredError'}",
    }
    assert set(skops.io.get_untrusted_types(data=file)) == names
    loaded = skops.io.loads(file, trusted=sorted(names))
    np.testing.assert_array_equal(loaded.predict(X), est.predict(X))
    assert_same_network(loaded, est)


# The table of the faults


def test_the_table_names_each_fault_and_its_test():
    """docs/peer-faults.md has a row for each fault, and the name of its test."""
    table = Path(__file__).parent.parent / "docs" / "peer-faults.md"
    rows = re.findall(r"^\| *(\d+) *\|.*\|", table.read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 44))
    named = re.findall(r"`(test_fault_\w+)`", table.read_text("utf-8"))
    assert named == [name for name in globals() if name.startswith("test_fault_")]
