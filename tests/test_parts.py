"""A table in parts, read as it comes."""

import numpy as np
import pandas as pd
import pytest

from skdnn._data import check_data
from skdnn._model import Statistics
from skdnn._parts import Columns, begin, part_of
from skdnn._recipe import resolve
from tests.plain import plain_classifier
from tests.tables import classifier


def frame(**columns):
    return pd.DataFrame(columns)


def read(estimator, frames, y="y", weight=None, classes=None):
    """Return a model that has learned from some frames, as one that has all would."""
    tables = [f.drop(columns=y) for f in frames]
    columns = Columns.merged([Columns.of(X) for X in tables])
    parts = [
        part_of(estimator, X, f[y], f[weight] if weight else None, columns, classes)
        for X, f in zip(tables, frames, strict=True)
    ]
    statistics = Statistics.merged([part for part in parts if part is not None])
    first = next(X for X in tables if len(X))
    model = begin(estimator, columns, first, statistics)
    n_rows = len(statistics.sample.rows.index)
    settings = resolve(vars(estimator), len(columns.kinds), n_rows, True, None)
    settings.pretrained = None
    model.learn(statistics, settings, is_whole=True)
    return model, settings


def objects(*values):
    return np.array(values, dtype=object)


PARTS = {
    "text comes late": [objects(1, 2, None), objects("a", 2, 3)],
    "numbers come late": [objects(None, None, None), objects(1, 2.5, None)],
    "nothing comes": [objects(None, None, None), objects(None, np.nan, None)],
    "bools are not numbers": [objects(1, 0, 1), objects(True, False, None)],
    "another dtype": [np.array([1, 2, 3]), objects("a", "b", "1")],
}


@pytest.mark.parametrize("values", PARTS.values(), ids=list(PARTS))
def test_kinds_of_columns(values):
    """A column is of numbers or of categories as it is in the whole table."""
    frames = [
        frame(a=np.arange(3.0) + 3 * k, b=column, y=[0, 1, k])
        for k, column in enumerate(values)
    ]
    whole = pd.concat(frames, ignore_index=True)
    est = plain_classifier().fit(whole[["a", "b"]], whole["y"])
    other = plain_classifier()
    model, _ = read(other, frames)
    encoder, expected = model.encoder, est.encoder_
    np.testing.assert_array_equal(
        encoder.categorical_columns_, expected.categorical_columns_
    )
    assert list(encoder.get_feature_names_out()) == list(
        expected.get_feature_names_out()
    )
    np.testing.assert_array_equal(other.feature_names_in_, ["a", "b"])
    np.testing.assert_array_equal(
        encoder.transform(whole[["a", "b"]]), expected.transform(whole[["a", "b"]])
    )


def test_rows_of_any_part_are_read():
    """A model that knows all parts reads each of them, as it is."""
    one = frame(a=[1.0, 2.0, 4.0], b=["x", "y", "x"], y=["no", "no", "no"])
    two = frame(a=[0.0, 5.0], b=["late", None], y=["yes", "new"])
    estimator = classifier()
    model, _ = read(estimator, [one, two[:0], two])
    assert model.targets.classes.tolist() == ["new", "no", "yes"]
    data = check_data(estimator, model, two[["a", "b"]], two["y"], None)
    batch, total = model.batch(data, data.rows)
    assert batch.X.shape == (2, 5)
    assert total == 2
    np.testing.assert_array_equal(batch.y, [2, 0])


def test_other_columns():
    """Parts with other columns are refused, by name."""
    one, two = frame(a=[1.0], b=[2.0]), frame(b=[1.0], a=[2.0])
    with pytest.raises(ValueError, match=r"\['a', 'b'\] and \['b', 'a'\]"):
        Columns.merged([Columns.of(one), Columns.of(two)])
    with pytest.raises(ValueError, match="2 columns without names and 1 columns"):
        Columns.merged([Columns.of(np.ones((2, 2))), Columns.of(np.ones((2, 1)))])


def test_weights_of_zero():
    """All may be zero in a part, but not in all of them."""
    frames = [
        frame(a=[1.0, 2.0, 3.0], w=[0.0] * 3, y=[0, 1, 2]),
        frame(a=[4.0, 5.0, 6.0], w=[1.0, 1.0, 0.0], y=[0, 1, 1]),
    ]
    tables = [f[["a"]] for f in frames]
    columns = Columns.merged([Columns.of(X) for X in tables])
    estimator = plain_classifier()
    parts = [
        part_of(estimator, X, f["y"], f["w"], columns)
        for X, f in zip(tables, frames, strict=True)
    ]
    merged = Statistics.merged(parts)
    np.testing.assert_array_equal(merged.sample.X, [[4.0], [5.0]])
    # What is a class, and what weighs nothing, are two things.
    assert merged.targets.classes.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="all weights are zero"):
        begin(estimator, columns, tables[0], Statistics.merged(parts[:1]))


def test_odd_columns():
    """Whoever has made text of numbers is told so, by all parts together."""
    text = [str(n / 7) for n in range(40)]
    frames = [frame(a=text[k : k + 10], y=np.arange(10) % 2) for k in range(0, 40, 10)]
    with pytest.warns(UserWarning, match="are numbers: 'a'"):
        read(plain_classifier(), frames)
