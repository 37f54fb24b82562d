"""The coordinate system that a pair is registered in: that of the fixed volume, without its parent transforms.

The same pair in the same relative pose is the same work for the backend wherever both lie in the scene, and has the
same result.  Where the parents scale or shear, only their rotation and translation are taken out: lengths are measured
as they are in the scene.
"""

from __future__ import annotations

import numpy as np
import slicer

from madreg.image.geometry import flip_world, nearest_orthogonal

from .transforms import parentToWorld, toWorld


class CoordinateSystem:
    """Made from the fixed volume as it lies now.

    Args:
        initial: where the registration begins: the moving volume as if it lay under this transform.

    Attributes:
        fromWorld: 4x4, LPS mm of the world to LPS mm of this system; the identity if there are no parent transforms.
        movingFromWorld: the same for the moving volume, with the initial transform.

    Raises:
        InputError: if a transform is not linear.
    """

    def __init__(
        self, fixed: slicer.vtkMRMLScalarVolumeNode, initial: slicer.vtkMRMLTransformNode | None = None
    ) -> None:
        parents = flip_world(parentToWorld(fixed))
        rigid = parents.copy()
        rigid[:3, :3] = nearest_orthogonal(parents[:3, :3])
        self.fromWorld = np.eye(4) if fixed.GetParentTransformNode() is None else np.linalg.inv(rigid)
        self.movingFromWorld = self.fromWorld
        if initial is not None:
            self.movingFromWorld = self.fromWorld @ flip_world(toWorld(initial))

    @property
    def toWorld(self) -> np.ndarray:
        """4x4, the inverse."""
        return np.linalg.inv(self.fromWorld)

    def inWorld(self, fixedToMoving: np.ndarray) -> np.ndarray:
        """A 4x4 transform between points of this system as one between points of the world."""
        return np.linalg.inv(self.movingFromWorld) @ fixedToMoving @ self.fromWorld
