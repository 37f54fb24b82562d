"""Where to compute."""

from __future__ import annotations

import torch

from ..errors import InputError
from .counted import counted
from .device_names import check_device


def choose(name: str = "auto") -> torch.device:
    """The torch device for ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        InputError: if there is no such device here.
    """
    kind, _, number = check_device(name).partition(":")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available[kind] or (kind == "cuda" and number and int(number) >= torch.cuda.device_count()):
        raise InputError(f'This computer has no usable "{name}" device: choose "auto" or "cpu".')
    return torch.device(name)


def describe(device: torch.device) -> str:
    """The device in words: ``NVIDIA H100, 80 GB`` or ``CPU, 8 threads``."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    return "Apple GPU" if device.type == "mps" else f"CPU, {counted(torch.get_num_threads(), 'thread')}"
