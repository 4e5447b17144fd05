"""Equations as MathML, which browsers draw without a script; a command that is not known ends the build."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.errors import SphinxError

LATEX = LatexToMathML(fancy_error=False)


def mathml(node: nodes.Node, block: bool) -> str:
    """A node's equation.

    Raises:
        SphinxError: it is not LaTeX, or not what `math_core` knows of it.
    """
    latex = node.astext()
    try:
        return LATEX.convert_with_local_state(latex, displaystyle=block)
    except LatexError as error:
        raise SphinxError(f"{node.source}:{node.line}: {latex}: {error}") from None


def inline(translator: Any, node: nodes.Node) -> None:
    translator.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.Node) -> None:
    translator.body.append(f'<div class="math">{mathml(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
