"""How much of each of the two volumes is seen: the slider and the flicker button."""

from __future__ import annotations

from typing import Protocol

from ..views import sliceviews
from .shownpair import PairView, ShownPair


class BlendingView(PairView, Protocol):
    """What the widget can show of it."""

    def setFlicker(self, isOn: bool) -> None: ...


class Blending:
    """Behind the two.  The first touch brings the volumes into the views."""

    def __init__(self, view: BlendingView, pair: ShownPair) -> None:
        self._view, self._pair = view, pair
        self._opacityBefore: float | None = None

    def follow(self) -> None:
        """The slider shows what the views show."""
        self._view.setOpacity(sliceviews.opacity())

    def onOpacity(self, opacity: float) -> None:
        """Blend."""
        self._pair.bringIntoView()
        self._blend(opacity)

    def _blend(self, opacity: float) -> None:
        sliceviews.blend(opacity)
        self._view.setOpacity(opacity)

    def onFlickerToggled(self, isOn: bool) -> None:
        """The flicker button goes down or up; the blend from before comes back in the end."""
        if isOn:
            self._pair.bringIntoView()
            self._opacityBefore = sliceviews.opacity()
        elif self._opacityBefore is not None:
            self._blend(self._opacityBefore)
            self._opacityBefore = None

    def stopFlicker(self) -> None:
        """Something else begins: the views get their blend back."""
        self.onFlickerToggled(False)
        self._view.setFlicker(False)

    def onFlick(self) -> None:
        """Called by a timer while the flicker button is down."""
        self._pair.bringIntoView()
        sliceviews.flick()
        self.follow()
