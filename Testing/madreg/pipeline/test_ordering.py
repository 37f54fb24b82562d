"""The order of transforms by the evidence for them."""

from __future__ import annotations

import numpy as np
import pytest

from madreg.descent.refinement import hardly_overlap
from madreg.image.geometry import about
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline import ordering
from madreg.pipeline.ordering import most_plausible_first
from madreg.quality.alternatives import Evidence
from translation import translation


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head):
    """Two heads of opposite contrast in one place."""
    grid = grid_of("straight")
    return Pair(make_volume(head.ct, grid), make_volume(head.mr, grid))


def moved(mm: float) -> Transform:
    """A translation along x and z."""
    return translation(0.6 * mm, 0.0, 0.8 * mm)


def test_the_right_pose_comes_before_wrong_ones(pair, turn):
    right, flip = Transform.identity(), Transform(about(np.zeros(3), np.diag([1.0, -1.0, -1.0])))
    wrong = Transform(about(np.zeros(3), turn((1, -1, 2), 70)))
    apart = moved(170.0)
    assert hardly_overlap(pair, apart)
    found = most_plausible_first(pair, [apart, flip, wrong, right])
    assert found[0] is right and found[-1] is apart


def test_little_overlap_and_no_evidence_come_last_however_much_the_scans_agree(pair, monkeypatch):
    values = {0.0: 1.0, 20.0: 1.5, 40.0: None, 170.0: 9.0, 1000.0: None}
    transforms = {mm: moved(mm) for mm in values}
    known = {tuple(transform.matrix.ravel()): values[mm] for mm, transform in transforms.items()}

    def evidence(_, pose):
        value = known[tuple(pose.ravel())]
        return None if value is None else Evidence(pose, pose, value)

    monkeypatch.setattr(ordering, "evidence", evidence)
    found = most_plausible_first(pair, [transforms[mm] for mm in (1000.0, 170.0, 40.0, 0.0, 20.0)])
    assert [one is transforms[mm] for one, mm in zip(found, (20.0, 0.0, 40.0, 170.0, 1000.0), strict=True)] == [
        True
    ] * 5


def test_a_single_transform_needs_no_evidence(pair, monkeypatch):
    monkeypatch.setattr(ordering, "evidence", None)
    one = moved(30.0)
    assert most_plausible_first(pair, [one]) == [one]
