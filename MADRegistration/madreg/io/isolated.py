"""ITK's readers in a process of their own: some end the process, or take all memory, for a damaged file.

NIfTI, NRRD, MetaImage and plain DICOM files are not read here, since their headers are checked before ITK sees them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..system.cleanup import temporary_files, temporary_folder, undone_at_the_end
from .arrays import load_array
from .checks import Header, TooSmallError, check_header, without_empty_axes
from .itk_header import image_of, one_line
from .memory import available_bytes, check_fits
from .unreadable import UnreadableError

TIME_LIMIT = 600.0
"""Seconds after which a file that is still being read is given up."""

ADVICE = {
    "image": "give a complete NIfTI, NRRD or MHA file, or a folder of DICOM slices",
    "frames": "copy or export the series again, uncompressed if it can be",
    "transform": "give an ITK transform file such as .tfm or .h5",
}
"""What to do if a task fails."""

CHECKED_READERS = tuple(f"{kind}ImageIO" for kind in ("Gipl", "HDF5", "MINC", "Meta", "Nifti", "Nrrd", "VTK"))
"""ITK's readers whose files are compared with the length that they declare, here or by their own library."""

PICTURE_READERS = ("BMPImageIO", "JPEGImageIO", "JPEG2000ImageIO", "LSMImageIO", "PNGImageIO", "TIFFImageIO")


def read_isolated(path: Path, name: str) -> sitk.Image:
    """Read a 3D scalar image of any format that ITK knows.

    Args:
        name: what to call it in messages.

    Raises:
        UnreadableError: if ITK cannot read it, or crashes, or takes too long.
        InputError: if it is not a 3D scalar image.
    """
    with temporary_folder() as folder:
        answer = _ask("image", [path], name, folder)
        array = load_array(folder / "voxels.npy")
    fields: dict[str, Any] = {}
    for key, value in answer["header"].items():
        fields[key] = tuple(value) if isinstance(value, list) else value
    return image_of(array, Header(**fields))


def decode_isolated(files: Sequence[Path], name: str) -> np.ndarray:
    """Decode compressed DICOM files of one size.

    Returns:
        (n, rows, columns): the frames of each file in turn, rescaled as their headers say.

    Raises:
        UnreadableError: if ITK cannot read them, or crashes, or takes too long.
    """
    with temporary_folder() as folder:
        _ask("frames", files, name, folder)
        return load_array(folder / "voxels.npy")


@lru_cache(maxsize=8)
def check_transform(path: Path, _changed: int) -> bool:
    """Have another process read a file of ITK transforms, so that this one can do so safely.

    Args:
        path: the file.
        _changed: when it was changed last; a file is tried once.

    Returns:
        Whether it holds one transform, which may be a composite of others; of several, SimpleITK takes the first alone.

    Raises:
        UnreadableError: if ITK cannot read it, or crashes, or takes too long or too much memory.
    """
    with temporary_folder() as folder:
        return bool(_ask("transform", [path], path.name, folder)["is one"])


def _ask(task: str, paths: Sequence[Path], name: str, folder: Path) -> dict:
    """Run :func:`main` in another process; its answer."""
    links = [_plain_name(path, folder / f"{number:06d}") for number, path in enumerate(paths)]
    request = {"task": task, "paths": [str(link) for link in links], "name": name, "output": str(folder)}
    command = [sys.executable, "-c", "from madreg.io.isolated import main; main()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(word for word in sys.path if word)}
    with (
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
        ) as process,
        undone_at_the_end(process.kill),
    ):
        try:
            printed, _ = process.communicate(json.dumps(request).encode(), TIME_LIMIT)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise UnreadableError(f"cannot be read in {TIME_LIMIT / 60:.0f} minutes: {ADVICE[task]}") from error
    try:
        answer = json.loads(printed.decode() or "null")
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise UnreadableError(f"cannot be read as an image (its reader crashed): {ADVICE[task]}")
    if "too small" in answer:
        raise TooSmallError(*answer["too small"])
    if "refused" in answer:
        raise InputError(answer["refused"])
    if "fault" in answer:
        raise UnreadableError(answer["fault"])
    return answer


def _plain_name(path: Path, stem: Path) -> Path:
    """A path that ITK can take: names that are not UTF-8 get a link with a plain one."""
    path = path.resolve()
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        suffix = "".join(re.findall(r"\.[A-Za-z0-9]+", path.name)[-2:])
        link = stem.with_name(stem.name + suffix)
        link.symlink_to(path)
        return link
    return path


def main() -> None:
    """The other process: a request on stdin, an answer on stdout, voxels in a file."""
    request = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    _limit_memory()
    task, paths, name, output = request["task"], request["paths"], request["name"], Path(request["output"])
    try:
        answer = TASKS[task](paths, name, output)
    except TooSmallError as error:
        answer = {"too small": (str(error), error.size)}
    except InputError as error:
        answer = {"refused": str(error)}
    except UnreadableError as error:
        answer = {"fault": str(error)}
    except MemoryError:
        answer = {"fault": f"needs more memory than there is: {ADVICE[task]}"}
    except (RuntimeError, ValueError, OverflowError) as error:  # how SimpleITK reports everything
        answer = {"fault": f"cannot be read as an image ({one_line(error)}): {ADVICE[task]}"}
    json.dump(answer, out)
    out.close()


def _limit_memory() -> None:
    """An allocation beyond the memory of this computer shall fail rather than stop everything."""
    try:
        import resource
    except ImportError:  # Windows
        return
    available = available_bytes()
    if available:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if _on_linux() else 0
        limit, hard = used + available, resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _on_linux() -> bool:
    return sys.platform.startswith("linux")


def _image(paths: Sequence[str], name: str, output: Path) -> dict:
    reader = sitk.ImageFileReader()
    reader.SetFileName(paths[0])
    reader.ReadImageInformation()
    _check_reader(reader.GetImageIOFromFileName(paths[0]))
    header = Header.of_reader(reader)
    check_header(header, name)
    check_fits(int(np.prod(header.size, dtype=object)), 8)
    image = without_empty_axes(reader.Execute())
    _save(sitk.GetArrayViewFromImage(image), output)
    return {"header": asdict(Header.of_image(image))}


def _save(array: np.ndarray, output: Path) -> None:
    with temporary_files():
        np.save(output / "voxels.npy", array, allow_pickle=False)


def _check_reader(used: str) -> None:
    """Refuse formats of pictures, and those that ITK fills up where they are cut off.

    Raises:
        UnreadableError: for these.
    """
    if used in PICTURE_READERS:
        raise UnreadableError(
            "is a picture or a stack of pictures, without the distance between its slices: save it as NRRD or NIfTI "
            "with the size of its voxels"
        )
    if used not in CHECKED_READERS:
        kind = used.removesuffix("ImageIO")
        raise UnreadableError(f"is of a format ({kind}) that may be incomplete unnoticed: convert it to NRRD or NIfTI")


def _frames(paths: Sequence[str], _: str, output: Path) -> dict:
    frames = []
    for path in paths:
        array = sitk.GetArrayFromImage(sitk.ReadImage(path))
        frames.append(array if array.ndim == 3 else array[None])
    kind = np.result_type(*frames)
    _save(np.concatenate([one.astype(kind) for one in frames]), output)
    return {}


class _Warnings(sitk.LoggerBase):
    """What ITK warns of."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def DisplayWarningText(self, text: str) -> None:  # noqa: N802  ITK's name
        self.texts.append(text)


def _transform(paths: Sequence[str], _: str, __: Path) -> dict:
    warnings = _Warnings()
    former = warnings.SetAsGlobalITKLogger()
    try:
        sitk.ReadTransform(paths[0])
    finally:
        former.SetAsGlobalITKLogger()
    return {"is one": not any("more than one transform" in text for text in warnings.texts)}


TASKS = {"image": _image, "frames": _frames, "transform": _transform}
