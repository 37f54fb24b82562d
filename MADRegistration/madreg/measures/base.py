"""What every image distance has in common: an object made for one pair, called with transforms, lower is better."""

from __future__ import annotations

from typing import Protocol

import torch


class Measure(Protocol):
    """A differentiable distance between a fixed and a moving volume.

    Calling it with (B, 4, 4) float64 matrices, fixed LPS to moving LPS in mm, gives (B,) values to be minimized.
    """

    name: str

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor: ...
