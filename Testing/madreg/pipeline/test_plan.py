"""Which steps a registration takes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image.transform import Transform
from madreg.pipeline import plan
from madreg.pipeline.found import Found
from madreg.pipeline.retries import Retries
from madreg.progress import Monitor
from madreg.quality.quality import Quality
from madreg.settings import Settings


@pytest.mark.parametrize(
    ("margin", "init", "expected"),
    [
        (0.02, "search", ["retries", "followed_by_features", "as_assessed"]),
        (0.3, "search", ["re_refined", "retries", "followed_by_features", "as_assessed"]),
        (0.02, "none", ["re_refined", "retries", "followed_by_features", "as_assessed"]),
    ],
)
def test_what_has_no_clear_margin_among_candidates_is_not_refined_again(monkeypatch, margin, init, expected):
    """Another pose than one of the candidates may then be the right one."""
    called, one = [], Transform(np.eye(4))

    def noted(name):
        def step(*given):
            called.append(name)
            return next(found for found in given if isinstance(found, Found))

        return step

    for name in ("re_refined", "followed_by_features"):
        monkeypatch.setattr(plan, name, noted(name))
    monkeypatch.setattr(Retries, "run", noted("retries"))
    monkeypatch.setattr(Found, "as_assessed", noted("as_assessed"))
    pair = SimpleNamespace()
    monkeypatch.setattr(plan, "candidates_of", lambda *_: (pair, [one]))
    monkeypatch.setattr(plan, "best_refined", lambda pair, candidates, *_: candidates[0])
    monkeypatch.setattr(Found, "at", lambda *_: Found(one, Quality(one, 30.0, 0.3, margin, one)))
    found = plan.run_plan(pair, one, Settings(init=init), Monitor())
    assert called == expected and found.verdict == "failed"
