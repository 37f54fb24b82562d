"""Matches are mutual, and meet where more of them do than by chance."""

from __future__ import annotations

import numpy as np
import torch

from madreg.pose import matching


def test_matches_are_mutual():
    """Of two that prefer the same one, the one that it prefers matches it."""
    first = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.3], [0.0, 1.0]]), dim=1)
    second = torch.nn.functional.normalize(torch.tensor([[0.1, 1.0], [1.0, 0.2]]), dim=1)
    here, there = matching._mutual(first, second)
    assert list(zip(here.tolist(), there.tolist(), strict=True)) == [(1, 1), (2, 0)]


def test_votes_are_compared_with_chance():
    """As many votes meet at two places; where more do by chance, they say less."""
    random = np.random.default_rng(0)
    scattered = random.uniform(-100, 100, (500, 3))
    votes = np.concatenate([scattered, random.normal([50, 0, 0], 3, (30, 3)), random.normal([-50, 0, 0], 3, (30, 3))])
    by_chance = np.concatenate([random.uniform(-100, 100, (5000, 3)), random.normal([-50, 0, 0], 20, (5000, 3))])
    (first, score), (_, next_score) = matching._peaks(votes, by_chance)[:2]
    np.testing.assert_allclose(first, [50, 0, 0], atol=matching.BIN_MM)
    assert score > 1.3 * next_score > 0
