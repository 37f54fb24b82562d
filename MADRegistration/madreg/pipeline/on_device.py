"""Work on the chosen device, and on the CPU where a GPU cannot do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch

from ..image.volume import Volume
from ..settings import Settings
from ..system import device

Made = TypeVar("Made")


def on_device(
    fixed: Volume, moving: Volume, settings: Settings, work: Callable[[Volume, Volume, Settings], Made], instead: str
) -> Made:
    """What ``work`` makes of both volumes on the device of the settings.

    If a GPU runs out of memory or lacks an operation, the work is done on the CPU, and a notice says so.

    Args:
        work: returns a frozen dataclass with ``notices``.
        instead: what the notice says was done.

    Raises:
        InputError: for unknown settings, or a device that is not there.
    """
    settings.check()
    where = device.choose(settings.device)
    try:
        return work(fixed.to(where), moving.to(where), settings)
    except (torch.OutOfMemoryError, NotImplementedError) as error:
        if where.type == "cpu":
            raise
        reason = "ran out of memory" if isinstance(error, torch.OutOfMemoryError) else "lacks an operation"
        notice = f"The {where.type} device {reason}: {instead}"
        if where.type == "cuda":
            torch.cuda.empty_cache()
    made = work(fixed.to("cpu"), moving.to("cpu"), replace(settings, device="cpu"))
    return replace(made, notices=[notice, *made.notices])  # type: ignore[type-var,attr-defined]
