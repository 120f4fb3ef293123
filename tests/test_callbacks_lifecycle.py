"""What begins has an end: callbacks in searches, after errors and interrupts."""

import pickle
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn.nn.optimizers import SGD
from tests import plain
from tests.plain import plain_classifier
from tests.recipes import maker, networks, table
from tests.same import assert_same_network
from tests.tables import binary, classifier, parameters, regression, regressor

tasks = pytest.mark.parametrize("task", plain.TASKS)
BY_LBFGS = {"optimizer": "lbfgs", "solver": "bgd"}
X, Y = binary()

#: A `fit` that validates, once an epoch, on rows of one network.
WATCHED = {
    "early_stopping": True,
    "n_members": 1,
    "schedule": "constant",
    "batch_size": 10,
}

EARLY = {"early_stopping": True, "learning_rate": 0.1, "max_iter": 9}


# From begin to end


class Recorder:
    """Writes down what it hears, keeps the estimators it gets, may raise an error."""

    def __init__(self, error=None, stops=False):
        self.error = error
        self.stops = stops
        self.events = []
        self.snapshots = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.snapshots.append(fitted_estimator)
        ended = [event for event in self.events if event.startswith("end")]
        second = ended == ["end epoch", "end epoch"]
        if second and self.error is not None:
            raise self.error
        return second and self.stops


@pytest.mark.sampled
@tasks
@networks
def test_fault_38_later_training_leaves_a_callbacks_estimator_alone(network, task):
    """The estimator that a callback keeps of an epoch stays as it was.

    A copy made by scikit-learn alone shares its arrays with the training that goes on.
    """
    X, y = table(task)
    # Schedules would end sooner in a shorter fit.
    ends = {"schedule": "constant", "linear_share": False}
    make = maker(task, network, batch_norm=True, **ends)
    recorder = Recorder()
    est = make().set_callbacks(recorder).fit(X, y)
    est.set_callbacks().partial_fit(X, y)
    assert len(recorder.snapshots) == 6  # of five epochs, and of the end
    for k, snapshot in enumerate(recorder.snapshots[:5], 1):
        shorter = make(max_iter=k).fit(X, y)
        assert_same_network(snapshot, shorter)
        np.testing.assert_array_equal(snapshot.predict(X), shorter.predict(X))
        assert snapshot.loss_curve_ == shorter.loss_curve_


@pytest.mark.parametrize(
    ("how", "ends"),
    [
        ({}, nullcontext()),
        ({"stops": True}, nullcontext()),
        ({"error": RuntimeError("no more")}, pytest.raises(RuntimeError)),
        ({"error": KeyboardInterrupt()}, pytest.warns(match="interrupted by user")),
    ],
    ids=["early stopping", "stopped by the callback", "error", "interrupt"],
)
def test_fault_39_callbacks_are_torn_down_however_fit_ends(how, ends):
    """What begins has an end, in a search and after a pickle or an error too.

    An estimator that calls the hooks itself can forget some of them.
    """
    X, y = binary()
    recorder = Recorder(**how)
    clf = plain_classifier(max_iter=100, early_stopping=True, tol=10.0)
    with ends:
        clf.set_callbacks(recorder).fit(X, y)
    seen = Counter(recorder.events)
    assert recorder.events[-1] == "teardown"
    assert seen["setup"] == seen["teardown"] == 1
    assert seen["begin epoch"] == seen["end epoch"] == (2 if how else 12)
    assert seen["end fit"] == (0 if isinstance(recorder.error, RuntimeError) else 1)
    assert not any("callback" in name for name in vars(clf) if name != "_skl_callbacks")

    loaded = pickle.loads(pickle.dumps(clf.set_callbacks(Recorder())))
    recorder = loaded._skl_callbacks[0]
    GridSearchCV(loaded.set_params(max_iter=3), {"alpha": [0.1, 1.0]}, cv=2).fit(X, y)
    seen = Counter(recorder.events)
    # Two folds of two candidates, and the best of them.
    assert seen["setup"] == seen["teardown"] == 5
    assert seen["begin fit"] == seen["end fit"] == 5
    assert seen["begin epoch"] == seen["end epoch"] == 15


class Propagated(Recorder):
    """Is passed on to the estimators inside."""

    max_propagation_depth = None


def test_fault_40_searches_and_pipelines_pass_their_callbacks_on():
    """A callback of a search or a pipeline hears of each epoch, without a warning.

    Where an estimator has no `set_callbacks`, scikit-learn warns and drops them.
    """
    X, y = binary()
    pipeline = make_pipeline(StandardScaler(), plain_classifier())
    search = GridSearchCV(pipeline, {"dnnclassifier__alpha": [0.1, 1.0]}, cv=2)
    for meta, n_fits in (pipeline, 1), (search, 5):
        recorder = Propagated()
        clone(meta).set_callbacks(recorder).fit(X, y)
        seen = Counter(recorder.events)
        assert seen["setup"] == seen["teardown"] == 1
        assert seen["begin epoch"] == seen["end epoch"] == 5 * n_fits


# L-BFGS


@pytest.mark.filterwarnings("ignore:Training learned nothing")
def test_done_at_once_is_told_to_callbacks():
    """The epoch that has begun ends, as one, before the fit does."""
    events = []

    class Callback:
        def setup(self, estimator, context):
            pass

        teardown = setup

        def on_fit_task_begin(self, estimator, context):
            events.append(context.task_name)

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            events.append((context.task_name, fitted_estimator is not None))

    clf = classifier(tol=1e9, early_stopping=False, **BY_LBFGS).set_callbacks(
        Callback()
    )
    clf.fit(*binary())
    assert events == ["fit", "epoch", ("epoch", True), ("fit", True)]


def test_stop_iteration_of_a_callback():
    """So does that of a callback."""

    class Callback:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context):
            raise StopIteration("mine")

    clf = classifier(**BY_LBFGS).set_callbacks(Callback())
    with pytest.raises(StopIteration, match="mine"):
        clf.fit(*binary())


# Interrupts and refits


@pytest.mark.parametrize("where", ["fit", "epoch"])
def test_in_a_callback_at_the_end_of_fit(where):
    """Ctrl-C in the last of all callbacks still takes the fit back."""

    class Callback:
        def setup(self, estimator, context):
            pass

        teardown = setup

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            if context.task_name == where:
                raise KeyboardInterrupt

    clf = classifier().fit(X, Y)
    before = vars(clf).copy()
    clf.set_callbacks(Callback())
    if where == "epoch":
        with pytest.warns(UserWarning, match="interrupted"):
            assert clf.fit(X, 1 - Y).n_iter_ == 1
        return
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, 1 - Y)
    assert vars(clf.set_callbacks()) == before


REFIT = WATCHED | {"refit": True, "optimizer": SGD()}


def test_no_refit_after_a_callback_has_stopped():
    """A callback that asks to stop gets the network that it was shown."""
    seen = []

    class Stops:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            seen.append(fitted_estimator)
            return len(seen) == 2

    clf = classifier(**REFIT).set_callbacks(Stops()).fit(X, Y)
    np.testing.assert_array_equal(parameters(clf), parameters(seen[1]))
    assert clf.n_iter_ == 2


@pytest.mark.parametrize(
    ("make", "data"), [(classifier, binary), (regressor, regression)]
)
def test_what_a_callback_was_shown_stays(make, data):
    """The second training changes nothing that callbacks of the first were given."""
    seen = []

    class Callback:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            seen.append(
                (context.task_name, fitted_estimator, fitted_estimator.predict(Z))
            )

    X, y = data()
    Z = np.exp(3 * X)  # whose scaling depends on the rows
    # With two members, both trainings would scale by all rows.
    est = make(refit=True, n_members=1, **EARLY).set_callbacks(Callback())
    est.fit(Z, y)
    assert [name for name, _, _ in seen] == 9 * ["epoch"] + ["fit"]
    for _, fitted, predicted in seen:
        np.testing.assert_array_equal(fitted.predict(Z), predicted)
    np.testing.assert_array_equal(seen[-1][2], est.predict(Z))
