"""The files that a registration or an assessment writes, all or none."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..system.files import Content


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
