"""How a registration went, as a chart; its nodes are used again, and taken away by Revert."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from ..translation import _

COLUMNS = ("Percent of the run", "Distance to the result", "Estimated error")


class ConvergencePlot:
    """One chart, of whichever registration was shown last."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}

    def show(self, points: np.ndarray, name: str) -> slicer.vtkMRMLPlotChartNode:
        """Draw it, and show it in a plot view where there are views.

        Args:
            points: as of :meth:`history.History.convergence`.
            name: of the moving volume.
        """
        if any(node.GetScene() is None for node in self._all()):
            self.remove()
        columns = 2 if np.isnan(points[:, 2]).all() else 3
        chart = slicer.util.plot(
            points[:, :columns],
            xColumnIndex=0,
            columnNames=list(COLUMNS[:columns]),
            title=_("Registration of {name}").format(name=name),
            show=getattr(slicer, "app", None) is not None,
            nodes=self._nodes,
        )
        chart.SetXAxisTitle(COLUMNS[0])
        chart.SetYAxisTitle("mm")
        for series, column in zip(self._nodes["series"], COLUMNS[1:], strict=False):
            series.SetName(column)
        return chart

    def _all(self) -> list[slicer.vtkMRMLNode]:
        nodes = self._nodes
        return [node for node in (nodes.get("chart"), nodes.get("table"), *nodes.get("series", [])) if node is not None]

    def remove(self) -> None:
        """Take it out of the scene."""
        for node in self._all():
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self._nodes = {}

    def forget(self) -> None:
        """The scene goes."""
        self._nodes = {}
