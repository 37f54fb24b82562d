"""Random numbers of a training step: the same whenever that step is drawn on one kind of device."""

from __future__ import annotations

import torch


class Draw:
    """Random tensors for ``count`` samples.

    Small parameters are drawn on the processor, so that they are the same everywhere; noise is drawn on the device.

    Args:
        seed: of everything.
        count: samples, the first axis of all that is drawn.
        device: where the tensors are to lie.
    """

    def __init__(self, seed: int, count: int, device: torch.device | str = "cpu") -> None:
        self.count, self.device = count, torch.device(device)
        self._small = torch.Generator().manual_seed(seed)
        self._large = torch.Generator(self.device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """(count, *shape), uniform."""
        return (low + (high - low) * torch.rand(self.count, *shape, generator=self._small)).to(self.device)

    def normal(self, *shape: int) -> torch.Tensor:
        """(count, *shape), normal with deviation 1."""
        return torch.randn(self.count, *shape, generator=self._small).to(self.device)

    def chance(self, probability: float, *shape: int) -> torch.Tensor:
        """(count, *shape) bool, true with a probability."""
        return self.uniform(0, 1, *shape) < probability

    def integers(self, high: int, *shape: int) -> torch.Tensor:
        """(count, *shape) int64 from 0 to ``high - 1``."""
        return torch.randint(high, (self.count, *shape), generator=self._small).to(self.device)

    def one(self, high: int) -> int:
        """One number from 0 to ``high - 1`` for all samples."""
        return int(torch.randint(high, (1,), generator=self._small))

    def order(self, count: int) -> torch.Tensor:
        """(count,) int64: a permutation, on the processor."""
        return torch.randperm(count, generator=self._small)

    def noise(self, *shape: int) -> torch.Tensor:
        """(count, *shape), normal with deviation 1, for images."""
        return torch.randn(self.count, *shape, generator=self._large, device=self.device)


def per_image(parameters: torch.Tensor) -> torch.Tensor:
    """Parameters (B,) shaped (B, 1, 1, 1, 1), to act on images."""
    return parameters.reshape(-1, 1, 1, 1, 1)
