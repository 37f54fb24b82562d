"""Products of the blocks of a fixed scan with what lies at every displacement in a moving one.

Both scans are channels on one lattice: :class:`~madreg.quality.block_matching.BlockMatching` has those of edges,
:class:`~madreg.quality.feature_blocks.FeatureBlocks` learned ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..system.parallel import parallel_map

AT_ONCE = 16  # blocks: what they take stays in the cache of a processor
MOST_KEPT = 3000  # blocks whose spectra are kept, 70 kB each


class FixedBlocks:
    """Blocks of fixed channels, under a window each.

    Args:
        channels: (C, k, j, i) fixed ones.
        half, reach: samples from the middle of a block to its end, and of the displacements.
        stride: samples from block to block.

    Attributes:
        energy: (k', j', i') mean square of each block.
    """

    def __init__(self, channels: torch.Tensor, half: int, reach: int, stride: int) -> None:
        self.half, self.reach, self.stride = half, reach, stride
        self.energy = block_means(channels.square().sum(0, keepdim=True), half, stride)[0]
        self.spectra = _FixedSpectra(channels, half, reach, stride)

    def scores(self, moving: torch.Tensor, seen: torch.Tensor, chosen: torch.Tensor, keep: bool) -> torch.Tensor:
        """Normalized cross-correlation (B, n, n, n) of the chosen blocks at every displacement.

        The part of a block that lies where the moving scan has no data does not count: otherwise every block at the
        edge of a slab would prefer its middle.

        Args:
            moving: channels (C, k, j, i) on a lattice that is ``reach`` samples wider on every side, and
            seen: how far the moving scan has data there, from 0 to 1.
            chosen: (B,) flat indices of the blocks.
            keep: whether the same blocks will be asked again.
        """
        around = block_means(torch.stack([moving.square().sum(0), seen]), self.half, 1)  # every sample
        moved_energy, share = _Cubes(around, 2 * self.reach + 1, self.stride).of(chosen)
        energy = self.energy.flatten()[chosen][:, None, None, None]
        faint = 0.05 * self.energy.mean().clamp(min=1e-9)  # where there is next to nothing, nothing agrees
        likely = ((energy * share + faint) * (moved_energy + faint)).sqrt()
        return _products(self.spectra, moving, chosen, self.reach, keep) / likely


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


def block_means(images: torch.Tensor, half: int, stride: int) -> torch.Tensor:
    """Means (C, k', j', i') of (C, k, j, i) under the windows of :func:`_windows` along each axis."""
    along = [_windows(count, half, stride, images.device) for count in images.shape[1:]]
    out = (along[0] @ images.flatten(2)).unflatten(2, images.shape[2:])
    return along[1] @ out @ along[2].T


class _Cubes:
    """Cubes of samples, one a block.

    Args:
        channels: (C, k, j, i).
        size: samples along each side of a cube.
        stride: samples from cube to cube; the first begins where the channels do.
    """

    def __init__(self, channels: torch.Tensor, size: int, stride: int) -> None:
        self.size, self.stride, self.channels = size, stride, channels.contiguous()
        self.shape = torch.Size((count - size) // stride + 1 for count in channels.shape[1:])
        side = torch.arange(size, device=channels.device)
        self._offsets = self._flat(side[:, None, None], side[:, None], side).flatten()

    def of(self, chosen: torch.Tensor) -> torch.Tensor:
        """(C, B, n, n, n) of flat indices (B,)."""
        _, nj, ni = self.shape
        k, j, i = chosen // (nj * ni), chosen // ni % nj, chosen % ni
        first = self._flat(self.stride * k, self.stride * j, self.stride * i)
        where = (first[:, None] + self._offsets).flatten()
        # several times faster than indices into the channels unfolded along each axis
        return self.channels.flatten(1).index_select(1, where).unflatten(1, (len(chosen), *[self.size] * 3))

    def _flat(self, k: torch.Tensor, j: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        _, _, nj, ni = self.channels.shape
        return (k * nj + j) * ni + i


class _FixedSpectra:
    """Spectra of fixed blocks, each computed once: poses are compared by nearly the same blocks.

    Args:
        channels: (C, k, j, i) fixed ones.
        half, reach: samples from the middle of a block to its end, and of the displacements.
        stride: samples from block to block.
    """

    def __init__(self, channels: torch.Tensor, half: int, reach: int, stride: int) -> None:
        self.size, self.stride = 2 * (half + reach) + 1, stride
        window = _window(half, channels.device)
        self.window = window[:, None, None] * window[:, None] * window
        self.blocks = _Cubes(F.pad(channels, [half] * 6), 2 * half + 1, stride)
        count = self.blocks.shape.numel()
        self.known = torch.zeros(count, dtype=torch.bool, device=channels.device)
        self.kept = channels.new_empty(
            count if count <= MOST_KEPT else 0,
            len(channels),
            self.size,
            self.size,
            self.size // 2 + 1,
            dtype=torch.complex64,
        )

    def of(self, chosen: torch.Tensor, keep: bool) -> torch.Tensor:
        """Conjugate spectra (B, C, n, n, n') of blocks (B,); may be asked in several threads.

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

    def _computed(self, chosen: torch.Tensor) -> torch.Tensor:
        values = self.blocks.of(chosen) * self.window
        return _spectra(values, self.size).transpose(0, 1).conj().resolve_conj()


def _spectra(values: torch.Tensor, size: int) -> torch.Tensor:
    """Fourier transforms (..., n, n, n') of cubes (..., m, m, m) with zeros after them, ``size`` samples in all.

    An axis at a time, so that the zeros are not transformed along the first two.
    """
    along_i = torch.fft.rfft(values, size, dim=-1)
    return torch.fft.fft(torch.fft.fft(along_i, size, dim=-2), size, dim=-3)


def _first_values(spectra: torch.Tensor, size: int, count: int) -> torch.Tensor:
    """The first ``count`` values along each axis of inverse transforms of spectra (..., n, n, n')."""
    along_k = torch.fft.ifft(spectra, dim=-3)[..., :count, :, :]
    along_j = torch.fft.ifft(along_k, dim=-2)[..., :count, :]
    return torch.fft.irfft(along_j, size, dim=-1)[..., :count]


def _products(fixed: _FixedSpectra, second: torch.Tensor, chosen: torch.Tensor, reach: int, keep: bool) -> torch.Tensor:
    """Products (B, n, n, n) of fixed blocks with what lies at every displacement, by FFT of each block.

    Args:
        second: channels (C, k, j, i), ``reach`` samples more on every side than the fixed ones.
        chosen: (B,) flat indices of the blocks.
        keep: whether the same blocks will be asked again.
    """
    size, count = fixed.size, 2 * reach + 1
    if not len(chosen):  # FFTs refuse to do nothing
        return second.new_zeros(0, count, count, count)
    moving = _Cubes(F.pad(second, [size // 2 - reach] * 6), size, fixed.stride)

    def products(some: torch.Tensor) -> torch.Tensor:
        of_moving = _spectra(moving.of(some), size)
        product = (fixed.of(some, keep) * of_moving.transpose(0, 1)).sum(1)
        return _first_values(product, size, count)

    return torch.cat(parallel_map(products, chosen.split(AT_ONCE), chosen.device))
