"""The bound of the error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from madreg.image.transform import Transform
from madreg.quality.bound import bound_of
from madreg.quality.quality import Quality, basis_of_verdict

IDENTITY = Transform.identity()
CERTAIN = Quality(IDENTITY, 1.0, 0.7, 0.5, IDENTITY, deformation_mm=0.5)


def test_a_bound_is_above_the_estimate_and_grows_with_what_it_is_made_of():
    assert CERTAIN.bound_mm == bound_of(1.0, 0.5) > 1.0
    assert replace(CERTAIN, motion_mm=2.0).bound_mm > CERTAIN.bound_mm
    assert replace(CERTAIN, deformation_mm=2.0).bound_mm > CERTAIN.bound_mm


@pytest.mark.parametrize("change", [{"margin": -0.1}, {"motion_mm": 12.0}, {"motion_mm": None, "deformation_mm": None}])
def test_what_failed_or_is_unknown_has_no_bound(change):
    assert replace(CERTAIN, **change).bound_mm is None
    assert basis_of_verdict(replace(CERTAIN, **change))["bound_mm"] is None
    assert basis_of_verdict(None)["bound_mm"] is None


def test_a_mirrored_pair_has_no_bound():
    """Left and right are in each other's place, and that may be seen or not."""
    assert replace(CERTAIN, is_mirrored=True).bound_mm is None


def test_the_bound_is_in_the_unit_of_the_images():
    """A mouse is assessed as if it were as large as a head."""
    assert CERTAIN.resized(0.25).bound_mm == pytest.approx(0.25 * CERTAIN.bound_mm)
