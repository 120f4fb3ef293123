"""`show_versions` says what a report of a fault has to say."""

import os
import re
import subprocess
import sys
from importlib.metadata import requires

import numpy as np
import pytest

import skdnn
from skdnn import _show_versions
from skdnn.nn import compiled


def facts(text):
    """Return what a text says of what, as pairs."""
    return re.findall(r"^ +([\w-]+): (.*)$", text, re.MULTILINE)


def run_without_engine():
    """Return what is printed with SKDNN_COMPILED=0."""
    return subprocess.run(
        [sys.executable, "-c", "import skdnn; skdnn.show_versions()"],
        env={**os.environ, "SKDNN_COMPILED": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_versions(capsys):
    """Python, skdnn and NumPy have their versions, and BLAS its threads."""
    skdnn.show_versions()
    printed = facts(capsys.readouterr().out)
    assert ("python", sys.version.replace("\n", " ")) in printed
    assert ("skdnn", skdnn.__version__) in printed
    assert ("numpy", np.__version__) in printed
    assert ("user_api", "blas") in printed


def test_packages_are_those_that_are_required(capsys):
    """All that skdnn needs is listed, and nothing that it knows nothing of."""
    required = {re.match("[a-z0-9-]+", line)[0] for line in requires("skdnn")}
    listed = {*_show_versions.REQUIRED, *_show_versions.OPTIONAL}
    always = {
        re.match("[a-z0-9-]+", r)[0] for r in requires("skdnn") if "extra" not in r
    }
    assert always <= set(_show_versions.REQUIRED)
    # scikit-learn requires it, and which version it is makes a difference.
    assert listed <= required | {"threadpoolctl"}


def test_package_that_is_not_installed(monkeypatch, capsys):
    """What is not there has no version, and is no error."""
    monkeypatch.setattr(_show_versions, "OPTIONAL", ["none-such"])
    skdnn.show_versions()
    assert ("none-such", "None") in facts(capsys.readouterr().out)


@pytest.mark.skipif(not compiled.available, reason=compiled.why_not)
def test_compiled_engine(capsys):
    """Where the compiled engine is used, its level is named."""
    skdnn.show_versions()
    printed = facts(capsys.readouterr().out)
    assert ("used", "yes") in printed
    assert ("level", compiled.level) in printed


@pytest.mark.slow
def test_without_compiled_engine():
    """Where it is not used, that is said, and why."""
    printed = facts(run_without_engine())
    assert ("used", "no") in printed
    assert ("why", "It is turned off by SKDNN_COMPILED=0.") in printed
