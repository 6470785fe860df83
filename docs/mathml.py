"""Formulas as MathML, which browsers draw by themselves: the pages need neither a network nor JavaScript."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer; `html_math_renderer = "mathml"` chooses it."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mathml(latex: str, display: str = "inline") -> str:
    """Bars and strokes without the room that an operator takes on both sides: |x|, 1/2."""
    tight = 'lspace="0em" rspace="0em"'
    code = convert(latex, display=display).replace("<mo>&#x0002F;", f"<mo {tight}>&#x0002F;")
    return re.sub(r"<mo([^>]*)>&#x0007C;", rf"<mo {tight}\1>&#x0007C;", code)


def _inline(page: Any, node: nodes.math) -> None:
    page.body.append(_mathml(node.astext()))
    raise nodes.SkipNode


def _block(page: Any, node: nodes.math_block) -> None:
    page.body.append(f'<div class="math">{_mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode
