"""
Which columns a network reads
=============================

The 30 columns of the breast cancer table are measurements of the same cells, and say
much the same: radius, perimeter and area. Permutation importance asks how much worse
the score gets without a column, which is little where others say the same. Integrated
gradients ask how far each column moves the probability of each row, on the way from the
middle of all columns: what the network reads has large attributions, also where it
could do without. Neither says what causes the disease.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split

from skdnn import AttributionsDisplay, DNNClassifier
from skdnn.inspection import integrated_gradients

data = load_breast_cancer(as_frame=True)
labels = data.target_names[data.target]
X_train, X_test, y_train, y_test = train_test_split(
    data.data, labels, stratify=labels, random_state=0
)
clf = DNNClassifier((32, 32), max_iter=40, random_state=0).fit(X_train, y_train)
print(f"accuracy on test rows {clf.score(X_test, y_test):.3f}")

# %%
# Two answers
# -----------

permuted = permutation_importance(
    clf, X_test, y_test, scoring="accuracy", n_repeats=5, random_state=0
)
attributions = integrated_gradients(clf, X_test, target="malignant")
size = np.abs(attributions).mean(axis=0)
top = np.argsort(-size)[:10]
print(f"{'':24} attribution  accuracy lost")
for j in top:
    print(
        f"{X_test.columns[j]:24} {size[j]:11.3f}  {permuted.importances_mean[j]:13.3f}"
    )

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4.2), sharey=True, layout="constrained"
)
display = AttributionsDisplay(
    attributions,
    features=X_test.to_numpy(),
    feature_names=X_test.columns,
    target_name="probability of malignant",
)
display.plot(max_features=10, ax=left)
right.barh(
    range(10), permuted.importances_mean[top], xerr=permuted.importances_std[top]
)
right.set_xlabel("Accuracy lost when permuted")

# %%
# Row by row
# ----------
#
# A dot is a row, its color the value of the column. Large areas speak for malignant,
# and small ones against it.

figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
display.plot(kind="swarm", max_features=10, ax=ax)

# %%
# The row that the network is least sure of: what speaks for malignant, and what
# against.

p = clf.predict_proba(X_test)[:, list(clf.classes_).index("malignant")]
unsure = np.argmin(np.abs(p - 0.5))
figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
AttributionsDisplay.from_estimator(
    clf, X_test.iloc[[unsure]], target="malignant", max_features=10, ax=ax
)
ax.set_title(f"A {y_test[unsure]} row, probability {p[unsure]:.2f}")
plt.show()
