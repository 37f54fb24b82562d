"""Training pairs: the labels are right in mm, checked by a landmark seen in both crops, and nothing is random twice."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply
from madreg.learn.appearance import Appearance
from madreg.learn.pair_settings import PairSettings
from madreg.learn.pairs import PairSampler, crop_points, displacements
from madreg.learn.random_transforms import random_transform
from madreg.learn.scans import Scan, load_scan

PLAIN = PairSettings(
    size=24,
    crop=0.0,
    near=0.3,
    distance=30.0,
    rotation=40.0,
    any_pose=0.1,
    appearance=Appearance(layers=0, acquisition=False),
)


def blob_scan(center=(5.0, -20.0, 30.0), landmark=(8.0, -14.0, 26.0)) -> Scan:
    """A scan whose only anatomy is one small bright ball."""
    grid = Grid.covering(np.array(center) - 90, np.array(center) + 90, 3.0)
    distance = (grid.points() - torch.tensor(landmark)).norm(dim=-1)
    return Scan(
        "blob", torch.stack([torch.exp(-0.5 * (distance / 8) ** 2), (distance < 70).float()]), grid, np.array(center)
    )


def middle(image: torch.Tensor, points: torch.Tensor) -> np.ndarray | None:
    """Centre of mass (3,) in mm of what is bright, or None if it is cut off by the crop's border."""
    bright = (image - 0.05).clamp(min=0)
    border = torch.ones_like(bright, dtype=torch.bool)
    border[2:-2, 2:-2, 2:-2] = False
    if bright.sum() < 5 or bright[border].sum() > 0:
        return None
    return (bright[..., None] * points).sum((0, 1, 2)).div(bright.sum()).numpy()


@pytest.mark.slow
def test_the_transform_maps_a_landmark_of_the_fixed_crop_to_the_moving_crop():
    sampler = PairSampler([[blob_scan()]], PLAIN, seed=3)
    errors, moved = [], []
    for index in range(90):
        pair = sampler.pair(index)
        here, there = (middle(pair[key][0], sampler.points) for key in ("fixed", "moving"))
        if here is None or there is None:
            continue
        errors.append(np.linalg.norm(apply(pair["transform"].numpy(), here) - there))
        vector = displacements(pair["transform"][None], torch.tensor(here)[None])[0, 0].numpy()
        assert np.allclose(here + vector, apply(pair["transform"].numpy(), here), atol=1e-3)
        moved.append(np.linalg.norm(vector))
    assert len(errors) > 15 and max(moved) > 20
    assert max(errors) < 0.5  # mm


def test_a_pair_depends_on_seed_and_index_alone():
    first, again = (PairSampler([[blob_scan()]], PairSettings(size=16), seed=1) for _ in range(2))
    other = PairSampler([[blob_scan()]], PairSettings(size=16), seed=2)
    again.pair(0)
    for key, value in first.pair(5).items():
        assert torch.equal(value, again.pair(5)[key])
    assert not torch.equal(first.pair(5)["transform"], first.pair(6)["transform"])
    assert not torch.equal(first.pair(5)["transform"], other.pair(5)["transform"])


def test_weights_count_where_there_is_anatomy():
    sampler = PairSampler([[blob_scan()]], PairSettings(size=36, crop=0.0), seed=0)
    pair = sampler.pair(0)
    assert pair["weight"].shape == (9, 9, 9)
    assert 0.05 < float(pair["weight"].mean()) < 0.95
    assert set(pair["weight"].unique().tolist()) == {0.0, 1.0}


def test_distances_are_spread_on_purpose():
    settings = PairSettings()
    rng = np.random.default_rng(0)
    points = np.random.default_rng(1).uniform(-50, 50, (200, 3))
    moved = np.array(
        [
            np.linalg.norm(apply(t, points) - points, axis=1).mean()
            for t in (random_transform(rng, settings) for _ in range(600))
        ]
    )
    assert 0.2 < (moved < 10).mean() < 0.5  # near alignment
    assert (moved > 30).mean() > 0.2  # and far from it
    early = [
        np.linalg.norm(apply(t, points) - points, axis=1).mean()
        for t in (random_transform(rng, settings, growth=0.0) for _ in range(300))
    ]
    assert np.mean(early) < 0.75 * moved.mean()


def test_crop_points_are_in_mm_about_the_middle():
    points = crop_points(8, 4.0)
    assert points[4, 4, 4].tolist() == [0, 0, 0]
    assert points[4, 4, 5].tolist() == [4, 0, 0]  # i is x
    assert points[5, 4, 4].tolist() == [0, 0, 4]


def test_a_scan_is_loaded_with_its_head(tmp_path):
    grid = Grid.covering(np.array([-60.0, -60, -60]), np.array([60.0, 60, 60]), 3.0)
    distance = grid.points().norm(dim=-1).numpy()
    # a ball with a dark shell inside, as bone is in T1w: the shell belongs to the head
    array = np.where((distance < 45) & ~((distance > 35) & (distance < 40)), 100.0, 0.0).astype(np.float32)
    sitk.WriteImage(grid.as_image(array), str(tmp_path / "ball.nii.gz"))
    scan = load_scan(tmp_path / "ball.nii.gz")
    assert np.allclose(scan.center, 0, atol=0.5)
    volume = float(scan.channels[1].sum()) * np.prod(scan.grid.spacing)
    assert 44 < (volume / (4 / 3 * np.pi)) ** (1 / 3) < 48.5  # radius in mm; the head may be a voxel too large


def test_a_file_that_is_no_scan_is_refused_by_name(tmp_path):
    (tmp_path / "notes.nii.gz").write_text("no image")
    with pytest.raises(InputError, match=r"notes\.nii\.gz"):
        load_scan(tmp_path / "notes.nii.gz")
