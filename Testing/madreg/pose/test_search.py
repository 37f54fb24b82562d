"""The search over every pose: its rotations, its tensors, and heads of opposite contrast found from anywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from madreg.image.geometry import Grid, about, apply, mean_displacement, rotation_angle
from madreg.image.tensors import TRACE_FREE_BASIS, rotate_tensors, structure_tensors
from madreg.pose import search as search_module
from madreg.pose.correlation import Correlation
from madreg.pose.lattice import APART
from madreg.pose.rotations import between_super_fibonacci, super_fibonacci
from madreg.pose.search import COUNT, search


def angles_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, m) angles in degrees between rotations (n, 3, 3) and (m, 3, 3)."""
    traces = np.einsum("nij,mij->nm", first, second)
    return np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1)))


def test_spiral_consists_of_rotations_spread_evenly():
    rotations = super_fibonacci(400)
    assert np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
    assert np.linalg.det(rotations) == pytest.approx(1.0)
    between = angles_between(rotations, rotations) + 360 * np.eye(400)
    assert between.min() > 12
    quaternions = np.random.default_rng(0).normal(size=(2000, 4))
    anywhere = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix()  # which is normalized there
    # no pose is further from one of them than the refinement can go
    away = angles_between(anywhere, rotations).min(1)
    assert away.max() < 31
    # further ones fill the gaps as twice as many of one spiral would
    away_from_both = np.minimum(away, angles_between(anywhere, between_super_fibonacci(400)).min(1))
    away_from_twice = angles_between(anywhere, super_fibonacci(800)).min(1)
    assert away_from_both.max() < 25 and away_from_both.mean() < 1.02 * away_from_twice.mean()


def test_coefficients_turn_as_tensors_do():
    rotations = torch.as_tensor(super_fibonacci(7), dtype=torch.float32)
    symmetric = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    symmetric = symmetric + symmetric.T
    symmetric -= torch.eye(3) * symmetric.trace() / 3
    coefficients = torch.einsum("nab,ab->n", TRACE_FREE_BASIS, symmetric)
    rotated = torch.einsum("bmn,n,mxy->bxy", rotate_tensors(rotations), coefficients, TRACE_FREE_BASIS)
    assert (rotated - rotations @ symmetric @ rotations.transpose(1, 2)).abs().max() < 1e-5


def test_tensors_follow_the_edges_in_the_world(awkward_grid, make_volume):
    """A wall across x on any lattice: the tensor's leading direction is x."""
    wall = make_volume(lambda points: (points[..., 0] > awkward_grid.center[0]).astype(float), awkward_grid)
    features, grid = structure_tensors(wall, 10.0)
    middle = tuple(n // 2 for n in grid.shape)
    values = features[(slice(5), *middle)]
    _, vectors = torch.linalg.eigh(torch.einsum("n,nab->ab", values, TRACE_FREE_BASIS))
    assert abs(float(vectors[0, -1])) > np.cos(np.deg2rad(15))


POSES = [
    ("straight", "oblique", (1, 2, 3), 160),
    ("left-handed", "sagittal slabs", (-1, 1, 0.3), 95),
    ("oblique", "left-handed", (0.2, 0.1, 1), 180),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fixed_grid", "moving_grid", "axis", "degrees"), POSES)
def test_finds_the_head_in_any_pose(grid_of, make_volume, head, turn, spots, fixed_grid, moving_grid, axis, degrees):
    fixed_grid, moving_grid = grid_of(fixed_grid), grid_of(moving_grid)
    placed, pose = np.eye(4), about(np.zeros(3), turn(axis, degrees))
    placed[:3, 3] = fixed_grid.center
    pose[:3, 3] += moving_grid.center + [8.0, -12.0, 10.0]
    truth = pose @ np.linalg.inv(placed)
    shares: list[float] = []
    found = search(
        make_volume(head.ct, fixed_grid, placed), make_volume(head.mr, moving_grid, pose), progress=shares.append
    )
    assert mean_displacement(found[0].matrix, truth, apply(placed, spots)) < 6
    scores = [candidate.score for candidate in found]
    assert 1 < len(found) <= COUNT and scores == sorted(scores, reverse=True)
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_candidates_differ_from_each_other(grid_of, make_volume, head):
    volume = make_volume(lambda points: head.ct(points), grid_of("straight"))
    few = super_fibonacci(60)
    found = search(volume, volume, rotations=np.concatenate([few, few @ super_fibonacci(1)[0]]), seeds=30, count=5)
    center = volume.grid.center
    assert len(found) > 1
    for n, one in enumerate(found):
        for other in found[:n]:
            apart = np.linalg.norm(apply(one.matrix, center) - apply(other.matrix, center))
            assert apart > 20 or rotation_angle(one.matrix[:3, :3] @ other.matrix[:3, :3].T) > 20


def test_progress_may_stop_the_search(grid_of, make_volume, head):
    volume = make_volume(head.ct, grid_of("straight"))

    class EnoughError(Exception):
        pass

    def stop(share: float) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        search(volume, volume, progress=stop)


class Body:
    """The head on top of a trunk with arms, 570 mm long, in half of which nothing is like the head."""

    def __init__(self, head) -> None:
        self.head = head
        rng = np.random.default_rng(11)
        self.places = rng.uniform(-1, 1, (40, 3)) * [60, 40, 170] - [0, 0, 260]
        self.widths = rng.uniform(8, 20, 40)
        self.strengths = rng.uniform(0.2, 0.4, 40) * np.where(np.arange(40) % 2, 1, -1)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        trunk = np.linalg.norm((points + [0, 0, 260]) / [80, 55, 200], axis=-1)
        lumps = sum(
            s * np.exp(-np.square((points - p) / w).sum(-1) / 2)
            for s, p, w in zip(self.strengths, self.places, self.widths, strict=True)
        )
        inside = 1 / (1 + np.exp(np.clip((trunk - 1) * 22, -50, 50)))
        return np.maximum(self.head.ct(points), inside * np.clip(0.5 + lumps, 0.05, 1.1))


@pytest.fixture(scope="module")
def long_pair(head, make_volume, turn):
    """A body three times as long as a head, the head alone in another contrast, and the pose from body to head."""
    long, small = Grid((48, 48, 145), np.eye(4)), Grid((48, 48, 48), np.eye(4))
    matrix = np.diag([4.0, 4.0, 4.0, 1.0])
    long, small = (replace(grid, matrix=matrix.copy()) for grid in (long, small))
    long.matrix[:3, 3] = [-94, -94, -482]
    small.matrix[:3, 3] = -94
    pose = about(np.zeros(3), turn((1, 2, 0.5), 110), np.array([12.0, -9, 6]))
    return make_volume(Body(head), long), make_volume(head.mr, small, pose), pose


@pytest.fixture
def lattices(monkeypatch):
    """How many voxels the lattice of every correlation has."""
    made = []

    class Recorded(Correlation):
        def __init__(self, *args) -> None:
            super().__init__(*args)
            made.append(int(np.prod(self.lattice.size)))

    monkeypatch.setattr(search_module, "Correlation", Recorded)
    return made


@pytest.mark.slow
def test_a_head_is_found_in_a_long_body_either_way_round_at_little_cost(long_pair, spots, lattices):
    """The lattice grows with the length of the body, not with its third power, and the body is never rotated."""
    body, alone, truth = long_pair
    rotations = super_fibonacci(400)
    there = search(body, alone, rotations=rotations)
    back = search(alone, body, rotations=rotations.transpose(0, 2, 1))
    assert mean_displacement(there[0].matrix, truth, spots) < 6
    assert there[0].matrix == pytest.approx(np.linalg.inv(back[0].matrix), abs=1e-6)
    assert there[0].score == pytest.approx(back[0].score, abs=1e-6)
    search(alone, alone, rotations=rotations[:1])
    one, other, head_alone = lattices
    assert one == other < 3 * head_alone
    assert int(np.prod(Correlation(alone, body, 8.0, 0.25).lattice.size)) > 3 * one  # what rotating the body would take


def test_several_translations_of_one_rotation_lie_apart(long_pair):
    body, alone, truth = long_pair
    correlation = Correlation(body, alone, 12.0, 0.25)
    found = correlation.best(truth[None, :3, :3], lambda share: None, translations=3)
    places = np.array([apply(np.linalg.inv(one.matrix), np.zeros(3)) for one in found])
    apart = np.abs(places[:, None] - places).max(-1) + 1e3 * np.eye(3)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len(found) == 3 and apart.min() >= APART - 1e-6
    assert mean_displacement(found[0].matrix, truth, np.zeros((1, 3))) < 12


def test_scans_of_which_one_shows_nothing_have_no_pose(long_pair):
    _, alone, _ = long_pair
    assert search(alone, replace(alone, data=torch.zeros_like(alone.data)), rotations=super_fibonacci(5)) == []
