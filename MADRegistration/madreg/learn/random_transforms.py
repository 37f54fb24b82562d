"""Random transforms between the two crops of a training pair.

The distribution of distances: 30 % of the pairs lie near alignment (shifted 0 to 8 mm, rotated 0 to 10 degrees), 67 %
are spread evenly to 50 mm and 40 degrees, 3 % have any orientation.  Away from the middle of the rotation that makes
distances of up to 60 mm and more.
"""

from __future__ import annotations

import numpy as np

from ..image.geometry import quaternion_rotation
from .pair_settings import PairSettings


def random_rotation(rng: np.random.Generator, largest: float = 180.0) -> np.ndarray:
    """3x3 rotation about a random axis by up to ``largest`` degrees (180: uniform over all orientations)."""
    if largest >= 180.0:
        q = rng.standard_normal(4)
        w, x, y, z = q / np.linalg.norm(q)
    else:
        axis = rng.standard_normal(3)
        angle = np.radians(rng.uniform(0, largest)) / 2
        w, (x, y, z) = np.cos(angle), np.sin(angle) * axis / np.linalg.norm(axis)
    return np.array(quaternion_rotation(w, x, y, z)).reshape(3, 3)


def random_stretch(rng: np.random.Generator, scale: float, shear: float) -> np.ndarray:
    """3x3 of random scales along the axes and shears, of these standard deviations."""
    matrix = np.diag(np.exp(rng.normal(0, scale, 3)))
    matrix += np.triu(rng.normal(0, shear, (3, 3)), 1)
    return matrix


def random_transform(rng: np.random.Generator, settings: PairSettings, growth: float = 1.0) -> np.ndarray:
    """4x4 fixed crop to moving crop, mm.  ``growth`` from 0 to 1 is the curriculum: how far the range has grown."""
    kind = rng.random()
    distance = 25.0 + (settings.distance - 25.0) * growth
    rotation = 15.0 + (settings.rotation - 15.0) * growth
    if kind < settings.near:
        linear, shift = random_rotation(rng, min(10.0, rotation)), rng.uniform(0, 8.0)
    elif kind < settings.near + settings.any_pose * growth:
        linear, shift = random_rotation(rng), rng.uniform(0, 0.6 * distance)
    else:
        linear, shift = random_rotation(rng, rotation), rng.uniform(0, distance)
    if kind < settings.near:
        linear = linear @ random_stretch(rng, 0.02, 0.01)
    else:
        wide = rng.random() < 0.4  # as two people's heads differ; the rest differ as one person's scans do
        linear = linear @ (random_stretch(rng, 0.09, 0.045) if wide else random_stretch(rng, 0.03, 0.015))
    direction = rng.standard_normal(3)
    pivot = rng.uniform(-30, 30, 3)
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = pivot - linear @ pivot + shift * direction / np.linalg.norm(direction)
    return matrix
