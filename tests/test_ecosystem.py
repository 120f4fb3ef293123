"""What scikit-learn's tools do with an estimator: searches, routing, tags, views."""

import re

import numpy as np
import pytest
import sklearn
import sklearn.experimental.enable_halving_search_cv
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.fixes import parse_version

from skdnn import DNNClassifier, DNNRegressor
from skdnn.encoding import TabularEncoder
from tests.plain import plain_classifier
from tests.same import assert_same_network
from tests.tables import (
    RECIPES,
    TASKS,
    binary,
    classifier,
    parameters,
    regression,
    regressor,
)

tasks = pytest.mark.parametrize("task", TASKS)
estimators = pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])


# Searches


@pytest.mark.slow
@tasks
def test_epochs_as_the_resource_of_a_halving_search(task):
    """`max_iter` is what a halving search spends, and what the winner got most of."""
    make, data = TASKS[task]
    search = HalvingGridSearchCV(
        make(max_iter=1),
        {"learning_rate": [1e-5, 1e-3, 1e-2, 1e-1]},
        resource="max_iter",
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    )
    search.fit(*data())
    assert search.n_resources_[-1] > search.n_resources_[0]
    assert search.best_estimator_.max_iter == search.n_resources_[-1]
    assert search.best_estimator_.n_iter_ == search.best_estimator_.max_iter
    assert search.best_params_["learning_rate"] > 1e-5


def test_learning_curve_by_partial_fit():
    """`learning_curve` trains in increments, where it is asked to."""
    X, y = binary()
    sizes, _, scores = learning_curve(
        classifier(learning_rate=0.1),
        X,
        y,
        cv=2,
        train_sizes=[10, 20, 30],
        exploit_incremental_learning=True,
    )
    assert list(sizes) == [10, 20, 30]
    assert np.isfinite(scores).all()


# Metadata


@estimators
def test_requests(Estimator):
    """All that `fit`, `partial_fit` and `score` take besides data can be requested."""
    requests = Estimator().get_metadata_routing()
    weights = {"sample_weight"}
    assert requests.fit.requests.keys() == weights | {
        "X_val",
        "y_val",
        "sample_weight_val",
    }
    assert requests.score.requests.keys() == weights
    extra = {"classes"} if Estimator is DNNClassifier else set()
    assert requests.partial_fit.requests.keys() == weights | extra


@pytest.mark.usefixtures("metadata_routing")
def test_weights_reach_the_network_in_a_search():
    """A search hands the weights of its folds to `fit` where they are requested."""
    X, y = binary()
    weight = np.where(X[:, 0] > 0, 1.0, 0.0)
    network = classifier().set_fit_request(sample_weight=True)
    network.set_score_request(sample_weight=True)
    search = GridSearchCV(network, {"alpha": [0.1]}, cv=2)
    search.fit(X, y, sample_weight=weight)
    expected = classifier(alpha=0.1).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(
        parameters(search.best_estimator_), parameters(expected)
    )


@pytest.mark.usefixtures("metadata_routing")
@tasks
def test_validation_data_through_a_pipeline(task):
    """A pipeline transforms `X_val` on its way, columns left out included."""
    make, data = TASKS[task]
    (X, y), (X_val, y_val) = data(), data(seed=1)
    weight, weight_val = np.arange(len(X)) % 3, np.arange(len(X_val)) % 4
    weights = {"sample_weight": weight, "sample_weight_val": weight_val}
    names = dict.fromkeys(["X_val", "y_val", *weights], True)
    network = make(early_stopping=True).set_fit_request(**names)
    selector = SelectKBest(lambda X, y: X.mean(axis=0), k=3)
    pipeline = make_pipeline(
        StandardScaler(with_mean=False).set_fit_request(sample_weight=False),
        selector,
        network,
        transform_input=["X_val"],
    )
    pipeline.fit(X, y, X_val=X_val, y_val=y_val, **weights)
    steps = pipeline[:-1]
    by_hand = make(early_stopping=True)
    by_hand.fit(
        steps.transform(X), y, X_val=steps.transform(X_val), y_val=y_val, **weights
    )
    np.testing.assert_array_equal(parameters(pipeline[-1]), parameters(by_hand))
    assert pipeline[-1].validation_scores_ == by_hand.validation_scores_


# Tags and views


@estimators
def test_tags(Estimator):
    """The tags say what is true."""
    tags = get_tags(Estimator())
    assert tags.input_tags.sparse
    assert tags.input_tags.allow_nan
    assert not get_tags(Estimator(numeric_scaling=None)).input_tags.allow_nan
    assert not tags.non_deterministic
    assert tags.target_tags.required
    assert not tags.no_validation
    if Estimator is DNNClassifier:
        assert tags.classifier_tags.multi_class
        assert tags.classifier_tags.multi_label
    else:
        assert tags.target_tags.multi_output
        assert not tags.regressor_tags.poor_score


def test_set_output():
    """The encoder returns a frame where it is asked to."""
    X, _ = regression()
    X[3, 1] = np.nan
    frame = TabularEncoder().set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == ["x0", "x1", "x2", "x3", "x1_missing"]


@estimators
def test_html(Estimator):
    """The HTML view links to the page of the class, and describes its parameters."""
    X, y = binary()
    html = Estimator((8,), max_iter=2)._repr_html_()
    fitted = Estimator((8,), max_iter=2, tol=None).fit(X, y)._repr_html_()
    for view in (html, fitted):
        assert Estimator.__name__ in view
        links = set(re.findall(r'href="([^"#]*)', view)) - {""}
        assert links == {
            f"https://skdnn.github.io/skdnn/generated/skdnn.{Estimator.__name__}.html"
        }
    described = "Number of units of each hidden layer" in html
    assert described == (parse_version(sklearn.__version__) >= parse_version("1.8"))


def test_html_in_a_pipeline_and_a_search():
    """Meta-estimators draw it, fitted and not."""
    X, y = regression()
    pipeline = make_pipeline(StandardScaler(), regressor())
    search = GridSearchCV(pipeline, {"dnnregressor__alpha": [0.1]}, cv=2)
    assert "DNNRegressor" in search._repr_html_()
    assert "DNNRegressor" in search.fit(X, y)._repr_html_()


@estimators
def test_round_trip_of_parameters(Estimator):
    """A clone of what `get_params` returns has the very same objects where it can."""
    dims, dropout = [4, 5], [0.1, 0.2]
    est = Estimator(dims, dropout=dropout, scoring=len)
    assert est.get_params()["hidden_layer_dims"] is dims
    assert est.get_params()["dropout"] is dropout
    same = Estimator(**est.get_params(deep=False))
    assert repr(same) == repr(est)
    assert clone(est).scoring is len


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("recipe", RECIPES)
def test_cross_validation_twice(recipe, task):
    """Nothing is left over from fold to fold."""
    make, data = TASKS[task]
    params = {"early_stopping": True, "tol": 1e-4, "schedule": "adaptive"}
    est = make(**RECIPES[recipe] | params)
    first = cross_val_score(est, *data(), cv=3)
    np.testing.assert_array_equal(first, cross_val_score(est, *data(), cv=3))


# Pipelines


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


def test_fault_10_a_pipeline_transforms_the_validation_data():
    """With `transform_input`, X_val goes through the steps before the network.

    Peers got it as it came: a crash after a PCA, a wrong loss after a scaler.
    """
    X, y = binary()
    X_val, y_val = X[40:], y[40:]
    X, y = X[:40], y[:40]
    with sklearn.config_context(enable_metadata_routing=True):
        clf = plain_classifier(numeric_scaling=None, early_stopping="auto")
        clf.set_fit_request(X_val=True, y_val=True)
        steps = [("pca", PCA(2)), ("network", clone(clf))]
        pipeline = Pipeline(steps, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    pca = PCA(2)
    clf.fit(pca.fit_transform(X), y, X_val=pca.transform(X_val), y_val=y_val)
    assert_same_network(pipeline[-1], clf)
    assert pipeline[-1].validation_scores_ == clf.validation_scores_


# What the estimator is


@estimators
def test_fault_27_mixins_come_before_the_base_class(Estimator):
    """The mixins come first, so that scikit-learn knows what the estimator is.

    Peers had them last: the wrong tags, or an error about `__sklearn_tags__`.
    """
    mixins = {DNNClassifier: ClassifierMixin, DNNRegressor: RegressorMixin}
    mro = Estimator.__mro__
    assert mro.index(mixins[Estimator]) < mro.index(BaseEstimator)
    assert get_tags(Estimator()).target_tags.required
    for est in Estimator(), make_pipeline(PCA(), Estimator()):
        assert is_classifier(est) == (Estimator is DNNClassifier)
        assert is_regressor(est) == (Estimator is DNNRegressor)
