"""Synthetic bodies: regions, blobs, tubes, at times a row of vertebrae, in one byte per voxel of 2 mm."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from .bodies import SPACING, Body

SYNTHETIC = "synthetic"  # the group of these bodies


def _positions(shape: tuple[int, int, int]) -> np.ndarray:
    """Positions (k, j, i, 3) in mm from the middle, z y x order."""
    axes = [(np.arange(n) - (n - 1) / 2) * SPACING for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A random 3x3 orthogonal matrix."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return q * np.sign(np.diag(r))


def _bend(points: np.ndarray, rng: np.random.Generator, amplitude: float) -> np.ndarray:
    """Positions displaced by a smooth random field of about ``amplitude`` mm."""
    field = np.zeros_like(points)
    for _ in range(4):
        wave = rng.standard_normal(3) / rng.uniform(20, 60)
        field += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))[..., None] * rng.standard_normal(3)
    return points + field * amplitude / 2


def smooth_regions(shape: tuple[int, int, int], rng: np.random.Generator, count: int, size: float) -> np.ndarray:
    """Numbers 0 to ``count - 1`` (k, j, i) of regions about ``size`` mm wide: which of the fields is highest.

    After Hoffmann et al. 2022, "SynthMorph: learning contrast-invariant registration without acquired images".
    """
    best, number = np.full(shape, -np.inf), np.zeros(shape, np.uint8)
    coarse = [int(np.ceil(n * SPACING / size)) + 3 for n in shape]
    for region in range(count):
        field = ndimage.zoom(rng.standard_normal(coarse), [n / m for n, m in zip(shape, coarse, strict=True)], order=2)
        field = field[: shape[0], : shape[1], : shape[2]]
        better = field > best
        best[better], number[better] = field[better], region
    return number


def _ellipsoid(points: np.ndarray, center: np.ndarray, half: np.ndarray, turn: np.ndarray) -> np.ndarray:
    return ((((points - center) @ turn.T) / half) ** 2).sum(-1) < 1


def _tube(points: np.ndarray, center: np.ndarray, half_length: float, radius: float, turn: np.ndarray) -> np.ndarray:
    local = (points - center) @ turn.T
    return (np.abs(local[..., 0]) < half_length) & ((local[..., 1:] ** 2).sum(-1) < radius**2)


def indices_near(points: np.ndarray, squares: np.ndarray, center: np.ndarray, reach: float) -> np.ndarray:
    """Indices of points (n, 3), whose squared lengths (n,) are given, within a distance in mm and a little more."""
    return np.flatnonzero(squares - 2 * (points @ center) + center @ center < (reach + 1) ** 2)


def _add_parts(labels: np.ndarray, points: np.ndarray, rng: np.random.Generator, reach: np.ndarray) -> None:
    """Blobs and bent tubes, about half of them within others; each with a number of its own from 20 on."""
    bent, found = _bend(points, rng, 8.0).reshape(-1, 3), labels.reshape(-1)
    squares = (bent**2).sum(-1)
    for number in range(20, 20 + int(rng.integers(14, 36))):
        center, turn = rng.uniform(-1, 1, 3) * reach, _random_rotation(rng)
        if rng.random() < 0.55:
            half = np.exp(rng.uniform(np.log(4), np.log(30), 3))
            where = indices_near(bent, squares, center, half.max())
            where = where[_ellipsoid(bent[where], center, half, turn)]
        else:
            half_length, radius = rng.uniform(15, 90), rng.uniform(2.5, 10)
            where = indices_near(bent, squares, center, np.hypot(half_length, radius))
            where = where[_tube(bent[where], center, half_length, radius, turn)]
        found[where[found[where] > 0]] = number


def _add_column(labels: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> None:
    """A row of blocks with discs between, a canal behind and processes, like vertebrae."""
    along = points @ _random_rotation(rng)[0] if rng.random() < 0.3 else points[..., 0]
    curve = rng.uniform(0, 18) * np.sin(along / rng.uniform(40, 90) + rng.uniform(0, 6))
    x, y = points[..., 2] - rng.uniform(-25, 25), points[..., 1] - rng.uniform(-25, 35) - curve
    period, height = rng.uniform(20, 40), rng.uniform(0.6, 0.85)
    phase = (along / period + rng.uniform(0, 1)) % 1.0
    number = np.floor(along / period).astype(int)
    radius = rng.uniform(11, 22)
    shell = np.sqrt((x / 1.25) ** 2 + y**2)
    body, disc = (shell < radius) & (phase < height), (shell < radius * 0.95) & (phase >= height)
    labels[disc] = 60
    labels[body] = 61
    labels[body & (shell < radius - 2.5) & (phase > 0.1) & (phase < height - 0.1)] = 62
    back = y - radius - rng.uniform(5, 8)
    labels[np.sqrt(x**2 + back**2) < 6.0] = 63
    labels[np.sqrt(x**2 + back**2) < 3.5] = 64
    process = (np.abs(x) < 3.5) & (back > 7) & (back < 30) & (phase < 0.5)
    wing = (np.abs(back - 8) < 4) & (np.abs(x) < rng.uniform(20, 35)) & (phase < 0.35) & (number % 2 >= 0)
    labels[process | wing] = 61


def synthetic_body(rng: np.random.Generator, shape: tuple[int, int, int] = (96, 96, 96)) -> np.ndarray:
    """Tissue numbers uint8 (k, j, i) of a synthetic body: regions, blobs, tubes, at times a row of vertebrae.

    Two in five reach every edge of the array; the others have air around them.
    """
    points = _positions(shape)
    extent = np.array(shape) * SPACING / 2
    labels = 1 + smooth_regions(shape, rng, int(rng.integers(2, 9)), float(rng.uniform(25, 80)))
    _add_parts(labels, points, rng, 0.9 * extent)
    if rng.random() < 0.3:
        fine = smooth_regions(shape, rng, int(rng.integers(2, 5)), float(rng.uniform(12, 22)))
        where = smooth_regions(shape, rng, 3, 60.0) == 0
        labels[where] = 70 + fine[where]
    if rng.random() < 0.35:
        _add_column(labels, points, rng)
    if rng.random() < 0.6:
        outline = _bend(points, rng, 10.0)
        turn = _random_rotation(rng) if rng.random() < 0.5 else np.eye(3)
        half = extent * rng.uniform(0.65, 0.95, 3)
        skin = float(rng.uniform(3, 12))
        labels[~_ellipsoid(outline, np.zeros(3), half - skin, turn)] = 80
        labels[~_ellipsoid(outline, np.zeros(3), half - skin / 3, turn)] = 81
        labels[~_ellipsoid(outline, np.zeros(3), half, turn)] = 0
    return labels.astype(np.uint8)


def synthetic_bodies(numbers: Iterable[int], seed: int) -> list[Body]:
    """Bodies by their numbers; each is drawn from the seed and its number."""
    return [
        Body(f"synthetic {n}", "labels", SYNTHETIC, synthetic_body(np.random.default_rng([seed, 17, n])))
        for n in numbers
    ]
