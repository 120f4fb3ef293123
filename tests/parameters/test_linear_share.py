"""A linear model beside the network, where rows are few."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from skdnn import DNNClassifier, DNNRegressor, _training
from skdnn._linear_share import PRIOR, SHARES, STRENGTHS
from skdnn._validation import ValidationRows
from skdnn.nn import compiled
from skdnn.nn.embeddings import EntityEmbedding
from skdnn.nn.inputs import sources
from skdnn.nn.layers import LinearJoin
from skdnn.streaming import Stream
from tests.recipes import CLASSES
from tests.tables import TASKS, binary, classifier, numbers, regression, regressor

tasks = pytest.mark.parametrize("task", TASKS)

#: One linear model beside one network, on all rows.
ALONE = {"n_members": 1, "early_stopping": True, "refit": True, "linear_share": True}


def linear(n, d=5, noise=0.1, seed=0):
    """Return columns, and a target that is linear in them but for noise."""
    X = numbers(n, d, seed)
    noise = noise * np.random.default_rng(seed + 1).standard_normal(n)
    return X, X @ np.arange(1, d + 1) + noise


def raw(est, X):
    """Return raw predictions of a single network, before the temperature."""
    return est.network_.predict(est.encoder_.transform(X))


def weights_of_columns(est):
    """Return weights and bias of a single linear model, by the encoder's columns."""
    join = est.network_.layers[-1]
    columns = sources(est.network_)
    weight = np.zeros((est.encoder_.n_features_out_, join.n_outputs))
    np.add.at(weight, columns, join.weight)
    return weight, join.bias / join.share


# What it is


@tasks
def test_linear_share_makes_a_weighted_mean(task):
    """Of those of the network, which is as it would be alone, and a linear model's."""
    make, data = TASKS[task]
    X, y = data()
    params = ALONE | {"dtype": "float64"}
    both = make(**params).fit(X, y)
    network = make(**params | {"linear_share": False}).fit(X, y)
    assert both.loss_curve_ == network.loss_curve_
    weight, bias = weights_of_columns(both)
    of_linear = both.encoder_.transform(X) @ weight + bias
    share = both.linear_share_
    assert 0 < share <= 1
    expected = (1 - share) * raw(network, X) + share * of_linear
    np.testing.assert_allclose(raw(both, X), expected, atol=1e-12)


def nearest(actual, candidates):
    """Return which of some arrays is nearest: nobody says what strength was chosen."""
    return min(candidates, key=lambda array: np.abs(actual - array).max())


def test_linear_model_is_ridge_regression():
    """By another implementation; the target is scaled."""
    X, y = regression()
    reg = regressor(**ALONE, dtype="float64").fit(X, y)
    weight, bias = weights_of_columns(reg)
    scaled, columns = (y - y.mean()) / y.std(), reg.encoder_.transform(X)
    models = [Ridge(alpha=strength).fit(columns, scaled) for strength in STRENGTHS]
    actual = np.append(weight, bias)
    ridge = nearest(actual, [np.append(m.coef_, m.intercept_) for m in models])
    np.testing.assert_allclose(actual, ridge, atol=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_linear_model_is_logistic_regression(weighted):
    """By another implementation; a row of weight 3 counts three times."""
    X, y = binary()
    weight = np.where(np.arange(60) % 4 == 0, 3.0, 1.0) if weighted else None
    clf = classifier(**ALONE, dtype="float64").fit(X, y, weight)
    coef, bias = weights_of_columns(clf)
    columns, actual = clf.encoder_.transform(X), np.append(coef, bias)
    models = [LogisticRegression(C=1 / strength, tol=1e-8) for strength in STRENGTHS]
    for model in models:
        model.fit(columns, y, weight)
    logistic = nearest(actual, [np.append(m.coef_, m.intercept_) for m in models])
    np.testing.assert_allclose(actual, logistic, rtol=5e-3, atol=5e-3)


def test_categories():
    """It reads those that are columns of zeros and ones, and no codes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(numbers(90, 2), columns=["a", "b"])
    X["few"] = pd.Categorical(rng.choice(["x", "y", "z"], 90))
    X["many"] = pd.Categorical(rng.integers(12, size=90).astype(str))
    embedding = EntityEmbedding(max_one_hot=3, width=2)
    reg = regressor(**ALONE, categorical_embedding=embedding)
    reg.fit(X, X["a"] + (X["few"] == "x"))
    weight, _ = weights_of_columns(reg)
    assert (weight[:-1] != 0).all()
    assert weight[-1] == 0


@tasks
def test_programs_predict_what_numpy_does(task):
    """The compiled engine makes the same raw predictions."""
    make, data = TASKS[task]
    X, y = data()
    network = make(early_stopping=True, linear_share=True).fit(X, y).network_
    assert isinstance(network.layers[-1], LinearJoin)
    x = numbers(20, network.n_inputs)
    np.testing.assert_allclose(network.predictor(x), network.forward(x), atol=1e-12)
    assert network.predictor._is_recorded == compiled.available


# How it is chosen


def mean_squared_error(y, raw):
    return 0.5 * np.mean((y - raw) ** 2)


def test_share_and_strength_have_the_smallest_loss():
    """By hand, on validation data: the best strength, and a share near a quarter."""
    X, y = linear(60, noise=2.0)
    X_val, y_val = linear(40, noise=2.0, seed=9)
    val = {"X_val": X_val, "y_val": y_val}
    params = {"n_members": 1, "dtype": "float64", "max_iter": 20}
    both = regressor(**params, linear_share=True).fit(X, y, **val)
    network = regressor(**params, linear_share=False).fit(X, y, **val)
    scaled, scaled_val = ((t - y.mean()) / y.std() for t in (y, y_val))
    columns, columns_val = map(both.encoder_.transform, (X, X_val))

    of_linear = [
        Ridge(alpha=strength).fit(columns, scaled).predict(columns_val)
        for strength in STRENGTHS
    ]
    best = min(of_linear, key=lambda raw: mean_squared_error(scaled_val, raw))
    of_network = raw(network, X_val)[:, 0]
    losses = np.array(
        [
            mean_squared_error(scaled_val, (1 - s) * of_network + s * best)
            for s in SHARES
        ]
    )
    losses += PRIOR / 40 * losses[0] * (SHARES - 0.25) ** 2
    assert both.linear_share_ == pytest.approx(SHARES[np.argmin(losses)])
    assert 0 < both.linear_share_ < 1
    mean = (1 - both.linear_share_) * of_network + both.linear_share_ * best
    np.testing.assert_allclose(raw(both, X_val)[:, 0], mean, atol=1e-3)


def test_members_choose_by_the_rows_that_they_hold_out():
    """Of all members' predictions of all these rows, each has its own part."""
    raw = np.arange(2 * 6 * 1.0).reshape(2, 6, 1)
    rows = ValidationRows(None, None, None, 6, 6, n_members=2)
    np.testing.assert_array_equal(rows.own(raw)[:, 0], [0, 1, 2, 9, 10, 11])
    assert rows._replace(n_members=None).own(raw) is raw


def test_linear_members_do_not_learn_from_the_rows_that_they_hold_out():
    """The target of a row changes the linear models of those that learn from it."""
    X, y = linear(60)
    seen = []

    def score(estimator, X, y):
        seen.append(y)
        return 0.0

    params = {"n_members": 3, "target_scaling": False, "shuffle": False}
    params |= {"scoring": score, "early_stopping": True}
    one = regressor(**params).fit(X, y).network_.layers[-1].weight
    # By little, so that strength and share stay what they are.
    changed = np.where(np.isin(y, seen[0]), y + 1e-3, y)
    two = regressor(**params).fit(X, changed).network_.layers[-1].weight
    np.testing.assert_array_equal(one[0], two[0])
    assert (one[1] != two[1]).any()
    assert (one[2] != two[2]).any()


def test_one_temperature_for_both():
    """With it, the probabilities have a lower loss than those of the network alone."""
    (X, y), (X_val, y_val) = linear(60, noise=5.0), linear(200, noise=5.0, seed=9)
    y, y_val = (y > 0).astype(int), (y_val > 0).astype(int)
    val = {"X_val": X_val, "y_val": y_val}
    clf = classifier(dtype="float64", max_iter=20).fit(X, y, **val)
    assert 0 < clf.linear_share_ <= 1
    loss = -np.mean(clf.predict_log_proba(X_val)[np.arange(200), y_val])
    assert loss < min(clf.validation_loss_curve_)
    for factor in 0.9, 1.1:
        scaled = clf._model._replace(temperature=factor * clf.temperature_)
        proba = clf._as_estimator(scaled).predict_log_proba(X_val)
        assert -np.mean(proba[np.arange(200), y_val]) > loss


# What it is worth


@pytest.mark.parametrize("n", [30, 60])
def test_nearly_linear_tables(n):
    """With defaults, the error is much smaller where a straight line would do."""
    X, y = linear(n)
    X_new, y_new = linear(1000, seed=5)
    alone, both = (
        DNNRegressor(linear_share=share, random_state=0).fit(X, y)
        for share in (False, "auto")
    )
    assert 1 - both.score(X_new, y_new) < 0.75 * (1 - alone.score(X_new, y_new))


def test_tables_that_are_not_linear():
    """There, its share is small, and nothing is lost."""
    X, _ = binary(300)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    X_new = numbers(1000, seed=5)
    y_new = (X_new[:, 0] * X_new[:, 1] > 0).astype(int)
    alone, both = (
        DNNClassifier(linear_share=share, random_state=0).fit(X, y)
        for share in (False, "auto")
    )
    assert both.linear_share_ < 0.3
    assert both.score(X_new, y_new) > alone.score(X_new, y_new) - 0.01


# When it is there

FROM_HELD_OUT = {"early_stopping": True, "linear_share": True}


@pytest.mark.parametrize(
    ("n", "params", "is_there"),
    [
        (999, {}, True),
        (1000, {}, False),
        (60, {}, True),
        (60, {"early_stopping": False}, False),
        (19, {}, False),
        (60, {"warm_start": True}, False),
        (60, {"residual": True}, False),
        (60, {"hidden_layer_dims": (4,) * 5}, False),
        (60, {"recipe": "plain"}, False),
        (60, FROM_HELD_OUT | {"recipe": "plain"}, True),
        (60, FROM_HELD_OUT | {"solver": "bgd", "optimizer": "lbfgs"}, True),
    ],
)
def test_auto(n, params, is_there):
    """With few rows, where something tells how much of it there should be."""
    reg = regressor(**{"max_iter": 1} | params).fit(*linear(n))
    assert (reg.linear_share_ > 0) == is_there
    assert any(isinstance(ly, LinearJoin) for ly in reg.network_.layers) == is_there


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"residual": True}, "linear_share=True .*residual=True"),
        ({"hidden_layer_dims": (4,) * 5}, "linear_share=True .*from 5 hidden layers"),
        ({"warm_start": True}, "linear_share=True .*warm_start=True"),
        ({"early_stopping": False}, "linear_share=True needs rows that are held out"),
    ],
)
def test_what_it_can_not_be_beside(params, match):
    with pytest.raises(ValueError, match=match):
        regressor(linear_share=True, **params).fit(*regression())


def test_parts_and_streams():
    """It needs all rows at once."""
    X, y = regression()
    with pytest.raises(ValueError, match="partial_fit does not support linear_share"):
        regressor(linear_share=True).partial_fit(X, y)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y)
    stream = Stream(lambda: iter([frame]))
    with pytest.raises(ValueError, match="linear_share=True needs all rows in memory"):
        regressor(linear_share=True).fit(stream, "y")
    assert regressor().partial_fit(X, y).linear_share_ == 0
    # Where memory holds them all.
    assert regressor().fit(stream, "y").linear_share_ > 0
    short = Stream(lambda: iter([frame]), buffer_rows=32)
    assert regressor(batch_size=8).fit(short, "y").linear_share_ == 0


@tasks
def test_training_goes_on(task):
    """`partial_fit` trains both, and leaves the share as it is."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(X, y)
    share, before = est.linear_share_, est.network_.layers[-1].weight.copy()
    assert share > 0
    for _ in range(30):
        est.partial_fit(X, y, **CLASSES[task])
    assert est.linear_share_ == share
    assert (est.network_.layers[-1].weight != before).any()
    assert est.loss_curve_[-1] < make().fit(X, y).loss_curve_[0]


def test_refit():
    """On all rows, it has the same share and strength, and learns anew."""
    X, y = linear(60)
    once = regressor().fit(X, y)
    again = regressor(refit=True).fit(X, y)
    assert again.linear_share_ == once.linear_share_ > 0
    join = again.network_.layers[-1]
    # All members learn from the same rows now.
    np.testing.assert_array_equal(join.weight[0], join.weight[1])
    assert (join.weight != once.network_.layers[-1].weight).any()


def test_refit_of_what_was_better_alone(monkeypatch):
    """A share that was not worth it is not there after a refit either."""
    monkeypatch.setattr(_training, "choose_linear_share", lambda *args: None)
    reg = regressor(refit=True).fit(*linear(60))
    assert reg.linear_share_ == 0
    assert not any(isinstance(ly, LinearJoin) for ly in reg.network_.layers)


def test_rows_that_are_too_few():
    """None of these is held out: set by hand, it has no effect, which is said."""
    with pytest.warns(match="linear_share=True has no effect: no rows are held out"):
        reg = regressor(linear_share=True).fit(*linear(12))
    assert reg.linear_share_ == 0


@pytest.mark.parametrize("before", [True, False])
def test_it_can_not_change_as_training_goes_on(before):
    X, y = linear(60)
    reg = regressor(linear_share=before).fit(X, y)
    reg.set_params(linear_share=not before)
    with pytest.raises(
        ValueError, match=f"linear_share was {before} .*now {not before}"
    ):
        reg.partial_fit(X, y)


def test_interrupt(monkeypatch):
    """Ctrl-C while the linear model is trained leaves the network, which has been."""

    def interrupted(*args):
        raise KeyboardInterrupt

    X, y = linear(60)
    alone = regressor(linear_share=False).fit(X, y)
    monkeypatch.setattr(_training, "choose_linear_share", interrupted)
    with pytest.warns(match="interrupted by user"):
        reg = regressor().fit(X, y)
    np.testing.assert_array_equal(reg.predict(X), alone.predict(X))


def test_summary():
    """Notebooks say that it is there."""
    both, alone = regressor(), regressor(linear_share=False)
    assert "linear share" in both.fit(*linear(60))._repr_html_()
    assert "linear share" not in alone.fit(*linear(60))._repr_html_()
