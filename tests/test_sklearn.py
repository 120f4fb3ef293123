"""The estimators keep scikit-learn's contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdnn import DNNClassifier, DNNRegressor


@pytest.mark.filterwarnings("ignore:refit=True has no effect")
@parametrize_with_checks(
    [
        DNNClassifier(),
        DNNRegressor(),
        DNNClassifier(solver="bgd"),
        DNNRegressor(solver="bgd"),
        # One row a step: narrow and short, for the time that it takes.
        DNNClassifier((32,), solver="sgd", max_iter=30),
        DNNRegressor((32,), solver="sgd", max_iter=30),
        # What else the recipe may be.
        DNNClassifier(
            (16,),
            n_members=3,
            ensemble_weights="shared",
            numeric_embedding="periodic",
        ),
        DNNRegressor(
            (16,),
            n_members=3,
            ensemble_weights="own",
            numeric_embedding="piecewise_linear",
            refit=True,
        ),
    ]
)
def test_sklearn_checks(estimator, check):
    """Every check of scikit-learn's own passes, and none is excused."""
    check(estimator)
