"""The estimators of skdnn on Dask collections."""

from copy import deepcopy
from functools import partial
from inspect import Parameter, signature
from numbers import Integral

from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted

from skdnn._data import check_validation_arguments
from skdnn._model import Model
from skdnn._parameters import check_going_on, check_together, is_lbfgs, is_on
from skdnn._persistence import without_transient
from skdnn._portfolio import ALIKE
from skdnn._recipe import resolve
from skdnn._scoring import check_sees_predictions
from skdnn._sklearn_compat import Interval, StrOptions
from skdnn._training import end_times, random_streams, refit
from skdnn.classifier import DNNClassifier
from skdnn.dask._cluster import Cluster, clear_errors
from skdnn.dask._partitions import is_collection, partitions_of
from skdnn.dask._prediction import lazily
from skdnn.dask._table import NOTED, Table
from skdnn.dask._training import ClusterTraining
from skdnn.regressor import DNNRegressor

#: The parameters of a cluster, and what they are by default.
OWN = {"client": None, "parallel": "auto", "n_rounds": 4, "storage": "memory"}

#: What they may be; Dask itself looks at the client.
CONSTRAINTS = {
    "parallel": [StrOptions({"auto", "rows", "members"})],
    "n_rounds": [Interval(Integral, 1, None, closed="left")],
    "storage": [StrOptions({"memory", "disk"})],
}

#: With fewer rows for each worker, an average is of too few steps.
ENOUGH_ROWS = 20_000

#: How many times as large as its table, in float64, what a worker holds may be.
COPIES = 3


def constructor(local):
    """Return an ``__init__`` that has the parameters of the local class, and `OWN`."""

    def __init__(self, *args, **params):
        own = {name: params.pop(name, default) for name, default in OWN.items()}
        local.__init__(self, *args, **params)
        vars(self).update(own)

    # Which is where scikit-learn reads the parameters.
    of_local, keyword = signature(local.__init__), Parameter.KEYWORD_ONLY
    own = [Parameter(name, keyword, default=value) for name, value in OWN.items()]
    parameters = [*of_local.parameters.values(), *own]
    __init__.__signature__ = of_local.replace(parameters=parameters)
    return __init__


class DaskMixin:
    """Fits collections on a cluster, and predicts them lazily."""

    #: The estimator without a cluster.
    _local_class = None

    def to_local(self):
        """Return the estimator that needs no cluster, with the same predictions.

        Returns
        -------
        estimator : DNNClassifier or DNNRegressor
            Fitted as this one is; it knows nothing of Dask.
        """
        attributes = without_transient(vars(self))
        local = object.__new__(self._local_class)
        local.__dict__ = {k: v for k, v in attributes.items() if k not in OWN}
        return local

    def _fit(self, train, validation, tasks, started):
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        check_together(vars(self))
        self._check_for_cluster()
        self._check_members(goes_on)
        check_validation_arguments(*validation, self.early_stopping)
        val = None
        if validation[0] is not None:
            val = partitions_of(*validation, suffix="_val")
        with clear_errors():
            cluster = Cluster(self.client)
            table, run = self._prepare(cluster, train, goes_on, validation)
            shards, held_out = table.encoded()
            if val is not None:
                held_out = table.beside(val)
            settings, model = run["settings"], table.model
            self._check_validation(
                settings, model.targets, shards.n_trained, held_out is not None, val
            )
            refits = settings.refit and held_out is not None and val is None
            first_end, end_time = end_times(settings.max_time, started, refits)
            n_epochs = settings.max_iter
            tasks.begin_fit(n_epochs, self._attributes)
            training = ClusterTraining(
                **(run | {"n_epochs": n_epochs, "end_time": first_end, "tasks": tasks})
            )
            training.run(
                model, shards, table.sample, held_out, self._as_estimator
            ).check()
            self.__dict__ = self._attributes(training)
            # What workers hold makes room, for a refit or for others.
            del shards, held_out
            training.forget()
            if refits and not (training.interrupted or training.stopped):
                again = self._refit(training, table, run["apart"], end_time)
                self._model = again or self._model

    def _refit(self, first, table, apart, end_time):
        """Return a model trained anew on all rows of a table; see `refit`."""
        # Of its own, so that no task is taken for one of the first training.
        cluster = Cluster(self.client)

        def run(training, model):
            again, settings = table.anew(cluster, model), training.settings
            again.gather_rows(apart, in_order=not self.shuffle)
            again.divide(settings, None)
            statistics = again.statistics()
            model.learn(statistics, settings, is_whole=True)
            shards, _ = again.encoded()
            training.run(model, shards, statistics.sample)

        make = partial(ClusterTraining, cluster, self.n_rounds, apart)
        return refit(first, run, end_time, make)

    def _fit_an_epoch(self, train, classes):
        if not is_collection(train[0]):
            super()._fit_an_epoch(train, classes)
            return
        goes_on = self.__sklearn_is_fitted__()
        check_together(vars(self))
        self._check_for_cluster()
        self._refuse_for_parts(goes_on)
        with clear_errors():
            cluster = Cluster(self.client)
            table, run = self._prepare(cluster, train, goes_on, None, classes)
            shards, _ = table.encoded()
            training = ClusterTraining(**run, n_epochs=None)
            training.run(table.model, shards, table.sample).check()
        self.__dict__ = self._attributes(training)

    def _prepare(self, cluster, train, goes_on, validation, classes=None):
        """Return a table whose model has learned, and what its training begins with.

        Without a `validation`, which may be of Nones, there will be other rows.
        """
        if goes_on:
            check_going_on(vars(self), self._built_with, self._fixed)
            model = self._model
        else:
            model = Model(self._new_encoder(), self._targets_class())
        table = Table(
            cluster, self._checker(), model, partitions_of(*train), self.storage
        )
        table.look(not goes_on, classes)
        vars(self).update(noted(table.estimator))
        is_whole = validation is not None
        apart = is_whole and self._goes_apart(table, goes_on)
        n_rows = table.gather_rows(apart, in_order=not self.shuffle)
        n_rows = n_rows if is_whole else None
        settings = self._resolve(self.n_features_in_, n_rows, goes_on)
        # A linear model is for rows so few that they need no cluster.
        settings.linear_share = self._built_with["linear_share"] = False
        settings.portfolio = self._built_with["portfolio"] = ALIKE
        progress = deepcopy(self._progress) if goes_on else None
        streams = random_streams(self.random_state, progress)
        splits = is_whole and validation[0] is None and settings.early_stopping
        table.divide(settings, deepcopy(streams["split"]) if splits else None)
        statistics = table.statistics()
        if not goes_on:
            model.learn(statistics, settings, is_whole)
        table.sample = statistics.sample
        return table, {
            "cluster": cluster,
            "n_rounds": self.n_rounds,
            "apart": apart,
            "settings": settings,
            "streams": streams,
            "max_epochs": settings.max_iter,
            "progress": progress,
        }

    def _checker(self):
        """Return an estimator in whose name workers check columns."""
        checker = self._local_class(
            numeric_scaling=self.numeric_scaling,
            categorical_features=self.categorical_features,
        )
        vars(checker).update(noted(self))
        return checker

    def _goes_apart(self, table, goes_on):
        """Whether each worker trains members on all rows, not all on some rows."""
        if self.parallel != "auto":
            return self.parallel == "members"
        settings = self._resolve(self.n_features_in_, table.n_samples, goes_on)
        n_workers = len(table.cluster.workers)
        if COPIES * 8 * table.n_samples * self.n_features_in_ > table.cluster.memory():
            return False
        few = table.n_samples < ENOUGH_ROWS * n_workers
        many = settings.n_members >= n_workers
        return few or (has_own_members(settings) and many)

    def _check_members(self, goes_on):
        """Raise an error if members are to be trained apart, and there are none."""
        if self.parallel != "members":
            return
        before = self._built_with if goes_on else None
        # Neither columns nor rows say whether there are several.
        settings = resolve(vars(self), 1, None, is_classifier(self), before)
        if not has_own_members(settings):
            raise ValueError(
                "parallel='members' trains members on their own, and needs several "
                f"with ensemble_weights='own'; got n_members={settings.n_members}, "
                f"ensemble_weights={settings.ensemble_weights!r}."
            )

    def _check_for_cluster(self):
        """Raise an error for what can't be done on a cluster."""
        if is_on(self.linear_share):
            raise ValueError(
                "linear_share=True trains a linear model on all rows, and no worker "
                "has them all. Set linear_share=False."
            )
        if is_on(self.portfolio):
            raise ValueError(
                f"portfolio={self.portfolio!r} trains kinds of members one after the "
                "other, which a cluster does not. Set portfolio=False."
            )
        if is_lbfgs(self.optimizer):
            raise ValueError(
                "optimizer='lbfgs' needs the gradient of all rows at each step, and no "
                "worker has them all. Use another optimizer."
            )
        check_sees_predictions(self.scoring, "on a cluster")

    def _predict(self, X, finish, **options):
        if not is_collection(X):
            return super()._predict(X, finish, **options)
        check_is_fitted(self)
        return lazily(self.to_local(), X, finish, options)

    def __getstate__(self):
        # A client belongs to its process.
        return super().__getstate__() | {"client": None}

    def __sklearn_clone__(self):
        # Nor can it be copied.
        bare = object.__new__(type(self))
        bare.__dict__ = vars(self) | {"client": None}
        clone = BaseEstimator.__sklearn_clone__(bare)
        clone.client = self.client
        return clone


class DaskDNNClassifier(DaskMixin, DNNClassifier):
    """Classifier for tables that are Dask collections, on a Dask cluster.

    It has all parameters, methods and fitted attributes of
    :class:`~skdnn.DNNClassifier`, and those below. `fit` and `partial_fit` take a Dask
    DataFrame or Array `X`, and `y`, `sample_weight`, `X_val`, `y_val` and
    `sample_weight_val` divided alike. Predictions of collections are lazy collections;
    those of anything in memory are there at once.

    Rows that are equal are joined where they are on one worker. No more than 131,072
    rows are held out for early stopping. `refit` reads the collections once more.
    `linear_share`, `portfolio`, ``optimizer="lbfgs"`` and scorers that look at `X` are
    not there on a cluster.

    Parameters
    ----------
    *args, **params
        Those of :class:`~skdnn.DNNClassifier`.

    client : distributed.Client, default=None
        None is the current one. A pickle does not hold it.

    parallel : {"auto", "rows", "members"}, default="auto"
        - ``"rows"``: each worker trains the network on its own rows, and the networks
          are averaged several times an epoch.
        - ``"members"``: all rows are brought to each worker, which trains members of
          the ensemble on them.
        - ``"auto"`` is "members" if a worker's memory has room for three times the
          table, in float64, and there are fewer than 20,000 rows for each worker or as
          many members as workers; then a network that is alone, or shares its weights,
          is trained by one worker.

    n_rounds : int, default=4
        How often the networks are averaged in an epoch, where rows are divided.

    storage : {"memory", "disk"}, default="memory"
        Where workers keep their rows: in memory, or in files that are mapped into it,
        in their local directories.

    See Also
    --------
    skdnn.DNNClassifier : The same in one process.

    Examples
    --------
    >>> import dask.array as da  # doctest: +SKIP
    >>> from dask.distributed import Client  # doctest: +SKIP
    >>> from skdnn.dask import DaskDNNClassifier
    >>> client = Client()  # doctest: +SKIP
    >>> X = da.random.random((100_000, 10), chunks=(10_000, 10))  # doctest: +SKIP
    >>> y = (X.sum(axis=1) > 5).astype(int)  # doctest: +SKIP
    >>> clf = DaskDNNClassifier().fit(X, y)  # doctest: +SKIP
    >>> proba = clf.predict_proba(X)  # doctest: +SKIP
    >>> local = clf.to_local()  # doctest: +SKIP
    """

    _parameter_constraints = DNNClassifier._parameter_constraints | CONSTRAINTS
    _local_class = DNNClassifier
    __init__ = constructor(DNNClassifier)


class DaskDNNRegressor(DaskMixin, DNNRegressor):
    """Regressor for tables that are Dask collections, on a Dask cluster.

    It has all parameters, methods and fitted attributes of
    :class:`~skdnn.DNNRegressor`, and those below. `fit` and `partial_fit` take a Dask
    DataFrame or Array `X`, and `y`, `sample_weight`, `X_val`, `y_val` and
    `sample_weight_val` divided alike. Predictions of collections are lazy collections;
    those of anything in memory are there at once.

    Rows that are equal are joined where they are on one worker. No more than 131,072
    rows are held out for early stopping. `refit` reads the collections once more.
    `linear_share`, `portfolio`, ``optimizer="lbfgs"`` and scorers that look at `X` are
    not there on a cluster.

    Parameters
    ----------
    *args, **params
        Those of :class:`~skdnn.DNNRegressor`.

    client : distributed.Client, default=None
        None is the current one. A pickle does not hold it.

    parallel : {"auto", "rows", "members"}, default="auto"
        - ``"rows"``: each worker trains the network on its own rows, and the networks
          are averaged several times an epoch.
        - ``"members"``: all rows are brought to each worker, which trains members of
          the ensemble on them.
        - ``"auto"`` is "members" if a worker's memory has room for three times the
          table, in float64, and there are fewer than 20,000 rows for each worker or as
          many members as workers; then a network that is alone, or shares its weights,
          is trained by one worker.

    n_rounds : int, default=4
        How often the networks are averaged in an epoch, where rows are divided.

    storage : {"memory", "disk"}, default="memory"
        Where workers keep their rows: in memory, or in files that are mapped into it,
        in their local directories.

    See Also
    --------
    skdnn.DNNRegressor : The same in one process.

    Examples
    --------
    >>> import dask.array as da  # doctest: +SKIP
    >>> from dask.distributed import Client  # doctest: +SKIP
    >>> from skdnn.dask import DaskDNNRegressor
    >>> client = Client()  # doctest: +SKIP
    >>> X = da.random.random((100_000, 10), chunks=(10_000, 10))  # doctest: +SKIP
    >>> reg = DaskDNNRegressor().fit(X, X.sum(axis=1))  # doctest: +SKIP
    >>> predictions = reg.predict(X)  # doctest: +SKIP
    """

    _parameter_constraints = DNNRegressor._parameter_constraints | CONSTRAINTS
    _local_class = DNNRegressor
    __init__ = constructor(DNNRegressor)


def has_own_members(settings):
    """Whether there are several members, with parameters of their own."""
    return settings.ensemble_weights == "own" and settings.n_members > 1


def noted(estimator):
    """Return what an estimator has noted of the columns that it is fitted to."""
    return {name: value for name, value in vars(estimator).items() if name in NOTED}
