"""What a registration found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from .. import __version__
from ..image.geometry import flip_world, rotation_angle
from ..quality.estimate import Estimate
from ..settings import Settings


@dataclass(frozen=True)
class Stage:
    """One finished stage: the measure's value before and after (lower is better), and the time it took."""

    name: str
    measure: str
    before: float
    after: float
    seconds: float


@dataclass(frozen=True)
class Result:
    """What a registration found.

    Attributes:
        matrix: 4x4, fixed LPS to moving LPS, mm.
        start: 4x4, where the moving volume lay before (``Settings.start`` or the identity).
        error_before_mm, error_after_mm: estimated mean error at ``start`` and at ``matrix``; None where unknown.
        verdict: ``aligned``, ``check`` or ``failed`` (:mod:`madreg.quality.estimate`).
        judged: all that was found out about ``matrix``; None without overlap.
        mad_before_mm, mad_after_mm: MAD itself, the mean of the distances it predicts there; None without overlap.
        overlap: share of the fixed content that lies in the moving field of view.
    """

    matrix: np.ndarray
    start: np.ndarray
    settings: Settings
    stages: list[Stage]
    seconds: float
    device: str
    error_before_mm: float | None
    error_after_mm: float | None
    overlap: float
    notices: list[str] = field(default_factory=list)
    verdict: str = "check"
    judged: Estimate | None = None
    mad_before_mm: float | None = None
    mad_after_mm: float | None = None

    @property
    def matrix_ras(self) -> np.ndarray:
        """4x4, fixed RAS to moving RAS, mm."""
        return flip_world(self.matrix)

    def report(self) -> dict:
        """Everything as plain types, for JSON."""
        motion = self.matrix @ np.linalg.inv(self.start)
        settings = asdict(self.settings)
        settings["start"] = self.start.tolist()
        return {
            "madreg": __version__,
            "matrix_fixed_to_moving_lps": self.matrix.tolist(),
            "matrix_fixed_to_moving_ras": self.matrix_ras.tolist(),
            "rotation_degrees": rotation_angle(motion[:3, :3]),
            "volume_scale": float(np.linalg.det(motion[:3, :3])),
            "error_before_mm": self.error_before_mm,
            "error_after_mm": self.error_after_mm,
            "verdict": self.verdict,
            "consensus": self.judged and self.judged.consensus,
            "lead": self.judged and self.judged.lead,
            "margin": self.judged and self.judged.margin,
            "mad_before_mm": self.mad_before_mm,
            "mad_after_mm": self.mad_after_mm,
            "overlap": self.overlap,
            "little_overlap": self.judged is None or self.judged.little_overlap,
            "seconds": self.seconds,
            "device": self.device,
            "settings": settings,
            "stages": [asdict(stage) for stage in self.stages],
            "notices": self.notices,
        }
