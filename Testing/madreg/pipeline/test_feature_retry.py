"""Where a registration fails, the pose that features recognize is refined while they agree, and assessed."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image.transform import Transform
from madreg.pipeline import feature_retry as module
from madreg.pipeline import found as found_module
from madreg.pipeline.feature_retry import found_by_features
from madreg.pipeline.found import Found
from madreg.pose.correlation import Candidate
from madreg.progress import Monitor
from madreg.quality.fine_features import FineAgreement
from madreg.quality.quality import Quality
from translation import translation

RECOGNIZED = FineAgreement(translation(5).matrix, 0.1, 20.0)
COMPARED = [[100, 40], [100, 40, 7, 60], [100, 40, 7, 60, 70]]


def quality_at(transform: Transform, error_mm: float, margin: float) -> Quality:
    return Quality(transform, error_mm, 0.7, margin, transform)


@pytest.fixture
def run(monkeypatch):
    """A retry to which matches of a few points offer a pose 40 off, edges two then, and more points another one in the
    end; what failed is 100 off, what is refined 3, and 8 was found before."""
    seen = SimpleNamespace(compared=[], others=[], shares=[], followed=[])

    def retry(
        recognized: FineAgreement | None,
        agreement: float = 0.0,
        after: int = 1,
        fails: bool = False,
        matched: Sequence[Candidate] = (),
        near: float = 0.0,
    ):
        def where_features_agree(pair, others, report):
            seen.searched = others
            report(1.0)
            return [translation(70).matrix]

        def where_some_match(pair, report):
            report(1.0)
            return [translation(40).matrix]

        def where_edges_agree(pair, report):
            report(1.0)
            return [translation(7).matrix, translation(60).matrix]

        def compared(pair, poses, report, kind):
            report(1.0)
            seen.kind = kind
            seen.compared.append([pose[0, 3] for pose in poses])
            return recognized if len(seen.compared) >= after else None

        def clearly_followed(pair, poses, report):
            report(1.0)
            seen.followed.append([pose[0, 3] for pose in poses])
            return matched

        def assess(pair, transform, kind, others):
            seen.others.append([one.matrix[0, 3] for one in others])
            return quality_at(transform, 30.0, 0.01) if fails else quality_at(transform, 1.0, 0.3)

        monkeypatch.setattr(module, "clearly_followed", clearly_followed)
        monkeypatch.setattr(module, "where_features_agree", where_features_agree)
        monkeypatch.setattr(module, "where_some_match", where_some_match)
        monkeypatch.setattr(module, "where_edges_agree", where_edges_agree)
        monkeypatch.setattr(module, "recognized", compared)
        monkeypatch.setattr(
            module, "fine_agreement", lambda pair, pose, kind: FineAgreement(translation(9).matrix, near, 20.0)
        )
        monkeypatch.setattr(module, "agreement_at", lambda pair, pose: agreement)
        monkeypatch.setattr(module, "best_refined", lambda *_: translation(3))
        monkeypatch.setattr(found_module, "assess", assess)
        pair = SimpleNamespace(points=np.zeros((1, 3)))
        pair.near = lambda poses: pair
        failed = Found(translation(100), quality_at(translation(100), 30.0, 0.02))
        monitor = Monitor(lambda progress: seen.shares.append(progress.fraction))
        return found_by_features(pair, failed, [translation(8)], "similarity", monitor)

    retry.seen = seen
    return retry


def test_where_matches_clearly_lead_is_refined_without_comparing_features_further(run):
    found = run(None, matched=[Candidate(translation(6).matrix, 50.0), Candidate(translation(61).matrix, 9.0)])
    assert found.transform.matrix[0, 3] == 3 and found.verdict == "aligned"
    assert run.seen.followed == [[7, 60]] and run.seen.compared == COMPARED[:1]
    assert run.seen.others == [[61, 7, 60, 8]]


@pytest.mark.parametrize(("near", "agreement", "expected"), [(0.1, 0.095, 3), (0.1, 0.085, 9), (0.015, -0.01, 3)])
def test_where_matches_lead_is_refined_as_long_as_features_agree(run, near, agreement, expected):
    """Where the finest features agree nearby; it is refined anyway where they show nothing."""
    found = run(None, agreement, matched=[Candidate(translation(6).matrix, 50.0)], near=near)
    assert found.transform.matrix[0, 3] == expected and found.verdict == "aligned"


def test_where_they_lead_to_what_fails_features_are_compared(run):
    found = run(None, fails=True, matched=[Candidate(translation(6).matrix, 50.0)])
    assert run.seen.followed == [[7, 60], [70]] and run.seen.compared == COMPARED
    assert found.verdict == "failed" and found.transform.matrix[0, 3] == 100


@pytest.mark.parametrize(("agreement", "expected"), [(0.095, 3.0), (0.085, 5.0)])
def test_what_features_find_is_refined_as_long_as_they_agree(run, agreement, expected):
    found = run(RECOGNIZED, agreement)
    assert found.transform.matrix[0, 3] == expected and found.verdict == "aligned"


@pytest.mark.parametrize("after", [1, 2, 3])
def test_what_features_find_is_compared_with_all_that_was_found(run, after):
    run(RECOGNIZED, after=after)
    compared = COMPARED[after - 1]
    assert run.seen.compared == COMPARED[:after]
    assert run.seen.others == [[*compared, 8]] and run.seen.kind == "similarity"
    if after == 3:
        assert [one[0, 3] for one in run.seen.searched] == [8]


def test_features_that_recognize_nothing_leave_what_failed(run):
    found = run(None)
    assert found.transform.matrix[0, 3] == 100 and found.verdict == "failed" and not run.seen.others
    assert run.seen.compared == COMPARED


def test_where_what_is_found_first_fails_too_the_next_is_asked(run):
    found = run(RECOGNIZED, fails=True)
    assert run.seen.compared == COMPARED and found.verdict == "failed" and found.transform.matrix[0, 3] == 100


@pytest.mark.parametrize("recognized", [None, RECOGNIZED])
def test_progress_goes_on(run, recognized):
    run(recognized, fails=True)
    assert run.seen.shares == sorted(run.seen.shares) and run.seen.shares[-1] <= 1
