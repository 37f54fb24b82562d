"""Looking at two volumes in the slice views: blend, flicker, colors, edges, checkerboard, error map.  No Qt in here."""

from __future__ import annotations

from typing import Protocol

import slicer

from madreg.errors import InputError

from . import comparison, crosshair, edges, errormap, framing, layouts, overlay, tint, verdict, views
from .parameters import _


class InspectionView(Protocol):
    """What the widget can show of it."""

    def setMessage(self, text: str, isError: bool) -> None: ...
    def setInspectionEnabled(self, isEnabled: bool) -> None: ...
    def setOpacity(self, opacity: float) -> None: ...
    def setErrorMap(self, isEnabled: bool, isShown: bool) -> None: ...
    def setPictures(self, areColored: bool, areEdgesShown: bool, isCheckerboardShown: bool) -> None: ...
    def setFlicker(self, isOn: bool) -> None: ...


class Inspection:
    """Everything behind the widgets that look at the volumes.  The first touch brings the two into the views.

    Attributes:
        errorScaleMm: the error in the last color of the map.
    """

    def __init__(self, view: InspectionView) -> None:
        self._view = view
        self._fixed: slicer.vtkMRMLScalarVolumeNode | None = None
        self._moving: slicer.vtkMRMLScalarVolumeNode | None = None
        self._opacityBefore: float | None = None
        self.errorScaleMm = errormap.FULL_MM

    def update(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode | None,
        moving: slicer.vtkMRMLScalarVolumeNode | None,
        isRunning: bool = False,
    ) -> None:
        """Look at these two from now on; while a registration runs there is no error map."""
        if self._moving is not None and self._moving is not moving and self._moving.GetScene() is not None:
            tint.hide(self._moving)
            overlay.hide()
        self._fixed, self._moving = fixed, moving
        edges.follow(moving)
        self._view.setInspectionEnabled(self._isPair)
        node = None if isRunning else self._errorMap
        self._view.setErrorMap(node is not None, node is not None and overlay.isShown(node))
        lines = edges.find(moving)
        self._view.setPictures(
            self._isPair and tint.isShown(moving),
            lines is not None and overlay.isShown(lines),
            self._isPair and comparison.isShown(fixed),
        )

    def _refresh(self) -> None:
        self.update(self._fixed, self._moving)

    @property
    def _isPair(self) -> bool:
        return self._fixed is not None and self._moving is not None and self._fixed is not self._moving

    @property
    def _errorMap(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The estimated error of the two, if they have been registered and not been reverted."""
        return errormap.find(self._fixed, self._moving)

    def bringIntoView(self) -> bool:
        """Show the two, if they are not shown; returns whether they were not."""
        if not self._isPair or views.isShown(self._fixed, self._moving):
            return False
        opacity = views.opacity() or 0.5  # a view that never had a foreground is at 0
        views.show(self._fixed, self._moving, opacity, fit=not comparison.isShown(self._fixed))
        self._view.setOpacity(opacity)
        return True

    def showResult(self, isFar: bool) -> None:
        """After a registration: the two in their colors, and where the moving volume came from afar, the views on what
        both have in common."""
        if layouts.showSlices():
            self._view.setMessage(_("The layout was changed to one with slice views."), False)
        isNew = self.bringIntoView()
        tint.show(self._moving)
        if isNew or isFar:
            node = self._errorMap
            box = None if node is None else framing.boxOfMap(node)
            framing.fit(*(box or framing.commonBox(self._fixed, self._moving)))
        self._refresh()

    def onOpacity(self, opacity: float) -> None:
        """Blend."""
        self.bringIntoView()
        views.blend(opacity)
        self._view.setOpacity(opacity)

    def onColors(self, isOn: bool) -> None:
        """The moving volume in orange, or in its own colors."""
        if self._isPair:
            self.bringIntoView()
            (tint.show if isOn else tint.hide)(self._moving)
            self._refresh()

    def onFlickerToggled(self, isOn: bool) -> None:
        """The flicker button goes down or up; the blend from before comes back in the end."""
        if isOn:
            self.bringIntoView()
            self._opacityBefore = views.opacity()
        elif self._opacityBefore is not None:
            views.blend(self._opacityBefore)
            self._view.setOpacity(self._opacityBefore)
            self._opacityBefore = None

    def stopFlicker(self) -> None:
        """Something else begins: the views get their blend back."""
        self.onFlickerToggled(False)
        self._view.setFlicker(False)

    def onFlick(self) -> None:
        """Called by a timer while the flicker button is down."""
        self.bringIntoView()
        views.flick()
        self._view.setOpacity(views.opacity())

    def showEdges(self) -> bool:
        """Lay the edges of the moving volume over the views, if they have been made; returns whether."""
        node = edges.find(self._moving)
        if node is not None:
            self.bringIntoView()
            edges.show(node)
            self._refresh()
        return node is not None

    def hideOverlay(self) -> None:
        """Take error map or edges out of the views."""
        errormap.hideAll()
        overlay.hide()
        self._refresh()

    def showComparison(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        """The checkerboard instead of the two; the views stay where they are."""
        self.bringIntoView()
        views.show(node, None, views.opacity(), fit=False)
        self._refresh()

    def showPair(self) -> None:
        """The two again; the views stay where they are."""
        if self._isPair:
            views.show(self._fixed, self._moving, views.opacity() or 0.5, fit=False)
            self._refresh()

    def onErrorMap(self, isOn: bool) -> None:
        """The button of the error map goes down or up."""
        node = self._errorMap
        if node is None or not isOn:
            return self.hideOverlay()
        self.bringIntoView()
        errormap.show(node, self.errorScaleMm)
        self._refresh()

    def onErrorScale(self, millimetres: float) -> None:
        """The user chooses what the last color of the error map means."""
        self.errorScaleMm = millimetres
        if self._errorMap is not None:
            errormap.setScale(self._errorMap, millimetres)

    def onWorst(self) -> None:
        """Show the place where the estimated error is largest."""
        node = self._errorMap
        if node is None:
            return
        self.bringIntoView()
        try:
            error, point = errormap.worst(node)
        except InputError as problem:
            return self._view.setMessage(str(problem), True)
        views.jumpTo(point)
        crosshair.show(point)
        text = _("The largest local error, {error}, is at the crosshair.")
        self._view.setMessage(text.format(error=verdict.millimetres(error)), False)
