"""Small data sets, and quick estimators for them."""

import numpy as np
import pandas as pd

from skdnn import DNNClassifier, DNNRegressor
from skdnn.nn.embeddings import EntityEmbedding

#: Fitted attributes that training with validation rows has the last word on.
WATCHED = (
    "loss_curve_",
    "loss_",
    "n_iter_",
    "best_loss_",
    "best_iter_",
    "validation_loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "learning_rate_curve_",
    "temperature_",
)


def numbers(n=60, d=4, seed=0):
    """Return standard normal columns."""
    return np.random.default_rng(seed).standard_normal((n, d))


def binary(n=60, d=4, seed=0):
    """Return columns and classes 0 and 1 that depend on them."""
    X = numbers(n, d, seed)
    return X, (X[:, 0] + 0.5 * X[:, 1] * X[:, 2] > 0).astype(int)


def multiclass(n=90, d=4, seed=0, n_classes=3):
    """Return columns and classes of about equal size that depend on them."""
    X = numbers(n, d, seed)
    rank = np.argsort(np.argsort(X[:, 0] + 0.3 * X[:, 1]))
    return X, rank * n_classes // n


def multilabel(n=60, d=4, seed=0):
    """Return columns and three labels a row."""
    X = numbers(n, d, seed)
    return X, (X[:, :3] + 0.3 * X[:, 1:4] > 0).astype(int)


def regression(n=60, d=4, seed=0):
    """Return columns and a target that depends on them."""
    X = numbers(n, d, seed)
    return X, 3 + 2 * X[:, 0] - X[:, 1] * X[:, 2]


def multioutput(n=60, d=4, seed=0):
    """Return columns and two targets of different scale."""
    X, y = regression(n, d, seed)
    return X, np.column_stack([y, 100 * X[:, 3]])


def whole(n=60, d=4):
    """Return small whole numbers, as float64, without minus zeros."""
    return np.round(3 * numbers(n, d)) + 0.0


def holes(X, share=0.2):
    """Return `X` with NaN here and there, in all columns but the last."""
    missing = np.random.default_rng(1).random(X.shape) < share
    missing[:, -1] = False
    return np.where(missing, np.nan, X)


def mixed(n=80):
    """Return numbers with holes, categories of few and of many, and a target."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(holes(numbers(n, 3)), columns=["a", "b", "c"])
    frame.insert(1, "few", pd.Categorical(rng.choice(["x", "y", None], n)))
    frame["many"] = pd.Categorical(rng.integers(12, size=n).astype(str))
    frame["same"] = 3.0
    y = frame["c"] + (frame["few"] == "x") + frame["many"].cat.codes / 10
    return frame, y.to_numpy()


#: What makes an estimator quick to train, to the last epoch.
QUICK = {"max_iter": 5, "tol": None, "random_state": 0}

#: Trains nothing, so that what a network starts with is there to see.
STILL = {"max_iter": 1, "optimizer": "sgd", "solver": "bgd", "learning_rate": 1e-300}

#: Leaves columns as they are, and rounds little.
UNSCALED = {"numeric_scaling": None, "dtype": "float64"}

#: Everything that draws random numbers.
RANDOM = {
    "dropout": 0.3,
    "early_stopping": True,
    "batch_size": 16,
    "batch_norm": True,
    "max_iter": 3,
}

#: The same for a pair of members, so that the tuned recipe is quick too.
QUICK_PAIR = QUICK | {"n_members": 2}


def classifier(hidden_layer_dims=(8,), **params):
    """Return a classifier that is quick to train, else with the defaults."""
    return DNNClassifier(hidden_layer_dims, **QUICK_PAIR | params)


def regressor(hidden_layer_dims=(8,), **params):
    """Return a regressor that is quick to train, else with the defaults."""
    return DNNRegressor(hidden_layer_dims, **QUICK_PAIR | params)


#: (estimator, data) of each kind of target.
TASKS = {
    "binary": (classifier, binary),
    "multiclass": (classifier, multiclass),
    "multilabel": (classifier, multilabel),
    "regression": (regressor, regression),
    "multioutput": (regressor, multioutput),
}


#: What to test besides plain networks: the defaults, and what they may be changed to.
RECIPES = {
    "default": {},
    "own": {"n_members": 3, "ensemble_weights": "own"},
    "shared": {"n_members": 3, "ensemble_weights": "shared"},
    "periodic": {"numeric_embedding": "periodic", "n_members": 1},
    "piecewise linear": {"numeric_embedding": "piecewise_linear", "n_members": 1},
    "embedded categories": {
        "categorical_features": [3],
        "categorical_embedding": EntityEmbedding(max_one_hot=0),
        "min_frequency": 1,
    },
    "all at once": {
        "n_members": 3,
        "ensemble_weights": "shared",
        "numeric_embedding": "piecewise_linear",
        "categorical_features": [3],
        "categorical_embedding": EntityEmbedding(max_one_hot=0),
        "min_frequency": 1,
        "hidden_layer_dims": (8, 8),
        "batch_norm": True,
        "residual": True,
        "batch_size": 16,
    },
}


def raw_predictions(estimator, X):
    """Return the raw predictions (n, n_outputs), those of an ensemble as one."""
    return estimator._predict(X, "averaged", dtype=None)


def parameters(estimator):
    """Return everything that training changed, as one vector."""
    network = estimator.network_
    return np.concatenate([network.params, network.statistics])


def layers(estimator, kind):
    """Return the layers of one kind."""
    return [ly for ly in estimator.network_.layers if isinstance(ly, kind)]


#: An ensemble whose members hold out the same rows.
TOGETHER = {"early_stopping": True, "ensemble_weights": "shared"}


def held_out(make, X, y, **params):
    """Return the rows that an estimator holds out, as a scorer sees them."""
    seen = []

    def score(estimator, X, y):
        seen.append((X, y))
        return 0.0

    make(**params, scoring=score, **TOGETHER).fit(X, y)
    return seen[0]
