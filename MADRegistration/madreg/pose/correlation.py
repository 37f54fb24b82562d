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

from ..image.geometry import Grid, apply
from ..image.sampling import sample_array
from ..image.tensors import rotate_tensors, structure_tensors
from ..image.volume import Volume
from ..system.parallel import parallel_map
from .lattice import Lattice

LEAST_SHOWN = 0.05  # of the edges of the smaller image
NEARLY_ALL = 0.99  # of the edges lie in the ball that is looked at
AT_ONCE = (4_000_000, 100_000)  # translations, on a GPU and on a processor, whose cache they should not overflow


@dataclass(frozen=True)
class Candidate:
    """A pose the search proposes: 4x4 matrix, fixed LPS to moving LPS, and its score (higher is better)."""

    matrix: np.ndarray
    score: float


def _extent(features: torch.Tensor, grid: Grid) -> tuple[np.ndarray, np.ndarray, float]:
    """Of nearly all edges: their centre (3,) LPS mm, how far they reach from it along the axes of the lattice (3,) in
    mm, and the radius of their ball; the last feature is the mask."""
    energy = features[:-1].square().sum(0).flatten()
    energy = energy / energy.sum().clamp(min=1e-9)
    points = grid.points(features.device).reshape(-1, 3)
    center = (points * energy[:, None]).sum(0)
    axes = torch.as_tensor(grid.axes, dtype=points.dtype, device=points.device)
    away = (points - center) @ axes
    reaches = [_reach(distance, energy) for distance in (*away.abs().T, away.norm(dim=1))]
    return center.cpu().double().numpy(), np.array(reaches[:3]), reaches[3]


def _reach(distance: torch.Tensor, energy: torch.Tensor) -> float:
    """The distance (n,) within which nearly all of the energy (n,) lies."""
    distance, order = distance.sort()
    share = energy[order].cumsum(0)
    return float(distance[(share < NEARLY_ALL).sum().clamp(max=len(distance) - 1)])


class Correlation:
    """All translations of a moving image over a fixed one, for any rotation, on one lattice.

    The lattice lies along the fixed volume's own axes, in a box around its edges; of the moving image, which is
    rotated, the ball around its edges is taken.  A long fixed volume therefore costs little, a long moving one much.

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
        self.fixed_center, box, _ = _extent(fixed_features, fixed_grid)
        self.moving_center, _, radius = _extent(moving_features, self.moving_grid)
        half_moving = int(np.ceil(radius / spacing))
        halves = tuple(int(np.ceil(r / spacing)) for r in box[::-1]), (half_moving,) * 3
        self.lattice = Lattice(fixed_grid.axes, spacing, halves, self.device)

        inverse = torch.as_tensor(fixed_grid.inverse, dtype=torch.float32, device=self.device)
        center = torch.as_tensor(self.fixed_center, dtype=torch.float32, device=self.device)
        self.set_fixed(sample_array(fixed_features, inverse, self.lattice.offsets(halves[0]) + center, "zeros"))

        # one row a voxel, and a row of nothing for what lies outside: a nearest voxel is then a single look-up, and
        # the tensors are smoother than the half cell by which it errs
        self.rows = F.pad(moving_features.flatten(1).T, (0, 0, 0, 1)).contiguous()
        offsets = self.lattice.offsets(halves[1])
        ball = torch.nonzero(offsets.norm(dim=-1) <= (half_moving + 0.5) * spacing)
        self.in_ball = offsets[tuple(ball.T)]
        self.box = 2 * half_moving + 1
        self.ball = (ball[:, 0] * self.box + ball[:, 1]) * self.box + ball[:, 2]

    def features(self, volume: Volume) -> tuple[torch.Tensor, Grid]:
        """Features (C + 1, k, j, i) of a volume, the last of which is the data mask, and the lattice they lie on."""
        return structure_tensors(volume, self.spacing)

    def upright(self, features: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Features (B, n, C) of the moving image once it is rotated by the inverse of ``turn`` (B, 3, 3)."""
        return features @ rotate_tensors(turn.transpose(1, 2)).transpose(1, 2)

    def set_fixed(self, features: torch.Tensor) -> None:
        """Take fixed features and mask (C + 1, n, n, n) about the middle of the foreground, on the lattice."""
        f = torch.cat([features, features[:-1].square().sum(0, keepdim=True)])
        self.fixed_hat = torch.fft.rfftn(f, s=self.lattice.size, dim=(1, 2, 3))
        self.total_fixed = f[-1].sum()

    def rotated(self, turn: torch.Tensor) -> torch.Tensor:
        """Moving features, mask and energy (B, C + 2, box, box, box) as rotations (B, 3, 3) bring them over the fixed
        image."""
        to_index = torch.as_tensor(self.moving_grid.inverse, dtype=torch.float32, device=self.device)
        center = torch.as_tensor(apply(self.moving_grid.inverse, self.moving_center), dtype=torch.float32)
        index = (self.in_ball @ (to_index[:3, :3] @ turn).transpose(1, 2) + center.to(self.device)).round().long()
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
        """Scores (B, k, j, i) of every translation at rotations (B, 3, 3), fixed to moving; -inf where not allowed."""
        moving = self.rotated(turn)
        size, axes = self.lattice.size, (2, 3, 4)
        # what is padded is nothing: the last axis is transformed where there is something alone
        moving_hat = torch.fft.fft(torch.fft.rfftn(moving, s=size[1:], dim=axes[1:]), n=size[0], dim=2).conj()
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
        return torch.where(self.lattice.usable & (common >= self.min_overlap), score, -torch.inf)

    def best(
        self, rotations: np.ndarray, report_progress: Callable[[float], None], translations: int = 1
    ) -> list[Candidate]:
        """The best translations of each rotation (R, 3, 3), which lie apart: see :meth:`Lattice.peaks`.

        Args:
            report_progress: called with the share done; may raise to stop.
            translations: how many of each rotation, at most.
        """
        batch = max(1, AT_ONCE[self.device.type == "cpu"] // int(np.prod(self.lattice.size)))
        batches = [rotations[begin : begin + batch] for begin in range(0, len(rotations), batch)]

        def highest(some: np.ndarray) -> list[Candidate]:
            scores = self.scores(torch.as_tensor(some, dtype=torch.float32, device=self.device))
            return [
                Candidate(self._pose(rotation, place), score)
                for rotation, values in zip(some, scores, strict=True)
                for place, score in self.lattice.peaks(values, translations)
            ]

        found = parallel_map(highest, batches, self.device, report_progress)
        return [candidate for candidates in found for candidate in candidates]

    def _pose(self, rotation: np.ndarray, place: list[int]) -> np.ndarray:
        """4x4, fixed LPS to moving LPS, of a rotation (3, 3) and a place (k, j, i) among its scores."""
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[:3, 3] = self.moving_center - rotation @ (self.fixed_center + self.lattice.translation(place))
        return matrix
