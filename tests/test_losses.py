"""Losses and their gradients are those of the formulas."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax, xlogy

from skdnn.nn.losses import (
    AVERAGE_SLOPES,
    AVERAGES,
    CLASSIFIER_LOSSES,
    INVERSE_LINKS,
    REGRESSOR_LOSSES,
    SLOPES,
    AbsoluteError,
    Gamma,
    Huber,
    LogLoss,
    Poisson,
    Quantile,
    SquaredError,
    _row_maxima,
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
    "quantiles": (
        Quantile([0.1, 0.9, 0.5]),
        "number",
        lambda y, raw: np.maximum(
            [0.1, 0.9, 0.5] * (y - raw), [-0.9, -0.1, -0.5] * (y - raw)
        ),
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


def smooth(y, k, share=0.2):
    return y * (1 - share) + share / k


def brier_gradient(y, raw):
    p = softmax(raw, axis=1)
    error = p - one_hot(y, raw.shape[1])
    jacobian = np.einsum("ij,jk->ijk", p, np.eye(p.shape[1])) - np.einsum(
        "ij,ik->ijk", p, p
    )
    return np.einsum("ijk,ik->ij", jacobian, error)


# gradient of the loss of an entry in its raw prediction
GRADIENTS = {
    "sigmoid log": lambda y, raw: expit(raw) - y,
    "smooth sigmoid log": lambda y, raw: expit(raw) - smooth(y, 2),
    "softmax log": lambda y, raw: softmax(raw, axis=1) - one_hot(y, 3),
    "smooth softmax log": lambda y, raw: (
        softmax(raw, axis=1) - smooth(one_hot(y, 3), 3)
    ),
    "squared": lambda y, raw: raw - y,
    "sigmoid squared": lambda y, raw: (expit(raw) - y) * expit(raw) * (1 - expit(raw)),
    "softmax squared": brier_gradient,
    "absolute": lambda y, raw: np.where(raw > y, 1, -1),
    "huber": lambda y, raw: np.minimum(np.maximum(raw - y, -0.7), 0.7),
    "quantile": lambda y, raw: np.where(raw > y, 0.1, -0.9),
    "quantiles": lambda y, raw: (raw > y) - np.array([0.1, 0.9, 0.5]),
    "poisson": lambda y, raw: np.exp(raw) - y,
    "gamma": lambda y, raw: 1 - y / np.exp(raw),
}


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
    assert CASES.keys() == GRADIENTS.keys()
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
def test_gradient_formula(case, rng):
    """The gradient is its formula, times weight and scale."""
    y, raw = draw(case, rng)
    weight = rng.uniform(0, 2, (len(raw), 1))
    _, grad = CASES[case][0].loss_gradient(y, raw, weight, 0.3)
    expected = 0.3 * weight * GRADIENTS[case](y, raw)
    np.testing.assert_allclose(grad, expected, rtol=1e-11, atol=1e-15)


@every_case
def test_weights_are_repeated_rows(case, rng):
    """A weight of a whole number is as many rows of weight one."""
    loss = CASES[case][0]
    y, raw = draw(case, rng)
    counts = np.arange(len(raw)) % 3
    weighted, _ = loss.loss_gradient(y, raw, counts[:, None].astype(float), 1)
    repeated, _ = loss.loss_gradient(
        y.repeat(counts, 0), raw.repeat(counts, 0), None, 1
    )
    np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


@every_case
def test_inputs_are_left_alone(case, rng):
    """Targets, raw predictions and weights are read, not written."""
    y, raw = draw(case, rng)
    inputs = y, raw, rng.uniform(0, 2, (len(raw), 1))
    before = [array.copy() for array in inputs]
    CASES[case][0].loss_gradient(*inputs)
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@every_case
def test_float32(case, rng):
    """The gradient of a float32 network is float32, and right to its precision."""
    loss, kind, _ = CASES[case]
    y, raw = draw(case, rng)
    value, grad = loss.loss_gradient(y, raw)
    y = y if kind == "class" else y.astype(np.float32)
    value32, grad32 = loss.loss_gradient(y, raw.astype(np.float32))
    assert grad32.dtype == np.float32
    np.testing.assert_allclose(value32, value, rtol=1e-5)
    np.testing.assert_allclose(grad32, grad, atol=1e-6)


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


# The loss of two rows with the raw predictions (1000, -1000) and (-1000, 1000), where
# the first is right and the second is wrong.
EXTREMES = [
    (LogLoss(link="sigmoid"), [[0, 0], [-1, 1]], 2000),
    (LogLoss(0.2, link="sigmoid"), [[0.1, -0.1], [-0.9, 0.9]], 2000),
    (LogLoss(link="softmax"), [[0, 0], [-1, 1]], 2000),
    (LogLoss(0.2, link="softmax"), [[0.1, -0.1], [-0.9, 0.9]], 2000),
    (SquaredError(link="sigmoid"), [[0, 0], [0, 0]], 1),
    (SquaredError(link="softmax"), [[0, 0], [0, 0]], 1),
    (SquaredError(link="identity"), [[999, -1000], [-1001, 1000]], 2_000_001),
    (AbsoluteError(), [[1, -1], [-1, 1]], 4000),
    (Huber(0.5), [[0.5, -0.5], [-0.5, 0.5]], 1999.5),
    (Quantile(0.9), [[0.1, -0.9], [-0.9, 0.1]], 99.9 + 900 + 900.9 + 100),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "gradient", "value"), EXTREMES)
def test_extremes(loss, gradient, value, dtype):
    """Raw predictions of a thousand give the loss and the gradient of the limit."""
    raw = np.array([[1000, -1000], [-1000, 1000.0]], dtype)
    y = np.array([[1, 0], [1, 0]], dtype)
    y = np.array([0, 0]) if loss.link == "softmax" else y
    result, grad = loss.loss_gradient(y, raw, factor=1)
    np.testing.assert_allclose(result, value, rtol=1e-6)
    np.testing.assert_allclose(grad, gradient, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "raw", "gradient", "value"),
    [(Poisson(), -1000.0, -2, 1998 + 2 * np.log(2)), (Gamma(), 1000.0, 1, 999)],
)
def test_extremes_of_a_log_link(loss, raw, gradient, value):
    """A prediction that underflows to zero or overflows leaves the finite limit."""
    y = np.array([[2.0]])
    result, grad = loss.loss_gradient(y, np.array([[raw]]))
    expected = value if isinstance(loss, Poisson) else value - np.log(2)
    np.testing.assert_allclose([result, grad[0, 0]], [expected, gradient], rtol=1e-12)


@pytest.mark.parametrize(
    "case", ["softmax log", "smooth softmax log", "softmax squared"]
)
def test_softmax_shift(case, rng):
    """Adding a constant to all outputs of a row changes nothing."""
    loss = CASES[case][0]
    y, raw = draw(case, rng)
    shifted = raw + 100 * rng.standard_normal((len(raw), 1))
    value, grad = loss.loss_gradient(y, raw)
    shifted_value, shifted_grad = loss.loss_gradient(y, shifted)
    np.testing.assert_allclose(shifted_value, value, rtol=1e-11)
    np.testing.assert_allclose(shifted_grad, grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_allocated_memory_is_used(case, rng):
    """The gradient is part of the cache that was handed over."""
    loss = CASES[case][0]
    y, raw = draw(case, rng)
    cache = loss.allocate(*raw.shape, raw.dtype)
    assert loss.loss_gradient(y, raw, cache=cache)[1] is cache.grad


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (SquaredError(link="identity"), lambda raw: raw),
        (SquaredError(link="sigmoid"), expit),
        (LogLoss(link="softmax"), lambda raw: softmax(raw, axis=1)),
        (Quantile(), lambda raw: raw),
        (Poisson(), np.exp),
        (Gamma(), np.exp),
    ],
)
def test_inverse_link(loss, formula, rng):
    """Predictions are the link's inverse, in an array of their own."""
    raw = rng.standard_normal((5, 3))
    before = raw.copy()
    prediction = loss.inverse_link(raw)
    np.testing.assert_allclose(prediction, formula(raw), rtol=1e-12)
    np.testing.assert_array_equal(raw, before)
    assert not np.shares_memory(prediction, raw)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (Poisson(), [[-1.0]], "poisson.*>= 0"),
        (Poisson(), [[0.0]], "poisson.*not all zero"),
        (Gamma(), [[0.0]], "gamma.*> 0"),
        (SquaredError(link="sigmoid"), [[1.5]], r"\[0, 1\].*1.5"),
        (SquaredError(link="sigmoid"), [[-0.5]], r"\[0, 1\].*-0.5"),
    ],
)
def test_targets_out_of_range(loss, y, message):
    """Targets that a loss has no value for are an error that says so."""
    with pytest.raises(ValueError, match=message):
        loss.check_targets(np.array(y))


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (Poisson(), [[0.0], [1.0]]),
        (Gamma(), [[1e-300], [1.0]]),
        (SquaredError(link="sigmoid"), [[0.0], [1.0]]),
        (SquaredError(link="identity"), [[-5.0], [5.0]]),
        (AbsoluteError(), [[-5.0], [5.0]]),
    ],
)
def test_targets_at_the_edge_of_the_range(loss, y):
    """Targets that a loss has a value for are no error."""
    loss.check_targets(np.array(y))


# What the members of an ensemble predict together


#: link -> a loss with it, and the inverse link
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 47), (7, 48), (90, 3)])
def test_row_maxima(shape, dtype, rng):
    """They are NumPy's, of few columns and of many."""
    raw = rng.standard_normal(shape).astype(dtype)
    cache = LogLoss(link="softmax").allocate(*shape, dtype)
    maxima = _row_maxima(raw, cache.transposed, out=cache.row)
    np.testing.assert_array_equal(maxima, raw.max(axis=1, keepdims=True))


@pytest.mark.parametrize(
    "name", ["softmax log", "smooth softmax log", "softmax squared"]
)
@pytest.mark.parametrize("k", [2, 47, 48, 49, 500])
def test_many_classes(name, k, rng):
    """Few classes or many, the loss is that of the formula."""
    loss, _, formula = CASES[name]
    raw, y = 5 * rng.standard_normal((9, k)), rng.integers(k, size=9)
    value, _ = loss.loss_gradient(y, raw)
    np.testing.assert_allclose(value, formula(y, raw).mean(), rtol=1e-12)


LINKS = {
    "identity": (SquaredError(link="identity"), lambda raw: raw),
    "sigmoid": (LogLoss(link="sigmoid"), expit),
    "softmax": (LogLoss(link="softmax"), lambda raw: softmax(raw, axis=-1)),
    "exp": (Poisson(), np.exp),
}
every_link = pytest.mark.parametrize("link", LINKS)


def test_every_link_has_a_case_of_its_own():
    """The table of links is all tested here."""
    tables = AVERAGES, AVERAGE_SLOPES, INVERSE_LINKS, SLOPES
    assert all(LINKS.keys() == table.keys() for table in tables)
    assert all(loss.link == link for link, (loss, _) in LINKS.items())


@pytest.mark.parametrize("n_members", [None, 1, 3])
@every_link
def test_slope_of_a_prediction(link, n_members, rng):
    """It is the gradient of one output's prediction, that of members their mean."""
    loss, _ = LINKS[link]
    raw = rng.standard_normal((*(() if n_members is None else (n_members,)), 7, 3))
    weight = rng.standard_normal(7)
    slope = loss.slope(raw, 1)
    assert_gradient(
        lambda raw: weight @ loss.predict(raw)[:, 1], weight[:, None] * slope, raw, rng
    )


@pytest.mark.parametrize("n_members", [1, 2, 5])
@every_link
def test_average(link, n_members, rng):
    """The inverse link of the average is the mean of the members' predictions."""
    loss, inverse = LINKS[link]
    raw = 3 * rng.standard_normal((n_members, 7, 3))
    before = raw.copy()
    average = loss.average(raw)
    assert average.shape == (7, 3)
    np.testing.assert_array_equal(raw, before)
    expected = inverse(raw).mean(axis=0)
    np.testing.assert_allclose(loss.inverse_link(average), expected, rtol=1e-12)


@pytest.mark.parametrize("n_members", [2, 8, 9, 40])
@every_link
def test_a_row_alone_is_the_same_as_among_others(link, n_members, rng):
    """Members are added up in the same order, however many rows there are."""
    raw = rng.standard_normal((n_members, 50, 1)).astype(np.float32)
    loss, _ = LINKS[link]
    average, predicted = loss.average(raw), loss.predict(raw)
    for row in range(50):
        alone = raw[:, [row]]
        np.testing.assert_array_equal(loss.average(alone), average[[row]])
        np.testing.assert_array_equal(loss.predict(alone), predicted[[row]])


@every_link
def test_slope_of_the_average(link, rng):
    """It is the derivative in a factor, and finite where the average is."""
    loss, _ = LINKS[link]
    raw = 3 * rng.standard_normal((4, 7, 3))
    difference = loss.average(raw * (1 + 1e-6)) - loss.average(raw * (1 - 1e-6))
    np.testing.assert_allclose(
        loss.average_slope(raw), difference / 2e-6, rtol=1e-6, atol=1e-8
    )
    assert np.isfinite(loss.average_slope(np.array(FAR[link][0], np.float32))).all()


@every_link
def test_prediction_of_members(link, rng):
    """What members predict together is the mean of what each predicts."""
    loss, _ = LINKS[link]
    raw = 3 * rng.standard_normal((4, 7, 3))
    each = [loss.inverse_link(of_member) for of_member in raw]
    np.testing.assert_array_equal(loss.predict(raw), np.mean(each, axis=0))
    np.testing.assert_array_equal(loss.predict(raw[0]), each[0])


@every_link
def test_average_of_equal_members(link, rng):
    """Members that agree predict together what each of them does."""
    loss, inverse = LINKS[link]
    raw = rng.standard_normal((1, 7, 3)).repeat(4, axis=0)
    np.testing.assert_allclose(inverse(loss.average(raw)), inverse(raw[0]), rtol=1e-12)


@every_link
def test_average_of_float32(link, rng):
    """Of float32, it is float32, and right to its precision."""
    loss, inverse = LINKS[link]
    raw = rng.standard_normal((4, 7, 3)).astype(np.float32)
    average = loss.average(raw)
    assert average.dtype == np.float32
    expected = inverse(raw.astype(float)).mean(axis=0)
    np.testing.assert_allclose(inverse(average), expected, rtol=2e-6, atol=1e-6)


#: link -> raw predictions (n_members, n, n_outputs), and the average of each row. In
#: float32, exp(500) is infinite and the sigmoid of -500 is zero.
FAR = {
    "identity": ([[[500], [500], [-500]], [[500], [-500], [-500]]], [500, 0, -500]),
    "sigmoid": ([[[500], [500], [-500]], [[500], [-500], [-500]]], [500, 0, -500]),
    "exp": (
        [[[500], [500], [-500]], [[500], [-500], [-500]]],
        [500, 500 - np.log(2), -500],
    ),
    # The odds of the first two classes; the third is far off.
    "softmax": (
        [
            [[500, 0, -500], [500, 0, -500], [-500, 0, -500]],
            [[500, 0, -500], [-500, 0, -500], [-500, 0, -500]],
        ],
        [500, 0, -500],
    ),
}


@every_link
def test_average_of_raw_predictions_far_off(link):
    """In float32, raw predictions of 500 neither overflow nor end at minus infinity."""
    raw, expected = FAR[link]
    average = LINKS[link][0].average(np.array(raw, np.float32))
    assert np.isfinite(average).all()
    first = average[:, 0] - average[:, 1] if link == "softmax" else average[:, 0]
    np.testing.assert_allclose(first, expected, rtol=1e-6, atol=1e-4)
    if link == "softmax":
        # exp(-1000) of the second, exp(-500) of the others, or half of that.
        assert (average[:, 2] < -400).all()


@pytest.mark.parametrize("link", ["identity", "sigmoid", "exp"])
def test_average_of_what_overflowed(link):
    """A raw prediction that is infinite leaves a prediction at the limit, not NaN."""
    loss = LINKS[link][0]
    raw = np.array([[[np.inf], [-np.inf]], [[np.inf], [-np.inf]]], np.float32)
    assert loss.average(raw)[:, 0].tolist() == [np.inf, -np.inf]
    # One member is sure, the other has no idea.
    raw = np.array([[[np.inf], [-np.inf]], [[0], [0]]], np.float32)
    limit = {"identity": [np.inf, -np.inf], "sigmoid": [0.75, 0.25]}
    limit["exp"] = [np.inf, 0.5]
    predicted = loss.inverse_link(loss.average(raw))[:, 0]
    np.testing.assert_allclose(predicted, limit[link], rtol=1e-6)
