"""Where the lattices of training scans lie in the body, and how points of one map to another.

All positions are in mm, x y z order.  A lattice point ``p`` (from the center of its lattice) shows the body at
``w(shape R p + c)``, where ``w`` is a smooth warp (distortion, another day), often none.  Rotation ``R``, center ``c``
and warp are each lattice's own, ``shape`` is the body's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..image.geometry import quaternion_rotation
from .random_draw import Draw

WAVES = 5


def rotations(draw: Draw, largest: torch.Tensor) -> torch.Tensor:
    """Rotations (B, 3, 3) about random axes by up to ``largest`` (B,) radians; from pi on, uniform over all."""
    quaternion = draw.normal(4)
    angle = draw.uniform(0, 1) * largest / 2
    axis = torch.nn.functional.normalize(draw.normal(3), dim=1)
    limited = torch.cat([angle.cos()[:, None], angle.sin()[:, None] * axis], 1)
    quaternion = torch.where((largest >= torch.pi)[:, None], quaternion, limited)
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=1).unbind(1)
    return torch.stack(quaternion_rotation(w, x, y, z), 1).view(-1, 3, 3)


@dataclass(frozen=True)
class Warp:
    """``w(y) = y + sum a sin(k.y + phase)``: amplitudes (B, W, 3) mm, wave vectors (B, W, 3) per mm, phases (B, W)."""

    amplitudes: torch.Tensor
    waves: torch.Tensor
    phases: torch.Tensor

    @classmethod
    def random(cls, draw: Draw, share: float, largest: float) -> Warp:
        """Warps of up to about ``largest`` mm in a ``share`` of the samples; none in the others."""
        waves = torch.nn.functional.normalize(draw.normal(WAVES, 3), dim=-1)
        waves = waves * 2 * torch.pi / draw.uniform(50.0, 160.0, WAVES, 1)
        size = draw.uniform(0, largest, 1, 1) * draw.chance(share, 1, 1) / WAVES**0.5
        return cls(
            torch.nn.functional.normalize(draw.normal(WAVES, 3), dim=-1) * size,
            waves,
            draw.uniform(0, 2 * torch.pi, WAVES),
        )

    def _displacement(self, points: torch.Tensor) -> torch.Tensor:
        phase = torch.baddbmm(self.phases[:, None], points, self.waves.transpose(1, 2))
        return torch.bmm(phase.sin(), self.amplitudes)

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Warped points (B, N, 3)."""
        return points + self._displacement(points)

    def inverse(self, points: torch.Tensor) -> torch.Tensor:
        """Points (B, N, 3) that are warped to the given ones, to 0.05 mm: a fixed point of ``y -> p - u(y)``."""
        found = points
        for _ in range(6):
            found = points - self._displacement(found)
        return found


@dataclass(frozen=True)
class Pose:
    """One lattice in the body: ``body = linear p + offset``, (B, 3, 3) and (B, 3)."""

    linear: torch.Tensor
    offset: torch.Tensor

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Lattice points (N, 3) or (B, N, 3) to points (B, N, 3) of the body."""
        return points @ self.linear.transpose(1, 2) + self.offset[:, None]

    def inverse(self, points: torch.Tensor) -> torch.Tensor:
        """Points (B, N, 3) of the body to lattice points."""
        return (points - self.offset[:, None]) @ torch.linalg.inv(self.linear).transpose(1, 2)


def random_poses(
    draw: Draw, center: torch.Tensor, count: int, difficulty: float, rotation: float | None = None
) -> list[Pose]:
    """Poses of ``count`` lattices around a point ``center`` (B, 3) of the body.

    Three in four bodies lie nearly upright in the first lattice, the others at random.  Every other lattice is rotated
    against it: three in four by up to 20 degrees, most others by up to 52, one in twenty at random (at a lower
    difficulty, less).

    Args:
        rotation: instead, the largest rotation of all other lattices in radians; from pi on they are rotated at random.
    """
    device = draw.device
    size = torch.exp(draw.uniform(-0.2, 0.2, 1) + 0.06 * draw.normal(3))
    mirrored = torch.tensor([-1.0, 1.0, 1.0], device=device)
    shape = torch.diag_embed(size * torch.where(draw.chance(0.5, 1), mirrored, 1.0))
    shape = shape @ (torch.eye(3, device=device) + torch.triu(0.04 * draw.normal(3, 3), 1))
    first = rotations(draw, torch.where(draw.chance(0.75), 0.5, 4.0))
    poses = [Pose(shape @ first, center + 8.0 * draw.normal(3))]
    for _ in range(count - 1):
        kind = draw.uniform(0, 1)
        turn = torch.where(kind < 0.75, 0.35, 0.9) * (0.3 + 0.7 * difficulty)
        largest = torch.where(kind > 1 - 0.05 * difficulty, 4.0, turn)
        if rotation is not None:
            largest = torch.full_like(largest, rotation)
        other = rotations(draw, largest) @ first
        apart = (12.0 + 23.0 * difficulty) * draw.uniform(0, 1, 1)
        offset = torch.nn.functional.normalize(draw.normal(3), dim=1) * apart
        poses.append(Pose(shape @ other, center + offset))
    return poses
