"""What skdnn takes from scikit-learn that is private, or not in all of its versions."""

import sklearn
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        """Says what callbacks need."""

        def set_callbacks(self, *callbacks):
            """Raise an error: this version of scikit-learn has no callbacks.

            Parameters
            ----------
            *callbacks : callback instances
                The callbacks to set.

            Raises
            ------
            ImportError
                Always.
            """
            raise ImportError(
                "set_callbacks needs scikit-learn 1.9 or newer, this is "
                f"{sklearn.__version__}."
            )

    def with_callbacks(method):
        """Return the method as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "_get_threadpool_controller",
    "_safe_indexing",
    "check_matplotlib_support",
    "validate_parameter_constraints",
    "with_callbacks",
]

#: Modules whose frames lie between a method that the user calls and its code.
DECORATORS = ("sklearn.base", "sklearn.callback._callback_support")

#: What a fit that is running keeps on the estimator, for its callbacks.
TRANSIENT = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")
