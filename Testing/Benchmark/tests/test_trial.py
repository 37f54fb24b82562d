"""The trials are the same, bit for bit, as those of the shared benchmark, and the error is in millimetres."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid, apply, matrix_of_itk, mean_displacement
from madreg_benchmark.cases.case import Case, contrast_of, load_cases
from madreg_benchmark.cases.levels import LEVELS, random_motion, trial_generator
from madreg_benchmark.cases.trial import make_trial
from translation import translation_matrix

SHARED = Path(__file__).resolve().parents[4] / "shared" / "bench" / "protocol.py"


@pytest.fixture(scope="module")
def shared():
    if not SHARED.is_file():
        pytest.skip(f"the shared benchmark is not at {SHARED}")
    spec = importlib.util.spec_from_file_location("shared_protocol", SHARED)
    module = importlib.util.module_from_spec(spec)
    sys.modules["shared_protocol"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["shared_protocol"]


@pytest.mark.parametrize(
    "level", [level if level in ("large", "crop") else pytest.param(level, marks=pytest.mark.slow) for level in LEVELS]
)
def test_trials_equal_those_of_the_shared_benchmark(shared, cases, level, tmp_path):
    assert list(shared.LEVELS) == list(LEVELS)
    for number, case in enumerate(cases):
        ours = make_trial(case, level, number, tmp_path / "ours")
        theirs = shared.make_trial(
            shared.Case(case.name, case.fixed, case.moving, case.truth), level, number, tmp_path / "theirs"
        )
        assert np.abs(ours.truth - theirs[2]).max() < 1e-9
        assert np.array_equal(ours.points, theirs[3])
        for our_file, their_file in zip((ours.fixed, ours.moving), theirs[:2], strict=True):
            mine, other = sitk.ReadImage(str(our_file)), sitk.ReadImage(str(their_file))
            assert np.array_equal(sitk.GetArrayFromImage(mine), sitk.GetArrayFromImage(other))
            assert (
                np.abs(Grid.of_image(mine).matrix - Grid.of_image(other).matrix).max() < 1e-5
            )  # a NIfTI holds float32
        estimate = translation_matrix(1.0, 2.0, 3.0)
        error = mean_displacement(estimate, ours.truth, ours.points)
        assert error == pytest.approx(shared.tre(estimate, theirs[2], theirs[3]), abs=1e-9)


@pytest.mark.parametrize("level", ["large", "affine", "anycrop", "cut"])
def test_the_truth_of_a_trial_brings_the_scans_together(cases, level, tmp_path):
    same = Case("same", cases[1].fixed, cases[1].fixed, np.eye(4))
    trial = make_trial(same, level, 0, tmp_path)
    # resampling blurs the noise, so compare what both can show
    fixed, moving = (sitk.SmoothingRecursiveGaussian(sitk.ReadImage(str(p)), 3.0) for p in (trial.fixed, trial.moving))
    assert mean_displacement(np.eye(4), trial.truth, trial.points) > 10

    def correlation(matrix: np.ndarray) -> float:
        where = apply(matrix, trial.points)
        index = apply(Grid.of_image(moving).inverse, where)
        inside = ((index > 0) & (index < np.array(moving.GetSize()) - 1)).all(-1)
        theirs = [moving.EvaluateAtPhysicalPoint(p.tolist()) for p in where[inside]]
        ours = [fixed.EvaluateAtPhysicalPoint(p.tolist()) for p in trial.points[inside]]
        return float(np.corrcoef(ours, theirs)[0, 1])

    assert correlation(trial.truth) > 0.9
    assert correlation(translation_matrix(8.0, 8) @ trial.truth) < 0.6


def test_level_bounds_are_kept():
    for name, level in LEVELS.items():
        for number in range(30):
            rng = trial_generator("case", name, number)
            motion = random_motion(level, rng, np.array([10.0, -20, 30]))
            moved = apply(motion, np.array([10.0, -20, 30])) - np.array([10.0, -20, 30])
            assert level.translation / 3 - 1e-9 <= np.linalg.norm(moved) <= level.translation + 1e-9
            if level.rigid:
                angle = np.degrees(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)))
                assert level.rotation / 3 - 1e-6 <= angle <= level.rotation + 1e-6


def test_crop_keeps_half(cases, tmp_path):
    whole, half = (
        sitk.ReadImage(str(make_trial(cases[0], level, 1, tmp_path / level).moving)).GetSize()
        for level in ("large", "crop")
    )
    shorter = [a for a in range(3) if half[a] != whole[a]]
    assert len(shorter) == 1 and half[shorter[0]] == whole[shorter[0]] // 2


def test_cut_takes_up_to_a_fifth_off_each_side_of_both(cases, tmp_path):
    cut = make_trial(cases[0], "cut", 0, tmp_path)
    for whole, part in ((cases[0].fixed, cut.fixed), (cases[0].moving, cut.moving)):
        before, after = (np.array(sitk.ReadImage(str(path)).GetSize()) for path in (whole, part))
        assert (after < before).all() and (after >= 0.6 * before - 1).all()
    extent = Grid.of_image(sitk.ReadImage(str(cut.fixed)))
    index = apply(extent.inverse, cut.points)
    assert (index > -0.5).all() and (index < np.array(extent.size) - 0.5).all()


def test_contrast_is_read_from_the_name():
    assert contrast_of("sim_CT_T1_15") == "CT-T1"
    assert contrast_of("intra_FLAIR_T1") == "FLAIR-T1"
    assert contrast_of("inter_T1_FLAIR") == "FLAIR-T1"
    assert contrast_of("knee") == "other"


def test_missing_and_damaged_case_lists_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_cases(tmp_path)
    (tmp_path / "cases.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(InputError, match="not a list of cases"):
        load_cases(tmp_path)
    row = {"name": "a", "fixed": "no.nii.gz", "moving": "no.nii.gz", "truth": np.eye(4).tolist()}
    (tmp_path / "cases.json").write_text(json.dumps([row]), encoding="utf-8")
    with pytest.raises(InputError, match=r"no\.nii\.gz does not exist"):
        load_cases(tmp_path)


def test_matrix_of_itk_is_what_peers_return():
    transform = sitk.Euler3DTransform((1, 2, 3), 0.1, 0.2, 0.3, (4, 5, 6))
    assert np.allclose(apply(matrix_of_itk(transform), [7.0, 8, 9]), transform.TransformPoint((7, 8, 9)), atol=1e-9)
