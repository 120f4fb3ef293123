"""
A search on a cluster
=====================

A search whose fits run on a cluster, of Dask or of Ray, through joblib.

``python examples/search_on_cluster.py`` starts two workers of Dask here, and with
``ray`` behind it the same of Ray; ``Client("address:8786")`` and
``ray.init("address")`` are those of a cluster that is there already. The table and the
folds are sent to the workers before the search, once: a worker that dies then costs the
fits that it had not done.
"""

import sys
from contextlib import contextmanager
from time import perf_counter

import sklearn.experimental.enable_halving_search_cv  # noqa: F401
from joblib import parallel_config
from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    StratifiedKFold,
    cross_val_score,
)

from skdnn import DNNClassifier


@contextmanager
def on_dask(*arrays):
    """Have fits run on two workers, each of which has these arrays."""
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        # Dask would let go of all copies but one, and a worker may die.
        client.amm.stop()
        with parallel_config("dask", scatter=list(arrays)):
            yield


@contextmanager
def on_ray(*arrays):
    """Have fits run on two workers; Ray keeps arrays where all of them read them."""
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    with parallel_config("ray", n_jobs=2):
        yield
    ray.shutdown()


def main():
    X, y = load_breast_cancer(return_X_y=True)
    folds = list(StratifiedKFold(3).split(X, y))
    arrays = [X, y, *(part for fold in folds for part in fold)]
    network = DNNClassifier((32,), max_iter=8, tol=None, random_state=0)
    halving = HalvingRandomSearchCV(
        network,
        {"learning_rate": loguniform(0.01, 0.3), "dropout": [0.0, 0.2, 0.4]},
        resource="max_iter",
        min_resources=3,
        max_resources=9,
        n_candidates=6,
        scoring="neg_log_loss",
        cv=folds,
        random_state=0,
    )
    grid = GridSearchCV(network, {"hidden_layer_dims": [(16,), (32,)]}, cv=folds)

    cluster = on_ray if "ray" in sys.argv[1:] else on_dask
    with cluster(*arrays):
        start = perf_counter()
        for search in grid, halving:
            search.fit(X, y)
            print(f"{type(search).__name__:22} {search.best_params_}")
        scores = cross_val_score(halving.best_estimator_, X, y, cv=folds)
        print(f"{'cross_val_score':22} {scores.round(3)}")
        print(f"{perf_counter() - start:.1f} s")


# Workers import this script too.
if __name__ == "__main__":
    main()
