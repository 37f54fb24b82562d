"""The results of a batch for people: ``index.html``, pairs to look at first, and ``summary.tsv``."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import InputError
from . import page
from .manifest import Entry, counts, is_failed

COLUMNS = {
    "error_after_mm": "Estimated error (mm)",
    "bound_mm": "Bound (mm)",
    "error_before_mm": "Estimated before (mm)",
    "overlap": "Overlap (%)",
    "rotation_degrees": "Rotation (°)",
    "volume_scale": "Volume scale",
    "seconds": "Time (s)",
}
"""Numbers of ``index.html``, shown if any pair has them."""
TABLE = (
    *("id", "state", "verdict", "error_before_mm", "error_after_mm", "bound_mm", "overlap", "margin"),
    *("consensus", "rotation_degrees", "volume_scale", "seconds", "attempts", "fixed", "moving", "message"),
)
"""Columns of ``summary.tsv``, after which comes ``outlier``."""
NUMBER = ' class="number"'
COMPARED = {"error_after_mm": "estimated error", "overlap": "overlap", "volume_scale": "volume scale"}
"""Numbers by which a pair is an outlier."""
LEAST_PAIRS = 8
"""Below this number nothing is called an outlier."""
FAR = 5.0
"""Outliers are so many robust standard deviations away from the median."""
SMALLEST_DEVIATION = {"error_after_mm": 0.1, "overlap": 0.02, "volume_scale": 0.005}
"""Robust standard deviations are taken to be at least this."""
SCRIPT = """
const body = document.querySelector("tbody");
document.querySelectorAll("th[data-column]").forEach(head => head.onclick = () => {
  const column = +head.dataset.column, up = head.dataset.up !== "1";
  document.querySelectorAll("th").forEach(other => delete other.dataset.up);
  head.dataset.up = up ? "1" : "0";
  const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const number = text => text === "" ? NaN : Number(text);
  const compare = (a, b) => {
    const x = number(value(a)), y = number(value(b));
    if (!isNaN(x) && !isNaN(y)) return x - y;
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return value(a).localeCompare(value(b));
  };
  [...body.rows].sort((a, b) => up ? compare(a, b) : compare(b, a)).forEach(row => body.append(row));
});
"""
STYLE = (
    "<style>th[data-column]{cursor:pointer} td img{width:270px;background:#000} tbody td{max-width:26rem} "
    ".number{text-align:right}</style>"
)


def check_table(folder: Path, table: Path) -> None:
    """Refuse a table of pairs that :func:`write` would overwrite.

    Raises:
        InputError: if it would.
    """
    for path in paths(folder):
        with suppress(OSError):  # one of them is not there
            if path.samefile(table):
                raise InputError(f"{table} would be overwritten by the summary: give another folder for the results.")


def paths(folder: Path) -> tuple[Path, Path]:
    """``index.html`` and ``summary.tsv``."""
    return folder / "index.html", folder / "summary.tsv"


def write(folder: Path, entries: Iterable[Entry]) -> list[Path]:
    """Write ``index.html`` and ``summary.tsv``; returns their paths.

    Raises:
        InputError: if they cannot be written.
    """
    from ..system.files import bytes_content, write_all

    found = list(entries)
    reasons = outliers(found)
    found.sort(key=lambda entry: _rank(entry, bool(reasons.get(entry["id"]))))
    index, table = paths(folder)
    write_all(
        {
            index: bytes_content(index_page(found, reasons).encode()),
            table: bytes_content(summary_table(found, reasons).encode()),
        }
    )
    return [index, table]


def outliers(entries: Sequence[Entry]) -> dict[str, str]:
    """In which numbers a pair is far from the others, by its id.

    The medians are those of all pairs that have a transform of the same type.
    """
    reasons: dict[str, list[str]] = {}
    types = {_type(entry) for entry in entries}
    for kind in sorted(types):
        alike = [entry for entry in entries if _type(entry) == kind and not is_failed(entry)]
        for key, name in COMPARED.items():
            values = {entry["id"]: entry[key] for entry in alike if isinstance(entry.get(key), (int, float))}
            if len(values) < LEAST_PAIRS:
                continue
            median = statistics.median(values.values())
            deviation = 1.4826 * statistics.median(abs(value - median) for value in values.values())
            for one, value in values.items():
                away = value - median if key == "error_after_mm" else abs(value - median)  # a small error is fine
                if away > FAR * max(deviation, SMALLEST_DEVIATION[key]):
                    shown, usual = page.cell(key, float(value)), page.cell(key, float(median))
                    reasons.setdefault(one, []).append(f"{name} {shown}, median {usual}")
    return {one: "; ".join(texts) for one, texts in reasons.items()}


def _type(entry: Entry) -> str:
    return str(entry.get("settings", {}).get("type", ""))


def _rank(entry: Entry, is_outlier: bool) -> tuple[int, float, str]:
    """Where a pair stands: without a result, failed, outliers, to check, aligned; the larger error first."""
    if entry["state"] != "done":
        kind = 0
    elif entry.get("verdict") == "failed":
        kind = 1
    elif is_outlier:
        kind = 2
    else:
        kind = 3 if entry.get("verdict") == "check" else 4
    return kind, -(entry.get("error_after_mm") or 0.0), entry["id"]


def index_page(entries: Sequence[Entry], reasons: dict[str, str]) -> str:
    """``index.html`` of entries in their order."""
    number = counts(entries)
    columns = {key: label for key, label in COLUMNS.items() if any(entry.get(key) is not None for entry in entries)}
    heads = ["", "Verdict", "Pair", *columns.values(), "Remark"]
    numbers = set(columns.values())
    head = "".join(
        f'<th data-column="{n}"{NUMBER if name in numbers else ""}>{name}</th>' if name else "<th></th>"
        for n, name in enumerate(heads)
    )
    rows = "\n".join(_row(place, entry, list(columns), reasons) for place, entry in enumerate(entries))
    line = f"{number['done']} done, {number['failed']} failed, {number['check']} to check, {len(reasons)} outliers."
    return page.document(
        "Registrations",
        f"{STYLE}<p>{line} Pairs to look at come first; click on a heading to sort.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table><script>{SCRIPT}</script>",
    )


def _row(place: int, entry: Entry, columns: Sequence[str], reasons: dict[str, str]) -> str:
    files = entry.get("files", {})
    target, thumbnail = files.get("page"), files.get("thumbnail")
    name, picture = page.text(entry["id"]), ""
    if thumbnail is not None:
        picture = f'<img loading="lazy" src="{page.url(thumbnail, "")}" alt="">'
    if target is not None:
        name, picture = (f'<a href="{page.url(target, "")}">{inner}</a>' for inner in (name, picture))
    numbers = "".join(_number(key, entry.get(key)) for key in columns)
    reason = f"{reasons[entry['id']]}." if entry["id"] in reasons else None
    remark = " ".join(filter(None, (reason, entry.get("message"), *entry.get("notices", []))))
    return (
        f'<tr><td>{picture}</td><td data-value="{place}">{page.badge(entry)}</td><td>{name}</td>'
        f"{numbers}<td>{page.text(remark)}</td></tr>"
    )


def _number(key: str, value: object) -> str:
    shown = "" if value is None else page.cell(key, value)
    return f'<td{NUMBER} data-value="{"" if value is None else page.text(value)}">{shown}</td>'


def summary_table(entries: Sequence[Entry], reasons: dict[str, str]) -> str:
    """``summary.tsv`` of entries in their order; what a pair does not have is ``n/a``, as in BIDS."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow([*TABLE, "outlier"])
    for entry in entries:
        values = [entry.get(key) for key in TABLE]
        writer.writerow([_plain(value) for value in (*values, reasons.get(entry["id"]))])
    return stream.getvalue()


def _plain(value: object) -> str:
    if value is None or value == "":
        return "n/a"
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
