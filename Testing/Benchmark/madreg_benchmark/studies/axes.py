"""Poses displaced from the true one along single axes, and the measures of a pair as they are when alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from madreg.image.geometry import about, mean_displacement
from madreg.image.pair import SPACING
from madreg.image.points import sample_points
from madreg.image.volume import Volume
from madreg.io.reading import read_volume
from madreg.measures import MEASURES
from madreg.measures.base import Measure
from madreg.network import weights
from madreg.pipeline.feature_search import QUICK_POINTS
from madreg.pose.match_search import MatchSearch
from madreg.system import device as devices
from madreg_benchmark.cases.case import Case

KINDS = {"translation": "mm", "rotation": "degrees"}
AXES = "xyz"  # LPS: to the left, to the back, upwards


@dataclass(frozen=True)
class Pair:
    """A case at the one resolution at which ``madreg register`` minimizes a measure alone.

    Attributes:
        seed: of sampled points.
        device: for :func:`madreg.system.device.choose`.
    """

    case: Case
    seed: int = 0
    device: str = "auto"

    @cached_property
    def scans(self) -> tuple[Volume, Volume]:
        """Fixed and moving as read."""
        where = devices.choose(self.device)
        return tuple(read_volume(path)[0].to(where) for path in (self.case.fixed, self.case.moving))

    @cached_property
    def coarse(self) -> tuple[Volume, Volume]:
        """Both at the spacing of a measure alone."""
        return tuple(volume.resampled(SPACING) for volume in self.scans)

    @cached_property
    def points(self) -> np.ndarray:
        """(n, 3) points of the fixed foreground, LPS mm, over which errors are averaged."""
        return sample_points(self.coarse[0], 2000, self.seed).cpu().double().numpy()

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """The measures by name; MAD resamples the scans to the spacing that its network was trained for."""
        return {
            name: make(*(self.scans if name.startswith("mad") else self.coarse), seed=self.seed)
            for name, make in MEASURES.items()
        }

    @cached_property
    def matches(self) -> MatchSearch:
        """The search by matches of MAD's features that ``madreg register --measure mad`` makes."""
        return MatchSearch(*self.scans, weights.load_features(device=self.scans[0].device)[0], QUICK_POINTS, self.seed)

    def displaced(self, **by: tuple[float, float, float]) -> np.ndarray:
        """The true 4x4 matrix after a ``translation`` in mm and a ``rotation`` vector in degrees of the fixed
        foreground about its middle, along the axes of the world."""
        rotation = Rotation.from_rotvec(by.get("rotation", (0.0, 0.0, 0.0)), degrees=True).as_matrix()
        return self.case.truth @ about(self.points.mean(0), rotation, np.array(by.get("translation", (0.0, 0.0, 0.0))))

    def along(self, kind: str, axis: str, amount: float) -> np.ndarray:
        """The true 4x4 matrix displaced along or about one axis, by mm or degrees."""
        return self.displaced(**{kind: tuple(amount * (axis == other) for other in AXES)})

    def error(self, matrix: np.ndarray) -> float:
        """Mean distance in mm from the true pose over :attr:`points`."""
        return mean_displacement(matrix, self.case.truth, self.points)


def pairs_of(cases: Sequence[Case], seed: int, device: str) -> dict[str, Pair]:
    """The pairs of some cases, by the names of these."""
    return {case.name: Pair(case, seed, device) for case in cases}
