"""How alike features are at a pose, in units of the standard error."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.quality.feature_agreement import agreement, features_seen_from
from translation import translation_matrix

SAMPLES = 2000


def test_agreement_is_significant_at_the_right_pose_alone(slab_pair):
    pair, truth = slab_pair
    here = agreement(pair, features_seen_from(pair, truth, SAMPLES).of_level(0), truth)
    wrong = truth @ translation_matrix(0.0, 60.0)
    there = agreement(pair, features_seen_from(pair, wrong, SAMPLES).of_level(0), wrong)
    assert here.significance > 20 and abs(there.significance) < 5
    assert here.value > 5 * abs(there.value)


def test_more_points_in_the_same_places_are_not_more_significant(slab_pair):
    pair, truth = slab_pair
    few, many = (
        agreement(pair, features_seen_from(pair, truth, samples).of_level(0), truth) for samples in (SAMPLES, 8000)
    )
    assert many.value == pytest.approx(few.value, rel=0.1)
    assert many.significance == pytest.approx(few.significance, rel=0.15)


class Alike:
    """A measure of points whose features are alike by given numbers.

    Args:
        alike: (n,)
        x: (n,) where the points lie.
        share: of all points.
    """

    def __init__(self, alike: np.ndarray, x: np.ndarray, share: float) -> None:
        self.found, self.share = torch.as_tensor(alike)[None], share
        self.points = torch.as_tensor(np.outer(x, [1.0, 0.0, 0.0]))
        self.fixed = type("Fixed", (), {"axes": np.eye(3)})

    def alike(self, matrices: torch.Tensor) -> torch.Tensor:
        return self.found


def test_the_standard_error_is_that_of_cells():
    pair = type("Whole", (), {"moving_is_part": False})
    values = np.array([0.3, 0.1, 0.3, 0.1])
    apart = agreement(pair, Alike(values, np.array([7.0, 22.0, 37.0, 52.0]), 0.5), np.eye(4))
    assert apart.value == pytest.approx(0.1)
    assert apart.significance == pytest.approx(0.2 / (0.1 / 2))  # mean by deviation / sqrt(4)
    together = agreement(pair, Alike(values, np.array([7.0, 22.0, 8.0, 23.0]), 0.5), np.eye(4))
    assert together.significance == pytest.approx(0.2 / (0.1 / np.sqrt(2)))
