"""A pair of image files loaded into the scene, with the result that the manifest has of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from madreg import __version__
from madreg.batch.manifest import Entry
from madreg.errors import InputError

from ..inputs import Inputs
from ..jobs.registration import newRun
from ..results.report import movedMm
from ..results.sceneresult import SceneResult
from ..scene import volumes


@dataclass(frozen=True)
class LoadedPair:
    """Two volumes that were loaded from files."""

    fixed: slicer.vtkMRMLScalarVolumeNode
    moving: slicer.vtkMRMLScalarVolumeNode

    @classmethod
    def load(cls, fixed: Path, moving: Path) -> LoadedPair:
        """Load them; the views stay what they are.

        Raises:
            InputError: if one cannot be loaded; then none is in the scene.
        """
        nodes: list[slicer.vtkMRMLNode] = []
        for path in (fixed, moving):
            if path.is_dir():
                raise InputError(f"{path} is a folder: load its images with the module DICOM.")
            if not path.is_file():
                raise InputError(f"{path} cannot be loaded, as it is not there: check the path in the table.")
        for path in (fixed, moving):
            try:
                nodes.append(slicer.util.loadVolume(str(path), {"show": False}))
            except RuntimeError as error:
                for node in nodes:
                    slicer.mrmlScene.RemoveNode(node)
                raise InputError(
                    f"{path} cannot be loaded as a volume: open it with Add Data, or give another image."
                ) from error
        return cls(*nodes)

    @property
    def isThere(self) -> bool:
        """Whether both are still in the scene."""
        return self.fixed.GetScene() is not None and self.moving.GetScene() is not None

    def apply(self, entry: Entry | None) -> None:
        """Put the moving volume where an entry of the manifest says, once; it stays where there is no result, or one
        with the verdict failed."""
        if entry is None or entry["state"] != "done" or entry["verdict"] == "failed":
            return
        if self.moving.GetParentTransformNode() is not None:  # it was shown before
            return
        matrix = np.array(entry["matrix_fixed_to_moving_lps"])
        moved = movedMm(matrix, volumes.imageOfVolume(self.moving).grid.center)
        report = {"madreg": __version__, "error_after_mm": None, **entry, "moved_mm": moved}
        SceneResult(Inputs(self.fixed, self.moving), newRun()).apply(matrix, report, None)
