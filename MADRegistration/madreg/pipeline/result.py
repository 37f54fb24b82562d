"""What a registration found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .. import __version__
from ..image.transform import Transform
from ..progress import StageRecord
from ..quality.quality import Quality, basis_of_verdict, verdict_or_failed
from ..settings import Settings


@dataclass(frozen=True)
class Result:
    """What a registration found.

    Attributes:
        transform: fixed LPS to moving LPS, mm.
        start: where the moving volume lay before.
        error_before_mm, error_after_mm: estimated mean error at ``start`` and at ``transform``; None where unknown.
        error_source: ``blocks``, or, where these are not to be relied on, ``mad`` or ``other``: see
            :func:`~madreg.pipeline.error_estimate.estimated_error`.
        quality: all that was found out about ``transform``; None without overlap.
        overlap: share of the fixed foreground that lies in the moving field of view.
    """

    transform: Transform
    start: Transform
    settings: Settings
    stages: list[StageRecord]
    seconds: float
    device: str
    error_before_mm: float | None
    error_after_mm: float | None
    error_source: str
    overlap: float
    quality: Quality | None = None
    notices: list[str] = field(default_factory=list)

    @property
    def matrix(self) -> np.ndarray:
        """(4, 4), fixed LPS to moving LPS, mm."""
        return self.transform.matrix

    @property
    def verdict(self) -> str:
        """``aligned``, ``check`` or ``failed``."""
        return verdict_or_failed(self.quality)

    def report(self) -> dict[str, Any]:
        """Everything as plain types, for JSON."""
        motion = self.transform.after(self.start.inverse())
        settings = asdict(self.settings)
        settings["start"] = self.start.matrix.tolist()
        return {
            "madreg": __version__,
            "matrix_fixed_to_moving_lps": self.transform.matrix.tolist(),
            "matrix_fixed_to_moving_ras": self.transform.matrix_ras.tolist(),
            "rotation_degrees": motion.rotation_degrees,
            "volume_scale": float(np.linalg.det(motion.linear)),
            "error_before_mm": self.error_before_mm,
            "error_after_mm": self.error_after_mm,
            "error_source": self.error_source,
            "verdict": self.verdict,
            **basis_of_verdict(self.quality),
            "overlap": self.overlap,
            "seconds": self.seconds,
            "device": self.device,
            "settings": settings,
            "stages": [asdict(stage) for stage in self.stages],
            "notices": self.notices,
        }
