"""Padding: the constant beside resampled scans is found to the voxel, and no anatomy is taken for it."""

import numpy as np
import pytest
import SimpleITK as sitk

from fewer import fewer_poses_and_blocks, fewer_samples
from madreg.image.geometry import Grid, about, apply, itk_transform, mean_displacement
from madreg.io.padding import faces, resampling_padding
from madreg.io.reading import volume_from_image
from madreg.pipeline.registration import register
from madreg.settings import Settings


def textured(shape, seed=0, low=100.0):
    """Smooth tissue everywhere, brighter than ``low``."""
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    image = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(noise), 3.0)
    values = sitk.GetArrayFromImage(image)
    return low + 100 * (values - values.min())


def resampled(array, linear, fill):
    """A box of voxels of 1 mm after a linear map, on a lattice that holds all of it; and where it has data."""
    image = sitk.GetImageFromArray(array)
    corners = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)]) * (np.array(image.GetSize()) - 1)
    moved = corners @ linear.T
    low, size = moved.min(0) - 2, np.ceil(np.ptp(moved, axis=0)).astype(int) + 5
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.inv(linear)
    grid = (size.tolist(), itk_transform(matrix), sitk.sitkLinear, low.tolist())
    found = [
        sitk.Resample(one, *grid, (1.0, 1.0, 1.0), np.eye(3).ravel().tolist(), value)
        for one, value in ((image, fill), (image * 0 + 1, 0.0))
    ]
    return sitk.GetArrayFromImage(found[0]), sitk.GetArrayFromImage(found[1]) > 0


LARGE = (170, 190, 200)


@pytest.mark.parametrize(
    ("shape", "fill"),
    [
        *((shape, fill) for shape in [(60, 70, 80), (20, 90, 100)] for fill in (0.0, -3000.0, 5000.0)),
        *(pytest.param(LARGE, fill, marks=pytest.mark.slow) for fill in (0.0, -3000.0, 5000.0)),
    ],
)
def test_resampling_padding_is_found_to_the_voxel(turn, fill, shape):
    linear = turn((1, -2, 0.7), 28) @ np.array([[1.1, 0.07, 0], [0, 0.9, -0.05], [0, 0, 1.05]])
    array, data = resampled(textured(shape), linear, fill)
    found = resampling_padding(array, faces(array))
    assert found is not None and 0.2 < found.mean() < 0.9
    assert not (found & data).any()
    assert (found | data).mean() > 0.995


def test_padding_of_few_thick_slices_is_found_from_every_side(turn):
    """Ten slices of 5 mm, resampled at an angle, end in steps of which planes fit some as well as the sides.

    Where a side is taken for tissue, its edge is the strongest of the scan: parts of heads ended 92 to 218 mm off.
    """
    spacing = np.diag([1.56, 1.56, 5.0])
    shares = []
    for seed in range(32):
        rng = np.random.default_rng(seed)
        stretch = np.diag(np.exp(rng.uniform(-0.15, 0.15, 3))) + np.triu(rng.uniform(-0.08, 0.08, (3, 3)), 1)
        motion = turn(rng.normal(size=3), rng.uniform(10, 30)) @ stretch
        array, data = resampled(textured((10, 51, 51), seed), np.linalg.inv(spacing) @ motion @ spacing, 0.0)
        found = resampling_padding(array, faces(array))
        assert found is not None and not (found & data).any()
        shares.append(found[~data].mean())
    assert np.mean(np.array(shares) > 0.95) > 0.9


def test_padding_around_a_small_scan_on_a_large_lattice_is_found(turn):
    """A scan resampled onto the lattice of a larger one holds 0.5 % of its voxels.

    Taken for air, the filling led parts of heads 106 to 143 mm off.
    """
    small, data = resampled(textured((30, 40, 36)), turn((1, -2, 0.7), 25), 0.0)
    array, known = np.zeros((230, 250, 240), np.float32), np.zeros((230, 250, 240), bool)
    there = tuple(slice(start, start + count) for start, count in zip((20, 150, 90), small.shape, strict=True))
    array[there], known[there] = small, data
    found = resampling_padding(array, faces(array))
    assert found is not None and not (found & known).any() and (found | known).mean() > 0.999


def test_dark_voxels_within_the_scan_stay(turn):
    array, data = resampled(textured((60, 70, 80)), turn((0, 1, 2), 20), 0.0)
    array[np.random.default_rng(1).random(array.shape) < 0.2] = 0  # noise of air ends at zero
    array[50:56, 50:56, 50:56] = 0  # a cyst
    found = resampling_padding(array, faces(array))
    deep = sitk.GetArrayFromImage(sitk.BinaryErode(sitk.GetImageFromArray(data.astype(np.uint8)), [3] * 3)) > 0
    assert (array[deep] == 0).mean() > 0.01
    assert found is not None and not (found & deep).any() and (found | data).mean() > 0.99


def ball(shape=(60, 70, 80), share=0.8):
    """1 within an ellipsoid that takes up so much of each axis."""
    k, j, i = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in shape)]
    return k**2 + j**2 + i**2 < share**2


def test_slabs_of_dark_tissue_with_black_air_of_their_own_are_distinguished_from_filling(turn):
    """Thick slices through a body whose own background is zero: only two of its sides are cut off."""
    shape = (20, 96, 96)
    j, i = np.ogrid[-1 : 1 : complex(0, shape[1]), -1 : 1 : complex(0, shape[2])]
    body = (j / 0.75) ** 2 + (i / 0.9) ** 2 < 1
    array, data = resampled(textured(shape, low=20.0) * body, turn((1, -2, 0.7), 15), 0.0)
    found = resampling_padding(array.astype(np.float32), faces(array))
    assert found is not None and not (found & (array != 0)).any()
    beyond = ~data & ~np.roll(data, 3, 0) & ~np.roll(data, -3, 0)
    assert found.mean() > 0.3 and (beyond & found).sum() > 0.5 * beyond.sum()


def cylinder(shape=(60, 70, 80), axis=(0.2, 0.3, 1.0), radius=18.0):
    """1 within a cylinder through the middle."""
    points = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij"), -1)
    axis = np.array(axis) / np.linalg.norm(axis)
    return np.linalg.norm(points - (points @ axis)[..., None] * axis, axis=-1) < radius


@pytest.mark.parametrize(
    "make",
    [
        lambda: textured((60, 70, 80)) * ball(),  # a brain on black
        lambda: textured((60, 70, 80)) * (ball() | ball().cumsum(0).astype(bool)),  # cut off at the neck
        lambda: textured((60, 70, 80)) * cylinder(),
        lambda: textured((60, 70, 80)) * cylinder(axis=(1, 0, 0), radius=25.0),
        lambda: textured((60, 70, 80)),
        lambda: np.zeros((60, 70, 80), np.float32),
        lambda: np.full((60, 70, 80), np.nan, np.float32),
        lambda: textured((4, 70, 80)),
    ],
    ids=["brain", "neck", "leg", "upright leg", "no filling", "nothing", "NaN", "few slices"],
)
def test_what_is_round_is_no_padding(make):
    array = make().astype(np.float32)
    assert resampling_padding(array, faces(array)) is None


def test_filling_beside_air_passes_for_air(turn):
    """A head in its field of view: nothing but the neck makes a false edge."""
    inside = ball((80, 80, 80), 0.7)
    noise = np.random.default_rng(0).normal(5, 2, inside.shape).clip(0.5)
    array, _ = resampled(np.where(inside, textured(inside.shape), noise).astype(np.float32), turn((1, 1, 0), 25), 0.0)
    assert resampling_padding(array, faces(array)) is None


def test_reading_leaves_resampling_padding_out_and_says_so(turn):
    array, _data = resampled(textured((60, 70, 80)), turn((1, 1, 1), 25), 0.0)
    volume, notices = volume_from_image(sitk.GetImageFromArray(array), "reformatted")
    assert (volume.mask.numpy() == ~resampling_padding(array, faces(array))).all() and not volume.mask.all()
    assert len(notices) == 1 and notices[0].startswith("reformatted: ") and "padding" in notices[0]


@pytest.mark.slow
def test_a_part_of_a_head_that_was_resampled_converges(head, turn):
    """The scans show tissue up to their ends, and the moving one is stretched and filled up with zeros around it.

    With the zeros taken for data it ended 89 mm off.
    """

    def scan(appearance, half, spacing):
        grid = Grid.covering(spacing / 2 - np.array(half), np.array(half) - spacing / 2, spacing)
        return grid.as_image((100 + 900 * appearance(grid.points().numpy().astype(float))).astype(np.float32))

    half = (36, 44, 30)
    stretch = np.array([[1.12, 0.06, 0], [0, 0.89, -0.05], [0, 0, 1]])
    motion = about(np.zeros(3), turn((1, 2, -1), 40) @ stretch, np.array([25.0, -10.0, 15.0]))
    lattice = sitk.Image([84, 84, 84], sitk.sitkFloat32)
    lattice.SetSpacing([2.0] * 3)
    lattice.SetOrigin((apply(motion, np.zeros(3)) - 83).tolist())
    back = itk_transform(np.linalg.inv(motion))
    moving = sitk.Resample(scan(head.mr, half, 2.0), lattice, back, sitk.sitkLinear, 0.0)
    fixed, _ = volume_from_image(scan(head.ct, half, 2.0), "fixed")
    moving, notices = volume_from_image(moving, "moving")
    assert len(notices) == 1
    with fewer_poses_and_blocks(), fewer_samples():
        result = register(fixed, moving, Settings(type="affine", device="cpu"))
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3)) * half
    assert mean_displacement(result.matrix, motion, points) < 1.0
