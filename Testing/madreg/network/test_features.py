"""The feature network: unit features that do not depend on where the lattice ends."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from madreg.errors import InputError
from madreg.network import weights
from madreg.network.edges import edge_channels, edge_pyramid
from madreg.network.features import MATCHED, FeatureNetwork, level_position
from madreg.network.models import build
from madreg.network.settings import FeatureSettings, SiameseSettings, plain, settings_of

SMALL = FeatureSettings((6, 8), context=(4, 6, 8))


@pytest.fixture
def network() -> FeatureNetwork:
    """A small network with random weights, those of its corrections among them."""
    torch.manual_seed(0)
    network = FeatureNetwork(SMALL)
    assert network.context is not None
    for values in network.context.corrections.parameters():
        torch.nn.init.normal_(values)
    return network.eval().requires_grad_(False)


def test_features_are_unit_vectors_at_every_level(network):
    fine, coarse = network(torch.rand(1, 1, 16, 24, 32))
    assert fine.shape == (1, 6, 16, 24, 32) and coarse.shape == (1, 8, 8, 12, 16)
    for features in (fine, coarse):
        torch.testing.assert_close(features.norm(dim=1), torch.ones_like(features[:, 0]), atol=1e-4, rtol=0)


def test_features_do_not_depend_on_where_the_lattice_ends(network):
    image = torch.rand(1, 1, 160, 16, 16)
    whole, part = network(image), network(image[:, :, 16:144])
    for level, (all_of_it, cropped) in enumerate(zip(whole, part, strict=True)):
        first, last, start = (n >> level for n in (48, 80, 16))
        there = all_of_it[:, :, first + start : last + start]
        torch.testing.assert_close(cropped[:, :, first:last], there, atol=1e-4, rtol=0)


def test_features_of_a_level_have_one_order_of_memory():
    """That of the weights: torch upsamples channels that lie side by side ten times faster, and to the same values."""
    network = FeatureNetwork(FeatureSettings((16, 32))).eval().requires_grad_(False)
    image = torch.rand(1, 1, 32, 48, 32)
    by_voxel = copy.deepcopy(network).to(memory_format=torch.channels_last_3d)
    found, wanted = by_voxel.level(image, 1), network.level(image, 1)
    assert torch.allclose(found, wanted, atol=1e-5)
    edges = edge_pyramid(F.avg_pool3d(image, 2), 3)
    assert by_voxel.levels[1](edges).is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("widths", [(), (8, 8, 8)])
def test_some_levels_alone_are_those_of_all(widths):
    """Of an image at the resolution of the finest of them; a context needs the whole image."""
    network = FeatureNetwork(FeatureSettings((16, 16), context=widths)).eval().requires_grad_(False)
    image = torch.rand(1, 1, 32, 32, 32)
    level = network.input_level([1])
    found = network.some(F.avg_pool3d(image, 2**level) if level else image, [1])
    assert set(found) == {1} and level == (0 if widths else 1)
    torch.testing.assert_close(found[1], network(image)[1], atol=1e-4, rtol=0)
    assert set(network.some(image, [0, 1])) == {0, 1}


@pytest.mark.parametrize("widths", [(), (8, 8, 8)])
def test_features_of_matches_are_those_of_their_level_and_more(widths):
    """A network that is corrected by a context, for which there is no more, matches those of the level."""
    torch.manual_seed(0)
    network = FeatureNetwork(FeatureSettings((6, 8), context=widths, more=4)).eval().requires_grad_(False)
    image = torch.rand(1, 1, 16, 16, 24)
    coarse = F.avg_pool3d(image, 2**level) if (level := network.input_level([MATCHED])) else image
    found, of_level = network.matched(coarse), network(image)[MATCHED]
    assert found.shape == (1, 8 if widths else 12, 8, 8, 12)
    torch.testing.assert_close(found.norm(dim=1), torch.ones_like(found[:, 0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(F.normalize(found[:, -8:], dim=1), of_level, atol=1e-4, rtol=0)
    if not widths:
        assert float(found[:, :4].norm(dim=1).mean()) > 0.1


def test_weights_without_longer_features_for_matches_can_be_used(tmp_path):
    """As those that an earlier version trained."""
    network = FeatureNetwork(FeatureSettings((6, 8))).eval().requires_grad_(False)
    weights.save(network, tmp_path / "features.pt", {})
    restored = weights.load_features(tmp_path / "features.pt")[0]
    image = torch.rand(1, 1, 8, 8, 8)
    torch.testing.assert_close(restored.matched(image), restored.some(image, [MATCHED])[MATCHED], atol=0, rtol=0)


def test_inverted_contrast_leaves_the_products_of_edges_as_they_are():
    image = torch.rand(1, 1, 12, 12, 12)
    there, inverted = edge_channels(image), edge_channels(1 - image)
    torch.testing.assert_close(inverted[:, 2:], there[:, 2:], atol=1e-4, rtol=0)
    torch.testing.assert_close(inverted[:, 1], -there[:, 1], atol=1e-3, rtol=0)


def test_positions_of_a_level_are_the_centers_of_its_voxels():
    index = torch.tensor([[0.5, 2.5, 4.5]])
    torch.testing.assert_close(level_position(index, 1), torch.tensor([[0.0, 1.0, 2.0]]))
    torch.testing.assert_close(level_position(index, 0), index)


def test_settings_and_weights_are_restored(network, tmp_path):
    assert settings_of(plain(SMALL)) == SMALL
    weights.save(network, tmp_path / "features.pt", {"name": "features"})
    restored, card = weights.load_features(tmp_path / "features.pt")
    assert restored.settings == SMALL and card["parameters"] == sum(p.numel() for p in network.parameters())
    image = torch.rand(1, 1, 16, 16, 16)
    for one, other in zip(network(image), restored(image), strict=True):
        assert float((one - other).abs().max()) < 0.02


def test_a_context_of_too_few_resolutions_is_refused():
    with pytest.raises(ValueError, match="context of 2 resolutions, not 3"):
        FeatureNetwork(FeatureSettings((6, 8), context=(4, 6)))


def test_a_network_of_another_kind_is_refused(network, tmp_path):
    weights.save(network, tmp_path / "features.pt", {})
    with pytest.raises(InputError, match="predicts no distances"):
        weights.load(tmp_path / "features.pt")
    weights.save(build(SiameseSettings(4, 1, 8)), tmp_path / "siamese.pt", {})
    with pytest.raises(InputError, match="makes no features"):
        weights.load_features(tmp_path / "siamese.pt")


def test_the_bundled_features_are_small():
    network, card = weights.load_features()
    assert card["parameters"] < 1_000_000 and network.settings.spacing == 2.0
