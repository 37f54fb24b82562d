"""``madreg train`` on a folder of small scans: what it writes, that it goes on, and what it refuses."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from madreg.commands.main import main
from madreg.commands.train_files import scan_files
from madreg.image.geometry import Grid
from madreg.network import weights

QUICK = ["--steps", "3", "--batch", "1", "--size", "16", "--workers", "0", "--held-out", "1", "--device", "cpu"]


@pytest.fixture
def folder(tmp_path):
    """Three scans of a ball with lumps in it, and a file that is none."""
    grid = Grid.covering(np.full(3, -60.0), np.full(3, 60.0), 4.0)
    points = grid.points().numpy()
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        lumps = np.sin(points @ np.random.default_rng(number).normal(0, 0.1, (3, 4))).sum(-1)
        array = np.where(np.linalg.norm(points, axis=-1) < 45, 100 + 20 * lumps, 0).astype(np.float32)
        sitk.WriteImage(grid.as_image(array), str(images / f"scan{number}.nii.gz"))
    (images / "README").write_text("not a scan")
    return images


@pytest.mark.slow
@pytest.mark.parametrize("form", [["--encoder", "siamese"], ["--encoder", "fused", "--sampling", "patches"]])
def test_weights_card_log_and_plots(folder, tmp_path, form, capsys):
    out = tmp_path / "out"
    command = ["train", "--images", str(folder), "--out", str(out), *QUICK, *form]
    assert main(command) == 0
    assert {p.name for p in out.iterdir()} >= {
        "mad.pt",
        "mad.json",
        "log.csv",
        "loss.png",
        "predicted.png",
        "checkpoint.pt",
        "train.log",
    }
    _network, card = weights.load(out / "mad.pt")
    assert card["network"]["encoder"] == form[1] and card["seed"] == 0
    assert [p.rsplit("/", 1)[1] for p in card["held_out"]] == ["scan2.nii.gz"] and len(card["data"]) == 2
    assert "bins" in card["validation"]["held out"]
    assert "left=" in capsys.readouterr().out
    before = json.loads((out / "mad.json").read_text())["sha256"]
    assert main(command) == 0  # finished already: nothing changes
    assert json.loads((out / "mad.json").read_text())["sha256"] == before


def test_hidden_files_are_no_scans(folder):
    wanted = scan_files(folder)
    (folder / "._scan0.nii.gz").write_bytes(b"\0\5\x16\7 Mac OS X")
    assert scan_files(folder) == wanted and len(wanted) == 3


@pytest.mark.parametrize(("folder_name", "said"), [("nowhere", "is not a folder"), ("empty", "holds no scan")])
def test_a_folder_without_scans_is_named(tmp_path, capsys, folder_name, said):
    (tmp_path / "empty").mkdir()
    assert main(["train", "--images", str(tmp_path / folder_name), "--out", str(tmp_path / "out"), *QUICK]) == 1
    error = capsys.readouterr().err
    assert folder_name in error and said in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        *(["--steps", "0"], ["--batch", "-1"], ["--held-out", "-1"], ["--size", "0"], ["--layers", "1.5"]),
        *(["--rotation", "nan"], ["--distance", "inf"], ["--minutes", "-5"], ["--workers", "many"]),
    ],
)
def test_numbers_that_cannot_be_are_refused(folder, tmp_path, capsys, words):
    with pytest.raises(SystemExit) as left:
        main(["train", "--images", str(folder), "--out", str(tmp_path / "out"), *words])
    error = capsys.readouterr().err
    assert left.value.code == 2 and f'{words[0]}: "{words[1]}" is not a' in error and error.count("\n") == 1


@pytest.mark.parametrize("pattern", ["", "/absolute/*.nii"])
def test_what_is_no_pattern_is_refused(folder, tmp_path, capsys, pattern):
    assert main(["train", "--images", str(folder), "--out", str(tmp_path / "out"), "--match", pattern]) == 1
    assert "is no pattern of names" in capsys.readouterr().err


def test_too_few_scans_are_refused(folder, tmp_path, capsys):
    arguments = ["train", "--images", str(folder), "--out", str(tmp_path / "out"), "--held-out", "3"]
    assert main(arguments) == 1
    assert "holds only 3 scans" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
