"""Losses, optimizers, schedules and embeddings of the user's own classes."""

import pickle

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.embeddings import Embedding, Periodic, PiecewiseLinear
from skdnn.nn.losses import (
    AbsoluteError,
    Gamma,
    Huber,
    LogLoss,
    Loss,
    Poisson,
    Quantile,
    SquaredError,
)
from skdnn.nn.optimizers import Optimizer
from skdnn.nn.schedules import Schedule
from tests import plain, tables


class Focal(Loss):
    """``-(1 - p)^gamma log(p)``, p of the right label; gamma of 0 is log loss."""

    link = "sigmoid"

    def __init__(self, gamma=0.0):
        self.gamma = gamma

    def pointwise(self, y, raw, cache):
        sign = 2 * y - 1
        p = np.clip(expit(sign * raw), 1e-6, 1 - 1e-6)
        cache.losses[...] = -((1 - p) ** self.gamma) * np.log(p)
        slope = self.gamma * p * np.log(p) - (1 - p)
        cache.grad[...] = sign * (1 - p) ** self.gamma * slope


class Multinomial(Loss):
    """Log loss of a softmax, in the plainest way."""

    link = "softmax"

    def pointwise(self, y, raw, cache):
        p = softmax(raw, axis=1)
        right = np.arange(raw.shape[1]) == y[:, None]
        cache.losses[...] = -np.log(p) * right
        cache.grad[...] = p - right


class Either(Loss):
    """A loss whose link is a parameter."""

    links = ("sigmoid", "softmax")

    def __init__(self, link="auto"):
        self.link = link

    def pointwise(self, y, raw, cache):
        part = Multinomial() if self.link == "softmax" else Focal()
        part.pointwise(y, raw, cache)


class LogCosh(Loss):
    """``log(cosh(raw - y))``"""

    center = 0.5

    def pointwise(self, y, raw, cache):
        error = raw - y
        cache.losses[...] = np.logaddexp(error, -error) - np.log(2)
        cache.grad[...] = np.tanh(error)


class Signs(Optimizer):
    """Steps of the same length in each entry."""

    default_learning_rate = 0.01

    def __init__(self, share=1.0):
        self.share = share

    def update(self, w, g, rate, t, scratch):
        w -= self.share * rate * np.sign(g)


class Linear(Schedule):
    """Down to nothing in a straight line."""

    ends = True

    def factor(self, epoch, n_epochs):
        return 1 - epoch / n_epochs


class Narrow(PiecewiseLinear):
    """A subclass with a parameter less."""

    def __init__(self, n_bins=4):
        super().__init__(n_bins, width=1)


class Slow(Periodic):
    """A subclass that changes nothing but a default."""

    def __init__(self, n_frequencies=4, width=2, frequency_scale=0.01):
        super().__init__(n_frequencies, width, frequency_scale)


class Delegating(Embedding):
    """An embedding with a row in no table."""

    def __init__(self, size=3):
        self.size = size

    def layer(self, n_inputs, n_numbers, n_members=None):
        return PiecewiseLinear(self.size, 2).layer(n_inputs, n_numbers, n_members)


#: part, task, name of a parameter of its own and another value
OWN = {
    "loss of two classes": (Focal(), "binary", "loss__gamma", 2.0),
    "loss of classes": (Multinomial(), "multiclass", None, None),
    "loss of classes by sigmoids": (Focal(), "multiclass", "loss__gamma", 2.0),
    "loss of labels": (Focal(), "multilabel", "loss__gamma", 2.0),
    "loss of either link": (Either(), "multiclass", None, None),
    "loss of numbers": (LogCosh(), "regression", None, None),
    "loss of several numbers": (LogCosh(), "multioutput", None, None),
    "optimizer": (Signs(), "multiclass", "optimizer__share", 0.5),
    "schedule": (Linear(), "regression", "schedule__warm_up", 1.0),
    "numeric_embedding": (Narrow(), "regression", "numeric_embedding__n_bins", 2),
    "numeric_embedding of classes": (
        Slow(),
        "multiclass",
        "numeric_embedding__width",
        1,
    ),
    "numeric_embedding of no table": (
        Delegating(),
        "binary",
        "numeric_embedding__size",
        5,
    ),
}


def make(case, **params):
    """Return an estimator with the part, and data."""
    part, task, *_ = OWN[case]
    build, data = tables.TASKS[task]
    return build(**{case.split()[0]: part}, **params), data()


@pytest.mark.parametrize("case", OWN)
def test_own_classes_work_end_to_end(case):
    """With the recipe: held-out rows, temperature, members, pickles, clones, refit."""
    est, (X, y) = make(case, early_stopping=True)
    est.fit(X, y)
    assert est.validation_scores_ is not None
    predicted = getattr(est, "predict_proba", est.predict)(X)
    assert np.isfinite(predicted).all()
    for other in pickle.loads(pickle.dumps(est)), clone(est).fit(X, y):
        again = getattr(other, "predict_proba", other.predict)(X)
        np.testing.assert_array_equal(again, predicted)
    clone(est).set_params(refit=True).fit(X, y)
    more = clone(est).set_params(warm_start=True).fit(X, y)
    assert len(more.fit(X, y).loss_curve_) == 5


@pytest.mark.parametrize("case", [case for case in OWN if OWN[case][2]])
def test_own_parameters_are_searched_over(case):
    """A grid over a parameter of the part changes what is fitted."""
    name, value = OWN[case][2:]
    est, (X, y) = make(case, max_iter=2)
    search = GridSearchCV(est, {name: [est.get_params()[name], value]}, cv=2)
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    changed = clone(est).set_params(**{name: value}).fit(X, y)
    assert est.fit(X, y).loss_curve_ != changed.loss_curve_


@pytest.mark.parametrize(
    ("own", "task", "builtin"),
    [
        (Focal(), "binary", "log_loss"),
        (Focal(), "multilabel", "log_loss"),
        (Multinomial(), "multiclass", "log_loss"),
        (Focal(), "multiclass", LogLoss(link="sigmoid")),
    ],
)
def test_own_loss_is_as_good_as_the_builtin(own, task, builtin):
    """The same formula in a class of one's own trains the same network."""
    build, data = plain.TASKS[task]
    params = {"dtype": "float64", "optimizer": "sgd"}
    one = build(loss=own, **params).fit(*data())
    two = build(loss=builtin, **params).fit(*data())
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(
        one.network_.params, two.network_.params, rtol=1e-6, atol=1e-8
    )


def test_own_embedding_is_as_good_as_the_builtin():
    """A subclass gives the network that its class with the same parameters gives."""
    X, y = tables.regression()
    one = tables.regressor(numeric_embedding=Narrow(4)).fit(X, y)
    two = tables.regressor(numeric_embedding=PiecewiseLinear(4, 1)).fit(X, y)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


def test_own_embedding_stays_as_it_was_given():
    """What is fitted holds a copy: a change afterwards does not reach its pickle."""
    X, y = tables.regression()
    embedding = Narrow(4)
    reg = tables.regressor(numeric_embedding=embedding).fit(X, y)
    predicted = reg.predict(X)
    embedding.n_bins = 9
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reg)).predict(X), predicted)


@pytest.mark.parametrize(
    ("Estimator", "loss", "task"),
    [
        (DNNClassifier, AbsoluteError(), "binary"),
        (DNNClassifier, Huber(), "multiclass"),
        (DNNClassifier, Quantile(), "multilabel"),
        (DNNClassifier, Poisson(), "binary"),
        (DNNClassifier, Gamma(), "multiclass"),
        (DNNClassifier, LogCosh(), "multiclass"),
        (DNNClassifier, Multinomial(), "binary"),
        (DNNRegressor, LogLoss(), "regression"),
        (DNNRegressor, Multinomial(), "regression"),
        (DNNRegressor, SquaredError(link="softmax"), "regression"),
    ],
)
def test_losses_of_other_targets(Estimator, loss, task):
    """A loss that does not fit the targets is an error that names it and says why."""
    _, data = tables.TASKS[task]
    with pytest.raises(ValueError, match=f"loss={type(loss).__name__}"):
        Estimator(loss=loss).fit(*data())


def test_what_is_no_part():
    """An object of a class that is no part is refused by the name of the parameter."""

    class Nothing(BaseEstimator):
        pass

    for name in "loss", "optimizer", "schedule", "numeric_embedding":
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            tables.classifier(**{name: Nothing()}).fit(*tables.binary())
