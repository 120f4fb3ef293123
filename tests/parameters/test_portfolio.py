"""Members of several kinds, and the weights that rows held out choose for them."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit, softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss, mean_squared_error

from skdnn import (
    DNNClassifier,
    DNNRegressor,
    HiddenFeatures,
    LossCurveDisplay,
    NetworkDisplay,
    WeightsDisplay,
    _base,
    _fitting,
)
from skdnn._mixture import PRIOR, choose_weights
from skdnn._portfolio import FEWEST_MEMBERS, FEWEST_ROWS, PORTFOLIO, members_of
from skdnn._recipe import resolve
from skdnn.inspection import integrated_gradients
from skdnn.nn.losses import AVERAGES, INVERSE_LINKS, LogLoss, Quantile, SquaredError
from skdnn.nn.optimizers import SGD, AdamW
from skdnn.streaming import Stream
from tests.recipes import CLASSES
from tests.same import assert_same_network, outputs
from tests.tables import (
    TASKS,
    binary,
    classifier,
    mixed,
    multiclass,
    numbers,
    regression,
    regressor,
)

#: Two kinds, with two members and one.
KINDS = [{}, {"dropout": 0.0, "activation": "relu"}]
TWO = {"portfolio": KINDS, "n_members": 3, "early_stopping": True, "dropout": 0.3}

tasks = pytest.mark.parametrize("task", TASKS)
both = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


def fitted(task, **params):
    """Return an estimator of two kinds, and what it was fitted to."""
    make, data = TASKS[task]
    X, y = data()
    return make(**TWO | params).fit(X, y), X, y


# What is predicted


@tasks
def test_portfolio_predicts_weighted_means(task):
    """Of probabilities, or of numbers."""
    est, X, _ = fitted(task, dtype="float64")
    name = "predict_proba" if hasattr(est, "predict_proba") else "predict"
    of_kinds = [getattr(kind, name)(X) for kind in est.kinds_]
    assert not np.allclose(*of_kinds)
    expected = np.tensordot(est.kind_weights_, of_kinds, axes=1)
    assert_allclose(getattr(est, name)(X), expected, rtol=1e-9)


def test_decisions_and_labels_are_those_of_probabilities():
    """Log odds of two classes, logarithms of several; the most probable label."""
    two, X, _ = fitted("binary", dtype="float64")
    proba = two.predict_proba(X)
    assert_allclose(two.decision_function(X), logit(proba[:, 1]), rtol=1e-9, atol=1e-12)
    assert_allclose(two.predict_log_proba(X), np.log(proba), rtol=1e-9)
    several, X, _ = fitted("multiclass", dtype="float64")
    proba = several.predict_proba(X)
    assert_allclose(softmax(several.decision_function(X), axis=1), proba, rtol=1e-9)
    assert_array_equal(several.predict(X), several.classes_[proba.argmax(axis=1)])


@pytest.mark.parametrize("link", AVERAGES)
def test_weighted_averages_by_hand(link, rng):
    """The inverse link of the average is the weighted mean of those of members."""
    raw, weights = 3 * rng.standard_normal((3, 7, 4)), np.array([0.2, 0.5, 0.3])

    def inverse(raw):
        return INVERSE_LINKS[link](raw, out=np.empty_like(raw))

    expected = np.tensordot(weights, [inverse(of_one) for of_one in raw], axes=1)
    assert_allclose(inverse(AVERAGES[link](raw, weights)), expected, rtol=1e-12)
    equal = np.full(3, 1 / 3)
    assert_allclose(AVERAGES[link](raw, equal), AVERAGES[link](raw), rtol=1e-12)


@tasks
def test_a_row_alone_is_predicted_as_among_others(task):
    """To the bit."""
    est, X, _ = fitted(task)
    for array, row in zip(outputs(est, X), outputs(est, X[7:8]), strict=True):
        assert_array_equal(array[7:8], row)


# What the kinds are


@tasks
def test_the_first_kind_is_the_estimator_alone(task):
    """With as many members, to the bit: what follows does not change it."""
    est, X, y = fitted(task)
    first, second = est.kinds_
    alone = clone(est).set_params(portfolio=False, n_members=2).fit(X, y)
    assert_same_network(first, alone)
    for name in "loss_curve_", "validation_loss_curve_", "best_iter_", "n_iter_":
        assert getattr(est, name) == getattr(first, name) == getattr(alone, name)
    assert first.network_.n_members == 2
    assert second.network_.n_members is None


def test_kinds_are_estimators_of_their_own():
    """They have parameters, columns and an encoder, and predict alone."""
    X, y = mixed()
    reg = regressor(**TWO).fit(X, y)
    first, second = reg.kinds_
    assert [kind.dropout for kind in reg.kinds_] == [0.3, 0.0]
    assert [kind.activation for kind in reg.kinds_] == ["auto", "relu"]
    assert [kind.recipe for kind in reg.kinds_] == ["tuned"] * 2
    assert [kind.n_members for kind in reg.kinds_] == [2, 1]
    assert first.encoder_ is second.encoder_ is reg.encoder_
    assert_array_equal(second.feature_names_in_, X.columns)
    assert second.predict(X).shape == (80,)
    assert clone(second).fit(X, y).n_outputs_ == 1


def test_one_kind_is_none_of_several():
    """Without a portfolio, or with one kind."""
    X, y = binary()
    alone, one = classifier().fit(X, y), classifier(portfolio=[{}]).fit(X, y)
    assert_same_network(one, alone)
    for clf in (alone, one):
        assert clf.kinds_ is None
        assert clf.kind_weights_ is None


def test_a_portfolio_of_one_kind_is_that_kind():
    """It differs from the estimator, as one of several would."""
    X, y = regression()
    reg = regressor(portfolio=[{"hidden_layer_dims": (), "activation": "relu"}])
    reg.fit(X, y)
    assert [w.shape for w in reg.kinds_[0].coefs_] == [(2, 20, 1)]
    assert_array_equal(reg.kind_weights_, 1.0)
    assert_array_equal(reg.predict(X), reg.kinds_[0].predict(X))
    first = clone(reg).set_params(portfolio=[{"alpha": 1e6}, {}], n_members=1)
    alone = regressor(alpha=1e6, n_members=1).fit(X, y)
    with pytest.warns(UserWarning, match="the last 1 have none"):
        first.fit(X, y)
    assert_array_equal(first.predict(X), alone.predict(X))


def test_members_of_kinds():
    """They differ by one at most; no more kinds than members."""
    kinds = [{}] * 4
    assert members_of(kinds, 10) == [3, 3, 2, 2]
    assert members_of(kinds, 8) == [2, 2, 2, 2]
    assert members_of(kinds, 4) == [1, 1, 1, 1]
    clf = classifier(portfolio=[{}, {"alpha": 1.0}, {"alpha": 2.0}], n_members=2)
    with pytest.warns(UserWarning, match="the last 1 have none"):
        clf.fit(*binary())
    assert [kind.alpha for kind in clf.kinds_] == ["auto", 1.0]
    clf = clone(clf).set_params(n_members="auto", max_iter=1, portfolio=KINDS * 5)
    assert len(clf.fit(*binary()).kinds_) == 10


def test_fits_of_several_kinds_and_of_one_leave_nothing_of_each_other():
    """Each is as a new estimator's."""
    X, y = binary()
    clf, alike = classifier(**TWO).fit(X, y), classifier(n_members=2)
    names = {*vars(alike.fit(X, y))}
    assert {*vars(clf)} == names
    clf.set_params(portfolio=False, dropout="auto", n_members=2, early_stopping="auto")
    assert_same_network(clf.fit(X, y), alike)
    assert clf.kinds_ is None
    assert {*vars(clf)} == names


@tasks
def test_the_same_seed_gives_the_same(task):
    """To the bit."""
    one, X, _ = fitted(task)
    two, *_ = fitted(task)
    other, *_ = fitted(task, random_state=1)
    assert_array_equal(one.kind_weights_, two.kind_weights_)
    for a, b, c in zip(*(outputs(est, X) for est in (one, two, other)), strict=True):
        assert_array_equal(a, b)
        if a.dtype.kind == "f":
            assert not np.array_equal(a, c)


# How weights are chosen


def rows_held_out(y, weight=None, n_rows=None):
    """Return what `choose_weights` has to know of rows."""
    n_rows = len(y) if n_rows is None else n_rows
    weight = None if weight is None else weight[:, None] / weight.mean()
    return SimpleNamespace(y=y, weight=weight, n_effective=n_rows)


def test_weights_are_the_minimum_of_what_is_said():
    """Of two kinds, by a search of all weights, with scikit-learn's log loss."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=(50, 1)).astype(float)
    raw = [y - 0.5 + rng.standard_normal((50, 1)) for _ in range(2)]
    actual = choose_weights(LogLoss(link="sigmoid"), raw, rows_held_out(y))
    first, second = map(expit, raw)
    mean = (first + second) / 2
    deviation = np.std(-np.log(np.where(y == 1, mean, 1 - mean)))

    def objective(w):
        loss = log_loss(y, w * first + (1 - w) * second)
        return 50 * loss / deviation - PRIOR * np.log([2 * w, 2 - 2 * w]).mean()

    grid = np.linspace(0.005, 0.995, 199)
    best = grid[np.argmin(list(map(objective, grid)))]
    assert abs(best - 0.5) > 0.02
    assert_allclose(actual, [best, 1 - best], atol=0.005)


def test_weights_of_squared_errors_do_not_depend_on_units():
    """What a prior is worth is in rows, whatever the loss is."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((40, 2))
    raw = [y + s * rng.standard_normal((40, 2)) for s in (0.5, 0.7, 2.0)]
    one = choose_weights(SquaredError(link="identity"), raw, rows_held_out(y))
    other = choose_weights(
        SquaredError(link="identity"), [1e3 * r for r in raw], rows_held_out(1e3 * y)
    )
    assert_allclose(one, other, atol=1e-3)
    assert one[0] > one[1] > one[2] > 0
    assert_allclose(one.sum(), 1)


def test_a_row_of_weight_two_is_two_rows():
    """And one of weight zero is none."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=30)
    raw = [3 * np.eye(3)[y] + s * rng.standard_normal((30, 3)) for s in (1, 2)]
    counts = rng.integers(3, size=30)
    loss = LogLoss(link="softmax")
    weighted = choose_weights(
        loss, raw, rows_held_out(y, counts.astype(float), counts.sum())
    )
    several = [of_kind.repeat(counts, axis=0) for of_kind in raw]
    repeated = choose_weights(loss, several, rows_held_out(y.repeat(counts)))
    assert_allclose(weighted, repeated, atol=1e-4)
    assert abs(weighted[0] - 0.5) > 0.05


def test_kinds_that_predict_the_same_count_the_same():
    """Also where all is predicted so well that there is nothing to choose by."""
    y, raw = np.ones((9, 1)), np.full((9, 1), 2.0)
    loss = LogLoss(link="sigmoid")
    assert_allclose(choose_weights(loss, [raw] * 3, rows_held_out(y)), 1 / 3)
    error = SquaredError(link="identity")
    assert_array_equal(choose_weights(error, [y, y], rows_held_out(y)), 0.5)


def test_a_kind_with_more_members_is_compared_on_the_rows_of_all():
    """Its first rows are those that the others hold out too."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((20, 1))
    raw = [y + s * rng.standard_normal((20, 1)) for s in (1, 2)]
    more = [np.concatenate([raw[0], np.full((5, 1), 1e6)]), raw[1]]
    loss, rows = SquaredError(link="identity"), rows_held_out(y)
    assert_array_equal(
        choose_weights(loss, more, rows), choose_weights(loss, raw, rows)
    )


def test_many_rows_are_chosen_by_some(monkeypatch):
    """Evenly from all of them."""
    monkeypatch.setattr("skdnn._mixture.ENOUGH_ROWS", 10)
    rng = np.random.default_rng(0)
    y = rng.standard_normal((20, 1))
    raw = [y + s * rng.standard_normal((20, 1)) for s in (1, 2)]
    loss = SquaredError(link="identity")
    some = choose_weights(loss, raw, rows_held_out(y))
    half = [of_kind[::2] for of_kind in raw]
    assert_array_equal(
        some, choose_weights(loss, half, rows_held_out(y[::2], n_rows=20))
    )


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_weights_know_a_kind_that_is_of_no_use():
    """It learns next to nothing, and counts next to nothing; equal ones would."""
    X, y = regression(600)
    lame = {"optimizer": "sgd", "learning_rate": 1e-9}
    reg = regressor(portfolio=[{}, lame], n_members=8, max_iter=40).fit(X, y)
    assert reg.kind_weights_[1] < 0.05
    blind = regressor(portfolio=[{}, lame], n_members=8, early_stopping=False)
    assert_array_equal(blind.fit(X, y).kind_weights_, 0.5)


@pytest.mark.parametrize("counts", [1, 3])
def test_rows_of_rare_classes_are_not_as_many_as_they_count(counts, monkeypatch):
    """(27 + 3 * 9)^2 / (27 + 3 * 9^2) of 30 by class weights, 54 by those of rows."""
    seen, predictions = [], _fitting.held_out_predictions
    monkeypatch.setattr(
        _fitting,
        "held_out_predictions",
        lambda model, held_out: seen.append(held_out) or predictions(model, held_out),
    )
    X, y = binary()
    y_val = np.repeat([0, 1], [27, 3])
    val = {"X_val": numbers(30, seed=1), "y_val": y_val}
    val["sample_weight_val"] = np.full(30, counts)
    classifier(**TWO, class_weight={0: 1, 1: 9}).fit(X, y, **val)
    assert_allclose(seen[0].n_effective, counts * 54**2 / (27 + 3 * 81))
    val["sample_weight_val"] = counts * np.where(y_val == 1, 9, 1)
    classifier(**TWO).fit(X, y, **val)
    assert_allclose(seen[-1].n_effective, counts * 54)


@tasks
def test_each_member_predicts_the_rows_that_it_holds_out(task, monkeypatch):
    """Those of others it has learned from; the temperature is in it."""
    seen, predictions = [], _fitting.held_out_predictions

    def spy(model, held_out):
        seen.append((model, held_out, predictions(model, held_out)))
        return seen[-1][-1]

    monkeypatch.setattr(_fitting, "held_out_predictions", spy)
    fitted(task)
    (model, held_out, raw), _ = seen
    halves = np.split(held_out.X, 2)
    of_members = [
        model.member(i).network.predict(half) for i, half in enumerate(halves)
    ]
    expected = np.concatenate(of_members).astype(float) / model.temperature
    assert_allclose(raw, expected, rtol=1e-6)
    assert (model.temperature == 1) == (task in ("regression", "multioutput"))


@tasks
def test_rows_held_out_do_not_lose_by_weights(task):
    """On validation data, the loss is no higher than that of equal weights."""
    make, data = TASKS[task]
    X, y = data()
    X_val, y_val = data(seed=1)
    est = make(**TWO).fit(X, y, X_val=X_val, y_val=y_val)
    is_number = make is regressor
    assert not np.allclose(est.kind_weights_, 0.5)

    def loss(weights):
        name = "predict" if is_number else "predict_proba"
        of_kinds = [getattr(kind, name)(X_val) for kind in est.kinds_]
        mean = np.tensordot(weights, of_kinds, axes=1)
        if is_number:
            return mean_squared_error(y_val / y.std(axis=0), mean / y.std(axis=0))
        if task == "multilabel":
            return -(y_val * np.log(mean) + (1 - y_val) * np.log(1 - mean)).sum()
        return log_loss(y_val, mean)

    assert loss(est.kind_weights_) < loss(np.full(2, 0.5))


# When there are several


def portfolio_of(n_rows=5000, n_columns=10, is_classifier=True, **params):
    """Return the kinds that an estimator's parameters stand for."""
    make = DNNClassifier if is_classifier else DNNRegressor
    params = make(**params).get_params(deep=False)
    return resolve(params, n_columns, n_rows, is_classifier).portfolio


@both
def test_auto_is_for_many_members_and_rows(Estimator):
    """Where rows that are held out say what a kind is worth."""
    enough = {"n_members": FEWEST_MEMBERS, "n_rows": FEWEST_ROWS}
    enough["is_classifier"] = Estimator is DNNClassifier
    assert portfolio_of(**enough) == list(PORTFOLIO)
    assert len(PORTFOLIO) * 2 == FEWEST_MEMBERS
    for other in [
        {"n_members": FEWEST_MEMBERS - 1},
        {"n_members": "auto"},
        {"n_rows": FEWEST_ROWS - 1},
        {"n_rows": None},
        {"early_stopping": False},
        {"warm_start": True},
        {"recipe": "plain"},
        {"ensemble_weights": "shared"},
        {"pretrained": object()},
        {"portfolio": False},
        {"optimizer": "lbfgs", "solver": "bgd", "recipe": "tuned"},
    ]:
        assert portfolio_of(**enough | other) == [{}]


def test_what_is_set_by_hand_is_that_of_all_kinds():
    """Nor is there a kind that has another embedding than none."""
    many = {"portfolio": True, "n_members": 8}
    assert portfolio_of(**many) == list(PORTFOLIO)
    periodic = [{}, {"numeric_embedding": "periodic"}]
    assert portfolio_of(**many, dropout=0.1) == periodic
    no_dropout = [{}, {"dropout": 0.0}]
    assert portfolio_of(**many, numeric_embedding="periodic") == no_dropout
    assert portfolio_of(**many, n_columns=1000) == no_dropout
    assert portfolio_of(**many, numeric_embedding=None, dropout=0.1) == [{}]
    assert portfolio_of(**many, recipe="plain") == [{}]


def test_kinds_that_are_asked_for_and_not_there_are_told():
    """What is left to skdnn is not."""
    X, y = binary()
    for params in {"n_members": 1}, {"recipe": "plain", "n_members": 4}:
        with pytest.warns(UserWarning, match="portfolio=True has no effect"):
            classifier(portfolio=True, **params).fit(X, y)
    with pytest.warns(UserWarning, match="has 3 kinds .* the last 1 have none"):
        classifier(portfolio=[*KINDS, {"alpha": 2.0}], n_members=2).fit(X, y)
    classifier(portfolio=[{}], n_members=1).fit(X, y)


def test_the_portfolio_of_true():
    """Whatever the number of members and rows."""
    clf = classifier(portfolio=True, n_members=4).fit(*binary())
    changed = [(kind.numeric_embedding, kind.dropout) for kind in clf.kinds_]
    assert changed == [
        ("auto", "auto"),
        ("periodic", 0.0),
        ("auto", 0.0),
        ("periodic", "auto"),
    ]


def test_a_stream_has_one_kind():
    """It is read once an epoch; what is asked for is refused."""
    X, y = binary(FEWEST_ROWS)
    X = pd.DataFrame(X).add_prefix("x")
    stream = Stream([X.assign(y=y)])
    clf = classifier(n_members=8, max_iter=1)
    assert clf.fit(stream, "y").kinds_ is None
    assert clf.set_params(warm_start=True).fit(X, y).kinds_ is None
    clf.set_params(warm_start=False)
    with pytest.raises(ValueError, match="portfolio=True needs all rows in memory"):
        clone(clf).set_params(portfolio=True).fit(stream, "y")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"portfolio": []}, "portfolio is empty"),
        ({"portfolio": [{}, "dropout"]}, "list of dicts, .* got 'dropout'"),
        ({"portfolio": [{"loss": "log_loss"}]}, "'loss' of their own; they may differ"),
        ({"portfolio": [{"auxiliary_quantiles": True}]}, "'auxiliary_quantiles' of"),
        ({"portfolio": [{}, {"dropout": 2}]}, "dropout"),
        ({"portfolio": [{}, {"batch_size": 0}]}, "'batch_size' parameter"),
        ({"portfolio": [{"dropout": (0.1, 0.2)}]}, r"^portfolio\[0\]: dropout has 2"),
        ({"portfolio": [{}, {"optimizer": "lbfgs"}]}, "needs solver='bgd'"),
        ({"portfolio": [{"optimizer": AdamW(beta_2=3)}]}, "beta_2"),
        ({"portfolio": "all"}, "'portfolio' parameter"),
        ({"portfolio": KINDS, "warm_start": True}, "warm_start=True goes on"),
        ({"portfolio": True, "pretrained": DNNClassifier()}, "choose one of them"),
    ],
)
def test_kinds_that_make_no_sense(params, message):
    """Said before anything is trained."""
    clf = classifier(**params)
    with pytest.raises(ValueError, match=message):
        clf.fit(*binary())
    assert not hasattr(clf, "kinds_")


def test_partial_fit_has_one_kind():
    """Training goes on there with one network; `"auto"` is that."""
    X, y = binary()
    clf = classifier(n_members=8, portfolio=True)
    with pytest.raises(ValueError, match="does not support portfolio=True"):
        clf.partial_fit(X, y, **CLASSES["binary"])
    clf.set_params(portfolio="auto").partial_fit(X, y, **CLASSES["binary"])
    assert clf.kinds_ is None


def test_a_warm_start_does_not_go_on_with_several_kinds():
    """But with one of them, and what was fitted stays."""
    est, X, y = fitted("binary")
    before = outputs(est, X)
    est.set_params(portfolio="auto", warm_start=True)
    with pytest.raises(ValueError, match="can't go on with 2 kinds of members"):
        est.fit(X, y)
    for one, two in zip(before, outputs(est, X), strict=True):
        assert_array_equal(one, two)
    est.kinds_[0].set_params(warm_start=True).fit(X, y)


@tasks
def test_partial_fit_trains_each_kind(task):
    """For an epoch, from where it is; what it counts stays."""
    est, X, y = fitted(task)
    est.set_params(early_stopping="auto")
    before, kinds = outputs(est, X), est.kinds_
    weights, networks = est.kind_weights_, [kind.network_ for kind in kinds]
    alone = clone(kinds[0]).set_params(early_stopping="auto")
    alone.__dict__.update(pickle.loads(pickle.dumps(vars(kinds[0]))))
    alone.set_params(early_stopping="auto").partial_fit(X, y)
    est.partial_fit(X, y)
    assert_same_network(est.kinds_[0], alone)
    assert_array_equal(est.kind_weights_, weights)
    assert [kind.dropout for kind in est.kinds_] == [0.3, 0.0]
    for kind, was, network in zip(est.kinds_, kinds, networks, strict=True):
        assert was.network_ is network
        assert not np.array_equal(kind.network_.params, network.params)
    assert est.n_iter_ == est.kinds_[0].n_iter_
    for one, two in zip(before, outputs(est, X), strict=True):
        assert one.dtype.kind != "f" or not np.array_equal(one, two)
    est.partial_fit(X, y)


def test_partial_fit_has_the_parameters_of_now():
    """Those of the estimator, but for what kinds differ in; and these stay."""
    est, X, y = fitted("binary")
    est.set_params(early_stopping="auto", learning_rate=1e-9)
    before = [kind.network_.params for kind in est.kinds_]
    est.partial_fit(X, y)
    for kind, params in zip(est.kinds_, before, strict=True):
        assert_allclose(kind.network_.params, params, atol=1e-5)
    for change in {"portfolio": False}, {"portfolio": [{}, {"dropout": 0.1}]}:
        with pytest.raises(ValueError, match=r"portfolio was .* partial_fit can't"):
            est.set_params(**change).partial_fit(X, y)
    est.set_params(portfolio="auto", n_members=4)
    with pytest.raises(ValueError, match="n_members was 3"):
        est.partial_fit(X, y)
    est.set_params(portfolio=KINDS, n_members=3, dropout=0.1)
    with pytest.raises(ValueError, match=r"dropout was 0\.3"):
        est.partial_fit(X, y)


def test_partial_fit_goes_on_with_true():
    """The portfolio is what it was; one that is new is refused."""
    X, y = binary()
    clf = classifier(portfolio=True, n_members=4).fit(X, y)
    assert len(clf.partial_fit(X, y).kinds_) == 4
    with pytest.raises(ValueError, match=r"portfolio was .* is now"):
        clf.set_params(portfolio=KINDS).partial_fit(X, y)
    alike = classifier(portfolio=False).fit(X, y)
    for portfolio in True, KINDS:
        with pytest.raises(ValueError, match=r"portfolio was .* is now"):
            alike.set_params(portfolio=portfolio).partial_fit(X, y)
    alike.set_params(portfolio="auto").partial_fit(X, y)


def test_partial_fit_is_not_there_with_a_kind_of_lbfgs():
    """As without kinds, where the optimizer is that."""
    X, y = binary()
    kinds = [{}, {"optimizer": "lbfgs"}]
    clf = classifier(portfolio=kinds, solver="bgd", optimizer="adam").fit(X, y)
    assert not hasattr(clf, "partial_fit")
    assert hasattr(clf.kinds_[0], "partial_fit")


def test_partial_fit_that_fails_leaves_all_as_it_was():
    """Also the kinds that had been trained by then."""
    est, X, y = fitted("binary")
    est.set_params(early_stopping="auto")
    before, kinds = outputs(est, X), est.kinds_
    with pytest.raises(ValueError, match="NaN"):
        est.partial_fit(X, np.where(y > 0, np.nan, 0.0))
    assert est.kinds_ is kinds
    for one, two in zip(before, outputs(est, X), strict=True):
        assert_array_equal(one, two)


# What else an estimator does


@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "network_"])
def test_what_is_told_of_one_network_is_that_of_the_first(name):
    """Which is the estimator as it is."""
    est, *_ = fitted("binary")
    one, two = getattr(est, name), getattr(est.kinds_[0], name)
    if name == "network_":
        assert one is two
    else:
        for a, b in zip(one, two, strict=True):
            assert_array_equal(a, b)
    assert est.n_layers_ == est.kinds_[0].n_layers_
    assert est.temperature_ == est.kinds_[0].temperature_
    assert est.linear_share_ == est.kinds_[0].linear_share_


@pytest.mark.parametrize("Display", [NetworkDisplay, WeightsDisplay, LossCurveDisplay])
def test_pictures_say_that_they_are_of_the_first(Display, plt):
    """In the title, or the legend."""
    est, *_ = fitted("binary")
    display = Display.from_estimator(est)
    assert "DNNClassifier (first of 2 kinds)" in display.estimator_name


def test_hidden_features_are_of_one_kind():
    """Of what is trained there; of a network that is trained, those of the first."""
    X, y = binary(FEWEST_ROWS)
    clf = classifier(n_members=8, max_iter=1)
    assert len(clf.fit(X, y).kinds_) == 4
    hidden = HiddenFeatures(clf).fit(X, y)
    assert hidden.estimator_.kinds_ is None
    assert hidden.transform(X).shape == (len(X), 64)
    frozen = HiddenFeatures(FrozenEstimator(clf)).fit(X, y)
    first = HiddenFeatures(FrozenEstimator(clf.kinds_[0])).fit(X, y)
    assert_array_equal(frozen.transform(X), first.transform(X))
    assert len(frozen.get_feature_names_out()) == frozen.transform(X).shape[1] == 16


def test_pretrained_is_the_first_kind():
    """Whose layers are taken over."""
    est, X, y = fitted("binary")
    new = clone(est).set_params(portfolio="auto", n_members=2)
    one = clone(new).set_params(pretrained=FrozenEstimator(est)).fit(X, y)
    two = clone(new).set_params(pretrained=FrozenEstimator(est.kinds_[0])).fit(X, y)
    assert_same_network(one, two)


@tasks
def test_pickles(task):
    """One pickle, which holds what the kinds have in common once."""
    est, X, _ = fitted(task)
    data = pickle.dumps(est)
    for one, two in zip(outputs(est, X), outputs(pickle.loads(data), X), strict=True):
        assert_array_equal(one, two)
    parts = [len(pickle.dumps(kind)) for kind in est.kinds_]
    assert len(data) < sum(parts)
    first, second = pickle.loads(data).kinds_
    assert first.encoder_ is second.encoder_


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_attributions_add_up(task):
    """They are the weighted mean of those of the kinds."""
    est, X, _ = fitted(task, dtype="float64")
    is_number = task == "regression"
    target = None if task in ("binary", "regression") else 0
    parts = integrated_gradients(est, X[:5], baseline=X[9], target=target)
    proba = est.predict(X) if is_number else est.predict_proba(X)[:, target or 0]
    proba = 1 - proba if task == "binary" else proba
    assert_allclose(parts.sum(axis=1), proba[:5] - proba[9], atol=1e-3)


@pytest.mark.parametrize(
    ("make", "data", "loss"),
    [
        (regressor, regression, Quantile((0.1, 0.9))),
        (classifier, multiclass, LogLoss(link="sigmoid")),
    ],
)
def test_attributions_that_are_no_mean(make, data, loss):
    """Of what is sorted, or scaled, after it has been averaged."""
    X, y = data()
    est = make(**TWO, loss=loss).fit(X, y)
    with pytest.raises(ValueError, match="attributions are not the mean"):
        integrated_gradients(est, X, target=0)
    assert integrated_gradients(est.kinds_[0], X, target=0).shape == X.shape


def test_html_shows_each_kind():
    """A table of layers and a curve for each."""
    est, *_ = fitted("binary")
    html = est._repr_html_()
    assert "<caption>Network:" not in html
    for i, weight in enumerate(est.kind_weights_, 1):
        assert f"<caption>Kind {i} of members, weight {weight:.2f}: " in html
    assert "in 2 members" in html


def test_refit_trains_each_kind_on_all_rows():
    """The weights are those of the trainings that were watched."""
    est, X, y = fitted("regression")
    again = clone(est).set_params(refit=True).fit(X, y)
    assert again.kind_weights_.shape == (2,)
    assert not np.array_equal(est.predict(X), again.predict(X))
    for one, two in zip(est.kinds_, again.kinds_, strict=True):
        assert one.best_iter_ == two.best_iter_
        with pytest.raises(AssertionError):
            assert_same_network(one, two)


def test_time_is_shared(monkeypatch):
    """Each kind has an equal part of what is left."""
    ends, end_times = [], _fitting.end_times

    def spy(max_time, started, refits):
        ends.append((max_time, started))
        return end_times(max_time, started, refits)

    monkeypatch.setattr(_fitting, "end_times", spy)
    for module in (_base, _fitting):
        monkeypatch.setattr(module, "perf_counter", lambda: 100.0)
    X, y = binary()
    kinds = [{"alpha": alpha} for alpha in (1.0, 2.0, 3.0)]
    classifier(portfolio=kinds, n_members=3, max_time=300.0).fit(X, y)
    assert ends == [(100.0, 100.0), (150.0, 100.0), (300.0, 100.0)]


def test_time_leaves_no_kind_out():
    """Of those that are given."""
    kinds = [{}, {"dropout": 0.0}, {"alpha": 1.0}]
    clf = DNNClassifier((4,), portfolio=kinds, max_time=1e-9, random_state=0)
    clf.fit(*binary())
    assert [kind.n_members for kind in clf.kinds_] == [1, 1, 1]


def test_a_refit_without_time_says_what_was_set():
    """Not what a kind has of it."""
    clf = classifier(**TWO | {"max_time": 1e-9}, refit=True)
    with pytest.warns(UserWarning, match=r"has no time \(max_time=1e-09\)"):
        clf.fit(*binary())


def test_scorers_see_each_kind_alone():
    """As it is in training."""
    seen = []

    def score(estimator, X, y):
        seen.append(estimator.dropout)
        return estimator.score(X, y)

    classifier(**TWO | {"n_members": 2, "max_iter": 2}, scoring=score).fit(*binary())
    assert seen == [0.3, 0.3, 0.0, 0.0]


class Stopping(SGD):
    """Is interrupted at a step."""

    n_steps, stop_at = 0, 0

    def update(self, *args):
        super().update(*args)
        Stopping.n_steps += 1
        if Stopping.n_steps == Stopping.stop_at:
            raise KeyboardInterrupt


@pytest.fixture
def stopping(monkeypatch, one_at_a_time):
    """Return what sets the step at which a kind is interrupted, of thirty."""
    monkeypatch.setattr(Stopping, "n_steps", 0)
    return lambda step: monkeypatch.setattr(Stopping, "stop_at", step)


#: The second is interrupted.
INTERRUPTED = {
    "portfolio": [{}, {"optimizer": Stopping()}, {"dropout": 0.0}],
    "n_members": 3,
    "batch_size": 30,
}


@pytest.mark.parametrize(
    ("stop_at", "early_stopping", "n_kinds"),
    [(1, True, 1), (20, True, 2), (20, False, 1)],
)
def test_an_interrupt_keeps_what_was_trained(
    stop_at, early_stopping, n_kinds, stopping
):
    """The kinds before, and one that has had an epoch, if rows say what it is worth."""
    stopping(stop_at)
    X, y = binary()
    clf = classifier(**INTERRUPTED, early_stopping=early_stopping)
    with pytest.warns(UserWarning, match="interrupted by user"):
        clf.fit(X, y)
    assert len(clf.kinds_) == n_kinds
    assert_allclose(clf.kind_weights_.sum(), 1)
    assert clf.predict(X).shape == y.shape
    clf.set_params(early_stopping="auto").partial_fit(X, y)
    assert len(clf.kinds_) == n_kinds


def test_an_interrupt_of_a_refit_ends_all(stopping):
    """The kind is kept as it was before, and no other is trained."""
    stopping(45)
    clf = classifier(**INTERRUPTED, early_stopping=True, refit=True)
    with pytest.warns(UserWarning, match="refit was interrupted by user"):
        clf.fit(*binary())
    assert len(clf.kinds_) == 2
    # Of all rows, and of those that were not held out.
    first, second = (kind.encoder_.median_ for kind in clf.kinds_)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", ["choose_weights", "held_out_predictions"])
def test_an_interrupt_at_the_end_keeps_all(name, monkeypatch):
    """Kinds count the same then."""

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_fitting, name, interrupt)
    clf = classifier(**TWO)
    with pytest.warns(UserWarning, match="interrupted by user"):
        clf.fit(*binary())
    n_kinds = {"choose_weights": 2, "held_out_predictions": 1}[name]
    assert_array_equal(clf.kind_weights_, np.full(n_kinds, 1 / n_kinds))


@pytest.mark.parametrize("weight", [None, "some"])
def test_weights_of_rows_count(weight):
    """A row of weight 2 is as good as two such rows, for the kinds' weights too."""
    X, y = regression(100)
    counts = np.ones(100) if weight is None else numbers(100, 1)[:, 0].round() % 3
    params = TWO | {"shuffle": True, "dropout": 0.0, "portfolio": [{}, {"alpha": 9.0}]}
    one = regressor(**params).fit(X, y, counts)
    rows = np.arange(100).repeat(counts.astype(int))
    two = regressor(**params).fit(X[rows], y[rows])
    assert_allclose(one.kind_weights_, two.kind_weights_, atol=0.01)
