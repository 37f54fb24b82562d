"""A file whose transform is the start of a registration.

This module does not import torch, which takes a second to load.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .job_sources import check_input

if TYPE_CHECKING:
    import numpy as np

    from ..image.transform import Transform
    from ..io.reading import Loaded


def check_initial_transform(path: str | Path) -> None:
    """Raise InputError for an initial transform that can be refused before the images are read."""
    from ..io.foreign_transforms import is_foreign_transform
    from ..io.itk_transform import read_transform

    check_input(path)
    if not is_foreign_transform(path):
        _check_start(read_transform(path), path)


def read_initial_transform(path: str | Path, fixed: Loaded, moving: Loaded) -> np.ndarray:
    """4x4, fixed LPS to moving LPS, of a linear transform of ITK, FSL or FreeSurfer between two images.

    Raises:
        InputError: if it cannot be read, is not linear, mirrors, or was made between other images.
    """
    from ..image.geometry import Grid
    from ..io.foreign_transforms import is_foreign_transform, read_foreign_transform
    from ..io.itk_transform import read_transform

    if is_foreign_transform(path):
        grids = Grid.of_image(fixed.image), Grid.of_image(moving.image)
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
