"""The classical answer to unlike intensities: match the histograms, then compare intensity by intensity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch

from madreg.image.points import map_points, sample_points
from madreg.image.volume import Volume


def with_histogram_of(moving: Volume, fixed: Volume) -> Volume:
    """The moving volume with its intensities mapped, in their order, to those of the fixed one.

    Source: Nyul, Udupa and Zhang 2000, as ``itk::HistogramMatchingImageFilter``, with ITK's usual 15 match points
    above the mean.
    """
    images = [sitk.GetImageFromArray(volume.data.cpu().numpy()) for volume in (moving, fixed)]
    matched = sitk.GetArrayFromImage(sitk.HistogramMatching(*images, 256, 15, True))
    return replace(moving, data=torch.as_tensor(matched.astype(np.float32), device=moving.device))


class MatchedSSD:
    """Mean squared difference over the common field of view, after histogram matching.

    Args:
        fixed, moving: the pair.
        samples: how many fixed points to draw.
        seed: of the draw.
    """

    name = "histogram matching + SSD"

    def __init__(self, fixed: Volume, moving: Volume, samples: int = 30_000, seed: int = 0) -> None:
        self.moving = with_histogram_of(moving, fixed)
        self.points = sample_points(fixed, samples, seed)
        self.fixed_values = fixed.sample(self.points)[0]

    def __call__(self, matrices: torch.Tensor) -> torch.Tensor:
        values, inside = self.moving.sample(map_points(matrices, self.points))
        square = (values - self.fixed_values).square() * inside
        return square.sum(-1) / inside.sum(-1).clamp(min=1)
