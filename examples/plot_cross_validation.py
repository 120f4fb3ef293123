"""
Three folds or ten
==================

With :math:`m` folds, each row is predicted once, by a network that was trained on
:math:`(m - 1) / m` of the others. Ten folds train on 90 % of the rows, three on 67 %:
three say less of what the network that sees all rows will be worth. But each of ten
folds is small, and ten networks take longer. Hence the rule: ten where there are enough
rows for each fold to mean something, three where there are not.

Here we can know what all that should come out at: a network trained on all rows is
scored on two thousand new ones.

This is S13 of the :ref:`textbook's systems <textbook>`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skdnn import DNNClassifier

X, y = make_classification(
    3000, 20, n_informative=8, class_sep=1.2, flip_y=0.05, random_state=0
)
clf = DNNClassifier(
    (16,), recipe="plain", learning_rate=0.02, max_iter=20, tol=None, random_state=0
)
N_DRAWS = 4

# %%
# Small and larger tables
# -----------------------
#
# Of each size, four tables are drawn, with three and with ten folds in each. A dot is a
# fold: what it says less what is true.

figure, axes = plt.subplots(
    1, 2, figsize=(10, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, n_rows in zip(axes, [120, 600], strict=True):
    rng = np.random.default_rng(0)
    errors = {3: [], 10: []}
    for _ in range(N_DRAWS):
        rows = rng.permutation(len(y))
        few, rest = rows[:n_rows], rows[n_rows:]
        truth = clf.fit(X[few], y[few]).score(X[rest], y[rest])
        for n_folds, of_folds in errors.items():
            cv = StratifiedKFold(n_folds, shuffle=True, random_state=0)
            scores = cross_val_score(clf, X[few], y[few], cv=cv)
            of_folds.append(scores - truth)
    for position, (n_folds, of_folds) in enumerate(errors.items()):
        of_folds = np.array(of_folds)
        noise = rng.uniform(-0.1, 0.1, of_folds.shape)
        ax.plot((position + noise).ravel(), of_folds.ravel(), ".", alpha=0.5)
        means = of_folds.mean(axis=1)
        ax.errorbar(position, means.mean(), means.std(), fmt="ks", capsize=6)
        print(
            f"{n_rows} rows, {n_folds:2d} folds: one is off by {of_folds.std():.3f}, "
            f"the mean of all by {means.mean():+.3f} ± {means.std():.3f}"
        )
    ax.axhline(0, color="gray", linewidth=0.8, zorder=0)
    ax.set(title=f"{n_rows} rows", xlim=(-0.5, 1.5))
    ax.set_xticks([0, 1], ["3 folds", "10 folds"])
axes[0].set_ylabel("Accuracy, less the true one")
plt.show()
