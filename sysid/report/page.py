"""One HTML page with everything inside it: text, tables and figures, no outside asset and no script."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, field
from typing import Any

from .._show import _value

STYLE = """
:root { color-scheme: light; --ink: #1f2328; --soft: #59636e; --line: #e4e7eb; --accent: #0b6bcb; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif;
       -webkit-text-size-adjust: 100%; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .6rem; letter-spacing: -.01em; font-weight: 650; }
h2 { font-size: 1.25rem; margin: 3rem 0 .5rem; padding-top: 1.2rem; border-top: 1px solid var(--line); font-weight: 620; }
p { margin: .5rem 0 1rem; }
.lead { font-size: 1.08rem; color: var(--soft); margin-bottom: 1.8rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
.card { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem .9rem; }
.card b { display: block; font-size: 1.45rem; line-height: 1.25; font-weight: 620; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .86rem; line-height: 1.35; display: block; margin-top: .15rem; }
figure { margin: 1.4rem 0 2rem; }
figure img { width: 100%; height: auto; display: block; }
@media (max-width: 36rem) { figure .scroll img { width: 31rem; max-width: none; } }
figcaption { color: var(--soft); font-size: .92rem; line-height: 1.5; margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; margin: .8rem 0 1.6rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .38rem .9rem .38rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 500; color: var(--soft); }
thead th { font-size: .86rem; }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: #f5f6f8; border-radius: .3rem; padding: .1em .35em; }
pre { background: #f5f6f8; border-radius: .6rem; padding: .9rem 1rem; overflow-x: auto; line-height: 1.45; }
pre code { background: none; padding: 0; }
.eq { text-align: center; font: italic 1.05rem/1.6 Georgia, "Times New Roman", serif; margin: 1.2rem 0; overflow-x: auto; }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .86rem; }
@media print { main { max-width: none; } figure, table { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Picture:
    """A figure as SVG text, with the sentence that says what it shows and how to read it."""

    svg: str
    caption: str

    def html(self) -> str:
        image = base64.b64encode(self.svg.encode()).decode()
        caption = html.escape(self.caption)
        return (f'<figure><div class="scroll"><img alt="{caption}" src="data:image/svg+xml;base64,{image}"></div>'
                f"<figcaption>{caption}</figcaption></figure>")


@dataclass(frozen=True)
class Table:
    """Rows of cells under column names."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def html(self) -> str:
        head = "".join(f"<th>{html.escape(c)}</th>" for c in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(_value(v))}</td>" for v in row) + "</tr>" for row in self.rows)
        return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


@dataclass(frozen=True)
class Summary:
    """A result's own summary as a two-column table."""

    values: dict[str, Any]

    def html(self) -> str:
        rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(_value(v))}</td></tr>"
                       for k, v in self.values.items())
        return f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>'


@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` is "p", "eq" (a displayed equation) or "code"."""

    words: str
    kind: str = "p"

    def html(self) -> str:
        words = html.escape(self.words)
        return {"p": f"<p>{words}</p>", "eq": f'<p class="eq">{words}</p>',
                "code": f"<pre><code>{words}</code></pre>"}[self.kind]


@dataclass
class Page:
    """A page under construction: a title, an opening, the figures that matter most, then sections in order."""

    title: str
    opening: str
    cards: list[tuple[str, str]] = field(default_factory=list)
    footer: str = ""
    _parts: list[str] = field(default_factory=list)

    def section(self, title: str, *items: Picture | Table | Summary | Text) -> None:
        """Append a section."""
        self._parts.append(f"<section><h2>{html.escape(title)}</h2>" + "".join(i.html() for i in items) + "</section>")

    def html(self) -> str:
        """The whole page."""
        cards = "".join(f'<div class="card"><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>'
                        for value, name in self.cards)
        return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
                f'<meta name="viewport" content="width=device-width, initial-scale=1">'
                f"<title>{html.escape(self.title)}</title><style>{STYLE}</style></head><body><main>"
                f'<h1>{html.escape(self.title)}</h1><p class="lead">{html.escape(self.opening)}</p>'
                f'<div class="cards">{cards}</div>{"".join(self._parts)}<footer>{html.escape(self.footer)}</footer>'
                f"</main></body></html>\n")


def canvas(rows: int = 1, height: float = 2.9, ratios: list[float] | None = None) -> tuple[Any, Any]:
    """A figure of the page's width and its axes, an array (rows,) of them for more than one."""
    import matplotlib
    from matplotlib.figure import Figure

    from ..plot import tidy
    with matplotlib.rc_context({"font.size": 11, "axes.labelsize": 11, "legend.fontsize": 10, "legend.frameon": False,
                                "axes.edgecolor": "#8c959f", "axes.labelcolor": "#424a53", "xtick.color": "#59636e",
                                "ytick.color": "#59636e", "axes.titlesize": 11, "axes.titlelocation": "left"}):
        figure = Figure(figsize=(6.6, height), layout="constrained")
        axes = figure.subplots(rows, 1, height_ratios=ratios, squeeze=False)[:, 0]
    for ax in axes:
        tidy(ax)
    return figure, axes if rows > 1 else axes[0]


def picture(figure: Any, caption: str) -> Picture:
    """Freeze a figure into the page; the same figure gives the same bytes."""
    import matplotlib
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "sysid", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(buffer.getvalue(), caption)
