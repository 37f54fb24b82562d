"""From a file or an ITK image to a :class:`~madreg.image.volume.Volume`: what may be registered, where it has data.

Everything is read by ITK, as Slicer does: where the qform and the sform of a NIfTI file differ, ITK's choice counts.

**Where there is data.**  A voxel counts as data unless it is not finite, lies outside the user's mask, or is padding
(:mod:`madreg.io.padding`).

**How bright.**  See :func:`normalise`.

torch, which takes a second to load, is needed only for the :class:`~madreg.image.volume.Volume` at the end, so files
can be read meanwhile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.geometry import Grid
from ..system.stderr import silenced
from . import padding
from .nifti import examine

if TYPE_CHECKING:
    from ..image.volume import Volume

SPACING_RANGE = (0.01, 50.0)
"""Voxel sizes in mm that are believed: from micro-CT to the coarsest localiser.  Others are metres or damage."""

SMALLEST_SLAB = 8
"""Voxels needed along two axes.  Along the third, two slices are enough: that is a thin slab, but has a depth."""

CLAMP = 1.2
"""Highest normalised intensity: metal, vessels and coil hot spots end here."""


def _one_line(error: Exception) -> str:
    """The last meaningful part of an ITK error, on one line and without addresses or a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Reason:")] or lines  # errno, of some other call as often
    last = lines[-1] if lines else type(error).__name__
    last = re.sub(r"^(sitk::ERROR:|ITK ERROR:|itk::ERROR:)?\s*(itk::ERROR:)?\s*(\w+\(0x[0-9a-f]+\):)?\s*", "", last)
    return last.rstrip(". ")


def _read_series(folder: Path, notices: list[str]) -> sitk.Image:
    """The largest DICOM series in a folder (not its sub-folders)."""
    series = {
        uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    }
    if not series:
        raise InputError(
            f"{folder} is a folder without DICOM files: give an image file, or the folder that holds the slices."
        )
    uid = max(series, key=lambda one: len(series[one]))
    if len(series) > 1:
        notices.append(
            f"{folder} holds {len(series)} DICOM series: the largest was read ({len(series[uid])} files, {uid})."
        )
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(series[uid])
    image = reader.Execute()
    if image.HasMetaDataKey("ITK_non_uniform_sampling_deviation"):
        gap = float(image.GetMetaData("ITK_non_uniform_sampling_deviation"))
        notices.append(f"{folder}: the slices are not evenly spaced (by up to {gap:.2g} mm); some may be missing.")
    return image


def read_image(path: str | Path, notices: list[str] | None = None) -> sitk.Image:
    """Read a 3D scalar image: NIfTI, NRRD, MHA or whatever else ITK knows, or a folder of DICOM slices.

    Args:
        path: an image file, or a folder, of which the largest DICOM series is read.
        notices: sentences for the user are appended here, e.g. which DICOM series was taken.

    Returns:
        The image with its original intensities and pixel type, checked by :func:`check_image`.

    Raises:
        InputError: if there is no such file, it cannot be read, or it is not a 3D scalar image.
    """
    path = Path(path)
    notices = [] if notices is None else notices
    if not path.exists():
        raise InputError(f"{path} does not exist: check the path of the image.")
    fault, gaps = examine(path) if path.is_file() else (None, None)
    if fault:
        raise InputError(f"{path} {fault}.")
    try:
        with silenced():
            image = _read_series(path, notices) if path.is_dir() else sitk.ReadImage(str(path))
    except RuntimeError as error:  # how SimpleITK reports everything, from a foreign format to a truncated file
        raise InputError(
            f"{path} cannot be read as an image ({_one_line(error)}): give a complete NIfTI, NRRD or MHA file, or a "
            "folder of DICOM slices."
        ) from error
    image = _without_empty_axes(image)
    check_image(image, str(path))
    return _with_gaps(image, gaps)


def _with_gaps(image: sitk.Image, gaps: np.ndarray | None) -> sitk.Image:
    """The image with NaN where ``gaps`` (bool, k, j, i) says so."""
    if gaps is None:
        return image
    marked = sitk.GetImageFromArray(np.where(gaps, np.nan, sitk.GetArrayViewFromImage(image)))
    marked.CopyInformation(image)
    return sitk.Cast(marked, image.GetPixelID())


def _without_empty_axes(image: sitk.Image) -> sitk.Image:
    """A 4D image that holds a single volume, as that volume; other images as they are."""
    if image.GetDimension() > 3 and all(n == 1 for n in image.GetSize()[3:]):
        return sitk.Extract(image, [*image.GetSize()[:3], *[0] * (image.GetDimension() - 3)])
    return image


def check_image(image: sitk.Image, name: str) -> None:
    """Refuse what is not a 3D scalar image with believable voxels.

    Raises:
        InputError: for 2D, one-slice, tiny, 4D, vector, colour and complex images, and for voxel sizes outside
            :data:`SPACING_RANGE`.
    """
    size = "x".join(str(n) for n in image.GetSize())
    if image.GetDimension() > 3:
        raise InputError(f"{name} is a {image.GetDimension()}D series ({size}): extract one 3D volume of it first.")
    if image.GetNumberOfComponentsPerPixel() > 1 or "complex" in image.GetPixelIDTypeAsString():
        raise InputError(
            f"{name} has more than one number per voxel ({image.GetPixelIDTypeAsString()}): give a scalar volume."
        )
    if image.GetDimension() < 3 or min(image.GetSize()) < 2:
        raise InputError(
            f"{name} is a single slice ({size}): give a volume of two slices or more (for DICOM, the folder)."
        )
    if sorted(image.GetSize())[1] < SMALLEST_SLAB:
        raise InputError(
            f"{name} is too small to be registered ({size} voxels): give at least {SMALLEST_SLAB} along two axes."
        )
    low, high = SPACING_RANGE
    if not all(low <= spacing <= high for spacing in image.GetSpacing()):
        spacing = " x ".join(f"{s:.4g}" for s in image.GetSpacing())
        raise InputError(
            f"{name} has voxels of {spacing} mm, outside of {low:g} to {high:g} mm: correct the spacing in its header."
        )


def intensity_window(values: np.ndarray) -> tuple[float, float]:
    """Intensities (background, bright) that :func:`normalise` maps to 0 and 1; see there.

    Args:
        values: (n,) finite intensities of the data voxels, not all the same.
    """
    values = padding.thinned(values).astype(np.float64)
    low, top = np.percentile(values, [0.5, 99.9])
    if low == top:  # next to everything is the same: the rest is the image
        low, top = values.min(), values.max()
    foreground = values[values > np.clip(values, low, top).mean()]
    high = np.percentile(foreground, 98) if len(foreground) else top
    dark = values[values < low + 0.15 * (high - low)]
    if len(dark) >= 0.1 * len(values):
        low = np.median(dark)
    return float(low), float(high)


def normalise(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Intensities that mean the same in every modality: 0 is the background, 1 about the brightest tissue.

    A straight line through two points, clamped to [0, :data:`CLAMP`].  Bright is the 98th percentile of the
    foreground (all above the mean), so it depends neither on how much air the field of view holds nor on a few
    voxels of metal.  Background is the median of the dark voxels (the lowest 15 % of the range) when these make up a
    tenth of the image, so that a noisy background is 0 on average and does not pull the centre of mass; otherwise,
    as in a cropped scan without air, the 0.5th percentile.  In a CT of the head air becomes 0, soft tissue about
    0.4 to 0.6 and dense bone 1: nothing is windowed away, and tissue keeps its distance from both.

    Args:
        array: (k, j, i) intensities; values outside the mask may be anything.
        mask: bool (k, j, i), where there is data; at least one voxel, not all of the same value.

    Returns:
        float32 (k, j, i), finite everywhere, 0 outside the mask.
    """
    low, high = intensity_window(_selected(array, mask))
    with np.errstate(invalid="ignore", over="ignore"):  # outside the mask
        out = (array - np.float32(low)) / np.float32(high - low)
    np.clip(out, 0, CLAMP, out=out)
    out[~mask] = 0
    return out


def _selected(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values inside a mask, (n,); not copied if that is all."""
    return array.ravel() if mask.all() else array[mask]


def _mask_array(mask: sitk.Image, image: sitk.Image, name: str) -> np.ndarray:
    """The user's mask as bool (k, j, i), after checking that it lies on the image's grid."""
    grid, mask_grid = Grid.of_image(image), Grid.of_image(mask)
    if grid.size != mask_grid.size:
        raise InputError(
            f"The mask of {name} has {'x'.join(map(str, mask_grid.size))} voxels and the image "
            f"{'x'.join(map(str, grid.size))}: resample the mask onto the grid of the image."
        )
    apart = np.linalg.norm(grid.corners - mask_grid.corners, axis=1).max()
    if apart > 0.1 * grid.spacing.min():
        raise InputError(
            f"The mask of {name} lies up to {apart:.3g} mm off the image: resample it onto the grid of the image."
        )
    array = sitk.GetArrayFromImage(mask)
    inside = np.isfinite(array) & (array != 0)
    if not inside.any():
        raise InputError(f"The mask of {name} is empty: paint the region to be registered, or leave the mask out.")
    return inside


def _filled(array: np.ndarray, data: np.ndarray) -> np.ndarray | None:
    """Which of the data voxels are padding; None if none are."""
    border = padding.faces(array)
    threshold = padding.threshold(_selected(array, data), border)
    filled = data & (array <= threshold) if np.isfinite(threshold) else padding.wedges(array, border)
    return filled if filled is None or (data & ~filled).any() else None


@dataclass(frozen=True)
class Loaded:
    """An image ready to become a :class:`~madreg.image.volume.Volume`.

    Attributes:
        image: with its original intensities.
        name: what to call it in messages.
        values: float32 (k, j, i), see :func:`normalise`.
        mask: bool (k, j, i), where it has data.
        notices: sentences to show to the user.
    """

    image: sitk.Image
    name: str
    values: np.ndarray
    mask: np.ndarray
    notices: list[str]

    def volume(self) -> Volume:
        """The scan in torch's hands; the voxels are not copied."""
        import torch

        from ..image.volume import Volume

        return Volume(self.name, torch.from_numpy(self.values), Grid.of_image(self.image), torch.from_numpy(self.mask))


def scan_from_image(image: sitk.Image, name: str, mask: sitk.Image | None = None) -> Loaded:
    """An image checked, normalised, and with a mask of where it has data.

    Args:
        image: 3D scalar image of any pixel type.
        name: what to call it in messages: the file or the volume node.
        mask: image on the same grid (to a tenth of a voxel); everything but 0 is inside.

    Raises:
        InputError: if the image or the mask cannot be used; the message says why and what to do.
    """
    notices: list[str] = []
    image = _without_empty_axes(image)
    check_image(image, name)
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, which is no data
        array = sitk.GetArrayFromImage(image).astype(np.float32)
    data = np.isfinite(array)
    if not data.any():
        raise InputError(f"{name} holds no finite number (only NaN or Inf): export it again, or give another image.")
    if not data.all():
        notices.append(f"{name}: {100 * (1 - data.mean()):.2g} % of the voxels are NaN or Inf and count as no data.")
    filled = _filled(array, data)
    if filled is not None:
        notices.append(f"{name}: {100 * filled.mean():.2g} % of the voxels are padding and count as no data.")
        data &= ~filled
    values = _selected(array, data)
    if values.min() == values.max():
        raise InputError(f"{name} has the same value in every voxel: give an image that shows something.")
    normalised = normalise(array, data)
    if mask is not None:
        mask = _without_empty_axes(mask)
        check_image(mask, f"The mask of {name}")
        inside = data & _mask_array(mask, image, name)
        if not inside.any():
            raise InputError(
                f"The mask of {name} covers only voxels without data: paint it where the image shows "
                "something, or leave the mask out."
            )
        data = inside
    return Loaded(image, name, normalised, data, notices)


def read_scan(path: str | Path, mask_path: str | Path | None = None) -> Loaded:
    """Read an image, and a mask on its grid: :func:`read_image`, :func:`scan_from_image`."""
    notices: list[str] = []
    image = read_image(path, notices)
    mask = None if mask_path is None else read_image(mask_path, notices)
    scan = scan_from_image(image, str(path), mask)
    return replace(scan, notices=notices + scan.notices)


def volume_from_image(image: sitk.Image, name: str, mask: sitk.Image | None = None) -> tuple[Volume, list[str]]:
    """A volume of an image, and sentences to show to the user: see :func:`scan_from_image`."""
    scan = scan_from_image(image, name, mask)
    return scan.volume(), scan.notices


def read_volume(path: str | Path, mask_path: str | Path | None = None) -> tuple[Volume, list[str]]:
    """Read an image as a :class:`~madreg.image.volume.Volume`, and sentences to show to the user: :func:`read_scan`."""
    scan = read_scan(path, mask_path)
    return scan.volume(), scan.notices
