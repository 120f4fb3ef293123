"""How Sphinx builds the site: `make docs`."""

import inspect
import re
import sys
from pathlib import Path
from textwrap import indent

import matplotlib

# sphinx-gallery looks up all names of an example before it runs it, this one's too.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import skdnn

matplotlib.use("Agg")

REPOSITORY = "https://github.com/skdnn/skdnn"
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skdnn"

project = "skdnn"
author = copyright = "The skdnn developers"
release = version = skdnn.__version__

sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
extensions = [
    "mathml",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.linkcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_extensions", "_templates"]
templates_path = ["_templates"]
# Single backquotes in docstrings are code, as they are in Markdown.
default_role = "literal"
# Notebooks link to parameters by the words of their types, quotes included.
smartquotes = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# A page lists the methods itself (_templates/class.rst); numpydoc would do so again.
numpydoc_show_class_members = False
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"

plot_formats = [("png", 160)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {"figure.constrained_layout.use": True}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # An estimator is worth seeing as HTML; what `ax.set` returns is not.
    "capture_repr": ("_repr_html_",),
    "backreferences_dir": "generated/backreferences",
    "doc_module": "skdnn",
    "reference_url": {"skdnn": None},
    "download_all_examples": False,
    "ignore_pattern": r"demo\.py",
    "write_computation_times": False,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "skdnn"
html_static_path = ["_static"]
html_css_files = ["skdnn.css"]
html_copy_source = False
html_theme_options = {
    "github_url": REPOSITORY,
    "show_prev_next": False,
    "header_links_before_dropdown": 4,
    "navbar_align": "left",
    # Examples have none: the width is for their code.
    "secondary_sidebar_items": {
        pages: ["page-toc"] for pages in ("*", "generated/*", "guide/*")
    },
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# What has no pages below it has nothing to show on the left.
html_sidebars = {
    page.stem: [] for page in (ROOT / "docs").glob("*.md") if page.stem != "api"
}
copybutton_prompt_text = ">>> |\\.\\.\\. |\\$ "
copybutton_prompt_is_regexp = True


def linkcode_resolve(domain, info):
    """Return the address of the source of an object, for the link beside its name."""
    found = sys.modules[info["module"]]
    for name in info["fullname"].split("."):
        found = getattr(found, name, None)
    try:
        # Decorators of scikit-learn leave what they wrap behind.
        found = inspect.unwrap(getattr(found, "fget", None) or found)
        path = Path(inspect.getsourcefile(found)).resolve().relative_to(PACKAGE)
        lines, first = inspect.getsourcelines(found)
    except (TypeError, ValueError, OSError):  # no function, or one of scikit-learn
        return None
    page = f"{REPOSITORY}/blob/main/skdnn/{path.as_posix()}"
    return f"{page}#L{first}-L{first + len(lines) - 1}"


def link_to_repository(app, page, source):
    """Let links of pages to files of the repository lead to GitHub."""
    up = "../" * (page.count("/") + 1)

    def to_github(link):
        kind = "blob" if (ROOT / link[1].split("#")[0]).is_file() else "tree"
        return f"]({REPOSITORY}/{kind}/main/{link[1]})"

    source[0] = re.sub(rf"\]\({re.escape(up)}([^)]*)\)", to_github, source[0])


def plot_in_markdown(app, page, source):
    """Let pages in Markdown have `{plot}`, which works in reStructuredText alone."""

    def to_rst(block):
        options, code = re.fullmatch(r"((?::.*\n)*)(.*)", block[1], re.DOTALL).groups()
        body = indent(f"{options}\n{code}", "   ")
        return f"```{{eval-rst}}\n.. plot::\n{body}```"

    source[0] = re.sub(r"(?ms)^```\{plot\}\n(.*?)^```$", to_rst, source[0])


def signature_of_init(app, what, name, obj, options, signature, returned):
    """Show what a class takes, also where `__new__` takes anything."""
    if what == "class":
        return str(inspect.signature(obj)), returned


def without_labels(app, what, name, obj, options, lines):
    """Take links to pages of scikit-learn from the methods that are inherited."""
    if getattr(obj, "__module__", "").startswith("sklearn."):
        text = re.sub(r":ref:`(.*?)(?:\s*<.*?>)?`", r"\1", "\n".join(lines))
        lines[:] = text.split("\n")


def setup(app):
    app.connect("source-read", link_to_repository)
    app.connect("source-read", plot_in_markdown)
    app.connect("autodoc-process-signature", signature_of_init)
    app.connect("autodoc-process-docstring", without_labels)
