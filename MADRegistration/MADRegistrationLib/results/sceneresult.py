"""What a registration puts into the scene, and takes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import slicer

from ..inputs import Inputs
from ..scene.attributes import ATTRIBUTE_PREFIX, ERROR_MAP, FORMER_ERROR_MAP, refer, references
from ..scene.outputtransform import ownTransform
from ..scene.pose import poseOf
from ..scene.transforms import ancestors
from ..scene.volumes import ijkToRas
from . import resampledvolume, savedregistration, storedreport
from .errormap import ErrorMap
from .placement import Placement
from .report import attributesOf
from .resampledvolume import ResampledVolume
from .structuretable import StructureTable


class SceneResult:
    """The moving volume in its place, the signed transform, the error map, the table of structures and the resampled
    volume.

    Args:
        run: what the registrations that belong together have in common, see :func:`registration.newRun`.

    Attributes:
        placement: where the moving volume lies, now and before.
        voxels: of both volumes at the beginning, as of :func:`storedreport.voxelsOf`.
        isApplied: whether it lies where the result says.
        poseBefore: of an attempt, as of :func:`pose.poseOf`: where both volumes are left.

    Raises:
        InputError: as :class:`placement.Placement`.
    """

    def __init__(self, inputs: Inputs, run: str) -> None:
        self._inputs, self._run = inputs, run
        self.placement = self._place()
        self._ijkToRas = ijkToRas(inputs.moving)
        self.voxels = storedreport.voxelsOf(inputs.fixed, inputs.moving)
        self.isApplied = False
        self.poseBefore: np.ndarray | None = None
        self._errorMap: ErrorMap | None = None
        self._table: StructureTable | None = None
        self._resampled = ResampledVolume(inputs.resampled)
        self._signed: slicer.vtkMRMLLinearTransformNode | None = None
        self._drawn = [node for node in (*inputs.drawn, inputs.movingMask) if node is not None]

    def _place(self) -> Placement:
        inputs = self._inputs
        transform = inputs.transform or ownTransform(inputs.fixed, inputs.moving)
        return Placement(inputs.fixed, inputs.moving, transform, inputs.along)

    @property
    def isHardened(self) -> bool:
        """Whether the moving volume was taken out of the transform and lies elsewhere itself: there is no way back."""
        moving = self._inputs.moving
        isUnder = self.placement.transform in ancestors(moving)[:1]
        return not isUnder and not np.allclose(ijkToRas(moving), self._ijkToRas, atol=1e-6)

    def follow(self, matrix: np.ndarray) -> None:
        """Show a pose on the way to the result, 4x4 as of :meth:`apply`.  The scene may be saved meanwhile: the way
        back is on the transform from the first pose on."""
        self.placement.show(matrix)
        if self.placement.transform is not self._signed:
            self._signed = self.placement.transform
            marks = {savedregistration.RUN: self._run, savedregistration.UNFINISHED: str(True)}
            self.placement.sign(marks, self._drawn)

    def apply(self, matrix: np.ndarray, report: dict[str, Any], errorMap: ErrorMap | None) -> None:
        """Put the moving volume in place (4x4, fixed LPS to moving LPS), and all that belongs to it.

        Args:
            report: a sentence is added to its ``notices`` where the scene has changed meanwhile.
        """
        self.placement.show(matrix)
        transform = self.placement.transform
        if self.placement.isReplaced:
            report["notices"].append(
                f'The output transform was deleted meanwhile: the result is in "{transform.GetName()}".'
            )
        self.placement.sign({**attributesOf(report), savedregistration.RUN: self._run}, self._drawn)
        transform.RemoveAttribute(ATTRIBUTE_PREFIX + savedregistration.UNFINISHED)
        self._keep(report)
        resampledvolume.sign(transform, None)
        self._errorMap = errorMap
        if errorMap is None:
            refer(transform, FORMER_ERROR_MAP, references(transform, ERROR_MAP))  # of an earlier result
            refer(transform, ERROR_MAP, [])
        else:
            errorMap.put(self._inputs.fixed, self._inputs.moving, transform)
        self._table = StructureTable(report)
        self._table.put(self._inputs.fixed, self._inputs.moving, transform)
        self.isApplied = True

    def _keep(self, report: dict[str, Any]) -> None:
        storedreport.keep(self.placement.transform, self._inputs.fixed, self._inputs.moving, report)

    def resample(self, voxels: np.ndarray, report: dict[str, Any]) -> Iterator[None]:
        """Write the resampled volume, a piece at a time: voxels (k, j, i) on the grid of the fixed volume."""
        if self._resampled.isDeleted:
            report["notices"].append("The resampled volume was deleted meanwhile, and not written.")
        else:
            nodes = self._inputs.fixed, self._inputs.moving, self.placement.transform
            yield from self._resampled.write(voxels, *nodes)
        self._keep(report)

    def keepAttempt(self, matrix: np.ndarray, report: dict[str, Any]) -> None:
        """Remember a pose as of :meth:`apply`, and leave the scene as it was before.

        Raises:
            InputError: if one of the volumes lies under a non-linear transform by now.
        """
        self._attempt = self.placement.ownPose(matrix)
        self.placement.restore()
        self.poseBefore = poseOf(self._inputs.fixed, self._inputs.moving)
        if self._inputs.resampled is not None:
            report["notices"].append(f'"{self._inputs.resampled.GetName()}" was not written.')

    def showAttempt(self, report: dict[str, Any], errorMap: ErrorMap | None) -> None:
        """Apply what was remembered, wherever both volumes have been taken meanwhile.

        Raises:
            InputError: if the scene does not allow it any more.
        """
        self.placement = self._place()
        self.apply(self.placement.fromOwnPose(self._attempt), report, errorMap)

    def undo(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Put the scene back to what it was before; returns the resampled volume if it has been given other voxels
        since, which stay."""
        if self._errorMap is not None:
            self._errorMap.remove()
        if self._table is not None:
            self._table.remove()
        self.placement.restore(withMoving=not self.isHardened)
        self.isApplied = False
        return self._resampled.restore()
