"""Volume nodes to plain arrays in the world, for the worker process.

The world is Slicer's after all parent transforms of the node: ``parent @ IJKToRAS``.  The backend's world is LPS, so
every matrix that leaves here maps an index (i, j, k) to LPS mm; see :mod:`madreg.image.geometry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import slicer
import vtk

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, Grid

from .matrices import toArray
from .transforms import LEAST_DETERMINANT, parentToWorld

CHUNK_BYTES = 16_000_000
"""Written to disk at a time, so that Slicer's interface goes on between two pieces."""


@dataclass(frozen=True)
class Image:
    """Voxels and where they lie.

    Attributes:
        name: of the node.
        array: (k, j, i); a view on the node's own voxels, which must not be changed.
        matrix: 4x4, index (i, j, k) to LPS mm in the world.
    """

    name: str
    array: np.ndarray
    matrix: np.ndarray

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return Grid(self.array.shape[::-1], self.matrix)

    def moved(self, motion: np.ndarray) -> Image:
        """The same voxels elsewhere: ``motion`` is 4x4, LPS mm to LPS mm."""
        return replace(self, matrix=motion @ self.matrix)

    def every(self, step: int) -> Image:
        """Every so many-th voxel along each axis."""
        scale = np.diag([step, step, step, 1.0])
        return replace(self, array=self.array[::step, ::step, ::step], matrix=self.matrix @ scale)


def ijkToRas(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """4x4, index (i, j, k) to RAS mm, below the node's parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return toArray(matrix)


def whyNotVolume(node: slicer.vtkMRMLNode | None) -> str | None:
    """One sentence that says why a node cannot be registered, or None if it can."""
    if node is None:
        return "Choose a volume."
    name = f'"{node.GetName()}"'
    if node.GetScene() is None:
        return f"{name} is no longer in the scene: choose another volume."
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return f"{name} is a label map, whose numbers are names: choose the scan that it was drawn on."
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        return f"{name} is not a volume: choose a scalar volume."
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        return f"{name} has no voxels: load it again, or choose another volume."
    if (
        node.IsA("vtkMRMLTensorVolumeNode")
        or node.IsA("vtkMRMLDiffusionImageVolumeNode")
        or (image.GetNumberOfScalarComponents() != 1)
    ):
        return (
            f"{name} is a vector volume with {image.GetNumberOfScalarComponents()} numbers per voxel: convert it "
            "to a scalar volume first (module Vector to Scalar Volume)."
        )
    if not _hasVolume(ijkToRas(node)):
        return f"{name} has voxels without size or place, or axes in one plane: correct its geometry, or load it again."
    try:
        parentToWorld(node)
    except InputError as error:
        return str(error)
    return None


def _hasVolume(matrix: np.ndarray) -> bool:
    """Whether the voxels of a lattice have a size along three axes that lie in no plane, and a place."""
    axes = matrix[:3, :3]
    with np.errstate(invalid="ignore", divide="ignore"):
        volume = abs(np.linalg.det(axes / np.linalg.norm(axes, axis=0)))
    return bool(np.isfinite(matrix).all() and volume > LEAST_DETERMINANT)


def imageOfVolume(node: slicer.vtkMRMLScalarVolumeNode) -> Image:
    """The voxels of a scalar volume or label map, in the world.

    Raises:
        InputError: if the node lies under a non-linear transform.
    """
    matrix = FLIP_LPS_RAS @ parentToWorld(node) @ ijkToRas(node)
    return Image(node.GetName(), slicer.util.arrayFromVolume(node), matrix)


def write(image: Image, path: Path) -> Iterator[None]:
    """Write the voxels as ``.npy`` without loss, a piece at a time; the file is complete when the iterator ends."""
    array = np.ascontiguousarray(image.array)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        flat = array.reshape(-1)
        step = max(1, CHUNK_BYTES // array.itemsize)
        for first in range(0, flat.size, step):
            file.write(flat[first : first + step].data)
            yield
