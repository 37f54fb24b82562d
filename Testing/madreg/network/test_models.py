"""The networks: what comes out where, that both forms are fully convolutional, and that a match means what it says."""

from dataclasses import replace

import pytest
import torch

from madreg.network.models import build, folded
from madreg.network.settings import STRIDE, UNIT_MM, FusedSettings, SiameseSettings, plain, settings_of

SMALL = [FusedSettings(widths=(4, 6, 8), blocks=(1, 2)), SiameseSettings(width=4, depth=1, features=8)]


@pytest.fixture(params=SMALL, ids=["fused", "siamese"])
def network(request):
    torch.manual_seed(0)
    return build(request.param).eval()


@torch.no_grad()
def test_a_map_of_millimetres_with_a_voxel_for_every_four(network):
    for size in ((16, 16, 16), (17, 22, 31)):
        distances = network(torch.rand(2, 2, *size))
        assert distances.shape == (2, 1, *[(n + STRIDE - 1) // STRIDE for n in size])
        assert bool((distances > 0).all())


@pytest.mark.slow
@torch.no_grad()
def test_the_map_moves_with_the_images(network):
    """Eight voxels (the coarsest stride) to the side, the same map lies two voxels to the side."""
    generator = torch.Generator().manual_seed(1)
    pair = torch.zeros(1, 2, 32, 32, 160)
    pair[..., 60:84] = torch.rand(1, 2, 32, 32, 24, generator=generator)
    if hasattr(network, "head") and hasattr(network, "encoder"):
        network.log_reach.fill_(2.3)  # look around only, as the border is not the same
    here, there = network(pair), network(pair.roll(8, 4))
    moved = here.roll(2, 4)
    assert here[..., 14:22].std() > 1e-3 or here.std() > 1e-3
    assert torch.allclose(moved[..., 15:25], there[..., 15:25], atol=0.05)


def test_settings_survive_as_plain_types(network):
    assert settings_of(plain(network.settings)) == network.settings
    assert settings_of(plain(network.settings) | {"reach": 3}) == network.settings  # older files know more


def test_a_plain_cnn_has_no_way_around_its_convolutions():
    torch.manual_seed(0)
    settings = replace(SMALL[0], skip=False)
    assert settings_of(plain(settings)) == settings
    networks = [build(SMALL[0]).eval(), build(settings).eval()]
    for network in networks:
        for name, parameter in network.named_parameters():
            if "first.weight" in name:
                parameter.data.zero_()
    with torch.no_grad():
        residual, convolutions_alone = (network(torch.rand(1, 2, 16, 16, 16)) for network in networks)
    assert float(residual.std()) > 1e-3 and float(convolutions_alone.std()) < 1e-4


def test_weights_from_before_there_were_plain_cnns_have_skip_connections():
    values = plain(SMALL[0])
    del values["skip"]
    assert settings_of(values) == SMALL[0]
    assert build(settings_of(values)).state_dict().keys() == build(SMALL[0]).state_dict().keys()
    assert "trunk.3.shortcut.0.weight" in build(SMALL[0]).state_dict()


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match="unknown encoder 'transformer'"):
        settings_of({"encoder": "transformer"})
    with pytest.raises(ValueError, match="unknown head 'colour'"):
        build(SiameseSettings(head="colour"))


def test_uncertainty_is_a_second_channel():
    fused = FusedSettings((4, 4, 4), (1, 1), head="uncertainty")
    for settings in (fused, SiameseSettings(4, 1, 4, head="uncertainty")):
        assert build(settings)(torch.rand(1, 2, 16, 16, 16)).shape == (1, 2, 4, 4, 4)


def test_gradients_reach_the_moving_image(network):
    pair = torch.rand(1, 2, 16, 16, 16, requires_grad=True)
    network(pair).mean().backward()
    assert float(pair.grad[:, 1].abs().sum()) > 0


@torch.no_grad()
def test_a_perfect_match_gives_the_displacement_in_mm():
    network = build(SMALL[1]).eval()
    shape, moving_shape = (3, 3, 3), (6, 6, 6)
    posterior = torch.zeros(1, 27, 216)
    point = (1 * 3 + 1) * 3 + 1  # k = j = i = 1: at 16 mm along each axis
    found = (4 * 6 + 2) * 6 + 3  # k = 4, j = 2, i = 3: at 32, 16, 24 mm
    posterior[0, :, found] = 1
    x, y, z, length, deviation = network.moments(posterior, shape, moving_shape)[0, point] * UNIT_MM
    assert (float(x), float(y), float(z)) == pytest.approx((8, 0, 16), abs=1e-3)
    assert float(length) == pytest.approx((8**2 + 16**2) ** 0.5, abs=0.1)
    assert float(deviation) < 1


def test_measuring_in_pieces_gives_the_same_map_and_slope():
    torch.manual_seed(0)
    network = build(SMALL[1]).eval()
    with torch.no_grad():
        network.log_scale.fill_(3.0)
    fixed, moving = torch.rand(2, 1, 1, 24, 24, 24)
    maps, slopes = [], []
    for pieces in (False, True):
        with torch.no_grad():
            known = network.encoder(fixed)
        moving = moving.detach().requires_grad_(True)
        other = network.encoder(moving)
        if pieces:
            maps.append(network.measure(known, other, torch.arange(216), torch.arange(1728)))
        else:
            maps.append(network.compare(known, other)[0])
        (maps[-1] * torch.linspace(0, 1, 216).reshape(6, 6, 6)).sum().backward()
        slopes.append(moving.grad)
    assert torch.allclose(*maps, atol=1e-3)
    assert float(slopes[0].abs().max()) > 1e-6
    assert float((slopes[0] - slopes[1]).norm()) < 1e-3 * float(slopes[0].norm())


@torch.no_grad()
def test_looking_only_for_some_and_only_there():
    torch.manual_seed(0)
    network = build(SMALL[1]).eval()
    features = network.encoder(torch.rand(2, 1, 16, 16, 16))[0]
    fixed, moving = features[:1], features[1:]
    some, there = torch.tensor([5, 40]), torch.arange(100, 400)
    logits = network.match(fixed, moving)
    few = network.match(fixed, moving, 0, some, there)
    assert torch.allclose(logits[:, some][:, :, there].softmax(-1), few.softmax(-1), atol=1e-5)
    whole = network.moments(few.softmax(-1), (4, 4, 4), (8, 8, 8), some, there)
    assert torch.allclose(whole, network.matched_moments(fixed, moving, 0, some, there), atol=1e-4)


@torch.no_grad()
def test_folding_the_batch_norms_changes_nothing(network):
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    pair = torch.rand(1, 2, 24, 24, 24)
    assert torch.allclose(network(pair), folded(network)(pair), atol=1e-2)
