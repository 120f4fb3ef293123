"""The loop: steps, objective, memory, and what happens when training goes wrong."""

import tracemalloc

import numpy as np
import pytest

from skdnn.nn import trainer as module
from skdnn.nn.batches import Batch, Batches
from skdnn.nn.losses import SquaredError
from skdnn.nn.network import build_mlp
from skdnn.nn.optimizers import LBFGS, SGD, Adam
from skdnn.nn.schedules import Constant, Exponential
from skdnn.nn.trainer import Trainer


def make_trainer(widths, rng, optimizer=None, *, dtype=np.float64, **options):
    n_hidden = len(widths) - 2
    network = build_mlp(
        widths,
        ["tanh"] * n_hidden,
        ["lecun_normal"] * (n_hidden + 1),
        False,
        [0.0] * n_hidden,
        dtype,
    )
    network.initialize(rng)
    options = {
        "learning_rate": 0.1,
        "penalty": 0.0,
        "max_epochs": 10,
        "schedule": Constant(),
        **options,
    }
    schedule = options.pop("schedule")
    loss = SquaredError(link="identity")
    return Trainer(network, loss, optimizer or SGD(), schedule, **options)


def draw(rng, n=30, d=3, dtype=np.float64):
    X = rng.standard_normal((n, d)).astype(dtype)
    return X, np.sin(X[:, :1])


def never():
    return False


def test_one_step_by_hand(rng):
    """One step of a net with one tanh unit, two rows, and a penalty.

    With x = (1, -1), y = (1, 0), w = (0.5, 2), b = (0, 0.1) and t = tanh(0.5), the
    outputs are 0.1 + 2t and 0.1 - 2t, the errors 2t - 0.9 and 0.1 - 2t.
    """
    trainer = make_trainer((1, 1, 1), rng, penalty=0.3)
    trainer.network.params[...] = [0.5, 2.0, 0.0, 0.1]
    X, y = np.array([[1.0], [-1.0]]), np.array([[1.0], [0.0]])
    t = np.tanh(0.5)
    errors = np.array([2 * t - 0.9, 0.1 - 2 * t])

    trainer.run(Batches(X, y, None, 2), 1, never)

    loss = (errors**2).sum() / 4 + 0.15 * (0.25 + 4)
    np.testing.assert_allclose(trainer.losses, [loss], rtol=1e-14)
    delta = errors * 2 * (1 - t**2)
    gradient = [
        (delta[0] - delta[1]) / 2 + 0.3 * 0.5,
        (errors[0] * t - errors[1] * t) / 2 + 0.3 * 2,
        delta.mean(),
        errors.mean(),
    ]
    expected = np.array([0.5, 2, 0, 0.1]) - 0.1 * np.array(gradient)
    np.testing.assert_allclose(trainer.network.params, expected, rtol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_slabs(weighted, rng, monkeypatch):
    """A batch that goes through in slabs has the same loss and gradient."""
    X, y = draw(rng, n=1000)
    weight = rng.uniform(0, 2, (1000, 1)) if weighted else None
    results = []
    for slab_bytes in (1, 2**30):
        monkeypatch.setattr(module, "SLAB_BYTES", slab_bytes)
        trainer = make_trainer((3, 4, 1), np.random.default_rng(1), penalty=0.1)
        loss = trainer.loss_gradient(Batch(X, y, weight))
        results.append([loss, *trainer.workspace.grads])
    np.testing.assert_allclose(*results, rtol=1e-10)


def test_loss_is_averaged_over_rows(rng):
    """With a learning rate of zero, the recorded loss is that of all rows."""
    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng, learning_rate=0.0)
    trainer.run(Batches(X, y, None, 7, rng), 2, never)
    expected = 0.5 * np.mean((trainer.network.forward(X) - y) ** 2)
    np.testing.assert_allclose(trainer.losses, expected, rtol=1e-12)


def test_batches_estimate_the_gradient(rng):
    """The batches' gradients average to that of all rows, whatever the weights."""
    X, y = draw(rng)
    weight = rng.uniform(0, 3, (30, 1))
    trainer = make_trainer((3, 4, 1), rng, penalty=0.2)
    trainer.loss_gradient(Batch(X, y, weight))
    full, mean = trainer.workspace.grads.copy(), 0
    for batch in Batches(X, y, weight, 7, rng):
        trainer.loss_gradient(batch)
        mean = mean + trainer.workspace.grads * len(batch.X) / len(X)
    np.testing.assert_allclose(mean, full, rtol=1e-10)


def test_schedule_moves_within_an_epoch(rng):
    """Each step asks the schedule for its own rate."""
    asked = []

    class Spy(Exponential):
        def factor(self, epoch, n_epochs):
            asked.append((epoch, n_epochs))
            return super().factor(epoch, n_epochs)

    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng, schedule=Spy(), max_epochs=5)
    trainer.run(Batches(X, y, None, 15), 2, never)
    assert asked == [(0, 5), (0.5, 5), (1, 5), (1.5, 5)]


def test_schedule_and_plateau_scale_the_step(rng):
    """The step is learning rate times schedule times gradient."""
    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng, schedule=Exponential(decay=0.5))
    trainer.epoch, trainer.learning_rate = 2, 0.4
    before = trainer.network.params.copy()
    trainer.loss_gradient(Batch(X, y, None))
    gradient = trainer.workspace.grads.copy()
    trainer.run(Batches(X, y, None, 30), 1, never)
    np.testing.assert_allclose(trainer.network.params, before - 0.1 * gradient)


def test_stops_when_told(rng):
    """The run ends after the epoch whose callable returns True."""
    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng)
    trainer.run(Batches(X, y, None, 7), 9, lambda: trainer.epoch == 3)
    assert trainer.epoch == len(trainer.losses) == 3
    assert not trainer.diverged


def test_divergence_keeps_finite_weights(rng):
    """When numbers overflow, the run ends with the weights from before the epoch."""
    X, y = draw(rng)
    trainer = make_trainer((3, 1), rng, learning_rate=1e60, max_epochs=100)
    seen = []

    def remember():
        seen.append(trainer.network.params.copy())

    trainer.run(Batches(X, y, None, 30), 100, remember)
    assert trainer.diverged
    assert len(trainer.losses) == len(seen) < 100
    np.testing.assert_array_equal(trainer.network.params, seen[-1])


def test_interrupt_goes_back_to_the_epoch_start(rng):
    """Ctrl-C in the midst of an epoch leaves no half-done step."""
    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng)
    seen = []

    class Interrupting(SGD):
        def update(self, w, g, rate, t, scratch):
            super().update(w, g, rate, t, scratch)
            if t == 8:
                raise KeyboardInterrupt

    trainer.optimizer = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        trainer.run(
            Batches(X, y, None, 10),
            9,
            lambda: seen.append(trainer.network.params.copy()),
        )
    assert trainer.epoch == 2
    np.testing.assert_array_equal(trainer.network.params, seen[-1])


def test_minimize_records_like_run(rng):
    """L-BFGS records the objective before each iteration, and ends at its minimum."""
    X, y = draw(rng)
    batch = Batch(X, y, None)
    trainer = make_trainer((3, 1), rng, LBFGS(), penalty=0.1)
    start = trainer.loss_gradient(batch)
    trainer.minimize(batch, 50, 1e-10, never)
    assert trainer.losses[0] == start
    assert (np.diff(trainer.losses) < 0).all()
    A = np.column_stack([X, np.ones(len(X))])
    ridge = 0.1 * len(X) * np.diag([1, 1, 1, 0])
    optimum = np.linalg.solve(A.T @ A + ridge, A.T @ y)[:, 0]
    np.testing.assert_allclose(trainer.network.params, optimum, atol=1e-6)


def peak_of_epoch(width, batch_size, rng):
    X, y = draw(rng, n=4000, dtype=np.float32)
    trainer = make_trainer((3, width, width, 1), rng, Adam(), dtype=np.float32)
    batches = Batches(X, y, None, batch_size, rng)
    grads = trainer.workspace.grads
    groups = trainer.network.groups
    state = trainer.optimizer.init(trainer.network.params)
    step = trainer.optimizer.stepper(trainer.network.params, grads, state, groups)
    trainer._run_epoch(batches, step)
    tracemalloc.start()
    try:
        trainer._run_epoch(batches, step)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("width", "batch_size"), [(256, 250), (64, 2000), (64, 4000), (256, 4000)]
)
def test_an_epoch_allocates_nothing_that_grows(width, batch_size, rng):
    """The second epoch needs next to no new memory, whatever the sizes.

    NumPy casts through a buffer of 8,192 entries, here 32,768 bytes.  One activation of
    the widest case has 256,000 bytes or more, one weight matrix 262,144.
    """
    assert peak_of_epoch(width, batch_size, rng) < 48_000
