"""Scans whose background was set to exactly nothing, such as a brain without its skull.

Their outline is where the mask ended, which need not be anatomy: in a scan of the whole head the nearest edge is the
inside of the skull, a few mm away, and agrees with it well.
"""

from __future__ import annotations

from dataclasses import replace

from .volume import Volume

LEAST_OUTSIDE = 0.02  # of the data; less background says nothing
ALL = 0.9  # of the background; of noise, clamped at 0, half is


def is_cut_out(volume: Volume) -> bool:
    """Whether all that is no foreground is exactly 0."""
    outside = volume.mask & ~volume.foreground
    if outside.sum() < LEAST_OUTSIDE * volume.mask.sum():
        return False
    return float((volume.data[outside] == 0).float().mean()) > ALL


def without_background(volume: Volume) -> Volume:
    """The volume with no data where it is exactly 0."""
    return replace(volume, mask=volume.mask & (volume.data != 0), source=None)
