"""What registrations and assessments report: inputs, findings, structures, hashes and versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .job_inputs import AnyJob, Inputs
from .provenance import provenance
from .same_image import same_image_notice

if TYPE_CHECKING:
    from ..image.volume import Volume
    from ..io.reading import Loaded
    from ..quality.error_map import ErrorMap
    from ..quality.quality import Quality


@dataclass(frozen=True)
class JobOutcome:
    """What registrations and assessments have in common when they are done.

    Attributes:
        fixed, moving: as they were read.
        report: as it was written, or would have been.
        error_map: None unless an output or a segmentation needs it and the scans overlap.
        written: the files, in the order of the fields of :class:`~madreg.pipeline.outputs.Outputs`.
        withheld: files that were not written: those of a failed registration, and the error map where it is unknown.
    """

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


def error_map_of(job: AnyJob, fixed: Volume, quality: Quality | None) -> ErrorMap | None:
    """The estimated local error, if an output or a segmentation needs it and there is one."""
    needed = {"error_map", "page"} & set(job.outputs.named()) or job.segmentation is not None
    if not needed or quality is None:
        return None
    from ..quality.error_map import error_map

    return error_map(fixed, quality)


def report_of(
    job: AnyJob, read: Inputs, found: dict[str, Any], errors: ErrorMap | None, quality: Quality | None
) -> dict[str, Any]:
    """A job and its result as plain types.

    Args:
        found: the report of the registration or the assessment.
        quality: of the alignment; None without overlap.
    """
    same = same_image_notice(read.fixed, read.moving)
    report = {
        "fixed": describe(read.fixed),
        "moving": describe(read.moving),
        **found,
        "weights_sha256": read.card["sha256"],
        **({} if errors is None else errors.report()),
        "notices": [*read.fixed.notices, *read.moving.notices, *([same] if same else []), *found["notices"]],
    }
    if read.segmentation is not None:
        from ..image.geometry import Grid
        from .structures import structure_errors

        trusted = None if found["verdict"] == "failed" else errors  # blocks that agree nowhere may show small errors
        structures = structure_errors(read.segmentation, Grid.of_image(read.fixed.image), trusted, quality)
        report["structures"] = [one.report() for one in structures]
    if {"report", "page"} & set(job.outputs.named()):
        report |= provenance(job.inputs())
    return report


def describe(scan: Loaded) -> dict[str, Any]:
    """An input as plain types: its name, the series that was read if it is DICOM, and its grid."""
    return {
        "name": scan.name,
        "series": None if scan.source is None else scan.source.series,
        "size": list(scan.image.GetSize()),
        "spacing_mm": list(scan.image.GetSpacing()),
        "notices": list(scan.notices),
    }
