"""Block matching about a pose: how well each part of the fixed scan fits the moving one, displaced this way or that.

The edges of both scans are compared block by block, at every displacement within reach, by the normalised
cross-correlation of trace-free structure tensors (see :mod:`madreg.pose.search`), which does not depend on contrast.
Every block so has a small volume of scores: see :class:`~madreg.quality.blocks.Blocks`.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..image.geometry import Grid, apply
from ..image.gradients import edge_parameter, gradient_mask, world_gradient
from ..image.points import map_points
from ..image.sampling import sample_array
from ..image.smoothing import smooth
from ..image.tensors import trace_free_tensors
from ..image.volume import Volume
from ..system.parallel import parallel_map
from .blocks import SPACING, Blocks, every_third

REACH_MM = 16.0  # of the displacements, to either side along each axis
HALF_MM = 12.0  # from the middle of a block to its end
STRIDE_MM = 16.0  # from block to block
MARGIN_MM = 8.0  # around the fixed foreground
MANY = 300  # blocks, of which a third is enough
AT_ONCE = 64  # blocks, for the memory they take
MOST_KEPT = 3000  # blocks whose spectra are kept, 70 kB each


class BlockMatching:
    """Block matching of a pair of scans, about any pose.

    Args:
        fixed, moving: the pair.
    """

    def __init__(self, fixed: Volume, moving: Volume) -> None:
        self.reach, self.half, self.stride = (round(mm / SPACING) for mm in (REACH_MM, HALF_MM, STRIDE_MM))
        fixed, self.moving = fixed.resampled(SPACING), moving.resampled(SPACING)
        foreground = apply(fixed.grid.matrix, torch.nonzero(fixed.foreground).cpu().numpy()[:, ::-1]) @ fixed.grid.axes
        low, high = foreground.min(0) - MARGIN_MM, foreground.max(0) + MARGIN_MM
        # along the fixed volume's own axes, so that the result does not depend on how both volumes lie in the world
        self.lattice = Grid.covering(low, high, SPACING, fixed.grid.axes)
        points = self.lattice.points(fixed.device)
        values, mask = fixed.sample(points)
        self.tensors = _tensors(values, mask > 0.5, self.lattice)
        inverse = torch.as_tensor(fixed.grid.inverse, dtype=torch.float32, device=fixed.device)
        self.inside = sample_array(fixed.foreground.float()[None], inverse, points, "zeros")
        self.spectra = _FixedSpectra(self.tensors, self.half, self.reach, self.stride)
        self.energy = _block_means(self.tensors.square().sum(0, keepdim=True), self.half, self.stride)[0]
        # a wider lattice, so that what lies just outside can be moved in
        self.wide = self.lattice.widened(self.reach)
        self.wide_points = self.wide.points(fixed.device)
        self._latest: tuple[bytes, Blocks] | None = None  # all blocks about a pose, and the pose

    def about(self, pose: np.ndarray, few: bool = False) -> Blocks:
        """The blocks about a pose.

        Args:
            pose: 4x4, fixed LPS to moving LPS.
            few: whether to use a third of the blocks, evenly spread, where there are many: on tuning pairs their
                consensus is the same to 0.02.
        """
        key = np.asarray(pose, float).tobytes()
        if few and self._latest is not None and self._latest[0] == key:
            blocks = self._latest[1]
            return blocks.thinned() if len(blocks.chosen) > MANY else blocks
        moved = map_points(torch.tensor(pose)[None], self.wide_points.reshape(-1, 3))[0]
        values, mask = self.moving.sample(moved.reshape(self.wide_points.shape))
        there = mask > 0.5
        core = slice(self.reach, -self.reach)
        common = self.inside * there[core, core, core]
        shown = self.energy.sqrt() * _block_means(common, self.half, self.stride)[0]
        speaks = shown > 0.1 * shown.max()
        chosen = torch.nonzero(speaks.flatten())[:, 0]
        if few and len(chosen) > MANY:
            chosen = chosen[every_third(chosen, shown.shape)]
        scores = self._scores(_tensors(values, there, self.wide), smooth(gradient_mask(there), [0.7] * 3), chosen, few)
        scaled = self.lattice.matrix @ np.diag([self.stride, self.stride, self.stride, 1.0])
        nk, nj, ni = shown.shape
        grid = Grid((ni, nj, nk), scaled)
        weight = shown.flatten()[chosen]
        centers = grid.points(weight.device).reshape(-1, 3)[chosen]
        blocks = Blocks(self.reach, grid, chosen, centers, weight / weight.sum(), scores)
        if not few:
            self._latest = key, blocks
        return blocks

    def _scores(self, tensors: torch.Tensor, seen: torch.Tensor, chosen: torch.Tensor, keep: bool) -> torch.Tensor:
        """Scores (B, n, n, n) of the chosen blocks.

        The part of a block that lies where the moving scan has no data does not count: otherwise every block at the
        edge of a slab would prefer its middle.

        Args:
            tensors: moving ones on the wide lattice, and
            seen: how far the moving scan has data there, from 0 to 1.
            keep: whether the same blocks will be asked again.
        """
        count = 2 * self.reach + 1
        around = _block_means(torch.stack([tensors.square().sum(0), seen]), self.half, 1)  # every sample
        for axis in (1, 2, 3):
            around = around.unfold(axis, count, self.stride)
        moved_energy, share = around.flatten(1, 3)[:, chosen]
        energy = self.energy.flatten()[chosen][:, None, None, None]
        faint = 0.05 * self.energy.mean().clamp(min=1e-9)  # where there is next to nothing, nothing agrees
        likely = ((energy * share + faint) * (moved_energy + faint)).sqrt()
        return _agreement(self.spectra, tensors, chosen, self.reach, keep) / likely


def _tensors(values: torch.Tensor, mask: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Trace-free structure tensors (5, k, j, i) of the normalised gradient of values (k, j, i) on a lattice."""
    gradient = world_gradient(smooth(values, [0.7] * 3), grid)
    there = gradient_mask(mask)
    outer = trace_free_tensors(gradient, edge_parameter(gradient, there > 0), there)
    return smooth(outer, [0.7] * 3)


def _window(half: int, device: torch.device) -> torch.Tensor:
    """(2 half + 1,) weights of a Hann window, which sum to 1."""
    window = torch.hann_window(2 * half + 3, periodic=False, device=device)[1:-1]
    return window / window.sum()


def _windows(count: int, half: int, stride: int, device: torch.device) -> torch.Tensor:
    """(blocks, count) weights of a Hann window of ``2 half + 1`` samples about every ``stride``-th of ``count``."""
    window = _window(half, device)
    middles = range(0, count, stride)
    weights = torch.zeros(len(middles), count + 2 * half, device=device)
    for row, middle in enumerate(middles):
        weights[row, middle : middle + 2 * half + 1] = window
    return weights[:, half : half + count]


def _block_means(images: torch.Tensor, half: int, stride: int) -> torch.Tensor:
    """Means (C, k', j', i') of (C, k, j, i) under the windows of :func:`_windows` along each axis."""
    along = [_windows(count, half, stride, images.device) for count in images.shape[1:]]
    out = (along[0] @ images.flatten(2)).unflatten(2, images.shape[2:])
    return along[1] @ out @ along[2].T


class _FixedSpectra:
    """Spectra of fixed blocks, each computed once: poses are compared by nearly the same blocks.

    Args:
        tensors: (5, k, j, i) fixed ones.
        half, reach: samples from the middle of a block to its end, and of the displacements.
        stride: samples from block to block.
    """

    def __init__(self, tensors: torch.Tensor, half: int, reach: int, stride: int) -> None:
        self.size, self.stride = 2 * (half + reach) + 1, stride
        window = _window(half, tensors.device)
        self.window = window[:, None, None] * window[:, None] * window
        self.blocks = F.pad(tensors, [half] * 6)
        for axis in (1, 2, 3):
            self.blocks = self.blocks.unfold(axis, 2 * half + 1, stride)
        self.shape = self.blocks.shape[1:4]
        count = self.shape.numel()
        self.known = torch.zeros(count, dtype=torch.bool, device=tensors.device)
        self.kept = tensors.new_empty(
            count if count <= MOST_KEPT else 0, 5, self.size, self.size, self.size // 2 + 1, dtype=torch.complex64
        )

    def of(self, chosen: torch.Tensor, keep: bool) -> torch.Tensor:
        """Conjugate spectra (B, 5, n, n, n') of blocks (B,); may be asked in several threads.

        Args:
            keep: whether they are likely to be asked again.
        """
        if not keep or not len(self.kept):
            return self._computed(chosen)
        missing = chosen[~self.known[chosen]]
        if len(missing):
            self.kept[missing] = self._computed(missing)
            self.known[missing] = True
        return self.kept.index_select(0, chosen)

    def place(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Indices k, j, i of blocks (B,)."""
        _, nj, ni = self.shape
        return chosen // (nj * ni), chosen // ni % nj, chosen % ni

    def _computed(self, chosen: torch.Tensor) -> torch.Tensor:
        k, j, i = self.place(chosen)
        values = self.blocks[:, k, j, i] * self.window
        return torch.fft.rfftn(values, s=(self.size,) * 3, dim=(2, 3, 4)).transpose(0, 1).conj().resolve_conj()


def _agreement(
    fixed: _FixedSpectra, second: torch.Tensor, chosen: torch.Tensor, reach: int, keep: bool
) -> torch.Tensor:
    """Products (B, n, n, n) of fixed blocks with what lies at every displacement, by FFT of each block.

    Args:
        second: moving tensors (5, k, j, i), ``reach`` samples more on every side than the fixed ones.
        chosen: (B,) flat indices of the blocks.
        keep: whether the same blocks will be asked again.
    """
    size, count = fixed.size, 2 * reach + 1
    if not len(chosen):  # FFTs refuse to do nothing
        return second.new_zeros(0, count, count, count)
    half, stride = size // 2 - reach, fixed.stride
    moving = F.pad(second, [half] * 6)
    for axis in (1, 2, 3):
        moving = moving.unfold(axis, size, stride)

    def products(some: torch.Tensor) -> torch.Tensor:
        k, j, i = fixed.place(some)
        of_moving = torch.fft.rfftn(moving[:, k, j, i], dim=(2, 3, 4))
        product = (fixed.of(some, keep) * of_moving.transpose(0, 1)).sum(1)
        return torch.fft.irfftn(product, s=(size,) * 3, dim=(1, 2, 3))[:, :count, :count, :count]

    return torch.cat(parallel_map(products, chosen.split(AT_ONCE), chosen.device))
