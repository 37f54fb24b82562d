"""The lines that a worker reads, without a process; see also the campaign."""

import gc
import io
import json
import os
import queue
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from madreg.commands import worker
from madreg.errors import InputError
from madreg.image.geometry import Grid
from madreg.image.transform import Transform
from madreg.progress import Progress
from madreg.settings import Resampling


@pytest.mark.parametrize(
    ("line", "job", "said"),
    [
        (b"not json", None, "not JSON"),
        (b"\xff\xfe", None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
        (b"[1, 2]", None, "not an object"),
        (b"3", None, "not an object"),
        (b"{}", None, "none of register, assess, compare, pair, quit"),
        (b'{"command": "dance", "job": 4}', 4, "none of register"),
        (b'{"command": ["register"], "job": 4}', 4, "none of register"),
        (b'{"command": "register"}', None, "no job number"),
        (b'{"command": "register", "job": true}', None, "no job number"),
        (b'{"command": "register", "job": {}}', None, "no job number"),
    ],
)
def test_a_line_that_cannot_be_understood_says_why(line, job, said):
    with pytest.raises(worker.CommandError, match=said) as caught:
        worker.parse(line)
    assert caught.value.job == job and "\n" not in str(caught.value)


class Ended(BaseException):
    pass


def heard(monkeypatch, stream: bytes, folder=None):
    """What is queued and what is said of a stream, and that the process ends with it."""

    def end(status):
        raise Ended(status)

    monkeypatch.setattr(worker.os, "_exit", end)
    commands, events = queue.Queue(), []
    with pytest.raises(Ended):
        worker.listen(io.BytesIO(stream), commands, lambda event, **fields: events.append((event, fields)), folder)
    return [commands.get() for _ in range(commands.qsize())], events


def test_one_bad_line_gives_one_error_and_the_next_is_heard(monkeypatch, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    good = {"command": "compare", "job": 3}
    long = b"x" * (3 * worker.LONGEST_LINE)
    stream = b"\n".join([b"nonsense", b"", long, json.dumps(good).encode(), b'{"command": "quit"}', b"{"])
    commands, events = heard(monkeypatch, stream, str(folder))
    assert commands == [good, {"command": "quit"}]
    assert [(event, fields["job"], fields["kind"]) for event, fields in events] == [("error", None, "input")] * 3
    assert not folder.exists()


def test_a_listener_that_fails_ends_the_process(monkeypatch):
    class Broken(io.BytesIO):
        def readline(self, *_):
            raise MemoryError

    monkeypatch.setattr(worker.os, "_exit", lambda status: (_ for _ in ()).throw(Ended(status)))
    with pytest.raises(Ended):
        worker.listen(Broken(), queue.Queue(), lambda *_, **__: None, None)


@pytest.fixture
def description(tmp_path):
    grid = Grid((12, 11, 10), np.diag([3.0, 3.0, 3.0, 1.0]))
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random(grid.shape).astype(np.float32))
    return {"name": "CT", "voxels": str(tmp_path / "a.npy"), "matrix": grid.matrix.tolist(), "mask": None}


def test_an_image_and_its_mask_are_read(description, tmp_path):
    np.save(tmp_path / "m.npy", np.ones((5, 5, 5), np.uint8))
    description["mask"] = {"voxels": str(tmp_path / "m.npy"), "matrix": np.diag([3.0, 3.0, 3.0, 1.0]).tolist()}
    scan = worker.ScanArray(description)
    scan.check()
    loaded = scan.load()
    assert loaded.name == "CT" and loaded.mask[:5, :5, :5].all() and loaded.mask.sum() == 125
    assert isinstance(loaded.image, sitk.Image)


@pytest.mark.parametrize("name", ["voxels", "matrix", "name"])
@pytest.mark.parametrize("value", [None, 3, {}])
def test_a_part_that_is_missing_or_wrong_is_named(description, name, value):
    description[name] = value
    with pytest.raises(InputError, match=f'no usable "{name}"'):
        worker.ScanArray(description).check()


@pytest.mark.parametrize("matrix", [[], [[1]], [[float("nan")] * 4] * 4, [[0.0] * 4] * 4, [["a"] * 4] * 4])
def test_a_matrix_that_is_none_is_refused(description, matrix):
    description["matrix"] = matrix
    with pytest.raises(InputError, match="CT "):
        worker.ScanArray(description).load()


def test_a_file_that_is_cut_off_is_refused(description, tmp_path):
    data = (tmp_path / "a.npy").read_bytes()
    for length in (0, 5, 100, len(data) - 4):
        (tmp_path / "a.npy").write_bytes(data[:length])
        with pytest.raises(InputError, match="CT was not passed on completely"):
            worker.ScanArray(description).load()


REPORT = {
    "stages": [{"name": "search", "measure": "ngf", "before": -0.125, "after": -0.5, "seconds": 6.25}],
    "verdict": "check",
    "error_before_mm": None,
    "error_after_mm": 3.04,
    "seconds": 28.9,
    "device": "CPU, 2 threads",
    "notices": ["The field of view is small."],
}


def test_the_log_says_what_was_registered_and_what_came_out(description, monkeypatch, capsys):
    from madreg.pipeline import job

    monkeypatch.setattr(job, "run_job", lambda job, progress: SimpleNamespace(report=REPORT))
    command = {"job": 1, "fixed": description, "moving": description, "settings": {"type": "affine"}}
    worker.perform(command, lambda *_, **__: None)
    first, second, stage, notice = capsys.readouterr().err.splitlines()
    assert first.endswith("Registering CT to CT: type affine")
    assert second.endswith("check, estimated error unknown before, 3.0 mm after, 28.9 s on CPU, 2 threads")
    assert stage.split() == ["search", "ngf", "-0.1250", "to", "-0.5000", "6.2", "s"]
    assert notice.strip() == "The field of view is small."


def test_a_new_stage_is_said_at_once_and_its_progress_now_and_then():
    said = []
    report = worker.progress_reporter(lambda event, **fields: said.append((fields["stage"], fields["fraction"])), 1)
    for stage, fraction in [("fine", 0.5), ("fine", 0.6), ("writing", 0.95), ("writing", 0.96)]:
        report(Progress(stage, fraction, Transform.identity()))
    assert said == [("fine", 0.5), ("writing", 0.95)]


def test_the_worker_resamples_as_it_is_wished(description, tmp_path, monkeypatch):
    from madreg.pipeline import job

    jobs = []
    monkeypatch.setattr(job, "run_job", lambda job, progress: jobs.append(job) or SimpleNamespace(report=REPORT))
    command = {"job": 1, "fixed": description, "moving": description, "settings": {}}
    worker.perform(command, lambda *_, **__: None)
    worker.perform({**command, "resampling": {"fill": 3, "interpolation": "sinc"}}, lambda *_, **__: None)
    assert [one.resampling for one in jobs] == [Resampling(), Resampling("sinc", 3)]
    with pytest.raises(InputError, match="no voxel type"):
        worker.perform({**command, "resampling": {"voxel_type": "bit"}}, lambda *_, **__: None)


def test_the_worker_assesses_what_it_is_given(description, tmp_path, monkeypatch, capsys):
    from madreg.pipeline import assessment_job

    jobs, report = [], {"verdict": "check", "error_mm": 3.04}
    monkeypatch.setattr(
        assessment_job, "run_assessment", lambda job, progress: jobs.append(job) or SimpleNamespace(report=report)
    )
    matrix = (np.eye(4) + np.eye(4, k=3) * 4).tolist()
    command = {"fixed": description, "moving": description, "settings": {"seed": 3}, "transform": matrix}
    events = []
    for change in ({"error_map": str(tmp_path / "e.nrrd")}, {"transform": [[1]]}, {"transform": [["a"] * 4] * 4}):
        whole = {"command": "assess", "job": 4, **command, **change}
        worker.answer(whole, lambda event, **fields: events.append((event, fields)))
    assert events[0] == ("result", {"job": 4, "report": report, "error_map": None})  # no worst_mm: none was written
    assert [(event, fields["kind"]) for event, fields in events[1:]] == [("error", "input")] * 2
    assert 'no usable "transform"' in events[1][1]["message"] and 'no usable "transform"' in events[2][1]["message"]
    assert jobs[0].transform.matrix.tolist() == matrix and jobs[0].settings.seed == 3
    assert jobs[0].outputs.error_map == tmp_path / "e.nrrd" and not jobs[0].outputs.durable
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("Assessing CT on CT") and lines[1].endswith("check, estimated error 3.0 mm")


def test_structures_come_onto_the_grid_of_the_fixed_image_without_a_file(description, tmp_path):
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:2], labels[2] = 1, 2
    np.save(tmp_path / "s.npy", labels)
    matrix = np.diag([6.0, 6.0, 6.0, 1.0])
    matrix[:3, 3] = 1.5
    given = {"name": "Organs", "voxels": str(tmp_path / "s.npy"), "matrix": matrix.tolist(), "names": {"1": "Eye"}}
    before, fixed = sorted(tmp_path.iterdir()), worker.ScanArray(description).load()
    structures = worker.structures_of({"segmentation": given})
    structures.check()
    found = structures.load(fixed)
    assert found.names == {1: "Eye", 2: "Structure 2"} and found.labels.shape == (10, 11, 12)
    assert (found.labels[:4, :8, :8] == 1).all() and (found.labels[4:6, :8, :8] == 2).all()
    assert not found.labels[6:].any() and not found.labels[:, 8:].any()
    assert sorted(tmp_path.iterdir()) == before
    assert worker.structures_of({}) is None
    far = np.eye(4) + 500 * np.eye(4, k=3)
    with pytest.raises(InputError, match="No structure of Organs lies in CT"):
        worker.structures_of({"segmentation": {**given, "matrix": far.tolist()}}).load(fixed)


@pytest.mark.parametrize("wrong", [3, {}, {"name": "Organs", "voxels": "s.npy", "matrix": [], "names": []}])
def test_structures_that_are_incomplete_are_refused(wrong):
    with pytest.raises(InputError, match="update MADRegistration"):
        worker.structures_of({"segmentation": wrong}).check()


def test_the_worker_goes_on_after_a_command_with_wrong_settings(description):
    events = []
    command = {"command": "register", "job": 8, "fixed": description, "moving": description, "settings": {"seed": -1}}
    worker.answer(command, lambda event, **fields: events.append((event, fields)))
    assert events == [
        ("error", {"job": 8, "kind": "input", "message": events[0][1]["message"]}),
    ]
    assert 'random seed "-1"' in events[0][1]["message"]


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def slabs(tmp_path):
    """A command that registers two slabs, which takes a second."""
    values = np.random.default_rng(1).uniform(300, 1000, (3, 12, 12)).astype(np.float32)
    np.save(tmp_path / "slab.npy", values)
    images = {}
    for role, shift in (("fixed", 0.0), ("moving", 4.0)):
        matrix = np.diag([9.0, 9.0, 6.0, 1.0])
        matrix[:3, 3] = shift
        images[role] = {"name": role, "voxels": str(tmp_path / "slab.npy"), "matrix": matrix.tolist()}
    outputs = {"resampled": str(tmp_path / "r.npy"), "error_map": str(tmp_path / "e.nrrd")}
    settings = {"init": "none", "measure": "nmi", "device": "cpu"}
    return {"command": "register", "job": 1, **images, **outputs, "settings": settings}


@pytest.mark.slow
def test_a_registration_leaves_no_tensors_in_reference_cycles(slabs):
    """The worker looks for them, but other programs do so when Python sees fit, which does not know their size."""

    def tensors():
        return {id(one): one for one in gc.get_objects() if isinstance(one, torch.Tensor)}

    assert "worst_mm" in worker.perform(slabs, lambda *_, **__: None)
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        worker.perform(slabs, lambda *_, **__: None)
        left = [tuple(one.shape) for key, one in tensors().items() if key not in before]
    finally:
        gc.enable()
    assert left == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_the_process_is_flat(slabs):
    process = subprocess.Popen(
        [sys.executable, worker.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    statm, memory = Path(f"/proc/{process.pid}/statm"), []
    with process:
        for _ in range(16):
            print(json.dumps(slabs), file=process.stdin, flush=True)
            print(json.dumps({"command": "compare", "job": 2}), file=process.stdin, flush=True)
            heard = []
            while len(heard) < 2:
                event = json.loads(process.stdout.readline())
                heard += [event["event"]] if event["event"] in ("result", "error") else []
            assert heard == ["result", "error"]  # after the second, memory of the registration has been released
            memory.append(os.sysconf("SC_PAGE_SIZE") * int(statm.read_text().split()[1]) / 2**20)
        process.stdin.close()
    assert memory[-1] < memory[5] + 30, memory
