"""Scans whose outline is no anatomy, registered from anywhere: errors in mm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from madreg import resources
from madreg.image.geometry import Grid, about, mean_displacement
from madreg.image.pair import Pair
from madreg.image.volume import Volume
from madreg.io.reading import volume_from_image
from madreg.pipeline.registration import register
from madreg.settings import Settings

AROUND = 14  # voxels


@pytest.fixture(scope="module")
def scans() -> tuple[Volume, Volume]:
    """The bundled T1w within 28 mm of the box of an ultrasound scan, and that scan, in place."""
    t1 = sitk.ReadImage(str(resources.path("Demo", "T1w.nii.gz")))
    ultrasound = sector(t1)
    first = np.array(t1.TransformPhysicalPointToIndex(ultrasound.GetOrigin()))
    low = np.maximum(first - AROUND, 0)
    high = np.minimum(first + ultrasound.GetSize() + AROUND, t1.GetSize())
    around = sitk.RegionOfInterest(t1, (high - low).tolist(), low.tolist())
    return volume_from_image(around, "T1")[0], volume_from_image(ultrasound, "ultrasound")[0]


def sector(t1: sitk.Image, seed: int = 2) -> sitk.Image:
    """The edges of a head in speckle, in a cone of 70 degrees and 82 mm from the top, and nothing around it."""
    edges = sitk.GetArrayFromImage(sitk.GradientMagnitudeRecursiveGaussian(t1, 1.2))
    speckle = np.random.default_rng(seed).rayleigh(1.0, edges.shape)
    values = gaussian_filter(edges * speckle, 0.6)
    points = Grid.of_image(t1).points().numpy()
    from_apex = points - points.reshape(-1, 3).max(0) * [0, 0, 1] - points.mean((0, 1, 2)) * [1, 1, 0] + [45, 0, 12]
    depth = np.linalg.norm(from_apex, axis=-1)
    inside = (from_apex @ [0.6, 0, -0.8] > np.cos(np.deg2rad(35)) * depth) & (depth > 8) & (depth < 90)
    made = sitk.GetImageFromArray(np.where(inside, values * np.exp(-depth / 120), 0).astype(np.float32))
    made.CopyInformation(t1)
    low, high = (edge(np.argwhere(inside), axis=0)[::-1].tolist() for edge in (np.min, np.max))
    return sitk.RegionOfInterest(made, [b - a + 1 for a, b in zip(low, high, strict=True)], low)


@pytest.mark.slow
@pytest.mark.parametrize(("init", "degrees", "mm"), [("search", 120, 30), ("none", 4, 5)])
def test_the_sector_of_an_ultrasound_scan_is_registered_without_its_outline(scans, turn, init, degrees, mm):
    """Its outline is the strongest edge."""
    fixed, moving = scans
    truth = about(moving.grid.center, turn((1, 2, 3), degrees), np.array([0.6, -0.6, 0.5]) * mm)
    placed = replace(moving, grid=Grid(moving.grid.size, truth @ moving.grid.matrix))
    result = register(fixed, placed, Settings(init=init))
    assert mean_displacement(result.matrix, truth, Pair(moving, fixed).points) < 1
    assert result.verdict == "aligned"
