"""The loop: epochs, schedules, and what happens when training goes wrong."""

from itertools import pairwise

import numpy as np
import pytest

from skdnn.nn import compiled
from skdnn.nn.batches import Batch, Batches
from skdnn.nn.losses import SquaredError
from skdnn.nn.optimizers import LBFGS, SGD, Momentum
from skdnn.nn.schedules import Constant, Exponential
from skdnn.nn.steps import steps
from skdnn.nn.trainer import Trainer
from tests.networks import mlp


def make_trainer(
    widths,
    rng,
    optimizer=None,
    *,
    dtype=np.float64,
    batch_norm=False,
    dropout=0.0,
    loss=None,
    **options,
):
    n_hidden = len(widths) - 2
    network = mlp(
        widths,
        ["tanh"] * n_hidden,
        ["lecun_normal"] * (n_hidden + 1),
        batch_norm,
        [dropout] * n_hidden,
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
    loss = loss or SquaredError(link="identity")
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

    trainer.run(steps(trainer.step, Batches(X, y, None, 2)), 1, never)

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


def test_loss_is_averaged_over_rows(rng):
    """With a learning rate of zero, the recorded loss is that of all rows."""
    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng, learning_rate=0.0)
    trainer.run(steps(trainer.step, Batches(X, y, None, 7, rng)), 2, never)
    expected = 0.5 * np.mean((trainer.network.forward(X) - y) ** 2)
    np.testing.assert_allclose(trainer.losses, expected, rtol=1e-12)


def test_schedule_moves_within_an_epoch(rng):
    """Each step asks the schedule for its own rate."""
    asked = []

    class Spy(Exponential):
        def factor(self, epoch, n_epochs):
            asked.append((epoch, n_epochs))
            return super().factor(epoch, n_epochs)

    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng, schedule=Spy(), max_epochs=5)
    trainer.run(steps(trainer.step, Batches(X, y, None, 15)), 2, never)
    assert asked == [(0, 5), (0.5, 5), (1, 5), (1.5, 5)]
    # What is kept of an epoch is the rate of its first step.
    rate = trainer.learning_rate
    np.testing.assert_allclose(trainer.learning_rates, [rate, 0.95 * rate], rtol=1e-14)


def test_schedule_and_plateau_scale_the_step(rng):
    """The step is rate times schedule times plateau factor times gradient."""
    X, y = draw(rng)
    trainer = make_trainer(
        (3, 4, 1),
        rng,
        schedule=Exponential(decay=0.5),
        learning_rate=0.8,
        start_epoch=2,
        plateau_factor=0.5,
    )
    before = trainer.network.params.copy()
    trainer.step.loss_gradient(Batch(X, y, None))
    gradient = trainer.step.grads.copy()
    trainer.run(steps(trainer.step, Batches(X, y, None, 30)), 1, never)
    np.testing.assert_allclose(trainer.network.params, before - 0.1 * gradient)


def test_runs_the_epochs_it_is_told(rng):
    """A run ends after `n_epochs`, whatever the schedule stretches over."""
    trainer = make_trainer((3, 4, 1), rng, max_epochs=10)
    trainer.run(steps(trainer.step, Batches(*draw(rng), None, 7)), 4, never)
    assert trainer.epoch == len(trainer.losses) == 4


def test_two_runs_are_one(rng):
    """With state, epoch and passes, a new trainer goes on where another one stopped."""
    batches = Batches(*draw(rng), None, 7)
    options = {"schedule": Exponential(decay=0.5), "dropout": 0.3, "seed": 5}
    whole, first = (
        make_trainer((3, 4, 1), np.random.default_rng(1), Momentum(), **options)
        for _ in range(2)
    )
    whole.run(steps(whole.step, batches), 4, never)
    first.run(steps(first.step, batches), 2, never)
    second = make_trainer(
        (3, 4, 1),
        rng,
        Momentum(),
        state=first.step.state,
        start_epoch=2,
        draws=first.step.draws,
        **options,
    )
    second.network.params[...] = first.network.params
    second.run(steps(second.step, batches), 2, never)
    assert first.losses + second.losses == whole.losses
    assert second.epoch == 4
    np.testing.assert_array_equal(second.network.params, whole.network.params)


@pytest.mark.parametrize("engine", [False, compiled.available])
def test_parts_of_an_epoch_are_one(rng, engine, monkeypatch):
    """Wherever it is cut, by NumPy and by the compiled engine."""
    monkeypatch.setattr(compiled, "available", engine)
    X, y = draw(rng)
    start = make_trainer([3, 4, 1], rng, Momentum(), dropout=0.3).network.snapshot()

    def trained(cuts):
        trainer = make_trainer([3, 4, 1], rng, Momentum(), dropout=0.3)
        trainer.network.restore(start)
        total = 0.0
        for first, stop in pairwise(cuts):
            batches = Batches(X, y, None, 4, np.random.default_rng(3))
            total += trainer.run_part(steps(trainer.step, batches), first, stop)
        return total, trainer.network.params

    total, params = trained([0, 8])
    for cuts in [0, 3, 8], [0, 1, 2, 7, 8]:
        total_of_parts, params_of_parts = trained(cuts)
        np.testing.assert_array_equal(params_of_parts, params)
        assert total_of_parts == pytest.approx(total, rel=1e-12)
    assert total > 0
    assert (params != start[0]).any()


def test_dropout_draws_from_its_seed(rng):
    """The seed that was passed decides what is dropped, and nothing else does."""
    batches = Batches(*draw(rng), None, 7)
    losses = []
    for seed in (1, 1, 2):
        trainer = make_trainer(
            (3, 40, 1),
            np.random.default_rng(0),
            dropout=0.5,
            seed=seed,
        )
        trainer.run(steps(trainer.step, batches), 2, never)
        losses.append(trainer.losses)
    assert losses[0] == losses[1] != losses[2]


def test_stops_when_told(rng):
    """The run ends after the epoch whose callable returns True."""
    X, y = draw(rng)
    trainer = make_trainer((3, 4, 1), rng)
    trainer.run(
        steps(trainer.step, Batches(X, y, None, 7)), 9, lambda: trainer.epoch == 3
    )
    assert trainer.epoch == len(trainer.losses) == 3
    assert not trainer.diverged


def test_divergence_keeps_finite_weights(rng):
    """When numbers overflow, the run ends with the weights from before the epoch."""
    X, y = draw(rng)
    trainer = make_trainer((3, 1), rng, learning_rate=1e60, max_epochs=100)
    seen = []

    def remember():
        seen.append(trainer.network.params.copy())

    trainer.run(steps(trainer.step, Batches(X, y, None, 30)), 100, remember)
    assert trainer.diverged
    assert len(trainer.losses) == len(trainer.learning_rates) == len(seen) < 100
    np.testing.assert_array_equal(trainer.network.params, seen[-1])


class Faulty(SquaredError):
    """A loss whose value is `value`, or that raises it, at the call numbered `at`.

    Each epoch calls it for every batch, and once more for its end.
    """

    def __init__(self, at, value, link="identity"):
        super().__init__(link)
        self.at = at
        self.value = value
        self.n_calls = 0

    def loss_gradient(self, *args):
        self.n_calls += 1
        value, grad = super().loss_gradient(*args)
        if self.n_calls < self.at:
            return value, grad
        if isinstance(self.value, type):
            raise self.value
        return self.value, grad


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_loss_that_is_not_finite(value, rng):
    """A loss that is not finite ends the run even if the weights still are."""
    trainer = make_trainer((3, 1), rng, loss=Faulty(10, value))
    seen = []

    def remember():
        seen.append(trainer.network.params.copy())

    trainer.run(steps(trainer.step, Batches(*draw(rng), None, 10)), 9, remember)
    assert trainer.diverged
    assert len(trainer.losses) == trainer.epoch == len(seen) == 2
    np.testing.assert_array_equal(trainer.network.params, seen[-1])


def test_weights_that_are_not_finite(rng):
    """Weights that overflow in a last step are seen before the next loss is."""
    trainer = make_trainer((3, 1), rng, learning_rate=1e308)
    before = trainer.network.params.copy()
    trainer.run(
        steps(trainer.step, Batches(*(1e3 * array for array in draw(rng)), None, 30)),
        1,
        never,
    )
    assert trainer.diverged
    assert trainer.losses == []
    np.testing.assert_array_equal(trainer.network.params, before)


def test_divergence_keeps_the_statistics(rng):
    """The running statistics, too, are those from before the epoch."""
    trainer = make_trainer((3, 4, 1), rng, loss=Faulty(10, np.inf), batch_norm=True)
    seen = []

    def remember():
        seen.append(trainer.network.statistics.copy())

    trainer.run(steps(trainer.step, Batches(*draw(rng), None, 10)), 9, remember)
    np.testing.assert_array_equal(trainer.network.statistics, seen[-1])


def test_interrupt_goes_back_to_the_epoch_start(rng):
    """Ctrl-C in the midst of an epoch leaves no half-done step."""
    X, y = draw(rng)
    seen = []

    class Interrupting(SGD):
        def update(self, w, g, rate, t, scratch):
            super().update(w, g, rate, t, scratch)
            if t == 8:
                raise KeyboardInterrupt

    trainer = make_trainer((3, 4, 1), rng, Interrupting())
    with pytest.raises(KeyboardInterrupt):
        trainer.run(
            steps(trainer.step, Batches(X, y, None, 10)),
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
    start = trainer.step.loss_gradient(batch)
    trainer.minimize(batch, 50, 1e-10, never)
    assert trainer.losses[0] == start
    assert (np.diff(trainer.losses) < 0).all()
    A = np.column_stack([X, np.ones(len(X))])
    ridge = 0.1 * len(X) * np.diag([1, 1, 1, 0])
    optimum = np.linalg.solve(A.T @ A + ridge, A.T @ y)[:, 0]
    np.testing.assert_allclose(trainer.network.params, optimum, atol=1e-6)


def test_minimize_records_the_loss_before_each_iteration(rng):
    """An epoch of L-BFGS has the objective of the point that it started from."""
    batch = Batch(*draw(rng), None)
    trainer = make_trainer((3, 4, 1), rng, LBFGS(), penalty=0.1)
    points = [trainer.network.params.copy()]
    trainer.minimize(
        batch, 20, 1e-10, lambda: points.append(trainer.network.params.copy())
    )
    expected = []
    for point in points[:-1]:
        trainer.network.params[...] = point
        expected.append(trainer.step.loss_gradient(batch))
    assert trainer.epoch == 20
    np.testing.assert_allclose(trainer.losses, expected, rtol=1e-12)


def test_minimize_stops_when_told(rng):
    """L-BFGS ends with the iterate whose callable returns True."""
    trainer = make_trainer((3, 4, 1), rng, LBFGS())
    points = []

    def stop():
        points.append(trainer.network.params.copy())
        return len(points) == 3

    trainer.minimize(Batch(*draw(rng), None), 20, 0.0, stop)
    assert trainer.epoch == len(trainer.losses) == 3
    np.testing.assert_array_equal(trainer.network.params, points[-1])


def test_minimize_at_the_minimum(rng):
    """Where there is nothing to gain, the loss is recorded all the same."""
    trainer = make_trainer((3, 1), rng, LBFGS())
    X, _ = draw(rng)
    before = trainer.network.params.copy()
    trainer.minimize(Batch(X, trainer.network.forward(X), None), 20, 1e-8, never)
    assert trainer.losses == [0.0]
    np.testing.assert_array_equal(trainer.network.params, before)


def test_minimize_from_a_loss_that_is_not_finite(rng):
    """L-BFGS that starts where numbers overflow stays there, and says so."""
    X, y = draw(rng)
    trainer = make_trainer((3, 1), rng, LBFGS())
    before = trainer.network.params.copy()
    trainer.minimize(Batch(X, 1e200 * y, None), 20, 1e-8, never)
    assert trainer.diverged
    assert trainer.losses == []
    np.testing.assert_array_equal(trainer.network.params, before)


def test_interrupted_minimize_goes_back_to_an_iterate(rng):
    """Ctrl-C in the midst of a line search leaves the last iterate."""
    trainer = make_trainer((3, 4, 1), rng, LBFGS(), loss=Faulty(9, KeyboardInterrupt))
    points = []
    with pytest.raises(KeyboardInterrupt):
        trainer.minimize(
            Batch(*draw(rng), None),
            50,
            0.0,
            lambda: points.append(trainer.network.params.copy()),
        )
    assert trainer.epoch == len(trainer.losses) == len(points) > 1
    np.testing.assert_array_equal(trainer.network.params, points[-1])


def test_minimize_in_float32(rng):
    """The search is in float64, the network stays in float32 and converges."""
    X, y = draw(rng, dtype=np.float32)
    trainer = make_trainer((3, 1), rng, LBFGS(), dtype=np.float32)
    trainer.minimize(Batch(X, y, None), 50, 1e-5, never)
    A = np.column_stack([X, np.ones(len(X))])
    optimum = np.linalg.lstsq(A, y[:, 0])[0]
    assert trainer.network.params.dtype == np.float32
    np.testing.assert_allclose(trainer.network.params, optimum, atol=1e-3)
