r"""
An L2 penalty against overfitting
=================================

A network with more weights than it needs learns its rows by heart. A penalty on the
squares of the weights keeps them small: with :math:`m` rows and a strength
:math:`\lambda`, the parameter `alpha`, training minimizes

.. math::

    J = \frac{1}{m} \sum_{i=1}^m \mathrm{loss}_i
        + \frac{\lambda}{2 m} \sum_l \lVert W_l \rVert^2

Biases are free. Too small a penalty, and the network is sure of what it has learned by
heart; too large, and it learns nothing, which a warning says.

This is S6 of the :ref:`textbook's systems <textbook>`.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import ValidationCurveDisplay

from skdnn import DNNClassifier

X, y = make_classification(300, 30, n_informative=6, flip_y=0.1, random_state=0)
clf = DNNClassifier(
    (50, 50), recipe="plain", learning_rate=0.005, tol=None, random_state=0
)

# %%
# What is minimized
# -----------------
#
# `loss_` is the objective, penalty included. By hand, before the steps of one more
# epoch:

clf.set_params(max_iter=20, alpha=1.0, solver="bgd", dtype="float64", warm_start=True)
clf.fit(X, y)
penalty = clf.alpha / (2 * len(y)) * sum((W**2).sum() for W in clf.coefs_)
J = log_loss(y, clf.predict_proba(X)) + penalty
clf.set_params(max_iter=1).fit(X, y)
print(f"by hand {J:.6f}, of which {penalty:.6f} is the penalty; loss_ {clf.loss_:.6f}")

# %%
# How strong it should be
# -----------------------
#
# On the left, the loss on the rows of training and on others. On the right, the weights
# of the first layer that a penalty leaves.

warnings.simplefilter("ignore", ConvergenceWarning)
clf = clone(clf).set_params(max_iter=60, solver="minibatch", warm_start=False)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
display = ValidationCurveDisplay.from_estimator(
    clf,
    X,
    y,
    param_name="alpha",
    param_range=np.logspace(-2, 2, 9),
    scoring="neg_log_loss",
    negate_score=True,
    score_name="Log loss",
    std_display_style=None,
    cv=3,
    ax=left,
)
test_loss = -display.test_scores.mean(axis=1)
for alpha, loss in zip(display.param_range, test_loss, strict=True):
    print(f"alpha = {alpha:<8.3g}  log loss on test rows {loss:.3f}")

strengths = [0.01, 1, 10, 100]
for position, alpha in enumerate(strengths):
    weights = clone(clf).set_params(alpha=alpha).fit(X, y).coefs_[0]
    right.violinplot(weights.ravel(), [position], widths=0.8, showextrema=False)
right.set_xticks(range(len(strengths)), strengths)
right.set(xlabel="alpha", ylabel="Weights of the first layer")
plt.show()
