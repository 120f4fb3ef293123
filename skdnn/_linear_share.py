"""A linear model beside the network, where rows are few.

A network that has seen fifty rows is a poor judge of whether a straight line would do.
So a linear model is trained on the same rows, and the raw predictions are a weighted
mean of both: the rows that are held out choose the weight (stacking, Wolpert, 1992, by
convex weights, Breiman, 1996).
"""

from typing import NamedTuple

import numpy as np

from skdnn._calibration import MeanLoss, fit_temperature
from skdnn.nn.batches import Batch
from skdnn.nn.copying import copy_branch
from skdnn.nn.inputs import sources
from skdnn.nn.mlp import build_mlp
from skdnn.nn.network import Network
from skdnn.nn.optimizers import LBFGS
from skdnn.nn.step import Step

#: Strengths of the L2 penalty to choose from, beside the sum of the losses.
STRENGTHS = 100.0, 10.0, 1.0, 0.1

#: Shares to choose from, and what few rows say before they are looked at.
SHARES, USUAL_SHARE = np.linspace(0, 1, 21), 0.25

#: What it takes to move the share from there: with `n` rows, a loss that is
#: ``PRIOR / n * (share - usual)^2`` lower, as a part of that of the network.
PRIOR = 8.0

#: Iterations of L-BFGS, and the largest entry of the gradient at its end.
ITERATIONS, TOLERANCE = 100, 1e-4


class LinearShare(NamedTuple):
    """A linear model, and how much of the raw predictions it is.

    Attributes
    ----------
    network : Network
        Without hidden layers. It reads encoded numbers and columns of zeros and ones,
        but no codes of categories.
    strength : float
        Of its L2 penalty.
    share : float
        From 0 to 1.
    temperature : float
        What the weighted mean is divided by.
    """

    network: Network
    strength: float
    share: float
    temperature: float

    def added_to(self, model):
        """Return a model with this share, around its network."""
        plan = {**model.architecture, "linear_share": self.share}
        network = build_mlp(**plan)
        copy_branch(network, model.network)
        (linear,), join = self.network.layers, network.layers[-1]
        # What embeddings return has each column as it is, before what they make of it.
        _, first = np.unique(sources(network), return_index=True)
        join.weight[..., first[: linear.n_inputs], :] = linear.weight
        join.bias[...] = self.share * linear.bias
        return model._replace(architecture=plan, network=network)


def fit_linear_share(model, batch, n_rows, known):
    """Return a linear model of all rows, with a strength and a share that are known.

    Parameters
    ----------
    model : Model
    batch : Batch
        The training rows.
    n_rows : float
        How many they stand for.
    known : LinearShare
        Of the same table.
    """
    rows, linear = _without_codes(model, batch), _linear_network(model, None)
    _minimize(linear, model.targets.loss, rows, known.strength / n_rows)
    return known._replace(network=linear)


def choose_linear_share(model, batch, n_rows, validator):
    """Return a linear model, whose strength and share suit the rows held out best.

    Parameters
    ----------
    model : Model
        With the network, trained, and its temperature.
    batch : Batch
        The training rows.
    n_rows : float
        How many they stand for.
    validator : Validator

    Returns
    -------
    share : LinearShare or None
        None where the network is better alone.
    """
    held_out, loss = validator.held_out, model.targets.loss

    def mean_loss(raw):
        return MeanLoss(loss, held_out.y, raw, held_out.weight)(1.0)[0]

    linear, strength, of_linear = _best_linear(
        model, batch, n_rows, held_out, mean_loss
    )
    of_network = held_out.own(model.network.predict(held_out.X)) / model.temperature

    def mean_of_both(share):
        return (1 - share) * of_network + share * of_linear

    losses = np.array([mean_loss(mean_of_both(share)) for share in SHARES])
    if not np.isfinite(losses).all():
        return None
    distance = (SHARES - USUAL_SHARE) ** 2
    losses += PRIOR / held_out.n_rows * abs(losses[0]) * distance
    share = float(SHARES[np.argmin(losses)])
    if share == 0:
        return None
    temperature = 1.0
    if validator.scale_temperature:
        temperature, _ = fit_temperature(
            loss, held_out.y, mean_of_both(share), held_out.weight, held_out.n_rows
        )
    # ((1 - share) network / its temperature + share linear) / temperature, with one
    # temperature in the end.
    of_both = (1 - share) / model.temperature + share
    return LinearShare(linear, strength, share / of_both, temperature / of_both)


def _best_linear(model, batch, n_rows, held_out, mean_loss):
    """Return the best linear model, its strength, and its raw predictions."""
    rows = _without_codes(model, batch)
    linear = _linear_network(model, held_out.n_members)
    X, fits = held_out.X[:, : linear.n_inputs], []
    for strength in STRENGTHS:
        # The strongest first: each begins where the one before has ended.
        _minimize(linear, model.targets.loss, rows, strength / n_rows)
        raw = held_out.own(linear.predict(X))
        fits.append((mean_loss(raw), strength, raw, linear.snapshot()))
    _, strength, raw, snapshot = min(fits, key=lambda fit: fit[0])
    linear.restore(snapshot)
    return linear, strength, raw


def _linear_network(model, n_members):
    """Return a network without hidden layers, whose parameters are zero."""
    n_codes = len(model.encoder.cardinalities_)
    return build_mlp(
        model.encoder.n_features_out_ - n_codes,
        [],
        model.targets.n_outputs,
        activations=[],
        initializers=["glorot_uniform"],
        dropout=[],
        n_members=n_members,
    )


def _minimize(network, loss, batch, penalty):
    """Train a network by L-BFGS, from where it is."""
    step = Step(network, loss, None, penalty)

    def objective(params):
        network.params[...] = params
        # The gradient of an ensemble is that of the sum over its members.
        value = step.loss_gradient(batch) * (network.n_members or 1)
        return value, step.grads

    start = network.params.copy()
    network.params[...] = LBFGS().minimize(
        objective, start, ITERATIONS, TOLERANCE, lambda params: False
    )


def _without_codes(model, batch):
    """Return a batch in float64, without the codes of categories, which are last."""
    X = batch.X[:]
    n_columns = X.shape[1] - len(model.encoder.cardinalities_)
    y, weight = batch.y, batch.weight
    if y.dtype.kind == "f":
        y = y.astype(np.float64)
    if weight is not None:
        weight = weight.astype(np.float64)
    return Batch(X[:, :n_columns].astype(np.float64), y, weight)
