"""Fits on a cluster of Dask: how good, how fast, what is sent, and what to expect.

Workers are processes here, of one thread each. Three parts, all by default:

    accuracy   1, 2 and 4 workers against the local fit, on three development tables,
               resampled to many rows, with a hundredth of a deviation of noise on their
               numbers so that copies are none: mean and deviation over seeds of the
               local fit, and how many deviations the farthest of the others is away
    speed      rows a second with 1 and 2 workers on made-up rows, where the time goes,
               and what a round sends; with LightGBM on the same rows and cluster
    model      the cost of an epoch on paper, with the constants that `speed` measured
               (or those of the documentation, without it) and a network of 10 GbE

`--quick` has few rows and seeds: enough to see that all of it works.
"""

import argparse
import os
import pickle
import warnings
from contextlib import contextmanager
from math import ceil, log, sqrt
from statistics import mean, stdev
from time import perf_counter
from typing import NamedTuple

import dask.array as da
import dask.dataframe as dd
import machine
import numpy as np
import pandas as pd
import tables
from dask.distributed import Client, LocalCluster, get_task_stream, wait
from sklearn.metrics import log_loss, r2_score

from skdnn import DNNClassifier, DNNRegressor
from skdnn.dask import DaskDNNClassifier, DaskDNNRegressor
from skdnn.dask._cluster import FAN_IN
from skdnn.dask._rounds import State

TABLES = "adult", "letter", "california"

#: What tasks do, by the name of their function.
KINDS = {
    "training": ("run-round", "member-of"),
    "encoding": ("look", "check", "join", "divide", "statistics-of", "encode"),
    "averaging": ("average", "as-it-is"),
    "validation": ("judge",),
}


@contextmanager
def cluster(n_workers):
    """Yield a client of so many workers, of one thread each."""
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=None
        ) as workers,
        Client(workers) as client,
    ):
        yield client


# How good


def resampled(X, y, n_rows, seed):
    """Return rows drawn with replacement, their numbers a little different each."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(X), size=n_rows)
    X = X.iloc[rows].reset_index(drop=True)
    for name in X.select_dtypes("number"):
        column = X[name].astype(float)
        X[name] = column + 0.01 * column.std() * rng.standard_normal(n_rows)
    return X, y[rows]


def loss_of(estimator, X, y):
    """Return the log loss, or 1 - R^2."""
    if hasattr(estimator, "predict_proba"):
        return log_loss(y, estimator.predict_proba(X))
    return 1 - r2_score(y, estimator.predict(X))


def accuracy(n_rows, n_seeds, n_epochs):
    print(
        f"\nLog loss, or 1 - R2, on new rows after {n_epochs} epochs of {n_rows} rows; "
        f"locally of {n_seeds} seeds"
    )
    workers = 1, 2, 4
    columns = ["local", *(f"{n} workers" for n in workers), "farthest"]
    print(f"{'table':12} " + " ".join(f"{name:>16}" for name in columns))
    for name in TABLES:
        X, y = tables.load(name)
        task = tables.TABLES[name].task
        is_regression = task == "regression"
        local, on_dask = (
            (DNNRegressor, DaskDNNRegressor)
            if is_regression
            else (DNNClassifier, DaskDNNClassifier)
        )
        train, test = tables.split(y, task, 0, 10**9)
        X_train, y_train = resampled(X.iloc[train], y[train], n_rows, 0)
        test = X.iloc[test], y[test]
        losses = [
            loss_of(
                local(max_iter=n_epochs, random_state=s).fit(X_train, y_train), *test
            )
            for s in range(n_seeds)
        ]
        center, spread = mean(losses), stdev(losses)
        print(f"{name:12} {f'{center:.4f} ± {spread:.4f}':>16}", end=" ", flush=True)
        far = 0.0
        for n in workers:
            with cluster(n):
                frame = dd.from_pandas(X_train, npartitions=4 * n)
                target = dd.from_pandas(pd.Series(y_train), npartitions=4 * n)
                est = on_dask(max_iter=n_epochs, parallel="rows", random_state=0)
                loss = loss_of(est.fit(frame, target), *test)
            far = max(far, (loss - center) / spread, key=abs)
            print(f"{f'{loss:.4f}':>16}", end=" ", flush=True)
        print(f"{far:>+6.1f} deviations")


# How fast


class Measured(NamedTuple):
    """What the model of the cost needs.

    Attributes
    ----------
    rows_a_second : float
        Of a worker, in training.
    state_bytes : int
        Of what a round sends and receives.
    task_seconds : float
        Of a task that does nothing, submitted with many others.
    """

    rows_a_second: float = 8e4
    state_bytes: int = 800_000
    task_seconds: float = 1e-3


def made(n_rows, n_columns=20):
    """Return made-up rows, in chunks."""
    chunk = ceil(n_rows / 16)
    X = da.random.default_rng(0).standard_normal(
        (n_rows, n_columns), chunks=(chunk, -1)
    )
    logit = 2 * X[:, 0] + X[:, 1] * X[:, 2] + da.sin(3 * X[:, 3])
    noise = da.random.default_rng(1).logistic(size=n_rows, chunks=chunk)
    return X, (logit + noise > 0).astype(int)


def busy(stream):
    """Return seconds of each kind of work, and of transfers, over all workers."""
    seconds = dict.fromkeys([*KINDS, "transfers"], 0.0)
    for task in stream.data:
        key = task["key"][0] if isinstance(task["key"], tuple) else task["key"]
        for part in task["startstops"]:
            length = part["stop"] - part["start"]
            if part["action"] == "transfer":
                seconds["transfers"] += length
            elif part["action"] == "compute":
                for kind, names in KINDS.items():
                    if str(key).replace("_", "-").startswith(names):
                        seconds[kind] += length
    return seconds


def overhead(client, n_tasks=500):
    """Return the seconds that a task takes the scheduler, among many."""
    wait(client.map(abs, range(8), pure=False))
    start = perf_counter()
    wait(client.map(abs, range(n_tasks), pure=False))
    return (perf_counter() - start) / n_tasks


def seconds_of(stream, function):
    """Return when each task of a function was at work, in order: (start, stop)."""
    return [
        (part["start"], part["stop"])
        for task in stream.data
        for part in task["startstops"]
        if function in str(task["key"]) and part["action"] == "compute"
    ]


def timed_fit(client, X, y, n_epochs):
    """Return a fitted estimator, and seconds: in all, of an epoch, by kind."""
    est = DaskDNNClassifier(
        max_iter=n_epochs, tol=None, parallel="rows", random_state=0
    )
    with get_task_stream(client) as stream:
        start = perf_counter()
        est.fit(X, y)
        total = perf_counter() - start
    begin = min(start for start, _ in seconds_of(stream, "run-round"))
    end = max(stop for _, stop in seconds_of(stream, "judge"))
    return est, total, (end - begin) / n_epochs, busy(stream)


@contextmanager
def on_cores(n_cores):
    """Let this process, and those that it starts, have so many cores, on Linux."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:n_cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def speed(n_rows, n_epochs):
    """Print seconds of one and two workers; return what the model needs.

    The client, the scheduler and the workers' own threads need a part of a core: one
    worker that has two cores leaves it to them, two workers don't.  So one worker is
    timed on one core as well.
    """
    print(
        f"\n{n_epochs} epochs of {n_rows} rows x 20, defaults: seconds of all workers"
    )
    kinds = [*KINDS, "transfers", "waiting"]
    print(
        f"{'workers':>8} {'cores':>6} {'seconds':>8} {'epoch':>8} {'rows/s':>9} "
        f"{'LightGBM':>9} "
        + " ".join(f"{k:>10}" for k in kinds)
        + "  log loss, LightGBM's"
    )
    rates = {}
    for n, n_cores in (1, 1), (1, 2), (2, 2):
        with on_cores(n_cores), cluster(n) as client:
            X, y = client.persist(made(n_rows))
            wait([X, y])
            X_new, y_new = (a.compute() for a in made(20_000))
            est, total, epoch, seconds = timed_fit(client, X, y, n_epochs)
            seconds["waiting"] = n * total - sum(seconds.values())
            rates[n, n_cores] = n_rows / epoch
            loss = log_loss(y_new, est.predict_proba(X_new))
            other, boosted = lightgbm(client, X, y, X_new, y_new)
            of_kinds = " ".join(f"{seconds[k]:>10.2f}" for k in kinds)
            print(
                f"{n:>8} {n_cores:>6} {total:>8.1f} {epoch:>8.2f} "
                f"{rates[n, n_cores]:>9.0f} {other:>9.1f} {of_kinds}"
                f"  {loss:.4f} {boosted:.4f}",
                flush=True,
            )
            if (n, n_cores) == (1, 2):
                rows_a_second = n_rows * n_epochs / seconds["training"]
            task_seconds = overhead(client)
    both = rates[2, 2] / 2
    print(
        "efficiency of two workers, in rows a second: "
        f"{both / rates[1, 1]:.2f} of one worker on one core, "
        f"{both / rates[1, 2]:.2f} of one that leaves a core to all else"
    )
    n_bytes = state_bytes(est.network_)
    print(
        f"a state has {n_bytes / 1e6:.2f} MB; in a round of n workers, n - 1 go up the "
        "tree, and n - 1 down"
    )
    print(f"a task among many takes the scheduler {1e3 * task_seconds:.2f} ms")
    return Measured(rows_a_second, n_bytes, task_seconds)


def state_bytes(network):
    """Return the size of what a round sends."""
    none, memory = np.zeros(2), network.params
    optimizer = {"m": memory, "v": memory.copy(), "t": 1}
    return len(pickle.dumps(State(*network.snapshot(), optimizer, {}, none, none)))


def lightgbm(client, X, y, X_new, y_new):
    """Return seconds and log loss of LightGBM on the same rows and workers."""
    try:
        from lightgbm.dask import DaskLGBMClassifier
    except ImportError:
        return np.nan, np.nan
    est = DaskLGBMClassifier(client=client, random_state=0, verbose=-1)
    start = perf_counter()
    est.fit(X, y)
    seconds = perf_counter() - start
    return seconds, log_loss(y_new, est.to_local().predict_proba(X_new))


# What to expect

#: Of a network: seconds until the first byte, and bytes a second.
LATENCY, BANDWIDTH = 5e-4, 1.25e9

#: Averages an epoch, and the deviation of workers' speeds, as a share.
N_ROUNDS, SPREAD = 4, 0.05

#: Seconds an epoch in which the client has the word: the state and what is predicted
#: come to it, and the state goes back.
CLIENT = 0.05


def cost(n_rows, n_workers, measured):
    """Return the seconds of an epoch by what takes them."""
    n, size = n_workers, measured.state_bytes
    compute = n_rows / n / measured.rows_a_second
    levels = ceil(log(n, FAN_IN)) if n > 1 else 0
    up = levels * (LATENCY + (FAN_IN - 1) * size / BANDWIDTH)
    # At worst, all fetch the average from the one that has it.
    down = LATENCY + (n - 1) * size / BANDWIDTH if n > 1 else 0.0
    n_tasks = n + ceil((n - 1) / (FAN_IN - 1))
    return {
        "compute": compute,
        "stragglers": compute * SPREAD * sqrt(2 * log(n)),
        "network": N_ROUNDS * (up + down),
        "scheduler": (N_ROUNDS * n_tasks + n) * measured.task_seconds,
        "client": CLIENT + 2 * size / BANDWIDTH if n > 1 else 0.0,
    }


def model(measured):
    print(
        f"\nAn epoch on paper: {measured.rows_a_second:.0f} rows a second of a worker, "
        f"{measured.state_bytes / 1e6:.2f} MB a state, "
        f"{1e3 * measured.task_seconds:.2f} ms a task, {N_ROUNDS} rounds, "
        f"{LATENCY * 1e3} ms, 10 Gbit/s, spread {SPREAD:.0%}"
    )
    names = list(cost(1, 1, measured))
    print(
        f"{'rows':>8} {'workers':>8} {'efficiency':>11} "
        + " ".join(f"{n:>10}" for n in names)
    )
    for n_rows in 1e8, 1e10:
        for n in 4, 16, 64:
            parts = cost(n_rows, n, measured)
            efficiency = parts["compute"] / sum(parts.values())
            print(
                f"{n_rows:>8.0e} {n:>8} {efficiency:>11.2f} "
                + " ".join(f"{parts[k]:>10.3f}" for k in names)
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=["accuracy", "speed", "model"])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine.describe())
    measured = Measured()
    if "accuracy" in options.parts:
        accuracy(*((20_000, 2, 10) if options.quick else (1_000_000, 5, 1)))
    if "speed" in options.parts:
        measured = speed(*((100_000, 4) if options.quick else (2_000_000, 8)))
    if "model" in options.parts:
        model(measured)


# Workers import this script too.
if __name__ == "__main__":
    main()
