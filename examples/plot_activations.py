"""Vanishing gradients, and how batch normalization mends them.

Sigmoid networks of 2, 8 and 20 hidden layers. On its way back from the output, the
gradient gets smaller with each layer (lines from light to dark), so that the first
layers of a deep network stay as they were drawn; on the way forward, what tells rows
apart gets lost. With `batch_norm`, which keeps what goes into the sigmoids where their
slope is, neither happens. Draws the gradients of each layer, epoch by epoch, to
activations.png. (Needs scikit-learn 1.9 or newer, for its callbacks.)
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification

from skdnn import ActivationsDisplay, DNNClassifier, LayerMonitor

DEPTHS = [2, 8, 20]

X, y = make_classification(300, 20, n_informative=6, random_state=0)
figure, axes = plt.subplots(
    3, 2, figsize=(10, 9), sharex=True, sharey="row", layout="constrained"
)
for depth, row in zip(DEPTHS, axes, strict=True):
    for batch_norm, ax in zip([False, True], row, strict=True):
        clf = DNNClassifier(
            (20,) * depth,
            recipe="plain",
            activation="sigmoid",
            batch_norm=batch_norm,
            optimizer="momentum",
            learning_rate=0.1,
            max_iter=60,
            tol=None,
            random_state=0,
        )
        monitor = LayerMonitor()
        with warnings.catch_warnings():
            # A deep network without it learns nothing, and says so.
            warnings.simplefilter("ignore")
            clf.set_callbacks(monitor).fit(X, y)
        name = f"{depth} layers, {batch_norm = }"
        ActivationsDisplay.from_monitor(
            monitor, quantities=["gradients"], ax=ax, name=name
        )
        ax.label_outer()
        first, last = monitor.gradients[-1][0], monitor.gradients[-1][-1]
        print(
            f"{name:28} gradient of the first layer / the last: {first / last:7.1e}, "
            f"accuracy on training rows {clf.score(X, y):.3f}"
        )
figure.savefig("activations.png")
