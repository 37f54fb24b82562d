"""The estimated error of each structure of a segmentation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..image.geometry import Grid, apply
from ..io.segmentation import Segmentation
from ..quality.error_map import ErrorMap
from ..quality.quality import Quality

AT_ONCE = 1 << 20  # voxels, for the memory they take


@dataclass(frozen=True)
class StructureError:
    """What is known of one structure.

    Attributes:
        label: its number.
        voxels: of the segmentation.
        volume_ml: which these fill.
        known: share of them at which an error can be estimated.
        mean_mm, largest_mm: of the estimated local error there; None where it is known nowhere.
        bound_mm: in 95 % of cases the true error, averaged over the structure, is at most this; None where unknown.
    """

    label: int
    name: str
    voxels: int
    volume_ml: float
    known: float
    mean_mm: float | None
    bound_mm: float | None
    largest_mm: float | None

    def report(self) -> dict[str, Any]:
        """As plain types."""
        return asdict(self)


def structure_errors(
    segmentation: Segmentation, grid: Grid, errors: ErrorMap | None, quality: Quality | None
) -> list[StructureError]:
    """The estimated error of each structure and its bound, in the order of their labels.

    Args:
        grid: of the segmentation.
        errors: over the fixed image; None if nothing is known anywhere, as of a failed registration.
        quality: of the alignment, for the bound; None without overlap.
    """
    layers = (segmentation, *segmentation.others)
    found = [one for layer in layers for one in _errors_of_layer(layer, grid, errors, quality)]
    return sorted(found, key=lambda one: one.label)


def _errors_of_layer(
    segmentation: Segmentation, grid: Grid, errors: ErrorMap | None, quality: Quality | None
) -> list[StructureError]:
    """Those of structures that do not overlap."""
    flat = segmentation.labels.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], list(segmentation.names))
    ends = np.searchsorted(flat[order], list(segmentation.names), side="right")
    voxel_ml = float(abs(np.linalg.det(grid.matrix[:3, :3]))) / 1000
    found = []
    for (label, name), start, end in zip(segmentation.names.items(), starts, ends, strict=True):
        values = np.zeros(0) if errors is None else _errors_at(order[start:end], grid, errors)
        count = int(end - start)
        mean, largest = (float(values.mean()), float(values.max())) if len(values) else (None, None)
        bound = None if mean is None or quality is None else quality.bound_of_region_mm(mean)
        found.append(StructureError(label, name, count, count * voxel_ml, len(values) / count, mean, bound, largest))
    return found


def _errors_at(voxels: np.ndarray, grid: Grid, errors: ErrorMap) -> np.ndarray:
    """Errors in mm at flat indices of voxels, of those at which they are known."""
    found = []
    for start in range(0, len(voxels), AT_ONCE):
        index = np.stack(np.unravel_index(voxels[start : start + AT_ONCE], grid.shape), -1)[:, ::-1]
        found.append(errors.at(apply(grid.matrix, index)))
    return np.concatenate(found)
