"""What goes on in the layers of a network while it is trained."""

import numpy as np

from skdnn._data import check_data
from skdnn._sklearn_compat import _safe_indexing
from skdnn.nn.step import Step
from skdnn.nn.workspace import weight_gradients

#: Rows that are looked at, of those of `fit`.
MEASURED_ROWS = 1000


class LayerMonitor:
    """A callback that measures activations and gradients, layer by layer.

    After each epoch, 1000 of the rows that `fit` got, or all if there are fewer, go
    through a copy of the network. With early stopping this is the network with the best
    weights so far: to see all epochs, set ``early_stopping=False``. Kinds of members
    (`portfolio`) follow one another, but for those of another depth than the first.

    Callbacks need scikit-learn 1.9 or newer. One that is copied to another process, as
    in a search with `n_jobs`, brings nothing back.

    Attributes
    ----------
    activations : list of ndarray of shape (n_hidden_layers,)
        Of each epoch of the last fit: by how much the outputs of a unit differ from row
        to row (standard deviation), the root mean square over the units of each hidden
        layer. A layer where this is next to nothing lets nothing through.

    gradients : list of ndarray of shape (n_hidden_layers + 1,)
        The root mean square, over the weights of each layer (`coefs_`), of the gradient
        of the loss, in a training step on all these rows; 0 where they are frozen.

    dead_units : list of ndarray of shape (n_hidden_layers,)
        The share of units whose output is the same for all rows: rectifiers that are
        always zero, sigmoids that are always one.

    See Also
    --------
    ActivationsDisplay : Draws them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdnn import DNNClassifier, LayerMonitor
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DNNClassifier((16, 8), max_iter=5, tol=None, early_stopping=False)
    >>> monitor = LayerMonitor()
    >>> clf.set_callbacks(monitor).fit(X, y)  # doctest: +SKIP
    >>> len(monitor.gradients)  # doctest: +SKIP
    5
    """

    def setup(self, estimator, context):
        """Begin anew."""
        self.activations, self.gradients, self.dead_units = [], [], []

    def on_fit_task_begin(self, estimator, context):
        """Do nothing."""

    def on_fit_task_end(
        self, estimator, context, *, X, y, metadata, fitted_estimator=None
    ):
        """Measure, after an epoch."""
        if context.task_name != "epoch" or fitted_estimator is None:
            return
        weight = (metadata or {}).get("sample_weight")
        measured = measure_layers(fitted_estimator, X, y, weight)
        if self.activations and len(measured[0]) != len(self.activations[0]):
            return
        lists = self.activations, self.gradients, self.dead_units
        for values, of_epoch in zip(lists, measured, strict=True):
            values.append(of_epoch)

    def teardown(self, estimator, context):
        """Do nothing."""


def measure_layers(estimator, X, y, sample_weight=None):
    """Return activations, gradients and dead units of a network as it is.

    Parameters
    ----------
    estimator : DNNClassifier or DNNRegressor
        A fitted estimator.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    activations : ndarray of shape (n_hidden_layers,)
    gradients : ndarray of shape (n_hidden_layers + 1,)
    dead_units : ndarray of shape (n_hidden_layers,)
        See `LayerMonitor`.
    """
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if n_rows > MEASURED_ROWS:
        chosen = np.linspace(0, n_rows - 1, MEASURED_ROWS).astype(np.intp)
        X, y, sample_weight = (
            None if a is None else _safe_indexing(a, chosen)
            for a in (X, y, sample_weight)
        )
    # A training pass changes the running averages of batch norm.
    model = estimator._model.copy()
    data = check_data(estimator, model, X, y, sample_weight)
    batch, _ = model.batch(data, data.rows)
    # In float64, as what is the same for all rows would differ by its rounding.
    outputs = model.network.hidden_outputs(batch.X[:].astype(np.float64))
    step = Step(model.network, model.targets.loss, optimizer=None, penalty=0.0)
    step.loss_gradient(batch)
    gradients = weight_gradients(model.network, step.grads)
    return (
        np.array([_root_mean_square(units.std(axis=-2)) for units in outputs]),
        np.array([_root_mean_square(gradient) for gradient in gradients]),
        np.array(
            [_share_of_dead(units, model.network.params.dtype) for units in outputs]
        ),
    )


def _root_mean_square(values):
    return np.sqrt(np.mean(np.square(values, dtype=np.float64)))


def _share_of_dead(units, dtype):
    return np.mean(np.ptp(units.astype(dtype), axis=-2) == 0)
