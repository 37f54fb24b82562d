"""The choices of the panel: the names that are stored in the scene, and the words of :mod:`madreg.settings`."""

from __future__ import annotations

from enum import Enum
from typing import Any

from madreg import settings

from ..translation import _


class TransformType(Enum):
    """What the transform may do.  The names are stored in the scene, the values are the backend's."""

    RIGID = "rigid"
    SIMILARITY = "similarity"
    AFFINE = "affine"

    def label(self) -> str:
        return _(settings.TYPE.label_of(self.value))


class Initialization(Enum):
    """Where the registration begins; also the choice between thorough and fast."""

    SEARCH = "search"
    NONE = "none"
    GEOMETRY = "geometry"
    CENTER_OF_MASS = "center_of_mass"

    def label(self) -> str:
        return _(settings.INITIALIZATION.label_of(self.value))


class Measure(Enum):
    """What is optimized."""

    DEFAULT = "default"
    MAD = "mad"
    NMI = "nmi"
    NGF = "ngf"
    MAD_DISTANCE = "mad-distance"

    def label(self) -> str:
        return _(settings.MEASURE.label_of(self.value))


class Interpolation(Enum):
    """How the resampled volume is interpolated."""

    LINEAR = "linear"
    NEAREST = "nearest"
    BSPLINE = "bspline"
    SINC = "sinc"

    def label(self) -> str:
        return _(settings.INTERPOLATION.label_of(self.value))


class VoxelType(Enum):
    """Of the resampled volume."""

    MOVING = "moving"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    FLOAT32 = "float32"
    FLOAT64 = "float64"

    def label(self) -> str:
        return _(settings.VOXEL_TYPE.label_of(self.value))


def settingsOf(parameters: Any) -> dict[str, Any]:
    """The fields of ``madreg.settings.Settings`` that the panel's parameters stand for."""
    return {
        "type": parameters.transformType.value,
        "init": parameters.initialization.value,
        "measure": parameters.measure.value,
        "device": parameters.device or "auto",
        "seed": int(parameters.seed),
    }


def resamplingOf(parameters: Any) -> settings.Resampling:
    """How the panel's parameters say that the resampled volume is made."""
    return settings.Resampling(
        parameters.interpolation.value,
        float(parameters.fillValue) if parameters.hasFillValue else None,
        parameters.voxelType.value,
    )
