"""From an image to a :class:`~madreg.image.volume.Volume`: its intensities, and where it has data.

**Where there is data.**  A voxel counts as data unless it is not finite, lies outside the user's mask, or is padding
(:mod:`madreg.io.padding`, :mod:`madreg.io.round_field`).

**How bright.**  See :func:`madreg.io.intensity.normalise`.

torch, which takes a second to load, is needed only for the :class:`~madreg.image.volume.Volume` at the end, so files
can be read meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.geometry import Grid
from . import padding
from .checks import SMALLEST_SLAB, Header, TooSmallError, check_header, difference_of_grids, without_empty_axes
from .images import open_image, printable
from .intensity import as_float32, normalise, selected
from .label_maps import open_label_maps, too_small, union
from .mask_outline import ends_at_outline
from .round_field import outside_circle
from .source import Source

if TYPE_CHECKING:
    from ..image.volume import Volume


def _mask_array(mask: sitk.Image, image: sitk.Image, name: str) -> np.ndarray:
    """The user's mask as bool (k, j, i), after checking that it lies on the image's grid."""
    difference = difference_of_grids(mask, image)
    if difference is not None:
        raise InputError(f"The mask of {name} {difference}: resample the mask onto the grid of the image.")
    array = sitk.GetArrayFromImage(mask)
    inside = np.isfinite(array) & (array != 0)
    if not inside.any():
        raise InputError(f"The mask of {name} is empty: paint the region to be registered, or leave the mask out.")
    return inside


def _mask_notice(values: np.ndarray, spacing: np.ndarray, data: np.ndarray, chosen: np.ndarray, name: str) -> list[str]:
    """A sentence about a mask that leaves nothing out, or less than an image has to have
    (:func:`madreg.io.checks.check_header`), or that ends at the outline of the body.

    Args:
        values: (k, j, i) normalised intensities.
        spacing: (3,) mm along k, j, i.
        data: bool (k, j, i), where the image has data.
        chosen: bool (k, j, i), the mask itself.
    """
    inside = data & chosen
    if chosen.all():
        return [f"The mask of {name} leaves nothing out: it has to be 0 where the image is to be ignored."]
    size = [int(np.ptp(np.flatnonzero(inside.any(others)))) + 1 for others in ((0, 1), (0, 2), (1, 2))]
    if sorted(size)[1] < SMALLEST_SLAB:
        return [
            f"The mask of {name} spans only {'x'.join(map(str, size))} voxels: if the registration fails, paint more "
            "of the anatomy that both images show."
        ]
    if ends_at_outline(values, spacing, chosen, data):
        return [
            f'The mask of {name} ends where the air begins: if the registration fails or is not "aligned", let '
            "the mask include about 10 mm of air, as the outline of a body helps to align it."
        ]
    return []


def _filled(array: np.ndarray, data: np.ndarray) -> np.ndarray | None:
    """Which of the data voxels are padding; None if none are."""
    border = padding.faces(array)
    threshold = padding.threshold(selected(array, data), border)
    filled = data & (array <= threshold) if np.isfinite(threshold) else padding.resampling_padding(array, border)
    if filled is None:
        filled = outside_circle(array, border)
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
        source: what was read from where; None for an image that was in memory already.
    """

    image: sitk.Image
    name: str
    values: np.ndarray
    mask: np.ndarray
    notices: list[str]
    source: Source | None = None

    def volume(self) -> Volume:
        """The scan as torch tensors; the voxels are not copied."""
        import torch

        from ..image.volume import Volume

        return Volume(self.name, torch.from_numpy(self.values), Grid.of_image(self.image), torch.from_numpy(self.mask))


def check_finite(array: np.ndarray, name: str) -> np.ndarray:
    """Where an array is finite, bool.

    Args:
        name: what to call the image in messages.

    Raises:
        InputError: if it is so nowhere.
    """
    found = np.isfinite(array)
    if not found.any():
        raise InputError(f"{name} holds no finite number (only NaN or Inf): export it again, or give another image.")
    return found


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
    image = without_empty_axes(image)
    check_header(Header.of_image(image), name)
    array = as_float32(sitk.GetArrayViewFromImage(image))
    data = check_finite(array, name)
    if not data.all():
        notices.append(
            f"{name}: {100 * (1 - data.mean()):.2g} % of the voxels have no value (NaN, Inf) and count as no data."
        )
    filled = _filled(array, data)
    if filled is not None:
        notices.append(f"{name}: {100 * filled.mean():.2g} % of the voxels are padding and count as no data.")
        data &= ~filled
    values = selected(array, data)
    if values.min() == values.max():
        raise InputError(f"{name} has the same value in every voxel: give an image that shows something.")
    normalised = normalise(array, data, out=array)  # new memory costs more than the arithmetic
    if mask is not None:
        mask = without_empty_axes(mask)
        try:
            check_header(Header.of_image(mask), f"The mask of {name}")
        except TooSmallError as error:
            raise too_small(f"The mask of {name}", error) from error
        chosen = _mask_array(mask, image, name)
        inside = data & chosen
        if not inside.any():
            raise InputError(
                f"The mask of {name} covers only voxels without data: paint it where the image shows "
                "something, or leave the mask out."
            )
        notices += _mask_notice(normalised, np.array(image.GetSpacing()[::-1]), data, chosen, name)
        data = inside
    return Loaded(image, name, normalised, data, notices)


def read_scan(path: str | Path, mask_path: str | Path | None = None) -> Loaded:
    """Read an image, and a mask on its grid: :func:`madreg.io.images.open_image`, :func:`scan_from_image`."""
    image, source = open_image(path)
    notices = list(source.notices)
    mask = None
    if mask_path is not None:
        maps, mask_notices = open_label_maps(mask_path)
        mask = union(maps)
        notices += mask_notices
    scan = scan_from_image(image, printable(path), mask)
    return replace(scan, notices=notices + scan.notices, source=source)
