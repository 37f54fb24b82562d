"""The transforms of which the best are refined."""

from __future__ import annotations

import numpy as np

from madreg.image import pair as pair_module
from madreg.image.geometry import Grid
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.pipeline import candidates as candidates_module
from madreg.pipeline.candidates import candidates_of
from madreg.pipeline.initialization import Search
from madreg.progress import Monitor
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
    monkeypatch.setattr(candidates_module, "BlockAlignment", lambda kind: Found())
    near, candidates = candidates_of(pair, Transform.identity(), Found(), Settings(), Monitor())
    searched, aligned = seen
    assert searched is pair and aligned is near and len(candidates) == 1
    assert near.fixed.data.numel() < 0.4 * long.data.numel() and near.moving is pair.moving
