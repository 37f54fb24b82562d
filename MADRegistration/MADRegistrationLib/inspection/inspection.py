"""Looking at two volumes in the slice views: blend, flicker, colors, edges, checkerboard, error map.  No Qt in here."""

from __future__ import annotations

from typing import Protocol

import slicer

from ..messages import Messages
from ..translation import _
from ..views import checkerboard, colors, edges, errormapdisplay, fieldofview, layout, overlay, sliceviews
from .blending import Blending, BlendingView
from .errorinspection import ErrorInspection, ErrorInspectionView
from .shownpair import ShownPair


class InspectionView(BlendingView, ErrorInspectionView, Protocol):
    """What the widget can show of it."""

    def setInspectionEnabled(self, isEnabled: bool) -> None: ...
    def setPictures(self, areColored: bool, areEdgesShown: bool, isCheckerboardShown: bool) -> None: ...


class Inspection:
    """Everything behind the widgets that look at the volumes.  The first touch brings the two into the views.

    Attributes:
        blending: the slider and the flicker button.
        errors: the buttons of the error map.
    """

    def __init__(self, view: InspectionView, messages: Messages) -> None:
        self._view, self._messages = view, messages
        self._pair = ShownPair(view, onShown=self._refresh)
        self.blending = Blending(view, self._pair)
        self.errors = ErrorInspection(view, messages, self._pair, onChange=self._refresh)

    def update(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode | None,
        moving: slicer.vtkMRMLScalarVolumeNode | None,
        isRunning: bool = False,
    ) -> None:
        """Look at these two from now on; while a registration runs there is no error map."""
        former = self._pair.moving
        if former is not None and former is not moving and former.GetScene() is not None:
            colors.hide(former)
            overlay.hide()
        self._pair.fixed, self._pair.moving = fixed, moving
        edges.follow(moving)
        if not isRunning and self._pair.isThere and checkerboard.isOutdated(fixed, moving):
            self._pair.show()
        self._refresh(isRunning)

    def _refresh(self, isRunning: bool = False) -> None:
        pair = self._pair
        self._view.setInspectionEnabled(pair.isThere)
        self.errors.update(isRunning)
        self._view.setPictures(
            pair.isThere and colors.isShown(pair.moving),
            overlay.isShown(edges.find(pair.moving)),
            pair.isThere and checkerboard.isShown(pair.fixed),
        )

    def showResult(self, isFar: bool) -> None:
        """After a registration: the two in their colors, and where the moving volume came from afar, the views on what
        both have in common."""
        if layout.showSlices():
            self._messages.setMessage(_("The layout was changed to one with slice views."), False)
        isNew = self._pair.bringIntoView()
        colors.show(self._pair.moving)
        if isNew or isFar:
            node = self._pair.errorMap
            box = None if node is None else fieldofview.boxOfMap(node)
            fieldofview.fit(*(box or fieldofview.commonBox(self._pair.fixed, self._pair.moving)))
        self._refresh()

    def onColors(self, isOn: bool) -> None:
        """The moving volume in orange, or in its own colors."""
        if self._pair.isThere:
            self._pair.bringIntoView()
            (colors.show if isOn else colors.hide)(self._pair.moving)
            self._refresh()

    def showEdges(self) -> bool:
        """Lay the edges of the moving volume over the views, if they have been made; returns whether."""
        node = edges.find(self._pair.moving)
        if node is not None:
            self._pair.bringIntoView()
            edges.show(node)
            self._refresh()
        return node is not None

    def hideOverlay(self) -> None:
        """Take error map or edges out of the views."""
        errormapdisplay.hideAll()
        overlay.hide()
        self._refresh()

    def showComparison(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        """The checkerboard instead of the two; the views stay where they are."""
        self._pair.bringIntoView()
        sliceviews.show(node, None, sliceviews.opacity(), fit=False)
        self._refresh()

    def showPair(self) -> None:
        """The two again; the views stay where they are."""
        self._pair.show()
        self._refresh()
