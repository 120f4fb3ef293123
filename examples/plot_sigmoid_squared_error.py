"""Squared error on sigmoid outputs, with sigmoid hidden layers: the first networks.

The gradient at the output is (a - y) a (1 - a): where the output is wrong and sure of
it, a (1 - a) vanishes and learning stalls. That of cross-entropy is a - y. Draws how
both fall, from the same initial weights, to sigmoid_squared_error.png.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier
from skdnn.nn.losses import LogLoss, SquaredError

X, y = load_breast_cancer(return_X_y=True)

figure, ax = plt.subplots(layout="constrained")
for loss in [SquaredError(link="sigmoid"), LogLoss(link="sigmoid")]:
    clf = DNNClassifier(
        (20, 7),
        activation="sigmoid",
        loss=loss,
        alpha=0.0,
        solver="bgd",
        optimizer="sgd",
        learning_rate=1.0,
        max_iter=1000,
        tol=None,
        random_state=0,
    ).fit(X, y)
    print(f"{loss}: accuracy {clf.score(X, y):.3f}")
    relative = [value / clf.loss_curve_[0] for value in clf.loss_curve_]
    ax.plot(relative, label=type(loss).__name__)

ax.set(xlabel="Iteration", ylabel="Loss, relative to the first")
ax.legend()
figure.savefig("sigmoid_squared_error.png")
