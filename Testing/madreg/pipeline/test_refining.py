"""With what a stretched pose is compared."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.image.transform import Transform
from madreg.pipeline import refining
from madreg.progress import Monitor
from translation import translation


@pytest.mark.parametrize(("led_to", "expected"), [(8.0, 8.0), (20.0, 3.0)])
def test_the_rigid_pose_with_which_a_stretched_one_is_compared_is_nearby(monkeypatch, led_to, expected):
    """Where the coarse stage leads to another pose, a part of a head 2 mm off was given up for one 19 mm off."""
    pair = SimpleNamespace(points=np.random.default_rng(0).normal(size=(50, 3)) * 50)
    compared = []
    fine = SimpleNamespace(run=lambda pair, transforms, monitor: transforms)
    monkeypatch.setattr(refining, "is_supported", lambda *_: False)
    monkeypatch.setattr(refining, "refine", lambda *_, **__: translation(led_to))
    monkeypatch.setattr(refining, "nearest_rigid", lambda *_: translation(3.0).matrix)
    monkeypatch.setattr(refining, "_last", lambda *_: None)
    monkeypatch.setattr(refining, "_fine", lambda *_: fine)
    monkeypatch.setattr(refining, "best_first", lambda pair, transforms, fine: transforms)
    monkeypatch.setattr(refining, "leaves_empty", lambda pair: False)

    def is_worth_it(pair, pose, rigid):
        compared.append(rigid[0, 3])
        return False

    monkeypatch.setattr(refining, "is_worth_it", is_worth_it)
    stretched = Transform(np.diag([1.1, 1.1, 1.1, 1.0]))
    found = refining.with_supported_shape(pair, stretched, "similarity", Monitor())
    assert set(compared) == {expected} and found.matrix[0, 3] == expected


@pytest.mark.parametrize(("is_worth_it", "expected"), [(True, 5.0), (False, 8.0)])
def test_what_is_refined_without_an_outline_is_kept_where_that_is_worth_it(monkeypatch, is_worth_it, expected):
    whole, shown = (SimpleNamespace(points=np.zeros((2, 3)), name=name) for name in ("whole", "shown"))
    fine = SimpleNamespace(run=lambda pair, transforms, monitor: transforms)
    monkeypatch.setattr(refining, "is_supported", lambda *_: False)
    monkeypatch.setattr(refining, "is_worth_it", lambda *_: False)
    monkeypatch.setattr(refining, "is_worth_it_inside", lambda *_: is_worth_it)
    monkeypatch.setattr(refining, "refine", lambda pair, *_, **__: translation(8.0 if pair is whole else 5.0))
    monkeypatch.setattr(refining, "_last", lambda *_: None)
    monkeypatch.setattr(refining, "_fine", lambda *_: fine)
    monkeypatch.setattr(refining, "best_first", lambda pair, transforms, fine: transforms)
    monkeypatch.setattr(refining, "leaves_empty", lambda pair: True)
    monkeypatch.setattr(refining, "without_outline", lambda pair: shown)
    monkeypatch.setattr(refining, "better_refined", lambda pair, first, second, kind: second)
    stretched = Transform(np.diag([1.1, 1.1, 1.1, 1.0]))
    assert refining.with_supported_shape(whole, stretched, "affine", Monitor()).matrix[0, 3] == expected
