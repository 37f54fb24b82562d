"""A registration from its inputs to its files: check, read, register, resample, write, report.

The command, the worker, the demo and the benchmark all run :func:`run_job`.  This module does not import torch, which
takes a second to load: see :mod:`madreg.pipeline.job_inputs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import Resampling, Settings
from .findings import Findings, content, short_name
from .initial_transform import check_initial_transform, read_initial_transform
from .job_inputs import Inputs, check_job, read_inputs
from .job_progress import JobProgress
from .job_report import JobOutcome, error_map_of, report_of
from .job_sources import Scan, Structures, files_of, transform_notices
from .outputs import Outputs, write_outputs

if TYPE_CHECKING:
    from ..progress import Progress
    from ..system.files import Content
    from .result import Result


@dataclass(frozen=True)
class Job:
    """A registration to be done.

    Attributes:
        keep_failed: whether to write the transform and the resampled image also if the verdict is ``failed``.
        segmentation: structures of the fixed image, of each of which the error is estimated.
        resampling: how the resampled image is made.
        initial_transform: file of ITK, FSL or FreeSurfer whose transform is the start, in place of the settings'.
    """

    fixed: Scan
    moving: Scan
    settings: Settings = field(default_factory=Settings)
    outputs: Outputs = field(default_factory=Outputs)
    keep_failed: bool = False
    segmentation: Structures | None = None
    resampling: Resampling = field(default_factory=Resampling)
    initial_transform: str | Path | None = None

    def check(self) -> None:
        """Raise InputError for what can be refused before anything is read."""
        self.resampling.check()
        check_job(self)
        if self.initial_transform is not None:
            check_initial_transform(self.initial_transform)

    def inputs(self) -> dict[str, str | Path]:
        """The files that are read, by what they are."""
        given = files_of(self.fixed, self.moving, self.segmentation)
        return given | ({} if self.initial_transform is None else {"initial_transform": self.initial_transform})


@dataclass(frozen=True)
class JobResult(JobOutcome):
    """What came of a job."""

    result: Result


def run_job(job: Job, progress: Callable[[Progress], None] | None = None) -> JobResult:
    """Do a job.

    Args:
        progress: called often, from this thread; may raise :class:`~madreg.progress.Cancelled` to stop.

    Raises:
        InputError: if an input, a setting or an output cannot be used; then nothing is written.
    """
    read = read_inputs(job)
    notices = _check_resampling(job, read)
    from . import registration

    volumes = read.fixed.volume(), read.moving.volume()
    steps = JobProgress(job.outputs, progress)
    result = registration.register(*volumes, _settings(job, read), steps.registering)

    steps.start_writing(result)
    errors = error_map_of(job, volumes[0], result.quality)
    found = result.report()
    found["notices"] = [*transform_notices(job.initial_transform, read.fixed, read.moving), *found["notices"], *notices]
    if job.initial_transform is not None:
        found["initial_transform"] = str(job.initial_transform)
    if job.outputs.resampled is not None:
        found["resampling"] = asdict(job.resampling)
    report = report_of(job, read, found, errors, result.quality)
    findings = Findings(
        *volumes,
        result.start.matrix,
        result.transform.matrix,
        f"{short_name(read.moving.name)} registered to {short_name(read.fixed.name)}",
        result.error_before_mm,
        result.error_after_mm,
        errors,
        report,
    )
    withheld = [] if result.verdict != "failed" or job.keep_failed else ["transform", "resampled"]
    withheld += ["error_map"] if errors is None else []

    def content_of(name: str) -> Content:
        return steps.watched(_content(job, name, read, result, findings))

    written, missing = write_outputs(job.outputs, withheld, content_of)
    steps.end()
    return JobResult(read.fixed, read.moving, report, errors, written, missing, result)


def _settings(job: Job, read: Inputs) -> Settings:
    """The settings with the initial transform, if there is a file of it."""
    if job.initial_transform is None:
        return job.settings
    return replace(job.settings, start=read_initial_transform(job.initial_transform, read.fixed, read.moving))


def _check_resampling(job: Job, read: Inputs) -> list[str]:
    """Sentences about what is lost where the moving image is resampled as it is wished.

    Raises:
        InputError: if it cannot be.
    """
    if job.outputs.resampled is None:
        return []
    import SimpleITK as sitk

    from ..io.resampling import check_fill, loss_notice

    voxels = sitk.GetArrayViewFromImage(read.moving.image)
    check_fill(job.resampling.fill, job.resampling.voxel_type, voxels.dtype)
    notice = loss_notice(voxels, job.resampling.voxel_type, read.moving.name)
    return [] if notice is None else [notice]


def _content(job: Job, name: str, read: Inputs, result: Result, findings: Findings) -> Content:
    """What goes into an output."""
    if name == "transform":
        from ..io.itk_transform import transform_content

        return transform_content(result.transform)
    if name == "resampled":
        from ..io.resampling import resample
        from ..io.writing import image_content

        return image_content(resample(read.moving.image, read.fixed.image, result.transform, **asdict(job.resampling)))
    return content(name, findings)
