"""Labels of any type come back as they went in."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict, cross_val_score

from tests.plain import plain_classifier
from tests.tables import binary, classifier, multiclass, multilabel, numbers, parameters

#: Without rows that are held out, and with some, on which labels are scored.
STOPPING = {
    "all epochs": {},
    "early stopping": {"early_stopping": True, "scoring": "accuracy"},
}
stopping = pytest.mark.parametrize("stopping", STOPPING)

INTEGERS = [
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *(">i2", ">i8"),
]
FLOATS = ["float16", "float32", "float64", "longdouble", ">f8"]
DAYS = np.array(["2020-01-02", "2019-01-01", "2021-01-01"], "M8[D]")

#: Three labels, out of order.
NUMPY = {
    **{dtype: np.array([5, 0, 100], dtype) for dtype in INTEGERS + FLOATS},
    "below zero": np.array([-7, 3, -1]),
    "below zero int8": np.array([127, -128, -1], "int8"),
    "with gaps": np.array([5, 1, 10**12]),
    "above 2**53": 2**53 + np.array([1, 0, 2]),
    "below -2**62": -(2**62) - np.array([1, 0, 2]),
    "above 2**63": np.array([2**63 + 1, 2**63, 2**64 - 1], "uint64"),
    "far apart": np.array([2.0**60, -(2.0**62), 0.0]),
    "words": np.array(["b", "a", "longest"]),
    "words of other bytes": np.array(["b", "a", "longest"], ">U9"),
    "words of the world": np.array(["ß", "a", "猫"]),
    "object": np.array(["b", "a", "longest"], object),
    "days": DAYS,
    "seconds": np.array([3, 1, 2], "m8[s]"),
    # Two of them.
    "bool": np.array([True, False, True]),
    "two": np.array([5, 1, 5]),
    "plus and minus": np.array([1, -1, 1], "int8"),
    "zero and one": np.array([1.0, 0.0, 1.0], "float32"),
    "yes and no": np.array(["yes", "no", "yes"]),
}
WORDS, NUMBERS = NUMPY["words"], NUMPY["int64"]


def series(dtype):
    """Return a function that makes a pandas Series, with an index of its own."""
    return lambda labels: pd.Series(labels, np.arange(len(labels))[::-1]).astype(dtype)


#: A container that is not NumPy's, the labels in it.
CONTAINERS = {
    "list of str": (list, WORDS.tolist()),
    "list of int": (list, NUMBERS.tolist()),
    "list of float": (list, [0.5 * 4, 0.0, 7.0]),
    "list of bool": (list, [True, False, True]),
    "tuple": (tuple, WORDS.tolist()),
    "Series str": (pd.Series, WORDS),
    "Series object": (series(object), WORDS),
    "Series string": (series("string"), WORDS),
    "Series string[python]": (series("string[python]"), WORDS),
    "Series string[pyarrow]": (series("string[pyarrow]"), WORDS),
    "Series Arrow string": (series(pd.ArrowDtype(pa.string())), WORDS),
    "Series Arrow large_string": (series(pd.ArrowDtype(pa.large_string())), WORDS),
    "Series Arrow int64": (series("int64[pyarrow]"), NUMBERS),
    "Series Arrow bool": (series("bool[pyarrow]"), NUMPY["bool"]),
    "Series Arrow double": (series("double[pyarrow]"), NUMBERS),
    "Series int8": (series("int8"), NUMBERS),
    "Series bool": (pd.Series, NUMPY["bool"]),
    "Series Int64": (series("Int64"), NUMBERS),
    "Series Int8": (series("Int8"), NUMBERS),
    "Series UInt8": (series("UInt8"), NUMBERS),
    "Series Float64": (series("Float64"), NUMBERS),
    "Series Float32": (series("Float32"), NUMBERS),
    "Series boolean": (series("boolean"), NUMPY["bool"]),
    "Series datetime": (pd.Series, DAYS),
    "category of str": (series("category"), WORDS),
    "category of int": (series("category"), NUMBERS),
    "category of bool": (series("category"), NUMPY["bool"]),
    "category of Int64": (lambda y: series("Int64")(y).astype("category"), NUMBERS),
    "category in order": (series(pd.CategoricalDtype(WORDS, ordered=True)), WORDS),
    "category of more": (series(pd.CategoricalDtype(["z", *WORDS])), WORDS),
    "Categorical": (pd.Categorical, WORDS),
    "pd.array": (lambda y: pd.array(y, dtype="Int64"), NUMBERS),
    "polars str": (lambda y: pl.Series(y.tolist()), WORDS),
    "polars Categorical": (lambda y: pl.Series(y).cast(pl.Categorical), WORDS),
    "polars Enum": (lambda y: pl.Series(y).cast(pl.Enum(WORDS.tolist())), WORDS),
    "polars Int64": (pl.Series, NUMBERS),
    "polars Int8": (lambda y: pl.Series(y).cast(pl.Int8), NUMBERS),
    "polars Boolean": (pl.Series, NUMPY["bool"]),
    "polars Float64": (lambda y: pl.Series(y).cast(pl.Float64), NUMBERS),
    "polars Date": (pl.Series, DAYS),
    "pyarrow string": (lambda y: pa.array(y.tolist()), WORDS),
    "pyarrow int64": (pa.array, NUMBERS),
    "pyarrow chunks": (lambda y: pa.chunked_array([y[:9], y[9:]]), NUMBERS),
}


def in_container(name):
    """Return columns, labels in a container, and their ranks."""
    make, labels = CONTAINERS[name]
    X, y = multiclass()
    labels = np.array(labels)
    ranks = np.unique(labels, return_inverse=True)[1][y]
    labels = labels[y]
    return X, make(labels.tolist() if make in (list, tuple) else labels), ranks


@cache
def learned(make, ranks, **params):
    """Return a classifier that has learned ranks, which tests only read."""
    return make(**params).fit(multiclass()[0], np.array(ranks))


def assert_come_back(X, labels, ranks, params):
    """Assert that labels are learned as their ranks are, and predicted as they are."""
    params = {"max_iter": 15, "learning_rate": 0.1, **params}
    one = plain_classifier(**params).fit(X, labels)
    two = learned(plain_classifier, tuple(ranks.tolist()), **params)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.validation_scores_ == two.validation_scores_
    assert len(one.classes_) == len(two.classes_)
    predicted = one.predict(X)
    assert type(predicted) is type(one.classes_) is np.ndarray
    assert predicted.dtype == one.classes_.dtype
    np.testing.assert_array_equal(predicted, one.classes_[two.predict(X)])
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert len(np.unique(predicted)) > 1
    assert one.score(X, labels) == two.score(X, ranks) > 0.6
    return one


@pytest.mark.slow
@stopping
@pytest.mark.parametrize("name", NUMPY)
def test_numpy(name, stopping):
    """Labels of an array come back in its dtype, sorted as NumPy sorts them."""
    X, y = multiclass()
    labels = NUMPY[name]
    ranks = np.unique(labels, return_inverse=True)[1]
    clf = assert_come_back(X, labels[y], ranks[y], STOPPING[stopping])
    assert clf.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(clf.classes_, np.unique(labels))
    reference = LogisticRegression(tol=1).fit(X, labels[y])
    assert clf.classes_.dtype == reference.classes_.dtype
    assert clf.predict(X).dtype == reference.predict(X).dtype


@pytest.mark.sampled
@stopping
@pytest.mark.parametrize("name", CONTAINERS)
def test_containers(name, stopping):
    """Labels of other containers come back as in scikit-learn."""
    X, labels, ranks = in_container(name)
    clf = assert_come_back(X, labels, ranks, STOPPING[stopping])
    reference = LogisticRegression(tol=1).fit(X, labels)
    assert clf.classes_.dtype == reference.classes_.dtype
    assert clf.classes_.tolist() == reference.classes_.tolist()
    assert clf.predict(X).dtype == reference.predict(X).dtype


@pytest.mark.slow
@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_to_validate_on(name, scoring):
    """Labels of validation data come in the same containers."""
    X, labels, ranks = in_container(name)
    one = classifier(scoring=scoring).fit(X, labels, X_val=X, y_val=labels)
    assert one.validation_scores_ == scores_of_ranks(tuple(ranks), scoring)


@cache
def scores_of_ranks(ranks, scoring):
    """Return the scores of training that is validated on all rows."""
    X, y = multiclass()[0], np.array(ranks)
    return classifier(scoring=scoring).fit(X, y, X_val=X, y_val=y).validation_scores_


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_going_on(name):
    """Training goes on with labels in the same containers."""
    X, labels, ranks = in_container(name)
    expected = parameters_gone_on(tuple(ranks))
    np.testing.assert_array_equal(parameters(gone_on(X, labels)), expected)


def gone_on(X, y):
    """Return a classifier that went on with its training in each way."""
    clf = classifier(warm_start=True).fit(X, y)
    return clf.fit(X, y).partial_fit(X, y).partial_fit(X, y, clf.classes_)


@cache
def parameters_gone_on(ranks):
    """Return the parameters of one that learned ranks."""
    return parameters(gone_on(multiclass()[0], np.array(ranks)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in CONTAINERS if name not in ("list of float", "tuple")]
)
def test_classes_in_containers(name):
    """The classes of `partial_fit` may be in the same containers, in any order."""
    make, classes = CONTAINERS[name]
    X, labels, ranks = in_container(name)
    classes = np.array(classes)[:2] if name[-4:].lower() == "bool" else classes
    classes = np.array(classes)
    if make is not list and "chunks" not in name:
        classes = make(classes)
    one = classifier().partial_fit(X, labels, classes).partial_fit(X, labels)
    two = learned_in_parts(tuple(ranks))
    np.testing.assert_array_equal(parameters(one), parameters(two))
    predicted = one.predict(X)
    assert predicted.dtype == one.classes_.dtype
    assert predicted.tolist() == one.classes_[two.predict(X)].tolist()


@cache
def learned_in_parts(ranks):
    """Return a classifier that has learned ranks, in calls of `partial_fit`."""
    X, y = multiclass()[0], np.array(ranks)
    return classifier().partial_fit(X, y, np.unique(y)).partial_fit(X, y)


def outcome(model, X, labels):
    """Return what becomes of labels: their classes and types, or the error."""
    try:
        model.fit(X, labels)
    except (TypeError, ValueError) as error:
        return type(error), str(error).replace("\n", " ")
    classes, predicted = model.classes_, model.predict(X)
    return classes.dtype, classes.tolist(), predicted.dtype


@stopping
@pytest.mark.parametrize(
    "labels",
    [
        np.array([b"b", b"a", b"c"]),
        np.array([b"b", b"a", b"c"], object),
        np.array([2, 0, 1], object),
        np.array([True, False, True], object),
        np.array([2, "a", 1], object),
        np.array([2, 0, None], object),
        np.array([2, 0, 2**70], object),
        np.array([0.5, 0.0, 1.0]),
        np.array([np.nan, 0.0, 1.0]),
        np.array([np.inf, 0.0, 1.0]),
        np.array([2, 0, 1], complex),
        np.array(["b", "a", "c"], np.dtypes.StringDType()),
    ],
    ids=lambda labels: f"{labels.dtype} {labels[0]}",
)
def test_labels_that_scikit_learn_refuses(labels, stopping):
    """Labels that scikit-learn takes for none are refused in words that begin alike."""
    X, y = multiclass()
    kind, words = outcome(LogisticRegression(tol=1), X, labels[y])
    ours = outcome(classifier(**STOPPING[stopping]), X, labels[y])
    assert ours[0] is kind
    assert ours[1].startswith(words)


@stopping
@pytest.mark.parametrize(
    "name",
    [n for n in CONTAINERS if n.startswith("Series") and n != "Series datetime"],
)
def test_missing_labels(name, stopping):
    """A label that is missing is refused in the same words too."""
    X, labels, _ = in_container(name)
    labels = labels.astype(object) if labels.dtype.kind in "biu" else labels
    labels.iloc[3] = None
    expected = outcome(LogisticRegression(tol=1), X, labels)
    assert issubclass(expected[0], Exception)
    assert outcome(classifier(**STOPPING[stopping]), X, labels) == expected


@stopping
def test_missing_time(stopping):
    """NaT is no label."""
    X, y = multiclass()
    days = DAYS[y]
    days[3] = "NaT"
    with pytest.raises(ValueError):
        classifier(**STOPPING[stopping]).fit(X, days)


@pytest.mark.parametrize("name", ["words", "int8", "bool", "float32", "above 2**53"])
def test_class_weights_by_label(name):
    """Class weights are looked up by label, of any type."""
    X, y = multiclass()
    labels = NUMPY[name]
    classes, ranks = np.unique(labels, return_inverse=True)
    weights = dict(enumerate([1, 5, 3][: len(classes)]))
    by_label = {label: weights[i] for i, label in enumerate(classes.tolist())}
    one = classifier(class_weight=by_label).fit(X, labels[y])
    two = classifier(class_weight=weights).fit(X, ranks[y])
    np.testing.assert_array_equal(parameters(one), parameters(two))
    other = classifier().fit(X, ranks[y])
    assert not np.array_equal(parameters(one), parameters(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "object", "above 2**53", "bool", "float32"])
def test_labels_in_cross_validation(name):
    """scikit-learn's tools score labels as their ranks, and predict labels."""
    X, y = multiclass()
    labels = NUMPY[name]
    ranks = np.unique(labels, return_inverse=True)[1]
    scores, predicted = cross_validated(X, labels[y])
    expected = cross_validated_ranks(tuple(ranks[y]))
    np.testing.assert_array_equal(scores, expected[0])
    np.testing.assert_array_equal(predicted, np.unique(labels)[expected[1]])


def cross_validated(X, y):
    """Return scores, and predictions for all rows."""
    clf = classifier(early_stopping=True, scoring="balanced_accuracy")
    return cross_val_score(clf, X, y, cv=2), cross_val_predict(clf, X, y, cv=2)


@cache
def cross_validated_ranks(ranks):
    """Return the same of ranks."""
    return cross_validated(multiclass()[0], np.array(ranks))


# Several labels a row

DTYPES = [
    *("bool", "int8", "int32", "int64", "uint8", "uint64"),
    *("float32", "float64", "longdouble"),
]
FORMATS = {
    f"{name}_{kind}": getattr(sp, f"{name}_{kind}")
    for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
    for kind in ("matrix", "array")
}
#: Tables of zeros and ones, and the dtype that predictions have.
MULTILABEL = {
    **{dtype: (lambda Y, dtype=dtype: Y.astype(dtype), dtype) for dtype in DTYPES},
    **{
        f"{name} {dtype}": (lambda Y, m=m, dtype=dtype: m(Y.astype(dtype)), dtype)
        for name, m in FORMATS.items()
        for dtype in ("bool", "int8" if name[-5:] == "array" else "int64")
    },
    "csr_array float32": (lambda Y: sp.csr_array(Y.astype("float32")), "float32"),
    "F": (np.asfortranarray, "int64"),
    "list": (lambda Y: Y.tolist(), "int64"),
    "list of bool": (lambda Y: (Y > 0).tolist(), "bool"),
    "list of rows": (list, "int64"),
    "pandas": (pd.DataFrame, "int64"),
    "pandas bool": (lambda Y: pd.DataFrame(Y > 0), "bool"),
    "polars": (pl.DataFrame, "int64"),
    "polars bool": (lambda Y: pl.DataFrame(Y > 0), "bool"),
}


@cache
def learned_integers(weight=None, **params):
    """Return a classifier of the table of integers, with one of the label weights."""
    if weight is not None:
        params["class_weight"] = LABEL_WEIGHTS[weight]
    return classifier(**params).fit(*multilabel())


@pytest.mark.slow
@stopping
@pytest.mark.parametrize("kind", MULTILABEL)
def test_multilabel(kind, stopping):
    """Several labels a row come back as an array of the dtype they came in."""
    X, Y = multilabel()
    make, dtype = MULTILABEL[kind]
    labels = make(Y)
    one = classifier(**STOPPING[stopping]).fit(X, labels)
    two = learned_integers(**STOPPING[stopping])
    np.testing.assert_array_equal(parameters(one), parameters(two))
    assert one.validation_scores_ == two.validation_scores_
    np.testing.assert_array_equal(one.classes_, [0, 1, 2])
    predicted = one.predict(X)
    assert type(predicted) is np.ndarray
    assert predicted.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(predicted, two.predict(X))
    assert one.score(X, labels) == two.score(X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MULTILABEL)
def test_multilabel_going_on(kind):
    """Training goes on, and is validated, with tables of the same kind."""
    X, Y = multilabel()
    make, dtype = MULTILABEL[kind]
    one = validated_and_gone_on(X, make(Y))
    np.testing.assert_array_equal(parameters(one), parameters_of_integers())
    assert one.predict(X).dtype == np.dtype(dtype)


def validated_and_gone_on(X, Y):
    """Return a classifier that was validated, and went on with its training."""
    clf = classifier(warm_start=True).fit(X, Y, X_val=X, y_val=Y)
    return clf.fit(X, Y).partial_fit(X, Y, np.arange(3))


@cache
def parameters_of_integers():
    """Return the parameters of one that learned the table of integers."""
    return parameters(validated_and_gone_on(*multilabel()))


#: Weights of labels, those of each column or of all, by what they are called.
LABEL_WEIGHTS = [
    "balanced",
    {0: 1, 1: 5},
    {0.0: 1, 1.0: 5},
    {False: 1, True: 5},
    [{0: 1, 1: 5}, {0: 2, 1: 1}, {0: 0, 1: 1}],
]
MIXED = {
    "object": lambda Y: Y.astype(object),
    "object bool": lambda Y: (Y > 0).astype(object),
    "pandas of two dtypes": lambda Y: pd.DataFrame(Y).astype({0: bool}),
    "pandas boolean": lambda Y: pd.DataFrame(Y > 0).astype("boolean"),
}


@pytest.mark.sampled
@pytest.mark.parametrize("weight", range(len(LABEL_WEIGHTS)))
@pytest.mark.parametrize("kind", [*MULTILABEL, *MIXED])
def test_class_weights_of_several_labels(kind, weight):
    """Labels of any dtype have the weights that integers have."""
    X, Y = multilabel()
    labels = MIXED[kind](Y) if kind in MIXED else MULTILABEL[kind][0](Y)
    params = {"hidden_layer_dims": (), "n_members": 1, "max_iter": 2}
    unweighted = parameters(learned_integers(**params))
    one = classifier(**params, class_weight=LABEL_WEIGHTS[weight]).fit(X, labels)
    two = learned_integers(weight, **params)
    np.testing.assert_array_equal(parameters(one), parameters(two))
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    assert not np.array_equal(parameters(one), unweighted)


def test_multilabel_that_stores_zeros():
    """A zero that a sparse table of labels stores is a zero."""
    X, Y = multilabel()
    labels = sp.csr_array(np.ones_like(Y))
    labels.data[:] = Y.ravel()
    one, two = classifier().fit(X, labels), classifier().fit(X, Y)
    np.testing.assert_array_equal(parameters(one), parameters(two))


@pytest.mark.parametrize("numbers", [[-1, 1], [0, 5], [1, 2]])
@pytest.mark.parametrize("sparse", [False, True])
def test_multilabel_of_other_numbers(numbers, sparse):
    """A table of two other numbers is refused: what is a label is not there in it."""
    X, Y = multilabel()
    Y = np.array(numbers)[Y]
    with pytest.raises((TypeError, ValueError)):
        classifier().fit(X, sp.csr_array(Y) if sparse else Y)


def test_targets_are_left_alone():
    """Labels are not written to, and may be read-only."""
    X, y = binary()
    words = np.array(["no", "yes"])[y]
    table = sp.csr_array(multilabel()[1])
    for labels in y, words, table:
        array = getattr(labels, "data", labels) if sp.issparse(labels) else labels
        array.flags.writeable = False
        before = array.copy()
        classifier(early_stopping=True, scoring="accuracy").fit(X, labels)
        np.testing.assert_array_equal(array, before)


# Labels of a kind


@pytest.mark.sampled
@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 5]),
        np.array([-1, 1], dtype="int8"),
        np.array([0.0, 2.0]),
        np.array(["no", "yes"]),
        np.array([False, True]),
        np.array(["left", "right"], dtype=object),
        np.array([3, 5, 9]),
        np.array(["a", "b", "c"]),
        np.array(["x", "longer", "longest"], dtype=object),
    ],
    ids=lambda labels: f"{labels.dtype}-{len(labels)}",
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_labels_come_back(labels, early_stopping):
    """Predictions are labels of the values and of the type that `fit` saw."""
    X, y = multiclass(n_classes=len(labels))
    params = {"early_stopping": early_stopping, "scoring": "accuracy"}
    clf = classifier(max_iter=25, learning_rate=0.05, **params).fit(X, labels[y])
    predicted = clf.predict(X)
    assert predicted.dtype == labels.dtype
    np.testing.assert_array_equal(clf.classes_, np.sort(labels))
    assert np.mean(predicted == labels[y]) > 0.8


def test_labels_in_a_series():
    """Labels of a pandas Series, with an index of its own, come back."""
    X, y = binary()
    labels = pd.Series(np.array(["no", "yes"])[y], index=np.arange(60)[::-1])
    clf = classifier().fit(X, labels)
    assert set(clf.predict(X)) <= {"no", "yes"}
    np.testing.assert_array_equal(clf.predict(X), clf.fit(X, list(labels)).predict(X))


@pytest.mark.parametrize("label", [7, "only"])
def test_single_class(label):
    """With a single class, that is the prediction, with probability 1."""
    X = numbers()
    clf = classifier().fit(X, np.full(60, label))
    assert clf.predict(X).tolist() == [label] * 60
    np.testing.assert_array_equal(clf.predict_proba(X), np.ones((60, 1)))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 5]),
        np.array([-3, -1, 7]),
        np.array([0.0, 2.0]),
        np.array([False, True]),
        np.array(["b", "a", "longer"]),
        np.array(["b", "a"], dtype=object),
    ],
    ids=lambda labels: f"{labels.tolist()} {labels.dtype}",
)
def test_fault_21_predictions_are_labels_as_they_were_given(labels):
    """Predictions are labels of the kind given, even where batch or fold lacks one.

    Peers returned their positions, for an accuracy of zero.
    """
    X, rank = multiclass(150, n_classes=len(labels))
    y = labels[rank]
    params = {"learning_rate": 0.05, "max_iter": 30}
    clf = plain_classifier(**params).fit(X, y)
    assert clf.predict(X).dtype == clf.classes_.dtype == labels.dtype
    assert clf.score(X, y) > 0.9
    fold = y != labels[0]
    assert set(clone(clf).fit(X[fold], y[fold]).predict(X)) <= set(labels[1:])
    in_parts = plain_classifier(**params)
    for part in [fold, *30 * [slice(None)]]:
        in_parts.partial_fit(X[part], y[part], classes=labels)
    assert in_parts.predict(X).dtype == labels.dtype
    assert in_parts.score(X, y) > 0.9
