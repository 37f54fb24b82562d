"""What registrations and assessments report: inputs, findings, structures, hashes and versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .outputs import Outputs, provenance

if TYPE_CHECKING:
    from ..image.volume import Volume
    from ..io.reading import Loaded
    from ..io.segmentation import Segmentation
    from ..quality.error_map import ErrorMap
    from ..quality.quality import Quality


class AnyJob(Protocol):
    """A registration or an assessment to be done."""

    @property
    def outputs(self) -> Outputs: ...

    @property
    def segmentation(self) -> str | Path | None: ...

    def inputs(self) -> dict[str, str | Path]: ...


def segmentation_of(job: AnyJob, fixed: Loaded) -> Segmentation | None:
    """The structures of a job's fixed image, if it has any.

    Raises:
        InputError: if the segmentation cannot be used.
    """
    if job.segmentation is None:
        return None
    from ..io.segmentation import read_segmentation

    return read_segmentation(job.segmentation, fixed.image, fixed.name)


def error_map_of(job: AnyJob, fixed: Volume, quality: Quality | None) -> ErrorMap | None:
    """The estimated local error, if an output or a segmentation needs it and there is one."""
    needed = {"error_map", "page"} & set(job.outputs.named()) or job.segmentation is not None
    if not needed or quality is None:
        return None
    from ..quality.error_map import error_map

    return error_map(fixed, quality)


def report_of(
    job: AnyJob,
    fixed: Loaded,
    moving: Loaded,
    found: dict[str, Any],
    card: dict[str, Any],
    errors: ErrorMap | None,
    segmentation: Segmentation | None,
) -> dict[str, Any]:
    """What a job was, and what came of it, as plain types.

    Args:
        found: the report of the registration or the assessment.
        card: of the weights.
    """
    report = {
        "fixed": describe(fixed),
        "moving": describe(moving),
        **found,
        "weights_sha256": card["sha256"],
        **({} if errors is None else errors.report()),
        "notices": [*fixed.notices, *moving.notices, *found["notices"]],
    }
    if segmentation is not None:
        from ..image.geometry import Grid
        from .structures import structure_errors

        trusted = None if found["verdict"] == "failed" else errors  # blocks that agree nowhere may show small errors
        structures = structure_errors(segmentation, Grid.of_image(fixed.image), trusted)
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
