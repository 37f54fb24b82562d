"""A small synthetic head, so that the benchmark can be tried without any data.

It has what registration lives on and what it stumbles over: skin, skull with marrow, a folded cortex, ventricles,
a face on one side and hardly any difference between left and right.  It says nothing about real scans.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from madreg_benchmark.cases.case import Case, save_cases
from madreg_benchmark.cases.simulation import T1, T2, simulate, simulate_ct_t1

SPACING_MM = 3.0
_SIZE = (64, 80, 76)


def label_map(seed: int) -> sitk.Image:
    """A head of 64 x 80 x 76 voxels of 3 mm, axes along LPS, with SynthSeg's label numbers."""
    rng = np.random.default_rng(seed)
    half = SPACING_MM * (np.array(_SIZE) - 1) / 2
    x, y, z = np.meshgrid(*[np.linspace(-h, h, n) for h, n in zip(half, _SIZE, strict=True)], indexing="ij")

    def ellipsoid(center, radii) -> np.ndarray:
        return np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip((x, y, z), center, radii, strict=True)))

    wide, long, high = np.array([66, 80, 64]) * rng.uniform(0.94, 1.06, 3)
    skull = ellipsoid((0, 5, 25), (wide, long, high))
    jaw = ellipsoid((0, -30, -45), (48, 52, 45))
    neck = (np.hypot(x / 45, (y - 25) / 50) < 1) & (z < -10)
    nose = ellipsoid((2, -84, -15), (14, 18, 20)) < 1
    head = (skull < 1.1) | (jaw < 1) | neck | nose

    labels = np.zeros(_SIZE, np.int16)
    labels[head] = 511
    labels[ndimage.distance_transform_edt(head) * SPACING_MM > 5] = 507
    labels[skull < 1.03] = 515
    labels[(skull < 1.0) & (skull > 0.97)] = 516
    labels[(jaw > 0.72) & (jaw < 0.84) & (z < -35)] = 515
    labels[skull < 0.93] = 24
    brain = skull < 0.9
    folds = ndimage.gaussian_filter(rng.normal(size=_SIZE), 2.0)
    folds /= folds.std()
    labels[brain] = 3
    labels[brain & (skull + 0.10 * folds < 0.74)] = 2
    labels[brain & (folds > 1.8)] = 24
    for side in (-1, 1):
        labels[ellipsoid((13 * side, 8, 32), (7, 32, 10)) < 1] = 4
        labels[ellipsoid((20 * side, -8, 22), (9, 14, 11)) < 1] = 11
        labels[ellipsoid((30 * side, -70, -2), (13, 13, 13)) < 1] = 24
    labels[ellipsoid((0, 48, -18), (42, 26, 20)) < 1] = 8
    labels[(np.hypot(x / 13, (y - 22) / 13) < 1) & (z < 10)] = 16
    labels[ellipsoid((0, -62, -25), (14, 22, 16)) < 1] = 0
    labels[ellipsoid(rng.uniform([-40, -30, 30], [-25, 30, 50]), (9, 9, 9)) < 1] = 24

    image = sitk.GetImageFromArray(np.ascontiguousarray(labels.transpose(2, 1, 0)))
    image.SetSpacing([SPACING_MM] * 3)
    image.SetOrigin((-half).tolist())
    return image


def write_cases(folder: Path) -> list[Case]:
    """Write two pairs with exact truth, CT with T1w and T1w with T2w, and their ``cases.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    second = label_map(2)
    pairs = {
        "phantom_CT_T1": simulate_ct_t1(label_map(1), 1),
        "phantom_T1_T2": (simulate(second, T1, rng), simulate(second, T2, rng)),
    }
    cases = []
    for name, images in pairs.items():
        files = [folder / f"{name}_{role}.nii.gz" for role in ("fixed", "moving")]
        for image, path in zip(images, files, strict=True):
            sitk.WriteImage(image, str(path))
        cases.append(Case(name, *files, np.eye(4), "-".join(name.split("_")[1:])))
    save_cases(folder, cases)
    return cases
