"""Settings that must precede the first import of SciPy, what to collect, fixtures."""

import os
from importlib.util import find_spec

# Without it, scikit-learn's checks skip those of the array API.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest
import sklearn

# scikit-learn has callbacks since 1.9.
has_callbacks = find_spec("sklearn.callback") is not None
collect_ignore_glob = [
    "test_without_callbacks.py" if has_callbacks else "test_callbacks*.py"
]


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture
def metadata_routing():
    """Meta-estimators that pass on what their estimators request."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield
