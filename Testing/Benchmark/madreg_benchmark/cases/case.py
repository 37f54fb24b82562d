"""Cases: pairs of scans with known alignment, and the list of them in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madreg.errors import InputError


@dataclass(frozen=True)
class Case:
    """A pair with known alignment.

    Attributes:
        name: its name; part of its trials' seeds.
        fixed, moving: image files.
        truth: 4x4 matrix.
        contrast: which kinds of scan are matched, e.g. ``CT-T1``, for grouping results.
        good_to_mm: accuracy of the truth where that is known; errors below it do not rank methods.
    """

    name: str
    fixed: Path
    moving: Path
    truth: np.ndarray
    contrast: str = "other"
    good_to_mm: float | None = None


def contrast_of(name: str) -> str:
    """Kinds of scan named in a case's name, sorted: ``sim_CT_T1_15`` is ``CT-T1``; ``other`` if there are not two."""
    known = {"CT", "T1", "T2", "FLAIR", "PD", "PET", "EPI", "SPECT"}
    kinds = [word for word in name.upper().split("_") if word in known]
    return "-".join(sorted(kinds[:2])) if len(kinds) >= 2 else "other"


def load_cases(folder: Path) -> list[Case]:
    """Cases listed in ``folder/cases.json``.

    Raises:
        InputError: if there is no such list, it cannot be read, or a file it names is missing.
    """
    path = folder / "cases.json"
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; give a folder with cases.json, or assemble one with the command `assemble`."
        )
    return read_cases(path)


def read_cases(path: Path, find_contrast: Callable[[str], str] = contrast_of) -> list[Case]:
    """Cases of a JSON list of name, fixed, moving (paths relative to the list), truth, and where they are known
    contrast and good_to_mm.

    Args:
        find_contrast: finds the contrast in the name of a case that does not give it.

    Raises:
        InputError: if the list cannot be read, or a file it names is missing.
    """
    try:
        cases = [
            Case(
                listed["name"],
                path.parent / listed["fixed"],
                path.parent / listed["moving"],
                np.array(listed["truth"], float).reshape(4, 4),
                listed.get("contrast") or find_contrast(listed["name"]),
                listed.get("good_to_mm"),
            )
            for listed in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a list of cases with name, fixed, moving and truth ({error}).") from error
    for case in cases:
        for image in (case.fixed, case.moving):
            if not image.is_file():
                raise InputError(f"{image} does not exist but case {case.name} in {path} needs it; assemble it again.")
    return cases


def save_cases(folder: Path, cases: list[Case]) -> None:
    """Write ``folder/cases.json``; files inside the folder are named relative to it."""

    def named(image: Path) -> str:
        return str(image.relative_to(folder) if image.is_relative_to(folder) else image.resolve())

    rows = [
        {
            "name": c.name,
            "fixed": named(c.fixed),
            "moving": named(c.moving),
            "truth": c.truth.tolist(),
            "contrast": c.contrast,
            "good_to_mm": c.good_to_mm,
        }
        for c in cases
    ]
    (folder / "cases.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
