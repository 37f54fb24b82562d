"""What the user may choose of a registration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .descent.parameters import DEGREES_OF_FREEDOM
from .errors import InputError
from .measures import MEASURES

INITS = ("given", "geometry", "mass", "search")


@dataclass(frozen=True)
class Settings:
    """What the user may choose.

    Attributes:
        type: ``rigid``, ``similarity`` or ``affine``.
        measure: ``default`` (the pipeline), or ``mad``, ``nmi``, ``ngf`` alone at one resolution.
        init: ``given`` (where the volumes are, or ``start``), ``geometry`` or ``mass`` (centres are aligned), or
            ``search`` (every pose).
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        seed: of everything random.
        start: 4x4, fixed LPS to moving LPS, for ``given``; the identity if None.
        weights: ``.pt`` file of the MAD network, from ``madreg train``; the bundled one if None.
    """

    type: str = "rigid"
    measure: str = "default"
    init: str = "search"
    device: str = "auto"
    seed: int = 0
    start: np.ndarray | None = None
    weights: str | None = None

    def check(self) -> None:
        """Raise InputError for a value that does not exist."""
        for name, value, known in (
            ("transform type", self.type, tuple(DEGREES_OF_FREEDOM)),
            ("measure", self.measure, ("default", *MEASURES)),
            ("initialisation", self.init, INITS),
        ):
            if value not in known:
                raise InputError(f'There is no {name} "{value}": choose one of {", ".join(known)}.')
