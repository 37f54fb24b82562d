"""Padding: voxels that were not measured but filled in by a console or by resampling.

Air is data: the black around a head is what gives the head an outline, so a zero background is never masked.  Three
kinds of filling are distinguished from it: the constant far below air that CT consoles write outside the field of view
(:func:`threshold`), the constant beside a scan that was resampled at an angle (:func:`resampling_padding`), and that
outside a round field of view (:mod:`madreg.io.round_field`).  The first is known by its value, the others by their
shapes: they end in planes or in a circle, as no anatomy does.
"""

from __future__ import annotations

import numpy as np

from .planes import OFF, Plane, beyond, planes_through, sagitta

AIR_HU = -1010.0
SAMPLES = 2_000_000  # of the values of a large image

LEAST_ON_FACES = 0.05  # share of the voxels on the image's faces that are filled
LEAST_SHARE = 0.02  # of all voxels
ACROSS = 80  # voxels along each axis on which shapes are looked at
COARSE = 160  # samples along each axis, among which the data are looked for
ASIDE_SAMPLES = 3  # of filling that are looked at on each side of the data
# What is round leaves its tangent plane gradually: a layer of a ball's boundary holds as many voxels as the layer
# before it, of a cylinder's 0.41 times as many.  A plane ends at once.
ROUND = 0.35
# Voxels, of a surface within OFF of a plane: 0.02 to 0.4 of planes, 0.8 and more of ellipsoids and cylinders.
BENT = 0.4
OPPOSITE = -np.cos(np.deg2rad(5.0))  # normals of two faces of a scan, at least as nearly
ASIDE = np.cos(np.deg2rad(60.0))  # planes that meet at less are the same curved surface
EMPTY = 0.995  # of what lies beyond a side is filling
# Share of the voxels in the sides that differ from the filling by so much of the range of intensities.
CUT_OFF, DISTINCT = 0.2, 0.25
FEWEST, POINTS = 100, 6000  # voxels of a boundary


def threshold(values: np.ndarray, border: np.ndarray) -> float:
    """Value at or below which a voxel is padding; minus infinity if the image has none.

    Padding is the lowest value if it (a) is below what air measures in Hounsfield units, (b) occurs exactly in at
    least 0.1 % of the voxels, (c) touches the border of the image and (d) is separated from all but 5 % of the other
    voxels by a quarter of their range or more.  Every modality but CT keeps all its voxels by (a); air that is
    clipped at -1024 stays by (d).  The threshold lies midway in the gap, so that voxels that resampling has mixed
    with padding go too.

    Args:
        values: all finite intensities.
        border: the finite intensities on the six faces of the image.
    """
    lowest = values.min()
    if lowest >= AIR_HU or not (border == lowest).any():
        return -np.inf
    if not 0.001 * len(values) <= np.count_nonzero(values == lowest) < len(values):
        return -np.inf
    others = values[values > lowest]
    bottom, top = np.percentile(thinned(others), [5, 95])
    if bottom - lowest < 0.25 * (top - bottom):
        return -np.inf
    return float(0.5 * (lowest + bottom))


def thinned(values: np.ndarray) -> np.ndarray:
    """Every n-th of some values (n,), so that percentiles of a large image cost no more than those of a small one."""
    return values[:: max(1, len(values) // SAMPLES)]


def faces(array: np.ndarray) -> np.ndarray:
    """All finite values on the six faces of an array, (n,)."""
    values = np.concatenate([np.take(array, [0, -1], axis).ravel() for axis in range(3)])
    return values[np.isfinite(values)]


def filling(array: np.ndarray, border: np.ndarray) -> float | None:
    """The commonest value on the faces of an image (k, j, i), if it is common there; ``border`` as for
    :func:`threshold`."""
    values, counts = np.unique(border, return_counts=True)
    on_faces = 2 * sum(array.size // count for count in array.shape)
    return float(values[counts.argmax()]) if len(values) and counts.max() >= LEAST_ON_FACES * on_faces else None


def resampling_padding(array: np.ndarray, border: np.ndarray) -> np.ndarray | None:
    """Where one constant fills what lies beyond the faces of a scan that was resampled at an angle.

    The constant is the commonest value on the faces of the image.  It is filling beyond every plane in which its
    boundary with the rest lies, as nothing in the world is flat; the rest of its boundary may be anatomy, where a scan
    has exact zeros of its own.  Where mostly air lies in the scan beside it, it passes for air and stays data: it makes
    no false edges.

    Args:
        array: (k, j, i) intensities.
        border: as for :func:`threshold`.

    Returns:
        bool (k, j, i); None if there is no padding.
    """
    constant = filling(array, border)
    if constant is None:
        return None
    box = _box_of_data(array, constant)
    step = np.maximum([(side.stop - side.start) // ACROSS for side in box], 1)
    looked_at = array[tuple(slice(side.start, side.stop, by) for side, by in zip(box, step, strict=True))]
    filled = looked_at == constant
    if not LEAST_SHARE < filled.mean() < 1 - LEAST_SHARE:
        return None
    # single voxels of the constant, as the noise of the air has them, have no part in it
    solid = _grown(~_grown(~filled))
    boundary = ~filled & _grown(solid)
    low, high = np.nanpercentile(looked_at[~filled], [5, 95])
    cut_off = np.abs(looked_at - constant) > DISTINCT * (high - low)
    sides = _sides(boundary, filled, cut_off)
    if not sides:
        return None
    padding, start = np.zeros(array.shape, bool), np.array([side.start for side in box])
    for normal, offset in sides:
        padding |= beyond(array.shape, normal / step, offset - 2 * OFF + float(start @ (normal / step)))
    return padding & (array == constant)


def _box_of_data(array: np.ndarray, constant: float) -> tuple[slice, ...]:
    """What holds all but a constant, and some of it on each side: a small scan may lie on a large lattice."""
    step = np.maximum(np.array(array.shape) // COARSE, 1)
    data = array[tuple(slice(None, None, by) for by in step)] != constant
    if not data.any():
        return tuple(slice(0, count) for count in array.shape)
    box = []
    for axis, (by, count) in enumerate(zip(step, array.shape, strict=True)):
        others = tuple(one for one in range(3) if one != axis)
        low, high = (by * np.flatnonzero(data.any(others))[[0, -1]]).tolist()
        aside = by + ASIDE_SAMPLES * ((high - low) // ACROSS + 1)
        box.append(slice(max(0, low - aside), min(count, high + 1 + aside)))
    return tuple(box)


def _grown(where: np.ndarray) -> np.ndarray:
    """With every neighbour of each voxel, along all axes and diagonals."""
    for axis in range(3):
        where = grown_along(where, axis)
    return where


def grown_along(where: np.ndarray, axis: int) -> np.ndarray:
    """bool (k, j, i), with the neighbours of each voxel along one of the axes 0, 1, 2."""
    grown = where.copy()
    to, of = np.moveaxis(grown, axis, 0), np.moveaxis(where, axis, 0)
    to[1:] |= of[:-1]
    to[:-1] |= of[1:]
    return grown


def _sides(boundary: np.ndarray, filled: np.ndarray, cut_off: np.ndarray) -> list[Plane]:
    """The sides of a scan that was resampled: planes (unit normal (3,) that points outwards, offset); none if air lies
    beside them.

    Args:
        boundary, filled, cut_off: bool (k, j, i): next to the filling; the filling; unlike it.
    """
    points = np.argwhere(boundary)
    if len(points) < FEWEST:
        return []
    points = points[:: max(1, len(points) // POINTS)]
    middle = np.argwhere(~filled).mean(0)
    planes = [
        (normal, offset) if middle @ normal < offset else (-normal, -offset)
        for normal, offset in planes_through(points.astype(np.float32))
    ]
    ends = [plane for plane in planes if _beyond_is_filled(filled, plane)]
    flat = [plane for plane in ends if _is_flat(points, plane, planes)]
    # The faces of a scan are parallel in pairs; of few slices, one may look bent because of its steps.
    sides = [one for one in ends if any(one is other or one[0] @ other[0] < OPPOSITE for other in flat)]
    held = np.zeros(len(points), bool)
    for normal, offset in sides:
        held |= np.abs(offset - points @ normal) < OFF
    return sides if held.any() and cut_off[tuple(points[held].T)].mean() > CUT_OFF else []


def _is_flat(points: np.ndarray, plane: Plane, planes: list[Plane]) -> bool:
    """Whether a boundary ends in a plane at once and does not bend away from it, but for its edges with others."""
    normal, offset = plane
    depth = offset - points @ normal
    here, next_layer = np.abs(depth) < OFF, (depth >= OFF) & (depth < 3 * OFF)
    for other, other_offset in planes:
        if abs(other @ normal) < ASIDE:
            next_layer &= np.abs(points @ other - other_offset) >= OFF
    return bool(next_layer.sum() < ROUND * here.sum() and sagitta(points[here], normal) < BENT)


def _beyond_is_filled(filled: np.ndarray, plane: Plane) -> bool:
    """Whether there is filling alone beyond a plane, as well as it is known from few thick slices."""
    normal, offset = plane
    outside = beyond(filled.shape, normal, offset + 2 * OFF)
    return bool(filled[outside].sum() >= EMPTY * outside.sum())
