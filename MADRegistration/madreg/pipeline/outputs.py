"""What goes into the files that a registration and an assessment have in common."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..io.hashing import sha256_of_input

if TYPE_CHECKING:
    import numpy as np

    from ..image.volume import Volume
    from ..quality.error_map import ErrorMap
    from ..system.files import Content

LIBRARIES = ("torch", "numpy", "SimpleITK", "scipy")


@dataclass(frozen=True)
class Outputs:
    """The files to write, each of them if it is named.

    Attributes:
        transform: ITK transform, fixed points to moving points.
        resampled: the moving image on the grid of the fixed one; voxels alone if it ends in ``.npy``.
        error_map: the estimated local error in mm over the fixed image, 0 where it is unknown.
        report: everything as JSON.
        overlay: picture of before and after.
        page: one to keep, with pictures, numbers, settings and hashes: HTML.
        durable: whether to wait until the files are on the disk.
    """

    transform: Path | None = None
    resampled: Path | None = None
    error_map: Path | None = None
    report: Path | None = None
    overlay: Path | None = None
    page: Path | None = None
    durable: bool = True

    def named(self) -> dict[str, Path]:
        """The files by the name of their field."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "durable"}
        return {name: Path(value) for name, value in values.items() if value is not None}

    def check(self, inputs: Sequence[str | Path] = ()) -> None:
        """Make sure that all can be written.

        Args:
            inputs: files that must not be overwritten.

        Raises:
            InputError: if one cannot, or two are the same.
        """
        from ..io import file_names

        suffixes = {
            "transform": file_names.TRANSFORM_SUFFIXES,
            "resampled": (*file_names.IMAGE_SUFFIXES, ".npy"),
            "error_map": file_names.IMAGE_SUFFIXES,
            "report": file_names.REPORT_SUFFIXES,
            "overlay": file_names.PICTURE_SUFFIXES,
            "page": file_names.PAGE_SUFFIXES,
        }
        named = self.named()
        for name, path in named.items():
            file_names.check_output(path, suffixes[name], inputs)
        if len({os.path.realpath(path) for path in named.values()}) < len(named):
            raise InputError("Two outputs have the same name: give each a name of its own.")


@dataclass(frozen=True)
class Findings:
    """What files are made of.

    Attributes:
        fixed, moving: the volumes that were compared.
        before: 4x4, fixed LPS to moving LPS, mm, where the moving volume lay; None if it was not moved.
        matrix: the same, where it lies.
        title: of pictures.
        error_before_mm, error_mm: estimated mean error; None where unknown.
        errors: the estimated local error; None unless it is needed and known.
        report: everything as plain types.
    """

    fixed: Volume
    moving: Volume
    before: np.ndarray | None
    matrix: np.ndarray
    title: str
    error_before_mm: float | None
    error_mm: float | None
    errors: ErrorMap | None
    report: dict[str, Any]


def content(name: str, findings: Findings) -> Content:
    """What goes into an output: the ``error_map``, ``report``, ``overlay`` or ``page``."""
    from ..io import writing

    if name == "error_map":
        assert findings.errors is not None
        return writing.image_content(findings.errors.image())
    if name == "report":
        return writing.report_content(findings.report)
    if name == "overlay":
        from ..pictures import overlay

        return writing.picture_content(
            overlay.draw(
                findings.fixed,
                findings.moving,
                findings.before,
                findings.matrix,
                findings.title,
                _millimeters(findings.error_before_mm),
                _millimeters(findings.error_mm),
            )
        )
    from ..pages import pictures
    from ..pages.page import page
    from ..system.files import bytes_content

    errors = None if findings.report["verdict"] == "failed" else findings.errors
    drawn = pictures.draw(findings.fixed, findings.moving, findings.matrix, errors)
    return bytes_content(page(findings.report, drawn).encode("utf-8"))


def write_outputs(
    outputs: Outputs, withheld: Sequence[str], content_of: Callable[[str], Content]
) -> tuple[list[Path], list[Path]]:
    """Write the outputs that are named, all or none.

    Args:
        withheld: names of those that are not written.
        content_of: what goes into an output.

    Returns:
        The files that were written, and those that were withheld.

    Raises:
        InputError: if a file cannot be written.
    """
    from ..system.files import write_all

    named = outputs.named()
    contents = {path: content_of(name) for name, path in named.items() if name not in withheld}
    write_all(contents, outputs.durable)
    return list(contents), [path for name, path in named.items() if name in withheld]


def short_name(name: str) -> str:
    """The last part of a path, for a title."""
    return "".join(one if one.isprintable() else "?" for one in Path(name).resolve().name)


def _millimeters(error: float | None) -> str:
    return "" if error is None else f"error about {error:.1f} mm"


def provenance(inputs: Mapping[str, str | Path | None]) -> dict[str, Any]:
    """SHA-256 of the files of some inputs, and the versions of the software, as plain types.

    Raises:
        InputError: if a file can no longer be read.
    """
    try:
        hashes = {name: sha256_of_input(path) for name, path in inputs.items() if path is not None}
    except OSError as error:
        raise InputError(f"{error.filename} can no longer be read ({error.strerror}): check the path.") from error
    versions = {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}
    return {"inputs_sha256": hashes, "versions": versions, "platform": platform.platform()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # of a build that was not installed by pip
        return "unknown"
