"""How fit time and memory grow with rows, columns, width, depth, classes, categories.

The estimator is `DNNClassifier` with its defaults, on made-up data. Each fit has a
child process of its own, which makes X last and then fits: for five epochs, across
which the growth of the peak resident memory is measured, and for some more. What the
longer fit takes beyond the shorter gives the time of an epoch, validation included.

An exponent is the slope of a line through the logarithms, by least squares, over the
upper half of a range. In parentheses is that of the arithmetic of the same fits,
counted from their shapes: each row meets each parameter three times an epoch, on the
way forward, back to the inputs and back to the parameters, but for the vectors of
categories, of which it looks one up; and each step moves each parameter. For memory, it
is that of the encoded rows, the outputs of a batch, the parameters, and what training
keeps of their size.
"""

import argparse
import resource
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from math import ceil, prod
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from typing import NamedTuple

import machine
import numpy as np
import pandas as pd

from skdnn import DNNClassifier
from skdnn._recipe import resolve
from skdnn.nn.embeddings import EntityEmbeddingLayer

N_EPOCHS = 5

#: Operations of the optimizer for a parameter, and arrays like the parameters: they
#: themselves, gradient, two moments, and those of the best epoch and the last.
ADAM_OPERATIONS = 12
COPIES = 6

#: Arrays like the outputs of a layer: they, and derivatives by them and by strengths.
OUTPUT_COPIES = 3


class Shape(NamedTuple):
    """A table and a network."""

    n_samples: int = 20_000
    n_columns: int = 20
    hidden: tuple = (128, 128)
    n_classes: int = 2
    n_categories: int = 0  # of each column; 0 is a table of numbers
    embeds: bool = True


#: What grows -> its values, those of a quick run, and the shape for each.
AXES = {
    "rows": (
        [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
        [500, 1000, 2000, 4000],
        lambda n: Shape(n_samples=n),
    ),
    "columns": (
        [6, 12, 25, 50, 100, 200],
        [6, 12, 25, 50],
        lambda n: Shape(n_samples=5000, n_columns=n),
    ),
    "plain-columns": (
        [64, 128, 256, 512, 1024, 2048],
        [16, 32, 64, 128],
        lambda n: Shape(n_samples=5000, n_columns=n, embeds=False),
    ),
    "width": (
        [32, 64, 128, 256, 512, 1024],
        [16, 32, 64, 128],
        lambda n: Shape(n_samples=5000, hidden=(n, n)),
    ),
    "depth": (
        [1, 2, 4, 8, 16, 32],
        [1, 2, 4, 8],
        lambda n: Shape(n_samples=5000, hidden=(128,) * n),
    ),
    "classes": (
        [2, 10, 30, 100, 300, 1000, 3000],
        [2, 10, 30, 100],
        lambda n: Shape(n_classes=n),
    ),
    "categories": (
        [16, 64, 256, 1024, 4096, 16_384],
        [16, 32, 64, 128],
        lambda n: Shape(n_samples=50_000, n_columns=4, n_categories=n),
    ),
}


class Measured(NamedTuple):
    """What a fit took, and its arithmetic."""

    fit: float
    epoch: float
    memory: float
    operations: float
    kept: float


def make_data(shape):
    """Return X, made last, and classes of about equal size that depend on it."""
    rng = np.random.default_rng(0)
    n, d = shape.n_samples, shape.n_columns
    signal = rng.standard_normal(n)
    score = signal + 0.5 * rng.standard_normal(n)
    y = np.argsort(np.argsort(score)) * shape.n_classes // n
    if not shape.n_categories:
        X = rng.standard_normal((n, d))
        X[:, 0] = signal
        return X, y
    names = [f"c{i}" for i in range(shape.n_categories)]
    codes = rng.integers(shape.n_categories, size=(d, n))
    columns = [pd.Categorical.from_codes(column, names) for column in codes]
    return pd.DataFrame({f"x{j}": column for j, column in enumerate(columns)}), y


def fit(shape, X, y, n_epochs):
    """Return an estimator, and the seconds that its fit took."""
    params = {} if shape.embeds else {"numeric_embedding": None}
    estimator = DNNClassifier(
        shape.hidden, max_iter=n_epochs, tol=None, random_state=0, **params
    )
    start = perf_counter()
    estimator.fit(X, y)
    return estimator, perf_counter() - start


def measure(shape, budget):
    """Fit twice, and return what it took; the longer fit has `budget` more seconds."""
    warnings.simplefilter("ignore")
    fit(Shape(), *make_data(Shape(n_samples=200, n_columns=4)), 1)  # imports, threads
    X, y = make_data(shape)
    before = peak_memory()
    estimator, short = fit(shape, X, y, N_EPOCHS)
    memory = peak_memory() - before
    n_more = max(2, min(500, round(budget / (short / N_EPOCHS))))
    _, long = fit(shape, X, y, N_EPOCHS + n_more)
    epoch = max(long - short, 0) / n_more
    return Measured(short, epoch, memory, *arithmetic(estimator, shape))


def arithmetic(estimator, shape):
    """Return the operations of an epoch, and the bytes that a fit keeps."""
    network, itemsize = estimator.network_, estimator.network_.params.itemsize
    n_rows = shape.n_samples * (1 - estimator.validation_fraction)
    batch_size = resolve(vars(estimator), shape.n_columns, shape.n_samples).batch_size
    n_steps = ceil(n_rows / batch_size)
    n_params = network.params.size
    n_in_vectors = sum(
        prod(layer.parameters["vectors"].shape)
        for layer in network.layers
        if isinstance(layer, EntityEmbeddingLayer)
    )
    of_rows = 6 * n_rows * (n_params - n_in_vectors)
    outputs = sum(prod(layer.output_shape(batch_size)) for layer in network.layers)
    validated = (shape.n_samples - n_rows) * network.n_outputs
    kept = shape.n_samples * network.n_inputs + network.n_members * validated
    kept += OUTPUT_COPIES * outputs + COPIES * n_params
    return of_rows + n_steps * ADAM_OPERATIONS * n_params, itemsize * kept


def peak_memory():
    """Return the most bytes this process has ever had in memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def in_child(function, *args):
    """Call the function in a new interpreter and return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def exponent(values, results):
    """Return the slope of the results in the values, over their upper half."""
    upper = slice(len(values) // 2, None)
    values, results = np.asarray(values[upper]), np.asarray(results[upper])
    if not (results > 0).all():
        return float("nan")
    return np.polyfit(np.log(values), np.log(results), 1)[0]


def measure_axis(name, values, shape_of, n_rounds, budget):
    """Print what each fit takes, and the exponents."""
    print(f"\n{name:<24}{'fit s':>10}{'epoch ms':>16}{'memory MB':>16}", flush=True)
    found = []
    for value in values:
        rounds = [in_child(measure, shape_of(value), budget) for _ in range(n_rounds)]
        found.append(Measured(*map(median, zip(*rounds, strict=True))))
        fit, epoch, memory, *_ = found[-1]
        print(
            f"{value:<24,}{fit:>10.3f}{1e3 * epoch:>16.2f}{memory / 1e6:>16.1f}",
            flush=True,
        )
    slopes = Measured(
        *(exponent(values, column) for column in zip(*found, strict=True))
    )
    cells = [
        f"{slopes.fit:.2f}",
        f"{slopes.epoch:.2f} ({slopes.operations:.2f})",
        f"{slopes.memory:.2f} ({slopes.kept:.2f})",
    ]
    print(f"{'exponent':<24}{cells[0]:>10}{cells[1]:>16}{cells[2]:>16}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--axes", default=",".join(AXES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="more that the longer fit takes"
    )
    parser.add_argument("--quick", action="store_true", help="small ranges, one round")
    arguments = parser.parse_args()
    names = arguments.axes.split(",")
    if unknown := set(names) - set(AXES):
        parser.error(f"--axes: {sorted(unknown)} not in {list(AXES)}")
    n_rounds = 1 if arguments.quick else arguments.rounds
    budget = min(arguments.seconds, 0.2) if arguments.quick else arguments.seconds
    print(machine.describe())
    print(
        f"Medians of {n_rounds} fits of {N_EPOCHS} epochs; exponents of the upper half "
        f"of a range,\nthose of the arithmetic and of what is kept in parentheses"
    )
    for name in names:
        full, quick, shape_of = AXES[name]
        values = quick if arguments.quick else full
        measure_axis(name, values, shape_of, n_rounds, budget)


if __name__ == "__main__":
    main()
