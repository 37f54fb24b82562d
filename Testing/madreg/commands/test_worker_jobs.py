"""What the worker answers to a command."""

from types import SimpleNamespace

import numpy as np
import pytest

from madreg.commands.worker_jobs import answer, progress_reporter, register
from madreg.errors import InputError
from madreg.image.transform import Transform
from madreg.progress import Progress
from madreg.settings import Resampling

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
    register(command, lambda *_, **__: None)
    first, second, stage, notice = capsys.readouterr().err.splitlines()
    assert first.endswith("Registering CT to CT: type affine")
    assert second.endswith("check, estimated error unknown before, 3.0 mm after, 28.9 s on CPU, 2 threads")
    assert stage.split() == ["search", "ngf", "-0.1250", "to", "-0.5000", "6.2", "s"]
    assert notice.strip() == "The field of view is small."


def test_a_new_stage_is_said_at_once_and_its_progress_now_and_then():
    said = []
    report = progress_reporter(lambda event, **fields: said.append((fields["stage"], fields["fraction"])), 1)
    for stage, fraction in [("fine", 0.5), ("fine", 0.6), ("writing", 0.95), ("writing", 0.96)]:
        report(Progress(stage, fraction, Transform.identity()))
    assert said == [("fine", 0.5), ("writing", 0.95)]


def test_the_worker_resamples_as_it_is_wished(description, tmp_path, monkeypatch):
    from madreg.pipeline import job

    jobs = []
    monkeypatch.setattr(job, "run_job", lambda job, progress: jobs.append(job) or SimpleNamespace(report=REPORT))
    command = {"job": 1, "fixed": description, "moving": description, "settings": {}}
    register(command, lambda *_, **__: None)
    register({**command, "resampling": {"fill": 3, "interpolation": "sinc"}}, lambda *_, **__: None)
    assert [one.resampling for one in jobs] == [Resampling(), Resampling("sinc", 3)]
    with pytest.raises(InputError, match="no voxel type"):
        register({**command, "resampling": {"voxel_type": "bit"}}, lambda *_, **__: None)


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
        answer(whole, lambda event, **fields: events.append((event, fields)))
    assert events[0] == ("result", {"job": 4, "report": report, "error_map": None})  # no worst_mm: none was written
    assert [(event, fields["kind"]) for event, fields in events[1:]] == [("error", "input")] * 2
    assert 'no usable "transform"' in events[1][1]["message"] and 'no usable "transform"' in events[2][1]["message"]
    assert jobs[0].transform.matrix.tolist() == matrix and jobs[0].settings.seed == 3
    assert jobs[0].outputs.error_map == tmp_path / "e.nrrd" and not jobs[0].outputs.durable
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("Assessing CT on CT") and lines[1].endswith("check, estimated error 3.0 mm")


def test_the_worker_goes_on_after_a_command_with_wrong_settings(description):
    events = []
    command = {"command": "register", "job": 8, "fixed": description, "moving": description, "settings": {"seed": -1}}
    answer(command, lambda event, **fields: events.append((event, fields)))
    assert events == [
        ("error", {"job": 8, "kind": "input", "message": events[0][1]["message"]}),
    ]
    assert 'random seed "-1"' in events[0][1]["message"]
