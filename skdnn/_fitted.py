"""What a fitted estimator has to show: attributes of its model, and itself as HTML."""

from skdnn._doc_link import DocLinkMixin
from skdnn._html import network_html


class FittedMixin(DocLinkMixin):
    """Reads the attributes of an estimator off its model, where there is one."""

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
    def network_(self):
        return self._model.network

    @property
    def encoder_(self):
        return self._model.encoder

    @property
    def temperature_(self):
        return self._model.temperature

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
        return diagram + network_html(self)
