"""The estimated error in the views: its map, the scale of its colors, and where it is largest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import slicer

from madreg.errors import InputError
from madreg.system.lengths import millimeters

from ..messages import Messages
from ..results import errormap
from ..translation import _
from ..views import crosshair, errormapdisplay, overlay, sliceviews
from .shownpair import ShownPair


class ErrorInspectionView(Protocol):
    """What the widget can show of it."""

    def setErrorMap(self, isEnabled: bool, isShown: bool) -> None: ...
    def setErrorScale(self, millimetres: float) -> None: ...


class ErrorInspection:
    """Behind the buttons of the error map.

    Args:
        onChange: called when the views show something else.

    Attributes:
        scaleMm: the error in the last color of the map.
    """

    def __init__(
        self, view: ErrorInspectionView, messages: Messages, pair: ShownPair, onChange: Callable[[], None]
    ) -> None:
        self._view, self._messages, self._pair, self._onChange = view, messages, pair, onChange
        self.scaleMm = errormapdisplay.FULL_MM
        self._said: tuple[slicer.vtkMRMLNode | None, str] = (None, "")

    @property
    def isShown(self) -> bool:
        """Whether a view shows the map of the pair."""
        return overlay.isShown(self._pair.errorMap)

    def update(self, isRunning: bool = False) -> None:
        """Show whether there is a map; while a registration runs there is none.  One that no longer holds, as a volume
        was moved, leaves the views."""
        node = None if isRunning else self._pair.errorMap
        if node is not self._said[0]:
            self._messages.withdraw(self._said[1])
        errormapdisplay.hideAll(but=node)
        self._view.setErrorMap(node is not None, overlay.isShown(node))
        if overlay.isShown(node):  # as it is in a scene that was loaded
            self.scaleMm = errormapdisplay.scaleOf(node) or self.scaleMm
            self._view.setErrorScale(self.scaleMm)

    def onErrorMap(self, isOn: bool) -> None:
        """The button of the map goes down or up."""
        node = self._pair.errorMap
        if isOn and node is not None:
            self._pair.bringIntoView()
            errormapdisplay.show(node, self.scaleMm)
        else:
            errormapdisplay.hideAll()
        self._onChange()

    def onErrorScale(self, millimetres: float) -> None:
        """The user chooses what the last color of the map means."""
        self.scaleMm = millimetres
        if self._pair.errorMap is not None:
            errormapdisplay.setScale(self._pair.errorMap, millimetres)

    def onWorst(self) -> None:
        """Show the place where the estimated error is largest."""
        node = self._pair.errorMap
        if node is None:
            return
        self._pair.bringIntoView()
        try:
            error, point = errormap.worst(node)
        except InputError as problem:
            return self._messages.setMessage(str(problem), True)
        sliceviews.jumpTo(point)
        crosshair.show(point)
        text = _("The largest local error, {error}, is at the crosshair.").format(error=millimeters(error))
        self._messages.setMessage(text, False)
        self._said = (node, text)
