"""The inputs of registrations and assessments: checked before anything is read, and read while torch is loaded.

This module does not import torch, which takes a second to load.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InputError
from ..settings import Settings
from .job_sources import Scan, Structures
from .outputs import Outputs

if TYPE_CHECKING:
    from ..io.reading import Loaded
    from ..io.segmentation import Segmentation


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
        from . import registration  # noqa: F401  loads torch meanwhile
    finally:
        pool.shutdown(wait=False, cancel_futures=False)
    card = checked_card(job.settings)
    fixed, moving = (read.result() for read in reads)
    return Inputs(fixed, moving, None if job.segmentation is None else job.segmentation.load(fixed), card)


def checked_card(settings: Settings) -> dict[str, Any]:
    """The model card of the weights that a registration or an assessment with these settings uses.

    Raises:
        InputError: for a device that is not there, or weights that are missing, damaged or foreign.
    """
    from ..network import weights
    from ..system import device

    bundled = weights.FEATURES if settings.measure == "mad" else weights.DISTANCES
    return weights.checked_card(settings.weights, device.choose(settings.device), bundled)


def check_job(job: AnyJob) -> None:
    """Raise InputError for what any job can be refused for before anything is read."""
    job.settings.check()
    job.fixed.check()
    job.moving.check()
    if job.segmentation is not None:
        job.segmentation.check()
    job.outputs.check([*weights_files(job.settings), *job.inputs().values()])


def weights_files(settings: Settings) -> list[str | Path]:
    """The files of the weights, if they are not the bundled ones.

    Raises:
        InputError: if the path is no name of a file, as that of the current folder.
    """
    if settings.weights is None:
        return []
    if not Path(settings.weights).name:
        raise InputError(f'There are no weights at "{settings.weights}": give a .pt file that `madreg train` wrote.')
    return [settings.weights, Path(settings.weights).with_suffix(".json")]
