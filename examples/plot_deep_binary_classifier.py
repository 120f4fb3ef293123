r"""
The textbook's deep binary classifier
=====================================

The complete network of a first textbook, with nothing left to defaults: weights drawn
from ``randn / sqrt(n_in)``, biases of zero, hidden layers of rectifiers, one sigmoid
output :math:`a`, and 3000 steps down the gradient of the cross-entropy of all rows,

.. math::

    J = -\frac{1}{m} \sum_{i=1}^m
        \bigl( y_i \log a_i + (1 - y_i) \log(1 - a_i) \bigr), \qquad
    \delta_L = a - y,

with a learning rate of 0.0075. The cost is recorded in each iteration. The class is 1
where the output exceeds 0.5.

These are S8 and S9 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from skdnn import DNNClassifier, LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

clf = DNNClassifier(
    (20, 7, 5),
    activation="relu",
    weight_init="lecun_normal",
    alpha=0.0,
    solver="bgd",
    optimizer="sgd",
    learning_rate=0.0075,
    max_iter=3000,
    tol=None,
    numeric_scaling="standard",
    dtype="float64",
    random_state=0,
).fit(X_train, y_train)

# %%
# The cost as training went
# -------------------------
#
# `loss_curve_` has a value for each iteration. (With ``verbose=1``, each is printed
# while training runs.)

for iteration in range(0, clf.n_iter_, 500):
    print(f"cost after {iteration:4d} iterations: {clf.loss_curve_[iteration]:.4f}")

LossCurveDisplay.from_estimator(clf)
plt.show()

# %%
# What it is worth
# ----------------

positive = clf.predict_proba(X_test)[:, 1] > 0.5
assert (clf.predict(X_test) == positive).all()
print(f"accuracy on training rows: {clf.score(X_train, y_train):.3f}")
print(f"accuracy on test rows:     {clf.score(X_test, y_test):.3f}")
