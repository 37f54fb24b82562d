"""Names of nodes in a sentence."""

from __future__ import annotations

from collections.abc import Iterable

import slicer

MOST_NAMES = 3
"""Nodes that are named one by one in a sentence."""


def namesOf(nodes: Iterable[slicer.vtkMRMLNode]) -> str:
    """Names for a sentence: ``"A", "B" and 5 more``."""
    names = [f'"{node.GetName()}"' for node in nodes]
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} more"
    return " and ".join(", ".join(names).rsplit(", ", 1)) if names else ""
