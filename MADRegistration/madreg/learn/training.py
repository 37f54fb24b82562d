"""Training: pairs in, a network that predicts distances out; resumable, seeded, logged and plotted."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..network.models import DistanceNetwork, build, placed
from ..network.settings import STRIDE, UNIT_MM, DistanceSettings, SiameseSettings, plain
from ..network.siamese import SiameseNetwork
from .log import TrainingLog
from .pairs import PairSampler, PairSettings, Scan, crop_points, displacements
from .state import TrainingState, rate_at

AT_ONCE = 4  # pairs, for the memory they take
CLAIMED, BIN = 60.0, 5.0  # mm; distances for which figures are given, and width of their bins
FARTHEST = 80.0  # mm; a label beyond this is as far as a crop of this size shows
LOGGED = 25  # steps from one row of the log to the next


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        steps: optimizer steps; ``minutes``: stop earlier, with the schedule fitted to that time (0: no limit).
        batch: pairs a step.
        rate: largest learning rate.
        matching: weight of the matching loss beside the squared error (siamese only).
        sampling: ``dense`` learns from the whole map of a crop, ``patches`` from a crop's mean alone, as published.
        growth: share of the run over which distances and rotations grow to their full range.
        average: decay of the moving average of the weights that is validated and kept.
        seed: of weights and pairs.
        workers: processes that draw pairs (0: in line).
        validate_every: steps between validations and checkpoints.
    """

    steps: int = 5000
    minutes: float = 0.0
    batch: int = 4
    rate: float = 2e-3
    matching: float = 0.6
    sampling: str = "dense"
    growth: float = 0.25
    average: float = 0.998
    seed: int = 0
    workers: int = 1
    validate_every: int = 250


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


def labels_of(batch: dict[str, torch.Tensor], points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacements (B, k', j', i', 3) and distances (B, k', j', i') in mm at a crop's labelled points."""
    vectors = displacements(batch["transform"], points[::STRIDE, ::STRIDE, ::STRIDE])
    return vectors, vectors.norm(dim=-1)


def matching_loss(
    posterior: torch.Tensor, vectors: torch.Tensor, batch: dict[str, torch.Tensor], points: torch.Tensor, spacing: float
) -> torch.Tensor:
    """Cross-entropy between the posterior (B, P, V) and the eight moving voxels around the true match."""
    targets = points[::STRIDE, ::STRIDE, ::STRIDE] + vectors
    index = (targets - points[0, 0, 0]) / (2 * spacing)  # in moving feature voxels, x y z order
    shape = [(n + 1) // 2 for n in batch["moving"].shape[2:]]
    size = torch.tensor(shape[::-1], device=index.device)
    low = index.floor()
    inside = ((low >= 0) & (low + 1 <= size - 1)).all(-1)
    low = low.clamp(min=0).minimum(size.to(low) - 2)
    part = (index - low).clamp(0, 1)
    seen = F.avg_pool3d(batch["visible"], 3, 2, 1, count_include_pad=False)[:, 0].flatten(1)
    indices, shares = [], []
    for corner in range(8):
        bits = torch.tensor([(corner >> axis) & 1 for axis in range(3)], device=index.device)
        at = (low + bits).long()
        indices.append((at[..., 2] * shape[1] + at[..., 1]) * shape[2] + at[..., 0])
        shares.append(torch.where(bits.bool(), part, 1 - part).prod(-1))
    flat, weights = torch.stack(indices, -1).flatten(1, 3), torch.stack(shares, -1).flatten(1, 3)
    visible = seen.gather(1, flat[..., 0]) > 0.3
    counts = (batch["weight"].flatten(1) > 0) & inside.flatten(1) & visible
    chosen = posterior.gather(2, flat).clamp(min=1e-9).log()
    loss = -(chosen * weights).sum(-1)
    return (loss * counts).sum() / counts.sum().clamp(min=1)


def losses(
    network: DistanceNetwork, batch: dict[str, torch.Tensor], points: torch.Tensor, settings: TrainingSettings
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss to minimize, mean squared error in mm^2, and matching loss of a batch."""
    pair = torch.cat([batch["fixed"], batch["moving"]], 1)
    vectors, truth = labels_of(batch, points)
    truth = truth.clamp(max=FARTHEST)
    weight = batch["weight"]
    matching = torch.zeros((), device=pair.device)
    if isinstance(network, SiameseNetwork):
        features, context = network.encoder(torch.cat([pair[:, :1], pair[:, 1:]]))
        n = len(pair)
        with torch.autocast(pair.device.type, enabled=False):
            maps, posteriors = network.compare(
                (features[:n].float(), context[:n].float()), (features[n:].float(), context[n:].float())
            )
            if settings.matching and settings.sampling == "dense":
                spacing = network.settings.spacing
                matching = matching_loss(posteriors[0], vectors, batch, points, spacing)
                matching = matching + matching_loss(posteriors[1], vectors, batch, points, spacing) / 2
    else:
        maps = network(pair)
    maps = maps.float()
    if settings.sampling == "patches":
        maps = maps.mean((2, 3, 4), keepdim=True)
        truth = displacements(batch["transform"], torch.zeros(1, 1, 1, 3, device=pair.device)).norm(dim=-1)
        truth, weight = truth.clamp(max=FARTHEST), torch.ones_like(truth)
    square = ((maps[:, 0] - truth) / UNIT_MM).square()
    mean = (square * weight).sum() / weight.sum().clamp(min=1)
    loss = mean
    if maps.shape[1] > 1:
        deviation = maps[:, 1].clamp(-4, 3)
        likelihood = square.detach() * torch.exp(-2 * deviation) / 2 + deviation
        loss = mean + 0.1 * (likelihood * weight).sum() / weight.sum().clamp(min=1)
    return loss + settings.matching * matching, mean.detach() * UNIT_MM**2, matching.detach()


def bins(truth: np.ndarray, predicted: np.ndarray) -> list[dict]:
    """Mean absolute error, bias and count per bin of true distance, all in mm."""
    rows = []
    for low in np.arange(0, CLAIMED, BIN):
        here = (truth >= low) & (truth < low + BIN)
        if here.any():
            error = predicted[here] - truth[here]
            rows.append(
                {
                    "from": float(low),
                    "to": float(low + BIN),
                    "mae": round(float(np.abs(error).mean()), 2),
                    "bias": round(float(error.mean()), 2),
                    "count": int(here.sum()),
                }
            )
    return rows


def figures(truth: np.ndarray, predicted: np.ndarray) -> dict:
    """Validation figures of true and predicted distances (N,) in mm."""
    from scipy import stats

    inside = truth < CLAIMED
    truth, predicted = truth[inside], predicted[inside]
    return {
        "mae": round(float(np.abs(truth - predicted).mean()), 2),
        "mae_of_the_median": round(float(np.abs(truth - np.median(truth)).mean()), 2),
        "pearson": round(float(np.corrcoef(truth, predicted)[0, 1]), 3),
        "spearman": round(float(stats.spearmanr(truth, predicted)[0]), 3),
        "count": len(truth),
        "bins": bins(truth, predicted),
    }


@torch.no_grad()
def validate(
    network: DistanceNetwork,
    pairs: Sequence[dict[str, torch.Tensor]],
    points: torch.Tensor,
    sampling: str = "dense",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and predicted distance (N,) in mm at every counting point of the pairs, and the pair (N,) of each."""
    network.eval()
    device = next(network.parameters()).device
    truths, predictions, which = [], [], []
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        joined = {key: torch.stack([p[key] for p in some]).to(device) for key in some[0]}
        maps = network(torch.cat([joined["fixed"], joined["moving"]], 1))[:, 0]
        _, truth = labels_of(joined, points.to(device))
        counts = joined["weight"] > 0
        if sampling == "patches":
            maps = maps.mean((1, 2, 3), keepdim=True)
            truth = displacements(joined["transform"], torch.zeros(1, 1, 1, 3, device=device)).norm(dim=-1)
            counts = torch.ones_like(truth, dtype=torch.bool)
        number = torch.arange(start, start + len(some), device=device)[:, None, None, None].expand_as(counts)
        truths.append(truth[counts].cpu().numpy())
        predictions.append(maps[counts].cpu().numpy())
        which.append(number[counts].cpu().numpy())
    return np.concatenate(truths), np.concatenate(predictions), np.concatenate(which)


def plot(out: Path, validation: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None) -> None:
    """Draw ``loss.png`` from ``log.csv`` and, given validation results, ``predicted.png``."""
    from matplotlib.figure import Figure

    with open(out / "log.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([int(r["step"]) for r in rows], [float(r["mse_mm2"]) ** 0.5 for r in rows], label="training, RMS")
    for key in rows[0] if rows else []:
        if key.startswith("mae "):
            at = [(int(r["step"]), float(r[key])) for r in rows if r[key]]
            if at:
                axes.plot(*zip(*at, strict=True), "o-", label=f"validation, {key[4:]}, mean absolute")
    axes.set(xlabel="step", ylabel="error of the predicted distance (mm)", ylim=(0, None))
    axes.legend()
    figure.savefig(out / "loss.png", dpi=110)
    if validation:
        figure = Figure(figsize=(4 * len(validation), 4), layout="constrained")
        for axes, (name, (truth, predicted, _)) in zip(
            np.ravel(figure.subplots(1, len(validation))), validation.items(), strict=True
        ):
            axes.hist2d(truth, predicted, bins=60, range=[[0, 80], [0, 80]], cmap="magma_r", cmin=1)
            axes.plot([0, 80], [0, 80], "k--", lw=0.8)
            axes.set(xlabel="true distance (mm)", ylabel="predicted (mm)", title=name, aspect="equal")
        figure.savefig(out / "predicted.png", dpi=110)


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
        if state.step % LOGGED == 0 or state.step == settings.steps:
            row: dict[str, Any] = {
                "step": state.step,
                "pairs": state.step * settings.batch,
                "seconds": round(state.seconds, 1),
                "rate": f"{rate_at(progress, settings.rate):.2e}",
                **log.means(settings.batch),
            }
            if state.step % settings.validate_every == 0 or state.step == settings.steps:
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
