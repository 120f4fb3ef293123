"""The complete systems of the project's source documents, against their formulas."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    learning_curve,
)
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import skdnn
from skdnn.nn.losses import LogLoss, SquaredError
from tests import tables
from tests.plain import DNNClassifier, DNNRegressor, plain_classifier, plain_regressor
from tests.tables import RECIPES, binary, multiclass, regression
from tests.textbook import (
    TEXTBOOK,
    assert_equal_layers,
    forward,
    initial_parameters,
    relu,
    sigmoid,
    train_binary_classifier,
    train_squared_error,
)


@pytest.fixture(scope="module")
def cancer():
    """Real data of two classes, columns standardized."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def diabetes():
    """Real data with a target scaled to [0, 1]."""
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return X, MinMaxScaler().fit_transform(y[:, None])[:, 0]


# S8: the complete binary classifier


def assert_s8(data, n_iterations, rtol, lambd=0.0):
    """Assert equal costs, weights and classes after S8's training."""
    X, y = data
    clf = DNNClassifier(
        (20, 7, 5),
        activation="relu",
        learning_rate=0.0075,
        max_iter=n_iterations,
        **{**TEXTBOOK, "alpha": lambd},
    ).fit(X, y)
    W, b = initial_parameters(clf, X, y)
    costs, W, b = train_binary_classifier(X.T, y, W, b, 0.0075, n_iterations, lambd)
    np.testing.assert_allclose(clf.loss_curve_, costs, rtol=rtol)
    assert_equal_layers(clf, W, b, rtol)
    _, A = forward(X.T, W, b, relu, sigmoid)
    np.testing.assert_array_equal(clf.predict(X), A[-1][0] > 0.5)


def test_s8_200_iterations(cancer):
    """Costs and weights are the transcription's over 200 iterations."""
    assert_s8(cancer, 200, rtol=1e-9)


def test_s8_200_iterations_with_penalty(cancer):
    """The same holds with S6's penalty."""
    assert_s8(cancer, 200, rtol=1e-9, lambd=1.0)


@pytest.mark.slow
def test_s8_3000_iterations(cancer):
    """Costs and weights are the transcription's over all 3,000 iterations."""
    assert_s8(cancer, 3000, rtol=1e-6)


def test_s8_initial_weights():
    """Weights start as ``randn / sqrt(n[l-1])``: normal, of that deviation."""
    X, y = binary(50, 100)
    clf = DNNClassifier((400, 50), **TEXTBOOK)
    W, _ = initial_parameters(clf, X, y)
    for w in W[:2]:
        z = w * np.sqrt(w.shape[1])
        assert abs(z.mean()) < 4 / np.sqrt(z.size)
        assert abs(z.std() - 1) < 4 / np.sqrt(2 * z.size)
        # As many beyond two deviations as in a normal distribution.
        assert abs(np.mean(np.abs(z) > 2) - 0.0455) < 4 * np.sqrt(0.0455 / z.size)


def test_s8_class_1_where_the_output_exceeds_a_half():
    """The class is 1 where the probability exceeds 0.5, and 0 at 0.5."""
    X, y = binary()
    clf = plain_classifier().fit(X, y)
    proba = clf.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(clf.predict(X), (proba > 0.5).astype(int))
    clf.network_.params[:] = 0
    assert (clf.predict_proba(X) == 0.5).all()
    assert (clf.predict(X) == 0).all()


# S9: the record of the cost


def test_s9_one_value_an_iteration():
    """The cost is recorded once an iteration."""
    X, y = binary()
    clf = plain_classifier(solver="bgd", max_iter=17).fit(X, y)
    assert len(clf.loss_curve_) == clf.n_iter_ == 17


def test_s9_values_are_costs_before_each_step():
    """Entry t is the objective of the network that t iterations made."""
    X, y = binary()
    params = {**TEXTBOOK, "alpha": 3.0, "learning_rate": 0.5}
    curve = DNNClassifier((6,), max_iter=6, **params).fit(X, y).loss_curve_
    for t in range(1, 6):
        clf = DNNClassifier((6,), max_iter=t, **params).fit(X, y)
        penalty = 3.0 / 2 * sum((w**2).sum() for w in clf.coefs_) / len(X)
        expected = log_loss(y, clf.predict_proba(X)) + penalty
        np.testing.assert_allclose(curve[t], expected, rtol=1e-10)


def test_s9_printed_values(capsys):
    """The cost that is printed is the one that is recorded."""
    X, y = binary()
    clf = plain_classifier(max_iter=3, verbose=True).fit(X, y)
    printed = [float(line.split()[3]) for line in capsys.readouterr().out.splitlines()]
    np.testing.assert_allclose(printed, clf.loss_curve_, atol=1e-6)


# S10: squared error on sigmoid outputs


def assert_s10(estimator, X, y, n_iterations, rtol):
    """Assert equal costs, weights and outputs after S10's training."""
    estimator.set_params(max_iter=n_iterations).fit(X, y)
    W, b = initial_parameters(estimator, X, y)
    targets = np.atleast_2d(y.T)
    costs, W, b = train_squared_error(X.T, targets, W, b, 0.5, n_iterations)
    np.testing.assert_allclose(estimator.loss_curve_, costs, rtol=rtol)
    assert_equal_layers(estimator, W, b, rtol)
    _, A = forward(X.T, W, b, sigmoid, sigmoid)
    return A[-1]


def s10(Estimator):
    return Estimator(
        (8, 6),
        activation="sigmoid",
        loss=SquaredError(link="sigmoid"),
        learning_rate=0.5,
        **TEXTBOOK,
    )


def test_s10_classifier_200_iterations(cancer):
    """The classifier's costs and weights are the transcription's."""
    X, y = cancer
    clf = s10(DNNClassifier)
    a = assert_s10(clf, X, y, 200, rtol=1e-9)
    np.testing.assert_allclose(clf.predict_proba(X)[:, 1], a[0], rtol=1e-9)


def test_s10_regressor_200_iterations(diabetes):
    """The regressor's costs and weights are the transcription's."""
    X, y = diabetes
    reg = s10(DNNRegressor)
    a = assert_s10(reg, X, y, 200, rtol=1e-9)
    np.testing.assert_allclose(reg.predict(X), a[0], rtol=1e-9)


def test_s10_several_outputs(diabetes):
    """With several outputs, ``||a - y||^2`` sums over them."""
    X, y = diabetes
    Y = np.column_stack([y, 1 - y**2])
    reg = s10(DNNRegressor)
    a = assert_s10(reg, X, Y, 200, rtol=1e-9)
    np.testing.assert_allclose(reg.predict(X), a.T, rtol=1e-9)


@pytest.mark.slow
def test_s10_classifier_3000_iterations(cancer):
    """The classifier's costs and weights are the transcription's over 3,000 steps."""
    assert_s10(s10(DNNClassifier), *cancer, 3000, rtol=1e-6)


@pytest.mark.slow
def test_s10_regressor_3000_iterations(diabetes):
    """The regressor's costs and weights are the transcription's over 3,000 steps."""
    assert_s10(s10(DNNRegressor), *diabetes, 3000, rtol=1e-6)


# S11: the hyperparameters


@pytest.mark.parametrize(
    "grid",
    [
        pytest.param({"learning_rate": [1e-3, 1e-2]}, id="learning rate"),
        pytest.param({"alpha": [0, 1.0]}, id="regularization"),
        pytest.param({"hidden_layer_dims": [(), (4,), (4, 4)]}, id="number of layers"),
        pytest.param({"hidden_layer_dims": [(2,), (9,)]}, id="units of each layer"),
        pytest.param({"max_iter": [2, 9]}, id="epochs"),
        pytest.param({"batch_size": [5, 30]}, id="mini-batch size"),
        pytest.param(
            {"loss": [LogLoss(link="softmax"), LogLoss(link="sigmoid")]},
            id="encoding of the outputs",
        ),
        pytest.param({"loss": ["log_loss", "squared_error"]}, id="cost function"),
        pytest.param({"weight_init": ["lecun_normal", "he_uniform"]}, id="weights"),
        pytest.param({"activation": ["sigmoid", "relu"]}, id="activation function"),
    ],
)
def test_s11_hyperparameter_can_be_searched_over(grid):
    """Each hyperparameter gives every candidate of a search a score of its own."""
    X, y = multiclass()
    search = GridSearchCV(plain_classifier(), grid, cv=2, scoring="neg_log_loss").fit(
        X, y
    )
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == len(scores)


def test_s11_encoding_of_the_outputs():
    """Outputs are coded as exclusive classes, or each as a yes or no of its own."""
    X, y = multiclass()
    clf = plain_classifier(loss=LogLoss(link="sigmoid")).fit(X, y)
    assert clf.out_activation_ == "sigmoid"
    p = expit(clf.decision_function(X))
    expected = p / p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-6)


def test_s11_amount_of_training_data():
    """The amount of training data is varied by scikit-learn's learning curve."""
    X, y = multiclass()
    sizes, scores, _ = learning_curve(
        plain_classifier(), X, y, train_sizes=[20, 50], cv=3
    )
    np.testing.assert_array_equal(sizes, [20, 50])
    assert scores.shape == (2, 3)


# S13: m-fold cross-validation


@pytest.mark.parametrize("cv", [10, 3])
def test_s13_cross_validation_of_a_classifier(cv):
    """Each of m scores is that of a network trained on all other folds."""
    X, y = binary(120)
    clf = plain_classifier()
    expected = [
        accuracy_score(y[test], clone(clf).fit(X[train], y[train]).predict(X[test]))
        for train, test in StratifiedKFold(cv).split(X, y)
    ]
    np.testing.assert_array_equal(cross_val_score(clf, X, y, cv=cv), expected)


@pytest.mark.parametrize("cv", [10, 3])
def test_s13_cross_validation_of_a_regressor(cv):
    """The same holds for regression, and a second run gives the same scores."""
    X, y = regression(60)
    reg = plain_regressor(early_stopping=True, max_iter=10)
    scores = cross_val_score(reg, X, y, cv=cv)
    expected = [
        clone(reg).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in KFold(cv).split(X)
    ]
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(cross_val_score(reg, X, y, cv=cv), scores)


# S16: parameters and hyperparameters


@pytest.mark.parametrize("Estimator", [skdnn.DNNClassifier, skdnn.DNNRegressor])
def test_s16_hyperparameters_do_not_end_in_an_underscore(Estimator):
    """An estimator that is not fitted holds what was chosen, and nothing else."""
    estimator = Estimator()
    assert vars(estimator) == estimator.get_params(deep=False)
    assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.sampled
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("make", [tables.classifier, tables.regressor])
def test_s16_parameters_end_in_an_underscore(make, recipe):
    """What is learned ends in an underscore, and training changes nothing chosen."""
    estimator = make(**RECIPES[recipe] | {"optimizer": "adam"})
    chosen = estimator.get_params(deep=False)
    estimator.fit(*binary())
    assert estimator.get_params(deep=False) == chosen
    learned = {*vars(estimator), "coefs_", "intercepts_"} - {*chosen}
    assert not [n for n in learned if not n.startswith("_") and not n.endswith("_")]
