"""
How much data is enough: a learning curve
=========================================

The amount of training data is a hyperparameter like the others: more of it may be had,
at a price. A learning curve is the score against the number of rows. Where the score on
other rows still rises, more rows will help; where it has met that of the training rows,
only another model will. A network gains from rows for longer than a linear model does,
which is why it pays to look before deciding for either.

This is S12 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LearningCurveDisplay, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier

X, y = load_digits(return_X_y=True)
models = {
    "Logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
    "Network": DNNClassifier(
        (64, 64), n_members=1, max_iter=20, tol=None, random_state=0
    ),
}
figure, axes = plt.subplots(
    1, 2, figsize=(10, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    display = LearningCurveDisplay.from_estimator(
        model,
        X,
        y,
        train_sizes=[60, 150, 400, 1190],
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        shuffle=True,
        random_state=0,
        score_name="Accuracy",
        ax=ax,
    )
    ax.set(title=name, xscale="log", xlabel="Rows to train on")
    ax.set_xticks(display.train_sizes, display.train_sizes)
    ax.minorticks_off()
    for n_rows, scores in zip(display.train_sizes, display.test_scores, strict=True):
        print(f"{name:20} {n_rows:5d} rows: {scores.mean():.3f} ± {scores.std():.3f}")
plt.show()
