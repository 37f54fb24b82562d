"""Trainings of studies: what is learned from and what is held out, and what figures say."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply
from madreg.learn.pair_settings import PairSettings
from madreg.learn.pairs import PairSampler
from madreg.learn.scans import Scan
from madreg_benchmark.studies.study import Setting
from madreg_benchmark.studies.trainings import Budget, Trainer, cross_pairs, split, training_files, with_intervals
from translation import translation_matrix


def test_the_last_scans_of_a_folder_are_held_out(tmp_path):
    for name, count in {"many": 7, "few": 2, "labels": 0}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "sub-01_T2w.nii.gz").touch()
        for number in range(count):
            (tmp_path / name / f"sub-{number:02d}_T1w.nii.gz").touch()
    training, held_out = split(training_files(tmp_path))
    assert [[path.name[4:6] for path in group] for group in training] == [["00", "01"], ["00", "01", "02", "03", "04"]]
    assert [[path.name[4:6] for path in group] for group in held_out] == [["05", "06"]]
    with pytest.raises(InputError, match="has no folder with 5 files"):
        training_files(tmp_path / "many")
    with pytest.raises(InputError, match="--data"):
        training_files(None)


def test_intervals_are_over_pairs():
    pair = np.repeat(np.arange(10), 50)
    truth = np.tile(np.linspace(1, 50, 50), 10)
    exact = with_intervals(truth, truth, pair)
    assert exact["mae"] == 0 and exact["mae_interval"] == [0, 0] and exact["pearson"] == exact["spearman"] == 1
    uneven = with_intervals(truth, truth + np.where(pair < 5, 8.0, 2.0), pair)
    low, high = uneven["mae_interval"]
    assert uneven["mae"] == 5 and 2.5 < low < 4 and 6 < high < 7.5  # a bootstrap over points would say 4.7 to 5.3


def test_cross_pairs_show_the_same_anatomy_there_and_back():
    grid = Grid.covering(np.full(3, -90.0), np.full(3, 90.0), 3.0)

    def ball(at: np.ndarray) -> Scan:
        distance = (grid.points() - torch.as_tensor(at, dtype=torch.float32)).norm(dim=-1)
        return Scan("ball", torch.stack([torch.exp(-0.5 * (distance / 8) ** 2), (distance < 70).float()]), grid, at)

    truth = translation_matrix(25, -10, 5)
    here = np.array([3.0, -8.0, 6.0])
    sampler = PairSampler([], PairSettings(size=32, distance=10.0, rotation=10.0, any_pose=0.0), 0)
    pairs = cross_pairs(sampler, [(ball(here), ball(apply(truth, here)), truth)], 6)
    for pair in pairs:
        one, other = (
            (pair[key][0, ..., None] * sampler.points).sum((0, 1, 2)).div(pair[key].sum()).numpy()
            for key in ("fixed", "moving")
        )
        assert np.linalg.norm(apply(pair["transform"].numpy(), one) - other) < 1.5  # mm
    assert len(pairs) == 6


def test_scans_come_from_files_where_there_is_data(cases, tmp_path):
    (tmp_path / "group").mkdir()
    scan = sitk.GetImageFromArray(np.random.default_rng(0).random((24, 24, 24)).astype(np.float32))
    for number in range(5):
        sitk.WriteImage(scan, str(tmp_path / "group" / f"sub-{number}_T1w.nii.gz"))
    training, held_out = Trainer(Setting(cases[:1], tmp_path, data=tmp_path), Budget(size=16)).scans
    assert [len(group) for group in training] == [3] and [len(group) for group in held_out] == [2]
