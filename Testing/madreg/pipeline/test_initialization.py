"""A search that tries matches of features first searches by edges where these do not clearly meet."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from madreg.errors import InputError
from madreg.pipeline import initialization as module
from madreg.pipeline.initialization import Search, Start, initialization
from madreg.pose.correlation import Candidate
from madreg.progress import Monitor
from translation import translation, translation_matrix


@pytest.fixture
def run(monkeypatch):
    """Function (matched, ...): the candidates of a search by edges that finds 50 and of one by matches, the
    stages and the shares of progress."""

    def make(matched: list[float], with_features: bool = True, is_small: bool = True):
        def clearly_matched(pair, report):
            report(1.0)
            return [Candidate(translation_matrix(mm), 100.0 - mm) for mm in matched]

        class PoseSearch:
            def __init__(self, fixed, moving) -> None:
                pass

            def run(self, rotations, seeds, kept, count, report):
                report(1.0)
                return [Candidate(translation_matrix(50.0), 0.7)]

        monkeypatch.setattr(module, "clearly_matched", clearly_matched)
        monkeypatch.setattr(module, "is_comparable", lambda pair: is_small)
        monkeypatch.setattr(module, "PoseSearch", PoseSearch)
        shares: list[float] = []
        monitor = Monitor(lambda progress: shares.append(progress.fraction))
        pair = SimpleNamespace(fixed=None, moving=None)
        found = initialization("search", with_features).run(pair, [translation(0)], monitor)
        return [one.matrix[0, 3] for one in found], monitor.records, shares

    return make


def test_where_matches_clearly_meet_edges_are_not_searched(run):
    found, (stage,), shares = run([7.0, 90.0])
    assert found == [7, 90] and shares == sorted(shares)
    assert (stage.name, stage.measure, stage.before, stage.after) == ("search", "mad", -10, -93)


def test_elsewhere_edges_are(run):
    found, (stage,), shares = run([])
    assert found == [50] and stage.measure == "ngf"
    assert shares == sorted(shares) and len(shares) == 2 and shares[-1] == pytest.approx(1.0)


def test_large_volumes_are_not_matched(run):
    found, (stage,), shares = run([7.0], is_small=False)
    assert found == [50] and stage.measure == "ngf" and len(shares) == 1


def test_features_are_tried_where_that_is_asked_for(run):
    found, (stage,), _ = run([7.0], with_features=False)
    assert found == [50] and stage.measure == "ngf"
    assert not Search().with_features and isinstance(initialization("none", with_features=True), Start)


def test_a_tiny_part_of_the_fixed_scan_is_not_said_to_lie_elsewhere():
    names = {"fixed": SimpleNamespace(name="CT"), "moving": SimpleNamespace(name="MR")}
    pair = SimpleNamespace(overlap=lambda matrix: 0.005, **names)
    with pytest.raises(InputError, match=r"CT and MR .* or less than 1 % of the fixed one: .*exchange both"):
        Start("none").run(pair, [translation(0)], Monitor())
