"""The temperature of a classifier: that which suits the validation rows."""

import tracemalloc

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from skdnn import DNNClassifier
from skdnn._calibration import LIMIT, fit_temperature, temperature_of_learned
from skdnn.nn.losses import LogLoss, SquaredError
from tests.tables import RECIPES, binary, classifier, multiclass, multilabel, numbers

#: loss -> (number of outputs, probabilities of the classes from raw predictions)
LOSSES = {
    "binary": (LogLoss(link="sigmoid"), 1),
    "softmax": (LogLoss(link="softmax"), 4),
    "brier": (SquaredError(link="softmax"), 4),
    "smooth": (LogLoss(0.1, link="softmax"), 4),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def all_outcomes(name, rng, n=300):
    """Return targets, raw predictions and weights in which these are exactly right.

    Each row is there once with every class, weighted by its probability.
    """
    loss, n_outputs = LOSSES[name]
    raw = rng.standard_normal((n, n_outputs))
    if loss.link == "sigmoid":
        p = np.hstack([expit(-raw), expit(raw)])
    else:
        p = softmax(raw, axis=1)
        if name == "smooth":
            # Those whose smooth labels have these probabilities on average.
            p = (p - 0.1 / n_outputs) / 0.9
    n_classes = p.shape[1]
    y = np.tile(np.arange(n_classes), n)
    y = y[:, None].astype(float) if loss.link == "sigmoid" else y
    weight = p.reshape(-1, 1) * n_classes
    return y, raw.repeat(n_classes, axis=0), weight


@pytest.mark.sampled
@every_loss
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_finds_the_temperature_back(name, temperature, rng):
    """What made the probabilities too sure, or not sure enough, is found back."""
    y, raw, weight = all_outcomes(name, rng)
    loss = LOSSES[name][0]
    found, _ = fit_temperature(loss, y, raw * temperature, weight, n=1e9)
    np.testing.assert_allclose(found, temperature, rtol=0.01)


def test_finds_the_temperature_of_a_sample(rng):
    """The same of many rows that are drawn, in float32."""
    raw = 2 * rng.standard_normal((20_000, 3)).astype(np.float32)
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    found, _ = fit_temperature(LogLoss(link="softmax"), y, 3 * raw)
    np.testing.assert_allclose(found, 3, rtol=0.03)


@pytest.mark.parametrize("n", [5, 50, 5000])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_rows_that_are_all_right_say_how_sure_to_be(n, n_classes):
    """Rows that are all predicted well allow no more than their number does.

    With an evenly labelled row among n + 1, the most probable probability of a class is
    ``1 - (n_classes - 1) / n_classes / (n + 1)``: what predicts that is left alone.
    """
    wrong = (n_classes - 1) / n_classes / (n + 1)
    # One score for the class that is right, none for the others.
    score = np.log((1 - wrong) / (wrong / (n_classes - 1)))
    loss, raw = LogLoss(link="softmax"), np.zeros((n, n_classes))
    raw[:, 0] = score
    y = np.zeros(n, np.intp)
    if n_classes == 2:
        loss, raw, y = LogLoss(link="sigmoid"), raw[:, :1], np.ones((n, 1))
    found, value = fit_temperature(loss, y, raw)
    assert found == pytest.approx(1, abs=0.01)
    assert value == pytest.approx(-np.log(1 - wrong), rel=0.1)
    assert fit_temperature(loss, y, 3 * raw)[0] > 1.3
    assert fit_temperature(loss, y, raw / 3)[0] < 0.8


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_is_that_at_the_temperature(name, weighted, rng):
    """The loss that comes with it has no prior, and is no higher than without."""
    y, raw, weight = all_outcomes(name, rng)
    loss, weight = LOSSES[name][0], weight if weighted else None
    temperature, value = fit_temperature(loss, y, 4 * raw, weight)
    expected, _ = loss.loss_gradient(y, 4 * raw / temperature, weight)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert value < loss.loss_gradient(y, 4 * raw, weight)[0]


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("right", [True, False])
def test_few_rows_keep_it_near_one(n, right):
    """A few rows, all right or all wrong, say little; many of them say a lot."""
    loss, raw = LogLoss(link="sigmoid"), np.ones((1, 1))
    y = np.full((1, 1), float(right))
    few, _ = fit_temperature(loss, y.repeat(n, axis=0), raw.repeat(n, axis=0))
    many, _ = fit_temperature(loss, y.repeat(1000, axis=0), raw.repeat(1000, axis=0))
    assert abs(np.log(few)) < 0.5
    assert (few < 1) == (many < 1) == right
    assert abs(np.log(many)) > 1.5
    # More rows, further away.
    one, _ = fit_temperature(loss, y, raw)
    assert abs(np.log(one)) <= abs(np.log(few)) + 1e-3


@pytest.mark.parametrize("right", [True, False])
def test_it_has_limits(right):
    """However many rows say so, no one is made sure, or unsure, without end."""
    y, raw = np.full((500, 1), float(right)), np.ones((500, 1))
    temperature, value = fit_temperature(LogLoss(link="sigmoid"), y, raw, n=1e12)
    assert abs(np.log(temperature)) <= LIMIT
    assert np.isfinite(value)


@every_loss
def test_weights_are_repeated_rows(name, rng):
    """A row of weight 2 is as good as two, in the loss and beside the prior."""
    y, raw, _ = all_outcomes(name, rng, n=5)
    loss, counts = LOSSES[name][0], np.arange(len(raw)) % 4
    kept, weight = counts > 0, counts[counts > 0][:, None].astype(float)
    n = weight.sum()
    weighted = fit_temperature(loss, y[kept], raw[kept], weight / weight.mean(), n)
    repeated = fit_temperature(
        loss, y.repeat(counts, axis=0), raw.repeat(counts, axis=0)
    )
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)


class Counting(LogLoss):
    """Log loss that counts the rows it is asked for."""

    n_rows = 0

    def pointwise(self, y, raw, cache):
        self.n_rows += len(raw)
        super().pointwise(y, raw, cache)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.4])
@pytest.mark.parametrize(("n", "k"), [(300, 5), (2000, 300)])
def test_it_takes_few_passes(n, k, temperature, rng):
    """A temperature as they mostly are is found in six passes over the rows."""
    raw = 2 * rng.standard_normal((n, k)).astype(np.float32)
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    loss = Counting(link="softmax")
    found, value = fit_temperature(loss, y, temperature * raw)
    assert loss.n_rows <= 6 * n
    # The rows go in several parts, and the loss is that of all.
    scaled = temperature * raw.astype(float) / found
    np.testing.assert_allclose(
        value, LogLoss(link="softmax").loss_gradient(y, scaled)[0], rtol=1e-6
    )


@pytest.mark.parametrize("n_members", [None, 2])
def test_memory_does_not_grow_with_classes(n_members, rng):
    """A few rows at a time: 4,000 rows of 500 classes take less than they are."""
    shape = (4000, 500) if n_members is None else (n_members, 4000, 500)
    raw = rng.standard_normal(shape).astype(np.float32)
    y = rng.integers(500, size=shape[-2])
    tracemalloc.start()
    fit_temperature(LogLoss(link="softmax"), y, raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < raw.nbytes


# In a classifier

TASKS = {"binary": binary, "multiclass": multiclass, "multilabel": multilabel}
recipes = pytest.mark.parametrize("recipe", RECIPES)


def loss_of(clf, X, y, weight=None):
    """Return the log loss of the probabilities, summed over labels."""
    proba = clf.predict_proba(X)
    if y.ndim == 1:
        return log_loss(y, proba, sample_weight=weight)
    per_row = -np.log(np.where(y, proba, 1 - proba)).sum(axis=1)
    return np.average(per_row, weights=weight)


@pytest.mark.sampled
@recipes
@pytest.mark.parametrize("task", TASKS)
def test_probabilities_have_the_loss_that_was_watched(task, recipe):
    """The best epoch's loss on the validation rows is that of the probabilities."""
    X, y = TASKS[task]()
    X_val, y_val = TASKS[task](seed=1)
    X[:, 3] = X_val[:, 3] = np.arange(len(X)) % 7  # for a recipe with categories
    weight = 1.0 + np.arange(len(X)) % 3
    clf = classifier(**RECIPES[recipe] | {"dtype": "float64", "max_iter": 8})
    clf.set_params(early_stopping=True, temperature_scaling=True, linear_share=False)
    val = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weight}
    clf.fit(X, y, **val)
    assert clf.temperature_ != 1
    best = clf.validation_loss_curve_[clf.best_iter_ - 1]
    assert best == min(clf.validation_loss_curve_)
    np.testing.assert_allclose(loss_of(clf, X_val, y_val, weight), best, rtol=1e-9)


def test_without_it_the_temperature_is_one():
    """No scaling, no rows held out, or a part of the data only: it is 1."""
    X, y = binary()
    for params in {"temperature_scaling": False}, {"early_stopping": False}:
        assert classifier(**params).fit(X, y).temperature_ == 1
    assert classifier().partial_fit(X, y, classes=[0, 1]).temperature_ == 1


@pytest.mark.filterwarnings("ignore:Training knows not one of the categories")
@recipes
def test_classes_stay_the_same(recipe):
    """The temperature changes probabilities, and no class."""
    X, y = multiclass()
    clf = classifier(**RECIPES[recipe] | {"early_stopping": True}).fit(X, y)
    rows = numbers(200, seed=5)
    classes, proba = clf.predict(rows), clf.predict_proba(rows)
    raw = clf.decision_function(rows) * clf.temperature_
    np.testing.assert_array_equal(classes, raw.argmax(axis=1))
    np.testing.assert_allclose(
        proba, softmax(raw / clf.temperature_, axis=1), rtol=1e-4, atol=1e-6
    )


def test_weights_of_validation_rows_are_repeated_rows():
    """A validation row of weight 2 is two, to the temperature too."""
    X, y = binary()
    X_val, y_val = binary(12, seed=1)
    weight = 1 + np.arange(12) % 3
    clf = classifier(dtype="float64", early_stopping=True)
    one = clf.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    one = one.temperature_
    X_val, y_val = X_val.repeat(weight, axis=0), y_val.repeat(weight)
    two = clf.fit(X, y, X_val=X_val, y_val=y_val).temperature_
    np.testing.assert_allclose(one, two, rtol=1e-6)


@pytest.mark.parametrize(("link", "n_outputs"), [("sigmoid", 1), ("softmax", 4)])
@pytest.mark.parametrize("n", [3, 10])
def test_learned_rows_are_as_sure_as_their_number_allows(link, n_outputs, n):
    """Rows that are all right have probability (n + 1) / (n + k), by Laplace's rule."""
    loss, y = LogLoss(link=link), np.arange(n) % max(2, n_outputs)
    if link == "sigmoid":
        raw = np.where(y == 1, 5.0, -5.0)[:, None]
        temperature = temperature_of_learned(loss, y[:, None].astype(float), raw)
        p = expit(5 / temperature)
    else:
        raw = 5 * np.eye(n_outputs)[y]
        temperature = temperature_of_learned(loss, y, raw)
        p = softmax(raw[0] / temperature)[0]
    assert p == pytest.approx((n + 1) / (n + max(2, n_outputs)), abs=2e-3)


def test_learned_rows_are_no_surer_than_they_were():
    """A network that is less sure than that stays as it is."""
    y = np.array([[0.0], [1.0]])
    assert temperature_of_learned(LogLoss(link="sigmoid"), y, y - 0.5) == 1


@pytest.mark.parametrize("n", [2, 3, 19])
def test_few_rows_are_not_certain(n, rng):
    """Where no row can be held out, a default classifier doubts what it has learned."""
    X, y = rng.standard_normal((n, 3)), np.arange(n) % 2
    clf = DNNClassifier(n_members=4, random_state=0).fit(X, y)
    sure = clf.predict_proba(X).max(axis=1)
    assert clf.temperature_ > 1
    assert clf.score(X, y) == 1
    # Some rows a little surer than others.
    assert sure.mean() == pytest.approx((n + 1) / (n + 2), abs=0.02)
    bold = DNNClassifier(temperature_scaling=False, random_state=0).fit(X, y)
    assert bold.temperature_ == 1
    assert bold.predict_proba(X).max(axis=1).min() > 0.95


@pytest.mark.parametrize("value", [True, "auto"])
def test_few_rows_have_a_temperature_without_a_warning(value, rng):
    """Set by hand, it is what it is by itself, and there is nothing to warn of."""
    X, y = rng.standard_normal((12, 3)), np.arange(12) % 2
    params = {"temperature_scaling": value, "random_state": 0, "n_members": 2}
    assert DNNClassifier(**params).fit(X, y).temperature_ > 1


def test_parts_of_a_longer_run_are_not_few_rows(rng):
    """`partial_fit` does not know how many rows there will be."""
    X, y = rng.standard_normal((4, 3)), np.arange(4) % 2
    clf = DNNClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
    assert clf.temperature_ == 1
