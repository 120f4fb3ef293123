"""Codes: categories that become vectors, how they are known again, and what is kept."""

import pickle
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import TargetEncoder

from skdnn import DNNClassifier, _categories
from skdnn.encoding import TabularEncoder
from skdnn.nn.embeddings import EntityEmbedding
from tests.colors import DTYPES, WORDS, frame
from tests.tables import classifier, parameters, regressor


def encoder(**params):
    return TabularEncoder(None, **{"min_frequency": 1, **params})


# Codes


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes(dtype):
    """Of more levels than `max_one_hot`, each is a number; these come last."""
    enc = encoder(max_one_hot=2).fit(frame(dtype))
    assert list(enc.get_feature_names_out()) == [
        *("size", "new_False", "new_True", "colour")
    ]
    # In order: missing, blue, green, red.
    expected = np.array(
        [
            *([0, 0, 1, 4], [1, 1, 0, 3], [2, 0, 1, 2], [3, 1, 0, 1]),
            *([4, 0, 1, 4], [5, 1, 0, 3], [6, 0, 1, 2], [7, 1, 0, 4]),
        ]
    )
    np.testing.assert_array_equal(enc.transform(frame(dtype)), expected)
    assert enc.cardinalities_ == [5]
    assert (enc.n_features_out_, enc.n_numeric_out_) == (4, 1)
    np.testing.assert_array_equal(enc.coded_columns_, [0])


@pytest.mark.parametrize(
    ("at_most", "cardinalities"), [(None, []), (4, []), (3, [5]), (2, [5]), (1, [5, 3])]
)
def test_more_levels_than_that(at_most, cardinalities):
    """A missing category counts; as many levels as `max_one_hot` are columns still."""
    enc = encoder(max_one_hot=at_most).fit(frame())
    assert enc.cardinalities_ == cardinalities


def test_all_columns_as_codes():
    """With `max_one_hot=0`, all are codes, in the order of the table."""
    enc = encoder(max_one_hot=0).fit(frame()[["new", "colour", "size"]])
    assert list(enc.get_feature_names_out()) == ["size", "new", "colour"]
    assert enc.cardinalities_ == [3, 5]
    encoded = enc.transform(frame()[["new", "colour", "size"]])
    np.testing.assert_array_equal(encoded[:, 1], [2, 1] * 4)
    np.testing.assert_array_equal(encoded[:, 2], [4, 3, 2, 1, 4, 3, 2, 4])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_codes_beside_indicators(dtype):
    """Numbers, where they are missing, columns of categories, then codes."""
    table = np.array([["a", 1, 7], ["b", np.nan, 8], ["c", 3, 7]], dtype=object)
    enc = TabularEncoder(
        "standard",
        categorical_features=[0, 2],
        max_one_hot=2,
        min_frequency=1,
        dtype=dtype,
    )
    encoded = enc.fit_transform(table)
    names = ["x1", "x1_missing", "x2_7", "x2_8", "x0"]
    assert list(enc.get_feature_names_out()) == names
    expected = [[-1, 0, 1, 0, 1], [-1, 1, 0, 1, 2], [1, 0, 1, 0, 3]]
    np.testing.assert_array_equal(encoded, np.array(expected, dtype=dtype), strict=True)


def test_codes_of_numbers_in_arrays():
    """Columns of a float array are named by position, and NaN is a level."""
    X = np.array([[30.0, 1, 5], [10, 2, 5], [30, 3, 6], [np.nan, 4, 4]])
    enc = encoder(categorical_features=[0, 2], max_one_hot=0)
    expected = [[1, 3, 2], [2, 2, 2], [3, 3, 3], [4, 1, 1]]
    np.testing.assert_array_equal(enc.fit_transform(X), expected)
    assert list(enc.get_feature_names_out()) == ["x1", "x0", "x2"]
    assert enc.cardinalities_ == [4, 4]
    table = pd.DataFrame(X).astype({0: "category", 2: "category"})
    same = encoder(max_one_hot=0).fit_transform(table.rename(columns=str))
    np.testing.assert_array_equal(same, expected)


def test_unknown_codes_are_zero():
    """What training did not see is 0: categories, and holes if there were none."""
    enc = encoder(max_one_hot=0)
    enc.fit(pd.DataFrame({"a": ["x", "y", None], "b": ["p", "q", "q"]}))
    other = pd.DataFrame({"a": ["z", None, "y"], "b": ["x", None, "q"]})
    np.testing.assert_array_equal(enc.transform(other), [[0, 0], [1, 0], [3, 2]])


def test_rare_codes_are_zero():
    """Only the frequent have a code of their own, in order of the categories."""
    table = pd.DataFrame({"c": list("ccbaaad")})
    one = encoder(max_one_hot=3, min_frequency=2).fit(table)
    np.testing.assert_array_equal(one.transform(table)[:, 0], [2, 2, 0, 1, 1, 1, 0])
    assert one.cardinalities_ == [3]
    weight = [1, 1, 5, 1, 1, 1, 4]
    two = encoder(max_one_hot=3, min_frequency=4).fit(table, sample_weight=weight)
    np.testing.assert_array_equal(two.transform(table)[:, 0], [0, 0, 1, 0, 0, 0, 2])


@pytest.mark.parametrize(
    ("min_frequency", "cardinalities"),
    [(1, [6]), (2, [5]), (3, [4]), (4, [2]), (5, [])],
)
def test_min_frequency(min_frequency, cardinalities):
    """A category that stands in so many rows has a code; a hole is one of them."""
    table = pd.DataFrame({"c": [*"aaaabbbcc", None, None, None, "d"]})
    enc = encoder(max_one_hot=3, min_frequency=min_frequency).fit(table)
    assert enc.cardinalities_ == cardinalities
    # Where all are rare, the column says nothing.
    assert enc.n_features_out_ == 1
    assert list(enc.get_feature_names_out()) == ["c"]


@pytest.mark.parametrize("unit", [1e-300, 0.1, 1.0])
def test_min_frequency_in_units_of_small_weights(unit):
    """Weights of any scale below one count as rows, as those of one do."""
    table = pd.DataFrame({"c": list("aaabbbccd")})
    enc = encoder(max_one_hot=3, min_frequency=3)
    enc.fit(table, sample_weight=np.full(9, unit))
    assert enc.cardinalities_ == [3]
    # A weight of 3 is three rows.
    enc.fit(table, sample_weight=[1, 1, 1, 1, 1, 1, 1, 1, 3])
    assert enc.cardinalities_ == [4]


def test_as_many_codes_as_there_are_rows_for():
    """The number of codes follows the rows; that of columns has a limit."""
    table = pd.DataFrame({"c": [*range(5003), *range(3, 5003)]}, dtype="category")
    enc = encoder(max_one_hot=100, min_frequency=2).fit(table)
    assert (enc.cardinalities_, enc.n_features_out_) == ([5001], 1)
    expected = [0, 0, 0, *range(1, 5001), *range(1, 5001)]
    np.testing.assert_array_equal(enc.transform(table)[:, 0], expected)
    assert encoder().fit(table).n_features_out_ == _categories.MAX_LEVELS


def test_codes_that_a_float_can_hold(monkeypatch):
    """There are no more codes than numbers; the most frequent have them."""
    monkeypatch.setattr(_categories, "MAX_CODES", 2)
    table = pd.DataFrame({"c": list("cccbbaaad")})
    enc = encoder(max_one_hot=3).fit(table)
    np.testing.assert_array_equal(
        enc.transform(table)[:, 0], [2, 2, 2, 0, 0, 1, 1, 1, 0]
    )
    assert np.float32(2**24 - 1) != np.float32(2**24)


def test_learning_from_thousands_of_categories():
    """Of 2,000 categories of 8 rows each, as much is learned as by target encoding."""
    rng = np.random.default_rng(0)
    effect = 2 * rng.standard_normal(2000)
    level = np.tile(np.arange(2000), 10)
    y = (rng.random(len(level)) < 1 / (1 + np.exp(-effect[level]))).astype(int)
    table = pd.DataFrame({"id": level}, dtype="category")
    table["other"] = rng.standard_normal(len(level))
    train, test = slice(16_000), slice(16_000, None)
    clf = DNNClassifier(
        (16,), n_members=1, max_iter=12, early_stopping=False, random_state=0
    )
    proba = clf.fit(table[train], y[train]).predict_proba(table[test])[:, 1]
    encoded = TargetEncoder(random_state=0).fit(table[["id"]][train], y[train])
    expected = roc_auc_score(y[test], encoded.transform(table[["id"]][test]))
    assert roc_auc_score(y[test], proba) > expected - 0.01


def test_rows_of_weight_zero_have_no_category():
    """A category that has no weight in training is one that training did not see."""
    table = pd.DataFrame({"c": ["a", "b", "d"]})
    enc = encoder(max_one_hot=0).fit(table, sample_weight=[1, 0, 1])
    np.testing.assert_array_equal(enc.transform(table)[:, 0], [1, 0, 2])
    enc = encoder().fit(table, sample_weight=[1, 0, 1])
    assert list(enc.get_feature_names_out()) == ["c_a", "c_d"]


def test_constant_categories_have_no_code():
    """A column with one category is left out, and a table of these is zeros."""
    table = pd.DataFrame({"c": ["x", "x"], "d": ["x", None]})
    enc = encoder(max_one_hot=0).fit(table)
    assert list(enc.get_feature_names_out()) == ["d"]
    enc = encoder(max_one_hot=0).fit(table[["c"]])
    np.testing.assert_array_equal(enc.transform(table[["c"]]), np.zeros((2, 1)))
    assert list(enc.get_feature_names_out()) == ["c"]
    assert enc.cardinalities_ == []
    reg = regressor().fit(table[["c"]], [1.0, 2.0])
    np.testing.assert_allclose(np.ptp(reg.predict(table[["c"]])), 0)


@pytest.mark.parametrize("at_most", [None, 0])
def test_categories_are_compared_by_value(at_most):
    """The order of a dtype's categories, and those without rows, make no difference."""
    table = frame(object)
    enc = encoder(max_one_hot=at_most).fit(table)
    given = pd.CategoricalDtype(["violet", *WORDS])
    other = table.astype({"colour": given})
    assert list(encoder(max_one_hot=at_most).fit(other).categories_[0]) == [
        *("blue", "green", "red")
    ]
    for same in (other, other.astype({"colour": "string"})):
        np.testing.assert_array_equal(enc.transform(same), enc.transform(table))
    # Fitted anew, as not all versions of scikit-learn see the names of polars' columns.
    same = pl.from_pandas(table)
    np.testing.assert_array_equal(
        encoder(max_one_hot=at_most).fit(same).transform(same), enc.transform(table)
    )


def test_numbers_are_compared_by_value():
    """A category that is a number is the same in any dtype of numbers."""
    table = pd.DataFrame({"c": [3, 1, 2, 1]})
    enc = encoder(categorical_features=["c"], max_one_hot=0).fit(table)
    for dtype in ("int8", "float32", "Int64", "category", object):
        encoded = enc.transform(table.astype(dtype))
        np.testing.assert_array_equal(encoded[:, 0], [3, 1, 2, 1])


def test_a_column_is_read_once(monkeypatch):
    """To learn what is in a column is to learn where it is."""
    seen = []

    def factorize(values):
        seen.append(len(values))
        return original(values)

    original = pd.factorize
    monkeypatch.setattr(pd, "factorize", factorize)
    monkeypatch.setattr(_categories, "FEW_ROWS", 0)
    enc = encoder()
    enc.validate(enc, frame(object), reset=True)
    assert seen == [8, 8]


def test_codes_in_a_frame():
    """A clone makes the same codes, in a frame with the names if it is asked to."""
    enc = clone(encoder(max_one_hot=2)).set_output(transform="pandas")
    out = enc.fit_transform(frame())
    assert list(out.columns) == ["size", "new_False", "new_True", "colour"]
    assert list(out["colour"]) == [4, 3, 2, 1, 4, 3, 2, 4]
    assert clone(enc).get_params()["max_one_hot"] == 2
    copy = pickle.loads(pickle.dumps(enc))
    pd.testing.assert_frame_equal(copy.transform(frame()), out)


# Identity


@pytest.mark.parametrize(
    "column",
    [
        [True, 1, 1.0, "1", False, 0, None, "0"] * 5,
        [True, 1, 2, 0.5] * 10,
        ["b", 2, True, Decimal("2.0"), 10, "a", "10", np.float32(0.5)] * 5,
    ],
    ids=["bools and numbers", "no text", "of all kinds"],
)
@pytest.mark.parametrize("max_one_hot", [None, 0])
def test_order_of_rows_of_mixed_objects(column, max_one_hot):
    """Equal objects of several types are the same categories in any order of rows."""
    table = pd.DataFrame({"a": pd.Series(column, dtype=object), "x": np.arange(40.0)})
    enc = encoder(max_one_hot=max_one_hot).fit(table)
    encoded = enc.transform(table)
    names = list(enc.get_feature_names_out())
    y = np.arange(40) % 2
    entity = None if max_one_hot is None else EntityEmbedding(max_one_hot)
    clf = classifier(categorical_embedding=entity).fit(table, y)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(40)
        other = encoder(max_one_hot=max_one_hot).fit(table.iloc[order])
        assert list(other.get_feature_names_out()) == names
        np.testing.assert_array_equal(other.transform(table), encoded)
        again = clone(clf).fit(table.iloc[order], y[order])
        np.testing.assert_array_equal(parameters(clf), parameters(again))


def test_a_category_is_known_by_its_name():
    """True is not 1, but 1 is 1.0 and "1", and numbers come in their order."""
    column = [
        True,
        1,
        1.0,
        "1",
        10,
        "2",
        Decimal("0.5"),
        Fraction(1, 2),
        -1,
        "x",
        1e300,
    ]
    table = pd.DataFrame({"a": pd.Series(column, dtype=object)})
    enc = encoder().fit(table)
    huge = str(int(1e300))
    assert list(enc.categories_[0]) == ["-1", "0.5", "1", "2", "10", huge, "True", "x"]
    same = encoder().fit(pd.DataFrame({"a": ["-1", "0.5", "1", "2", "10", huge, "x"]}))
    assert list(same.categories_[0]) == ["-1", "0.5", "1", "2", "10", huge, "x"]


@pytest.mark.parametrize("words", [["nan", "inf", "-1", "2"], ["1_000", "٣", "2", "9"]])
def test_words_that_python_reads_as_numbers(words):
    """Their order is that of text, and does not depend on that of the rows."""
    one, two = (
        encoder().fit(pd.DataFrame({"a": order})) for order in (words, words[::-1])
    )
    assert list(one.categories_[0]) == list(two.categories_[0])
    assert set(one.categories_[0]) == set(words)


# What is kept


def secrets(n=3000):
    """Return a frame of three words, and of strings that few rows have."""
    secret = [f"secret-{i // 2}" if i % 3 else f"kept-{i % 4}" for i in range(n)]
    return pd.DataFrame({"a": WORDS * (n // 3), "b": secret, "c": np.arange(float(n))})


@pytest.mark.parametrize("dtype", [object, "category", "string"])
@pytest.mark.parametrize(
    "held_out", [{"early_stopping": False}, {"early_stopping": True}, {"refit": True}]
)
def test_a_pickle_holds_the_categories_that_it_needs(monkeypatch, dtype, held_out):
    """No category without a place in the result is in a file, nor in memory."""
    monkeypatch.setattr(_categories, "MAX_CODES", 8)
    table, y = secrets().astype({"b": dtype}), np.arange(3000) % 2
    clf = classifier(max_iter=2, batch_size=1000, **held_out).fit(table, y)
    for holder in clf, clf.encoder_:
        held = pickle.dumps(holder)
        names = set(re.findall(rb"(?:secret|kept)-\d+", held))
        assert names == {word.encode() for word in clf.encoder_.categories_[1]}
        assert len(names) == 8
        # The four that are frequent, and the first of the others.
        assert sum(name.startswith(b"kept") for name in names) == 4
    copy = pickle.loads(pickle.dumps(clf))
    for rows in table, table[:1], table.astype({"b": object}):
        np.testing.assert_array_equal(copy.predict_proba(rows), clf.predict_proba(rows))
    assert b"secret-999" not in pickle.dumps(vars(clf.encoder_))


def test_a_stream_holds_the_categories_that_it_needs(monkeypatch):
    """So it is after `partial_fit`, and before training has ended."""
    monkeypatch.setattr(_categories, "MAX_LEVELS", 5)
    table = secrets(600)
    clf = classifier(categorical_embedding=None)
    clf.partial_fit(table, np.arange(600) % 2, [0, 1])
    assert len(re.findall(rb"secret-\d+", pickle.dumps(clf))) == 0
    enc = encoder()
    enc.fit_rows(enc.validate(enc, table, reset=True), np.arange(600))
    assert len(re.findall(rb"secret-\d+", pickle.dumps(enc))) == 0
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(enc)).transform(table), enc.transform(table)
    )


def test_names_of_levels_that_are_kept(monkeypatch):
    """Names and codes are those of the categories that are kept."""
    monkeypatch.setattr(_categories, "MAX_LEVELS", 3)
    enc = encoder().fit(pd.DataFrame({"a": ["u", "w", "w", "x", "z", "z", "z", None]}))
    assert list(enc.get_feature_names_out()) == ["a_rare", "a_w", "a_z"]
    assert list(enc.categories_[0]) == ["w", "z"]
    np.testing.assert_array_equal(enc.levels_[0], [_categories.RARE, 1, 3])
    np.testing.assert_allclose(enc.known_shares_, [5 / 7])
