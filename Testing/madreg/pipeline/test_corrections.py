"""What may be off is moved where that is estimated better."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from madreg.pipeline import corrections
from madreg.pipeline.corrections import followed_by_features
from madreg.pipeline.found import Found
from madreg.progress import Monitor
from madreg.quality.quality import Quality
from translation import translation

PAIR = SimpleNamespace()


@pytest.mark.parametrize(
    ("error", "estimate", "expected"),
    [(6.0, 4.0, 5.0), (6.0, 7.0, 100.0), (2.0, 1.0, 100.0), (None, 1.0, 100.0)],
)
def test_a_pose_that_may_be_off_is_where_features_lead_if_that_is_estimated_better(
    monkeypatch, error, estimate, expected
):
    there = Found(translation(5), Quality(translation(5), estimate, 0.7, 0.3, translation(5)))
    monkeypatch.setattr(corrections, "followed", lambda pair, pose, kind: there.transform.matrix)
    monkeypatch.setattr(Found, "at", lambda *_: there)
    found = Found(translation(100), Quality(translation(100), error, 0.7, 0.3, translation(100)))
    assert followed_by_features(PAIR, found, "affine", [], Monitor()).transform.matrix[0, 3] == expected


def test_what_is_nowhere_clear_is_not_followed(monkeypatch):
    monkeypatch.setattr(corrections, "followed", lambda *_: pytest.fail("followed"))
    failed = Found(translation(100), Quality(translation(100), 30.0, 0.3, 0.02, translation(100)))
    assert followed_by_features(PAIR, failed, "rigid", [], Monitor()) is failed
