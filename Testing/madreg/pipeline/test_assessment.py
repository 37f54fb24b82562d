"""An alignment is assessed by where it puts the moving scan, whatever kind of transform does it."""

import numpy as np
import pytest
import torch

from madreg.errors import InputError
from madreg.image.displacement_field import DisplacementField
from madreg.image.geometry import about
from madreg.image.transform import Transform
from madreg.pipeline import assessment, error_estimate
from madreg.pipeline.assessment import FIELD, assess_alignment
from madreg.quality.alternatives import Comparison
from madreg.quality.quality import Quality
from madreg.settings import Settings
from translation import translation, translation_matrix

CPU = Settings(device="cpu")
SHIFT = [24.0, -34.0, 143.0]  # mm, into the field of view of the moving volume


@pytest.fixture(scope="module")
def heads(grid_of, head, make_volume):
    """A fixed and a moving volume, and the transform between them."""
    truth = translation_matrix(*SHIFT)
    return make_volume(head.ct, grid_of("straight")), make_volume(head.mr, grid_of("oblique"), truth), truth


def field_of(matrix, grid):
    coarse = grid.isotropic(20.0).widened(1)
    points = coarse.points().double().numpy()
    return DisplacementField(Transform(matrix).apply(points) - points, coarse)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 6.0])
def test_a_field_and_a_matrix_of_one_pose_are_as_far_off(heads, shift, monkeypatch):
    fixed, moving, truth = heads
    pose = truth @ translation_matrix(0.0, shift)
    nothing = Comparison(1.0, None, -1.0)  # a search, which takes most of an assessment, is tested elsewhere
    monkeypatch.setattr("madreg.quality.assessment.compare_with_search", lambda *_: nothing)
    linear = assess_alignment(fixed, moving, Transform(pose), CPU)
    warped = assess_alignment(fixed, moving, field_of(pose, fixed.grid), CPU)
    assert linear.error_mm == pytest.approx(shift, abs=1.5) and warped.error_mm == pytest.approx(shift, abs=1.5)
    assert warped.verdict == linear.verdict and abs(warped.error_mm - linear.error_mm) < 0.7
    assert (linear.type, warped.type) == ("rigid", FIELD)
    assert (warped.linear.matrix == np.eye(4)).all() and warped.notices == []


@pytest.mark.slow
def test_scans_that_do_not_meet(heads, make_volume, grid_of, head):
    fixed, _, _ = heads
    far = make_volume(head.mr, grid_of("straight"), None)
    found = assess_alignment(fixed, far, translation(900.0), CPU)
    assert found.verdict == "failed" and found.error_mm is None and found.overlap == 0 and found.quality is None
    assert found.report()["little_overlap"] and found.report()["consensus"] is None
    assert len(found.notices) == 1 and "less than 1 % of the fixed scan lies in the moving one" in found.notices[0]


@pytest.fixture
def kinds(monkeypatch):
    """Replaces what takes time; the types of transform that were asked about are noted."""
    asked = []

    def assess_all(fixed, moving, transforms, settings):
        asked.append(settings.type)
        for transform in transforms:
            yield Quality(transform, 1.5, 0.5, 2.0, transform, 0.9)

    monkeypatch.setattr(assessment, "assess_all", assess_all)
    monkeypatch.setattr(error_estimate, "mean_prediction", lambda *_: pytest.fail("not needed"))
    return asked


def test_all_poses_are_assessed_alike_and_the_report_has_everything(heads, kinds):
    fixed, moving, truth = heads
    for linear in (np.eye(3), 1.1 * np.eye(3), np.diag([1, 1, 1.1])):
        found = assess_alignment(
            fixed, moving, Transform(truth @ about(np.zeros(3), linear)), Settings(type="affine", device="cpu")
        )
    assert kinds == 3 * ["rigid"] and found.error_mm == 1.5 and found.error_source == "blocks"
    report = found.report()
    assert report["verdict"] == "aligned" and report["transform_type"] == "affine"
    assert np.allclose(report["matrix_fixed_to_moving_lps"], found.transform.matrix)
    assert assess_alignment(fixed, moving, settings=CPU).report()["transform_type"] == "rigid"


def test_an_assessment_is_the_last_word(heads, monkeypatch):
    """So a pose that fails is compared with a search, too."""
    fixed, moving, truth = heads
    asked = []
    monkeypatch.setattr(assessment, "assess", lambda *_, is_last=False: asked.append(is_last))
    assert list(assessment.assess_all(fixed, moving, [Transform(truth)], CPU)) == [None]
    assert asked == [True]


def test_a_field_is_applied_and_how_much_it_covers_is_said(heads, kinds):
    fixed, moving, truth = heads
    whole = assess_alignment(fixed, moving, field_of(truth, fixed.grid), CPU)
    assert whole.report()["matrix_fixed_to_moving_lps"] is None and whole.notices == []
    points = fixed.grid.points()[fixed.foreground]
    difference = whole.moving.sample(points)[0] - moving.sample(points + torch.tensor(SHIFT))[0]
    assert difference.abs().max() < 1e-3
    half = field_of(truth, fixed.grid)
    half = DisplacementField(half.displacements[:6], type(half.grid)((*half.grid.size[:2], 6), half.grid.matrix))
    (notice,) = assess_alignment(fixed, moving, half, CPU).notices
    assert "elsewhere nothing was displaced" in notice and notice.endswith(".")


def test_of_small_objects_a_field_is_applied_as_finely_as_of_heads(heads, kinds):
    fixed, moving, truth = heads
    field, small = field_of(truth, fixed.grid), 1 / 8
    wanted = assess_alignment(fixed, moving, field, CPU).moving
    shrunken = DisplacementField(small * field.displacements, field.grid.resized(small))
    found = assess_alignment(fixed.resized(small), moving.resized(small), shrunken, CPU)
    assert found.moving.grid.size == wanted.grid.size
    assert np.allclose(found.moving.grid.matrix[:3], small * wanted.grid.matrix[:3])
    assert torch.allclose(found.moving.data, wanted.data, atol=1e-3)
    assert found.error_mm == 1.5


def test_unknown_settings(heads):
    with pytest.raises(InputError, match="device"):
        assess_alignment(*heads[:2], settings=Settings(device="abacus"))


def test_types_of_transforms(rigid_motion):
    rotated = rigid_motion((1, 2, 3), 40, (1, 2, 3))
    assert Transform(rotated).type == "rigid"
    assert Transform(rotated @ np.diag([1.2, 1.2, 1.2, 1])).type == "similarity"
    assert Transform(rotated @ np.diag([1.0, 1.0, 1.01, 1])).type == "affine"
    assert Transform(rotated @ np.diag([-1.0, 1.0, 1.0, 1])).type == "affine"
