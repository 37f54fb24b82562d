"""What the steps of a registration pass on to each other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image import pair as pair_module
from madreg.image.geometry import Grid
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline import plan
from madreg.pipeline.initialization import Search
from madreg.progress import Monitor
from madreg.quality.fine_features import FineAgreement
from madreg.quality.quality import Quality
from madreg.settings import Settings


def test_after_the_search_a_long_volume_is_cropped(monkeypatch, grid_of, make_volume, head):
    """Blocks, refinement and assessment see what the candidates can reach of 1.2 m, and no more."""
    placed, pose = np.eye(4), np.eye(4)
    placed[:3, 3] = [80.0, 90.0, 1090.0]
    moving_grid = grid_of("straight")
    at = np.eye(4)
    at[:3, 3] = moving_grid.center
    pose[:3, 3] = moving_grid.center - placed[:3, 3]
    long = make_volume(head.ct, Grid((40, 44, 300), np.diag([4.0, 4.0, 4.0, 1.0])), placed)
    pair = Pair(long, make_volume(head.mr, moving_grid, at))
    seen = []

    class Found(Search):
        def run(self, pair, transforms, monitor):
            seen.append(pair)
            return [Transform(pose)]

    monkeypatch.setattr(pair_module, "LARGE", 100_000)
    monkeypatch.setattr(plan, "BlockAlignment", lambda kind: Found())
    near, candidates = plan._candidates(pair, Transform.identity(), Found(), Settings(), Monitor())
    searched, aligned = seen
    assert searched is pair and aligned is near and len(candidates) == 1
    assert near.fixed.data.numel() < 0.4 * long.data.numel() and near.moving is pair.moving


WIDER = ["_from_other", "_from_wider_search"]


def shifted(mm: float) -> Transform:
    matrix = np.eye(4)
    matrix[0, 3] = mm
    return Transform(matrix)


@pytest.fixture
def retries(monkeypatch):
    """A pair that leaves a part empty, in which the evidence for a pose is given: what is assessed and refined."""
    done = SimpleNamespace(evidence={}, refined=[], assessed=[], pair=SimpleNamespace(points=np.zeros((1, 3))))
    done.pair.near = lambda poses: done.pair

    def most_plausible_first(pair, transforms):
        return sorted(transforms, key=lambda one: -done.evidence[one.matrix[0, 3]])

    def best(pair, candidates, *_):
        done.refined.append(candidates)
        return most_plausible_first(pair, candidates)[0]

    def assess(pair, transform, kind, others, **how):
        done.assessed.append((transform, others, how))
        return Quality(transform, 1.0, 0.7, 0.3, transform)

    class Blocks:
        def run(self, pair, found, monitor):
            return found

    monkeypatch.setattr(plan, "leaves_empty", lambda pair: True)
    monkeypatch.setattr(plan, "without_outline", lambda pair: pair)
    monkeypatch.setattr(plan, "most_plausible_first", most_plausible_first)
    monkeypatch.setattr(plan, "_best", best)
    monkeypatch.setattr(plan, "assess", assess)
    monkeypatch.setattr(plan, "BlockAlignment", lambda kind: Blocks())
    return done


def failed_at(transform: Transform) -> plan.Found:
    return transform, Quality(transform, 30.0, 0.3, 0.02, transform)


def without_outline(retries, failed: plan.Found, candidates: list[Transform], monkeypatch) -> plan.Found:
    """What a retry without outlines ends at that finds some candidates."""
    monkeypatch.setattr(plan, "_candidates", lambda pair, *_: (pair, candidates))
    return plan._from_what_is_shown(retries.pair, shifted(0), failed, [shifted(90)], Settings(), Monitor())


def found_by_features(retries, monkeypatch, found: FineAgreement | None, agreement: float = 0.0) -> plan.Found:
    """What a retry with features ends at, of which the search with features finds two candidates; what failed is 100
    off, what is refined 3."""
    candidates = [shifted(7).matrix, shifted(60).matrix]

    def search(pair, others, count, report):
        retries.searched = others
        return candidates[:count]

    def recognized(pair, poses, report):
        retries.compared = poses
        return found

    monkeypatch.setattr(plan, "feature_search", search)
    monkeypatch.setattr(plan, "recognized", recognized)
    monkeypatch.setattr(plan, "agreement_at", lambda pair, pose: agreement)
    monkeypatch.setattr(plan, "refine", lambda *_: shifted(3))
    return plan._from_features(retries.pair, failed_at(shifted(100)), "rigid", [shifted(8)], Monitor())


@pytest.mark.parametrize(("agreement", "expected"), [(0.09, 3.0), (0.05, 5.0)])
def test_what_features_find_is_refined_as_long_as_they_agree(retries, monkeypatch, agreement, expected):
    one, quality = found_by_features(retries, monkeypatch, FineAgreement(shifted(5).matrix, 0.1), agreement)
    assert one.matrix[0, 3] == expected and quality.verdict == "aligned"


def test_what_features_find_is_compared_with_all_that_was_found(retries, monkeypatch):
    found_by_features(retries, monkeypatch, FineAgreement(shifted(5).matrix, 0.1))
    _, others, _ = retries.assessed[0]
    assert [one[0, 3] for one in retries.searched] == [8]
    assert [one[0, 3] for one in retries.compared] == [100, 7, 60]
    assert [one.matrix[0, 3] for one in others] == [100, 7, 60, 8]


def test_features_that_recognize_nothing_leave_what_failed(retries, monkeypatch):
    one, quality = found_by_features(retries, monkeypatch, None)
    assert one.matrix[0, 3] == 100 and quality.verdict == "failed" and not retries.assessed


@pytest.mark.parametrize(
    ("error", "estimates", "expected"),
    [(6.0, 4.0, 5.0), (6.0, 7.0, 100.0), (2.0, 1.0, 100.0), (None, 1.0, 100.0)],
)
def test_a_pose_that_may_be_off_is_where_features_lead_if_that_is_estimated_better(
    retries, monkeypatch, error, estimates, expected
):
    monkeypatch.setattr(plan, "followed", lambda pair, pose, kind: shifted(5).matrix)
    monkeypatch.setattr(plan, "assess", lambda pair, one, *_: Quality(one, estimates, 0.7, 0.3, one))
    found = shifted(100), Quality(shifted(100), error, 0.7, 0.3, shifted(100))
    assert plan._followed(retries.pair, found, "affine", [], Monitor())[0].matrix[0, 3] == expected


def test_what_is_nowhere_clear_is_not_followed(retries, monkeypatch):
    monkeypatch.setattr(plan, "followed", lambda *_: pytest.fail("followed"))
    failed = failed_at(shifted(100))
    assert plan._followed(retries.pair, failed, "rigid", [], Monitor()) is failed


def test_what_is_found_without_outlines_is_compared_without_them(retries, monkeypatch):
    """With what failed too, which may agree better with its outline."""
    retries.evidence = {100.0: 1.0, 0.0: 1.1, 50.0: 0.9}
    failed, candidates = failed_at(shifted(100)), [shifted(50), shifted(0)]
    found = without_outline(retries, failed, candidates, monkeypatch)
    assert found[0] is candidates[1] and found[1].verdict == "aligned"
    _, others, how = retries.assessed[0]
    assert how == {"has_outline": False} and others[0] is failed[0] and others[1] is candidates[0]


def test_a_pose_that_failed_and_is_found_again_without_outlines_is_assessed_without_them(retries, monkeypatch):
    retries.evidence = {10.0: 1.1, 0.0: 1.0, 50.0: 0.9}
    failed = failed_at(shifted(10))
    found = without_outline(retries, failed, [shifted(50), shifted(0)], monkeypatch)
    assert found[0] is failed[0] and found[1].verdict == "aligned" and not retries.refined


def test_candidates_with_less_evidence_than_what_failed_are_not_refined(retries, monkeypatch):
    retries.evidence = {100.0: 1.1, 0.0: 1.0, 50.0: 0.9}
    failed, candidates = failed_at(shifted(100)), [shifted(50), shifted(0)]
    assert without_outline(retries, failed, candidates, monkeypatch) is failed
    search = SimpleNamespace(wider=lambda *_: candidates)
    assert plan._from_wider_search(retries.pair, search, failed, [shifted(90)], "rigid", Monitor()) is failed
    assert not retries.refined and not retries.assessed
    retries.evidence[0.0] = 1.2
    found = plan._from_wider_search(retries.pair, search, failed, [shifted(90)], "rigid", Monitor())
    assert found[0] is candidates[1] and len(retries.refined) == 1


@pytest.mark.parametrize(
    ("margin", "init", "comparable", "expected"),
    [
        (0.02, "search", True, ["_from_what_is_shown", "_from_features", *WIDER]),
        (0.02, "search", False, ["_from_what_is_shown", *WIDER]),
        (0.3, "search", True, ["_re_refined", "_from_what_is_shown", "_from_features", *WIDER]),
        (0.02, "none", True, ["_re_refined", "_from_what_is_shown"]),
    ],
)
def test_what_fails_is_first_looked_for_without_outlines(monkeypatch, margin, init, comparable, expected):
    """Of 28 tuning trials that failed by their margin 21 are mended without outlines, none by refining them again."""
    called = []

    def noted(name):
        def retry(*given):
            called.append(name)
            return next(one for one in given if isinstance(one, tuple))

        return retry

    for name in ("_re_refined", "_from_what_is_shown", "_from_features", *WIDER):
        monkeypatch.setattr(plan, name, noted(name))
    pair = SimpleNamespace()
    monkeypatch.setattr(plan, "is_comparable", lambda pair: comparable)
    monkeypatch.setattr(plan, "followed", lambda *_: None)
    monkeypatch.setattr(plan, "_candidates", lambda *_: (pair, [shifted(0)]))
    monkeypatch.setattr(plan, "_best", lambda pair, candidates, *_: candidates[0])
    monkeypatch.setattr(plan, "assess", lambda pair, one, *_: Quality(one, 30.0, 0.3, margin, one))
    found = plan._default(pair, shifted(0), Settings(init=init), Monitor())
    assert called == expected and found[1].verdict == "failed"
