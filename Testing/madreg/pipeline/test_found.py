"""What was found, as an assessment of its pose describes it."""

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image.transform import Transform
from madreg.pipeline import found
from madreg.pipeline.found import Found
from madreg.quality.quality import Quality

POSE = Transform(np.eye(4))
PAIR = SimpleNamespace(near=lambda _poses: PAIR)


def of_margin(margin: float, motion_mm: float = 1.0) -> Quality:
    return Quality(POSE, motion_mm, 0.5, margin, POSE)


@pytest.mark.parametrize(
    ("here", "alone", "expected"),
    [
        (of_margin(0.02), of_margin(-0.3), -0.3),
        (of_margin(0.3, 15.0), of_margin(0.01), 0.01),
        (of_margin(0.02), of_margin(0.4), 0.02),  # an assessment does not know the candidate that fits as well
        (of_margin(0.3), of_margin(0.01), 0.3),
    ],
)
def test_what_fails_has_the_numbers_of_an_assessment(here, alone, expected, monkeypatch):
    asked = []

    def assess(pair, transform, kind, **given):
        asked.append((pair, transform, kind, given))
        return alone

    monkeypatch.setattr(found, "assess", assess)
    described = Found(POSE, here).as_assessed(PAIR, "affine")
    assert described.transform is POSE and described.quality.margin == expected
    assert asked == ([] if here.verdict != "failed" else [(PAIR, POSE, "affine", {"is_last": True})])
