"""Training of what corrects linear features: it begins with them, improves them and can be resumed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from madreg.learn import context_training
from madreg.learn.bodies import Body
from madreg.learn.context_training import ContextSettings, train_context, with_context
from madreg.learn.contrast import Sharpness, contrast
from madreg.learn.synthetic_bodies import synthetic_body
from madreg.learn.views import Views, ViewSampler, ViewSettings
from madreg.network.features import FeatureNetwork
from madreg.network.settings import FeatureSettings

WIDTHS = (6, 8, 8)
SETTINGS = ContextSettings(minutes=10, widths=WIDTHS, average=0.5)


@pytest.fixture(scope="module")
def sampler() -> ViewSampler:
    """Views of two synthetic bodies."""
    bodies = [
        Body(f"{n}", "labels", "synthetic", synthetic_body(np.random.default_rng(n), (64, 72, 80))) for n in range(2)
    ]
    return ViewSampler(bodies, ViewSettings(shapes=((32, 32, 32), (32, 32, 48)), points=100, difficulty=0.2))


@pytest.fixture
def linear() -> FeatureNetwork:
    torch.manual_seed(3)
    return FeatureNetwork(FeatureSettings((6, 8))).eval()


def test_features_are_the_linear_ones_before_the_first_step(linear):
    image = torch.rand(1, 1, 16, 16, 32)
    for one, other in zip(linear(image), with_context(linear, SETTINGS, torch.device("cpu"))(image), strict=True):
        torch.testing.assert_close(one, other)


def test_the_right_place_costs_less_than_another(linear, sampler):
    """An image and itself: the cross-entropy is least where points are said to lie where they are."""
    views = sampler.batch(0, 1)
    image, points = views.images[0], views.points
    valid = torch.ones_like(views.valid)
    shape = torch.tensor(image.shape[:1:-1])
    inside = points.clamp(min=5).minimum(shape - 6.0)
    sharpness = Sharpness(2)
    right, wrong = (
        contrast(linear, sharpness, Views((image, image), inside, inside + off, valid)) for off in (0.0, 3.0)
    )
    assert bool((right < wrong).all())


def test_training_goes_on_where_it_stopped(linear, sampler, tmp_path):
    for until in (2, 4):
        train_context(linear, sampler, tmp_path, SETTINGS, until=until)
        assert torch.load(tmp_path / "context.pt", weights_only=True)["step"] == until


@pytest.mark.slow
def test_training_in_parts_improves(linear, sampler, tmp_path):
    with torch.no_grad():
        batches = [sampler.batch(n, 1) for n in range(100, 106)]
        sharpness = Sharpness(2)
        before = sum(contrast(linear, sharpness, views).sum() for views in batches)
    train_context(linear, sampler, tmp_path, SETTINGS, until=12)
    resumed = train_context(linear, sampler, tmp_path, SETTINGS, until=24)
    with torch.no_grad():
        after = sum(contrast(resumed, sharpness, views).sum() for views in batches)
    assert float(after) < 0.98 * float(before)
    assert torch.load(tmp_path / "context.pt", weights_only=True)["step"] == 24


@pytest.mark.parametrize("knows", [True, False])
def test_bfloat16_is_used_where_the_device_knows_it(linear, sampler, tmp_path, monkeypatch, knows):
    """Elsewhere it takes many times as long."""
    used = []

    def noted(network, sharpness, views, is_half=False):
        used.append(is_half)
        return contrast(network, sharpness, views)

    monkeypatch.setattr(context_training, "contrast", noted)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: knows)
    train_context(linear, sampler, tmp_path, SETTINGS, until=1)
    assert used == [knows and torch.backends.mkldnn.is_available()]
