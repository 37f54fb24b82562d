"""The comparison of the MAD paper: its NMI, its descent and its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from madreg.descent.evaluation import evaluate
from madreg.descent.parameters import LinearTransform
from madreg.image.geometry import Grid, mean_displacement
from madreg.image.pair import Pair
from madreg.image.volume import Volume
from madreg_benchmark.methods.published_nmi import BINS, PublishedNMI, gradient_descent
from madreg_benchmark.studies.published import DESCENTS, RATES, STUDY, descended, summarized, write_published
from madreg_benchmark.studies.study import Setting
from translation import translation_matrix


@pytest.fixture(scope="module")
def scans() -> tuple[Volume, Volume]:
    """An ellipsoid with a hole, and the same in inverted contrast."""
    grid = Grid.covering(np.full(3, -44.0), np.full(3, 44.0), 4.0)
    x, y, z = grid.points().double().unbind(-1)
    body = (((x / 34) ** 2 + (y / 26) ** 2 + (z / 30) ** 2) < 1).float()
    hole = (((x - 10) ** 2 + (y + 6) ** 2 + z**2) < 100).float()
    mask = torch.ones(grid.shape, dtype=torch.bool)
    return (
        Volume("fixed", body - 0.6 * hole, grid, mask),
        Volume("moving", 0.4 * body + 0.6 * hole, grid, mask),
    )


def test_it_equals_a_histogram_of_gaussian_windows(scans):
    fixed, moving = scans
    bins = np.linspace(0, 1, BINS)
    windows = []
    for volume in scans:
        near = np.exp(-0.5 * ((volume.data.numpy().reshape(-1, 1) - bins) / 0.1) ** 2)
        windows.append(near / near.sum(1, keepdims=True))
    joint = windows[0].T @ windows[1] / len(windows[0])
    entropy = lambda p: -(p[p > 0] * np.log(p[p > 0])).sum()  # noqa: E731
    expected = -(entropy(joint.sum(0)) + entropy(joint.sum(1))) / entropy(joint)
    assert evaluate(PublishedNMI(fixed, moving), np.eye(4)[None])[0] == pytest.approx(expected, abs=1e-4)


def test_it_is_lowest_at_the_true_pose_whatever_the_contrast(scans):
    poses = np.stack([translation_matrix(mm) for mm in (-8, -4, 0, 4, 8)])
    assert int(evaluate(PublishedNMI(*scans), poses).argmin()) == 2


def test_gradient_descent_moves_by_the_rate_times_the_slope(scans):
    def slope(matrices: torch.Tensor) -> torch.Tensor:
        return 0.25 * matrices[:, 0, 3]

    found = gradient_descent(slope, LinearTransform(np.eye(4), np.zeros(3)), steps=3, rate=2.0)
    assert np.allclose(found[:3, 3], [-1.5, 0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("descent", DESCENTS)
def test_every_descent_leads_from_the_present_positions_towards_the_true_ones(scans, descent):
    fixed, moving = scans
    moved = replace(moving, grid=Grid(moving.grid.size, translation_matrix(12) @ moving.grid.matrix))
    pair = Pair(fixed, moved)
    found = descended(pair, "nmi:paper", descent, "rigid", 30)
    assert mean_displacement(found, translation_matrix(12), pair.points) < 4


def row(measure: str, descent: str, error: float) -> dict:
    return {
        "case": "a", "level": "large", "trial": 0, "measure": measure, "descent": descent, "before_mm": 50.0,
        "error_mm": error, "seconds": 1.0,
    }  # fmt: skip


def test_errors_are_compared_with_that_of_mad(tmp_path):
    rows = [row("nmi:paper", "adam", 2.0), row("nmi:paper", "adam", 6.0), row("mad-distance", "adam", 3.0)]
    lines = summarized(rows)
    assert lines[0] == ["large", "adam", "nmi:paper", "2", "50.00", "4.00", "6.00", "1/2", "0.75"]
    assert "| large | adam | mad-distance | 1 |" in write_published(rows, "Commit abc", tmp_path)
    assert (tmp_path / "published.csv").is_file() and "Commit abc" in (tmp_path / "published.md").read_text("utf-8")


def test_every_measure_is_tried_with_every_descent():
    class Case:
        name = "a"

    assert STUDY.units(Setting([Case()], Path())) == len(RATES) * len(DESCENTS) * 2
