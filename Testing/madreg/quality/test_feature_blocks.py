"""Blocks compared by features: they find known motions through unlike contrasts, and little where nothing moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.quality.assessment import assess
from madreg.quality.block_fit import block_matching_of
from madreg.quality.deformation import deformation_mm
from madreg.quality.feature_blocks import FeatureBlocks, feature_blocks
from madreg.quality.motion import common_motion
from translation import translation_matrix


@pytest.fixture(scope="module")
def scans(ct_and_mr):
    """A pair of CT and MR on oblique and left-handed lattices, and the true pose."""
    fixed, moving, truth = ct_and_mr("oblique", "left-handed", (1, -2, 0.5), 50)
    return Pair(fixed, moving), truth


@pytest.fixture(scope="module")
def right(scans):
    """The assessment of the true pose."""
    return assess(scans[0], Transform(scans[1]))


@pytest.mark.parametrize("shift", [(0, 0, 0), (2, -1.5, 1), (3, 0, -5)])
def test_they_agree_on_the_motion_that_is_missing(scans, spots, shift):
    pair, truth = scans
    center = pair.fixed.grid.center
    pose = truth @ translation_matrix(*shift)
    matching = block_matching_of(pair)
    like = matching.about(pose)
    blocks = feature_blocks(pair, pose, like)
    assert (blocks.chosen == like.chosen).all() and blocks.reach == 3
    found = common_motion(blocks)
    points = spots + center
    before = mean_displacement(pose, truth, points)
    assert mean_displacement(pose @ found.matrix, truth, points) < max(0.8, 0.25 * before)


def test_at_the_right_pose_they_show_less_deformation_than_edges(scans):
    pair, truth = scans
    matching = block_matching_of(pair)
    like = matching.about(truth)
    blocks = feature_blocks(pair, truth, like)
    by_features, by_edges = (deformation_mm(one, common_motion(one)) for one in (blocks, like))
    assert by_features < by_edges


@pytest.mark.slow
@pytest.mark.parametrize("amplitude", [0.0, 4.0, 7.0])
def test_a_deformation_counts_in_the_estimated_error(grid_of, make_volume, head, amplitude):
    """Waves of 90 mm, which no rigid or affine motion follows; a head of a few smooth shapes shows half of them."""
    grid = grid_of("straight")

    def displacement(points: np.ndarray) -> np.ndarray:
        phase = 2 * np.pi * points[..., [1, 2, 0]] / 90
        return amplitude * np.sin(phase) / np.sqrt(1.5)

    pair = Pair(
        make_volume(head.ct, grid), make_volume(lambda points: head.mr(points - displacement(points)), grid, name="MR")
    )
    quality = assess(pair, Transform.identity())
    true = float(np.linalg.norm(displacement(pair.points), axis=1).mean())
    assert 0.5 * true < quality.error_mm < true + 1.5
    assert abs(quality.error_mm - true) <= abs(quality.motion_mm - true) + 0.2
    assert (quality.verdict == "aligned") == (amplitude < 5)
    assert any("shapes" in remark for remark in quality.remarks) == (amplitude > 5)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_a_mask_within_the_body_leaves_it_to_edges(scans, right, role):
    """Features would see the end of the mask as an edge, and want it where the other scan has one."""
    pair, truth = scans
    whole = getattr(pair, role)
    apart = (whole.grid.points() - torch.as_tensor(whole.grid.center, dtype=torch.float32)).norm(dim=-1)
    mask = whole.mask & (apart < 55)
    volumes = {"fixed": pair.fixed, "moving": pair.moving, role: replace(whole, data=whole.data * mask, mask=mask)}
    masked = assess(Pair(**volumes), Transform(truth))
    assert right.blocks.by_features and not masked.blocks.by_features
    assert masked.error_mm < 3.0


def test_they_are_encoded_once(scans, monkeypatch):
    """The fixed scan is; the moving one at every pose."""
    pair, truth = scans
    matching, encoded = block_matching_of(pair), []
    encode = FeatureBlocks._encoded
    monkeypatch.setattr(FeatureBlocks, "_encoded", lambda self, *given: encoded.append(1) or encode(self, *given))
    fresh = Pair(pair.fixed, pair.moving)
    for _ in range(2):
        feature_blocks(fresh, truth, matching.about(truth))
    assert len(encoded) == 3
