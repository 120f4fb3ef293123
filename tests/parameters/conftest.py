"""What the steps of a training were."""

import pytest

from skdnn.nn.optimizers import Adam
from skdnn.nn.trainer import Trainer


@pytest.fixture
def steps(monkeypatch):
    """Rows of y, learning rate, dropout's and decay's factor of each step."""
    record = {"rows": [], "rates": [], "dropout": [], "decay": []}
    loss_gradient, stepper = Trainer.loss_gradient, Adam.stepper

    def spy_gradient(self, batch):
        record["rows"].append(batch.y.ravel().copy())
        record["dropout"].append(self.workspace.noise.strength)
        return loss_gradient(self, batch)

    def spy_stepper(self, *args):
        step = stepper(self, *args)

        def spy_step(rate, decay_factor):
            record["rates"].append(rate)
            record["decay"].append(decay_factor)
            step(rate, decay_factor)

        return spy_step

    monkeypatch.setattr(Trainer, "loss_gradient", spy_gradient)
    monkeypatch.setattr(Adam, "stepper", spy_stepper)
    return record
