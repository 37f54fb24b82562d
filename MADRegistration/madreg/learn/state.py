"""Where a training stands: the network, its moving average and the optimizer, in a checkpoint from which it goes on."""

from __future__ import annotations

import copy
import io
import math
import time
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from ..errors import InputError, is_memory_error
from ..system.files import bytes_content, write_file
from .cache_folder import without_cache_folder

Model = TypeVar("Model", bound=nn.Module)


def rate_at(progress: float, largest: float) -> float:
    """Learning rate at a share of the run: a rise over 3 % of it, then half a cosine to a hundredth."""
    if progress < 0.03:
        return largest * max(progress / 0.03, 0.02)
    return largest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.03) / 0.97))))


class TrainingState(Generic[Model]):
    """A network in training.

    Args:
        path: the checkpoint; if it exists, its state is taken over.
        model: the network before its first step, on the device of the training.
        rate: learning rate of the optimizer.

    Attributes:
        model: the network that is trained.
        averaged: the moving average of its weights.
        step: optimizer steps done.

    Raises:
        InputError: if the checkpoint is damaged or of another network.
    """

    def __init__(self, path: Path, model: Model, rate: float) -> None:
        self.path = path
        self.model = model
        self.averaged = copy.deepcopy(self.model)
        with without_cache_folder():
            self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=1e-2, betas=(0.9, 0.98))
        self.step, spent = 0, 0.0
        if path.exists():
            try:
                spent = self._load()
            except Exception as error:  # torch raises many kinds for a file that is damaged or holds something else
                if is_memory_error(error):
                    raise
                raise InputError(
                    f"{path} cannot be continued, as it is damaged or of another network: give another --out, or "
                    "remove it to begin again."
                ) from error
        self._began = time.perf_counter() - spent
        self.model.train()

    def _load(self) -> float:
        """Take over the state of the checkpoint; returns the seconds spent."""
        state = torch.load(self.path, map_location=next(self.model.parameters()).device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        return float(state["spent"])

    @property
    def seconds(self) -> float:
        """Spent on the training, also before it was interrupted."""
        return time.perf_counter() - self._began

    def update(self, loss: torch.Tensor, rate: float, decay: float) -> None:
        """Take a step down the gradient of a loss.

        Args:
            rate: learning rate.
            decay: of the moving average, which begins with a shorter memory.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            averages, values = self.averaged.state_dict().values(), self.model.state_dict().values()
            for average, value in zip(averages, values, strict=True):
                if average.is_floating_point():
                    average.lerp_(value, 1 - keep)
                else:
                    average.copy_(value)

    def save(self) -> None:
        """Write the checkpoint."""
        stream = io.BytesIO()
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "step": self.step,
            "spent": self.seconds,
        }
        torch.save(state, stream)
        write_file(self.path, bytes_content(stream.getvalue()))
