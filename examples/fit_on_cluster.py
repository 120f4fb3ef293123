"""
A fit on a cluster
==================

Parquet in, Parquet out, and a plain estimator in the end: a fit on a Dask cluster.

The table is made by this script, in files of unequal size, with numbers, holes and
categories; two workers here stand for a cluster. Only ``LocalCluster`` is of this
machine: with ``Client("address:8786")`` and a path that all workers can read, the same
lines fit a table of any size.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
from dask.distributed import Client, LocalCluster
from sklearn.metrics import log_loss

from skdnn import DNNClassifier
from skdnn.dask import DaskDNNClassifier


def make_table(folder, sizes, seed=0):
    """Write some files of a table whose target depends on its columns."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for i, n in enumerate(sizes):
        amount, age = rng.lognormal(3, 1, n), rng.uniform(18, 80, n)
        city = rng.choice(
            ["Bern", "Genoa", "Lille", "Porto"], n, p=[0.4, 0.3, 0.2, 0.1]
        )
        logit = np.log(amount) - 3 + (city == "Bern") - (age > 60)
        frame = pd.DataFrame(
            {
                "amount": np.where(rng.random(n) < 0.1, np.nan, amount),
                "age": age,
                "city": city,
                "bought": rng.random(n) < 1 / (1 + np.exp(-2 * logit)),
            }
        )
        frame.to_parquet(folder / f"{i:02}.parquet")


def main(folder):
    make_table(folder / "train", [9000, 4000, 12_000, 500, 7000])
    make_table(folder / "new", [3000, 2000], seed=1)
    train, new = (dd.read_parquet(folder / name) for name in ("train", "new"))

    columns = ["amount", "age", "city"]
    clf = DaskDNNClassifier((64, 64), parallel="rows", max_iter=12, random_state=0)
    clf.fit(train[columns], train["bought"])
    loss = clf.validation_loss_curve_[-1]
    print(f"{clf.n_iter_} epochs, log loss on rows held out {loss:.3f}")

    # Lazy: each worker reads, predicts and writes its own files.
    clf.predict_proba(new[columns]).to_parquet(folder / "probabilities")
    proba = pd.read_parquet(folder / "probabilities")
    print(
        f"log loss on new rows {log_loss(new['bought'].compute(), proba['True']):.3f}"
    )

    # What serves needs no cluster, and no Dask.
    local = clf.to_local()
    assert type(local) is DNNClassifier
    joblib.dump(local, folder / "model.joblib")
    frame = pd.read_parquet(folder / "new")
    assert np.array_equal(
        joblib.load(folder / "model.joblib").predict_proba(frame[columns]), proba
    )


# Workers import this script too.
if __name__ == "__main__":
    with (
        TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        main(Path(folder))
