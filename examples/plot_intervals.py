r"""
Intervals: three quantiles from one network
===========================================

The spread of the target grows from left to right, and a network is asked for its 5 %,
50 % and 95 % quantiles: 9 of 10 new rows should lie between the outer two. The loss of
quantile :math:`q` at a deviation :math:`r = y - \hat y` is
:math:`\max(q r, (q - 1) r)`.

From few rows, a network with the defaults is less sure of itself than it might be, and
a plain one, which learns them by heart, is too sure. Conformal calibration (Romano,
Patterson and Candès, 2019) moves both ends by what rows put aside for it have shown: 9
of 10 comes out of either. `MAPIE <https://mapie.readthedocs.io>`_ does that.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from skdnn import DNNRegressor
from skdnn.nn.losses import Quantile

try:
    from mapie.regression import ConformalizedQuantileRegressor
except ImportError as error:
    raise ImportError(
        "The intervals are calibrated with MAPIE: pip install mapie"
    ) from error


def draw_rows(n, seed):
    """Return a column, a target, and the quantiles that it has."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    center, spread = x * np.sin(x) / 3, 0.3 + 0.15 * x
    y = center + spread * rng.standard_normal(n)
    return x[:, None], y, center + 1.645 * np.array([-1, 0, 1])[:, None] * spread


X_train, y_train, _ = draw_rows(100, seed=0)
X_calibrate, y_calibrate, _ = draw_rows(1000, seed=1)
X_test, y_test, true = draw_rows(5000, seed=2)

# %%
# One fit, three columns
# ----------------------
#
# The predictions of ``loss=Quantile([...])`` have a column for each quantile, and never
# cross.

LEVELS = [0.05, 0.5, 0.95]
networks = {
    "defaults": DNNRegressor(loss=Quantile(LEVELS), random_state=0),
    "plain": DNNRegressor(
        loss=Quantile(LEVELS), recipe="plain", max_iter=500, tol=None, random_state=0
    ),
}


def describe(name, low, high):
    """Print how many of the test rows an interval covers, and how wide it is."""
    covered, width = np.mean((low <= y_test) & (y_test <= high)), np.mean(high - low)
    print(f"{name:20} covers {covered:.1%} of new rows, mean width {width:.2f}")


for name, reg in networks.items():
    low, _, high = reg.fit(X_train, y_train).predict(X_test).T
    describe(name, low, high)

# %%
# Calibrated
# ----------
#
# MAPIE takes a fitted model for each quantile, in the order of low, high and median, so
# that each column becomes one.


class Column(RegressorMixin, BaseEstimator):
    """One column of what a fitted regressor predicts."""

    def __init__(self, regressor, column):
        self.regressor = regressor
        self.column = column

    def fit(self, X, y):
        self.fitted_ = True  # the regressor is
        return self

    def predict(self, X):
        return self.regressor.predict(X)[:, self.column]


figure, axes = plt.subplots(
    1, 2, figsize=(10, 4.4), sharex=True, sharey=True, layout="constrained"
)
x = X_test[:, 0]
for ax, (name, reg) in zip(axes, networks.items(), strict=True):
    low, median, high = reg.predict(X_test).T
    ax.scatter(X_train[:, 0], y_train, s=8, color="gray", label="training rows")
    ax.fill_between(x, low, high, alpha=0.3, label="5 % to 95 %")
    ax.plot(x, median, label="median")
    truth = ax.plot(x, true[[0, 2]].T, color="black", linewidth=0.8, linestyle=":")
    truth[0].set_label("truth")

    columns = [Column(reg, k).fit(X_train, y_train) for k in (0, 2, 1)]
    mapie = ConformalizedQuantileRegressor(columns, confidence_level=0.9, prefit=True)
    _, interval = mapie.conformalize(X_calibrate, y_calibrate).predict_interval(X_test)
    low, high = interval[:, :, 0].T
    describe(f"{name}, calibrated", low, high)
    lines = ax.plot(x, np.c_[low, high], color="tab:red", linestyle="--")
    lines[0].set_label("calibrated")
    ax.set(title=name, xlabel="x", ylabel="y")
    ax.label_outer()
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()
