"""The estimators keep scikit-learn's contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdnn import DNNClassifier, DNNRegressor

#: scikit-learn's checks of the constructor's defaults.
CHECKS = parametrize_with_checks([DNNClassifier(), DNNRegressor()]).mark


#: Fit time and again, on what is checked elsewhere in the fast suite too: containers,
#: and of the regressor what the classifier does in the same lines.
LONG = {
    (DNNClassifier, "check_estimator_sparse_array"),
    (DNNClassifier, "check_estimator_sparse_matrix"),
    (DNNRegressor, "check_estimator_sparse_matrix"),
    (DNNRegressor, "check_array_api_input"),
    (DNNRegressor, "check_dtype_object"),
    (DNNRegressor, "check_estimator_sparse_array"),
    (DNNRegressor, "check_estimator_sparse_tag"),
    (DNNRegressor, "check_estimators_dtypes"),
    (DNNRegressor, "check_fit_idempotent"),
    (DNNRegressor, "check_non_transformer_estimators_n_iter"),
    (DNNRegressor, "check_sample_weight_equivalence_on_sparse_data"),
    (DNNRegressor, "check_regressor_data_not_an_array"),
}


def fast_and_slow(checks):
    """Yield checks of estimators; what is long or repeats one with options is slow."""
    seen = set(LONG)
    for estimator, check in checks:
        key = type(estimator), getattr(check, "func", check).__name__
        yield pytest.param(
            estimator, check, marks=pytest.mark.slow if key in seen else ()
        )
        seen.add(key)


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
