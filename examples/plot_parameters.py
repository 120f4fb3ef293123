"""
What is chosen, and what is learned
===================================

Hyperparameters are chosen: they are the parameters of the constructor, `get_params`
lists them, and `fit` does not change them. Parameters are learned: they are attributes
that end in an underscore, they come with `fit`, and `clone` leaves them behind. The
same choice on other rows leads to other weights; on the same rows it leads to the same
ones, to the last bit.

This is S16 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer

from skdnn import DNNClassifier

X, y = load_breast_cancer(return_X_y=True)

# %%
# Chosen
# ------
#
# What is set stays as it was set; all others have defaults.

clf = DNNClassifier((16, 8), recipe="plain", max_iter=60, tol=None, random_state=0)
chosen = clf.get_params()
print(f"{len(chosen)} hyperparameters, among them")
for name in ["hidden_layer_dims", "max_iter", "learning_rate", "alpha"]:
    print(f"    {name} = {chosen[name]!r}")

# %%
# Learned
# -------
#
# Nothing is there before `fit`.

try:
    print(clf.coefs_)
except AttributeError as error:
    print(error)

clf.fit(X[::2], y[::2])
assert clf.get_params() == chosen
learned = sorted(name for name in vars(clf) if name.endswith("_"))
print("learned:", ", ".join(learned))
print("weights:", ", ".join(str(W.shape) for W in clf.coefs_))
print("biases: ", ", ".join(str(b.shape) for b in clf.intercepts_))

# %%
# The same choice again
# ---------------------
#
# Three more networks: one with the same hyperparameters from the same rows, one with
# the same from the other half of the rows, and one with another `random_state`. They
# predict much the same. The weights of the second begin where those of the first did,
# and end elsewhere; those of the third have nothing in common with them.

networks = {
    "Same rows": clone(clf).fit(X[::2], y[::2]),
    "Other rows": clone(clf).fit(X[1::2], y[1::2]),
    "Other seed": clone(clf).set_params(random_state=1).fit(X[::2], y[::2]),
}
assert all(map(np.array_equal, clf.coefs_, networks["Same rows"].coefs_))


def all_weights(network):
    return np.concatenate([W.ravel() for W in network.coefs_])


figure, axes = plt.subplots(
    1, 3, figsize=(11, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    ax.plot(all_weights(clf), all_weights(network), ".", alpha=0.6)
    ax.axline((0, 0), slope=1, color="gray", linewidth=0.8, zorder=0)
    agree = np.mean(network.predict(X) == clf.predict(X))
    ax.set(title=f"{name}\n{agree:.1%} predicted alike", aspect="equal")
    ax.set_xlabel("Weight of the first network")
axes[0].set_ylabel("Weight of the other one")
plt.show()
