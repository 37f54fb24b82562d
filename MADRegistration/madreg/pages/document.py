"""HTML that needs no other file and prints on A4."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

STYLE = """
@page { size: A4; margin: 11mm 12mm; }
* { box-sizing: border-box; }
body { font: 10.5pt/1.35 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #111; background: #fff;
  max-width: 186mm; margin: 4mm auto; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
h1 { font-size: 15pt; margin: 0 0 2mm; } h2 { font-size: 11.5pt; margin: 3mm 0 1mm; }
p { margin: 1mm 0; } ul { margin: 1mm 0; padding-left: 5mm; }
table { border-collapse: collapse; width: 100%; } tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: .5mm 2mm .5mm 0; border-bottom: .2mm solid #ccc; }
th { font-weight: 600; overflow-wrap: anywhere; } td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
.verdict { display: inline-block; font-weight: 700; font-size: 12pt; color: #fff; padding: .5mm 3mm;
  border-radius: 1mm; margin-right: 2mm; }
.aligned { background: #1b6e35; } .check { background: #8f5200; } .failed { background: #a3211a; }
figure { margin: 1.5mm 0; text-align: center; break-inside: avoid; }
figcaption { font-size: 9pt; text-align: left; color: #333; }
img { max-width: 100%; } h1, li, td { overflow-wrap: anywhere; }
.numbers { font-size: 9pt; }
.record { font-size: 8pt; line-height: 1.25; }
.record th { white-space: nowrap; font-weight: 600; }
@media print {
  body { margin: 0; }
  .side { height: 274mm; display: flex; flex-direction: column; break-before: page; }
  .side figure { flex: 1 1 0; min-height: 50mm; display: flex; flex-direction: column; }
  .side img { flex: 1 1 0; min-height: 0; object-fit: contain; }
}
"""


def document(title: str, body: str, style: str = STYLE) -> str:
    """A whole page.

    Args:
        title: plain text.
        body: HTML.
        style: CSS.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{text(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def text(value: Any) -> str:
    """A value as text of HTML; what cannot be shown becomes a question mark."""
    return html.escape("".join(one if one.isprintable() else "?" for one in str(value)))


def side(parts: Iterable[str]) -> str:
    """HTML that is printed on one side: its pictures become as large as the text leaves room for."""
    inner = "\n".join(parts)
    return f'<section class="side">\n{inner}\n</section>'


def figure(jpeg: bytes, caption: str) -> str:
    """A picture within the page.

    Args:
        caption: plain text, which also describes the picture to those who do not see it.
    """
    data = base64.b64encode(jpeg).decode("ascii")
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{text(caption)}">'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def facts(rows: Iterable[tuple[str, str]], style: str = "") -> str:
    """A table of names and values, both plain text."""
    lines = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>\n' for name, value in rows)
    return f'<table class="{style}">\n{lines}</table>' if style else f"<table>\n{lines}</table>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        marks = ["", *[' class="number"'] * (len(cells) - 1)]
        return "".join(f"<{tag}{mark}>{text(cell)}</{tag}>" for mark, cell in zip(marks, cells, strict=True))

    body = "".join(f"<tr>{line(row, 'td')}</tr>\n" for row in rows)
    top = f"<thead><tr>{line(head, 'th')}</tr></thead>"
    return f'<table class="numbers">\n{top}\n<tbody>\n{body}</tbody></table>'
