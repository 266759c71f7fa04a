"""Mathematics as MathML, which browsers draw themselves: no script, and nothing to fetch."""

import re

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

#: What docutils does not know, or sets otherwise than LaTeX does, in words that it knows.
PLAIN = (
    (r"\\[bB]igg?(?![a-z])", ""),  # parentheses have one size
    (r"\\(hat|tilde|bar) *(\\[a-z]+|\w|\{\w+\})", r"{\\\1{\2}{}}"),  # else an index stands below the letter
    (r"\\log(?![a-z]) *(?![\\(])", r"\\log\\,"),
)

LOGGER = logging.getLogger(__name__)


def converted(node, *, as_block: bool) -> str:
    """The MathML of a node's LaTeX; a warning, and the LaTeX itself, where docutils cannot read it."""
    tex = node.astext()
    for pattern, instead in PLAIN:
        tex = re.sub(pattern, instead, tex)
    aligned = as_block and "\\\\" in tex and "\\begin" not in tex
    try:
        return tex2mathml(rf"\begin{{aligned}}{tex}\end{{aligned}}" if aligned else tex, as_block=as_block)
    except MathError as error:
        LOGGER.warning("no MathML can be made of %r: %s", tex, error, location=node)
        return f"<code>{tex}</code>"


def inline(translator, node) -> None:
    translator.body.append(converted(node, as_block=False))
    raise SkipNode


def block(translator, node) -> None:
    translator.body.append(f'<div class="math">{converted(node, as_block=True)}</div>')
    raise SkipNode


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
