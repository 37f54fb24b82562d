"""The table of edge shifts says what was measured."""

import csv

import numpy as np

from madreg_benchmark.studies.edges import LAYERS, measure_edges, write_edges
from madreg_benchmark.studies.study import Setting


def test_edges_hardly_move_whatever_the_depth(tmp_path):
    found = measure_edges(Setting([], tmp_path, quick=True))
    assert list(found) == list(LAYERS)
    for some in found.values():
        assert len(some) > 70 and np.median(np.abs(some)) < 0.3 and abs(some.mean()) < 0.15


def test_known_shifts_are_written(tmp_path):
    text = write_edges({1: np.array([0.5, -0.5, 0.1, -0.1]), 2: np.full(10, 2.0)}, "Commit abc", tmp_path)
    assert "| 1 | 4 | 0.300 | +0.000 | 0.50 | 0.50 |" in text
    with (tmp_path / "edges.csv").open(encoding="utf-8") as file:
        assert [line["median distance, voxels"] for line in csv.DictReader(file)] == ["0.300", "2.000"]
    assert (
        "Commit abc" in (tmp_path / "edges.md").read_text(encoding="utf-8")
        and (tmp_path / "edges.png").stat().st_size > 5_000
    )
