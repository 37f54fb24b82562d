"""Looking at two volumes in the slice views: blend, swap, flicker, error map and worst place.  No Qt in here."""

from __future__ import annotations

from typing import Protocol

import slicer

from madreg.errors import InputError

from . import errormap, verdict, views
from .comparison import isComparisonShown
from .parameters import _


class InspectionView(Protocol):
    """What the widget can show of it."""

    def setMessage(self, text: str, isError: bool) -> None: ...
    def setInspectionEnabled(self, isEnabled: bool) -> None: ...
    def setOpacity(self, opacity: float) -> None: ...
    def setErrorMap(self, isEnabled: bool, isShown: bool) -> None: ...


class Inspection:
    """Everything behind the widgets that look at the volumes.  The first touch brings the two into the views."""

    def __init__(self, view: InspectionView) -> None:
        self._view = view
        self._fixed: slicer.vtkMRMLScalarVolumeNode | None = None
        self._moving: slicer.vtkMRMLScalarVolumeNode | None = None
        self._opacityBefore: float | None = None

    def update(
        self,
        fixed: slicer.vtkMRMLScalarVolumeNode | None,
        moving: slicer.vtkMRMLScalarVolumeNode | None,
        isRunning: bool = False,
    ) -> None:
        """Look at these two from now on; while a registration runs there is no error map."""
        self._fixed, self._moving = fixed, moving
        self._view.setInspectionEnabled(self._isPair)
        node = None if isRunning else self._errorMap
        self._view.setErrorMap(node is not None, node is not None and errormap.isShown(node))

    @property
    def _isPair(self) -> bool:
        return self._fixed is not None and self._moving is not None and self._fixed is not self._moving

    @property
    def _errorMap(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The estimated error of the two, if they have been registered and not been reverted."""
        return errormap.find(self._fixed, self._moving)

    def _bringIntoView(self) -> None:
        if self._isPair and not views.isShown(self._fixed, self._moving):
            opacity = views.opacity() or 0.5  # a view that never had a foreground is at 0
            views.show(self._fixed, self._moving, opacity, fit=not isComparisonShown(self._fixed))
            self._view.setOpacity(opacity)

    def onOpacity(self, opacity: float) -> None:
        """Blend."""
        self._bringIntoView()
        views.blend(opacity)
        self._view.setOpacity(opacity)

    def onSwap(self) -> None:
        self._bringIntoView()
        views.swap()

    def onFlickerToggled(self, isOn: bool) -> None:
        """The flicker button goes down or up; the blend from before comes back in the end."""
        if isOn:
            self._bringIntoView()
            self._opacityBefore = views.opacity()
        elif self._opacityBefore is not None:
            views.blend(self._opacityBefore)
            self._view.setOpacity(self._opacityBefore)
            self._opacityBefore = None

    def onFlick(self) -> None:
        """Called by a timer while the flicker button is down."""
        self._bringIntoView()
        views.flick()
        self._view.setOpacity(views.opacity())

    def onErrorMap(self, isOn: bool) -> None:
        """The button of the error map goes down or up."""
        node = self._errorMap
        if node is not None and isOn:
            self._bringIntoView()
            errormap.show(node)
        else:
            errormap.hideAll()

    def onWorst(self) -> None:
        """Show the place where the estimated error is largest."""
        node = self._errorMap
        if node is None:
            return
        self._bringIntoView()
        try:
            error, point = errormap.worst(node)
        except InputError as problem:
            return self._view.setMessage(str(problem), True)
        views.jumpTo(point)
        text = _("The largest estimated error, {error}, is in the middle of the slice views.")
        self._view.setMessage(text.format(error=verdict.millimetres(error)), False)
