"""The names of categories, and the codes that stand for them."""

import pickle
from copy import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skdnn import _vocabulary
from skdnn._categories import MISSING, RARE, UNKNOWN
from skdnn._tables import as_table
from skdnn._vocabulary import Vocabulary
from skdnn.encoding import TabularEncoder
from tests.colors import DTYPES, frame
from tests.tables import classifier


def table(*columns, dtype=object):
    """Return a table of some columns."""
    # pandas before 3 would make text of None, by `astype("str")`.
    series = [pd.Series(column, dtype=dtype) for column in columns]
    return as_table(pd.DataFrame(dict(enumerate(series))))


def learned(columns, positions=(0, 1), dtype=object):
    """Return the vocabulary of some columns, and their codes."""
    out = np.empty((len(columns[0]), len(positions)))
    return Vocabulary.learned(table(*columns, dtype=dtype), positions, out), out


def codes_of(vocabulary, columns, positions=(0, 1)):
    """Return the codes of the same columns of another table."""
    out = np.empty((len(columns[0]), len(positions)))
    vocabulary.write_codes(table(*columns), positions, out)
    return out


COLUMNS = ["b", "a", None, "b"], ["y", "x", "z", "x"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_are_positions_of_names(dtype):
    """Names are in order, and what is missing has a code of its own."""
    vocabulary, codes = learned(COLUMNS, dtype=dtype)
    assert vocabulary.names == [["a", "b"], ["x", "y", "z"]]
    assert_array_equal(codes, [[1, 1], [0, 0], [MISSING, 2], [1, 0]])
    assert_array_equal(codes_of(vocabulary, COLUMNS), codes)


def test_some_columns_of_a_table():
    """The others hold something else."""
    vocabulary, codes = learned([*COLUMNS, ["v", "v", "u", "v"]], positions=(2, 0))
    assert vocabulary.names == [["u", "v"], ["a", "b"]]
    assert_array_equal(codes[:, 0], [1, 1, 0, 1])
    none, codes = learned(COLUMNS, positions=())
    assert none.names == []
    assert codes.shape == (4, 0)


def test_unknown_names():
    """They have a code of their own; names are those of the column."""
    vocabulary, _ = learned(COLUMNS)
    codes = codes_of(vocabulary, [["x", "b"], ["x", None]])
    assert_array_equal(codes, [[UNKNOWN, 0], [1, MISSING]])


def test_numbers_are_found_whatever_holds_them():
    """Text that is a number is one of them."""
    vocabulary, _ = learned([["1", "0.5", "x"]], positions=(0,))
    codes = codes_of(vocabulary, [[1, 0.5, 1.0, "1", 2]], positions=(0,))
    assert vocabulary.names == [["0.5", "1", "x"]]
    assert_array_equal(codes[:, 0], [1, 0, 1, 1, UNKNOWN])


def test_names_with_levels_keep_their_codes():
    """The others are unknown, and nobody can tell all the names any more."""
    categories = [np.array(["b", "d"], object), np.array([], object)]
    levels = [np.array([RARE, 1, 3]), np.array([MISSING])]
    kept = Vocabulary.of_levels(categories, levels)
    assert kept.names_of_codes is None
    codes = codes_of(kept, [["a", "b", "d"], ["b", None, "b"]])
    assert_array_equal(codes, [[UNKNOWN, UNKNOWN], [1, MISSING], [3, UNKNOWN]])
    whole, _ = learned(COLUMNS)
    assert whole.names_of_codes == whole.names


# In an encoder


def test_an_encoder_knows_all_names_until_it_forgets(monkeypatch):
    """After that, it knows those that have a level."""
    monkeypatch.setattr("skdnn._categories.MAX_LEVELS", 2)
    enc, X = TabularEncoder(), pd.DataFrame({"a": ["x", "y", "y", "z"]})
    checked = enc.validate(enc, X, reset=True)
    assert enc.names_of_codes == [["x", "y", "z"]]
    enc.fit_rows(checked, np.arange(4))
    assert_array_equal(enc.validate(enc, X, reset=False), checked)
    enc.forget()
    assert enc.names_of_codes is None
    unknown = enc.validate(enc, X, reset=False)
    assert_array_equal(unknown[:, 0], [UNKNOWN, 1, 1, UNKNOWN])
    # Which makes no difference in the result.
    rows = np.arange(4)
    assert_array_equal(enc.encode_rows(unknown, rows), enc.encode_rows(checked, rows))


def test_copies_learn_apart():
    """What one of them learns, the other does not know."""
    enc, X = TabularEncoder(), pd.DataFrame({"a": ["x", "y", "y"]})
    enc.validate(enc, X, reset=True)
    other = copy(enc)
    assert other.names_of_codes == [["x", "y"]]
    other.know([["u", "v", "w"]])
    assert enc.names_of_codes == [["x", "y"]]
    other.validate(other, X.replace("x", "z"), reset=True)
    assert other.names_of_codes == [["y", "z"]]
    assert enc.names_of_codes == [["x", "y"]]


def test_a_pickle_has_no_vocabulary():
    """It is made of what else is there, whatever wrote the pickle."""
    X = frame("str")
    enc = TabularEncoder(max_one_hot=2).fit(X)
    state = enc.__getstate__()
    assert "_vocabulary" not in state
    assert {"categories_", "levels_", "known_shares_"} <= state.keys()
    other = object.__new__(TabularEncoder)
    other.__setstate__(state)
    for loaded in other, pickle.loads(pickle.dumps(enc)):
        for rows in X, X[:1], X.replace("red", "pink"):
            assert_array_equal(loaded.transform(rows), enc.transform(rows))
    unfitted = pickle.loads(pickle.dumps(TabularEncoder()))
    assert_array_equal(unfitted.fit_transform(X), TabularEncoder().fit_transform(X))


def test_predicting_changes_nothing():
    """scikit-learn asks as much of all that predicts."""
    enc = TabularEncoder().fit(frame())
    before = vars(enc).copy()
    enc.transform(frame()[:1])
    assert all(vars(enc)[name] is value for name, value in before.items())
    assert vars(enc).keys() == before.keys()


def test_the_index_is_built_once(monkeypatch):
    """What finds the code of a category is built when it is first needed, and once."""
    built = []

    def index_of(names, codes):
        built.append(len(names))
        return original(names, codes)

    original = _vocabulary.index_of
    monkeypatch.setattr(_vocabulary, "index_of", index_of)
    clf = pickle.loads(pickle.dumps(classifier().fit(frame(), [0, 1] * 4)))
    for _ in range(3):
        clf.predict(frame()[:1])
        clone(clf)
    assert built == [3, 2]
