"""The choices of the panel, with the words it shows for them and what they mean to the backend."""

from __future__ import annotations

from enum import Enum
from typing import Any

try:
    from slicer.i18n import tr as _
except ImportError:  # slicer-core has no translations

    def _(text: str) -> str:
        return text


class TransformType(Enum):
    """What the transform may do.  The names are stored in the scene, the values are the backend's."""

    RIGID = "rigid"
    SIMILARITY = "similarity"
    AFFINE = "affine"

    def label(self) -> str:
        return {
            "rigid": _("Rigid (move and turn)"),
            "similarity": _("Similarity (and one scale)"),
            "affine": _("Affine (and stretch and shear)"),
        }[self.value]


class StartFrom(Enum):
    """Where the registration begins."""

    SEARCH = "search"
    GIVEN = "given"
    GEOMETRY = "geometry"
    MASS = "mass"

    def label(self) -> str:
        return {
            "search": _("Search from any pose"),
            "given": _("Where the volumes are now"),
            "geometry": _("Centers of the volumes"),
            "mass": _("Centers of mass"),
        }[self.value]


class Measure(Enum):
    """What is minimised."""

    DEFAULT = "default"
    MAD = "mad"
    NMI = "nmi"
    NGF = "ngf"

    def label(self) -> str:
        return {
            "default": _("Default (best combination)"),
            "mad": _("MAD alone, as published"),
            "nmi": _("Normalized mutual information alone"),
            "ngf": _("Normalized gradient fields alone"),
        }[self.value]


class Preset(Enum):
    """Settings that go together."""

    THOROUGH = "thorough"
    FAST = "fast"
    CUSTOM = "custom"

    def label(self) -> str:
        return {
            "thorough": _("Thorough: the volumes may lie in any pose"),
            "fast": _("Fast: the volumes are roughly aligned already"),
            "custom": _("Custom"),
        }[self.value]


PRESETS = {Preset.THOROUGH: (StartFrom.SEARCH, Measure.DEFAULT), Preset.FAST: (StartFrom.GIVEN, Measure.DEFAULT)}
"""What each preset sets: ``startFrom`` and ``measure``."""


def presetOf(parameters: Any) -> Preset:
    """The preset that the current settings amount to."""
    current = (parameters.startFrom, parameters.measure)
    return next((preset for preset, values in PRESETS.items() if values == current), Preset.CUSTOM)


def applyPreset(parameters: Any, preset: Preset) -> None:
    """Set what a preset sets; ``CUSTOM`` changes nothing."""
    if preset in PRESETS:
        parameters.startFrom, parameters.measure = PRESETS[preset]


def settingsOf(parameters: Any) -> dict[str, Any]:
    """The fields of ``madreg.settings.Settings`` that the panel's parameters stand for."""
    return {
        "type": parameters.transformType.value,
        "init": parameters.startFrom.value,
        "measure": parameters.measure.value,
        "device": parameters.device or "auto",
        "seed": int(parameters.seed),
    }
