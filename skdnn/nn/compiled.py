"""The compiled engine: whether it is there, for which instructions, and how to run it.

It is an extension that a machine without a C compiler goes without. `SKDNN_COMPILED=0`
in the environment turns it off, and `SKDNN_LEVEL` chooses one of the levels of
instructions that the processor has; without it, that is the best.
"""

import os
from functools import cache
from importlib import import_module

__all__ = [
    "activation_numbers",
    "available",
    "engine",
    "kernel_numbers",
    "level",
    "run_programs",
    "why_not",
]


def _load():
    """Return the extension and an empty text, or None and why it is not used."""
    if os.environ.get("SKDNN_COMPILED") == "0":
        return None, "It is turned off by SKDNN_COMPILED=0."
    name = "skdnn.nn._compiled"
    try:
        return import_module(name), ""
    except ModuleNotFoundError as error:
        if error.name == name:
            return None, "It was not built when skdnn was installed."
        return None, f"Its import failed: {error}"
    # Where SciPy's BLAS is not what it was built for, Cython raises the latter.
    except (ImportError, TypeError) as error:
        return None, f"Its import failed: {error}"


def _choose_level():
    """Return the level that SKDNN_LEVEL names, or the best that there is."""
    name = os.environ.get("SKDNN_LEVEL")
    if name:
        supported = engine.supported_levels()
        if name not in supported:
            raise ValueError(
                f"SKDNN_LEVEL is {name!r}, but the levels of this processor are "
                f"{', '.join(supported)}."
            )
        engine.choose_level(name)
    return engine.current_level()


#: The extension, or None.
engine, why_not = _load()
available = engine is not None
level = _choose_level() if available else None


@cache
def kernel_numbers():
    """Return the number of each kernel, by its name."""
    return engine.kernels()


@cache
def activation_numbers():
    """Return the number of each activation, by its name."""
    return engine.activations()


def run_programs(
    programs,
    *,
    n_rows,
    batch_size=None,
    slab_size=None,
    order=None,
    first_step=0,
    rates=None,
    t=0,
    draw=0,
    totals=None,
    stopped=None,
    meeting=None,
    n_threads=1,
):
    """Run programs over batches, without Python's lock; see ``kernels/program.h``.

    They take each step one after the other. Those of other parts of the batches may run
    on other threads: all wait for each other at `meeting`, of two int64 that are zero
    at first.

    Ctrl-C ends it amid a batch, and so does another thread that makes the only entry of
    `stopped`, of uint8, 1: what the programs write to is then good for nothing.

    Returns
    -------
    totals : list of float
        For each program, the argument plus the objective of each batch, or of its part
        of it, times the number of rows of the batch.
    """
    return engine.run(
        programs,
        [0.0] * len(programs) if totals is None else totals,
        programs[0].is_float32,
        order,
        n_rows,
        batch_size or n_rows,
        slab_size or batch_size or n_rows,
        first_step,
        1 if rates is None else len(rates),
        rates,
        t,
        draw,
        stopped,
        meeting,
        n_threads,
    )
