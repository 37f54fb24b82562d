"""Predicted distances against the true ones, on pairs from which nothing was learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..network.models import DistanceNetwork
from .losses import labels_of, middle_distances

AT_ONCE = 4  # pairs, for the memory they take
CLAIMED, BIN = 60.0, 5.0  # mm; distances for which figures are given, and width of their bins


def bins(truth: np.ndarray, predicted: np.ndarray) -> list[dict]:
    """Mean absolute error, bias and count per bin of true distance, of true and predicted distances (N,), all in mm."""
    rows = []
    for low in np.arange(0, CLAIMED, BIN):
        here = (truth >= low) & (truth < low + BIN)
        if here.any():
            error = predicted[here] - truth[here]
            rows.append(
                {
                    "from": float(low),
                    "to": float(low + BIN),
                    "mae": round(float(np.abs(error).mean()), 2),
                    "bias": round(float(error.mean()), 2),
                    "count": int(here.sum()),
                }
            )
    return rows


def figures(truth: np.ndarray, predicted: np.ndarray) -> dict:
    """Validation figures of true and predicted distances (N,) in mm."""
    from scipy import stats

    inside = truth < CLAIMED
    truth, predicted = truth[inside], predicted[inside]
    return {
        "mae": round(float(np.abs(truth - predicted).mean()), 2),
        "mae_of_the_median": round(float(np.abs(truth - np.median(truth)).mean()), 2),
        "pearson": round(float(np.corrcoef(truth, predicted)[0, 1]), 3),
        "spearman": round(float(stats.spearmanr(truth, predicted)[0]), 3),
        "count": len(truth),
        "bins": bins(truth, predicted),
    }


@torch.no_grad()
def validate(
    network: DistanceNetwork,
    pairs: Sequence[dict[str, torch.Tensor]],
    points: torch.Tensor,
    sampling: str = "dense",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and predicted distance (N,) in mm at every counting point of the pairs, and the pair (N,) of each."""
    network.eval()
    device = next(network.parameters()).device
    truths, predictions, which = [], [], []
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        joined = {key: torch.stack([p[key] for p in some]).to(device) for key in some[0]}
        maps = network(torch.cat([joined["fixed"], joined["moving"]], 1))[:, 0]
        _, truth = labels_of(joined, points.to(device))
        counts = joined["weight"] > 0
        if sampling == "patches":
            maps = maps.mean((1, 2, 3), keepdim=True)
            truth = middle_distances(joined)
            counts = torch.ones_like(truth, dtype=torch.bool)
        number = torch.arange(start, start + len(some), device=device)[:, None, None, None].expand_as(counts)
        truths.append(truth[counts].cpu().numpy())
        predictions.append(maps[counts].cpu().numpy())
        which.append(number[counts].cpu().numpy())
    return np.concatenate(truths), np.concatenate(predictions), np.concatenate(which)
