"""scikit-learn's callbacks around a fit and its epochs (scikit-learn 1.9 or newer)."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdnn import DNNClassifier, DNNRegressor
from skdnn.streaming import Stream
from tests import plain
from tests.tables import RECIPES, TASKS, binary, classifier, multilabel, regressor

tasks = pytest.mark.parametrize("task", TASKS)

#: The recipes, and a plain network.
NETWORKS = {"plain": plain.PLAIN, **RECIPES}
networks = pytest.mark.parametrize("network", NETWORKS)

#: Where a shorter fit is the beginning of a longer one, no schedule ends with it.
OPEN = {"schedule": "constant"}

#: What `score` of each estimator is.
SCORING = {
    task: "r2" if make is regressor else "accuracy" for task, (make, _) in TASKS.items()
}


class Recorder:
    """Writes down what it hears, and asks to stop after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events = []
        self.fitted = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(f"begin {context.task_name} {context.task_id}")
        self.data = X, y, metadata

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name} {context.task_id}")
        self.fitted.append(fitted_estimator)
        return context.task_name == "epoch" and len(self.fitted) == self.stop_after


class Fails(Recorder):
    """Raises an error at the end of the third epoch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        if self.events[-1] == "end epoch 2":
            raise self.error


def events(n_epochs):
    """Return what a callback hears of a fit of `n_epochs`."""
    epochs = [f"{what} epoch {i}" for i in range(n_epochs) for what in ("begin", "end")]
    return ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]


def fitted(task, *callbacks, **params):
    """Return an estimator fitted with callbacks, and its data."""
    make, data = TASKS[task]
    X, y = data()
    return make(**params).set_callbacks(*callbacks).fit(X, y), X, y


# What callbacks hear


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize(
    "params",
    [{}, {"solver": "bgd", "optimizer": "lbfgs"}, {"early_stopping": True}],
    ids=["adam", "lbfgs", "early stopping"],
)
def test_events(task, params):
    """Each epoch begins and ends once, in order, inside the fit."""
    recorder = Recorder()
    estimator, _, _ = fitted(task, recorder, **params)
    assert estimator.n_iter_ == 5
    assert recorder.events == events(5)


def test_events_of_early_stopping():
    """A run that stops before `max_iter` has no more tasks than epochs."""
    recorder = Recorder()
    params = {"early_stopping": True, "learning_rate": 0.1, "n_iter_no_change": 2}
    estimator, _, _ = fitted("binary", recorder, max_iter=200, tol=0.0, **params)
    assert estimator.n_iter_ < 200
    assert recorder.events == events(estimator.n_iter_)


def test_events_of_lbfgs_that_converges():
    """An iteration that was begun and never made is ended, as an empty one."""
    recorder = Recorder()
    params = {"solver": "bgd", "optimizer": "lbfgs", "alpha": 10.0, "tol": 1e-3}
    estimator, _, _ = fitted("binary", recorder, max_iter=500, **params)
    assert recorder.events == events(estimator.n_iter_ + 1)
    assert recorder.fitted[-2] is None


def test_events_of_divergence():
    """An epoch that ends in numbers that are not finite is still ended."""
    recorder = Recorder()
    params = {"solver": "bgd", "optimizer": "sgd", "learning_rate": 30.0}
    make, data = TASKS["regression"]
    estimator = make(activation="identity", max_iter=300, **params)
    with pytest.warns(match="diverged"):
        estimator.set_callbacks(recorder).fit(*data())
    assert recorder.events == events(estimator.n_iter_ + 1)


def test_data_as_they_were_given():
    """Callbacks receive X, y and the weights of `fit`."""
    X, y = binary()
    weight, recorder = np.arange(60.0), Recorder()
    classifier().set_callbacks(recorder).fit(X, y, sample_weight=weight)
    assert recorder.data[0] is X
    assert recorder.data[1] is y
    assert recorder.data[2] == {"sample_weight": weight}


@pytest.mark.sampled
@tasks
@networks
def test_callbacks_change_nothing(network, task):
    """Training with callbacks is training without, bit for bit."""
    params = NETWORKS[network] | {"max_iter": 5}
    callbacks = Recorder(), ScoringMonitor(scoring=SCORING[task])
    watched, X, y = fitted(task, *callbacks, **params)
    alone = TASKS[task][0](**params).fit(X, y)
    np.testing.assert_array_equal(watched.network_.params, alone.network_.params)


def test_partial_fit_has_no_callbacks():
    """As in scikit-learn, callbacks are for `fit`."""
    recorder = Recorder()
    X, y = binary()
    classifier().set_callbacks(recorder).partial_fit(X, y, [0, 1])
    assert recorder.events == []


def test_no_callbacks():
    """`set_callbacks()` takes them all away."""
    recorder = Recorder()
    classifier().set_callbacks(recorder).set_callbacks().fit(*binary())
    assert recorder.events == []


def test_what_is_no_callback():
    """Anything else is an error of scikit-learn's own."""
    with pytest.raises(TypeError, match="FitCallback"):
        classifier().set_callbacks(Recorder)


# The estimator a callback receives


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("early_stopping", [False, True])
@networks
def test_snapshots_are_shorter_fits(network, task, early_stopping):
    """The estimator of epoch k is what a fit of k epochs gives, to the bit."""
    recorder = Recorder()
    params = NETWORKS[network] | OPEN
    params |= {"early_stopping": early_stopping, "batch_norm": True}
    params["linear_share"] = False
    _, X, y = fitted(task, recorder, **params | {"max_iter": 3})
    for k, snapshot in enumerate(recorder.fitted[:-1], 1):
        shorter = TASKS[task][0](**params | {"max_iter": k}).fit(X, y)
        np.testing.assert_array_equal(snapshot.predict(X), shorter.predict(X))
        assert snapshot.loss_curve_ == shorter.loss_curve_
        assert snapshot.n_iter_ == k
        assert snapshot.best_iter_ == shorter.best_iter_


@pytest.mark.sampled
@tasks
@networks
def test_training_goes_on_from_a_snapshot(network, task):
    """With `warm_start`, a snapshot trains on as a fit that stopped there would."""
    recorder = Recorder()
    params = {"warm_start": True, "schedule": "cosine", "dropout": 0.1}
    params = NETWORKS[network] | params | {"max_iter": 5}
    _, X, y = fitted(task, recorder, **params)
    stopped, _, _ = fitted(task, Recorder(stop_after=2), **params)
    snapshot = recorder.fitted[1].set_callbacks()
    stopped.set_callbacks().fit(X, y)
    np.testing.assert_array_equal(
        snapshot.fit(X, y).network_.params, stopped.network_.params
    )


@tasks
def test_last_snapshot_is_the_fitted_estimator(task):
    """What the end of `fit` hands out predicts like the estimator, and is another."""
    recorder = Recorder()
    estimator, X, y = fitted(task, recorder)
    last = recorder.fitted[-1]
    expected = estimator.predict(X)
    assert last is not estimator
    assert not np.shares_memory(last.network_.params, estimator.network_.params)
    np.testing.assert_array_equal(last.predict(X), expected)
    estimator.partial_fit(X, y)
    np.testing.assert_array_equal(last.predict(X), expected)


def test_snapshots_can_be_pickled():
    """A snapshot goes through a pickle like any estimator."""
    recorder = Recorder()
    estimator, X, _ = fitted("binary", recorder)
    copy = pickle.loads(pickle.dumps(recorder.fitted[-1]))
    np.testing.assert_array_equal(copy.predict(X), estimator.predict(X))


# Stopping


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("n_epochs", [1, 3])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_true_stops_training(task, n_epochs, optimizer):
    """A callback that returns True ends training after that epoch, without warning."""
    recorder = Recorder(stop_after=n_epochs)
    params = {"solver": "bgd", "optimizer": optimizer, "tol": 0.0}
    estimator, X, y = fitted(task, recorder, max_iter=9, **params)
    assert estimator.n_iter_ == n_epochs
    assert recorder.events == events(n_epochs)
    params = {**params, "tol": None, "max_iter": n_epochs}
    shorter = TASKS[task][0](**params).fit(X, y)
    np.testing.assert_array_equal(estimator.network_.params, shorter.network_.params)


def test_stopping_restores_the_best_weights():
    """With early stopping, the best epoch so far is what remains."""
    params = {"early_stopping": True, **OPEN}
    estimator, X, y = fitted("binary", Recorder(4), max_iter=50, **params)
    shorter = classifier(max_iter=4, **params).fit(X, y)
    np.testing.assert_array_equal(estimator.network_.params, shorter.network_.params)


def test_an_error_in_a_callback():
    """It comes out of `fit`; callbacks are torn down, the old network stays."""
    estimator, X, y = fitted("binary")
    expected = estimator.predict_proba(X)
    callback = Fails(RuntimeError("no more"))
    with pytest.raises(RuntimeError, match="no more"):
        estimator.set_callbacks(callback).fit(X, 1 - y)
    assert callback.events == [*events(3)[:-2], "teardown"]
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    # And the next fit starts clean.
    recorder = Recorder()
    estimator.set_callbacks(recorder).fit(X, y)
    assert recorder.events == events(5)


def test_an_error_in_fit():
    """Callbacks are torn down when training itself fails, and hear of no other."""
    recorder = Recorder()
    X, y = binary()
    with pytest.raises(ValueError, match="diverged"):
        classifier(learning_rate=1e300).set_callbacks(recorder).fit(X, y)
    assert recorder.events == ["setup", "begin fit 0", "begin epoch 0", "teardown"]
    X[3, 2], recorder.events = np.inf, []
    with pytest.raises(ValueError, match="infinity"):
        classifier().set_callbacks(recorder).fit(X, y)
    assert recorder.events == []


def test_interrupt():
    """Ctrl-C ends training with a warning, and callbacks as at any other end."""
    callback, (X, y) = Fails(KeyboardInterrupt), binary()
    estimator = classifier(max_iter=9, **OPEN).set_callbacks(callback)
    with pytest.warns(match="interrupted"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 3
    assert callback.events == events(3)
    shorter = classifier(max_iter=3, **OPEN).fit(X, y)
    np.testing.assert_array_equal(estimator.network_.params, shorter.network_.params)


# scikit-learn's own callbacks


@pytest.mark.sampled
@tasks
@pytest.mark.parametrize("early_stopping", [False, True])
def test_scoring_monitor(task, early_stopping):
    """It logs the training score of each epoch; the last is the estimator's own."""
    name = SCORING[task]
    monitor = ScoringMonitor(scoring=name)
    params = {"early_stopping": early_stopping, "learning_rate": 0.03}
    # Which comes when the last epoch has ended.
    params["linear_share"] = False
    estimator, X, y = fitted(task, monitor, **params)
    log = monitor.get_logs().data_as_pandas
    assert list(log["task_name"]) == ["fit"] + 5 * ["epoch"]
    np.testing.assert_allclose(log[name].iloc[[0, -1]], estimator.score(X, y))
    assert log[name].nunique() > 1


def test_scoring_monitor_with_weights():
    """Scores count the weights of `fit`."""
    X, y = binary()
    weight = np.where(y == 1, 5.0, 1.0)
    monitor = ScoringMonitor(scoring="accuracy")
    estimator = classifier().set_callbacks(monitor).fit(X, y, sample_weight=weight)
    logged = monitor.get_logs().data[0]["accuracy"]
    assert logged == pytest.approx(estimator.score(X, y, sample_weight=weight))
    assert logged != pytest.approx(estimator.score(X, y))


@pytest.mark.parametrize(
    "params",
    [{}, {"solver": "bgd", "optimizer": "lbfgs"}, {"early_stopping": True}],
    ids=["adam", "lbfgs", "early stopping"],
)
def test_progress_bar(params, capsys):
    """The bar is drawn to its end."""
    fitted("binary", ProgressBar(), **params)
    printed = capsys.readouterr().out
    assert "DNNClassifier - fit" in printed
    assert "100%" in printed


def test_pipeline(capsys):
    """A pipeline passes its callbacks on, and hears of our epochs."""
    X, y = binary()
    monitor = ScoringMonitor(scoring="accuracy")
    network = classifier(linear_share=False).set_callbacks(monitor)
    pipeline = make_pipeline(StandardScaler(), network)
    pipeline.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "DNNClassifier" in capsys.readouterr().out
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == 5
    assert log["accuracy"].iloc[-1] == pytest.approx(pipeline.score(X, y))


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_grid_search(n_jobs, early_stopping, capsys):
    """Each fit of a search logs its epochs, in other processes too."""
    monitor = ScoringMonitor(scoring="accuracy")
    network = classifier(early_stopping=early_stopping).set_callbacks(monitor)
    search = GridSearchCV(network, {"alpha": [0.01, 1.0]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar(max_propagation_depth=None))
    search.fit(*binary())
    assert "GridSearchCV" in capsys.readouterr().out
    log = monitor.get_logs().data_as_pandas
    # Two candidates, two folds, and the refit.
    assert (log["task_name"] == "epoch").sum() == 5 * 5
    assert clone(search.best_estimator_).fit(*binary()).n_iter_ == 5


def test_clone_and_pickle_keep_callbacks():
    """A clone shares the callbacks, a pickle has its own."""
    X, y = multilabel()
    recorder = Recorder()
    estimator = classifier().set_callbacks(recorder)
    clone(estimator).fit(X, y)
    assert recorder.events == events(5)
    copy = pickle.loads(pickle.dumps(estimator)).fit(X, y)
    assert recorder.events == events(5)
    assert copy._skl_callbacks[0].events == 2 * events(5)


def test_a_fitted_estimator_has_no_trace_of_a_run():
    """What a run needs for callbacks is gone after it."""
    watched, X, y = fitted("regression", Recorder())
    assert vars(watched).keys() - vars(regressor().fit(X, y)).keys() == {
        "_skl_callbacks"
    }


# With nothing but the constructor's defaults


@pytest.mark.parametrize(
    ("Estimator", "warm_start"),
    [
        (DNNClassifier, False),
        pytest.param(DNNClassifier, True, marks=pytest.mark.slow),
        pytest.param(DNNRegressor, False, marks=pytest.mark.slow),
        pytest.param(DNNRegressor, True, marks=pytest.mark.slow),
    ],
)
def test_defaults_with_callbacks(Estimator, warm_start, capsys):
    """Callbacks hear the number of epochs that "auto" stands for."""
    monitor = ScoringMonitor(scoring="neg_mean_squared_error")
    recorder, bar = Recorder(), ProgressBar()
    est = Estimator(random_state=0, warm_start=warm_start)
    X, y = binary(30)
    est.set_callbacks(monitor, recorder, bar).fit(X, y)
    n_epochs = est.n_iter_
    assert recorder.events == events(n_epochs)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == n_epochs
    assert "100%" in capsys.readouterr().out
    est.fit(X, y)
    assert recorder.events == events(n_epochs) + events(est.n_iter_)


@pytest.mark.slow
def test_defaults_with_callbacks_in_a_search(capsys):
    """A search of estimators with the default number of epochs, in a pipeline too."""
    monitor = ScoringMonitor(scoring="accuracy")
    network = DNNClassifier((4,), random_state=0).set_callbacks(monitor)
    pipeline = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(pipeline, {"dnnclassifier__alpha": [0.1, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*binary(24))
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() > 5
    assert "GridSearchCV" in capsys.readouterr().out


@pytest.mark.parametrize("max_iter", ["auto", 3, np.int64(4), 1000])
def test_callbacks_hear_the_most_epochs(max_iter):
    """It is the number that `max_iter` stands for, however many rows there are."""
    heard = []

    class Hears(Recorder):
        def on_fit_task_begin(self, estimator, context):
            heard.append(context.max_subtasks)

    clf = classifier(max_iter=max_iter, tol=1e-4, n_iter_no_change=1)
    clf.set_callbacks(Hears(stop_after=2)).fit(*binary(20))
    assert heard[0] == (90 if max_iter == "auto" else max_iter)


@pytest.mark.slow
def test_defaults_with_everything():
    """Each public method works after the other, and after a pickle."""
    X, y = binary(30)
    for Estimator in (DNNClassifier, DNNRegressor):
        est = Estimator().set_callbacks(Recorder()).fit(X, y)
        est = pickle.loads(pickle.dumps(clone(est).fit(X, y)))
        est.partial_fit(X, y).partial_fit(X, y)
        assert est.score(X, y) > 0
        est.set_params(warm_start=True).fit(X, y).partial_fit(X, y)
        assert np.isfinite(est.predict(X)).all()


def test_callbacks_hear_of_the_training_that_is_watched():
    """A refit has no tasks: its epochs are not those of the curves."""
    recorder = Recorder()
    clf = classifier(refit=True, early_stopping=True).set_callbacks(recorder)
    clf.fit(*binary())
    assert recorder.events == events(5)
    np.testing.assert_array_equal(
        recorder.fitted[-1].network_.params, clf.network_.params
    )


@pytest.mark.slow
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_constructor_defaults(Estimator, capsys):
    """With nothing set, callbacks hear of the epochs that `"auto"` stands for."""
    X, y = binary()
    monitor = ScoringMonitor(scoring="accuracy" if Estimator is DNNClassifier else "r2")
    est = Estimator().set_callbacks(monitor, ProgressBar()).fit(X, y)
    assert len(monitor.get_logs().data[0]) > 0
    assert est.n_iter_ > 1
    search = GridSearchCV(Estimator().set_callbacks(monitor), {"alpha": [0.1]}, cv=2)
    assert np.isfinite(search.fit(X, y).best_score_)


def test_a_stream():
    """Callbacks of a fit to a stream receive it as it is, and may end it."""
    X, y = binary()
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y)
    stream = Stream([frame[:25], frame[25:]], buffer_rows=20)
    recorder = Recorder(stop_after=2)
    clf = classifier(batch_size=10).set_callbacks(recorder).fit(stream, "y")
    assert clf.n_iter_ == 2
    assert recorder.data == (stream, "y", None)
    assert recorder.fitted[-1].score(X=frame[list("abcd")], y=y) > 0
