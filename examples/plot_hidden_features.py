r"""
Hidden layers as features
=========================

A network learns columns in which the target is easier to see. `HiddenFeatures` is a
transformer from the table to the activations :math:`A_l` of a hidden layer, for any
estimator to go on with. On handwritten digits, a logistic regression is as good as the
whole network once it reads a hidden layer.

This is S15 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, HiddenFeatures

X, y = load_digits(return_X_y=True)
network = DNNClassifier((64, 64), n_members=1, max_iter=16, tol=None, random_state=0)

# %%
# A linear model on each layer
# ----------------------------

linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=160))
folds = StratifiedKFold(3, shuffle=True, random_state=0)
for name, estimator in {
    "linear on pixels": linear,
    "linear on hidden layer 1": make_pipeline(HiddenFeatures(network, layer=0), linear),
    "linear on hidden layer 2": make_pipeline(HiddenFeatures(network), linear),
    "network": network,
}.items():
    scores = cross_val_score(estimator, X, y, cv=folds)
    print(f"{name:25} accuracy {scores.mean():.3f} ± {scores.std():.3f}")

# %%
# A look at the columns
# ---------------------
#
# Rows that the network has not seen, in the plane in which a linear discriminant
# analysis sees the digits best: hidden units have them closer together than pixels.

X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, name, columns in [
    (axes[0], "Pixels", StandardScaler()),
    (axes[1], "Hidden layer 2", HiddenFeatures(network)),
]:
    plane = make_pipeline(
        columns,
        LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1, n_components=2),
    )
    positions = plane.fit(X_train, y_train).transform(X_test)
    points = ax.scatter(*positions.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=14)
    ax.set(title=name, xticks=[], yticks=[])
figure.colorbar(points, ax=axes, ticks=range(10), label="Digit")
plt.show()
