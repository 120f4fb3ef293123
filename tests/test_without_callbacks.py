"""Before scikit-learn 1.9, which has no callbacks, the estimators say so."""

import re

import pytest
import sklearn

from skdnn import DNNClassifier, DNNRegressor


@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_set_callbacks_says_what_it_needs(Estimator):
    """The error names the version that is needed and the one that is there."""
    message = f"scikit-learn 1.9 or newer, this is {re.escape(sklearn.__version__)}"
    with pytest.raises(ImportError, match=message):
        Estimator().set_callbacks(object())
