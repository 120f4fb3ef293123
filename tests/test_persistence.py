"""What a saved estimator holds, and what reading it back gives."""

import pickle

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor, _persistence
from skdnn.nn.optimizers import Adam
from tests import plain
from tests.tables import (
    RECIPES,
    TASKS,
    binary,
    classifier,
    parameters,
    regression,
    regressor,
)

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


def going_on(task, **params):
    """Return an estimator in the middle of its training, and its data."""
    make, data = TASKS[task]
    X, y = data()
    params = {"batch_norm": True, "dropout": 0.2, "batch_size": 16, **params}
    return make(warm_start=True, **params).fit(X, y), X, y


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
    assert set(needed) <= set(TRUSTED)
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


@tasks
@recipes
def test_skops_in_the_middle_of_training(recipe, task):
    """What a warm start needs goes through skops too."""
    est, X, y = going_on(task, **RECIPES[recipe], optimizer=Adam(beta_1=0.8))
    saved = skops.io.dumps(est)
    copy = skops.io.loads(saved, trusted=[*TRUSTED, "skdnn.nn.optimizers.Adam"])
    np.testing.assert_array_equal(parameters(copy.fit(X, y)), parameters(est.fit(X, y)))


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
    assert copy.network_.params.flags.writeable
    assert path.read_bytes() == before


@pytest.mark.parametrize("recipe", ["plain", *RECIPES])
def test_memory_map_is_not_copied(recipe, tmp_path):
    """A mapped model's weights stay in the file."""
    X, y = regression()
    if recipe == "plain":
        reg = plain.regressor((50, 50))
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
    monkeypatch.setattr(_persistence, "FORMAT", 7)
    monkeypatch.setattr(_persistence, "__version__", "9.8")
    saved = pickle.dumps(Estimator())
    monkeypatch.undo()
    message = f"{Estimator.__name__} was saved by skdnn 9.8 in format 7; skdnn .* 2"
    with pytest.raises(ValueError, match=message):
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
    assert "network_" not in state
    assert all(type(array) is np.ndarray for array in state["_network"].values())
    assert kinds(state["_architecture"]) <= {
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
