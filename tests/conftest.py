"""Settings that must precede the first import of SciPy."""

import os

# Without it, scikit-learn's checks skip those of the array API.
os.environ["SCIPY_ARRAY_API"] = "1"
