"""Regions of fixed scans of which the true error is compared with the estimated one: structures, and spheres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from madreg.image.geometry import Grid, apply
from madreg.image.pair import Pair
from madreg.quality.body import body
from madreg_benchmark.cases.calibration import FEWEST_VOXELS, label_map_of
from madreg_benchmark.cases.case import Case

SPACING = 3.0  # mm, of points in spheres
RADII_MM = (8.0, 11.0, 15.0, 20.0, 27.0, 35.0)  # of spheres
STRUCTURES = 10  # of a pose
POINTS = 2000  # of a region, at most
FEWEST_POINTS = 10


@dataclass(frozen=True)
class Region:
    """A part of the fixed body.

    Attributes:
        name: ``sphere``, or the number of a structure.
        points: (n, 3) LPS mm that fill it evenly.
        volume_ml: of all of it.
    """

    name: str
    points: np.ndarray
    volume_ml: float


class Regions:
    """Regions of a case, of which every pose gets others.

    Args:
        pair: scans of the case.
    """

    def __init__(self, case: Case, pair: Pair) -> None:
        grid = pair.fixed.grid.isotropic(SPACING)
        self.body = grid.points()[body(pair.fixed, grid)].double().numpy()
        self.structures: dict[int, np.ndarray] = {}
        path = label_map_of(case)
        if path is not None:
            image = sitk.ReadImage(str(path))
            labels = sitk.GetArrayFromImage(image)
            self.structures = {
                int(label): apply(Grid.of_image(image).matrix, np.argwhere(labels == label)[:, ::-1].astype(float))
                for label in np.unique(labels[labels > 0])
                if (labels == label).sum() >= FEWEST_VOXELS
            }
            self.voxel_ml = float(np.prod(image.GetSpacing())) / 1000

    def draw(self, rng: np.random.Generator) -> Iterator[Region]:
        """A sphere of each of :data:`RADII_MM` about a point of the body, cut off where that ends; and structures."""
        for radius in RADII_MM:
            center = self.body[rng.integers(len(self.body))]
            points = self.body[np.linalg.norm(self.body - center, axis=1) <= radius]
            if len(points) >= FEWEST_POINTS:
                yield Region("sphere", _some(points, rng), len(points) * SPACING**3 / 1000)
        for label in rng.permutation(sorted(self.structures))[:STRUCTURES]:
            points = self.structures[int(label)]
            yield Region(str(label), _some(points, rng), len(points) * self.voxel_ml)


def _some(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return points if len(points) <= POINTS else points[rng.choice(len(points), POINTS, replace=False)]
