"""What a report of a fault needs to say of the machine it happened on."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from skdnn._version import __version__

REQUIRED = ["numpy", "scipy", "scikit-learn", "pandas", "joblib", "threadpoolctl"]
OPTIONAL = [
    *("matplotlib", "onnx", "onnxruntime", "polars", "pyarrow", "rich"),
    *("skl2onnx", "skops"),
]


def show_versions():
    """Print the versions of skdnn, of what it runs on and of what it can use.

    The last lines say whether the compiled engine is used, for which instructions, and
    otherwise why not; and which libraries of threads are loaded, with how many threads.
    Reports of faults should contain all of it.

    Examples
    --------
    >>> from skdnn import show_versions
    >>> show_versions()
    System:
             python: 3...
    """
    _print("System", _system())
    _print("Python packages", _packages())
    _print("Compiled engine", _compiled_engine())
    for library in _thread_libraries():
        _print("Threads", library)


def _print(title, facts):
    """Print facts as a table with two columns, under a title."""
    print(f"{title}:")
    for name, fact in facts.items():
        print(f"{name:>15}: {fact}")
    print()


def _system():
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }


def _packages():
    """Return the version of each package, or None, without importing it."""
    versions = {"skdnn": __version__}
    for name in REQUIRED + OPTIONAL:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions


def _compiled_engine():
    from skdnn.nn import compiled

    if not compiled.available:
        return {"used": "no", "why": compiled.why_not}
    return {
        "used": "yes",
        "level": compiled.level,
        "levels": ", ".join(compiled.engine.supported_levels()),
    }


def _thread_libraries():
    # What of it is loaded is listed.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return threadpool_info()
