"""Each example runs and draws something, and each of the textbook's systems has one."""

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import has_callbacks

EXAMPLES = Path(__file__).parent.parent / "examples"
GALLERY = sorted(EXAMPLES.glob("plot_*.py"))
#: What an example needs that may not be there.
NEEDS = {"plot_intervals": "mapie"}
NEEDS_CALLBACKS = {"plot_activations"}
N_SYSTEMS = 16

gallery = pytest.mark.parametrize("script", GALLERY, ids=lambda script: script.stem)


def docstring(script):
    """Return what stands at the top of an example."""
    return ast.get_docstring(ast.parse(script.read_text("utf-8")))


def blocks(text):
    """Yield the parts of an example, each on the lines that it has there."""
    for part in re.finditer(r"(?ms)(?:\A|^# %%).*?(?=^# %%|\Z)", text):
        yield "\n" * text.count("\n", 0, part.start()) + part[0]


def systems(text):
    """Return the textbook's systems that a text names, S1 to S4 being four."""
    named = {int(number) for number in re.findall(r"\bS(\d+)\b", text)}
    for first, last in re.findall(r"\bS(\d+) to S(\d+)\b", text):
        named.update(range(int(first), int(last)))
    return named


def check_figures(plt):
    """Draw all figures, none of whose axes may be empty, and return how many."""
    numbers = plt.get_fignums()
    for number in numbers:
        figure = plt.figure(number)
        assert any(ax.has_data() for ax in figure.axes)
        assert all(ax.has_data() for ax in figure.axes if ax.axison)
        figure.set_layout_engine("none")  # which takes longer than all else
        figure.canvas.draw()
    plt.close("all")
    return len(numbers)


@pytest.mark.slow
@gallery
def test_runs(script, plt, tmp_path, monkeypatch):
    """It runs without a warning, and draws each figure within a block.

    After each block, the gallery shows its figures and closes them.
    """
    if script.stem in NEEDS:
        pytest.importorskip(NEEDS[script.stem])
    if script.stem in NEEDS_CALLBACKS and not has_callbacks:
        pytest.skip("scikit-learn has callbacks since 1.9")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setattr(plt, "show", lambda: None)
    # What is no module has no file either, as in the gallery.
    namespace = {"__name__": "__main__"}
    n_figures = 0
    for block in blocks(script.read_text("utf-8")):
        exec(compile(block, script, "exec"), namespace)
        n_figures += check_figures(plt)
    assert n_figures


@pytest.mark.slow
def test_demo(plt, tmp_path, monkeypatch):
    """It runs without a warning, and draws the losses of four tables."""
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / "demo.py"), run_name="__main__")
    assert check_figures(plt) == 1
    assert (tmp_path / "demo.png").exists()


def test_blocks_keep_their_lines():
    """A block begins at its mark, and errors in it name its line."""
    text = '"""Title."""\na = 1\n# %%\n# Words\nb = 2\n\n# %%\nc = 3\n'
    assert list(blocks(text)) == [
        '"""Title."""\na = 1\n',
        "\n\n# %%\n# Words\nb = 2\n\n",
        "\n\n\n\n\n\n# %%\nc = 3\n",
    ]


def test_missing_mapie_is_said(monkeypatch):
    """Without MAPIE, the example says what to install."""
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, "mapie.regression", None)
    with pytest.raises(ImportError, match="pip install mapie"):
        runpy.run_path(str(EXAMPLES / "plot_intervals.py"), run_name="__main__")


@gallery
def test_form(script):
    """It begins with a title and what one learns, and ends up showing its figures."""
    title, line, empty, *words = docstring(script).splitlines()
    assert line == "=" * len(title)
    assert not empty and words
    assert re.search(r"(?m)^plt\.show\(\)$", script.read_text("utf-8"))


def test_each_system_has_an_example():
    """Each of the textbook's systems is named at the top of an example."""
    named = set().union(*(systems(docstring(script)) for script in GALLERY))
    assert named == set(range(1, N_SYSTEMS + 1))


def test_the_list_of_systems():
    """The page has each system once, with examples that name it."""
    page = (EXAMPLES / "GALLERY_HEADER.rst").read_text("utf-8")
    rows = re.findall(r"(?ms)^   \* - S(\d+)\n(.*?)(?=^   \* -|^\w|\Z)", page)
    assert [int(number) for number, _ in rows] == list(range(1, N_SYSTEMS + 1))
    for number, row in rows:
        examples = re.findall(r"plot_\w+", row)
        assert examples
        for example in examples:
            assert int(number) in systems(docstring(EXAMPLES / f"{example}.py"))
