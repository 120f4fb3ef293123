"""
Loss curves: what the learning rate does
========================================

The cost of each epoch says how training went: with too small a learning rate the loss
hardly falls, with too large a one it jumps. `LossCurveDisplay` draws it, with the
learning rate; with early stopping, also the loss on rows held out (dashed) and the
epoch whose weights are kept (the dot). Several runs go into the same axes.

This is S9 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier, LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
params = {
    "n_members": 1,
    "early_stopping": True,
    "validation_fraction": 0.3,
    "max_iter": 40,
    "tol": None,
    "random_state": 0,
}

# %%
# Three learning rates
# --------------------

figure, ax = plt.subplots(layout="constrained")
for learning_rate in [0.0003, 0.01, 0.3]:
    clf = DNNClassifier((32,), learning_rate=learning_rate, **params).fit(X, y)
    LossCurveDisplay.from_estimator(clf, ax=ax, name="adamw")
    print(
        f"learning rate {learning_rate}: epoch {clf.best_iter_} is best, "
        f"validation loss {min(clf.validation_loss_curve_):.3f}"
    )
ax.set(yscale="log")

# %%
# A score to stop by
# ------------------
#
# With ``scoring="accuracy"``, the epoch of the highest accuracy on the rows held out is
# kept. It has an axis of its own, on the right.

clf = DNNClassifier((32,), learning_rate=0.01, scoring="accuracy", **params).fit(X, y)
LossCurveDisplay.from_estimator(clf)
print(f"accuracy {clf.best_validation_score_:.3f} after epoch {clf.best_iter_}")
plt.show()
