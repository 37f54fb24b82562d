"""Misalignments have the size asked for, and the sums over predictions are right."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from madreg.image.geometry import apply, mean_displacement
from madreg_benchmark.studies.predictions import (
    Pose,
    binned,
    correlation,
    measure_predictions,
    misalignment,
    write_predictions,
)


@pytest.mark.parametrize("distance", [0.75, 8.0, 31.0, 60.0])
@pytest.mark.parametrize("radius", [40.0, 120.0])
def test_misalignment_has_the_mean_distance_asked_for(distance, radius):
    rng = np.random.default_rng(3)
    points = rng.normal(size=(500, 3)) * radius + [10, -50, 900]
    for _ in range(20):
        motion = misalignment(distance, points, rng)
        assert mean_displacement(motion, np.eye(4), points) == pytest.approx(distance, abs=0.01)
        assert np.allclose(motion[:3, :3] @ motion[:3, :3].T, np.eye(3))
        assert np.degrees(np.arccos(min(1, (np.trace(motion[:3, :3]) - 1) / 2))) <= 45 + 1e-6


def test_bins_of_known_errors():
    true = np.array([1.0, 2.0, 6.0, 59.0, 61.0])
    lines = binned(true + np.array([1.0, -3.0, 2.0, -9.0, 0.0]), true)
    assert len(lines) == 12
    assert (lines[0]["count"], lines[0]["mae"], lines[0]["bias"]) == (2, 2.0, -1.0)
    assert (lines[1]["count"], lines[1]["mae"], lines[11]["mae"]) == (1, 2.0, 9.0)
    assert sum(line["count"] for line in lines) == 4
    assert lines[5]["count"] == 0 and np.isnan(lines[5]["mae"])


def test_correlation_of_a_constant_is_none():
    assert correlation(np.full(5, 20.0), np.arange(5.0)) == 0
    assert correlation(2 * np.arange(5.0) + 3, np.arange(5.0)) == pytest.approx(1)


def test_tables_and_plot_are_written(tmp_path):
    rng = np.random.default_rng(0)
    poses = []
    for number in range(12):
        true = rng.uniform(0, 60, 200)
        poses.append(Pose("case", "CT-T1" if number % 2 else "T1-T2", true + 5, true))
    text = write_predictions(poses, "Commit abc", tmp_path)
    with (tmp_path / "predictions.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12 and all(float(line["MAE mm"]) == 5.0 == float(line["bias mm"]) for line in lines)
    assert "| all | 12 | 2400 | 5.00 | 1.000 | 5.00 | 1.000 |" in text
    assert "Commit abc" in (tmp_path / "predictions.md").read_text(encoding="utf-8")
    assert (tmp_path / "predictions.png").stat().st_size > 10_000 and (tmp_path / "predictions.svg").is_file()


class Oracle:
    """Knows the distance, for cases whose truth is the identity, and sees every second point."""

    def __init__(self, fixed, moving, seed):
        index = torch.nonzero(fixed.mask)[::5000].flip(-1).double().numpy()
        self.points = torch.as_tensor(apply(fixed.grid.matrix, index))

    def map(self, matrix):
        points = self.points.numpy()
        return np.linalg.norm(apply(matrix, points) - points, axis=1), np.arange(len(points)) % 2 == 0


def test_an_oracle_is_found_to_be_right_from_0_to_60_mm(cases):
    ticks = []
    poses = measure_predictions(cases, 6, 0, "cpu", lambda: ticks.append(1), Oracle)
    assert len(poses) == len(ticks) == 12
    for number, pose in enumerate(poses):
        assert np.allclose(pose.predicted, pose.true, atol=1e-9)
        assert pose.true.mean() == pytest.approx(5 + 10 * (number % 6), rel=0.1)
    assert {pose.contrast for pose in poses} == {"CT-T1", "T1-T2"}
