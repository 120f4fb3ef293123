"""The estimators keep scikit-learn's contract."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skdnn import DNNClassifier, DNNRegressor


@parametrize_with_checks(
    [
        DNNClassifier(),
        DNNRegressor(),
        DNNClassifier(solver="bgd"),
        DNNRegressor(solver="bgd"),
        DNNClassifier(solver="sgd"),
        DNNRegressor(solver="sgd"),
    ]
)
def test_sklearn_checks(estimator, check):
    """Every check of scikit-learn's own passes, and none is excused."""
    check(estimator)
