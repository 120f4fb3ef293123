"""What is known of the parts of a table is, together, what is known of the whole."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from skdnn import _statistics
from skdnn._class_targets import ClassTargets
from skdnn._data import check_data
from skdnn._model import Model, Statistics
from skdnn._number_targets import NumberTargets
from skdnn._rows import Rows
from skdnn._statistics import Moments, Sample
from skdnn.encoding import TabularEncoder
from skdnn.nn.losses import Huber, SquaredError
from tests.plain import plain_classifier, plain_regressor
from tests.same import assert_same

SCALINGS = "robust", "standard", "quantile", None
scalings = pytest.mark.parametrize("scaling", SCALINGS)
weights = pytest.mark.parametrize("weighted", [False, True])


@pytest.fixture(autouse=True)
def few_sampled(request, monkeypatch):
    """Let a sample be less than the table."""
    monkeypatch.setattr(_statistics, "SAMPLED_ROWS", 150)


def table(n=400):
    """Return numbers of all sizes, categories, holes, and columns that are constant."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "large": 1e300 * rng.standard_normal(n),
            "text": rng.choice(["b", "a", "10", "9", "Ä"], n),
            "small": 1e-300 * rng.standard_normal(n),
            "few": rng.integers(0, 3, n) + 0.0,
            "constant": np.full(n, 7.0),
            "empty": np.full(n, np.nan),
            "alone": pd.Series(["one"] * n, dtype="category"),
            "mostly": np.where(np.arange(n) < 390, 1.0, 2.0),
        }
    )
    # Of the last part alone, whatever the parts are.
    X.loc[n - 3 :, "text"] = "late"
    X.loc[n - 2 :, "large"] = np.nan
    X.loc[rng.random(n) < 0.1, "text"] = None
    return X


def numbers(X):
    return np.nan_to_num(X["small"].to_numpy()) * 1e300 + X["few"].to_numpy()


def labels(X):
    return np.where(X["few"] > 1, "many", np.where(X["few"] > 0, "one", "no"))


def statistics_of(X, y, weight, scaling, targets_class=NumberTargets):
    """Return what there is to learn from a table, and the model that is to learn."""
    # A part does not know by itself what its columns are.
    columns = {"categorical_features": ["text", "alone"]}
    model = Model(TabularEncoder(scaling, **columns), targets_class())
    estimator = plain_regressor(numeric_scaling=scaling)
    data = check_data(estimator, model, X, y, weight, learn=True)
    return model.statistics(data, data.rows), model


def parts_of(X, y, weight, bounds, *how):
    """Return what there is to learn from each of some parts."""
    out = []
    for start, stop in zip([0, *bounds], [*bounds, len(X)], strict=True):
        some = slice(start, stop)
        own = None if weight is None else weight[some]
        out.append(statistics_of(X[some], y[some], own, *how)[0].packed())
    return out


def arrays(encoder):
    """Return all that an encoder has learned."""
    return {
        **encoder._learned,
        "median": encoder.median_,
        "levels": np.concatenate(encoder.levels_),
        "names": np.concatenate(encoder.categories_),
        "columns": encoder.varying_columns_,
        "holes": encoder.missing_columns_,
        "shares": np.array(encoder.known_shares_),
    }


def learned(statistics, model):
    """Return the arrays of an encoder that learns from what is known."""
    columns, sample = statistics.columns, statistics.sample
    return arrays(model.encoder.learn(columns, sample))


def assert_equal_statistics(one, two):
    """Assert that two are the same to the bit, but for the sample."""
    for name, value in one.columns._asdict().items():
        other = getattr(two.columns, name)
        if (name == "moments" and value is not None) or name == "categories":
            for a, b in zip(value, other, strict=True):
                for c, d in zip(a, b, strict=True):
                    np.testing.assert_array_equal(c, d)
        else:
            np.testing.assert_array_equal(value, other)
    for a, b in zip(one.targets, two.targets, strict=True):
        np.testing.assert_array_equal(a, b)


BOUNDS = [[200], [1, 2, 3], [10, 390, 399], range(10, 400, 10), [150, 300]]


@weights
@pytest.mark.parametrize("scaling", SCALINGS[:3])
@pytest.mark.parametrize("bounds", BOUNDS, ids=lambda b: len(b))
def test_encoder_of_parts(scaling, weighted, bounds):
    """The encoder is that of the whole, however the table is cut."""
    X, weight = table(), None
    if weighted:
        weight = np.random.default_rng(1).random(len(X)) + 0.5
    whole, model = statistics_of(X, numbers(X), weight, scaling)
    expected = learned(whole, model)
    assert len(whole.sample.rows.index) == 150
    merged = Statistics.merged(parts_of(X, numbers(X), weight, bounds, scaling))
    actual = learned(merged, model)
    assert sorted(actual) == sorted(expected)
    for name, value in expected.items():
        if scaling == "standard" and name in ("center", "scale"):
            np.testing.assert_allclose(actual[name], value, rtol=1e-12)
        else:
            np.testing.assert_array_equal(actual[name], value)


def test_the_order_of_parts_makes_no_difference():
    """Nor does it matter which of them are taken together first."""
    X, weight = table(), np.arange(400) % 3 + 0.5
    one, two, three = parts_of(X, numbers(X), weight, [100, 250], "standard")
    _, model = statistics_of(X, numbers(X), weight, "standard")
    both, others = Statistics.merged([one, two]), Statistics.merged([two, three])
    orders = [one, two, three], [three, one, two], [one, others], [both, three]
    results = [learned(Statistics.merged(p), model) for p in orders]
    for result in results[1:]:
        for name, value in results[0].items():
            if value.dtype == object:
                np.testing.assert_array_equal(result[name], value)
            else:
                np.testing.assert_allclose(result[name], value, rtol=1e-12)


@scalings
def test_small_parts_are_all_kept(scaling):
    """No more rows than a sample has are it, in their order: all is as in one piece."""
    X = table(140)
    if scaling is None:
        X = X.drop(columns=["large", "empty"])
    y, weight = numbers(X), np.random.default_rng(1).random(140)
    whole, model = statistics_of(X, y, weight, scaling)
    assert whole.sample.hashes is None
    merged = Statistics.merged(parts_of(X, y, weight, [3, 70], scaling))
    checked = model.encoder.validate(plain_regressor(), X, reset=True)
    np.testing.assert_array_equal(merged.sample.X, checked)
    np.testing.assert_array_equal(merged.sample.rows.weight, weight)
    assert_equal_statistics(merged, whole)


@scalings
def test_blocks_in_order_are_the_whole(scaling):
    """Sums are taken block by block: so are those of parts that are blocks."""
    X = table()
    if scaling is None:
        X = X.drop(columns=["large", "empty"])
    y, weight = numbers(X), np.random.default_rng(1).random(400)
    whole, _ = statistics_of(X, y, weight, scaling)
    parts = parts_of(X, y, weight, [150, 300], scaling)
    assert_equal_statistics(Statistics.merged(parts), whole)


def test_equal_rows_have_one_place_in_a_sample():
    """With the weight of all, so that a weight of 2 is a row given twice."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 2)), rng.standard_normal(200)
    counts = rng.integers(1, 4, 200)
    rows = Rows(np.arange(200), counts.astype(float))
    one = Sample(X, y, rows, [], None).packed()
    X, y = X.repeat(counts, axis=0), y.repeat(counts)
    order = rng.permutation(len(y))
    X, y = X[order], y[order]
    two = Sample(X, y, Rows(np.arange(len(y)), None), [], None).packed()
    for name in "X", "targets", "hashes":
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(one.rows.weight, two.rows.weight)


def test_a_sample_of_all_rows_keeps_which_member_trains_on_them():
    """Packed, taken and joined; with fewer rows than there are, all train on all."""
    X, trained_by = np.arange(140.0)[:, None], np.arange(280).reshape(140, 2) % 3 > 0

    def sample(some):
        rows = Rows(np.arange(140), None, trained_by).take(some)
        return Sample(X, X[:, 0], rows, [], None)

    one, two = sample(np.arange(1, 140, 2)), sample(np.arange(0, 140, 2))
    merged = Sample.merged([one.packed(), two.packed().take(np.arange(70))])
    expected = trained_by[merged.X[:, 0].astype(int)]
    np.testing.assert_array_equal(merged.rows.trained_by, expected)
    assert merged.rows.n_trained == trained_by.sum(axis=0).mean()
    many = sample(np.resize(np.arange(140), 200))
    assert many.cut().rows.trained_by is None


def test_a_sample_is_of_all_the_range():
    """Which rows it has has nothing to do with their numbers."""
    X = np.arange(30_000.0)[:, None]
    sample = Sample(X, X[:, 0], Rows(np.arange(30_000), None), [], None).cut()
    chosen = X[sample.rows.index, 0] / 30_000
    assert len(chosen) == 150
    # Six standard deviations of a mean of so many.
    assert abs(chosen.mean() - 0.5) < 6 * np.sqrt(1 / 12 / 150)
    assert abs(np.mean(chosen < 0.25) - 0.25) < 6 * np.sqrt(3 / 16 / 150)


def test_hashes_see_the_target():
    """Rows of the same columns and other targets are other rows."""
    X, y = np.zeros((300, 1)), np.arange(300.0)
    sample = Sample(X, y, Rows(np.arange(300), None), [], None).cut()
    assert len(np.unique(y[sample.rows.index])) == 150


def test_moments_of_parts():
    """They are NumPy's, to rounding, at any size; empty parts say nothing."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((90, 4)) * [1, 1e300, 1e-300, 0] + [1e3, 0, 0, 3]
    weight = rng.random(90)
    slices = [slice(*ends) for ends in pairwise([0, 10, 10, 11, 90])]
    merged = Moments.merged([Moments.of(y[s], weight[s]) for s in slices])
    whole = Moments.of(y, weight)
    np.testing.assert_array_equal(merged.unit, whole.unit)
    for one, two in zip(merged, whole, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-16)
    mean = np.average(y, axis=0, weights=weight)
    np.testing.assert_allclose(merged.mean * merged.unit, mean, rtol=1e-12)
    variance = np.average(np.square(y[:, 0] - mean[0]), weights=weight)
    np.testing.assert_allclose(merged.variance[0] * merged.unit[0] ** 2, variance)


@weights
@pytest.mark.parametrize("loss", [SquaredError(), Huber()])
def test_number_targets_of_parts(loss, weighted):
    """Location and scale are those of the whole."""
    X = table()
    y, weight = numbers(X), np.arange(400) % 4 + 1.0 if weighted else None
    settings = plain_regressor(loss=loss, auxiliary_quantiles=False)
    whole, model = statistics_of(X, y, weight, "robust")
    model.targets.learn(whole.targets, whole.sample, settings)
    expected = model.targets.location, model.targets.scale
    merged = Statistics.merged(parts_of(X, y, weight, [7, 350], "robust"))
    model.targets.learn(merged.targets, merged.sample, settings)
    actual = model.targets.location, model.targets.scale
    np.testing.assert_allclose(actual, expected, rtol=0 if loss.center else 1e-12)


@weights
def test_class_targets_of_parts(weighted):
    """Classes of any part are classes, and count what they count in the whole."""
    X = table().sort_values("few")
    y, weight = labels(X), np.arange(400) % 4 + 1.0 if weighted else None
    settings = plain_classifier(class_weight="balanced")
    how = "robust", ClassTargets
    whole, model = statistics_of(X, y, weight, *how)
    model.targets.learn(whole.targets, whole.sample, settings)
    expected = model.targets._class_weights
    parts = parts_of(X, y, weight, [20, 200, 390], *how)
    assert len(parts[0].targets.classes) == 1
    merged = Statistics.merged(parts)
    np.testing.assert_array_equal(merged.targets.classes, ["many", "no", "one"])
    model.targets.learn(merged.targets, merged.sample, settings)
    np.testing.assert_array_equal(model.targets._class_weights, expected)
    # The sample is of the same rows, whatever the codes were in the parts.
    sample = whole.sample.packed()
    np.testing.assert_array_equal(merged.sample.hashes, sample.hashes)
    np.testing.assert_array_equal(merged.sample.X, sample.X)
    np.testing.assert_array_equal(merged.sample.targets, sample.targets)


def test_labels_of_parts():
    """Several labels a row are counted each by itself."""
    X = table()
    y = np.c_[X["few"] > 0, X["few"] > 1, np.arange(400) < 5].astype(int)
    how = "robust", ClassTargets
    whole, _ = statistics_of(X, y, None, *how)
    merged = Statistics.merged(parts_of(X, y, None, [20, 200, 390], *how))
    np.testing.assert_array_equal(merged.targets.counts, whole.targets.counts)
    np.testing.assert_array_equal(whole.targets.counts[:, 1], y.sum(axis=0))


@scalings
def test_a_fit_to_many_rows_depends_on_their_values_alone(scaling):
    """What is sampled is the same in any order of the rows."""
    X = table()[["large", "text", "few"]]
    y, order = labels(X), np.random.default_rng(1).permutation(400)
    if scaling is None:
        X = X.drop(columns="large")
    fits = [
        plain_classifier(
            numeric_scaling=scaling,
            numeric_embedding="piecewise_linear",
            shuffle=True,
            random_state=0,
        ).fit(X.iloc[rows], y[rows])
        for rows in (np.arange(400), order)
    ]
    assert_same(*fits)
