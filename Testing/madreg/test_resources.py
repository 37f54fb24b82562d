"""Bundled files are found in a checkout and in a wheel, and the demo pair is what it says it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from madreg import resources
from madreg.errors import InputError
from madreg.image import geometry
from translation import translation_matrix

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "MADRegistration" / "madreg" / "resources"


def test_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"Demo/nothing\.nii\.gz is missing"):
        resources.path("Demo", "nothing.nii.gz")


def test_folder_is_not_a_file() -> None:
    with pytest.raises(InputError):
        resources.path("Demo")


@pytest.mark.slow
def test_wheel_carries_the_bundled_files(tmp_path: Path) -> None:
    """Built from the files as they are, unpacked elsewhere, and imported from there."""
    pytest.importorskip("setuptools")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    # a build leaves egg-info beside what it builds: build a copy
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE.txt", "MADRegistration"):
        (source / name).symlink_to(ROOT / name)
    done = subprocess.run([*build, "-w", str(tmp_path), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site"
    with zipfile.ZipFile(next(tmp_path.glob("madreg-*.whl"))) as wheel:
        wheel.extractall(site)
    bundled = [path for name in ("Demo", "Models") for path in (BUNDLED / name).glob("*")]
    assert bundled
    code = "import sys; from madreg import resources; print(resources.path(*sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    for path in bundled:
        command = [sys.executable, "-c", code, path.parent.name, path.name]
        found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert found.returncode == 0, found.stderr
        located = Path(found.stdout.strip())
        assert located.is_relative_to(site)
        assert located.read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def record() -> dict:
    return json.loads(resources.path("Demo", "truth.json").read_text())


def test_demo_scans_are_the_ones_that_the_truth_belongs_to(record: dict) -> None:
    for name, expected in record["sha256"].items():
        assert hashlib.sha256(resources.path("Demo", name).read_bytes()).hexdigest() == expected


def mutual_information(first: np.ndarray, second: np.ndarray) -> float:
    joint = np.histogram2d(first.ravel(), second.ravel(), bins=32)[0]
    joint /= joint.sum()
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())


@pytest.mark.slow
def test_demo_truth_is_where_the_scans_agree_best(record: dict) -> None:
    """Mutual information, which had no part in the truth, is lower 6 mm and 6 degrees away in every direction."""
    fixed = sitk.ReadImage(str(resources.path("Demo", record["fixed"])), sitk.sitkFloat32)
    moving = sitk.ReadImage(str(resources.path("Demo", record["moving"])), sitk.sitkFloat32)
    truth = np.array(record["fixed_to_moving_lps_mm"])
    assert np.allclose(truth[:3, :3] @ truth[:3, :3].T, np.eye(3), atol=1e-6)
    assert np.linalg.det(truth) == pytest.approx(1, abs=1e-6)
    epi = sitk.GetArrayFromImage(moving)
    center = geometry.Grid.of_image(moving).center

    def agreement(motion: np.ndarray) -> float:
        back = geometry.itk_transform(np.linalg.inv(motion @ truth))
        return mutual_information(epi, sitk.GetArrayFromImage(sitk.Resample(fixed, moving, back, sitk.sitkLinear, 0.0)))

    best = agreement(np.eye(4))
    for axis in range(3):
        for sign in (-1, 1):
            assert agreement(translation_matrix(*sign * 6.0 * np.eye(3)[axis])) < best, ("mm", axis, sign)
            turn = sitk.VersorTransform(np.eye(3)[axis].tolist(), sign * np.deg2rad(6.0))
            assert agreement(geometry.about(center, np.array(turn.GetMatrix()).reshape(3, 3))) < best, (axis, sign)


def test_demo_scans_have_no_face(record: dict) -> None:
    """Eyes, nose and mouth lie in front of the temporal poles and below the orbital roof: nothing is left there."""
    fixed = sitk.ReadImage(str(resources.path("Demo", record["fixed"])))
    moving = sitk.ReadImage(str(resources.path("Demo", record["moving"])))
    to_fixed = np.linalg.inv(np.array(record["fixed_to_moving_lps_mm"]))
    for image, matrix in ((fixed, np.eye(4)), (moving, to_fixed)):
        points = geometry.apply(matrix, geometry.Grid.of_image(image).points().numpy().astype(float))
        face = (points[..., 1] < -72) & (points[..., 2] < -42) | (points[..., 1] < -80) & (points[..., 2] < -19)
        assert face.sum() > 1000
        assert not sitk.GetArrayFromImage(image)[face].any()
