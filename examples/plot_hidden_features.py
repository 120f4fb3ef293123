"""Hidden layers as features: a linear model on them beats one on the raw columns.

A network learns columns in which the target is easier to see. `HiddenFeatures` is a
transformer from the table to these columns, for any estimator to go on with. On
handwritten digits, a logistic regression is as good as the whole network once it reads
a hidden layer. Draws rows that the network has not seen to hidden_features.png, in the
plane in which a linear discriminant analysis sees the digits best: hidden units have
them closer together than pixels.
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
network = DNNClassifier((64, 64), max_iter=30, random_state=0)
linear = LogisticRegression(max_iter=1000)
folds = StratifiedKFold(5, shuffle=True, random_state=0)

for name, estimator in {
    "linear on pixels": make_pipeline(StandardScaler(), linear),
    "linear on hidden layer 1": make_pipeline(HiddenFeatures(network, layer=0), linear),
    "linear on hidden layer 2": make_pipeline(HiddenFeatures(network), linear),
    "network": network,
}.items():
    scores = cross_val_score(estimator, X, y, cv=folds)
    print(f"{name:25} accuracy {scores.mean():.3f} ± {scores.std():.3f}")

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
figure.savefig("hidden_features.png")
