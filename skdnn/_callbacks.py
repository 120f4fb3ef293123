"""What the outside hears of training: scikit-learn's callbacks, and a printed line."""

import time
from copy import deepcopy


class FitTasks:
    """Tells the callbacks of an estimator when its fit and each epoch begin and end.

    What callbacks receive: `X`, `y` and `sample_weight` as they were given to `fit`,
    and at each end a copy of the estimator, fitted as if training had stopped there.

    Parameters
    ----------
    estimator : estimator
        Inside its `fit`, which is decorated by `with_callbacks`.
    X, y : array-like
    sample_weight : array-like or None

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to stop.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self._fit = self._epoch = None
        self._estimator = estimator
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._hook = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.stopped = False

    def begin_fit(self, n_epochs, fitted_attributes):
        """Tell that training begins.

        Parameters
        ----------
        n_epochs : int
            At most so many.
        fitted_attributes : callable
            Returns what the estimator holds if a training ends as it is.
        """
        self._fitted_attributes = fitted_attributes
        if hasattr(self._estimator, "_init_callback_context"):
            self._fit = self._estimator._init_callback_context(max_subtasks=n_epochs)
            self._fit.call_on_fit_task_begin(**self._hook)

    def begin_epoch(self):
        if getattr(self._estimator, "_skl_callbacks", None):
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._hook)

    def end_epoch(self, training):
        """Return whether a callback asks to stop."""
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        self.stopped = epoch.call_on_fit_task_end(
            # To copy the network takes time: only for callbacks that want it.
            **self._hook,
            reconstruction_attributes=lambda: self._snapshot(training),
        )
        return self.stopped

    def _snapshot(self, training):
        """Return the attributes of the estimator as it would be, for good."""
        attributes = self._fitted_attributes(training)
        # Training goes on, and changes what the optimizer remembers.
        return attributes | {"_progress": deepcopy(attributes["_progress"])}

    def end_fit(self):
        if self._epoch is not None:
            # The optimizer was done, or interrupted, after it had begun an epoch.
            self._epoch.call_on_fit_task_end(estimator=self._estimator)
        if self._fit is not None:
            self._fit.call_on_fit_task_end(
                **self._hook,
                reconstruction_attributes=lambda: {
                    "_model": self._estimator._model.copy()
                },
            )


class ProgressLine:
    """Prints a line an epoch.

    Parameters
    ----------
    n_epochs : int
        Most epochs of this run.
    """

    def __init__(self, n_epochs):
        self._n_epochs = n_epochs
        self._started = time.perf_counter()

    def print(self, epoch, n_run, values):
        """Print the epoch, its values, the seconds so far, and at most how many more.

        Parameters
        ----------
        epoch : int
            Epochs of this run and of those before.
        n_run : int
            Epochs of this run.
        values : dict of str to float
        """
        seconds = time.perf_counter() - self._started
        fields = [f"epoch {epoch:4d}"]
        fields += [f"{name} {value:.6f}" for name, value in values.items()]
        fields.append(f"{seconds:.1f} s")
        if n_run < self._n_epochs:
            left = seconds / n_run * (self._n_epochs - n_run)
            fields.append(f"{left:.1f} s left at most")
        print("  ".join(fields), flush=True)
