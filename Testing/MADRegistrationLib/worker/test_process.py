"""Qt's process, with a QProcess that is made up: slicer-core has no Qt."""

import sys
from types import SimpleNamespace

import pytest

from MADRegistrationLib.worker import process as processModule
from MADRegistrationLib.worker.process import QtProcess


class FakeQProcess:
    NotRunning, Running = range(2)

    def __init__(self):
        self.calls = []
        self.now = self.Running

    def __getattr__(self, name):
        return lambda *values: self.calls.append(name)

    def state(self):
        return self.now

    def waitForFinished(self, milliseconds):
        assert self.calls[-1] == "kill" and milliseconds > 0
        self.calls.append("waitForFinished")
        self.now = self.NotRunning


@pytest.fixture
def atEnd(monkeypatch):
    """What is done when Slicer ends."""
    found = []
    monkeypatch.setitem(sys.modules, "qt", SimpleNamespace(QProcess=FakeQProcess))
    monkeypatch.setattr(processModule, "atexit", SimpleNamespace(register=found.append))
    monkeypatch.setattr(QtProcess, "_alive", [])
    return found


def test_no_process_outlives_slicer(atEnd, tmp_path):
    processes = [QtProcess() for _ in range(3)]
    for one in processes:
        one.start(["python", "worker.py"], tmp_path / "log")
    processes[0].kill()  # by Cancel: Slicer does not wait
    assert processes[0]._process.calls[-1] == "kill"
    assert len(atEnd) == 1
    atEnd[0]()
    assert [one._process.calls[-1] for one in processes] == ["waitForFinished"] * 3
    assert not any(one.isRunning() for one in processes)


def test_processes_that_are_gone_are_not_kept(atEnd, tmp_path):
    for _ in range(5):
        one = QtProcess()
        one.start(["python", "worker.py"], tmp_path / "log")
        one._process.now = FakeQProcess.NotRunning
    assert len(QtProcess._alive) == 1
