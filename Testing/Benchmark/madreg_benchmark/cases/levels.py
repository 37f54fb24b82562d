"""Levels of displacement, and the random motion of a trial.

The order in which random numbers are drawn is part of the protocol: figures compare only between equal trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from madreg.image.geometry import rotation


@dataclass(frozen=True)
class Level:
    """How far the moving scan is displaced.

    Attributes:
        rotation: largest angle in degrees, about a random axis; the smallest is a third of it.
        translation: largest length in mm, in a random direction; the smallest is a third of it.
        log_scale: largest absolute logarithm of the scale along each axis.
        shear: largest absolute shear.
        cropped: keep only half of the moving scan along one of its axes.
        cut: take up to a fifth of the voxels off each side of both scans, so that their fields of view differ.
    """

    rotation: float
    translation: float
    log_scale: float = 0.0
    shear: float = 0.0
    cropped: bool = False
    cut: bool = False

    @property
    def rigid(self) -> bool:
        return self.log_scale == 0 and self.shear == 0


# the position of a level in this table is part of its trials' seeds: add new ones at the end
LEVELS = {
    "small": Level(15, 20),
    "large": Level(45, 60),
    "any": Level(180, 100),
    "affine": Level(30, 40, log_scale=0.15, shear=0.08),
    "crop": Level(45, 60, cropped=True),
    "anycrop": Level(180, 100, cropped=True),
    "cut": Level(45, 60, cut=True),
}


def trial_generator(case: str, level: str, number: int) -> np.random.Generator:
    """The random numbers of one trial."""
    name = int.from_bytes(case.encode(), "little") % 2**32
    return np.random.default_rng([name, list(LEVELS).index(level), number])


def _direction(rng: np.random.Generator) -> np.ndarray:
    """Unit vector (3,), uniform over the sphere."""
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)


def random_motion(level: Level, rng: np.random.Generator, center: np.ndarray) -> np.ndarray:
    """A motion of a level about a world point: 4x4, from where the anatomy was to where it goes."""
    axis = _direction(rng)
    linear = rotation(axis, rng.uniform(level.rotation / 3, level.rotation))
    if level.log_scale:
        scale = np.diag(np.exp(rng.uniform(-level.log_scale, level.log_scale, 3)))
        shear = np.eye(3)
        shear[0, 1], shear[0, 2], shear[1, 2] = rng.uniform(-level.shear, level.shear, 3)
        linear = linear @ shear @ scale
    translation = _direction(rng) * rng.uniform(level.translation / 3, level.translation)
    motion = np.eye(4)
    motion[:3, :3] = linear
    motion[:3, 3] = center + translation - linear @ center
    return motion
