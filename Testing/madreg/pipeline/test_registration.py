"""Registration from end to end: a head and the same head with its contrast inverted, errors in mm."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from madreg import measures
from madreg.descent import refinement
from madreg.descent.refinement import CANDIDATES, MEDIUM, best_first
from madreg.errors import InputError
from madreg.image.geometry import Grid, about, apply, mean_displacement
from madreg.image.pair import Pair as Scans
from madreg.image.transform import Transform
from madreg.image.volume import Volume
from madreg.measures import NMI
from madreg.network import weights
from madreg.network.models import build
from madreg.network.settings import FusedSettings
from madreg.pipeline import candidates as candidates_module
from madreg.pipeline import corrections, initialization, plan, refining
from madreg.pipeline import found as found_module
from madreg.pipeline.assessment import assess_all
from madreg.pipeline.error_estimate import errors_before_and_after, estimated_error
from madreg.pipeline.registration import register
from madreg.pipeline.retries import Retries
from madreg.pose.correlation import Candidate
from madreg.pose.search import PoseSearch
from madreg.progress import Cancelled, Progress
from madreg.quality.assessment import assess
from madreg.quality.flips import flipped_poses
from madreg.quality.quality import Quality
from madreg.quality.verdict import CLEAR_MARGIN
from madreg.settings import Settings
from madreg.system import device
from translation import translation_matrix

LINEAR = {
    "rigid": np.eye(3),
    "similarity": 0.9 * np.eye(3),
    "affine": np.array([[1.08, 0.06, 0], [0, 0.93, 0], [-0.04, 0, 1.03]]),
}


class Pair:
    """A fixed and a moving head on awkward lattices, 120 degrees and some hundred mm apart, and the truth."""

    def __init__(self, grid_of, make_volume, head, turn, spots, kind: str = "rigid") -> None:
        fixed_grid, moving_grid = grid_of("oblique"), grid_of("left-handed")
        placed, pose = np.eye(4), about(np.zeros(3), turn((1, -2, 0.5), 120) @ LINEAR[kind])
        placed[:3, 3] = fixed_grid.center
        pose[:3, 3] = moving_grid.center + [6.0, -9.0, 4.0]
        self.truth = pose @ np.linalg.inv(placed)
        self.fixed = make_volume(head.ct, fixed_grid, placed, "CT")
        self.moving = make_volume(head.mr, moving_grid, pose, "MR")
        self.points = apply(placed, spots)

    def error(self, matrix: np.ndarray) -> float:
        """Mean distance in mm over the head."""
        return mean_displacement(matrix, self.truth, self.points)

    def near(self, mm: float = 12.0) -> np.ndarray:
        """The truth, off by some mm and degrees."""
        return translation_matrix(mm, -mm / 2, mm / 3) @ self.truth


@pytest.fixture(scope="module")
def make_pair(grid_of, make_volume, head, turn, spots):
    return lambda kind="rigid": Pair(grid_of, make_volume, head, turn, spots, kind)


@pytest.fixture(scope="module")
def pair(make_pair) -> Pair:
    return make_pair()


@pytest.fixture(scope="module")
def heard() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def found(pair, heard):
    """The default registration of the rigid pair, from anywhere."""
    return register(pair.fixed, pair.moving, Settings(seed=1), heard.append)


@pytest.fixture(scope="module")
def refined(pair):
    """The default registration of the rigid pair from 13 mm away."""
    return register(pair.fixed, pair.moving, Settings(init="none", start=pair.near(), seed=1))


@pytest.fixture(scope="module")
def by_nmi(pair):
    """What NMI alone finds from 7 mm away, without a network that could be loaded."""

    def load(*_):
        raise AssertionError("loaded")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "load", load)
        return register(pair.fixed, pair.moving, Settings(measure="nmi", init="none", start=pair.near(6.0)))


def test_a_rigid_pose_from_anywhere(pair, found):
    assert pair.error(np.eye(4)) > 100
    assert pair.error(found.matrix) < 0.5
    assert np.abs(found.matrix[:3, :3].T @ found.matrix[:3, :3] - np.eye(3)).max() < 1e-9


@pytest.mark.slow
def test_an_affine_pose_from_anywhere(make_pair):
    pair = make_pair("affine")
    result = register(pair.fixed, pair.moving, Settings(type="affine"))
    assert pair.error(result.matrix) < 1.0
    assert result.report()["volume_scale"] == pytest.approx(np.linalg.det(pair.truth[:3, :3]), rel=0.02)


@pytest.mark.slow
def test_a_similarity_finds_the_scale(make_pair, pair):
    """From the right place, but ten per cent too large."""
    smaller = make_pair("similarity")
    start = pair.truth
    result = register(smaller.fixed, smaller.moving, Settings(type="similarity", init="none", start=start))
    assert smaller.error(start) > 3 and smaller.error(result.matrix) < 0.5
    assert np.linalg.det(result.matrix[:3, :3]) == pytest.approx(0.9**3, rel=0.01)


def slab_of(volume: Volume) -> Volume:
    """24 mm of a volume."""
    layers = torch.arange(volume.grid.size[2])[:, None, None] - volume.grid.size[2] // 2
    there = layers.abs() * volume.grid.spacing[2] < 12.0
    return replace(volume, data=torch.where(there, volume.data, torch.zeros(())), mask=volume.mask & there)


@pytest.mark.slow
@pytest.mark.parametrize("swapped", [False, True])
def test_a_slab_from_anywhere(pair, swapped):
    """A slab of one head against all of the other, either way round."""
    whole, slab = (pair.moving, slab_of(pair.fixed)) if swapped else (pair.fixed, slab_of(pair.moving))
    heard = []
    fixed, moving, truth = (slab, whole, pair.truth) if swapped else (whole, slab, pair.truth)
    result = register(fixed, moving, progress=heard.append)
    assert slab.thickness < 40 < whole.thickness and result.quality.margin > CLEAR_MARGIN
    assert mean_displacement(result.matrix, truth, pair.points) < 2.0
    assert mean_displacement(heard[-1].transform.matrix, truth, pair.points) < 2.0


@pytest.mark.slow
def test_a_couch_under_the_fixed_head_raises_no_doubt(pair, grid_of, make_volume, head):
    """Its blocks agree with nothing; those of the moving head do not depend on it."""

    def on_a_couch(points: np.ndarray) -> np.ndarray:
        apart = np.hypot(points[..., 0], points[..., 1] + 30) - 112
        return head.ct(points) + 0.8 * np.exp(-((apart / 2.5) ** 2)) * (points[..., 1] > 20)

    placed = np.eye(4)
    placed[:3, 3] = pair.fixed.grid.center
    fixed = make_volume(on_a_couch, pair.fixed.grid, placed, "CT")
    result = register(fixed, pair.moving, Settings(init="none", start=pair.near(6.0)))
    assert pair.error(result.matrix) < 0.5 and result.verdict == "aligned"
    flips = [Transform(pose) for pose in flipped_poses(pair.truth, pair.points.mean(0))]
    assert [quality.verdict for quality in assess_all(fixed, pair.moving, flips)] == ["failed"] * 3


def searches_of_which_the_first_finds(monkeypatch, wrong: np.ndarray) -> list[tuple[int, ...]]:
    """What is asked of each search; the first one finds nothing but a wrong pose (4, 4)."""
    really, asked = PoseSearch.candidates, []

    def candidates(self, seeds, kept, count, report_progress, plausible):
        asked.append((len(self.correlated), seeds, kept, count))
        if len(asked) == 1:
            return [Candidate(wrong, 0.5)]
        return really(self, seeds, kept, count, report_progress, plausible)

    monkeypatch.setattr(PoseSearch, "candidates", candidates)
    return asked


@pytest.mark.slow
def test_a_failure_is_tried_again_with_a_wider_search(pair, monkeypatch):
    """No other retry is made, which may converge too, and fewer descents than by default."""
    flip = flipped_poses(pair.truth, pair.points.mean(0))[1]
    assert pair.error(flip) > 50
    searches = searches_of_which_the_first_finds(monkeypatch, flip)
    monkeypatch.setattr(initialization, "BEGUN", 3)
    monkeypatch.setattr(plan, "re_refined", lambda pair, found, *_: found)
    for name in ("from_other", "from_what_is_shown"):
        monkeypatch.setattr(Retries, name, lambda self, failed, monitor: failed)
    heard = []
    result = register(pair.fixed, pair.moving, progress=heard.append)
    assert pair.error(result.matrix) < 0.5 and result.verdict == "aligned"
    assert len(searches) == 2 and all(more > less for less, more in zip(*searches, strict=True))
    shares = [progress.fraction for progress in heard]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "verdict"), [(0, "aligned"), (1, "failed")])
def test_a_better_pose_with_which_the_result_is_compared_is_refined_instead(pair, monkeypatch, axis, verdict):
    """All that any search finds is a 180-degree flip of a head whose axes lie 37 degrees off those of its lattice.

    Its jaw tilts two of its principal axes by 26 degrees: flips about those do not lead to the right pose.
    """
    flip = flipped_poses(pair.truth, pair.points.mean(0))[axis]
    monkeypatch.setattr(PoseSearch, "run", lambda *_: [Candidate(flip, 0.5)])
    assert pair.error(flip) > 50
    monkeypatch.setattr(Retries, "from_what_is_shown", lambda self, failed, monitor: failed)  # of the same candidates
    result = register(pair.fixed, pair.moving)
    assert result.verdict == verdict and (verdict == "failed" or pair.error(result.matrix) < 0.5)


@pytest.mark.slow
def test_a_mirrored_scan_is_named_or_fails(pair):
    """As if a header had swapped left and right: it is put where a mirror image of it would fit better."""
    result = register(pair.fixed, replace(pair.moving, data=pair.moving.data.flip(2)))
    assert result.quality.is_mirrored and result.verdict != "aligned"
    assert result.verdict == "failed" or any("mirror image" in notice for notice in result.notices)


@pytest.mark.slow
def test_a_wrong_pose_converges_from_where_its_blocks_prefer_it(pair, monkeypatch, turn):
    """From so far that a descent is repeated until it arrives."""
    wrong = about(pair.moving.grid.center, turn((0.3, 1, 0.2), 100), np.array([25.0, 0, 0])) @ pair.truth
    assert pair.error(wrong) > 50
    searches = searches_of_which_the_first_finds(monkeypatch, wrong)
    result = register(pair.fixed, pair.moving)
    assert len(searches) == 1 and pair.error(result.matrix) < 0.5 and result.verdict == "aligned"


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("near", "found"), ("found", "near")])
def test_a_pose_whose_blocks_prefer_another_is_refined_again_unless_that_is_worse(pair, monkeypatch, first, second):
    """The descents end in a local minimum 9 mm off, and converge from where the blocks point; or the reverse."""
    near = pair.near(8.0)
    ends = {"near": Transform(near), "found": Transform(pair.near(0.1))}
    asked, order = [], iter((first, second))

    def refine(_, transforms, kind, monitor):
        asked.append((transforms, monitor))
        return ends[next(order)]

    monkeypatch.setattr(refining, "refine", refine)
    monkeypatch.setattr(corrections, "ALIGNED_MM", 3.0 if first == "near" else 0.0)  # as if the good one were doubtful
    result = register(pair.fixed, pair.moving, Settings(init="none", start=near))
    assert pair.error(near) > 8 and pair.error(result.matrix) < 0.2 and result.verdict == "aligned"
    assert len(asked) == 2 and len(asked[1][0]) == 1 and pair.error(asked[1][0][0].matrix) < 2


def test_poses_at_which_the_scans_hardly_overlap_come_last(pair):
    """However well the few samples agree that are left."""
    apart = pair.truth.copy()
    apart[:3, 3] += 180.0 * np.array([0.6, 0.0, 0.8])
    scans = Scans(pair.fixed, pair.moving)
    assert scans.greater_overlap(apart) < refinement.HARDLY_ANY_OVERLAP < 0.9 < scans.greater_overlap(pair.truth)
    order = {tuple(pair.near(12).ravel()): -1.0, tuple(pair.truth.ravel()): -1.1, tuple(apart.ravel()): -1.5}

    class Known:
        def values(self, poses: np.ndarray) -> np.ndarray:
            return np.array([order[tuple(pose.ravel())] for pose in poses])

    scans.once((MEDIUM.measure, MEDIUM.spacing, MEDIUM.samples), Known)
    found = best_first(scans, [Transform(pose) for pose in (pair.near(12), apart, pair.truth)])
    assert (np.stack([one.matrix for one in found]) == np.stack([pair.truth, pair.near(12), apart])).all()


def test_a_part_that_lies_in_the_other_scan_counts_as_overlap(pair):
    for scans, truth in (
        ((pair.fixed, slab_of(pair.moving)), pair.truth),
        ((slab_of(pair.moving), pair.fixed), np.linalg.inv(pair.truth)),
    ):
        assert Scans(*scans).greater_overlap(truth) > 0.8


@pytest.mark.slow
def test_where_blocks_show_nothing_the_error_is_what_mad_predicts(pair, monkeypatch):
    truth = Transform(pair.truth)
    monkeypatch.setattr(found_module, "assess", lambda *_: Quality(truth, None, 0.0, 1.0, truth))
    result = register(pair.fixed, pair.moving, Settings(init="none", start=pair.truth))
    assert result.verdict == "check" and result.error_source == "mad"
    predicted = measures.distance("mad-distance", pair.fixed, pair.moving, result.matrix)
    assert result.error_after_mm == pytest.approx(predicted, rel=0.05)


@pytest.mark.slow
def test_blocks_show_the_error_of_a_pose_that_is_far_off(pair):
    """MAD predicts it to 5 mm: of heads 11 mm off it read 18 mm."""
    scans, settings = Scans(pair.fixed, pair.moving), Settings(device="cpu")
    far = Transform(pair.near(20.0))
    quality = assess(scans, far)
    assert quality.verdict == "failed"
    error_mm, source = estimated_error(scans, far, quality, settings)
    assert source == "blocks" and error_mm == pytest.approx(pair.error(far.matrix), abs=1.5)
    flip = Transform(flipped_poses(pair.truth, scans.points.mean(0))[2])
    _, source = estimated_error(scans, flip, assess(scans, flip), settings)
    assert source == "mad"


@pytest.mark.slow
def test_the_network_is_not_loaded_where_nothing_asks_for_it(by_nmi):
    assert by_nmi.verdict == "aligned" and by_nmi.error_source == "blocks"


@pytest.mark.slow
def test_an_aligned_pair_has_the_same_error_before_and_after(pair, refined):
    there, scans = refined.transform, Scans(pair.fixed, pair.moving, seed=1)
    before, after, source = errors_before_and_after(scans, there, there, refined.quality, Settings(seed=1))
    assert source == "blocks" and before == pytest.approx(after, abs=0.2)


def test_progress_rises_from_stage_to_stage(heard, found):
    shares = [progress.fraction for progress in heard]
    assert shares == sorted(shares) and shares[0] < 0.1 and shares[-1] == pytest.approx(1.0)
    names = list(dict.fromkeys(progress.stage for progress in heard))
    assert names == [*(stage.name for stage in found.stages), "estimate"] and len(names) >= 4
    assert all(isinstance(progress.transform, Transform) for progress in heard)


def test_no_stage_makes_it_worse(found):
    assert all(stage.after <= stage.before and stage.seconds > 0 for stage in found.stages)


def test_report_is_json_and_says_where_things_went(pair, found):
    report = json.loads(json.dumps(found.report(), allow_nan=False))
    assert np.array(report["matrix_fixed_to_moving_lps"]) == pytest.approx(found.matrix)
    ras = np.array(report["matrix_fixed_to_moving_ras"])
    flip = np.array([-1, -1, 1])
    assert apply(ras, pair.points * flip) == pytest.approx(apply(found.matrix, pair.points) * flip)
    assert report["rotation_degrees"] == pytest.approx(120, abs=1)
    assert report["overlap"] > 0.95 and report["settings"]["seed"] == 1
    assert report["seconds"] >= sum(stage["seconds"] for stage in report["stages"]) * 0.9


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_cancel_stops_at_once(pair, share):
    calls = []

    def stop(progress: Progress) -> None:
        calls.append(progress.fraction)
        if progress.fraction >= share:
            raise Cancelled

    with pytest.raises(Cancelled):
        register(pair.fixed, pair.moving, Settings(init="search" if share < 0.5 else "given", start=pair.near()), stop)
    assert sum(fraction >= share for fraction in calls) == 1


@pytest.mark.slow
def test_a_start_is_kept_and_refined(pair, refined):
    start = pair.near()
    assert pair.error(start) > 10 and pair.error(refined.matrix) < 0.5
    assert (refined.start.matrix == start).all()
    assert refined.report()["rotation_degrees"] < 2


@pytest.mark.slow
def test_same_seed_same_transform(pair, refined):
    again = register(pair.fixed, pair.moving, Settings(init="none", start=pair.near(), seed=1))
    assert mean_displacement(refined.matrix, again.matrix, pair.points) < 1e-3


@pytest.mark.parametrize("init", ["geometry", "center_of_mass"])
def test_centres_bring_scans_together_that_lie_apart(pair, turn, init):
    """A copy rotated by 10 degrees and 300 mm away: its centre is in place after the first step."""
    away = about(pair.fixed.grid.center, turn((0, 0, 1), 10), np.array([300.0, 20.0, -100.0]))
    moved = Grid(pair.fixed.grid.size, away @ pair.fixed.grid.matrix)
    copy = Volume("copy", pair.fixed.data, moved, pair.fixed.mask)
    first: list[Progress] = []

    def stop(progress: Progress) -> None:
        first.append(progress)
        raise Cancelled

    with pytest.raises(Cancelled):
        register(pair.fixed, copy, Settings(init=init), stop)
    center = pair.fixed.grid.center
    assert np.linalg.norm(apply(first[0].transform.matrix, center) - apply(away, center)) < 5


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["nmi", "ngf"])
def test_one_measure_alone(pair, by_nmi, measure):
    given = Settings(measure=measure, init="none", start=pair.near(6.0))
    result = by_nmi if measure == "nmi" else register(pair.fixed, pair.moving, given)
    assert [stage.measure for stage in result.stages] == [measure]
    assert pair.error(result.matrix) < 1.0


@pytest.mark.slow
def test_the_estimate_falls_with_the_error(refined):
    assert refined.error_after_mm < refined.error_before_mm


@pytest.mark.slow
def test_what_masks_exclude_does_not_vote(pair):
    """Bright blocks across a side of either head, not the same one: they spoil the result unless they are masked."""
    spoilt, masked = [], []
    for volume, center, axis in (
        (pair.fixed, pair.fixed.grid.center, 0),
        (pair.moving, apply(pair.truth, pair.fixed.grid.center), 2),
    ):
        along = volume.grid.points()[..., axis] - center[axis]
        block = (along > 25) & (along < 90)
        data = torch.where(block, torch.tensor(1.2), volume.data)
        spoilt.append(Volume(volume.name, data, volume.grid, volume.mask))
        masked.append(Volume(volume.name, data, volume.grid, ~block))
    settings = Settings(init="none", start=pair.near())
    assert pair.error(register(*spoilt, settings).matrix) > 3.0
    assert pair.error(register(*masked, settings).matrix) < 1.0


def test_scans_without_a_common_view_are_refused_by_name(pair):
    far = translation_matrix(2000.0, 2000.0, 2000.0) @ pair.truth
    for measure in ("default", "nmi"):
        with pytest.raises(InputError, match=r'CT and MR have no field of view in common.*"search"'):
            register(pair.fixed, pair.moving, Settings(measure=measure, init="none", start=far))


def test_a_start_that_mirrors_is_refused(pair):
    with pytest.raises(InputError, match="mirrors the moving image"):
        register(pair.fixed, pair.moving, Settings(init="none", start=pair.truth @ np.diag([-1.0, 1.0, 1.0, 1.0])))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "spline"}, 'no transform type "spline": choose one of rigid, similarity, affine'),
        ({"measure": "ssd"}, 'no measure "ssd"'),
        ({"init": "luck"}, 'no initialization "luck"'),
        ({"device": "tpu"}, 'no device "tpu"'),
    ],
)
def test_unknown_settings_are_refused(pair, change, words):
    with pytest.raises(InputError, match=words):
        register(pair.fixed, pair.moving, Settings(**change))


@pytest.mark.slow
def test_a_gpu_whose_memory_runs_out_is_replaced_by_the_cpu_with_a_notice(pair, monkeypatch):
    """A device that is none, whose first measure fails as CUDA's do."""
    calls = []

    def first_fails(*args, **options):
        calls.append(args)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return NMI(*args, **options)

    monkeypatch.setattr(device, "choose", lambda name: torch.device("meta"))
    monkeypatch.setattr(Volume, "to", lambda self, where: self)
    monkeypatch.setattr(candidates_module, "CANDIDATES", replace(CANDIDATES, measure=first_fails))
    result = register(pair.fixed, pair.moving, Settings(init="none", start=pair.near(6.0)))
    assert "ran out of memory: the registration was done on the CPU" in result.notices[0]
    assert result.device.startswith("CPU") and result.settings.device == "cpu"
    assert pair.error(result.matrix) < 0.5


@pytest.mark.slow
def test_a_network_of_the_users_own_is_used(pair, tmp_path):
    """The published form, untrained: its word differs from the bundled network's, and foreign weights are refused."""
    path = tmp_path / "own.pt"
    weights.save(build(FusedSettings()), path, {})
    given = Settings(measure="nmi", init="none", start=pair.near(6.0), weights=str(path))
    flipped = flipped_poses(pair.truth, pair.points.mean(0))[0]
    failing = replace(given, measure="ngf", start=flipped)  # only then is MAD asked
    own, bundled = (register(pair.fixed, pair.moving, replace(failing, weights=w)) for w in (str(path), None))
    assert own.verdict == bundled.verdict == "failed" and own.error_source == bundled.error_source == "other"
    assert own.error_before_mm != bundled.error_before_mm and (own.matrix == bundled.matrix).all()
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"own\.pt"):
        register(pair.fixed, pair.moving, given)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rigid", "similarity"])
def test_a_transform_is_of_its_type_where_the_scans_are_stretched(make_pair, kind):
    """A similarity of the demo pair had singular values of 1.144, 1.102 and 1.033."""
    pair = make_pair("affine")
    u, _, vt = np.linalg.svd(pair.truth[:3, :3])
    start = about(pair.fixed.grid.center, u @ vt)
    start[:3, 3] += apply(pair.truth, pair.points).mean(0) - apply(start, pair.points).mean(0)
    result = register(pair.fixed, pair.moving, Settings(type=kind, init="none", start=start))
    scales = np.linalg.svd(result.matrix[:3, :3])[1]
    assert np.ptp(scales) < 1e-6 and (kind == "similarity" or abs(scales[0] - 1) < 1e-6)


@pytest.mark.slow
def test_affine_keeps_a_stretch_that_is_there(make_pair):
    pair = make_pair("affine")
    result = register(pair.fixed, pair.moving, Settings(type="affine", init="none", start=pair.near(6.0)))
    assert pair.error(result.matrix) < 1.0
