"""What training pairs look like."""

from __future__ import annotations

from dataclasses import dataclass

from .appearance import Appearance


@dataclass(frozen=True)
class PairSettings:
    """What the pairs look like; lengths in mm, angles in degrees.

    Attributes:
        size: voxels along each edge of a crop.
        spacing: mm between them.
        stride: voxels between two labels.
        distance: largest translation between the crops.
        rotation: largest rotation between them.
        near: share of pairs near alignment; any_pose: share of pairs with any orientation.
        upright: share of fixed crops within 30 degrees of the scanner's axes; the others lie anyhow.
        crop: share of images of which a part lies outside the field of view.
        appearance: the random convolutions.
    """

    size: int = 36
    spacing: float = 4.0
    stride: int = 4
    distance: float = 50.0
    rotation: float = 40.0
    near: float = 0.3
    any_pose: float = 0.03
    upright: float = 0.95
    crop: float = 0.2
    appearance: Appearance = Appearance()
