"""An assessment from its inputs to its files: check, read, assess, write, report.

As :mod:`madreg.pipeline.job`, this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..settings import Settings
from .findings import Findings, content, short_name
from .job_inputs import check_job, read_inputs
from .job_report import JobOutcome, error_map_of, report_of
from .job_sources import Scan, Structures, check_input, files_of, transform_notices
from .outputs import Outputs, write_outputs

if TYPE_CHECKING:
    from ..image.displacement_field import DisplacementField
    from ..image.transform import Transform
    from ..io.reading import Loaded
    from ..progress import Progress
    from .assessment import Assessment


@dataclass(frozen=True)
class AssessmentJob:
    """An alignment to be assessed; neither image is changed.

    Attributes:
        transform: fixed points to moving points: a file of ITK, FSL or FreeSurfer, a displacement field, or a transform
            in memory; None if the images are aligned where they lie.
        settings: of which only the device, the random seed and the weights are used.
        outputs: all but the transform and the resampled image.
        segmentation: structures of the fixed image, of each of which the error is estimated.
    """

    fixed: Scan
    moving: Scan
    transform: str | Path | Transform | DisplacementField | None = None
    settings: Settings = field(default_factory=Settings)
    outputs: Outputs = field(default_factory=Outputs)
    segmentation: Structures | None = None

    def check(self) -> None:
        """Raise InputError for what can be refused before anything is read."""
        if self.outputs.transform is not None or self.outputs.resampled is not None:
            raise InputError("An assessment writes neither a transform nor a resampled image: leave these outputs out.")
        if self._transform_file is not None:
            check_input(self._transform_file)
        check_job(self)

    def inputs(self) -> dict[str, str | Path]:
        """The files that are read, by what they are."""
        given = files_of(self.fixed, self.moving, self.segmentation)
        return given | ({} if self._transform_file is None else {"transform": self._transform_file})

    @property
    def _transform_file(self) -> str | Path | None:
        return self.transform if isinstance(self.transform, (str, Path)) else None

    def read_transform(self, fixed: Loaded, moving: Loaded) -> Transform | DisplacementField:
        """The transform, between the images that were read.

        Raises:
            InputError: if it cannot be used.
        """
        from ..image.geometry import Grid
        from ..image.transform import Transform
        from ..io.any_transform import read_any_transform

        if self.transform is None:
            return Transform.identity()
        if isinstance(self.transform, (str, Path)):
            return read_any_transform(self.transform, Grid.of_image(fixed.image), Grid.of_image(moving.image))
        return self.transform


@dataclass(frozen=True)
class AssessmentJobResult(JobOutcome):
    """What came of an assessment."""

    assessment: Assessment


def run_assessment(job: AssessmentJob, progress: Callable[[Progress], None] | None = None) -> AssessmentJobResult:
    """Do an assessment.

    Args:
        progress: called a few times, from this thread; may raise :class:`~madreg.progress.Cancelled` to stop.

    Raises:
        InputError: if an input, a setting or an output cannot be used; then nothing is written.
    """
    read = read_inputs(job)
    from . import assessment

    volume = read.fixed.volume()
    transform = job.read_transform(read.fixed, read.moving)
    found = assessment.assess_alignment(volume, read.moving.volume(), transform, job.settings, progress)

    errors = error_map_of(job, volume, found.quality)
    settings = {name: getattr(job.settings, name) for name in ("device", "seed", "weights")}
    given = None if job.transform is None else str(job.inputs().get("transform", "in memory"))
    details = {**found.report(), "settings": settings, "transform": given}
    doubts = transform_notices(job.inputs().get("transform"), read.fixed, read.moving)
    details["notices"] = [*doubts, *details["notices"]]
    report = report_of(job, read, details, errors, found.quality)
    title = f"{short_name(read.moving.name)} on {short_name(read.fixed.name)}"
    shown = found.moving.to("cpu")
    findings = Findings(volume, shown, None, found.linear.matrix, title, None, found.error_mm, errors, report)
    withheld = ["error_map"] if errors is None else []
    written, missing = write_outputs(job.outputs, withheld, lambda name: content(name, findings))
    return AssessmentJobResult(read.fixed, read.moving, report, errors, written, missing, found)
