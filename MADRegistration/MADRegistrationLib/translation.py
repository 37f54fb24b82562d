"""Texts in the language that the user has chosen in Slicer."""

from __future__ import annotations

try:
    from slicer.i18n import tr as _
except ImportError:  # slicer-core has no translations

    def _(text: str) -> str:
        return text
