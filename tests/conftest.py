"""Settings that must precede the first import of SciPy, what to collect, fixtures."""

import os
from collections import defaultdict
from importlib.util import find_spec

# Without it, scikit-learn's checks skip those of the array API.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest
import sklearn

from tests.sampling import sample
from tests.steps import by_numpy, one_at_a_time, runs, step_sizes, steps
from tests.threads import many_threads

__all__ = [
    "by_numpy",
    "many_threads",
    "one_at_a_time",
    "runs",
    "step_sizes",
    "steps",
]

# scikit-learn has callbacks since 1.9.
has_callbacks = find_spec("sklearn.callback") is not None
collect_ignore_glob = [
    "test_without_callbacks.py" if has_callbacks else "test_callbacks*.py"
]


def combination(item):
    """Return the values of a test by their names, as numbers that tell them apart."""
    values = {}
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = names.split(",") if isinstance(names, str) else names
        params = [item.callspec.params[name.strip()] for name in names]
        values[tuple(names)] = tuple(map(id, params))
    return values


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of the tests marked as sampled, mark all but a sample as slow."""
    tests = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("slow"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for combinations in tests.values():
        fast = sample([combination(item) for item in combinations])
        for i in set(range(len(combinations))).difference(fast):
            combinations[i].add_marker(pytest.mark.slow)


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture
def metadata_routing():
    """Meta-estimators that pass on what their estimators request."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def plt():
    """Return pyplot, which shows nothing, and close what was drawn."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")
