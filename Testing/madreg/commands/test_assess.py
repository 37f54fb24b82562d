"""``madreg assess``: every output, every refusal, one real run."""

import json
import os

import numpy as np
import pytest
import SimpleITK as sitk

from madreg import resources
from madreg.commands import main as cli
from madreg.image.geometry import Grid, about, apply, rotation
from madreg.image.transform import Transform
from madreg.io.itk_transform import write_transform
from madreg.network import weights
from madreg.pipeline import assessment
from madreg.quality.bound import bound_of
from madreg.quality.quality import Quality


@pytest.fixture
def scans(tmp_path, odd_grids, blob_image):
    """Folder with two small images and a segmentation of the fixed one."""
    grid = odd_grids["plain"]
    for name, center in (("fixed", (12.0, -30.0, 45.0)), ("moving", (15.0, -28.0, 45.0))):
        sitk.WriteImage(blob_image(grid, center, 15.0), str(tmp_path / f"{name}.nii.gz"))
    labels = np.zeros(grid.shape, np.uint8)
    labels[12:20, 10:20, 10:20], labels[20:24, 10:20, 10:20] = 1, 2
    sitk.WriteImage(grid.as_image(labels), str(tmp_path / "labels.nii.gz"))
    write_transform(Transform(np.eye(4) + np.eye(4, k=3) * 4), tmp_path / "shift.tfm")
    return tmp_path


@pytest.fixture
def poses(monkeypatch):
    """Replaces the assessment by one that answers at once; returns the transforms that it was asked about."""
    asked = []

    def assess_all(fixed, moving, transforms, settings):
        for transform in transforms:
            asked.append(transform)
            yield Quality(transform, 2.34, 0.5, 2.0, transform, 0.9, deformation_mm=0.5)

    monkeypatch.setattr(assessment, "assess_all", assess_all)
    monkeypatch.setattr(weights, "checked_card", lambda *_: {"sha256": "0" * 64})
    return asked


def arguments(folder, *more):
    return ["assess", str(folder / "fixed.nii.gz"), str(folder / "moving.nii.gz"), *map(str, more)]


def test_nothing_but_a_summary(scans, poses, capsys):
    before = sorted(scans.iterdir())
    assert cli.main(arguments(scans, "--device", "cpu")) == 0
    out, err = capsys.readouterr()
    assert err == "" and "aligned: confirm it" in out and "nothing" in out
    assert f"2.3 mm; at most {bound_of(2.34, 0.5):.1f} mm in 95 % of cases" in out
    assert sorted(scans.iterdir()) == before and (poses[0].matrix == np.eye(4)).all()
    assert cli.main(arguments(scans, "--quiet")) == 0
    assert capsys.readouterr() == ("", "")


def test_without_overlap_the_reason_is_said_and_the_error_map_that_is_missing(scans, capsys):
    write_transform(Transform(np.eye(4) + np.eye(4, k=3) * 900), scans / "far.tfm")
    words = ["--transform", scans / "far.tfm", "--error-map", scans / "e.nrrd", "--device", "cpu"]
    assert cli.main(arguments(scans, *words)) == 0
    out, err = capsys.readouterr()
    assert "failed: do not use it" in out and not (scans / "e.nrrd").exists()
    assert "Note: At this pose, less than 1 % of the fixed scan lies in the moving one" in err
    assert f"No error can be estimated, so {scans / 'e.nrrd'} was not written." in err


def test_all_outputs(scans, poses, capsys):
    outputs = {"report": "r.json", "error-map": "e.nrrd", "overlay": "o.png", "page": "p.html"}
    words = [word for name, file in outputs.items() for word in (f"--{name}", scans / file)]
    words += ["--transform", scans / "shift.tfm", "--segmentation", scans / "labels.nii.gz"]
    assert cli.main(arguments(scans, *words)) == 0
    assert poses[0].matrix[0, 3] == 4
    report = json.loads((scans / "r.json").read_text())
    assert report["transform"].endswith("shift.tfm") and report["error_mm"] == 2.34
    assert report["bound_mm"] == pytest.approx(bound_of(2.34, 0.5))
    assert [one["name"] for one in report["structures"]] == ["Structure 1", "Structure 2"]
    assert [one["voxels"] for one in report["structures"]] == [800, 400]
    assert set(report["inputs_sha256"]) == {"fixed", "moving", "transform", "segmentation"}
    assert {len(one) for one in report["inputs_sha256"].values()} == {64} and "torch" in report["versions"]
    page = (scans / "p.html").read_text(encoding="utf-8")
    for text in ("Structure 2", report["inputs_sha256"]["moving"], "2.3 mm", "In 95 % of cases", "shift.tfm"):
        assert text in page
    assert sitk.ReadImage(str(scans / "e.nrrd")).GetDimension() == 3
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(scans / "o.png"))).std() > 10
    assert "structure        Structure 1: unknown" in capsys.readouterr().out


def test_a_matrix_of_an_unknown_program_is_a_notice(scans, poses, capsys):
    np.savetxt(scans / "greedy.mat", np.eye(4))
    assert cli.main(arguments(scans, "--transform", scans / "greedy.mat", "--report", scans / "r.json")) == 0
    assert "greedy.mat holds nothing but a matrix" in capsys.readouterr().err
    assert "greedy.mat holds nothing but a matrix" in json.loads((scans / "r.json").read_text())["notices"][0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--transform", "{}/none.tfm"], "none.tfm does not exist"),
        (["--transform", "{}/text.tfm"], "text.tfm cannot be read as a transform"),
        (["--transform", "{}/fixed.nii.gz"], "fixed.nii.gz is no displacement field"),
        (["--transform", "{}/pipe.tfm"], "pipe.tfm is a pipe"),
        (["--segmentation", "{}/none.nii.gz"], "none.nii.gz does not exist"),
        (["--segmentation", "{}/fixed.nii.gz"], "holds numbers with decimals"),
        (["--page", "{}/out.pdf"], "out.pdf has an unknown ending"),
        (["--page", "{}/none/out.html"], "none does not exist"),
        (["--transform", "{}/shift.tfm", "--report", "{}/labels.json"], ""),
        (["--segmentation", "{}/labels.nii.gz", "--error-map", "{}/labels.nii.gz"], "is an input"),
        (["--error-map", "{}/a.nrrd", "--fixed-mask", "{}/none.nii.gz"], "none.nii.gz does not exist"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_nothing_is_written(scans, poses, capfd, more, message):
    (scans / "text.tfm").write_text("hello")
    os.mkfifo(scans / "pipe.tfm")
    before = sorted(scans.iterdir())
    status = cli.main(arguments(scans, *(word.format(scans) for word in more)))
    err = capfd.readouterr().err
    if not message:
        assert status == 0 and err == ""
        return
    assert status == 1 and message in err and err.endswith(".\n") and err.count("\n") == 1
    assert sorted(scans.iterdir()) == before


def test_a_job_writes_no_transform(scans):
    from madreg import AssessmentJob, InputError, Outputs, ScanFile, run_assessment

    scan = ScanFile(scans / "fixed.nii.gz")
    with pytest.raises(InputError, match="writes neither a transform"):
        run_assessment(AssessmentJob(scan, scan, outputs=Outputs(transform=scans / "t.tfm")))


@pytest.mark.slow
def test_a_real_one(tmp_path, head_images, capsys):
    """A CT and a T1w of one head, 6 mm apart."""
    for name, image in zip(("ct", "t1"), head_images, strict=True):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    labels = sitk.Cast(head_images[0] > 0, sitk.sitkUInt8)
    sitk.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    write_transform(Transform(np.eye(4) + np.eye(4, k=3) * 6), tmp_path / "off.tfm")
    images = [str(tmp_path / "ct.nii.gz"), str(tmp_path / "t1.nii.gz")]
    words = ["--transform", tmp_path / "off.tfm", "--report", tmp_path / "r.json", "--page", tmp_path / "p.html"]
    words += ["--segmentation", tmp_path / "labels.nii.gz", "--device", "cpu"]
    assert cli.main(["assess", *images, *map(str, words)]) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["error_mm"] == pytest.approx(6, abs=1.5) and report["verdict"] == "check"
    (structure,) = report["structures"]
    assert structure["mean_mm"] == pytest.approx(6, abs=2) and structure["largest_mm"] >= structure["mean_mm"]
    assert report["worst_mm"] >= structure["largest_mm"] - 1e-3 and structure["known"] > 0.5
    assert "mm on average" in capsys.readouterr().out and "Structure 1" in (tmp_path / "p.html").read_text()


@pytest.mark.slow
def test_errors_and_their_bounds_are_near_the_truth(tmp_path, capsys):
    """A scan and its negative, rotated by 6 degrees about the first of two structures, which is where it should be."""
    scan = sitk.ReadImage(str(resources.path("Demo", "T1w.nii.gz")), sitk.sitkFloat32)
    values = sitk.GetArrayFromImage(scan)
    top = np.percentile(values, 99.5)
    negative = sitk.GetImageFromArray(np.where(values > 0.1 * top, top - 0.8 * values.clip(0, top), values))
    middle = np.array(scan.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in scan.GetSize()]))
    grid = Grid.of_image(scan)
    centers = [middle + [0, 40, 0], middle - [0, 40, 0]]
    apart = [np.linalg.norm(grid.points().double().numpy() - center, axis=-1) for center in centers]
    labels = np.select([one <= 12 for one in apart], [1, 2]).astype(np.uint8)
    for name, image in (("scan", scan), ("negative", negative), ("labels", sitk.GetImageFromArray(labels))):
        image.CopyInformation(scan)
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    off = about(centers[0], rotation(np.array([1.0, 0, 0]), 6.0))
    write_transform(Transform(off), tmp_path / "off.tfm")
    words = ["assess", "scan.nii.gz", "negative.nii.gz", "--transform", "off.tfm", "--segmentation", "labels.nii.gz"]
    words += ["--report", "r.json", "--page", "p.html"]
    words = [str(tmp_path / word) if "." in word else word for word in words]
    assert cli.main([*words, "--device", "cpu"]) == 0
    report, out = json.loads((tmp_path / "r.json").read_text()), capsys.readouterr().out
    page = (tmp_path / "p.html").read_text(encoding="utf-8")

    def true_mm(where: np.ndarray) -> float:
        points = grid.points().double().numpy()[where]
        return np.linalg.norm(apply(off, points) - points, axis=1).mean()

    assert report["error_mm"] == pytest.approx(true_mm(values > 0.1 * top), abs=1.5)
    assert report["verdict"] == "check" and report["bound_mm"] is not None
    assert "mm on average" in out and "Structure 1" in page
    for structure, distance in zip(report["structures"], apart, strict=True):
        true = true_mm(distance <= 12)
        assert structure["mean_mm"] == pytest.approx(true, abs=1.5) and structure["known"] > 0.5
        assert report["worst_mm"] + 1e-3 >= structure["largest_mm"] >= structure["mean_mm"]
        assert true <= structure["bound_mm"] <= 1.6 * true + 4
        bound = f"{structure['bound_mm']:.1f} mm"
        assert f"at most {bound} in 95 % of cases" in out and bound in page
    assert report["structures"][1]["bound_mm"] > report["structures"][0]["bound_mm"] + 4


@pytest.mark.slow
def test_no_structure_of_a_failed_alignment_has_an_error(tmp_path):
    scan = str(resources.path("Demo", "T1w.nii.gz"))
    labels = sitk.Cast(sitk.ReadImage(scan) > 300, sitk.sitkUInt8)
    sitk.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    write_transform(Transform(flip), tmp_path / "flip.tfm")
    words = ["--transform", tmp_path / "flip.tfm", "--segmentation", tmp_path / "labels.nii.gz"]
    words += ["--report", tmp_path / "r.json", "--device", "cpu"]
    assert cli.main(["assess", scan, scan, *map(str, words)]) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    (structure,) = report["structures"]
    assert report["verdict"] == "failed"
    assert structure["mean_mm"] is None and structure["bound_mm"] is None and structure["voxels"] > 0


def test_one_image_given_twice_is_assessed_with_a_notice(scans, poses, capsys):
    given = arguments(scans)
    given[2] = given[1]
    assert cli.main(given) == 0
    assert "The fixed and the moving image are the same" in capsys.readouterr().err
