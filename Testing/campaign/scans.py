"""A small pair of scans in every format that is tried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

SIZE = (16, 18, 20)


def image(seed: int = 0, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> sitk.Image:
    """Blobs in a ball, 6 mm voxels, int16."""
    rng = np.random.default_rng(seed)
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    values = 600.0 * (k**2 + j**2 + i**2 < 0.8)
    for _ in range(14):
        place, width = rng.uniform(-0.6, 0.6, 3), rng.uniform(0.1, 0.25)
        distance = (k - place[0]) ** 2 + (j - place[1]) ** 2 + (i - place[2]) ** 2
        values += rng.uniform(-400, 400) * np.exp(-distance / (2 * width**2))
    made = sitk.GetImageFromArray((values + rng.normal(0, 4, SIZE)).clip(0).astype(np.int16))
    made.SetSpacing((6.0, 6.0, 6.0))
    made.SetOrigin(shift)
    return made


def slab(shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> sitk.Image:
    """12 x 12 x 3 voxels of noise, hardly more than the least that can be registered: it takes a second."""
    made = sitk.GetImageFromArray(np.random.default_rng(1).uniform(300, 1000, (3, 12, 12)).astype(np.float32))
    made.SetSpacing((9.0, 9.0, 6.0))
    made.SetOrigin(shift)
    return made


def write(folder: Path) -> dict[str, Path]:
    """The scan in every format, by a name that says what is special of it."""
    made = image()
    paths = {}
    for name, file, compressed in (
        ("nii", "scan.nii", False),
        ("nii.gz", "scan.nii.gz", True),
        ("nrrd, raw", "raw.nrrd", False),
        ("nrrd, gzip", "gzip.nrrd", True),
        ("mha, raw", "raw.mha", False),
        ("mha, zlib", "zlib.mha", True),
        ("vtk", "scan.vtk", False),
        ("gipl", "scan.gipl", False),
    ):
        paths[name] = folder / file
        sitk.WriteImage(made, str(paths[name]), useCompression=compressed)
    paths["dicom"] = folder / "dicom"
    write_series(made, paths["dicom"])
    return paths


def write_series(made: sitk.Image, folder: Path) -> None:
    """The scan as a folder of DICOM slices."""
    folder.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(made.GetDepth()):
        slice_ = made[:, :, number]
        position = made.TransformIndexToPhysicalPoint((0, 0, number))
        for key, value in {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.1.{number + 1}",
            "0008|0060": "MR",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.2",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.3",
            "0020|0013": str(number + 1),
            "0020|0032": "\\".join(f"{x:g}" for x in position),
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0018|0050": "6",
        }.items():
            slice_.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{number:03d}.dcm"))
        writer.Execute(slice_)
