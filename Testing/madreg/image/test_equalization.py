"""Equalized volumes: equally frequent intensities, in the order of the former ones."""

from dataclasses import replace

import numpy as np
import torch

from madreg.image.equalization import equalized


def test_every_share_of_the_foreground_is_as_frequent(grid_of, make_volume, head):
    volume = make_volume(head.ct, grid_of("oblique"), np.eye(4))
    noisy = replace(volume, data=volume.data + 0.02 * torch.rand(volume.data.shape))
    inside = noisy.mask & noisy.foreground
    found = equalized(noisy).data[inside]
    counts = torch.histc(found, 10, 0, 1) / len(found)
    assert counts.min() > 0.09 and counts.max() < 0.11
    order = noisy.data[inside].argsort()
    assert (found[order].diff() >= 0).all()


def test_an_increasing_function_changes_nothing(grid_of, make_volume, head):
    volume = make_volume(head.mr, grid_of("oblique"), np.eye(4))
    changed = replace(volume, data=volume.data**2 / 3)
    object.__setattr__(changed, "_foreground", volume._foreground)
    assert torch.allclose(equalized(volume).data, equalized(changed).data, atol=2e-3)


def test_where_there_is_no_data_there_is_none(grid_of, make_volume, head):
    volume = make_volume(head.mr, grid_of("oblique"), np.eye(4))
    mask = volume.mask.clone()
    mask[:3] = False
    found = equalized(replace(volume, mask=mask))
    assert not found.data[:3].any() and torch.equal(found.mask, mask)
