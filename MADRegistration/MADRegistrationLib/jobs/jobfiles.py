"""The temporary files of one job: voxels for the worker, and what it writes for the scene."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene import masks, structures, volumes


class JobFiles:
    """A folder of its own.

    Args:
        folder: is made.

    Attributes:
        folder: all files of the job.
        output: where the worker writes voxels for the scene.

    Raises:
        OSError: if the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.output = folder, folder / "output.npy"

    def write(
        self,
        node: slicer.vtkMRMLScalarVolumeNode,
        role: str,
        mask: slicer.vtkMRMLNode | None = None,
        motion: np.ndarray | None = None,
    ) -> Iterator[None]:
        """Write a volume and its mask, a piece at a time; returns their description for the worker.

        Args:
            motion: 4x4, LPS mm of the world to the LPS mm that the description is in; the identity if None.

        Raises:
            InputError: if the mask is empty or does not lie on the volume.
            OSError: if there is no space.
        """
        motion = np.eye(4) if motion is None else motion
        image = volumes.imageOfVolume(node)
        description = {"mask": None, **(yield from self.writeImage(image.moved(motion), role))}
        if mask is not None:
            maskImage = masks.imageOf(mask)
            yield
            masks.checkInside(maskImage, image)
            description["mask"] = yield from self.writeImage(maskImage.moved(motion), f"{role}-mask")
        return description

    def writeImage(self, image: volumes.Image, role: str) -> Iterator[None]:
        """Write an image, a piece at a time; returns its description for the worker."""
        path = self.folder / f"{role}.npy"
        yield from volumes.write(image, path)
        return {"name": image.name, "voxels": str(path), "matrix": image.matrix.tolist()}

    def writeStructures(self, node: slicer.vtkMRMLNode | None, motion: np.ndarray) -> Iterator[None]:
        """Write the structures of a segmentation or a label map, a piece at a time; returns their description for the
        worker, in layers within which none overlap, or None if there is no node.

        Args:
            motion: as of :meth:`write`.

        Raises:
            InputError: if there are none, or they lie under a non-linear transform.
            OSError: if there is no space.
        """
        if node is None:
            return None
        layers = yield from structures.layersOf(node)
        if not layers:
            raise InputError(f'"{node.GetName()}" has no structures: choose another segmentation, or none.')
        names, described = structures.namesOf(node), []
        for number, image in enumerate(layers):
            yield
            description = yield from self.writeImage(image.moved(motion), f"structures-{number}")
            here = {str(label): names[label] for label in np.unique(image.array).tolist() if label in names}
            described.append({**description, "names": here})
        return described

    def remove(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)
