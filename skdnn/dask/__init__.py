"""The estimators of skdnn on a cluster of Dask."""

from skdnn.dask._estimators import DaskDNNClassifier, DaskDNNRegressor

__all__ = ["DaskDNNClassifier", "DaskDNNRegressor"]
