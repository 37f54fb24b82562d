"""A registration from its inputs to its files: check, read, register, resample, write, report.

The command, the worker, the demo and the benchmark all run :func:`run_job`.  This module does not import torch, which
takes a second to load: :func:`run_job` reads the images meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InputError
from ..settings import Settings
from .job_report import error_map_of, report_of, segmentation_of
from .outputs import Findings, Outputs, content, short_name

if TYPE_CHECKING:
    from ..io.reading import Loaded
    from ..progress import Progress
    from ..quality.error_map import ErrorMap
    from ..system.files import Content
    from .result import Result


class Scan(Protocol):
    """Where an image comes from."""

    def check(self) -> None:
        """Raise InputError for what can be refused before anything is read."""

    def load(self) -> Loaded:
        """Read it; may be called in another thread.  InputError if it cannot be used."""


@dataclass(frozen=True)
class ScanFile:
    """An image file or a folder of DICOM slices, and perhaps a mask on its grid."""

    path: str | Path
    mask: str | Path | None = None

    def check(self) -> None:
        for path in (self.path, self.mask):
            if path:
                check_input(path)

    def load(self) -> Loaded:
        from ..io.reading import read_scan

        return read_scan(self.path, self.mask)


@dataclass(frozen=True)
class Job:
    """A registration to be done.

    Attributes:
        keep_failed: whether to write the transform and the resampled image also if the verdict is ``failed``.
        segmentation: label map on the grid of the fixed image, for whose structures the error is estimated.
    """

    fixed: Scan
    moving: Scan
    settings: Settings = field(default_factory=Settings)
    outputs: Outputs = field(default_factory=Outputs)
    keep_failed: bool = False
    segmentation: str | Path | None = None

    def check(self) -> None:
        """Raise InputError for what can be refused before anything is read."""
        self.settings.check()
        self.fixed.check()
        self.moving.check()
        if self.segmentation is not None:
            check_input(self.segmentation)
        self.outputs.check([*weights_files(self.settings), *self.inputs().values()])

    def inputs(self) -> dict[str, str | Path]:
        """The files that are read, by what they are."""
        given = {**files_of(self.fixed, "fixed"), **files_of(self.moving, "moving")}
        return given if self.segmentation is None else {**given, "segmentation": self.segmentation}


def files_of(scan: Scan, role: str) -> dict[str, str | Path]:
    """The files of a scan, by what they are; none of one that is in memory."""
    if not isinstance(scan, ScanFile):
        return {}
    return {role: scan.path} if scan.mask is None else {role: scan.path, f"{role}_mask": scan.mask}


def weights_files(settings: Settings) -> list[str | Path]:
    """The files of the weights, if they are not the bundled ones."""
    return [] if settings.weights is None else [settings.weights, Path(settings.weights).with_suffix(".json")]


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes:
        fixed, moving: as they were read.
        report: as it was written, or would have been.
        error_map: None unless an output or a segmentation needs it and the scans overlap.
        written: the files, in the order of the fields of :class:`Outputs`.
        withheld: files that were not written because the registration failed.
    """

    result: Result
    fixed: Loaded
    moving: Loaded
    report: dict[str, Any]
    error_map: ErrorMap | None
    written: list[Path]
    withheld: list[Path]

    @property
    def notices(self) -> list[str]:
        """Sentences to show to the user."""
        return self.report["notices"]


def run_job(job: Job, progress: Callable[[Progress], None] | None = None) -> JobResult:
    """Do a job.

    Args:
        progress: called often, from this thread; may raise :class:`~madreg.progress.Cancelled` to stop.

    Raises:
        InputError: if an input, a setting or an output cannot be used; then nothing is written.
    """
    job.check()
    with read_scans(job.fixed, job.moving) as reads:
        from ..network import weights
        from ..system import device
        from ..system.files import write_all
        from . import registration
    # weights that are missing or damaged are found before the work
    _, card = weights.load(job.settings.weights, device.choose(job.settings.device))
    fixed, moving = (read.result() for read in reads)
    segmentation = segmentation_of(job, fixed)
    volumes = fixed.volume(), moving.volume()
    result = registration.register(*volumes, job.settings, progress)

    errors = error_map_of(job, volumes[0], result.quality)
    report = report_of(job, fixed, moving, result.report(), card, errors, segmentation)
    wanted = job.outputs.named()
    withheld = [] if result.verdict != "failed" or job.keep_failed else ["transform", "resampled"]
    withheld += ["error_map"] if errors is None else []
    title = f"{short_name(moving.name)} registered to {short_name(fixed.name)}"
    findings = Findings(
        *volumes,
        result.start.matrix,
        result.transform.matrix,
        title,
        result.error_before_mm,
        result.error_after_mm,
        errors,
        report,
    )
    contents = {
        path: _content(name, fixed, moving, result, findings) for name, path in wanted.items() if name not in withheld
    }
    write_all(contents, job.outputs.durable)
    missing = [path for name, path in wanted.items() if name in withheld]
    return JobResult(result, fixed, moving, report, errors, list(contents), missing)


@contextmanager
def read_scans(*scans: Scan) -> Iterator[list[Future[Loaded]]]:
    """Read images in threads while the block loads torch."""
    pool = ThreadPoolExecutor(len(scans))
    try:
        yield [pool.submit(scan.load) for scan in scans]
    finally:
        pool.shutdown(wait=False, cancel_futures=False)


def _content(name: str, fixed: Loaded, moving: Loaded, result: Result, findings: Findings) -> Content:
    """What goes into an output."""
    from ..io import writing

    if name == "transform":
        return writing.transform_content(result.transform)
    if name == "resampled":
        return writing.image_content(writing.resample(moving.image, fixed.image, result.transform))
    return content(name, findings)


def check_input(path: str | Path) -> None:
    """Refuse, before any work, a path that is neither a file nor a folder that can be read.

    What does not exist is left to the reader, which knows more ways to name a scan.

    Raises:
        InputError: for pipes and devices, loops of links, files that may not be read, and names that cannot be used.
    """
    from ..io.writing import check_name

    check_name(path)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is a pipe or a device: give an image file, or a folder of DICOM slices.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read (Permission denied): check your rights to it.")
