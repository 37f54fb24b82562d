"""The evidence for a pose, and what it is compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.descent.refinement import MEDIUM
from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import Pair
from madreg.io.reading import volume_from_image
from madreg.quality import alternatives
from madreg.quality.alternatives import ANOTHER_MM, FOLLOWED_MM, OTHERS, STEPS, Evidence, compare, evidence
from madreg.quality.block_fit import block_matching_of
from madreg.quality.flips import flipped_poses
from madreg.quality.motion import common_motion
from madreg.quality.shape import Stretch
from translation import translation_matrix


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head):
    """Two heads of opposite contrast in one place."""
    grid = grid_of("straight")
    return Pair(make_volume(head.ct, grid), make_volume(head.mr, grid))


def moved(mm: float) -> np.ndarray:
    """(4, 4) translation along x and z."""
    return translation_matrix(0.6 * mm, 0.0, 0.8 * mm)


@pytest.mark.slow
def test_evidence_is_highest_where_the_scans_fit(pair, turn):
    right = evidence(pair, np.eye(4))
    wrong = [moved(60), about(np.zeros(3), turn((1, -1, 2), 70)), *flipped_poses(np.eye(4), np.zeros(3))]
    assert right.value > max(evidence(pair, pose).value for pose in wrong) + 0.1
    assert mean_displacement(right.preferred, np.eye(4), pair.points) < 2


def test_blocks_about_a_pose_that_is_a_little_off_prefer_the_right_one(pair):
    found = evidence(pair, moved(10))
    assert mean_displacement(found.preferred, np.eye(4), pair.points) < 3
    assert found.value == pytest.approx(evidence(pair, np.eye(4)).value, abs=0.05)


def test_few_blocks_that_agree_are_little_evidence(pair):
    """Where only the rims of both scans lie in each other, their blocks agree by chance."""
    rim = moved(150.0)
    assert pair.greater_overlap(rim) < 0.25
    motion = common_motion(block_matching_of(pair).about(rim, few=True), "rigid", alternatives.STEPS)
    assert motion.consensus > 0.6
    assert evidence(pair, rim).value < evidence(pair, np.eye(4)).value - 0.8


@pytest.mark.parametrize("factors", [(1.5, 1.0, 1.0), (1.3, 1.3, 1.3)])
def test_a_distortion_costs_evidence_and_a_scale_of_all_axes_does_not(pair, factors):
    """Stretched at will, a small scan fits what lies elsewhere: 160 mm off it had a margin of 0.14."""
    stretch = about(np.zeros(3), np.diag(factors), np.zeros(3))
    grid = pair.moving.grid
    stretched = Pair(pair.fixed, replace(pair.moving, grid=replace(grid, matrix=stretch @ grid.matrix)))
    less = evidence(pair, np.eye(4)).value - evidence(stretched, stretch).value
    assert less == pytest.approx(Stretch.of(np.diag(factors)).distortion_cost, abs=0.06)


def test_where_too_few_blocks_show_anything_there_is_no_evidence(pair):
    assert evidence(pair, moved(1000.0)) is None


def test_a_pose_that_shows_nothing_has_no_margin(pair):
    found = compare(pair, moved(1000.0), [np.eye(4)])
    assert found.margin == -np.inf and mean_displacement(found.other, np.eye(4), pair.points) < 2


def test_no_pose_is_better_than_others_where_a_scan_shows_nothing(pair):
    empty = Pair(pair.fixed, replace(pair.moving, data=torch.zeros_like(pair.moving.data)))
    found = compare(empty, np.eye(4), [moved(60)])
    assert [found.margin, found.mirror_margin] == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.fixture
def asked(monkeypatch):
    """Which poses evidence is asked for; at all of them it is 1, and the blocks prefer what ``preferred`` says."""
    poses, preferred = [], {}

    def known(_, pose):
        poses.append(pose)
        return Evidence(pose, preferred.get(round(float(pose[2, 3])), pose), 1.0 + 0.01 * float(pose[2, 3]))

    monkeypatch.setattr(alternatives, "evidence", known)
    monkeypatch.setattr(alternatives, "promising", lambda pair, pose, others: others)
    monkeypatch.setattr(alternatives, "parallel_map", lambda function, items, device: [function(one) for one in items])
    return poses, preferred


def test_what_a_pose_is_compared_with(pair, asked):
    """Itself, flips and mirror images about the axes of the lattice and two that the jaw tilts, and others far off."""
    poses, _ = asked
    others = [moved(mm) for mm in (5, ANOTHER_MM - 1, 30, 40, 50, 60, 70)]
    compare(pair, np.eye(4), others)
    determinants = [round(float(np.linalg.det(pose[:3, :3]))) for pose in poses]
    assert determinants == [1] * 6 + [-1] * 5 + [1] * OTHERS
    assert [pose[2, 3] for pose in poses[-OTHERS:]] == pytest.approx([0.8 * mm for mm in (30, 40, 50, 60)])


def test_a_candidate_whose_blocks_lead_to_the_pose_is_no_other_pose(pair, asked):
    _, preferred = asked
    assert compare(pair, np.eye(4), [moved(50)]).margin == pytest.approx(-0.4)
    preferred[40] = moved(30)
    assert compare(pair, np.eye(4), [moved(50)]).margin > -0.1
    preferred[40] = moved(45)
    assert compare(pair, np.eye(4), [moved(50)]).margin == pytest.approx(-0.4)


@pytest.mark.slow
def test_a_mirror_image_that_fits_better_is_distinguished_from_a_better_pose(pair):
    mirrored = Pair(pair.fixed, replace(pair.moving, data=pair.moving.data.flip(2)))
    assert compare(mirrored, np.eye(4)).mirror_margin > 0.1
    assert compare(pair, np.eye(4)).mirror_margin < -0.1


@pytest.mark.slow
def test_a_flip_is_worse_than_the_right_pose_by_as_much_as_that_is_better(pair):
    flip = flipped_poses(np.eye(4), pair.points.mean(0), pair.fixed.grid.axes)[2]
    right, wrong = compare(pair, np.eye(4)), compare(pair, flip)
    assert right.margin > 0.1 > -0.1 > wrong.margin
    assert mean_displacement(wrong.other, np.eye(4), pair.points) < 2


@pytest.mark.slow
def test_blocks_that_lead_far_are_followed(head_images):
    """Blocks of a slab of 15 mm upside down agree on a motion beyond their reach, where each scores for itself."""
    ct, t1 = head_images
    middle = t1.GetSize()[2] // 2
    count = round(15 / t1.GetSpacing()[2])
    slab = volume_from_image(t1[:, :, middle - count // 2 : middle + (count + 1) // 2], "slab")[0]
    pair = Pair(slab, volume_from_image(ct, "CT")[0])
    assert compare(pair, np.eye(4)).margin > 0.1
    flip = flipped_poses(np.eye(4), pair.points.mean(0))[1]
    there = evidence(pair, flip)
    assert mean_displacement(flip, there.preferred, pair.points) > FOLLOWED_MM
    first, settled = (
        common_motion(block_matching_of(pair).about(pose, few=True), "rigid", STEPS).consensus
        * np.sqrt(pair.greater_overlap(pose))
        for pose in (flip, there.preferred)
    )
    consensus = there.value + float(MEDIUM.objective(pair).values(there.preferred[None])[0])
    assert consensus == pytest.approx(settled, abs=0.05) and abs(first - settled) > 0.01
