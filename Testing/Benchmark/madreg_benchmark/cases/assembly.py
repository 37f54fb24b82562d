"""Sets of cases that can be assembled, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from madreg_benchmark.cases.calibration import assemble_calibration
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.pelvis import assemble_pelvis
from madreg_benchmark.cases.slabs import assemble_slabs
from madreg_benchmark.cases.trunk import assemble_trunk
from madreg_benchmark.cases.validation import assemble_validation

ASSEMBLIES: dict[str, tuple[str, Callable[[Path, Path], list[Case]]]] = {
    "heads": ("heads and head templates, from a data folder with val and train", assemble_validation),
    "pelvis": ("real series of the pelvis, from a data folder with val/pelvis", assemble_pelvis),
    "calibration": (
        "heads, slabs of heads and synthetic bodies for the bound of the error, from a data folder with train",
        assemble_calibration,
    ),
    "slabs": ("slabs in the contrasts of a pelvis, from a data folder with train", assemble_slabs),
    "trunk": ("trunk and spine, from a folder with two packages of PyPI", assemble_trunk),
}
"""Name: what it holds, and the function that takes the source folder and the folder to write ``cases.json`` into."""
