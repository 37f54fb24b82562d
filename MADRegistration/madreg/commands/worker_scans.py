"""The images and structures of a command to the worker, which come as arrays: see :mod:`madreg.commands.worker`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ..io.reading import Loaded
    from ..io.segmentation import Segmentation

UNUSABLE = 'A command to the registration process has no usable "{}": update MADRegistration.'


def need(values: Any, **types: type) -> None:
    """Raise InputError unless a command or a part of it is an object with these values."""
    for name, kind in types.items():
        if not isinstance(values, dict) or not isinstance(values.get(name), kind):
            raise InputError(UNUSABLE.format(name))


@dataclass(frozen=True)
class ScanArray:
    """An image and perhaps its mask: an IMAGE of the worker's documentation."""

    description: dict[str, Any]

    def check(self) -> None:
        for one in (self.description, self.description.get("mask")):
            if one is not None:
                need(one, voxels=str, matrix=list)
        need(self.description, name=str)

    def load(self) -> Loaded:
        """The image, and its mask on its grid; a mask on any other grid is resampled, nearest neighbor."""
        from ..io.reading import scan_from_image

        image, mask = image_of(self.description), self.description.get("mask")
        if mask is not None:
            mask = _on_grid_of(image, image_of(mask) != 0)
        return scan_from_image(image, self.description["name"], mask)


def image_of(description: dict[str, Any]) -> sitk.Image:
    """The voxels of an IMAGE or a MASK.

    Raises:
        InputError: if they cannot be read.
    """
    import numpy as np

    from ..image.geometry import Grid
    from ..io.arrays import load_array

    try:
        array = load_array(description["voxels"])
        matrix = np.array(description["matrix"], float)
        if array.ndim != 3 or matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError("no volume")
        return Grid(array.shape[::-1], matrix).as_image(array)
    except (OSError, ValueError, TypeError, EOFError, RuntimeError) as error:
        name = description.get("name", "A mask")
        raise InputError(f"{name} was not passed on completely: check the free space on the disk.") from error


def _on_grid_of(image: sitk.Image, labels: sitk.Image) -> sitk.Image:
    """A mask or labels on the grid of an image, nearest neighbor; 0 beyond their own."""
    import SimpleITK as sitk

    return sitk.Resample(labels, image, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0.0)


@dataclass(frozen=True)
class StructuresArrays:
    """Structures on any grid, in layers within which none overlap: the segmentation of the worker's documentation."""

    layers: list[dict[str, Any]]

    def check(self) -> None:
        if not isinstance(self.layers, list) or not self.layers:
            raise InputError(UNUSABLE.format("segmentation"))
        for layer in self.layers:
            need(layer, name=str, voxels=str, matrix=list, names=dict)

    def load(self, fixed: Loaded) -> Segmentation:
        """Resampled onto the grid of the fixed image, nearest neighbor.

        Raises:
            InputError: if they cannot be read, or none of them lies in the fixed image.
        """
        import SimpleITK as sitk

        from ..io.label_maps import LabelMap
        from ..io.segmentation import segmentation_of

        maps, name = [], self.layers[0]["name"]
        for layer in self.layers:
            names = {int(label): text for label, text in layer["names"].items() if label.isdecimal()}
            maps.append(LabelMap(_on_grid_of(fixed.image, image_of(layer)), names))
        if not any(sitk.GetArrayViewFromImage(one.image).any() for one in maps):
            raise InputError(f"No structure of {name} lies in {fixed.name}: choose a segmentation of that image.")
        return segmentation_of(maps, name)


def structures_of(command: dict[str, Any]) -> StructuresArrays | None:
    """The structures that a command gives, if any."""
    given = command.get("segmentation")
    return None if given is None else StructuresArrays(given)
