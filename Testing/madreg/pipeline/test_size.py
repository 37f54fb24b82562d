"""Objects of any size: what is found of a small one is what is found of a large one, times the scale."""

from dataclasses import replace

import numpy as np
import pytest

from madreg.image.geometry import about, apply, mean_displacement
from madreg.image.transform import Transform
from madreg.pipeline import registration
from madreg.pipeline.assessment import assess_alignment, assess_all
from madreg.pipeline.registration import register
from madreg.pipeline.result import Result
from madreg.pipeline.size import bright_radius, enlargement, unit_doubts
from madreg.quality.error_map import error_map
from madreg.quality.quality import WITHOUT_OVERLAP
from madreg.settings import Settings


@pytest.fixture(scope="module")
def pair(ct_and_mr):
    """A CT and an MR of one head in different places, and the true pose."""
    return ct_and_mr("straight", "oblique", (1, -2, 0.5), 30)


def test_a_head_and_a_person_stay_as_they_are(pair):
    fixed, moving, _ = pair
    assert 40 < bright_radius(fixed) < 80
    assert enlargement(fixed, moving) == enlargement(fixed.resized(8), moving.resized(8)) == 1
    assert enlargement(fixed.resized(0.01), moving) == 1  # a part of a head in a head


@pytest.mark.parametrize("scale", [1e-4, 0.02, 0.3, 50.0])
def test_what_is_small_or_large_gets_the_size_of_a_head(pair, scale):
    fixed, moving = (volume.resized(scale) for volume in pair[:2])
    factor = enlargement(fixed, moving)
    assert np.log2(factor) == round(np.log2(factor))
    assert 50 < bright_radius(fixed.resized(factor)) < 110


@pytest.mark.parametrize("scale", [0.001, 0.1, 10.0])
def test_headers_that_seem_to_count_in_other_units_are_named(pair, scale):
    fixed, moving = replace(pair[0], name="fixed.nii"), replace(pair[1].resized(scale), name="moving.nii")
    (said,) = unit_doubts(fixed, moving)
    large, small = ("moving.nii", "fixed.nii") if scale > 1 else ("fixed.nii", "moving.nii")
    times = round(max(scale, 1 / scale))
    assert said.startswith(f"{large} shows something about {times} times as large as {small} does")


def test_scans_of_about_one_size_leave_no_doubt_of_units(pair):
    fixed, moving, _ = pair
    assert unit_doubts(fixed, moving) == unit_doubts(fixed, moving.resized(4)) == []


def test_a_failure_names_headers_that_seem_to_count_in_other_units(pair, monkeypatch):
    fixed, moving = pair[0], pair[1].resized(0.1)
    here, settings = Transform.identity(), Settings()
    failed = Result(here, here, settings, [], 0.0, "CPU", None, None, "mad", 0.0, notices=["first"])
    monkeypatch.setattr(registration, "_register", lambda *_: failed)
    first, said = register(fixed, moving, settings).notices
    assert first == "first" and "uses another unit of length" in said
    away = np.eye(4)
    away[0, 3] = 1e4
    overlap, said = assess_alignment(fixed, moving, Transform(away)).notices
    assert overlap == WITHOUT_OVERLAP and "uses another unit of length" in said


@pytest.mark.slow
def test_the_assessment_scales_with_the_object(pair, turn):
    fixed, moving, truth = pair
    pose = Transform(truth @ about(fixed.grid.center, turn((1, 2, 0), 3), np.array([3.0, 2.0, -1.0])))
    large = next(assess_all(fixed, moving, [pose]))
    scale = 1 / 64
    small = next(assess_all(fixed.resized(scale), moving.resized(scale), [pose.resized(scale)]))
    assert small.error_mm == pytest.approx(scale * large.error_mm, rel=1e-3)
    assert small.preferred.matrix == pytest.approx(large.preferred.resized(scale).matrix, abs=1e-3)
    expected, found = error_map(fixed, large), error_map(fixed.resized(scale), small)
    assert found.worst_mm == pytest.approx(scale * expected.worst_mm, rel=0.01)
    assert found.worst_point == pytest.approx(scale * expected.worst_point, abs=0.02)
    assert found.grid.matrix == pytest.approx(expected.grid.resized(scale).matrix)


@pytest.mark.slow
def test_a_small_object_is_registered_like_a_large_one(pair, turn, spots):
    fixed, moving, truth = pair
    scale = 1 / 16
    points = apply(np.eye(4), spots + fixed.grid.center) * scale
    start = Transform(truth @ about(fixed.grid.center, turn((1, 2, 0), 5), np.array([6.0, 4.0, -5.0]))).resized(scale)
    heard = []
    result = register(
        fixed.resized(scale),
        moving.resized(scale),
        Settings(init="none", start=start.matrix),
        lambda progress: heard.append(progress.transform),
    )
    true = Transform(truth).resized(scale).matrix
    assert mean_displacement(result.matrix, true, points) < 0.05 and result.verdict == "aligned"
    assert result.error_before_mm == pytest.approx(mean_displacement(start.matrix, true, points), abs=0.1)
    assert (result.start.matrix == start.matrix).all() and result.settings.start is start.matrix
    assert mean_displacement(heard[0].matrix, true, points) < 2
