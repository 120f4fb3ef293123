"""Streams of rows: fitted as tables are, and with what they can't do."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, make_scorer

from skdnn import _statistics, _streamed
from skdnn.nn import compiled
from skdnn.streaming import Stream
from tests.plain import plain_classifier, plain_regressor
from tests.same import assert_outputs, assert_same, outputs
from tests.tables import WATCHED, classifier, parameters, regressor

MAKES = {
    "plain classifier": plain_classifier,
    "plain regressor": plain_regressor,
    "classifier": classifier,
    "regressor": regressor,
}
makes = pytest.mark.parametrize("make", MAKES.values(), ids=list(MAKES))
IN_ORDER = {"shuffle": False, "early_stopping": False, "batch_size": 32}


@pytest.fixture
def small_blocks(monkeypatch):
    """Let statistics be added up over several blocks of rows."""
    monkeypatch.setattr(_statistics, "SAMPLED_ROWS", 130)


def frame(n=300, seed=0):
    """Return numbers, holes, categories, of which one comes late, weights, targets."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.standard_normal(n),
            "text": rng.choice(["x", "y", "10", "9"], n),
            "b": np.round(3 * rng.standard_normal(n)),
            "same": np.full(n, 3.0),
        }
    )
    X.loc[rng.random(n) < 0.1, "a"] = np.nan
    X.loc[rng.random(n) < 0.1, "text"] = None
    X.loc[n - 2 :, "text"] = "late"
    y = X["b"] + X["a"].fillna(0) + (X["text"] == "x")
    label = np.where(y > 1, "high", "low").astype(object)
    label[n - 5 :] = "new"
    return X.assign(w=rng.random(n) + 0.5, y=y, label=label)


def cut(X, sizes=(3, 50, 1, 90)):
    """Return a frame in batches of unequal sizes."""
    bounds = np.cumsum(np.resize(sizes, len(X)))
    bounds = [0, *bounds[bounds < len(X)], len(X)]
    return [X[i:j] for i, j in pairwise(bounds)]


def parts(make, table, weight=None):
    """Return X, the name of the target, and the table that is to be streamed."""
    is_classifier = "predict_proba" in dir(make())
    y, other = ("label", "y") if is_classifier else ("y", "label")
    table = table.drop(columns=[other] if weight else [other, "w"])
    X = table.drop(columns=[y, weight] if weight else [y])
    return X, y, table


KINDS = {
    "numbers": ["a", "b", "w", "y", "label"],
    "numbers without holes": ["b", "w", "y", "label"],
    "all": ["a", "text", "b", "same", "w", "y", "label"],
}


# As in memory


@pytest.mark.sampled
@makes
@pytest.mark.parametrize("buffer_rows", [64, 100])
@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("columns", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize("scaling", ["robust", "standard"])
def test_in_order(make, buffer_rows, weight, columns, scaling, small_blocks):
    """Rows in the same order give the same network, to the bit, whatever the buffer."""
    X, y, table = parts(make, frame()[columns], weight)
    params = {**IN_ORDER, "numeric_scaling": scaling}
    own = table[weight] if weight else None
    expected = make(**params).fit(X, table[y], own)
    stream = Stream(cut(table), buffer_rows=buffer_rows)
    actual = make(**params).fit(stream, y, weight)
    assert_same(actual, expected)
    assert_outputs(actual, X, outputs(expected, X))
    np.testing.assert_array_equal(actual.feature_names_in_, list(X.columns))
    assert actual.alpha == expected.alpha
    assert actual.get_params() == expected.get_params()


@makes
def test_what_the_buffer_holds_is_a_table(make):
    """With rows that fit memory, all is as with a table: order, held out, stopping."""
    X, y, table = parts(make, frame(), "w")
    expected = make(early_stopping=True).fit(X, table[y], table["w"])
    actual = make(early_stopping=True).fit(Stream(cut(table)), y, "w")
    assert_same(actual, expected)


@pytest.mark.skipif(not compiled.available, reason=compiled.why_not)
def test_numpy_streams_as_well(monkeypatch):
    """Where nothing is compiled, NumPy takes the steps."""
    X, y, table = parts(plain_regressor, frame())
    stream = Stream(cut(table), buffer_rows=70)
    params = {"shuffle": True, "random_state": 1, "dtype": "float64", "batch_size": 16}
    expected = plain_regressor(**params).fit(stream, y)
    monkeypatch.setattr(compiled, "available", False)
    actual = plain_regressor(**params).fit(stream, y)
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(actual.predict(X), expected.predict(X), rtol=1e-6)


@pytest.mark.parametrize("class_weight", ["balanced", {"low": 3.0}])
def test_class_weights(class_weight):
    """Classes have the weights that they have in memory."""
    X, y, table = parts(plain_classifier, frame())
    params = {**IN_ORDER, "class_weight": class_weight, "dtype": "float64"}
    expected = plain_classifier(**params).fit(X, table[y])
    stream = Stream(cut(table), buffer_rows=64)
    actual = plain_classifier(**params).fit(stream, y)
    np.testing.assert_allclose(actual.loss_curve_, expected.loss_curve_, rtol=1e-10)


def test_several_targets():
    """y may be several columns."""
    table = frame()[["a", "b", "y"]].assign(z=np.arange(300.0))
    params = {**IN_ORDER, "n_members": 1}
    expected = plain_regressor(**params).fit(table[["a", "b"]], table[["y", "z"]])
    stream = Stream(cut(table), buffer_rows=64)
    assert_same(plain_regressor(**params).fit(stream, ["y", "z"]), expected)


def test_pretrained():
    """A network begins with layers of another, and with its encoder."""
    X, y, table = parts(plain_regressor, frame())
    source = plain_regressor(**IN_ORDER, random_state=3).fit(X, table[y])
    params = {**IN_ORDER, "pretrained": source}
    expected = plain_regressor(**params).fit(X, table[y])
    stream = Stream(cut(table), buffer_rows=64)
    assert_same(plain_regressor(**params).fit(stream, y), expected)


def test_text_that_comes_late():
    """A column of objects is what it is in the whole table, as in memory."""
    table = frame()[["a", "b", "y"]]
    table["b"] = table["b"].astype(object)
    table.loc[250, "b"] = "text"
    expected = plain_regressor(**IN_ORDER).fit(table[["a", "b"]], table["y"])
    stream = Stream(cut(table), buffer_rows=64)
    assert_same(plain_regressor(**IN_ORDER).fit(stream, "y"), expected)


# Sources


def as_dataset(table, path):
    return ds.dataset(write(table, path))


def write(table, path, n_rows=40):
    """Write a table to two Parquet files of several row groups; return their paths."""
    out = [path / "0.parquet", path / "1.parquet"]
    for name, part in zip(out, (table[:170], table[170:]), strict=True):
        data = pa.Table.from_pandas(part, preserve_index=False)
        pq.write_table(data, name, row_group_size=n_rows)
    return out


SOURCES = {
    "list of frames": lambda table, path: cut(table),
    "function": lambda table, path: lambda: iter(cut(table)),
    "polars": lambda table, path: [pl.from_pandas(part) for part in cut(table)],
    "pyarrow": lambda table, path: [pa.Table.from_pandas(p) for p in cut(table)],
    "dataset": as_dataset,
    "paths": write,
    "folder": lambda table, path: write(table, path)[0].parent,
    "path": lambda table, path: str(write(table, path)[0].parent),
    "filtered": lambda table, path: as_dataset(table, path).filter(ds.field("w") > 0),
}


# Of polars, not all versions of scikit-learn see the names of columns.
@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.sampled
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
def test_sources(source, shuffle, tmp_path):
    """Whatever gives the rows, they are the same ones."""
    X, y, table = parts(plain_classifier, frame(), "w")
    stream = Stream(source(table.reset_index(drop=True), tmp_path), buffer_rows=96)
    params = {**IN_ORDER, "shuffle": shuffle}
    est = plain_classifier(**params).fit(stream, y, "w")
    if shuffle:
        assert est.score(X, table[y]) > 0.5
    else:
        assert_same(est, plain_classifier(**params).fit(X, table[y], table["w"]))
    assert_outputs(est, stream, outputs(est, X))


@pytest.mark.parametrize("weight", [None, "w"])
@makes
def test_score(make, weight):
    """Targets and weights are read from the stream, or are arrays."""
    X, y, table = parts(make, frame(), weight)
    own = None if weight is None else table[weight].to_numpy()
    est = make(**IN_ORDER).fit(X, table[y])
    expected = est.score(X, table[y], own)
    stream = Stream([*cut(table), table[:0]])
    assert est.score(stream, y, weight) == expected
    assert est.score(stream, table[y].to_numpy(), own) == expected
    with pytest.raises(ValueError, match=r"no column 'z'"):
        est.score(stream, "z")
    # Of a table, they are what they are.
    labels = ["x", "y", "x", "y"]
    clf = classifier(early_stopping=False).fit(X[:4], labels)
    assert clf.score(X[:4], labels) == np.mean(clf.predict(X[:4]) == labels)


def test_score_of_several_targets():
    """They are a list of names."""
    table = frame()[["a", "b", "y"]].assign(z=np.arange(300.0))
    reg = regressor().fit(table[["a", "b"]], table[["y", "z"]])
    expected = reg.score(table[["a", "b"]], table[["y", "z"]])
    assert reg.score(Stream(cut(table)), ["y", "z"]) == expected


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
def test_columns_are_chosen_by_name():
    """Even where scikit-learn does not see them, as those of polars in some versions.

    They may come in another order; a pickle knows them too.
    """
    X, y, table = parts(plain_classifier, frame())
    est = plain_classifier(**IN_ORDER).fit(Stream([pl.from_pandas(table)]), y)
    expected = est.predict_proba(pl.from_pandas(X))
    vars(est).pop("feature_names_in_", None)
    vars(est._model.encoder).pop("feature_names_in_", None)
    mixed = pl.from_pandas(table[table.columns[::-1]].assign(other=1))
    for one in est, pickle.loads(pickle.dumps(est)):
        np.testing.assert_array_equal(one.predict_proba(Stream([mixed])), expected)
    # Of an array, there are no names to choose by.
    est = plain_classifier(**IN_ORDER).fit(X[["a", "b"]].to_numpy(), table[y])
    assert est._model.encoder.names_of_columns is None


def test_a_dataset_is_a_stream(tmp_path):
    """A dataset of pyarrow may stand for X itself."""
    X, y, table = parts(plain_regressor, frame())
    dataset = as_dataset(table, tmp_path)
    est = plain_regressor(**IN_ORDER).fit(dataset, y)
    assert_same(est, plain_regressor(**IN_ORDER).fit(X, table[y]))
    np.testing.assert_array_equal(est.predict(dataset), est.predict(X))


def test_rows_come_in_another_order_each_epoch(tmp_path):
    """Row groups are shuffled, and rows within the buffer, with the seed alone."""
    table = pd.DataFrame({"a": np.arange(300.0)})
    stream = Stream(write(table, tmp_path), buffer_rows=64)
    rng = np.random.default_rng(0)
    epochs = [
        np.concatenate([part["a"] for part in stream.batches(rng)]) for _ in range(2)
    ]
    assert not np.array_equal(*epochs)
    for epoch in epochs:
        assert sorted(epoch) == list(range(300))
        # A group of rows stays together.
        assert np.count_nonzero(np.diff(epoch) != 1) < 9
    again = next(stream.batches(np.random.default_rng(0)))
    np.testing.assert_array_equal(again["a"], epochs[0][: len(again)])


def test_seeds():
    """The same seed gives the same network, another one another."""
    _, y, table = parts(classifier, frame())
    stream = Stream(cut(table), buffer_rows=64)
    params = {"batch_size": 16, "early_stopping": True}
    one, two, other = (
        classifier(random_state=seed, **params).fit(stream, y) for seed in (0, 0, 1)
    )
    assert_same(one, two)
    assert one.validation_scores_ != other.validation_scores_


# Rows that are held out


def held_rows(est, stream, y, monkeypatch):
    """Fit, and return the rows that are held out, and those of each epoch."""
    held, read = [], []
    split, encode = _streamed.StreamedData.split, _streamed.StreamedData._read

    def note_split(self, *args):
        rows, held_out = split(self, *args)
        held.append(held_out.parts[0])
        return rows, held_out

    def note_read(self, *args):
        epoch = []
        read.append(epoch)
        for batch in encode(self, *args):
            epoch.append(batch.X.copy())
            yield batch

    monkeypatch.setattr(_streamed.StreamedData, "split", note_split)
    monkeypatch.setattr(_streamed.StreamedData, "_read", note_read)
    est.fit(stream, y)
    return held[0], [np.concatenate(epoch) for epoch in read]


@pytest.mark.parametrize(
    ("fraction", "low", "high"), [(0.2, 30, 90), (0.9, 64, 64), (10, 10, 10)]
)
def test_rows_held_out(fraction, low, high, monkeypatch, small_blocks):
    """A share is held out, or what the buffer holds; all else is trained on."""
    _, y, table = parts(plain_regressor, frame())
    # Copies of rows are on the same side.
    table = pd.concat([table, table[:50]], ignore_index=True)
    est = plain_regressor(early_stopping=True, validation_fraction=fraction)
    stream = Stream(cut(table), buffer_rows=64)
    held_out, epochs = held_rows(est, stream, y, monkeypatch)
    held = est.encoder_.encode_rows(held_out.X, held_out.rows.index)
    assert low <= len(held) <= high
    rows = {row.tobytes() for row in held}
    every = est.encoder_.transform(table.drop(columns=y))
    trained = [row.tobytes() for row in every if row.tobytes() not in rows]
    assert len(trained) + len(held) == 350
    assert len(epochs) == est.n_iter_
    for epoch in epochs:
        assert sorted(row.tobytes() for row in epoch) == sorted(trained)


def test_encoding_learns_nothing_from_rows_held_out(monkeypatch, small_blocks):
    """Scaling is that of the rows that are trained on."""
    _, y, table = parts(plain_regressor, frame()[["a", "b", "w", "y", "label"]])
    est = plain_regressor(
        early_stopping=True,
        validation_fraction=40,
        numeric_scaling="standard",
        dtype="float64",
    )
    stream = Stream(cut(table), buffer_rows=64)
    _, (trained, *_) = held_rows(est, stream, y, monkeypatch)
    assert len(trained) == 260
    np.testing.assert_allclose(trained[:, 1].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(trained[:, 1].std(), 1, rtol=1e-12)


SCORED = [(classifier, "accuracy"), (classifier, "roc_auc"), (regressor, "r2")]


@pytest.mark.parametrize(("make", "scoring"), SCORED)
@pytest.mark.parametrize("weight", [None, "w"])
def test_scoring(make, scoring, weight):
    """What the buffer holds is scored as a table is."""
    X, y, table = parts(make, frame(), weight)
    table = table.assign(**{y: np.where(table[y] == "new", "low", table[y])})
    params = {"early_stopping": True, "scoring": scoring}
    own = table[weight] if weight else None
    expected = make(**params).fit(X, table[y], own)
    assert_same(make(**params).fit(Stream(cut(table)), y, weight), expected)


@pytest.mark.parametrize(
    ("make", "scoring"), [*SCORED[::2], (classifier, make_scorer(accuracy_score))]
)
def test_scores_are_of_rows_held_out(make, scoring, monkeypatch):
    """Of all of these, by predictions as they will be."""
    X, y, table = parts(make, frame()[["a", "b", "w", "y", "label"]])
    params = {"early_stopping": True, "validation_fraction": 0.2, "batch_size": 16}
    est = make(scoring=scoring, **params)
    held, _ = held_rows(est, Stream(cut(table), buffer_rows=64), y, monkeypatch)
    target = held.targets
    target = est.classes_[target] if hasattr(est, "classes_") else target
    score = est.score(pd.DataFrame(held.X, columns=X.columns), target)
    assert len(target) > 20
    assert max(est.validation_scores_) == est.best_validation_score_
    assert est.best_validation_score_ == pytest.approx(score, rel=1e-6)


@pytest.mark.sampled
@makes
@pytest.mark.parametrize("buffer_rows", [64, 1000])
def test_refit(make, buffer_rows):
    """It is a fit to all rows, for as many epochs as were best."""
    _, y, table = parts(make, frame())
    stream = Stream(cut(table), buffer_rows=buffer_rows)
    params = {"batch_size": 16, "schedule": "constant", "random_state": 0}
    params["linear_share"] = False
    first = make(early_stopping=True, **params).fit(stream, y)
    again = make(early_stopping=True, refit=True, **params).fit(stream, y)
    for name in WATCHED:
        assert getattr(again, name, None) == getattr(first, name, None), name
    params |= {"early_stopping": False, "max_iter": first.best_iter_}
    alone = make(**params).fit(stream, y)
    assert not np.array_equal(parameters(again), parameters(first))
    np.testing.assert_allclose(
        parameters(again), parameters(alone), rtol=1e-4, atol=1e-5
    )


def test_validation_data():
    """X_val and y_val are a frame and an array, as ever."""
    X, y, table = parts(classifier, frame())
    stream = Stream(cut(table), buffer_rows=64)
    val = {"X_val": X[:100], "y_val": table[y][:100]}
    est = classifier(early_stopping=True, batch_size=16).fit(stream, y, **val)
    assert len(est.validation_scores_) == est.n_iter_


def test_learns():
    """What is learned from a stream holds for new rows."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((4000, 3)), columns=list("abc"))
    table = X.assign(y=X["a"] * X["b"] + X["c"])
    stream = Stream(cut(table[:3000], (200,)), buffer_rows=400)
    reg = regressor((32,), max_iter=20, batch_size=32, tol=None).fit(stream, "y")
    assert reg.score(X[3000:], table["y"][3000:]) > 0.9
    assert_outputs(pickle.loads(pickle.dumps(reg)), X[3000:], outputs(reg, X[3000:]))


# While training


def test_ctrl_c():
    """An interrupt keeps the epochs that have ended."""
    _, y, table = parts(plain_regressor, frame())
    n_read = 0

    def interrupted():
        nonlocal n_read
        n_read += 1
        for k, part in enumerate(cut(table)):
            if n_read == 4 and k == 2:
                raise KeyboardInterrupt
            yield part

    est = plain_regressor(batch_size=16)
    with pytest.warns(UserWarning, match="interrupted by user"):
        est.fit(Stream(interrupted, buffer_rows=64), y)
    assert est.n_iter_ == 2
    before = est.coefs_[0].copy()
    n_read = 3
    with pytest.raises(KeyboardInterrupt):
        est.fit(Stream(interrupted, buffer_rows=64), y)
    np.testing.assert_array_equal(est.coefs_[0], before)


def test_max_time():
    """Time that is over ends a fit."""
    _, y, table = parts(plain_regressor, frame())
    stream = Stream(cut(table), buffer_rows=64)
    est = plain_regressor(max_iter=10**6, max_time=0.2, batch_size=16).fit(stream, y)
    assert 0 < est.n_iter_ < 10**6


def test_long_steps():
    """Steps that threads share are those of memory, the last one too."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((1500, 3)), columns=["a", "b", "y"])
    est = plain_regressor((512, 128), shuffle=False, batch_size=512, max_iter=1)
    expected = clone(est).fit(table[["a", "b"]], table["y"])
    stream = Stream(cut(table, (400,)), buffer_rows=700)
    assert_same(est.fit(stream, "y"), expected)


# What is refused


def test_an_iterator_is_refused():
    """It can be read only once, and the error says what to pass instead."""
    for once in (part for part in cut(frame())), iter(cut(frame())):
        with pytest.raises(TypeError, match=r"only once.*Pass a function"):
            Stream(once)
    for source in 3, None:
        with pytest.raises(TypeError, match="source must be"):
            Stream(source)
    for buffer_rows in 0, -1, 2.5, None:
        with pytest.raises(ValueError, match="buffer_rows must be an int >= 1"):
            Stream([], buffer_rows=buffer_rows)


ALL_ROWS = {
    "solver": {"solver": "bgd"},
    "optimizer": {"optimizer": "lbfgs", "solver": "bgd"},
}


@pytest.mark.parametrize("name", ALL_ROWS)
def test_parameters_that_need_all_rows(name):
    """They are refused by name, before a row is read."""

    def never():
        raise AssertionError

    with pytest.raises(ValueError, match=f"{name}=.* needs all rows"):
        plain_regressor(**ALL_ROWS[name]).fit(Stream(never), "y")


def test_arguments_that_are_refused():
    """Errors name the argument, the column and what there is."""
    stream = Stream(cut(frame().drop(columns="label")), buffer_rows=64)
    est = plain_regressor()
    for y in None, frame()["y"], 3, ["y", 3], []:
        with pytest.raises(ValueError, match="y must be the name of the column"):
            est.fit(stream, y)
    with pytest.raises(ValueError, match="sample_weight must be the name"):
        est.fit(stream, "y", np.ones(300))
    with pytest.raises(ValueError, match=r"no column 'z'; it has \['a', 'text'"):
        est.fit(stream, "z")
    with pytest.raises(ValueError, match=r"no column 'v'"):
        est.fit(stream, "y", "v")
    with pytest.raises(ValueError, match="batch_size=65 is more than the buffer_rows"):
        plain_regressor(batch_size=65).fit(stream, "y")
    with pytest.raises(ValueError, match="partial_fit takes some rows"):
        est.partial_fit(stream, "y")
    with pytest.raises(ValueError, match="with a stream, a scorer sees predictions"):
        plain_regressor(scoring=lambda est, X, y: 0.0).fit(stream, "y")
    with pytest.raises(ValueError, match=r"class_weight='balanced' needs all rows"):
        plain_classifier(class_weight="balanced").fit(stream, ["a", "b"])
    assert not hasattr(est, "n_features_in_")
    warm = plain_regressor(warm_start=True).fit(stream, "y")
    with pytest.raises(ValueError, match="warm_start=True can't go on with a stream"):
        warm.fit(stream, "y")


def test_errors_name_the_batch():
    """Something that is wrong with rows is said of the batch that they are in."""
    table = frame()[["a", "b", "y"]]
    batches = cut(table)
    batches[2] = batches[2].assign(a=np.inf)
    with pytest.raises(ValueError, match=r"Batch 2 of the stream: .*infinity"):
        plain_regressor().fit(Stream(batches, buffer_rows=64), "y")
    batches[2] = batches[2].drop(columns="a")
    with pytest.raises(ValueError, match=r"Batch 2 of the stream: .*same columns"):
        plain_regressor().fit(Stream(batches, buffer_rows=64), "y")
    with pytest.raises(TypeError, match=r"data frames.*ndarray"):
        plain_regressor().fit(Stream([np.ones((3, 2))]), "y")
    for nothing in [], [table[:0]]:
        with pytest.raises(ValueError, match="The stream has no rows"):
            plain_regressor().fit(Stream(nothing), "y")


@pytest.mark.parametrize(("later", "how"), [(290, "less"), (310, "more")])
def test_other_rows_in_a_later_epoch(later, how):
    """The first pass counts the rows; an epoch with others is an error."""
    _, y, table = parts(plain_regressor, frame(310))
    sizes = iter([300, later])

    def changing():
        yield from cut(table[: next(sizes)])

    est = plain_regressor(batch_size=16)
    with pytest.raises(ValueError, match=f"{how} rows than the first one.* had 300"):
        est.fit(Stream(changing, buffer_rows=64), y)
    assert not hasattr(est, "coefs_")
