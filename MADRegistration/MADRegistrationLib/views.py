"""Fixed and moving volume over each other in the slice views, and what there was before."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import slicer


def compositeNodes() -> list[slicer.vtkMRMLSliceCompositeNode]:
    """What the slice views show, one node a view."""
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))


@dataclass(frozen=True)
class Layers:
    """What the slice views showed at some time."""

    views: list[tuple[slicer.vtkMRMLSliceCompositeNode, str | None, str | None, float]]

    @classmethod
    def now(cls) -> Layers:
        return cls(
            [
                (node, node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity())
                for node in compositeNodes()
            ]
        )

    def restore(self) -> None:
        """Show it again; volumes and views that are gone are left out."""
        for node, background, foreground, opacity in self.views:
            if node.GetScene() is not None:
                node.SetBackgroundVolumeID(_present(background))
                node.SetForegroundVolumeID(_present(foreground))
                node.SetForegroundOpacity(opacity)


def _present(nodeId: str | None) -> str | None:
    return nodeId if nodeId and slicer.mrmlScene.GetNodeByID(nodeId) else None


def show(
    fixed: slicer.vtkMRMLVolumeNode, moving: slicer.vtkMRMLVolumeNode | None, opacity: float = 0.5, fit: bool = True
) -> None:
    """The fixed volume in every slice view, the moving one half transparent over it.

    Args:
        fit: whether to bring the whole fixed volume into view, instead of staying where the views are.
    """
    hasViews = getattr(slicer, "app", None) is not None
    with slicer.util.RenderBlocker() if hasViews else nullcontext():  # drawn once, not after each step
        slicer.util.setSliceViewerLayers(
            background=fixed, foreground=moving, foregroundOpacity=opacity, fit=fit and hasViews
        )


def isShown(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> bool:
    """Whether at least one view shows both, in either order."""
    wanted = {fixed.GetID(), moving.GetID()}
    return any({node.GetBackgroundVolumeID(), node.GetForegroundVolumeID()} == wanted for node in compositeNodes())


def blend(opacity: float) -> None:
    """How much of the foreground is seen, 0 to 1."""
    for node in compositeNodes():
        node.SetForegroundOpacity(opacity)


def opacity() -> float:
    """How much of the foreground is seen now."""
    nodes = compositeNodes()
    return nodes[0].GetForegroundOpacity() if nodes else 0.5


def swap() -> None:
    """Exchange foreground and background."""
    for node in compositeNodes():
        background, foreground = node.GetBackgroundVolumeID(), node.GetForegroundVolumeID()
        node.SetBackgroundVolumeID(foreground)
        node.SetForegroundVolumeID(background)


def flick() -> None:
    """Show only the other of the two volumes; called by a timer, the eye sees every difference jump."""
    blend(0.0 if opacity() > 0.5 else 1.0)


FORMER_LABEL, FORMER_LABEL_OPACITY = "MADRegistrationFormerLabel", "MADRegistration.FormerLabelOpacity"
"""Node reference and attribute of a slice view: its label layer before :func:`setLabelLayer`."""


def setLabelLayer(volume: slicer.vtkMRMLVolumeNode, opacity: float) -> None:
    """Lay a volume over the two others in every slice view, until :func:`clearLabelLayer`."""
    for node in compositeNodes():
        if node.GetLabelVolumeID() != volume.GetID():
            node.SetNodeReferenceID(FORMER_LABEL, node.GetLabelVolumeID())
            node.SetAttribute(FORMER_LABEL_OPACITY, str(node.GetLabelOpacity()))
            node.SetLabelVolumeID(volume.GetID())
            node.SetLabelOpacity(opacity)


def clearLabelLayer(volume: slicer.vtkMRMLVolumeNode) -> None:
    """Show what was there before in the views that still show this volume as their label layer."""
    for node in compositeNodes():
        if node.GetLabelVolumeID() == volume.GetID():
            node.SetLabelVolumeID(node.GetNodeReferenceID(FORMER_LABEL))
            node.SetLabelOpacity(float(node.GetAttribute(FORMER_LABEL_OPACITY) or 1.0))
            node.SetNodeReferenceID(FORMER_LABEL, None)
            node.RemoveAttribute(FORMER_LABEL_OPACITY)


def jumpTo(point: np.ndarray) -> None:
    """Bring a point (RAS mm, world) into the middle of every slice view."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(
        slicer.mrmlScene, *map(float, point), slicer.vtkMRMLSliceNode.CenteredJumpSlice
    )


def plotConvergence(points: np.ndarray, title: str, nodes: dict) -> slicer.vtkMRMLPlotChartNode:
    """A chart of :meth:`SceneRegistration.convergence`, shown in a plot view where there are views.

    Args:
        points: (n, 3): percent of the run, distance from the final pose in mm, estimated error in mm or NaN.
        nodes: of the former chart, to be used again; an empty dict the first time.  Filled in.
    """
    names = ["Percent of the run", "Distance to the result", "Estimated error"]
    columns = 2 if np.isnan(points[:, 2]).all() else 3
    chart = slicer.util.plot(
        points[:, :columns],
        xColumnIndex=0,
        columnNames=names[:columns],
        title=title,
        show=getattr(slicer, "app", None) is not None,
        nodes=nodes,
    )
    chart.SetXAxisTitle(names[0])
    chart.SetYAxisTitle("mm")
    for series, name in zip(nodes["series"], names[1:], strict=False):
        series.SetName(name)
    return chart


def showTable(table: slicer.vtkMRMLTableNode) -> None:
    """Show a table in a table view, where there are views."""
    app = getattr(slicer, "app", None)
    layoutManager = app.layoutManager() if app is not None else None
    if layoutManager is None:
        return
    layoutManager.setLayout(slicer.modules.tables.logic().GetLayoutWithTable(layoutManager.layout))
    app.applicationLogic().GetSelectionNode().SetActiveTableID(table.GetID())
    app.applicationLogic().PropagateTableSelection()
