"""Whether the user has changed the volumes of a job since it began, which may end it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import slicer

from madreg.errors import InputError

from ..scene.transforms import parentToWorld
from ..scene.volumes import ijkToRas

SAME = 1e-6
"""Elements of matrices that differ by less, relatively or in mm, are the same."""


class VolumeChanges:
    """Remembers where the voxels of some volumes lie.

    Args:
        what: the kind of job, in sentences for the user.
    """

    def __init__(self, nodes: Sequence[slicer.vtkMRMLScalarVolumeNode], what: str) -> None:
        self._nodes, self._what = list(dict.fromkeys(nodes)), what
        self._sizes, self._lattices, self._places = (
            [of(node) for node in self._nodes] for of in (_size, ijkToRas, parentToWorld)
        )

    def check(self, withPlace: bool) -> None:
        """Raise InputError, which says what was stopped, if a volume was deleted or its voxels lie on another lattice.

        Args:
            withPlace: also if the transforms above it have moved it.
        """
        self._refuse(lambda n: self._nodes[n].GetScene() is None, "deleted: the {what} was stopped")
        self._refuse(self._isAnother, "hardened or given other voxels: the {what} was stopped, begin it again")
        if withPlace:
            self._refuse(self._isMoved, "moved: the {what} was stopped, begin it again")

    def _refuse(self, isIt: Callable[[int], bool], why: str) -> None:
        names = [f'"{node.GetName()}"' for n, node in enumerate(self._nodes) if isIt(n)]
        if names:
            verb = "was" if len(names) == 1 else "were"
            raise InputError(f"{' and '.join(names)} {verb} {why.format(what=self._what)}.")

    def _isAnother(self, n: int) -> bool:
        return _size(self._nodes[n]) != self._sizes[n] or not _same(ijkToRas(self._nodes[n]), self._lattices[n])

    def _isMoved(self, n: int) -> bool:
        return not _same(parentToWorld(self._nodes[n]), self._places[n])


def _size(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[int, ...] | None:
    image = node.GetImageData()
    return None if image is None else tuple(image.GetDimensions())


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return np.allclose(first, second, rtol=SAME, atol=SAME)
