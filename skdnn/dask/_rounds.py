"""Local steps and averaging: what trains a network on rows that are on many workers.

Each worker takes steps of its own on its own rows, from the same parameters; then these
are averaged, and what the optimizer remembers with them, and all go on from there
(local SGD: Stich, 2019; Lin et al., 2020).  A round is one such stretch.  What it comes
to depends on its arguments alone, so that Dask can compute any of them again.
"""

from contextlib import contextmanager
from copy import deepcopy
from math import ceil
from typing import NamedTuple

import numpy as np

from skdnn._model import Model
from skdnn._threads import shared_threads, threads_for
from skdnn._validation import raw_predictions
from skdnn.nn.batches import Batches
from skdnn.nn.noise import mix
from skdnn.nn.optimizers import Optimizer
from skdnn.nn.schedules import Schedule
from skdnn.nn.steps import largest_product, steps
from skdnn.nn.trainer import Trainer
from skdnn.nn.workers import Workers


class Plan(NamedTuple):
    """What all rounds of a training have in common.

    Attributes
    ----------
    model : Model
        Its parameters are of no account.
    optimizer : Optimizer
    schedule : Schedule
    learning_rate : float
    penalty : float
    batch_size : int or None
        None is all rows of a shard.
    shuffle : bool
    seed : int
        Of dropout, on the first shard.
    """

    model: Model
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    penalty: float
    batch_size: int | None
    shuffle: bool
    seed: int

    def n_batches(self, n_rows):
        """Return how many steps an epoch has on so many rows."""
        return ceil(n_rows / (self.batch_size or n_rows))


class Epoch(NamedTuple):
    """What the rounds of an epoch have in common.

    Attributes
    ----------
    number : int
        Of epochs before.
    draws : int
        How often dropout has been drawn before.
    n_rounds : int
    plateau_factor, max_epochs : float
        As `Trainer` has them.
    """

    number: int
    draws: int
    n_rounds: int
    plateau_factor: float
    max_epochs: float


class State(NamedTuple):
    """Where training stands after a round.

    Attributes
    ----------
    params, statistics : ndarray
        Of the network.
    memory : dict
        What the optimizer remembers: vectors, and how many steps have been taken.
    orders : dict of int to Generator
        Of the rows of each shard, by its place, in the next epoch.
    sums : ndarray of shape (2,)
        Of the rows of this round: the objective before each step, and what they weigh.
    earlier : ndarray of shape (2,)
        The same of the rounds of this epoch before.
    weight : float
        What this counts in an average.
    """

    params: np.ndarray
    statistics: np.ndarray
    memory: dict
    orders: dict
    sums: np.ndarray
    earlier: np.ndarray
    weight: float = 1.0

    @property
    def loss(self):
        """The mean objective of the epoch so far."""
        total, weight = self.sums + self.earlier
        return total / weight


def run_round(shard, plan, state, epoch, number, place):
    """Return the state after the steps of a round on a shard.

    Parameters
    ----------
    shard : Shard
    plan : Plan
    state : State
        Of the last average.
    epoch : Epoch
    number : int
        Of the round, in its epoch.
    place : int
        Of the shard, among all.
    """
    n_rows = len(shard.batch.X)
    n_batches = plan.n_batches(n_rows)
    first, stop = (n_batches * i // epoch.n_rounds for i in (number, number + 1))
    trainer = _trainer(shard, plan, state, epoch, place)
    trainer.step.draws = epoch.draws + first
    size = plan.batch_size or n_rows
    # The same for all rounds of an epoch.
    order = deepcopy(state.orders[place])
    batches = Batches(*shard.batch, size, order if plan.shuffle else None)
    taken = steps(trainer.step, batches)
    largest = largest_product(trainer.network, size)
    with shared_threads(), _workers(largest, taken.n_apart) as workers:
        loss = trainer.run_part(taken, first, stop, workers)
    shard.trainer = trainer
    memory = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in trainer.step.state.items()
    }
    share = shard.total / n_rows
    is_last = number == epoch.n_rounds - 1
    return State(
        *trainer.network.snapshot(),
        memory,
        {place: order if is_last else state.orders[place]},
        share * np.array([loss, min(stop * size, n_rows) - first * size]),
        state.earlier + state.sums,
        shard.total,
    )


def average(states):
    """Return the mean of several states, by their weights."""
    total = sum(state.weight for state in states)
    shares = [state.weight / total for state in states]

    def mean(arrays):
        # Of what is the same in all, as frozen layers are, this changes no bit.
        first, *others = arrays
        out = first.astype(np.float64)
        for share, array in zip(shares[1:], others, strict=True):
            out += share * np.subtract(array, first, dtype=np.float64)
        return out.astype(first.dtype)

    memories = [state.memory for state in states]
    return State(
        mean([state.params for state in states]),
        mean([state.statistics for state in states]),
        {
            name: mean([m[name] for m in memories])
            if isinstance(value, np.ndarray)
            else max(m[name] for m in memories)
            for name, value in memories[0].items()
        },
        {k: order for state in states for k, order in state.orders.items()},
        sum(state.sums for state in states),
        states[0].earlier,
        total,
    )


def judge(shard, plan, state):
    """Return raw predictions of the rows that a shard holds out."""
    model = plan.model.copy()
    model.network.restore((state.params, state.statistics))
    with shared_threads(), _workers(0, model.network.n_members or 1) as workers:
        if shard.positions is None:
            every = np.arange(len(shard.held_out))
            return raw_predictions([model.network], shard.held_out, every, workers)
        n_members = len(shard.positions)
        networks = [model.network]
        if n_members > 1:
            networks = [model.member(i).network for i in range(n_members)]
        positions = shard.positions.ravel()
        return raw_predictions(networks, shard.batch.X, positions, workers)


def as_it_is(value):
    """Return what was sent: a task that Dask can repeat."""
    return value


def _trainer(shard, plan, state, epoch, place):
    """Return a trainer that stands where the state says."""
    # Another round may run at the same time, where a task was sent twice.
    trainer, shard.trainer = shard.trainer, None
    if trainer is None:
        trainer = Trainer(
            plan.model.copy().network,
            plan.model.targets.loss,
            plan.optimizer,
            plan.schedule,
            learning_rate=plan.learning_rate,
            penalty=plan.penalty,
            max_epochs=epoch.max_epochs,
            seed=mix(plan.seed + place) if place else plan.seed,
        )
    trainer.network.restore((state.params, state.statistics))
    for name, value in state.memory.items():
        if isinstance(value, np.ndarray):
            trainer.step.state[name][...] = value
        else:
            trainer.step.state[name] = value
    trainer.epoch = epoch.number
    trainer.max_epochs = epoch.max_epochs
    trainer.plateau_factor = epoch.plateau_factor
    return trainer


@contextmanager
def _workers(n_operations, n_apart):
    """Yield threads for what runs side by side; as in `threads_for`."""
    with (
        threads_for(n_operations, n_apart) as n_threads,
        Workers(n_threads) as workers,
    ):
        yield workers


def member_of(shard, index):
    """Return a shard as a member of an ensemble sees it."""
    return shard.member(index)
