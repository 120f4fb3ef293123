"""Intervals: one network that predicts three quantiles, and how many rows they cover.

The spread of the target grows from left to right, and a network is asked for its 5 %,
50 % and 95 % quantiles: 9 of 10 new rows should lie between the outer two. From few
rows, one with the defaults is less sure of itself than it might be, and a plain one,
which learns them by heart, is too sure. Conformal calibration (Romano, Patterson and
Candes, 2019) moves both ends by what rows put aside for it have shown: 9 of 10 comes
out of either. That takes MAPIE (pip install mapie); without it, this part is left out.
Draws both networks to intervals.png.
"""

from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from skdnn import DNNRegressor
from skdnn.nn.losses import Quantile

LEVELS = [0.05, 0.5, 0.95]
NETWORKS = {
    "defaults": {},
    "plain": {"recipe": "plain", "max_iter": 500, "tol": None},
}


def draw_rows(n, seed):
    """Return a column, a target, and the quantiles that it has."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    center, spread = x * np.sin(x) / 3, 0.3 + 0.15 * x
    y = center + spread * rng.standard_normal(n)
    return x[:, None], y, center + 1.645 * np.array([-1, 0, 1])[:, None] * spread


class Column(RegressorMixin, BaseEstimator):
    """One column of what a fitted regressor predicts: MAPIE takes one model a quantile.

    Parameters
    ----------
    regressor : DNNRegressor
    column : int
    """

    def __init__(self, regressor, column):
        self.regressor = regressor
        self.column = column

    @property
    def n_features_in_(self):
        return self.regressor.n_features_in_

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.regressor.predict(X)[:, self.column]


def conformal(reg, X, y, X_test):
    """Return the ends of the interval, calibrated on rows that `reg` has not seen."""
    from mapie.regression import ConformalizedQuantileRegressor

    low, median, high = (Column(reg, k) for k in range(3))
    mapie = ConformalizedQuantileRegressor(
        [low, high, median], confidence_level=0.9, prefit=True
    )
    _, interval = mapie.conformalize(X, y).predict_interval(X_test)
    return interval[:, :, 0].T


def describe(name, low, high, y):
    """Print how many rows an interval covers, and how wide it is."""
    covered, width = np.mean((low <= y) & (y <= high)), np.mean(high - low)
    print(f"{name:22} covers {covered:.1%} of new rows, mean width {width:.2f}")


X_train, y_train, _ = draw_rows(100, seed=0)
X_calibrate, y_calibrate, _ = draw_rows(1000, seed=1)
X_test, y_test, true = draw_rows(5000, seed=2)
x = X_test[:, 0]
has_mapie = find_spec("mapie") is not None
if not has_mapie:
    print("MAPIE is not installed: no calibration")

figure, axes = plt.subplots(
    1, 2, figsize=(10, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, params) in zip(axes, NETWORKS.items(), strict=True):
    reg = DNNRegressor(loss=Quantile(LEVELS), random_state=0, **params)
    low, median, high = reg.fit(X_train, y_train).predict(X_test).T
    describe(name, low, high, y_test)
    ax.scatter(X_train[:, 0], y_train, s=8, color="gray", label="training rows")
    ax.fill_between(x, low, high, alpha=0.3, label="5 % to 95 %")
    ax.plot(x, median, label="median")
    ax.plot(x, true[[0, 2]].T, color="black", linewidth=0.8, linestyle=":")
    if has_mapie:
        low, high = conformal(reg, X_calibrate, y_calibrate, X_test)
        describe(f"{name}, calibrated", low, high, y_test)
        lines = ax.plot(x, np.c_[low, high], color="tab:red", linestyle="--")
        lines[0].set_label("calibrated")
    ax.set(title=name, xlabel="x", ylabel="y")

axes[0].plot([], [], color="black", linestyle=":", label="truth")
axes[0].legend(loc="lower left")
figure.savefig("intervals.png")
