"""The compiled engine can be turned off, and the level of its instructions chosen."""

import os
import subprocess
import sys

import pytest

from skdnn.nn import compiled

needs_engine = pytest.mark.skipif(not compiled.available, reason=compiled.why_not)
LEVELS = compiled.engine.supported_levels() if compiled.available else []


def run(code, **variables):
    """Run Python in a process of its own, with these variables of the environment."""
    return subprocess.run(
        [sys.executable, "-c", "from skdnn.nn import compiled\n" + code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


def test_state():
    """Either there is an engine with a level, or a reason why not."""
    assert compiled.available == (compiled.engine is not None)
    assert compiled.available == (compiled.level is not None)
    assert compiled.available == (compiled.why_not == "")


@pytest.mark.slow
def test_turned_off():
    """With SKDNN_COMPILED=0 it is not used, whatever the level."""
    code = "print(compiled.available, compiled.level, compiled.why_not)"
    process = run(code, SKDNN_COMPILED="0", SKDNN_LEVEL="none such")
    assert process.stdout == "False None It is turned off by SKDNN_COMPILED=0.\n"


@pytest.mark.parametrize(
    ("error", "why_not"),
    [
        (
            ModuleNotFoundError("", name="skdnn.nn._compiled"),
            "It was not built when skdnn was installed.",
        ),
        (ModuleNotFoundError("no scipy", name="scipy"), "Its import failed: no scipy"),
        (ImportError("no symbol"), "Its import failed: no symbol"),
        (TypeError("wrong signature"), "Its import failed: wrong signature"),
    ],
)
def test_import_fails(error, why_not, monkeypatch):
    """An extension that can't be imported is no error, but a reason."""

    def fail(name):
        raise error

    monkeypatch.delenv("SKDNN_COMPILED", raising=False)
    monkeypatch.setattr(compiled, "import_module", fail)
    assert compiled._load() == (None, why_not)


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_level(level):
    """SKDNN_LEVEL chooses any level of this processor."""
    process = run("print(compiled.level)", SKDNN_LEVEL=level)
    assert process.stdout == f"{level}\n"


@needs_engine
@pytest.mark.slow
def test_best_level():
    """Without SKDNN_LEVEL the level is the best; the last is that of any machine."""
    assert run("print(compiled.level)", SKDNN_LEVEL="").stdout == f"{LEVELS[0]}\n"
    assert LEVELS[-1] == "baseline"


@needs_engine
@pytest.mark.slow
def test_unknown_level():
    """A level that there is not, or not here, is an error that names those of here."""
    process = run("", SKDNN_LEVEL="x86-64-v9")
    assert process.returncode != 0
    assert process.stderr.splitlines()[-1] == (
        "ValueError: SKDNN_LEVEL is 'x86-64-v9', but the levels of this processor are "
        f"{', '.join(LEVELS)}."
    )
