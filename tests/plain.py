"""The estimators as plain networks: none of the parts of the tuned recipe."""

import skdnn
from tests import tables

#: No part of the tuned recipe, and no rows held out, however many there are.
PLAIN = {"recipe": "plain", "early_stopping": False}


def DNNClassifier(*args, **params):
    """Return a plain classifier, but for what `params` say."""
    return skdnn.DNNClassifier(*args, **PLAIN | params)


def DNNRegressor(*args, **params):
    """Return a plain regressor, but for what `params` say."""
    return skdnn.DNNRegressor(*args, **PLAIN | params)


def plain_classifier(hidden_layer_dims=(8,), **params):
    """Return a plain classifier that is quick to train, to the last epoch."""
    return DNNClassifier(hidden_layer_dims, **tables.QUICK | params)


def plain_regressor(hidden_layer_dims=(8,), **params):
    """Return a plain regressor that is quick to train, to the last epoch."""
    return DNNRegressor(hidden_layer_dims, **tables.QUICK | params)


#: (estimator, data) of each kind of target.
TASKS = {
    task: (plain_classifier if make is tables.classifier else plain_regressor, data)
    for task, (make, data) in tables.TASKS.items()
}
