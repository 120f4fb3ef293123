"""skdnn and scikit-learn's MLP on four real tables.

Prints the scores and times of a five-fold cross-validation, and draws what skdnn's
networks lost in each epoch to demo.png, in the current directory.

skdnn keeps its default settings and takes the tables as they are. scikit-learn's
classifier gets the epochs it needs, its regressor stops early, as it would learn the
few rows by heart; for both, categories are one-hot encoded, holes filled, and columns
and target standardized.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skdnn import DNNClassifier, DNNRegressor, LossCurveDisplay

PENGUINS = Path(__file__).parent / "data" / "penguins.csv"
FIGURE = Path("demo.png")
ROW = "{:14} {:>10}  {:8}  {:>13} {:>7}  {:>13} {:>7}"


def load_penguins():
    """Return a table with categories and holes, and the species of each row."""
    table = pd.read_csv(PENGUINS)
    return table.drop(columns="species"), table["species"]


def encoded(*steps):
    """Return a pipeline that ends in `steps` and has a column for each category."""
    categories = make_column_selector(dtype_exclude="number")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        make_column_transformer((one_hot, categories), remainder="passthrough"), *steps
    )


def contenders(metric):
    """Return the pipelines to compare: skdnn's and scikit-learn's."""
    if metric == "accuracy":
        ours = DNNClassifier(random_state=0)
        theirs = MLPClassifier(max_iter=1000, random_state=0)
    else:
        ours = DNNRegressor(random_state=0)
        theirs = TransformedTargetRegressor(
            MLPRegressor(early_stopping=True, random_state=0),
            transformer=StandardScaler(),
        )
    return {
        "skdnn": ours,
        "MLP": encoded(SimpleImputer(), StandardScaler(), theirs),
    }


def compare(name, X, y, metric, ax):
    """Print a row of the table, and draw the losses of skdnn's first network."""
    splitter = StratifiedKFold if metric == "accuracy" else KFold
    cells = []
    for contender, pipeline in contenders(metric).items():
        folds = cross_validate(
            pipeline,
            X,
            y,
            scoring=metric,
            cv=splitter(n_splits=5, shuffle=True, random_state=0),
            return_estimator=True,
        )
        score = folds["test_score"]
        cells += [f"{score.mean():.3f} ± {score.std():.3f}"]
        cells += [f"{folds['fit_time'].mean():.2f} s"]
        if contender == "skdnn":
            network = folds["estimator"][0]
            LossCurveDisplay.from_estimator(network, ax=ax, name=name)
    shape = f"{X.shape[0]} x {X.shape[1]}"
    print(ROW.format(name, shape, metric, *cells), flush=True)


def main():
    tables = {
        "breast cancer": (
            *load_breast_cancer(return_X_y=True, as_frame=True),
            "accuracy",
        ),
        "digits": (*load_digits(return_X_y=True, as_frame=True), "accuracy"),
        "diabetes": (*load_diabetes(return_X_y=True, as_frame=True), "r2"),
        "penguins": (*load_penguins(), "accuracy"),
    }
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    print(ROW.format("data", "size", "metric", "skdnn", "fit", "sklearn MLP", "fit"))
    # Two threads on products this small gain little, and lose much on a busy machine.
    with threadpool_limits(1):
        for ax, (name, table) in zip(axes.flat, tables.items(), strict=True):
            compare(name, *table, ax)
    figure.savefig(FIGURE)
    print(
        "Scores: mean ± standard deviation over five folds. Times: one fit, one thread."
        f"\nLoss curves: {FIGURE.resolve()}"
    )


if __name__ == "__main__":
    main()
