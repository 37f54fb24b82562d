"""Scans simulated from a label map of the head: pairs of different contrast whose true alignment is exact.

Labels are FreeSurfer's inside the brain; outside of it 515 is compact bone, 516 marrow, 511 skin, 507 to 514 other
soft tissue and 0 air, as in the training maps of SynthSeg (Billot et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

AIR, BONE, MARROW, SKIN = (0,), (515,), (516,), (511,)
SOFT = (507, 509, 514, 512, 508)
GREY = (3, 42, 8, 47, 10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58)
WHITE = (2, 41, 7, 46, 16, 28, 60)
FLUID = (4, 5, 14, 15, 24, 43, 44)

CT_SLICE_MM = 3.0


@dataclass(frozen=True)
class Contrast:
    """How a kind of scan shows tissue.

    Attributes:
        tissues: (labels, mean, standard deviation) in the scan's own units.
        default: intensity of labels that no tissue lists.
        noise: standard deviation of the white noise added after smoothing.
        sigma: mm, Gaussian that stands for partial volume.
    """

    tissues: tuple[tuple[tuple[int, ...], float, float], ...]
    default: float
    noise: float
    sigma: float


CT = Contrast(
    (
        (AIR, -1000, 3),
        (SOFT, 45, 8),
        (SKIN, 20, 15),
        (BONE, 1100, 120),
        (MARROW, 350, 60),
        (GREY, 37, 3),
        (WHITE, 29, 3),
        (FLUID, 8, 3),
    ),
    default=35,
    noise=12,
    sigma=0.9,
)
T1 = Contrast(
    (
        (AIR, 0, 2),
        (SOFT, 90, 12),
        (SKIN, 170, 15),
        (BONE, 12, 5),
        (MARROW, 120, 15),
        (GREY, 75, 6),
        (WHITE, 110, 5),
        (FLUID, 25, 5),
    ),
    default=60,
    noise=6,
    sigma=0.7,
)
T2 = Contrast(
    (
        (AIR, 0, 2),
        (SOFT, 50, 8),
        (SKIN, 110, 12),
        (BONE, 8, 4),
        (MARROW, 80, 10),
        (GREY, 95, 6),
        (WHITE, 65, 5),
        (FLUID, 190, 8),
    ),
    default=70,
    noise=6,
    sigma=0.7,
)


def simulate(labels: sitk.Image, contrast: Contrast, rng: np.random.Generator) -> sitk.Image:
    """A scan (float32) of a label map, on its lattice."""
    ids = sitk.GetArrayFromImage(labels)
    values = np.full(ids.shape, contrast.default, np.float32)
    for keys, mean, deviation in contrast.tissues:
        where = np.isin(ids, keys)
        values[where] = rng.normal(mean, deviation, where.sum())
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(labels)
    image = sitk.SmoothingRecursiveGaussian(image, contrast.sigma)
    noise = rng.normal(0, contrast.noise, ids.shape).astype(np.float32)
    noisy = sitk.GetImageFromArray(sitk.GetArrayFromImage(image) + noise)
    noisy.CopyInformation(labels)
    return noisy


def simulate_ct_t1(labels: sitk.Image, seed: int) -> tuple[sitk.Image, sitk.Image]:
    """A CT with slices of 3 mm and a T1-weighted scan of the same head, in the same place."""
    rng = np.random.default_rng(seed)
    ct = simulate(labels, CT, rng)
    spacing = [*labels.GetSpacing()[:2], CT_SLICE_MM]
    size = [*labels.GetSize()[:2], int(labels.GetSize()[2] * labels.GetSpacing()[2] / CT_SLICE_MM)]
    ct = sitk.Resample(
        ct, size, sitk.Transform(), sitk.sitkLinear, labels.GetOrigin(), spacing, labels.GetDirection(), -1000
    )
    return ct, simulate(labels, T1, rng)
