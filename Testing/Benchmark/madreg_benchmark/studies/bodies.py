"""Registration of synthetic bodies from any pose, and what MAD predicts on them.

The network was never trained on them, and nothing was tuned with them.  The study shows whether measure and pipeline
depend on the anatomy of heads, not how well they do on a real knee.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from madreg.image.geometry import mean_displacement
from madreg.image.points import sample_points
from madreg.measures.mad import MAD, mean_prediction
from madreg.pipeline.registration import register
from madreg.settings import Settings
from madreg_benchmark.cases.synthetic_body import pair
from madreg_benchmark.report.page import write_page
from madreg_benchmark.report.tables import markdown, write_csv
from madreg_benchmark.studies.study import Setting, Study, collect

OFF_MM = (0, 5, 10, 20, 40)  # at which MAD's prediction is asked for


def _body(setting: Setting, number: int) -> dict:
    """Error of the default pipeline on one body, and what MAD predicts at known distances from the true pose, in mm."""
    fixed, moving, truth = pair(1000 * setting.seed + number)
    points = sample_points(fixed.resampled(4.0), 2000).cpu().double().numpy()
    result = register(fixed, moving, Settings(seed=setting.seed, device=setting.device))
    mad = MAD(fixed, moving)
    shift = np.eye(4)
    predicted = {}
    for mm in OFF_MM:
        shift[:3, 3] = mm * np.array([0.6, 0.64, -0.48])
        predicted[f"MAD at {mm} mm"] = mean_prediction(mad, shift @ truth)
    return {
        "error_mm": mean_displacement(result.matrix, truth, points),
        "estimate_mm": result.error_after_mm,
        "verdict": result.verdict,
        **predicted,
    }


def _bodies(setting: Setting) -> int:
    return 1 if setting.quick else 24


def measure_bodies(setting: Setting) -> list[dict]:
    """One row a body; the cases have no part in it."""
    return collect(
        setting, "bodies", [{"body": n} for n in range(_bodies(setting))], lambda key: _body(setting, key["body"])
    )


def write_bodies(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``bodies.csv`` (every body) and ``bodies.md`` into ``out``; return the table."""
    fields = [name for name in rows[0] if name not in ("seed", "weights", "commit")]
    write_csv(out / "bodies.csv", fields, [[row[name] for name in fields] for row in rows])
    error = np.array([row["error_mm"] for row in rows])
    lines = [
        ["bodies", str(len(rows))],
        ["under 2 mm", str(int((error < 2).sum()))],
        ["median error, mm", f"{np.median(error):.2f}"],
        ["worst error, mm", f"{error.max():.2f}"],
        [
            "estimated error, mean difference from the true one, mm",
            f"{np.mean([abs(row['estimate_mm'] - row['error_mm']) for row in rows]):.2f}",
        ],
    ]
    for mm in OFF_MM:
        found = [row[f"MAD at {mm} mm"] for row in rows]
        lines.append(
            [
                f"MAD {mm} mm off, mean (least to most), mm",
                f"{np.mean(found):.1f} ({min(found):.1f} to {max(found):.1f})",
            ]
        )
    table = markdown(["synthetic bodies from any pose", ""], lines)
    write_page(out / "bodies.md", f"# Not only heads\n\n{table}\n{made_from}\n")
    return table


STUDY = Study("body", _bodies, measure_bodies, write_bodies)
