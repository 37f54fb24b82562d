"""Matches of features are taken at once where they clearly meet at one pose, and with other poses where a registration
fails."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np
import pytest

from madreg.pipeline import feature_search as module
from madreg.pipeline.feature_search import (
    clearly_followed,
    clearly_matched,
    where_edges_agree,
    where_features_agree,
    where_some_match,
)
from madreg.pose.correlation import Candidate
from translation import translation_matrix


@pytest.fixture
def searched(monkeypatch):
    """Function (scores, followed): a pair, of which the search by matches finds poses 100 mm apart with these scores,
    and others where they are followed; the numbers of points that were asked for are its ``asked``."""

    def make(scores: list[float], *followed: list[float]) -> SimpleNamespace:
        known: dict = {}
        rounds = iter(followed)

        def once(key, make):
            if key not in known:
                known[key] = make()
            return known[key]

        def candidates(scores: Iterable[float], moved: float = 0.0) -> list[Candidate]:
            return [Candidate(translation_matrix(100.0 * n, moved), score) for n, score in enumerate(scores)]

        class Search:
            def __init__(self, points: int) -> None:
                self.points = points

            def run(self, rotations, count, report):
                pair.asked.append(self.points)
                report(0.5)
                report(1.0)
                return candidates(scores)[:count]

            def follow(self, poses, report=None):
                pair.followed.append([pose[0, 3] for pose in poses])
                return candidates(next(rounds), moved=5.0)[: len(poses)]

        scan = SimpleNamespace(device="cpu", grid=SimpleNamespace(axes=np.eye(3)))
        pair = SimpleNamespace(fixed=scan, moving=scan, points=np.zeros((1, 3)), once=once, asked=[], followed=[])
        monkeypatch.setattr(module, "match_search", lambda pair, points=module.QUICK_POINTS: Search(points))
        return pair

    return make


@pytest.mark.parametrize(
    ("scores", "is_clear"),
    [([60, 30, 10], True), ([60, 40, 10], False), ([15, 5], False), ([25], True), ([], False)],
)
def test_what_is_clear_is_far_above_chance_and_the_next(searched, scores, is_clear):
    pair = searched(scores, scores, scores[:1])
    found = clearly_matched(pair, lambda share: None)
    assert [one.score for one in found] == (scores if is_clear else [])
    assert bool(pair.followed) != is_clear or not scores


def test_what_is_not_clear_is_followed(searched):
    """All once; where that is not clear either, the best one again."""
    pair = searched([12, 11, 10], [9, 40, 8])
    assert [(one.score, one.matrix[0, 3]) for one in clearly_matched(pair, print)] == [(40, 100), (12, 0), (10, 200)]
    assert pair.followed == [[0, 100, 200]]

    pair = searched([12, 11, 10], [15, 9, 8], [30])
    assert [one.score for one in clearly_matched(pair, print)] == [30, 11, 10]
    assert pair.followed == [[0, 100, 200], [0]]

    pair = searched([12, 11, 10], [15, 9, 8], [14])
    assert clearly_matched(pair, print) == []


def test_what_is_followed_is_compared_with_all_that_was_found(searched):
    """Where the others lead to one pose, they are no less likely."""
    pair = searched([12, 11, 10], [18], [18])
    assert clearly_matched(pair, print) == []
    pair = searched([12, 11, 10], [21])
    assert [one.score for one in clearly_matched(pair, print)] == [21, 11, 10]


def test_poses_of_another_search_are_followed(searched):
    pair, shares = searched([], [50, 10]), []
    found = clearly_followed(pair, [translation_matrix(3.0), translation_matrix(90.0)], shares.append)
    assert [one.score for one in found] == [50, 10] and pair.followed == [[3, 90]]


def test_what_few_points_found_is_known(searched):
    """Whether it was clear or not."""
    pair = searched([17, 15], [15, 14], [15])
    assert clearly_matched(pair, print) == []
    assert [tuple(pose[:2, 3]) for pose in where_some_match(pair, print)] == [(0, 0), (100, 0)]
    assert pair.asked == [module.QUICK_POINTS] and len(pair.followed) == 2


def test_where_a_registration_fails_more_points_are_matched_once(searched, monkeypatch):
    pair, shares = searched([30, 28, 26], [1, 1, 1], [1]), []
    monkeypatch.setattr(module, "most_alike", lambda pair, poses, count, report: [*poses[:count], report(1.0)][:-1])
    clearly_matched(pair, print)
    others = [translation_matrix(0.0, 50.0 * n) for n in range(4)]
    for _ in range(2):
        found = where_features_agree(pair, others, shares.append)
        assert [tuple(pose[:2, 3]) for pose in found] == [(0, 0), (100, 0), (200, 0), (0, 0), (0, 50)]
    assert pair.asked == [module.QUICK_POINTS, module.POINTS]
    assert shares[:3] == sorted(shares[:3]) and shares[-1] == pytest.approx(1.0)


def test_one_pose_is_one_candidate(searched, monkeypatch):
    pair = searched([50, 48, 20])
    near = [Candidate(translation_matrix(mm), score) for mm, score in ((0.0, 50.0), (5.0, 48.0), (300.0, 20.0))]
    monkeypatch.setattr(module, "match_search", lambda *_: SimpleNamespace(run=lambda *_: near))
    assert [one.score for one in clearly_matched(pair, print)] == [50, 20]


def test_the_first_of_the_poses_near_the_axes_are_compared(monkeypatch):
    poses = [np.full((4, 4), float(number)) for number in range(20)]
    monkeypatch.setattr(module, "poses_near_axes", lambda *_: poses)
    assert where_edges_agree(None, print) == poses[: module.COUNT]
