"""What a printed number depends on: machine, versions, threads and engine."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from skdnn.nn import compiled

PACKAGES = ("scipy", "scikit-learn", "torch", "skdnn")


def describe():
    """Return the lines every benchmark prints before its table."""
    versions = [f"{name} {version(name)}" for name in PACKAGES]
    return "\n".join(
        [
            f"{datetime.date.today()}, {processor()}, {os.cpu_count()} CPUs, "
            f"{n_threads()} BLAS threads",
            f"Python {platform.python_version()}, numpy {np.__version__}, "
            f"{', '.join(versions)}",
            f"Compiled engine: {compiled.level or compiled.why_not}",
        ]
    )


def n_threads():
    """Return the number of threads NumPy's matrix products run on.

    One where the library does not tell.
    """
    return max(
        (i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"),
        default=1,
    )


def processor():
    """Return the processor's name; `platform` does not know it on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
