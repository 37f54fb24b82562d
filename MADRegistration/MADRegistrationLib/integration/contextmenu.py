"""The entry in the context menu of Slicer's module Data."""

from __future__ import annotations

import contextlib
from pathlib import Path

import slicer

PLUGIN = Path(__file__).with_name("MADRegistrationSubjectHierarchyPlugin.py")


def registerContextMenu() -> None:
    """Add the entry, where Slicer has the module Subject Hierarchy; called when all modules are there."""
    if hasattr(slicer, "qSlicerSubjectHierarchyScriptedPlugin"):
        with contextlib.suppress(ImportError):
            import SubjectHierarchyPlugins  # noqa: F401  only then Slicer's class of such plugins is found
        slicer.qSlicerSubjectHierarchyScriptedPlugin(None).setPythonSource(str(PLUGIN))
