"""Estimators of each task, as plain networks and by each recipe."""

from functools import partial

import numpy as np
import pytest

from tests import plain, tables
from tests.plain import plain_classifier
from tests.tables import RECIPES, binary, regression

#: Plain networks, and the recipes.
NETWORKS = ["plain", *RECIPES]
networks = pytest.mark.parametrize("network", NETWORKS)

#: What the first call to `partial_fit` needs.
CLASSES = {
    "binary": {"classes": [0, 1]},
    "multiclass": {"classes": [0, 1, 2]},
    "multilabel": {"classes": [0, 1, 2]},
    "regression": {},
    "multioutput": {},
}


def data_for(make):
    """Return a small data set for one of the two estimators."""
    return binary() if make is plain_classifier else regression()


def table(task):
    """Return a small data set for a task, with a column that may be categories."""
    X, y = plain.TASKS[task][1]()
    X[:, 3] = np.arange(len(X)) % 7
    return X, y


def maker(task, network, **params):
    """Return what makes a plain estimator for a task, or one of a recipe."""
    if network == "plain":
        return partial(plain.TASKS[task][0], **params)
    return partial(tables.TASKS[task][0], **RECIPES[network] | params)
