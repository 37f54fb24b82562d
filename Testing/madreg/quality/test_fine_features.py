"""The right pose is found among others by the finest features."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.image.geometry import about, apply, mean_displacement
from madreg.quality import fine_features
from madreg.quality.fine_features import (
    FineAgreement,
    agreement_at,
    fine_agreement,
    followed,
    is_recognized,
    recognized,
)
from translation import translation_matrix


@pytest.fixture(scope="module")
def poses(slab_pair, turn):
    """Near the true pose, and far from it: a quarter turn, and a shift."""
    pair, truth = slab_pair
    center = pair.fixed.grid.center
    near = truth @ about(center, turn((1, 1, -2), 4), np.array([2.0, -3.0, 2.0]))
    quarter = truth @ about(center, turn((1, 0, 0), 90), np.zeros(3))
    return near, [quarter, truth @ translation_matrix(0.0, 80.0)]


@pytest.mark.slow
def test_the_right_pose_is_recognized_among_others(slab_pair, poses):
    pair, truth = slab_pair
    near, far = poses
    found = recognized(pair, [far[0], near, far[1]])
    shown = apply(np.linalg.inv(truth), pair.swapped.points)
    assert mean_displacement(near, truth, shown) > 4
    assert mean_displacement(found.pose, truth, shown) < 2
    assert agreement_at(pair, truth) == pytest.approx(found.value, rel=0.2)
    assert agreement_at(pair, near) < 0.8 * found.value


@pytest.mark.slow
def test_a_wrong_pose_is_not(slab_pair, poses):
    pair, _ = slab_pair
    near, far = poses
    assert all(not is_recognized(pair, pose, [*far, near], 10.0) for pose in far)
    shifted = near @ translation_matrix(0.0, 0.0, 300.0)
    assert recognized(pair, [shifted]) is None


@pytest.mark.parametrize(("others", "is_clear"), [((0.01, 0.035), True), ((0.01, 0.045), False)])
def test_a_pose_is_recognized_where_features_agree_clearly_better_than_near_all_others(
    slab_pair, monkeypatch, others, is_clear
):
    pair, _ = slab_pair
    here, *far = (translation_matrix(mm) for mm in (0.0, 100.0, 200.0))
    values = {pose.tobytes(): value for pose, value in zip((here, *far), (0.06, *others), strict=True)}
    monkeypatch.setattr(
        fine_features,
        "fine_agreement",
        lambda _, pose, *how, **kind: FineAgreement(pose, values[pose.tobytes()], significance=100.0),
    )
    found = recognized(pair, [*far, here])
    assert (found is not None and (found.pose == here).all()) == is_clear
    assert is_recognized(pair, here, far, 10.0) == is_clear and not is_recognized(pair, far[0], [here, far[1]], 10.0)


@pytest.mark.slow
def test_a_pose_is_recognized_where_it_lies_near_what_features_prefer(slab_pair, poses):
    pair, _ = slab_pair
    near, far = poses
    assert is_recognized(pair, near, far, 10.0) and not is_recognized(pair, near, far, 2.0)


@pytest.mark.slow
def test_a_nearly_symmetric_body_is_not_recognized(slab_pair, poses, turn):
    """The flips of this head of a few smooth shapes agree nearly as well."""
    pair, truth = slab_pair
    flips = [truth @ about(pair.fixed.grid.center, turn(axis, 180), np.zeros(3)) for axis in np.eye(3)]
    assert not is_recognized(pair, poses[0], flips, 10.0)


@pytest.mark.slow
def test_two_poses_that_are_the_same_count_as_one(slab_pair, poses, turn):
    pair, _ = slab_pair
    near, far = poses
    again = near @ about(pair.fixed.grid.center, turn((0, 1, 0), 2), np.ones(3))
    assert recognized(pair, [near, again, *far]) is not None


def test_large_volumes_are_not_compared(slab_pair, poses, monkeypatch):
    pair, _ = slab_pair
    near, far = poses
    monkeypatch.setattr(fine_features, "MOST_LITERS", (0.1, 32.0))
    assert recognized(pair, [near, *far]) is None and not is_recognized(pair, near, far, 10.0)


def test_it_is_found_once_a_pair(slab_pair, poses):
    pair, _ = slab_pair
    assert fine_agreement(pair, poses[0]) is fine_agreement(pair, poses[0].copy())


@pytest.mark.slow
def test_a_stretched_body_is_recognized_by_an_affine_descent(slab_pair):
    pair, truth = slab_pair
    shown = apply(np.linalg.inv(truth), pair.swapped.points)
    wrong = truth @ about(shown.mean(0), np.diag([1.12, 0.95, 0.9]), np.array([3.0, 2.0, -3.0]))
    rigid, affine = (fine_agreement(pair, wrong, True, kind) for kind in ("rigid", "affine"))
    assert affine.value > 1.3 * rigid.value
    assert mean_displacement(affine.pose, truth, shown) < 3 < mean_displacement(rigid.pose, truth, shown)


@pytest.mark.slow
def test_a_stretched_pose_is_followed_to_where_features_agree(slab_pair):
    pair, truth = slab_pair
    shown = apply(np.linalg.inv(truth), pair.swapped.points)
    wrong = truth @ about(shown.mean(0), np.diag([1.12, 0.95, 0.9]), np.array([3.0, 2.0, -3.0]))
    found = followed(pair, wrong, "affine")
    assert mean_displacement(wrong, truth, shown) > 5 and mean_displacement(found, truth, shown) < 2.5


def test_the_right_pose_stays(slab_pair):
    pair, truth = slab_pair
    assert followed(pair, truth, "rigid") is None


@pytest.mark.parametrize(
    ("value", "others", "middle", "clear"),
    [(0.06, 0.03, 0.1, True), (0.06, 0.05, 0.1, False), (0.06, 0.03, 0.3, False), (0.01, 0.0, 0.0, False)],
)
def test_what_is_clear(value, others, middle, clear):
    """Clearly more than others; and, as the finest features are in place, not much less than the coarser ones."""
    assert FineAgreement(np.eye(4), value, 100.0, middle).is_clear(others, "affine") == clear


@pytest.mark.parametrize(
    ("significance", "kind", "clear"),
    [(7.2, "rigid", False), (7.5, "rigid", True), (7.5, "similarity", False), (10.3, "affine", False)],
)
def test_what_is_no_more_than_chance_is_not_clear_whatever_it_is_compared_with(significance, kind, clear):
    """The more is fitted, the more agrees by chance."""
    assert FineAgreement(np.eye(4), 0.1, significance).is_clear(0.0, kind) == clear
