"""Parameters of an ensemble: how many members, and what they share."""

import pickle

import numpy as np
import pytest
from scipy.special import expit, softmax

from skdnn.nn.embeddings import Periodic
from skdnn.nn.layers import SharedDense
from tests import plain, tables
from tests.plain import plain_classifier, plain_regressor
from tests.tables import STILL, binary, layers, parameters

both = pytest.mark.parametrize("make", [plain_classifier, plain_regressor])
each_task = pytest.mark.parametrize("task", tables.TASKS)


@pytest.mark.sampled
@each_task
@pytest.mark.parametrize("weights", ["own", "shared"])
def test_n_members_predicts_the_mean_of_the_members(task, weights):
    """The prediction is the mean of the members' probabilities, or of their numbers."""
    make, data = plain.TASKS[task]
    X, y = data()
    params = {"learning_rate": 0.05, "dtype": "float64", "ensemble_weights": weights}
    est = make(n_members=3, **params).fit(X, y)
    raw = est.network_.forward(est.encoder_.transform(X))
    assert raw.shape == (3, len(X), est.n_outputs_)
    if make is plain_regressor:
        # Which are in units of the scale of the target.
        mean = raw.mean(axis=0) * y.std(axis=0) + y.mean(axis=0)
        actual = est.predict(X).reshape(mean.shape)
    else:
        link = softmax if task == "multiclass" else lambda z, axis: expit(z)
        mean, actual = link(raw, axis=-1).mean(axis=0), est.predict_proba(X)
        actual = actual[:, 1:] if task == "binary" else actual
    np.testing.assert_allclose(actual, mean, rtol=1e-10, atol=1e-12)
    for i in range(3):
        assert not np.isclose(raw[i], raw[i - 1]).all()


@each_task
@pytest.mark.parametrize("weights", ["own", "shared"])
def test_n_members_is_one_pickle(task, weights):
    """An ensemble is pickled, and goes on, as a single network does."""
    make, data = tables.TASKS[task]
    X, y = data()
    params = {"warm_start": True, "ensemble_weights": weights, "early_stopping": True}
    est = make(n_members=3, **params).fit(X, y)
    copy = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(est.predict(X), copy.predict(X))
    np.testing.assert_array_equal(parameters(est.fit(X, y)), parameters(copy.fit(X, y)))


@both
def test_n_members_of_one_is_a_single_network(make):
    """A single network has no axis of members, whatever they would share."""
    X, y = binary()
    one, two = (make(ensemble_weights=w).fit(X, y) for w in ("own", "shared"))
    assert one.network_.n_members is None
    assert [w.shape for w in one.coefs_] == [(4, 8), (8, 1)]
    own = make(n_members=1).fit(X, y)
    np.testing.assert_array_equal(parameters(one), parameters(own))
    assert two.network_.n_members is None


@both
def test_n_members_trains_each_member_as_if_alone(make):
    """The objective is the mean of those of the members, each with its penalty."""
    X, y = binary()
    params = {"n_members": 3, "alpha": 2.0, "solver": "bgd", "dtype": "float64"}
    start = make(**{**params, **STILL}).fit(X, y)
    est = make(**{**params, "optimizer": "sgd", "max_iter": 4}).fit(X, y)
    objectives = []
    for i in range(3):
        alone = make(**{**params, **STILL, "n_members": 1, "warm_start": True})
        alone.fit(X, y)
        for mine, theirs in zip(
            alone.network_.layers, start.network_.layers, strict=True
        ):
            for name, parameter in mine.parameters.items():
                member = getattr(theirs, name)[i].reshape(parameter.shape)
                getattr(mine, name)[...] = member
        alone.set_params(learning_rate="auto", max_iter=4).fit(X, y)
        objectives.append(alone.loss_curve_)
        for k in range(2):
            np.testing.assert_allclose(est.coefs_[k][i], alone.coefs_[k], rtol=1e-10)
    np.testing.assert_allclose(est.loss_curve_, np.mean(objectives, axis=0), rtol=1e-10)


@both
def test_ensemble_weights_own_or_shared(make):
    """Members have matrices of their own, or those of hidden layers in common."""
    X, y = binary()
    params = {"n_members": 3, "numeric_embedding": Periodic(5, 2)}
    own = make((8, 6), ensemble_weights="own", **params).fit(X, y)
    assert [w.shape for w in own.coefs_] == [(3, 12, 8), (3, 8, 6), (3, 6, 1)]
    assert own.network_.layers[0].weight.shape == (3, 4, 5, 2)
    shared = make((8, 6), ensemble_weights="shared", **params).fit(X, y)
    assert [w.shape for w in shared.coefs_] == [(12, 8), (8, 6), (3, 6, 1)]
    assert shared.network_.layers[0].weight.shape == (4, 5, 2)
    hidden = layers(shared, SharedDense)
    assert [ly.gain_in.shape for ly in hidden] == [(3, 1, 12), (3, 1, 8)]
    assert [ly.gain_out.shape for ly in hidden] == [(3, 1, 8), (3, 1, 6)]


def test_ensemble_weights_shared_start_from_signs():
    """What tells members apart that share weights are random signs of the inputs."""
    params = {"n_members": 3, "ensemble_weights": "shared"}
    clf = plain_classifier((8, 6), **params, **STILL).fit(*binary(d=30))
    first, second = layers(clf, SharedDense)
    assert set(first.gain_in.ravel()) == {-1, 1}
    assert len(np.unique(first.gain_in, axis=0)) == 3
    assert (second.gain_in == 1).all()
