"""A self-contained HTML page of text, tables and pictures, readable on a phone."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 0 1rem 4rem; color: #222; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
nav a { display: inline-block; margin: 0 1rem .3rem 0; }
.wide { overflow-x: auto; }
.wide img { display: block; width: 100%; min-width: 42rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e5e5e5; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
td.text { text-align: left; }
td.best { font-weight: bold; } td.behind { color: #b03a2e; }
figcaption, .note { color: #555; font-size: .9rem; } figure { margin: 1rem 0; }
pre { font-size: .8rem; overflow-x: auto; background: #f6f6f6; padding: .8rem; }
"""


class Section(NamedTuple):
    """A part of the page: its title and its HTML."""

    title: str
    body: str


class Cell(NamedTuple):
    """A cell of a table: its text, and the class of its style (`best`, `behind`, `text` or none)."""

    text: str
    style: str = ""


def page(title: str, introduction: str, sections: Sequence[Section]) -> str:
    """Return the page."""
    links = "".join(f'<a href="#s{k}">{escape(section.title)}</a>' for k, section in enumerate(sections))
    body = "".join(
        f'<section><h2 id="s{k}">{escape(section.title)}</h2>{section.body}</section>'
        for k, section in enumerate(sections)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{introduction}<nav>{links}</nav>{body}</body></html>\n"
    )


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def bullets(sentences: Sequence[str]) -> str:
    """Return a list of sentences of plain text."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def table(head: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> str:
    """Return a table that scrolls sideways where it is wider than the page."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(cell: Cell | str) -> str:
    text, style = cell if isinstance(cell, Cell) else Cell(cell)
    return f'<td class="{style}">{escape(text)}</td>' if style else f"<td>{escape(text)}</td>"


def folded(summary: str, text: str) -> str:
    """Return preformatted text that is opened by a click."""
    return f"<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>"


def picture(figure: Figure, caption: str) -> str:
    """Return a figure, embedded, with its caption."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><div class="wide"><img alt="{escape(caption)}" src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
