"""What a fitted estimator does with its model: it shows it, and predicts with it."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdnn._doc_link import DocLinkMixin
from skdnn._html import networks_html
from skdnn._mixture import Mixture
from skdnn.streaming import as_stream


class FittedMixin(DocLinkMixin):
    """Reads attributes off the model, where there is one, and predicts with it."""

    def __sklearn_is_fitted__(self):
        return "_model" in vars(self)

    def __getattr__(self, name):
        # Where a property fails for want of a model, Python would say that `_model` is
        # what there is not.
        is_property = isinstance(getattr(type(self), name, None), property)
        if is_property and not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}, as it is "
                "not fitted yet."
            )
        return object.__getattribute__(self, name)

    @property
    def _first_model(self):
        """The model, or that of the first of several kinds of members."""
        return self._model if self.kinds_ is None else self.kinds_[0]._model

    @property
    def network_(self):
        return self._first_model.network

    @property
    def encoder_(self):
        return self._model.encoder

    @property
    def kinds_(self):
        return self._model.kinds if isinstance(self._model, Mixture) else None

    @property
    def kind_weights_(self):
        return self._model.weights if isinstance(self._model, Mixture) else None

    @property
    def temperature_(self):
        return self._first_model.temperature

    @property
    def linear_share_(self):
        return self._first_model.architecture.get("linear_share", 0.0)

    @property
    def n_outputs_(self):
        return self._model.targets.n_outputs

    @property
    def coefs_(self):
        """The weight matrix (n_inputs, n_outputs) of each layer."""
        return self.network_.weights

    @property
    def intercepts_(self):
        """The bias (n_outputs,) of each layer, or the shift of its batch norm."""
        return self.network_.shifts

    @property
    def n_layers_(self):
        """Number of layers, input and output included."""
        return len(self.coefs_) + 1

    @property
    def out_activation_(self):
        """Name of the function from the raw predictions to predictions."""
        return self._model.targets.loss.link

    def _html_repr(self):
        """Return what notebooks show."""
        diagram = super()._html_repr()
        if not self.__sklearn_is_fitted__():
            return diagram
        return diagram + networks_html(self)

    def _as_estimator(self, model):
        """Return an estimator like this one that predicts with a model."""
        same = object.__new__(type(self))
        same.__dict__ = vars(self) | {"_model": model}
        return same

    def _predict(self, X, finish, **options):
        """Return what the model makes of `X`, by the name of a method of targets.

        Of a stream, the columns that training had are read.
        """
        stream = as_stream(X)
        if stream is not None:
            check_is_fitted(self)
            frames = stream.frames_of(self._model.encoder.names_of_columns)
            parts = [self._predict(frame, finish, **options) for frame in frames]
            return np.concatenate(parts)
        model, X = self._read(X)
        return model.predict(X, getattr(model.targets, finish), **options)

    def _outputs_of_hidden(self, X, layer, finish):
        """Return what `finish` makes of the outputs of a hidden layer, by its index.

        These are of shape (n, n_units), or (n_members, n, n_units).
        """
        model, X = self._read(X)
        first = model.kinds[0]._model if isinstance(model, Mixture) else model
        return first.up_to(layer).predict(X, finish, dtype=None)

    def _read(self, X):
        """Return the model, and `X` as it takes it.

        This is the estimator as it is now, whatever another thread makes of it:
        training puts another ``__dict__`` in place of this one.
        """
        check_is_fitted(self)
        fitted = object.__new__(type(self))
        fitted.__dict__ = vars(self)
        model = fitted._model
        return model, model.encoder.validate(fitted, X, reset=False)
