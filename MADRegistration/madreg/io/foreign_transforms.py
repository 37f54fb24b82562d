"""Transforms of FSL (FLIRT's ``.mat``) and FreeSurfer (``.lta``) as transforms between worlds.

Both need to know between which images they were made: FLIRT's matrices hold between voxel indices that are scaled to
millimetres, and FreeSurfer's may hold between voxel indices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..image.geometry import FLIP_LPS_RAS, Grid
from ..image.transform import Transform

LONGEST = 1 << 20
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
OF_FSL = ("NIfTI", "Analyze")
"""Formats of the images that FLIRT takes."""

SAME_PLACE = 0.01
"""Share of a voxel by which a lattice may differ from the one that a file describes."""


def is_foreign_transform(path: str | Path) -> bool:
    """Whether a file is a text matrix of FLIRT or an LTA of FreeSurfer; ITK's ``.mat`` is binary, its ``.tfm`` named.

    Raises:
        InputError: if there is no such file, it cannot be opened, or it is a ``.mat`` of other numbers.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".lta":
        return True
    start = _start(path, 4096)
    is_flirt = _flirt_matrix(start) is not None
    if not is_flirt and ending == ".mat" and _rows(start):
        raise InputError(
            f"{path} is no matrix of FLIRT, which has four lines of four finite numbers, the last of them 0 0 0 1: "
            "give such a matrix, or an ITK transform file."
        )
    return is_flirt


def flirt_notices(path: str | Path, images: Mapping[str, str]) -> list[str]:
    """Sentences about what a matrix of FLIRT may have been mistaken for; none for other files.

    Another program may have written it, unless it has two spaces behind each number, as FSL puts them.  It holds
    between voxels in the order of the files that FLIRT was given, which those of another format need not have.

    Args:
        images: format of the fixed and of the moving image, by what to call them.

    Raises:
        InputError: if there is no such file, or it cannot be opened.
    """
    start = _start(Path(path), 4096)
    if Path(path).suffix.lower() == ".lta" or _flirt_matrix(start) is None:
        return []
    lines = [line for line in start.decode("ascii").splitlines() if line.strip()]
    notices = [
        f"{path} is read as a matrix of FSL (FLIRT), which holds between NIfTI files, and {name} is none: its voxels "
        "may be in another order; give the files that FLIRT was given."
        for name, kind in images.items()
        if kind not in OF_FSL
    ]
    if not all(re.fullmatch(r"(\S+  ){3}\S+ *", line) for line in lines):
        notices.append(
            f"{path} holds nothing but a matrix, and was read as one of FSL (FLIRT): if another program wrote it, such "
            "as Greedy, c3d or NiftyReg, convert it to .tfm."
        )
    return notices


def _start(path: Path, length: int) -> bytes:
    """The first bytes of a file.

    Raises:
        InputError: if there is no such file, or it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return file.read(length)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path of the transform.") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder: give the file of the transform.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}): check your rights to it.") from error


def read_foreign_transform(path: str | Path, fixed: Grid, moving: Grid) -> Transform:
    """Read a transform of FLIRT or FreeSurfer that was made between two images.

    FLIRT's matrix maps ``-in`` (here the moving image) to ``-ref`` (here the fixed one).  FreeSurfer's maps its source
    to its destination; which one is the moving image follows from the geometry that it holds, and if that fits neither,
    the source is.

    Args:
        fixed, moving: lattices of the images.

    Raises:
        InputError: if it cannot be read, or was made between other images.
    """
    path = Path(path)
    content = _start(path, LONGEST)
    if path.name.lower().endswith(".lta"):
        matrix = _of_lta(content.decode("latin-1"), fixed, moving, path)
    else:
        flirt = _flirt_matrix(content)
        if flirt is None:
            raise InputError(f"{path} is no matrix of FLIRT (four lines of four numbers): give an ITK transform file.")
        matrix = _of_flirt(flirt, fixed, moving, path)
    try:
        return Transform(matrix)
    except ValueError as error:
        raise InputError(f"{path} is not invertible or holds no numbers: give an invertible one.") from error


def _flirt_matrix(content: bytes) -> np.ndarray | None:
    """4x4 matrix of a text file that holds nothing else; None if it holds something else."""
    rows = _rows(content)
    if len(rows) != 4 or any(len(row) != 4 for row in rows):
        return None
    matrix = np.array(rows)
    return matrix if np.isfinite(matrix).all() and np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6) else None


def _rows(content: bytes) -> list[list[float]]:
    """The numbers in each line of a text that holds nothing else; none if it holds something else."""
    try:
        return [[float(word) for word in line.split()] for line in content.decode("ascii").splitlines() if line.strip()]
    except ValueError:
        return []


def _of_flirt(flirt: np.ndarray, fixed: Grid, moving: Grid, path: Path) -> np.ndarray:
    """Fixed LPS to moving LPS."""
    _check_invertible(flirt, path)
    to_fixed = _scaled_index(fixed)
    to_moving = _scaled_index(moving)
    matrix = moving.matrix @ np.linalg.inv(to_moving) @ np.linalg.inv(flirt) @ to_fixed @ fixed.inverse
    matrix[3] = (0, 0, 0, 1)
    return matrix


def _scaled_index(grid: Grid) -> np.ndarray:
    """4x4, index (i, j, k) to FSL's coordinates: millimetres from the corner, along x from the other side where the
    axes are right-handed in RAS."""
    scaled = np.diag([*grid.spacing, 1.0])
    if np.linalg.det(grid.matrix[:3, :3]) > 0:  # turning LPS to RAS reverses two axes, which keeps the sign
        scaled[0, 0] *= -1
        scaled[0, 3] = (grid.size[0] - 1) * grid.spacing[0]
    return scaled


@dataclass(frozen=True)
class _Geometry:
    """Lattice that an LTA describes; ``matrix`` maps an index to LPS mm."""

    size: tuple[int, int, int]
    matrix: np.ndarray

    def fits(self, grid: Grid) -> bool:
        """Whether a grid is this lattice."""
        if self.size != grid.size:
            return False
        apart = np.linalg.norm(Grid(self.size, self.matrix).corners - grid.corners, axis=1).max()
        return bool(apart < SAME_PLACE * grid.spacing.min() + 1e-3 * np.sqrt(grid.spacing.max()))


def _of_lta(text: str, fixed: Grid, moving: Grid, path: Path) -> np.ndarray:
    """Fixed LPS to moving LPS."""
    kind = re.search(r"^\s*type\s*=\s*(\d+)", text, re.MULTILINE)
    entries = re.search(rf"^\s*1\s+4\s+4((?:\s+{NUMBER}){{16}})[ \t]*\r?\n", text, re.MULTILINE)
    count = re.search(r"^\s*nxforms\s*=\s*(\d+)", text, re.MULTILINE)
    if not (kind and entries and count) or int(count[1]) != 1 or int(kind[1]) not in (0, 1):
        raise InputError(
            f"{path} is no LTA with one transform between voxels or between RAS: convert it to ITK's .tfm."
        )
    matrix = np.array([float(word) for word in entries[1].split()]).reshape(4, 4)
    _check_invertible(matrix, path)
    source, destination = (_geometry(text, name) for name in ("src", "dst"))
    if int(kind[1]) == 0:
        if source is None or destination is None:
            raise InputError(f"{path} maps voxels and does not say of which images: write it with lta_convert first.")
        matrix = destination.matrix @ matrix @ np.linalg.inv(source.matrix)
    else:
        matrix = FLIP_LPS_RAS @ matrix @ FLIP_LPS_RAS
    backwards = _from_fixed(source, destination, fixed, moving, path)
    matrix = matrix if backwards else np.linalg.inv(matrix)
    matrix[3] = (0, 0, 0, 1)
    return matrix


def _from_fixed(source: _Geometry | None, destination: _Geometry | None, fixed: Grid, moving: Grid, path: Path) -> bool:
    """Whether the source is the fixed image."""
    if source is None or destination is None:
        return False
    if source.fits(moving) and destination.fits(fixed):
        return False
    if source.fits(fixed) and destination.fits(moving):
        return True
    if any(one.fits(grid) for one in (source, destination) for grid in (fixed, moving)):
        return source.fits(fixed) or destination.fits(moving)
    raise InputError(
        f"{path} was made between other images (their sizes or positions differ from both): give the images that it "
        "was made with, or convert it to ITK's .tfm."
    )


def _geometry(text: str, which: str) -> _Geometry | None:
    """What an LTA says of its source (``src``) or destination (``dst``); None if it says nothing."""
    block = re.search(rf"^\s*{which} volume info\s*\n(.*?)(?=^\s*(?:src|dst) volume info|\Z)", text, re.M | re.S)
    if block is None:
        return None
    fields = {}
    for line in block[1].splitlines():
        key, _, value = line.partition("=")
        fields[key.strip()] = value.partition("#")[0].split()
    if fields.get("valid", ["0"])[0] != "1":
        return None
    try:
        size = [int(word) for word in fields["volume"]]
        spacing = [float(word) for word in fields["voxelsize"]]
        axes = np.array([[float(word) for word in fields[key]] for key in ("xras", "yras", "zras")]).T
        center = np.array([float(word) for word in fields["cras"]])
    except (KeyError, ValueError):
        return None
    if len(size) != 3 or len(spacing) != 3 or axes.shape != (3, 3) or center.shape != (3,):
        return None
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = center - matrix[:3, :3] @ (np.array(size) / 2)  # FreeSurfer's centre is voxel n / 2
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix[:3, :3]) < 3:
        return None
    return _Geometry((size[0], size[1], size[2]), FLIP_LPS_RAS @ matrix)


def _check_invertible(matrix: np.ndarray, path: Path) -> None:
    if not np.isfinite(matrix).all() or not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise InputError(f"{path} is no affine matrix (its last row is not 0 0 0 1): write it again.")
    if not 1e-6 < abs(np.linalg.det(matrix[:3, :3])) < 1e6:
        raise InputError(f"{path} is not invertible or holds no numbers: give an invertible transform.")
