"""How many millimetres off a pose is, how sure that is, and where it is worst.

Blocks of the fixed scan say where they would rather lie (:mod:`madreg.quality.blocks`).  The motion on which they agree
best is followed for a few rounds, and how far it carries the fixed content is the error: it needs no network, knows no
contrast, and sees every error up to where the blocks no longer find their way back.

How much they agree differs from contrast to contrast, so it is compared with what the same two scans reach where they
certainly do not fit: the pose turned by 180 degrees about each axis.  A right pose leads clearly; a head that lies the
wrong way round does not, and is often beaten outright.

The few blocks of a slab agree on something nearly anywhere, and what one scan alone shows, such as the couch in a CT,
agrees with nothing.  Where the lead leaves a doubt, a registration therefore holds the pose against its half turns by
what it minimises too, adds the margin, and asks the moving scan's blocks (:func:`madreg.pipeline.registration.judge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F

from ..image.geometry import Grid, about, apply, mean_displacement
from ..image.morphology import erode
from ..image.volume import Volume, sample_array
from ..io.writing import write_image
from ..measures.mad import MAD
from ..system.parallel import parallel_map
from .blocks import BlockMatching, Blocks, Motion

# Tuning pairs (simulated CT-T1, T1-T2; rigid, affine, half scans): right poses lead by 1.6 to 3.3.  Wrong ones, refined
# with NMI, lead by 1.55 at most, and those by more than 1.3 want to move by 5 mm or more.
TRUSTED, LOST = 1.5, 1.25
ALIGNED_MM, FAILED_MM = 3.0, 10.0
RIVAL_CONSENSUS = 0.4  # turned poses of tuning pairs reach 0.2 to 0.46, wrong ones refined with NMI 0.53
CLEAR_CONSENSUS = 0.75  # wrong poses of made-up bodies, whose outline alone fits, reach 0.73; right ones 0.84 and more
# Tuning pairs in doubt (slabs of 20 and 30 mm; CT on a made-up couch; 112 mm of slices of 4 mm): right poses have
# margins of 0.05 and more (one, 4 mm off, 0.03, but a lead of 1.9), those with a couch or of 112 mm 0.09 and more; half
# turns, refined, and the search's wrong candidates 0.02 at most, mostly below 0.  Poses that slid by 11 mm had 0.045.
CLEAR_MARGIN, SURE_MARGIN = 0.045, 0.08
LEAST_OVERLAP = 0.2  # slabs of 20 mm have less: of those of tuning pairs one was 15 mm off, and nothing showed it
LEAST_CONSENSUS = 0.1  # below which nobody agrees with anybody
FEWEST_BLOCKS = 12
ROUNDS = 3
SETTLED_MM = 4.0  # a motion shorter than this is not followed any further
MAP_SPACING = 4.0  # mm


@dataclass(frozen=True)
class Estimate:
    """What is said of a pose.

    Attributes:
        pose: 4x4, fixed LPS to moving LPS, that was judged.
        error_mm: the estimated mean error over the fixed content.
        consensus: of the blocks, at the pose that they prefer: 1 is full, 0 is chance.
        lead: their consensus at the pose as a multiple of the best of :func:`turned`.
        preferred: 4x4, that pose, fixed LPS to moving LPS.
        overlap: share of the points that lie where the moving scan has data.
        rival: 4x4, the best of :func:`turned` as the blocks (where there is a margin: NMI) prefer it; None if none was
            asked.
        blocks: the last ones asked, about the pose ``asked_at`` (4x4), and the ``motion`` that they agreed on; None
            where they show nothing.
        margin: by how much NMI and NGF together are better at the pose than at the rival; None where that is not in
            doubt.
    """

    pose: np.ndarray
    error_mm: float
    consensus: float
    lead: float
    preferred: np.ndarray
    overlap: float = 1.0
    rival: np.ndarray | None = None
    blocks: Blocks | None = None
    motion: Motion | None = None
    asked_at: np.ndarray | None = None
    margin: float | None = None

    @property
    def little_overlap(self) -> bool:
        """Whether the scans have so little in common that no pose is sure."""
        return self.overlap < LEAST_OVERLAP

    @property
    def beaten(self) -> bool:
        """Whether the rival is the better pose."""
        return self.lead < 1 if self.margin is None else self.margin < 0

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``."""
        lost = self.lead < LOST and (self.margin or 0.0) < CLEAR_MARGIN
        if lost or self.beaten or self.error_mm > FAILED_MM:
            return "failed"
        sure = self.lead >= TRUSTED and not self.little_overlap
        return "aligned" if sure and self.error_mm <= ALIGNED_MM else "check"


@dataclass(frozen=True)
class ErrorMap:
    """The estimated local error over the fixed image.

    Attributes:
        values: float32 (k, j, i) mm; 0 where nothing can be said.
        grid: where they lie.
        worst_mm: the largest, and
        worst_point: (3,) LPS mm where.
    """

    values: np.ndarray
    grid: Grid
    worst_mm: float
    worst_point: np.ndarray

    def image(self) -> sitk.Image:
        """The values as an image."""
        return self.grid.as_image(self.values)

    def write(self, path: Path) -> None:
        """Write :meth:`image` to a file."""
        write_image(self.image(), path)

    def report(self) -> dict:
        """The worst place, as plain types."""
        return {"worst_mm": self.worst_mm, "worst_point_lps": self.worst_point.tolist()}


def estimate(
    matching: BlockMatching,
    pose: np.ndarray,
    points: np.ndarray,
    kind: str = "rigid",
    compare: bool = True,
    rounds: int = ROUNDS,
    rivals: Sequence[np.ndarray] | None = None,
) -> Estimate:
    """Judge a pose by what the blocks say.

    Args:
        matching: of the pair.
        pose: 4x4, fixed LPS to moving LPS.
        points: (n, 3) LPS mm of the fixed content, over which the error is averaged.
        kind: of the transform that was looked for.
        compare: whether to hold the pose against its half turns; without, its lead is not known and taken as enough.
        rounds: how often to follow the blocks.
        rivals: what to hold it against, 4x4 each; :func:`turned` if None.
    """
    preferred, found = np.asarray(pose, float), None
    lead, rival = (0.0, None) if compare else (TRUSTED, None)
    for number in range(rounds):
        blocks = matching.about(preferred)
        if len(blocks.centers) < FEWEST_BLOCKS:
            break
        motion = blocks.motion(kind)
        if number == 0 and compare:
            alike = motion if kind == "rigid" else blocks.motion()
            against = turned(pose, points.mean(0)) if rivals is None else rivals
            lead, rival = _compared(matching, against, alike.consensus)
        found = (blocks, motion, preferred)
        preferred = preferred @ motion.matrix
        if mean_displacement(found[2], preferred, points) < SETTLED_MM:
            break
    if found is None:
        return Estimate(pose, 0.0, 0.0, 0.0, preferred)
    return Estimate(
        pose,
        mean_displacement(pose, preferred, points),
        found[1].consensus,
        lead,
        preferred,
        matching.moving.overlap_fraction(apply(pose, points)),
        rival,
        *found,
    )


def turned(pose: np.ndarray, center: np.ndarray) -> list[np.ndarray]:
    """The pose after half a turn of the fixed content about each axis of the world through ``center`` (3,) LPS mm."""
    return [pose @ about(center, np.diag(signs)) for signs in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1))]


def _compared(
    matching: BlockMatching, rivals: Sequence[np.ndarray], consensus: float
) -> tuple[float, np.ndarray | None]:
    """The blocks' consensus at a pose as a multiple of the best of some rivals, and that one as they prefer it.

    A consensus that no wrong pose comes near is not compared: the lead is then that over :data:`RIVAL_CONSENSUS`.
    """
    if consensus >= CLEAR_CONSENSUS:
        return consensus / RIVAL_CONSENSUS, None

    def agreed(rival: np.ndarray) -> tuple[float, np.ndarray | None]:
        blocks = matching.about(rival, few=True)
        if len(blocks.centers) < FEWEST_BLOCKS:
            return 0.0, None
        motion = blocks.motion()
        return motion.consensus, rival @ motion.matrix

    found = parallel_map(agreed, rivals, matching.moving.device)
    strongest, preferred = max(found, key=lambda one: one[0])
    return consensus / max(strongest, LEAST_CONSENSUS), preferred


def mean_prediction(mad: MAD, pose: np.ndarray) -> float:
    """MAD itself: the mean predicted distance in mm at a 4x4 pose, over what lies in both scans."""
    predicted, seen = mad.map(pose)
    return float(predicted[seen].mean()) if seen.any() else float(predicted.mean())


def error_map(fixed: Volume, judged: Estimate) -> ErrorMap:
    """Where a judged pose is off, and by how much.

    Beyond the common motion of the blocks it shows, cautiously, what no linear transform explains.
    """
    blocks = judged.blocks
    if blocks is None:
        grid = fixed.grid.isotropic(4 * MAP_SPACING)
        return ErrorMap(np.zeros(grid.shape, np.float32), grid, 0.0, grid.center)
    centers = blocks.centers.cpu().double().numpy()
    wished = centers + blocks.local(judged.motion).cpu().double().numpy()
    errors = np.linalg.norm(apply(np.linalg.inv(judged.pose) @ judged.asked_at, wished) - centers, axis=1)

    weight = blocks.weight.float().cpu()
    weighted = torch.zeros(2, int(np.prod(blocks.grid.shape)))
    weighted[0, blocks.chosen.cpu()] = torch.as_tensor(errors, dtype=torch.float32) * weight
    weighted[1, blocks.chosen.cpu()] = weight
    weighted = F.avg_pool3d(weighted.view(1, 2, *blocks.grid.shape), 3, 1, 1)[0]  # blocks overlap
    grid = blocks.grid.isotropic(MAP_SPACING)
    points = grid.points()
    amount, trust = sample_array(weighted, torch.as_tensor(blocks.grid.inverse, dtype=torch.float32), points)
    fixed_inverse = torch.as_tensor(fixed.grid.inverse, dtype=torch.float32)
    content = fixed.foreground.float().cpu()[None]
    inside = sample_array(content, fixed_inverse, points, "zeros")[0]
    deep = sample_array(content, fixed_inverse, grid.widened(2).points())[0]
    deep = erode(deep, (2, 2, 2))[2:-2, 2:-2, 2:-2]  # without the air that counts as content: 10 mm around
    known = (inside > 0.5) & (deep > 0.5) & (trust > 0.05 * trust.max())
    values = torch.where(known, amount / trust.clamp(min=1e-12), torch.zeros(())).numpy()
    worst = np.unravel_index(int(values.argmax()), values.shape)
    return ErrorMap(values, grid, float(values.max()), apply(grid.matrix, np.array(worst[::-1], float)))
