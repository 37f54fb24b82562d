"""The edges of a volume as another volume, which moves with it and is laid over the slice views."""

from __future__ import annotations

import json

import numpy as np
import slicer

from ..scene import ownnodes
from ..scene.attributes import ATTRIBUTE_PREFIX
from ..scene.fingerprint import knownFingerprintOf
from ..scene.storedvalues import matrixOf
from ..scene.transforms import setParent
from ..scene.volumes import ijkToRas
from . import colors, overlay

KIND = "edges"
"""What they are marked as; see :mod:`ownnodes`."""

OF = "MADRegistrationEdgesOf"
"""Node reference to the volume."""

VOXELS, LATTICE = ATTRIBUTE_PREFIX + "EdgesOfVoxels", ATTRIBUTE_PREFIX + "EdgesOfLattice"
"""Attributes: the fingerprint that the volume had, and JSON of its IJK to RAS."""

SAME = 1e-4
"""Elements of matrices that differ by less are the same, also after they were saved."""

SHOWN_FROM = 128
"""Edges are 255 on 0, and between two voxels the display interpolates: the line is as thick as a voxel."""


def find(volume: slicer.vtkMRMLScalarVolumeNode | None) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The edges of a volume, if they have been made of the voxels that it has, where they lie now."""
    node = made(volume)
    if node is None or node.GetAttribute(VOXELS) != knownFingerprintOf(volume):
        return None
    lattice = matrixOf(node.GetAttribute(LATTICE))
    return node if lattice is not None and np.allclose(lattice, ijkToRas(volume), rtol=0, atol=SAME) else None


def made(volume: slicer.vtkMRMLScalarVolumeNode | None) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The node with edges of a volume, which may have been given other voxels since, or hardened."""
    if volume is None:
        return None
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetNodeReference(OF) is volume and not ownnodes.isTheUsers(node)), None)


def make(volume: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    """A node for the edges of a volume, without voxels."""
    scene = volume.GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{volume.GetName()} edges (MAD)")
    ownnodes.mark(node, KIND)
    node.SetNodeReferenceID(OF, volume.GetID())
    display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAndObserveColorNodeID(colors.ramp("Blue", colors.BLUE).GetID())
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, SHOWN_FROM)
    display.SetThreshold(SHOWN_FROM, 255)
    display.SetApplyThreshold(True)
    node.SetAndObserveDisplayNodeID(display.GetID())
    return node


def stateOf(volume: slicer.vtkMRMLScalarVolumeNode) -> dict[str, str]:
    """What edges of a volume are of, by the names of attributes: see :func:`find`."""
    return {VOXELS: knownFingerprintOf(volume), LATTICE: json.dumps(ijkToRas(volume).tolist())}


def follow(volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
    """Put the edges where the volume is; those that it no longer has leave the views."""
    node = made(volume)
    if node is not None and volume.GetScene() is not None:
        setParent(node, volume.GetTransformNodeID())
        if overlay.isShown(node) and find(volume) is None:
            overlay.hide(node)


class Follower:
    """Puts the edges where the volume is, whenever it is another volume or under another transform."""

    def __init__(self) -> None:
        self._place: tuple[str, str | None] | None = None

    def follow(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """To be called often: it looks through the scene only if something has changed."""
        place = None if volume is None else (volume.GetID(), volume.GetTransformNodeID())
        if place != self._place:
            self._place = place
            follow(volume)


def show(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Lay them over what the slice views show."""
    overlay.show(node, 1.0)
