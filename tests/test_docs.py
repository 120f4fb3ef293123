"""The examples of README and docs run as they stand, and the tests they name exist."""

import re
from importlib import import_module
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

import skdnn
from skdnn.nn import activations, embeddings, losses, optimizers, schedules
from tests.docs import listed_names

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/guide/*.md")),
]
FOLDERS = [ROOT, Path(skdnn.__file__).parent, ROOT / "tests"]
TESTS = "\n".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
#: What a page needs that may not be there.
NEEDS = {
    "cluster.md": ["distributed"],
    "export.md": ["onnxruntime", "skl2onnx"],
}
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)[)#]")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


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


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, marks=pytest.mark.slow if "docs" in p.parts else ())
        for p in PAGES
    ],
    ids=lambda page: page.name,
)
def test_blocks_run(page, tmp_path, monkeypatch):
    """The python blocks run from top to bottom, each with the names of those above."""
    for module in NEEDS.get(page.name, []):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    namespace = {"__name__": page.stem}
    try:
        for block in python_blocks(page.read_text(encoding="utf-8")):
            exec(compile(block, page, "exec"), namespace)
    finally:
        plt.close("all")


def test_there_are_blocks():
    """Some of the pages have examples, or the test above would say nothing."""
    assert sum("```python" in page.read_text() for page in PAGES) >= 2


@pages
def test_links_lead_somewhere(page):
    """Each relative link is to a file that is there."""
    words = PYTHON_BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(words):
        assert (page.parent / target).exists(), target


@pages
def test_named_files_exist(page):
    """Each file of Python that a page names is there, below one of the folders."""
    for name in set(re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))):
        assert any((folder / name).exists() for folder in FOLDERS), name


@pages
def test_named_tests_exist(page):
    """Each test that a page names is there, in the file that it is linked to."""
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"`(test_\w+)`", text)):
        assert f"def {name}(" in TESTS, name
    for name, target in re.findall(r"\[`(test_\w+)`\]\((.+?)\)", text):
        assert f"def {name}(" in (page.parent / target).read_text("utf-8"), name


def test_the_table_names_each_fault_and_its_test():
    """docs/peer-faults.md has a row for each fault, and the name of its test."""
    table = (ROOT / "docs" / "peer-faults.md").read_text("utf-8")
    rows = re.findall(r"^\| *(\d+) *\|.*\|", table, re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 44))
    named = re.findall(r"`(test_fault_\w+)`", table)
    assert named == sorted(re.findall(r"^def (test_fault_\w+)\(", TESTS, re.MULTILINE))


@pytest.mark.parametrize(
    "module",
    [skdnn, skdnn.display, activations, embeddings, losses, optimizers, schedules],
    ids=lambda module: module.__name__,
)
def test_each_public_class_has_a_page(module):
    """What users take from a module is listed in docs/api.md.

    Tables, constants and what the engine makes of an embedding are not for users.
    """
    names = {
        name
        for name in module.__all__
        if callable(getattr(module, name)) and not name.endswith("Layer")
    } - {"Activation", "NumericEmbedding", "from_plain", "to_plain"}
    assert names <= {name.rpartition(".")[2] for name in listed_names()}


@pytest.mark.parametrize("name", listed_names())
def test_each_page_is_of_something_public(name):
    """Names in docs/api.md are there, where users import them from."""
    module, _, attribute = name.rpartition(".")
    if module == "skdnn.onnx":
        pytest.importorskip("skl2onnx")
    assert callable(getattr(import_module(module), attribute))
