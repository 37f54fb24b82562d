"""The real command line: in this process where that is enough, in one of its own where signals and pipes matter."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg import resources
from madreg.commands import main as cli
from madreg.image.geometry import Grid, matrix_of_itk, mean_displacement
from madreg.image.transform import Transform
from madreg.io import writing
from madreg.io.reading import read_volume
from madreg.network import weights
from madreg.network.model_card import sha256
from madreg.pipeline import registration
from madreg.pipeline.result import Result
from madreg.progress import Progress
from madreg.quality.quality import Quality
from madreg.system.signals import STOPPING

SOURCES = Path(cli.__file__).resolve().parents[2]
BELOW_SKULL = 21  # slices of the synthetic head


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no folder that is in use")
def test_without_a_current_folder_it_is_one_sentence(tmp_path, monkeypatch, capsys):
    """torch ends the process there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    scan = str(resources.path("Demo", "T1w.nii.gz"))
    assert cli.main(["assess", scan, scan]) == 1
    assert capsys.readouterr().err == "The current folder does not exist any more: change to another one.\n"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["register", "", "m.nii", "--transform", "t.tfm"], "an argument"),
        (["register", "f.nii", "m.nii", "--transform", "t.tfm", "--weights", ""], "the value of --weights"),
        (["register", "f.nii", "m.nii", "--transform="], "the value of --transform"),
        (["demo", "--out", " "], "the value of --out"),
        (["batch", "t.csv", ""], "an argument"),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(tmp_path, monkeypatch, capsys, words, what):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    assert capsys.readouterr().err == f"madreg: {what} is empty: give a value, or leave it out.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [".", "/"])
def test_weights_that_are_no_name_of_a_file_are_one_sentence(capsys, tmp_path, path):
    scan = str(resources.path("Demo", "T1w.nii.gz"))
    for words in (["register", scan, scan, "--transform", str(tmp_path / "t.tfm")], ["assess", scan, scan]):
        assert cli.main([*words, "--weights", path]) == 1
        assert capsys.readouterr().err.startswith(f'There are no weights at "{path}"')


def run_process(*arguments, code=None):
    """Start ``python -m madreg ARGUMENTS``, or the given code, and return the process."""
    words = ["-m", "madreg"] if code is None else ["-c", code]
    return subprocess.Popen(
        [sys.executable, *words, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        preexec_fn=None if os.name == "nt" else _heed_interrupts,
    )


def _heed_interrupts():
    """A shell's background job, as CI may be, has SIGINT ignored, and SIGHUP under nohup; its children inherit that."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)


def assert_one_sentence(text):
    assert text.endswith(".\n") and text.count("\n") == 1, text
    assert "Traceback" not in text and 20 < len(text) < 500


CHECK = Quality(Transform.identity(), 0.7, 0.5, 1.3, Transform.identity())


@pytest.fixture(scope="module")
def head_folder(tmp_path_factory, head_images):
    """A CT of a synthetic head, its T1w displaced by a known motion, and that motion as 4x4 (fixed to moving, LPS)."""
    folder = tmp_path_factory.mktemp("head")
    ct, t1 = (image[:, :, BELOW_SKULL:] for image in head_images)  # neck and chin take time
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.12, -0.1, 0.15, (7.0, -6.0, 8.0))
    motion = matrix_of_itk(turn)
    grid = Grid.of_image(t1)
    moved = Grid(grid.size, motion @ grid.matrix).as_image(sitk.GetArrayFromImage(t1))
    sitk.WriteImage(ct, str(folder / "ct.nii.gz"))
    sitk.WriteImage(moved, str(folder / "t1.nii.gz"))
    return folder, motion


@pytest.fixture
def scans(tmp_path):
    """Folder with two small images of noise and a mask, and an empty folder ``out``."""
    rng = np.random.default_rng(0)
    for name in ("fixed", "moving"):
        image = sitk.GetImageFromArray(rng.random((20, 24, 28)).astype(np.float32))
        image.SetSpacing((4.0, 4.0, 4.0))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    sitk.WriteImage(image > 0.5, str(tmp_path / "mask.nii.gz"))
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def fake_register(monkeypatch):
    """Replace the registration by one that answers at once; returns what it was called with."""
    calls = []

    def register(fixed, moving, settings, progress=None):
        calls.append((fixed, moving, settings, progress))
        start = Transform.identity() if settings.start is None else Transform(settings.start)
        for fraction in (0.1, 0.6, 1.0):
            if progress:
                time.sleep(0.15)  # the bar is drawn ten times a second at most
                progress(Progress("searching", fraction, start, 20.0 * (1 - fraction)))
        matrix = np.eye(4)
        matrix[:3, 3] = (3.0, 4.0, 12.0)
        return Result(
            Transform(matrix),
            start,
            settings,
            [],
            1.25,
            "CPU",
            20.0,
            0.7,
            "blocks",
            0.93,
            CHECK,
            ["Something to know."],
        )

    monkeypatch.setattr(registration, "register", register)
    monkeypatch.setattr(weights, "checked_card", lambda *_: {"sha256": "0" * 64})
    return calls


def register_arguments(folder, *more):
    return [
        "register",
        str(folder / "fixed.nii.gz"),
        str(folder / "moving.nii.gz"),
        "--transform",
        str(folder / "out" / "t.tfm"),
        *map(str, more),
    ]


# --- the real thing -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_ct_and_a_t1w_are_aligned_to_the_millimetre(head_folder, tmp_path):
    folder, motion = head_folder
    process = run_process(
        "register",
        folder / "ct.nii.gz",
        folder / "t1.nii.gz",
        "--init",
        "center_of_mass",
        "--transform",
        tmp_path / "t.tfm",
        "--resampled",
        tmp_path / "r.nii.gz",
        "--report",
        tmp_path / "r.json",
        "--overlay",
        tmp_path / "o.png",
        "--error-map",
        tmp_path / "e.nrrd",
        "--device",
        "cpu",
    )
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""  # no progress bar in a pipe, no warnings
    matrix = matrix_of_itk(sitk.ReadTransform(str(tmp_path / "t.tfm")))
    fixed, _ = read_volume(folder / "ct.nii.gz")
    head = fixed.grid.points()[(fixed.data > 0.2)].double().numpy()
    assert mean_displacement(np.eye(4), motion, head) > 10
    assert mean_displacement(matrix, motion, head) < 1.5  # mm; half a voxel

    report = json.loads((tmp_path / "r.json").read_text())
    errors = sitk.ReadImage(str(tmp_path / "e.nrrd"))
    worst = errors.TransformPhysicalPointToIndex(report["worst_point_lps"])
    assert errors[worst] == pytest.approx(report["worst_mm"]) and report["verdict"] == "aligned"
    assert np.allclose(report["matrix_fixed_to_moving_lps"], matrix) and report["settings"]["type"] == "rigid"
    assert (
        report["fixed"]["name"].endswith("ct.nii.gz")
        and len(report["weights_sha256"]) == 64
        and report["device"].startswith("CPU")
    )
    resampled = sitk.ReadImage(str(tmp_path / "r.nii.gz"))
    assert np.allclose(Grid.of_image(resampled).matrix, fixed.grid.matrix, atol=1e-4)
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "o.png"))).std() > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.nrrd", "o.png", "r.json", "r.nii.gz", "t.tfm"]
    for word in ("rotation", "translation", "overlap", "time", "t.tfm"):
        assert word in out


@pytest.mark.slow
def test_the_written_transform_is_a_start(head_folder, tmp_path, capsys):
    """What one run found is where the next begins, also for another type of transform."""
    folder, motion = head_folder
    start = tmp_path / "start.tfm"
    from madreg.io.itk_transform import write_transform

    write_transform(Transform(motion), start)
    status = cli.main(
        [
            "register",
            str(folder / "ct.nii.gz"),
            str(folder / "t1.nii.gz"),
            "--initial-transform",
            str(start),
            "--type",
            "affine",
            "--measure",
            "nmi",
            "--transform",
            str(tmp_path / "t.h5"),
            "--device",
            "cpu",
            "--quiet",
        ]
    )
    assert status == 0 and capsys.readouterr() == ("", "")
    matrix = matrix_of_itk(sitk.ReadTransform(str(tmp_path / "t.h5")))
    fixed, _ = read_volume(folder / "ct.nii.gz")
    head = fixed.grid.points()[(fixed.data > 0.2)].double().numpy()
    assert mean_displacement(matrix, motion, head) < 2.0  # mm


# --- plumbing -------------------------------------------------------------------------------------------------------


def test_the_start_may_be_a_transform_of_flirt(scans, fake_register):
    from madreg.io.any_transform import read_any_transform
    from madreg.io.reading import read_scan

    matrix = np.eye(4)
    matrix[:3, 3] = (5.0, 6.0, 7.0)
    np.savetxt(scans / "flirt.mat", matrix)
    arguments = register_arguments(scans, "--initial-transform", scans / "flirt.mat")
    assert cli.main(arguments) == 0
    (_, _, settings, _) = fake_register[0]
    grids = (Grid.of_image(read_scan(path).image) for path in arguments[1:3])
    expected = read_any_transform(scans / "flirt.mat", *grids).matrix
    assert settings.init == "none" and not np.allclose(expected, np.eye(4))
    assert np.array_equal(settings.start, expected)


def test_a_transform_of_flirt_that_mirrors_is_no_start(scans, fake_register, capsys):
    np.savetxt(scans / "flirt.mat", np.diag([-1.0, 1.0, 1.0, 1.0]))
    assert cli.main(register_arguments(scans, "--initial-transform", scans / "flirt.mat")) == 1
    assert "flirt.mat mirrors the moving image" in capsys.readouterr().err and not fake_register


def test_options_become_settings(scans, fake_register, capsys):
    from madreg.io.itk_transform import write_transform

    start = np.eye(4)
    start[:3, 3] = (5.0, 6.0, 7.0)
    write_transform(Transform(start), scans / "start.tfm")
    assert cli.main(register_arguments(scans)) == 0
    assert (
        cli.main(
            register_arguments(
                scans,
                "--initial-transform",
                scans / "start.tfm",
                "--type",
                "affine",
                "--measure",
                "ngf",
                "--seed",
                7,
                "--device",
                "cpu",
                "--fixed-mask",
                scans / "mask.nii.gz",
            )
        )
        == 0
    )
    assert (
        cli.main(
            register_arguments(
                scans,
                "--initial-transform",
                scans / "start.tfm",
                "--init",
                "center_of_mass",
                "--moving-mask",
                scans / "mask.nii.gz",
            )
        )
        == 0
    )
    (_, _, first, _), (fixed, moving, second, _), (fixed3, moving3, third, _) = fake_register
    assert (first.type, first.measure, first.init, first.seed, first.start) == ("rigid", "default", "search", 0, None)
    assert (second.type, second.measure, second.init) == ("affine", "ngf", "none")
    assert (second.seed, second.device) == (7, "cpu")
    assert np.allclose(second.start, start) and third.init == "center_of_mass"
    assert not fixed.mask.all() and moving.mask.all() and fixed3.mask.all() and not moving3.mask.all()


def test_the_summary_and_the_notices(scans, fake_register, capsys):
    assert cli.main(register_arguments(scans, "--report", scans / "out" / "r.json")) == 0
    out, err = capsys.readouterr()
    for text in ("20.0 mm before, 0.7 mm after", "0.0 degrees", "13.0 mm", "93 %", "1.2 s on CPU", "t.tfm", "r.json"):
        assert text in out
    assert err == "Note: Something to know.\n"
    assert json.loads((scans / "out" / "r.json").read_text())["notices"] == ["Something to know."]
    assert cli.main(register_arguments(scans, "--quiet")) == 0
    assert capsys.readouterr() == ("", "")


def test_the_summary_says_the_error_also_if_that_before_is_unknown(scans, fake_register, monkeypatch, capsys):
    known = registration.register
    monkeypatch.setattr(registration, "register", lambda *given: replace(known(*given), error_before_mm=None))
    assert cli.main(register_arguments(scans)) == 0
    assert "unknown before, 0.7 mm after" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("options", "shown"), [([], True), (["--quiet"], False)])
def test_progress_is_drawn_on_a_terminal(scans, fake_register, monkeypatch, options, shown):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert cli.main(register_arguments(scans, *options)) == 0
    assert ("searching" in screen.getvalue() and "100 %" in screen.getvalue()) == shown
    assert (fake_register[0][3] is not None) == shown


def test_no_progress_in_a_pipe(scans, fake_register, capsys):
    assert cli.main(register_arguments(scans)) == 0
    assert "searching" not in capsys.readouterr().err and fake_register[0][3] is None


def test_help_is_there_without_torch():
    code = (
        "import sys; from madreg.commands.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'SimpleITK', 'matplotlib', 'numpy'} & set(sys.modules), 'heavy import'"
    )
    process = run_process("--help", code=code)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "register" in out and "demo" in out
    process = run_process("register", "--help", code=code)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "--overlay" in out, err


def test_the_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0 and "madreg 0" in capsys.readouterr().out


# --- bad input ------------------------------------------------------------------------------------------------------


def write_bad(folder):
    """Images that cannot be registered."""
    from madreg.io.itk_transform import write_transform

    scan = sitk.GetImageFromArray(np.random.default_rng(0).random((20, 24, 28)).astype(np.float32))
    scan.SetSpacing((4.0, 4.0, 4.0))
    for name, image in {
        "slice.nii.gz": scan[:, :, 3],
        "one.mha": scan[:, :, 3:4],
        "inf.mha": scan / 0,
        "series.nii.gz": sitk.JoinSeries([scan, scan]),
        "vector.nrrd": sitk.Compose(scan, scan),
        "constant.mha": scan * 0 + 3,
        "nan.mha": scan * float("nan"),
        "empty.nii.gz": (scan > 2),
        "smaller.nii.gz": (scan > 0.5)[:, :, 2:],
    }.items():
        sitk.WriteImage(image, str(folder / name))
    header = (folder / "constant.mha").read_bytes()
    (folder / "zero.mha").write_bytes(header.replace(b"ElementSpacing = 4 4 4", b"ElementSpacing = 4 0 4"))
    scan.SetSpacing((1.0, 1.0, 900.0))
    sitk.WriteImage(scan, str(folder / "absurd.mha"))
    os.mkfifo(folder / "pipe.nii.gz")
    for name in ("loop.nii.gz", "loop.json"):
        (folder / name).symlink_to(folder / name)
    (folder / "full.json").symlink_to("/dev/full")
    (folder / "text.nii.gz").write_text("hello")
    (folder / "text.tfm").write_text("hello")
    write_transform(Transform(np.diag([-1.0, 1.0, 1.0, 1.0])), folder / "mirror.tfm")
    content = (folder / "moving.nii.gz").read_bytes()
    (folder / "half.nii.gz").write_bytes(content[: len(content) // 2])


BAD = {
    "missing": (["missing.nii.gz"], [], "missing.nii.gz does not exist"),
    "unreadable": (["text.nii.gz"], [], "text.nii.gz is damaged"),
    "truncated": (["half.nii.gz"], [], "half.nii.gz is damaged or incomplete"),
    "2D": (["slice.nii.gz"], [], "slice.nii.gz is a single slice"),
    "one slice": (["one.mha"], [], "one.mha is a single slice"),
    "all infinite": (["inf.mha"], [], "inf.mha holds no finite number"),
    "zero spacing": (["zero.mha"], [], "zero.mha"),
    "4D": (["series.nii.gz"], [], "series.nii.gz is a 4D series"),
    "vector": (["vector.nrrd"], [], "vector.nrrd has more than one number per voxel"),
    "constant": (["constant.mha"], [], "constant.mha has the same value"),
    "all NaN": (["nan.mha"], [], "nan.mha holds no finite number"),
    "absurd spacing": (["absurd.mha"], [], "absurd.mha has voxels of 1 x 1 x 900 mm"),
    "empty mask": ([], ["--moving-mask", "{}/empty.nii.gz"], "moving.nii.gz is empty"),
    "mask on another grid": ([], ["--fixed-mask", "{}/smaller.nii.gz"], "28x24x18 voxels"),
    "missing mask": ([], ["--fixed-mask", "{}/none.nii.gz"], "none.nii.gz does not exist"),
    "unreadable start": ([], ["--initial-transform", "{}/text.tfm"], "text.tfm cannot be read as a transform"),
    "a start that mirrors": ([], ["--initial-transform", "{}/mirror.tfm"], "mirror.tfm mirrors the moving image"),
    "no folder": ([], ["--transform", "{}/none/t.tfm"], "none does not exist"),
    "unknown ending": ([], ["--transform", "{}/out/t.doc"], "t.doc has an unknown ending"),
    "unknown image ending": ([], ["--resampled", "{}/out/t.jpeg"], "t.jpeg has an unknown ending"),
    "over an input": ([], ["--resampled", "{}/fixed.nii.gz"], "fixed.nii.gz is an input"),
    "a pipe": (["pipe.nii.gz"], [], "pipe.nii.gz is a pipe"),
    "a loop of links": (["loop.nii.gz"], [], "loop.nii.gz cannot be read"),
    "an output that loops": ([], ["--report", "{}/loop.json"], "loop.json cannot be written"),
    "a long name": ([], ["--report", "{}/" + 300 * "x" + ".json"], "cannot be written (File name too long)"),
    "a long input": (["x" * 300], [], "cannot be read (File name too long)"),
    "a fill value that does not fit": (
        [],
        ["--resampled", "{}/out/r.nii.gz", "--voxel-type", "uint8", "--fill", "-1"],
        "uint8 cannot hold the fill value -1",
    ),
    "output to a device": ([], ["--report", "{}/full.json"], "full.json is a device"),
}


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, (files, *_) in BAD.items() for place in ((1, 2) if files else (None,))]
)
def test_bad_input_is_one_sentence_and_no_file(scans, fake_register, capfd, name, place):
    files, options, reason = BAD[name]
    write_bad(scans)
    before = {path: path.read_bytes() for path in scans.rglob("*") if path.is_file()}
    arguments = register_arguments(scans, "--overlay", scans / "out" / "o.png", *[o.format(scans) for o in options])
    if files:
        arguments[place] = str(scans / files[0])  # as FIXED, as MOVING
    status = cli.main(arguments)
    out, err = capfd.readouterr()
    assert status == 1 and out == ""
    assert_one_sentence(err)
    assert reason in err
    assert {path: path.read_bytes() for path in scans.rglob("*") if path.is_file()} == before
    assert fake_register == []  # refused before the work


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "mad.pt is missing"),
        ("damaged", "not those of their model card"),
        ("foreign", "holds no weights"),
    ],
)
def test_unusable_weights_are_refused_before_the_work(scans, monkeypatch, capfd, kind, reason):
    monkeypatch.setattr(resources, "files", lambda _: scans / "bundle")
    monkeypatch.setattr(registration, "register", lambda *_: pytest.fail("the work began"))
    models = scans / "bundle" / "Models"
    models.mkdir(parents=True)
    if kind != "missing":
        torch.save({"weight": torch.zeros(3)}, models / "mad.pt")
        digest = sha256(models / "mad.pt") if kind == "foreign" else "0" * 64
        (models / "mad.json").write_text(json.dumps({"sha256": digest}))
    # the bundled file is known by its hash, and not looked into
    options = ["--weights", models / "mad.pt"] if kind == "foreign" else []
    assert cli.main(register_arguments(scans, *options)) == 1
    out, err = capfd.readouterr()
    assert out == "" and reason in err
    assert_one_sentence(err)
    assert list((scans / "out").iterdir()) == []


def test_the_resampled_image_is_made_as_it_is_wished(scans, fake_register):
    """The pose is a shift by 3, 4 and 12 mm, and a voxel is 4 mm."""
    outputs = ["--resampled", scans / "out" / "r.nrrd", "--report", scans / "out" / "r.json"]
    wished = ["--interpolation", "nearest", "--fill", "-77.5", "--voxel-type", "float64"]
    assert cli.main(register_arguments(scans, *outputs, *wished)) == 0
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(scans / "out" / "r.nrrd")))
    moving = sitk.GetArrayFromImage(sitk.ReadImage(str(scans / "moving.nii.gz")))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found[:-3, :-1, :-1], moving[3:, 1:, 1:])
    assert (found[-3:] == -77.5).all()
    report = json.loads((scans / "out" / "r.json").read_text())
    assert report["resampling"] == {"interpolation": "nearest", "fill": -77.5, "voxel_type": "float64"}


def test_what_the_voxel_type_cannot_hold_is_said(scans, fake_register, capsys):
    outputs = ["--resampled", scans / "out" / "r.nrrd", "--report", scans / "out" / "r.json"]
    assert cli.main(register_arguments(scans, *outputs, "--voxel-type", "uint8")) == 0
    notices = json.loads((scans / "out" / "r.json").read_text())["notices"]
    assert "moving.nii.gz" in notices[-1] and "voxel type float32" in notices[-1]
    assert notices[-1] in " ".join(capsys.readouterr().err.split())


def test_progress_goes_on_while_files_are_written(scans, fake_register, monkeypatch):
    from madreg import Job, Outputs, ScanFile, run_job

    heard, out = [], scans / "out"
    writes = writing._put_image

    def put(image, path):
        heard.append(path.suffix)
        writes(image, path)

    monkeypatch.setattr(writing, "_put_image", put)
    outputs = Outputs(transform=out / "t.tfm", resampled=out / "r.nrrd", report=out / "r.json")
    files = (ScanFile(scans / f"{name}.nii.gz") for name in ("fixed", "moving"))
    run_job(Job(*files, outputs=outputs), heard.append)
    shares = [one.fraction for one in heard if one != ".nrrd"]
    assert shares == sorted(shares) and shares[2] == 0.95 and shares[-1] == 1
    names = [one if one == ".nrrd" else one.stage for one in heard]
    assert names[:3] == ["searching"] * 3 and set(names[3:]) == {"writing", ".nrrd"}
    assert names.index(".nrrd") < len(names) - 1  # the report comes after the image


def test_one_image_given_twice_is_registered_with_a_notice(scans, fake_register, capsys):
    arguments = register_arguments(scans, "--report", scans / "out" / "r.json")
    arguments[2] = arguments[1]
    assert cli.main(arguments) == 0
    assert "The fixed and the moving image are the same" in capsys.readouterr().err
    notices = json.loads((scans / "out" / "r.json").read_text())["notices"]
    assert sum("The fixed and the moving image are the same" in notice for notice in notices) == 1


def test_some_voxels_that_are_no_numbers_are_a_notice(scans, fake_register, capsys):
    array = np.random.default_rng(0).random((20, 24, 28)).astype(np.float32)
    array[:4] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), str(scans / "holes.nrrd"))  # ITK reads NaN in NIfTI files as 0
    arguments = register_arguments(scans, "--resampled", scans / "out" / "r.nii.gz")
    arguments[2] = str(scans / "holes.nrrd")
    assert cli.main(arguments) == 0
    assert "holes.nrrd: 20 % of the voxels have no value" in capsys.readouterr().err
    mask = fake_register[0][1].mask
    assert not mask[:4].any() and mask[4:].all()


def test_earlier_results_stay_when_a_run_fails(scans, monkeypatch, capsys):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "checked_card", lambda *_: {"sha256": "0" * 64})
    monkeypatch.setattr(registration, "register", fail)
    (scans / "out" / "t.tfm").write_text("of yesterday")
    assert cli.main(register_arguments(scans)) == 130
    assert_one_sentence(capsys.readouterr().err)
    assert [path.read_text() for path in (scans / "out").iterdir()] == ["of yesterday"]


def test_one_name_for_two_outputs_is_refused(scans, fake_register, capsys, monkeypatch):
    from madreg.io import file_names

    monkeypatch.setattr(file_names, "REPORT_SUFFIXES", (".json", ".txt"))  # no two kinds share an ending so far
    assert (
        cli.main(
            register_arguments(
                scans, "--transform", scans / "out" / "x.txt", "--report", scans / "out" / ".." / "out" / "x.txt"
            )
        )
        == 1
    )
    err = capsys.readouterr().err
    assert_one_sentence(err)
    assert "same name" in err and fake_register == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody may write to")
def test_a_folder_that_takes_no_files_is_refused_at_once(scans, fake_register, capsys):
    assert cli.main(register_arguments(scans, "--report", "/proc/r.json")) == 1
    err = capsys.readouterr().err
    assert_one_sentence(err)
    assert "/proc/r.json cannot be written" in err and fake_register == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a CUDA device")
def test_a_device_that_is_not_there_is_refused(scans, fake_register, capsys):
    assert cli.main(register_arguments(scans, "--device", "cuda")) == 1
    err = capsys.readouterr().err
    assert_one_sentence(err)
    assert '"cuda"' in err and fake_register == [] and list((scans / "out").iterdir()) == []


def test_images_without_common_view_are_refused(head_folder, tmp_path, capfd):
    from madreg.io.itk_transform import write_transform

    folder, _ = head_folder
    far = np.eye(4)
    far[:3, 3] = 2000.0
    write_transform(Transform(far), tmp_path / "far.tfm")
    status = cli.main(
        [
            "register",
            str(folder / "ct.nii.gz"),
            str(folder / "t1.nii.gz"),
            "--initial-transform",
            str(tmp_path / "far.tfm"),
            "--transform",
            str(tmp_path / "t.tfm"),
            "--device",
            "cpu",
        ]
    )
    err = capfd.readouterr().err
    assert status == 1
    assert_one_sentence(err)
    assert "ct.nii.gz" in err and "t1.nii.gz" in err and "no field of view in common" in err
    assert not (tmp_path / "t.tfm").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "COMMAND"),
        (["dance"], "dance"),
        (["register"], "FIXED"),
        (["register", "a", "b"], "--transform"),
        (["register", "a", "b", "--transform", "t.tfm", "--type", "elastic"], "elastic"),
        (["register", "a", "b", "--transform", "t.tfm", "--seed", "x"], "not a whole number"),
        (["register", "a", "b", "--transform", "t.tfm", "--seed", "-1"], 'The random seed "-1" cannot be used'),
        (["register", "a", "b", "--transform", "t.tfm", "--device", "cpu:"], 'There is no device "cpu:"'),
        (["register", "a", "b", "--transform", "t.tfm", "--device", "abacus"], 'There is no device "abacus"'),
        (["register", "a", "b", "--transform", "t.tfm", "--init", "guess"], "center_of_mass"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_line(arguments, reason, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    err = capsys.readouterr().err
    assert caught.value.code == 2 and reason in err
    assert_one_sentence(err)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_is_one_sentence(scans, monkeypatch, capsys, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(weights, "checked_card", lambda *_: {"sha256": "0" * 64})
    monkeypatch.setattr(registration, "register", fail)
    assert cli.main(register_arguments(scans)) == 1
    err = capsys.readouterr().err
    assert_one_sentence(err)
    assert "memory" in err and list((scans / "out").iterdir()) == []


def test_a_disk_that_fills_up_leaves_no_file(scans, fake_register, monkeypatch, capsys):
    def fail(image, path):
        path.write_text("hal")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_put_image", fail)
    assert cli.main(register_arguments(scans, "--resampled", scans / "out" / "r.nii.gz")) == 1
    assert_one_sentence(capsys.readouterr().err)
    assert list((scans / "out").iterdir()) == []


SLOW = """
import sys, time
from madreg.commands import main as cli
from madreg.network import weights
from madreg.pipeline import registration
weights.checked_card = lambda *_: {'sha256': '0' * 64}
def register(*_):
    print("ready", flush=True)
    time.sleep(60)
registration.register = register
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [STOPPING[0], *(pytest.param(one, marks=pytest.mark.slow) for one in STOPPING[1:])])
def test_ctrl_c_is_one_sentence_and_no_file(scans, number):
    process = run_process(*register_arguments(scans), code=SLOW)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert_one_sentence(err)
    assert list((scans / "out").iterdir()) == []


# --- surroundings ---------------------------------------------------------------------------------------------------


def test_a_failed_registration_has_its_own_status_and_writes_no_transform(scans, fake_register, monkeypatch, capsys):
    outputs = ["--report", scans / "out" / "r.json", "--resampled", scans / "out" / "r.nii.gz"]
    succeed = registration.register
    monkeypatch.setattr(registration, "register", lambda *args: replace(succeed(*args), quality=None))
    assert cli.main(register_arguments(scans, *outputs, "--quiet")) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_sentence(err)
    assert "t.tfm and" in err and "r.nii.gz were not written" in err and "--keep-failed" in err
    assert [path.name for path in (scans / "out").iterdir()] == ["r.json"]
    assert json.loads((scans / "out" / "r.json").read_text())["verdict"] == "failed"
    assert cli.main(register_arguments(scans, *outputs, "--quiet", "--keep-failed")) == 3
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in (scans / "out").iterdir()) == ["r.json", "r.nii.gz", "t.tfm"]


def test_the_report_has_the_inputs_and_the_hash_of_the_weights(scans, fake_register, capsys):
    assert cli.main(register_arguments(scans, "--report", scans / "out" / "r.json")) == 0
    report = json.loads((scans / "out" / "r.json").read_text())
    assert report["weights_sha256"] == "0" * 64
    assert report["fixed"]["name"].endswith("fixed.nii.gz") and report["moving"]["size"] == [28, 24, 20]
    assert report["moving"]["spacing_mm"] == [4.0, 4.0, 4.0] and report["fixed"]["notices"] == []


def test_the_card_of_the_weights_is_not_overwritten(scans, fake_register, capsys):
    (scans / "out" / "mine.json").write_text("the card")
    options = ["--weights", scans / "out" / "mine.pt", "--report", scans / "out" / "mine.json"]
    assert cli.main(register_arguments(scans, *options)) == 1
    assert "mine.json is an input and would be overwritten" in capsys.readouterr().err
    assert (scans / "out" / "mine.json").read_text() == "the card"


@pytest.mark.skipif(sys.platform != "linux", reason="needs names of any bytes")
@pytest.mark.parametrize("role", ["input", "output"])
def test_a_name_that_is_not_utf8_is_one_sentence(scans, fake_register, capsys, role):
    name = os.fsdecode(os.fsencode(scans) + b"/out/caf\xe9")
    arguments = register_arguments(scans, "--report", name + ".json" if role == "output" else scans / "out" / "r.json")
    if role == "input":
        os.rename(scans / "moving.nii.gz", name + ".nii.gz")
        arguments[2] = name + ".nii.gz"
    assert cli.main(arguments) == 1
    err = capsys.readouterr().err
    assert_one_sentence(err)
    assert r"caf\udce9" in err and "not UTF-8" in err and fake_register == []


def test_names_with_dollars_and_line_breaks(scans, fake_register, capsys, recwarn):
    moving = scans / "$a_b^c$\n日本.nii.gz"
    os.rename(scans / "moving.nii.gz", moving)
    arguments = register_arguments(scans, "--overlay", scans / "out" / "$x^$.png")
    arguments[2] = str(moving)
    assert cli.main(arguments) == 0
    assert (scans / "out" / "$x^$.png").stat().st_size > 1000
    assert capsys.readouterr().err == "Note: Something to know.\n"
    assert [one for one in recwarn if one.category is not ResourceWarning] == []  # which is of earlier tests


QUICK = """
import sys
from madreg import __main__ as entry
from madreg.network import weights
from madreg.pipeline import registration
from madreg.pipeline.result import Result
from madreg.image.transform import Transform
from madreg.quality.quality import Quality
from madreg.system.signals import STOPPING
weights.checked_card = lambda *_: {"sha256": "0" * 64}
def register(fixed, moving, settings, progress=None):
    identity = Transform.identity()
    quality = Quality(identity, 4.0, 0.9, 0.5, identity)
    return Result(identity, identity, settings, [], 1.0, "CPU", 2.0, 1.0, "blocks", 0.9, quality)
registration.register = register
entry.command()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 1, "The results cannot be printed (No space left on device): the files are complete.\n"),
        ("| true", 0, None),
        ("MPLBACKEND=nonsense", 0, ""),
        ("PYTHONIOENCODING=ascii", 0, ""),
    ],
)
def test_streams_that_are_closed_full_or_of_another_encoding(scans, redirection, status, said):
    name, place = ("", redirection) if "=" not in redirection else (redirection, "")
    moving = scans / "bild_ä.nii.gz"
    os.rename(scans / "moving.nii.gz", moving)
    (scans / "run.py").write_text(QUICK)
    arguments = register_arguments(scans, "--overlay", scans / "out" / "o.png", "--report", scans / "out" / "ä.json")
    arguments[2] = str(moving)
    line = f"{name} {shlex.join([sys.executable, str(scans / 'run.py'), *arguments])} {place}"
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    done = subprocess.run(["sh", "-c", line], capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == status, done.stderr
    assert said is None or done.stderr == said
    assert sorted(path.name for path in (scans / "out").iterdir()) == ["o.png", "t.tfm", "ä.json"]
    assert (
        json.loads((scans / "out" / "ä.json").read_text(encoding="utf-8"))["verdict"] == "check"
    )  # whole, and no message in it


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("number", STOPPING)
def test_an_interrupt_before_the_command_line_is_read_is_one_sentence(number):
    code = (
        "import os, signal, sys\nfrom madreg import __main__ as entry\nentry.stop_at_once_on_signals()\n"
        f"os.kill(os.getpid(), {int(number)})\nimport time; time.sleep(60)"
    )
    process = run_process(code=code)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert_one_sentence(err)


@pytest.fixture
def heeded():
    """Interrupts reach this process, also where it is a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_that_became_another_error_is_still_an_interrupt(scans, monkeypatch, capsys):
    def swallowed(*_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(weights, "checked_card", swallowed)
    assert cli.main(register_arguments(scans)) == 130
    assert_one_sentence(capsys.readouterr().err)
    assert list((scans / "out").iterdir()) == []
