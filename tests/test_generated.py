"""Inputs that hypothesis draws get a clear error, or a model that holds its promises.

A case says in words what to train on what, so that a failure reads as what it is and
shrinks to the words that matter; the numbers come from its seed.
"""

import pickle
import re
import warnings
from decimal import Decimal
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    root_mean_squared_error,
)

from skdnn import DNNClassifier, DNNRegressor, _rows
from skdnn.nn.activations import ACTIVATIONS, Parametric
from skdnn.nn.embeddings import EntityEmbedding
from skdnn.nn.losses import REGRESSOR_LOSSES, Huber, LogLoss, Quantile, SquaredError
from skdnn.nn.optimizers import OPTIMIZERS
from skdnn.nn.schedules import SCHEDULES

#: The same draws everywhere, however slow the machine.
PROFILE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

#: What the messages of errors hold that nobody meant to raise.
INTERNAL = re.compile(
    "broadcast|NoneType|out of bounds|reshape|subscriptable|has no attribute|operand|"
    "not supported between|unhashable|zero-size|positional argument|ufunc|mismatch in|"
    "is not callable|not iterable|division by zero|invalid literal|ambiguous|cast array"
)

#: Parameters without which training has no reason to diverge.
HARSH = {"alpha", "learning_rate", "loss", "numeric_scaling", "target_scaling"}

# Columns, tables, targets and weights

EXTREMES = [0, 1, -1, 1e30, -1e30, 1e300, -1e300, 1e-300, 5e-324, 1e-30]


def with_holes(column, rng, hole=np.nan):
    """Return a column without three tenths of what it holds."""
    return np.where(rng.random(len(column)) < 0.3, hole, column)


def words(n, rng, n_words=4):
    """Return strings, as objects."""
    return rng.choice([f"word {i}" for i in range(n_words)], n).astype(object)


NUMBERS = {
    "normal": lambda n, rng: rng.standard_normal(n),
    "shifted": lambda n, rng: 1e9 + rng.standard_normal(n),
    "constant": lambda n, rng: np.full(n, rng.choice(EXTREMES)),
    "missing": lambda n, rng: np.full(n, np.nan),
    "holes": lambda n, rng: with_holes(rng.standard_normal(n), rng),
    "discrete": lambda n, rng: rng.integers(3, size=n).astype(float),
    "huge": lambda n, rng: 1e30 * rng.standard_normal(n),
    "very huge": lambda n, rng: 1e300 * rng.standard_normal(n),
    "tiny": lambda n, rng: 1e-300 * rng.standard_normal(n),
    "subnormal": lambda n, rng: 5e-324 * rng.integers(-3, 4, n),
    "extremes": lambda n, rng: rng.choice(EXTREMES, n),
    "far": lambda n, rng: rng.standard_cauchy(n) ** 5,
}
#: Columns that only data frames have.
OTHERS = {
    "text": words,
    "many words": lambda n, rng: words(n, rng, 200),
    "text with holes": lambda n, rng: with_holes(words(n, rng), rng, None),
    "string": lambda n, rng: pd.array(words(n, rng), dtype="string"),
    "category": lambda n, rng: pd.Categorical(words(n, rng)),
    "category of numbers": lambda n, rng: pd.Categorical(rng.integers(5, size=n)),
    "bool": lambda n, rng: rng.random(n) < 0.5,
    "boolean": lambda n, rng: pd.array(with_holes(rng.random(n) < 0.5, rng, pd.NA)),
    "Int64": lambda n, rng: pd.array(with_holes(rng.integers(9, size=n), rng, pd.NA)),
    "decimals": lambda n, rng: [Decimal(int(i)) / 8 for i in rng.integers(9, size=n)],
    "object numbers": lambda n, rng: rng.integers(9, size=n).astype(object),
    "mixed": lambda n, rng: np.resize(np.array([1, True, "1", None, 1.5], object), n),
}
LAYOUTS = {
    "frame": lambda frame: frame,
    "array": lambda frame: frame.to_numpy(),
    "lists": lambda frame: frame.to_numpy().tolist(),
    "sparse": lambda frame: sp.csr_array(frame.to_numpy()),
    "float32": lambda frame: frame.clip(-1e30, 1e30).to_numpy(np.float32),
}
LABELS = {
    "binary": lambda n, rng: rng.integers(2, size=n),
    "words": lambda n, rng: words(n, rng).astype(str),
    "bools": lambda n, rng: rng.random(n) < 0.5,
    "floats": lambda n, rng: rng.choice([-1.0, 3.0], n),
    "one class": lambda n, rng: np.ones(n, dtype=int),
    "rare class": lambda n, rng: (np.arange(n) == n // 2).astype(int),
    "multiclass": lambda n, rng: rng.integers(4, size=n),
    "many classes": lambda n, rng: rng.integers(n, size=n),
    "all different": lambda n, rng: rng.permutation(n),
    "multilabel": lambda n, rng: rng.integers(2, size=(n, 3)),
    "constant labels": lambda n, rng: np.tile([0, 1], (n, 1)),
}
AMOUNTS = {
    "normal": lambda n, rng: rng.standard_normal(n),
    "constant": lambda n, rng: np.full(n, rng.choice([0, 1, 1e30, 1e-300])),
    "shifted": lambda n, rng: 1e9 + rng.standard_normal(n),
    "huge": lambda n, rng: 1e30 * rng.standard_normal(n),
    "very huge": lambda n, rng: 1e300 * rng.standard_normal(n),
    "tiny": lambda n, rng: 1e-300 * rng.standard_normal(n),
    "outlying": lambda n, rng: rng.standard_cauchy(n) ** 3,
    "counts": lambda n, rng: rng.poisson(1.0, n),
    "positive": lambda n, rng: rng.exponential(1.0, n) + 1e-6,
    "shares": lambda n, rng: rng.random(n),
    "multioutput": lambda n, rng: rng.standard_normal((n, 2)) * [1, 1e6],
}
WEIGHTS = {
    "none": lambda n, rng: None,
    "ones": lambda n, rng: np.ones(n),
    "counts": lambda n, rng: rng.integers(3, size=n) + (np.arange(n) == 0),
    "zeros": lambda n, rng: rng.random(n) * (np.arange(n) % 3 == 0),
    "one row": lambda n, rng: 1.0 * (np.arange(n) == 0),
    "tiny": lambda n, rng: 1e-300 * rng.random(n),
    "wide": lambda n, rng: 10.0 ** rng.uniform(-30, 30, n),
}

# Parameters

one_of = st.sampled_from
#: What each parameter may be beside its default.
PARAMETERS = {
    "activation": one_of([*sorted(ACTIVATIONS), Parametric("tanh")]),
    "recipe": one_of(["tuned", "plain"]),
    "batch_norm": st.just(True),
    "residual": st.just(True),
    "dropout": one_of([0.0, 0.5, 0.9999999]),
    "alpha": one_of([0.0, 1.0, 1e30]),
    "solver": one_of(["bgd", "sgd"]),
    "batch_size": one_of([1, 7, 10_000]),
    "optimizer": one_of(sorted(OPTIMIZERS)),
    "learning_rate": one_of([1e-12, 1e-3, 0.1, 1e3]),
    "learning_rate_multipliers": one_of([None, {"weight": 0}, {"bias": 2.0}]),
    "schedule": one_of(sorted(SCHEDULES)),
    "weight_init": one_of(["lecun_normal", "he_uniform", "glorot_uniform"]),
    "parametrization": one_of(["standard", "ntk"]),
    "tol": one_of([None, 0.0, 10.0]),
    "n_iter_no_change": one_of([1, 100]),
    "shuffle": st.just(False),
    "early_stopping": st.booleans(),
    "validation_fraction": one_of([0.01, 0.5, 0.99, 1, 20]),
    "refit": st.just(True),
    "numeric_scaling": one_of(["standard", "quantile", None]),
    "numeric_embedding": one_of(["periodic", "piecewise_linear", None]),
    "input_scaling": st.booleans(),
    "categorical_features": one_of([None, [0], []]),
    "categorical_embedding": one_of(
        [EntityEmbedding(0), EntityEmbedding(2, width=1), "entity", None]
    ),
    "n_members": one_of([1, 3]),
    "ensemble_weights": st.just("shared"),
    "dtype": st.just("float64"),
}
OF_CLASSIFIER = {
    "loss": one_of(["squared_error", LogLoss(0.1), LogLoss(link="sigmoid")]),
    "class_weight": st.just("balanced"),
    "temperature_scaling": st.booleans(),
    "scoring": one_of(["accuracy", "neg_log_loss", "roc_auc"]),
}
OTHER_LOSSES = Quantile(0.9), Huber(1e-3), SquaredError(link="sigmoid")
OF_REGRESSOR = {
    "loss": one_of([*sorted(REGRESSOR_LOSSES), *OTHER_LOSSES]),
    "target_scaling": st.just(False),
    "scoring": one_of(["r2", "neg_mean_absolute_error", "neg_max_error"]),
}
ESTIMATORS = [
    (DNNClassifier, PARAMETERS | OF_CLASSIFIER, LABELS),
    (DNNRegressor, PARAMETERS | OF_REGRESSOR, AMOUNTS),
]
DIMS = one_of([(4,), (), (3, 3), (1, 2, 3)])
QUICK = st.fixed_dictionaries(
    {"hidden_layer_dims": DIMS, "max_iter": st.integers(1, 4)}
)


@st.composite
def parameters(draw, values, max_size):
    """Draw some parameters; the others keep their defaults."""
    names = draw(st.lists(one_of(sorted(values)), max_size=max_size, unique=True))
    return {name: draw(values[name]) for name in names}


class Case(NamedTuple):
    """What to train on what."""

    make: type
    params: dict
    n_rows: int
    columns: list
    layout: str
    repeated: bool
    target: str
    weights: str
    way: str
    seed: int

    def table(self, key=0):
        """Return one of several tables with the same columns."""
        make = [(NUMBERS | OTHERS)[name] for name in self.columns]
        columns = [f(self.n_rows, self._rng(key, j)) for j, f in enumerate(make)]
        frame = pd.DataFrame(dict(enumerate(columns))).add_prefix("column ")
        return LAYOUTS[self.layout](frame.take(self._rows()).reset_index(drop=True))

    def labels(self):
        target = (LABELS if self.make is DNNClassifier else AMOUNTS)[self.target]
        return target(self.n_rows, self._rng(1))[self._rows()]

    def weight(self):
        return WEIGHTS[self.weights](self.n_rows, self._rng(2))

    def _rng(self, *key):
        return np.random.default_rng([self.seed, *key])

    def _rows(self):
        n_different = self.n_rows // 5 + 1 if self.repeated else self.n_rows
        return np.arange(self.n_rows) % n_different


#: One in twenty is as large and trained as long as the constructor says, which takes
#: minutes where each row is a step.
LONG_OR_QUICK = st.integers(0, 19).flatmap(lambda i: QUICK if i < 19 else st.just({}))


@st.composite
def cases(draw, long=True):
    """Draw an estimator, its parameters, a table with a target, and how to train."""
    make, values, targets = draw(one_of(ESTIMATORS))
    size = draw(LONG_OR_QUICK if long else QUICK)
    layout = draw(one_of(list(LAYOUTS)))
    kinds = NUMBERS | (OTHERS if layout == "frame" else {})
    return Case(
        make=make,
        params=size | draw(parameters(values, 6)),
        n_rows=draw(st.integers(1, 25) | st.integers(1, 300)),
        columns=draw(st.lists(one_of(list(kinds)), min_size=1, max_size=6)),
        layout=layout,
        repeated=draw(st.booleans()),
        target=draw(one_of(list(targets))),
        weights=draw(one_of(list(WEIGHTS))),
        way=draw(one_of(["fit", "fit twice", "warm start", "partial_fit"])),
        seed=draw(st.integers(0, 99)),
    )


# What is asked of a case


def check(case):
    """Assert what the module says of one case."""
    est = case.make(
        random_state=case.seed, warm_start=case.way == "warm start", **case.params
    )
    params = est.get_params()
    with warnings.catch_warnings():
        # Of training that is too short, and of what was drawn.
        warnings.simplefilter("ignore", UserWarning)
        trained = train(est, case)
        assert est.get_params() == params
        if not trained:
            return
        for X in case.table(), case.table(2):
            try:
                said = outputs(est, X)
            except ValueError as error:
                # Without scaling, holes are one, which few rows of training may lack.
                assert est.numeric_scaling is None
                assert "contains NaN" in str(error)
                continue
            assert_valid(est, said, case)
            assert_equal(said, outputs(pickle.loads(pickle.dumps(est)), X))
            assert_equal([part[-1:] for part in said], outputs(est, X[-1:]))
        twin = clone(est)
        assert train(twin, case)
        assert_equal(outputs(est, case.table()), outputs(twin, case.table()))


def train(est, case):
    """Train as the case says; return whether that went well."""
    y, weight = case.labels(), case.weight()
    method, more = est.fit, {}
    # L-BFGS has none.
    if case.way == "partial_fit" and hasattr(est, "partial_fit"):
        method = est.partial_fit
        if is_classifier(est):
            more["classes"] = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
    for key in range(1 if case.way == "fit" else 2):
        before = vars(est).copy()
        try:
            method(case.table(key), y, sample_weight=weight, **more)
        except (ValueError, TypeError) as error:
            assert not INTERNAL.search(str(error)), f"{type(error).__name__}: {error}"
            # The step of one row is as large as its error.
            harsh = HARSH & case.params.keys() or case.params.get("solver") == "sgd"
            assert "diverged" not in str(error) or harsh, error
            assert vars(est) == before
            return False
    return True


def outputs(est, X):
    """Return all that an estimator says about a table."""
    names = "predict", "predict_proba", "decision_function"
    return [getattr(est, name)(X) for name in names if hasattr(est, name)]


def assert_equal(one, two):
    """Assert that two estimators say the same, to the bit."""
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def assert_valid(est, said, case):
    """Assert that predictions are finite, of their shape, and what they can be."""
    y, predicted = case.labels(), said[0]
    assert all(np.isfinite(part).all() for part in said if part.dtype.kind == "f")
    assert predicted.shape == y.shape
    if not is_classifier(est):
        assert predicted.dtype == np.float64
        return
    proba = said[1]
    assert predicted.dtype == y.dtype
    assert proba.shape == (len(y), len(est.classes_))
    assert proba.min() >= 0
    assert proba.max() <= 1
    if y.ndim == 1:
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)
        np.testing.assert_array_equal(predicted, est.classes_[proba.argmax(axis=1)])


@pytest.mark.slow
@given(cases(long=False))
@settings(PROFILE, max_examples=40)
def test_draws(case):
    """A clear error, or predictions that are valid and repeat, to the bit."""
    # Observations of weights far apart are spread to so many rows, for seconds.
    with patch.object(_rows, "MOST_SPREAD", 1000):
        check(case)


@pytest.mark.slow
@given(cases())
@settings(PROFILE, max_examples=150)
def test_more_draws(case):
    """So where training is as long as the constructor says."""
    check(case)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(20))
def test_many_draws(part):
    """So of 10,000 draws, in parts that run side by side."""
    seed(part)(settings(PROFILE, max_examples=500)(given(cases())(check)))()


# Tables that tell the target

#: How a column shows a number that the target depends on.
SHOWN = {
    "number": lambda z, rng: z,
    "huge": lambda z, rng: 1e30 * z,
    "tiny": lambda z, rng: 1e-30 * z,
    "shifted": lambda z, rng: 1e6 + z,
    "skewed": lambda z, rng: np.exp(4 * z),
    "holes": with_holes,
    "levels": lambda z, rng: np.digitize(z, [-0.7, 0.7]).astype(float),
    "text": lambda z, rng: np.array(["low", "mid", "top"])[np.digitize(z, [-0.7, 0.7])],
    "many words": lambda z, rng: np.digitize(z, np.linspace(-2, 2, 11)).astype(str),
    "bool": lambda z, rng: z > 0,
}
NOISE = {
    "noise": lambda z, rng: rng.standard_normal(len(z)),
    "constant": lambda z, rng: np.ones(len(z)),
}
#: Targets that depend on it, and on noise.
DEPEND = {
    "binary": lambda z, rng: (z + 0.5 * rng.standard_normal(len(z)) > 0).astype(int),
    "words": lambda z, rng: np.array(["a", "b", "c"])[np.digitize(z, [-0.5, 0.5])],
    "rare": lambda z, rng: z > 1,
    "numbers": lambda z, rng: 1e3 + z + 0.3 * rng.standard_normal(len(z)),
    "large numbers": lambda z, rng: 1e9 * (z + 0.3 * rng.standard_normal(len(z))),
    "ratings": lambda z, rng: np.digitize(z, [-1, 0, 1]).astype(float),
    "outlying": lambda z, rng: z + 1e4 * (np.arange(len(z)) % 50 == 0),
}
#: Parameters with which it can be learned.
LONG = "batch_norm residual early_stopping refit numeric_embedding n_members dtype"
LONG = {name: PARAMETERS[name] for name in [*LONG.split(), "ensemble_weights"]}


class Signal(NamedTuple):
    """A target, and columns one of which tells it."""

    target: str
    columns: list
    n_rows: int
    params: dict
    seed: int

    def rows(self, key, n_rows):
        """Return a table and the target."""
        rng = np.random.default_rng([self.seed, key])
        z = rng.standard_normal(n_rows)
        columns = [(SHOWN | NOISE)[name](z, rng) for name in self.columns]
        frame = pd.DataFrame(dict(enumerate(columns))).add_prefix("column ")
        return frame, DEPEND[self.target](z, rng)


signals = st.builds(
    Signal,
    target=one_of(list(DEPEND)),
    columns=st.builds(
        lambda first, others: [first, *others],
        one_of(list(SHOWN)),
        st.lists(one_of([*SHOWN, *NOISE]), max_size=3),
    ),
    n_rows=st.integers(100, 300),
    # A refit needs rows that were held out.
    params=parameters(LONG, 2).filter(
        lambda p: p.get("early_stopping", True) or not p.get("refit")
    ),
    seed=st.integers(0, 99),
)


def check_signal(case):
    """Assert that fresh rows are predicted better than by the best constant."""
    X, y = case.rows(0, case.n_rows)
    X_new, y_new = case.rows(1, 500)
    params = {"hidden_layer_dims": (32,), "random_state": 0, **case.params}
    if case.target == "outlying":
        params["loss"] = "absolute_error"
    make = DNNRegressor if y.dtype.kind == "f" else DNNClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        est = make(**params).fit(X, y)
    if make is DNNClassifier and not case.params.get("early_stopping", True):
        # Without rows held out, nothing says how sure to be.
        chance = 1 / len(est.classes_)
        assert balanced_accuracy_score(y_new, est.predict(X_new)) > chance
        return
    if make is DNNClassifier:
        constant = np.tile(np.mean(y[:, None] == est.classes_, axis=0), (500, 1))
        assert log_loss(y_new, est.predict_proba(X_new)) < log_loss(y_new, constant)
        return
    robust = case.target == "outlying"
    error = mean_absolute_error if robust else root_mean_squared_error
    constant = np.full(500, np.median(y) if robust else np.mean(y))
    assert error(y_new, est.predict(X_new)) < error(y_new, constant)


@pytest.mark.parametrize("n_draws", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_signal(n_draws):
    """Where a column tells the target, fresh rows are predicted from it."""
    settings(PROFILE, max_examples=n_draws)(given(signals)(check_signal))()


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(20))
def test_many_signals(part):
    """So of 500 draws."""
    seed(part)(settings(PROFILE, max_examples=25)(given(signals)(check_signal)))()
