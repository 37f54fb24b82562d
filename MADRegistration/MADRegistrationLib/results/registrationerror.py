"""The registration error of two volumes in the scene, where the truth is known."""

from __future__ import annotations

import json

import numpy as np
import slicer

from madreg import resources
from madreg.image.geometry import FLIP_LPS_RAS, apply

from ..scene.transforms import parentToWorld
from ..scene.volumes import imageOfVolume


def meanErrorMm(
    fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode, fixedToMoving: np.ndarray
) -> float:
    """Mean distance in mm, over the bright voxels of the fixed volume, of where they are seen in the two volumes.

    Args:
        fixedToMoving: 4x4, the truth between the two volumes without their parent transforms, LPS mm.
    """
    image = imageOfVolume(fixed)
    inside = np.argwhere(image.array > image.array.mean())[::50, ::-1]
    world = apply(image.matrix, inside)
    own = apply(FLIP_LPS_RAS @ np.linalg.inv(parentToWorld(fixed)) @ FLIP_LPS_RAS, world)
    matched = apply(np.asarray(fixedToMoving, float), own)
    seen = apply(FLIP_LPS_RAS @ parentToWorld(moving) @ FLIP_LPS_RAS, matched)
    return float(np.linalg.norm(seen - world, axis=1).mean())


def demoErrorMm(fixed: slicer.vtkMRMLScalarVolumeNode, moving: slicer.vtkMRMLScalarVolumeNode) -> float:
    """The same for the bundled pair, ``T1w`` and ``EPI``, whose truth is itself good to 2 to 3 mm."""
    truth = json.loads(resources.path("Demo", "truth.json").read_text(encoding="utf-8"))
    return meanErrorMm(fixed, moving, truth["fixed_to_moving_lps_mm"])
