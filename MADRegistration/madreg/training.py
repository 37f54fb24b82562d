"""Train a distance network on a folder of mono-modal scans."""

from __future__ import annotations

import copy
import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .network import UNIT_MM, DistanceNetwork, NetworkSettings
from .pairs import PairSampler, PairSettings, Scan, displacements

FARTHEST_MM = 80.0  # labels end here: further off is "far", whatever the number
BINS_MM = np.arange(0, 65, 5)


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes:
        steps, batch: number of updates, pairs in each.
        rate: highest learning rate (AdamW, one cycle).
        curriculum: share of the steps over which distances and rotations grow to their full range.
        match_weight: weight of the matching loss (siamese form only; the published form has the MSE alone).
        average: decay of the running average of the weights, which is what is validated and shipped.
        patches: train as published, on one label a patch: the middle of the crop.
        seed: of everything random.
        every: steps between two validations and checkpoints.
    """

    steps: int = 10_000
    batch: int = 8
    rate: float = 2e-3
    curriculum: float = 0.25
    match_weight: float = 0.2
    average: float = 0.998
    patches: bool = False
    seed: int = 0
    every: int = 250


def collate(pairs: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Stack pairs to a batch."""
    return {key: torch.stack([pair[key] for pair in pairs]) for key in pairs[0]}


def true_distances(batch: dict[str, torch.Tensor], sampler: PairSampler) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels (B, k', j', i') in mm, and where the fixed position lands in the moving crop (B, k', j', i', 3) mm."""
    s = sampler.settings.stride
    points = sampler.points[::s, ::s, ::s]
    vectors = displacements(batch["transform"], points)
    return vectors.norm(dim=-1).clamp(max=FARTHEST_MM), points + vectors


def match_loss(logits: torch.Tensor, landing: torch.Tensor, batch: dict[str, torch.Tensor],
               settings: PairSettings) -> torch.Tensor:
    """Cross-entropy of the matches with the true ones (InfoNCE over the positions of the moving crop)."""
    step = settings.stride * settings.spacing
    side = settings.size // settings.stride
    index = (landing / step + side // 2).round().long()
    valid = ((index >= 0) & (index < side)).all(-1) & (batch["weight"] > 0)
    index = index.clamp(0, side - 1)
    flat = ((index[..., 2] * side + index[..., 1]) * side + index[..., 0]).flatten(1)
    seen = F.avg_pool3d(batch["visible"], 7, 1, 3)[:, 0, :: settings.stride, :: settings.stride, :: settings.stride]
    valid = valid.flatten(1) & (seen.flatten(1).gather(1, flat) > 0.15)
    if not valid.any():
        return logits.sum() * 0
    return F.cross_entropy(logits.float()[valid], flat[valid])


class Trainer:
    """A training that can be stopped and resumed at any checkpoint, with the same result.

    Args:
        scans: groups of scans to train on, each group drawn equally often.
        held_out: groups of scans to validate on.
        folder: checkpoints, ``log.csv`` and plots go here.
    """

    def __init__(self, scans: Sequence[Sequence[Scan]], held_out: Sequence[Sequence[Scan]], folder: Path,
                 network: NetworkSettings, pairs: PairSettings, settings: TrainSettings,
                 device: torch.device | str = "cpu") -> None:
        self.folder, self.settings, self.device = folder, settings, torch.device(device)
        self.sampler = PairSampler(scans, pairs, settings.seed)
        self.validation = PairSampler(held_out, pairs, settings.seed + 1)
        torch.manual_seed(settings.seed)
        self.network = DistanceNetwork(network).to(self.device, memory_format=torch.channels_last_3d)
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=settings.rate, weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.rate, total_steps=settings.steps, pct_start=0.1
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self.resume()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "schedule": self.schedule.state_dict(), "step": self.step,
            "config": self.network.plain(),
        }  # fmt: skip
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def resume(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]

    def train(self, tell: Callable[[dict], None] = lambda row: None, until: int | None = None) -> None:
        """Train to the end, or to step ``until``; ``tell`` gets a row of figures at every validation."""
        losses: list[float] = []
        sampling = learning = 0.0
        last = self.settings.steps if until is None else min(until, self.settings.steps)
        began, first = time.perf_counter(), self.step
        while self.step < last:
            clock = time.perf_counter()
            growth = min(1.0, self.step / max(1.0, self.settings.curriculum * self.settings.steps))
            start = self.step * self.settings.batch
            batch = collate([self.sampler.pair(start + n, growth) for n in range(self.settings.batch)])
            sampling += time.perf_counter() - clock
            clock = time.perf_counter()
            losses.append(self.update(batch))
            learning += time.perf_counter() - clock
            if self.step % self.settings.every == 0 or self.step == last:
                done = self.step - first
                row = {
                    "step": self.step, "loss": float(np.mean(losses)), **self.validate(64).summary(),
                    "sampler_pairs_per_s": len(losses) * self.settings.batch / sampling,
                    "network_pairs_per_s": len(losses) * self.settings.batch / learning,
                    "minutes_left": (time.perf_counter() - began) / done * (self.settings.steps - self.step) / 60,
                }  # fmt: skip
                losses, sampling, learning = [], 0.0, 0.0
                self._log(row)
                self.save()
                tell(row)

    def update(self, batch: dict[str, torch.Tensor]) -> float:
        """One step of gradient descent; the loss (mean squared error in units of 20 mm, plus matching)."""
        labels, landing = true_distances(batch, self.sampler)
        weight = batch["weight"]
        if self.settings.patches:
            middle = labels.shape[1] // 2
            alone = torch.zeros_like(weight)
            alone[:, middle, middle, middle] = 1.0
            weight = alone
        pair = torch.cat([batch["fixed"], batch["moving"]], 1).to(self.device, memory_format=torch.channels_last_3d)
        labels, weight = labels.to(self.device), weight.to(self.device)
        self.network.train()
        # bfloat16 needs no loss scaling and, where the processor has it, is twice as fast on the CPU too
        with torch.autocast(self.device.type, torch.bfloat16):
            predicted, logits = self.network.forward_with_matches(pair)
        error = ((predicted[:, 0].float() - labels) / UNIT_MM).square()
        loss = (error * weight).sum() / weight.sum().clamp(min=1)
        if logits is not None and self.settings.match_weight:
            batch = {key: value.to(self.device) for key, value in batch.items()}
            loss = loss + self.settings.match_weight * match_loss(logits, landing.to(self.device), batch,
                                                                  self.sampler.settings)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.settings.average, self.step / (self.step + 10))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    @torch.no_grad()
    def validate(self, count: int) -> Predictions:
        """Predicted and true distances on ``count`` pairs of the held-out scans, full range."""
        predicted, true = [], []
        for begin in range(0, count, self.settings.batch):
            pairs = [self.validation.pair(n) for n in range(begin, min(count, begin + self.settings.batch))]
            batch = collate(pairs)
            labels, _ = true_distances(batch, self.validation)
            pair = torch.cat([batch["fixed"], batch["moving"]], 1).to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16):
                distances = self.average(pair)[:, 0].float().cpu()
            counts = batch["weight"] > 0
            predicted.append(distances[counts])
            true.append(labels[counts])
        return Predictions(torch.cat(predicted).numpy(), torch.cat(true).numpy())

    def _log(self, row: dict) -> None:
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def describe(self) -> dict:
        """Settings as plain types, for the model card."""
        plain = {"train": asdict(self.settings), "pairs": asdict(self.sampler.settings),
                 "network": self.network.plain()}
        return json.loads(json.dumps(plain))


@dataclass(frozen=True)
class Predictions:
    """Predicted and true distances (n,) in mm."""

    predicted: np.ndarray
    true: np.ndarray

    def summary(self) -> dict[str, float]:
        """Mean absolute error in mm and Pearson's correlation."""
        return {
            "mae_mm": float(np.abs(self.predicted - self.true).mean()),
            "correlation": float(np.corrcoef(self.predicted, self.true)[0, 1]),
        }

    def by_bin(self) -> list[dict[str, float]]:
        """Mean absolute error in mm, mean prediction and number of labels per 5 mm of true distance, 0 to 60 mm."""
        rows = []
        for low, high in zip(BINS_MM[:-1], BINS_MM[1:], strict=True):
            here = (self.true >= low) & (self.true < high)
            if here.any():
                error = np.abs(self.predicted[here] - self.true[here])
                rows.append({"from_mm": int(low), "to_mm": int(high), "labels": int(here.sum()),
                             "mae_mm": float(error.mean()), "mean_predicted_mm": float(self.predicted[here].mean())})
        return rows
