"""What the widgets signal, and what reaches the panel."""

import sys
from types import ModuleType, SimpleNamespace

import pytest


class FakeWidget:
    """Remembers what its signals are connected with; ``emit`` emits one."""

    def __init__(self):
        self._slots = []

    def connect(self, signal, slot):
        self._slots.append((signal, slot))

    def emit(self, signal, *values):
        for name, slot in self._slots:
            if name == signal:
                slot(*values)

    def __getattr__(self, name):  # slots of others
        return lambda *values: None


class FakeUi(dict):
    """Every widget by its name."""

    def __getattr__(self, name):
        return self.setdefault(name, FakeWidget())


@pytest.fixture
def ui(monkeypatch, panel):
    pytest.importorskip("slicer", reason="needs the PyPI package slicer-core")
    qt = ModuleType("qt")
    qt.QTimer = lambda parent: SimpleNamespace(setInterval=int, connect=lambda *what: None)
    monkeypatch.setitem(sys.modules, "qt", qt)
    monkeypatch.delitem(sys.modules, "MADRegistrationLib.widgets.connections", raising=False)
    from MADRegistrationLib.widgets.connections import Connections

    ui = FakeUi()
    Connections(ui, None).connect(panel)
    yield ui
    sys.modules.pop("MADRegistrationLib.widgets.connections")  # it has the double


def test_a_path_that_is_no_longer_in_sight_is_not_used(ui, panel, monkeypatch):
    """CTK says once that a line holds no path of its kind, and nothing of what stands there."""
    given = []
    monkeypatch.setattr(panel.controllers.files, "onPaths", lambda *paths: given.append(paths))
    ui.fileTablePath.emit("currentPathChanged(QString)", "a.csv")
    ui.fileTablePath.emit("validInputChanged(bool)", True)
    ui.fileFolderPath.emit("currentPathChanged(QString)", "out")
    assert given[-1] == ("a.csv", "out")
    ui.fileFolderPath.emit("validInputChanged(bool)", False)
    assert given[-1] == ("a.csv", "")
    ui.fileTablePath.emit("validInputChanged(bool)", False)
    ui.fileFolderPath.emit("currentPathChanged(QString)", "new")
    assert given[-1] == ("", "new")
