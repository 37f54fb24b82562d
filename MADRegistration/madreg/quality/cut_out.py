"""Whether one scan shows only what was cut out of what the other shows, such as a brain without its skull.

Its outline is then no anatomy: it fits the inside of the skull, and, scaled, its outside or the skin as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..image.foreground import BACKGROUND, tissue
from ..image.geometry import apply
from ..image.morphology import dilate
from ..image.pair import Pair
from ..image.volume import Volume

SPACING = 4.0  # mm
NOTHING = 1e-5  # normalized intensity; noise of air is above on average
LEAST_NOTHING = 0.1  # of the voxels
SHELL = 3  # samples around the tissue, less than skull and scalp are thick
FEWEST = 30  # samples of the shell in one direction
DIRECTIONS = 4  # of eight, in which the other scan has data at least
BESIDE = 0.25  # of the shell that is tissue in the other scan


def cut_out_of_other(pair: Pair, pose: np.ndarray, evenly_bright: bool = False) -> str | None:
    """Which scan shows only what was cut out of what the other shows: ``fixed``, ``moving`` or None.

    Tissue of the other scan then lies all around its own, where it holds nothing, not even noise.

    Args:
        pose: (4, 4), fixed LPS to moving LPS; with a wrong stretch a head may lie within another one.
        evenly_bright: whether the other scan is flattened first, as tissue far from a coil may be dark.  Noise of a
            diffusion image then looks like tissue, too.
    """
    fixed, moving = pair.level(SPACING)
    others = [volume.resampled(SPACING) for volume in pair.flattened] if evenly_bright else [fixed, moving]
    if _surrounded(fixed, others[1], pose) > BESIDE:
        return "fixed"
    return "moving" if _surrounded(moving, others[0], np.linalg.inv(pose)) > BESIDE else None


def without_outline(pair: Pair) -> Pair:
    """The pair with no data where a scan is empty, so that what was cut out has no outline; made once."""

    def shown(volume: Volume) -> Volume:
        return replace(volume, mask=volume.mask & ~_empty(volume)) if _leaves_empty(volume) else volume

    def make() -> Pair:
        made = Pair(shown(pair.fixed), shown(pair.moving), pair.seed)
        made.points = pair.points  # what is measured over them means the same
        return made

    return pair.once("without outline", make)


def leaves_empty(pair: Pair) -> bool:
    """Whether a scan holds nothing, not even noise, in a good part of its field of view: :func:`without_outline`."""
    return _leaves_empty(pair.fixed) or _leaves_empty(pair.moving)


def _empty(volume: Volume) -> torch.Tensor:
    """bool (k, j, i): where a scan holds nothing, not even noise."""
    return (volume.data < NOTHING) & volume.mask


def _leaves_empty(volume: Volume) -> bool:
    empty, known = float(_empty(volume).sum()), float(volume.mask.sum())
    return LEAST_NOTHING * known <= empty < known


def _surrounded(scan: Volume, other: Volume, pose: np.ndarray) -> float:
    """Share of the empty shell around the tissue of a scan that is tissue in the other one, where that is least.

    Args:
        pose: (4, 4), from the scan to the other one.
    """
    if not _leaves_empty(scan):
        return 0.0
    inside = tissue(scan.data, scan.grid.spacing)
    if not inside.any():
        return 0.0
    shell = torch.nonzero(dilate(inside, [SHELL] * 3) & _empty(scan)).flip(1).cpu().numpy()
    middle = torch.nonzero(inside).flip(1).cpu().double().numpy().mean(0)
    octant = (shell > middle) @ np.array([1, 2, 4])
    there = torch.as_tensor(apply(pose, apply(scan.grid.matrix, shell)), dtype=torch.float32, device=other.device)
    values, known = (one.cpu().numpy() for one in other.sample(there))
    shares = [
        float((values[some] > BACKGROUND).mean())
        for some in ((octant == number) & (known > 0.5) for number in range(8))
        if some.sum() >= FEWEST
    ]
    return min(shares) if len(shares) >= DIRECTIONS else 0.0
