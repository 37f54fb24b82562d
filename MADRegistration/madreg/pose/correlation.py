"""All translations of one volume over another by FFT, for any rotation.

Source: Oefverstedt et al. 2021, "Cross-Sim-NGF: FFT-based global rigid multimodal alignment of image volumes using
normalized gradient fields" (arXiv 2110.10156).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from ..image.geometry import Grid, apply
from ..image.points import lattice_points
from ..image.sampling import sample_array
from ..image.tensors import rotate_tensors, structure_tensors
from ..image.volume import Volume
from ..system.parallel import parallel_map

LEAST_SHOWN = 0.05  # of the edges of the smaller image
NEARLY_ALL = 0.99  # of the edges lie in the ball that is looked at
AT_ONCE = (4_000_000, 100_000)  # translations, on a GPU and on a processor, whose cache they should not overflow


@dataclass(frozen=True)
class Candidate:
    """A pose the search proposes: 4x4 matrix, fixed LPS to moving LPS, and its score (higher is better)."""

    matrix: np.ndarray
    score: float


def _content(features: torch.Tensor, grid: Grid) -> tuple[np.ndarray, float]:
    """Centre (3,) LPS mm and radius in mm of the ball that holds nearly all edges; the last feature is the mask."""
    energy = features[:-1].square().sum(0).flatten()
    points = grid.points(features.device).reshape(-1, 3)
    center = (points * energy[:, None]).sum(0) / energy.sum().clamp(min=1e-9)
    distance, order = (points - center).norm(dim=1).sort()
    share = energy[order].cumsum(0) / energy.sum().clamp(min=1e-9)
    return center.cpu().double().numpy(), float(distance[(share < NEARLY_ALL).sum().clamp(max=len(distance) - 1)])


class Correlation:
    """All translations of a moving image over a fixed one, for any rotation, on one lattice.

    Structure tensors are compared; what compares other features overrides :meth:`features` and :meth:`upright`.

    Args:
        spacing: mm, of the lattice.
        min_overlap: share of the smaller image's edges that must lie in the other's field of view.
    """

    def __init__(self, fixed: Volume, moving: Volume, spacing: float, min_overlap: float) -> None:
        self.spacing, self.min_overlap = spacing, min_overlap
        self.device = fixed.device
        fixed_features, fixed_grid = self.features(fixed)
        moving_features, self.moving_grid = self.features(moving)
        self.fixed_center, fixed_radius = _content(fixed_features, fixed_grid)
        self.moving_center, moving_radius = _content(moving_features, self.moving_grid)
        half_fixed, half_moving = self.halves = tuple(int(np.ceil(r / spacing)) for r in (fixed_radius, moving_radius))
        reach = max(half_fixed, half_moving)  # shifts beyond leave less than half an image in common
        self.length = next_fast_len(half_fixed + half_moving + reach + 1, real=True)

        inverse = torch.as_tensor(fixed_grid.inverse, dtype=torch.float32, device=self.device)
        center = torch.as_tensor(self.fixed_center, dtype=torch.float32, device=self.device)
        self.set_fixed(sample_array(fixed_features, inverse, self._offsets(half_fixed) + center, "zeros"))

        # one row a voxel, and a row of nothing for what lies outside: a nearest voxel is then a single look-up, and
        # the tensors are smoother than the half cell by which it errs
        self.rows = F.pad(moving_features.flatten(1).T, (0, 0, 0, 1)).contiguous()
        offsets = self._offsets(half_moving)
        ball = torch.nonzero(offsets.norm(dim=-1) <= (half_moving + 0.5) * spacing)
        self.offsets = offsets[tuple(ball.T)]
        self.box = 2 * half_moving + 1
        self.ball = (ball[:, 0] * self.box + ball[:, 1]) * self.box + ball[:, 2]
        # Fixed sample a meets moving sample a - s; in mm, fixed offset x meets moving offset x - d, d = s - origin.
        origin, length = half_fixed - half_moving, self.length
        self.shifts = (torch.arange(length, device=self.device) - origin + length // 2) % length - length // 2
        near = self.shifts.abs() <= reach
        self.usable = near[:, None, None] & near[None, :, None] & near[None, None, :]

    def features(self, volume: Volume) -> tuple[torch.Tensor, Grid]:
        """Features (C + 1, k, j, i) of a volume, the last of which is the data mask, and the lattice they lie on."""
        return structure_tensors(volume, self.spacing)

    def upright(self, features: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Features (B, n, C) of the moving image once it is rotated by the inverse of ``turn`` (B, 3, 3)."""
        return features @ rotate_tensors(turn.transpose(1, 2)).transpose(1, 2)

    def set_fixed(self, features: torch.Tensor) -> None:
        """Take fixed features and mask (C + 1, n, n, n) about the middle of the foreground, on the lattice."""
        f = torch.cat([features, features[:-1].square().sum(0, keepdim=True)])
        self.fixed_hat = torch.fft.rfftn(f, s=(self.length,) * 3, dim=(1, 2, 3))
        self.total_fixed = f[-1].sum()

    def _offsets(self, half: int) -> torch.Tensor:
        """(n, n, n, 3) mm from the middle, n = 2 half + 1."""
        axis = torch.arange(-half, half + 1, dtype=torch.float32, device=self.device) * self.spacing
        return lattice_points(axis, axis, axis)

    def rotated(self, turn: torch.Tensor) -> torch.Tensor:
        """Moving features, mask and energy (B, C + 2, box, box, box) as rotations (B, 3, 3) bring them over the fixed
        image."""
        to_index = torch.as_tensor(self.moving_grid.inverse, dtype=torch.float32, device=self.device)
        center = torch.as_tensor(apply(self.moving_grid.inverse, self.moving_center), dtype=torch.float32)
        index = (self.offsets @ (to_index[:3, :3] @ turn).transpose(1, 2) + center.to(self.device)).round().long()
        ni, nj, nk = self.moving_grid.size
        inside = ((index >= 0) & (index < torch.tensor([ni, nj, nk], device=self.device))).all(-1)
        flat = torch.where(inside, (index[..., 2] * nj + index[..., 1]) * ni + index[..., 0], len(self.rows) - 1)
        found = self.rows[flat]  # (B, ball, C + 1)
        upright = self.upright(found[..., :-1], turn)
        energy = found[..., :-1].square().sum(-1, keepdim=True)
        out = torch.zeros(len(turn), found.shape[-1] + 1, self.box**3, device=self.device)
        out[:, :, self.ball] = torch.cat([upright, found[..., -1:], energy], -1).transpose(1, 2)
        return out.unflatten(2, (self.box,) * 3)

    def scores(self, turn: torch.Tensor) -> torch.Tensor:
        """Scores (B, length^3) of every translation at rotations (B, 3, 3), fixed to moving; -inf where not allowed."""
        moving = self.rotated(turn)
        size, axes = (self.length,) * 3, (2, 3, 4)
        # what is padded is nothing: the last axis is transformed where there is something alone
        moving_hat = torch.fft.fft(torch.fft.rfftn(moving, s=size[1:], dim=axes[1:]), n=self.length, dim=2).conj()
        products = torch.stack(
            [
                (self.fixed_hat[:-2] * moving_hat[:, :-2]).sum(1),  # agreement of the features
                self.fixed_hat[-1] * moving_hat[:, -2],  # fixed energy in the common view
                self.fixed_hat[-2] * moving_hat[:, -1],  # moving energy in the common view
            ],
            1,
        )
        agreement, in_fixed, in_moving = torch.fft.irfftn(products, s=size, dim=axes).unbind(1)
        total_moving = moving[:, -1].sum((1, 2, 3))[:, None, None, None]
        common = torch.maximum(in_fixed / self.total_fixed, in_moving / total_moving).clamp(0, 1)
        # where an image shows next to nothing, noise agrees with anything
        least = LEAST_SHOWN * torch.minimum(self.total_fixed, total_moving)
        shown = torch.maximum(in_fixed, least) * torch.maximum(in_moving, least)
        score = agreement / shown.sqrt() * common.sqrt()
        return torch.where(self.usable & (common >= self.min_overlap), score, -torch.inf).flatten(1)

    def best(self, rotations: np.ndarray, report_progress: Callable[[float], None]) -> list[Candidate]:
        """The best translation of each rotation (R, 3, 3), in their order; ``report_progress`` takes the share done."""
        batch = max(1, AT_ONCE[self.device.type == "cpu"] // self.length**3)
        batches = [rotations[begin : begin + batch] for begin in range(0, len(rotations), batch)]

        def highest(some: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            return self.scores(torch.as_tensor(some, dtype=torch.float32, device=self.device)).max(1)

        n, found = self.length, []
        for some, (value, index) in zip(
            batches, parallel_map(highest, batches, self.device, report_progress), strict=True
        ):
            shift = self.shifts[torch.stack([index % n, index // n % n, index // n**2], -1)].cpu().numpy()
            for rotation, moved, score in zip(some, shift * self.spacing, value.tolist(), strict=True):
                matrix = np.eye(4)
                matrix[:3, :3] = rotation
                matrix[:3, 3] = self.moving_center - rotation @ (self.fixed_center + moved)
                found.append(Candidate(matrix, score))
        return found
