"""Losses and their gradients are those of the formulas."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax, xlogy

from skdnn.nn.losses import (
    CLASSIFIER_LOSSES,
    REGRESSOR_LOSSES,
    AbsoluteError,
    Gamma,
    Huber,
    LogLoss,
    Poisson,
    Quantile,
    SquaredError,
)
from tests.gradcheck import assert_gradient


def one_hot(y, k):
    return np.eye(k)[y]


def binary_log_loss(y, raw, smoothing=0.0):
    y = y * (1 - smoothing) + smoothing / 2
    return -xlogy(y, expit(raw)) - xlogy(1 - y, 1 - expit(raw))


def multinomial_log_loss(y, raw, smoothing=0.0):
    k = raw.shape[1]
    target = one_hot(y, k) * (1 - smoothing) + smoothing / k
    return -np.sum(target * log_softmax(raw, axis=1), axis=1)


def huber(y, raw, delta):
    error = np.abs(raw - y)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


def brier(y, raw):
    return 0.5 * np.sum((softmax(raw, axis=1) - one_hot(y, raw.shape[1])) ** 2, axis=1)


# loss, kind of target, formula of the loss of a row or of an entry
CASES = {
    "sigmoid log": (LogLoss(link="sigmoid"), "share", binary_log_loss),
    "smooth sigmoid log": (
        LogLoss(0.2, link="sigmoid"),
        "share",
        lambda y, raw: binary_log_loss(y, raw, 0.2),
    ),
    "softmax log": (LogLoss(link="softmax"), "class", multinomial_log_loss),
    "smooth softmax log": (
        LogLoss(0.2, link="softmax"),
        "class",
        lambda y, raw: multinomial_log_loss(y, raw, 0.2),
    ),
    "squared": (
        SquaredError(link="identity"),
        "number",
        lambda y, raw: 0.5 * (raw - y) ** 2,
    ),
    "sigmoid squared": (
        SquaredError(link="sigmoid"),
        "share",
        lambda y, raw: 0.5 * (expit(raw) - y) ** 2,
    ),
    "softmax squared": (SquaredError(link="softmax"), "class", brier),
    "absolute": (AbsoluteError(), "number", lambda y, raw: np.abs(raw - y)),
    "huber": (Huber(0.7), "number", lambda y, raw: huber(y, raw, 0.7)),
    "quantile": (
        Quantile(0.9),
        "number",
        lambda y, raw: np.maximum(0.9 * (y - raw), -0.1 * (y - raw)),
    ),
    "poisson": (
        Poisson(),
        "count",
        lambda y, raw: np.exp(raw) - y * raw + xlogy(y, y) - y,
    ),
    "gamma": (
        Gamma(),
        "amount",
        lambda y, raw: y / np.exp(raw) - np.log(y / np.exp(raw)) - 1,
    ),
}
every_case = pytest.mark.parametrize("case", CASES)


def draw(case, rng, n=12, k=3):
    kind = CASES[case][1]
    raw = rng.standard_normal((n, k))
    targets = {
        "share": rng.uniform(size=(n, k)),
        "class": rng.integers(k, size=n),
        "number": rng.standard_normal((n, k)),
        "count": rng.poisson(1.0, (n, k)).astype(float),
        "amount": rng.uniform(0.1, 3, (n, k)),
    }
    return targets[kind], raw


def test_every_loss_has_a_case():
    """The tables of the engine are all tested here."""
    tested = {type(loss) for loss, *_ in CASES.values()}
    assert tested == {*CLASSIFIER_LOSSES.values(), *REGRESSOR_LOSSES.values()}


@every_case
def test_value(case, rng):
    """The loss is the mean over rows of the sum over outputs."""
    loss, _, formula = CASES[case]
    y, raw = draw(case, rng)
    value, _ = loss.loss_gradient(y, raw)
    np.testing.assert_allclose(value, formula(y, raw).sum() / len(raw), rtol=1e-12)


@every_case
def test_weights_and_scale(case, rng):
    """Each row counts by its weight, and the sum by the scale."""
    loss, _, formula = CASES[case]
    y, raw = draw(case, rng)
    weight = rng.uniform(0, 2, (len(raw), 1))
    value, _ = loss.loss_gradient(y, raw, weight, 0.3)
    rows = formula(y, raw).reshape(len(raw), -1).sum(axis=1)
    np.testing.assert_allclose(value, 0.3 * rows @ weight[:, 0], rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@every_case
def test_gradient(case, weighted, rng):
    """The gradient is that of the loss, along random directions."""
    loss = CASES[case][0]
    y, raw = draw(case, rng)
    weight = rng.uniform(0, 2, (len(raw), 1)) if weighted else None
    _, grad = loss.loss_gradient(y, raw, weight)
    assert_gradient(
        lambda raw: loss.loss_gradient(y, raw, weight)[0], grad.copy(), raw, rng
    )


@every_case
def test_memory_is_only_memory(case, rng):
    """A cache that was used before gives what a fresh one gives."""
    loss = CASES[case][0]
    y, raw = draw(case, rng)
    cache = loss.allocate(*raw.shape, raw.dtype)
    loss.loss_gradient(*draw(case, rng), cache=cache)
    value, grad = loss.loss_gradient(y, raw, cache=cache)
    expected, expected_grad = loss.loss_gradient(y, raw)
    assert value == expected
    np.testing.assert_array_equal(grad, expected_grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize("Loss", [LogLoss, SquaredError])
def test_extremes(Loss, link, dtype):
    """Raw predictions of a thousand give finite losses, right or wrong."""
    raw = np.array([[1000, -1000], [-1000, 1000.0]], dtype)
    y = np.array([0, 0]) if link == "softmax" else np.array([[1, 0], [1, 0]], dtype)
    value, grad = Loss(link=link).loss_gradient(y, raw)
    assert np.isfinite(value)
    assert np.isfinite(grad).all()
    assert grad.dtype == dtype
    if Loss is LogLoss:
        np.testing.assert_allclose(value, 1000)


def test_softmax_shift(rng):
    """Adding a constant to all outputs of a row changes nothing."""
    y, raw = draw("softmax log", rng)
    loss = LogLoss(link="softmax")
    shifted = raw + rng.standard_normal((len(raw), 1))
    np.testing.assert_allclose(
        loss.loss_gradient(y, shifted)[0], loss.loss_gradient(y, raw)[0], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("link", "formula"),
    [
        ("identity", lambda raw: raw),
        ("sigmoid", expit),
        ("softmax", lambda raw: softmax(raw, axis=1)),
    ],
)
def test_inverse_link(link, formula, rng):
    """Predictions are the link's inverse, in an array of their own."""
    raw = rng.standard_normal((5, 3))
    before = raw.copy()
    prediction = SquaredError(link=link).inverse_link(raw)
    np.testing.assert_allclose(prediction, formula(raw), rtol=1e-12)
    np.testing.assert_array_equal(raw, before)
    assert not np.shares_memory(prediction, raw)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (Poisson(), [[-1.0]], "poisson.*>= 0"),
        (Poisson(), [[0.0]], "poisson.*not all zero"),
        (Gamma(), [[0.0]], "gamma.*> 0"),
        (SquaredError(link="sigmoid"), [[1.5]], r"\[0, 1\]"),
    ],
)
def test_targets_out_of_range(loss, y, message):
    """Targets that a loss has no value for are an error that says so."""
    with pytest.raises(ValueError, match=message):
        loss.check_targets(np.array(y))
