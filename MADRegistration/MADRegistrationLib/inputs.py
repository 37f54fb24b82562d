"""What is registered, and where the result goes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import slicer

from madreg.errors import InputError
from madreg.io.resampling import check_fill
from madreg.settings import Resampling

from .scene import masks, volumes
from .scene.annotations import drawnOn
from .scene.outputtransform import ownTransform, whyNotOutput
from .scene.transforms import toWorld


@dataclass(frozen=True)
class Inputs:
    """Nodes, of which all but the two volumes may be None.

    Attributes:
        transform: the output; if None, the transform of a former registration of the same two volumes, or a new one.
        along: nodes that move with the moving volume; see :func:`annotations.drawnOn`.
        initial: where the registration begins: the moving volume as if it lay under this transform.
        resampling: how ``resampled`` is made.
        structures: segmentation or label map of the fixed volume, whose structures are assessed one by one.
    """

    fixed: slicer.vtkMRMLScalarVolumeNode
    moving: slicer.vtkMRMLScalarVolumeNode
    fixedMask: slicer.vtkMRMLNode | None = None
    movingMask: slicer.vtkMRMLNode | None = None
    transform: slicer.vtkMRMLLinearTransformNode | None = None
    resampled: slicer.vtkMRMLScalarVolumeNode | None = None
    along: tuple[slicer.vtkMRMLTransformableNode, ...] = ()
    initial: slicer.vtkMRMLTransformNode | None = None
    resampling: Resampling = field(default_factory=Resampling)
    structures: slicer.vtkMRMLNode | None = None

    def checkVolumes(self) -> None:
        """Raise InputError, in one sentence, if the volumes or their masks cannot be compared."""
        for node, role in ((self.fixed, "fixed"), (self.moving, "moving")):
            if node is None:
                raise InputError(f"Choose a {role} volume.")
            reason = volumes.whyNotVolume(node)
            if reason:
                raise InputError(reason)
        if self.fixed is self.moving:
            raise InputError("The fixed and the moving volume are the same: choose two different ones.")
        for mask, volume in ((self.fixedMask, self.fixed), (self.movingMask, self.moving)):
            reason = None if mask is None else masks.whyNotOn(mask, volume)
            if reason:
                raise InputError(reason)

    def check(self) -> None:
        """Raise InputError, in one sentence, for what cannot be registered."""
        self.checkVolumes()
        if self.initial is not None and np.linalg.det(toWorld(self.initial)) < 0:  # left would become right
            raise InputError(
                f'"{self.initial.GetName()}" mirrors the moving volume (its determinant is negative): choose an '
                "initial transform that does not."
            )
        output = self.transform or ownTransform(self.fixed, self.moving)
        reason = None if output is None else whyNotOutput(output, self.fixed, self.moving)
        if reason:
            raise InputError(reason)
        self._checkResampled()

    def _checkResampled(self) -> None:
        if self.resampled is None:
            return
        if self.resampled in (self.fixed, self.moving, self.fixedMask, self.movingMask, self.structures):
            raise InputError(
                f'"{self.resampled.GetName()}" is an input and would be overwritten: choose another resampled volume.'
            )
        self.resampling.check()
        voxels = slicer.util.arrayFromVolume(self.moving)
        check_fill(self.resampling.fill, self.resampling.voxel_type, voxels.dtype)

    @property
    def drawn(self) -> list[slicer.vtkMRMLDisplayableNode]:
        """What was drawn on the moving volume, its mask included if that lies under the same transform."""
        found = drawnOn(self.moving)
        mask = self.movingMask
        isBeside = mask is not None and mask.GetParentTransformNode() is self.moving.GetParentTransformNode()
        return [*found, mask] if isBeside and mask not in found else found
