"""Register a moving volume to a fixed one: the pipeline that a user gets.

By default: search every pose (:mod:`madreg.pose.search`), bring the best candidates closer with NMI, or, where they may
be stretched, with blocks (:mod:`madreg.quality.blocks`), keep the one that agrees best, refine it with NMI and NGF
together, and say how far off the result still is (:mod:`madreg.quality.estimate`).  What may be off is refined once
more from where the blocks want it; what fails is tried again, half a turn away and with a wider search.
With a measure named, that measure alone is minimised at one resolution from the start asked for, as in the MAD paper.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from ..descent.adam import adam
from ..descent.evaluation import evaluate
from ..descent.parameters import LinearTransform
from ..descent.refinement import CANDIDATES, COARSE, FINE, MEDIUM, SIZE, Refinement
from ..errors import InputError
from ..image.fitting import fit
from ..image.geometry import apply, mean_displacement
from ..image.points import sample_points
from ..image.volume import Volume
from ..measures import MEASURES
from ..measures.base import Measure
from ..measures.mad import MAD
from ..network import weights
from ..pose.matches import align
from ..pose.search import COUNT, LIKELY, is_slab, search
from ..quality.blocks import BlockMatching
from ..quality.estimate import ALIGNED_MM, ROUNDS, SURE_MARGIN, TRUSTED, Estimate, estimate, mean_prediction, turned
from ..settings import Settings
from ..system import device
from ..system.parallel import parallel_map
from .progress import Progress
from .result import Result, Stage

FINEST = 2.0  # mm; nothing is computed at a finer resolution
SINGLE_SPACING = 4.0  # mm; the one resolution at which a measure is optimised alone
SINGLE_STEPS, SINGLE_FIRST, SINGLE_LAST = 80, 4.0, 0.05
PART = 0.6  # of the fixed content; a moving scan that shows less is a part of it
LEAST_OVERLAP = 0.01  # of the fixed content; less is no overlap at all
LEAST_COMMON = 0.15  # of the content of either scan; the search asks for 0.25 of its edges, and descents may slide
FOLLOWED = (3, 2)  # candidates that the blocks are asked about a second and a third time
ROUGHLY = 25  # steps after which the blocks' motion is good enough for a candidate
WIDER = 2  # times as many rotations are looked at, and candidates, when a registration is tried again


def register(
    fixed: Volume,
    moving: Volume,
    settings: Settings | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Find the transform that maps fixed points to the moving points that show the same anatomy.

    Args:
        progress: called often, from this thread; may raise :class:`~madreg.pipeline.progress.Cancelled` to stop.

    Raises:
        InputError: for unknown settings, a device that is not there, weights that are missing, damaged or foreign, or
            a start without common field of view.
        Cancelled: from the callback.
    """
    settings = settings or Settings()
    settings.check()
    where = device.choose(settings.device)
    try:
        return _Run(fixed.to(where), moving.to(where), settings, progress).execute()
    except (torch.OutOfMemoryError, NotImplementedError) as error:
        if where.type == "cpu":
            raise
        reason = "ran out of memory" if isinstance(error, torch.OutOfMemoryError) else "lacks an operation"
        notice = f"The {where.type} device {reason}: the registration was done on the CPU."
        if where.type == "cuda":
            torch.cuda.empty_cache()
    result = _Run(fixed.to("cpu"), moving.to("cpu"), replace(settings, device="cpu"), progress).execute()
    return replace(result, notices=[notice, *result.notices])


def judge(
    fixed: Volume, moving: Volume, poses: Sequence[np.ndarray], settings: Settings | None = None
) -> Iterator[Estimate | None]:
    """What a registration would say of poses (4x4 each, fixed LPS to moving LPS); None where there is no overlap.

    Raises:
        InputError: as for :func:`register`.
    """
    settings = settings or Settings()
    settings.check()
    where = device.choose(settings.device)
    run = _Run(fixed.to(where), moving.to(where), settings, None)
    yield from map(run._judged, poses)


def reduced(volume: Volume) -> Volume:
    """What is finer than anything is computed at is reduced once, and every coarser level is made from that."""
    return volume.resampled(FINEST) if volume.grid.spacing.max() < FINEST else volume


def is_part(moving: Volume, fixed: Volume) -> bool:
    """Whether the moving scan shows but a part of what the fixed one shows."""
    shown, whole = (float(one.resampled(SINGLE_SPACING).foreground.sum()) for one in (moving, fixed))
    return shown < PART * whole


class _Run:
    """One registration under way."""

    def __init__(
        self, fixed: Volume, moving: Volume, settings: Settings, progress: Callable[[Progress], None] | None
    ) -> None:
        self.began = time.perf_counter()
        self.fixed, self.moving = reduced(fixed), reduced(moving)
        self.settings = settings
        self.network = weights.load(settings.weights, fixed.device)[0]  # what is damaged is found before the work
        self.callback = progress
        self.error_mm: float | None = None
        self.stages: list[Stage] = []
        self.start = np.eye(4) if settings.start is None else np.asarray(settings.start, float)
        self.levels: dict[float, tuple[Volume, Volume]] = {}
        self.made: dict[Refinement, Measure] = {}
        self.points = self._points(self._level(SINGLE_SPACING)[0])

    def execute(self) -> Result:
        if self.settings.measure == "default":
            matrix, judged = self._default()
        else:
            matrix = self._single()
            judged = self._judged(matrix)
        tell = self._teller("estimate", 0.95, 1.0)
        tell(0.0, matrix[None])
        predicted_before, predicted_after = self._predicted(self.start), self._predicted(matrix)
        tell(1.0, matrix[None])
        if judged is None or judged.verdict == "failed" or judged.blocks is None:
            before, after = predicted_before, predicted_after
            if judged is not None:  # blocks that do not agree may still know of a part of the error
                after = max(judged.error_mm, predicted_after)
        else:  # then where it lay before is off by how far it went
            before, after = mean_displacement(self.start, matrix, self.points), judged.error_mm
        return Result(
            matrix=matrix, start=self.start, settings=self.settings, stages=self.stages,
            seconds=time.perf_counter() - self.began, device=device.describe(self.fixed.device),
            error_before_mm=before, error_after_mm=after, overlap=self._overlap(matrix),
            verdict="failed" if judged is None else judged.verdict, judged=judged,
            mad_before_mm=predicted_before, mad_after_mm=predicted_after,
        )  # fmt: skip

    # --- the pipelines -------------------------------------------------------------------------------------------

    def _default(self) -> tuple[np.ndarray, Estimate | None]:
        """The best pose, and what is to be said of it."""
        kind = self.settings.type
        poses = self._starts(0.0, 0.45)
        if self.settings.init != "search" and self.mad.encoded is not None:
            poses = np.concatenate([poses, self._follow_matches(poses[0], 0.45, 0.5)])
        if kind != "rigid" and self.settings.init == "search":
            poses = self._by_blocks(poses, 0.5, 0.65)
        else:
            poses = self._refine(CANDIDATES, poses, (0.5, 0.6))
            if kind != "rigid":
                # Size before shape: an affine transform set free far from its place shears what it should scale.
                poses = self._refine(SIZE, poses, (0.6, 0.65), "similarity")
            poses = self._best_first(poses)
        pose = self._refined(poses[:3], 0.65, 0.8)
        self._teller("estimate", 0.8, 1.0)(0.0, pose[None])
        judged = self._judged(pose)
        if judged is not None and judged.error_mm > ALIGNED_MM:
            pose, judged = self._put_right(pose, judged)
        if self.settings.init == "search":
            for attempt in (self._half_turn, self._wider_search):
                if judged is not None and judged.verdict != "failed":
                    break
                other = attempt(judged)
                rejudged = None if other is None else self._judged(other)
                if rejudged and (judged is None or rejudged.verdict != "failed" or rejudged.margin > judged.margin):
                    pose, judged = other, rejudged
        return pose, judged

    def _put_right(self, pose: np.ndarray, judged: Estimate) -> tuple[np.ndarray, Estimate | None]:
        """A pose (4, 4) that its blocks want elsewhere, refined from there and judged again; the old one if better.

        The histogram of a distorted slab is full of dents, in which descents end 10 to 20 mm from home.
        """
        other = self._refined(judged.preferred[None], 0.8, 0.83)
        best = self._best_first(np.stack([pose, other]), FINE)[0]
        return (pose, judged) if np.array_equal(best, pose) else (other, self._judged(other))

    def _half_turn(self, judged: Estimate | None) -> np.ndarray | None:
        """The pose (4, 4) turned by 180 degrees, where it agrees better: heads are near symmetric."""
        if judged is None or judged.rival is None or not judged.beaten:
            return None
        return self._refined(judged.rival[None], 0.83, 0.86)

    def _wider_search(self, judged: Estimate | None) -> np.ndarray:
        """The best pose (4, 4) of twice as many rotations and candidates, told apart by their blocks."""
        return self._refined(self._by_blocks(self._search(0.86, 0.89, WIDER), 0.89, 0.91), 0.91, 0.95)

    def _refined(self, poses: np.ndarray, begin: float, end: float) -> np.ndarray:
        """The best of some poses (B, 4, 4), brought to fine resolution: (4, 4)."""
        kind = self.settings.type
        first, second = begin + 0.3 * (end - begin), begin + 0.6 * (end - begin)
        poses = self._best_first(self._refine(COARSE, poses, (begin, first), kind))[:1]
        self._look(poses[0])
        poses = self._refine(MEDIUM, poses, (first, second), kind)
        return self._refine(FINE, poses, (second, end), kind)[0]

    def _single(self) -> np.ndarray:
        """One measure, one resolution: what the paper compares."""
        poses = self._starts(0.0, 0.3 if self.settings.init == "search" else 0.05)
        fixed, moving = self._level(SINGLE_SPACING)
        name = self.settings.measure
        measure = self.mad if name == "mad" else MEASURES[name](fixed, moving, seed=self.settings.seed)
        poses = poses[np.argsort(evaluate(measure, poses), kind="stable")][:1]
        schedule = (SINGLE_STEPS, SINGLE_FIRST, SINGLE_LAST)
        return self._descend(adam, name, measure, poses, schedule, (0.3, 0.95), self.settings.type)[0]

    # --- the parts -----------------------------------------------------------------------------------------------

    def _starts(self, begin: float, end: float) -> np.ndarray:
        """Poses (B, 4, 4) to start from."""
        if self.settings.init == "search":
            return self._search(begin, end)
        matrix = self.start.copy()
        if self.settings.init == "geometry":
            matrix[:3, 3] = self.moving.grid.center - matrix[:3, :3] @ self.fixed.grid.center
        elif self.settings.init == "center_of_mass":
            matrix[:3, 3] = self.moving.center_of_mass() - matrix[:3, :3] @ self.fixed.center_of_mass()
        if self._overlap(matrix) < LEAST_OVERLAP:
            raise InputError(
                f"{self.fixed.name} and {self.moving.name} have no field of view in common at the start: "
                'let the registration search for the pose (initialisation "search").'
            )
        return matrix[None]

    def _search(self, begin: float, end: float, wider: int = 1) -> np.ndarray:
        """Poses (B, 4, 4), the likeliest first; of so many times as many rotations and candidates."""
        clock = time.perf_counter()
        tell = self._teller("search", begin, end)
        found = search(
            self.fixed,
            self.moving,
            likely=wider * LIKELY,
            count=wider * COUNT,
            progress=lambda share: tell(share, self.start[None]),
        )
        if not found:
            raise InputError(
                f"No pose of {self.moving.name} matches {self.fixed.name}: check that both show the same anatomy, "
                "and that neither is empty or nearly so."
            )
        scores = [-candidate.score for candidate in found]
        self.stages.append(Stage("search", "ngf", scores[-1], scores[0], time.perf_counter() - clock))
        return np.stack([candidate.matrix for candidate in found])

    def _follow_matches(self, start: np.ndarray, begin: float, end: float) -> np.ndarray:
        """The pose (1, 4, 4) that MAD's matches lead to: from a start too far for NMI it is often the better one."""
        clock = time.perf_counter()
        tell = self._teller("matches", begin, end)
        pose, after = align(self.mad, start, progress=lambda share, matrix: tell(share, matrix[None]))
        before = float(evaluate(self.mad, start[None])[0])
        self.stages.append(Stage("matches", "mad", before, after, time.perf_counter() - clock))
        return pose[None]

    def _by_blocks(self, poses: np.ndarray, begin: float, end: float) -> np.ndarray:
        """The best of some poses (B, 4, 4) of the search, as the blocks prefer them.

        A rigid pose of what is really stretched fits nowhere, and NMI leads it astray and likes wrong ones better.
        Blocks find their way back one by one, and those of a right pose agree.
        """
        clock = time.perf_counter()
        tell = self._teller("candidates", begin, end)
        found = [(0.0, pose) for pose in poses]
        rounds, agreed = (len(poses), *FOLLOWED), []
        for number, keep in enumerate(rounds):
            found = parallel_map(self._followed, [pose for _, pose in found[:keep]], self.fixed.device)
            found.sort(key=lambda one: -one[0])
            agreed.append(found[0][0])
            tell((number + 1) / len(rounds), found[0][1][None])
        self.stages.append(Stage("candidates", "blocks", -agreed[0], -agreed[-1], time.perf_counter() - clock))
        return np.stack([pose for _, pose in found])

    def _followed(self, pose: np.ndarray) -> tuple[float, np.ndarray]:
        """How nearly a third of the blocks agree about a pose (4, 4), and the pose of our kind that they prefer."""
        kind = self.settings.type
        motion = self.matching.about(pose, few=True).motion(kind, ROUGHLY)
        wished = apply(pose @ motion.matrix, self.points)
        return motion.consensus, fit(self.points, wished, np.ones(len(wished)), kind)

    def _refine(
        self, plan: Refinement, poses: np.ndarray, share: tuple[float, float], kind: str = "rigid"
    ) -> np.ndarray:
        schedule = (plan.steps, plan.first_step, plan.last_step)
        return self._descend(plan.descent, plan.name, self._measure(plan), poses, schedule, share, kind, self.backwards)

    def _measure(self, plan: Refinement) -> Measure:
        """What a stage minimises; made once."""
        if plan not in self.made:
            pair = self._level(plan.spacing)
            self.made[plan] = plan.measure(
                *(pair[::-1] if self.backwards else pair), samples=plan.samples, seed=self.settings.seed
            )
        return self.made[plan]

    def _best_first(self, poses: np.ndarray, plan: Refinement = MEDIUM) -> np.ndarray:
        """Poses (B, 4, 4) in the order of what refines them last: it tells right from wrong where NMI does not.

        Those that slid until the scans hardly overlap come last: the few samples that are left agree on anything.
        """
        if len(poses) < 2:
            return poses
        measure = self._measure(plan)
        values = evaluate(measure, np.linalg.inv(poses) if self.backwards else poses)
        slid = [self._common(pose) < LEAST_COMMON for pose in poses]
        return poses[np.lexsort((values, slid))]

    def _descend(
        self,
        descent: Callable,
        name: str,
        measure: Measure,
        poses: np.ndarray,
        schedule: tuple[int, float, float],
        share: tuple[float, float],
        kind: str,
        backwards: bool = False,
    ) -> np.ndarray:
        """Minimise from every pose; poses come back best first, and none is worse than it was.

        Args:
            backwards: whether the measure takes moving points to fixed points.
        """
        clock = time.perf_counter()
        tell = self._teller(name, *share)
        points = self.moving_points if backwards else self.points
        poses = np.linalg.inv(poses) if backwards else poses
        before = evaluate(measure, poses)
        steps, first, last = schedule
        transform = LinearTransform.over(points, poses, kind)
        after_poses, after = descent(
            measure,
            transform,
            steps=steps,
            first_step=first,
            last_step=last,
            progress=lambda done, at: tell(done, np.linalg.inv(at) if backwards else at),
        )
        worse = ~(after < before)
        after_poses[worse], after[worse] = poses[worse], before[worse]
        order = np.argsort(after, kind="stable")
        best = order[0]
        self.stages.append(
            Stage(name, measure.name, float(before[best]), float(after[best]), time.perf_counter() - clock)
        )
        return np.linalg.inv(after_poses[order]) if backwards else after_poses[order]

    def _points(self, volume: Volume) -> np.ndarray:
        """(n, 3) LPS mm: points of a volume's content."""
        return sample_points(volume, 2000, self.settings.seed).cpu().double().numpy()

    @cached_property
    def moving_points(self) -> np.ndarray:
        """(n, 3) LPS mm: points of the moving content."""
        return self._points(self._level(SINGLE_SPACING)[1])

    @cached_property
    def backwards(self) -> bool:
        """Whether measures draw their points in the moving scan: in the smaller of two, where all of them are of use.

        Of points all over a head few lie in a slab, and of few points a joint histogram says nothing.
        """
        return is_part(*self._level(SINGLE_SPACING)[::-1])

    def _level(self, spacing: float) -> tuple[Volume, Volume]:
        """Both volumes at one resolution, made once."""
        if spacing not in self.levels:
            self.levels[spacing] = self.fixed.resampled(spacing), self.moving.resampled(spacing)
        return self.levels[spacing]

    def _judged(self, pose: np.ndarray, compare: bool = True, rounds: int = ROUNDS) -> Estimate | None:
        """What the blocks say of a pose; None where the volumes do not overlap."""
        if self._overlap(pose) < LEAST_OVERLAP:
            return None
        judged = estimate(self.matching, pose, self.points, self.settings.type, compare, rounds)
        if not compare:
            return judged
        slab = is_slab(self.fixed, self.moving)
        if slab or judged.lead < TRUSTED or judged.verdict == "failed":
            rival, margin = self._held_against_half_turns(pose)
            judged = replace(judged, rival=rival, margin=margin)
            if not slab and margin >= SURE_MARGIN:
                judged = replace(judged, lead=max(judged.lead, self._lead_the_other_way(pose)))
        return judged

    def _lead_the_other_way(self, pose: np.ndarray) -> float:
        """How far a pose leads for the blocks of the moving scan, which know nothing of what the fixed one alone shows.

        On tuning pairs with a made-up couch right poses lead by 1.25 to 1.87 and, the other way, by 1.88 to 1.93; wrong
        ones, of half scans too, by 1.2 at most either way.
        """
        back, inverse = BlockMatching(*self._level(SINGLE_SPACING)[::-1]), np.linalg.inv(pose)
        rivals = np.linalg.inv(turned(pose, apply(inverse, self.moving_points).mean(0)))
        return estimate(back, inverse, self.moving_points, self.settings.type, rounds=1, rivals=rivals).lead

    def _held_against_half_turns(self, pose: np.ndarray) -> tuple[np.ndarray, float]:
        """The best half turn (4, 4) of a pose, brought closer, and by how much NMI and NGF are better at the pose."""
        points, inward = (self.moving_points, np.linalg.inv) if self.backwards else (self.points, np.asarray)
        middle = apply(np.linalg.inv(pose), points).mean(0) if self.backwards else points.mean(0)
        half_turns = LinearTransform.over(points, inward(turned(pose, middle)), self.settings.type)
        found, _ = adam(
            self._measure(CANDIDATES),
            half_turns,
            steps=CANDIDATES.steps,
            first_step=CANDIDATES.first_step,
            last_step=CANDIDATES.last_step,
        )
        here, *there = evaluate(self._measure(MEDIUM), np.stack([inward(pose), *found]))
        best = int(np.argmin(there))
        return inward(found[best]), float(there[best] - here)

    def _predicted(self, pose: np.ndarray) -> float | None:
        """MAD's mean prediction at a pose; None where the volumes do not overlap."""
        return mean_prediction(self.mad, pose) if self._overlap(pose) >= LEAST_OVERLAP else None

    @cached_property
    def mad(self) -> MAD:
        """MAD of this pair, on the lattice that its network was trained for."""
        return MAD(self.fixed, self.moving, self.network, self.settings.seed)

    @cached_property
    def matching(self) -> BlockMatching:
        """The blocks of this pair."""
        return BlockMatching(*self._level(SINGLE_SPACING))

    def _look(self, pose: np.ndarray) -> None:
        """Estimate the error now, for those who watch; nothing depends on it."""
        if self.callback and (judged := self._judged(pose, compare=False, rounds=1)):
            self.error_mm = judged.error_mm

    def _overlap(self, matrix: np.ndarray) -> float:
        """Share of the fixed content that lies where the moving volume has data."""
        return self.moving.overlap_fraction(apply(matrix, self.points))

    def _common(self, matrix: np.ndarray) -> float:
        """Share of the content of either scan, the greater of both, that lies where the other has data."""
        return max(self._overlap(matrix), self.fixed.overlap_fraction(apply(np.linalg.inv(matrix), self.moving_points)))

    def _teller(self, stage: str, begin: float, end: float) -> Callable[[float, np.ndarray], None]:
        """A progress function for one stage that takes the share of the stage and its poses, the best first."""

        def tell(share: float, poses: np.ndarray) -> None:
            if self.callback:
                self.callback(Progress(stage, begin + share * (end - begin), poses[0], self.error_mm))

        return tell
