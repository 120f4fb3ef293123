"""Seconds an epoch of skdnn, of its peers and of the matrix products alone.

A contender is a function of a configuration and its data that returns another one:
`run(n_epochs)`, which trains that many epochs and returns the seconds an epoch. The
estimators are timed around the whole of `fit`, with input checks, history and stopping
rules in it; there are enough epochs to fill the time budget of a measurement, so that
what happens once in `fit` counts for little. The contenders take turns, a round at a
time, so that a machine that slows down does so for all of them; ratios are taken within
a round, and everything printed is a median over the rounds.
"""

import argparse
import importlib.util
import itertools
import warnings
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import machine
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

LEARNING_RATE = 1e-3
ALPHA = 1e-4


@dataclass(frozen=True)
class Configuration:
    n_samples: int
    n_features: int
    hidden: tuple
    batch_size: int
    activation: str = "relu"
    batch_norm: bool = False
    dropout: float = 0.0

    @property
    def solver(self):
        return {1: "sgd", self.n_samples: "bgd"}.get(self.batch_size, "minibatch")

    @property
    def dims(self):
        return (self.n_features, *self.hidden, 1)

    def __str__(self):
        extras = (
            f", {self.activation}, batch norm, dropout {self.dropout}"
            if self.batch_norm
            else ""
        )
        return (
            f"{self.n_samples} x {self.n_features}, hidden {self.hidden}, "
            f"batches of {self.batch_size}{extras}"
        )


CONFIGURATIONS = {
    "A": Configuration(10_000, 20, (100,), 200),
    "B": Configuration(20_000, 50, (256, 256, 256), 256),
    "C": Configuration(10_000, 50, (128, 64), 10_000),
    "D": Configuration(2_000, 20, (100,), 1),
    "E": Configuration(8_192, 128, (1024, 1024), 1024),
    "F": Configuration(20_000, 20, (64, 64), 32),
    "G": Configuration(20_000, 50, (256, 256, 256), 256, "selu", True, 0.1),
}


@dataclass(frozen=True)
class Ratio:
    """Of two contenders' times, with the goals that some configurations have."""

    numerator: str
    denominator: str
    sign: str
    goals: dict

    def __str__(self):
        return f"{self.numerator}/{self.denominator}"


RATIOS = (
    # Small batches cost NumPy calls, which the floor has too, and a program has not.
    Ratio(
        "skdnn",
        "floor",
        "<=",
        {**dict.fromkeys("ABCG", 1.35), "D": 0.3, "E": 1.15, "F": 1},
    ),
    Ratio("mlp64", "skdnn", ">=", dict.fromkeys("ABCDEF", 5)),
    Ratio("mlp32", "skdnn", ">=", {}),
    Ratio("torch", "skdnn", ">=", dict.fromkeys("ABCDEFG", 1.3)),
)


def make_data(config):
    """Draw a standard normal X, and y from a noisy line that no network can exhaust.

    Gradients therefore stay away from zero, and arithmetic from subnormal numbers.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((config.n_samples, config.n_features))
    score = X @ rng.standard_normal(config.n_features)
    noise = np.sqrt(config.n_features) * rng.standard_normal(config.n_samples)
    return X, (score + noise > 0).astype(np.int64)


def floor(config, X, y):
    """Only the matrix products, in float32, from and into arrays that exist already."""
    rng = np.random.default_rng(0)
    weights = [
        (rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(np.float32)
        for n_in, n_out in itertools.pairwise(config.dims)
    ]
    n_full, n_left = divmod(config.n_samples, config.batch_size)
    full_step = matrix_products(weights, config.batch_size, rng)
    last_step = matrix_products(weights, n_left, rng) if n_left else []

    def run(n_epochs):
        start = perf_counter()
        for _ in range(n_epochs):
            for _ in range(n_full):
                for left, right, out in full_step:
                    np.matmul(left, right, out=out)
            for left, right, out in last_step:
                np.matmul(left, right, out=out)
        return (perf_counter() - start) / n_epochs

    return run


def matrix_products(weights, n_rows, rng):
    """List the factors and the result of each product of one training step."""
    widths = [len(weights[0]), *(w.shape[1] for w in weights)]
    x = [rng.standard_normal((n_rows, n), dtype=np.float32) for n in widths]
    grads = [rng.standard_normal((n_rows, n), dtype=np.float32) for n in widths]
    products = [(x[i], w, x[i + 1]) for i, w in enumerate(weights)]
    for i, w in reversed(list(enumerate(weights))):
        products.append((x[i].T, grads[i + 1], np.empty_like(w)))
        if i > 0:
            products.append((grads[i + 1], w.T, grads[i]))
    return products


def skdnn(config, X, y):
    from skdnn import DNNClassifier

    def run(n_epochs):
        estimator = DNNClassifier(
            config.hidden,
            recipe="plain",
            activation=config.activation,
            dropout=config.dropout,
            batch_norm=config.batch_norm,
            solver=config.solver,
            batch_size=config.batch_size,
            learning_rate=LEARNING_RATE,
            alpha=ALPHA,
            early_stopping=False,
            numeric_scaling=None,
            tol=0,
            n_iter_no_change=n_epochs,
            max_iter=n_epochs,
            dtype="float32",
            random_state=0,
        )
        return time_fit(estimator, X, y)

    return run


def mlp(config, X, y):
    """scikit-learn's own; it computes in the dtype of X."""

    def run(n_epochs):
        estimator = MLPClassifier(
            config.hidden,
            batch_size=config.batch_size,
            learning_rate_init=LEARNING_RATE,
            alpha=ALPHA,
            tol=0,
            n_iter_no_change=n_epochs,
            max_iter=n_epochs,
            random_state=0,
        )
        return time_fit(estimator, X, y)

    return run


def mlp32(config, X, y):
    return mlp(config, X.astype(np.float32), y)


def time_fit(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = perf_counter()
        estimator.fit(X, y)
        return (perf_counter() - start) / estimator.n_iter_


def torch(config, X, y):
    """PyTorch as one writes it for speed: eager, fused optimizer, no data loader.

    Nothing is recorded and nothing checked; a full batch is used without a copy.
    """
    import torch

    torch.set_num_threads(machine.n_threads())
    torch.manual_seed(0)
    network = torch_network(config)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=LEARNING_RATE, weight_decay=ALPHA, fused=True
    )
    loss = torch.nn.BCEWithLogitsLoss()
    X, y = torch.from_numpy(X).float(), torch.from_numpy(y).float()[:, None]

    def step(x, y):
        optimizer.zero_grad()
        loss(network(x), y).backward()
        optimizer.step()

    def epoch():
        if config.solver == "bgd":
            step(X, y)
            return
        for rows in torch.randperm(len(X)).split(config.batch_size):
            step(X[rows], y[rows])

    def run(n_epochs):
        start = perf_counter()
        for _ in range(n_epochs):
            epoch()
        return (perf_counter() - start) / n_epochs

    return run


def torch_network(config):
    from torch import nn

    activation = {"relu": nn.ReLU, "selu": nn.SELU}[config.activation]
    *hidden, output = itertools.pairwise(config.dims)
    layers = []
    for n_in, n_out in hidden:
        layers.append(nn.Linear(n_in, n_out))
        if config.batch_norm:
            layers.append(nn.BatchNorm1d(n_out))
        layers.append(activation())
        if config.dropout:
            layers.append(nn.Dropout(config.dropout))
    return nn.Sequential(*layers, nn.Linear(*output))


CONTENDERS = {"floor": floor, "skdnn": skdnn, "mlp64": mlp, "mlp32": mlp32}
if importlib.util.find_spec("torch"):
    CONTENDERS["torch"] = torch


def measure(config, names, n_rounds, budget):
    """Return the seconds an epoch of each contender, one a round."""
    X, y = make_data(config)
    runs = {name: CONTENDERS[name](config, X, y) for name in names}
    n_epochs = {name: affordable_epochs(run, budget) for name, run in runs.items()}
    times = {name: [] for name in names}
    for _ in range(n_rounds):
        for name, run in runs.items():
            times[name].append(run(n_epochs[name]))
    return times


def affordable_epochs(run, budget):
    run(1)  # imports, first touch of memory, threads
    return max(2, round(budget / run(2)))


def supports(name, config):
    return config.activation == "relu" or not name.startswith("mlp")


def table_row(label, times):
    """Return the cells of one configuration: milliseconds, then ratios and goals."""
    cells = [label]
    cells += [
        f"{1e3 * median(times[name]):.2f}" if name in times else "-"
        for name in CONTENDERS
    ]
    for ratio in RATIOS:
        value = "-"
        if ratio.numerator in times and ratio.denominator in times:
            pairs = zip(times[ratio.numerator], times[ratio.denominator], strict=True)
            value = f"{median(a / b for a, b in pairs):.2f}"
        goal = ratio.goals.get(label)
        cells += [value, f"({ratio.sign} {goal:.3g})" if goal else ""]
    return cells


def print_row(cells):
    """Print in columns: the label, a time for each contender, ratios with goals."""
    n_times = 1 + len(CONTENDERS)
    widths = [2] + [9] * (n_times - 1) + [13, 10] * len(RATIOS)
    line = "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))
    print(line.rstrip(), flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configs", default=",".join(CONFIGURATIONS))
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="time budget of one measurement"
    )
    arguments = parser.parse_args()
    for option, known in (("configs", CONFIGURATIONS), ("contenders", CONTENDERS)):
        names = getattr(arguments, option).split(",")
        if unknown := set(names) - set(known):
            parser.error(f"--{option}: {sorted(unknown)} not in {list(known)}")
        setattr(arguments, option, names)
    return arguments


def main():
    arguments = parse_arguments()
    print(machine.describe())
    print(
        f"Median milliseconds an epoch and median ratios of {arguments.rounds} rounds, "
        f"{arguments.seconds:g} s a measurement; goals in parentheses\n"
    )
    for label in arguments.configs:
        print(f"{label}: {CONFIGURATIONS[label]}")
    print()
    headings = itertools.chain.from_iterable((str(ratio), "") for ratio in RATIOS)
    print_row(["", *CONTENDERS, *headings])
    for label in arguments.configs:
        config = CONFIGURATIONS[label]
        names = [name for name in arguments.contenders if supports(name, config)]
        times = measure(config, names, arguments.rounds, arguments.seconds)
        print_row(table_row(label, times))


if __name__ == "__main__":
    main()
