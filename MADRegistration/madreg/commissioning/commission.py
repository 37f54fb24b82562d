"""A commissioning: all trials of all scans of a folder, and whether they passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError
from ..io.file_names import SCAN_SUFFIXES
from ..io.reading import read_scan
from ..pipeline.job_inputs import checked_card
from ..pipeline.provenance import provenance
from ..settings import Settings
from .trial import TrialResult, run_trial

LEAST_WITHIN = 0.9  # share of true errors within their bounds: fewer than 0.95 are, by chance, of a few dozen


@dataclass(frozen=True)
class ScanResult:
    """The trials of one scan.

    Attributes:
        path: of the file, or of the folder of DICOM slices.
        notices: sentences about the scan.
    """

    path: Path
    trials: list[TrialResult]
    notices: list[str]


@dataclass(frozen=True)
class Commissioning:
    """What came of a commissioning.

    Attributes:
        tolerance_mm: mean error up to which a registration passes.
        card: of the network.
    """

    scans: list[ScanResult]
    tolerance_mm: float
    settings: Settings
    card: dict[str, Any]
    seconds: float

    @property
    def trials(self) -> list[TrialResult]:
        """Those of all scans."""
        return [trial for scan in self.scans for trial in scan.trials]

    @property
    def registrations_passed(self) -> int:
        """How many registrations are within the tolerance."""
        return sum(trial.error_mm <= self.tolerance_mm for trial in self.trials)

    @property
    def claims_held(self) -> float:
        """Share of the assessments whose true error is within the bound."""
        claims = [claim for trial in self.trials for claim in trial.claims]
        return sum(claim.holds for claim in claims) / len(claims)

    @property
    def passed(self) -> bool:
        """Whether all registrations are within the tolerance, and the bounds hold as often as they claim to."""
        return self.registrations_passed == len(self.trials) and self.claims_held >= LEAST_WITHIN

    def report(self) -> dict[str, Any]:
        """Everything as plain types, for JSON, with the hashes of all files.

        Raises:
            InputError: if a file can no longer be read.
        """
        return {**self.findings(), **provenance({str(scan.path): scan.path for scan in self.scans})}

    def findings(self) -> dict[str, Any]:
        """What was measured, as plain types."""
        names = ("init", "measure", "device", "seed", "weights")
        return {
            "madreg": __version__,
            "passed": self.passed,
            "tolerance_mm": self.tolerance_mm,
            "registrations": len(self.trials),
            "registrations_passed": self.registrations_passed,
            "claims_held": self.claims_held,
            "scans": [
                {
                    "name": str(scan.path),
                    "notices": scan.notices,
                    "trials": [trial.report(self.tolerance_mm) for trial in scan.trials],
                }
                for scan in self.scans
            ],
            "settings": {name: getattr(self.settings, name) for name in names},
            "weights_sha256": self.card["sha256"],
            "seconds": self.seconds,
        }


def scans_in(folder: Path) -> list[Path]:
    """The scans of a folder by name: image files, and sub-folders, each with the slices of a DICOM series.

    Raises:
        InputError: if there are none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: give one that holds scans.")
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    found = [entry for entry in entries if entry.is_dir() or entry.name.lower().endswith(SCAN_SUFFIXES)]
    if not found:
        raise InputError(
            f"{folder} holds no scan: give a folder with {', '.join(SCAN_SUFFIXES)} files, or with sub-folders of "
            "DICOM slices."
        )
    return found


def commission(
    paths: Sequence[Path],
    trials: int,
    tolerance: float,
    settings: Settings,
    done: Callable[[Path, TrialResult], None] | None = None,
) -> Commissioning:
    """Run all trials of some scans.

    Args:
        trials: of each scan.
        tolerance: mm.
        done: called after each trial.

    Raises:
        InputError: if a scan cannot be read, or a setting cannot be used.
    """
    began, found = time.perf_counter(), []
    settings.check()
    card = checked_card(settings)
    for path in paths:  # what cannot be read is refused before the work
        read_scan(path)
    for path in paths:
        scan = read_scan(path)
        volume = scan.volume()
        results = []
        for number in range(trials):
            results.append(run_trial(volume, number, tolerance, settings))
            if done:
                done(path, results[-1])
        found.append(ScanResult(path, results, list(scan.notices)))
    return Commissioning(found, tolerance, settings, card, time.perf_counter() - began)
