"""What a moving scan shows of the surroundings of the fixed one at a pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..image.geometry import Grid
from ..image.gradients import gradient_mask
from ..image.sampling import sample_lattice
from ..image.smoothing import smooth
from ..image.volume import Volume


@dataclass(frozen=True)
class Seen:
    """A moving scan on the lattice of the blocks, which is ``reach`` samples wider on every side.

    Attributes:
        values: (k, j, i) intensities, 0 outside the lattice of the scan.
        there: bool (k, j, i), where it has data.
    """

    values: torch.Tensor
    there: torch.Tensor
    reach: int

    @classmethod
    def at(cls, pose: np.ndarray, moving: Volume, lattice: Grid, reach: int) -> Seen:
        """At a pose (4, 4), lattice LPS to moving LPS, on the wider lattice."""
        values, mask = sample_lattice(moving.data_and_mask, moving.grid, pose, lattice, "zeros")
        return cls(values, mask > 0.5, reach)

    @property
    def there_at_blocks(self) -> torch.Tensor:
        """``there`` on the lattice of the blocks alone."""
        core = slice(self.reach, -self.reach)
        return self.there[core, core, core]

    @property
    def weight(self) -> torch.Tensor:
        """(k, j, i) from 0 to 1: how far its gradients there rest on data."""
        return smooth(gradient_mask(self.there), [0.7] * 3)
