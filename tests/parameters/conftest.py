"""What the steps of a training were."""

import pytest

from skdnn.nn.step import Step


@pytest.fixture
def steps(monkeypatch):
    """Rows of y and learning rate of each step."""
    record = {"rows": [], "rates": []}
    take = Step.__call__

    def spy(self, batch):
        record["rows"].append(batch.y.ravel().copy())
        record["rates"].append(self.learning_rate)
        return take(self, batch)

    monkeypatch.setattr(Step, "__call__", spy)
    return record
