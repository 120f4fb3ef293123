"""
What a network is made of
=========================

`NetworkDisplay` draws the layers of a network, with their units, activations and
numbers of parameters. The network of a textbook is its hidden layers and no more. The
default recipe puts an embedding and a scaling of each column below them, and trains
several such networks side by side. Of twenty equal layers, the first and the last are
drawn.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier, NetworkDisplay

X, y = load_breast_cancer(return_X_y=True)
networks = {
    "Textbook": DNNClassifier((20, 7, 5), recipe="plain"),
    "Default": DNNClassifier(),
    "Deep": DNNClassifier((32,) * 20, recipe="plain", batch_norm=True, residual=True),
}
figure, axes = plt.subplots(1, 3, figsize=(18, 7), layout="constrained")
for ax, (name, clf) in zip(axes, networks.items(), strict=True):
    clf.set_params(max_iter=5, tol=None, random_state=0).fit(X, y)
    NetworkDisplay.from_estimator(clf, ax=ax, name=name)
    shapes = [coef.shape for coef in clf.coefs_[:2]]
    print(f"{name}: {clf.n_layers_} layers, weights of shapes {shapes} and so on")
plt.show()
