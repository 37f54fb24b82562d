"""The search over every pose: its rotations, its tensors, and heads of opposite contrast found from anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.image.geometry import about, apply, mean_displacement, rotation_angle
from madreg.image.tensors import TRACE_FREE_BASIS, rotate_tensors, structure_tensors
from madreg.pose.rotations import super_fibonacci
from madreg.pose.search import search


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
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    anywhere = np.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y - z * w),
            2 * (x * z + y * w),
            2 * (x * y + z * w),
            1 - 2 * (x * x + z * z),
            2 * (y * z - x * w),
            2 * (x * z - y * w),
            2 * (y * z + x * w),
            1 - 2 * (x * x + y * y),
        ],
        -1,
    ).reshape(-1, 3, 3)
    # no pose is further from one of them than the refinement can go
    assert angles_between(anywhere, rotations).min(1).max() < 31


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
    best = found[0].matrix
    assert np.linalg.norm(apply(best, fixed_grid.center) - apply(truth, fixed_grid.center)) < 25
    assert rotation_angle(best[:3, :3] @ truth[:3, :3].T) < 31
    assert mean_displacement(best, truth, apply(placed, spots)) < 30
    scores = [candidate.score for candidate in found]
    assert 1 < len(found) <= 8 and scores == sorted(scores, reverse=True)
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_candidates_differ_from_each_other(grid_of, make_volume, head):
    volume = make_volume(lambda points: head.ct(points), grid_of("straight"))
    few = super_fibonacci(60)
    found = search(volume, volume, rotations=np.concatenate([few, few @ super_fibonacci(1)[0]]), count=5)
    for n, one in enumerate(found):
        for other in found[:n]:
            apart = np.linalg.norm(one.matrix[:3, 3] - other.matrix[:3, 3])
            assert apart > 20 or rotation_angle(one.matrix[:3, :3] @ other.matrix[:3, :3].T) > 20


def test_progress_may_stop_the_search(grid_of, make_volume, head):
    volume = make_volume(head.ct, grid_of("straight"))

    class EnoughError(Exception):
        pass

    def stop(share: float) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        search(volume, volume, progress=stop)
