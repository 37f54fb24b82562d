"""The verdict on objects of any size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from madreg.image.transform import Transform
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
