"""The estimated error all over the fixed volume, in mm: a volume node and its worst point; it is shown by
:mod:`errormapdisplay`.

The node lies under the parent transforms of the fixed volume, so that it moves with it.  It refers to both volumes, and
what is known of them and its worst point are attributes: so all works after the scene was saved and loaded.  The
transform of a registration refers to its map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer

from madreg.errors import InputError
from madreg.image.geometry import FLIP_LPS_RAS, Grid, apply

from ..scene import ownnodes
from ..scene.attributes import ERROR_MAP, WORST_MM, WORST_POINT
from ..scene.ownnodes import marked
from ..scene.storedvalues import numbersOf
from ..scene.transforms import parentToWorld
from ..scene.volumes import ijkToRas
from ..scene.voxels import VoxelsBefore, setVoxels
from ..views import errormapdisplay
from . import resultnode, storedreport
from .resultnode import Signature, nameOf, sign

CLASS = "vtkMRMLScalarVolumeNode"
KIND, ASSESSED = "error map", "assessed error map"
"""What the maps of registrations and those of assessments are marked as; see :mod:`ownnodes`."""

UNKNOWN = -100.0
"""Voxel where nothing is known.  Between two voxels the display interpolates, and leaves out what is below 0: so the
map ends beside its last voxel instead of in a rim with the colors of smaller errors."""


class ErrorMap:
    """The map of a registration or an assessment, made by :meth:`put` and taken away by :meth:`remove`.

    Its voxels are mm, or :data:`UNKNOWN`.

    Args:
        path: image of the errors in mm, 0 where nothing is known, LPS.
        report: as of :mod:`report`; ``worst_mm`` and ``worst_point_lps`` (world) say where the largest error lies.
            Without them it is the largest value of the map.
        toWorld: 4x4, the image's LPS to that of the world.

    Raises:
        OSError: if the image cannot be read.
    """

    def __init__(self, path: Path, report: dict[str, Any], toWorld: np.ndarray | None = None) -> None:
        try:
            image = sitk.ReadImage(str(path), sitk.sitkFloat32)
        except RuntimeError as error:
            raise OSError(f"{path.name} cannot be read") from error
        voxels = sitk.GetArrayFromImage(image)
        self._voxels = np.where(voxels > 0, voxels, np.float32(UNKNOWN))
        self._ijkToWorld = (np.eye(4) if toWorld is None else toWorld) @ Grid.of_image(image).matrix
        self.worstMm, self.worstPoint = report.get("worst_mm"), report.get("worst_point_lps")
        if self.worstMm is None or self.worstPoint is None:
            index = np.unravel_index(self._voxels.argmax(), self._voxels.shape)
            self.worstMm, self.worstPoint = self._voxels[index], apply(self._ijkToWorld, index[::-1])
        self._report = report
        self._node: slicer.vtkMRMLScalarVolumeNode | None = None
        self._former: _Former | None = None

    def put(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        transform: slicer.vtkMRMLLinearTransformNode | None = None,
    ) -> None:
        """Write the map into the scene; a former map is overwritten and renamed.  It is not shown yet.

        Args:
            transform: of the registration, which refers to the map; None for an assessment.
        """
        name = nameOf("error", fixed, moving, transform)
        former = resultnode.former(marked(CLASS, ASSESSED), ERROR_MAP, fixed, moving, transform)
        self._former = None if former is None else _Former(former)
        self._node = former or _make(name, transform)
        self._node.SetName(name)  # the former one may have been of another pair
        fromWorld = np.linalg.inv(parentToWorld(fixed)) @ FLIP_LPS_RAS
        setVoxels(self._node, self._voxels, like=fixed, ijkToRas=fromWorld @ self._ijkToWorld)
        point = apply(fromWorld, self.worstPoint)
        self._node.SetAttribute(WORST_MM, f"{self.worstMm:.6f}")
        self._node.SetAttribute(WORST_POINT, " ".join(f"{value:.6f}" for value in point))
        sign(self._node, fixed, moving, self._report)
        moving.Modified()  # a panel that is open beside a script has looked before all was there

    def remove(self) -> None:
        """Take it out of the scene, or give the node back what it showed before."""
        if self._node is None or self._node.GetScene() is None:
            return
        if self._former is not None:
            self._former.restore()
        else:
            remove(self._node)


class _Former:
    """What the node of a map was before another one was written to it."""

    def __init__(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._voxels, self._signature = VoxelsBefore(node), Signature(node)

    def restore(self) -> None:
        self._voxels.restore()
        self._signature.restore()


def _make(name: str, transform: slicer.vtkMRMLLinearTransformNode | None) -> slicer.vtkMRMLScalarVolumeNode:
    """A node for a map.  It is marked in the end: what is marked and belongs to nothing is removed by
    :mod:`obsoletenodes`, which may look whenever a node is added."""
    scene = slicer.mrmlScene
    node = scene.AddNewNodeByClass(CLASS, name)
    node.SetAndObserveDisplayNodeID(errormapdisplay.make(scene).GetID())
    if transform is not None:
        transform.SetNodeReferenceID(ERROR_MAP, node.GetID())
    ownnodes.mark(node, ASSESSED if transform is None else KIND)
    return node


def maps() -> list[slicer.vtkMRMLScalarVolumeNode]:
    """All maps in the scene."""
    return marked(CLASS, KIND, ASSESSED)


def remove(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Remove a map with its colours and its legend."""
    errormapdisplay.hide(node)
    ownnodes.remove(node)


def find(fixed: slicer.vtkMRMLNode | None, moving: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The newest map of these two volumes as they lie now."""
    try:
        found = [one for node in maps() if (one := storedreport.read(node, fixed, moving)) is not None and one.isValid]
    except InputError:  # a non-linear transform
        return None
    newest = max(found, key=lambda one: one.node.GetAttribute(storedreport.TIME) or "", default=None)
    return None if newest is None else newest.node


def worst(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, np.ndarray]:
    """The largest error in mm, and where it lies now: RAS mm in the world.  It is the map's largest voxel where no
    attribute says it.

    Raises:
        InputError: if the map lies under a non-linear transform by now.
    """
    error, point = numbersOf(node.GetAttribute(WORST_MM), 1), numbersOf(node.GetAttribute(WORST_POINT), 3)
    if error is None or point is None:
        voxels = slicer.util.arrayFromVolume(node)
        index = np.unravel_index(voxels.argmax(), voxels.shape)
        error, point = voxels[index].reshape(1), apply(ijkToRas(node), np.array(index[::-1], float))
    return float(error[0]), apply(parentToWorld(node), point)
