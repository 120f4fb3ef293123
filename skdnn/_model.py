"""What predicts, and what a file holds of it."""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skdnn._architecture import architecture
from skdnn._parameters import from_name
from skdnn._pretrained import n_transferred
from skdnn._rows import chunks
from skdnn._statistics import (
    ClassStatistics,
    Moments,
    Sample,
    TableStatistics,
    sum_of_blocks,
    sum_of_weights,
)
from skdnn._targets import Targets
from skdnn._threads import threads_for
from skdnn.encoding import TabularEncoder
from skdnn.nn.batches import Batch, SparseRows
from skdnn.nn.copying import copy_hidden, copy_member, copy_outputs, cut_above
from skdnn.nn.embeddings import CATEGORICAL_EMBEDDINGS
from skdnn.nn.mlp import build_mlp
from skdnn.nn.network import Network
from skdnn.nn.workers import Workers

#: Rows predicted at a time; with fewer, threads wait for Python's lock.
PREDICTED_ROWS = 4096


class Statistics(NamedTuple):
    """What a model learns of some rows before there is a network.

    Attributes
    ----------
    columns : TableStatistics or None
        None where a pretrained network knows the columns.
    targets : ClassStatistics or Moments
    sample : Sample
    n_rows : int
        How many rows there are.
    total_weight : float, or None where all count one
    """

    columns: TableStatistics | None
    targets: ClassStatistics | Moments
    sample: Sample
    n_rows: int
    total_weight: float | None

    def packed(self):
        """Return the same without the table, to be sent or merged."""
        return self._replace(sample=self.sample.packed())

    @classmethod
    @np.errstate(over="ignore", under="ignore")
    def merged(cls, parts):
        """Return those of the rows of several parts, all packed."""
        columns, targets, samples, n_rows, totals = zip(*parts, strict=True)
        sample = Sample.merged(samples)
        targets = type(targets[0]).merged(targets)
        columns = None if columns[0] is None else TableStatistics.merged(columns)
        total = None
        if any(t is not None for t in totals):
            weights = zip(totals, n_rows, strict=True)
            total = sum(n if weight is None else weight for weight, n in weights)
        if len(sample.rows.index) == sum(n_rows):
            # It is all that there is: learn from it as if it had come as one.
            targets = targets.of_sample(sample)
            total = sum_of_weights(sample.rows)
            if columns is not None:
                columns = columns.of_sample(sample)
        return cls(columns, targets, sample, sum(n_rows), total)


class Model(NamedTuple):
    """From the rows of a table to predictions.

    Attributes
    ----------
    encoder : TabularEncoder
    targets : Targets
    architecture : dict, default=None
        Arguments of `build_mlp`, plain data; None before there is a network.
    network : Network, default=None
    temperature : float, default=1.0
        What raw predictions are divided by.
    """

    encoder: TabularEncoder
    targets: Targets
    architecture: dict | None = None
    network: Network | None = None
    temperature: float = 1.0

    @property
    def raw_shape(self):
        """Shape of the raw predictions of a row."""
        network = self.network
        members = () if network.n_members is None else (network.n_members,)
        return *members, 1, network.n_outputs

    def sample(self, data, rows):
        """Return some rows of checked data, and what their codes stand for."""
        names, labels = self.encoder.names_of_codes, self.targets.labels
        return Sample(data.X, data.targets, rows, names, labels)

    def statistics(self, data, rows):
        """Return what there is to learn from some rows, which may be but a part.

        Parameters
        ----------
        data : Data
        rows : Rows

        Returns
        -------
        statistics : Statistics
        """
        sample, columns = self.sample(data, rows), None
        if sample.names is not None:
            columns = self.encoder.statistics(data.X, rows)
        of_targets = self.targets.statistics(data.targets, rows)
        total = sum_of_weights(rows)
        return Statistics(columns, of_targets, sample.cut(), len(rows.index), total)

    def learn(self, statistics, settings, is_whole):
        """Learn what encoding and decoding need.

        A pretrained network has its encoder, which has learned.

        Parameters
        ----------
        statistics : Statistics
            Of all training rows.
        settings : namespace
            Parameters of the estimator, nothing left on ``"auto"``.
        is_whole : bool
            Whether there will be no others.
        """
        if statistics.columns is not None:
            # All that the encoder has done so far is to check.
            entity = from_name(settings.categorical_embedding, CATEGORICAL_EMBEDDINGS)
            self.encoder.set_params(
                max_one_hot=None if entity is None else entity.max_one_hot,
                min_frequency=settings.min_frequency,
                dtype=settings.dtype,
            )
            self.encoder.learn(statistics.columns, statistics.sample, is_whole)
        self.targets.learn(statistics.targets, statistics.sample, settings)

    def with_network(self, settings, sample, rng):
        """Return the model with a network of which nothing is trained yet.

        But for the hidden layers that it takes over from a pretrained one.

        Parameters
        ----------
        settings : namespace
            Parameters of the estimator, nothing left on ``"auto"``.
        sample : Sample
            Of the training rows.
        rng : numpy.random.Generator
            Of the initial parameters.
        """
        plan = architecture(settings, self.encoder, self.targets.n_outputs)
        network = build_mlp(**plan)
        network.initialize(rng)
        if settings.pretrained is not None:
            other, n_hidden = settings.pretrained.network_, n_transferred(settings)
            copy_hidden(network, other, n_hidden)
        elif network.adapts:
            (X, _, weight), _ = self.batch(sample, sample.rows)
            # Dense, even where the table is sparse.
            network.adapt(X[:], None if weight is None else weight.mean(axis=1))
        return self._replace(architecture=plan, network=network)

    def copy(self):
        """Return the model with a network of its own."""
        return self._replace(network=self.network.copy())

    def member(self, index):
        """Return a member of the ensemble, as a model with a network of its own."""
        plan = {**self.architecture, "n_members": None}
        network = build_mlp(**plan)
        copy_member(network, self.network, index)
        return self._replace(architecture=plan, network=network)

    def without_auxiliary(self):
        """Return the model without the outputs that are there only to learn from."""
        targets = self.targets.without_auxiliary()
        if targets is self.targets:
            return self
        plan = {**self.architecture, "n_outputs": targets.n_outputs}
        network = build_mlp(**plan)
        copy_outputs(network, self.network)
        return self._replace(targets=targets, architecture=plan, network=network)

    def up_to(self, hidden):
        """Return a model whose raw predictions are outputs of a hidden layer."""
        return self._replace(network=cut_above(self.network, hidden), temperature=1.0)

    def batch(self, data, rows):
        """Return rows of checked data as the network reads them.

        Returns
        -------
        batch : Batch
        total_weight : float
            The sum of their weights.
        """
        if issparse(data.X):
            X = SparseRows(*self.encoder.encode_sparse_rows(data.X, rows.index))
        else:
            X = self.encoder.encode_rows(data.X, rows.index)
        y = self.targets.encode(data.targets[rows.index])
        weight, total = self.weights(data.targets, rows)
        return Batch(X, y, weight), total

    def weights(self, targets, rows):
        """Return weights of mean 1, or None where all are, and their sum before.

        Members that do not learn from all rows have weights of their own, and the sum
        is the mean of theirs.
        """
        rows, n = self.targets.weigh(targets, rows), len(rows.index)
        if rows.weight is None and rows.trained_by is None:
            return None, n
        weight = np.ones((n, 1)) if rows.weight is None else rows.weight[:, None]
        if rows.trained_by is not None:
            weight = weight * rows.trained_by
        total = sum_of_blocks(weight)
        for sum_of_member in total:
            if not 0 < sum_of_member < np.inf:
                raise ValueError(
                    "The weights of the training or validation rows, sample_weight "
                    "times class_weight, must have a sum that is finite and not zero: "
                    f"{sum_of_member}."
                )
        weight = (weight / total * n).astype(self.encoder.dtype)
        return weight, float(total.mean())

    def predict(self, X, finish, dtype=np.float64):
        """Return ``finish(raw predictions)``, computed a few rows at a time.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            What ``encoder.validate`` returned.
        finish : callable
            From raw predictions (n, n_outputs), or (n_members, n, n_outputs), to an
            array of `n` rows.
        dtype : numpy dtype, default=float64
            Of the raw predictions: a float32 can't tell a probability of 1 - 1e-9 from
            1. None is that of the network.
        """
        # That of the network, whatever the parameter has been set to since.
        dtype = self.network.params.dtype if dtype is None else np.dtype(dtype)
        n_raw = self.network.n_outputs * (self.network.n_members or 1)
        spans = chunks(X.shape[0], max(X.shape[1], n_raw), PREDICTED_ROWS)
        sparse = None
        if issparse(X):
            every = np.arange(X.shape[0])
            sparse = SparseRows(*self.encoder.encode_sparse_rows(X, every))

        predict_span = partial(self._predict_span, X, sparse, finish, dtype)
        first, *others = spans
        part = predict_span(first)
        out = np.empty((X.shape[0], *part.shape[1:]), part.dtype)
        out[first] = part

        def write_span(span):
            out[span] = predict_span(span)

        if others:
            with (
                threads_for(0, len(others)) as n_threads,
                Workers(n_threads) as workers,
            ):
                workers.map(write_span, others)
        return out

    @np.errstate(all="ignore")
    def _predict_span(self, X, sparse, finish, dtype, span):
        """Return what `predict` does, of some rows."""
        shape = span.stop - span.start, self.encoder.n_features_out_
        rows = np.empty(shape, self.network.params.dtype)
        if sparse is None:
            self.encoder.encode(X[span], out=rows)
        else:
            sparse.take(span, out=rows)
        raw = self.network.predict(rows)
        return finish(raw.astype(dtype, copy=False) / dtype.type(self.temperature))

    def state(self):
        """Return the model as plain data and arrays, for a file.

        The network is its widths and its two vectors, not objects: classes inside skdnn
        may move and change without making old files unreadable, and a file holds few
        types that its reader has to trust.
        """
        network = self.network
        return {
            "encoder": self.encoder,
            "targets": vars(self.targets),
            "architecture": self.architecture,
            "network": {"params": network.params, "statistics": network.statistics},
            "temperature": self.temperature,
        }

    @classmethod
    def from_state(cls, state, targets):
        """Return the model that had this state; `targets` are of its class, empty."""
        vars(targets).update(state["targets"])
        network = build_mlp(**state["architecture"])
        network.adopt(**state["network"])
        return cls(
            state["encoder"],
            targets,
            state["architecture"],
            network,
            state["temperature"],
        )
