"""Training: a tiny one learns, goes on after an interruption as if there had been none, and its figures are right."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.image.geometry import Grid
from madreg.learn.appearance import Appearance
from madreg.learn.losses import FARTHEST, labels_of, matching_loss
from madreg.learn.pair_settings import PairSettings
from madreg.learn.pairs import PairSampler, crop_points
from madreg.learn.scans import Scan
from madreg.learn.training import train
from madreg.learn.training_plots import plot
from madreg.learn.training_settings import TrainingSettings
from madreg.learn.validation import figures, validate
from madreg.network.settings import FusedSettings, SiameseSettings

PAIRS = PairSettings(
    size=16,
    distance=30.0,
    rotation=15.0,
    any_pose=0.0,
    near=0.3,
    crop=0.0,
    appearance=Appearance(layers=0, acquisition=False),
)
TINY = TrainingSettings(steps=4, batch=2, workers=0, validate_every=2, rate=2e-3)
SIAMESE = SiameseSettings(width=4, depth=1, features=8)
FUSED = FusedSettings(widths=(4, 4, 8), blocks=(1, 1))


@pytest.fixture(scope="module")
def scans():
    grid = Grid.covering(np.full(3, -60.0), np.full(3, 60.0), 3.0)
    noise = torch.rand(1, 1, 9, 9, 9, generator=torch.Generator().manual_seed(0))
    texture = torch.nn.functional.interpolate(noise, grid.shape, mode="trilinear")[0, 0]
    head = (grid.points().norm(dim=-1) < 50).float()
    return [[Scan("ball", torch.stack([texture * head, head]), grid, np.zeros(3))]]


@pytest.mark.slow
@pytest.mark.parametrize("network", [SIAMESE, FUSED], ids=["siamese", "fused"])
def test_an_interrupted_training_ends_as_one_that_ran_through(tmp_path, scans, network):
    through = train(scans, tmp_path / "through", network, PAIRS, TINY)
    train(scans, tmp_path / "halted", network, PAIRS, TINY, until=2)
    resumed = train(scans, tmp_path / "halted", network, PAIRS, TINY)
    for (name, one), two in zip(through.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, two), name


def test_a_training_depends_on_its_seed(tmp_path, scans):
    one, other = (
        train(scans, tmp_path / str(seed), FUSED, PAIRS, replace(TINY, steps=1, seed=seed)) for seed in (0, 1)
    )
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.slow
def test_a_tiny_training_learns(tmp_path, scans):
    settings = TrainingSettings(steps=125, batch=4, workers=0, rate=4e-3, growth=0.0, average=0.9)
    sampler = PairSampler(scans, PAIRS, seed=99)
    held_out = [sampler.pair(n) for n in range(8)]
    trained = train(scans, tmp_path, FUSED, PAIRS, settings, {"held out": held_out})
    with open(tmp_path / "log.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(r["step"]) for r in rows] == [25, 50, 75, 100, 125]
    assert float(rows[-1]["mse_mm2"]) < 0.8 * float(rows[0]["mse_mm2"])
    assert float(rows[-1]["sampler_pairs_per_s"]) > 0 and float(rows[-1]["mae held out"]) > 0
    truth, predicted, pair = validate(trained, held_out, crop_points(16, 4.0))
    assert len(truth) == len(predicted) == len(pair) and set(pair) <= set(range(8))
    plot(tmp_path, {"held out": (truth, predicted, pair)})
    assert (tmp_path / "loss.png").stat().st_size > 1000 and (tmp_path / "predicted.png").stat().st_size > 1000


def test_the_published_form_trains_on_one_label_a_patch(tmp_path, scans):
    settings = replace(TINY, sampling="patches", matching=0.0)
    trained = train(scans, tmp_path, FUSED, PAIRS, settings)
    sampler = PairSampler(scans, PAIRS, seed=5)
    pairs = [sampler.pair(n) for n in range(6)]
    truth, predicted, pair = validate(trained, pairs, sampler.points, "patches")
    shifts = [float(p["transform"][:3, 3].norm()) for p in pairs]  # the middle of a crop is its origin
    assert truth == pytest.approx(shifts, rel=1e-4)
    assert len(predicted) == 6 and pair.tolist() == [0, 1, 2, 3, 4, 5]


def test_labels_are_distances_in_mm():
    transform = torch.eye(4)[None].clone()
    transform[0, :3, 3] = torch.tensor([3.0, 4.0, 12.0])
    vectors, distances = labels_of({"transform": transform}, crop_points(16, 4.0))
    assert distances.shape == (1, 4, 4, 4)
    assert torch.allclose(distances, torch.tensor(13.0)) and vectors[0, 2, 1, 3].tolist() == [3, 4, 12]
    assert FARTHEST > 60


def test_the_matching_loss_is_least_at_the_true_match():
    points = crop_points(16, 4.0)
    transform = torch.eye(4)[None].clone()
    transform[0, 0, 3] = 8.0  # one moving feature along x
    batch = {
        "weight": torch.ones(1, 4, 4, 4),
        "moving": torch.zeros(1, 1, 16, 16, 16),
        "visible": torch.ones(1, 1, 16, 16, 16),
        "transform": transform,
    }
    vectors, _ = labels_of(batch, points)

    def loss(shift: int) -> float:
        posterior = torch.full((1, 64, 512), 1e-4)
        for k in range(4):
            for j in range(4):
                for i in range(4):
                    posterior[0, (k * 4 + j) * 4 + i, (2 * k * 8 + 2 * j) * 8 + min(2 * i + shift, 7)] = 0.95
        return float(matching_loss(posterior, vectors, batch, points, 4.0))

    assert loss(1) < 0.1 and loss(0) > 2 and loss(2) > 2


def test_figures_are_per_five_millimetres():
    truth = np.array([1.0, 2.0, 12.0, 13.0, 58.0, 75.0])
    result = figures(truth, truth + np.array([1.0, -1.0, 2.0, 2.0, -6.0, 50.0]))
    assert result["count"] == 5  # beyond 60 mm nothing is claimed
    assert result["mae"] == pytest.approx(12 / 5)
    assert [(b["from"], b["mae"], b["bias"], b["count"]) for b in result["bins"]] == [
        (0.0, 1.0, 0.0, 2),
        (10.0, 2.0, 2.0, 2),
        (55.0, 6.0, -6.0, 1),
    ]
    assert result["pearson"] > 0.99
