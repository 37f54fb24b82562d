"""Formats that are read in a process of their own, by ITK or by nibabel, and what ITK passes over in some of them."""

from __future__ import annotations

import math
import re
import struct
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..image.geometry import FLIP_LPS_RAS
from ..system.cleanup import temporary_folder
from .analyze_pairs import check_pair
from .checks import Header, check_header
from .inflating import GZIP_START, Inflater
from .isolated import read_isolated
from .itk_header import image_of
from .memory import check_fits
from .nifti import is_nifti_pair, no_orientation, read_nifti
from .other_files import what_it_is
from .unreadable import DAMAGED, UnreadableError

FREESURFER = (".mgz", ".mgh", ".mgh.gz")
OF_NIBABEL = {FREESURFER: "FreeSurfer", (".par",): "PAR/REC", (".head", ".brik", ".brik.gz"): "AFNI"}
MINC = (".mnc", ".mnc2")
UNORIENTED = (".vtk", ".gipl", ".gipl.gz")  # ITK writes no directions of the axes into them
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PAIRS = (".hdr", ".hdr.gz", ".img", ".img.gz")
_VTK_BYTES = {
    **{"char": 1, "unsigned_char": 1, "short": 2, "unsigned_short": 2, "int": 4, "unsigned_int": 4},
    **{"long": 8, "unsigned_long": 8, "float": 4, "double": 8},
}
_GIPL_BITS = {1: 1, 7: 8, 8: 8, 15: 16, 16: 16, 31: 32, 32: 32, 64: 32, 65: 64}


def read_foreign(path: Path, name: str, is_label_map: bool = False) -> tuple[sitk.Image, str, list[str]]:
    """Read a file that is neither NIfTI nor NRRD nor MetaImage nor DICOM.

    Args:
        name: what to call it in messages.
        is_label_map: whether its intensities are numbers of structures.

    Returns:
        The image, the name of its format, and sentences for the user.

    Raises:
        UnreadableError: if it cannot be read; the message says what to do.
        InputError: if it is not a 3D scalar image.
    """
    ending = path.name.lower()
    if what := what_it_is(path):
        raise UnreadableError(what)
    if ending.endswith(".rec"):
        raise UnreadableError("is the data of a Philips PAR/REC pair: give the .PAR file beside it")
    for suffixes, kind in OF_NIBABEL.items():
        if ending.endswith(suffixes):
            return _read_with_nibabel(path, name), kind, []
    if ending.endswith(MINC) and path.open("rb").read(3) == b"CDF":  # version 1, which ITK does not know
        return _read_with_nibabel(path, name), "MINC", []
    if ending.endswith(PAIRS):
        return _read_pair(path, name, is_label_map)
    is_unoriented = ending.endswith(UNORIENTED)
    if is_unoriented:
        _check_length(path)
    image = read_isolated(path, name)
    if ending.endswith(MINC):
        return _minc_in_lps(image), "MINC", []
    notices = [no_orientation(name, "")] if is_unoriented and image.GetDirection() == UPRIGHT else []
    return image, path.suffix.lstrip(".").upper() or "unknown", notices


def _read_pair(path: Path, name: str, is_label_map: bool) -> tuple[sitk.Image, str, list[str]]:
    """Read ``.hdr`` and ``.img``: as :func:`read_foreign`."""
    if is_nifti_pair(path):
        image, notices = read_nifti(path, name, is_label_map)
        return image, "NIfTI", notices
    check_pair(path)
    return read_isolated(path, name), "Analyze", [no_orientation(name, "")]


def _minc_in_lps(image: sitk.Image) -> sitk.Image:
    """A MINC image in LPS: up to version 5, ITK takes its RAS coordinates for LPS."""
    if _itk_converts_minc():
        return image
    image = sitk.Image(image)
    flip = np.diag([-1.0, -1.0, 1.0])
    image.SetDirection((flip @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    image.SetOrigin((flip @ image.GetOrigin()).tolist())
    return image


def _itk_converts_minc() -> bool:
    """Whether this ITK converts between LPS and MINC's RAS, as its writer shows: reader and writer agree."""
    start = 1234.5678
    tiny = sitk.Image([2, 2, 2], sitk.sitkUInt8)
    tiny.SetOrigin((start, 0, 0))
    with temporary_folder() as folder:
        path = folder / "tiny.mnc"
        sitk.WriteImage(tiny, str(path))
        return struct.pack("<d", start) not in path.read_bytes()


def _check_length(path: Path) -> None:
    """Refuse VTK and GIPL files that are cut off, which ITK fills up.

    Raises:
        UnreadableError: if one is shorter than its header says.
    """
    content = path.read_bytes()
    if content.startswith(GZIP_START):
        stream = Inflater(content)
        start = stream.read(256)
        content = start + stream.read(max(_gipl_length(start) - 256, 0))
        stream.finish()
        needed = _gipl_length(start)
    elif path.name.lower().endswith(".vtk"):
        needed = _vtk_length(content)
    else:
        needed = _gipl_length(content)
    if len(content) < needed:
        raise UnreadableError(DAMAGED)


def _vtk_length(content: bytes) -> int:
    """Bytes of a legacy VTK image; more than there are if one of text has too few numbers."""
    head = content[:4096]
    dimensions = re.search(rb"^DIMENSIONS\s+(\d+)\s+(\d+)\s+(\d+)", head, re.MULTILINE | re.IGNORECASE)
    kind = re.search(rb"^(?:SCALARS\s+\S+|VECTORS\s+\S+)\s+(\w+)(?:\s+(\d+))?", head, re.MULTILINE | re.IGNORECASE)
    table = re.search(rb"^LOOKUP_TABLE\s+\S+\s*?\n", head, re.MULTILINE | re.IGNORECASE)
    if not (dimensions and kind and head.startswith(b"# vtk")):
        raise UnreadableError(DAMAGED)
    count = math.prod(int(number) for number in dimensions.groups()) * int(kind[2] or 1)
    start = (table or kind).end()
    if re.search(rb"^ASCII", head, re.MULTILINE | re.IGNORECASE):
        return len(content) if _words(content[start:]) >= count else len(content) + 1
    return start + count * _VTK_BYTES.get(kind[1].decode().lower(), 1)


def _words(text: bytes) -> int:
    """Words of a text."""
    is_space = np.frombuffer(b" " + text, np.uint8) <= ord(" ")
    return int(np.count_nonzero(is_space[:-1] & ~is_space[1:]))


def _gipl_length(content: bytes) -> int:
    """Bytes of a GIPL image."""
    if len(content) < 256:
        raise UnreadableError(DAMAGED)
    *size, kind = struct.unpack_from(">5H", content)
    bits = _GIPL_BITS.get(kind)
    if bits is None:
        raise UnreadableError(DAMAGED)
    return 256 + math.prod(max(n, 1) for n in size) * bits // 8


def _read_with_nibabel(path: Path, name: str) -> sitk.Image:
    if find_spec("nibabel") is None:
        raise UnreadableError(
            "is of a format that needs the package nibabel: install it (pip install 'madreg[formats]'), or convert "
            "the image to NIfTI"
        )
    import nibabel

    warnings.filterwarnings("ignore", module="nibabel")  # of headers that bend their format
    try:
        if path.name.lower().endswith(FREESURFER):
            return _of_nibabel(nibabel.MGHImage.from_bytes(_mgh_content(path)), name)
        return _of_nibabel(nibabel.load(path), name)
    except (InputError, UnreadableError):
        raise
    except FileNotFoundError as error:
        raise UnreadableError(
            f"has no {Path(error.filename or '').name} beside it, which holds its voxels: put both into one folder"
        ) from error
    except Exception as error:  # nibabel raises many kinds for damaged files
        reason = " ".join(str(error).split()).rstrip(". ")[:200]
        raise UnreadableError(f"cannot be read ({reason}): copy or export it again, or convert it to NIfTI") from error


def _check_gzip(path: Path, length: int) -> None:
    """Inflate a file to its end, which nibabel does not, so that its check sum is compared.

    Args:
        length: bytes that it holds at most; some may follow.

    Raises:
        UnreadableError: if it is damaged.
    """
    stream = Inflater(path.read_bytes())
    stream.read(length)
    stream.finish()


def _mgh_content(path: Path) -> bytes:
    """The bytes of a FreeSurfer volume up to the end of its voxels, inflated."""
    content = path.read_bytes()
    if content.startswith(GZIP_START):
        stream = Inflater(content)
        start = stream.read(284)
        content = start + stream.read(_mgh_length(start) - 284)
        stream.finish()
    if len(content) < _mgh_length(content[:284]):
        raise UnreadableError(DAMAGED)
    return content


def _mgh_length(start: bytes) -> int:
    """Bytes of a FreeSurfer volume up to the end of its voxels."""
    if len(start) < 284:
        raise UnreadableError(DAMAGED)
    version, *size, kind = struct.unpack_from(">6i", start)
    item = {0: 1, 1: 4, 3: 4, 4: 2}.get(kind)
    if version != 1 or item is None or min(size) < 1:
        raise UnreadableError(DAMAGED)
    check_fits(math.prod(size), item)
    return 284 + math.prod(size) * item


def _of_nibabel(loaded: Any, name: str) -> sitk.Image:
    """A nibabel image, whose affine maps an index to RAS mm, as an ITK image."""
    size = tuple(loaded.shape)
    header = Header.of_matrix(size, FLIP_LPS_RAS @ loaded.affine, str(loaded.get_data_dtype()))
    check_header(header, name)
    check_fits(math.prod(size), 8)
    for part in loaded.file_map.values():
        if part.filename and str(part.filename).lower().endswith(".gz"):
            _check_gzip(Path(part.filename), math.prod(size) * loaded.get_data_dtype().itemsize)
    array = np.asanyarray(loaded.dataobj)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return image_of(np.ascontiguousarray(array.reshape(size[:3], order="F").T), header)
