"""Find the pose from anywhere by matches of MAD's features: each match votes for a translation.

For each of some rotations one volume is encoded as it is seen from there, its points are matched, and a rigid transform
is fitted to the matches that meet (:mod:`madreg.pose.matching`).

Every match is local, so they still meet where the rotation is 15 degrees off, which a correlation of the same features
does not bear, and few rotations are enough.  Seen from the pose that they lead to, more of the right ones are found,
and no more of the wrong ones: so a right pose is known by following them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..image.geometry import mean_displacement, nearest_orthogonal
from ..image.volume import Volume
from ..network.features import FeatureNetwork
from ..system.parallel import parallel_map
from .correlation import Candidate
from .matching import Matching, Meeting

STEPS = 4  # that matches are followed at most
SETTLED_MM = 3.0


class MatchSearch:
    """Where matches of two volumes meet, seen from any rotation.

    The score of a pose is by how much the votes exceed those that meet by chance, in units of the standard error of
    these.

    Args:
        fixed, moving: the pair; where they lie in the world does not matter to :meth:`run`.
        network: of the features.
        points: of the smaller volume, which are matched.  Of half as many, the scores are two thirds.
        seed: of the points.
    """

    def __init__(self, fixed: Volume, moving: Volume, network: FeatureNetwork, points: int, seed: int = 0) -> None:
        fixed, moving = (volume.resampled(network.settings.spacing) for volume in (fixed, moving))
        self.device = fixed.device
        liters = [one.grid.liters(float(one.foreground.sum())) for one in (fixed, moving)]
        self.is_swapped = liters[1] < liters[0]
        smaller, larger = (moving, fixed) if self.is_swapped else (fixed, moving)
        self.matching = Matching(smaller, larger, network, points, seed)

    def run(
        self, rotations: np.ndarray, count: int, report_progress: Callable[[float], None] | None = None
    ) -> list[Candidate]:
        """The rigid poses at which matches meet, best first; one may be found from several rotations.

        Args:
            rotations: (R, 3, 3), fixed directions to moving directions.
            count: how many poses to return at most.
            report_progress: called with the share done; may raise to stop.
        """
        meetings = parallel_map(self._seen_from, list(rotations), self.device, report_progress)
        best = sorted((one for some in meetings for one in some), key=lambda one: -one.score)[:count]
        return [self._candidate(one) for one in best]

    def follow(
        self, poses: Sequence[np.ndarray], report_progress: Callable[[float], None] | None = None
    ) -> list[Candidate]:
        """Where the matches lead from each of some poses (4, 4), fixed LPS to moving LPS; none from where none meet."""

        def led_from(pose: np.ndarray) -> Meeting | None:
            return max(self._seen_from(nearest_orthogonal(pose[:3, :3])), key=lambda one: one.score, default=None)

        found = parallel_map(led_from, poses, self.device, report_progress)
        return [self._candidate(one) for one in found if one is not None]

    def settle(self, pose: np.ndarray, report_progress: Callable[[float], None] = lambda share: None) -> np.ndarray:
        """Where the matches lead from a pose (4, 4), followed until they stay there; the pose itself where none meet.

        The right pose is found from any translation, and from 30 to 45 degrees off.

        Args:
            report_progress: called with the share done; may raise to stop.
        """
        points = self.matching.points.cpu().double().numpy()
        for step in range(STEPS):
            found = self.follow([pose])
            report_progress((step + 1) / STEPS)
            if not found:
                break
            before, pose = pose, found[0].matrix
            here, there = (np.linalg.inv(one) if self.is_swapped else one for one in (before, pose))
            if mean_displacement(here, there, points) < SETTLED_MM:
                break
        return pose

    def _seen_from(self, rotation: np.ndarray) -> list[Meeting]:
        return self.matching.seen_from(rotation.T if self.is_swapped else rotation)

    def _candidate(self, meeting: Meeting) -> Candidate:
        pose = meeting.fitted()
        return Candidate(np.linalg.inv(pose) if self.is_swapped else pose, meeting.score)
