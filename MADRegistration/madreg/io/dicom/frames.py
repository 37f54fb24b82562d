"""Multi-frame files: enhanced CT, MR and PET, whose frames may come in any order; nuclear medicine; dose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..unreadable import UnreadableError
from .slices import ATTRIBUTES, Slice, attributes_of, axes_of, order_of, pixel_spacing_of, position_of
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
        return [_enhanced(path, tags, n, per_frame[n], shared[0] if shared else None) for n in range(count)]
    return _stacked(path, tags, count)


def _enhanced(path: Path, tags: Any, frame: int, own: Any, shared: Any) -> Slice:
    def group(sequence: str) -> Any:
        for groups in (own, shared):
            found = None if groups is None else value(groups, sequence)
            if found:
                return found[0]
        return None

    def numbers_in(sequence: str, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
        found = group(sequence)
        return None if found is None else numbers(found, keyword, count)

    attributes = attributes_of(tags)
    for name, (sequence, keyword) in _IN_GROUPS.items():
        found = group(sequence)
        if found is not None and value(found, keyword) is not None:
            values = numbers(found, keyword)
            attributes[name] = values[0] if values else word(found, keyword)
    diffusion = group("MRDiffusionSequence")
    directions = None if diffusion is None else value(diffusion, "DiffusionGradientDirectionSequence")
    if directions:
        attributes["gradient"] = numbers(directions[0], "DiffusionGradientOrientation", 3)
    content, segment = group("FrameContentSequence"), group("SegmentIdentificationSequence")
    if segment is not None:
        attributes["segment"] = number(segment, "ReferencedSegmentNumber")
    if content is not None and word(content, "StackID"):
        attributes["stack"] = word(content, "StackID")
    transformation = group("PixelValueTransformationSequence")
    intercept = None if transformation is None else number(transformation, "RescaleIntercept")
    slope = None if transformation is None else number(transformation, "RescaleSlope")
    when = "" if content is None else word(content, "FrameAcquisitionDateTime")
    return Slice(
        path,
        frame,
        shape_of(tags),
        position_of(numbers_in("PlanePositionSequence", "ImagePositionPatient", 3)),
        axes_of(numbers_in("PlaneOrientationSequence", "ImageOrientationPatient", 6)),
        pixel_spacing_of(numbers_in("PixelMeasuresSequence", "PixelSpacing", 2)),
        word(tags, "SeriesInstanceUID"),
        attributes,
        (*order_of(tags), when, frame),
        (word(tags, "SOPInstanceUID"), frame),
        slope or 1.0,
        0.0 if intercept is None else intercept,
    )


def _stacked(path: Path, tags: Any, count: int) -> list[Slice]:
    """Frames that lie on top of each other in order: nuclear medicine, dose, and simple stacks."""
    detector = value(tags, "DetectorInformationSequence")
    sources = [tags, *(detector[:1] if detector else [])]

    def first(keyword: str, length: int) -> tuple[float, ...] | None:
        return next((found for one in sources if (found := numbers(one, keyword, length))), None)

    origin = position_of(first("ImagePositionPatient", 3))
    axes = axes_of(first("ImageOrientationPatient", 6))
    offsets = numbers(tags, "GridFrameOffsetVector", count)
    step = number(tags, "SpacingBetweenSlices") or number(tags, "SliceThickness")
    if offsets is None and step is not None:
        offsets = tuple(step * n for n in range(count))
    if origin is None or axes is None or offsets is None:
        raise UnreadableError(
            f"holds {count} frames without a place in the body, such as a film or an ultrasound sweep: convert it to a "
            "volume with voxel sizes first"
        )
    normal = np.cross(axes[:, 0], axes[:, 1])
    attributes = {name: None for name in ATTRIBUTES}
    slope = number(tags, "DoseGridScaling") or number(tags, "RescaleSlope") or 1.0
    return [
        Slice(
            path,
            n,
            shape_of(tags),
            origin + (offset - (offsets[0] if abs(offsets[0]) > 1e-6 and _absolute(origin, offsets) else 0.0)) * normal,
            axes,
            pixel_spacing_of(numbers(tags, "PixelSpacing", 2)),
            word(tags, "SeriesInstanceUID"),
            attributes,
            (n,),
            (word(tags, "SOPInstanceUID"), n),
            slope,
            number(tags, "RescaleIntercept") or 0.0,
        )
        for n, offset in enumerate(offsets)
    ]


def _absolute(origin: np.ndarray, offsets: tuple[float, ...]) -> bool:
    """Whether a dose's offsets are positions along z rather than distances (DICOM PS3.3 C.8.8.3.2)."""
    return abs(offsets[0] - origin[2]) < 0.01
