"""The devices to choose from."""

from __future__ import annotations

from .parameters import _


def choices(found: list[dict[str, str]], current: str) -> list[tuple[str, str]]:
    """Name and text of each device: those that the worker has found; before it has run, what every computer has.

    Args:
        found: see :attr:`client.WorkerClient.devices`.
        current: the one that is chosen; it may come with a scene from another computer.
    """
    known = [(device["name"], device["text"]) for device in found] or [("cpu", "CPU")]
    offered = [("auto", _("Automatic (the fastest)")), *known]
    return offered if current in [name for name, _text in offered] else [*offered, (current, current)]
