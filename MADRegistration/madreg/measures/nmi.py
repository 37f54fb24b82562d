"""Normalised mutual information from a Parzen-windowed joint histogram."""

from __future__ import annotations

from typing import Any

import torch

from ..image.points import sample_points
from ..image.spline import cubic_b_spline, cubic_b_spline_slopes
from ..image.volume import Volume


class _ParzenHistogram(torch.autograd.Function):
    """Joint counts with a cubic B-spline about every moving value, and their slopes: faster than automatic
    differentiation, which keeps every step."""

    @staticmethod
    def forward(
        ctx: Any, position: torch.Tensor, inside: torch.Tensor, row: torch.Tensor, rows: int, bins: int
    ) -> torch.Tensor:
        """(rows, bins) counts.

        Args:
            position: (n,) moving values in bins, from 1 to ``bins - 3``.
            inside: (n,) how much each counts.
            row: (n,) in which row.
        """
        first = position.floor()
        t = position - first
        spline = cubic_b_spline(t)
        flat = row * bins + first.long() - 1
        flat = torch.stack([flat, flat + 1, flat + 2, flat + 3])
        ctx.save_for_backward(t, inside, flat, spline)
        counts = torch.zeros(rows * bins, dtype=position.dtype, device=position.device)
        return counts.index_add_(0, flat.flatten(), (spline * inside).flatten()).view(rows, bins)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None, None]:
        t, inside, flat, spline = ctx.saved_tensors
        there = gradients[0].flatten().index_select(0, flat.flatten()).view(flat.shape)
        return (there * cubic_b_spline_slopes(t)).sum(0) * inside, (there * spline).sum(0), None, None, None


class NMI:
    """Negative normalised mutual information ``-(H(F) + H(M)) / H(F, M)`` over the common field of view.

    Sources: Studholme, Hill, Hawkes 1999, "An overlap invariant entropy measure of 3D medical image alignment"
    (the ratio); Mattes et al. 2003 (cubic B-spline Parzen window on the moving intensity, a box on the fixed one,
    which makes the histogram differentiable in the transform).  Samples that leave the moving field of view fade
    out of the histogram rather than adding background to it.

    Args:
        fixed, moving: the pair, intensities normalised to about [0, 1].
        samples: how many fixed points to draw.
        bins: histogram bins an axis.
        seed: of the draw.
        points: (N, 3) LPS mm, to use instead of a draw.
    """

    name = "nmi"

    def __init__(
        self,
        fixed: Volume,
        moving: Volume,
        samples: int = 30_000,
        bins: int = 32,
        seed: int = 0,
        points: torch.Tensor | None = None,
    ) -> None:
        self.moving, self.bins = moving, bins
        self.points = sample_points(fixed, samples, seed) if points is None else points
        values, _ = fixed.sample(self.points)
        self.fixed_bin = (values * bins).long().clamp(0, bins - 1)
        # the moving axis has two bins of margin on either side for the spline's support
        self.low, high = moving.span
        self.scale = (bins - 5) / max(high - self.low, 1e-6)

    def joint_histogram(self, values: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Joint probabilities (B, fixed bins, moving bins), differentiable in the samples (B, N): the moving values at
        the points, and how much data is there."""
        position = ((values - self.low) * self.scale).clamp(0, self.bins - 5) + 2
        row = torch.arange(len(values), device=position.device)[:, None] * self.bins + self.fixed_bin
        rows = len(values) * self.bins
        joint = _ParzenHistogram.apply(position.flatten(), inside.flatten(), row.flatten(), rows, self.bins)
        joint = joint.view(len(values), self.bins, self.bins)
        return joint / joint.sum((1, 2), keepdim=True).clamp(min=1e-6)

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        return self.of_samples(*self.moving.sample_moved(matrices, self.points))

    def of_samples(self, values: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """(B,) of samples (B, N): the moving values at the points, and how much data is there."""
        joint = self.joint_histogram(values, inside)
        entropy = lambda p: -(p * (p + 1e-10).log()).sum(-1)  # noqa: E731
        return -(entropy(joint.sum(2)) + entropy(joint.sum(1))) / entropy(joint.flatten(1)).clamp(min=1e-6)
