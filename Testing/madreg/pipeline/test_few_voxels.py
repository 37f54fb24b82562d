"""Masks of next to nothing: whatever a user painted by mistake gives an answer or a message."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.descent.parameters import LinearTransform
from madreg.errors import InputError
from madreg.image.fitting import restricted
from madreg.image.geometry import Grid, about, apply
from madreg.image.pair import Pair
from madreg.image.resampling import resample
from madreg.image.transform import Transform
from madreg.image.volume import Volume
from madreg.pipeline import axes_search, feature_search, initialization
from madreg.pipeline.assessment import assess_all
from madreg.pipeline.block_alignment import BlockAlignment
from madreg.pipeline.registration import register
from madreg.progress import Monitor
from madreg.quality.alternatives import compare
from madreg.quality.cut_out import leaves_empty, without_outline
from madreg.settings import Settings
from translation import translation_matrix

MIDDLE = 18
CENTER = (MIDDLE, MIDDLE, MIDDLE)


@pytest.fixture(scope="module")
def heads(grid_of, make_volume, head) -> tuple[Volume, Volume]:
    """A head, cut off 72 mm from its middle, as CT and as MR, in one place."""
    whole = grid_of("straight")
    matrix = whole.matrix.copy()
    matrix[:3, 3] = apply(matrix, 3 * [MIDDLE])
    grid = Grid((2 * MIDDLE + 1,) * 3, matrix)
    return tuple(make_volume(one, grid, np.eye(4)) for one in (head.ct, head.mr))


def shown(volume: Volume, *voxels: tuple[int, int, int]) -> Volume:
    """A volume with data in some voxels (k, j, i) alone."""
    mask = torch.zeros_like(volume.mask)
    for voxel in voxels:
        mask[voxel] = True
    return replace(volume, data=volume.data * mask, mask=mask)


@pytest.mark.parametrize("spacing", [2.5, 4.0, 9.0])
@pytest.mark.parametrize("voxel", [(0, 0, 0), (5, 6, 7), (19, 19, 19)])
def test_a_mask_that_lies_between_coarser_voxels_does_not_vanish(spacing, voxel):
    mask = torch.zeros(20, 20, 20, dtype=torch.bool)
    mask[voxel] = True
    _, coarse, target = resample(torch.zeros(20, 20, 20), mask, Grid((20, 20, 20), np.eye(4)), spacing)
    assert coarse.sum() == 1
    where = torch.nonzero(coarse)[0].flip(0).numpy()
    assert np.abs(target.matrix[:3, :3] @ where + target.matrix[:3, 3] - voxel[::-1]).max() <= spacing / 2 + 0.5


def test_a_single_point_can_be_fitted_and_moved():
    point = np.array([[3.0, 4.0, 5.0]])
    for kind in ("rigid", "similarity", "affine"):
        assert np.isfinite(restricted(about(point[0], np.eye(3), np.ones(3)), point, kind)).all()
        assert torch.isfinite(LinearTransform.over(point, np.eye(4)[None], kind).matrices()).all()


@pytest.mark.filterwarnings("error")
def test_a_single_voxel_is_compared_with_other_poses(heads):
    compare(Pair(shown(heads[0], CENTER), heads[1]), np.eye(4))


def test_a_pose_without_blocks_stays_where_it_is(heads):
    pair = Pair(heads[0], shown(heads[1], CENTER))
    away = translation_matrix(500.0)
    (found,) = BlockAlignment("rigid").run(pair, [Transform(away)], Monitor(None))
    assert found.matrix == pytest.approx(away, abs=1e-6)


def test_what_holds_nothing_at_all_keeps_its_outline(heads):
    """Without it no voxel would be left."""
    pair = Pair(shown(heads[0], (0, 0, 0), (0, 0, 1)), shown(heads[1], (0, 0, 0)))
    assert not leaves_empty(pair) and without_outline(pair).fixed.mask.any()


@pytest.mark.slow
@pytest.mark.parametrize("init", ["none", "search"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_registration_of_a_few_voxels_fails_as_it_should(heads, init, swapped, monkeypatch):
    """Whatever it tries, each time with few poses."""
    monkeypatch.setattr(axes_search, "SEEDS", 30)
    monkeypatch.setattr(axes_search, "COUNT", 5)
    monkeypatch.setattr(initialization, "SEEDS", 30)
    monkeypatch.setattr(initialization, "ROTATIONS", 100)
    monkeypatch.setattr(initialization, "BEGUN", 3)
    monkeypatch.setattr(feature_search, "POINTS", 300)
    monkeypatch.setattr(feature_search, "COUNT", 2)
    pair = shown(heads[0], CENTER, (MIDDLE, MIDDLE, MIDDLE + 1)), heads[1]
    pair = pair[::-1] if swapped else pair
    with suppress(InputError):
        assert register(*pair, Settings(init=init)).verdict == "failed"
    quality = next(assess_all(*pair, [Transform.identity()]))
    assert quality is None or quality.verdict == "failed"
