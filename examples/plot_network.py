"""What a network is made of: the textbook's, the default one, and a deep one.

The default recipe puts an embedding and a scaling of each column below the hidden
layers, and trains several such networks side by side. Of twenty equal layers, the first
and the last are drawn. Draws all three to network.png.
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
figure.savefig("network.png")
