"""The choices of the panel as a scene holds them, perhaps by a version of this module that has other ones."""

from __future__ import annotations

import math

import slicer

from .parameters import Initialization, Interpolation, Measure, TransformType, VoxelType

KINDS = {
    "transformType": TransformType,
    "initialization": Initialization,
    "measure": Measure,
    "interpolation": Interpolation,
    "voxelType": VoxelType,
    "seed": int,
    "fillValue": float,
}
"""Those that not every text stands for."""


def forgetUnknown(node: slicer.vtkMRMLScriptedModuleNode) -> None:
    """Take out what cannot be read, so that the default takes its place: Slicer's wrapper of the node would raise
    ValueError, and the panel could not open."""
    for name, kind in KINDS.items():
        if node.HasParameter(name) and not _isKnown(node.GetParameter(name), kind):
            node.UnsetParameter(name)


def _isKnown(text: str, kind: type) -> bool:
    if kind not in (int, float):
        return text in kind.__members__
    try:
        return math.isfinite(kind(text))
    except ValueError:
        return False
