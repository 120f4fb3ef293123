"""Clusters to test on; without Dask, there is nothing to test."""

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("distributed") else ["*.py"]


def pytest_collection_modifyitems(items):
    """Mark all tests of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("cluster")
            # What Dask leaves where the other end of a connection was killed.
            for kind in "ResourceWarning", "pytest.PytestUnraisableExceptionWarning":
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.fixture(scope="session")
def processes():
    """Two workers of one thread, each a process, for all tests that leave them be."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def client(processes):
    """The same, as the current client."""
    with processes.as_current():
        yield processes
