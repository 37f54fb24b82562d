"""Not only heads: made-up bodies of blobs and tubes in two unrelated contrasts, registered from any pose.

Nothing of it was ever trained on or tuned with.  It says whether measure and pipeline lean on the anatomy of heads, not
how well they do on a real knee.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from madreg.image.geometry import Grid, apply, mean_displacement
from madreg.image.points import sample_points
from madreg.image.volume import Volume
from madreg.measures.mad import MAD
from madreg.pipeline.registration import register
from madreg.quality.estimate import mean_prediction
from madreg.settings import Settings
from madreg_benchmark.protocol import LEVELS, random_motion
from madreg_benchmark.studies import Setting, Study, collect
from madreg_benchmark.tables import as_csv, markdown

PARTS = 24  # within the outline
OFF_MM = (0, 5, 10, 20, 40)  # at which MAD's prediction is asked for


class Body:
    """An ellipsoid filled with blobs and bent tubes; :meth:`labels` numbers them from 1, and 0 is the air."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.outline = np.array([95.0, 70.0, 80.0]) * rng.uniform(0.85, 1.1, 3)  # mm, half axes
        self.turns = Rotation.random(PARTS, random_state=int(rng.integers(2**31))).as_matrix()
        self.centers = rng.uniform(-1, 1, (PARTS, 3)) * [60, 42, 50]
        self.blob = rng.random(PARTS) < 0.6
        self.radii = np.where(
            self.blob[:, None],
            rng.uniform(6, 26, (PARTS, 3)),
            np.column_stack([rng.uniform(20, 60, PARTS), rng.uniform(3, 8, (PARTS, 2))]),
        )
        self.phases = rng.uniform(0, 6, PARTS)

    def labels(self, points: np.ndarray) -> np.ndarray:
        """Number of the part at each point (..., 3), mm from the middle."""
        found = (((points / self.outline) ** 2).sum(-1) < 1).astype(int)
        for n in range(PARTS):
            local = (points - self.centers[n]) @ self.turns[n].T
            if self.blob[n]:
                inside = ((local / self.radii[n]) ** 2).sum(-1) < 1
            else:
                local[..., 1] -= 8 * np.sin(local[..., 0] / 25 + self.phases[n])
                across = (local[..., 1:] ** 2).sum(-1) < self.radii[n, 1] ** 2
                inside = across & (np.abs(local[..., 0]) < self.radii[n, 0])
            found[inside] = n + 2
        return found

    def scan(self, name: str, grid: Grid, pose: np.ndarray, rng: np.random.Generator) -> Volume:
        """A noisy image at a 4x4 ``pose``, body to LPS; how bright each part is, is drawn anew."""
        labels = self.labels(apply(np.linalg.inv(pose), grid.points().double().numpy()))
        brightness = np.concatenate([[0.0], rng.uniform(0.15, 1.0, PARTS + 1)])
        array = ndimage.gaussian_filter(brightness[labels], 0.8) + rng.normal(0, 0.02, labels.shape)
        return Volume(name, torch.as_tensor(array, dtype=torch.float32), grid, torch.ones(grid.shape, dtype=torch.bool))


def upright_scan(seed: int | Sequence[int]) -> Volume:
    """One scan of one body along the axes, of 2 mm voxels, in a contrast of its own."""
    rng = np.random.default_rng(seed)
    half = np.array([116.0, 88.0, 98.0])  # mm, a margin of a centimetre around the largest outline
    return Body(rng).scan("made-up body", Grid.covering(-half, half, 2.0), np.eye(4), rng)


def pair(seed: int | Sequence[int]) -> tuple[Volume, Volume, np.ndarray]:
    """Two scans of one body, the second of 4 mm slices and turned anyhow, and the true 4x4, fixed LPS to moving LPS."""
    rng = np.random.default_rng(seed)
    body = Body(rng)
    fixed_grid = Grid((110, 100, 90), np.diag([2.2, 2.2, 2.2, 1.0]))
    moving_grid = Grid((128, 128, 60), np.diag([2.0, 2.0, 4.0, 1.0]))
    fixed_pose, moving_pose = np.eye(4), np.eye(4)
    fixed_pose[:3, 3] = fixed_grid.center
    moving_pose[:3, :3] = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    moving_pose[:3, 3] = moving_grid.center + rng.uniform(-15, 15, 3)
    return (
        body.scan("one contrast", fixed_grid, fixed_pose, rng),
        body.scan("another", moving_grid, moving_pose, rng),
        moving_pose @ np.linalg.inv(fixed_pose),
    )


def displaced_pair(seed: int | Sequence[int], level: str) -> tuple[Volume, Volume, np.ndarray]:
    """The same two scans, but displaced by a motion of a level about the middle of the fixed one, as cases are."""
    fixed, moving, truth = pair(seed)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    motion = random_motion(LEVELS[level], rng, fixed.grid.center)
    grid = Grid(moving.grid.size, motion @ np.linalg.inv(truth) @ moving.grid.matrix)
    return fixed, replace(moving, grid=grid), motion


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
    return 2 if setting.quick else 24


def measure_bodies(setting: Setting) -> list[dict]:
    """One row a body; the cases have no part in it."""
    return collect(
        setting, "bodies", [{"body": n} for n in range(_bodies(setting))], lambda key: _body(setting, key["body"])
    )


def write_bodies(rows: Sequence[dict], made_from: str, out: Path) -> str:
    """Write ``bodies.csv`` (every body) and ``bodies.md`` into ``out``; return the table."""
    fields = [name for name in rows[0] if name not in ("seed", "weights", "commit")]
    (out / "bodies.csv").write_text(as_csv(fields, [[row[name] for name in fields] for row in rows]))
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
    table = markdown(["made-up bodies from any pose", ""], lines)
    (out / "bodies.md").write_text(f"# Not only heads\n\n{table}\n{made_from}\n")
    return table


STUDY = Study("body", _bodies, measure_bodies, write_bodies)
