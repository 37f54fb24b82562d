"""Blend, flicker, colors, edges, checkerboard and error map."""

from __future__ import annotations

from typing import Any


class InspectionWidgets:
    """The :class:`inspection.InspectionView` with all its parts."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def setInspectionEnabled(self, isEnabled: bool) -> None:
        self._ui.inspectCollapsibleButton.enabled = isEnabled

    def setErrorMap(self, isEnabled: bool, isShown: bool) -> None:
        self._ui.errorMapButton.enabled = self._ui.worstButton.enabled = isEnabled
        self._ui.errorMapButton.checked = isShown

    def setErrorScale(self, millimetres: float) -> None:
        wasBlocked = self._ui.errorScaleSpinBox.blockSignals(True)
        self._ui.errorScaleSpinBox.value = millimetres
        self._ui.errorScaleSpinBox.blockSignals(wasBlocked)

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
