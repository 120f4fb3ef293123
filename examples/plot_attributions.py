"""Which columns a network reads: attributions beside permutation importances.

The 30 columns of the breast cancer table are measurements of the same cells, and say
much the same: radius, perimeter and area. Permutation importance asks how much worse
the score gets without a column, which is little where others say the same. Integrated
gradients ask how far each column moves the probability of each row, on the way from the
middle of all columns: what the network reads has large attributions, also where it
could do without. Neither says what causes the disease. The last part is the row that
the network is least sure of. Draws all to attributions.png.
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
clf = DNNClassifier(random_state=0).fit(X_train, y_train)
print(f"accuracy on test rows {clf.score(X_test, y_test):.3f}")

permuted = permutation_importance(
    clf, X_test, y_test, scoring="accuracy", n_repeats=10, random_state=0
)
attributions = integrated_gradients(clf, X_test, target="malignant")
size = np.abs(attributions).mean(axis=0)
top = np.argsort(-size)[:10]
print(f"{'':24} attribution  accuracy lost")
for j in top:
    print(
        f"{X_test.columns[j]:24} {size[j]:11.3f}  {permuted.importances_mean[j]:13.3f}"
    )

figure = plt.figure(figsize=(11, 8), layout="constrained")
(left, right), (below, row) = figure.subplots(2, 2)
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
right.set_yticks(range(10), X_test.columns[top])
right.invert_yaxis()
right.set_xlabel("Accuracy lost when permuted")
display.plot(kind="swarm", max_features=10, ax=below)

p = clf.predict_proba(X_test)[:, list(clf.classes_).index("malignant")]
unsure = np.argmin(np.abs(p - 0.5))
AttributionsDisplay.from_estimator(
    clf, X_test.iloc[[unsure]], target="malignant", max_features=10, ax=row
)
row.set_title(f"A {y_test[unsure]} row, probability {p[unsure]:.2f}")
figure.savefig("attributions.png")
