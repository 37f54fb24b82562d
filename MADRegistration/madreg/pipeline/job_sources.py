"""Where the inputs of registrations and assessments come from: files, or what else has the same methods.

This module does not import torch, which takes a second to load.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import InputError

if TYPE_CHECKING:
    from ..io.reading import Loaded
    from ..io.segmentation import Segmentation


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


class Structures(Protocol):
    """Where the structures of the fixed image come from."""

    def check(self) -> None:
        """Raise InputError for what can be refused before anything is read."""

    def load(self, fixed: Loaded) -> Segmentation:
        """Those on the grid of the fixed image.  InputError if they cannot be used."""


@dataclass(frozen=True)
class StructuresFile:
    """A file with a label map on the grid of the fixed image."""

    path: str | Path

    def check(self) -> None:
        check_input(self.path)

    def load(self, fixed: Loaded) -> Segmentation:
        from ..io.segmentation import read_segmentation

        return read_segmentation(self.path, fixed.image, fixed.name)


def files_of(fixed: Scan, moving: Scan, segmentation: Structures | None) -> dict[str, str | Path]:
    """The files of what is read, by what they are; none of what is in memory."""
    found: dict[str, str | Path] = {}
    for role, scan in (("fixed", fixed), ("moving", moving)):
        if isinstance(scan, ScanFile):
            found |= {role: scan.path} if scan.mask is None else {role: scan.path, f"{role}_mask": scan.mask}
    return found | ({"segmentation": segmentation.path} if isinstance(segmentation, StructuresFile) else {})


def transform_notices(path: str | Path | None, fixed: Loaded, moving: Loaded) -> list[str]:
    """Sentences about a transform that was read from a file; none if there is no file."""
    from ..io.displacement_files import is_displacement_file
    from ..io.foreign_transforms import flirt_notices

    if path is None or is_displacement_file(path):
        return []
    return flirt_notices(path, {one.name: one.source.format for one in (fixed, moving) if one.source is not None})


def check_input(path: str | Path) -> None:
    """Refuse, before any work, a path that is neither a file nor a folder that can be read.

    What does not exist is left to the reader, which knows more ways to name a scan.

    Raises:
        InputError: for pipes and devices, loops of links, files that may not be read, and names that cannot be used.
    """
    from ..io.file_names import check_name

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
