"""How far is the estimated error from the true one?  Does its bound hold in 95 % of cases, of scans and of regions,
and how much above the error is it?

Pairs are misaligned on purpose in many ways (:mod:`madreg_benchmark.cases.misaligned`) and assessed.  The bounds of
:mod:`madreg.quality.bound` are those of :mod:`madreg_benchmark.studies.bound_calibration`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.image.transform import Transform
from madreg.quality.assessment import assess
from madreg.quality.error_map import ErrorMap, error_map
from madreg.quality.quality import Quality
from madreg.quality.shape import Stretch
from madreg.quality.verdict import has_other_shape
from madreg_benchmark.cases.case import Case
from madreg_benchmark.cases.misaligned import KINDS, Misaligned, Misaligning
from madreg_benchmark.cases.regions import Regions
from madreg_benchmark.report.page import write_illustrated, write_page
from madreg_benchmark.report.plots import new_figure
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.bound_calibration import (
    FOLDS,
    PARTS,
    REGION,
    WHOLE,
    Calibration,
    Model,
    bounded,
    calibrate,
    quotients,
    regions_of,
)
from madreg_benchmark.studies.other_poses import NEAR, OtherPoses
from madreg_benchmark.studies.study import Setting, Study, collect

LEAST_MM = 1.0  # true error from which the bound is compared with it
FAR_MM = 5.0  # true error from which no pose should be called aligned
LEVELS = np.arange(0.5, 0.96, 0.05)
FIELDS = (
    "case", "contrast", "kind", "number", "true_mm", "estimate_mm", "motion_mm", "deformation_mm", "shape_mm",
    "local_mm", "consensus", "margin", "joint_margin", "mirror_margin", "overlap", "stretch", "blocks", "verdict",
    "is_mirrored", "may_be_other_body", "has_other_shape",
)  # fmt: skip


class _Assessing:
    """Misaligns and assesses."""

    def __init__(self, setting: Setting) -> None:
        self.cases = {case.name: case for case in setting.cases}
        self.misaligning = Misaligning(setting.cases, setting.seed)
        self.others = OtherPoses(self.misaligning)
        self._regions: tuple[str, Regions] | None = None

    def row(self, key: dict) -> dict:
        """All that is kept of one misalignment."""
        case = self.cases[key["case"]]
        made = self.misaligning.make(case, key["kind"], key["number"])
        comparison = self.others.of(case, key["kind"], made)
        quality = assess(made.pair, Transform(made.pose), comparison=comparison)
        row = {"contrast": case.contrast, "true_mm": _finite(made.true_mm)}
        if quality is None:
            return {**row, **dict.fromkeys(FIELDS[5:17]), **dict.fromkeys(FIELDS[-3:], False), "verdict": "failed"}
        errors = error_map(made.pair.fixed, quality)
        return {
            **row,
            "estimate_mm": quality.error_mm,
            "motion_mm": quality.motion_mm,
            "deformation_mm": quality.deformation_mm,
            "shape_mm": quality.shape_mm,
            "local_mm": _finite(errors.values[errors.values > 0].mean()) if errors.values.any() else None,
            "consensus": quality.consensus,
            "margin": _finite(quality.margin),
            "joint_margin": quality.joint_margin,
            "mirror_margin": None if comparison is None else _finite(comparison.mirror_margin),
            "overlap": quality.overlap,
            "stretch": _stretch(made.pose, quality),
            "blocks": 0 if quality.blocks is None else len(quality.blocks.chosen),
            "verdict": quality.verdict,
            "is_mirrored": quality.is_mirrored,
            "may_be_other_body": quality.may_be_other_body,
            "has_other_shape": quality.verdict != "failed" and has_other_shape(quality),
            "regions": self._regions_of(case, made, errors, key) if key["kind"] in NEAR else [],
        }

    def _regions_of(self, case: Case, made: Misaligned, errors: ErrorMap, key: dict) -> list[dict]:
        """True and estimated errors of regions."""
        if self._regions is None or self._regions[0] != case.name:
            self._regions = case.name, Regions(case, made.pair)
        kind, number = NEAR.index(key["kind"]), key["number"]
        found = []
        for region in self._regions[1].draw(np.random.default_rng([self.misaligning.seed, kind, number])):
            values = errors.at(region.points)
            found.append(
                {
                    "name": region.name,
                    "volume_ml": round(region.volume_ml, 3),
                    "known": round(len(values) / len(region.points), 3),
                    "true_mm": round(float(made.errors_at(region.points).mean()), 4),
                    "mean_mm": round(float(values.mean()), 4) if len(values) else None,
                    "largest_mm": round(float(values.max()), 4) if len(values) else None,
                }
            )
        return found


def measure_bounds(setting: Setting) -> list[dict]:
    """One row a misalignment."""
    assessing = _Assessing(setting)
    return collect(setting, "bounds", _keys(setting), assessing.row)


def _keys(setting: Setting) -> list[dict]:
    """Of all misalignments: first those that decide on the bounds, one of each kind of every case after another."""
    keys = Misaligning(setting.cases, setting.seed).keys()
    if setting.quick:
        return [key for key in keys if key["kind"] in ("right", "rigid") and not key["number"] % KINDS[key["kind"]][0]]
    return sorted(keys, key=lambda key: (key["kind"] not in NEAR, key["number"] % KINDS[key["kind"]][0]))


def _stretch(pose: np.ndarray, quality: Quality) -> float:
    """The logarithm of the largest stretch along an axis between a pose (4, 4) and the motion of its blocks."""
    if quality.motion is None or quality.blocks_at is None:
        return 0.0
    linear = np.linalg.inv(pose) @ quality.blocks_at.matrix @ quality.motion.matrix
    return float(np.log(Stretch.of(linear[:3, :3]).factors[0]))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


HEADER = ["within the bound", "bound, median mm", f"bound / error (from {LEAST_MM:.0f} mm), median"]


def _line(name: str, rows: Sequence[dict]) -> list[str]:
    if not rows:
        return [name, "0", "", "", ""]
    bounds, true = np.array([row["bound_mm"] for row in rows]), np.array([row["true_mm"] for row in rows])
    far = true >= LEAST_MM
    ratio = f"{np.median(bounds[far] / true[far]):.2f}" if far.any() else ""
    return [name, str(len(rows)), f"{100 * (true <= bounds).mean():.1f} %", f"{np.median(bounds):.1f}", ratio]


def checked_thirds(rows: Sequence[dict], model: Model) -> list[list[dict]]:
    """The assessments, or regions, of each third, with the bound that the other two thirds give."""
    thirds = []
    for checked in range(PARTS):
        calibration, check = calibrate(rows, model, checked)
        thirds.append([{**row, "bound_mm": calibration.bound(row)} for row in check])
    return thirds


def coverage_table(rows: Sequence[dict], model: Model = WHOLE) -> str:
    """Coverage in the pairs that were left for it, and of the same procedure with the roles of the thirds changed."""
    thirds = checked_thirds(rows, model)
    found = [row for third in thirds for row in third]
    lines = [
        _line("first third, with the constants in use", thirds[0]),
        _line("each third with the others' constants", found),
    ]
    for field in (*model.groups, "verdict", *(["form"] if model is REGION else [])):
        for value in sorted({row[field] for row in found}):
            lines.append(_line(value, [row for row in found if row[field] == value]))
    return markdown(["", "regions" if model is REGION else "poses", *HEADER], lines)


def estimate_table(rows: Sequence[dict]) -> str:
    """How far estimates are from the true error, with and without the deformation, and what is called aligned."""
    found = [row for row in rows if bounded(row)]
    lines = [_estimate_line("all", found)]
    for field in ("contrast", "kind"):
        for value in sorted({row[field] for row in found}):
            lines.append(_estimate_line(value, [row for row in found if row[field] == value]))
    return markdown(
        ["", "poses", "estimate off by, mean mm", "too large by, mean mm", "off by without the deformation, mean mm",
         f"beyond {FAR_MM:.0f} mm", "of these aligned"],
        lines,
    )  # fmt: skip


def _estimate_line(name: str, rows: Sequence[dict]) -> list[str]:
    estimate, motion, true = (np.array([row[one] for row in rows]) for one in ("estimate_mm", "motion_mm", "true_mm"))
    far = [row for row in rows if row["true_mm"] > FAR_MM]
    means = np.abs(estimate - true).mean(), (estimate - true).mean(), np.abs(motion - true).mean()
    aligned = sum(row["verdict"] == "aligned" for row in far)
    return [name, str(len(rows)), *(f"{mean:.2f}" for mean in means), str(len(far)), str(aligned)]


def wrong_table(rows: Sequence[dict]) -> str:
    """What is said of pairs that are no pairs, and of poses that are far off."""
    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        counts = [str(sum(row["verdict"] == verdict for row in some)) for verdict in ("aligned", "check", "failed")]
        said = [
            str(sum(bool(row[name]) for row in some))
            for name in ("is_mirrored", "may_be_other_body", "has_other_shape")
        ]
        lines.append([kind, str(len(some)), *counts, *said])
    return markdown(
        [
            "misalignment",
            "poses",
            "aligned",
            "check",
            "failed",
            "mirrored, it says",
            "maybe another body, it says",
            "another shape, it says",
        ],
        lines,
    )


def draw(rows: Sequence[dict]):
    """Figure: observed against claimed coverage, and the bound against the true error, of the thirds in turn."""
    figure, (left, right) = new_figure(9.6, 4.6, 2, sharey=False)
    contrasts = sorted({row["contrast"] for row in rows})
    inside = {contrast: np.zeros((len(LEVELS), 2)) for contrast in contrasts}
    for checked in range(PARTS):
        calibration, check = calibrate(rows, WHOLE, checked)
        factors = [calibration.factor(level) for level in LEVELS]
        for contrast in contrasts:
            some = [row for row in check if row["contrast"] == contrast]
            if not some:
                continue
            values = quotients(some, WHOLE, calibration.coefficients)
            inside[contrast] += [[(values <= one).sum(), len(values)] for one in factors]
            bounds = [calibration.bound(row) for row in some]
            color = f"C{contrasts.index(contrast)}"
            right.scatter(
                [row["true_mm"] for row in some], bounds, s=12, color=color, label="" if checked else contrast
            )
    for number, contrast in enumerate(contrasts):
        within, count = inside[contrast].T
        left.plot(LEVELS, within / np.maximum(count, 1), marker="o", markersize=3, color=f"C{number}", label=contrast)
    left.plot([0.5, 1], [0.5, 1], color="0.5", linestyle="--", linewidth=1)
    left.set(xlabel="claimed share within the bound", ylabel="observed share", xlim=(0.49, 1), ylim=(0.4, 1.02))
    left.legend(frameon=False, fontsize=8)
    right.plot([0, 15], [0, 15], color="0.5", linestyle="--", linewidth=1)
    right.set(xlabel="true error, mm", ylabel="bound, mm")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def write_bounds(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``bounds.csv`` (every misalignment), ``bounds.md`` and the plot into ``out``; return the tables."""
    write_csv(out / "bounds.csv", FIELDS, [[row.get(name) for name in FIELDS] for row in rows])
    if len({row["case"] for row in rows if bounded(row)}) < 2 * FOLDS:
        text = wrong_table(rows)
        write_page(out / "bounds.md", f"# Bound of the error\n\n{text}\n{made_from}\n")
        return text
    text = f"## Estimate\n\n{estimate_table(rows)}\n## Bound\n\n"
    text += f"{coverage_table(rows)}\n{_formula(calibrate(rows)[0])}\n"
    if regions_of(rows):
        text += f"\n## Regions\n\n{coverage_table(rows, REGION)}\n{_formula(calibrate(rows, REGION)[0])}\n"
    text += f"\n## Verdicts\n\n{wrong_table(rows)}"
    write_illustrated(out / "bounds", "Bound of the error", text, draw(rows), made_from)
    return text


NAMES = {"motion_mm": "motion", "mean_mm": "estimated error there", "deformation_mm": "deformation"}


def _formula(calibration: Calibration) -> str:
    """In words."""
    constant, *others = calibration.coefficients
    terms = [f"{one:.4f} x {NAMES[name]}" for one, name in zip(others, calibration.model.terms, strict=True)]
    return f"Bound in mm: {calibration.factor():.4f} x ({' + '.join([f'{constant:.4f}', *terms])})."


STUDY = Study("pose", lambda s: len(_keys(s)), measure_bounds, write_bounds)
