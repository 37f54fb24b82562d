"""The page of one pair, and what all pages have in common."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..pages import document as pages
from ..pages.document import text
from ..pages.known import is_unknown

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: middle; }
img { max-width: 100%; }
.pair { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.pair img { flex: 1 1 28rem; min-width: 0; max-height: 88vh; object-fit: contain; object-position: left top; }
.pair table { flex: 1 1 24rem; } .pair td { overflow-wrap: anywhere; }
.verdict { font-weight: 600; padding: .1rem .5rem; border-radius: .3rem; color: #fff; white-space: nowrap; }
.aligned { background: #1b7f3b; } .check { background: #a86200; } .failed, .error, .killed { background: #b3261e; }
"""
LABELS = {
    "error_before_mm": "Estimated error before (mm)",
    "error_after_mm": "Estimated error after (mm)",
    "bound_mm": "Error bound (mm)",
    "worst_mm": "Largest local error (mm)",
    "overlap": "Overlap (%)",
    "rotation_degrees": "Rotation (degrees)",
    "volume_scale": "Volume scale",
    "margin": "Margin to other poses",
    "consensus": "Consensus",
    "seconds": "Time (s)",
    "device": "Device",
    "threads": "Threads",
    "fixed": "Fixed image",
    "moving": "Moving image",
}
FILES = ("transform", "inverse", "sidecar", "resampled", "error_map", "report")


def of_pair(entry: Mapping[str, Any]) -> str:
    """The page of a pair as HTML; its links are relative to its own folder."""
    folder = posixpath.dirname(entry["files"]["page"])
    rows = [(label, cell(key, entry[key])) for key, label in LABELS.items() if not is_unknown(entry, key)]
    rows += [("Note", text(notice)) for notice in entry["notices"]]
    rows += [
        (text(key.replace("_", " ").capitalize()), link(entry["files"][key], folder))
        for key in FILES
        if key in entry["files"]
    ]
    picture = entry["files"].get("overlay")
    shown = "" if picture is None else f'<img src="{url(picture, folder)}" alt="before, after and checkerboard">'
    table = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in rows)
    return document(entry["id"], f'<p>{badge(entry)}</p><div class="pair">{shown}<table>{table}</table></div>')


def document(title: str, body: str) -> str:
    """A whole page of HTML under a heading."""
    return pages.document(title, f"<h1>{text(title)}</h1>{body}", STYLE)


def badge(entry: Mapping[str, Any]) -> str:
    """The verdict, or why there is none."""
    word = entry.get("verdict") or entry["state"]
    return f'<span class="verdict {text(word)}">{text(word).upper()}</span>'


def cell(key: str, value: Any) -> str:
    """A value of an entry for people."""
    if key == "overlap" and isinstance(value, (int, float)):
        return f"{100 * value:.0f}"
    return f"{value:.2f}" if isinstance(value, float) else text(value)


def link(path: str, folder: str) -> str:
    """A link to a file, relative to a folder; both are relative to the output folder."""
    return f'<a href="{url(path, folder)}">{text(posixpath.basename(path))}</a>'


def url(path: str, folder: str) -> str:
    """The address of a file, relative to a folder."""
    return quote(posixpath.relpath(path, folder or "."))
