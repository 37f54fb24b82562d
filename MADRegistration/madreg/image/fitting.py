"""Least-squares fits of linear transforms to matched points."""

from __future__ import annotations

import numpy as np

from .geometry import about, apply

ROUNDS = 15  # of weights in a robust fit


def fit(points: np.ndarray, targets: np.ndarray, weights: np.ndarray, kind: str = "rigid") -> np.ndarray:
    """4x4 matrix that takes ``points`` (n, 3) to ``targets`` (n, 3) with the least weighted squares.

    Rigid and similarity: Umeyama 1991, "Least-squares estimation of transformation parameters between two point
    patterns"; affine: linear least squares.

    Args:
        weights: (n,), not negative.
        kind: ``rigid``, ``similarity`` or ``affine``.
    """
    share = weights / weights.sum()
    center, image = share @ points, share @ targets
    here, there = points - center, targets - image
    if kind == "affine":
        root = np.sqrt(share)[:, None]
        linear = np.linalg.lstsq(here * root, there * root, rcond=None)[0].T
    else:
        u, strength, vt = np.linalg.svd(there.T @ (here * share[:, None]))
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        linear = u @ np.diag(sign) @ vt
        moment = share @ (here**2).sum(1)
        if kind == "similarity" and moment > 0:  # a single point has no size
            linear = linear * (strength @ sign) / moment
    return about(center, linear, image - center)


def restricted(matrix: np.ndarray, points: np.ndarray, kind: str) -> np.ndarray:
    """The 4x4 matrix of a type that moves points (n, 3) most nearly as ``matrix`` (4, 4) does.

    Args:
        kind: ``rigid``, ``similarity`` or ``affine``.
    """
    return fit(points, apply(matrix, points), np.ones(len(points)), kind)


def robust_fit(points: np.ndarray, targets: np.ndarray, deviation: np.ndarray, kind: str = "rigid") -> np.ndarray:
    """:func:`fit` that is robust to outliers (Geman-McClure weights about the median residual).

    Args:
        deviation: (n,) mm, how uncertain each target is.
    """
    trust = 1 / deviation**2
    matrix = fit(points, targets, trust, "rigid")
    for _ in range(ROUNDS):
        residual = np.linalg.norm(apply(matrix, points) - targets, axis=1)
        scale = max(float(np.median(residual)), 2.0)
        matrix = fit(points, targets, trust / (1 + (residual / scale) ** 2) ** 2, kind)
    return matrix
