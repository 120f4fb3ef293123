"""Activations and gradients, layer by layer, over the epochs of a training."""

import numpy as np
from sklearn.base import clone

from skdnn.display.figures import begin
from skdnn.monitoring import LayerMonitor

#: What can be drawn: the axis of each quantity, its scale and its limits.
QUANTITIES = {
    "activations": ("Activations: deviation over rows", "log", None),
    "gradients": ("Gradients: root mean square", "log", None),
    "dead_units": ("Dead units: share", "linear", (-0.03, 1.03)),
}

#: Layers that the legend names.
NAMED_LAYERS = 6


class ActivationsDisplay:
    """What goes on in each layer while a network is trained.

    - Activations: by how much the outputs of a unit differ from row to row. Where they
      shrink from layer to layer, the last ones see next to nothing of the columns.
    - Gradients of the weights. Where they shrink on their way back, the first layers
      hardly learn (vanishing gradients).
    - Dead units: those whose output is the same for all rows. A rectifier that is
      always zero has no gradient, and stays so.

    Use :meth:`from_estimator`, which trains a network and watches it, or
    :meth:`from_monitor` after a training of your own. Both need scikit-learn 1.9 or
    newer, whose callbacks they use.

    Parameters
    ----------
    activations, dead_units : array-like of shape (n_epochs, n_hidden_layers)
        See :class:`LayerMonitor`.

    gradients : array-like of shape (n_epochs, n_hidden_layers + 1)
        Likewise; the last is the output layer.

    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the quantities are drawn: what was passed, and has been divided among them
        if there are several.

    axes_ : dict of str to matplotlib Axes
        Where each quantity is drawn.

    figure_ : matplotlib Figure
        The figure that `ax_` is part of.

    lines_ : dict of str to list of matplotlib Line2D
        The curves of each quantity, layer by layer.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import ActivationsDisplay, DNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DNNClassifier((16, 8), max_iter=5, tol=None, early_stopping=False)
    >>> ActivationsDisplay.from_estimator(clf, X, y)  # doctest: +SKIP
    >>> plt.close()
    """

    def __init__(self, activations, gradients, dead_units, *, estimator_name=None):
        self.activations = activations
        self.gradients = gradients
        self.dead_units = dead_units
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        quantities=tuple(QUANTITIES),
        ax=None,
        name=None,
        fit_params=None,
    ):
        """Train a clone of an estimator, and draw what goes on in its layers.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            With ``early_stopping=False``, unless what it would keep is what is to be
            seen: the best weights so far, after each epoch. Its members are of one
            kind here.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        quantities : array-like of {"activations", "gradients", "dead_units"}
            What to draw, side by side; by default, all three.

        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        name : str, default=None
            Name for the title; by default, that of the class.

        fit_params : dict, default=None
            Further arguments of `fit`, such as `sample_weight`.

        Returns
        -------
        display : ActivationsDisplay
        """
        monitor = LayerMonitor()
        watched = clone(estimator)
        watched.portfolio = False
        watched.set_callbacks(monitor).fit(X, y, **(fit_params or {}))
        name = type(estimator).__name__ if name is None else name
        return cls.from_monitor(monitor, quantities=quantities, ax=ax, name=name)

    @classmethod
    def from_monitor(cls, monitor, *, quantities=tuple(QUANTITIES), ax=None, name=None):
        """Draw what a callback has measured.

        Parameters
        ----------
        monitor : LayerMonitor
            After a fit that it was set as a callback of.

        quantities : array-like of {"activations", "gradients", "dead_units"}
            What to draw, side by side; by default, all three.

        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        name : str, default=None
            Name for the title.

        Returns
        -------
        display : ActivationsDisplay

        Raises
        ------
        ValueError
            If it has seen no epoch.
        """
        if not getattr(monitor, "gradients", None):
            raise ValueError(
                "The monitor has seen no epoch: set it as a callback, "
                "estimator.set_callbacks(monitor), and call fit."
            )
        display = cls(
            monitor.activations,
            monitor.gradients,
            monitor.dead_units,
            estimator_name=name,
        )
        return display.plot(ax=ax, quantities=quantities)

    def plot(self, ax=None, *, quantities=tuple(QUANTITIES)):
        """Draw the quantities.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        quantities : array-like of {"activations", "gradients", "dead_units"}
            What to draw, side by side; by default, all three.

        Returns
        -------
        display : ActivationsDisplay
        """
        for quantity in quantities:
            if quantity not in QUANTITIES:
                raise ValueError(
                    f"quantities must be of {[*QUANTITIES]}, got {quantity!r}."
                )
        ax = begin(self, ax, figsize=(1.9 + 3.4 * len(quantities), 3.4))
        axes = _divided(ax, len(quantities))
        self.axes_ = dict(zip(quantities, axes, strict=True))
        colors = _colors(1 + np.shape(self.activations)[1])
        self.lines_ = {
            quantity: self._draw(part, quantity, colors)
            for quantity, part in self.axes_.items()
        }
        _write_legend(axes[-1], colors)
        axes[0].set_title(self.estimator_name or "", loc="left")
        return self

    def _draw(self, ax, quantity, colors):
        """Draw a quantity, a line for each layer."""
        values = np.asarray(getattr(self, quantity))
        epochs = np.arange(1, len(values) + 1)
        label, scale, limits = QUANTITIES[quantity]
        ax.set(xlabel="Epoch", ylabel=label, yscale=scale)
        if limits is not None:
            ax.set_ylim(limits)
        # There are more colors where the output layer has no such values.
        return [
            ax.plot(epochs, of_layer, color=color)[0]
            for of_layer, color in zip(values.T, colors, strict=False)
        ]


def _colors(n_layers):
    """Return a color for each layer, from dark to light."""
    import matplotlib as mpl

    # The very lightest would hardly be seen.
    return mpl.colormaps["viridis"](np.linspace(0, 0.9, n_layers))


def _write_legend(ax, colors):
    """Name some of the layers, beside the axes: lines may be anywhere inside."""
    from matplotlib.lines import Line2D

    n = len(colors)
    names = [*(f"hidden {i + 1}" for i in range(n - 1)), "output"]
    named = np.linspace(0, n - 1, min(n, NAMED_LAYERS)).astype(int)
    ax.legend(
        handles=[Line2D([], [], color=colors[i], label=names[i]) for i in named],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
    )


def _divided(ax, n):
    """Return axes side by side, in the place of `ax`; that itself if it is for one."""
    if n == 1:
        return [ax]
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"To draw {n} quantities, ax must be one of a grid, as by plt.subplots()."
        )
    ax.set_axis_off()
    grid = place.subgridspec(1, n)
    return [ax.figure.add_subplot(grid[i]) for i in range(n)]
