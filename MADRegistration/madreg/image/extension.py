"""What a scan would show where it has no data, if it went on as it ends."""

from __future__ import annotations

from dataclasses import replace

import torch

from .morphology import erode
from .volume import Volume


def extended(volume: Volume) -> Volume:
    """The volume with the intensity of the nearest data along an axis wherever it has none.

    So it has no edge at the end of its data, as it has none at the end of its lattice, where the last voxels are
    repeated.  The last voxels with data are replaced too: what is beyond was smoothed into them.  The mask stays.
    """
    if bool(volume.mask.all()):
        return volume
    data, known = volume.data, erode(volume.mask, [1, 1, 1])
    if not bool(known.any()):
        return volume
    for axis in (2, 1, 0):  # i, j, k; each fills the lines on which there is data by then
        data, known = _filled(data, known, axis)
    return replace(volume, data=data)


def _filled(data: torch.Tensor, known: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values (k, j, i) of the nearest known voxel on each line along an axis, and which lines have one."""
    count = data.shape[axis]
    # cummax of int64 takes three times as long
    place = torch.arange(count, dtype=torch.int32, device=data.device).view([-1 if a == axis else 1 for a in range(3)])
    before = torch.where(known, place, -count).cummax(axis).values
    after = -torch.where(known, -place, -2 * count).flip(axis).cummax(axis).values.flip(axis)
    nearest = torch.where(place - before <= after - place, before, after)
    return data.gather(axis, nearest.clamp(0, count - 1).long()), known.any(axis, keepdim=True).expand_as(known)
