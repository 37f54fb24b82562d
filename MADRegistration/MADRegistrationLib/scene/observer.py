"""Calls back when something happens to nodes or to the scene that the panel has to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import slicer
import vtk
from slicer.util import VTKObservationMixin


class SceneObserver(VTKObservationMixin):
    """Watches the chosen volumes (moved, new voxels, renamed) and which nodes there are.

    Args:
        callback: called after each change; not while a scene is loaded or closed.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._callback = callback
        self._watched: list[slicer.vtkMRMLNode] = []

    def watch(self, nodes: Iterable[slicer.vtkMRMLVolumeNode | None]) -> None:
        """Watch these, and the scene, instead of those before."""
        nodes = list(dict.fromkeys(node for node in nodes if node is not None))  # both may be the same
        if nodes == self._watched:
            return
        self.stop()
        self._watched = nodes
        for node in nodes:
            for event in (node.TransformModifiedEvent, node.ImageDataModifiedEvent, vtk.vtkCommand.ModifiedEvent):
                self.addObserver(node, event, self._onEvent)
        scene = slicer.mrmlScene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, self._onEvent)

    def stop(self) -> None:
        """Watch nothing."""
        self.removeObservers()
        self._watched = []

    def _onEvent(self, caller: slicer.vtkMRMLNode, event: str) -> None:
        if not slicer.mrmlScene.IsBatchProcessing() and not slicer.mrmlScene.IsClosing():
            self._callback()
