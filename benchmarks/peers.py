"""Other estimators for tables, each with its own defaults and what it needs before it.

One function each, which makes an estimator for a table: whether its target is a number,
the seed, and the names of its categorical columns.  A library is imported when its
estimator is asked for.
"""

from functools import partial

from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler


def hist_gradient_boosting(regression, seed, categories):
    """Make scikit-learn's gradient boosting, which takes tables as they are."""
    boosting = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    return boosting[regression](random_state=seed)


def linear(regression, seed, categories):
    """Make a ridge or a logistic regression."""
    return encoded(Ridge() if regression else LogisticRegression(max_iter=1000))


def mlp(regression, seed, categories, **params):
    """Make scikit-learn's network; its targets are standardized."""
    if not regression:
        return encoded(MLPClassifier(random_state=seed, **params))
    network = MLPRegressor(random_state=seed, **params)
    return encoded(TransformedTargetRegressor(network, transformer=StandardScaler()))


def lightgbm(regression, seed, categories):
    """Make LightGBM's estimator, which takes tables as they are."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    boosting = (LGBMClassifier, LGBMRegressor)
    return boosting[regression](n_jobs=1, random_state=seed, verbosity=-1)


def catboost(regression, seed, categories):
    """Make CatBoost's estimator, which takes categories as texts."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    boosting = (CatBoostClassifier, CatBoostRegressor)[regression](
        thread_count=1,
        random_seed=seed,
        verbose=False,
        allow_writing_files=False,
        cat_features=categories,
    )
    return make_pipeline(FunctionTransformer(as_texts), boosting)


def encoded(est):
    """Return a pipeline in which numbers have no holes, and categories are one-hot."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    )
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (
            make_pipeline(FunctionTransformer(as_texts), one_hot),
            make_column_selector(dtype_include="category"),
        ),
    )
    return make_pipeline(columns, est)


def as_texts(X):
    """Return the frame with categories as texts, missing ones as one of their own."""
    categories = X.select_dtypes("category")
    return X.assign(**categories.astype(object).fillna("__nan__"))


#: name -> function
PEERS = {
    "hgb": hist_gradient_boosting,
    "catboost": catboost,
    "lightgbm": lightgbm,
    "mlp with early stopping": partial(
        mlp, hidden_layer_sizes=(256, 256), early_stopping=True
    ),
    "mlp": mlp,
    "linear": linear,
}
