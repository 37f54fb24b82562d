"""Make the bundled demo pair from the PyPI source distribution of pycortex 1.4.0 (BSD-2-Clause).

    pip download --no-deps --no-binary pycortex pycortex==1.4.0
    python tools/make_demo.py pycortex-1.4.0.tar.gz MADRegistration/madreg/resources/Demo

Writes ``T1w.nii.gz`` (2 mm, fixed), ``EPI.nii.gz`` (native grid, moving), ``truth.json`` and ``NOTICE.txt``.  The face
is zeroed in both scans.  Everything is read with ITK, as Slicer does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.image import geometry

ARCHIVE_ROOT = "pycortex-1.4.0"
SUBJECT = f"{ARCHIVE_ROOT}/filestore/db/S1"
MEMBERS = {
    "anatomical": f"{SUBJECT}/anatomicals/raw.nii.gz",
    "epi": f"{SUBJECT}/transforms/fullhead/reference.nii.gz",
    "transform": f"{SUBJECT}/transforms/fullhead/matrices.xfm",
    "licence": f"{ARCHIVE_ROOT}/LICENSE",
}
SPACING = 2.0
MARGIN = 6.0  # mm of air kept around the head

# Lower edge (y posterior, z superior; LPS mm of the anatomical) of what stays of the head in front, from the air before
# the brow over the orbital roof and the temporal pole down to the neck: all that lies below it is the face.
FACE_EDGE = np.array([(-108, 12), (-104, -6), (-80, -19), (-72, -42), (-55, -55), (-40, -125)], float)


def extract(archive: Path, folder: Path) -> dict[str, Path]:
    """Unpack the few members that are needed and return where each lies."""
    paths = {}
    with tarfile.open(archive) as tar:
        for key, member in MEMBERS.items():
            paths[key] = folder / Path(member).name
            paths[key].write_bytes(tar.extractfile(member).read())
    return paths


def in_face(points: np.ndarray) -> np.ndarray:
    """Whether world points (..., 3), LPS mm of the anatomical, lie in the face: in front of and below the edge."""
    y, z = points[..., 1], points[..., 2]
    return (z < np.interp(y, FACE_EDGE[:, 0], FACE_EDGE[:, 1])) & (y < FACE_EDGE[-1, 0])


def without_face(image: sitk.Image, to_anatomical: np.ndarray) -> sitk.Image:
    """Set the voxels of the face to 0; ``to_anatomical`` maps the image's LPS points to the anatomical's."""
    grid = geometry.Grid.of_image(image)
    points = geometry.apply(to_anatomical, grid.points().numpy().astype(float))
    array = sitk.GetArrayFromImage(image)
    array[in_face(points)] = 0
    return grid.as_image(array)


def reduced(image: sitk.Image, spacing: float, margin: float) -> sitk.Image:
    """The head in ``image``, smoothed and resampled to an isotropic LPS grid that leaves ``margin`` mm around it."""
    image = sitk.DICOMOrient(sitk.Cast(image, sitk.sitkFloat32), "LPS")
    smooth = sitk.SmoothingRecursiveGaussian(image, 0.42 * spacing)
    head = sitk.BinaryMorphologicalOpening(smooth > 25, [2, 2, 2])
    label = sitk.RelabelComponent(sitk.ConnectedComponent(head)) == 1
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(label)
    start, size = np.array(shape.GetBoundingBox(1)).reshape(2, 3)
    low = np.array(image.TransformIndexToPhysicalPoint([int(n) for n in start])) - margin
    high = np.array(image.TransformIndexToPhysicalPoint([int(n) for n in start + size - 1])) + margin
    low = np.maximum(low, image.GetOrigin())
    grid = geometry.Grid.covering(low, high, spacing)
    target = grid.as_image(np.zeros(grid.shape, np.float32))
    return sitk.Cast(sitk.Clamp(sitk.Resample(smooth, target), sitk.sitkFloat32, 0, 255), sitk.sitkUInt8)


def true_matrix(coord: np.ndarray, epi: sitk.Image) -> np.ndarray:
    """4x4, anatomical LPS to EPI LPS, of pycortex's ``coord`` (anatomical scanner RAS to EPI voxel index)."""
    return geometry.Grid.of_image(epi).matrix @ coord @ geometry.FLIP_LPS_RAS


def compact(image: sitk.Image, steps: float = 1000.0) -> sitk.Image:
    """A positive scan as 16-bit integers, its 99.9th percentile at ``steps``."""
    array = sitk.GetArrayFromImage(image).astype(float)
    scaled = np.clip(np.round(array / np.percentile(array, 99.9) * steps), 0, 32767).astype(np.int16)
    return geometry.Grid.of_image(image).as_image(scaled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory() as folder:
        paths = extract(arguments.archive, Path(folder))
        anatomical = sitk.ReadImage(str(paths["anatomical"]))
        epi = sitk.ReadImage(str(paths["epi"]))
        coord = np.array(json.loads(paths["transform"].read_text())["coord"])
        licence = paths["licence"].read_text()

    truth = true_matrix(coord, epi)
    fixed = without_face(reduced(anatomical, SPACING, MARGIN), np.eye(4))
    moving = without_face(compact(epi), np.linalg.inv(truth))
    sitk.WriteImage(fixed, str(arguments.out / "T1w.nii.gz"), useCompression=True, compressionLevel=9)
    sitk.WriteImage(moving, str(arguments.out / "EPI.nii.gz"), useCompression=True, compressionLevel=9)

    record = {
        "fixed": "T1w.nii.gz",
        "moving": "EPI.nii.gz",
        "fixed_to_moving_lps_mm": truth.tolist(),
        "accuracy_mm": [2.0, 3.0],
        "how": "pycortex's own alignment (transforms/fullhead/matrices.xfm, 'coord': anatomical scanner RAS to EPI "
        "voxel), written as a 4x4 from fixed points to moving points, LPS, mm. The EPI is distorted near air, so a "
        "rigid transform is good to 2 to 3 mm. Checked by overlay, and by a Mattes mutual information refinement "
        "(SimpleITK, EPI as the fixed image, all voxels): it ends 0.7 mm away, 2.7 mm on images smoothed by 3 mm.",
        "source": "pycortex 1.4.0, source distribution on PyPI, filestore/db/S1, BSD-2-Clause (see NOTICE.txt)",
        "changes": "T1w smoothed, cropped to the head and resampled to 2 mm; EPI on its own grid, rescaled to 16-bit "
        "integers; the face set to 0 in both",
        "sha256": {
            name: hashlib.sha256((arguments.out / name).read_bytes()).hexdigest()
            for name in ("T1w.nii.gz", "EPI.nii.gz")
        },
    }
    (arguments.out / "truth.json").write_text(json.dumps(record, indent=2) + "\n")
    notice = (
        "T1w.nii.gz and EPI.nii.gz are made from subject S1 of pycortex 1.4.0\n"
        "(https://github.com/gallantlab/pycortex; Gao, Huth, Lescroart, Gallant: Pycortex: an interactive surface\n"
        "visualizer for fMRI, Frontiers in Neuroinformatics 9:23, 2015).  Changed: T1w resampled to 2 mm and\n"
        "cropped, EPI rescaled to 16-bit integers, the face set to 0 in both (tools/make_demo.py).\n"
        "pycortex's licence follows.\n\n"
    )
    (arguments.out / "NOTICE.txt").write_text(notice + licence)


if __name__ == "__main__":
    main()
