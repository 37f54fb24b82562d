"""Cases on which the bound of the error is calibrated and checked: heads, slabs of heads, synthetic bodies.

None of them is a validation case, and nothing that is reported elsewhere was measured on them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import rotation
from madreg.image.volume import Volume
from madreg_benchmark.cases.acquisition import grid_about, noisy, shaded, slice_axes
from madreg_benchmark.cases.case import Case, save_cases
from madreg_benchmark.cases.simulation import T1, T2, simulate, simulate_ct_t1
from madreg_benchmark.cases.synthetic_body import pair

LABELS = range(1, 15)  # 15 and 16 are validation cases
BODIES, SLABS = 12, 10
SLAB_MM, SLICE_MM, TILT = 60.0, 3.3, 6.0  # degrees
SEED = 18
STRUCTURES = "structures.json"
FIXED, LABEL_MAP = "_fixed.nii.gz", "_structures.nii.gz"
FEWEST_VOXELS = 50  # of a structure


def assemble_calibration(data: Path, out: Path) -> list[Case]:
    """Write ``cases.json``, the simulated scans and the middles of their structures into ``out``.

    Real T1-T2 pairs of heads (truth good to 0.8 mm), CT-T1 and T1-T2 simulated from label maps of 14 persons, slabs of
    60 mm out of the latter in other planes, shaded and noisy, and synthetic bodies.

    Args:
        data: folder with ``train/ds000011`` and ``train/synthseg_labels_1.5mm``.

    Raises:
        InputError: if a file is missing.
    """
    listed = data / "train" / "ds000011" / "silver_T2_to_T1.json"
    if not listed.is_file():
        raise InputError(f"{listed} does not exist; give the folder that holds train.")
    out.mkdir(parents=True, exist_ok=True)
    cases = [*_heads(listed), *_simulated(data, out), *_slabs(data, out), *_bodies(out)]
    save_cases(out, cases)
    return cases


def label_map_of(case: Case) -> Path | None:
    """The structures of the fixed scan, on its grid; None if the case was not simulated from a label map."""
    path = case.fixed.with_name(case.fixed.name.replace(FIXED, LABEL_MAP))
    return path if path != case.fixed and path.is_file() else None


def _heads(listed: Path) -> list[Case]:
    cases = []
    for row in json.loads(listed.read_text(encoding="utf-8")):
        files = [listed.parent / f"sub-{row['sub']:02d}_{kind}.nii.gz" for kind in ("T1w", "inplaneT2")]
        truth = np.linalg.inv(np.array(row["T_T2LPS_to_T1LPS"]))
        cases.append(Case(f"head_{row['sub']:02d}", files[0], files[1], truth, "head T1-T2", 0.8))
    return cases


def label_map(data: Path, number: int) -> sitk.Image:
    """The label map of a person, LPS.

    Raises:
        InputError: if there is none.
    """
    path = data / "train" / "synthseg_labels_1.5mm" / f"training_seg_{number:02d}.nii.gz"
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the folder that holds train.")
    return sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")


def _simulated(data: Path, out: Path) -> list[Case]:
    """CT-T1 of persons with odd numbers, T1-T2 of the others; and the middles of all structures of each."""
    cases, structures = [], {}
    for number in LABELS:
        labels = label_map(data, number)
        if number % 2:
            images, contrast = simulate_ct_t1(labels, SEED + number), "simulated CT-T1"
        else:
            rng = np.random.default_rng([SEED, number])
            images, contrast = (simulate(labels, T1, rng), simulate(labels, T2, rng)), "simulated T1-T2"
        cases.append(_written(out, f"simulated_{number:02d}", images, np.eye(4), contrast, labels))
        structures[cases[-1].name] = _middles(labels)
    (out / STRUCTURES).write_text(json.dumps(structures), encoding="utf-8")
    return cases


def _middles(labels: sitk.Image) -> dict[str, list[float]]:
    """The middle of every structure, LPS mm, by its label."""
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(sitk.Cast(labels, sitk.sitkUInt16))
    return {
        str(label): list(shapes.GetCentroid(label))
        for label in shapes.GetLabels()
        if shapes.GetNumberOfPixels(label) >= FEWEST_VOXELS
    }


def _slabs(data: Path, out: Path) -> list[Case]:
    cases = []
    for number in range(SLABS):
        rng = np.random.default_rng([SEED, 100, number])
        labels = label_map(data, LABELS[number])
        middle = np.array(labels.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in labels.GetSize()]))
        planes = rng.permutation(3)[:2] if number % 2 else rng.integers(3) * np.ones(2, int)
        images = [
            _slab(simulate(labels, contrast, rng), middle + rng.uniform(-12, 12, 3), int(plane), rng)
            for contrast, plane in zip((T2, T1), planes, strict=True)
        ]
        cases.append(_written(out, f"slab_{number:02d}", images, np.eye(4), "slab T1-T2", labels))
    return cases


def _slab(image: sitk.Image, middle: np.ndarray, plane: int, rng: np.random.Generator) -> sitk.Image:
    """60 mm of a scan about a point (3,), slices across world axis ``plane`` tilted a little, shaded and noisy."""
    axes = rotation(rng.normal(size=3), TILT) @ slice_axes(plane)
    grid = grid_about(middle, axes, np.array([1.2, 1.2, SLICE_MM]), np.array([170.0, 170.0, SLAB_MM]))
    values = sitk.GetArrayFromImage(
        sitk.Resample(
            image,
            grid.size,
            sitk.Transform(),
            sitk.sitkLinear,
            grid.matrix[:3, 3].tolist(),
            grid.spacing.tolist(),
            axes.ravel().tolist(),
        )
    )
    noise = 0.04 * np.percentile(values, 99)
    return grid.as_image(noisy(shaded(values, 0.4, rng), noise, rng))


def _bodies(out: Path) -> list[Case]:
    cases = []
    for number in range(BODIES):
        fixed, moving, truth = pair([SEED, number])
        cases.append(_written(out, f"body_{number:02d}", [_image(fixed), _image(moving)], truth, "synthetic body"))
    return cases


def _image(volume: Volume) -> sitk.Image:
    return volume.grid.as_image((1000 * volume.data.numpy()).astype(np.float32))


def _written(
    out: Path,
    name: str,
    images: Sequence[sitk.Image],
    truth: np.ndarray,
    contrast: str,
    labels: sitk.Image | None = None,
) -> Case:
    files = [out / f"{name}{end}" for end in (FIXED, "_moving.nii.gz")]
    for image, file in zip(images, files, strict=True):
        sitk.WriteImage(image, str(file))
    if labels is not None:
        here = sitk.Resample(labels, images[0], sitk.Transform(), sitk.sitkNearestNeighbor)
        sitk.WriteImage(sitk.Cast(here, sitk.sitkUInt16), str(out / f"{name}{LABEL_MAP}"))
    return Case(name, files[0], files[1], truth, contrast)
