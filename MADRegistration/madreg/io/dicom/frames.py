"""Multi-frame files: enhanced CT, MR and PET, whose frames may come in any order; nuclear medicine; dose."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ..unreadable import UnreadableError
from .slices import Slice, attributes_of, axes_of, order_of, pixel_spacing_of, position_of
from .tags import number, numbers, shape_of, value, word

_IN_GROUPS = {
    "echo time": ("MREchoSequence", "EffectiveEchoTime"),
    "b-value": ("MRDiffusionSequence", "DiffusionBValue"),
    "time point": ("FrameContentSequence", "TemporalPositionIndex"),
    "image type": ("MRImageFrameTypeSequence", "FrameType"),
    "cardiac phase": ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    "trigger time": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    "inversion time": ("MRModifierSequence", "InversionTimes"),
    "flip angle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "kernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "acquisition": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "frame time": ("FrameContentSequence", "FrameReferenceDateTime"),
}
"""Where enhanced files keep what distinguishes volumes: functional group, keyword."""


_VECTORS = {
    "energy window": "EnergyWindowVector",
    "detector": "DetectorVector",
    "phase": "PhaseVector",
    "rotation": "RotationVector",
    "RR interval": "RRIntervalVector",
    "time slot": "TimeSlotVector",
    "time slice": "TimeSliceVector",
}
"""Where nuclear medicine keeps what distinguishes volumes: a number for each frame."""

_PLACES = ("ImagePositionPatient", "InStackPositionNumber", "StackID")
"""Dimensions of enhanced files that are places, or have an attribute of their own."""

FEWEST_BYTES = 8
"""Of a frame in a file: the head of a compressed one."""


def slices_of_frames(path: Path, tags: Any) -> list[Slice]:
    """Every frame of a multi-frame file as a slice.

    Raises:
        UnreadableError: if the frames have no place in the world.
    """
    count = int(number(tags, "NumberOfFrames") or 1)
    if count * FEWEST_BYTES > path.stat().st_size:
        raise UnreadableError(f"declares {count:.3g} frames, more than its file can hold: copy or export it again")
    per_frame = value(tags, "PerFrameFunctionalGroupsSequence")
    if per_frame is not None:
        if len(per_frame) != count:
            raise UnreadableError("describes other frames than it holds: export it again")
        shared = value(tags, "SharedFunctionalGroupsSequence")
        groups = [_FunctionalGroups(own, shared[0] if shared else None) for own in per_frame]
        further = _further_dimensions(tags)
        return [_enhanced(path, tags, n, groups[n], further) for n in range(count)]
    return _stacked(path, tags, count)


class _FunctionalGroups:
    """The functional groups of one frame: its own, and those that all frames share.

    What is missing is None, and empty where it is a text.
    """

    def __init__(self, own: Any, shared: Any) -> None:
        self._own, self._shared = own, shared

    def find(self, sequence: str) -> Any:
        """The group that a sequence holds."""
        for groups in (self._own, self._shared):
            found = None if groups is None else value(groups, sequence)
            if found:
                return found[0]
        return None

    def numbers(self, sequence: str, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
        group = self.find(sequence)
        return None if group is None else numbers(group, keyword, count)

    def number(self, sequence: str, keyword: str) -> float | None:
        group = self.find(sequence)
        return None if group is None else number(group, keyword)

    def word(self, sequence: str, keyword: str) -> str:
        group = self.find(sequence)
        return "" if group is None else word(group, keyword)

    def number_or_word(self, sequence: str, keyword: str) -> float | str | None:
        """The first number of an element, or its text if it holds none."""
        group = self.find(sequence)
        if group is None or value(group, keyword) is None:
            return None
        found = numbers(group, keyword)
        return found[0] if found else word(group, keyword)


def _further_dimensions(tags: Any) -> list[int]:
    """Which numbers of an enhanced file's dimension index are no places."""
    from pydicom.datadict import keyword_for_tag

    pointers = [value(one, "DimensionIndexPointer") for one in value(tags, "DimensionIndexSequence") or ()]
    return [n for n, tag in enumerate(pointers) if isinstance(tag, int) and keyword_for_tag(tag) not in _PLACES]


def _enhanced(path: Path, tags: Any, frame: int, groups: _FunctionalGroups, further: list[int]) -> Slice:
    """A frame of an enhanced file as a slice.

    Args:
        further: as of :func:`_further_dimensions`.
    """
    when = groups.word("FrameContentSequence", "FrameAcquisitionDateTime")
    slope = groups.number("PixelValueTransformationSequence", "RescaleSlope")
    intercept = groups.number("PixelValueTransformationSequence", "RescaleIntercept")
    return Slice(
        path,
        frame,
        shape_of(tags),
        position_of(groups.numbers("PlanePositionSequence", "ImagePositionPatient", 3)),
        axes_of(groups.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6)),
        pixel_spacing_of(groups.numbers("PixelMeasuresSequence", "PixelSpacing", 2)),
        word(tags, "SeriesInstanceUID"),
        {**attributes_of(tags), **_attributes_in(groups, further)},
        (*order_of(tags), when, frame),
        (word(tags, "SOPInstanceUID"), frame),
        slope or 1.0,
        0.0 if intercept is None else intercept,
    )


def _attributes_in(groups: _FunctionalGroups, further: list[int]) -> dict[str, Any]:
    """What the functional groups of a frame say that distinguishes volumes."""
    found: dict[str, Any] = {}
    for name, place in _IN_GROUPS.items():
        if (one := groups.number_or_word(*place)) is not None:
            found[name] = one
    diffusion = groups.find("MRDiffusionSequence")
    directions = None if diffusion is None else value(diffusion, "DiffusionGradientDirectionSequence")
    if directions:
        found["gradient"] = numbers(directions[0], "DiffusionGradientOrientation", 3)
    if groups.find("SegmentIdentificationSequence") is not None:
        found["segment"] = groups.number("SegmentIdentificationSequence", "ReferencedSegmentNumber")
    if stack := groups.word("FrameContentSequence", "StackID"):
        found["stack"] = stack
    index = groups.numbers("FrameContentSequence", "DimensionIndexValues") or ()
    if all(n < len(index) for n in further):
        found["dimension index"] = tuple(index[n] for n in further)
    return found


def _stacked(path: Path, tags: Any, count: int) -> list[Slice]:
    """Frames that lie on top of each other: nuclear medicine, dose, and simple stacks."""
    if value(tags, "AngularViewVector") is not None and value(tags, "SliceVector") is None:
        raise UnreadableError(
            f"holds {count} projections, not slices: give the volume that was reconstructed from them"
        )
    detector = value(tags, "DetectorInformationSequence")
    sources = [tags, *(detector[:1] if detector else [])]

    def first(keyword: str, length: int) -> tuple[float, ...] | None:
        return next((found for one in sources if (found := numbers(one, keyword, length))), None)

    origin = position_of(first("ImagePositionPatient", 3))
    axes = axes_of(first("ImageOrientationPatient", 6))
    vectors = {name: vector for name, key in _VECTORS.items() if (vector := numbers(tags, key, count)) is not None}
    offsets = None if origin is None else _offsets(tags, count, origin, vectors.values())
    if origin is None or axes is None or offsets is None:
        raise UnreadableError(
            f"holds {count} frames without a place in the body, such as a film or an ultrasound sweep: convert it to a "
            "volume with voxel sizes first"
        )
    normal = np.cross(axes[:, 0], axes[:, 1])
    slope = number(tags, "DoseGridScaling") or number(tags, "RescaleSlope") or 1.0
    return [
        Slice(
            path,
            n,
            shape_of(tags),
            origin + offset * normal,
            axes,
            pixel_spacing_of(numbers(tags, "PixelSpacing", 2)),
            word(tags, "SeriesInstanceUID"),
            {name: vector[n] for name, vector in vectors.items()},
            (n,),
            (word(tags, "SOPInstanceUID"), n),
            slope,
            number(tags, "RescaleIntercept") or 0.0,
        )
        for n, offset in enumerate(offsets)
    ]


def _offsets(
    tags: Any, count: int, origin: np.ndarray, vectors: Collection[tuple[float, ...]]
) -> tuple[float, ...] | None:
    """How far each frame lies from the first slice along its normal, mm; None if that is not known.

    Args:
        origin: (3,) LPS mm, of the first slice.
        vectors: numbers of the frames that distinguish volumes: frames that have only these lie in one place.
    """
    offsets = numbers(tags, "GridFrameOffsetVector", count)
    if offsets is not None:
        start = offsets[0] if abs(offsets[0]) > 1e-6 and _absolute(origin, offsets) else 0.0
        return tuple(offset - start for offset in offsets)
    step = number(tags, "SpacingBetweenSlices") or number(tags, "SliceThickness")
    if step is None:
        return None
    places = numbers(tags, "SliceVector", count)
    if places is not None:
        return tuple(step * (place - 1) for place in places)
    in_one_place = any(len(set(vector)) > 1 for vector in vectors)
    return tuple(0.0 if in_one_place else step * n for n in range(count))


def _absolute(origin: np.ndarray, offsets: tuple[float, ...]) -> bool:
    """Whether a dose's offsets are positions along z rather than distances (DICOM PS3.3 C.8.8.3.2)."""
    return abs(offsets[0] - origin[2]) < 0.01
