r"""
Vanishing gradients, and how batch normalization mends them
===========================================================

On its way back through a deep network of sigmoids, the gradient gets smaller with each
layer, so that the first layers stay as they were drawn; on the way forward, what tells
rows apart gets lost. Batch normalization keeps what goes into the sigmoids where their
slope is. For each unit, over the rows of a batch :math:`B`,

.. math::

    \hat z = \frac{z - \mathrm{mean}_B}{\sqrt{\mathrm{var}_B + \epsilon}}, \qquad
    z \leftarrow \gamma \hat z + \beta,

with a gain :math:`\gamma` and a shift :math:`\beta` that are learned. Predictions take
running averages of mean and variance, so that a row is predicted the same among any
others. `LayerMonitor` is a callback that measures what goes on in each layer, and
`ActivationsDisplay` draws it. (Callbacks need scikit-learn 1.9 or newer.)

This is S7 of the :ref:`textbook's systems <textbook>`.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from skdnn import ActivationsDisplay, DNNClassifier, HiddenFeatures, LayerMonitor
from skdnn.export import to_arrays

X, y = make_classification(200, 20, n_informative=6, random_state=0)
X = StandardScaler().fit_transform(X)

# %%
# Gradients of each layer
# -----------------------
#
# Networks of 2, 8 and 20 hidden layers, without and with `batch_norm`. Lines go from
# the first layer (dark) to the last (light).

figure, axes = plt.subplots(
    3, 2, figsize=(10, 9), sharex=True, sharey="row", layout="constrained"
)
for depth, row in zip([2, 8, 20], axes, strict=True):
    for batch_norm, ax in zip([False, True], row, strict=True):
        clf = DNNClassifier(
            (20,) * depth,
            recipe="plain",
            activation="sigmoid",
            batch_norm=batch_norm,
            numeric_scaling=None,
            optimizer="momentum",
            learning_rate=0.1,
            batch_size=100,
            max_iter=30,
            tol=None,
            random_state=0,
        )
        monitor = LayerMonitor()
        with warnings.catch_warnings():
            # A deep network without it learns nothing, and says so.
            warnings.simplefilter("ignore", ConvergenceWarning)
            clf.set_callbacks(monitor).fit(X, y)
        ActivationsDisplay.from_monitor(
            monitor,
            quantities=["gradients"],
            ax=ax,
            name=f"{depth} layers, {batch_norm = }",
        )
        ax.label_outer()
        first, last = monitor.gradients[-1][0], monitor.gradients[-1][-1]
        print(
            f"{depth:2d} layers, {batch_norm = !s:5}  gradient of the first layer / "
            f"the last: {first / last:7.1e}, accuracy {clf.score(X, y):.3f}"
        )

# %%
# A prediction by hand
# --------------------
#
# The first hidden layer of the last network, from its running averages, and the same
# from skdnn.

layer = {
    name.removeprefix("network/1/"): value
    for name, value in to_arrays(clf).items()
    if name.startswith("network/1/")
}
z = X @ clf.coefs_[0]
z_hat = (z - layer["mean"]) / np.sqrt(layer["var"] + layer["epsilon"])
activations = expit(layer["gamma"] * z_hat + layer["beta"])
hidden = HiddenFeatures(FrozenEstimator(clf), layer=0).fit_transform(X)
print(f"largest difference {np.abs(activations - hidden).max():.0e}")
plt.show()
