"""The verdict: of objects of any size, and of one pose however it was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from madreg.image.geometry import about
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.quality.alternatives import Comparison
from madreg.quality.assessment import assess
from madreg.quality.quality import Quality

IDENTITY = Transform.identity()
CERTAIN = Quality(IDENTITY, 1.0, 0.7, 0.5, IDENTITY, deformation_mm=0.5)


@pytest.mark.parametrize(("motion_mm", "verdict"), [(1.0, "aligned"), (5.0, "check"), (12.0, "failed")])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 32.0])
def test_the_verdict_does_not_depend_on_the_size_of_the_object(motion_mm, verdict, scale):
    """5 mm of a head are 0.04 mm of an insect: as far off."""
    assert replace(CERTAIN, motion_mm=motion_mm).resized(scale).verdict == verdict


def test_what_is_said_of_a_small_object_is_what_is_said_of_a_large_one():
    deformed = replace(CERTAIN, deformation_mm=3.0)
    assert "differ by about 7 mm" in deformed.remarks[0]
    assert "differ by about 0.07 mm" in deformed.resized(0.01).remarks[0]
    assert CERTAIN.resized(32.0).remarks == CERTAIN.remarks == []


@pytest.mark.slow
@pytest.mark.parametrize("stretch", [1.0, 1.05])
def test_the_verdict_depends_on_the_pose_and_not_on_the_type_that_was_looked_for(straight, stretch):
    """A registration says of a pose what an assessment says, for which there is no type."""
    pair = Pair(*straight[:2])
    pose = about(np.zeros(3), np.diag([stretch, 1.0, 1.0]))
    doubt = Comparison(0.0, about(np.zeros(3), np.diag([-1.0, -1.0, 1.0])), -np.inf)
    found = [assess(pair, Transform(pose), kind, comparison=doubt) for kind in ("rigid", "affine")]
    assert found[0].joint_margin == pytest.approx(found[1].joint_margin, abs=1e-6)
    assert found[0].verdict == found[1].verdict
