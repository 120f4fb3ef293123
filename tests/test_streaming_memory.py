"""The peak of memory of a fit to a stream has nothing to do with the number of rows."""

import subprocess
import sys

import pytest

pytest.importorskip("resource")

#: Fits a stream of so many times the buffer; prints by how many MB the peak grows.
SCRIPT = """
import resource, sys
import numpy as np, pandas as pd
from skdnn import DNNRegressor, _statistics
from skdnn.streaming import Stream

N_COLUMNS, BUFFER_ROWS = 50, 20_000
# As the buffer, so that rows of a sample are no more than those.
_statistics.SAMPLED_ROWS = BUFFER_ROWS

def rows(n_buffers):
    for seed in range(4 * n_buffers):
        X = np.random.default_rng(seed).standard_normal((BUFFER_ROWS // 4, N_COLUMNS))
        columns = [f"x{j}" for j in range(N_COLUMNS)]
        yield pd.DataFrame(X, columns=columns).assign(y=X[:, 0] + X[:, 1])

def fit(n_buffers):
    stream = Stream(lambda: rows(n_buffers), buffer_rows=BUFFER_ROWS)
    DNNRegressor((8,), max_iter=1, n_members=1, random_state=0).fit(stream, "y")

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6

# What there is to load is loaded, and the allocator has its arenas.
fit(2)
before = peak()
fit(int(sys.argv[1]))
print(peak() - before)
"""

#: Of 50 columns of 8 bytes, 40 buffers of 20,000 rows.
TABLE_MEGABYTES = 320


@pytest.mark.slow
def test_peak_memory():
    """At 40 times the buffer, it is by far less than the table above that at twice."""
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT, "40"], capture_output=True, text=True, check=True
    )
    assert float(out.stdout) < 0.25 * TABLE_MEGABYTES
