"""Scans to learn from, kept in memory: at 2 mm, smoothed, with the head found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from ..errors import InputError
from ..image.geometry import Grid, apply
from ..image.sampling import sample_array
from ..image.smoothing import COARSENING, smooth
from ..image.volume import Volume
from ..io.reading import read_volume

BRIGHT = 0.12  # normalized intensity of what may be the body
SCAN_SPACING = 2.0  # mm


@dataclass(frozen=True)
class Scan:
    """A mono-modal scan kept in memory for sampling.

    Attributes:
        name: file name.
        channels: float32 (2, k, j, i): intensities (0 background, 1 bright) and the head (0 or 1, softened).
        grid: lattice of the voxels, LPS mm.
        center: (3,) middle of the head, LPS mm.
    """

    name: str
    channels: torch.Tensor
    grid: Grid
    center: np.ndarray


def head_mask(data: np.ndarray) -> np.ndarray:
    """bool (k, j, i): the largest bright thing of normalised intensities (k, j, i), its bone and cavities filled in."""
    bright = ndimage.gaussian_filter(data, 1.0) > BRIGHT
    labels, count = ndimage.label(bright)
    if count == 0:
        return bright
    bright = labels == 1 + np.argmax(ndimage.sum_labels(bright, labels, np.arange(1, count + 1)))
    padded = np.pad(bright, 6)
    distance = ndimage.distance_transform_edt(~padded)
    closed = ndimage.distance_transform_edt(distance <= 5) > 5
    filled = ndimage.binary_fill_holes(closed | padded)
    for axis in range(3):
        filled = np.stack([ndimage.binary_fill_holes(s) for s in np.moveaxis(filled, axis, 0)], axis)
    return filled[6:-6, 6:-6, 6:-6]


def load_scan(path: Path) -> Scan:
    """Read a scan for training: see :func:`scan_of`.

    Raises:
        InputError: if the file cannot be read or shows nothing.
    """
    return scan_of(read_volume(path)[0])


def scan_of(volume: Volume) -> Scan:
    """A volume at 2 mm, smoothed as registration smooths for 4 mm, its head found.

    Raises:
        InputError: if it shows nothing.
    """
    array, grid = volume.data, volume.grid
    sigma = COARSENING * np.sqrt(np.maximum(4.0**2 - grid.spacing**2, 0)) / grid.spacing
    out = grid.isotropic(SCAN_SPACING)
    sharp = sample_array(smooth(array, 0.8 / grid.spacing)[None], grid.inverse, out.points())[0]
    soft = sample_array(smooth(array, sigma)[None], grid.inverse, out.points())[0]
    head = torch.from_numpy(head_mask(sharp.numpy()).astype(np.float32))
    if head.sum() < 1000:
        raise InputError(f"{volume.name} shows no head or other object; leave it out of the training folder.")
    index = torch.nonzero(head > 0.5).float().mean(0).flip(0).numpy()
    head = smooth(head, np.full(3, 0.8))
    return Scan(volume.name, torch.stack([soft, head]).contiguous(), out, apply(out.matrix, index))
