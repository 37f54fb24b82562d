"""What training needs: the network trained anew in variants that differ in one thing each, and measured alike.

Every variant learns from the same scans, with the same seed and schedule.  Variants of the *diversity* group, which
see other random appearances, get as many pairs as the reference; those of the *architecture* group get as many as
they learn from in the processor time that the reference takes.  The budget is a fraction of what the shipped network
had, so figures compare with each other only.
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

from .. import device as devices
from .. import weights
from ..appearance import Appearance
from ..errors import InputError
from ..geometry import mean_displacement
from ..measures import MEASURES
from ..measures.mad import MAD
from ..network import DistanceNetwork, FusedSettings, NetworkSettings, SiameseSettings
from ..pairs import PairSampler, PairSettings, Scan, load_scan, scan_of
from ..reading import read_volume, volume_from_image
from ..registration import SINGLE_SPACING, SINGLE_STEPS
from ..training import TrainingSettings, figures, train, validate
from .ablations_report import write_ablations
from .alone import register_alone
from .matched_ssd import MatchedSSD
from .phantom import label_map
from .protocol import Case, make_trial
from .simulation import T1, simulate
from .studies import Setting, Study, collect

HELD_OUT = 2  # scans of each folder, the last by name, from which no training pair is drawn
RESAMPLES = 500
BATCH = 4
DRAWN = "held-out appearances"


@dataclass(frozen=True)
class Variant:
    """A training that differs from the reference in one thing.

    Attributes:
        name: its name.
        group: ``diversity`` or ``architecture``.
        differs: in what.
        seed: added to the study's.
    """

    name: str
    group: str
    differs: str
    network: NetworkSettings = SiameseSettings()
    appearance: Appearance = Appearance()
    seed: int = 0


REFERENCE = Variant("reference", "reference", "as shipped: siamese, 1 to 3 random convolutions")
VARIANTS = (
    REFERENCE,
    Variant("second seed", "reference", "the reference with other weights and pairs", seed=1),
    Variant("layers 0", "diversity", "T1w as it is: no random convolutions, no simulated acquisition",
            appearance=Appearance(layers=0, acquisition=False)),
    Variant("layers 1", "diversity", "1 random convolution", appearance=Appearance(layers=1)),
    Variant("layers 2", "diversity", "1 or 2 random convolutions", appearance=Appearance(layers=2)),
    Variant("layers 4", "diversity", "1 to 4 random convolutions", appearance=Appearance(layers=4)),
    Variant("large kernels", "diversity", "mostly kernels of 3 and 5 voxels instead of 1",
            appearance=Appearance(size_odds=(0.1, 0.45, 0.45))),
    Variant("8 appearances", "diversity", "8 random appearances for all patches", appearance=Appearance(different=8)),
    Variant("small siamese", "architecture", "half the channels, half the blocks", SiameseSettings(width=12, depth=1)),
    Variant("ResNet-10", "architecture", "published form: images fused at the input, 10 layers", FusedSettings()),
    Variant("ResNet-18", "architecture", "the same with 18 layers", FusedSettings(blocks=(2, 6))),
    Variant("plain CNN", "architecture", "ResNet-10 without skip connections", FusedSettings(skip=False)),
)


@dataclass(frozen=True)
class Budget:
    """How much of everything.

    Attributes:
        pairs: that the reference learns from.
        size: voxels of 4 mm along each edge of a crop.
        validation: pairs of each kind.
        levels: of displacement at which trained networks register; measures that need no training also get ``small``.
        steps: of each registration.
    """

    pairs: int = 2400
    size: int = 32
    validation: int = 32
    levels: tuple[str, ...] = ("large",)
    steps: int = SINGLE_STEPS


QUICK = Budget(pairs=16, size=16, validation=4, steps=3)
QUICK_VARIANTS = ("reference", "layers 0", "ResNet-10")
CLASSICAL = {"NMI": MEASURES["nmi"], "NGF": MEASURES["ngf"], MatchedSSD.name: MatchedSSD}
SHIPPED = "shipped network"


@dataclass(frozen=True)
class Found:
    """Rows: what each network predicts, and each registration.

    ``processor_seconds`` of a training that was continued are those since then.
    """

    trained: list[dict]
    registered: list[dict]


def made_up_heads() -> tuple[list[list[Scan]], list[list[Scan]]]:
    """Two made-up heads to train on and a held-out one, for a trial run without data."""
    rng = np.random.default_rng(0)
    images = [simulate(label_map(seed), T1, rng) for seed in (3, 4, 5)]
    scans = [scan_of(volume_from_image(image, "made-up head")[0]) for image in images]
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
    return ([list(group[:cut]) for group, cut in zip(files, cuts, strict=True)],
            [list(group[cut:]) for group, cut in zip(files, cuts, strict=True) if cut < len(group)])


def validation_pairs(held_out: Sequence[Sequence[Scan]], cases: Sequence[Case], budget: Budget,
                     seed: int) -> dict[str, list[dict[str, torch.Tensor]]]:
    """By kind: random appearances of held-out scans, and the cases as they are, by contrast."""
    sampler = PairSampler(held_out, PairSettings(size=budget.size), seed + 1_000_003)
    pairs = {DRAWN: [sampler.pair(number) for number in range(budget.validation)]}
    scans = {case.name: [scan_of(read_volume(path)[0]) for path in (case.fixed, case.moving)] for case in cases}
    for contrast in sorted({case.contrast for case in cases}):
        some = [case for case in cases if case.contrast == contrast]
        pairs[contrast] = []
        for number in range(budget.validation):
            case = some[number % len(some)]
            fixed, moving = scans[case.name]
            there = (fixed, moving, case.truth)
            back = (moving, fixed, np.linalg.inv(case.truth))
            chosen = back if number // len(some) % 2 else there
            pairs[contrast].append(sampler.cross_pair(number, *chosen))
    return pairs


class _Trainer:
    """Trains and measures variants; scans are read when they are first needed."""

    def __init__(self, setting: Setting, budget: Budget) -> None:
        self.setting, self.budget = setting, budget
        self.device = str(devices.choose(setting.device))
        self.files = None if setting.quick and setting.data is None else split(training_files(setting.data))

    @cached_property
    def scans(self) -> tuple[list[list[Scan]], list[list[Scan]]]:
        """Groups to train on, and held-out ones."""
        if self.files is None:
            return made_up_heads()
        training, held_out = ([[load_scan(path) for path in group] for group in part] for part in self.files)
        return training, held_out

    @cached_property
    def pairs(self) -> dict[str, list[dict[str, torch.Tensor]]]:
        """Validation pairs by kind."""
        return validation_pairs(self.scans[1], self.setting.cases, self.budget, self.setting.seed)

    def train(self, variant: Variant, steps: int, folder: Path) -> DistanceNetwork:
        """The trained network; goes on with what ``folder`` holds."""
        settings = TrainingSettings(steps=steps, batch=BATCH, average=0.99, seed=self.setting.seed + variant.seed,
                                    workers=0, validate_every=100)
        folder.mkdir(parents=True, exist_ok=True)

        def say(line: str) -> None:
            with open(folder / "train.log", "a") as stream:
                stream.write(line + "\n")

        return train(self.scans[0], folder, variant.network, PairSettings(size=self.budget.size,
                     appearance=variant.appearance), settings, device=self.device, say=say)

    def seconds_per_pair(self, variant: Variant, steps: int = 8) -> float:
        """Processor time of one training pair, the drawing of it included: the median of three short trainings."""
        found = []
        for _ in range(3):
            with TemporaryDirectory() as folder:
                self.train(variant, 2, Path(folder) / "warm")
                began = time.process_time()
                self.train(variant, steps, Path(folder) / "timed")
                found.append((time.process_time() - began) / (steps * BATCH))
        return float(np.median(found))

    def predict(self, network: DistanceNetwork) -> dict[str, dict]:
        """Figures by kind of validation pair, each with its interval."""
        points = PairSampler([], PairSettings(size=self.budget.size)).points
        return {kind: with_intervals(*validate(network, some, points)) for kind, some in self.pairs.items()}


def with_intervals(truth: np.ndarray, predicted: np.ndarray, pair: np.ndarray) -> dict:
    """MAE in mm and both correlations of distances (N,) up to 60 mm, with 95 % intervals of a bootstrap over pairs."""
    names = ("mae", "pearson", "spearman")
    result = figures(truth, predicted)
    of_pair = [np.flatnonzero(pair == number) for number in np.unique(pair)]
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([of_pair[n] for n in rng.integers(len(of_pair), size=len(of_pair))])
        drawn = figures(truth[chosen], predicted[chosen])
        draws.append([drawn[name] for name in names])
    low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    return {**{name: result[name] for name in names}, "mae_of_the_median": result["mae_of_the_median"],
            "pairs": len(of_pair),
            **{f"{name}_interval": [round(float(low[n]), 3), round(float(high[n]), 3)] for n, name in enumerate(names)}}


def _key(variant: Variant, budget: Budget) -> dict:
    return {"variant": variant.name, "size": budget.size, "reference_pairs": budget.pairs}


def _timed(variants: Sequence[Variant]) -> list[Variant]:
    """Those whose processor time a pair has to be known; the first is the reference."""
    return [variant for variant in variants if variant.group == "architecture" or variant is variants[0]]


def measure_ablations(setting: Setting, variants: Sequence[Variant] = VARIANTS, budget: Budget = Budget()) -> Found:
    """Train and measure every variant; what ``setting.out`` holds is not done again, half a training is continued.

    Args:
        variants: the first is the reference.

    Raises:
        InputError: if the data or a case cannot be used, or ``out`` holds rows of another seed.
    """
    trainer = _Trainer(setting, budget)
    by_name = {variant.name: variant for variant in variants}
    first = variants[0].name
    costs = collect(setting, "costs", [_key(variant, budget) for variant in _timed(variants)],
                    lambda key: {"seconds_per_pair": trainer.seconds_per_pair(by_name[key["variant"]])})
    seconds = dict.fromkeys(by_name, costs[0]["seconds_per_pair"])
    seconds |= {row["variant"]: row["seconds_per_pair"] for row in costs}
    steps = {name: round(budget.pairs * seconds[first] / seconds[name] / BATCH) for name in by_name}

    def network(name: str) -> DistanceNetwork:
        folder = setting.out / "training" / f"{name.replace(' ', '-')}-{budget.size}-{steps[name]}"
        return trainer.train(by_name[name], steps[name], folder).requires_grad_(False)

    def trained(key: dict) -> dict:
        name = key["variant"]
        if name == SHIPPED:
            return {"pairs": None, "processor_seconds": None, "seconds_per_pair": None,
                    "figures": trainer.predict(weights.load(device=trainer.device)[0])}
        assert trainer.scans  # read before the clock starts
        began = time.process_time()
        made = network(name)
        return {"pairs": steps[name] * BATCH, "processor_seconds": round(time.process_time() - began, 1),
                "seconds_per_pair": round(seconds[name], 4), "figures": trainer.predict(made)}

    shipped = Variant(SHIPPED, "reference", "as registration uses it: twelve times the pairs, larger crops")
    rows = collect(setting, "trained", [_key(variant, budget) for variant in [*variants, shipped]], trained)
    rows = [{**row, "group": variant.group, "differs": variant.differs}
            for row, variant in zip(rows, [*variants, shipped], strict=True)]
    return Found(rows, collect(setting, "registered", _registrations(setting, variants, budget),
                               lambda key: _register(setting, key, network, budget)))


def _registrations(setting: Setting, variants: Sequence[Variant], budget: Budget) -> list[dict]:
    """Keys of the registrations to do."""
    classical = list(dict.fromkeys(["small", *budget.levels]))
    by = [*((name, classical) for name in (*CLASSICAL, SHIPPED)), *((v.name, budget.levels) for v in variants)]
    return [{"by": name, "case": case.name, "level": level, "reference_pairs": budget.pairs, "steps": budget.steps}
            for name, levels in by for level in levels for case in setting.cases]


def _register(setting: Setting, key: dict, trained: Callable[[str], DistanceNetwork], budget: Budget) -> dict:
    """Error in mm of one registration from the centres of geometry, and its processor time."""
    case = next(case for case in setting.cases if case.name == key["case"])
    seed, name = setting.seed, key["by"]
    if name in CLASSICAL:
        def make(fixed, moving):
            return CLASSICAL[name](fixed.resampled(SINGLE_SPACING), moving.resampled(SINGLE_SPACING), seed=seed)
    else:
        network = None if name == SHIPPED else trained(name)

        def make(fixed, moving):
            return MAD(fixed, moving, network, seed)
    with TemporaryDirectory() as folder:
        trial = make_trial(case, key["level"], 0, Path(folder))
        fixed, moving = (read_volume(path)[0] for path in (trial.fixed, trial.moving))
    began = time.process_time()
    matrix = register_alone(fixed, moving, make, seed, budget.steps)
    return {"contrast": case.contrast, "error_mm": round(mean_displacement(matrix, trial.truth, trial.points), 3),
            "before_mm": round(mean_displacement(np.eye(4), trial.truth, trial.points), 3),
            "processor_seconds": round(time.process_time() - began, 1)}


def _plan(setting: Setting) -> tuple[Sequence[Variant], Budget]:
    if setting.quick:
        return [variant for variant in VARIANTS if variant.name in QUICK_VARIANTS], QUICK
    return VARIANTS, Budget()


def _units(setting: Setting) -> int:
    variants, budget = _plan(setting)
    return len(_timed(variants)) + len(variants) + 1 + len(_registrations(setting, variants, budget))


STUDY = Study("step", _units, lambda s: measure_ablations(s, *_plan(s)),
              lambda found, source, out: write_ablations(found.trained, found.registered, source, out))
