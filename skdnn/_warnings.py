"""Warnings that point at the line of the user, from however deep they come."""

import sys
import warnings

from skdnn._sklearn_compat import DECORATORS


def warn(message, category=UserWarning):
    """Warn at the line that called skdnn."""
    level, frame = 2, sys._getframe(1)
    # Code that was executed in a namespace of its own may have no name.
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module):
    return module.split(".")[0] == "skdnn" or module in DECORATORS
