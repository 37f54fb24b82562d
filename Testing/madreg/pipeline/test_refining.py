"""With what a stretched pose is compared: a rigid one nearby, and one that is refined without an outline."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.image.volume import Volume
from madreg.pipeline import refining
from madreg.progress import Monitor
from translation import translation


@pytest.mark.parametrize(("led_to", "expected"), [(8.0, 8.0), (20.0, 3.0)])
def test_the_rigid_pose_with_which_a_stretched_one_is_compared_is_nearby(monkeypatch, led_to, expected):
    """Where the coarse stage leads to another pose, a part of a head 2 mm off was given up for one 19 mm off."""
    pair = SimpleNamespace(points=np.random.default_rng(0).normal(size=(50, 3)) * 50)
    monkeypatch.setattr(refining, "refine", lambda *_, **__: translation(led_to))
    monkeypatch.setattr(refining, "nearest_rigid", lambda *_: translation(3.0).matrix)
    stretched = Transform(np.diag([1.1, 1.1, 1.1, 1.0]))
    assert refining._without_stretch(pair, stretched, Monitor()).matrix[0, 3] == expected


@pytest.mark.parametrize(("is_worth_it", "better", "expected"), [(True, 5.0, 5.0), (True, 8.0, 8.0), (False, 5.0, 8.0)])
def test_what_is_refined_without_an_outline_is_kept_where_that_is_worth_it(monkeypatch, is_worth_it, better, expected):
    data = torch.rand((8, 8, 8), generator=torch.Generator().manual_seed(0))
    data[:4] = 0.0
    scan = Volume(
        "scan", data, Grid((8, 8, 8), np.diag([4.0, 4.0, 4.0, 1.0])), torch.ones(data.shape, dtype=torch.bool)
    )
    whole, refined = Pair(scan, scan), []

    def refine(pair: Pair, transforms: list[Transform], *_) -> Transform:
        refined.append((pair, transforms))
        return translation(5.0)

    def better_refined(pair: Pair, *transforms: Transform | str) -> Transform:
        assert not pair.fixed.mask[:4].any()  # without the outline too
        return next(one for one in transforms if one.matrix[0, 3] == better)

    monkeypatch.setattr(refining, "refine", refine)
    monkeypatch.setattr(refining, "is_worth_it_inside", lambda *_: is_worth_it)
    monkeypatch.setattr(refining, "better_refined", better_refined)
    rigid = translation(7.0)
    found = refining._or_without_outline(whole, translation(8.0), rigid, "affine", Monitor())
    assert found.matrix[0, 3] == expected
    ((shown, transforms),) = refined
    assert transforms == [rigid] and not shown.fixed.mask[:4].any() and shown.fixed.mask[4:].all()


@pytest.mark.parametrize(("away", "expected"), [(1.0, 0.0), (23.0, 0.0), (500.0, 500.0 - 8.0 * refining.MOST_ROUNDS)])
def test_a_descent_goes_on_until_it_arrives(away, expected):
    """One that moves by 8 mm at most, and where it leads is at 0; it is not repeated forever."""
    pair, runs = SimpleNamespace(points=np.random.default_rng(0).normal(size=(50, 3)) * 50), []

    class Stage:
        def run(self, pair, transforms, monitor):
            runs.append(transforms)
            return [translation(max(transforms[0].matrix[0, 3] - 8.0, 0.0))]

    assert refining._settled(pair, translation(away), Stage(), Monitor()).matrix[0, 3] == expected
    assert len(runs) == (1 if away == 1.0 else 4 if away == 23.0 else refining.MOST_ROUNDS)
