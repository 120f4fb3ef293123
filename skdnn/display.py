"""Pictures of training, as scikit-learn Displays."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdnn._sklearn_compat import check_matplotlib_support


class LossCurveDisplay:
    """The loss of each epoch, on the training and on the validation rows.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        The training objective of each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        The loss on the validation rows.

    best_iter : int, default=None
        The epoch whose weights were kept.

    learning_rate : float, default=None
        For the title.

    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves are drawn.

    figure_ : matplotlib Figure
        The figure that `ax_` is part of.

    lines_ : list of matplotlib Line2D
        The curves.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import DNNClassifier, LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DNNClassifier((16,), max_iter=20, tol=None, random_state=0).fit(X, y)
    >>> LossCurveDisplay.from_estimator(clf)
    <...>
    >>> plt.close()
    """

    def __init__(
        self,
        loss_curve,
        *,
        validation_loss_curve=None,
        best_iter=None,
        learning_rate=None,
        estimator_name=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.best_iter = best_iter
        self.learning_rate = learning_rate
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, **kwargs):
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : DNNClassifier or DNNRegressor
            A fitted estimator.

        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        name : str, default=None
            Name for the title; by default, that of the class.

        **kwargs : dict
            Passed to matplotlib's `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        check_is_fitted(estimator)
        validated = estimator.validation_loss_curve_ is not None
        display = cls(
            estimator.loss_curve_,
            validation_loss_curve=estimator.validation_loss_curve_,
            best_iter=estimator.best_iter_ if validated else None,
            learning_rate=estimator.learning_rate_,
            estimator_name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; by default, in a new figure.

        **kwargs : dict
            Passed to matplotlib's `plot`.

        Returns
        -------
        display : LossCurveDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        curves = {"training": self.loss_curve, "validation": self.validation_loss_curve}
        name = f"{kwargs.pop('label')}, " if "label" in kwargs else ""
        self.lines_ = [
            ax.plot(np.arange(1, len(curve) + 1), curve, label=name + kind, **kwargs)[0]
            for kind, curve in curves.items()
            if curve is not None
        ]
        if self.best_iter is not None:
            ax.axvline(self.best_iter, color="gray", linestyle=":", label="best epoch")
        ax.set(xlabel="Epoch", ylabel="Loss", title=self._title())
        ax.legend()
        return self

    def _title(self):
        parts = [self.estimator_name]
        if self.learning_rate is not None:
            parts.append(f"learning rate {self.learning_rate}")
        return ", ".join(part for part in parts if part)
