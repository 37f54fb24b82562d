"""One measure alone: which network it uses, and that MAD from features converges from far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg.errors import InputError
from madreg.image.geometry import Grid, about, mean_displacement
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.measures.feature_mad import FeatureMAD, feature_mad_of
from madreg.measures.mad import MAD, mad_of
from madreg.measures.nmi import NMI
from madreg.network import weights
from madreg.network.features import FeatureNetwork
from madreg.network.models import build
from madreg.network.settings import FeatureSettings, SiameseSettings
from madreg.pipeline.single_measure import SingleMeasure
from madreg.progress import Monitor


@pytest.fixture(scope="module")
def pair(grid_of, make_volume, head) -> Pair:
    grid = grid_of("straight")
    return Pair(make_volume(head.ct, grid), make_volume(head.mr, grid))


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    """Weights of two kinds."""
    torch.manual_seed(0)
    networks = {"features": FeatureNetwork(FeatureSettings((4, 4))), "siamese": build(SiameseSettings(4, 1, 8))}
    for name, network in networks.items():
        weights.save(network, tmp_path / f"{name}.pt", {})
    return {name: str(tmp_path / f"{name}.pt") for name in networks}


@pytest.mark.slow
def test_the_measure_goes_by_its_name_and_by_what_the_network_can_do(pair, files):
    expected = {
        ("mad", None): FeatureMAD,
        ("mad", files["features"]): FeatureMAD,
        ("mad", files["siamese"]): MAD,
        ("mad-distance", None): MAD,
        ("mad-distance", files["siamese"]): MAD,
        ("nmi", None): NMI,
    }
    for (name, path), kind in expected.items():
        assert type(SingleMeasure(name, "rigid", path).measure(pair)) is kind, (name, path)


def test_features_predict_no_distance(pair, files):
    with pytest.raises(InputError, match="predicts no distances"):
        SingleMeasure("mad-distance", "rigid", files["features"]).measure(pair)
    assert isinstance(mad_of(pair, files["features"]), MAD)  # the bundled network predicts then


@pytest.mark.slow
def test_far_from_the_pose_the_finest_features_have_no_say(pair):
    measure = feature_mad_of(pair)
    assert set(measure.coarse().level_weights) == {1, 2} and set(measure.level_weights) == {0, 1, 2}


@pytest.mark.slow
def test_a_start_from_which_the_head_is_seen_upside_down_is_no_obstacle(grid_of, make_volume, head, turn, spots):
    """The axes of the moving lattice are put in the order in which they are seen from the start."""
    truth = about(np.zeros(3), turn((1, 0, 0), 180), np.zeros(3))
    fixed, moving = grid_of("straight"), grid_of("straight")
    displaced = Grid(moving.size, truth @ moving.matrix)  # the same voxels, the other way round in the world
    pair = Pair(make_volume(head.ct, fixed), replace(make_volume(head.mr, moving), grid=displaced))
    start = Transform(truth @ about(np.zeros(3), turn((0, 1, 1), 15), np.array([8.0, 5.0, -6.0])))
    found = SingleMeasure("mad", "rigid").run(pair, [start], Monitor(None))[0]
    assert mean_displacement(found.matrix, truth, spots) < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [10, 40])
def test_mad_alone_converges_on_a_head_rotated_in_its_lattice(grid_of, make_volume, head, turn, spots, degrees):
    truth = about(np.zeros(3), turn((1, -2, 1), degrees), np.array([15.0, -20.0, 10.0]))
    grid = grid_of("straight")
    pair = Pair(make_volume(head.ct, grid), make_volume(head.mr, grid, truth))
    found = SingleMeasure("mad", "rigid").run(pair, [Transform.identity()], Monitor(None))[0]
    assert mean_displacement(np.eye(4), truth, spots) > 20
    assert mean_displacement(found.matrix, truth, spots) < 0.8


@pytest.mark.slow
def test_mad_alone_converges_from_any_translation(pair, spots):
    """Where the scans have nothing in common, so that descents do not."""
    start = Transform(about(np.zeros(3), np.eye(3), np.array([180.0, -150.0, 200.0])))
    seen: list[tuple[str, float]] = []
    monitor = Monitor(lambda progress: seen.append((progress.stage, progress.fraction)))
    found = SingleMeasure("mad", "rigid").run(pair, [start], monitor)[0]
    assert mean_displacement(found.matrix, np.eye(4), spots) < 0.8
    shares = [share for _, share in seen]
    assert "matches" in dict(seen) and shares == sorted(shares)
