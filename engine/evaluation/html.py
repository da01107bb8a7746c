"""Pieces of pages that stand alone: text escaped, tables, pictures inside the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; margin: .5rem 0 } td, th { padding: .25rem .7rem; text-align: left;
vertical-align: top; border-bottom: 1px solid #8885 } td.number { text-align: right;
font-variant-numeric: tabular-nums; white-space: nowrap } code { overflow-wrap: anywhere }
img { max-width: 100%; height: auto; display: block; margin: .7rem 0 }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """Join parts that are HTML already to a page that asks for nothing outside itself."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table of plain texts; numbers are the columns that stand to the right."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = (
        "".join(
            f"<td{' class=number' if place in numbers else ''}>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        for row in rows
    )
    return f"<table><tr>{head}</tr>\n" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def listed(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def picture(png: bytes, text: str) -> str:
    """Return a picture that is part of the page; text says what it shows."""
    content = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{content}">'
