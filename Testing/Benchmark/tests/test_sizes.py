"""Time and memory against size: every size shows the same field of view, and what a registration took adds up."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.image.geometry import Grid, apply
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.studies import sizes
from madreg_benchmark.studies.sizes import draw, measure_sizes, sampled, write_sizes
from madreg_benchmark.studies.study import Setting


def row(side: int, seconds: float, memory: float | None = 600.0, note: str = "", **stages: float) -> dict:
    return {
        "case": "a",
        "side": side,
        "voxels": side**3,
        "seconds": seconds,
        "memory_mb": memory,
        "error_mm": 0.25,
        "note": note,
        "registering": None if note else seconds - 2,
        "stages": stages,
    }


@pytest.mark.parametrize("side", [20, 150])
def test_a_size_shows_the_same_anatomy_in_the_same_place(side):
    grid = Grid((60, 50, 24), np.array([[0.0, -1.6, 0, 30], [2.0, 0, 0, -50], [0, 0, 4.0, 10], [0, 0, 0, 1]]))
    center = apply(grid.matrix, np.array([33.0, 20, 13]))
    distance = np.linalg.norm(grid.points().numpy() - center, axis=-1)
    image = sampled(grid.as_image((100 / (1 + np.exp(distance - 25))).astype(np.float32)), side)
    found = Grid.of_image(image)
    assert found.size == (side, side, side)
    for corner in ([0, 0, 0], [1, 1, 1], [1, 0, 1]):  # outer corners of the field of view
        then, now = (apply(one.matrix, np.array(corner) * one.size - 0.5) for one in (grid, found))
        np.testing.assert_allclose(now, then, atol=1e-9)
    values = sitk.GetArrayFromImage(image)
    middle = (found.points().numpy() * values[..., None]).sum((0, 1, 2)) / values.sum()
    np.testing.assert_allclose(middle, center, atol=0.3)  # mm
    volume = 4 / 3 * np.pi * 25**3 * (1 + (np.pi / 25) ** 2)  # of the soft ball, mm
    assert values.sum() / 100 * np.prod(image.GetSpacing()) == pytest.approx(volume, rel=0.05)


@pytest.mark.slow
def test_what_a_registration_took_adds_up(quick_study, tmp_path):
    rows = read_rows(quick_study("sizes") / "sizes.jsonl")
    assert [row["voxels"] for row in rows] == [32**3, 48**3]
    for one in rows:
        assert one["note"] == "" and one["error_mm"] < 1
        assert 0 < sum(one["stages"].values()) < one["registering"] < one["seconds"]
        assert {"search", "fine"} <= set(one["stages"]) and 100 < one["memory_mb"] < 5000
    with (tmp_path / "sizes.csv").open(encoding="utf-8") as file:
        for line, one in zip(csv.DictReader(file), rows, strict=True):
            parts = [float(line[name]) for name in line if name.endswith(", s")]
            assert sum(parts) == pytest.approx(one["seconds"], abs=0.05) and min(parts) >= 0


def test_every_repeat_and_what_did_not_end_stand_in_the_table(tmp_path):
    rows = [
        row(64, 5.0, search=1.0, fine=0.5),
        row(64, 7.0, search=1.5),
        row(512, 60.0, None, "RuntimeError: out of memory"),
    ]
    table = write_sizes(rows, "Commit abc", tmp_path)
    assert "| 64 | 262144 | 5.00 | 600 | 0.25 | 2.00 | 1.00 | 0.50 | 1.50 |" in table
    assert "| 64 | 262144 | 7.00 | 600 | 0.25 | 2.00 | 1.50 | 0.00 | 3.50 |" in table
    assert "| 512 | 134217728 | 60.00 |  | RuntimeError: out of memory |  |  |  |  |" in table
    page = (tmp_path / "sizes.md").read_text(encoding="utf-8")
    assert table in page and page.count("Commit abc") == 2
    assert (tmp_path / "sizes.png").stat().st_size > 10_000 and "</svg>" in (tmp_path / "sizes.svg").read_text(
        encoding="utf-8"
    )


def test_the_plot_shows_every_registration_and_linear_growth():
    rows = [row(64, 5.0), row(64, 7.0), row(128, 12.0), row(128, 12.0), row(512, 9.0, None, "broken")]
    time, memory = draw(rows).axes
    medians, points, linear = (np.transpose(line.get_data()) for line in time.lines)
    assert time.get_xscale() == time.get_yscale() == "log"
    np.testing.assert_allclose(medians, [[64**3, 6], [128**3, 12]])
    np.testing.assert_allclose(points, [[64**3, 5], [64**3, 7], [128**3, 12], [128**3, 12]])
    np.testing.assert_allclose(linear, [[64**3, 1.5], [128**3, 12]])
    assert set(memory.lines[1].get_ydata()) == {600.0}


def test_memory_that_the_system_does_not_report_is_left_out():
    time, memory = draw([row(64, 5.0, None), row(128, 6.0, None)]).axes
    assert len(time.lines) == 3 and not memory.lines


def test_every_size_is_registered_twice_from_the_same_displacement(cases, tmp_path, monkeypatch):
    seen = []

    def run(method, trial, affine, options, fresh_process):
        seen.append((method.name, sitk.ReadImage(str(trial.moving)).GetSize(), trial.truth.tolist()))
        assert fresh_process and not affine and options.seed == 3
        return {"seconds": 1.0, "memory_mb": 1.0, "error_mm": 1.0, "note": "broken", "details": {}}

    monkeypatch.setattr(sizes, "run_trial", run)
    monkeypatch.setattr(sizes, "SIDES", (16, 24))
    measure_sizes(Setting(cases, tmp_path, seed=3))
    assert [side for _, (side, _, _), _ in seen] == [16, 16, 24, 24] and {name for name, _, _ in seen} == {"default"}
    for _, _, truth in seen:
        np.testing.assert_allclose(truth, seen[0][2], atol=1e-6)
    assert np.abs(np.array(seen[0][2]) - np.eye(4)).max() > 1
