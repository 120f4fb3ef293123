"""The tables of the benchmarks are what they were when the defaults were chosen."""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.tables import TABLES, prepare, split

KEPT = Path(__file__).parents[2] / "shared" / "bench" / "data"


@pytest.mark.exhaustive
@pytest.mark.skipif(not KEPT.exists(), reason="the kept tables are not there")
@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_that_were_kept(name):
    """Rows, columns, types and values are equal, in the same order."""
    pytest.importorskip("pyarrow")
    try:
        table = prepare(name)
    except subprocess.CalledProcessError:
        pytest.skip("the package can't be downloaded")
    file = io.BytesIO()
    table.to_parquet(file)
    pd.testing.assert_frame_equal(
        pd.read_parquet(file),
        pd.read_parquet(KEPT / f"{name}.parquet"),
        check_exact=True,
    )


@pytest.mark.skipif(not KEPT.exists(), reason="the kept tables are not there")
def test_list_of_tables_is_that_of_those_kept():
    """So are their tasks, and the order in which they come."""
    index = json.loads((KEPT / "index.json").read_text())
    tasks = [(entry["name"], entry["task"]) for entry in index]
    assert tasks == [(name, table.task) for name, table in TABLES.items()]


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_splits(task):
    """A fifth of the rows tests, no row twice; classes keep their shares."""
    y = np.arange(1000) % 4 // 3
    train, test = split(y, task, 0, 400)
    assert (len(train), len(test)) == (400, 200)
    assert len(np.union1d(train, test)) == 600
    assert not np.array_equal(test, split(y, task, 1, 400)[1])
    if task == "binary":
        assert (y[train].sum(), y[test].sum()) == (100, 50)
