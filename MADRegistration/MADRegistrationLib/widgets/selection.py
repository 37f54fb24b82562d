"""The selectors, the one button, and the devices."""

from __future__ import annotations

from html import escape
from typing import Any

import slicer

from ..translation import _
from .label import setLabel

CHECK_WIDTH = 30
"""Pixels of a check box beside its text."""


class SelectionWidgets:
    """The :class:`selection.SelectionView` and :class:`devices.DevicesView`.

    Attributes:
        deviceNames: what stands in the list of devices, by its names for ``Settings.device``.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self.deviceNames: list[str] = []

    def setButton(self, text: str, isEnabled: bool, reason: str) -> None:
        self._ui.applyButton.text, self._ui.applyButton.enabled = text, isEnabled
        setLabel(self._ui, self._ui.reasonLabel, reason)

    def setAssessEnabled(self, isEnabled: bool) -> None:
        self._ui.assessButton.enabled = isEnabled

    def setAlong(self, text: str) -> None:
        import qt

        box, width = self._ui.moveAlongCheckBox, self._ui.inspectCollapsibleButton.width - CHECK_WIDTH
        shown = box.fontMetrics().elidedText(text, qt.Qt.ElideMiddle, width)
        box.text = shown.replace("&", "&&")  # else the key after it
        along = _("What was drawn on the moving volume (segmentations, label maps, markups) moves with it.")
        box.toolTip = f"<p>{escape(text, quote=False)}.</p><p>{along}</p>"
        box.setVisible(bool(text))

    def setHiddenVolumes(self, ids: list[str], fixedId: str | None) -> None:
        for selector in (
            self._ui.fixedVolumeSelector,
            self._ui.movingVolumeSelector,
            self._ui.resampledVolumeSelector,
        ):
            selector.sortFilterProxyModel().hiddenNodeIDs = ids
        self._ui.batchSelector.sortFilterProxyModel().hiddenNodeIDs = [*ids, fixedId] if fixedId else ids

    def confirm(self, text: str) -> bool:
        return slicer.util.confirmYesNoDisplay(f"<p>{escape(text, quote=False)}</p>")

    def setDevices(self, choices: list[tuple[str, str]], current: str) -> None:
        self.deviceNames = [name for name, _text in choices]
        self._ui.deviceComboBox.clear()
        self._ui.deviceComboBox.addItems([text for _name, text in choices])
        self._ui.deviceComboBox.setCurrentIndex(self.deviceNames.index(current))
