"""The estimators keep scikit-learn's contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdnn import DNNClassifier, DNNRegressor

#: scikit-learn's checks of the constructor's defaults.
CHECKS = parametrize_with_checks([DNNClassifier(), DNNRegressor()]).mark


#: Fit time and again, on containers and dtypes that the fast suite has elsewhere too.
LONG = {
    "check_array_api_input",
    "check_classifiers_multilabel_representation_invariance",
    "check_estimators_dtypes",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_regressor_data_not_an_array",
    "check_supervised_y_2d",
}


def fast_and_slow(checks):
    """Yield checks of estimators; what is long is slow, and what comes once more.

    That is so for a check with other options, and for the regressor where the
    classifier, which has the same lines of code, has passed.
    """
    seen = set(LONG)
    for estimator, check in checks:
        name = getattr(check, "func", check).__name__
        marks = pytest.mark.slow if name in seen else ()
        yield pytest.param(estimator, check, marks=marks)
        seen.add(name)


@pytest.mark.parametrize(
    CHECKS.args[0], list(fast_and_slow(CHECKS.args[1])), **CHECKS.kwargs
)
def test_sklearn_checks(estimator, check):
    """Every check of scikit-learn's own passes, and none is excused."""
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:refit=True has no effect")
@parametrize_with_checks(
    [
        DNNClassifier(solver="bgd", max_iter=30),
        DNNRegressor(solver="bgd", max_iter=30),
        # One row a step: narrow and short, for the time that it takes.
        DNNClassifier((16,), solver="sgd", max_iter=8),
        DNNRegressor((16,), solver="sgd", max_iter=8),
        # What else the recipe may be.
        DNNClassifier(
            (16,),
            n_members=3,
            ensemble_weights="shared",
            numeric_embedding="periodic",
            max_iter=20,
        ),
        DNNRegressor(
            (16,),
            n_members=3,
            ensemble_weights="own",
            numeric_embedding="piecewise_linear",
            refit=True,
            max_iter=20,
        ),
    ]
)
def test_sklearn_checks_of_other_recipes(estimator, check):
    """So do those of estimators whose training goes other ways."""
    check(estimator)
