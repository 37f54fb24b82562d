"""All widgets, part by part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .batch import BatchWidgets
from .files import FilesWidgets
from .inspection import InspectionWidgets
from .messages import MessageWidgets
from .result import ResultWidgets
from .run import RunWidgets
from .selection import SelectionWidgets


class WidgetView:
    """The :class:`view.View` of the module's widget.

    Args:
        ui: the widgets by name.
        startPolling: makes the timer run that calls :meth:`panel.Panel.poll`.
    """

    def __init__(self, ui: Any, startPolling: Callable[[], None]) -> None:
        self.messages = MessageWidgets(ui)
        self.selection = SelectionWidgets(ui)
        self.run = RunWidgets(ui, startPolling)
        self.result = ResultWidgets(ui)
        self.batch = BatchWidgets(ui)
        self.files = FilesWidgets(ui)
        self.inspection = InspectionWidgets(ui)
