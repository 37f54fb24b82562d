"""The command to register, as the worker gets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..inputs import Inputs
from ..scene.coordinatesystem import CoordinateSystem
from .jobfiles import JobFiles


def registerCommand(
    files: JobFiles, inputs: Inputs, settings: dict[str, Any], coordinates: CoordinateSystem
) -> Iterator[None]:
    """Write both volumes with their masks, a piece at a time, and return the command, without its job number.

    Args:
        coordinates: the coordinate system of the worker.

    Raises:
        InputError: if a mask is empty or does not lie on its volume.
        OSError: if there is no space.
    """
    return {
        "command": "register",
        "settings": settings,
        "fixed": (yield from files.write(inputs.fixed, "fixed", inputs.fixedMask, coordinates.fromWorld)),
        "moving": (yield from files.write(inputs.moving, "moving", inputs.movingMask, coordinates.movingFromWorld)),
        "resampled": None if inputs.resampled is None else str(files.output),
        "resampling": asdict(inputs.resampling),
        "segmentation": (yield from files.writeStructures(inputs.structures, coordinates.fromWorld)),
        "error_map": str(files.folder / "error-map.nrrd"),
    }
