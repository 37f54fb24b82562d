"""What the user may choose: one table for the command line, the panel, the benchmark and the documentation.

Nothing here imports torch or numpy, so that ``madreg --help`` and the panel of 3D Slicer have it at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .measures import MEASURES
from .system.device_names import check_device

if TYPE_CHECKING:
    import numpy as np

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Choice:
    """One value of an option, its label in the panel, and what it means."""

    value: str
    label: str
    help: str


@dataclass(frozen=True)
class Option:
    """Something that the user may choose.

    Attributes:
        name: the field of :class:`Settings`, or the argument of the command.
        flag: on the command line.
        label: in the panel.
        help: one line, for ``--help``, the tooltip and the documentation.
        default: None if it is left out.
        choices: the values; empty if it is a number, a name or a file.
        former: earlier names of values, which are still understood, and what they are called now.
        former_flags: earlier names on the command line, which are still understood.
        placeholder: for the value, in ``--help``.
    """

    name: str
    flag: str
    label: str
    help: str
    default: Any = None
    choices: tuple[Choice, ...] = ()
    former: Mapping[str, str] = field(default_factory=dict)
    former_flags: tuple[str, ...] = ()
    placeholder: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The values that may be chosen."""
        return tuple(choice.value for choice in self.choices)

    def label_of(self, value: str) -> str:
        """The panel's label of a value."""
        return next(choice.label for choice in self.choices if choice.value == value)

    def normalized(self, value: Any) -> Any:
        """The present name of a value."""
        return self.former.get(value, value) if isinstance(value, str) else value


TYPE = Option(
    name="type",
    flag="--type",
    label="Transform type",
    help="what the transform may do to the moving image",
    default="rigid",
    choices=(
        Choice("rigid", "Rigid", "rotation and translation"),
        Choice("similarity", "Similarity", "rotation, translation and one scale"),
        Choice("affine", "Affine", "rotation, translation, scales and shear"),
    ),
)
INITIALIZATION = Option(
    name="init",
    flag="--init",
    label="Initialization",
    help="where the registration starts",
    default="search",
    choices=(
        Choice("search", "Search all poses", "search every rotation and translation"),
        Choice("none", "Current positions", "where the images are, or the initial transform"),
        Choice("geometry", "Centers of the volumes", "the centers of the images are aligned"),
        Choice("center_of_mass", "Centers of mass", "the centers of mass are aligned"),
    ),
    former={"given": "none", "mass": "center_of_mass"},
)
MEASURE = Option(
    name="measure",
    flag="--measure",
    label="Similarity measure",
    help="what is optimized",
    default="default",
    choices=(
        Choice("default", "Default", "the whole pipeline: search, NMI and NGF at several resolutions"),
        *(
            Choice(name, f"{entry.label} only", f"{entry.label} alone, at {entry.resolution}")
            for name, entry in MEASURES.items()
        ),
    ),
)
DEVICE = Option(
    name="device",
    flag="--device",
    label="Device",
    help="where to compute",
    default="auto",
    choices=(
        Choice("auto", "Automatic", "a GPU if there is one, otherwise the CPU"),
        Choice("cpu", "CPU", "the processor"),
        Choice("cuda", "NVIDIA GPU", "an NVIDIA GPU; cuda:1 is the second one"),
        Choice("mps", "Apple GPU", "the GPU of an Apple computer"),
    ),
    placeholder="NAME",
)
SEED = Option(
    name="seed", flag="--seed", label="Random seed", help="random seed, 0 or greater", default=0, placeholder="N"
)
INITIAL_TRANSFORM = Option(
    name="initial_transform",
    flag="--initial-transform",
    label="Initial transform",
    help="linear transform to start from, fixed points to moving points: of ITK, or FSL's .mat or FreeSurfer's .lta",
    former_flags=("--start",),
    placeholder="FILE",
)
WEIGHTS = Option(
    name="weights",
    flag="--weights",
    label="Network weights",
    help="network of MAD, written by `madreg train` (default: the bundled one)",
    placeholder="FILE",
)
FIXED_MASK = Option(
    name="fixed_mask",
    flag="--fixed-mask",
    label="Fixed mask",
    help="image on the grid of the fixed image: voxels that are 0 are ignored",
    placeholder="FILE",
)
MOVING_MASK = Option(
    name="moving_mask",
    flag="--moving-mask",
    label="Moving mask",
    help="image on the grid of the moving image: voxels that are 0 are ignored",
    placeholder="FILE",
)
INTERPOLATION = Option(
    name="interpolation",
    flag="--interpolation",
    label="Interpolation",
    help="how the moving image is interpolated in the resampled image",
    default="linear",
    choices=(
        Choice("linear", "Linear", "between the eight voxels around"),
        Choice("nearest", "Nearest neighbor", "the value of the nearest voxel, for label maps"),
        Choice("bspline", "B-spline", "cubic B-splines, sharper than linear"),
        Choice("sinc", "Windowed sinc", "Lanczos-windowed sinc, sharpest, may ring at edges"),
    ),
)
FILL = Option(
    name="fill",
    flag="--fill",
    label="Fill value",
    help="value of the resampled image beyond the moving image (default: the lowest value of the moving image)",
    placeholder="NUMBER",
)
VOXEL_TYPE = Option(
    name="voxel_type",
    flag="--voxel-type",
    label="Voxel type",
    help="voxel type of the resampled image",
    default="moving",
    choices=(
        Choice("moving", "As the moving volume", "that of the moving image"),
        Choice("uint8", "8 bit, unsigned", "0 to 255"),
        Choice("int16", "16 bit", "-32768 to 32767"),
        Choice("uint16", "16 bit, unsigned", "0 to 65535"),
        Choice("int32", "32 bit", "whole numbers of 32 bit"),
        Choice("float32", "32 bit, decimals", "decimals of 32 bit"),
        Choice("float64", "64 bit, decimals", "decimals of 64 bit"),
    ),
)
OPTIONS = {
    option.name: option
    for option in (
        TYPE,
        INITIALIZATION,
        INITIAL_TRANSFORM,
        MEASURE,
        FIXED_MASK,
        MOVING_MASK,
        WEIGHTS,
        DEVICE,
        SEED,
        INTERPOLATION,
        FILL,
        VOXEL_TYPE,
    )
}


def initialization_of(given: str | None, initial_transform: object | None) -> str:
    """The initialization that is given; if none is, ``none`` with an initial transform and the default without."""
    return given or (INITIALIZATION.default if initial_transform is None else "none")


@dataclass(frozen=True)
class Settings:
    """The settings of one registration; :data:`OPTIONS` says what each value means.

    Attributes:
        type: ``rigid``, ``similarity`` or ``affine``.
        measure: ``default`` (the whole pipeline), or the name of one measure, which is used alone at one resolution.
        init: ``search``, ``none``, ``geometry`` or ``center_of_mass``; the former names ``given`` and ``mass`` are
            replaced by their present ones.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        seed: random seed, 0 or greater.
        start: (4, 4), fixed LPS to moving LPS, mm, the initial transform; the identity if None.
        weights: ``.pt`` file of the MAD network, from ``madreg train``; the bundled one if None.
    """

    type: str = TYPE.default
    measure: str = MEASURE.default
    init: str = INITIALIZATION.default
    device: str = DEVICE.default
    seed: int = SEED.default
    start: np.ndarray | None = None
    weights: str | None = WEIGHTS.default

    def __post_init__(self) -> None:
        object.__setattr__(self, "init", INITIALIZATION.normalized(self.init))

    @classmethod
    def from_mapping(cls, values: Any) -> Settings:
        """Checked settings of a mapping from names to values, such as parsed JSON.

        Raises:
            InputError: if it is no mapping, or has an unknown name or value.
        """
        settings = cls(**_known(values, cls))
        settings.check()
        return settings

    def check(self) -> None:
        """Raise InputError for a value that does not exist."""
        for what, option in (("transform type", TYPE), ("measure", MEASURE), ("initialization", INITIALIZATION)):
            _check_choice(what, option, getattr(self, option.name))
        check_device(self.device)
        check_seed(self.seed)
        if not (self.weights is None or isinstance(self.weights, str) or hasattr(self.weights, "__fspath__")):
            raise InputError("The weights are not the name of a file: give a .pt file that `madreg train` wrote.")


@dataclass(frozen=True)
class Resampling:
    """How the moving image is resampled onto the grid of the fixed one; :data:`OPTIONS` says what each value means.

    Attributes:
        interpolation: ``linear``, ``nearest``, ``bspline`` or ``sinc``.
        fill: where the moving image has no voxels; its lowest value if None.
        voxel_type: ``moving``, or the name of a type; values that it cannot hold become the nearest that it can.
    """

    interpolation: str = INTERPOLATION.default
    fill: float | None = FILL.default
    voxel_type: str = VOXEL_TYPE.default

    @classmethod
    def from_mapping(cls, values: Any) -> Resampling:
        """As :meth:`Settings.from_mapping`."""
        resampling = cls(**_known(values, cls))
        resampling.check()
        return resampling

    def check(self) -> None:
        """Raise InputError for a value that does not exist."""
        _check_choice("interpolation", INTERPOLATION, self.interpolation)
        _check_choice("voxel type", VOXEL_TYPE, self.voxel_type)
        if self.fill is not None:
            check_fill(self.fill)


def _known(values: Any, kind: type) -> dict[str, Any]:
    """The values of the fields of a dataclass.

    Raises:
        InputError: if it is no mapping, or has an unknown name.
    """
    if not isinstance(values, Mapping):
        raise InputError("The settings are not a table of names and values.")
    known = [one.name for one in fields(kind)]
    for name in values:
        if name not in known:
            raise InputError(f'There is no setting "{name}": choose from {", ".join(known)}.')
    return dict(values)


def _check_choice(what: str, option: Option, value: Any) -> None:
    """Raise InputError for a value that an option does not have."""
    if value not in option.values:
        raise InputError(f'There is no {what} "{value}": choose one of {", ".join(option.values)}.')


def check_fill(fill: Any) -> float:
    """The fill value, if it is a number.

    Raises:
        InputError: if not.
    """
    if isinstance(fill, bool) or not isinstance(fill, (int, float)) or not math.isfinite(fill):
        raise InputError(f'The fill value "{fill}" cannot be used: give a number.')
    return fill


def check_seed(seed: Any) -> int:
    """The random seed, if it is a whole number in range.

    Raises:
        InputError: if not.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise InputError(f'The random seed "{seed}" cannot be used: give a whole number from 0 to {LARGEST_SEED}.')
    return seed
