"""The estimated error where the blocks are not to be relied on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.pipeline import error_estimate as module
from madreg.pipeline.error_estimate import estimated_error
from madreg.quality.quality import Quality
from madreg.settings import Settings
from translation import translation


@pytest.mark.parametrize(
    ("margin", "predicted", "expected"),
    [
        (-0.2, 17.0, (111.0, "other")),
        (-0.2, None, (111.0, "other")),
        (-0.2, 130.0, (130.0, "mad")),
        (0.02, 17.0, (17.0, "mad")),
    ],
)
def test_it_is_the_distance_to_a_pose_that_fits_clearly_better(monkeypatch, margin, predicted, expected):
    """A 180-degree flip lies farther from it than MAD predicts."""
    monkeypatch.setattr(module, "_predicted", lambda *_: predicted)
    quality = Quality(translation(0), 5.0, 0.7, margin, translation(0), other=translation(111))
    pair = SimpleNamespace(points=np.zeros((1, 3)))
    assert estimated_error(pair, translation(0), quality, Settings()) == (pytest.approx(expected[0]), expected[1])
