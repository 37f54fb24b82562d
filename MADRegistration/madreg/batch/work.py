"""What a worker does with one pair: the registration, its files and its line for the manifest.

Tasks and entries are plain values, which any Dask worker with the same madreg can exchange.
"""

from __future__ import annotations

import io
import json
import math
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from ..system.plotting import plain_matplotlib
from . import bids, manifest, page, provenance
from .pair import Pair, from_plain

if TYPE_CHECKING:
    from ..pipeline.job import JobResult
    from ..system.files import Content

Task = dict[str, Any]
"""``pair`` (:func:`dataclasses.asdict`), ``fingerprint``, ``root``, ``out``, ``threads``, ``device`` (None: the
pair's), ``limit`` (None: none) and ``version``."""

NUMBERS = (
    "error_before_mm",
    "error_after_mm",
    "error_source",
    "bound_mm",
    "overlap",
    "consensus",
    "margin",
    "rotation_degrees",
    "volume_scale",
    "seconds",
    "device",
    "worst_mm",
)
"""What an entry has of a report, as far as the report has it."""
NEEDS = {
    "inverse": "transform",
    "sidecar": "transform",
    "inverse_sidecar": "transform",
    "resampled_sidecar": "resampled",
}
"""Files that are only written with another."""
ATTEMPTS = 2  # a pair without a result is tried again after all others, and then marked
THUMBNAIL_STEP = 3  # pixels of an overlay that become one of a thumbnail
TOP, BOTTOM, LEFT = 93, 55, 66  # pixels of an overlay above, below and to the left of its pictures


def task_of(pair: Pair, root: Path, out: Path, threads: int | None = None, limit: float | None = None) -> Task:
    """The task of registering a pair.

    Args:
        root: folder of relative inputs.
        out: folder of all outputs.
        threads: processor threads to use; as many as torch has if None.
        limit: seconds after which the worker is ended; None for no limit.
    """
    return {
        "pair": asdict(pair),
        "fingerprint": pair.fingerprint(),
        "root": str(root.resolve()),
        "out": str(out.resolve()),
        "threads": threads,
        "limit": limit,
        "device": None,
        "version": __version__,
    }


def register_pair(task: Task) -> manifest.Entry:
    """Register a pair, write its files, and return its entry; errors become an entry as well.

    A pair whose files are there already, with its entry among them, is not registered again.
    """
    pair, root, out = from_plain(task["pair"]), Path(task["root"]), Path(task["out"])
    former = manifest.result_of(pair, out)
    if former is not None:
        return former
    start = time.time()
    try:
        if task["version"] != __version__:
            raise InputError(
                f"A worker has madreg {__version__} and not {task['version']}: install the same everywhere."
            )
        return _finite(_registered(pair, root, out, task["threads"], task["device"]))
    except InputError as error:
        return failure(task, "error", str(error), seconds=time.time() - start)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return failure(task, "error", message, seconds=time.time() - start, traceback=traceback.format_exc())


def failure(task: Task, state: str, message: str, **more: Any) -> manifest.Entry:
    """The entry of a pair that has no result.

    Args:
        state: ``error``, or ``killed`` if its worker ended, or was ended as it took too long.
    """
    return {
        "id": task["pair"]["id"],
        "fingerprint": task["fingerprint"],
        "fixed": task["pair"]["fixed"],
        "moving": task["pair"]["moving"],
        "state": state,
        "message": message,
        **more,
    }


def _registered(pair: Pair, root: Path, out: Path, threads: int | None, device: str | None) -> manifest.Entry:
    """Register a pair and write all its files.

    Raises:
        InputError: if an input or an output cannot be used.
    """
    from ..pipeline.job import run_job
    from ..system.files import write_all
    from ..system.stderr import allow_suppression

    for folder in {(out / name).parent for name in pair.files.values()}:
        _make(folder)
    with allow_suppression(), threads_used(threads):
        job = pair.job(root, out, device)
        job.check()
        for name in pair.files.values():  # of other values of the row
            (out / name).unlink(missing_ok=True)
        done = run_job(job)
        entry = _entry(pair, done, provenance.of_pair(pair, root), threads, out)
        write_all(_contents(pair, done, entry, out))
    return entry


@contextmanager
def threads_used(number: int | None) -> Iterator[None]:
    """Torch and ITK use so many threads while the block runs; None changes nothing."""
    if number is None:
        yield
        return
    import SimpleITK as sitk
    import torch

    before = torch.get_num_threads(), sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    torch.set_num_threads(number)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before[1])


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror}): give an output folder that you may write to."
        ) from error


def _entry(pair: Pair, done: JobResult, origin: Mapping[str, Any], threads: int | None, out: Path) -> manifest.Entry:
    """What the manifest, the pages and the sidecars say about a pair."""
    report = done.report
    return {
        "id": pair.id,
        "fingerprint": pair.fingerprint(),
        "fixed": pair.fixed,
        "moving": pair.moving,
        "state": "done",
        "verdict": report["verdict"],
        **{key: report[key] for key in NUMBERS if key in report},
        "matrix_fixed_to_moving_lps": report["matrix_fixed_to_moving_lps"],
        "settings": {key: value for key, value in report["settings"].items() if key != "start"},
        "weights_sha256": report["weights_sha256"],
        "threads": threads,
        "notices": report["notices"],
        "files": _files(pair, {key for key, name in pair.files.items() if out / name in done.withheld}),
        **origin,
    }


def _files(pair: Pair, withheld: set[str]) -> dict[str, str]:
    """The files of a pair that are written, by their key."""
    return {key: name for key, name in pair.files.items() if {key, NEEDS.get(key, key)}.isdisjoint(withheld)}


def _contents(pair: Pair, done: JobResult, entry: manifest.Entry, out: Path) -> dict[Path, Content]:
    """The files that are written after those of the registration itself; the entry is the last."""
    from ..io.itk_transform import transform_content
    from ..io.writing import report_content
    from ..system.files import bytes_content

    files = entry["files"]
    contents: dict[str, Content] = {}
    if "inverse" in files:
        contents["inverse"] = transform_content(done.result.transform.inverse())
    for key, values in bids.sidecars(pair, done.report, entry).items():
        if key in files:
            contents[key] = report_content(values)
    if "thumbnail" in files:
        contents["thumbnail"] = bytes_content(_thumbnail(out / files["overlay"]))
    if "page" in files:
        contents["page"] = bytes_content(page.of_pair(entry).encode())
    contents["result"] = bytes_content(json.dumps(_finite(entry), sort_keys=True).encode("ascii") + b"\n")
    return {out / files[key]: content for key, content in contents.items()}


def _finite(value: Any) -> Any:
    """``value`` with None in place of numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@plain_matplotlib()
def _thumbnail(overlay: Path) -> bytes:
    """The middle row of an overlay, which shows the result, as a small JPEG."""
    from matplotlib.image import imread, imsave

    picture = imread(overlay)[TOP:-BOTTOM, LEFT:, :3]
    row = picture[len(picture) // 3 : 2 * len(picture) // 3]
    step = THUMBNAIL_STEP
    height, width = len(row) // step, row.shape[1] // step
    small = row[: height * step, : width * step].reshape(height, step, width, step, 3).mean((1, 3))
    stream = io.BytesIO()
    imsave(stream, small, format="jpg")
    return stream.getvalue()
