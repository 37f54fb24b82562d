"""Poses under which a nearly symmetric body looks the same: rotated by 180 degrees, or mirrored."""

from __future__ import annotations

import numpy as np

from ..image.geometry import about


def flipped_poses(pose: np.ndarray, center: np.ndarray, axes: np.ndarray | None = None) -> list[np.ndarray]:
    """The pose (4, 4) after a 180-degree rotation of the fixed scan about each axis through ``center`` (3,), LPS mm.

    Args:
        axes: (3, n), a unit vector a column; those of the world by default.
    """
    axes = np.eye(3) if axes is None else axes
    return [pose @ about(center, 2 * np.outer(axis, axis) - np.eye(3)) for axis in axes.T]


def mirrored_poses(pose: np.ndarray, center: np.ndarray, axes: np.ndarray) -> list[np.ndarray]:
    """The pose (4, 4) after a reflection of the fixed scan across each plane through ``center`` (3,), LPS mm.

    Args:
        axes: (3, n), the planes' normals, a unit vector a column.
    """
    return [pose @ about(center, np.eye(3) - 2 * np.outer(axis, axis)) for axis in axes.T]
