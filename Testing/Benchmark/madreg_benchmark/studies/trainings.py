"""Networks trained anew within a small budget, and how they are measured: what studies that train have in common.

The budget is a fraction of what the shipped network had, so figures compare with each other only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy import stats

from madreg.errors import InputError
from madreg.image.geometry import mean_displacement
from madreg.image.volume import Volume
from madreg.io.reading import read_volume, volume_from_image
from madreg.learn.appearance import Appearance
from madreg.learn.pair_settings import PairSettings
from madreg.learn.pairs import PairSampler
from madreg.learn.scans import Scan, load_scan, scan_of
from madreg.learn.training import train
from madreg.learn.training_settings import TrainingSettings
from madreg.learn.validation import figures, validate
from madreg.measures.base import Measure
from madreg.network import weights
from madreg.network.models import DistanceNetwork
from madreg.network.settings import NetworkSettings, SiameseSettings
from madreg.pipeline.single_measure import SCHEDULE
from madreg.system import device as devices
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.simulation import T1, simulate
from madreg_benchmark.cases.synthetic_head import label_map
from madreg_benchmark.cases.trial import make_trial
from madreg_benchmark.methods.alone import register_alone
from madreg_benchmark.studies.study import Setting

HELD_OUT = 2  # scans of each folder, the last by name, from which no training pair is drawn
BATCH = 4
DRAWN = "held-out appearances"


@dataclass(frozen=True)
class Variant:
    """A training that differs from the reference in one thing.

    Attributes:
        name: its name.
        group: which thing that is, in one word.
        differs: in what.
        seed: added to the study's.
    """

    name: str
    group: str
    differs: str
    network: NetworkSettings = SiameseSettings()
    appearance: Appearance = Appearance()
    seed: int = 0


SHIPPED = Variant("shipped network", "reference", "as registration uses it: twelve times the pairs, larger crops")


@dataclass(frozen=True)
class Budget:
    """How much of everything.

    Attributes:
        pairs: that the reference learns from.
        size: voxels of 4 mm along each edge of a crop.
        validation: pairs of each kind.
        levels: of displacement at which trained networks register.
        steps: of each registration.
        resamples: of the bootstrap of each interval.
        timed: steps of each training that is run to time it.
    """

    pairs: int = 2400
    size: int = 32
    validation: int = 32
    levels: tuple[str, ...] = ("large",)
    steps: int = SCHEDULE.steps
    resamples: int = 500
    timed: int = 8


FULL = Budget()
QUICK = Budget(pairs=16, size=16, validation=4, steps=3, resamples=20, timed=2)


@dataclass(frozen=True)
class Found:
    """Rows: what each network predicts, and each registration.

    ``processor_seconds`` of a training that was continued are those since then.
    """

    trained: list[dict]
    registered: list[dict]


def synthetic_heads() -> tuple[list[list[Scan]], list[list[Scan]]]:
    """Two synthetic heads to train on and a held-out one, for a trial run without data."""
    rng = np.random.default_rng(0)
    images = [simulate(label_map(seed), T1, rng) for seed in (3, 4, 5)]
    scans = [scan_of(volume_from_image(image, "synthetic head")[0]) for image in images]
    return [scans[:2]], [scans[2:]]


def training_files(data: Path | None) -> list[list[Path]]:
    """The T1w scans in the folders of a folder, by name; each folder is a group that is drawn equally often.

    Raises:
        InputError: if there are none.
    """
    if data is None or not data.is_dir():
        raise InputError("This study trains a network: give --data, a folder with folders of T1w scans.")
    found = [sorted(folder.glob("*T1w*.nii*")) for folder in sorted(data.iterdir()) if folder.is_dir()]
    found = [files for files in found if files]
    if not any(len(files) > 2 * HELD_OUT for files in found):
        raise InputError(f"{data} has no folder with {2 * HELD_OUT + 1} files named *T1w*.nii or *T1w*.nii.gz.")
    return found


def split(files: Sequence[Sequence[Path]]) -> tuple[list[list[Path]], list[list[Path]]]:
    """Files to train on and held-out files; folders that have few serve for training alone."""
    cuts = [len(group) - HELD_OUT if len(group) > 2 * HELD_OUT else len(group) for group in files]
    return (
        [list(group[:cut]) for group, cut in zip(files, cuts, strict=True)],
        [list(group[cut:]) for group, cut in zip(files, cuts, strict=True) if cut < len(group)],
    )


def cross_pairs(
    sampler: PairSampler, scans: Sequence[tuple[Scan, Scan, np.ndarray]], count: int
) -> list[dict[str, torch.Tensor]]:
    """So many pairs of scans as they are, in turn, there and back; of each, fixed, moving and the true 4x4."""
    pairs = []
    for number in range(count):
        fixed, moving, truth = scans[number % len(scans)]
        if number // len(scans) % 2:
            fixed, moving, truth = moving, fixed, np.linalg.inv(truth)
        pairs.append(sampler.cross_pair(number, fixed, moving, truth))
    return pairs


class Trainer:
    """Trains and measures variants on heads; scans are read when they are first needed.

    A study that trains or measures on something else overrides :meth:`groups` or :meth:`validation`.
    """

    def __init__(self, setting: Setting, budget: Budget) -> None:
        self.setting, self.budget = setting, budget
        self.device = str(devices.choose(setting.device))
        self.files = None if setting.quick and setting.data is None else split(training_files(setting.data))

    @cached_property
    def scans(self) -> tuple[list[list[Scan]], list[list[Scan]]]:
        """Groups of heads to train on, and held-out ones."""
        if self.files is None:
            return synthetic_heads()
        training, held_out = ([[load_scan(path) for path in group] for group in part] for part in self.files)
        return training, held_out

    def groups(self, variant: Variant) -> Sequence[Sequence[Scan]]:
        """What a variant learns from; each group is drawn equally often."""
        return self.scans[0]

    def validation(self, seed: int) -> dict[str, list[dict[str, torch.Tensor]]]:
        """By kind: random appearances of held-out scans, and the cases as they are, by contrast."""
        cases, count = self.setting.cases, self.budget.validation
        sampler = PairSampler(self.scans[1], PairSettings(size=self.budget.size), seed)
        pairs = {DRAWN: [sampler.pair(number) for number in range(count)]}
        scans = {case.name: [scan_of(read_volume(path)[0]) for path in (case.fixed, case.moving)] for case in cases}
        for contrast in sorted({case.contrast for case in cases}):
            some = [(*scans[case.name], case.truth) for case in cases if case.contrast == contrast]
            pairs[contrast] = cross_pairs(sampler, some, count)
        return pairs

    @cached_property
    def pairs(self) -> dict[str, list[dict[str, torch.Tensor]]]:
        """Validation pairs by kind."""
        return self.validation(self.setting.seed + 1_000_003)

    def train(self, variant: Variant, steps: int, folder: Path) -> DistanceNetwork:
        """The trained network; goes on with what ``folder`` holds, and reads no scan if that is all."""
        settings = TrainingSettings(
            steps=steps, batch=BATCH, average=0.99, seed=self.setting.seed + variant.seed, workers=0, validate_every=100
        )
        folder.mkdir(parents=True, exist_ok=True)

        def say(line: str) -> None:
            with open(folder / "train.log", "a", encoding="utf-8") as stream:
                stream.write(line + "\n")

        scans = [] if _steps_done(folder) >= steps else self.groups(variant)
        return train(
            scans,
            folder,
            variant.network,
            PairSettings(size=self.budget.size, appearance=variant.appearance),
            settings,
            device=self.device,
            say=say,
        )

    def network(self, variant: Variant, steps: int) -> DistanceNetwork:
        """The shipped network or a variant's, trained so many steps or taken from the study's folder."""
        if variant == SHIPPED:
            return weights.load(device=self.device)[0]
        folder = self.setting.out / "training" / f"{variant.name.replace(' ', '-')}-{self.budget.size}-{steps}"
        return self.train(variant, steps, folder).requires_grad_(False)

    def trained(self, variant: Variant, steps: int) -> dict:
        """How many pairs a variant learns from, processor time of that in s, and its figures; None for the shipped."""
        if variant == SHIPPED:
            return {"pairs": None, "processor_seconds": None, "figures": self.predict(self.network(variant, steps))}
        assert self.groups(variant)  # read before the clock starts
        began = time.process_time()
        made = self.network(variant, steps)
        seconds = round(time.process_time() - began, 1)
        return {"pairs": steps * BATCH, "processor_seconds": seconds, "figures": self.predict(made)}

    def predict(self, network: DistanceNetwork) -> dict[str, dict]:
        """Figures by kind of validation pair, each with its interval."""
        points = PairSampler([], PairSettings(size=self.budget.size)).points
        return {
            kind: with_intervals(*validate(network, some, points), self.budget.resamples)
            for kind, some in self.pairs.items()
        }


def _steps_done(folder: Path) -> int:
    """How far the training in a folder has come."""
    checkpoint = folder / "checkpoint.pt"
    return torch.load(checkpoint, map_location="cpu", weights_only=True)["step"] if checkpoint.exists() else 0


def with_intervals(truth: np.ndarray, predicted: np.ndarray, pair: np.ndarray, resamples: int = FULL.resamples) -> dict:
    """MAE in mm and both correlations of distances (N,) up to 60 mm, with 95 % intervals of a bootstrap over pairs."""
    names = ("mae", "pearson", "spearman")
    result = figures(truth, predicted)
    of_pair = [np.flatnonzero(pair == number) for number in np.unique(pair)]

    def drawn(chosen: np.ndarray) -> list[float]:
        points = np.concatenate([of_pair[n] for n in chosen])
        found = figures(truth[points], predicted[points])
        return [found[name] for name in names]

    low, high = stats.bootstrap(
        (np.arange(len(of_pair)),),
        drawn,
        n_resamples=resamples,
        vectorized=False,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return {
        **{name: result[name] for name in names},
        "mae_of_the_median": result["mae_of_the_median"],
        "pairs": len(of_pair),
        **{f"{name}_interval": [round(float(low[n]), 3), round(float(high[n]), 3)] for n, name in enumerate(names)},
    }


def register_pair(
    fixed: Volume,
    moving: Volume,
    truth: np.ndarray,
    points: np.ndarray,
    make: Callable[[Volume, Volume], Measure],
    seed: int,
    steps: int,
) -> dict:
    """Error in mm of a registration from the centres of geometry, that before it, and its processor time in s.

    Args:
        truth: 4x4, fixed LPS to moving LPS, mm.
        points: (n, 3), fixed LPS mm, over which errors are averaged.
        make: makes the measure.
    """
    began = time.process_time()
    matrix = register_alone(fixed, moving, make, seed, steps)
    return {
        "error_mm": round(mean_displacement(matrix, truth, points), 3),
        "before_mm": round(mean_displacement(np.eye(4), truth, points), 3),
        "processor_seconds": round(time.process_time() - began, 1),
    }


def register_case(case: Case, level: str, make: Callable[[Volume, Volume], Measure], seed: int, steps: int) -> dict:
    """The same of the first trial of a case at a level, with its contrast."""
    with TemporaryDirectory() as folder:
        trial = make_trial(case, level, 0, Path(folder))
        fixed, moving = (read_volume(path)[0] for path in (trial.fixed, trial.moving))
    return {"contrast": case.contrast, **register_pair(fixed, moving, trial.truth, trial.points, make, seed, steps)}
