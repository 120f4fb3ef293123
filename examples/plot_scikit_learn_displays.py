"""
scikit-learn's displays and tools, on a network
===============================================

A `DNNClassifier` and a `DNNRegressor` are estimators like any other. What scikit-learn
has to look at models with works on them as it is: here is the ROC curve, calibration,
the confusion matrix, residuals, partial dependence and the decision boundary, and a
threshold tuned for what mistakes cost.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_breast_cancer, load_diabetes, make_moons
from sklearn.inspection import DecisionBoundaryDisplay, PartialDependenceDisplay
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PredictionErrorDisplay,
    RocCurveDisplay,
    confusion_matrix,
    make_scorer,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from skdnn import DNNClassifier, DNNRegressor

# %%
# Of a classifier
# ---------------
#
# Is a tumor malignant? Three of the thirty columns do not quite say.

data = load_breast_cancer(as_frame=True)
X = data.data[["mean radius", "mean texture", "mean smoothness"]]
y = data.target_names[data.target]
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=1
)
clf = DNNClassifier((32, 32), n_members=1, max_iter=30, random_state=0)
clf.fit(X_train, y_train)

figure, (roc, calibration, confusion) = plt.subplots(
    1, 3, figsize=(13, 4), layout="constrained"
)
of_malignant = {"pos_label": "malignant", "name": "network"}
RocCurveDisplay.from_estimator(clf, X_test, y_test, ax=roc, **of_malignant)
CalibrationDisplay.from_estimator(
    clf, X_test, y_test, ax=calibration, strategy="quantile", **of_malignant
)
calibration.set(xlabel="Predicted probability", ylabel="Share of malignant")
ConfusionMatrixDisplay.from_estimator(clf, X_test, y_test, ax=confusion, colorbar=False)
roc.set(xlabel="Share of benign found malignant", ylabel="Share of malignant found")

# %%
# A threshold tuned for what mistakes cost
# ----------------------------------------
#
# To overlook a malignant tumor costs ten times as much as a false alarm. The threshold
# is found by cross-validation, on rows that the network has not seen.


def gain(y_true, y_pred):
    """Return minus the mean cost of mistakes."""
    (_, alarms), (overlooked, _) = confusion_matrix(
        y_true, y_pred, labels=["benign", "malignant"]
    )
    return -(10 * overlooked + alarms) / len(y_true)


tuned = TunedThresholdClassifierCV(
    clf, scoring=make_scorer(gain), store_cv_results=True, cv=3, random_state=0
).fit(X_train, y_train)
for name, model in [("0.5", clf), (f"{tuned.best_threshold_:.3f}", tuned)]:
    mistakes = -gain(y_test, model.predict(X_test))
    print(f"threshold {name:5}  cost of a row {mistakes:.3f}")

figure, ax = plt.subplots(layout="constrained")
results = tuned.cv_results_
ax.plot(results["thresholds"], -np.array(results["scores"]))
ax.axvline(tuned.best_threshold_, color="tab:red", linestyle="--", label="tuned")
ax.set(xlabel="Threshold", ylabel="Cost of a row, cross-validated")
ax.legend()

# %%
# The boundary between two classes
# --------------------------------
#
# With two columns, it can be drawn.

X_moons, y_moons = make_moons(200, noise=0.2, random_state=0)
moons = DNNClassifier((32, 32), n_members=1, max_iter=40, random_state=0)
figure, ax = plt.subplots(layout="constrained")
DecisionBoundaryDisplay.from_estimator(
    moons.fit(X_moons, y_moons),
    X_moons,
    response_method="predict_proba",
    grid_resolution=60,
    cmap="RdBu",
    vmin=0,
    vmax=1,
    alpha=0.8,
    ax=ax,
)
ax.scatter(*X_moons.T, c=y_moons, cmap="RdBu", edgecolor="white", s=28)
ax.set(title="Probability of class 1", xticks=[], yticks=[])

# %%
# Of a regressor
# --------------
#
# Residuals against what is predicted, and what two columns, alone and together, do to
# the prediction.

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=1)
reg = DNNRegressor((32, 32), random_state=0)
reg.fit(X_train, y_train)
print(f"R² on test rows {reg.score(X_test, y_test):.3f}")

figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), layout="constrained")
PredictionErrorDisplay.from_estimator(reg, X_test, y_test, ax=axes[0])
PartialDependenceDisplay.from_estimator(
    reg,
    X_train[:80],
    ["bmi", "s5", ("bmi", "s5")],
    kind="average",
    grid_resolution=12,
    ax=axes[1:],
)
plt.show()
