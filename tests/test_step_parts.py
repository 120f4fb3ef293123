"""Parts of a step on threads of their own do what the whole step does."""

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn import compiled, steps
from skdnn.nn.optimizers import LBFGS, OPTIMIZERS
from skdnn.nn.step import Step
from tests.tables import parameters
from tests.test_recording import LOSSES, NETWORKS, N, assert_same, build, table, train
from tests.threads import blas_threads, set_blas_threads

pytestmark = [
    pytest.mark.skipif(not compiled.available, reason=f"{compiled.why_not}"),
    pytest.mark.skipif(
        compiled.available and not compiled.engine.can_meet(),
        reason="threads can't wait for each other here",
    ),
]


@pytest.fixture
def cut(monkeypatch):
    """All steps are cut in three parts, of one row at least."""
    monkeypatch.setattr(steps, "LARGE_PRODUCT", 0)
    monkeypatch.setattr(steps, "MOST_PARTS", 3)
    monkeypatch.setattr(steps, "ROWS_OF_PART", 1)


def n_parts(network, batch_size):
    return steps._n_parts(network, batch_size)


# Against NumPy


@pytest.mark.parametrize("members", [None, "shared"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, members, cut):
    """Whole runs agree with NumPy, on threads or without; the last batch is smaller."""
    ensemble = {"n_members": 3, "shared": True} if members else {}
    network = build(**NETWORKS[name], **ensemble)
    assert n_parts(network, 32) == (1 if network.members_apart else 3)
    assert_same(network, table(), n_threads=2)


@pytest.mark.parametrize("weight_columns", [0, 1, 3])
def test_weights(weight_columns, cut):
    """Batch norm weighs the rows of all parts, and of each member."""
    options = {"n_members": 3, "shared": True} if weight_columns == 3 else {}
    network = build(**NETWORKS["batch norm and dropout"], **options)
    data = table(weight_columns=weight_columns)
    assert_same(network, data, batch_size=20, n_threads=2)


def test_parts_without_weight(cut):
    """Rows count the same where a batch has no weight, not where one part has none."""
    X, y, weight = table(weight_columns=1)
    weight[30:60] = 0
    weight[60:70] = 0
    network = build(batch_norm=True)
    assert_same(network, (X, y, weight), batch_size=30, shuffle=False, n_threads=2)


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, cut):
    loss, n_outputs, target = LOSSES[name]
    data = table(n_outputs, target, weight_columns=1)
    assert_same(build(n_outputs), data, loss=loss)


@pytest.mark.parametrize("name", [n for n, o in OPTIMIZERS.items() if o is not LBFGS])
def test_optimizers(name, cut):
    """Each part moves its share of the parameters, and no other does."""
    optimizer = OPTIMIZERS[name]()
    optimizer.weight_decay = 0.3
    assert_same(build(), table(), optimizer=optimizer, n_threads=3)


@pytest.mark.parametrize("batch_size", [N - 1, N - 2, 74])
@pytest.mark.parametrize("name", ["plain", "all embeddings", "batch norm and dropout"])
def test_a_part_without_rows(name, batch_size, cut):
    """A last batch of fewer rows than parts leaves no gradients of the one before."""
    assert N % batch_size < 3
    assert_same(build(**NETWORKS[name]), table(), batch_size=batch_size)


def test_slabs(cut, monkeypatch):
    """A part of many rows goes through in slabs, whose dropout is that of the whole."""
    monkeypatch.setattr(Step, "_slab_rows", lambda self: 7)
    assert_same(build(**NETWORKS["all embeddings"]), table(), batch_size=64)


# Whoever runs them


@pytest.mark.parametrize(
    "name", ["dropout", "all embeddings", "batch norm and dropout"]
)
def test_any_number_of_threads(name, cut):
    """The same parts are added up in the same order."""
    networks = [build(**NETWORKS[name], dtype=np.float32) for _ in range(4)]
    losses = [
        train("recorded", network, table(dtype=np.float32), n_threads=n_threads)
        for n_threads, network in enumerate(networks, 1)
    ]
    for other, network in zip(losses[1:], networks[1:], strict=True):
        assert other == losses[0]
        assert_array_equal(network.params, networks[0].params)
        assert_array_equal(network.statistics, networks[0].statistics)


def test_parts_round_as_sums_do(cut, monkeypatch):
    """They are what runs here: another sum, within rounding of the whole."""
    whole, in_parts = (build(dtype=np.float32) for _ in range(2))
    train("recorded", in_parts, table(dtype=np.float32))
    monkeypatch.setattr(steps, "MOST_PARTS", 1)
    train("recorded", whole, table(dtype=np.float32))
    assert (whole.params != in_parts.params).any()
    assert_allclose(in_parts.params, whole.params, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_fits(make, early_stopping, cut, monkeypatch):
    """Estimators are the same to the bit on one thread and on two."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5))
    y = X[:, 0] + X[:, 1] ** 2
    y = (y > 1).astype(int) if make is DNNClassifier else y
    est = make((16, 16), n_members=1, max_iter=4, random_state=0)
    est.set_params(early_stopping=early_stopping)
    fitted, before = [], threading.active_count()
    for n_threads in 1, 2:
        monkeypatch.setattr("skdnn._threads._sharing.n_threads", lambda n=n_threads: n)
        fitted.append(clone(est).fit(X, y))
    assert fitted[0].loss_curve_ == fitted[1].loss_curve_
    assert_array_equal(parameters(fitted[0]), parameters(fitted[1]))
    assert threading.active_count() == before


def test_one_thread_of_blas(cut, monkeypatch):
    """A fit that has one thread leaves BLAS no more, which would round otherwise.

    It has one beside another fit, which may end before it does.
    """
    monkeypatch.setattr("skdnn._threads._sharing.n_threads", lambda: 1)
    found, run = set(), steps.RecordedSteps._run

    def spy(self, *arguments):
        found.update(blas_threads())
        run(self, *arguments)

    monkeypatch.setattr(steps.RecordedSteps, "_run", spy)
    # A product that BLAS would have its threads for.
    monkeypatch.setattr("skdnn._threads.LARGE_PRODUCT", 0)
    X = np.random.default_rng(0).standard_normal((90, 5))
    with set_blas_threads(2):
        DNNRegressor((16,), n_members=1, max_iter=1).fit(X, X[:, 0])
        assert set(blas_threads()) == {2}
    assert found == {1}


# Which steps are cut


@pytest.mark.parametrize(
    ("hidden", "batch_size", "expected"),
    [
        ((64, 64), 256, 1),  # too small
        ((512, 512), 64, 1),  # too few rows
        ((512, 512), 256, 2),
        ((512, 512), 400, 3),
        ((512, 512), 10_000, 4),
    ],
)
def test_which_steps_are_cut(hidden, batch_size, expected):
    """Long ones, whatever threads there are."""
    network = build(hidden=hidden)
    assert n_parts(network, batch_size) == expected
    apart = build(hidden=hidden, n_members=2)
    assert n_parts(apart, batch_size) == 1
