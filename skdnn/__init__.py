"""Deep neural networks for tabular data, as scikit-learn estimators."""

from skdnn._show_versions import show_versions
from skdnn._version import __version__
from skdnn.classifier import DNNClassifier
from skdnn.display import (
    ActivationsDisplay,
    AttributionsDisplay,
    LossCurveDisplay,
    NetworkDisplay,
    WeightsDisplay,
)
from skdnn.monitoring import LayerMonitor
from skdnn.regressor import DNNRegressor
from skdnn.transfer import HiddenFeatures

__all__ = [
    "ActivationsDisplay",
    "AttributionsDisplay",
    "DNNClassifier",
    "DNNRegressor",
    "HiddenFeatures",
    "LayerMonitor",
    "LossCurveDisplay",
    "NetworkDisplay",
    "WeightsDisplay",
    "__version__",
    "show_versions",
]
