"""What pyproject.toml requires, and what of it `make test-oldest` installs."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_oldest_versions():
    """`make test-oldest` takes the lowest version that each requirement allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    required = project["dependencies"] + extras["onnx"] + extras["plot"]
    required += extras["streaming"] + extras["test"]
    required = [r for r in required if not r.startswith("skdnn")]
    # Within `make test` the flags of that make would come along.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "--dry-run", "test-oldest"]
    dry_run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    pins = dry_run.stdout.splitlines()[0].removeprefix("echo ").strip('"').split()
    assert sorted(pins) == sorted(r.replace(">=", "==") for r in required)
