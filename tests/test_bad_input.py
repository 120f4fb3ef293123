"""What bad input gets: a clear error, before any work, and an untouched estimator."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skdnn.nn.losses import Huber, LogLoss, Quantile, SquaredError
from skdnn.nn.optimizers import LBFGS, SGD, Adam, AdamW, Momentum, RMSprop
from skdnn.nn.schedules import Adaptive, Constant, Cosine, OneCycle, Step
from tests import plain
from tests.tables import (
    TASKS,
    binary,
    classifier,
    multiclass,
    multilabel,
    multioutput,
    numbers,
    parameters,
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


# Loss becomes inf or NaN while training

#: Steps so large that the loss of a linear model leaves the finite numbers late.
DIVERGING = {
    "optimizer": "sgd",
    "solver": "bgd",
    "learning_rate": 10.0,
    "max_iter": 200,
}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "r2"},
    ],
    ids=["loss", "validation loss", "validation score"],
)
def test_divergence_is_a_warning(params):
    """Divergence warns once, of the epoch and of what to change."""
    reg = regressor((), **DIVERGING, **params)
    with pytest.warns(ConvergenceWarning) as record:
        reg.fit(*regression())
    assert len(record) == 1
    message = str(record[0].message)
    assert f"in epoch {reg.n_iter_ + 1} " in message
    for remedy in ("Lower learning_rate", "numeric_scaling", "target_scaling"):
        assert remedy in message


def test_divergence_keeps_the_last_finite_weights():
    """After divergence in epoch t + 1, the weights are those of t epochs."""
    X, y = regression()
    reg = regressor((), **DIVERGING)
    with pytest.warns(ConvergenceWarning):
        reg.fit(X, y)
    assert 1 < reg.n_iter_ < 200
    assert np.isfinite(reg.loss_curve_).all()
    before = clone(reg).set_params(max_iter=reg.n_iter_).fit(X, y)
    np.testing.assert_array_equal(reg.network_.params, before.network_.params)
    assert np.isfinite(reg.network_.params).all()


def test_divergence_with_early_stopping_keeps_the_best_weights():
    """With early stopping, the weights after divergence are those of the best epoch."""
    X, y = regression()
    reg = regressor((), **DIVERGING, early_stopping=True)
    with pytest.warns(ConvergenceWarning):
        reg.fit(X, y)
    assert reg.best_validation_score_ == max(reg.validation_scores_)
    assert np.isfinite(reg.predict(X)).all()


def test_divergence_in_the_first_epoch_is_an_error():
    """With no finite epoch, there is an error in the words of the warning."""
    reg = regressor(optimizer="sgd", learning_rate=1e30, target_scaling=False)
    with pytest.raises(ValueError, match=r"diverged: in epoch 1 .*Lower learning_rate"):
        reg.fit(*regression())
    assert vars(reg) == reg.get_params(deep=False)


# Sample weights


@pytest.mark.parametrize("task", TASKS)
def test_weights_that_are_all_zero(task):
    """Weights that are all zero are an error."""
    make, data = TASKS[task]
    X, y = data()
    with pytest.raises(ValueError, match=r"at least one non-zero number|all .* zero"):
        make().fit(X, y, np.zeros(len(X)))


def test_validation_weights_that_are_all_zero():
    """Validation weights that are all zero are an error."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"at least one non-zero number|all .* zero"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=np.zeros(60))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_negative_weights(make):
    """A negative weight is an error."""
    X, y = binary()
    with pytest.raises(ValueError, match="Negative values"):
        make().fit(X, y, np.r_[-1.0, np.ones(59)])


def test_negative_validation_weights():
    """A negative validation weight is an error."""
    X, y = binary()
    weight = np.r_[-1.0, np.ones(59)]
    with pytest.raises(ValueError, match="Negative values"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(bad):
    """A weight that is not finite is an error."""
    with pytest.raises(ValueError, match="sample_weight contains"):
        classifier().fit(*binary(), np.r_[bad, np.ones(59)])


def test_class_weights_that_are_all_zero():
    """Class weights that leave nothing to learn from are an error that names them."""
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight={0: 0, 1: 0}).fit(*binary())


def test_negative_class_weights():
    """A negative class weight is an error that names the parameter."""
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight={0: -1, 1: 1}).fit(*binary())


def test_class_weights_of_other_classes():
    """Weights of classes that are not there are an error that names the classes."""
    with pytest.raises(ValueError, match=r"\[0, 1\], are not in class_weight"):
        classifier(class_weight={7: 1.0}).fit(*binary())


def test_class_weights_of_another_number_of_labels():
    """A list of class weights that is too short is an error that names both numbers."""
    with pytest.raises(ValueError, match=r"class_weight .* 1 entries.* 3 columns"):
        classifier(class_weight=[{0: 1, 1: 2}]).fit(*multilabel())


# Classes with one row, and last batches of one row


@pytest.mark.parametrize("n_singletons", [1, 2, 10])
def test_classes_with_one_row_and_early_stopping(n_singletons):
    """Classes with one row each are trained on, the others on both sides."""
    X, y = multiclass(60)
    X = np.vstack([X, numbers(n_singletons, seed=1)])
    y = np.r_[y, 3 + np.arange(n_singletons)]
    clf = classifier(early_stopping=True, validation_fraction=6).fit(X, y)
    assert len(clf.classes_) == 3 + n_singletons
    assert len(clf.validation_scores_) == 5


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n", [1, 2, 21, 41])
def test_batch_norm_and_a_last_batch_of_one_row(task, n):
    """Batch norm copes with a last, or only, batch of one row."""
    make, data = TASKS[task]
    X, y = data()
    est = make(batch_norm=True, batch_size=20).fit(X[:n], y[:n])
    assert np.isfinite(est.loss_curve_).all()
    assert np.isfinite(est.network_.statistics).all()
    assert np.isfinite(est.predict(X)).all()


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
    for of in make, getattr(plain, make.__name__):
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
    for make in regressor, plain.regressor:
        reg = make(dtype="float64", **params).fit(X, y)
        huge = clone(reg).fit(X, 1e30 * y)
        np.testing.assert_allclose(huge.predict(X) / 1e30, reg.predict(X), rtol=1e-9)
    assert np.isfinite(regressor().fit(X, 1e30 * y).predict(X)).all()


# Ctrl-C while training

BGD_LBFGS = {"optimizer": "lbfgs", "solver": "bgd"}


def interrupting(epoch):
    """Return a scorer that interrupts training in that epoch, as Ctrl-C does.

    The scores that it gives fall, so that the first epoch is the best.
    """
    calls = []

    def score(estimator, X, y):
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return 1 / len(calls)

    return score


def test_interrupt_leaves_a_fitted_estimator():
    """After Ctrl-C the estimator predicts, with a warning."""
    X, y = binary()
    params = {"early_stopping": True, "n_ensemble": 1, "max_iter": 50}
    clf = classifier(scoring=interrupting(4), **params)
    with pytest.warns(UserWarning, match="interrupted") as record:
        clf.fit(X, y)
    assert record[0].filename == __file__  # the line that calls fit
    # The epoch that was being validated has not ended.
    assert clf.n_iter_ == 3
    assert len(clf.loss_curve_) == len(clf.validation_scores_) == 3
    assert clf.predict(X).shape == y.shape


def test_interrupt_keeps_the_best_weights():
    """After Ctrl-C the weights are the best so far."""
    X, y = binary()
    params = {"early_stopping": True, "schedule": "constant"}
    clf = classifier(scoring=interrupting(4), max_iter=50, **params)
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    assert clf.best_iter_ == 1
    best = classifier(scoring=lambda est, X, y: 1.0, max_iter=2, **params).fit(X, y)
    assert best.best_iter_ == 1
    np.testing.assert_array_equal(clf.network_.params, best.network_.params)


@pytest.mark.parametrize("solver", ["bgd", "minibatch"])
def test_interrupt_within_an_epoch(solver):
    """Ctrl-C amid an epoch leaves the weights of the epoch before."""

    class Interrupting(SGD):
        n_steps = 0

        def update(self, *args):
            super().update(*args)
            Interrupting.n_steps += 1
            if Interrupting.n_steps == stop_at:
                raise KeyboardInterrupt

    X, y = binary()
    stop_at = 3 if solver == "bgd" else 3 * 6 - 2
    params = {"solver": solver, "batch_size": 10, "max_iter": 50}
    clf = classifier(optimizer=Interrupting(), **params)
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    expected = classifier(optimizer="sgd", **{**params, "max_iter": 2}).fit(X, y)
    assert clf.n_iter_ == 2
    np.testing.assert_array_equal(clf.network_.params, expected.network_.params)


def test_interrupt_with_lbfgs():
    """Ctrl-C amid a run of L-BFGS leaves the weights of the iteration before."""
    X, y = binary()
    params = {"early_stopping": True, "max_iter": 50, "n_ensemble": 1, **BGD_LBFGS}
    # Scores rise until the interrupt, so that the last iteration is the best.
    calls = []

    def score(estimator, X, y):
        calls.append(estimator.network_.params.copy())
        if len(calls) == 4:
            raise KeyboardInterrupt
        return len(calls)

    clf = classifier(scoring=score, **params)
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    assert clf.best_iter_ == 3
    np.testing.assert_array_equal(clf.network_.params, calls[2])


# Pairs of parameters that make no sense


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"optimizer": "lbfgs", "solver": "minibatch"}, ["optimizer", "solver"]),
        ({"optimizer": "lbfgs", "solver": "sgd"}, ["optimizer", "solver"]),
        ({"optimizer": LBFGS(), "solver": "minibatch"}, ["optimizer", "solver"]),
        ({**BGD_LBFGS, "dropout": 0.1}, ["optimizer", "dropout"]),
        ({**BGD_LBFGS, "dropout": [0.1]}, ["optimizer", "dropout"]),
        ({**BGD_LBFGS, "learning_rate": 0.1}, ["optimizer", "learning_rate"]),
        ({**BGD_LBFGS, "schedule": "cosine"}, ["optimizer", "schedule"]),
        ({**BGD_LBFGS, "schedule": Adaptive()}, ["optimizer", "schedule"]),
        ({**BGD_LBFGS, "schedule": Constant(warm_up=3)}, ["optimizer", "schedule"]),
        ({"activation": ["relu", "tanh"]}, ["activation", "hidden_layer_dims"]),
        ({"activation": []}, ["activation", "hidden_layer_dims"]),
        ({"dropout": [0.1, 0.2]}, ["dropout", "hidden_layer_dims"]),
        (
            {"early_stopping": True, "validation_fraction": 60},
            ["early_stopping", "validation_fraction"],
        ),
        (
            {"early_stopping": True, "validation_fraction": 1000},
            ["early_stopping", "validation_fraction"],
        ),
    ],
)
def test_pairs_of_parameters(make, params, names):
    """A pair that makes no sense is an error that names both parameters."""
    with pytest.raises(ValueError) as error:
        make(**params).fit(*binary(60))
    assert all(name in str(error.value) for name in names)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_validation_data_without_early_stopping(make):
    """Validation data that nothing would use are an error that names both."""
    X, y = binary()
    with pytest.raises(ValueError, match=r"X_val and y_val .* early_stopping is False"):
        make(early_stopping=False).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["X_val"], "X_val is provided, but y_val was not"),
        (["y_val"], "y_val is provided, but X_val was not"),
        (["sample_weight_val"], "sample_weight_val is provided, but X_val was not"),
        (["X_val", "sample_weight_val"], "X_val is provided, but y_val was not"),
    ],
)
def test_incomplete_validation_data(given, message):
    """Validation data that are not complete are an error that names what is missing."""
    X, y = binary()
    data = {"X_val": X, "y_val": y, "sample_weight_val": np.ones(60)}
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y, **{name: data[name] for name in given})


def test_partial_fit_with_early_stopping():
    """`partial_fit` with early stopping is an error that names both."""
    with pytest.raises(ValueError, match=r"partial_fit .* early_stopping=True"):
        classifier(early_stopping=True).partial_fit(*binary(), classes=[0, 1])


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("optimizer", ["lbfgs", LBFGS()])
def test_partial_fit_with_lbfgs(make, optimizer):
    """With L-BFGS there is no `partial_fit`."""
    assert not hasattr(make(optimizer=optimizer, solver="bgd"), "partial_fit")


@pytest.mark.parametrize(
    ("dropout", "named"), [(0.9999999, "0.9999999"), ([0.0, 0.999], "0.999")]
)
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_dropout_that_keeps_nothing(dropout, named, way):
    """It trains, with one warning, which names the rate and the line of the user."""
    reg = regressor((8, 8), dropout=dropout)
    with pytest.warns(UserWarning, match=f"dropout={named} keeps") as record:
        getattr(reg, way)(*regression())
    assert len(record) == 1
    assert record[0].filename == __file__
    assert np.isfinite(reg.predict(numbers())).all()


def test_log_loss_for_numbers():
    """Log loss is an error for a regressor."""
    with pytest.raises(ValueError, match=r"LogLoss.*DNNClassifier"):
        regressor(loss=LogLoss()).fit(*regression())


@pytest.mark.parametrize(
    ("loss", "data"),
    [
        (SquaredError(link="identity"), binary),
        (SquaredError(link="identity"), multiclass),
        (SquaredError(link="softmax"), binary),
        (LogLoss(link="softmax"), binary),
        (LogLoss(link="softmax"), multilabel),
        (SquaredError(link="softmax"), multilabel),
        (LogLoss(link="nonsense"), binary),
    ],
)
def test_link_that_does_not_fit_the_classes(loss, data):
    """A link that gives these classes no probabilities is an error that names it."""
    with pytest.raises(ValueError, match="link"):
        classifier(loss=loss).fit(*data())


@pytest.mark.parametrize("link", ["softmax", "nonsense"])
def test_link_that_does_not_fit_numbers(link):
    """A link that does not predict numbers is an error that names it."""
    with pytest.raises(ValueError, match="link"):
        regressor(loss=SquaredError(link=link)).fit(*regression())


@pytest.mark.parametrize(
    "params",
    [
        {"loss": Quantile(quantile=2)},
        {"loss": Quantile(quantile=0)},
        {"loss": Huber(delta=-1)},
        {"optimizer": Adam(beta_1=2.0)},
        {"optimizer": Adam(beta_2=1.0)},
        {"optimizer": AdamW(weight_decay=-1.0)},
        {"optimizer": Momentum(momentum=1.5)},
        {"optimizer": RMSprop(epsilon=-1.0)},
        {"schedule": Step(every=0)},
        {"schedule": Cosine(warm_up=-1)},
        {"schedule": OneCycle(rise=2)},
        {"schedule": Adaptive(divisor=0.5)},
    ],
    ids=repr,
)
def test_parameters_of_losses_optimizers_and_schedules(params):
    """An object with a parameter that makes no sense is an error that names it."""
    (value,) = params.values()
    with pytest.raises(ValueError) as error:
        regressor(**params).fit(*regression())
    assert any(name in str(error.value) for name in value.get_params())


def test_label_smoothing_that_makes_no_sense():
    """Label smoothing beyond 1 is an error that names it."""
    with pytest.raises(ValueError, match="label_smoothing"):
        classifier(loss=LogLoss(label_smoothing=2)).fit(*binary())


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_dims": (3,)},
        {"hidden_layer_dims": (8, 8)},
        {"batch_norm": True},
        {"dtype": "float64"},
        {"activation": "tanh"},
    ],
    ids=str,
)
def test_warm_start_of_another_network(change):
    """A warm start with another network is an error that names both parameters."""
    X, y = binary()
    clf = classifier(warm_start=True).fit(X, y).set_params(**change)
    (name,) = change
    with pytest.raises(ValueError) as error:
        clf.fit(X, y)
    assert "warm_start" in str(error.value)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_dims", 5),
        ("hidden_layer_dims", [0]),
        ("hidden_layer_dims", [2.5]),
        ("hidden_layer_dims", [[2]]),
        ("hidden_layer_dims", "ab"),
        ("hidden_layer_dims", ["a"]),
        ("activation", "nonsense"),
        ("activation", ["nonsense"]),
        ("activation", [3]),
        ("batch_norm", "yes"),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", np.nan),
        ("dropout", [1.0]),
        ("dropout", ["a"]),
        ("alpha", -1),
        ("alpha", np.inf),
        ("loss", "nonsense"),
        ("solver", "nonsense"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("optimizer", "nonsense"),
        ("optimizer", Adam),
        ("learning_rate", 0),
        ("learning_rate", np.inf),
        ("schedule", "nonsense"),
        ("weight_init", "nonsense"),
        ("max_iter", 0),
        ("tol", -1),
        ("n_iter_no_change", 0),
        ("shuffle", 1.5),
        ("early_stopping", "yes"),
        ("validation_fraction", 0.0),
        ("validation_fraction", 1.0),
        ("validation_fraction", 0),
        ("scoring", "nonsense"),
        ("scoring", 3),
        ("numeric_scaling", "nonsense"),
        ("warm_start", "yes"),
        ("verbose", "loud"),
        ("random_state", "today"),
        ("dtype", "float16"),
    ],
)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_parameter_out_of_range(make, name, value):
    """A value out of range is an error that names the parameter or the value."""
    est = make(**{name: value})
    with pytest.raises(ValueError, match=f"{name}|{re.escape(repr(value))}"):
        est.fit(*binary())
    assert vars(est) == est.get_params(deep=False)


# The estimator is as it was


def fail(estimator, X, y):
    """Break down, as a scorer."""
    raise OSError


def state(estimator):
    """Return everything that an estimator holds, in bytes."""
    return pickle.dumps(vars(estimator))


X60, Y60 = binary()


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    ("params", "args", "kwargs"),
    [
        ({}, (X60[:, :3], Y60[:50]), {}),
        ({}, (X60, Y60[:50]), {}),
        ({}, (X60, Y60 + 0.5 * X60[:, 0]), {}),
        ({}, (np.where(X60 > 2, np.inf, X60), Y60), {}),
        ({}, (X60, Y60, np.zeros(60)), {}),
        ({}, (X60, Y60, -np.ones(60)), {}),
        ({}, (X60, Y60), {"X_val": X60}),
        ({}, (X60, Y60), {"X_val": X60, "y_val": Y60[:5]}),
        ({}, (X60, Y60), {"X_val": X60, "y_val": Y60 + 7}),
        ({"alpha": -1}, (X60, Y60), {}),
        ({"dropout": [0.1, 0.2]}, (X60, Y60), {}),
        ({"optimizer": "lbfgs"}, (X60, Y60), {}),
        ({"early_stopping": True, "validation_fraction": 60}, (X60, Y60), {}),
        ({"early_stopping": True, "scoring": "nonsense"}, (X60, Y60), {}),
        ({"optimizer": "sgd", "learning_rate": 1e300}, (X60, Y60), {}),
        ({"class_weight": {7: 1.0}}, (X60, Y60 + 5), {}),
    ],
)
def test_failed_fit_changes_nothing(params, args, kwargs, warm_start):
    """A `fit` that fails leaves a fitted estimator exactly as it was."""
    clf = classifier(warm_start=warm_start, batch_norm=True).fit(*multiclass(d=5))
    clf.set_params(**params)
    before = state(clf)
    with pytest.raises(ValueError):
        clf.fit(*args, **kwargs)
    assert state(clf) == before


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((X60[:, :3], Y60), {}),
        ((X60, Y60[:50]), {}),
        ((X60, Y60 + 5), {}),
        ((X60, Y60), {"classes": [0, 1, 2]}),
        ((X60, Y60), {"sample_weight": np.zeros(60)}),
    ],
)
def test_failed_partial_fit_changes_nothing(args, kwargs):
    """A `partial_fit` that fails leaves a fitted estimator exactly as it was."""
    clf = classifier(batch_norm=True).partial_fit(X60, Y60, classes=[0, 1])
    before = state(clf)
    with pytest.raises(ValueError):
        clf.partial_fit(*args, **kwargs)
    assert state(clf) == before


def test_failure_while_training_keeps_the_weights():
    """An error amid training leaves weights and running statistics as they were."""
    clf = classifier(warm_start=True, batch_norm=True).fit(X60, Y60)
    clf.set_params(early_stopping=True, scoring=fail)
    before = parameters(clf)
    with pytest.raises(OSError):
        clf.fit(X60, Y60)
    np.testing.assert_array_equal(parameters(clf), before)


def test_failure_while_training_changes_nothing():
    """An error amid training leaves a fitted estimator exactly as it was."""

    clf = classifier(warm_start=True, batch_norm=True).fit(X60, Y60)
    clf.set_params(early_stopping=True, scoring=fail)
    before = state(clf)
    with pytest.raises(OSError):
        clf.fit(X60, Y60)
    assert state(clf) == before


def test_training_after_a_failure_is_as_without_it():
    """A failed warm start has no effect on the next one, to the bit."""
    one = classifier(warm_start=True, dropout=0.2).fit(X60, Y60)
    two = classifier(warm_start=True, dropout=0.2).fit(X60, Y60)
    with pytest.raises(ValueError):
        two.fit(X60, Y60 + 3)

    two.set_params(early_stopping=True, scoring=fail)
    with pytest.raises(OSError):
        two.fit(X60, Y60)
    two.set_params(early_stopping="auto", scoring="loss")
    one.fit(X60, Y60)
    two.fit(X60, Y60)
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_failed_first_fit_leaves_nothing():
    """A first `fit` that fails leaves an estimator that is not fitted."""
    clf = classifier()
    with pytest.raises(ValueError):
        clf.fit(X60, Y60[:50])
    assert vars(clf) == clf.get_params(deep=False)


def test_classes_of_several_labels_a_row():
    """They are the columns, and nothing else."""
    X, y = multilabel()
    with pytest.raises(ValueError, match=r"\[0, 1, 2\], got \[0, 1\]"):
        classifier().partial_fit(X, y, classes=[0, 1])
    clf = classifier().partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_divergence_before_the_first_validation():
    """A first epoch that spoils the weights is an error, as nothing was validated."""
    X, y = regression()
    params = {"learning_rate": 1e6, "early_stopping": True}
    with pytest.raises(ValueError, match="Training diverged"):
        plain.regressor(8 * (8,), **params).fit(X, y)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_that_all_weigh_nothing(early_stopping):
    """Where class weights leave nothing to train or validate on, an error says so."""
    X, y = multiclass()
    clf = classifier(class_weight={0: 0, 1: 1, 2: 1}, early_stopping=early_stopping)
    only_zeros = X[y == 0], y[y == 0]
    with pytest.raises(ValueError, match="finite and not zero: 0"):
        if early_stopping:
            clf.fit(X, y, X_val=only_zeros[0], y_val=only_zeros[1])
        else:
            clf.fit(X, y, sample_weight=(y == 0).astype(float))


def test_weights_whose_sum_is_not_finite():
    """Weights that overflow when they are added up are an error."""
    X, y = binary()
    with pytest.raises(ValueError, match="sum of the weights is not finite"):
        classifier().fit(X, y, sample_weight=np.full(60, 1e307))


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_class_weights_that_are_not_finite(weight):
    """A class weight is a number."""
    with pytest.raises(ValueError, match=r"class_weight must be non-negative, finite"):
        classifier(class_weight={0: weight, 1: 1}).fit(*binary())


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
