"""Deep neural networks for tabular data, as scikit-learn estimators."""

from skdnn.classifier import DNNClassifier
from skdnn.display import LossCurveDisplay
from skdnn.regressor import DNNRegressor

__all__ = ["DNNClassifier", "DNNRegressor", "LossCurveDisplay"]
__version__ = "0.1.0.dev0"
