"""One registration of a batch as plain values: its inputs, its settings and the names of its files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..settings import MEASURE, SEED, TYPE, Settings, initialization_of

if TYPE_CHECKING:
    from ..pipeline.job import Job

INPUTS = ("fixed", "moving", "fixed_mask", "moving_mask", "initial_transform")
LONGEST_ID = 120
RESERVED = {"CON", "PRN", "AUX", "NUL"} | {f"{port}{number}" for port in ("COM", "LPT") for number in range(10)}
"""Names that Windows gives no file and no folder, whatever follows them after a dot."""
RESULT = "result.json"
PICTURES = {"overlay": "overlay.png", "thumbnail": "thumbnail.jpg"}


@dataclass(frozen=True)
class Pair:
    """A fixed and a moving image to be registered.

    Attributes:
        id: names the pair in the manifest and in the names of its files.
        fixed, moving, fixed_mask, moving_mask, initial_transform: paths, absolute or relative to the folder of the
            table or to the data set.
        type, init, measure, seed, weights, device: as in :class:`madreg.settings.Settings`; of ``init`` None, see
            :func:`madreg.settings.initialization_of`.
        keep_failed: whether to write the transform also if the verdict is ``failed``.
        files: paths of the files to write, relative to the output folder: ``transform``, ``report``, ``overlay``,
            ``resampled``, ``error_map`` (see :class:`madreg.pipeline.outputs.Outputs`), ``inverse``, ``sidecar``,
            ``inverse_sidecar``, ``resampled_sidecar``, ``thumbnail``, ``page``, and always ``result``.
    """

    id: str
    fixed: str
    moving: str
    fixed_mask: str | None = None
    moving_mask: str | None = None
    initial_transform: str | None = None
    type: str = TYPE.default
    init: str | None = None
    measure: str = MEASURE.default
    seed: int = SEED.default
    weights: str | None = None
    device: str = "auto"
    keep_failed: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """A hash of all the values: pairs of one fingerprint have the same result."""
        text = json.dumps({**vars(self), "files": dict(self.files)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def input(self, name: str, root: Path) -> Path | None:
        """The path of one of :data:`INPUTS`; None if the pair has none."""
        value = getattr(self, name)
        return None if value is None else Path(os.path.normpath(root / value))

    def settings(self, device: str | None = None) -> Settings:
        """Checked settings, without the initial transform.

        Args:
            device: the device of the worker in place of the pair's.

        Raises:
            InputError: for a value that does not exist.
        """
        init = initialization_of(self.init, self.initial_transform)
        settings = Settings(self.type, self.measure, init, device or self.device, self.seed, weights=self.weights)
        settings.check()
        return settings

    def job(self, root: Path, out: Path, device: str | None = None) -> Job:
        """What ``madreg register`` would do with the same inputs and settings.

        Args:
            root: folder of relative inputs.
            out: folder of all outputs.
            device: the device of the worker in place of the pair's.

        Raises:
            InputError: for a setting that does not exist.
        """
        from ..pipeline.job import Job
        from ..pipeline.job_sources import ScanFile
        from ..pipeline.outputs import Outputs

        names = ("transform", "resampled", "error_map", "report", "overlay")
        files: dict[str, Any] = {name: out / self.files[name] for name in names if name in self.files}
        fixed, moving = self.input("fixed", root), self.input("moving", root)
        assert fixed is not None and moving is not None
        return Job(
            ScanFile(fixed, self.input("fixed_mask", root)),
            ScanFile(moving, self.input("moving_mask", root)),
            self.settings(device),
            Outputs(**files),
            self.keep_failed,
            initial_transform=self.input("initial_transform", root),
        )


def check_id(name: str, where: str) -> str:
    """An id, if it can be a part of file names on every system.

    Args:
        where: what names the id, for the message.

    Raises:
        InputError: if not.
    """
    if name.partition(".")[0].upper() in RESERVED:
        raise InputError(f'{where} has the id "{name[:LONGEST_ID]}", which names a device on Windows: use another one.')
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or len(name) > LONGEST_ID or name.endswith("."):
        raise InputError(
            f'{where} has the id "{name[:LONGEST_ID]}", which cannot name files: use at most {LONGEST_ID} letters, '
            "digits, dots, hyphens and underscores, without a dot or hyphen at the beginning or a dot at the end."
        )
    return name


def from_plain(values: Mapping[str, Any]) -> Pair:
    """The pair of which ``values`` are :func:`dataclasses.asdict`."""
    return Pair(**values)
