"""Registrations known only from what stands on their transforms: those of a scene that was saved and loaded."""

from __future__ import annotations

import slicer

from ..scene.attributes import ATTRIBUTE_PREFIX, ERROR_MAP, RESAMPLED, STRUCTURES, refer, references
from ..scene.fingerprint import fingerprintOf
from . import errormap, resampledvolume
from .formerplacement import FormerPlacement
from .resampledvolume import NotAsBefore

RUN = "Run"
UNFINISHED = "Unfinished"
"""What is written with :meth:`placement.Placement.sign`: the run, and whether it had no result yet."""


class SavedRegistration:
    """One registration of the past.

    Attributes:
        transform: its result.
        run: what it has in common with those that belong to it.
    """

    def __init__(self, transform: slicer.vtkMRMLLinearTransformNode, before: FormerPlacement) -> None:
        self.transform, self._before = transform, before
        self.run = transform.GetAttribute(ATTRIBUTE_PREFIX + RUN) or ""

    @property
    def moving(self) -> slicer.vtkMRMLScalarVolumeNode:
        """The volume that was moved."""
        return self._before.moving

    @property
    def madeTransform(self) -> bool:
        """Whether the transform did not exist before."""
        return self._before.state is None

    @property
    def _isUnfinished(self) -> bool:
        """Whether the scene was saved while it ran: it has made nothing but its transform."""
        return self.transform.GetAttribute(ATTRIBUTE_PREFIX + UNFINISHED) is not None

    def _made(self, role: str) -> slicer.vtkMRMLNode | None:
        """What it has made; that of an unfinished one is of an earlier registration."""
        return None if self._isUnfinished else self.transform.GetNodeReference(role)

    @property
    def notAsBefore(self) -> NotAsBefore:
        """What :meth:`revert` leaves: the resampled volume, if its former voxels are lost or it has been given others
        since."""
        node, written = self._made(RESAMPLED), self.transform.GetAttribute(resampledvolume.VOXELS)
        if node is not None and written is not None and fingerprintOf(node) not in ("", written):
            return None, node
        return None if self.transform.GetAttribute(resampledvolume.WAS_EMPTY) == "True" else node, None

    def revert(self) -> NotAsBefore:
        """Put the scene back to what it was before, except for what is returned."""
        left = self.notAsBefore
        errorMap, table, resampled = (self._made(role) for role in (ERROR_MAP, STRUCTURES, RESAMPLED))
        earlier = {role: references(self.transform, role) for role in (ERROR_MAP, STRUCTURES) if self._isUnfinished}
        if resampled is not None and left == (None, None):
            resampled.SetAndObserveImageData(None)
            resampled.SetAndObserveTransformNodeID(None)
        if errorMap is not None:
            errormap.remove(errorMap)
        if table is not None:
            table.GetScene().RemoveNode(table)
        self._before.restore(self.transform)
        for role, nodes in earlier.items():
            refer(self.transform, role, nodes)
        return left


def newest() -> list[SavedRegistration]:
    """The registrations of the last run in the scene that can be reverted."""
    transforms = slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")
    found = [
        SavedRegistration(transform, before)
        for transform in transforms
        if (before := FormerPlacement.read(transform)) is not None
    ]
    last = max((one.run for one in found), default="")
    return [one for one in found if one.run == last]
