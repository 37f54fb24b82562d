"""The report of a registration, from the worker to the scene."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from madreg.image.geometry import apply, flip_world

from ..scene.coordinatesystem import CoordinateSystem


def inWorld(report: dict[str, Any], coordinates: CoordinateSystem, center: np.ndarray) -> dict[str, Any]:
    """The report of the worker, which has no access to the scene, with positions of the scene's world.

    Args:
        coordinates: the coordinate system of the worker.
        center: of the moving volume, LPS mm in the world.

    Returns:
        What ``madreg register --report`` writes, and ``moved_mm``, how far the center of the moving volume went.
    """
    matrix = coordinates.inWorld(np.array(report["matrix_fixed_to_moving_lps"]))
    converted = {
        "matrix_fixed_to_moving_lps": matrix.tolist(),
        "matrix_fixed_to_moving_ras": flip_world(matrix).tolist(),
        "notices": list(report.get("notices", [])),
        "moved_mm": movedMm(matrix, center),
    }
    return {**report, **converted, **_worstPoint(report, coordinates)}


def movedMm(fixedToMoving: np.ndarray, center: np.ndarray) -> float:
    """How far the center (3,) of the moving volume is moved by a result (4x4, fixed LPS to moving LPS), in mm."""
    return float(np.linalg.norm(apply(np.linalg.inv(fixedToMoving), center) - center))


def ofAssessment(report: dict[str, Any], coordinates: CoordinateSystem) -> dict[str, Any]:
    """The report of an assessment by the worker, with positions of the scene's world, and with the keys of a
    registration where both have the same.

    Args:
        coordinates: the coordinate system of the worker.
    """
    converted = {"is_assessment": True, "error_after_mm": report["error_mm"]}
    return {**report, **converted, **_worstPoint(report, coordinates)}


def _worstPoint(report: dict[str, Any], coordinates: CoordinateSystem) -> dict[str, Any]:
    if report.get("worst_point_lps") is None:
        return {}
    return {"worst_point_lps": apply(coordinates.toWorld, np.array(report["worst_point_lps"])).tolist()}


def attributesOf(report: dict[str, Any]) -> dict[str, str]:
    """What a saved scene holds of a registration."""

    def number(name: str, digits: int) -> str:
        return "unknown" if report.get(name) is None else f"{report[name]:.{digits}f}"

    return {
        "Version": str(report["madreg"]),
        "Weights": str(report.get("weights_sha256") or "none"),
        "Settings": json.dumps(report["settings"]),
        "ErrorBeforeMm": number("error_before_mm", 2),
        "ErrorAfterMm": number("error_after_mm", 2),
        "Overlap": number("overlap", 3),
        "Seconds": number("seconds", 1),
        "Device": str(report["device"]),
    }
