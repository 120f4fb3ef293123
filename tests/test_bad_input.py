"""Data that fit nothing: a clear error, before any work."""

import numpy as np
import pytest
from sklearn.base import clone

from skdnn.nn.losses import SquaredError
from tests import plain
from tests.plain import plain_regressor
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    multioutput,
    numbers,
    regression,
    regressor,
)

# Shapes that don't fit


@pytest.mark.parametrize("make", [classifier, regressor])
def test_lengths_of_X_and_y(make):
    """`X` and `y` of different lengths are an error that names both shapes."""
    with pytest.raises(ValueError, match=r"\(60, 4\).*\(50,\)"):
        make().fit(numbers(60), np.arange(50) % 2)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_lengths_of_validation_data(make):
    """`X_val` and `y_val` of different lengths are an error that names both shapes."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"X_val.*y_val.*\(20, 4\).*\(10,\)"):
        make().fit(X, y, X_val=X[:20], y_val=y[:10])


def test_length_of_sample_weight():
    """A weight for some of the rows is an error that names both shapes."""
    with pytest.raises(ValueError, match=r"sample_weight.*\(6,\).*\(60,\)"):
        classifier().fit(*binary(), np.ones(6))


def test_length_of_validation_weight():
    """A weight for some of the validation rows is an error that names both shapes."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"sample_weight.*\(6,\).*\(60,\)"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=np.ones(6))


@pytest.mark.parametrize(
    "use",
    [
        lambda est, X, y: est.predict(X),
        lambda est, X, y: est.predict_proba(X),
        lambda est, X, y: est.decision_function(X),
        lambda est, X, y: est.score(X, y),
        lambda est, X, y: est.partial_fit(X, y),
        lambda est, X, y: est.set_params(warm_start=True).fit(X, y),
    ],
    ids=["predict", "predict_proba", "decision_function", "score", "partial", "warm"],
)
def test_number_of_columns(use):
    """Columns that `fit` did not see are an error that names both numbers."""
    X, y = binary(d=4)
    clf = classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"3 features.*expecting 4 features"):
        use(clf, X[:, :3], y)


def test_number_of_columns_of_validation_data():
    """Validation data with other columns are an error that names both numbers."""
    X, y = binary(d=4)
    with pytest.raises(ValueError, match=r"3 features.*expecting 4 features"):
        classifier().fit(X, y, X_val=X[:, :3], y_val=y)


@pytest.mark.parametrize(
    ("make", "y", "y_val"),
    [
        (regressor, regression()[1], multioutput()[1]),
        (regressor, multioutput()[1], regression()[1]),
        (classifier, binary()[1], multilabel()[1]),
        (classifier, multilabel()[1], binary()[1]),
        (classifier, multilabel()[1], multilabel()[1][:, :2]),
    ],
)
def test_number_of_outputs_of_validation_data(make, y, y_val):
    """Validation targets of another width are an error that names the shape."""
    X = numbers()
    with pytest.raises(ValueError, match=r"y_val must .*\(60,"):
        make().fit(X, y, X_val=X, y_val=y_val)


@pytest.mark.parametrize("task", TASKS)
def test_targets_of_three_dimensions(task):
    """Targets of three dimensions are an error."""
    make, data = TASKS[task]
    with pytest.raises(ValueError, match="dim 3"):
        make().fit(data()[0], np.zeros((len(data()[0]), 2, 2)))


# Targets and labels


def test_labels_of_numbers():
    """A classifier names targets that are not classes."""
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classifier().fit(*regression())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_targets_that_are_not_finite(make, bad):
    """A target that is not finite is an error that names `y`."""
    X, y = binary()
    y = y.astype(float)
    y[3] = bad
    with pytest.raises(ValueError, match="Input y contains"):
        make().fit(X, y)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_no_targets(make):
    """No target is an error that says so."""
    with pytest.raises(ValueError, match="requires y to be passed"):
        make().fit(numbers(), None)


def test_unknown_label_in_validation_data():
    """A label that `y` does not have is an error that names the label."""
    X, y = multiclass()
    with pytest.raises(ValueError, match=r"y_val contains labels .*\[2\].*\[0, 1\]"):
        classifier().fit(X, np.minimum(y, 1), X_val=X, y_val=y)


def test_unknown_label_in_a_warm_start():
    """A label that the first `fit` did not see is an error that names it."""
    X, y = multiclass()
    clf = classifier(warm_start=True).fit(X, np.minimum(y, 1))
    with pytest.raises(ValueError, match=r"y contains labels .*\[2\].*\[0, 1\]"):
        clf.fit(X, y)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("poisson", [-1.0, 2.0], "loss='poisson' takes targets >= 0"),
        ("poisson", [0.0, 0.0], "loss='poisson' takes targets >= 0"),
        ("gamma", [0.0, 2.0], "loss='gamma' takes targets > 0"),
        (SquaredError(link="sigmoid"), [0.5, 1.5], r"takes targets in \[0, 1\]"),
    ],
)
def test_targets_outside_the_domain_of_the_loss(loss, y, message):
    """Targets that the loss has no value for are an error that names the domain."""
    with pytest.raises(ValueError, match=message):
        regressor(loss=loss).fit([[1.0], [2.0]], y)


def test_validation_targets_outside_the_domain_of_the_loss():
    """The same holds for validation targets."""
    X, y = [[1.0], [2.0]], [1.0, 2.0]
    with pytest.raises(ValueError, match="loss='gamma' takes targets > 0"):
        regressor(loss="gamma").fit(X, y, X_val=X, y_val=[0.0, 1.0])


# Columns

SCALINGS = ["robust", "standard", "quantile"]


@pytest.mark.parametrize("scaling", [*SCALINGS, None])
def test_constant_column(scaling):
    """A constant column works."""
    X, y = binary()
    X[:, 1] = 7
    clf = classifier(numeric_scaling=scaling).fit(X, y)
    assert np.isfinite(clf.decision_function(X)).all()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_missing_column(scaling):
    """A column without any number works."""
    X, y = binary()
    X[:, 1] = np.nan
    clf = classifier(numeric_scaling=scaling).fit(X, y)
    assert np.isfinite(clf.decision_function(X)).all()
    # Even if a prediction finds numbers there.
    assert np.isfinite(clf.decision_function(np.nan_to_num(X))).all()


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_huge_column(make, scaling):
    """A column of numbers around 1e30 is learned from like any other."""
    X, y = binary()
    unit = np.array([1e30, 1, 1, 1])
    # Other numbers come in another order: one step an epoch, nothing else at random.
    params = {"batch_size": 100, "dropout": 0.0, "early_stopping": False}
    for of in make, getattr(plain, f"plain_{make.__name__}"):
        est = of(numeric_scaling=scaling, dtype="float64", **params).fit(X, y)
        huge = clone(est).fit(X * unit, y)
        assert np.isfinite(huge.loss_curve_).all()
        np.testing.assert_allclose(huge.loss_curve_, est.loss_curve_, rtol=1e-9)
        # And with all that is random.
        huge = make(numeric_scaling=scaling).fit(X * unit, y)
        assert np.isfinite(huge.loss_curve_).all()
        assert np.isfinite(huge.predict(X * unit)).all()


@pytest.mark.parametrize("scaling", [*SCALINGS, None])
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_number(scaling, bad):
    """An infinite number is an error, in `fit` and in `predict`."""
    X, y = binary()
    clf = classifier(numeric_scaling=scaling).fit(X, y)
    X[3, 1] = bad
    with pytest.raises(ValueError, match="Input X contains infinity"):
        clone(clf).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        clf.predict(X)


def test_missing_number_without_scaling():
    """A missing number is an error where nothing fills it."""
    X, y = binary()
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier(numeric_scaling=None).fit(X, y)


def test_text_column():
    """Text is an error."""
    with pytest.raises(ValueError):
        classifier().fit([["a"], ["b"], ["a"]], [0, 1, 0])


def test_huge_target():
    """A target of numbers around 1e30 is learned like any other."""
    X, y = regression()
    # Other targets come in another order: one step an epoch, nothing else at random.
    params = {"batch_size": 100, "dropout": 0.0, "early_stopping": False}
    for make in regressor, plain_regressor:
        reg = make(dtype="float64", **params).fit(X, y)
        huge = clone(reg).fit(X, 1e30 * y)
        np.testing.assert_allclose(huge.predict(X) / 1e30, reg.predict(X), rtol=1e-9)
    assert np.isfinite(regressor().fit(X, 1e30 * y).predict(X)).all()


def test_classes_of_several_labels_a_row():
    """They are the columns, and nothing else."""
    X, y = multilabel()
    with pytest.raises(ValueError, match=r"\[0, 1, 2\], got \[0, 1\]"):
        classifier().partial_fit(X, y, classes=[0, 1])
    clf = classifier().partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_errors_about_validation_data_say_so():
    """What is wrong with `X_val` and its weights is not said of `X`."""
    X, y = binary()
    clf = classifier(early_stopping=True)
    with pytest.raises(ValueError, match=r"^X_val: X has 3 features"):
        clf.fit(X, y, X_val=X[:, :3], y_val=y)
    with pytest.raises(ValueError, match=r"^sample_weight_val: "):
        clf.fit(X, y, X_val=X, y_val=y, sample_weight_val=-np.ones(60))


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_layer_dims", [[3], [4, 5]]), ("activation", [["relu"]])],
)
def test_lists_of_lists(name, value):
    """A list where a number or a name belongs is an error that names the parameter."""
    with pytest.raises(ValueError, match=name):
        classifier(**{name: value}).fit(*binary())
