"""Formulas as MathML, which browsers show without a script from elsewhere."""

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger

logger = getLogger(__name__)

#: What docutils does not know, or not everywhere.
REPLACED = {r"\dots": r"\ldots", r"\textstyle": ""}


def mathml(node, as_block):
    """Return the MathML of a formula in LaTeX; one that has none is a warning."""
    code = node.astext()
    for unknown, known in REPLACED.items():
        code = code.replace(unknown, known)
    if r"\\" in code and r"\begin" not in code:
        code = rf"\begin{{aligned}}{code}\end{{aligned}}"
    try:
        return tex2mathml(code, as_block=as_block)
    except MathError as error:
        logger.warning("no MathML for %s: %s", code, error, location=node)
        return f"<code>{code}</code>"


def inline(translator, node):
    translator.body.append(mathml(node, as_block=False))
    raise SkipNode


def display(translator, node):
    translator.body.append(f'<div class="formula">{mathml(node, as_block=True)}</div>')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
