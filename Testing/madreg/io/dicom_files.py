"""DICOM files of synthetic volumes with known geometry, written with pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT, MR, PET, ENHANCED_MR = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.4.1",
)


def blob(points: np.ndarray) -> np.ndarray:
    """Intensities 0 to 1000 that vary smoothly and differ everywhere, at LPS points (..., 3) in mm."""
    x, y, z = np.moveaxis(points, -1, 0)
    return 500 + 200 * np.sin(x / 11) + 150 * np.sin(y / 9 + 1) + 150 * np.sin(z / 13 + 2)


def plane_points(position: np.ndarray, axes: np.ndarray, spacing: tuple[float, float], shape: tuple[int, int]):
    """LPS points (rows, columns, 3) of the pixels of a slice."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    return position + column[..., None] * spacing[0] * axes[:, 0] + row[..., None] * spacing[1] * axes[:, 1]


def dataset(pixels: np.ndarray, sop_class: str = CT, **tags) -> FileDataset:
    """A file in memory, of pixels ([frames,] rows, columns) of 16 bits; other elements by keyword."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = tags.get("SOPInstanceUID", generate_uid())
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID, one.Modality = "1.2.3", "1.2.3.4", "CT"
    one.Rows, one.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        one.NumberOfFrames = len(pixels)
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    one.PixelData = np.ascontiguousarray(pixels).tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(one, keyword) if keyword in one else None
        else:
            setattr(one, keyword, value)
    return one


def write(one: FileDataset, path: Path) -> Path:
    """Write a file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)
    return path


def write_slices(
    folder: Path,
    positions: np.ndarray,
    axes: np.ndarray | None = None,
    spacing: tuple[float, float] = (2.0, 1.5),
    shape: tuple[int, int] = (40, 32),
    values=blob,
    first: int = 1,
    **tags,
) -> Path:
    """A series of slices of :func:`blob`, in files whose names are in no order.

    Args:
        positions: (n, 3) LPS mm of the first pixels.
        axes: (3, 2) along a row, along a column.
        spacing: mm between columns, between rows.
        tags: other elements; a function gets the number of the slice.
    """
    axes = np.eye(3)[:, :2] if axes is None else axes
    shuffled = np.random.default_rng(first).permutation(len(positions))
    for number, position in enumerate(positions):
        pixels = values(plane_points(np.asarray(position), axes, spacing, shape)).round().astype(np.int16)
        own = {key: value(number) if callable(value) else value for key, value in tags.items()}
        series = own.get("SeriesInstanceUID", "1.2.3.4")
        elements = {
            "SOPInstanceUID": f"{series}.{first + number}",
            "ImagePositionPatient": [f"{v:.6f}" for v in position],
            "ImageOrientationPatient": [f"{v:.9f}" for v in axes.T.ravel()],
            "PixelSpacing": [str(spacing[1]), str(spacing[0])],
            "InstanceNumber": first + number,
            "SliceThickness": "2.0",
            **own,
        }
        write(dataset(pixels, **elements), folder / f"{series[-1]}_{first:04d}_{shuffled[number]:04d}.dcm")
    return folder


def groups(**sequences) -> pydicom.Dataset:
    """Functional groups of a frame: each a sequence of one item."""
    found = pydicom.Dataset()
    for name, elements in sequences.items():
        item = pydicom.Dataset()
        for keyword, value in elements.items():
            setattr(item, keyword, value)
        setattr(found, name, Sequence([item]))
    return found


def enhanced(frames: list[np.ndarray], positions, axes=None, spacing=(2.0, 1.5), own=None, **tags) -> FileDataset:
    """An enhanced MR file; ``own`` gives further functional groups of each frame."""
    axes = np.eye(3)[:, :2] if axes is None else axes
    per_frame = [
        groups(
            PlanePositionSequence={"ImagePositionPatient": [f"{v:.6f}" for v in position]},
            PlaneOrientationSequence={"ImageOrientationPatient": [f"{v:.9f}" for v in axes.T.ravel()]},
            **({} if own is None else own(number)),
        )
        for number, position in enumerate(positions)
    ]
    shared = groups(PixelMeasuresSequence={"PixelSpacing": [str(spacing[1]), str(spacing[0])], "SliceThickness": "2"})
    return dataset(
        np.stack(frames),
        ENHANCED_MR,
        Modality="MR",
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(per_frame),
        **tags,
    )
