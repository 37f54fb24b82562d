"""What is tried where a registration fails, and what it returns."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image.transform import Transform
from madreg.pipeline import found as found_module
from madreg.pipeline import retries as retries_module
from madreg.pipeline.found import Found
from madreg.pipeline.initialization import Search, Start
from madreg.pipeline.retries import Retries
from madreg.progress import Monitor
from madreg.quality.quality import Quality
from madreg.settings import Settings
from translation import translation

WIDER = ["from_other", "from_wider_search"]


@pytest.fixture
def retries(monkeypatch):
    """A pair that leaves a part empty, in which the evidence for a pose is given: what is assessed and refined."""
    done = SimpleNamespace(evidence={}, refined=[], assessed=[], pair=SimpleNamespace(points=np.zeros((1, 3))))
    done.pair.near = lambda poses: done.pair
    done.made = lambda others: Retries(done.pair, done.pair, translation(0), Search(), others, Settings())

    def most_plausible_first(pair, transforms):
        return sorted(transforms, key=lambda one: -done.evidence[one.matrix[0, 3]])

    def best_refined(pair, candidates, *_):
        done.refined.append(candidates)
        return most_plausible_first(pair, candidates)[0]

    def assess(pair, transform, kind, others, **how):
        done.assessed.append((transform, others, how))
        return Quality(transform, 1.0, 0.7, 0.3, transform)

    class Blocks:
        def run(self, pair, found, monitor):
            return found

    monkeypatch.setattr(retries_module, "leaves_empty", lambda pair: True)
    monkeypatch.setattr(retries_module, "without_outline", lambda pair: pair)
    monkeypatch.setattr(retries_module, "most_plausible_first", most_plausible_first)
    monkeypatch.setattr(retries_module, "best_refined", best_refined)
    monkeypatch.setattr(retries_module, "assess", assess)
    monkeypatch.setattr(found_module, "assess", assess)
    monkeypatch.setattr(retries_module, "BlockAlignment", lambda kind: Blocks())
    return done


def failed_at(transform: Transform) -> Found:
    return Found(transform, Quality(transform, 30.0, 0.3, 0.02, transform))


def without_outline(retries, failed: Found, candidates: list[Transform], monkeypatch) -> Found:
    """What a retry without outlines ends at that finds some candidates."""
    monkeypatch.setattr(retries_module, "candidates_of", lambda pair, *_: (pair, candidates))
    return retries.made([translation(90)]).from_what_is_shown(failed, Monitor())


def test_what_is_found_without_outlines_is_compared_without_them(retries, monkeypatch):
    """With what failed too, which may agree better with its outline."""
    retries.evidence = {100.0: 1.0, 0.0: 1.1, 50.0: 0.9}
    failed, candidates = failed_at(translation(100)), [translation(50), translation(0)]
    found = without_outline(retries, failed, candidates, monkeypatch)
    assert found[0] is candidates[1] and found[1].verdict == "aligned"
    _, others, how = retries.assessed[0]
    assert how == {"has_outline": False} and others[0] is failed[0] and others[1] is candidates[0]


def test_a_pose_that_failed_and_is_found_again_without_outlines_is_assessed_without_them(retries, monkeypatch):
    retries.evidence = {10.0: 1.1, 0.0: 1.0, 50.0: 0.9}
    failed = failed_at(translation(10))
    found = without_outline(retries, failed, [translation(50), translation(0)], monkeypatch)
    assert found[0] is failed[0] and found[1].verdict == "aligned" and not retries.refined


@pytest.mark.parametrize(("margin", "expected"), [(0.01, 100.0), (0.03, 0.0)])
def test_of_two_poses_that_fail_the_one_with_the_larger_margin_is_kept(retries, monkeypatch, margin, expected):
    retries.evidence = {100.0: 1.0, 0.0: 1.1}
    failed = failed_at(translation(100))
    also_failed = Quality(translation(0), 30.0, 0.3, margin, translation(0))
    monkeypatch.setattr(retries_module, "assess", lambda *_, **how: also_failed)
    found = without_outline(retries, failed, [translation(0)], monkeypatch)
    assert found.verdict == "failed" and found.transform.matrix[0, 3] == expected


def test_candidates_with_less_evidence_than_what_failed_are_not_refined(retries, monkeypatch):
    retries.evidence = {100.0: 1.1, 0.0: 1.0, 50.0: 0.9}
    failed, candidates = failed_at(translation(100)), [translation(50), translation(0)]
    assert without_outline(retries, failed, candidates, monkeypatch) is failed
    wider = retries.made([translation(90)]).from_wider_search
    monkeypatch.setattr(Search, "wider", lambda *_: candidates)
    assert wider(failed, Monitor()) is failed
    assert not retries.refined and not retries.assessed
    retries.evidence[0.0] = 1.2
    found = wider(failed, Monitor())
    assert found[0] is candidates[1] and len(retries.refined) == 1


@pytest.mark.parametrize(
    ("begin", "comparable", "expected"),
    [
        (Search(), True, ["from_features", "from_what_is_shown"]),
        (Search(), False, ["from_what_is_shown", *WIDER]),
        (Start("none"), True, ["from_what_is_shown"]),
    ],
)
def test_what_takes_least_time_is_tried_first(monkeypatch, begin, comparable, expected):
    """Of 28 tuning trials that failed by their margin 21 are mended without outlines, none by refining them again."""
    called = []

    def noted(name):
        def retry(self, failed, monitor):
            called.append(name)
            return failed

        return retry

    for name in ("from_features", "from_what_is_shown", *WIDER):
        monkeypatch.setattr(Retries, name, noted(name))
    monkeypatch.setattr(retries_module, "is_comparable", lambda pair: comparable)
    pair, failed = SimpleNamespace(), failed_at(translation(0))
    assert Retries(pair, pair, translation(0), begin, [], Settings()).run(failed, Monitor()) is failed
    assert called == expected


def test_what_does_not_fail_is_not_tried_again(retries, monkeypatch):
    """Nor is what the first retry mends."""
    mended = Found(translation(0), Quality(translation(0), 1.0, 0.7, 0.3, translation(0)))
    monkeypatch.setattr(retries_module, "is_comparable", lambda pair: pytest.fail("looked further"))
    monkeypatch.setattr(Retries, "from_features", lambda *_: pytest.fail("tried again"))
    monkeypatch.setattr(Retries, "from_what_is_shown", lambda *_: pytest.fail("tried again"))
    one = Retries(retries.pair, retries.pair, translation(0), Start("none"), [], Settings())
    assert one.run(mended, Monitor()) is mended
    monkeypatch.setattr(Retries, "from_features", lambda *_: mended)
    monkeypatch.setattr(retries_module, "is_comparable", lambda pair: True)
    assert retries.made([]).run(failed_at(translation(9)), Monitor()) is mended
