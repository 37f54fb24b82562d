"""A job from files to files: MAD's network is built where something needs it, and not before."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from fewer import fewer_poses_and_blocks, fewer_samples
from madreg.errors import InputError
from madreg.image.transform import Transform
from madreg.network import weights
from madreg.network.model_card import sha256
from madreg.pipeline import registration
from madreg.pipeline.assessment_job import AssessmentJob, run_assessment
from madreg.pipeline.job import Job, run_job
from madreg.pipeline.job_sources import ScanFile
from madreg.pipeline.outputs import Outputs
from madreg.pipeline.result import Result
from madreg.quality.quality import Quality
from madreg.settings import Settings

CPU = Settings(device="cpu")


@pytest.fixture
def built(monkeypatch):
    """Arguments of every call that asks for a network."""
    asked = []

    def noting(load):
        def noted(*arguments, **options):
            asked.append(arguments)
            return load(*arguments, **options)

        return noted

    for name in ("load", "load_any"):
        monkeypatch.setattr(weights, name, noting(getattr(weights, name)))
    return asked


@pytest.fixture
def scans(tmp_path):
    """Two files of noise."""
    for seed, name in enumerate(("fixed", "moving")):
        image = sitk.GetImageFromArray(np.random.default_rng(seed).random((20, 24, 28)).astype(np.float32))
        image.SetSpacing((4.0, 4.0, 4.0))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    return ScanFile(tmp_path / "fixed.nii.gz"), ScanFile(tmp_path / "moving.nii.gz")


def result_of(settings: Settings) -> Result:
    identity = Transform.identity()
    quality = Quality(identity, 0.7, 0.5, 2.0, identity, 0.9)
    return Result(identity, identity, settings, [], 1.0, "CPU", 2.0, 1.0, "blocks", 0.9, quality)


def test_bundled_weights_are_named_and_not_loaded(scans, built, tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "register", lambda fixed, moving, settings, progress: result_of(settings))
    run_job(Job(*scans, CPU, Outputs(report=tmp_path / "r.json")))
    report = json.loads((tmp_path / "r.json").read_text())
    assert built == [] and report["weights_sha256"] == weights.load()[1]["sha256"]


def test_a_start_that_another_program_may_have_written_is_a_notice(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "register", lambda fixed, moving, settings, progress: result_of(settings))
    np.savetxt(tmp_path / "start.txt", np.eye(4))
    done = run_job(Job(*scans, CPU, initial_transform=tmp_path / "start.txt"))
    assert any("start.txt holds nothing but a matrix" in notice for notice in done.notices)


def test_the_report_names_the_initial_transform(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "register", lambda fixed, moving, settings, progress: result_of(settings))
    np.savetxt(tmp_path / "start.txt", np.eye(4))
    outputs = Outputs(report=tmp_path / "r.json", page=tmp_path / "p.html")
    report = run_job(Job(*scans, CPU, outputs, initial_transform=tmp_path / "start.txt")).report
    assert report["initial_transform"] == str(tmp_path / "start.txt")
    assert report["inputs_sha256"]["initial_transform"] in (tmp_path / "p.html").read_text()
    assert "initial_transform" not in run_job(Job(*scans, CPU)).report


def test_chosen_weights_are_loaded_before_the_work(scans, built, tmp_path, monkeypatch):
    monkeypatch.setattr(registration, "register", lambda *_: pytest.fail("the work began"))
    (tmp_path / "mad.pt").write_bytes(b"no weights")
    (tmp_path / "mad.json").write_text(json.dumps({"sha256": sha256(tmp_path / "mad.pt")}))
    with pytest.raises(InputError, match="holds no weights"):
        run_job(Job(*scans, Settings(device="cpu", weights=str(tmp_path / "mad.pt"))))
    assert built


@pytest.mark.slow
def test_a_default_run_and_an_assessment_build_the_network_of_features_alone(head_images, built, tmp_path):
    files = []
    for name, image in zip(("fixed", "moving"), head_images, strict=True):
        sitk.WriteImage(image[:, :, 21:], str(tmp_path / f"{name}.nii.gz"))  # neck and chin take time
        files.append(ScanFile(tmp_path / f"{name}.nii.gz"))
    with fewer_poses_and_blocks(), fewer_samples():
        done = run_job(Job(*files, CPU, Outputs(transform=tmp_path / "t.tfm")))
    assert done.result.verdict == "aligned" and done.result.error_source == "blocks"
    assert {name for *_, name in built} == {"mad-features.pt"}
    found = run_assessment(AssessmentJob(*files, tmp_path / "t.tfm", CPU))
    assert found.assessment.error_source == "blocks" and {name for *_, name in built} == {"mad-features.pt"}


@pytest.mark.slow
def test_scans_of_noise_need_the_network(scans, built):
    done = run_job(Job(*scans, Settings(measure="nmi", init="none", device="cpu")))
    assert done.result.verdict == "failed" and done.result.error_source == "mad" and built
