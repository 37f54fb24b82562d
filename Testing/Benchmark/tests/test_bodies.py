"""Synthetic bodies: the two scans show the same parts at the pose that is said to be true."""

import numpy as np
import pytest
import torch

from fewer import fewer_poses_and_blocks, fewer_samples
from madreg.descent.evaluation import evaluate
from madreg.image.geometry import apply
from madreg.measures.ngf import NGF
from madreg_benchmark.cases import synthetic_body
from madreg_benchmark.cases.levels import LEVELS
from madreg_benchmark.cases.synthetic_body import Body, displaced_pair, upright_scan
from madreg_benchmark.running.rows import read_rows
from madreg_benchmark.studies.bodies import OFF_MM, write_bodies


@pytest.fixture(scope="module")
def pair():
    """Two scans of one body and the true pose."""
    return synthetic_body.pair(5)


@pytest.fixture
def displaced(pair, monkeypatch):
    """The same scans, displaced as a level says."""
    monkeypatch.setattr(synthetic_body, "pair", lambda seed: {5: pair}[seed])
    return displaced_pair(5, "large")


def test_a_body_has_parts_in_its_outline_and_air_around():
    body = Body(np.random.default_rng(3))
    inside = body.labels(np.random.default_rng(0).uniform(-40, 40, (4000, 3)))
    assert len(np.unique(inside)) > 8 and (inside > 0).mean() > 0.99
    assert body.labels(np.array([[200.0, 0, 0], [0, -150, 0]])).tolist() == [0, 0]


def test_parts_are_whole_though_they_are_looked_for_near_their_centers_alone(monkeypatch):
    points = np.random.default_rng(0).uniform(-100, 100, (20_000, 3))
    near = [Body(np.random.default_rng(seed)).labels(points) for seed in range(5)]
    monkeypatch.setattr(Body, "_reach", lambda self, n: 1000.0)
    for seed, found in enumerate(near):
        assert len(np.unique(found)) > 8 and (found == Body(np.random.default_rng(seed)).labels(points)).all()


def test_a_displaced_pair_is_rotated_and_shifted_as_far_as_its_level_says(pair, displaced):
    fixed, moving, truth = displaced
    angle = np.degrees(np.arccos((np.trace(truth[:3, :3]) - 1) / 2))
    shift = np.linalg.norm(apply(truth, fixed.grid.center) - fixed.grid.center)
    assert LEVELS["large"].rotation / 3 <= angle <= LEVELS["large"].rotation
    assert LEVELS["large"].translation / 3 <= shift <= LEVELS["large"].translation
    assert fixed is pair[0] and moving.data is pair[1].data  # only where it lies differs


def test_an_upright_body_lies_in_its_scan_with_air_around():
    scan = upright_scan([0, 1, 0])
    there = torch.nonzero(scan.data > 0.12)
    assert there.min() > 0 and bool((there.max(0).values < torch.tensor(scan.data.shape) - 1).all())
    assert np.allclose(scan.grid.spacing, 2.0) and 0.15 < len(there) / scan.data.numel() < 0.6


@pytest.mark.parametrize("name", ["pair", "displaced"])
def test_edges_agree_best_at_the_true_pose(name, request):
    fixed, moving, truth = request.getfixturevalue(name)
    poses = np.repeat(truth[None], 4, 0)
    poses[1:, :3, 3] += 4 * np.eye(3)
    values = evaluate(NGF(fixed, moving, samples=20_000), poses)
    assert values[0] < values[1:].min() - 0.02
    middle = apply(truth, fixed.grid.center)
    assert np.linalg.norm(middle - moving.grid.center) < 30  # mm


def test_contrasts_are_unrelated(pair):
    fixed, moving, truth = pair
    points = fixed.grid.points().double().numpy().reshape(-1, 3)[::97]
    one = fixed.sample(torch.as_tensor(points, dtype=torch.float32))[0].numpy()
    other = moving.sample(torch.as_tensor(apply(truth, points), dtype=torch.float32))[0].numpy()
    tissue = (one > 0.1) & (other > 0.1)
    assert abs(np.corrcoef(one[tissue], other[tissue])[0, 1]) < 0.7


@pytest.mark.slow
def test_rows_and_table(quick_study, tmp_path):
    with fewer_poses_and_blocks(), fewer_samples():
        rows = read_rows(quick_study("bodies") / "bodies.jsonl")
    assert len(rows) == 1 and all(row["error_mm"] < 2 for row in rows)
    assert all(row["MAD at 40 mm"] > row["MAD at 0 mm"] + 10 for row in rows)
    table = write_bodies(rows, "Commit abc", tmp_path)
    assert "| under 2 mm | 1 |" in table and f"MAD {OFF_MM[-1]} mm off" in table
    assert "Commit abc" in (tmp_path / "bodies.md").read_text(encoding="utf-8") and (tmp_path / "bodies.csv").is_file()
