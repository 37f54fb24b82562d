"""The estimated local error of a pose over the fixed scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F

from ..image.geometry import Grid, apply
from ..image.pair import reduced
from ..image.sampling import sample_array
from ..image.volume import Volume
from .body import body
from .motion import local_displacements
from .quality import Quality

MAP_SPACING = 4.0  # mm


@dataclass(frozen=True)
class ErrorMap:
    """The estimated local error over the fixed image.

    Attributes:
        values: float32 (k, j, i) mm; 0 where it is unknown.
        grid: where they lie.
        worst_mm: the largest, and
        worst_point: (3,) LPS mm where.
    """

    values: np.ndarray
    grid: Grid
    worst_mm: float
    worst_point: np.ndarray

    def sampled(self, points: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Errors in mm (...) at float32 points (..., 3), LPS mm, and where they are known."""
        values = torch.as_tensor(self.values, dtype=torch.float32)
        both = torch.stack([values, (values > 0).float()])
        amount, known = sample_array(both, self.grid.inverse, points, "zeros")
        return (amount / known.clamp(min=1e-6)).numpy(), (known > 0.5).numpy()

    def at(self, points: np.ndarray) -> np.ndarray:
        """Errors in mm at points (n, 3), LPS mm, of those at which they are known."""
        errors, known = self.sampled(torch.as_tensor(points, dtype=torch.float32))
        return errors[known]

    def image(self) -> sitk.Image:
        """The values as an image."""
        return self.grid.as_image(self.values)

    def report(self) -> dict:
        """The largest error as plain types."""
        return {"worst_mm": self.worst_mm, "worst_point_lps": self.worst_point.tolist()}


def error_map(fixed: Volume, quality: Quality) -> ErrorMap:
    """The estimated local error of an assessed pose.

    It includes the local displacements that no linear transform explains.
    """
    unit = quality.unit_mm
    found = _error_map(fixed.resized(1 / unit), quality.resized(1 / unit))
    return ErrorMap(unit * found.values, found.grid.resized(unit), unit * found.worst_mm, unit * found.worst_point)


def _error_map(fixed: Volume, quality: Quality) -> ErrorMap:
    """:func:`error_map` in the unit of the blocks."""
    fixed = reduced(fixed)  # as it was registered: the foreground of all voxels of a large scan takes a minute
    blocks = quality.blocks
    if blocks is None or quality.motion is None or quality.blocks_at is None:
        grid = fixed.grid.isotropic(4 * MAP_SPACING)
        return ErrorMap(np.zeros(grid.shape, np.float32), grid, 0.0, grid.center)
    centers = blocks.centers.cpu().double().numpy()
    wished = centers + local_displacements(blocks, quality.motion).cpu().double().numpy()
    errors = np.linalg.norm(
        apply(quality.transform.inverse().after(quality.blocks_at).matrix, wished) - centers, axis=1
    )

    weight = blocks.weight.float().cpu()
    weighted = torch.zeros(2, int(np.prod(blocks.grid.shape)))
    weighted[0, blocks.chosen.cpu()] = torch.as_tensor(errors, dtype=torch.float32) * weight
    weighted[1, blocks.chosen.cpu()] = weight
    weighted = F.avg_pool3d(F.pad(weighted.view(1, 2, *blocks.grid.shape), [1] * 6), 3, 1)[0]  # blocks overlap
    grid = blocks.grid.isotropic(MAP_SPACING)
    points = grid.points()
    amount, trust = sample_array(weighted, blocks.grid.inverse, points)
    known = body(fixed, grid) & (trust > 0.05 * trust.max())
    values = torch.where(known, amount / trust.clamp(min=1e-12), torch.zeros(())).numpy()
    worst = np.unravel_index(int(values.argmax()), values.shape)
    return ErrorMap(values, grid, float(values.max()), apply(grid.matrix, np.array(worst[::-1], float)))
