"""Training of features: corresponding points, acquisition that moves nothing, sums that can be resumed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.errors import InputError
from madreg.learn import synthetic_bodies
from madreg.learn import views as views_module
from madreg.learn.acquisition import blur_matrices, slice_matrices
from madreg.learn.bodies import Body, read_bodies, read_label_map, read_scan, scan_codes, write_bodies
from madreg.learn.discriminant import Scatter, descriptors, discrimination, network_of, train_features, values_at
from madreg.learn.poses import Pose, Warp, random_poses, rotations
from madreg.learn.random_draw import Draw
from madreg.learn.synthetic_bodies import synthetic_body
from madreg.learn.views import ViewSampler, ViewSettings
from madreg.network.edges import edge_pyramid
from madreg.network.features import FeatureNetwork
from madreg.network.settings import FeatureSettings

SMALL = ViewSettings(shapes=((32, 32, 32), (32, 32, 48)), points=100)
NETWORK = FeatureSettings((6, 6))


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    """Two synthetic bodies and a scan."""
    labels = [synthetic_body(np.random.default_rng(n), (64, 72, 80)) for n in range(2)]
    ramp = np.broadcast_to(np.linspace(0, 1, 70), (60, 64, 70))
    scan = scan_codes(ramp, ramp > 0.2)
    return [
        *(Body(f"body-{n}", "labels", "synthetic", body) for n, body in enumerate(labels)),
        Body("scan", "scan", "head", scan),
    ]


def test_parts_of_a_body_are_whole_though_they_are_looked_for_near_their_centers_alone(monkeypatch):
    def body(number: int) -> np.ndarray:
        return synthetic_body(np.random.default_rng(number), (32, 36, 40))

    near = [body(number) for number in range(3)]
    monkeypatch.setattr(synthetic_bodies, "indices_near", lambda points, *_: np.arange(len(points)))
    for number, found in enumerate(near):
        assert (found >= 20).any() and (found == body(number)).all()


def test_a_deformation_is_inverted():
    draw = Draw(1, 3)
    warp = Warp.random(draw, 1.0, 5.0)
    points = 60 * draw.normal(50, 3)
    assert float((warp(warp.inverse(points)) - points).norm(dim=-1).max()) < 0.05


def test_poses_are_inverted_and_rotations_are_limited():
    draw = Draw(2, 4)
    turns = rotations(draw, torch.tensor([0.1, 0.5, 4.0, 4.0]))
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand(4, 3, 3), atol=1e-5, rtol=0)
    angle = torch.arccos(((torch.diagonal(turns, dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1))
    assert float(angle[0]) <= 0.1 + 1e-3 and float(angle[1]) <= 0.5 + 1e-3
    pose: Pose = random_poses(draw, torch.zeros(4, 3), 2, 1.0)[1]
    points = 40 * draw.normal(20, 3)
    torch.testing.assert_close(pose.inverse(pose(points)), points, atol=1e-3, rtol=1e-4)


def test_the_rotation_between_lattices_can_be_set():
    def angles(rotation: float | None) -> torch.Tensor:
        one, other = random_poses(Draw(4, 64), torch.zeros(64, 3), 2, 0.6, rotation)
        turn = torch.linalg.solve(one.linear, other.linear, left=True)  # similar to the rotation between both
        return torch.rad2deg(torch.arccos(((torch.diagonal(turn, dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1)))

    assert float(angles(0.0).max()) < 0.2 and 15 < float(angles(np.radians(20)).max()) < 20.2
    assert float(angles(np.radians(180)).median()) > 90 > 40 > float(angles(None).median())


def test_points_correspond(bodies, monkeypatch):
    """Without acquisition and in one contrast, both scans are equal at corresponding points."""
    for name in ("random_filters", "windowed"):
        monkeypatch.setattr(views_module, name, lambda image, draw: image)
    monkeypatch.setattr(views_module, "acquired", lambda image, draw, difficulty: image)
    monkeypatch.setattr(views_module, "less_different", lambda table, other, draw, difficulty: table)
    views = ViewSampler(bodies, SMALL).batch(5, 6)
    first = values_at(views.images[0], views.points)[..., 0]
    second = values_at(views.images[1], views.targets)[..., 0]
    assert views.valid.float().mean() > 0.2
    together = np.corrcoef(first[views.valid], second[views.valid])[0, 1]
    shuffled = np.corrcoef(first[views.valid], second[views.valid][torch.randperm(int(views.valid.sum()))])[0, 1]
    assert together > 0.85 and shuffled < 0.5


def test_batches_repeat_and_differ(bodies):
    first, again, other = (ViewSampler(bodies, SMALL, seed=3).batch(n, 2) for n in (7, 7, 8))
    for one, two in zip(first.images, again.images, strict=True):
        torch.testing.assert_close(one, two)
        assert float(one.min()) >= 0 and bool(torch.isfinite(one).all())
    torch.testing.assert_close(first.targets, again.targets)
    assert first.images[0].shape != other.images[0].shape or not torch.equal(first.images[0], other.images[0])


def test_acquisition_moves_nothing():
    """Blur and slices keep a constant as it is, and on average leave a bump where it was."""
    count, at = 40, torch.arange(40.0)
    bump = torch.exp(-0.5 * ((at - 19.3) / 2.0) ** 2)
    centers = []
    for phase in torch.linspace(0, 1, 11)[:-1]:
        blur = blur_matrices(torch.tensor([0.8]), count)[0]
        slices = slice_matrices(torch.tensor([2.4]), phase[None], count)[0]
        for matrix in (blur, slices):
            torch.testing.assert_close(matrix.sum(1), torch.ones(count), atol=1e-4, rtol=0)
            seen = matrix @ bump
            centers.append(float((seen * at).sum() / seen.sum()))
    assert abs(np.mean(centers) - 19.3) < 0.05


@pytest.mark.parametrize("count", [40, 200])
def test_slices_far_beyond_the_ends_show_the_end(count):
    """Thick slices go on beyond the lattice, in large lattices so far that a weight by distance is 0."""
    matrix = slice_matrices(torch.tensor([3.0]), torch.tensor([0.5]), count)[0]
    torch.testing.assert_close(matrix.sum(1), torch.ones(count), atol=1e-4, rtol=0)


def test_bodies_are_restored_from_their_file(bodies, tmp_path):
    write_bodies(bodies, tmp_path / "bodies.npz")
    for before, after in zip(bodies, read_bodies(tmp_path / "bodies.npz"), strict=True):
        assert (before.name, before.kind, before.group) == (after.name, after.kind, after.group)
        np.testing.assert_array_equal(before.codes, after.codes)
    (tmp_path / "bodies.npz").write_bytes(b"no bodies")
    with pytest.raises(InputError, match="no file of training bodies"):
        read_bodies(tmp_path / "bodies.npz")


def test_files_become_bodies(tmp_path, head_images):
    _, t1 = head_images
    sitk.WriteImage(t1, str(tmp_path / "t1.nii.gz"))
    scan = read_scan(tmp_path / "t1.nii.gz", "heads")
    assert scan.kind == "scan" and scan.codes.dtype == np.uint8 and 0.1 < (scan.codes >= 128).mean() < 0.9
    labels = np.zeros((30, 40, 50), np.int16)
    labels[5:25, 5:35, 5:20] = 1007
    labels[5:25, 5:35, 20:45] = 17
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((2.0, 2.0, 2.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / "labels.nii.gz"))
    known: dict[int, int] = {}
    body = read_label_map(tmp_path / "labels.nii.gz", "maps", known)
    assert known == {17: 1, 1007: 2}
    assert (body.codes == 1).sum() == 20 * 30 * 25 and (body.codes == 2).sum() == 20 * 30 * 15
    first = [np.nonzero((body.codes == code).any((0, 1)))[0].mean() for code in (1, 2)]
    assert first[0] < first[1]  # the axis that ran to the right runs to the left now
    with pytest.raises(InputError, match="cannot be read"):
        read_label_map(tmp_path / "missing.nii.gz", "maps", known)


def test_descriptors_are_what_the_kernels_multiply(bodies):
    """The features of a network at voxels are the products of weights and descriptors."""
    image = ViewSampler(bodies, SMALL).batch(0, 1).images[0]
    scatter = Scatter(4)
    sampler = ViewSampler(bodies, SMALL)
    for number in range(3):
        scatter.add(sampler.batch(number, 2), Draw(number, 2))
    network = network_of(scatter, NETWORK)
    edges = edge_pyramid(image, 4)
    points = torch.tensor([[[8.5, 12.5, 20.5], [16.5, 14.5, 18.5]]])  # centers of voxels of the second level
    weights, offsets = scatter.projection(1, 6)
    expected = descriptors(edges, points)[..., 27 * 8 :] @ weights.T + offsets
    found = values_at(network.each_level()[1](edges[1:]), (points - 0.5) / 2)
    # coarse edges are interpolated before the convolution here and after it there
    assert float((found - expected).norm() / expected.norm()) < 0.15


def test_longer_features_are_the_next_most_discriminating_ones(bodies):
    """Those of the level are the same with and without, and the further ones discriminate less."""
    scatter, sampler = Scatter(4), ViewSampler(bodies, SMALL)
    for number in range(3):
        scatter.add(sampler.batch(number, 2), Draw(number, 2))
    plain, longer = network_of(scatter, NETWORK), network_of(scatter, replace(NETWORK, more=4))
    for name, weights in plain.state_dict().items():
        torch.testing.assert_close(longer.state_dict()[name], weights, atol=0, rtol=0)
    assert longer.more is not None
    every, offsets = scatter.projection(1, 10)
    kernels = [kernel.weight.permute(0, 2, 3, 4, 1).flatten(1) for kernel in longer.more.kernels]
    torch.testing.assert_close(torch.cat(kernels, 1), every[:4], atol=0, rtol=0)
    torch.testing.assert_close(longer.more.kernels[0].bias, offsets[:4], atol=0, rtol=0)


@pytest.mark.slow
def test_found_features_distinguish_places_and_can_be_resumed(bodies, tmp_path):
    sampler = ViewSampler(bodies, SMALL)
    torch.manual_seed(1)
    chance = discrimination(FeatureNetwork(NETWORK).eval(), sampler, 6, start=1000)
    whole = train_features(sampler, tmp_path / "whole", NETWORK, 12, 2)
    (tmp_path / "parts").mkdir()
    train_features(sampler, tmp_path / "parts", NETWORK, 12, 2, until=5)
    resumed = train_features(sampler, tmp_path / "parts", NETWORK, 12, 2)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    found = discrimination(whole, sampler, 6, start=1000)
    assert all(more > less for more, less in zip(found, chance, strict=True)) and min(found) > 0.55


@pytest.mark.slow
def test_features_come_from_the_command(tmp_path, head_images, capsys, monkeypatch):
    from madreg.commands import train_features
    from madreg.commands.main import main
    from madreg.network import weights

    monkeypatch.setattr(train_features, "VALIDATION_BATCHES", 2)
    monkeypatch.setattr(views_module, "ViewSettings", lambda: SMALL)
    (tmp_path / "scans").mkdir()
    for number, image in enumerate(head_images):
        sitk.WriteImage(image, str(tmp_path / "scans" / f"{number}.nii.gz"))
    words = ["train", "--encoder", "features", "--images", str(tmp_path / "scans"), "--out", str(tmp_path / "out")]
    words += ["--held-out", "1", "--synthetic", "1", "--steps", "3", "--batch", "1", "--minutes", "0.02"]
    assert main(words) == 0
    network, card = weights.load_features(tmp_path / "out" / "mad-features.pt")
    assert network.settings == FeatureSettings(context=(24, 32, 48, 48)) and len(card["validation"]["by_level"]) == 3
    assert card["held_out"] == [str(tmp_path / "scans" / "1.nii.gz")]
    assert "right place more alike" in capsys.readouterr().out
    read = (tmp_path / "out" / "bodies.npz").stat().st_mtime_ns
    assert main(words) == 0 and (tmp_path / "out" / "bodies.npz").stat().st_mtime_ns == read
