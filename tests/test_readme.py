"""The README's examples run as they stand."""

import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

README = Path(__file__).parent.parent / "README.md"
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def python_blocks(text):
    """Yield the python blocks of a Markdown text, each on the lines it has there."""
    for block in PYTHON_BLOCK.finditer(text):
        yield "\n" * text.count("\n", 0, block.start(1)) + block[1]


def test_blocks_keep_their_lines():
    """A block is what stands between its fences, and errors in it name its line."""
    text = (
        "Words\n```python\na = 1\n```\n```sh\nls\n```\n```python\nb = 2\n\nc = 3\n```\n"
    )
    assert list(python_blocks(text)) == [
        "\n\na = 1\n",
        "\n" * 8 + "b = 2\n\nc = 3\n",
    ]


def test_readme_runs(tmp_path, monkeypatch):
    """The python blocks run from top to bottom, each with the names of those above."""
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    blocks = list(python_blocks(README.read_text(encoding="utf-8")))
    assert blocks
    namespace = {"__name__": "readme"}
    try:
        for block in blocks:
            exec(compile(block, README, "exec"), namespace)
    finally:
        plt.close("all")
