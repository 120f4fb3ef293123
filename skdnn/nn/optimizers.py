"""Optimizers over one flat parameter vector.

An optimizer is its hyperparameters.  What it remembers between steps is the state that
`init` returns, so that one object can be shared, cloned and searched over
(``optimizer__beta_1``) like any other scikit-learn object.

In formulas, ``w`` is the parameters, ``g`` the gradient, ``rate`` the learning rate and
``t`` the number of the step, from 1; all other vectors start at zero.

To add a first-order optimizer, write a class with `memory` and `update`, and its row in
`OPTIMIZERS`.
"""

from math import sqrt
from numbers import Integral, Real

import numpy as np
from scipy.optimize import minimize
from sklearn.base import BaseEstimator

__all__ = [
    "BLOCK",
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
]

#: Entries updated at a time, few enough for all vectors of a step to stay in the cache.
BLOCK = 65536


class Optimizer(BaseEstimator):
    """Base class of the first-order optimizers.

    Attributes
    ----------
    memory : tuple of str
        Names of the vectors kept between steps.
    default_learning_rate : float
        What ``learning_rate="auto"`` means.
    normalizes : bool
        Whether steps are as large however large the gradient is.
    weight_decay : float
        Decoupled decay: each step first multiplies the decayed parameters by
        ``1 - rate * weight_decay``.
    ranges : dict of str to tuple
        What the parameters may be: number type, low, high, closed sides.
    """

    ranges = {}
    memory = ()
    default_learning_rate = 1e-3
    normalizes = False
    weight_decay = 0.0

    def init(self, params):
        """Return the state before the first step."""
        return {"t": 0, **{name: np.zeros_like(params) for name in self.memory}}

    def stepper(self, params, grads, state, groups):
        """Return a function ``step(learning_rate)`` that moves them.

        Parameters
        ----------
        params, grads : ndarray of shape (n_params,)
            The step reads and overwrites both.
        state : dict
            What `init` returned.
        groups : list of ParameterGroup
            The runs of `params` that are trained alike.
        """
        blocks = list(self._blocks(params, grads, state, groups))

        def step(learning_rate):
            state["t"] += 1
            for multiplier, decayed, w, g, scratch, memory in blocks:
                rate = multiplier * learning_rate
                if decayed and self.weight_decay:
                    w *= 1 - rate * self.weight_decay
                self.update(w, g, rate, state["t"], scratch, *memory)

        return step

    def _blocks(self, params, grads, state, groups):
        """Cut the vectors into blocks whose entries are trained alike."""
        scratch = np.empty(min(BLOCK, len(params)), params.dtype)
        vectors = params, grads, *(state[name] for name in self.memory)
        for span, decayed, multiplier in self._merge(groups):
            for start in range(span.start, span.stop, BLOCK):
                stop = min(start + BLOCK, span.stop)
                w, g, *memory = (vector[start:stop] for vector in vectors)
                yield multiplier, decayed, w, g, scratch[: stop - start], memory

    def _merge(self, groups):
        """Join groups that differ in their decay alone, if nothing decays."""
        merged = []
        for group in groups:
            last = merged[-1] if merged else None
            alike = last and last.learning_rate == group.learning_rate
            if alike and not self.weight_decay:
                span = slice(last.span.start, group.span.stop)
                merged[-1] = last._replace(span=span)
            else:
                merged.append(group)
        return merged

    def update(self, w, g, rate, t, scratch, *memory):
        """Take step `t` on a block: move `w`, update `memory`; may overwrite `g`."""
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent: ``w -= rate * g``."""

    default_learning_rate = 0.1

    def update(self, w, g, rate, t, scratch):
        g *= rate
        w -= g


class Momentum(Optimizer):
    """Gradient descent with momentum (Polyak, 1964).

    ::

        v = momentum * v - rate * g
        w += v

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Share of the last move that is made again.
    """

    ranges = {"momentum": (Real, 0, 1, "left")}
    memory = ("v",)
    default_learning_rate = 0.01

    def __init__(self, momentum=0.9):
        self.momentum = momentum

    def update(self, w, g, rate, t, scratch, v):
        v *= self.momentum
        g *= rate
        v -= g
        w += v


class Nesterov(Momentum):
    """Gradient descent with Nesterov's momentum (Sutskever et al., 2013).

    ::

        v = momentum * v - rate * g
        w += momentum * v - rate * g

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Share of the last move that is made again.
    """

    def update(self, w, g, rate, t, scratch, v):
        v *= self.momentum
        g *= rate
        v -= g
        w += np.multiply(v, self.momentum, out=scratch)
        w -= g


class RMSprop(Optimizer):
    """Divide the gradient by a running root mean square (Tieleman and Hinton, 2012).

    ::

        v = rho * v + (1 - rho) * g^2
        w -= rate * g / (sqrt(v) + epsilon)

    Parameters
    ----------
    rho : float in [0, 1), default=0.99
        Memory of the running average.
    epsilon : float > 0, default=1e-8
        Keeps the division finite.
    """

    ranges = {"rho": (Real, 0, 1, "left"), "epsilon": (Real, 0, None, "neither")}
    memory = ("v",)
    normalizes = True

    def __init__(self, rho=0.99, epsilon=1e-8):
        self.rho = rho
        self.epsilon = epsilon

    def update(self, w, g, rate, t, scratch, v):
        np.square(g, out=scratch)
        scratch *= 1 - self.rho
        v *= self.rho
        v += scratch
        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        g /= scratch
        g *= rate
        w -= g


class Adagrad(Optimizer):
    """Divide the gradient by the root of all its squares so far (Duchi et al., 2011).

    ::

        v += g^2
        w -= rate * g / (sqrt(v) + epsilon)

    Parameters
    ----------
    epsilon : float > 0, default=1e-10
        Keeps the division finite.
    """

    ranges = {"epsilon": (Real, 0, None, "neither")}
    memory = ("v",)
    normalizes = True
    default_learning_rate = 0.01

    def __init__(self, epsilon=1e-10):
        self.epsilon = epsilon

    def update(self, w, g, rate, t, scratch, v):
        v += np.square(g, out=scratch)
        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        g /= scratch
        g *= rate
        w -= g


class Adam(Optimizer):
    """Adaptive moment estimation (Kingma and Ba, 2015).

    ::

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g^2
        w -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    Parameters
    ----------
    beta_1 : float in [0, 1), default=0.9
        Memory of the average gradient.
    beta_2 : float in [0, 1), default=0.999
        Memory of the average squared gradient.
    epsilon : float > 0, default=1e-8
        Keeps the division finite.
    """

    ranges = {
        "beta_1": (Real, 0, 1, "left"),
        "beta_2": (Real, 0, 1, "left"),
        "epsilon": (Real, 0, None, "neither"),
    }
    memory = ("m", "v")
    normalizes = True

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def update(self, w, g, rate, t, scratch, m, v):
        # The state holds m / (1 - beta_1) and v / (1 - beta_2), which saves three of
        # thirteen passes; both factors are made up for in `rate` and `epsilon`.
        beta_1, beta_2 = self.beta_1, self.beta_2
        root = sqrt(1 - beta_2)
        rate *= sqrt(1 - beta_2**t) / (1 - beta_1**t) * (1 - beta_1) / root
        m *= beta_1
        m += g
        g *= g
        v *= beta_2
        v += g
        np.sqrt(v, out=scratch)
        scratch += self.epsilon / root
        np.divide(m, scratch, out=scratch)
        scratch *= rate
        w -= scratch


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Each step first shrinks the weights, ``w *= 1 - rate * weight_decay``; biases and
    batch norm's parameters don't decay.

    Parameters
    ----------
    beta_1, beta_2, epsilon : float
        As in `Adam`.
    weight_decay : float >= 0, default=0.01
        Strength of the decay, in units of the learning rate.
    """

    ranges = {**Adam.ranges, "weight_decay": (Real, 0, None, "left")}

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.01):
        super().__init__(beta_1, beta_2, epsilon)
        self.weight_decay = weight_decay


class LBFGS(BaseEstimator):
    """Limited-memory BFGS, SciPy's ``L-BFGS-B`` (Byrd et al., 1995).

    Needs the whole gradient at each step, so ``solver="bgd"``, and finds its own step
    sizes.  An iteration counts as an epoch.

    Parameters
    ----------
    history : int >= 1, default=10
        Number of past steps that model the curvature.
    max_evaluations : int >= 1, default=15000
        Bound on the number of objective evaluations.
    """

    ranges = {
        "history": (Integral, 1, None, "left"),
        "max_evaluations": (Integral, 1, None, "left"),
    }
    default_learning_rate = None
    normalizes = False

    def __init__(self, history=10, max_evaluations=15000):
        self.history = history
        self.max_evaluations = max_evaluations

    def minimize(self, objective, params, max_iter, tol, on_iteration):
        """Minimize from `params` (float64), and return the best point found.

        `tol` bounds the largest entry of the gradient; 0 runs all iterations.
        `objective` returns the loss and its gradient; `on_iteration` is called with
        each iterate and returns True to stop.
        """
        failures, called = [], {"objective": objective, "on_iteration": on_iteration}

        def evaluate(params):
            return called["objective"](params)

        def callback(params):
            # SciPy takes any StopIteration for its own signal.
            try:
                stops = called["on_iteration"](params)
            except StopIteration as error:
                failures.append(error)
                raise
            if stops:
                raise StopIteration

        options = {
            "maxiter": max_iter,
            "maxfun": self.max_evaluations,
            "maxcor": self.history,
            "gtol": tol,
        }
        if tol == 0:
            options["ftol"] = 0.0  # SciPy's own bound on the progress of the loss
        try:
            result = minimize(
                evaluate,
                params,
                method="L-BFGS-B",
                jac=True,
                callback=callback,
                options=options,
            )
        finally:
            # Older versions of SciPy keep what they call, and a network with it, until
            # the garbage collector comes.
            called.clear()
        if failures:
            raise failures[0]
        return result.x


OPTIMIZERS = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": AdamW,
    "lbfgs": LBFGS,
}
