"""A training run whose epochs are rounds on a cluster."""

from copy import deepcopy
from typing import NamedTuple

import numpy as np

from skdnn._data import Data
from skdnn._model import Model
from skdnn._rows import Rows
from skdnn._training import Training, penalty_of
from skdnn._validation import Validator, scorer_of
from skdnn.dask._rounds import (
    Epoch,
    Plan,
    State,
    as_it_is,
    average,
    judge,
    member_of,
    run_round,
)
from skdnn.nn.batches import Batch
from skdnn.nn.copying import set_member
from skdnn.nn.noise import seed_of_member
from skdnn.nn.trainer import PROBED_ROWS
from skdnn.nn.workers import ALONE


class Shards(NamedTuple):
    """Encoded rows on the workers, and what the client has to know of them.

    Attributes
    ----------
    futures : list of Future of Shard
    workers : list of str
        Where each should be.
    n_rows : list of int
        Of each.
    n_trained : float
        How many rows a member trains on, on average.
    total : float
        The sum of their weights.
    """

    futures: list
    workers: list
    n_rows: list
    n_trained: float
    total: float


class HeldOutRows(NamedTuple):
    """Targets of the rows that workers hold out, in the order of their predictions.

    Attributes
    ----------
    futures : list of Future of Shard
        Where the rows are.
    workers : list of str
    targets : ndarray of shape (n,) or (n, n_outputs)
    weight : ndarray of shape (n,), or None
    member : ndarray of int of shape (n,), or None
        Which member holds a row out; None is that all do.
    """

    futures: list
    workers: list
    targets: np.ndarray
    weight: np.ndarray | None
    member: np.ndarray | None


class Track(NamedTuple):
    """A network, and the shards that train it.

    Attributes
    ----------
    model : Model
        With the network as it is now.
    memory : dict
        What its optimizer remembers.
    orders : dict of int to Generator
        Of the rows of each shard, by its place, in the next epoch.
    plan : Future of Plan
    shards, judges : list of Future of Shard
        What trains it, and what it is validated on.
    workers, judging : list of str
        Where these should be.
    """

    model: Model
    memory: dict
    orders: dict
    plan: object
    shards: list
    judges: list
    workers: list
    judging: list


class ClusterTraining(Training):
    """One run, whose epochs are rounds of local steps on a cluster.

    Parameters
    ----------
    cluster : Cluster
    n_rounds : int
        Averages an epoch, at most.
    apart : bool
        Whether members are trained apart, each of them on all rows.
    **params
        Of `Training`.
    """

    def __init__(self, cluster, n_rounds, apart, **params):
        super().__init__(**params)
        self.cluster = cluster
        self._n_rounds = n_rounds
        self._apart = apart

    def run(self, model, shards, sample, held_out=None, as_estimator=None):
        """Train the model on shards.

        Parameters
        ----------
        model : Model
            Which has learned from them; without a network, or the one to go on with.
        shards : Shards
        sample : Sample
            Of their training rows.
        held_out : HeldOutRows, default=None
            What to validate on.
        as_estimator : callable, default=None
            Returns an estimator that predicts with a model, for scorers.

        Returns
        -------
        self : object
        """
        settings = self.settings
        penalty = penalty_of(settings.alpha, shards.n_trained, shards.total)
        if model.network is None:
            model = model.with_network(settings, sample, self.streams["weights"])
        else:
            model = model.copy()
        self._apart = self._apart and model.network.members_apart
        self.trainer = self._make_trainer(model, penalty)
        self._shards = shards
        self._tracks = self._make_tracks(model, held_out, penalty)
        validate = None
        if held_out is not None:
            validate = PooledValidator(
                model, held_out, settings, as_estimator, self._predicted
            )
        self.rule = self._make_rule(model, validate)
        self.batch, _ = model.batch(sample, sample.rows)
        self._model = model
        self._train()
        # Few rows are all in the sample.
        self._doubt(shards.n_trained)
        return self

    def progress(self):
        # That of a single shard is that of all rows.
        orders = self._tracks[0].orders
        if len(orders) == 1:
            self.streams["order"] = orders[0]
        for i, track in enumerate(self._tracks if self._apart else ()):
            for name, value in track.memory.items():
                _set_member(self._model, self.trainer.step.state, name, value, i)
        return super().progress()

    def forget(self):
        """Let go of all that workers hold; no epoch can follow."""
        self._shards = self._tracks = self._raw = None

    def _make_tracks(self, model, held_out, penalty):
        settings, trainer = self.settings, self.trainer
        size = {"bgd": None, "sgd": 1, "minibatch": settings.batch_size}
        plan = Plan(
            model,
            settings.optimizer,
            trainer.schedule,
            trainer.learning_rate,
            penalty,
            size[settings.solver],
            settings.shuffle,
            trainer.step.seed,
        )
        fewest = min(map(plan.n_batches, self._shards.n_rows))
        self._n_rounds = 1 if self._apart else min(self._n_rounds, fewest)
        self._n_batches = max(map(plan.n_batches, self._shards.n_rows))
        if self._apart:
            members = range(model.network.n_members)
            return [self._track_of_member(plan, i, held_out) for i in members]
        n_shards, order = len(self._shards.futures), self.streams["order"]
        orders = [order] if n_shards == 1 else order.spawn(n_shards)
        futures, workers = ([], []) if held_out is None else held_out[:2]
        return [
            Track(
                model,
                trainer.step.state,
                dict(enumerate(orders)),
                self.cluster.submit(as_it_is, plan, at=(0,)),
                self._shards.futures,
                futures,
                self._shards.workers,
                workers,
            )
        ]

    def _track_of_member(self, plan, i, held_out):
        """Return what trains a member on its own, on a worker that has all rows."""
        cluster, (shard,) = self.cluster, self._shards.futures
        workers = [cluster.workers[i % len(cluster.workers)]]
        shards = [cluster.submit(member_of, shard, i, at=(i,), worker=workers[0])]
        judges = [] if held_out is None else shards
        if held_out is not None and held_out.member is None:
            judges = held_out.futures
        model = plan.model.member(i)
        memory = {
            name: _of_member(plan.model, value, i)
            for name, value in self.trainer.step.state.items()
        }
        plan = plan._replace(model=model, seed=seed_of_member(plan.seed, i))
        future = cluster.submit(as_it_is, plan, at=(i,))
        orders = {0: deepcopy(self.streams["order"])}
        return Track(
            *(model, memory, orders, future, shards, judges, workers),
            workers * len(judges),
        )

    def _train(self):
        """Run epochs until something stops it."""
        trainer, network = self.trainer, self.trainer.network
        on_epoch_end, on_epoch_begin = self._hooks(ALONE)
        before = network.snapshot()
        probe = Batch(*(a if a is None else a[:PROBED_ROWS] for a in self.batch))
        try:
            for _ in range(self.n_epochs or 1):
                on_epoch_begin()
                network.snapshot(out=before)
                try:
                    loss, rate = self._run_epoch()
                except KeyboardInterrupt:
                    network.restore(before)
                    raise
                with np.errstate(all="ignore"):
                    diverged = trainer.end_epoch(loss, probe, before, rate)
                if diverged or on_epoch_end():
                    break
        except KeyboardInterrupt:
            if not self.rule.n_epochs:
                raise
            self.interrupted = True
        self.n_steps = self.rule.n_epochs * self._n_batches

    def _run_epoch(self):
        """Run the rounds of an epoch.

        Return the mean objective before each step, and the first learning rate.
        """
        trainer = self.trainer
        if trainer.time_for is not None:
            trainer.max_epochs = trainer.time_for(trainer.epoch)
        epoch = Epoch(
            *(trainer.epoch, trainer.step.draws, self._n_rounds),
            *(trainer.plateau_factor, trainer.max_epochs),
        )
        last, self._raw = [], []
        for i, track in enumerate(self._tracks):
            state = self._rounds(i, track, epoch)
            last.append(state)
            # They don't wait for the client to have seen the state.
            self._raw += [
                self.cluster.submit(
                    judge, shard, track.plan, state, at=(i, epoch.number, k), worker=at
                )
                for k, (shard, at) in enumerate(
                    zip(track.judges, track.judging, strict=True)
                )
            ]
        states = self.cluster.collect(last)
        for i, (track, state) in enumerate(zip(self._tracks, states, strict=True)):
            track.model.network.restore((state.params, state.statistics))
            track.memory.update(state.memory)
            track.orders.update(state.orders)
            if track.model.network is not trainer.network:
                set_member(trainer.network, i, track.model.network)
        trainer.step.draws += self._n_batches
        factor = trainer.schedule.factors(np.array([epoch.number]), epoch.max_epochs)
        rate = float(trainer.learning_rate * (epoch.plateau_factor * factor[0]))
        return float(np.mean([state.loss for state in states])), rate

    def _rounds(self, i, track, epoch):
        """Return the future of the state after the rounds of an epoch on a track."""
        cluster, none = self.cluster, np.zeros(2)
        before = dict(track.memory), dict(track.orders)
        start = State(*track.model.network.snapshot(), *before, none, none)
        state = cluster.submit(as_it_is, start, at=(1, i, epoch.number))
        for number in range(epoch.n_rounds):
            states = [
                cluster.submit(
                    run_round,
                    *(shard, track.plan, state, epoch, number, k),
                    at=(i, epoch.number, number, k),
                    worker=worker,
                )
                for k, (shard, worker) in enumerate(
                    zip(track.shards, track.workers, strict=True)
                )
            ]
            state = cluster.merge(average, states, at=(i, epoch.number, number))
        return state

    def _predicted(self):
        """Return raw predictions of the rows held out, as of the last epoch."""
        raw = self.cluster.collect(self._raw)
        if not (self._apart and self.rule.validate.together):
            return np.concatenate(raw, axis=-2)
        n_judges = len(self._tracks[0].judges)
        parts = [raw[i : i + n_judges] for i in range(0, len(raw), n_judges)]
        return np.stack([np.concatenate(of_member) for of_member in parts])


class PooledValidator(Validator):
    """Measures loss and score on the rows that all workers hold out.

    Parameters
    ----------
    model : Model
        In training.
    held_out : HeldOutRows
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    as_estimator : callable
        Returns an estimator that predicts with a model, for scorers.
    predicted : callable
        Returns the raw predictions of these rows.

    Attributes
    ----------
    together : bool
        Whether all members predict all rows.
    """

    def __init__(self, model, held_out, settings, as_estimator, predicted):
        self.model = model
        self.scale_temperature = settings.temperature_scaling
        self.together = held_out.member is None
        n = len(held_out.targets)
        rows = Rows(np.arange(n), held_out.weight)
        self._y = model.targets.encode(held_out.targets)
        self._weight, total = model.weights(held_out.targets, rows)
        self._n_rows = max(n, total)
        self._predicted = predicted
        self._as_estimator = as_estimator
        self._scorers = []
        if settings.scoring != "loss":
            data = Data(
                None,
                held_out.targets,
                rows,
                n,
                np.arange(n)[:, None],
                held_out.weight is not None,
                0,
            )
            members = np.unique([] if self.together else held_out.member)
            of_members = [np.flatnonzero(held_out.member == i) for i in members]
            self._scorers = [
                scorer_of(
                    model,
                    data._replace(rows=rows.take(positions)),
                    settings.scoring,
                    self._estimator,
                )
                for positions in of_members or [np.arange(n)]
            ]

    def raw(self, workers):
        """Return raw predictions (n, n_outputs), or (n_members, n, n_outputs)."""
        self._last = self._predicted()
        return self._last

    def _estimator(self, model):
        """Return an estimator that knows the predictions of these rows already."""
        estimator = self._as_estimator(model)

        def predict(X, finish, **options):
            raw = self._last[..., X[:, 0], :].astype(np.float64)
            return getattr(model.targets, finish)(raw / model.temperature)

        estimator._predict = predict
        return estimator


def _of_member(model, value, index):
    """Return of a vector like the parameters what is a member's; a number is all's."""
    if not isinstance(value, np.ndarray):
        return value
    network = model.network.copy()
    network.adopt(value.copy(), network.statistics)
    return model._replace(network=network).member(index).network.params


def _set_member(model, memory, name, value, index):
    """Set in such a vector what is a member's."""
    if not isinstance(value, np.ndarray):
        memory[name] = value
        return
    network, of_member = model.network.copy(), model.member(index).network
    network.adopt(memory[name], network.statistics)
    of_member.adopt(value, of_member.statistics)
    set_member(network, index, of_member)
