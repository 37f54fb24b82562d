"""Where a volume's slices lie, by their own positions, and what keeps them from being a regular lattice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..unreadable import UnreadableError
from .slices import Slice

STEP_TOLERANCE = 0.01
"""Share of a step by which a slice may lie off an even stack."""

SIDEWAYS_TOLERANCE = 0.1
"""Share of a pixel by which the slices may be shifted against each other in their plane."""

SAME_STEP = 0.1
"""Steps that differ by less than this share are of one kind."""

SHORTEST_RUN = 3
"""So many long steps in a row are another slice distance; fewer are gaps where slices are missing."""

MOST_MISSING = 1 / 3
"""A stack that lacks more than this share of its slices is refused."""

MOST_REFINED = 4
"""An uneven stack is not resampled to more than so many times its slices."""

BRIDGED = 5.0
"""Pixels: a single missing slice in a narrower gap is interpolated; wider gaps hold no data."""


@dataclass(frozen=True)
class Stack:
    """A lattice with orthogonal axes for slices that may be uneven or shifted sideways.

    Attributes:
        axes: (3, 3), columns: unit vectors along a row, along a column, and from slice to slice, LPS.
        spacing: mm along i, j, k.
        origin: (3,) LPS mm, of the first slice.
        along: (n,) where the slices lie along the third axis, mm from the first one, ascending.
        sideways: (n, 2) shift of each slice along the first two axes, mm.
        steps: number of lattice planes.
        gaps: bool (n - 1,): between which slices there is no data.
        missing: number of slices that are missing.
        notices: sentences without a subject, for the user.
    """

    axes: np.ndarray
    spacing: np.ndarray
    origin: np.ndarray
    along: np.ndarray
    sideways: np.ndarray
    steps: int
    gaps: np.ndarray
    missing: int
    notices: tuple[str, ...]

    @property
    def shifted(self) -> bool:
        """Whether the slices are shifted against each other in their plane."""
        return bool((np.abs(self.sideways) > SIDEWAYS_TOLERANCE * self.spacing[:2]).any())

    @property
    def even(self) -> bool:
        """Whether every lattice plane is a slice."""
        planes = np.arange(self.steps) * self.spacing[2]
        return len(self.along) == self.steps and np.abs(self.along - planes).max() <= STEP_TOLERANCE * self.spacing[2]


def stack_of(slices: Sequence[Slice]) -> Stack:
    """The lattice of a volume's slices, which are sorted along their normal.

    Raises:
        UnreadableError: if they are no stack; the message says why and what to do.
    """
    first = slices[0]
    origin, in_plane, pixel_spacing = _described(first)
    if len(slices) < 2:
        raise UnreadableError("is a single slice: give a folder with all slices of a volume")
    axes = np.column_stack([in_plane, first.normal])
    relative = (np.array([one.position for one in slices]) - origin) @ axes
    along, sideways = relative[:, 2], relative[:, :2]
    distances = np.diff(along)
    step, gaps, missing, notices = _steps(distances, max(pixel_spacing))
    steps = round(float(along[-1]) / step) + 1
    spacing = np.array([*pixel_spacing, along[-1] / (steps - 1)])
    _check_overlap(sideways, np.array([first.columns, first.rows]) * pixel_spacing)
    stack = Stack(axes, spacing, origin, along, sideways, steps, gaps, missing, tuple(notices))
    if not stack.shifted:
        return stack
    return Stack(axes, spacing, origin, along, sideways, steps, gaps, missing, (*notices, _tilt(along, sideways)))


def _described(one: Slice) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Position, axes and pixel spacing of a slice, which must have them."""
    if one.position is None or one.axes is None:
        raise UnreadableError(
            "does not say where its slices lie (ImagePositionPatient or ImageOrientationPatient is missing): export it "
            "again from the scanner or the archive, with its geometry"
        )
    if one.pixel_spacing is None:
        raise UnreadableError(
            "does not say how large its pixels are (PixelSpacing is missing): export it again from the scanner or the "
            "archive, with its geometry"
        )
    return one.position, one.axes, one.pixel_spacing


def _steps(distances: np.ndarray, pixel: float) -> tuple[float, np.ndarray, int, list[str]]:
    """Step of the lattice in mm, gaps without data (n - 1,), number of missing slices, and sentences."""
    none = np.zeros(len(distances), bool)
    mean = distances.mean()
    off_even = np.abs(np.cumsum(distances) - mean * np.arange(1, len(distances) + 1)).max()
    if off_even <= STEP_TOLERANCE * mean:
        return float(mean), none, 0, []
    usual = float(np.median(distances))
    long = (distances > 1.5 * usual) & ~_in_run(distances)
    kept = distances[~long]
    if not len(kept):
        kept, long = distances, none
    step = float(kept.mean())
    if np.abs(kept - step).max() > SAME_STEP * step:  # several slice distances
        step = max(float(np.percentile(kept, 10)), float(distances.sum()) / (MOST_REFINED * len(distances)))
    lacking = np.where(long, np.maximum(np.round(distances / usual) - 1, 1), 0).astype(int)
    missing = int(lacking.sum())
    gaps = long & ((lacking > 1) | (distances > BRIDGED * pixel))
    if missing > MOST_MISSING * (len(distances) + 1 + missing):
        raise UnreadableError(
            f"lacks {missing} of {len(distances) + 1 + missing} slices: copy or export the whole series again"
        )
    notices = []
    if missing:
        what = "count as no data" if gaps.any() else "are interpolated"
        notices.append(
            f"{missing} {'slice is' if missing == 1 else 'slices are'} missing, and "
            f"{what if missing > 1 or gaps.any() else 'is interpolated'}: if the series is not meant to be so, copy or "
            "export it again"
        )
    rest = kept[np.abs(kept - kept.mean()) > STEP_TOLERANCE * kept.mean()]
    if len(rest):
        notices.append(
            f"slices are {kept.min():.4g} to {kept.max():.4g} mm apart; they were resampled to even steps of "
            f"{step:.4g} mm"
        )
    return step, gaps, missing, notices


def _in_run(distances: np.ndarray) -> np.ndarray:
    """Whether each step belongs to at least :data:`SHORTEST_RUN` steps of one kind in a row."""
    found = np.zeros(len(distances), bool)
    start = 0
    for end in range(1, len(distances) + 1):
        if end == len(distances) or abs(distances[end] - distances[start]) > SAME_STEP * distances[start]:
            found[start:end] = end - start >= SHORTEST_RUN
            start = end
    return found


def _check_overlap(sideways: np.ndarray, size: np.ndarray) -> None:
    """Refuse slices (of ``size`` mm) that lie beside each other rather than on top of each other."""
    if (np.abs(np.diff(sideways, axis=0)) > 0.5 * size).any():
        raise UnreadableError(
            "is no stack (its slices lie beside each other): give one group of slices of the same place"
        )


def _tilt(along: np.ndarray, sideways: np.ndarray) -> str:
    """What is wrong with slices that are shifted sideways."""
    slope = (along @ sideways) / (along @ along)
    straight = np.abs(sideways - along[:, None] * slope).max()
    angle = np.degrees(np.arctan(np.linalg.norm(slope)))
    if straight < 0.02 * along[-1] and angle > 0.1:
        return (
            f"slices are tilted by {angle:.3g} degrees against their stack (gantry tilt); they were resampled onto "
            "orthogonal axes"
        )
    return (
        f"slices are shifted by up to {np.abs(sideways).max():.3g} mm against each other; they were resampled onto one "
        "lattice"
    )
