"""The two volumes that are looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import slicer

from ..results import errormap
from ..views import checkerboard, sliceviews


class PairView(Protocol):
    """What the widget can show of it."""

    def setOpacity(self, opacity: float) -> None: ...


class ShownPair:
    """Fixed and moving volume, as they are chosen.

    Args:
        onShown: called when they have been brought into view, in place of a checkerboard perhaps.

    Attributes:
        fixed, moving: may be None, or the same.
    """

    def __init__(self, view: PairView, onShown: Callable[[], None]) -> None:
        self._view, self._onShown = view, onShown
        self.fixed: slicer.vtkMRMLScalarVolumeNode | None = None
        self.moving: slicer.vtkMRMLScalarVolumeNode | None = None

    @property
    def isThere(self) -> bool:
        """Whether there are two volumes."""
        return self.fixed is not None and self.moving is not None and self.fixed is not self.moving

    @property
    def errorMap(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The estimated error of the two as they lie now, if it is known."""
        return errormap.find(self.fixed, self.moving)

    def bringIntoView(self) -> bool:
        """Show the two, if they are not shown; returns whether they were not."""
        if not self.isThere or sliceviews.isShown(self.fixed, self.moving):
            return False
        opacity = sliceviews.opacity() or 0.5  # a view that never had a foreground is at 0
        sliceviews.show(self.fixed, self.moving, opacity, fit=not checkerboard.isShown(self.fixed))
        self._view.setOpacity(opacity)
        self._onShown()
        return True

    def show(self) -> None:
        """Show the two again; the views stay where they are."""
        if self.isThere:
            sliceviews.show(self.fixed, self.moving, sliceviews.opacity() or 0.5, fit=False)
