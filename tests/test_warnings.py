"""Warnings point at the line of the user."""

import numpy as np
import pytest

from skdnn import DNNRegressor

FIT = """
model.fit(X, y)
"""


@pytest.mark.parametrize("namespace", [{}, {"__name__": "notebook"}])
def test_code_of_any_name(namespace):
    """Code that was executed may have no name, as in some documentation tools."""
    X = np.random.default_rng(0).standard_normal((50, 3))
    namespace["model"] = DNNRegressor(recipe="plain", max_iter=30, random_state=0)
    namespace.update(X=X, y=X[:, 0])
    with pytest.warns(UserWarning, match="not converged") as caught:
        exec(compile(FIT, "cell", "exec"), namespace)
    assert (caught[0].filename, caught[0].lineno) == ("cell", 2)
