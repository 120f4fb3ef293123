"""How many members there is time for: a few steps tell how long one takes."""

from copy import copy
from time import perf_counter
from types import SimpleNamespace

import numpy as np

from skdnn._model import Model
from skdnn._parameters import is_auto
from skdnn._training import Training, end_times, random_streams

#: Members of a trial, and steps that each of them takes an epoch.
N_MEMBERS, N_STEPS = 2, 16

#: Epochs of a trial; the first, in which steps are recorded, does not count.
N_EPOCHS = 3

#: The most members: of more, each brings less than another seed may cost.
MOST_MEMBERS = 16


def leaves_members_open(params, settings):
    """Whether the time that there is may set the number of members.

    Parameters
    ----------
    params : dict
        Parameters of an estimator that begins anew.
    settings : namespace
        What they stand for.
    """
    is_open = params["max_time"] is not None and is_auto(params["n_members"])
    # A pretrained network has as many as it has.
    is_new = settings.recipe == "tuned" and settings.pretrained is None
    return is_open and is_new and settings.solver != "bgd"


def members_in_time(model, data, settings, started):
    """Return for how many members there is time.

    It is for as many as can train for all epochs; for one, where there is no time for
    half of the epochs of two.  On the development tables, two members with half of the
    epochs are better than one with all of them or four with a quarter, and one with
    half of them is better than two with a quarter.

    Parameters
    ----------
    model : Model
        Which knows the kinds of columns and targets.
    data : Data
    settings : namespace
        Parameters of the estimator, nothing left on ``"auto"``.
    started : float
        When `fit` was called, as of `time.perf_counter`.

    Returns
    -------
    n_members : int
        That of `settings` if the trial failed, as the training then will.
    """
    end_time, _ = end_times(settings.max_time, started, settings.refit)
    seconds = _seconds_an_epoch(model, data, settings)
    if seconds is None:
        return settings.n_members
    n_epochs = max(0.0, end_time - perf_counter()) / seconds
    n_possible = N_MEMBERS * n_epochs / settings.max_iter
    return 1 if n_possible < 1 else int(np.clip(n_possible, N_MEMBERS, MOST_MEMBERS))


class Stopwatch:
    """Measures the epochs of a training, in the place of callbacks."""

    stopped = False

    def __init__(self):
        self.seconds = []

    def begin_epoch(self):
        self._began = perf_counter()

    def end_epoch(self, training):
        """Return that nobody asks to stop."""
        self.seconds.append(perf_counter() - self._began)
        return False


def _seconds_an_epoch(model, data, settings):
    """Return how long an epoch of `N_MEMBERS` takes, None if it fails."""
    rows = data.rows
    n_rows = len(rows.index)
    n_tried = min(n_rows, N_STEPS * settings.batch_size)
    # From all over the table, so that columns are what they are in it.
    positions = np.linspace(0, n_rows, n_tried, endpoint=False, dtype=np.intp)
    changed = {
        "n_members": N_MEMBERS,
        "tol": None,
        "temperature_scaling": False,
        "linear_share": False,
        "verbose": False,
    }
    settings = SimpleNamespace(**{**vars(settings), **changed})
    watch = Stopwatch()
    trial = Training(settings, random_streams(0), N_EPOCHS, N_EPOCHS, tasks=watch)
    # Copies, as the model is yet to learn from all rows.
    trial.run(
        Model(copy(model.encoder), copy(model.targets)), data, rows.take(positions)
    )
    if trial.interrupted:
        raise KeyboardInterrupt
    seconds = watch.seconds[1:]
    return min(seconds) * n_rows / n_tried if seconds else None
