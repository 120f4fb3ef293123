"""Pictures of networks and of their training, as scikit-learn Displays."""

from skdnn.display.activations import ActivationsDisplay
from skdnn.display.attributions import AttributionsDisplay
from skdnn.display.loss_curve import LossCurveDisplay
from skdnn.display.network import NetworkDisplay
from skdnn.display.weights import WeightsDisplay

__all__ = [
    "ActivationsDisplay",
    "AttributionsDisplay",
    "LossCurveDisplay",
    "NetworkDisplay",
    "WeightsDisplay",
]
