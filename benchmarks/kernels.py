"""Microseconds of each kernel of a step, and what each idea of the engine brings.

The step is one of the default recipe, 5,000 x 14, with one member, and all runs on one
thread, but where it says otherwise. The first table has the operations of its program,
in order: each is run alone, batch after batch. The second has the same kernels by what
they are for, beside the methods of the layers that do it in NumPy, whose sum is smaller
than the whole step by what Python does between them. The third has the whole step
with and without each idea.

Contenders take turns, a round at a time; times are medians over the rounds, and ratios
medians of those within a round. `docs/compiled.md` has the last two tables.
"""

import argparse
import warnings
from contextlib import ExitStack
from copy import copy
from functools import partial
from statistics import median
from time import perf_counter
from typing import NamedTuple
from unittest.mock import patch

import machine
import numpy as np
from epoch_time import CONFIGURATIONS, make_data
from fit_time import make_data as make_default_data
from threadpoolctl import threadpool_limits
from turns import ratio, take_turns

from skdnn import DNNClassifier
from skdnn.nn import compiled, recording, steps
from skdnn.nn.batches import Batches
from skdnn.nn.embeddings import PiecewiseLinearLayer
from skdnn.nn.layers import Dense, Dropout, ParametricActivate, Scale
from skdnn.nn.workers import ALONE, Workers

N_SAMPLES = 5000

#: So small that what is measured again and again stays as it is.
RATE = 1e-9

#: What is computed -> its kernels, and the kinds of layers that do it in NumPy, where
#: that is layers.
PURPOSES = {
    "rows of the batch": (["gather"], ()),
    "embedding of numbers": (
        ["piecewise_forward", "piecewise_backward"],
        PiecewiseLinearLayer,
    ),
    "input scaling": (["scale_forward", "scale_backward"], Scale),
    "products (NumPy: and biases)": (
        ["dense_forward", "dense_backward_weight", "dense_backward_input"],
        Dense,
    ),
    "bias, activation, dropout": (
        ["activate_forward", "activate_backward"],
        (ParametricActivate, Dropout),
    ),
    "loss": (["log_loss_sigmoid"], ()),
    "penalty and optimizer": (["adam_rate", "adam"], ()),
}


class Recorded(NamedTuple):
    """A step of an estimator, and the table that it takes batches from."""

    step: object
    table: object
    batch_size: int
    slab_size: int


def recorded(estimator, X, y):
    """Return the step that a fit takes, as it is when the fit has ended."""
    found = []

    class Seen(steps.RecordedSteps):
        def __init__(self, step, batches):
            super().__init__(step, batches)
            slab = min(batches.batch_size, step.slab_rows or batches.batch_size)
            found.append(Recorded(step, batches.table, batches.batch_size, slab))

    with patch.object(steps, "RecordedSteps", Seen):
        estimator.fit(X, y)
    return found[0]


def default_step(**params):
    X, y = make_default_data(N_SAMPLES)
    params = {"n_members": 1, "max_iter": 1, "random_state": 0, **params}
    return recorded(DNNClassifier(**params), X, y)


# Timing


def step_by_programs(of, programs, n_steps=None, slab_size=None, workers=ALONE):
    """Return the seconds that a step takes; `n_steps` are taken by each call."""
    n_rows = len(of.table.X)
    total = -(-n_rows // of.batch_size)
    n_steps = min(n_steps or total, total)
    order = np.random.default_rng(0).permutation(n_rows)
    if of.batch_size >= n_rows:
        order = None

    def run(program):
        for first in range(0, total, n_steps):
            compiled.run_programs(
                [program],
                n_rows=n_rows,
                batch_size=of.batch_size,
                slab_size=slab_size or of.slab_size,
                order=order,
                first_step=first,
                rates=np.full(min(n_steps, total - first), RATE),
                t=10,
            )

    start = perf_counter()
    workers.map(run, programs)
    return (perf_counter() - start) / total


def step_by_numpy(of, step, batches):
    """Return the seconds that a step takes."""
    step.learning_rate = RATE
    start = perf_counter()
    for batch in batches:
        step(batch)
    return (perf_counter() - start) / batches.n_batches


def only(program, operation):
    """Return a program of one operation of another one."""
    part = copy(program)
    part.operations = program.operations[operation : operation + 1].copy()
    part.bytes = part.operations.view(np.uint8)
    part.n_updates = 0
    return part


class Stopwatch:
    """Adds up the seconds that functions take, by what they are for."""

    def __init__(self):
        self.seconds = {}

    def __call__(self, purpose, function):
        """Return the function, timed."""
        self.seconds.setdefault(purpose, 0.0)

        def timed(*args, **kwargs):
            start = perf_counter()
            result = function(*args, **kwargs)
            self.seconds[purpose] += perf_counter() - start
            return result

        return timed


def numpy_purposes(of):
    """Return the seconds a step that NumPy takes for each purpose."""
    batches = Batches(*of.table, of.batch_size, np.random.default_rng(0))
    step, watch = of.step, Stopwatch()
    step.learning_rate = RATE
    with ExitStack() as stack:

        def time(purpose, owner, name):
            timed = watch(purpose, getattr(owner, name))
            stack.enter_context(patch.object(owner, name, timed))

        for layer in step.network.layers:
            purpose = next(
                purpose
                for purpose, (_, kind) in PURPOSES.items()
                if isinstance(layer, kind)
            )
            for name in "forward", "backward":
                time(purpose, layer, name)
        time("loss", step.loss, "loss_gradient")
        time("penalty and optimizer", step, "_update")
        time("penalty and optimizer", step, "_add_penalty")
        iterator = iter(batches)
        take = watch("rows of the batch", partial(next, iterator, None))
        while (batch := take()) is not None:
            step(batch)
    return {k: seconds / batches.n_batches for k, seconds in watch.seconds.items()}


# Tables


def kernel_names(program):
    """Return the name of the kernel of each operation."""
    names = {number: name for name, number in compiled.kernel_numbers().items()}
    return [names[number] for number in program.operations["kernel"].tolist()]


def print_operations(of, program, n_rounds):
    """Print the microseconds of each operation; return those of each round."""
    contenders = {
        i: partial(step_by_programs, of, [only(program, i)])
        for i in range(len(program.operations))
    }
    take_turns(contenders, 1)
    times = take_turns(contenders, n_rounds)
    kernels = kernel_names(program)
    print(f"{'operation':<26}{'us':>8}")
    for i, kernel in enumerate(kernels):
        print(f"{kernel:<26}{1e6 * median(times[i]):>8.2f}")
    return kernels, times


def print_purposes(of, program, kernels, times, n_rounds):
    """Print kernels and NumPy's layers by what they are for, as Markdown."""
    print("| a step of the default recipe, us | kernels | NumPy | ratio |")
    print("|---|---|---|---|")
    numpy_purposes(of)
    by_numpy = [numpy_purposes(of) for _ in range(n_rounds)]
    for purpose, (names, _) in PURPOSES.items():
        mine = [i for i, kernel in enumerate(kernels) if kernel in names]
        pair = {
            "kernels": [
                sum(values) for values in zip(*map(times.get, mine), strict=True)
            ],
            "NumPy": [seconds[purpose] for seconds in by_numpy],
        }
        print_comparison(purpose, pair, 1e6)
    batches = Batches(*of.table, of.batch_size, np.random.default_rng(0))
    whole = take_turns(
        {
            "kernels": partial(step_by_programs, of, [program]),
            "NumPy": partial(step_by_numpy, of, of.step, batches),
        },
        n_rounds,
    )
    print_comparison("the whole step", whole, 1e6)


def print_comparison(name, times, unit):
    """Print the times of two contenders, the better one first, and their ratio."""
    ours, other = times
    cells = [f"{unit * median(times[key]):.1f}" for key in (ours, other)]
    print(
        f"| {name} | {' | '.join(cells)} | {ratio(times, other, ours):.2f} |",
        flush=True,
    )


def compare(name, contenders, n_rounds):
    """Print what an idea brings: contenders are those with it, and without."""
    take_turns(contenders, 1)
    print_comparison(name, take_turns(contenders, n_rounds), 1e6)


recording_stages = recording._stages


def stages_apart(layers):
    """Do as `recording._stages`, but leave bias, activation and dropout apart."""
    for units in recording_stages(layers):
        if not isinstance(units, recording.Units):
            yield units
            continue
        if units.bias is not None:
            yield recording.Units(units.n_inputs, units.frozen, bias=units.bias)
        if units.activation is not None:
            alone = recording.Units(units.n_inputs, units.frozen)
            alone.activation = units.activation
            yield alone
        if units.dropout is not None:
            alone = recording.Units(units.n_inputs, units.frozen)
            alone.dropout, alone.position = units.dropout, units.position
            yield alone


def numbers_by_numpy(of):
    """Return the seconds that NumPy takes to draw the numbers of a batch's dropout."""
    rng = np.random.default_rng(0)
    widths = [ly.n_outputs for ly in of.step.network.layers if isinstance(ly, Dropout)]
    start = perf_counter()
    for width in widths:
        rng.random((of.batch_size, width), dtype=np.float32)
    return perf_counter() - start


def embedding_products(of):
    """Return the seconds of the products that define the embedding, and its gradient.

    They are those of NumPy, from and into arrays that exist already.
    """
    layer = of.step.network.layers[0]
    rng, dtype = np.random.default_rng(0), of.table.X.dtype
    j, n, t, width = layer.n_numbers, of.batch_size, layer.n_terms, layer.width
    terms = rng.random((j, n, t)).astype(dtype)
    vectors = np.ones((j, n, width), dtype)
    weight = np.ones((j, t, width), dtype)
    start = perf_counter()
    np.matmul(terms, weight, out=vectors)
    np.matmul(terms.transpose(0, 2, 1), vectors, out=weight)
    return perf_counter() - start


def print_ideas(n_rounds):
    """Print the step with and without each idea, as Markdown."""
    print("| a step, us | with | without | ratio |")
    print("|---|---|---|---|")
    of = default_step()
    programs = recording.record_step(of.step, of.table, of.slab_size)
    with_it = partial(step_by_programs, of, programs)

    batches = Batches(*of.table, of.batch_size, np.random.default_rng(0))
    by_numpy = partial(step_by_numpy, of, of.step, batches)
    compare("a program (NumPy instead)", {1: with_it, 0: by_numpy}, n_rounds)

    with patch.object(recording, "_stages", stages_apart):
        apart = recording.record_step(of.step, of.table, of.slab_size)
    without = partial(step_by_programs, of, apart)
    name = "one kernel for bias, activation and dropout (three instead)"
    compare(name, {1: with_it, 0: without}, n_rounds)

    best = compiled.level
    for level in compiled.engine.supported_levels():
        if level == best:
            continue

        def without(level=level):
            compiled.engine.choose_level(level)
            try:
                return with_it()
            finally:
                compiled.engine.choose_level(best)

        name = f"instructions of {best} ({level} instead)"
        compare(name, {1: with_it, 0: without}, n_rounds)

    without = partial(step_by_programs, of, programs, n_steps=1)
    compare("many steps a call (one instead)", {1: with_it, 0: without}, n_rounds)

    dry = default_step(dropout=0.0)
    dry_programs = recording.record_step(dry.step, dry.table, dry.slab_size)

    def without():
        return step_by_programs(dry, dry_programs) + numbers_by_numpy(of)

    name = "dropout by counter (none, but numbers of NumPy's generator, instead)"
    compare(name, {1: with_it, 0: without}, n_rounds)

    (program,) = programs
    operations = np.flatnonzero(
        [
            kernel in PURPOSES["embedding of numbers"][0]
            for kernel in kernel_names(program)
        ]
    )
    contenders = {
        1: lambda: sum(step_by_programs(of, [only(program, i)]) for i in operations),
        0: partial(embedding_products, of),
    }
    compare("embedding by bins (its products alone instead)", contenders, n_rounds)

    pair = default_step(n_members=2)
    programs_of_pair = recording.record_step(pair.step, pair.table, pair.slab_size)
    with Workers(2) as workers:
        side_by_side = partial(
            step_by_programs, pair, programs_of_pair, workers=workers
        )
        one_by_one = partial(step_by_programs, pair, programs_of_pair)
        name = "two members on two threads (one thread instead)"
        compare(name, {1: side_by_side, 0: one_by_one}, n_rounds)

    config = CONFIGURATIONS["C"]
    full = recorded(
        DNNClassifier(
            config.hidden,
            solver="bgd",
            early_stopping=False,
            max_iter=1,
            random_state=0,
        ),
        *make_data(config),
    )
    n_rows = len(full.table.X)
    in_slabs = recording.record_step(full.step, full.table, full.slab_size)
    as_one = recording.record_step(full.step, full.table, n_rows)
    compare(
        f"slabs of {full.slab_size} rows ({n_rows} at once instead)",
        {
            1: partial(step_by_programs, full, in_slabs),
            0: partial(step_by_programs, full, as_one, slab_size=n_rows),
        },
        n_rounds,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--parts", default="operations,ideas")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    if not set(parts) <= {"operations", "ideas"}:
        parser.error("--parts: operations, ideas, or both with a comma")
    if not compiled.available:
        parser.error(compiled.why_not)
    warnings.simplefilter("ignore")
    print(machine.describe())
    with threadpool_limits(1, user_api="blas"):
        if "operations" in parts:
            of = default_step()
            (program,) = recording.record_step(of.step, of.table, of.slab_size)
            n_rows, d = of.table.X.shape
            n_params = of.step.network.params.size
            print(
                f"Medians of {arguments.rounds} rounds; {n_rows} x {d}, batches of "
                f"{of.batch_size}, {n_params} parameters\n"
            )
            kernels, times = print_operations(of, program, arguments.rounds)
            print()
            print_purposes(of, program, kernels, times, arguments.rounds)
        if "ideas" in parts:
            print()
            print_ideas(arguments.rounds)


if __name__ == "__main__":
    main()
