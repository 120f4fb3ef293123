"""What the steps of a training were, and who takes them."""

from collections import Counter

import numpy as np
import pytest

from skdnn.nn import compiled
from skdnn.nn import steps as module
from skdnn.nn.step import Step
from skdnn.nn.steps import NumpySteps


@pytest.fixture
def by_numpy(monkeypatch):
    """The compiled engine is off."""
    monkeypatch.setattr(compiled, "available", False)


@pytest.fixture
def one_at_a_time(monkeypatch):
    """A slice of an epoch is one step: `NumpySteps.run` is called for each."""
    monkeypatch.setattr(module, "SLICE", 0.0)


@pytest.fixture
def steps(monkeypatch):
    """Rows of y and learning rate of each step, as NumPy or the engine gets them."""
    record = {"rows": [], "rates": []}
    take, run, run_programs = Step.__call__, NumpySteps.run, compiled.run_programs
    tables = []

    def spy_on_step(self, batch):
        record["rows"].append(batch.y.ravel().copy())
        record["rates"].append(self.learning_rate)
        return take(self, batch)

    def spy_on_slice(self, first, rates, workers):
        tables[:] = [self.batches.table.y.ravel()]
        run(self, first, rates, workers)

    def spy_on_programs(programs, **options):
        # Predictions have no rates; programs of further members have the same steps.
        if options.get("rates") is not None and tables:
            add(tables.pop(), **options)
        return run_programs(programs, **options)

    def add(y, order, n_rows, batch_size, first_step, rates, **_):
        order = np.arange(n_rows) if order is None else order
        for i, rate in enumerate(rates.tolist(), first_step):
            record["rows"].append(y[order[i * batch_size : (i + 1) * batch_size]])
            record["rates"].append(rate)

    monkeypatch.setattr(Step, "__call__", spy_on_step)
    monkeypatch.setattr(NumpySteps, "run", spy_on_slice)
    monkeypatch.setattr(compiled, "run_programs", spy_on_programs)
    return record


@pytest.fixture
def step_sizes(steps):
    """Number of rows of each step: a function, as they are there after training."""
    return lambda: [len(rows) for rows in steps["rows"]]


@pytest.fixture
def runs(monkeypatch):
    """Count the programs that have run, for training and for predictions."""
    count, run_programs = Counter(), compiled.run_programs

    def run(programs, **options):
        count["predicted" if options.get("rates") is None else "trained"] += 1
        return run_programs(programs, **options)

    monkeypatch.setattr(compiled, "run_programs", run)
    return count
