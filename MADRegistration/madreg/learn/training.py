"""Training: pairs in, a network that predicts distances out; resumable, seeded and logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..network.models import DistanceNetwork, build, placed
from ..network.settings import DistanceSettings, SiameseSettings, plain
from .log import TrainingLog
from .losses import losses
from .pairs import PairSampler, PairSettings, crop_points
from .scans import Scan
from .state import TrainingState, rate_at
from .training_settings import TrainingSettings
from .validation import figures, validate

LOGGED = 25  # steps from one row of the log to the next


class _Pairs(torch.utils.data.Dataset):
    """Batch ``n`` of a run: the same whenever and wherever it is drawn."""

    def __init__(self, sampler: PairSampler, settings: TrainingSettings, start: int) -> None:
        self.sampler, self.settings, self.start = sampler, settings, start

    def __len__(self) -> int:
        return self.settings.steps - self.start

    def __getitem__(self, item: int) -> dict[str, torch.Tensor]:
        began = time.perf_counter()
        step = self.start + item
        growth = min(1.0, step / max(1.0, self.settings.growth * self.settings.steps))
        pairs = [self.sampler.pair(step * self.settings.batch + n, growth) for n in range(self.settings.batch)]
        batch = {key: torch.stack([pair[key] for pair in pairs]) for key in pairs[0]}
        batch["seconds"] = torch.tensor(time.perf_counter() - began)
        return batch


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)


def train(
    scans: Sequence[Sequence[Scan]],
    out: Path,
    network: DistanceSettings | None = None,
    pairs: PairSettings | None = None,
    settings: TrainingSettings | None = None,
    validation: Mapping[str, Sequence[dict[str, torch.Tensor]]] | None = None,
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
    until: int | None = None,
) -> DistanceNetwork:
    """Train a network, or go on with the training that ``out`` holds.

    Args:
        scans: groups of scans; each group is drawn equally often.
        out: folder for ``checkpoint.pt``, ``log.csv`` and the plots.
        network, pairs, settings: what and how.
        validation: by name, pairs of held-out subjects.
        device: torch device.
        say: called with one line at each entry of the log.
        until: stop at this step, as if interrupted.

    Returns:
        The network with averaged weights, in eval mode.
    """
    network, pairs = network or SiameseSettings(), pairs or PairSettings()
    settings, validation = settings or TrainingSettings(), validation or {}
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    state = TrainingState(out / "checkpoint.pt", placed(build(network), device), settings.rate)
    points = crop_points(pairs.size, pairs.spacing).to(device)
    log = TrainingLog(out / "log.csv", list(validation), state.step)
    (out / "settings.json").write_text(
        json.dumps({"network": plain(network), "pairs": asdict(pairs), "training": asdict(settings)}, indent=1)
    )
    batches = _batches(PairSampler(scans, pairs, settings.seed), settings, state.step)
    while not _is_over(state, settings, until):
        progress = _progress(state, settings)
        batch = {key: value.to(device) for key, value in next(batches).items()}
        started = time.perf_counter()
        # on crops whose coarsest level is smaller than a kernel, oneDNN's bfloat16 gradients hold uninitialised memory
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=pairs.size >= 24):
            loss, error, matching = losses(state.model, batch, points, settings)
        state.update(loss, rate_at(progress, settings.rate), settings.average)
        log.add(float(error), float(matching), float(batch["seconds"]), time.perf_counter() - started)
        is_last = state.step == settings.steps
        if state.step % LOGGED == 0 or is_last:
            row = _row(state, log, settings, progress)
            if state.step % settings.validate_every == 0 or is_last:
                row |= _validated(state.averaged, validation, points, settings)
                state.save()
            log.write(row)
            if say:
                left = state.seconds * (1 - progress) / max(progress, 1e-6)
                say(" ".join(f"{key}={value}" for key, value in row.items()) + f" left={left / 60:.1f} min")
    state.save()
    return state.averaged.eval()


def _batches(sampler: PairSampler, settings: TrainingSettings, start: int) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of a training from a step on."""
    return iter(
        torch.utils.data.DataLoader(
            _Pairs(sampler, settings, start),
            batch_size=None,
            num_workers=settings.workers,
            worker_init_fn=_one_thread,
            prefetch_factor=4 if settings.workers else None,
        )
    )


def _is_over(state: TrainingState[DistanceNetwork], settings: TrainingSettings, until: int | None) -> bool:
    """Whether all steps are done, up to ``until``, or the time is over."""
    last = settings.steps if until is None else min(until, settings.steps)
    return state.step >= last or bool(settings.minutes and state.seconds > 60 * settings.minutes)


def _progress(state: TrainingState[DistanceNetwork], settings: TrainingSettings) -> float:
    """Share of the training that is done, of its steps or, if more, of its time."""
    share = state.step / settings.steps
    return max(share, state.seconds / (60 * settings.minutes)) if settings.minutes else share


def _row(
    state: TrainingState[DistanceNetwork], log: TrainingLog, settings: TrainingSettings, progress: float
) -> dict[str, Any]:
    """A row of the log, without validation.

    Args:
        progress: share of the training that was done before the last step.
    """
    return {
        "step": state.step,
        "pairs": state.step * settings.batch,
        "seconds": round(state.seconds, 1),
        "rate": f"{rate_at(progress, settings.rate):.2e}",
        **log.means(settings.batch),
    }


def _validated(
    network: DistanceNetwork,
    validation: Mapping[str, Sequence[dict[str, torch.Tensor]]],
    points: torch.Tensor,
    settings: TrainingSettings,
) -> dict[str, float]:
    """Figures of validation for the log."""
    found = {}
    for name, pairs in validation.items():
        truth, predicted, _ = validate(network, pairs, points, settings.sampling)
        result = figures(truth, predicted)
        found[f"mae {name}"], found[f"spearman {name}"] = result["mae"], result["spearman"]
    return found
