"""The verdict, the numbers, and the ways back."""

from __future__ import annotations

from typing import Any

from ..translation import _
from .label import setLabel
from .readablecolors import readable


class ResultWidgets:
    """The :class:`result.ResultView`, :class:`revert.RevertView` and :class:`pictures.PicturesView`."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def setResult(self, headline: str, details: str) -> None:
        setLabel(self._ui, self._ui.resultLabel, readable(headline, self._ui.resultLabel))
        self._ui.detailsLabel.text = details
        self._ui.detailsCollapsibleButton.setVisible(bool(details))

    def setAttempt(self, isThere: bool, isShown: bool) -> None:
        self._ui.attemptButton.setVisible(isThere)
        self._ui.attemptButton.text = _("Hide attempt") if isShown else _("Show attempt")

    def setRevertEnabled(self, isEnabled: bool) -> None:
        self._ui.revertButton.enabled = isEnabled

    def setPlotEnabled(self, isEnabled: bool) -> None:
        self._ui.plotButton.enabled = isEnabled
