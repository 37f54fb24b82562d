"""The inputs of registrations and assessments: checked before anything is read, and read while torch is loaded.

This module does not import torch, which takes a second to load.
"""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InputError
from ..settings import Settings
from .outputs import Outputs

if TYPE_CHECKING:
    import numpy as np

    from ..image.transform import Transform
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


class AnyJob(Protocol):
    """A registration or an assessment to be done."""

    @property
    def fixed(self) -> Scan: ...

    @property
    def moving(self) -> Scan: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def outputs(self) -> Outputs: ...

    @property
    def segmentation(self) -> Structures | None: ...

    def check(self) -> None: ...

    def inputs(self) -> dict[str, str | Path]: ...


@dataclass(frozen=True)
class Inputs:
    """What was read for a job.

    Attributes:
        segmentation: structures of the fixed image, if the job has any.
        card: model card of the weights.
    """

    fixed: Loaded
    moving: Loaded
    segmentation: Segmentation | None
    card: dict[str, Any]


def read_inputs(job: AnyJob) -> Inputs:
    """Check a job, and read its images and its segmentation.  The network of MAD is not built.

    Raises:
        InputError: if an input, a setting, an output or the weights cannot be used.
    """
    job.check()
    pool = ThreadPoolExecutor(2)
    try:
        reads = [pool.submit(scan.load) for scan in (job.fixed, job.moving)]
        from ..network import weights
        from ..system import device
        from . import registration  # noqa: F401  loads torch meanwhile
    finally:
        pool.shutdown(wait=False, cancel_futures=False)
    bundled = weights.FEATURES if job.settings.measure == "mad" else weights.DISTANCES
    card = weights.checked_card(job.settings.weights, device.choose(job.settings.device), bundled)
    fixed, moving = (read.result() for read in reads)
    return Inputs(fixed, moving, None if job.segmentation is None else job.segmentation.load(fixed), card)


def check_job(job: AnyJob) -> None:
    """Raise InputError for what any job can be refused for before anything is read."""
    job.settings.check()
    job.fixed.check()
    job.moving.check()
    if job.segmentation is not None:
        job.segmentation.check()
    job.outputs.check([*_weights_files(job.settings), *job.inputs().values()])


def check_initial_transform(path: str | Path) -> None:
    """Raise InputError for an initial transform that can be refused before the images are read."""
    from ..io.itk_transform import read_transform
    from ..io.transform_files import is_foreign_transform

    check_input(path)
    if not is_foreign_transform(path):
        _check_start(read_transform(path), path)


def read_initial_transform(path: str | Path, read: Inputs) -> np.ndarray:
    """4x4, fixed LPS to moving LPS, of a linear transform of ITK, FSL or FreeSurfer.

    Raises:
        InputError: if it cannot be read, is not linear, mirrors, or was made between other images.
    """
    from ..image.geometry import Grid
    from ..io.itk_transform import read_transform
    from ..io.transform_files import is_foreign_transform, read_foreign_transform

    if is_foreign_transform(path):
        grids = Grid.of_image(read.fixed.image), Grid.of_image(read.moving.image)
        transform = read_foreign_transform(path, *grids)
    else:
        transform = read_transform(path)
    _check_start(transform, path)
    return transform.matrix


def _check_start(transform: Transform, path: str | Path) -> None:
    """Raise InputError for a start that mirrors: a registration changes no handedness, and left would become right."""
    if transform.mirrors:
        raise InputError(
            f"{path} mirrors the moving image (its determinant is negative): give a transform that does not, and if an "
            "image is stored mirrored, correct the directions in its header."
        )


def files_of(fixed: Scan, moving: Scan, segmentation: Structures | None) -> dict[str, str | Path]:
    """The files of what is read, by what they are; none of what is in memory."""
    found: dict[str, str | Path] = {}
    for role, scan in (("fixed", fixed), ("moving", moving)):
        if isinstance(scan, ScanFile):
            found |= {role: scan.path} if scan.mask is None else {role: scan.path, f"{role}_mask": scan.mask}
    return found | ({"segmentation": segmentation.path} if isinstance(segmentation, StructuresFile) else {})


def _weights_files(settings: Settings) -> list[str | Path]:
    """The files of the weights, if they are not the bundled ones."""
    return [] if settings.weights is None else [settings.weights, Path(settings.weights).with_suffix(".json")]


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
