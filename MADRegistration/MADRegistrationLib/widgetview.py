"""What the panel says, shown by the widgets of Resources/UI/MADRegistration.ui: the one place that sets them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import slicer

if TYPE_CHECKING:
    from .batch import Row

ERROR_STYLE = "color: #c62828;"


class WidgetView:
    """The :class:`panel.View` of the module's widget.

    Args:
        ui: the widgets by name.
        startPolling: makes the timer run that calls :meth:`panel.Panel.poll`.
    """

    def __init__(self, ui: Any, startPolling: Callable[[], None]) -> None:
        self._ui, self._startPolling = ui, startPolling
        self.deviceNames: list[str] = []

    def poll(self) -> None:
        self._startPolling()

    # --- selection -----------------------------------------------------------------------------------------------

    def setButton(self, text: str, isEnabled: bool, reason: str) -> None:
        self._ui.applyButton.text, self._ui.applyButton.enabled = text, isEnabled
        self._setLabel(self._ui.reasonLabel, reason)

    def setAlong(self, text: str) -> None:
        self._ui.moveAlongCheckBox.text = text.replace("&", "&&")  # else the key after it
        self._ui.moveAlongCheckBox.setVisible(bool(text))

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

    # --- what runs -----------------------------------------------------------------------------------------------

    def setBusy(self, isBusy: bool) -> None:
        ui = self._ui
        for one in (
            ui.fixedVolumeSelector,
            ui.movingVolumeSelector,
            ui.moveAlongCheckBox,
            ui.settingsCollapsibleButton,
            ui.masksCollapsibleButton,
            ui.outputsCollapsibleButton,
            ui.batchSelector,
            ui.batchTable,
            ui.checkerboardButton,
            ui.edgesButton,
        ):
            one.enabled = not isBusy
        if isBusy:
            self._startPolling()

    def setMessage(self, text: str, isError: bool) -> None:
        self._ui.messageLabel.styleSheet = ERROR_STYLE if isError else ""
        self._setLabel(self._ui.messageLabel, text)

    def setProgress(self, text: str, percent: int | None) -> None:
        self._setLabel(self._ui.progressLabel, text)
        self._ui.progressBar.setVisible(percent is not None)
        self._ui.progressBar.setValue(percent or 0)

    # --- the result ----------------------------------------------------------------------------------------------

    def setResult(self, headline: str, details: str) -> None:
        self._setLabel(self._ui.resultLabel, headline)
        self._ui.detailsLabel.text = details
        self._ui.detailsCollapsibleButton.setVisible(bool(details))

    def setAttempt(self, isThere: bool, isShown: bool) -> None:
        self._ui.attemptButton.setVisible(isThere)
        self._ui.attemptButton.text = "Hide attempt" if isShown else "Show attempt"

    def setRevertEnabled(self, isEnabled: bool) -> None:
        self._ui.revertButton.enabled = isEnabled

    def setPlotEnabled(self, isEnabled: bool) -> None:
        self._ui.plotButton.enabled = isEnabled

    def setBatchButton(self, text: str, isEnabled: bool, reason: str) -> None:
        self._ui.batchButton.text, self._ui.batchButton.enabled = text, isEnabled
        self._setLabel(self._ui.batchReasonLabel, reason)

    def setBatchRows(self, rows: list[Row]) -> None:
        import qt

        table = self._ui.batchTable
        table.setVisible(bool(rows))
        table.setRowCount(len(rows))
        for line, row in enumerate(rows):
            for column, text in enumerate((row.verdict, row.name, row.error, row.remark)):
                item = qt.QTableWidgetItem(text)
                if column == 0 and row.color:
                    item.setForeground(qt.QBrush(qt.QColor(row.color)))
                table.setItem(line, column, item)
        table.resizeColumnsToContents()  # the last one, with the remarks, takes what is left
        table.resizeRowsToContents()

    # --- looking at it -------------------------------------------------------------------------------------------

    def setInspectionEnabled(self, isEnabled: bool) -> None:
        self._ui.inspectCollapsibleButton.enabled = isEnabled

    def setErrorMap(self, isEnabled: bool, isShown: bool) -> None:
        self._ui.errorMapButton.enabled = self._ui.worstButton.enabled = isEnabled
        self._ui.errorMapButton.checked = isShown

    def setPictures(self, areColored: bool, areEdgesShown: bool, isCheckerboardShown: bool) -> None:
        self._ui.colorsButton.checked = areColored
        self._ui.edgesButton.checked = areEdgesShown
        self._ui.checkerboardButton.checked = isCheckerboardShown

    def setFlicker(self, isOn: bool) -> None:
        self._ui.flickerButton.checked = isOn

    def setOpacity(self, opacity: float) -> None:
        wasBlocked = self._ui.opacitySlider.blockSignals(True)
        self._ui.opacitySlider.value = opacity
        self._ui.opacitySlider.blockSignals(wasBlocked)

    def setLog(self, text: str) -> None:
        self._ui.logTextEdit.setPlainText(text)

    def _setLabel(self, label: Any, text: str) -> None:
        label.text = text
        label.setVisible(bool(text))
        label.setMinimumHeight(label.heightForWidth(self._ui.applyButton.width) if text else 0)  # no line is cut off
