"""How many threads BLAS has."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

#: Seconds after which what should have happened is taken to hang.
PATIENCE = 60


def blas_threads():
    """Return how many threads each BLAS library of this process uses."""
    libraries = threadpool_info()
    return [lib["num_threads"] for lib in libraries if lib["user_api"] == "blas"]


def set_blas_threads(n_threads):
    """Set how many threads BLAS uses, from a thread that is gone afterwards.

    As long as it is there, newer versions of threadpoolctl let no other change them.
    """
    with ThreadPoolExecutor(1) as pool:
        limit = pool.submit(threadpool_limits, n_threads, "blas").result(PATIENCE)
    assert set(blas_threads()) == {n_threads}
    return limit


@pytest.fixture
def many_threads():
    """BLAS has six threads, and a fit too."""
    limit = set_blas_threads(6)
    yield
    with ThreadPoolExecutor(1) as pool:
        pool.submit(limit.restore_original_limits).result(PATIENCE)
