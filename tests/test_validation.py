"""What scorers see of the validation rows, and what becomes of their answers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, get_scorer, make_scorer

from tests.plain import plain_classifier, plain_regressor
from tests.tables import binary, multiclass, multilabel, multioutput, regression

#: Data of each kind of target, with every second row there twice.
TABLES = {
    "text labels": (lambda: (binary()[0], np.array(["no", "yes"])[binary()[1]])),
    "classes": multiclass,
    "several labels": multilabel,
    "regression": regression,
    "several targets": multioutput,
}


def estimator(table, **params):
    """Return an estimator for a table that stops early."""
    kind = plain_regressor if table in ("regression", "several targets") else None
    return (kind or plain_classifier)(early_stopping=True, **params)


def with_copies(X, y):
    """Return a table with its first half there twice."""
    rows = np.r_[np.arange(len(X)), np.arange(len(X) // 2)]
    return X[rows], y[rows]


class Recorder:
    """A scorer without weights, that keeps what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, estimator, X, y):
        self.calls.append((X, y))
        return estimator.score(X, y)


# What a scorer sees


@pytest.mark.parametrize("table", TABLES)
def test_scorer_sees_the_targets_of_its_rows(table):
    """The targets are those of the rows beside them, in the words of the user."""
    X, y = TABLES[table]()
    scorer = Recorder()
    estimator(table, scoring=scorer).fit(X, y)
    X_seen, y_seen = scorer.calls[-1]
    for row, target in zip(X_seen, y_seen, strict=True):
        (i,) = np.flatnonzero((row == X).all(axis=1))
        np.testing.assert_array_equal(target, y[i])


SHAPES = {
    "column": lambda y: np.reshape(y, (-1, 1)),
    "series": lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
    "frame": lambda y: pd.DataFrame({"y": y}),
    "list": lambda y: y.tolist(),
    "index": pd.Index,
}


@pytest.mark.sampled
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "table, scoring",
    [("classes", "accuracy"), ("text labels", "f1_macro"), ("regression", "r2")],
)
def test_scorer_sees_a_target_of_one_dimension(table, scoring, shape):
    """However the target comes, the score is that of the one-dimensional array."""
    X, y = TABLES[table]()
    est = estimator(table, scoring=scoring)
    expected = est.fit(X, y).validation_scores_
    assert est.fit(X, SHAPES[shape](y)).validation_scores_ == expected


@pytest.mark.parametrize("table", TABLES)
def test_scorer_without_weights_takes_copies(table):
    """Copies of rows are no weights: a scorer sees each row as often as it comes."""
    X, y = with_copies(*TABLES[table]())
    scorer = Recorder()
    est = estimator(table, scoring=scorer, validation_fraction=0.3).fit(X, y)
    X_seen, _ = scorer.calls[-1]
    for row in X_seen:
        n_seen = (X_seen == row).all(axis=1).sum()
        assert n_seen == (row == X).all(axis=1).sum()
    assert len(est.validation_scores_) == len(scorer.calls)


@pytest.mark.parametrize("scoring", ["neg_max_error", "neg_median_absolute_error"])
def test_metrics_without_weights_take_copies(scoring):
    """The metrics of scikit-learn that know no weights work where rows are equal."""
    est = estimator("regression", scoring=scoring)
    assert np.isfinite(est.fit(*with_copies(*regression())).validation_scores_).all()


def test_scorer_gets_the_weights_of_the_user():
    """Weights of rows, and of classes, are passed as HistGradientBoosting does."""
    seen = []

    def scorer(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return 0.0

    X, y = binary()
    weight = np.random.default_rng(0).uniform(1, 2, 60)
    est = estimator("classes", scoring=scorer)
    est.fit(X, y)
    assert seen.pop() is None
    est.fit(X, y, weight)
    assert set(seen.pop()) <= set(weight)
    est.set_params(class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    assert set(seen.pop()) == {1.0, 3.0}


def test_weights_and_copies_have_the_same_score():
    """A row of weight 2 counts as much for a scorer as two such rows."""
    X, y = binary()
    weight = np.random.default_rng(0).integers(1, 4, size=60)
    est = estimator("classes", scoring="accuracy", validation_fraction=0.3)
    one = est.fit(X, y, weight).validation_scores_
    two = est.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).validation_scores_
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_scorer_without_weights_repeats_rows_of_whole_weights():
    """A scorer that takes no weights sees a row of weight 3 three times."""
    X, y = regression()
    est = estimator("regression", scoring="neg_max_error")
    one = est.fit(X, y, np.full(60, 3)).validation_scores_
    two = est.fit(X.repeat(3, axis=0), y.repeat(3)).validation_scores_
    assert one == two


@pytest.mark.parametrize("scoring", ["neg_max_error", Recorder()])
def test_scorer_without_weights_refuses_fractions(scoring):
    """Other weights are an error that says so."""
    X, y = regression()
    est = estimator("regression", scoring=scoring)
    with pytest.raises(ValueError, match="takes no sample_weight, and the weights"):
        est.fit(X, y, np.linspace(0.5, 1.5, 60))


# Rows without a score


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize(
    "scoring", ["neg_log_loss", "roc_auc_ovr", "roc_auc_ovo", "top_k_accuracy"]
)
def test_classes_that_no_validation_row_has(scoring, n_members):
    """Where a metric needs rows of each class, the error names those without any."""
    X, y = multiclass()
    y = np.array(["a", "b", "c", "rare"])[np.where(np.arange(90) == 7, 3, y)]
    est = estimator("classes", scoring=scoring, n_members=n_members)
    with pytest.raises(ValueError, match=r"no value.*none of which is of \['rare'\]"):
        est.fit(X, y)
    assert not hasattr(est, "network_")


def test_errors_of_a_scorer_are_its_own():
    """An error that has nothing to do with classes comes as it is."""

    def scorer(estimator, X, y):
        raise ValueError("my own words")

    with pytest.raises(ValueError, match=r"^my own words$"):
        estimator("classes", scoring=scorer).fit(*multiclass())


def test_a_score_that_is_no_number():
    """NaN is no score, and the error says of how many rows."""
    est = estimator("regression", scoring="r2", validation_fraction=1)
    with (
        pytest.raises(ValueError, match="no value on the validation data, of 1 rows"),
        pytest.warns(UserWarning, match="R"),
    ):
        est.fit(*regression())


def test_scorer_of_ones_own_metric():
    """A metric made a scorer sees checked labels too."""
    X, y = TABLES["text labels"]()
    metric = make_scorer(lambda true, predicted: accuracy_score(true, predicted))
    est = estimator("classes", scoring=metric)
    one = est.fit(*with_copies(X, y)).validation_scores_
    est.set_params(scoring=get_scorer("accuracy"))
    assert est.fit(*with_copies(X, y)).validation_scores_ == one
