"""Whether the fixed and the moving image are one and the same, whatever their names."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..io.checks import difference_of_grids
from ..io.reading import Loaded


def same_image_notice(fixed: Loaded, moving: Loaded) -> str | None:
    """A sentence if both images have the same voxels in the same place; None if not."""
    if difference_of_grids(fixed.image, moving.image) is not None:
        return None
    voxels, others = (sitk.GetArrayViewFromImage(one.image) for one in (fixed, moving))
    with_nan = np.issubdtype(voxels.dtype, np.inexact) and np.issubdtype(others.dtype, np.inexact)
    if not np.array_equal(voxels, others, equal_nan=bool(with_nan)):
        return None
    names = fixed.name if fixed.name == moving.name else f"{fixed.name} and {moving.name}"
    return f"The fixed and the moving image are the same ({names}): if that is not meant, choose another one."
