"""Values in attributes of nodes, as far as they can be read.

A scene may come from another version of this module, or a script may have changed it: what cannot be read counts as not
there, so that the panel works on.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def objectOf(text: str | None) -> dict[str, Any] | None:
    """The object that a text of JSON holds; None if it holds none."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def matrixOf(value: Any) -> np.ndarray | None:
    """4x4 finite numbers, given as lists or as their JSON; None if they are none."""
    try:
        found = np.array(json.loads(value) if isinstance(value, str) else value, float)
    except (ValueError, TypeError):
        return None
    return found if found.shape == (4, 4) and np.isfinite(found).all() else None


def numbersOf(text: str | None, count: int) -> np.ndarray | None:
    """So many finite numbers with space between them; None if they are none."""
    try:
        found = np.array([float(word) for word in (text or "").split()])
    except ValueError:
        return None
    return found if found.shape == (count,) and np.isfinite(found).all() else None


def isNumber(value: Any) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
