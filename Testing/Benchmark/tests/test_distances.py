"""Distances that blocks show at patches, and the sums over them."""

from __future__ import annotations

import numpy as np
import pytest

from fewer import fewer_poses_and_blocks
from madreg.image.geometry import apply
from madreg.image.pair import Pair
from madreg.io.reading import read_volume
from madreg_benchmark.studies import distances
from madreg_benchmark.studies.distances import (
    PREDICTORS,
    VIEWS,
    Distances,
    distances_shown,
    lines,
    measure_distances,
    write_distances,
)
from translation import translation_matrix


def made(view: str, contrast: str, found: float, true: float) -> Distances:
    values = np.array([0.0, 10.0]) + true
    return Distances("one", contrast, view, {"features": values + found, "network": values[::-1].copy()}, values)


def test_sums_are_by_view_predictor_and_contrast():
    rows = lines([made("whole", "CT-T1", 1.0, 5.0), made("whole", "T1-T2", 3.0, 15.0), made("cut", "CT-T1", 0.0, 5.0)])
    first = rows[0]
    assert first[:5] == ["whole", "features", "all", "2", "4"] and first[5] == "2.00"
    network = next(row for row in rows if row[:3] == ["cut", "network", "all"])
    assert network[5:7] == ["10.00", "-1.000"] and network[7] == "0.00"
    assert [row[0] for row in rows] == 6 * ["whole"] + 4 * ["cut"]


def test_the_page_has_a_table_and_a_plot(tmp_path):
    text = write_distances([made(view, "CT-T1", 1.0, 5.0) for view in VIEWS], "Commit abc", tmp_path)
    assert text in (tmp_path / "distances.md").read_text(encoding="utf-8")
    assert (tmp_path / "distances.png").stat().st_size > 5_000 and (tmp_path / "distances.csv").is_file()


@pytest.mark.slow
def test_blocks_show_how_far_off_a_synthetic_head_is(cases):
    case = cases[0]
    fixed, moving = (read_volume(path)[0] for path in (case.fixed, case.moving))
    pair = Pair(fixed, moving)
    points = pair.points[::50]
    pose = translation_matrix(12.0, 5.0) @ case.truth
    assert distances_shown(pair, pose, points) == pytest.approx(13.0, abs=1.5)
    assert np.linalg.norm(apply(pose, points) - apply(case.truth, points), axis=1) == pytest.approx(13.0)


@pytest.mark.slow
def test_both_are_measured_at_the_same_patches(quick_study, monkeypatch):
    done: list[Distances] = []
    monkeypatch.setattr(distances, "measure_distances", lambda *args: done.extend(measure_distances(*args)) or done)
    with fewer_poses_and_blocks():
        quick_study("distances")
    assert [one.view for one in done] == ["whole", "whole", "cut", "cut"]
    for one in done:
        assert set(one.found) == set(PREDICTORS) and all(
            len(found) == len(one.true) > 0 for found in one.found.values()
        )
