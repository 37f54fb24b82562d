"""The estimated error all over the fixed volume, in mm: a volume node shown in colours over the slice views,
and its worst point.

The node lies under the parent transforms of the fixed volume, so that it moves with it.  The result's transform refers
to it, and its worst point is an attribute, so that both work after the scene was saved and loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer

from madreg.image.geometry import FLIP_LPS_RAS, Grid, apply

from . import made, overlay, views, volumes
from .before import ATTRIBUTE_PREFIX, ERROR_MAP
from .voxels import VoxelsBefore, setVoxels

WORST_MM, WORST_POINT = ATTRIBUTE_PREFIX + "WorstMm", ATTRIBUTE_PREFIX + "WorstPoint"
"""Attributes of the map: the largest value, and where: x y z, RAS mm, below the parent transforms of the map."""

COLORS = "vtkMRMLColorTableNodeFileColdToHotRainbow.txt"
FULL_MM = 5.0
"""Error shown in the last color, unless the user chooses another."""

OPACITY = 0.5

UNKNOWN = -100.0
"""Voxel where nothing is known.  Between two voxels the display interpolates, and leaves out what is below 0: so the
map ends beside its last voxel instead of in a rim with the colors of smaller errors."""


class ErrorMap:
    """The map of one registration, made by :meth:`put` and taken away by :meth:`remove`.

    Its voxels are mm, or :data:`UNKNOWN`.

    Args:
        path: image of the errors in mm, 0 where nothing is known, LPS.
        report: of the registration; ``worst_mm`` and ``worst_point_lps`` (world) say where the largest error lies.
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
        self._node: slicer.vtkMRMLScalarVolumeNode | None = None
        self._former: VoxelsBefore | None = None

    def put(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode,
        moving: slicer.vtkMRMLScalarVolumeNode,
        transform: slicer.vtkMRMLLinearTransformNode,
    ) -> None:
        """Write the map into the scene; the transform's former map is overwritten and renamed.  It is not shown yet."""
        scene = fixed.GetScene()
        name = f"{moving.GetName()} to {fixed.GetName()} error (MAD)"
        self._node = transform.GetNodeReference(ERROR_MAP)
        if self._node is not None:
            self._former, self._formerName = VoxelsBefore(self._node), self._node.GetName()
            self._formerWorst = {key: self._node.GetAttribute(key) for key in (WORST_MM, WORST_POINT)}
            self._node.SetName(name)  # the former one may have been of another pair
        else:
            self._node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            made.mark(self._node, "error map")
            self._node.SetAndObserveDisplayNodeID(_display(scene).GetID())
            transform.SetNodeReferenceID(ERROR_MAP, self._node.GetID())
        fromWorld = np.linalg.inv(volumes.parentToWorld(fixed)) @ FLIP_LPS_RAS
        setVoxels(self._node, self._voxels, like=fixed, ijkToRas=fromWorld @ self._ijkToWorld)
        point = apply(fromWorld, self.worstPoint)
        self._node.SetAttribute(WORST_MM, f"{self.worstMm:.6f}")
        self._node.SetAttribute(WORST_POINT, " ".join(f"{value:.6f}" for value in point))

    def remove(self) -> None:
        """Take it out of the scene, or give the node back what it showed before."""
        if self._node is None or self._node.GetScene() is None:
            return
        if self._former is not None:
            self._former.restore()
            self._node.SetName(self._formerName)
            for key, value in self._formerWorst.items():
                self._node.SetAttribute(key, value)
        else:
            remove(self._node)


def _display(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeDisplayNode:
    """Colors from 0 to :data:`FULL_MM`; what is below is clear."""
    display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAndObserveColorNodeID(COLORS)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, FULL_MM)
    display.SetThreshold(1e-3, 1e6)
    display.SetApplyThreshold(True)
    return display


def remove(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Remove a map with its colours and its legend."""
    hide(node)
    scene = node.GetScene()
    displays = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    scene.RemoveNode(node)
    for display in filter(None, displays):
        if display.GetScene() is not None:  # Slicer may have removed it with the volume
            scene.RemoveNode(display)


def find(fixed: slicer.vtkMRMLNode | None, moving: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The map of the registration that put ``moving`` where it is, if it was to ``fixed``."""
    transform = None if moving is None or fixed is None else moving.GetParentTransformNode()
    if transform is None or transform.GetNodeReference(transform.GetFixedNodeReferenceRole()) is not fixed:
        return None
    return transform.GetNodeReference(ERROR_MAP)


def show(node: slicer.vtkMRMLScalarVolumeNode, fullMm: float = FULL_MM) -> None:
    """Lay the map over what the slice views show, with a legend.

    Args:
        fullMm: the error shown in the last color.
    """
    setScale(node, fullMm)
    overlay.show(node, OPACITY)
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node.GetDisplayNode())
    legend.SetTitleText("Error (mm)")
    legend.SetLabelFormat("%.1f")
    legend.SetNumberOfLabels(6)
    legend.SetSize(0.12, 0.5)  # of the view
    legend.GetLabelTextProperty().SetFontSize(16)
    legend.GetTitleTextProperty().SetFontSize(16)
    legend.SetVisibility(True)
    legend.Modified()  # else a view that shows the map only now leaves it out


def setScale(node: slicer.vtkMRMLScalarVolumeNode, fullMm: float) -> None:
    """Colors from 0 to so many mm."""
    if node.GetDisplayNode() is not None:
        node.GetDisplayNode().SetWindowLevelMinMax(0, fullMm)


def hideAll() -> None:
    """Take every map out of the views."""
    for view in views.compositeNodes():
        node = overlay.shownIn(view)
        if node is not None and node.GetAttribute(WORST_POINT):
            hide(node)


def hide(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Take it out of the views; nothing happens to views that show another label layer."""
    overlay.hide(node)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node.GetDisplayNode())
    if legend is not None:
        legend.SetVisibility(False)


def worst(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, np.ndarray]:
    """The largest error in mm, and where it lies now: RAS mm in the world.

    Raises:
        InputError: if the map lies under a non-linear transform by now.
    """
    point = np.array([float(value) for value in node.GetAttribute(WORST_POINT).split()])
    return float(node.GetAttribute(WORST_MM)), apply(volumes.parentToWorld(node), point)
