"""What a saved estimator holds, and what reading it back gives."""

import importlib
import io
import pickle

import joblib
import numpy as np
import pytest
import skops.io
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.metrics import make_scorer, max_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor, _persistence
from skdnn._persistence import FORMAT
from skdnn.nn.losses import Huber
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS, Adam, Optimizer
from skdnn.nn.schedules import SCHEDULES, Cosine
from tests.plain import plain_regressor
from tests.recipes import CLASSES, maker, networks, table
from tests.same import assert_same_network
from tests.tables import (
    RECIPES,
    TASKS,
    binary,
    classifier,
    numbers,
    parameters,
    regression,
    regressor,
)

estimators = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
tasks = pytest.mark.parametrize("task", TASKS)
recipes = pytest.mark.parametrize("recipe", RECIPES)

#: Of the docs: what a reader has to trust.
TRUSTED = [
    "skdnn.classifier.DNNClassifier",
    "skdnn.encoding.TabularEncoder",
    "skdnn.nn.losses.LogLoss",
    "skdnn.nn.losses.SquaredError",
    "skdnn.regressor.DNNRegressor",
]
#: And what the user has given.
GIVEN = {
    "embedded categories": ["skdnn.nn.embeddings.EntityEmbedding"],
    "all at once": ["skdnn.nn.embeddings.EntityEmbedding"],
}


def going_on(task, **params):
    """Return an estimator in the middle of its training, and its data."""
    make, data = TASKS[task]
    X, y = data()
    params = {"batch_norm": True, "dropout": 0.2, "batch_size": 16, **params}
    return make(warm_start=True, **params).fit(X, y), X, y


@pytest.mark.sampled
@tasks
@recipes
@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_start_after_pickling(early_stopping, recipe, task):
    """A warm start after a pickle is one without, to the last bit."""
    params = {"early_stopping": early_stopping, "schedule": "adaptive"}
    est, X, y = going_on(task, **RECIPES[recipe] | params)
    copy = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(parameters(copy.fit(X, y)), parameters(est.fit(X, y)))
    assert copy.loss_curve_ == est.loss_curve_


@pytest.mark.sampled
@tasks
@recipes
def test_skops(recipe, task):
    """skops reads a model back, to the bit, trusting two or three of our types."""
    make, data = TASKS[task]
    X, y = data()
    params = {"batch_norm": True, "early_stopping": True}
    est = make(**RECIPES[recipe] | params).fit(X, y)
    saved = skops.io.dumps(est)
    needed = skops.io.get_untrusted_types(data=saved)
    assert set(needed) <= {*TRUSTED, *GIVEN.get(recipe, [])}
    copy = skops.io.loads(saved, trusted=needed)
    np.testing.assert_array_equal(copy.predict(X), est.predict(X))


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [1, 5]])
def test_skops_of_labels(labels):
    """Labels come back from skops as they were."""
    X, y = binary()
    est = make_pipeline(StandardScaler(), classifier()).fit(X, np.array(labels)[y])
    saved = skops.io.dumps(est)
    copy = skops.io.loads(saved, trusted=TRUSTED)
    np.testing.assert_array_equal(copy.predict(X), est.predict(X))


@pytest.mark.sampled
@tasks
@recipes
def test_skops_in_the_middle_of_training(recipe, task):
    """What a warm start needs goes through skops too."""
    est, X, y = going_on(task, **RECIPES[recipe], optimizer=Adam(beta_1=0.8))
    saved = skops.io.dumps(est)
    given = ["skdnn.nn.optimizers.Adam", *GIVEN.get(recipe, [])]
    copy = skops.io.loads(saved, trusted=[*TRUSTED, *given])
    np.testing.assert_array_equal(parameters(copy.fit(X, y)), parameters(est.fit(X, y)))


@pytest.mark.sampled
@tasks
@recipes
def test_training_goes_on_from_a_memory_map(recipe, task, tmp_path):
    """A model mapped read-only trains on, in memory of its own; the file stays."""
    est, X, y = going_on(task, **RECIPES[recipe])
    path = tmp_path / "est.joblib"
    joblib.dump(est, path)
    before = path.read_bytes()
    copy = joblib.load(path, mmap_mode="r")
    assert not copy.network_.params.flags.writeable
    np.testing.assert_array_equal(
        parameters(copy.partial_fit(X, y)), parameters(est.partial_fit(X, y))
    )
    assert not isinstance(copy.network_.params.base, np.memmap)
    assert path.read_bytes() == before


@pytest.mark.parametrize("recipe", ["plain", *RECIPES])
def test_memory_map_is_not_copied(recipe, tmp_path):
    """A mapped model's weights stay in the file."""
    X, y = regression()
    if recipe == "plain":
        reg = plain_regressor((50, 50))
    else:
        reg = regressor(**{"hidden_layer_dims": (50, 50), **RECIPES[recipe]})
    joblib.dump(reg.fit(X, y), tmp_path / "est.joblib")
    copy = joblib.load(tmp_path / "est.joblib", mmap_mode="r")
    network = copy.network_
    for layer in network.layers:
        for name in layer.parameters:
            assert np.shares_memory(getattr(layer, name), network.params)
    if recipe == "plain":
        for weights in copy.coefs_:
            assert np.shares_memory(weights, network.params)
    copy.predict(X)
    assert isinstance(copy.network_.params.base, np.memmap)


@pytest.mark.sampled
@tasks
@recipes
@pytest.mark.parametrize("hidden", [(16,), (300, 200)])
def test_size(hidden, recipe, task):
    """A pickle is at most 1.2 times the parameters and 20 kB."""
    make, data = TASKS[task]
    X, y = data()
    params = {"early_stopping": True, "optimizer": "adam", "max_iter": 1}
    params["hidden_layer_dims"] = hidden
    est = make(**RECIPES[recipe] | params).fit(X, y)
    assert len(pickle.dumps(est)) < 1.2 * est.network_.params.nbytes + 20_000


def test_optimizer_state_is_kept_where_training_goes_on():
    """Adam's two moments are in the pickle of a warm start, and not in that of a fit.

    With `partial_fit` they are, as another call may come.
    """
    X, y = binary()
    n_bytes = classifier((200, 200)).fit(X, y).network_.params.nbytes
    sizes = {
        "fit": len(pickle.dumps(classifier((200, 200)).fit(X, y))),
        "warm": len(pickle.dumps(classifier((200, 200), warm_start=True).fit(X, y))),
        "partial": len(pickle.dumps(classifier((200, 200)).partial_fit(X, y, [0, 1]))),
    }
    for kind, n_vectors in {"fit": 1, "warm": 3, "partial": 3}.items():
        assert n_vectors <= sizes[kind] / n_bytes < n_vectors + 0.1


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_other_format(Estimator, monkeypatch):
    """A state of another format is an error that says who wrote it, and who reads."""
    monkeypatch.setattr(_persistence, "FORMAT", FORMAT + 1)
    monkeypatch.setattr(_persistence, "__version__", "9.8")
    saved = pickle.dumps(Estimator())
    monkeypatch.undo()
    reads = (
        f"{Estimator.__name__} was saved by skdnn 9.8 in format {FORMAT + 1}; "
        f"skdnn .* {FORMAT}"
    )
    with pytest.raises(ValueError, match=reads):
        pickle.loads(saved)


def test_state_without_a_format():
    """A state that nobody signed is none of ours."""
    with pytest.raises(ValueError, match="skdnn unknown in format None"):
        DNNClassifier().__setstate__({"alpha": 1.0})


def kinds(value):
    """Return the types of what is in a value, and its own."""
    inside = value.values() if isinstance(value, dict) else value
    inside = inside if isinstance(value, (list, tuple, dict)) else ()
    return {type(value)}.union(*map(kinds, inside))


@recipes
def test_state_is_plain(recipe):
    """The network is in the state as arrays and plain data, not as objects."""
    X, y = binary()
    params = RECIPES[recipe] | {"batch_norm": True, "dropout": 0.1}
    state = classifier(**params).fit(X, y).__getstate__()
    model = state["_model"]
    assert all(type(array) is np.ndarray for array in model["network"].values())
    assert kinds(model["architecture"]) <= {
        *(dict, list, tuple),
        *(bool, int, float, str, type(None)),
    }


def test_parameters_set_after_fit_do_not_reach_the_saved_network():
    """What is read back is the network that was trained."""
    X, y = binary()
    est = classifier((8,), batch_norm=True).fit(X, y)
    expected = est.predict_proba(X)
    est.set_params(hidden_layer_dims=(3, 3), batch_norm=False, dtype="float64")
    copy = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(copy.predict_proba(X), expected)


# Pickles


def pickle_round_trip(est, path):
    return pickle.loads(pickle.dumps(est))


def joblib_round_trip(est, path):
    joblib.dump(est, path / "est.joblib")
    return joblib.load(path / "est.joblib")


@pytest.mark.sampled
@pytest.mark.parametrize("round_trip", [pickle_round_trip, joblib_round_trip])
@tasks
def test_round_trip(task, round_trip, tmp_path):
    """A pickle predicts the same, to the bit, and has the same attributes."""
    make, data = TASKS[task]
    X, y = data()
    est = make((6, 5), batch_norm=True, early_stopping=True).fit(X, y)
    copy = round_trip(est, tmp_path)
    np.testing.assert_array_equal(est.predict(X), copy.predict(X))
    assert vars(copy).keys() == vars(est).keys()
    assert copy.loss_curve_ == est.loss_curve_
    for one, two in zip(est.coefs_, copy.coefs_, strict=True):
        np.testing.assert_array_equal(one, two)


def test_memory_map(tmp_path):
    """A model that is mapped into memory, read-only, predicts the same."""
    X, y = binary()
    clf = classifier(batch_norm=True).fit(X, y)
    joblib.dump(clf, tmp_path / "clf.joblib")
    copy = joblib.load(tmp_path / "clf.joblib", mmap_mode="r")
    np.testing.assert_array_equal(copy.predict_proba(X), clf.predict_proba(X))


@tasks
def test_size_of_a_pickle(task):
    """A pickle of a fitted estimator is little more than its weights."""
    make, data = TASKS[task]
    X, y = data()
    est = make((100, 100), early_stopping=True).fit(X, y)
    assert len(pickle.dumps(est)) < est.network_.params.nbytes + 6000


def test_size_of_a_pickle_does_not_grow():
    """A pickle does not grow with the calls to `partial_fit`, nor with the data."""
    X, y = binary()
    clf = classifier().partial_fit(X, y, [0, 1]).partial_fit(X, y)
    size = len(pickle.dumps(clf))
    for _ in range(20):
        clf.partial_fit(np.tile(X, (5, 1)), np.tile(y, 5))
    assert len(pickle.dumps(clf)) < size + 100


@pytest.mark.sampled
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


@pytest.mark.sampled
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


def values_in(state):
    """Yield what is in a state, inside containers and scikit-learn objects too."""
    if isinstance(state, dict):
        state = [*state, *state.values()]
    elif hasattr(state, "get_params"):
        state = list(state.__getstate__().values())
    elif isinstance(state, np.ndarray) and state.dtype.hasobject:
        state = state.tolist()  # words, of labels and categories
    if isinstance(state, (list, tuple)):
        for part in state:
            yield from values_in(part)
    else:
        yield state


@pytest.mark.sampled
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
    for leaf in values_in(est.__getstate__()):
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


@pytest.mark.slow
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
        reg = plain_regressor((4,), early_stopping=True, max_iter=1, **params).fit(X, y)
        loaded = pickle.loads(pickle.dumps(clone(reg).fit(X, y)))
        assert_same_network(reg, loaded)
    # The user's own local classes and functions, which loky knows how to send.
    reg = plain_regressor(
        early_stopping=True, optimizer=Signs(), scoring=lambda e, X, y: 0.0
    )
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


# skops


@pytest.mark.sampled
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
        *GIVEN.get(network, []),
    }
    assert set(skops.io.get_untrusted_types(data=file)) == names
    loaded = skops.io.loads(file, trusted=sorted(names))
    np.testing.assert_array_equal(loaded.predict(X), est.predict(X))
    assert_same_network(loaded, est)
