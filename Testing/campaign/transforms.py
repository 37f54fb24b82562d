"""Damaged and hostile files of transforms and displacement fields."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.errors import InputError
from madreg.image.geometry import Grid
from madreg.image.transform import Transform
from madreg.io.any_transform import read_any_transform
from madreg.pipeline.initial_transform import check_initial_transform

from . import children, inputs, outcomes, scans
from .damage import EXTREMES, Damage

LIMIT_SECONDS = 60.0
CHECKED = ("field, mha", "field, nrrd", "field, nii.gz")
"""Compressed: a check sum covers their last half at least."""

TEXTS = ("tfm", "txt", "FLIRT", "LTA")


def write(folder: Path) -> dict[str, Path]:
    """A transform in every format, by a name that says what is special of it."""
    transform = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.1, 0.2, 0.3, (1, 2, 3))
    paths = {}
    for ending in ("tfm", "txt", "mat", "h5"):
        paths[ending] = folder / f"itk.{ending}"
        sitk.WriteTransform(transform, str(paths[ending]))
    spline = sitk.BSplineTransformInitializer(scans.image(), [4, 4, 4])
    paths["B-spline"] = folder / "spline.h5"
    sitk.WriteTransform(spline, str(paths["B-spline"]))
    paths["FLIRT"] = folder / "flirt.mat"
    np.savetxt(paths["FLIRT"], np.array(Transform.from_itk(transform).matrix))
    paths["LTA"] = folder / "freesurfer.lta"
    rows = "\n".join(" ".join(f"{x:.9f}" for x in row) for row in Transform.from_itk(transform).matrix)
    paths["LTA"].write_text(f"type      = 1\nnxforms   = 1\nmean      = 0 0 0\nsigma     = 1\n1 4 4\n{rows}\n")
    vectors = sitk.GetImageFromArray(np.random.default_rng(0).normal(0, 2, (*scans.SIZE, 3)), isVector=True)
    vectors.SetSpacing((6.0, 6.0, 6.0))
    for ending in ("mha", "nrrd", "nii.gz"):
        paths[f"field, {ending}"] = folder / f"field.{ending}"
        sitk.WriteImage(vectors, str(paths[f"field, {ending}"]), useCompression=True)
    return paths


def read(path: Path) -> Callable[[], int]:
    """What a child does: read a transform for an assessment and as a start; prints a digest of it."""
    grid = Grid.of_image(scans.image())

    def work() -> int:
        try:
            found = read_any_transform(path, grid, grid)
            if isinstance(found, Transform):
                check_initial_transform(path)
        except InputError as error:
            print(error, file=sys.stderr)
            return 1
        values = found.matrix if isinstance(found, Transform) else found.displacements
        print(hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest())
        return 0

    return work


def run(counts: outcomes.Counts, number: int, seed: int, folder: Path, report_progress: Callable[[], None]) -> None:
    """Try so many damaged transforms."""
    intact = write(folder)
    digests = {}
    for name, path in intact.items():
        ending = children.run(read(path), LIMIT_SECONDS)
        if ending.status != 0:
            raise RuntimeError(f"the intact {name} is refused: {ending.brief()}")
        digests[name] = ending.out.strip()
    for trial in counts.remaining("transforms", number):
        rng = np.random.default_rng([seed, 8, trial])
        name = list(intact)[trial % len(intact)]
        place = folder / f"transform{trial}"
        place.mkdir()
        done = damage(intact[name].read_bytes(), name, rng)
        path = place / intact[name].name
        path.write_bytes(done.data)
        outcome = inputs.outcome_of(children.run(read(path), LIMIT_SECONDS), done, digests[name])
        if children.leftovers():
            outcome = outcomes.LEFT_OVER
        detail = f"seed {seed} trial {trial}"
        counts.add(f"transform {name}: {done.kind}", outcome, detail, ("transforms", trial))
        if outcome not in outcomes.BAD:
            shutil.rmtree(place)
        report_progress()


def damage(data: bytes, name: str, rng: np.random.Generator) -> Damage:
    """Flip bits, cut the end off, or give a text another number."""
    way = rng.integers(3 if name in TEXTS else 2)
    if way == 0:
        begin = len(data) // 2 if name in CHECKED and rng.random() < 0.6 else 0
        changed = bytearray(data)
        for _ in range(rng.integers(1, 9)):
            changed[rng.integers(begin, len(data))] ^= 1 << rng.integers(8)
        return Damage(bytes(changed), "bits flipped", begin > 0 and bytes(changed) != data)
    if way == 1:
        keep = int(rng.integers(0, len(data) - 8))
        return Damage(data[:keep], "cut off", name in CHECKED)
    numbers = list(re.finditer(rb"(?<![\w.])-?\d+(\.\d+)?", data))
    chosen = numbers[rng.integers(len(numbers))]
    value = EXTREMES[rng.integers(len(EXTREMES))].encode()
    return Damage(data[: chosen.start()] + value + data[chosen.end() :], "another number", False)
