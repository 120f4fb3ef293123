"""The weights of the first layer, as images or as bars."""

from math import ceil, prod, sqrt

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdnn.display.figures import begin, name_of
from skdnn.nn.inputs import first_weights

#: Longer names of columns are cut off.
NAME_LENGTH = 30


class WeightsDisplay:
    """What the units of the first layer look at: their weights, column by column.

    Where the columns are the pixels of images, `image_shape` makes an image of each
    unit. Otherwise, each column has a bar: the weight of one unit, or the root mean
    square of those of all, which says how much of the column goes into the network. (It
    does not say how much comes out of it; that is permutation importance.)

    Weights are those of scaled columns, and input scaling is a part of them. Where
    columns are embedded, a column has several weights for each unit, and the root of
    the sum of their squares is drawn instead.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    weights : ndarray of shape (n_columns, n_units)
        A row for each bar or pixel.

    feature_names : array-like of str of shape (n_columns,), default=None
        For the bars.

    image_shape : tuple of int, default=None
        Height and width of the images; None is bars.

    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the weights are drawn.

    figure_ : matplotlib Figure
        The figure that `ax_` is part of.

    image_ : matplotlib AxesImage or None
        The images, side by side.

    bars_ : matplotlib BarContainer or None
        The bars.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from skdnn import DNNClassifier, WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> params = {"recipe": "plain", "max_iter": 5, "tol": None, "random_state": 0}
    >>> clf = DNNClassifier((32,), **params).fit(X, y)
    >>> WeightsDisplay.from_estimator(clf, image_shape=(8, 8))
    <...>
    >>> plt.close()
    """

    def __init__(
        self, weights, *, feature_names=None, image_shape=None, estimator_name=None
    ):
        self.weights = weights
        self.feature_names = feature_names
        self.image_shape = image_shape
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        image_shape=None,
        unit=None,
        max_shown=25,
        ax=None,
        name=None,
    ):
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            A fitted estimator.

        image_shape : tuple of int, default=None
            Height and width of the images whose pixels are the columns of `X`, row by
            row; None is bars. Pixels that were the same in all images of training have
            no weights, and are drawn as zeros.

        unit : int, default=None
            The unit to draw, by its number in the first layer; those of an ensemble are
            numbered through. By default, all.

        max_shown : int, default=25
            Draw at most so many units, or bars: those with the largest weights.

        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        name : str, default=None
            Name for the title; by default, that of the class.

        Returns
        -------
        display : WeightsDisplay

        Raises
        ------
        ValueError
            If images of that shape don't have as many pixels as `X` has columns, or if
            some of these are categories; if there is no such unit.
        """
        check_is_fitted(estimator)
        weights, encoder = _weights_of_columns(estimator), estimator.encoder_
        if image_shape is None:
            names = encoder.get_feature_names_out()
        else:
            _check_image_shape(image_shape, encoder)
            weights, names = _weights_of_pixels(weights, encoder), None
        display = cls(
            weights,
            feature_names=names,
            image_shape=image_shape,
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax, unit=unit, max_shown=max_shown)

    def plot(self, ax=None, *, unit=None, max_shown=25):
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        unit : int, default=None
            The unit to draw; by default, all.

        max_shown : int, default=25
            Draw at most so many units, or bars: those with the largest weights.

        Returns
        -------
        display : WeightsDisplay
        """
        weights = np.asarray(self.weights)
        if unit is not None and not 0 <= unit < weights.shape[1]:
            raise ValueError(
                f"unit={unit}, but there are {weights.shape[1]} units in the first "
                "layer, from 0 on."
            )
        self.image_ = self.bars_ = None
        if self.image_shape is None:
            self._draw_bars(ax, weights, unit, max_shown)
        else:
            self._draw_images(ax, weights, unit, max_shown)
        return self

    def _draw_images(self, ax, weights, unit, max_shown):
        n_units = weights.shape[1]
        shown = _largest(weights.T, max_shown) if unit is None else [unit]
        images = weights.T[shown].reshape(-1, *self.image_shape)
        ax = begin(self, ax, figsize=(6.4, 5.6))
        limit = np.abs(images).max()
        signed = weights.min() < 0
        self.image_ = ax.imshow(
            _side_by_side(images),
            cmap="RdBu_r" if signed else "Blues",
            vmin=-limit if signed else 0,
            vmax=limit,
            interpolation="nearest",
        )
        ax.set_facecolor("0.8")
        ax.set(xticks=[], yticks=[])
        self.figure_.colorbar(self.image_, ax=ax, label=_label(signed), shrink=0.8)
        units = (
            f"unit {unit}" if unit is not None else _of(len(shown), n_units, "units")
        )
        ax.set_title(self._title(units))

    def _draw_bars(self, ax, weights, unit, max_shown):
        n_columns, n_units = weights.shape
        if unit is None:
            values = np.sqrt(np.mean(weights**2, axis=1))
            label, units = "Root mean square of weights", f"{n_units} units"
        else:
            values = weights[:, unit]
            label, units = _label(weights.min() < 0), f"unit {unit}"
        shown = _largest(values[:, None], max_shown)
        names = self.feature_names
        names = [f"x{i}" for i in shown] if names is None else [names[i] for i in shown]
        ax = begin(self, ax, figsize=(6.4, 1.2 + 0.22 * len(shown)))
        self.bars_ = ax.barh(range(len(shown)), values[shown])
        ax.set_yticks(range(len(shown)), [_shortened(name) for name in names])
        ax.set_ylim(len(shown) - 0.4, -0.6)
        if values.min() < 0:
            ax.axvline(0, color="black", linewidth=0.8)
        columns = _of(len(shown), n_columns, "columns")
        ax.set(xlabel=label, title=self._title(units, columns))

    def _title(self, *parts):
        return ", ".join(filter(None, [self.estimator_name, *parts]))


def _weights_of_columns(estimator):
    """Return the weights of encoded columns, members side by side."""
    weights, sources = first_weights(estimator.network_)
    weights = weights if weights.ndim == 2 else np.hstack(weights)
    n_columns = estimator.network_.n_inputs
    if len(sources) == n_columns:
        return weights
    squares = np.zeros((n_columns, weights.shape[1]))
    np.add.at(squares, sources, weights**2)
    return np.sqrt(squares)


def _check_image_shape(image_shape, encoder):
    """Raise an error if columns are no pixels of such images."""
    n_columns = encoder.n_features_in_
    if prod(image_shape) != n_columns or len(image_shape) != 2:
        raise ValueError(
            f"image_shape={tuple(image_shape)} must be height and width of images with "
            f"as many pixels as X has columns, {n_columns}."
        )
    n_categorical = len(encoder.categorical_columns_)
    if n_categorical:
        raise ValueError(
            f"image_shape={tuple(image_shape)} needs columns of numbers, and "
            f"{n_categorical} columns are categories."
        )


def _weights_of_pixels(weights, encoder):
    """Return the weights of the columns of numbers, zeros for those left out."""
    of_pixels = np.zeros((encoder.n_features_in_, weights.shape[1]))
    pixels = encoder.numeric_columns_[encoder.varying_columns_]
    of_pixels[pixels] = weights[: encoder.n_numeric_out_]
    return of_pixels


def _largest(rows, n):
    """Return the positions of the rows of largest norm, from the largest on."""
    return np.argsort(-np.linalg.norm(rows, axis=1), kind="stable")[:n]


def _side_by_side(images):
    """Return images as one, with gaps of NaN between them."""
    n, height, width = images.shape
    if n == 1:
        return images[0]
    n_across = ceil(sqrt(n))
    n_down = ceil(n / n_across)
    tiles = np.full((n_down * n_across, height + 1, width + 1), np.nan)
    tiles[:n, 1:, 1:] = images
    tiles = tiles.reshape(n_down, n_across, height + 1, width + 1).swapaxes(1, 2)
    tiled = tiles.reshape(n_down * (height + 1), n_across * (width + 1))
    return np.pad(tiled, ((0, 1), (0, 1)), constant_values=np.nan)


def _label(signed):
    return "Weight" if signed else "Norm of weights"


def _of(n_shown, n, what):
    return f"{n} {what}" if n_shown == n else f"{n_shown} of {n} {what}"


def _shortened(name):
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"
