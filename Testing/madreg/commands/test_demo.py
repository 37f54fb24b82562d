"""The demo: how far it displaces, that it registers the bundled pair, and that it says so when it does not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.commands import demo, register
from madreg.commands.main import main
from madreg.image.geometry import apply, rotation_angle

CENTER = np.array([10.0, -20.0, 30.0])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_displacement_is_as_large_as_announced(seed: int) -> None:
    motion = demo.displacement(seed, CENTER)
    assert rotation_angle(motion[:3, :3]) == pytest.approx(70.0, abs=1e-6)
    assert np.linalg.norm(apply(motion, CENTER) - CENTER) == pytest.approx(60.0, abs=1e-6)
    assert np.allclose(motion, demo.displacement(seed, CENTER))
    assert not np.allclose(motion, demo.displacement(seed + 1, CENTER))


@pytest.mark.slow
def test_demo_aligns_the_bundled_pair(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["demo", "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    for name in ("EPI_displaced.nii.gz", "transform.tfm", "EPI_on_T1w.nii.gz", "report.json", "overlay.png"):
        assert (out / name).stat().st_size > 0
        assert name in said

    # the written files agree with the known alignment, by way of ITK alone
    transform = sitk.ReadTransform(str(out / "transform.tfm"))
    fixed, moving = (sitk.ReadImage(str(demo_path(name))) for name in ("T1w.nii.gz", "EPI.nii.gz"))
    truth = np.array(json.loads(demo_path("truth.json").read_text(encoding="utf-8"))["fixed_to_moving_lps_mm"])
    motion = demo.displacement(0, center_of(moving))
    points = np.random.default_rng(0).uniform([-60, -80, -20], [60, 60, 60], (200, 3))
    found = np.array([transform.TransformPoint(point.tolist()) for point in points])
    assert np.linalg.norm(found - apply(motion @ truth, points), axis=1).mean() < 6.0
    resampled = sitk.ReadImage(str(out / "EPI_on_T1w.nii.gz"))
    assert resampled.GetSize() == fixed.GetSize()
    assert np.allclose(resampled.GetOrigin(), fixed.GetOrigin(), atol=1e-3)


def test_failed_registration_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(demo, "_register", lambda *_: SimpleNamespace(result=SimpleNamespace(matrix=np.eye(4))))
    monkeypatch.setattr(register, "summary", lambda _: "")
    assert main(["demo", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "The demo failed: 1" in captured.err  # about 100 mm
    assert "after 1" in captured.out


def test_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    assert main(["demo", "--out", str(taken / "out")]) == 1
    assert "cannot be written: choose another folder with --out" in capsys.readouterr().err


def demo_path(name: str) -> Path:
    from madreg import resources

    return resources.path("Demo", name)


def center_of(image: sitk.Image) -> np.ndarray:
    return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))
