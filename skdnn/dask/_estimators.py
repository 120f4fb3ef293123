"""The estimators of skdnn on Dask collections."""

from copy import deepcopy
from inspect import Parameter, signature
from numbers import Integral

from dask import is_dask_collection
from sklearn.base import BaseEstimator
from sklearn.metrics._scorer import _BaseScorer

from skdnn._data import check_validation_arguments
from skdnn._model import Model
from skdnn._parameters import check_together, is_lbfgs, warn_of_no_effect
from skdnn._sklearn_compat import Interval, StrOptions
from skdnn._training import random_streams
from skdnn.classifier import DNNClassifier
from skdnn.dask._cluster import Cluster, clear_errors
from skdnn.dask._partitions import partitions_of
from skdnn.dask._table import Table
from skdnn.dask._training import ClusterTraining
from skdnn.regressor import DNNRegressor

#: Of a cluster, and what they are by default.
OWN = {"client": None, "parallel": "auto", "n_rounds": 4, "storage": "memory"}

#: From so many rows for each worker on, rows are divided rather than members.
ROWS_ENOUGH = 20_000


def _constructor(local):
    """Return an ``__init__`` that has the parameters of the local class, and `OWN`."""

    def __init__(self, *args, **params):
        own = {name: params.pop(name, default) for name, default in OWN.items()}
        local.__init__(self, *args, **params)
        vars(self).update(own)

    # scikit-learn reads the parameters off the signature.
    of_local = signature(local.__init__)
    keyword = Parameter.KEYWORD_ONLY
    own = [Parameter(name, keyword, default=value) for name, value in OWN.items()]
    parameters = [*of_local.parameters.values(), *own]
    __init__.__signature__ = of_local.replace(parameters=parameters)
    return __init__


class DaskMixin:
    """Fits to collections, on a cluster, and predicts them lazily."""

    _own_constraints = {
        "parallel": [StrOptions({"auto", "rows", "members"})],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "storage": [StrOptions({"memory", "disk"})],
    }
    #: The estimator without a cluster.
    _local_class = None

    def to_local(self):
        """Return a plain estimator that has the same parameters and predictions.

        Returns
        -------
        estimator : DNNClassifier or DNNRegressor
            It knows nothing of Dask.
        """
        local = object.__new__(self._local_class)
        local.__dict__ = {k: v for k, v in vars(self).items() if k not in OWN}
        return local

    def _fit(self, train, validation, tasks, started):
        with clear_errors():
            self._fit_on(Cluster(self.client), train, validation, tasks, started)

    def _fit_on(self, cluster, train, validation, tasks, started):
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        check_together(vars(self))
        self._check_for_cluster()
        check_validation_arguments(*validation, self.early_stopping)
        table = self._look_at(cluster, train, goes_on)
        n_rows = self._distribute(table)
        settings = self._resolve(self.n_features_in_, n_rows, goes_on)
        progress = deepcopy(self._progress) if goes_on else None
        streams = random_streams(self.random_state, progress)
        rng = deepcopy(streams["split"]) if settings.early_stopping else None
        table.divide(settings, rng)
        if not goes_on:
            table.learn(settings, is_whole=True)
        shards = table.shards()
        held_out = None
        if rng is not None:
            own = settings.ensemble_weights == "own" and settings.n_members > 1
            held_out = table.held_out(shards.futures, own)
        warn_of_no_effect(vars(self), held_out, None)
        if held_out is not None and isinstance(settings.scoring, str) and settings.scoring != "loss":
            table.model.targets.check_scoring(settings)
        end_time = None if settings.max_time is None else started + settings.max_time
        n_epochs = settings.max_iter
        tasks.begin_fit(n_epochs, self._attributes)
        training = ClusterTraining(
            *(cluster, self.n_rounds, table.apart, settings, streams),
            *(n_epochs, n_epochs, end_time, tasks, progress),
        )
        training.run(table.model, shards, held_out, self._as_estimator).check()
        self.__dict__ = self._attributes(training)

    def _look_at(self, cluster, train, goes_on, classes=None):
        model = self._model if goes_on else Model(self._new_encoder(), self._targets_class())
        table = Table(cluster, self._without_client(), model, partitions_of(*train), self.storage, 0)
        table.look(not goes_on, classes)
        vars(self).update({k: v for k, v in vars(table.estimator).items() if k in ("n_features_in_", "feature_names_in_")})
        return table

    def _distribute(self, table):
        """Put the rows where they will be trained on; return how many there are."""
        n_workers = len(table.cluster.workers)
        settings = self._resolve(self.n_features_in_, table.n_samples, True) if False else None
        table.apart = self.parallel == "members"
        return table.gather_rows(1 if table.apart else n_workers, not self.shuffle)

    def _without_client(self):
        bare = self.to_local()
        vars(bare).pop("_model", None), vars(bare).pop("_progress", None)
        return bare

    def _check_for_cluster(self):
        if is_lbfgs(self.optimizer):
            raise ValueError("optimizer='lbfgs' needs all rows in one place: on a cluster, take another optimizer.")
        if self.refit:
            raise ValueError("refit=True is not available on a cluster.")

    def __getstate__(self):
        # A client belongs to its process.
        return super().__getstate__() | {"client": None}

    def __sklearn_clone__(self):
        bare = object.__new__(type(self))
        bare.__dict__ = vars(self) | {"client": None}
        clone = BaseEstimator.__sklearn_clone__(bare)
        clone.client = self.client
        return clone


class DaskDNNClassifier(DaskMixin, DNNClassifier):
    _parameter_constraints = DNNClassifier._parameter_constraints | DaskMixin._own_constraints
    _local_class = DNNClassifier
    __init__ = _constructor(DNNClassifier)


class DaskDNNRegressor(DaskMixin, DNNRegressor):
    _parameter_constraints = DNNRegressor._parameter_constraints | DaskMixin._own_constraints
    _local_class = DNNRegressor
    __init__ = _constructor(DNNRegressor)
