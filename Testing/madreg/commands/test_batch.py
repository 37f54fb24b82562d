"""``madreg batch``: what it refuses, how it goes on, and that its results are those of the single command."""

import csv
import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.batch import manifest
from madreg.commands import main as cli
from madreg.io.itk_transform import read_transform

SOURCES = Path(cli.__file__).resolve().parents[2]


@pytest.fixture
def table(tmp_path):
    """A table of four pairs whose images are not there."""
    path = tmp_path / "table.csv"
    path.write_text("id,fixed,moving\n" + "".join(f"p{n},f{n}.nii,m{n}.nii\n" for n in range(4)))
    return path


class Cluster:
    """Stands in for the cluster and for what workers do: verdicts by id, which pairs were done, within which limits."""

    def __init__(self):
        self.verdicts, self.done, self.limits = {}, [], []

    def run(self, tasks, record):
        for task in tasks:
            name = task["pair"]["id"]
            self.done.append(name)
            self.limits.append(task["limit"])
            verdict = self.verdicts.get(name, "aligned")
            state = (
                {"state": "done", "verdict": verdict}
                if verdict in ("aligned", "check", "failed")
                else {"state": verdict}
            )
            values = {key: task["pair"][key] for key in ("id", "fixed", "moving")}
            record({**values, **state, "fingerprint": task["fingerprint"], "error_after_mm": 1.0, "finished": 1.0})


@pytest.fixture
def cluster(monkeypatch):
    """The :class:`Cluster` that the command uses."""
    from madreg.batch import cluster as real
    from madreg.batch import run

    fake = Cluster()

    class Dispatcher:
        def __init__(self, client, record, *_):
            self.record = record

        def run(self, tasks):
            fake.run(tasks, self.record)

    class Client:
        dashboard_link = "http://127.0.0.1:8787/status"

    monkeypatch.setattr(run, "Dispatcher", Dispatcher)
    monkeypatch.setattr(real, "local", lambda share: nullcontext(Client))
    monkeypatch.setattr(real, "connected", lambda address: nullcontext(Client))
    monkeypatch.setattr(real, "required", lambda: None)
    monkeypatch.setattr(real, "usable_cores", lambda: 2)
    return fake


def batch(*words):
    return cli.main(["batch", *map(str, words), "--device", "cpu"])


def test_all_pairs_are_done_and_shown(table, cluster, tmp_path, capsys):
    out = tmp_path / "out"
    assert batch(table, out) == 0
    assert cluster.done == ["p0", "p1", "p2", "p3"]
    shown = capsys.readouterr()
    assert shown.out.startswith("4 of 4 done, 0 failed, 0 to check\n") and "4 of 4 done" in shown.err
    assert (out / "index.html").is_file() and (out / "summary.tsv").is_file()
    assert batch(table, out, "--quiet") == 0
    assert cluster.done == ["p0", "p1", "p2", "p3"]
    assert capsys.readouterr() == ("", "")


def test_failures_are_in_the_exit_status_and_are_tried_again_if_asked_for(table, cluster, tmp_path):
    cluster.verdicts = {"p0": "check", "p1": "failed", "p2": "killed", "p3": "error"}
    out = tmp_path / "out"
    assert batch(table, out) == 3
    assert batch(table, out) == 3
    assert len(cluster.done) == 4
    cluster.verdicts = {}
    assert batch(table, out, "--retry-failed") == 3  # the verdict failed is a result
    assert cluster.done[4:] == ["p2", "p3"]


def test_only_changed_and_new_rows_are_done(table, cluster, tmp_path):
    out = tmp_path / "out"
    batch(table, out)
    text = table.read_text().replace("m1.nii", "other.nii") + "p4,f4.nii,m4.nii\n"
    table.write_text(text)
    assert batch(table, out) == 0
    assert cluster.done[4:] == ["p1", "p4"]
    assert batch(table, out, "--type", "affine") == 0
    assert len(cluster.done) == 11


def test_pairs_whose_files_were_complete_when_it_was_killed_are_not_done_again(table, cluster, tmp_path):
    out = tmp_path / "out"
    batch(table, out)
    lines = (out / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (out / "manifest.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])
    (out / "pairs" / "p2").mkdir(parents=True)
    (out / "pairs" / "p2" / "result.json").write_bytes(lines[2])
    assert batch(table, out) == 0
    assert cluster.done[4:] == ["p3"]
    assert set(manifest.read_all(out)) == {"p0", "p1", "p2", "p3"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.csv", "out"], "cannot be read"),
        (["table.csv", "table.csv"], "is a file"),
        (["table.csv", "out", "--fixed", "T1w"], "add --bids"),
        (["table.csv", "out", "--participant-label", "01"], "add --bids"),
        (["table.csv", "out", "--scheduler", "tcp://a:1", "--workers", "2"], "--workers"),
        (["table.csv", "out", "--level", "group"], "has no results"),
        (["--bids", ".", "out"], "needs --fixed and --moving"),
        (["--bids", ".", "out", "--fixed", "T1w", "--moving", "ct"], "dataset_description"),
        (["--bids", ".", "out", "--fixed", "T1w", "--moving", "ct", "--error-map"], "--error-map"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(table, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert batch(*words) == 1
    error = capsys.readouterr().err
    assert message in error and error.endswith(".\n") and error.count("\n") == 1
    assert not (tmp_path / "out" / "summary.tsv").exists()


@pytest.mark.parametrize("name", ["summary.tsv", "index.html", "link.csv"])
def test_a_table_that_the_summary_would_overwrite_is_refused(table, cluster, tmp_path, capsys, name):
    path, text = tmp_path / name, table.read_text()
    if name == "link.csv":
        (tmp_path / "summary.tsv").write_text(text)
        path.symlink_to(tmp_path / "summary.tsv")
    else:
        path.write_text(text)
    assert batch(path, tmp_path) == 1
    assert capsys.readouterr().err == (
        f"{path} would be overwritten by the summary: give another folder for the results.\n"
    )
    assert path.read_text() == text and cluster.done == []


def test_the_time_limit_is_in_minutes_and_zero_for_none(table, cluster, tmp_path):
    for number, (words, seconds) in enumerate([((), 3600), (("--time-limit", "1.5"), 90), (("--time-limit", 0), None)]):
        batch(table, tmp_path / f"out{number}", *words)
        assert cluster.limits[-1] == seconds
    for word in ("-1", "x", "nan", "1e9"):
        with pytest.raises(SystemExit) as left:
            batch(table, tmp_path / "out", "--time-limit", word)
        assert left.value.code == 2


def test_numbers_of_processes_are_checked(table, tmp_path):
    for word in ("0", "x", "1.5"):
        with pytest.raises(SystemExit) as left:
            batch(table, tmp_path / "out", "--workers", word)
        assert left.value.code == 2


@pytest.fixture
def dataset(tmp_path):
    """A BIDS data set of two participants whose images are empty."""
    root = tmp_path / "data"
    for label in ("01", "02"):
        folder = root / f"sub-{label}" / "anat"
        folder.mkdir(parents=True)
        for suffix in ("T1w", "T2w"):
            (folder / f"sub-{label}_{suffix}.nii.gz").touch()
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Heads", "BIDSVersion": "1.10.0"}))
    return root


def test_levels_of_a_bids_data_set(dataset, cluster, tmp_path):
    out, words = tmp_path / "out", ("--fixed", "T1w", "--moving", "T2w")
    for label in ("01", "02"):
        assert batch("--bids", dataset, out, *words, "--participant-label", label, "--level", "participant") == 0
        assert (out / f"manifest_sub-{label}.jsonl").is_file()
    assert not (out / "index.html").exists()
    assert cluster.done == ["sub-01_from-T2w_to-T1w", "sub-02_from-T2w_to-T1w"]
    assert batch("--bids", dataset, out, "--level", "group") == 0
    with (out / "summary.tsv").open() as file:
        assert {row["id"] for row in csv.DictReader(file, delimiter="\t")} == set(cluster.done)
    assert batch("--bids", dataset, out, *words) == 0
    assert len(cluster.done) == 2
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"


def test_participants_without_a_pair_are_named(dataset, cluster, tmp_path, capsys):
    (dataset / "sub-03").mkdir()
    (dataset / "sub-02" / "anat" / "sub-02_T2w.nii.gz").unlink()
    words = ("--bids", dataset, tmp_path / "out", "--fixed", "T1w", "--moving", "T2w,ct")
    assert batch(*words) == 0
    assert "Note: sub-02, sub-03: left out, without a T1w image or without one of T2w, ct." in capsys.readouterr().err
    assert batch(*words, "--participant-label", "01") == 0
    assert "left out" not in capsys.readouterr().err
    assert batch(*words, "--participant-label", "03", "01") == 0
    assert "Note: sub-03: left out" in capsys.readouterr().err
    assert batch(*words, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_a_data_set_is_not_its_own_derivative(dataset, cluster):
    before = (dataset / "dataset_description.json").read_bytes()
    assert batch("--bids", dataset, dataset, "--fixed", "T1w", "--moving", "T2w") == 1
    assert (dataset / "dataset_description.json").read_bytes() == before
    assert not list(dataset.glob("manifest*"))


@pytest.mark.parametrize("name", ["dataset_description.json", "README.md", ".bidsignore", "index.html", "summary.tsv"])
def test_files_of_others_in_the_output_folder_stay(dataset, cluster, tmp_path, capsys, name):
    """Such as those of another derivative, or of the folder of all derivatives."""
    out, words = tmp_path / "out", ("--fixed", "T1w", "--moving", "T2w")
    out.mkdir()
    (out / name).write_text('{"Name": "fMRIPrep"}')
    assert batch("--bids", dataset, out, *words) == 1
    assert f"{name} was not written by a batch and would be overwritten" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [name] and "fMRIPrep" in (out / name).read_text()
    (out / name).unlink()
    for _ in range(2):  # its own may be replaced
        assert batch("--bids", dataset, out, *words) == 0
        (out / "manifest.jsonl").unlink()


def test_files_of_others_are_no_summary_of_a_table(table, cluster, tmp_path, capsys):
    (tmp_path / "index.html").write_text("<title>My pages</title>")
    assert batch(table, tmp_path) == 1
    assert "index.html was not written by a batch" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "<title>My pages</title>" and cluster.done == []


def test_weights_that_are_not_there_are_refused_at_once(table, cluster, tmp_path, capsys):
    assert batch(table, tmp_path / "out", "--weights", tmp_path / "none.pt") == 1
    assert "There are no weights at" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", ["cuda:77", "mps"])
def test_a_device_that_is_not_there_is_refused_at_once(table, cluster, tmp_path, capsys, device):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("it is there")
    assert cli.main(["batch", str(table), str(tmp_path / "out"), "--device", device]) == 1
    assert capsys.readouterr().err == f'This computer has no usable "{device}" device: choose "auto" or "cpu".\n'
    assert not (tmp_path / "out").exists() and cluster.done == []


def test_weights_that_are_none_are_refused_at_once(table, cluster, tmp_path, capsys):
    (tmp_path / "foreign.pt").write_bytes(b"text")
    assert batch(table, tmp_path / "out", "--weights", tmp_path / "foreign.pt") == 1
    assert "foreign.pt" in capsys.readouterr().err and not (tmp_path / "out").exists() and cluster.done == []


def test_of_other_computers_the_devices_are_not_known(table, cluster, tmp_path):
    words = ["--device", "cuda:77", "--scheduler", "tcp://head:8786"]
    assert cli.main(["batch", str(table), str(tmp_path / "out"), *words]) == 0
    assert cluster.done == ["p0", "p1", "p2", "p3"]


def test_without_dask_the_rest_works_and_it_is_said(table, tmp_path):
    code = (
        "import sys; sys.modules['dask'] = sys.modules['distributed'] = None\n"
        "import madreg.commands.register, madreg.commands.batch\n"
        "assert not {'torch', 'numpy', 'SimpleITK'} & set(sys.modules)\n"
        "sys.exit(madreg.commands.main.main(['batch', *sys.argv[1:]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import madreg.commands.main\n" + code, str(table), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, 'Dask is not installed: run `pip install "madreg[batch]"`.\n')


# --- with registrations ---------------------------------------------------------------------------------------------


@pytest.fixture
def heads(tmp_path, head_images):
    """Function: write a small CT of a head and its T1w, shifted, under these names.

    A few of the 7 mm slices are registered in a fraction of the time.
    """

    def write(ct_path, t1_path, shift=(6.0, -5.0, 4.0), slices=slice(10, 15)):
        for image, path, move in zip(head_images, (ct_path, t1_path), ((0, 0, 0), shift), strict=True):
            smooth = sitk.SmoothingRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat32), 3.5)
            size = [int(np.ceil(n * mm / 7)) for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)]
            small = sitk.Resample(smooth, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), [7.0] * 3)
            small = small[:, :, slices]
            small.SetOrigin((np.array(small.GetOrigin()) + move).tolist())
            path.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(small, str(path))

    return write


FAST = ("--measure", "nmi", "--init", "none")


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "madreg", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(SOURCES), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def one_thread():
    """Torch computes with one thread, as each worker does that is said to."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(number)


@pytest.mark.slow
def test_results_are_those_of_the_single_command(tmp_path, heads, one_thread):
    pytest.importorskip("distributed", reason="needs madreg[batch]")
    heads(tmp_path / "ct_a.nii.gz", tmp_path / "t1_a.nii.gz", slices=slice(8, 20))
    heads(tmp_path / "ct_b.nii.gz", tmp_path / "t1_b.nii.gz")
    table = tmp_path / "table.csv"
    rows = ("id,fixed,moving", *(f"{n},ct_{n}.nii.gz,t1_{n}.nii.gz" for n in "ab"), "c,ct_a.nii.gz,none.nii.gz")
    table.write_text("\n".join(rows))
    out = tmp_path / "out"
    done = command("batch", table, out, *FAST, "--workers", 2, "--threads", 1, "--resampled", "--keep-failed")
    assert done.returncode == 3, done.stderr
    assert "1 failed" in done.stdout and "Traceback" not in done.stderr
    entries = manifest.read_all(out)
    assert entries["c"]["state"] == "error" and "none.nii.gz" in entries["c"]["message"]
    for name in "ab":
        alone = tmp_path / f"{name}.tfm", tmp_path / f"{name}.nii.gz"
        words = ("--transform", alone[0], "--resampled", alone[1], "--keep-failed", *FAST)
        inputs = (tmp_path / f"{scan}_{name}.nii.gz" for scan in ("ct", "t1"))
        assert cli.main(["register", *map(str, (*inputs, *words))]) in (0, 3)
        folder = out / "pairs" / name
        assert alone[0].read_bytes() == (folder / "transform.tfm").read_bytes()
        assert alone[1].read_bytes() == (folder / "resampled.nii.gz").read_bytes()
        assert {"index.html", "overlay.png", "thumbnail.jpg", "report.json"} <= set(os.listdir(folder))
        assert set(os.listdir(folder)) == {Path(one).name for one in entries[name]["files"].values()}
        assert len(entries[name]["inputs"]["fixed"]["sha256"]) == 64


@pytest.fixture
def derivative(tmp_path, heads):
    """A BIDS derivative of one participant."""
    pytest.importorskip("distributed", reason="needs madreg[batch]")
    root, out = tmp_path / "data", tmp_path / "out"
    anat = root / "sub-01" / "anat"
    heads(anat / "sub-01_T2w.nii.gz", anat / "sub-01_T1w.nii.gz")
    (root / "dataset_description.json").write_text(json.dumps({"Name": "Heads", "BIDSVersion": "1.10.0"}))
    words = ("--fixed", "T1w", "--moving", "T2w", "--resampled", "--workers", 1, "--keep-failed", *FAST)
    done = command("batch", "--bids", root, out, *words)
    assert done.returncode in (0, 3), done.stderr
    return out


@pytest.mark.slow
def test_a_bids_derivative(derivative):
    anat = derivative / "sub-01" / "anat"
    names = {
        "sub-01_from-T2w_to-T1w_mode-image_xfm.h5",
        "sub-01_from-T2w_to-T1w_mode-image_xfm.json",
        "sub-01_from-T1w_to-T2w_mode-image_xfm.h5",
        "sub-01_from-T1w_to-T2w_mode-image_xfm.json",
        "sub-01_space-T1w_T2w.nii.gz",
        "sub-01_space-T1w_T2w.json",
    }
    assert set(os.listdir(anat)) == names
    forth, back = (
        read_transform(anat / f"sub-01_from-{one}_to-{other}_mode-image_xfm.h5")
        for one, other in (("T2w", "T1w"), ("T1w", "T2w"))
    )
    assert np.allclose(forth.matrix @ back.matrix, np.eye(4), atol=1e-9)
    sidecar = json.loads((anat / "sub-01_from-T2w_to-T1w_mode-image_xfm.json").read_text())
    assert np.allclose(sidecar["MatrixFixedToMovingLPS"], forth.matrix)
    assert sidecar["Sources"] == ["bids:raw:sub-01/anat/sub-01_T2w.nii.gz", "bids:raw:sub-01/anat/sub-01_T1w.nii.gz"]
    assert set(sidecar["InputSHA256"]) == {"fixed", "moving"} and len(sidecar["WeightsSHA256"]) == 64
    assert sidecar["Versions"]["madreg"] and sidecar["Seed"] == 0
    assert sidecar["Verdict"] in ("aligned", "check", "failed") and "EstimatedError" in sidecar
    assert (derivative / "index.html").read_text(encoding="utf-8").count(
        "sub-01/figures/sub-01_from-T2w_to-T1w.html"
    ) == 2
    _check_with_validator(derivative)


def _check_with_validator(folder):
    """The validator knows neither transforms nor pages, which ``.bidsignore`` names; all else must be valid."""
    validator = shutil.which("bids-validator-deno") or shutil.which(
        "bids-validator-deno", path=str(Path(sys.executable).parent)
    )
    if validator is None:
        pytest.skip("the BIDS validator is not installed: pip install bids-validator-deno")
    done = subprocess.run([validator, str(folder), "--format", "json"], capture_output=True, text=True)
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue["severity"] == "error"]
    assert not errors, errors
    (folder / "sub-01" / "anat" / "sub-01_wrong.nii.gz").touch()
    assert subprocess.run([validator, str(folder)], capture_output=True).returncode != 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Slurm is not for Windows")
def test_the_slurm_script_runs_scheduler_workers_and_batch(tmp_path, heads):
    """With an ``srun`` that runs two tasks on this computer."""
    pytest.importorskip("distributed", reason="needs madreg[batch]")
    heads(tmp_path / "ct.nii.gz", tmp_path / "t1.nii.gz")
    (tmp_path / "table.csv").write_text("id,fixed,moving\na,ct.nii.gz,t1.nii.gz\nb,ct.nii.gz,t1.nii.gz\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in {
        "srun": '"$@" & "$@" & wait',
        "madreg": f'exec "{sys.executable}" -m madreg "$@"',
        "dask": f'exec "{sys.executable}" -m dask "$@"',
        "python3": f'exec "{sys.executable}" "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/bash\n{line}\n")
        (programs / name).chmod(0o755)
    script = Path(__file__).resolve().parents[3] / "docs" / "batch.slurm"
    environment = {"PYTHONPATH": str(SOURCES), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(script), "table.csv", "out", *FAST, "--keep-failed", "--no-pictures"],
        cwd=tmp_path,
        env={**os.environ, **environment, "SLURM_CPUS_PER_TASK": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode in (0, 3), done.stderr
    entries = manifest.read_all(tmp_path / "out")
    assert {entry["state"] for entry in entries.values()} == {"done"} and len(entries) == 2
    assert {entry["threads"] for entry in entries.values()} == {1}
    assert not list(tmp_path.glob(".madreg-dask-*"))
