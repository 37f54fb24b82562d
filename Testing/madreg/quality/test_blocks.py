"""Block matching about a pose: it finds known motions, on awkward lattices and through inverted contrast, in mm."""

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid, about, apply, mean_displacement
from madreg.quality import block_matching
from madreg.quality.block_matching import BlockMatching
from madreg.quality.blocks import Blocks, _SplineSamples
from madreg.quality.motion import common_motion, local_displacements
from translation import translation_matrix


@pytest.fixture(scope="module")
def scans(ct_and_mr):
    """A CT and an MR on oblique and left-handed lattices, and the true pose."""
    fixed, moving, truth = ct_and_mr("oblique", "left-handed", (1, -2, 0.5), 50)
    return fixed, moving, truth, fixed.grid.center


@pytest.fixture(scope="module")
def matching(scans):
    return BlockMatching(*scans[:2])


def motion(turn, center, degrees: float, shift: tuple[float, float, float]) -> np.ndarray:
    return about(center, turn((2, 1, -1), degrees), np.array(shift))


@pytest.mark.parametrize(("degrees", "shift"), [(0, (0, 0, 0)), (0, (2, -1.5, 1)), (4, (3, 0, -5)), (8, (-6, 4, 2))])
def test_blocks_agree_on_the_motion_that_is_missing(scans, matching, spots, turn, degrees, shift):
    _fixed, _moving, truth, center = scans
    points = spots + center
    error = motion(turn, center, degrees, shift)
    pose = truth @ error
    found = common_motion(matching.about(pose))
    before = mean_displacement(pose, truth, points)
    assert mean_displacement(pose @ found.matrix, truth, points) < max(1.2, 0.25 * before)
    assert found.consensus > 0.5


@pytest.mark.slow
def test_an_affine_motion_is_seen_as_one(scans, matching, spots):
    _fixed, _moving, truth, center = scans
    stretched = truth @ about(center, np.diag([1.08, 0.94, 1.0]))
    blocks = matching.about(stretched)
    found = {kind: common_motion(blocks, kind) for kind in ("rigid", "affine")}
    left = {kind: mean_displacement(stretched @ one.matrix, truth, spots + center) for kind, one in found.items()}
    assert left["affine"] < left["rigid"]
    assert left["affine"] < 0.6 * mean_displacement(stretched, truth, spots + center)


def test_a_head_that_lies_the_wrong_way_round_finds_no_consensus(scans, matching):
    _fixed, _moving, truth, center = scans
    right = common_motion(matching.about(truth)).consensus
    for signs in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1)):
        assert common_motion(matching.about(truth @ about(center, np.diag(signs)))).consensus < 0.75 * right


def test_a_rigid_motion_does_not_squeeze_a_slab():
    """Every block of a thin slab would rather lie in its middle, as blocks do that are cut off at its faces."""
    grid = Grid((12, 12, 5), np.diag([16.0, 16.0, 4.0, 1.0]))
    centers = grid.points().reshape(-1, 3) - torch.as_tensor(grid.center, dtype=torch.float32)
    axis = torch.arange(-4, 5) * 4.0
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    wished = -centers[:, 2]  # mm along z
    apart = (z - wished[:, None, None, None]).square() + y.square() + x.square()
    blocks = Blocks(
        4,
        grid,
        torch.arange(len(centers)),
        centers,
        torch.full((len(centers),), 1 / len(centers)),
        torch.exp(-apart / 100),
    )
    found = {kind: common_motion(blocks, kind).matrix for kind in ("rigid", "affine")}
    assert abs(found["rigid"][2, 2] - 1) < 0.05
    assert found["affine"][2, 2] < found["rigid"][2, 2]  # which is what was asked for


def test_scores_at_a_displacement_are_smooth_and_meet_the_samples(scans, matching):
    """The spline is not interpolating, but it lies within the samples' range and its gradient is the true one."""
    _fixed, _moving, truth, _ = scans
    blocks = matching.about(truth)
    low, high = blocks.scores.flatten(1).amin(1), blocks.scores.flatten(1).amax(1)
    at = torch.tensor(np.random.default_rng(0).uniform(-14, 14, (1, len(low), 3)), dtype=torch.float32)
    at.requires_grad_()
    values = blocks.at(at)
    assert ((values >= low - 1e-5) & (values <= high + 1e-5)).all()
    values.sum().backward()
    step = torch.tensor([0.05, 0.0, 0.0])
    with torch.no_grad():
        slope = (blocks.at(at + step) - blocks.at(at - step))[0] / 0.1
    assert torch.allclose(slope, at.grad[0, :, 0], atol=2e-3)


def test_what_lies_outside_either_scan_has_no_blocks(scans, make_volume, head, grid_of):
    """Half of the moving scan is gone: the blocks that are left lie in the other half."""
    fixed, moving, truth, _center = scans
    from dataclasses import replace

    beyond = (moving.grid.points()[..., 2] - moving.grid.center[2]) > 0
    half = replace(moving, data=torch.where(beyond, torch.zeros(()), moving.data), mask=moving.mask & ~beyond)
    centers = BlockMatching(fixed, half).about(truth).centers.double().numpy()
    heights = apply(truth, centers)[:, 2] - moving.grid.center[2]
    assert len(heights) > 20 and heights.max() < 16.0


@pytest.mark.slow
def test_a_local_displacement_is_seen_where_it_is(scans, grid_of, make_volume, head):
    """The moving head's left half is shifted by 6 mm, which the local displacements meet better than one motion."""
    fixed, _, _, center = scans
    grid = grid_of("left-handed")

    def shifted(points: np.ndarray) -> np.ndarray:
        share = 1 / (1 + np.exp(-points[..., :1] / 4))
        return head.mr(points - share * np.array([0.0, 0.0, 6.0]))

    pose = np.eye(4)
    pose[:3, 3] = grid.center
    moving = make_volume(shifted, grid, pose, "MR")
    placed = np.eye(4)
    placed[:3, 3] = center
    truth = pose @ np.linalg.inv(placed)
    blocks = BlockMatching(fixed, moving).about(truth)
    common = common_motion(blocks)
    centers, weight = blocks.centers.double().numpy(), blocks.weight.numpy()
    true = np.zeros_like(centers)
    true[:, 2] = 6 / (1 + np.exp(-(centers[:, 0] - center[0]) / 4))
    moved = {
        "common": apply(common.matrix, centers) - centers,
        "local": local_displacements(blocks, common).double().numpy(),
    }
    missed = {name: np.average(np.linalg.norm(one - true, axis=1), weights=weight) for name, one in moved.items()}
    assert missed["local"] < 0.9 * missed["common"] < 3.0


def test_spectra_of_fixed_blocks_are_computed_once(scans, monkeypatch):
    """Poses compared one after the other share nearly all of them, and get the same scores as from anew."""
    fixed, moving, truth, _center = scans
    matching, computed = BlockMatching(fixed, moving), []
    spectra = matching.blocks.spectra
    compute = spectra._computed
    monkeypatch.setattr(spectra, "_computed", lambda chosen: computed.append(len(chosen)) or compute(chosen))
    poses = [truth @ translation_matrix(shift) for shift in (0.0, 2.0, 4.0)]
    scores = [matching.about(pose, few=True).scores for pose in poses]
    asked = sum(len(one) for one in scores)
    assert sum(computed) < 0.4 * asked
    again = BlockMatching(fixed, moving).about(poses[-1], few=True).scores
    assert torch.equal(scores[-1], again)


def test_the_slopes_of_the_scores_are_those_of_the_spline():
    random = torch.Generator().manual_seed(0)
    padded = torch.rand(4, 11**3, generator=random, dtype=torch.float64)
    at = (torch.rand(2, 4, 3, generator=random, dtype=torch.float64) - 0.5) * 12  # beyond reach as well
    assert torch.autograd.gradcheck(lambda where: _SplineSamples.apply(padded, where, 4), (at.requires_grad_(),))


def test_a_third_of_known_blocks_is_what_is_found_anew(scans):
    matching, truth = BlockMatching(*scans[:2]), scans[2]
    anew = matching.about(truth, few=True)
    everything = matching.about(truth)
    known = matching.about(truth, few=True)
    assert len(known.chosen) < len(everything.chosen)
    assert torch.equal(known.chosen, anew.chosen)
    torch.testing.assert_close(known.scores, anew.scores, atol=1e-5, rtol=0)
    torch.testing.assert_close(known.weight, anew.weight)
    elsewhere = matching.about(truth @ translation_matrix(5.0), few=True)
    assert not torch.equal(elsewhere.scores[0], known.scores[0])


@pytest.mark.parametrize(("limit", "few"), [("MOST", False), ("ENOUGH", True)])
def test_a_part_of_the_blocks_of_a_large_scan_says_the_same(scans, spots, turn, monkeypatch, limit, few):
    fixed, moving, truth, center = scans
    pose = truth @ motion(turn, center, 4, (3, 0, -5))
    everything = BlockMatching(fixed, moving).about(pose)
    monkeypatch.setattr(block_matching, limit, len(everything.chosen) // 5)
    some = BlockMatching(fixed, moving).about(pose, few=few)
    assert len(some.chosen) <= 1.2 * len(everything.chosen) / 5
    found, wanted = common_motion(some), common_motion(everything)
    assert mean_displacement(found.matrix, wanted.matrix, spots + center) < 0.5
    assert found.consensus == pytest.approx(wanted.consensus, abs=0.08)
