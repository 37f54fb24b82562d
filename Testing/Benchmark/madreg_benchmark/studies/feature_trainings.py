"""Feature networks trained anew, and how often their features recognize a place in held-out bodies.

They learn from the persons that the bundled features learn from, and are measured on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from madreg.errors import InputError
from madreg.learn.bodies import Body, read_bodies, read_label_map, read_scan, write_bodies
from madreg.learn.discriminant import discrimination, train_features
from madreg.learn.synthetic_bodies import SYNTHETIC, synthetic_bodies
from madreg.learn.views import ViewSampler, ViewSettings
from madreg.network import weights
from madreg.network.settings import FeatureSettings
from madreg.system import device as devices
from madreg_benchmark.studies.study import Setting

HEADS, BRAINS, MAPS = "heads", "brains", "label maps"
GROUPS = (HEADS, BRAINS, MAPS, SYNTHETIC)
"""Groups of bodies; each is drawn from equally often."""
KINDS = {"T1w scans": (HEADS, BRAINS), "label maps": (MAPS,), "synthetic bodies": (SYNTHETIC,)}
"""Held-out bodies by kind."""
BODIES = 2
"""Of a batch, each in two appearances: so many pairs."""
FIRST_HELD_OUT = 1000  # number of a synthetic body


@dataclass(frozen=True)
class Folder:
    """A folder of the training data.

    Attributes:
        name: its name.
        group: of its bodies.
        pattern: of its files.
        learned: how many of them, the first by name, are learned from.
        held_out: how many of the next are measured on.
    """

    name: str
    group: str
    pattern: str
    learned: int
    held_out: int


FOLDERS = (
    Folder("ds000011", HEADS, "*T1w.nii.gz", 5, 5),
    Folder("single_T1w", HEADS, "*T1w*.nii.gz", 2, 0),
    Folder("ds002748_T1w_brain_1.5mm", BRAINS, "*T1w.nii.gz", 58, 2),
    Folder("synthseg_labels_1.5mm", MAPS, "training_seg_*.nii.gz", 10, 4),
)


@dataclass(frozen=True)
class Supply:
    """How many bodies and batches there are.

    Attributes:
        synthetic: synthetic bodies to learn from.
        held_out: synthetic bodies to measure on.
        batches: of each kind that are measured.
    """

    synthetic: int = 80
    held_out: int = 12
    batches: int = 20


QUICK_SUPPLY = Supply(2, 1, 1)


@dataclass(frozen=True)
class FeatureVariant:
    """Features that differ from the reference in one thing.

    Attributes:
        name: its name.
        differs: in what.
        pairs: that they are learned from; None for the bundled ones.
        groups: of bodies that these show.
        rotation: the largest between the scans of a pair, in degrees; None: as for the bundled ones.
        seed: added to the study's.
        levels: of the network that the measure compares, by number.
    """

    name: str
    differs: str
    pairs: int | None = 600
    groups: tuple[str, ...] = GROUPS
    rotation: float | None = None
    seed: int = 0
    levels: tuple[int, ...] = (0, 1, 2)

    @property
    def training(self) -> tuple:
        """What is equal for variants of which one is trained on from the other."""
        return self.groups, self.rotation, self.seed


def held_out_files(folder: Folder, files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files to learn from and held-out files of a folder."""
    files = sorted(files)
    return files[: folder.learned], files[folder.learned :][: folder.held_out]


def read_training(data: Path | None, supply: Supply, seed: int) -> tuple[list[Body], list[Body]]:
    """Bodies to learn from and held-out bodies; synthetic ones alone if ``data`` is None.

    Raises:
        InputError: if a folder is missing or has too few files.
    """
    found: tuple[list[Body], list[Body]] = ([], [])
    known: dict[int, int] = {}
    for folder in FOLDERS if data is not None else ():
        files = held_out_files(folder, list((data / folder.name).glob(folder.pattern)))
        if len(files[0]) + len(files[1]) < folder.learned + folder.held_out:
            wanted = folder.learned + folder.held_out
            raise InputError(f"{data} has no folder {folder.name} with {wanted} files {folder.pattern}; give --data.")
        for bodies, some in zip(found, files, strict=True):
            bodies += [
                read_label_map(path, folder.group, known) if folder.group == MAPS else read_scan(path, folder.group)
                for path in some
            ]
    numbers = (range(supply.synthetic), range(FIRST_HELD_OUT, FIRST_HELD_OUT + supply.held_out))
    for bodies, some_numbers in zip(found, numbers, strict=True):
        bodies += synthetic_bodies(some_numbers, seed)
    return found


class FeatureTrainer:
    """Trains and measures variants; bodies are read when they are first needed, and kept beside the networks.

    Args:
        variants: all of the study: one that is trained on from another one is not trained from the start.
    """

    def __init__(self, setting: Setting, variants: Sequence[FeatureVariant], supply: Supply) -> None:
        if setting.data is None and not setting.quick:
            raise InputError("This study trains features: give --data, the folder of scans and label maps.")
        self.setting, self.variants, self.supply = setting, variants, supply
        self.device = devices.choose(setting.device)
        self.folder = setting.out / "training"

    @cached_property
    def bodies(self) -> tuple[list[Body], list[Body]]:
        """Bodies to learn from, and held-out ones."""
        paths = [self.folder / f"{name}.npz" for name in ("learned", "held_out")]
        if not all(path.exists() for path in paths):
            self.folder.mkdir(parents=True, exist_ok=True)
            made = read_training(self.setting.data, self.supply, self.setting.seed)
            for bodies, path in zip(made, paths, strict=True):
                write_bodies(bodies, path)
        learned, held_out = (read_bodies(path) for path in paths)
        return learned, held_out

    def file(self, variant: FeatureVariant) -> Path | None:
        """The variant's weights, trained if there are none yet; None for the bundled ones."""
        if variant.pairs is None:
            return None
        before = {
            one.pairs
            for one in self.variants
            if one.training == variant.training and one.pairs is not None and one.pairs <= variant.pairs
        }
        for pairs in sorted(before):
            if not self._path(variant, pairs).exists():
                self._train(variant, pairs)
        return self._path(variant, variant.pairs)

    def _path(self, variant: FeatureVariant, pairs: int) -> Path:
        groups = "-".join(variant.groups).replace(" ", "-")
        return self.folder / f"{groups}-{variant.rotation}-{variant.seed}" / f"{pairs}.pt"

    def _train(self, variant: FeatureVariant, pairs: int) -> None:
        bodies = [body for body in self.bodies[0] if body.group in variant.groups]
        views = ViewSettings(rotation=variant.rotation)
        sampler = ViewSampler(bodies, views, self.setting.seed + variant.seed, self.device)
        path = self._path(variant, pairs)
        network = train_features(sampler, path.parent, FeatureSettings(), pairs // BODIES, BODIES)
        weights.save(network, path, {"name": "mad-features", "pairs": pairs, "bodies": len(bodies)})

    def recognized(self, variant: FeatureVariant) -> dict[str, list[float]]:
        """Share of points whose right place is more alike than another one, by level, for each kind of body."""
        network = weights.load_features(self.file(variant), self.device)[0]
        found = {}
        for kind, groups in KINDS.items():
            bodies = [body for body in self.bodies[1] if body.group in groups]
            if bodies:
                sampler = ViewSampler(bodies, ViewSettings(), self.setting.seed + 1, self.device)
                found[kind] = discrimination(network, sampler, self.supply.batches)
        return found
