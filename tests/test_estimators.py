"""What the estimators learn, keep and return."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit, softmax
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import GammaRegressor, PoissonRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.losses import Huber, LogLoss, Quantile
from skdnn.nn.optimizers import Adam
from skdnn.nn.schedules import Cosine
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

tasks = pytest.mark.parametrize("task", TASKS)

# Fitted attributes


@pytest.mark.parametrize(
    ("task", "n_outputs", "out_activation"),
    [
        ("binary", 1, "sigmoid"),
        ("multiclass", 3, "softmax"),
        ("multilabel", 3, "sigmoid"),
        ("regression", 1, "identity"),
        ("multioutput", 2, "identity"),
    ],
)
def test_outputs(task, n_outputs, out_activation):
    """Each task has its number of outputs and its function of the last layer."""
    make, data = plain.TASKS[task]
    est = make((6, 5)).fit(*data(d=4))
    assert est.n_outputs_ == n_outputs
    assert est.out_activation_ == out_activation
    assert est.n_layers_ == 4
    assert est.n_features_in_ == 4
    assert [w.shape for w in est.coefs_] == [(4, 6), (6, 5), (5, n_outputs)]
    assert [v.shape for v in est.intercepts_] == [(6,), (5,), (n_outputs,)]


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_out_activation_of_an_exponential(loss):
    """A loss with an exponential link says so."""
    X, y = regression()
    assert regressor(loss=loss).fit(X, np.exp(y)).out_activation_ == "exp"


@tasks
def test_history(task):
    """The history has a float an epoch, and its last and best are attributes."""
    make, data = plain.TASKS[task]
    est = make().fit(*data())
    assert est.n_iter_ == 5
    assert all(type(loss) is float for loss in est.loss_curve_)
    assert est.loss_ == est.loss_curve_[-1]
    assert est.best_loss_ == min(est.loss_curve_)
    assert est.best_iter_ == 1 + np.argmin(est.loss_curve_)


@tasks
def test_weights_are_views(task):
    """`coefs_` and `intercepts_` are views of the one parameter vector."""
    make, data = plain.TASKS[task]
    est = make().fit(*data())
    total = sum(a.size for a in est.coefs_ + est.intercepts_)
    assert total == est.network_.params.size
    for array in est.coefs_ + est.intercepts_:
        assert np.shares_memory(array, est.network_.params)


@tasks
def test_feature_names(task):
    """Names of columns are kept where there are any, and checked in `predict`."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(X, y)
    assert not hasattr(est, "feature_names_in_")
    frame = pd.DataFrame(X, columns=list("abcd"))
    est.fit(frame, y)
    assert list(est.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(est.predict(frame), make().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        est.predict(frame.rename(columns={"a": "z"}))


@tasks
def test_names_do_not_outlive_their_data(task):
    """A `fit` without names forgets those of the `fit` before."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(pd.DataFrame(X, columns=list("abcd")), y).fit(X, y)
    assert not hasattr(est, "feature_names_in_")


@tasks
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_not_fitted(task, method):
    """Before `fit`, there is nothing to predict with."""
    est = TASKS[task][0]()
    if hasattr(est, method):
        with pytest.raises(NotFittedError):
            getattr(est, method)(numbers())


# Labels


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
    clf = classifier(max_iter=80, learning_rate=0.05, **params).fit(X, labels[y])
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


# Probabilities


@tasks
def test_probabilities(task):
    """Probabilities are float64, between 0 and 1, and of all classes."""
    make, data = TASKS[task]
    est = make()
    assert hasattr(est, "predict_proba") == (make is classifier)
    if make is classifier:
        X, y = data()
        proba = est.fit(X, y).predict_proba(X)
        assert proba.dtype == np.float64
        assert proba.shape == (len(X), 3 if task != "binary" else 2)
        assert ((proba >= 0) & (proba <= 1)).all()
        if task != "multilabel":
            np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_probabilities_are_of_the_raw_outputs(data):
    """Probabilities are the sigmoid or the softmax of the decision function."""
    X, y = data()
    clf = classifier(dtype="float64").fit(X, y)
    raw = clf.decision_function(X)
    if data is binary:
        assert raw.shape == (60,)
        expected = np.column_stack([expit(-raw), expit(raw)])
    else:
        expected = (expit if data is multilabel else lambda r: softmax(r, axis=1))(raw)
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-10)


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_log_probabilities(data):
    """Log probabilities are logarithms, finite where a probability rounds to 0."""
    X, y = data()
    clf = classifier().fit(X, y)
    expected = np.log(clf.predict_proba(X))
    np.testing.assert_allclose(clf.predict_log_proba(X), expected, rtol=1e-12)
    clf.network_.params *= 1e4
    assert (clf.predict_proba(X) == 0).any()
    assert np.isfinite(clf.predict_log_proba(X)).all()


@pytest.mark.parametrize("data", [binary, multiclass, multilabel])
def test_prediction_is_the_likeliest(data):
    """The prediction is the likeliest class, or each label over one half."""
    X, y = data()
    clf = classifier().fit(X, y)
    proba = clf.predict_proba(X)
    expected = proba > 0.5 if data is multilabel else proba.argmax(axis=1)
    np.testing.assert_array_equal(clf.predict(X), expected)


@pytest.mark.parametrize("data", [binary, multiclass])
def test_confident_probabilities(data):
    """Probabilities of huge raw outputs are 0 and 1, and nothing overflows."""
    X, y = data()
    clf = classifier().fit(X, y)
    clf.network_.params *= 1e6
    proba = clf.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert proba.max() == 1


def test_brier_loss_of_several_classes():
    """The squared error of the probabilities learns several classes."""
    X, y = multiclass()
    clf = classifier(loss="squared_error", max_iter=100, learning_rate=0.05).fit(X, y)
    assert clf.out_activation_ == "softmax"
    assert clf.score(X, y) > 0.9
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


# Several labels, several targets


def test_multilabel():
    """Several labels a row come back as an indicator matrix, learned each by itself."""
    X, Y = multilabel()
    clf = classifier(max_iter=100, learning_rate=0.05).fit(X, Y)
    predicted = clf.predict(X)
    assert predicted.shape == Y.shape
    assert predicted.dtype.kind == "i"
    assert (predicted == Y).mean() > 0.95
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_multilabel_of_no_opinion():
    """A label whose probability is exactly one half is not predicted."""
    clf = classifier().fit(*multilabel())
    clf.network_.params[:] = 0
    assert (clf.predict_proba(numbers()) == 0.5).all()
    assert not clf.predict(numbers()).any()


def test_multilabel_of_a_single_label():
    """A column that is always 0 or always 1 is learned too."""
    X, Y = multilabel()
    Y[:, 0], Y[:, 1] = 0, 1
    clf = classifier(max_iter=100, learning_rate=0.05).fit(X, Y)
    np.testing.assert_array_equal(clf.predict(X)[:, :2], Y[:, :2])


def test_multilabel_sparse():
    """Labels in a sparse matrix are the same as in an array."""
    X, Y = multilabel()
    one, two = classifier().fit(X, Y), classifier().fit(X, csr_matrix(Y))
    np.testing.assert_array_equal(one.network_.params, two.network_.params)


def test_multioutput():
    """Several targets are predicted together, each in units of its own."""
    X, Y = multioutput()
    reg = regressor((30,), max_iter=300, learning_rate=0.01).fit(X, Y)
    predicted = reg.predict(X)
    assert predicted.shape == Y.shape
    assert (np.abs(predicted - Y).mean(axis=0) < 0.3 * Y.std(axis=0)).all()


def test_target_of_one_column():
    """A target of one column is a column of numbers, with scikit-learn's warning."""
    X, y = regression()
    with pytest.warns(UserWarning, match="column-vector"):
        reg = regressor().fit(X, y[:, None])
    np.testing.assert_array_equal(reg.predict(X), regressor().fit(X, y).predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_predictions_are_float64(dtype):
    """Predictions of numbers are float64, whatever the type of `X` and `y`."""
    X, y = regression()
    assert regressor().fit(X, y.astype(dtype)).predict(X).dtype == np.float64


# Losses


def test_poisson_learns_a_rate():
    """Poisson loss finds the linear model that scikit-learn finds."""
    rng = np.random.default_rng(0)
    X = numbers(300)
    y = rng.poisson(np.exp(1 + X[:, 0] - 0.5 * X[:, 1]))
    params = {"optimizer": "lbfgs", "solver": "bgd", "max_iter": 200, "alpha": 0}
    reg = regressor((), loss="poisson", numeric_scaling=None, dtype="float64", **params)
    expected = PoissonRegressor(alpha=0, tol=1e-8).fit(X, y).predict(X)
    np.testing.assert_allclose(reg.fit(X, y).predict(X), expected, rtol=1e-2)


def test_gamma_learns_an_amount():
    """Gamma loss finds the linear model that scikit-learn finds."""
    rng = np.random.default_rng(0)
    X = numbers(300)
    y = rng.gamma(2.0, np.exp(3 + X[:, 0] - 0.5 * X[:, 1]))
    params = {"optimizer": "lbfgs", "solver": "bgd", "max_iter": 200, "alpha": 0}
    reg = regressor((), loss="gamma", numeric_scaling=None, dtype="float64", **params)
    expected = GammaRegressor(alpha=0, tol=1e-8).fit(X, y).predict(X)
    np.testing.assert_allclose(reg.fit(X, y).predict(X), expected, rtol=1e-2)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_is_exceeded_as_often_as_it_should(quantile):
    """With a single weight, the bias, the prediction is the quantile of the target."""
    y = np.random.default_rng(0).permutation(np.arange(101.0))
    params = {"solver": "bgd", "max_iter": 1500, "schedule": "cosine", "alpha": 0}
    reg = regressor((), loss=Quantile(quantile), learning_rate=0.02, **params)
    predicted = reg.fit(np.zeros((101, 1)), y).predict([[0.0]])
    np.testing.assert_allclose(predicted, 100 * quantile, atol=1.5)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_absolute_error_predicts_the_median():
    """With a single weight, the bias, the prediction is the median of the target."""
    y = np.r_[np.arange(51.0), np.full(50, 1000.0)]
    params = {"solver": "bgd", "max_iter": 1500, "schedule": "cosine", "alpha": 0}
    reg = regressor((), loss="absolute_error", learning_rate=0.02, **params)
    predicted = reg.fit(np.zeros((101, 1)), y).predict([[0.0]])
    np.testing.assert_allclose(predicted, 50, atol=12)


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_huber_is_robust():
    """Under Huber loss, outliers move the prediction less than under squared error."""
    y = np.r_[np.zeros(95), np.full(5, 100.0)]
    X = np.zeros((100, 1))
    params = {"solver": "bgd", "max_iter": 800, "learning_rate": 0.02, "alpha": 0}
    params["schedule"] = "cosine"
    mean = regressor((), **params).fit(X, y).predict(X[:1])
    huber = regressor((), loss=Huber(delta=0.1), **params).fit(X, y).predict(X[:1])
    np.testing.assert_allclose(mean, 5, atol=0.1)
    # Where 95 errors of e, in deviations, are as much as 5 clipped at delta.  Four
    # fifths of those that deviate do so by at most 1.28 standard deviations.
    deviation = 100 / norm.ppf(0.9)
    np.testing.assert_allclose(huber, 5 / 95 * 0.1 * deviation, atol=0.1)


# partial_fit


@tasks
@pytest.mark.parametrize("batch_norm", [False, True])
def test_partial_fit_is_one_epoch(task, batch_norm):
    """Calls on all the data are the epochs of a `fit` without shuffling, to the bit."""
    make, data = TASKS[task]
    X, y = data()
    params = {"shuffle": False, "batch_size": 16, "dropout": 0.2}
    # What "auto" can mean for all the data alone.
    params |= {"schedule": "constant", "early_stopping": False}
    expected = make(batch_norm=batch_norm, max_iter=3, **params).fit(X, y)
    est = make(batch_norm=batch_norm, max_iter=3, **params)
    classes = (
        {} if make is regressor else {"classes": np.arange(3 - (task == "binary"))}
    )
    for _ in range(3):
        est.partial_fit(X, y, **classes)
    np.testing.assert_array_equal(parameters(est), parameters(expected))
    assert est.n_iter_ == 3


def test_partial_fit_streams():
    """Data in pieces are learned, though no piece has all classes."""
    X, y = multiclass(300)
    order = np.argsort(y, kind="stable")
    clf = classifier(learning_rate=0.01, batch_size=10)
    for _ in range(30):
        for rows in np.array_split(order, 6):
            clf.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert clf.n_iter_ == 180
    assert clf.score(X, y) > 0.6
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])


def test_partial_fit_wants_classes_first():
    """The first call must say which classes there are; later ones need not."""
    X, y = binary()
    clf = classifier()
    with pytest.raises(ValueError, match="classes must be passed"):
        clf.partial_fit(X, y)
    assert vars(clf) == clf.get_params(deep=False)
    clf.partial_fit(X, y, classes=[1, 0]).partial_fit(X, y)
    clf.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="not the same as on the last call"):
        clf.partial_fit(X, y, classes=[0, 2])


def test_partial_fit_knows_its_classes():
    """A label that is not among the classes is an error that names it."""
    X, y = multiclass()
    with pytest.raises(ValueError, match=r"not among the classes: \[2\]"):
        classifier().partial_fit(X, y, classes=[0, 1])


def test_partial_fit_of_text_labels():
    """Classes may be text, and all of them are predicted with some probability."""
    X, y = binary()
    labels = np.array(["no", "yes"])[y]
    clf = classifier().partial_fit(X, labels, classes=["no", "perhaps", "yes"])
    assert clf.predict_proba(X).shape == (60, 3)
    assert set(clf.predict(X)) <= {"no", "perhaps", "yes"}


@tasks
def test_partial_fit_after_fit(task):
    """`partial_fit` goes on from what `fit` learned."""
    make, data = TASKS[task]
    X, y = data()
    est = make().fit(X, y)
    before = est.network_.params.copy()
    est.set_params(optimizer="sgd", learning_rate=1e-12).partial_fit(X, y)
    np.testing.assert_allclose(est.network_.params, before, rtol=1e-5)


@tasks
def test_fit_after_partial_fit(task):
    """`fit` begins anew, unless `warm_start` says otherwise."""
    make, data = TASKS[task]
    X, y = data()
    classes = (
        {} if make is regressor else {"classes": np.arange(3 - (task == "binary"))}
    )
    est = make().partial_fit(X, y, **classes).fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(make().fit(X, y)))


@tasks
def test_partial_fit_after_pickling(task):
    """Training goes on after pickling as it would have without, to the bit."""
    make, data = TASKS[task]
    X, y = data()
    params = {"batch_norm": True, "dropout": 0.2, "batch_size": 16}
    classes = (
        {} if make is regressor else {"classes": np.arange(3 - (task == "binary"))}
    )
    est = make(**params).partial_fit(X, y, **classes)
    copy = pickle.loads(pickle.dumps(est))
    est.partial_fit(X, y)
    copy.partial_fit(X, y)
    np.testing.assert_array_equal(parameters(est), parameters(copy))
    np.testing.assert_array_equal(est.predict(X), copy.predict(X))


def test_partial_fit_with_weights():
    """Weights count in `partial_fit`."""
    X, y = binary()
    weight = 1 + np.arange(60) % 3
    one = classifier().partial_fit(X, y, [0, 1], weight)
    two = classifier().partial_fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight), [0, 1]
    )
    np.testing.assert_array_equal(parameters(one), parameters(two))
    one = regressor().partial_fit(X, y, weight)
    two = regressor().partial_fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(parameters(one), parameters(two))


# Predictions


@tasks
def test_prediction_in_chunks(task):
    """A large table is predicted as its parts are, to the bit."""
    make, data = TASKS[task]
    est = make().fit(*data())
    X = numbers(3000, seed=1)
    parts = [est.predict(part) for part in np.array_split(X, 7)]
    np.testing.assert_array_equal(est.predict(X), np.concatenate(parts))


@tasks
@pytest.mark.parametrize("layout", [np.asfortranarray, np.float32, list, pd.DataFrame])
def test_layout_of_X(task, layout):
    """The layout of `X` makes no difference to a prediction."""
    make, data = TASKS[task]
    X, y = data()
    X = X.astype(np.float32).astype(np.float64)
    est = make().fit(X, y)
    np.testing.assert_array_equal(est.predict(layout(X)), est.predict(X))


@tasks
def test_missing_numbers(task):
    """Missing numbers are learned from, and predicted with."""
    make, data = TASKS[task]
    X, y = data()
    missing = np.random.default_rng(0).random(X.shape) < 0.2
    X[missing] = np.nan
    est = make(early_stopping=True).fit(X, y)
    assert est.encoder_.n_features_out_ == 8
    assert np.isfinite(est.predict(X)).all()
    assert np.isfinite(est.predict(np.full((1, 4), np.nan))).all()


def test_missing_numbers_carry_information():
    """That a number is missing can be learned from."""
    X, _ = binary(200)
    y = np.random.default_rng(1).integers(0, 2, 200)
    X[y == 1, 0] = np.nan
    clf = classifier(max_iter=100, learning_rate=0.05).fit(X, y)
    assert clf.score(X, y) == 1


# Pickles


def pickle_round_trip(est, path):
    return pickle.loads(pickle.dumps(est))


def joblib_round_trip(est, path):
    joblib.dump(est, path / "est.joblib")
    return joblib.load(path / "est.joblib")


@pytest.mark.parametrize("round_trip", [pickle_round_trip, joblib_round_trip])
@tasks
def test_round_trip(task, round_trip, tmp_path):
    """A pickle predicts the same, to the bit, and has the same attributes."""
    make, data = TASKS[task]
    X, y = data()
    est = make((6, 5), batch_norm=True, early_stopping=True).fit(X, y)
    copy = round_trip(est, tmp_path)
    np.testing.assert_array_equal(est.predict(X), copy.predict(X))
    assert vars(copy).keys() == vars(est).keys()
    assert copy.loss_curve_ == est.loss_curve_
    for one, two in zip(est.coefs_, copy.coefs_, strict=True):
        np.testing.assert_array_equal(one, two)


def test_memory_map(tmp_path):
    """A model that is mapped into memory, read-only, predicts the same."""
    X, y = binary()
    clf = classifier(batch_norm=True).fit(X, y)
    joblib.dump(clf, tmp_path / "clf.joblib")
    copy = joblib.load(tmp_path / "clf.joblib", mmap_mode="r")
    np.testing.assert_array_equal(copy.predict_proba(X), clf.predict_proba(X))


@tasks
def test_size_of_a_pickle(task):
    """A pickle of a fitted estimator is little more than its weights."""
    make, data = TASKS[task]
    X, y = data()
    est = make((100, 100), early_stopping=True).fit(X, y)
    assert len(pickle.dumps(est)) < est.network_.params.nbytes + 6000


def test_size_of_a_pickle_does_not_grow():
    """A pickle does not grow with the calls to `partial_fit`, nor with the data."""
    X, y = binary()
    clf = classifier().partial_fit(X, y, [0, 1]).partial_fit(X, y)
    size = len(pickle.dumps(clf))
    for _ in range(20):
        clf.partial_fit(np.tile(X, (5, 1)), np.tile(y, 5))
    assert len(pickle.dumps(clf)) < size + 100


# Parameters


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_clone(Estimator):
    """A clone has the parameters of the original, and none of its objects."""
    est = Estimator((3,), optimizer=Adam(beta_1=0.5), schedule=Cosine(warm_up=2))
    copy = clone(est)
    assert copy.optimizer is not est.optimizer
    assert copy.get_params()["optimizer__beta_1"] == 0.5
    assert copy.get_params()["schedule__warm_up"] == 2
    assert repr(copy) == repr(est)


def test_nested_parameters():
    """Parameters of optimizer, schedule and loss can be set, and have their effect."""
    X, y = binary()
    clf = classifier(optimizer=Adam(), schedule=Cosine(), loss=LogLoss())
    clf.set_params(
        optimizer__beta_1=0.5, schedule__warm_up=2.0, loss__label_smoothing=0.1
    )
    expected = classifier(
        optimizer=Adam(beta_1=0.5), schedule=Cosine(2.0), loss=LogLoss(0.1)
    )
    np.testing.assert_array_equal(
        clf.fit(X, y).network_.params, expected.fit(X, y).network_.params
    )
    with pytest.raises(ValueError, match="Invalid parameter"):
        clf.set_params(optimizer__nonsense=1)


def test_search_over_nested_parameters():
    """A search reaches the parameters of an optimizer."""
    X, y = binary()
    grid = {"optimizer__beta_1": [0.1, 0.9]}
    search = GridSearchCV(classifier(optimizer=Adam()), grid, cv=2).fit(X, y)
    assert search.best_estimator_.optimizer.beta_1 in (0.1, 0.9)


def test_search_of_a_pipeline():
    """The search of issue 2 runs in two processes, and gives all candidates a score."""
    X, y = binary(80)
    grid = {
        "dnnclassifier__solver": ["bgd", "sgd", "minibatch"],
        "dnnclassifier__alpha": [1e-4, 1e-1],
        "dnnclassifier__hidden_layer_dims": [(4,), (4, 4)],
        "dnnclassifier__batch_norm": [False, True],
    }
    pipe = make_pipeline(StandardScaler(), classifier(max_iter=3))
    search = GridSearchCV(pipe, grid, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 24
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_cross_validation_in_a_pipeline():
    """A pipeline is cross-validated, twice with the same scores."""
    X, y = binary(100)
    pipe = make_pipeline(StandardScaler(), classifier(early_stopping=True))
    scores = cross_val_score(pipe, X, y, cv=10)
    assert scores.shape == (10,)
    np.testing.assert_array_equal(cross_val_score(pipe, X, y, cv=10), scores)


# Defaults


def test_default_classifier_learns():
    """With its defaults, the classifier learns what a linear model cannot."""
    X = numbers(400)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    clf = DNNClassifier(random_state=0, max_iter=30, tol=None).fit(X[:300], y[:300])
    assert clf.score(X[300:], y[300:]) > 0.8


def test_default_regressor_learns():
    """With its defaults, the regressor learns what a linear model cannot."""
    X = numbers(400)
    y = 1000 + 50 * X[:, 0] * X[:, 1]
    reg = DNNRegressor(random_state=0, max_iter=30, tol=None).fit(X[:300], y[:300])
    assert reg.score(X[300:], y[300:]) > 0.7


def test_a_run_after_divergence_starts_with_a_fresh_optimizer():
    """What overflowed in the optimizer's memory does not spoil the next run."""
    X, y = binary()
    reg = DNNRegressor((), warm_start=True, optimizer="momentum", tol=None)
    reg.set_params(learning_rate=1e3, max_iter=100)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        reg.fit(X, y)
    assert reg._progress["state"] is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"hidden_layer_dims": (8,)}, {"hidden_layer_dims": [8]}),
        ({"dropout": 0.1}, {"dropout": np.float64(0.1)}),
        ({"dropout": 0.1}, {"dropout": [0.1]}),
        ({"class_weight": {0: 1, 1: 2}}, {"class_weight": {1: 2, 0: 1}}),
        ({"loss": LogLoss(0.1)}, {"loss": LogLoss(0.1)}),
    ],
)
def test_equal_parameters_are_no_change(before, after):
    """Training goes on with parameters that are equal to those of before."""
    X, y = binary()
    one = classifier(**before).partial_fit(X, y, [0, 1])
    two = clone(one).partial_fit(X, y, [0, 1]).set_params(**after)
    np.testing.assert_array_equal(
        parameters(one.partial_fit(X, y)), parameters(two.partial_fit(X, y))
    )


def test_curves_are_plain_numbers():
    """Losses are floats of Python's, with weights as without."""
    X, y = binary()
    clf = classifier().fit(X, y, sample_weight=np.arange(60))
    assert {type(loss) for loss in clf.loss_curve_} == {float}
