"""Shapes to train features on, as one byte per voxel of 2 mm: scans, label maps and synthetic bodies.

The byte of a voxel is its *code*.  Bodies of kind ``scan`` hold brightness (0 to 127) plus 128 inside the body, so
that what is dark inside (bone, air cavities) differs from the air around.  Bodies of kind ``labels`` hold the number of
a tissue, 0 being air.  A random table from codes to intensities (:mod:`madreg.learn.body_appearance`) makes an image.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..image.sampling import sample_array
from ..io.reading import read_volume
from ..system.files import bytes_content, write_file
from .scans import head_mask

FORMAT = "madreg-bodies-1"
SPACING = 2.0
"""mm between the voxels of a body."""
INSIDE = 128
"""Added to the brightness of what lies inside the body in a body of kind ``scan``."""
LEVELS = 127
"""Largest brightness of a body of kind ``scan``."""
LARGEST = (112, 128, 112)
"""Voxels (k, j, i) that the center of a body is cut to, where it is larger."""
MARGIN = 6
"""Voxels around a body that are kept."""


@dataclass(frozen=True)
class Body:
    """One shape to train on.

    Attributes:
        name: where it comes from.
        kind: ``scan`` or ``labels``.
        group: groups are drawn equally often, and the bodies of a group equally often.
        codes: uint8 (k, j, i), voxels of :data:`SPACING` mm.
    """

    name: str
    kind: str
    group: str
    codes: np.ndarray


def scan_codes(brightness: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Codes (k, j, i) of a scan: ``brightness`` from 0 to about 1, ``body`` bool."""
    grey = np.round(np.clip(brightness, 0, 1) * LEVELS).astype(np.uint8)
    return np.where(body, grey + INSIDE, grey).astype(np.uint8)


def read_scan(path: Path, group: str) -> Body:
    """A scan of one contrast, in any format that can be registered.

    Raises:
        InputError: if the file cannot be read or shows nothing.
    """
    volume = read_volume(path)[0]
    if volume.grid.spacing.min() < SPACING:
        volume = volume.resampled(SPACING)
    grid = volume.grid.isotropic(SPACING)
    data = _upright(sample_array(volume.data[None], volume.grid.inverse, grid.points())[0].numpy(), grid.matrix)
    body = head_mask(data)
    if body.sum() < 1000:
        raise InputError(f"{path} shows no head or other object; leave it out of the training folder.")
    return Body(path.name, "scan", group, _cropped(scan_codes(data, body), body))


def read_label_map(path: Path, group: str, known: dict[int, int]) -> Body:
    """A label map, 0 being air.

    Args:
        known: codes of label values, which grows as new ones appear: a tissue has one code in all maps.

    Raises:
        InputError: if the file cannot be read, is empty, or holds more than 255 values.
    """
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read: leave it out of the folder of label maps.") from error
    size = [round(n * mm / SPACING) for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    nearest, spacing = sitk.sitkNearestNeighbor, (SPACING,) * len(size)
    image = sitk.Resample(image, size, sitk.Transform(), nearest, image.GetOrigin(), spacing, image.GetDirection(), 0.0)
    values = sitk.GetArrayFromImage(image).astype(int)
    codes = np.zeros(values.shape, np.uint8)
    for value in np.unique(values[values != 0]):
        code = known.setdefault(int(value), 1 + len(known))
        if code > 255:
            raise InputError(f"{path} brings the number of label values above 255: merge some of them.")
        codes[values == value] = code
    if codes.ndim != 3 or not codes.any():
        raise InputError(f"{path} is no 3D label map: leave it out of the folder of label maps.")
    codes = _upright(codes, np.array(image.GetDirection()).reshape(3, 3))
    return Body(path.name, "labels", group, _cropped(codes, codes > 0))


def _cropped(codes: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """The part of an array (k, j, i) near where ``filled`` is true, at most :data:`LARGEST`."""
    box = ndimage.find_objects(filled.astype(np.uint8))[0]
    codes = codes[tuple(slice(max(s.start - MARGIN, 0), s.stop + MARGIN) for s in box)]
    first = [max((n - most) // 2, 0) for n, most in zip(codes.shape, LARGEST, strict=True)]
    return np.ascontiguousarray(codes[tuple(slice(n, n + most) for n, most in zip(first, LARGEST, strict=True))])


def _upright(array: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Axes (k, j, i) permuted and flipped so that they run as z, y, x do, as nearly as whole axes can."""
    world = matrix[:3, :3][::-1, ::-1]  # rows z y x, columns k j i
    order = max(permutations(range(3)), key=lambda p: sum(abs(world[row, axis]) for row, axis in enumerate(p)))
    flips = [axis for axis, source in enumerate(order) if world[axis, source] < 0]
    return np.ascontiguousarray(np.flip(array.transpose(order), tuple(flips)))


def write_bodies(bodies: Sequence[Body], path: Path) -> None:
    """Write bodies into one compressed ``.npz`` file."""
    stream = io.BytesIO()
    arrays: dict[str, Any] = {f"codes{n}": body.codes for n, body in enumerate(bodies)}
    arrays |= {f"{what}s": np.array([getattr(body, what) for body in bodies]) for what in ("name", "kind", "group")}
    np.savez_compressed(stream, format=np.array(FORMAT), **arrays)
    write_file(path, bytes_content(stream.getvalue()))


def read_bodies(path: Path) -> list[Body]:
    """Bodies out of a file of :func:`write_bodies`.

    Raises:
        InputError: if it is another kind of file.
    """
    try:
        with np.load(path) as stored:
            if str(stored["format"]) != FORMAT:
                raise ValueError("another format")
            columns = (stored[name].tolist() for name in ("names", "kinds", "groups"))
            return [
                Body(name, kind, group, stored[f"codes{n}"])
                for n, (name, kind, group) in enumerate(zip(*columns, strict=True))
            ]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{path} is no file of training bodies: delete it, and `madreg train` writes it anew."
        ) from error
