"""The devices to choose from."""

from __future__ import annotations

from typing import Protocol

from ..translation import _
from ..worker.client import WorkerClient
from .selection import Selection


class DevicesView(Protocol):
    """What the widget can show of it."""

    def setDevices(self, choices: list[tuple[str, str]], current: str) -> None: ...


class Devices:
    """The list of devices, which is complete when the worker has run."""

    def __init__(self, view: DevicesView, client: WorkerClient, selection: Selection) -> None:
        self._view, self._client, self._selection = view, client, selection

    def update(self) -> None:
        """Show what there is to choose from."""
        if self._selection.parameters is not None:
            current = self._selection.parameters.device or "auto"
            self._view.setDevices(choices(self._client.devices, current), current)


def choices(found: list[dict[str, str]], current: str) -> list[tuple[str, str]]:
    """Name and text of each device: those that the worker has found; before it has run, what every computer has.

    Args:
        found: see :attr:`client.WorkerClient.devices`.
        current: the one that is chosen; it may come with a scene from another computer.
    """
    known = [(device["name"], device["text"]) for device in found] or [("cpu", "CPU")]
    offered = [("auto", _("Automatic (fastest)")), *known]
    return offered if current in [name for name, _text in offered] else [*offered, (current, current)]
