"""A data frame with a column of words, which are colors."""

import numpy as np
import pandas as pd

WORDS = ["red", "green", "blue"]
DTYPES = ["category", object, "str", "string", "string[pyarrow]"]


def frame(dtype="category"):
    """Return a number, a column of words with holes, and a flag."""
    words = [*WORDS, None, *WORDS, "red"]
    return pd.DataFrame(
        {
            "size": np.arange(8.0),
            "colour": pd.Series(words, dtype=dtype),
            "new": [True, False] * 4,
        }
    )
