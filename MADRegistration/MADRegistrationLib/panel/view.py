"""What the widgets can show, part by part."""

from __future__ import annotations

from typing import Protocol

from ..batch.filebatch import FilesView
from ..batch.volumebatch import BatchView
from ..inspection.inspection import InspectionView
from ..inspection.pictures import PicturesView
from ..messages import MessageView
from ..run.run import RunView
from ..selection.devices import DevicesView
from ..selection.selection import SelectionView
from .result import ResultView
from .revert import RevertView


class InputView(SelectionView, DevicesView, Protocol):
    """What is shown of the inputs."""


class OutcomeView(ResultView, RevertView, PicturesView, Protocol):
    """What is shown of the result."""


class View(Protocol):
    """What the widget can show, part by part."""

    messages: MessageView
    selection: InputView
    run: RunView
    result: OutcomeView
    batch: BatchView
    files: FilesView
    inspection: InspectionView
