"""The signals of the widgets, connected with what the panel does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

from ..panel.panel import Panel
from ..translation import _

POLL_MS, FLICKER_MS = 10, 400


class Connections:
    """The connections between widgets and panel, and the two timers.

    Args:
        ui: the widgets by name.
        parent: of the timers.
    """

    def __init__(self, ui: Any, parent: Any) -> None:
        self._ui = ui
        self._paths = {"fileTablePath": "", "fileFolderPath": ""}
        self._pollTimer = _makeTimer(parent, POLL_MS, self._onPollTimer)
        self._flickerTimer = _makeTimer(
            parent, FLICKER_MS, lambda: self._panel.controllers.inspection.blending.onFlick()
        )

    def startPolling(self) -> None:
        """Call :meth:`panel.Panel.poll` from now on, as long as there is something to do."""
        self._pollTimer.start()

    def stop(self) -> None:
        """No timer runs any more."""
        self._pollTimer.stop()
        self._flickerTimer.stop()

    def connect(self, panel: Panel) -> None:
        """Connect the widgets with a panel, once."""
        self._panel = panel
        ui, controllers = self._ui, panel.controllers
        for button, action in (
            (ui.applyButton, panel.registerAction.onButton),
            (ui.assessButton, panel.assessAction.onButton),
            (ui.batchButton, panel.registerAction.onBatchButton),
            (ui.filesButton, controllers.files.onButton),
            (ui.revertButton, panel.onRevert),
            (ui.attemptButton, panel.onAttempt),
            (ui.plotButton, controllers.pictures.onPlot),
            (ui.worstButton, controllers.inspection.errors.onWorst),
            (ui.logButton, panel.onLog),
        ):
            button.connect("clicked(bool)", lambda _checked, action=action: _act(action))
        for button, action in (
            (ui.colorsButton, controllers.inspection.onColors),
            (ui.edgesButton, controllers.pictures.onEdges),
            (ui.checkerboardButton, controllers.pictures.onCheckerboard),
            (ui.errorMapButton, controllers.inspection.errors.onErrorMap),
        ):
            button.connect("clicked(bool)", lambda isOn, action=action: _act(lambda: action(isOn)))
        ui.flickerButton.connect("toggled(bool)", self._onFlickerToggled)
        ui.opacitySlider.connect("valueChanged(double)", controllers.inspection.blending.onOpacity)
        ui.errorScaleSpinBox.connect("valueChanged(double)", controllers.inspection.errors.onErrorScale)
        ui.hasFillValueCheckBox.connect("toggled(bool)", ui.fillValueSpinBox.setEnabled)
        ui.batchSelector.connect("checkedNodesChanged()", self._onBatchChanged)
        for name in self._paths:
            line = getattr(ui, name)
            line.connect("currentPathChanged(QString)", lambda path, name=name: self._onPath(name, path))
            line.connect("validInputChanged(bool)", lambda isValid, name=name: isValid or self._onPath(name, ""))
        ui.filesTable.connect(
            "cellDoubleClicked(int,int)", lambda row, _column: _act(lambda: panel.choosePairAction.onFileRow(row))
        )
        ui.batchTable.connect(
            "cellDoubleClicked(int,int)", lambda row, _column: _act(lambda: panel.choosePairAction.onRow(row))
        )

    def _onPollTimer(self) -> None:
        self._panel.poll()
        if not self._panel.needsPolling:
            self._pollTimer.stop()

    def _onBatchChanged(self) -> None:
        self._panel.controllers.batch.volumes = list(self._ui.batchSelector.checkedNodes())
        self._panel.update()

    def _onPath(self, name: str, path: str) -> None:
        """Another path in one of the two lines; an empty one for what cannot be a path of its kind, which CTK says once
        only: else the former path, which is no longer in sight, would be used."""
        self._paths[name] = path
        self._panel.controllers.files.onPaths(self._paths["fileTablePath"], self._paths["fileFolderPath"])

    def _onFlickerToggled(self, isOn: bool) -> None:
        self._panel.controllers.inspection.blending.onFlickerToggled(isOn)
        if isOn:
            self._flickerTimer.start()
        else:
            self._flickerTimer.stop()


def _makeTimer(parent: Any, milliseconds: int, slot: Callable[[], None]) -> Any:
    timer = qt.QTimer(parent)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", slot)
    return timer


def _act(action: Callable[[], None]) -> None:
    """Do what a button stands for; an unforeseen error is shown and logged."""
    with slicer.util.tryWithErrorDisplay(_("MAD Registration failed.")):
        action()
