"""Pairs that are misaligned on purpose, in every way in which alignments go wrong, and how far off each of them is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from madreg.commissioning.smooth_displacement import SmoothDisplacement
from madreg.image.geometry import about, apply
from madreg.image.pair import Pair
from madreg.image.transform import Transform
from madreg.image.volume import Volume
from madreg.io.reading import read_volume
from madreg.pipeline.refining import refine, with_supported_shape
from madreg.progress import Monitor
from madreg.quality.flips import flipped_poses, mirrored_poses
from madreg_benchmark.cases.calibration import STRUCTURES
from madreg_benchmark.cases.case import Case
from madreg_benchmark.studies.predictions import misalignment

NEAR_MM, MIDDLE_MM, FAR_MM = 0.5, 14.0, 40.0
STRETCH = 0.03, 0.15  # along one axis
AMPLITUDE_MM = 1.5, 9.0  # root mean square of a smooth deformation
KINDS = {
    "right": (1, 1),
    "rigid": (4, 1),
    "stretched": (3, 1),
    "deformed": (4, 1),
    "registered": (1, 1),
    "mirrored": (1, 3),
    "other person": (2, 3),
    "far": (1, 3),
    "flipped": (1, 3),
    "other part": (1, 3),
}
"""Kinds of misalignment, how many of each a case gets, and every how manieth case gets them."""
OTHERS = ("other person", "other part")
WRONG_PAIRS = ("mirrored", *OTHERS)


@dataclass(frozen=True)
class Misaligned:
    """A pair at a pose.

    Attributes:
        pose: (4, 4) fixed LPS to moving LPS.
        right: where fixed points (n, 3), LPS mm, lie in the moving scan; None for scans of two bodies.
        apart_mm: of scans of two bodies, the mean distance of their structures; NaN where these are unknown.
    """

    pair: Pair
    pose: np.ndarray
    right: Callable[[np.ndarray], np.ndarray] | None
    apart_mm: float = np.nan

    def errors_at(self, points: np.ndarray) -> np.ndarray:
        """True errors (n,) in mm at fixed points (n, 3), LPS mm, of a pair of one body."""
        if self.right is None:
            raise ValueError("Scans of two bodies have no right pose.")
        return np.linalg.norm(apply(self.pose, points) - self.right(points), axis=1)

    @property
    def true_mm(self) -> float:
        """Mean error over the fixed foreground; NaN where the scans have nothing in common."""
        return self.apart_mm if self.right is None else float(self.errors_at(self.pair.points).mean())


class Misaligning:
    """Misaligns cases; everything is drawn from the seed and the case.

    Args:
        cases: all of them, from which other persons are taken: a case of the same contrast is another person, and
            synthetic bodies and all others are other body parts.  Beside the scans of some lie the middles of their
            structures.
        kinds: how many of each kind a case gets, and every how manieth case gets them.
    """

    def __init__(self, cases: Sequence[Case], seed: int, kinds: Mapping[str, tuple[int, int]] = KINDS) -> None:
        self.cases, self.seed, self.kinds = cases, seed, kinds
        self.structures: dict[str, dict[str, list[float]]] = {}
        for path in {case.moving.parent / STRUCTURES for case in cases}:
            if path.is_file():
                self.structures |= json.loads(path.read_text(encoding="utf-8"))
        self._pair: tuple[str, Pair] | None = None

    def keys(self) -> list[dict]:
        """Case, kind and number of all misalignments."""
        return [
            {"case": case.name, "kind": kind, "number": index * count + number}
            for index, case in enumerate(self.cases)
            for kind, (count, every) in self.kinds.items()
            if index % every == 0 and (kind not in OTHERS or self._others(case, kind))
            for number in range(count)
        ]

    def make(self, case: Case, kind: str, number: int) -> Misaligned:
        """One misalignment of a case.

        Raises:
            InputError: if a scan cannot be read.
        """
        rng = np.random.default_rng([self.seed, self.cases.index(case), list(KINDS).index(kind), number])
        return getattr(self, f"_{kind.replace(' ', '_')}")(case, self._pair_of(case), rng, number)

    def _pair_of(self, case: Case) -> Pair:
        if self._pair is None or self._pair[0] != case.name:
            self._pair = (case.name, Pair(*(read_volume(path)[0] for path in (case.fixed, case.moving))))
        return self._pair[1]

    def _right(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        return _against(pair, case.truth, case.truth)

    def _rigid(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """Distances are spread evenly on a logarithmic scale."""
        count = self.kinds["rigid"][0]
        share = (number % count + rng.random()) / count
        pose = case.truth @ misalignment(NEAR_MM * (MIDDLE_MM / NEAR_MM) ** share, pair.points, rng)
        return _against(pair, pose, case.truth)

    def _far(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        pose = case.truth @ misalignment(rng.uniform(MIDDLE_MM, FAR_MM), pair.points, rng)
        return _against(pair, pose, case.truth)

    def _stretched(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """Along an axis of the lattice, as by a wrong slice distance, or along any."""
        axis = pair.fixed.grid.axes[:, rng.integers(3)] if number % 2 == 0 else rng.normal(size=3)
        axis = axis / np.linalg.norm(axis)
        share = rng.choice([-1, 1]) * rng.uniform(*STRETCH)
        pose = case.truth @ about(pair.points.mean(0), np.eye(3) + share * np.outer(axis, axis))
        return _against(pair, pose, case.truth)

    def _deformed(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """The moving scan is bent; the pose is the right one of before, or refined from there."""
        warp = SmoothDisplacement(rng, rng.uniform(*AMPLITUDE_MM))
        bent = Pair(pair.fixed, _bent(pair.moving, warp), self.seed)
        pose = case.truth if number % 2 == 0 else _refined(bent, case.truth, "rigid")
        return Misaligned(bent, pose, lambda points: warp.inverse(apply(case.truth, points)))

    def _flipped(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        poses = flipped_poses(case.truth, pair.points.mean(0), pair.fixed.grid.axes)
        return _against(pair, poses[rng.integers(3)], case.truth)

    def _registered(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """Refined from up to 30 mm off, rigidly and affinely: where registrations end."""
        start = case.truth @ misalignment(rng.uniform(3, 30), pair.points, rng)
        return _against(pair, _refined(pair, start, ("rigid", "affine")[number % 2]), case.truth)

    def _mirrored(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """Left and right are swapped in the moving header, and the scans are brought together as well as possible."""
        moving = pair.moving
        across = np.abs(np.linalg.inv(case.truth[:3, :3]) @ moving.grid.axes)[0]  # left to right in the fixed scan
        axis = int(across.argmax())
        flip = mirrored_poses(np.eye(4), moving.grid.center, moving.grid.axes[:, axis : axis + 1])[0]
        swapped = replace(moving, data=moving.data.flip(2 - axis), mask=moving.mask.flip(2 - axis))
        twisted = Pair(pair.fixed, swapped, self.seed)
        left_right = np.linalg.inv(case.truth[:3, :3]) @ moving.grid.axes[:, axis : axis + 1]
        start = mirrored_poses(flip @ case.truth, pair.points.mean(0), left_right)[0]
        return _against(twisted, _refined(twisted, start, "rigid"), flip @ case.truth)

    def _other_person(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """The moving scan of another case of the same contrast, brought together as well as possible."""
        others = self._others(case, "other person")
        other = others[rng.integers(len(others))]
        wrong = Pair(pair.fixed, read_volume(other.moving)[0], self.seed)
        pose = _refined(wrong, _laid_together(wrong, other), "rigid")
        return Misaligned(
            wrong, pose, None, _apart(*(self.structures.get(one.name, {}) for one in (case, other)), pose)
        )

    def _other_part(self, case: Case, pair: Pair, rng: np.random.Generator, number: int) -> Misaligned:
        """The moving scan of a case of other anatomy, brought together as well as possible."""
        others = self._others(case, "other part")
        other = others[rng.integers(len(others))]
        wrong = Pair(pair.fixed, read_volume(other.moving)[0], self.seed)
        return Misaligned(wrong, _refined(wrong, _laid_together(wrong, other), "rigid"), None)

    def _others(self, case: Case, kind: str) -> list[Case]:
        """Cases of other persons, or of other body parts."""
        if kind == "other person":
            return [one for one in self.cases if one.contrast == case.contrast and one.name != case.name]
        return [one for one in self.cases if ("body" in one.contrast) != ("body" in case.contrast)]


def _apart(here: dict[str, list[float]], there: dict[str, list[float]], pose: np.ndarray) -> float:
    """Mean distance of the middles of the same structures of two persons at a pose, mm; NaN where they are unknown."""
    shared = [label for label in here if label in there and label != "0"]
    if not shared:
        return np.nan
    fixed, moving = (np.array([one[label] for label in shared]) for one in (here, there))
    return float(np.linalg.norm(apply(pose, fixed) - moving, axis=1).mean())


def _against(pair: Pair, pose: np.ndarray, truth: np.ndarray) -> Misaligned:
    return Misaligned(pair, pose, lambda points: apply(truth, points))


def _refined(pair: Pair, start: np.ndarray, kind: str) -> np.ndarray:
    found = refine(pair, [Transform(start)], kind, Monitor())
    return with_supported_shape(pair, found, kind, Monitor()).matrix


def _laid_together(pair: Pair, other: Case) -> np.ndarray:
    """The pose (4, 4) with the rotation of the other case's truth, and the middle of one scan on that of the other."""
    rotation = other.truth[:3, :3]
    return about(np.zeros(3), rotation, pair.swapped.points.mean(0) - rotation @ pair.points.mean(0))


def _bent(moving: Volume, warp: SmoothDisplacement) -> Volume:
    """The volume that shows at every point what was at the displaced one."""
    there = torch.as_tensor(warp.apply(moving.grid.points().double().numpy()))
    data, mask = moving.sample(there.float())
    return Volume(moving.name, data, moving.grid, mask > 0.5)
