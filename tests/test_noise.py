"""The random bits of dropout: their formula, how random they look, and in steps."""

import numpy as np
import pytest

from skdnn.nn import noise as module
from skdnn.nn import step as step_module
from skdnn.nn.batches import Batch
from skdnn.nn.layers import Dense, Dropout
from skdnn.nn.losses import SquaredError
from skdnn.nn.mlp import build_mlp
from skdnn.nn.network import Network
from skdnn.nn.noise import Noise, mix, seed_of_member, stream_key
from skdnn.nn.optimizers import SGD
from skdnn.nn.step import Step
from skdnn.nn.workspace import Workspace

SEED = 0xFEDCBA9876543210


def drawn(noise, layer, n, width):
    """Return the bits (n_members, n, width) of a slab."""
    keys = noise.keys(layer)
    bits = np.empty((len(keys), n * width), np.uint16)
    for entries, part in noise.blocks(keys, n, width):
        bits[:, entries] = part
    return bits.reshape(len(keys), n, width)


def expected_bits(stream, entry):
    """Return the bits of an entry, with Python's integers."""
    x = (entry // 2 + stream) % 2**32
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = (x + (stream >> 32)) % 2**32
    x = x * 0x846CA68B % 2**32
    x ^= x >> 16
    return x >> 16 if entry % 2 else x % 2**16


# What they are


def test_mix_is_splitmix():
    """The first numbers that SplitMix64 draws from the seed 0, as published."""
    weyl = 0x9E3779B97F4A7C15
    assert [mix(i * weyl) for i in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]
    assert mix(2**64 - 1) == 0xE4D971771B652C20


@pytest.mark.parametrize("seed", [0, 1, SEED, 2**64 - 1])
@pytest.mark.parametrize("member", [0, 1, 7])
def test_a_member_alone_draws_the_same(seed, member):
    """With a seed of its own, in all layers."""
    alone = seed_of_member(seed, member)
    for layer in 0, 5:
        assert stream_key(alone, 0, layer) == stream_key(seed, member, layer)


def test_golden_bits():
    """They are those of ``kernels/noise.h``, on every machine."""
    assert stream_key(SEED, 1, 4) == 0x341EB654D81C79AB
    noise, golden = Noise(SEED, 2), []
    for noise.draw in range(2):
        golden.append(drawn(noise, 4, 1, 8)[1, 0].tolist())
    assert golden == [
        [0xEC95, 0x3DAB, 0x394F, 0x36C3, 0x1DCE, 0x5199, 0x9442, 0x1EF1],
        [0xE8A5, 0x9312, 0xDF70, 0xC9B0, 0x4C6E, 0xF080, 0x552F, 0xEC66],
    ]


@pytest.mark.parametrize("offset", [0, 1, 2, 7, 2**31, 2**33 - 1])
@pytest.mark.parametrize("width", [1, 3, 4])
@pytest.mark.parametrize("block", [1, 2, 7, 2**15])
@pytest.mark.parametrize("n_members", [None, 3])
def test_bits_are_those_of_the_formula(n_members, block, width, offset, monkeypatch):
    """Whatever blocks they come in, and where a slab begins, or ends, within a word."""
    monkeypatch.setattr(module, "BLOCK", block)
    noise = Noise(SEED, n_members)
    noise.draw, noise.offset = 2**40 + 3, offset
    first = offset * width
    for member, bits in enumerate(drawn(noise, 2, 5, width)):
        stream = mix(stream_key(SEED, member, 2) ^ noise.draw)
        expected = [expected_bits(stream, first + e) for e in range(5 * width)]
        assert bits.ravel().tolist() == expected


def test_slabs_have_the_bits_of_their_rows():
    """What a row draws is the same in a batch and in a slab of it."""
    noise = Noise(SEED, 2)
    whole = drawn(noise, 1, 10, 7)
    for noise.offset, n in (3, 4), (0, 3), (7, 3):
        rows = slice(noise.offset, noise.offset + n)
        np.testing.assert_array_equal(drawn(noise, 1, n, 7), whole[:, rows])


# How random they look


def samples():
    """Return bits that differ in one respect each, and the first of them."""
    n, width, one = 400, 250, Noise(SEED)
    first = drawn(one, 1, n, width)[0]
    others = {
        "neighbours": np.roll(first, 1),
        "second neighbours": np.roll(first, 2),
        "rows": np.roll(first, 1, axis=0),
        "members": drawn(Noise(SEED, 2), 1, n, width)[1],
        "layers": drawn(one, 2, n, width)[0],
        "seeds": drawn(Noise(SEED + 1), 1, n, width)[0],
    }
    one.draw = 1
    return first, others | {"passes": drawn(one, 1, n, width)[0]}


def test_bits_are_uniform():
    """Each bit is set half of the time, and each value is as frequent as others."""
    bits = samples()[0].ravel()
    for shift in range(16):
        assert abs(np.mean(bits >> shift & 1) - 0.5) < 4 * 0.5 / np.sqrt(bits.size)
    counts = np.bincount(bits >> 8, minlength=256)
    chi2 = np.sum((counts - bits.size / 256) ** 2) / (bits.size / 256)
    # Mean and four deviations of chi-square with 255 degrees of freedom.
    assert abs(chi2 - 255) < 4 * np.sqrt(2 * 255)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("other", list(samples()[1]))
def test_drops_are_independent(other, rate):
    """Whether one entry is dropped says nothing of another."""
    first, others = samples()
    one, two = first >= rate * 2**16, others[other] >= rate * 2**16
    limit = 4 / np.sqrt(one.size)
    assert abs(one.mean() - (1 - rate)) < limit * np.sqrt(rate * (1 - rate))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < limit


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_and_columns_drop_alike(axis):
    """No row, and no column, is dropped more often than chance has it."""
    kept = samples()[0] >= 2**15
    shares = kept.mean(axis=axis)
    deviation = 0.5 / np.sqrt(kept.shape[axis])
    assert np.abs(shares - 0.5).max() < 4.5 * deviation
    assert shares.std() == pytest.approx(deviation, rel=0.2)


# Steps


def make_step(rng, n_members=None, shared=False, draws=0):
    network = build_mlp(
        3,
        [5, 4],
        1,
        activations=["tanh"] * 2,
        initializers=["he_normal"] * 3,
        dropout=[0.3, 0.5],
        n_members=n_members,
        shared=shared,
    )
    network.initialize(rng)
    return Step(network, SquaredError("identity"), SGD(), 0.0, seed=SEED, draws=draws)


def table(rng, n=1000):
    return Batch(rng.standard_normal((n, 3)), rng.standard_normal((n, 1)), None)


@pytest.mark.parametrize(
    "options", [{}, {"n_members": 3}, {"n_members": 3, "shared": 1}]
)
def test_slabs_are_one_pass(options, rng, monkeypatch):
    """A batch in slabs, the last a shorter one, leaves out what it would as a whole."""
    batch, results = table(rng), []
    for slab_bytes in (1, 2**30):
        monkeypatch.setattr(step_module, "SLAB_BYTES", slab_bytes)
        step = make_step(np.random.default_rng(1), **options)
        results.append([step.loss_gradient(batch), *step.grads])
        results.append([step.loss_gradient(batch), *step.grads])
        assert step.draws == 2
    np.testing.assert_allclose(results[0], results[2], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(results[1], results[3], rtol=1e-9, atol=1e-13)
    assert not np.allclose(results[0], results[1])


def test_batches_before_do_not_matter(rng):
    """A pass draws by its number, however many rows went through before."""
    batch = table(rng, 20)
    one, two = (make_step(np.random.default_rng(1)) for _ in range(2))
    one.loss_gradient(table(rng, 300))
    two.loss_gradient(table(rng, 7))
    three = make_step(np.random.default_rng(1), draws=1)
    values = [[s.loss_gradient(batch), *s.grads] for s in (one, two, three)]
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[0], values[2])


def masks(network, n, draw=0):
    """Return what each dropout layer multiplies with, in a pass."""
    workspace = Workspace(network, SEED)
    workspace.seek(draw)
    caches = workspace.caches(n)
    network.forward(np.ones((n, network.n_inputs)), caches)
    return [c.mask for c in caches if hasattr(c, "mask")]


@pytest.mark.parametrize("shared", [False, True])
def test_members_and_layers_drop_for_themselves(shared, rng):
    """Each has a stream of its own; a lone network has that of the first member."""
    network = make_step(rng, 3, shared).network
    first, second = masks(network, 200)
    for one, two in (0, 1), (0, 2), (1, 2):
        agreed = np.mean((first[one] > 0) == (first[two] > 0))
        assert agreed == pytest.approx(0.7**2 + 0.3**2, abs=0.07)
    agreed = np.mean((first[..., :4] > 0) == (second > 0))
    assert agreed == pytest.approx(0.5, abs=0.07)
    lone = masks(make_step(rng).network, 200)
    np.testing.assert_array_equal(lone[0], first[0])
    np.testing.assert_array_equal(lone[1], second[0])


def test_rates_differ_in_the_same_bits():
    """An entry that is kept at some rate is kept at all lower ones."""
    kept = []
    for rate in (0.2, 0.5, 0.8):
        layers = [Dense(1, 9, "he_normal"), Dropout(9, rate)]
        kept.append(masks(Network(layers), 50)[0] > 0)
    assert (kept[0] >= kept[1]).all()
    assert (kept[1] >= kept[2]).all()
