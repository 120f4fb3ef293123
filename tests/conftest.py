"""Settings that must precede the first import of SciPy, and fixtures."""

import os

# Without it, scikit-learn's checks skip those of the array API.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(0)
