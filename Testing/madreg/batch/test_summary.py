"""The summary puts the pairs to look at first, and its pages hold whatever names they are given."""

import csv
import io
from html.parser import HTMLParser

from madreg.batch import page, summary
from madreg.batch.progress_line import ProgressLine, duration


def entry(name, error=1.0, verdict="aligned", state="done", **more):
    files = {"page": f"pairs/{name}/index.html", "thumbnail": f"pairs/{name}/thumbnail.jpg"} if state == "done" else {}
    return {
        "id": name,
        "fingerprint": "f",
        "state": state,
        "fixed": "a.nii",
        "moving": "b.nii",
        **(
            {"verdict": verdict, "error_after_mm": error, "overlap": 0.9, "volume_scale": 1.0}
            if state == "done"
            else {}
        ),
        "settings": {"type": "rigid"},
        "notices": [],
        "files": files,
        **more,
    }


def study():
    plain = [entry(f"plain{n}", 0.8 + 0.02 * n) for n in range(12)]
    return [
        *plain,
        entry("far", 2.9),
        entry("check", 4.0, "check"),
        entry("failed", 20.0, "failed"),
        entry("broken", state="error", message="a.nii cannot be read."),
    ]


def test_pairs_to_look_at_come_first(tmp_path):
    index, table = summary.write(tmp_path, study())
    rows = list(csv.DictReader(io.StringIO(table.read_text()), delimiter="\t"))
    names = [row["id"] for row in rows]
    assert names[:2] == ["broken", "failed"] and set(names[2:4]) == {"far", "check"} and names[4] == "plain11"
    assert rows[0]["verdict"] == "n/a" and rows[0]["message"] == "a.nii cannot be read."
    outlying = {row["id"] for row in rows if row["outlier"] != "n/a"}
    assert outlying == {"far", "check"}
    text = index.read_text()
    assert "14 done, 2 failed, 1 to check, 2 outliers" in text
    assert text.index("pairs/failed/index.html") < text.index("pairs/far/index.html") < text.index("pairs/plain0/")


def test_small_errors_and_few_pairs_are_no_outliers():
    assert not summary.outliers([entry(f"p{n}", 0.01 if n == 0 else 1.0) for n in range(20)])
    assert not summary.outliers([entry(f"p{n}", 9.0 if n == 0 else 1.0) for n in range(5)])
    found = summary.outliers([entry(f"p{n}", overlap=0.2 if n == 0 else 0.9) for n in range(20)])
    assert found == {"p0": "overlap 20, median 90"}


class _Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("href", "src")]


def test_names_do_not_become_html():
    nasty = entry("p", message="<script>alert(1)</script>", notices=['"><img src=x onerror=y>'], state="error")
    checker = _Checker()
    checker.feed(summary.index_page([nasty], {}))
    assert checker.tags.count("script") == 1 and "img" not in checker.tags


def test_the_page_of_a_pair_links_from_its_own_folder():
    one = entry("p", threads=1, fixed="a<b>.nii")
    one["files"] = {
        "page": "sub-01/figures/p.html",
        "overlay": "sub-01/figures/p overlay.png",
        "transform": "sub-01/ct/x.h5",
    }
    checker = _Checker()
    text = page.of_pair(one)
    checker.feed(text)
    assert checker.links == ["p%20overlay.png", "../ct/x.h5"]
    assert "a&lt;b&gt;.nii" in text and "ALIGNED" in text


def test_remarks_are_sentences():
    entries = [entry("p", message="a.nii cannot be read.", notices=["One.", "Two."], state="error"), entry("q")]
    text = summary.index_page(entries, {"q": "overlap 50, median 90"})
    assert "<td>a.nii cannot be read. One. Two.</td>" in text and "<td>overlap 50, median 90.</td>" in text


def test_errors_are_called_estimated():
    text = summary.index_page([entry("p", error_after_mm=1.5, error_before_mm=30.0)], {})
    assert ">Estimated error (mm)<" in text and ">Estimated before (mm)<" in text


def test_the_largest_local_error_is_not_said_of_what_failed():
    """Blocks that agree nowhere may show small errors."""
    for verdict in ("check", "failed"):
        text = page.of_pair(entry("p", verdict=verdict, worst_mm=3.25))
        assert ("3.25" in text) == (verdict == "check")


def test_the_progress_line_counts_and_estimates(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    line = ProgressLine(10, [entry("a")], stream)
    line.show(0)
    for number in range(3):
        clock[0] += 30.0
        line.add(entry(f"p{number}", verdict=("aligned", "check", "failed")[number]))
        line.show(2)
    assert line.line(2) == "3 of 10 done, 1 failed, 1 to check, 2 pairs per minute, 3 min left, 2 workers"
    lines = stream.getvalue().splitlines()
    assert lines[0] == "1 of 10 done, 0 failed, 0 to check, no worker yet"
    assert len(lines) == 2  # one a minute where there is no terminal


def test_durations():
    assert [duration(one) for one in (5, 600, 12_000)] == ["5 s", "10 min", "3 h 20 min"]
