"""Runs beside each other: what the learning rate does.

Too small a learning rate, and the loss hardly falls; too large, and it jumps. Each run
has a color, the loss on rows held out is dashed, and the dot is the epoch whose weights
are kept. On the right, training stops by the accuracy on these rows, which has an axis
of its own. Draws both to loss_curves.png.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier, LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
params = {"early_stopping": True, "max_iter": 40, "tol": None, "random_state": 0}
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")

for learning_rate in [0.0003, 0.01, 0.3]:
    clf = DNNClassifier((32,), learning_rate=learning_rate, **params).fit(X, y)
    LossCurveDisplay.from_estimator(clf, ax=left, name="adamw")
    print(
        f"learning rate {learning_rate}: epoch {clf.best_iter_} is best, "
        f"validation loss {min(clf.validation_loss_curve_):.3f}"
    )
left.set(title="Three learning rates", yscale="log")

clf = DNNClassifier((32,), scoring="accuracy", **params).fit(X, y)
LossCurveDisplay.from_estimator(clf, ax=right)
print(f"accuracy {clf.best_validation_score_:.3f} after epoch {clf.best_iter_}")
figure.savefig("loss_curves.png")
