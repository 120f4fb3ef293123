"""The network as a diagram."""

from itertools import groupby, pairwise
from textwrap import fill
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdnn._summary import LayerSummary, summary
from skdnn.display.figures import begin, name_of

#: Units that are drawn of a layer; of more, the first and the last few.
DRAWN_UNITS = 9

#: Layers that are drawn of a row of equal ones; of more, the first and the last.
DRAWN_LAYERS = 3

#: Where the units are, as a share of the width; what is said of them stands beside.
UNITS_WIDTH = 0.5

UNIT_DISTANCE = UNITS_WIDTH / DRAWN_UNITS

#: Most characters of a line of what is said.
LINE_LENGTH = 42

#: Inches of a layer in a figure of its own.
LAYER_HEIGHT = 0.8


class NetworkDisplay:
    """The layers of a network, from the input to the output.

    Of each layer: its units, the activation and what else it does, and its number of
    parameters. Wide layers are drawn with fewer units, long rows of equal layers as the
    first and the last of them.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    layers : list of LayerSummary
        What there is to say of each layer.

    n_members : int, default=1
        Number of networks in an ensemble.

    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the network is drawn.

    figure_ : matplotlib Figure
        The figure that `ax_` is part of.

    texts_ : list of matplotlib Text
        What is said of the layers.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import DNNClassifier, NetworkDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DNNClassifier((16, 8), max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> NetworkDisplay.from_estimator(clf)
    <...>
    >>> plt.close()
    """

    def __init__(self, layers, *, n_members=1, estimator_name=None):
        self.layers = layers
        self.n_members = n_members
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None):
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            A fitted estimator.

        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        name : str, default=None
            Name for the title; by default, that of the class.

        Returns
        -------
        display : NetworkDisplay
        """
        check_is_fitted(estimator)
        display = cls(
            summary(estimator),
            n_members=estimator.network_.n_members or 1,
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax)

    def plot(self, ax=None):
        """Draw the network.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        Returns
        -------
        display : NetworkDisplay
        """
        rows = _shortened(self.layers)
        ax = begin(self, ax, figsize=(7, LAYER_HEIGHT * (len(rows) + 0.5)))
        self.texts_ = []
        for y, (below, row) in enumerate(pairwise([None, *rows])):
            x = _positions(row)
            if isinstance(below, LayerSummary) and isinstance(row, LayerSummary):
                _connect(ax, _positions(below), x, y, row.is_dense)
            if isinstance(row, LayerSummary):
                _draw_units(ax, row, x, y)
            else:
                ax.text(UNITS_WIDTH / 2, y, "⋮", ha="center", va="center", size=14)
            self._write(y, *_said_of(row))
        ax.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), title=self._title())
        ax.set_axis_off()
        return self

    def _write(self, y, name, details):
        """Write beside a layer what it is."""
        place = {"xy": (UNITS_WIDTH + 0.04, y), "textcoords": "offset points"}
        for text, height, style in [
            (name, 3, {"va": "bottom", "weight": "bold", "size": 9}),
            (details, 1, {"va": "top", "size": 8, "linespacing": 1.3}),
        ]:
            self.texts_.append(
                self.ax_.annotate(text, xytext=(0, height), **place, **style)
            )

    def _title(self):
        parts = [] if self.estimator_name is None else [self.estimator_name]
        if self.n_members > 1:
            parts.append(f"{self.n_members} networks")
        n_parameters = sum(layer.n_parameters for layer in self.layers)
        return ", ".join([*parts, _counted(n_parameters, "parameter")])


class _More(NamedTuple):
    """Layers that are not drawn, all equal."""

    n_layers: int
    n_parameters: int


def _shortened(layers):
    """Return the layers, of long rows of equal ones the first, a `_More`, the last."""
    rows = []
    for _, equal in groupby(layers, key=lambda layer: layer[1:]):
        equal = list(equal)
        if len(equal) > DRAWN_LAYERS:
            n_parameters = sum(layer.n_parameters for layer in equal[1:-1])
            equal[1:-1] = [_More(len(equal) - 2, n_parameters)]
        rows += equal
    return rows


def _said_of(row):
    """Return the name of a layer, and the lines below it."""
    lines = []
    if isinstance(row, _More):
        name = f"{row.n_layers} more of these"
    else:
        name = (
            f"{row.name}: {_counted(row.n_units, 'unit' if row.is_dense else 'number')}"
        )
        lines.append(fill(", ".join(row.details), LINE_LENGTH))
    if row.n_parameters:
        lines.append(_counted(row.n_parameters, "parameter"))
    return name, "\n".join(filter(None, lines))


def _counted(n, what):
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _positions(row):
    """Return where the units of a layer are drawn, NaN where some are left out."""
    n_units = row.n_units if isinstance(row, LayerSummary) else 0
    n_drawn = min(n_units, DRAWN_UNITS)
    x = UNITS_WIDTH / 2 + (np.arange(n_drawn) - (n_drawn - 1) / 2) * UNIT_DISTANCE
    if n_units > DRAWN_UNITS:
        x[DRAWN_UNITS // 2] = np.nan
    return x


def _draw_units(ax, layer, x, y):
    """Draw dense layers as circles, and others as squares."""
    color = {"input": "C7", "output": "C1"}.get(layer.name, "C0")
    marker = "o" if layer.is_dense else "s"
    ax.scatter(x, np.full(len(x), y), s=60, c=color, marker=marker, edgecolors="white")
    if np.isnan(x).any():
        ax.text(UNITS_WIDTH / 2, y, "⋯", ha="center", va="center", size=12)


def _connect(ax, below, x, y, is_dense):
    """Draw lines from each unit to each one above it, or to the next ones alone."""
    from matplotlib.collections import LineCollection

    below, x = (positions[~np.isnan(positions)] for positions in (below, x))
    lines = [
        [(start, y - 1), (end, y)]
        for end in x
        for start in (below if is_dense else [below[np.abs(below - end).argmin()]])
    ]
    ax.add_collection(LineCollection(lines, colors="C7", alpha=0.3, lw=0.6, zorder=0))
