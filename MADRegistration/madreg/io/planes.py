"""Planes through many of some points, such as the voxels at which a scan ends."""

from __future__ import annotations

import numpy as np

COUNT = 12  # that are looked for; of few thick slices some hold the ends of two sides of a scan, and are none
NEAR, OFF = 12.0, 0.8  # voxels: neighborhood that shows a plane, and how far from it a voxel in it may lie
SEEDS = 64
STRAY = 0.02  # share of the points that is not worth a plane

Plane = tuple[np.ndarray, float]
"""Unit normal (3,), and the product of the points in it with the normal."""


def beyond(shape: tuple[int, int, int], normal: np.ndarray, offset: float) -> np.ndarray:
    """Which voxels (k, j, i) have indices whose product with ``normal`` (3,) is more than ``offset``."""
    k, j, i = (np.arange(n, dtype=np.float32) for n in shape)
    along = normal[2] if abs(normal[2]) > 1e-9 else 1e-9
    limit = ((offset - k[:, None] * normal[0] - j * normal[1]) / along)[..., None]  # one number a row is enough
    return i > limit if along > 0 else i < limit


def sagitta(points: np.ndarray, normal: np.ndarray) -> float:
    """How far a quadratic surface through points (n, 3) near a plane bends away from it, in voxels."""
    along = (points - points.mean(0)) @ np.linalg.svd(normal[None])[2][1:].T
    u, v = (along / max(float(np.abs(along).max()), 1.0)).T
    terms = np.stack([u * u, u * v, v * v, u, v, np.ones_like(u)], 1)
    bend = terms[:, :3] @ np.linalg.lstsq(terms, points @ normal, rcond=None)[0][:3]
    return float(np.ptp(np.percentile(bend, [5, 95])))


def planes_through(points: np.ndarray) -> list[Plane]:
    """Planes that hold most of some points (n, 3), the one with most of them first."""
    rest = points
    planes: list[Plane] = []
    while len(planes) < COUNT and len(rest) > STRAY * len(points):
        normal, offset, held = _best_plane(rest)
        if held.sum() <= STRAY * len(points):
            break
        planes.append((normal, offset))
        rest = rest[~held]
    return planes


def _best_plane(points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The plane through most of some points (n, 3): unit normal, offset, and which points lie in it."""
    seeds = points[:: max(1, len(points) // SEEDS)]
    # whole numbers, so that nothing is lost in the squares; (seeds, n)
    held = (points**2).sum(1) + ((seeds**2).sum(1, keepdims=True) - 2 * _products(seeds, points)) < NEAR**2
    outer = (points[:, :, None] * points[:, None, :]).reshape(-1, 9)
    for _ in range(4):  # fitted to the neighbourhood of a seed first, then to all that lies in the plane
        weight = held / np.maximum(held.sum(1, keepdims=True), 1).astype(np.float32)
        middle = weight @ points
        covariance = (weight @ outer).reshape(-1, 3, 3) - middle[:, :, None] * middle[:, None, :]
        normal = np.linalg.eigh(covariance)[1][:, :, 0]
        offset = (normal * middle).sum(1)
        held = np.abs(_products(normal, points) - offset[:, None]) < OFF
    best = int(held.sum(1).argmax())
    return normal[best], float(offset[best]), held[best]


def _products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(m, n) scalar products of vectors (m, 3) and (n, 3): BLAS wakes its threads for this, which then wait busily."""
    products = np.multiply.outer(first[:, 0], second[:, 0])
    products += np.multiply.outer(first[:, 1], second[:, 1])
    products += np.multiply.outer(first[:, 2], second[:, 2])
    return products
