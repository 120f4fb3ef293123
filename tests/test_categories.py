"""Categories: which columns hold them, and what becomes of them."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score

from skdnn import _categories
from skdnn.encoding import TabularEncoder
from skdnn.nn.embeddings import EntityEmbedding
from tests import tables
from tests.colors import DTYPES, WORDS, frame
from tests.plain import plain_classifier
from tests.tables import binary, classifier, parameters, regressor


def encoder(**params):
    return TabularEncoder(None, **{"min_frequency": 1, **params})


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_column_for_each_category(dtype):
    """Numbers come first, then a column for each category, holes included."""
    enc = encoder().fit(frame(dtype))
    assert list(enc.get_feature_names_out()) == [
        *("size", "colour_missing", "colour_blue", "colour_green", "colour_red"),
        *("new_False", "new_True"),
    ]
    expected = np.zeros((8, 7))
    expected[:, 0] = np.arange(8)
    expected[np.arange(8), [4, 3, 2, 1, 4, 3, 2, 4]] = 1
    expected[np.arange(8), [6, 5] * 4] = 1
    np.testing.assert_array_equal(enc.transform(frame(dtype)), expected)


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(WORDS)])
def test_polars(dtype):
    """A polars frame gives what a pandas frame does."""
    table = frame(object)
    words = pl.Series(table["colour"].to_list(), dtype=dtype)
    other = pl.DataFrame(
        {"size": table["size"].to_numpy(), "colour": words, "new": [True, False] * 4}
    )
    np.testing.assert_array_equal(
        encoder().fit_transform(other), encoder().fit_transform(table)
    )


@pytest.mark.parametrize(
    "wanted", [[1, 2], [2, 1], [False, True, True], np.array([1, 2])]
)
def test_columns_by_position(wanted):
    """Columns of arrays and lists are named by position or mask."""
    table = frame(object).to_numpy()
    expected = encoder().fit_transform(frame(object))
    enc = encoder(categorical_features=wanted)
    np.testing.assert_array_equal(enc.fit_transform(table), expected)
    np.testing.assert_array_equal(enc.transform(table.tolist()), expected)


def test_columns_by_name():
    """Columns of frames may be named, and others are numbers then."""
    enc = encoder(categorical_features=["colour"]).fit(frame())
    assert list(enc.get_feature_names_out())[:2] == ["size", "new"]


def test_numbers_as_categories():
    """Numbers are categories where they are said to be, and NaN is a hole."""
    X = np.array([[3.0, 1], [7, 2], [3, 3], [np.nan, 4]])
    encoded = encoder(categorical_features=[0]).fit_transform(X)
    expected = [[1, 0, 1, 0], [2, 0, 0, 1], [3, 0, 1, 0], [4, 1, 0, 0]]
    np.testing.assert_array_equal(encoded, expected)


def test_objects_that_are_numbers():
    """A frame of objects that are all numbers holds numbers."""
    table = pd.DataFrame({"a": [1.5, 2.5, 3.5]}, dtype=object)
    np.testing.assert_array_equal(encoder().fit_transform(table)[:, 0], [1.5, 2.5, 3.5])


def test_none_takes_no_column_for_categories():
    """Without categories, words are what they are to scikit-learn: an error."""
    with pytest.raises(ValueError, match="float"):
        encoder(categorical_features=None).fit(frame(object))


@pytest.mark.parametrize("wanted", [[3], [-1], ["weight"], [True, False], [[1]], [0.5]])
def test_columns_that_are_not_there(wanted):
    """Anything that names no columns is an error that says what there is."""
    with pytest.raises(ValueError, match=r"categorical_features=.*X has 3 columns"):
        classifier(categorical_features=wanted).fit(frame(), [0, 1] * 4)


def test_sparse_tables_have_no_categories():
    """A sparse table holds numbers, and says so where it is told otherwise."""
    X, y = binary()
    with pytest.raises(ValueError, match="needs a dense table"):
        classifier(categorical_features=[0]).fit(sp.csr_array(X), y)


REFUSED = r"'day' holds times .* into numbers"


@pytest.mark.parametrize("wanted", ["from_dtype", None, ["day"], ["c"], [False, True]])
@pytest.mark.parametrize("unit", ["datetime64[s]", "timedelta64[s]"])
def test_times_are_refused(unit, wanted):
    """Dates and times are an error that says what to do, named as categories or not."""
    table = pd.DataFrame({"day": np.arange(8).astype(unit), "c": [1.0, 2] * 4})
    with pytest.raises(ValueError, match=REFUSED):
        classifier(categorical_features=wanted).fit(table, [0, 1] * 4)


@pytest.mark.parametrize("wanted", ["from_dtype", ["day"], ["c"]])
def test_times_of_polars_are_refused(wanted):
    """The same holds for polars."""
    days = pl.Series(range(8)).cast(pl.Date)
    table = pl.DataFrame({"day": days, "c": ["x", "y"] * 4})
    with pytest.raises(ValueError, match=REFUSED):
        encoder(categorical_features=wanted).fit(table)


def test_times_in_place_of_numbers_are_refused():
    """A column that held numbers in training can't hold times later."""
    table = pd.DataFrame({"day": [1.0, 2], "c": ["x", "y"]})
    enc = encoder().fit(table)
    with pytest.raises(ValueError, match=REFUSED):
        enc.transform(table.assign(day=pd.to_datetime(["2020-01-01", "2021-01-01"])))


def test_unseen_categories_are_zeros():
    """What training did not see has no column, and is no error."""
    enc = encoder().fit(frame())
    other = frame(object)
    other.loc[0, "colour"] = "violet"
    np.testing.assert_array_equal(enc.transform(other)[0, 1:5], np.zeros(4))
    np.testing.assert_array_equal(enc.transform(other)[1:], enc.transform(frame())[1:])


def test_missing_where_training_had_no_hole():
    """A hole that training did not see is zeros as well."""
    enc = encoder().fit(frame().iloc[:3])
    np.testing.assert_array_equal(enc.transform(frame().iloc[3:4])[0, 1:4], np.zeros(3))


def test_rare_categories_share_a_column(monkeypatch):
    """Of too many, the rarest share the first column, with those never seen."""
    monkeypatch.setattr(_categories, "MAX_LEVELS", 3)
    table = pd.DataFrame({"c": list("aaabbbcde")})
    enc = encoder().fit(table)
    assert list(enc.get_feature_names_out()) == ["c_rare", "c_a", "c_b"]
    expected = [[0, 1, 0]] * 3 + [[0, 0, 1]] * 3 + [[1, 0, 0]] * 3
    np.testing.assert_array_equal(enc.transform(table), expected)
    unseen = pd.DataFrame({"c": ["z", None]})
    np.testing.assert_array_equal(enc.transform(unseen), [[1, 0, 0]] * 2)


def test_rare_is_what_weighs_little(monkeypatch):
    """Weights count, as repeated rows do."""
    monkeypatch.setattr(_categories, "MAX_LEVELS", 2)
    table = pd.DataFrame({"c": list("aaabbc")})
    one = encoder().fit(table)
    two = encoder().fit(table, sample_weight=[1, 1, 1, 2, 2, 1])
    assert list(one.get_feature_names_out()) == ["c_rare", "c_a"]
    assert list(two.get_feature_names_out()) == ["c_rare", "c_b"]


def test_one_category_and_holes():
    """A single category and its holes are two columns."""
    enc = encoder().fit(pd.DataFrame({"c": ["x", None]}))
    assert list(enc.get_feature_names_out()) == ["c_missing", "c_x"]


def test_constant_columns_are_dropped():
    """A column with one category says nothing."""
    table = pd.DataFrame({"a": [1.0, 2.0], "c": ["x", "x"]})
    assert encoder().fit(table).n_features_out_ == 1


def test_a_table_of_categories_alone():
    """No column has to be a number."""
    table = frame()[["colour", "new"]]
    reg = regressor().fit(table, np.arange(8.0))
    assert reg.predict(table).shape == (8,)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_categories_are_learned_on_training_rows(early_stopping):
    """A category of validation rows alone has no column."""
    table = pd.concat([frame()] * 5, ignore_index=True)
    y = np.arange(40) % 2
    table.loc[39, "size"], odd = 500.0, table.copy()
    odd["colour"] = odd["colour"].astype(object)
    odd.loc[39, "colour"] = "odd"
    clf = classifier(early_stopping=True) if early_stopping else classifier()
    if early_stopping:
        clf.fit(table[:39], y[:39], X_val=odd[39:], y_val=y[39:])
    else:
        clf.fit(odd, y)
    assert ("colour_odd" in clf.encoder_.get_feature_names_out()) != early_stopping


def test_categories_by_hand():
    """The network of categories is that of their columns."""
    table = pd.concat([frame()] * 5, ignore_index=True)
    y = np.arange(40) % 2
    one = plain_classifier(numeric_scaling=None, shuffle=False).fit(table, y)
    columns = encoder(dtype="float64").fit_transform(table)
    two = plain_classifier(numeric_scaling=None, shuffle=False).fit(columns, y)
    np.testing.assert_array_equal(parameters(one), parameters(two))


def test_learning_from_categories():
    """A network finds out what categories say that no number does."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.choice(WORDS, 300), "b": rng.choice(WORDS, 300)})
    y = (table["a"] == table["b"]).to_numpy()
    # Nine different rows are one batch, and an epoch is one step.
    clf = classifier((16,), max_iter=100, learning_rate=0.03)
    assert cross_val_score(clf, table, y, cv=3).min() == 1
    dummies = pd.get_dummies(table)
    assert cross_val_score(LogisticRegression(), dummies, y, cv=3).max() < 0.8


def test_order_of_rows_and_pickles():
    """Neither the order of rows nor a pickle makes a difference."""
    table = pd.concat([frame()] * 5, ignore_index=True)
    y = np.arange(40) % 2
    clf = classifier().fit(table, y)
    other = clone(clf).fit(table[::-1], y[::-1])
    np.testing.assert_array_equal(parameters(clf), parameters(other))
    copy = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(copy.predict(table), clf.predict(table))


def test_training_goes_on_with_the_same_columns():
    """`partial_fit` keeps the columns of its first call."""
    table = frame()
    clf = classifier().partial_fit(table[:2], [0, 1], classes=[0, 1])
    clf.partial_fit(table, [0, 1] * 4)
    assert list(clf.encoder_.get_feature_names_out()) == [
        *("size", "colour_green", "colour_red", "new_False", "new_True")
    ]


# Columns of training alone


@pytest.mark.filterwarnings("ignore:Training knows not one of the categories")
def test_fault_24_training_alone_decides_on_columns():
    """The network reads as many columns whatever is missing or new in other rows.

    Peers derived columns anew from the data to predict, or from another fold.
    """
    X, y = binary(90)
    X[:60:7, 1] = np.nan
    X_val, y_val = X[60:].copy(), y[60:]
    X_val[:, 2] = np.nan
    clf = plain_classifier(early_stopping="auto")
    clf.fit(X[:60], y[:60], X_val=X_val, y_val=y_val)
    assert clf.encoder_.missing_columns_.tolist() == [1]
    assert clf.coefs_[0].shape == (5, 8)
    for rows in X[60:], X_val, np.full((3, 4), np.nan), X[:1]:
        assert np.isfinite(clf.predict_proba(rows)).all()
    # Holes are in the rows of the first two of three folds.
    assert cross_val_score(plain_classifier(), X, y, cv=KFold(3)).shape == (3,)
    # And so are two of the four categories.
    table = pd.DataFrame({"number": X[:, 0], "word": list("abcdcdcdc" * 10)})
    table.loc[60:, "word"] = "e"
    clf = plain_classifier(early_stopping="auto")
    clf.fit(table[:60], y[:60], X_val=table[60:], y_val=y[60:])
    assert clf.coefs_[0].shape == (5, 8)
    tuned = tables.classifier(categorical_embedding=EntityEmbedding(0))
    embedded = clone(tuned).fit(table[:60], y[:60], X_val=table[60:], y_val=y[60:])
    for rows in table[60:], table[:1], table.assign(word=None):
        assert np.isfinite(clf.predict_proba(rows)).all()
        assert np.isfinite(embedded.predict_proba(rows)).all()
    for est in plain_classifier(), tuned:
        scores = cross_val_score(est, table, y, cv=KFold(3), error_score="raise")
        assert scores.shape == (3,)
