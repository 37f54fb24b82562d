"""Training of what corrects linear features (:mod:`madreg.network.context`): resumable, seeded, logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..network.features import FeatureNetwork
from ..network.models import placed
from ..network.settings import FeatureSettings
from .contrast import Sharpness, contrast
from .state import TrainingState, rate_at
from .views import ViewSampler

LOGGED = 100  # steps from one line of the log to the next
FEWEST = 20  # points of a batch that are worth a step


@dataclass(frozen=True)
class ContextSettings:
    """How to train.

    Attributes:
        minutes: of training, all runs together; the learning rate is fitted to it.
        batch: bodies a step.
        rate: largest learning rate.
        average: decay of the moving average of the weights, which is what is kept.
        widths: of the network, see :class:`~madreg.network.settings.FeatureSettings`.
        seed: of weights and views.
        save_every: seconds between two checkpoints.
    """

    minutes: float
    batch: int = 1
    rate: float = 2e-3
    average: float = 0.998
    widths: tuple[int, ...] = (24, 32, 48, 48)
    seed: int = 0
    save_every: float = 120.0


class Learner(nn.Module):
    """What is trained: the network, and how sharply its features compete."""

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network
        self.sharpness = Sharpness(len(network.levels))


def with_context(linear: FeatureNetwork, settings: ContextSettings, device: torch.device) -> FeatureNetwork:
    """A network whose features are, before training, those of a linear one."""
    torch.manual_seed(settings.seed)
    shape = linear.settings
    network = FeatureNetwork(FeatureSettings(shape.levels, shape.spacing, settings.widths))
    network.load_state_dict(linear.state_dict(), strict=False)
    return placed(network, device)


def train_context(
    linear: FeatureNetwork,
    sampler: ViewSampler,
    out: Path,
    settings: ContextSettings,
    say: Callable[[str], None] | None = None,
    until: int | None = None,
) -> FeatureNetwork:
    """Train the correction of linear features, or go on with the training that ``out`` holds.

    Args:
        linear: the linear network.
        out: folder for ``context.pt``, the checkpoint.
        say: called with a line every 100 steps.
        until: stop at this step, as if interrupted.

    Returns:
        The network with averaged weights, in eval mode.
    """
    learner = Learner(with_context(linear, settings, sampler.device))
    state = TrainingState(out / "context.pt", learner, settings.rate)
    is_half = knows_bfloat16(sampler.device)
    saved, losses, count = time.perf_counter(), torch.zeros(len(linear.levels)), 0
    while state.seconds < 60 * settings.minutes and (until is None or state.step < until):
        views = sampler.batch(state.step, settings.batch)
        if int(views.valid.sum()) < FEWEST:
            state.step += 1
            continue
        found = contrast(learner.network, learner.sharpness, views, is_half)
        state.update(found.sum(), rate_at(state.seconds / (60 * settings.minutes), settings.rate), settings.average)
        losses, count = losses + found.detach().cpu(), count + 1
        if say and state.step % LOGGED == 0:
            shown = ", ".join(f"{value:.3f}" for value in losses / count)
            say(f"step={state.step} minutes={state.seconds / 60:.1f} cross-entropy by level: {shown}")
            losses, count = torch.zeros_like(losses), 0
        if time.perf_counter() - saved > settings.save_every:
            state.save()
            saved = time.perf_counter()
    state.save()
    return state.averaged.network.eval().requires_grad_(False)


def knows_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself.

    A processor that does takes 0.4 of the time so; on others torch convolves by a method that takes five times as long.
    """
    if device.type == "cpu":
        return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
