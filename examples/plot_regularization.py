"""An L2 penalty against overfitting, batch normalization against vanishing gradients.

On the left, a network with more weights than it needs: too small a penalty `alpha` and
it is sure of what it has learned by heart, too large and it learns nothing. On the
right, eight layers of sigmoids, which hardly train unless `batch_norm` keeps what goes
into them where their slope is. Draws both to regularization.png. (A plain network has
neither, but for what is set.)
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import ValidationCurveDisplay

from skdnn import DNNClassifier

X, y = make_classification(300, 30, n_informative=6, flip_y=0.1, random_state=0)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")

display = ValidationCurveDisplay.from_estimator(
    DNNClassifier(
        (50, 50), recipe="plain", optimizer="rmsprop", tol=None, random_state=0
    ),
    X,
    y,
    param_name="alpha",
    param_range=np.logspace(-2, 3, 11),
    scoring="neg_log_loss",
    negate_score=True,
    score_name="Log loss",
    std_display_style=None,
    ax=left,
)
test_loss = -display.test_scores.mean(axis=1)
for alpha, loss in zip(display.param_range, test_loss, strict=True):
    print(f"alpha = {alpha:<8.3g}  log loss on test rows {loss:.3f}")

for batch_norm in [False, True]:
    clf = DNNClassifier(
        (20,) * 8,
        recipe="plain",
        activation="sigmoid",
        batch_norm=batch_norm,
        optimizer="momentum",
        max_iter=100,
        tol=None,
        random_state=0,
    ).fit(X, y)
    accuracy = clf.score(X, y)
    print(f"batch_norm = {batch_norm!s:5}  accuracy on training rows {accuracy:.3f}")
    right.plot(clf.loss_curve_, label=f"{batch_norm=}")

left.set_title("A wide network")
right.set(title="A deep network", xlabel="Epoch", ylabel="Loss")
right.legend()
figure.savefig("regularization.png")
