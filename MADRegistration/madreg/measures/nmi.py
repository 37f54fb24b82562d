"""Normalised mutual information from a Parzen-windowed joint histogram."""

from __future__ import annotations

import torch

from ..image.points import map_points, sample_points
from ..image.volume import Volume


def _cubic_b_spline(x: torch.Tensor) -> torch.Tensor:
    """Cubic B-spline at distances ``x`` from its centre."""
    x = x.abs()
    near = 2 / 3 - x**2 + x**3 / 2
    far = (2 - x).clamp(min=0) ** 3 / 6
    return torch.where(x < 1, near, far)


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

    def joint_histogram(self, matrices: torch.Tensor) -> torch.Tensor:
        """Joint probabilities (B, fixed bins, moving bins) and their sums before normalisation are differentiable."""
        values, inside = self.moving.sample(map_points(matrices, self.points))
        position = ((values - self.low) * self.scale).clamp(0, self.bins - 5) + 2
        first = position.detach().floor().long() - 1
        offsets = torch.arange(4, device=position.device)
        bins = first[..., None] + offsets
        weights = _cubic_b_spline(position[..., None] - bins) * inside[..., None]
        batch = torch.arange(len(matrices), device=position.device)[:, None, None]
        flat = (batch * self.bins + self.fixed_bin[None, :, None]) * self.bins + bins
        joint = torch.zeros(len(matrices) * self.bins**2, dtype=weights.dtype, device=weights.device)
        joint = joint.index_add(0, flat.flatten(), weights.flatten()).view(len(matrices), self.bins, self.bins)
        return joint / joint.sum((1, 2), keepdim=True).clamp(min=1e-6)

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        joint = self.joint_histogram(matrices)
        entropy = lambda p: -(p * (p + 1e-10).log()).sum(-1)  # noqa: E731
        return -(entropy(joint.sum(2)) + entropy(joint.sum(1))) / entropy(joint.flatten(1)).clamp(min=1e-6)
