"""How time and memory of a registration grow with the number of voxels.

One pair, sampled ever finer over the same field of view and displaced by the same motion.  Each is registered as a user
does it: in a process of its own, its start-up and the reading of the files included.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK as sitk

from madreg.image.geometry import Grid, apply
from madreg.image.smoothing import COARSENING
from madreg_benchmark.cases.trial import Trial, make_trial
from madreg_benchmark.methods.method import Options
from madreg_benchmark.methods.registry import METHODS
from madreg_benchmark.report.page import write_illustrated
from madreg_benchmark.report.plots import new_figure
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.running.trial import run_trial
from madreg_benchmark.studies.study import Setting, Study, collect

LEVEL = "any"
SIDES, SIDES_QUICK = (64, 128, 256, 512), (32, 48)  # voxels along each axis
REPEATS = 2


def sampled(image: sitk.Image, side: int) -> sitk.Image:
    """The field of view of an image in ``side`` voxels along each axis, smoothed first where these are coarser."""
    old = np.array(image.GetSpacing())
    new = old * image.GetSize() / side
    variance = COARSENING**2 * np.maximum(new**2 - old**2, 0)
    first = apply(Grid.of_image(image).matrix, (new / old - 1) / 2)  # the outer faces stay where they are
    return sitk.Resample(
        sitk.DiscreteGaussian(image, variance.tolist()),
        [side] * 3,
        sitk.Transform(),
        sitk.sitkLinear,
        first.tolist(),
        new.tolist(),
        image.GetDirection(),
    )


def _keys(setting: Setting) -> list[dict]:
    sides, repeats = (SIDES_QUICK, 1) if setting.quick else (SIDES, REPEATS)
    return [{"case": setting.cases[0].name, "side": side, "repeat": n} for side in sides for n in range(repeats)]


def measure_sizes(setting: Setting) -> list[dict]:
    """One row a registration of the first case: what it took, its error in mm, and the seconds of each stage.

    Raises:
        InputError: if the rows of an earlier run cannot be used.
    """
    with TemporaryDirectory(prefix="madreg-benchmark-") as folder:

        @lru_cache(maxsize=1)  # the repeats of a size follow each other
        def trial(side: int) -> Trial:
            return make_trial(setting.cases[0], LEVEL, setting.seed, Path(folder), partial(sampled, side=side))

        def make(key: dict) -> dict:
            row = run_trial(METHODS["default"], trial(key["side"]), False, Options(setting.seed, setting.device), True)
            details = row["details"]
            return {
                "voxels": key["side"] ** 3,
                **{name: row[name] for name in ("seconds", "memory_mb", "error_mm", "note")},
                "registering": details.get("seconds"),
                "stages": details.get("stages", {}),
            }

        return collect(setting, "sizes", _keys(setting), make)


def _lines(rows: Sequence[dict]) -> tuple[list[str], list[list[str]]]:
    """Header and a line for every row; the columns from ``start and reading`` on add up to the seconds."""
    stages = list(dict.fromkeys(name for row in rows for name in row["stages"]))
    lines = []
    for row in rows:
        line = [
            str(row["side"]),
            str(row["voxels"]),
            f"{row['seconds']:.2f}",
            "" if row["memory_mb"] is None else f"{row['memory_mb']:.0f}",
            row["note"] or f"{row['error_mm']:.2f}",
        ]
        if row["note"]:
            lines.append([*line, *[""] * (len(stages) + 2)])
            continue
        named = [row["stages"].get(name, 0.0) for name in stages]
        parts = row["seconds"] - row["registering"], *named, row["registering"] - sum(named)
        lines.append([*line, *(f"{part:.2f}" for part in parts)])
    return [
        "side",
        "voxels",
        "seconds",
        "peak MB",
        "error, mm",
        "start and reading, s",
        *(f"{s}, s" for s in stages),
        "resampling and estimate, s",
    ], lines


def draw(rows: Sequence[dict]):
    """Figure: seconds and peak memory against voxels, every registration, both axes logarithmic; a thin line through
    the largest size grows in proportion to the voxels."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    figure, panels = new_figure(8.0, 3.8, 2, sharey=False)
    sides = list(dict.fromkeys(row["side"] for row in rows))
    for axes, field, label in zip(panels, ("seconds", "memory_mb"), ("time, s", "peak memory, MB"), strict=True):
        some = [row for row in rows if not row["note"] and row[field] is not None]
        axes.set(xscale="log", yscale="log", xlabel="voxels of each scan", ylabel=label)
        axes.set_xticks([side**3 for side in sides], [f"{side}$^3$" for side in sides])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.spines[["top", "right"]].set_visible(False)
        if not some:  # not every system reports the memory
            continue
        voxels, values = (np.array([row[name] for row in some], float) for name in ("voxels", field))
        sizes = np.unique(voxels)
        medians = [np.median(values[voxels == size]) for size in sizes]
        axes.plot(sizes, medians, color="#0072B2", linewidth=1.2)
        axes.plot(voxels, values, "o", color="#0072B2", markersize=4)
        axes.plot(sizes, medians[-1] * sizes / sizes[-1], color="0.5", linewidth=0.7, label="in proportion to voxels")
        axes.set_ylim(values.min() / 1.6, values.max() * 1.6)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="y", color="0.92")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def write_sizes(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``sizes.csv``, ``sizes.md`` and the plot into ``out``; return the table."""
    header, lines = _lines(rows)
    write_csv(out / "sizes.csv", header, lines)
    table = markdown(header, lines)
    text = (
        f"Both scans of {rows[0]['case']} over their whole field of view, with as many voxels along each axis as the "
        f"first column says, the moving one displaced by the same motion of level `{LEVEL}`; compressed files of "
        "32-bit numbers; the default registration in a new process each time, with the highest memory of that "
        f"process.\n\n{table}"
    )
    write_illustrated(out / "sizes", "Time and memory against the number of voxels", text, draw(rows), made_from)
    return table


STUDY = Study("registration", lambda s: len(_keys(s)), measure_sizes, write_sizes)
