"""Embeddings, gains and ensembles in the engine, against formulas and lone networks."""

import numpy as np
import pytest

from skdnn.nn.batches import Batch, Batches
from skdnn.nn.copying import copy_member
from skdnn.nn.embeddings import NUMERIC_EMBEDDINGS, PiecewiseLinear
from skdnn.nn.layers import (
    BatchNorm,
    Dense,
    Join,
    ParametricActivate,
    Scale,
    SharedDense,
)
from skdnn.nn.losses import LogLoss, SquaredError
from skdnn.nn.network import Network
from skdnn.nn.optimizers import SGD, Adam
from skdnn.nn.schedules import Constant
from skdnn.nn.step import Step
from skdnn.nn.steps import steps
from skdnn.nn.trainer import Trainer
from skdnn.nn.workspace import Workspace
from tests.gradcheck import assert_gradient
from tests.networks import SWITCHES, make_network, make_rows

MEMBERS = [None, 3]


def make_trainer(network, loss=None, optimizer=None, penalty=0.0, **options):
    return Trainer(
        network,
        loss or SquaredError(link="identity"),
        optimizer or SGD(),
        Constant(),
        learning_rate=0.05,
        penalty=penalty,
        max_epochs=10,
        **options,
    )


@pytest.mark.sampled
@pytest.mark.parametrize("n_weights", [0, 1, 3])
@pytest.mark.parametrize("members", [*MEMBERS, "shared"])
@pytest.mark.parametrize("switch", SWITCHES)
def test_gradients(switch, members, n_weights, rng):
    """The gradient is that of the objective, along random directions."""
    options = {**SWITCHES[switch], "n_members": 3 if members else None}
    options["shared"] = members == "shared"
    network = make_network(rng, **options)
    x, y = make_rows(rng, 7, options), rng.standard_normal((7, 1))
    n_weights = n_weights if members else min(n_weights, 1)
    weight = rng.uniform(0.5, 2, (7, n_weights)) if n_weights else None
    step = Step(network, SquaredError(link="identity"), SGD(), penalty=0.3)
    batch, start = Batch(x, y, weight), network.params.copy()
    step.loss_gradient(batch)
    # Training minimizes the sum over the members, of which the mean is reported.
    grad = step.grads / (network.n_members or 1)

    def objective(params):
        network.params[...] = params
        return step.loss_gradient(batch)

    assert_gradient(objective, grad, start, rng)


@pytest.mark.sampled
@pytest.mark.parametrize("members", [*MEMBERS, "shared"])
@pytest.mark.parametrize("switch", sorted(set(SWITCHES) - {"batch_norm", "all"}))
def test_training_pass_is_inference(switch, members, rng):
    """With or without caches, the network computes the same."""
    options = {**SWITCHES[switch], "n_members": 3 if members else None}
    network = make_network(rng, shared=members == "shared", **options)
    x = make_rows(rng, 6, options)
    trained = network.forward(x, Workspace(network).caches(6)).copy()
    np.testing.assert_allclose(network.forward(x), trained, rtol=1e-12)


@pytest.mark.sampled
@pytest.mark.parametrize("n_weights", [1, 3])
@pytest.mark.parametrize("optimizer", [SGD(), Adam()])
@pytest.mark.parametrize("switch", SWITCHES)
def test_members_train_as_they_would_alone(switch, optimizer, n_weights, rng):
    """Each member of an ensemble is the network that its own parameters train to."""
    options = SWITCHES[switch]
    ensemble = make_network(rng, n_members=3, n_outputs=4, **options)
    x, y = make_rows(rng, 20, options), rng.integers(4, size=20)
    # A row may count differently for each, or not at all.
    weight = rng.uniform(-1, 2, (20, n_weights)).clip(0)
    loss = LogLoss(link="softmax")
    ensemble.adapt(x)
    alone = [make_network(rng, n_outputs=4, **options) for _ in range(3)]
    for m, network in enumerate(alone):
        copy_member(network, ensemble, m)
    losses = []
    for m, network in enumerate((ensemble, *alone)):
        trainer = make_trainer(network, loss, optimizer, penalty=0.1)
        own = weight if m == 0 or n_weights == 1 else weight[:, [m - 1]]
        batches = Batches(x, y, own, 6, np.random.default_rng(0))
        trainer.run(steps(trainer.step, batches), 3, lambda: False)
        losses.append(trainer.losses)
    together = ensemble.forward(x)
    for m, network in enumerate(alone):
        np.testing.assert_allclose(together[m], network.forward(x), rtol=1e-9)
    np.testing.assert_allclose(losses[0], np.mean(losses[1:], axis=0), rtol=1e-9)


def test_batch_norm_without_weight(rng):
    """A batch in which nothing weighs for a member counts as if all rows did."""
    statistics = []
    for weight in [1.0, 0.0], [1.0, 1.0]:
        network = Network([BatchNorm(3, n_members=2)])
        network.initialize(rng)
        x = np.random.default_rng(0).normal(5, 2, (2, 4, 3))
        cache = Workspace(network).caches(4)[0]
        network.layers[0].forward(x, cache, np.tile(weight, (4, 1)))
        statistics.append(network.statistics)
    np.testing.assert_array_equal(*statistics)


def test_shared_dense(rng):
    """((x * gain_in) @ weight) * gain_out + bias, one matrix for all members."""
    network = Network([SharedDense(3, 2, "he_normal", n_members=4, diverse=True)])
    network.initialize(rng)
    layer = network.layers[0]
    assert layer.weight.shape == (3, 2)
    assert set(np.unique(layer.gain_in)) == {-1, 1}
    network.params[...] = rng.standard_normal(len(network.params))
    x = rng.standard_normal((5, 3))
    for m, z in enumerate(network.forward(x)):
        expected = ((x * layer.gain_in[m]) @ layer.weight) * layer.gain_out[m]
        np.testing.assert_allclose(z, expected + layer.bias[m], rtol=1e-12)


def test_ntk(rng):
    """The same function at the start, with weights larger by the root of the width."""
    standard, ntk = (
        make_network(np.random.default_rng(0), ntk=ntk) for ntk in (False, True)
    )
    for network in standard, ntk:
        network.initialize(np.random.default_rng(1))
    x = make_rows(rng, 6, {})
    np.testing.assert_allclose(standard.forward(x), ntk.forward(x), rtol=1e-12)
    for layer, other in zip(standard.layers[::2], ntk.layers[::2], strict=True):
        root = np.sqrt(layer.n_inputs)
        np.testing.assert_allclose(other.weight, layer.weight * root, rtol=1e-12)
        np.testing.assert_allclose(other.matrix, layer.weight, rtol=1e-12)


def test_scale():
    """Each column times its gain, which starts at 1."""
    network = Network([Scale(2)])
    network.initialize(None)
    assert network.params.tolist() == [1, 1]
    network.params[...] = 2, -1
    assert network.forward(np.array([[3.0, 4.0]])).tolist() == [[6, -4]]


def test_parametric():
    """z + strength * (f(z) - z): the activation at 1, the identity at 0."""
    network = Network([ParametricActivate(3, "relu")])
    network.initialize(None)
    x = np.array([[-4.0, -4.0, 4.0]])
    assert network.forward(x.copy()).tolist() == [[0, 0, 4]]
    network.params[...] = 0, 0.25, 0.25
    assert network.forward(x.copy()).tolist() == [[-4, -3, 4]]


def test_residual(rng):
    """x + layers(x) / n, around each of the n hidden layers behind the first."""
    network = make_network(rng, residual=True, n_numbers=0)
    kinds = [type(layer).__name__ for layer in network.layers]
    branch = ["Fork", "Dense", "Activate", "Join"]
    assert kinds == ["Dense", "Activate", *branch, *branch, "Dense"]
    x = rng.standard_normal((4, 3))
    first, *inner, last = [ly for ly in network.layers if isinstance(ly, Dense)]
    h = np.tanh(first.forward(x))
    for dense in inner:
        h = h + np.tanh(h @ dense.weight + dense.bias) / 2
    np.testing.assert_allclose(network.forward(x), last.forward(h), rtol=1e-12)


@pytest.mark.parametrize(("below", "above"), [(2, 3), (3, 2)])
def test_join_of_other_widths(below, above):
    """The shortcut fills up with zeros, or drops its last columns."""
    x, shortcut = np.full((1, above), 10.0), np.arange(1.0, below + 1)[None]
    expected = {3: [6, 7, 5], 2: [6, 7]}[above]
    assert Join(above, 0.5).forward(x, shortcut).tolist() == [expected]


def test_periodic_formula(rng):
    """[x, cos(2 pi frequency x + phase) @ weight + bias], other columns behind."""
    network = Network([NUMERIC_EMBEDDINGS["periodic"](4, 2, 0.5).layer(3, 2)])
    network.initialize(rng)
    layer, x = network.layers[0], rng.standard_normal((6, 3))
    out = network.forward(x)
    np.testing.assert_array_equal(out[:, :2], x[:, :2])
    np.testing.assert_array_equal(out[:, -1], x[:, 2])
    for j in range(2):
        waves = np.cos(2 * np.pi * x[:, [j]] * layer.frequency[j] + layer.phase[j])
        expected = waves @ layer.weight[j] + layer.bias[j]
        np.testing.assert_allclose(out[:, 2 + 2 * j : 4 + 2 * j], expected, rtol=1e-10)


def test_frequencies_have_the_scale_asked_for(rng):
    """Frequencies start normal around zero, phases all around the circle."""
    network = Network([NUMERIC_EMBEDDINGS["periodic"](500, 1, 0.5).layer(20, 20)])
    network.initialize(rng)
    layer = network.layers[0]
    assert layer.frequency.std() == pytest.approx(0.5, rel=0.05)
    assert np.abs(layer.phase).max() == pytest.approx(np.pi, rel=0.01)


def test_piecewise_linear_by_hand():
    """How far a number reaches into each bin, from 0 to 1; equal quantiles are one."""
    network = Network([PiecewiseLinear(n_bins=2, width=1).layer(2, 2)])
    network.adapt(np.array([[0.0, 7.0], [10.0, 7.0], [30.0, 7.0]]))
    layer = network.layers[0]
    terms = layer.expand(np.array([[[-5.0], [5.0], [20.0], [40.0]]] * 2), None)
    assert terms[0].tolist() == [[0, 0], [0.5, 0], [1, 0.5], [1, 1]]
    assert not terms[1].any()  # a constant column has no bins


def test_bins_beside_a_spike_by_hand():
    """Where most rows have one value, the bins hold equal numbers of the others."""
    network = Network([PiecewiseLinear(n_bins=4, width=1).layer(1, 1)])
    network.adapt(np.array([[0.0] * 9 + [-1, 1, 2, 3, 4, 5, 6]]).T)
    layer = network.layers[0]
    # Zero is an edge, beside those of thirds of the seven others.
    assert layer.low[0, 0].tolist() == [-1, 0, 2, 4]
    assert (1 / layer.inverse_length[0, 0]).tolist() == [1, 2, 2, 2]
    # With as many other rows, there is no spike, and no bin for the negative.
    network.adapt(np.array([[0.0] * 8 + [-1, 1, 2, 3, 4, 5, 6, 6]]).T)
    assert layer.low[0, 0, :3].tolist() == [-1, 0, 3]


def test_few_rows_beside_a_spike():
    """Bins are at most eight times as fine as they would be: few rows get few."""
    network = Network([PiecewiseLinear(n_bins=32).layer(1, 1)])
    x = np.zeros((1000, 1))
    x[:16, 0] = np.arange(1, 17)
    network.adapt(x)
    # 16 of 1000 rows are 4 of 256 parts.
    lengths = network.layers[0].inverse_length[0, 0]
    assert (1 / lengths[lengths > 0]).tolist() == [1, 3, 4, 4, 4]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bins_of_no_length_to_speak_of(dtype):
    """Numbers that differ by less than can be divided by are at the ends of a bin."""
    layer = PiecewiseLinear(n_bins=2, width=1).layer(1, 1)
    network = Network([layer], dtype)
    smallest = np.finfo(dtype).smallest_subnormal
    network.adapt(np.array([[0.0], [smallest], [1.0]], dtype))
    with np.errstate(over="ignore"):
        terms = layer.expand(np.array([[[0.0], [smallest], [1.0]]], dtype), None)
    assert np.isfinite(network.statistics).all()
    np.testing.assert_allclose(terms[0], [[0, 0], [0, 0], [1, 1]], atol=1e-6)


@pytest.mark.parametrize("spike", [0, 25])
def test_bins_hold_as_much_weight(spike, rng):
    """A row of weight 2 is two rows, to the bins as well."""
    x = rng.standard_normal((31, 1))
    x[:spike] = 0
    bins = []
    for rows, weight in [
        (np.vstack([x, x[:10]]), None),
        (x, np.where(np.arange(31) < 10, 2.0, 1.0)),
    ]:
        network = Network([PiecewiseLinear(n_bins=4).layer(1, 1)])
        network.adapt(rows, weight)
        bins.append(network.statistics.copy())
    np.testing.assert_array_equal(*bins)


@pytest.mark.parametrize("members", MEMBERS)
def test_categories_by_hand(members, rng):
    """A code becomes its row of the table of its column, other columns stay."""
    options = {"cardinalities": (3, 2), "category_width": 2, "n_numbers": 0}
    network = make_network(rng, n_members=members, **options)
    layer = network.layers[0]
    x = np.array([[0.5, 1.5, 2.5, 2, 0], [0.1, 0.2, 0.3, 0, 1]])
    out = np.asarray(layer.forward(x)).reshape(-1, 2, 7)
    vectors = layer.vectors.reshape(-1, 5, 2)
    for m, of_member in enumerate(out):
        np.testing.assert_array_equal(of_member[:, :3], x[:, :3])
        expected = [[*vectors[m, 2], *vectors[m, 3]], [*vectors[m, 0], *vectors[m, 4]]]
        np.testing.assert_array_equal(of_member[:, 3:], expected)


def test_members_start_apart(rng):
    """Each member draws parameters of its own, as a lone network would."""
    for shared in (False, True):
        network = make_network(rng, n_members=3, shared=shared)
        network.initialize(np.random.default_rng(0))
        a, b, c = network.forward(make_rows(rng, 5, {}))
        assert not np.allclose(a, b)
        assert not np.allclose(b, c)


def test_shared_members_have_few_parameters(rng):
    """Ten members that share their matrices are smaller than two that do not."""
    sizes = [
        make_network(rng, n_members=n, shared=shared).params.size
        for n, shared in [(10, True), (2, False)]
    ]
    assert sizes[0] < 5 * sizes[1]
